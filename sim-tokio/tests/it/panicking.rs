//! Panics in every place where tokio catches them or passes them on, and what is left behind.

use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Mutex, RwLock, oneshot};
use tokio::task::{JoinError, JoinHandle, JoinSet, LocalSet, yield_now};
use tokio::time::{sleep, timeout};

use crate::support::{in_both_worlds, panic_of, run};

in_both_worlds! {
    of_a_task
    of_a_destructor_at_the_end_of_a_task
    of_a_destructor_in_an_abort
    of_a_blocking_closure
    of_a_task_of_a_set
    of_a_local_task
    of_a_future_that_is_blocked_on
    of_what_a_wait_is_for
    of_who_holds_a_lock
    of_who_has_a_sender
    of_the_value_of_a_task
    of_a_handle_that_is_polled_again
    of_calls_at_the_wrong_time
}

/// A panic that nobody prints.
fn quiet() -> ! {
    std::panic::resume_unwind(Box::new("quiet"))
}

/// What a join gave.
fn told<T>(joined: Result<T, JoinError>) -> &'static str {
    match joined {
        Ok(_) => "fine",
        Err(error) if error.is_cancelled() => "cancelled",
        Err(error) => match error.into_panic().downcast_ref::<&str>() {
            Some(&"quiet") => "panicked",
            _ => "panicked otherwise",
        },
    }
}

/// Panics when it is dropped, after it has noted that.
struct PanicsAtDrop(Arc<StdMutex<u32>>);

impl PanicsAtDrop {
    fn new() -> (Self, Arc<StdMutex<u32>>) {
        let count = Arc::default();
        (Self(Arc::clone(&count)), count)
    }
}

impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
        quiet();
    }
}

async fn of_a_task() {
    assert_eq!(told(tokio::spawn(async { quiet() }).await), "panicked");
    let later = tokio::spawn(async {
        yield_now().await;
        quiet()
    });
    assert_eq!(told(later.await), "panicked");
    let error = Handle::current()
        .spawn(async { quiet() })
        .await
        .unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    let error = error.try_into_panic().unwrap();
    assert_eq!(error.downcast_ref::<&str>(), Some(&"quiet"));
    // What was aborted has none.
    let task = tokio::spawn(pending::<()>());
    task.abort();
    let error = task.await.unwrap_err();
    assert!(error.try_into_panic().is_err());
}

/// Ready at once, and panics as it is dropped.
struct ReadyThenPanics(#[expect(dead_code, reason = "it is dropped")] PanicsAtDrop);

impl Future for ReadyThenPanics {
    type Output = u8;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        Poll::Ready(1)
    }
}

async fn of_a_destructor_at_the_end_of_a_task() {
    let (guard, count) = PanicsAtDrop::new();
    let task = tokio::spawn(ReadyThenPanics(guard));
    assert_eq!(told(task.await), "panicked");
    assert_eq!(*count.lock().unwrap(), 1);
    let (guard, count) = PanicsAtDrop::new();
    let local = LocalSet::new();
    let task = local.spawn_local(ReadyThenPanics(guard));
    assert_eq!(told(local.run_until(task).await), "panicked");
    assert_eq!(*count.lock().unwrap(), 1);
}

/// The handle goes first, and the task drops its own output: whether others go on.
async fn output_that_panics() -> u8 {
    let (guard, count) = PanicsAtDrop::new();
    let task = tokio::spawn(async move {
        sleep(Duration::from_millis(1)).await;
        guard
    });
    drop(task);
    while *count.lock().unwrap() == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    // The others go on.
    tokio::spawn(async { 2 }).await.unwrap()
}

#[test]
fn of_a_destructor_of_an_output_that_nobody_takes() {
    let runtime = Builder::new_current_thread().enable_all().build();
    assert_eq!(runtime.unwrap().block_on(output_that_panics()), 2);
    // Nobody has heard of it, so the seed has failed.
    let (output, summary) = run(1, output_that_panics);
    assert_eq!(output.unwrap(), 2);
    assert_eq!(summary.panics.len(), 1);
    assert_eq!(summary.panics[0].message, "quiet");
}

async fn of_a_destructor_in_an_abort() {
    let (guard, count) = PanicsAtDrop::new();
    let task = tokio::spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    yield_now().await;
    task.abort();
    assert_eq!(told(task.await), "panicked");
    assert_eq!(*count.lock().unwrap(), 1);
    // One that never ran.
    let (guard, count) = PanicsAtDrop::new();
    let task = tokio::spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    task.abort();
    assert_eq!(told(task.await), "panicked");
    assert_eq!(*count.lock().unwrap(), 1);
}

async fn of_a_blocking_closure() {
    let blocking = tokio::task::spawn_blocking(|| quiet());
    assert_eq!(told(blocking.await), "panicked");
    let blocking = Handle::current().spawn_blocking(|| quiet());
    assert_eq!(told(blocking.await), "panicked");
    // Its thread, or fiber, serves others.
    let blocking = tokio::task::spawn_blocking(|| 3);
    assert_eq!(blocking.await.unwrap(), 3);
}

async fn of_a_task_of_a_set() {
    let mut set = JoinSet::new();
    set.spawn(async { quiet() });
    set.spawn_blocking(|| quiet());
    set.spawn(async { 1 });
    let mut all = Vec::new();
    while let Some(joined) = set.join_next().await {
        all.push(told(joined));
    }
    all.sort_unstable();
    assert_eq!(all, ["fine", "panicked", "panicked"]);
}

async fn of_a_local_task() {
    let local = LocalSet::new();
    let task = local.spawn_local(async { quiet() });
    let fine = local.spawn_local(async { 4 });
    assert_eq!(told(local.run_until(task).await), "panicked");
    assert_eq!(local.run_until(fine).await.unwrap(), 4);
    // The set's own future passes its panic on, and the set can be used again.
    let outer = tokio::task::spawn_blocking(|| {
        let local = LocalSet::new();
        let handle = Handle::current();
        let blocked = AssertUnwindSafe(|| handle.block_on(local.run_until(async { quiet() })));
        let first = std::panic::catch_unwind(blocked).is_err();
        (first, handle.block_on(local.run_until(async { 5 })))
    });
    assert_eq!(outer.await.unwrap(), (true, 5));
}

async fn of_a_future_that_is_blocked_on() {
    let outer = tokio::task::spawn_blocking(|| {
        let handle = Handle::current();
        let blocked = AssertUnwindSafe(|| handle.block_on(async { quiet() }));
        let first = std::panic::catch_unwind(blocked).is_err();
        // Blocking is allowed again.
        (first, handle.block_on(async { 6 }))
    });
    assert_eq!(outer.await.unwrap(), (true, 6));
}

async fn of_what_a_wait_is_for() {
    let limited = tokio::spawn(timeout(Duration::from_secs(1), async { quiet() }));
    assert_eq!(told(limited.await), "panicked");
    let joined = tokio::spawn(async { tokio::join!(async { quiet() }, pending::<()>()) });
    assert_eq!(told(joined.await), "panicked");
    let selected = tokio::spawn(async {
        tokio::select! {
            () = async { quiet() } => {}
            () = pending() => {}
        }
    });
    assert_eq!(told(selected.await), "panicked");
    let handled = tokio::spawn(async {
        tokio::select! {
            () = async {} => quiet(),
        }
    });
    assert_eq!(told::<()>(handled.await), "panicked");
}

async fn of_who_holds_a_lock() {
    // No lock of tokio's is poisoned.
    let mutex = Arc::new(Mutex::new(1));
    let other = Arc::clone(&mutex);
    let task: JoinHandle<()> = tokio::spawn(async move {
        let _held = other.lock().await;
        quiet()
    });
    assert_eq!(told(task.await), "panicked");
    assert_eq!(*mutex.lock().await, 1);
    let lock = Arc::new(RwLock::new(2));
    let other = Arc::clone(&lock);
    let task: JoinHandle<()> = tokio::spawn(async move {
        let _held = other.write().await;
        quiet()
    });
    assert_eq!(told(task.await), "panicked");
    assert_eq!(*lock.read().await, 2);
}

async fn of_who_has_a_sender() {
    let (sender, receiver) = oneshot::channel::<u8>();
    let task: JoinHandle<()> = tokio::spawn(async move {
        let _sender = sender;
        quiet()
    });
    assert!(receiver.await.is_err());
    assert_eq!(told(task.await), "panicked");
}

tokio::task_local! {
    static NUMBER: u8;
}

async fn of_the_value_of_a_task() {
    let caught = std::panic::catch_unwind(|| NUMBER.sync_scope(1, || quiet()));
    assert!(caught.is_err());
    assert!(NUMBER.try_with(|number| *number).is_err());
    let outer = NUMBER.scope(1, async {
        let inner = tokio::spawn(NUMBER.scope(2, async { quiet() }));
        (told::<()>(inner.await), NUMBER.get())
    });
    assert_eq!(outer.await, ("panicked", 1));
}

async fn of_a_handle_that_is_polled_again() {
    let mut task = tokio::spawn(async { 1 });
    assert_eq!((&mut task).await.unwrap(), 1);
    let again = panic_of(|| {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        drop(Pin::new(&mut task).poll(&mut cx));
    });
    assert_eq!(again, "JoinHandle polled after completion");
}

async fn of_calls_at_the_wrong_time() {
    let period = panic_of(|| drop(tokio::time::interval(Duration::ZERO)));
    assert_eq!(period, "`period` must be non-zero.");
    let local = panic_of(|| drop(tokio::task::spawn_local(async {})));
    assert!(local.contains("outside of a `task::LocalSet`"), "{local}");
    let capacity = panic_of(|| drop(tokio::sync::mpsc::channel::<u8>(0)));
    assert_eq!(capacity, "mpsc bounded channel requires buffer > 0");
}
