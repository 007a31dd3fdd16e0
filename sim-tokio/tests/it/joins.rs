//! `JoinSet`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{in_both_worlds, simulate};

in_both_worlds! {
    empty_sets
    dropping_aborts
    detaching_does_not
    shutting_down
    aborting_all
    panics_and_identities
    joining_without_waiting
    waiting_again_after_giving_up
    local_sets
}

struct CountDrop(Arc<AtomicU32>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A set of three tasks that never end, and the count of those dropped.
fn endless() -> (JoinSet<()>, Arc<AtomicU32>) {
    let dropped = Arc::new(AtomicU32::new(0));
    let mut set = JoinSet::new();
    for _ in 0..3 {
        let guard = CountDrop(Arc::clone(&dropped));
        set.spawn(async move {
            let _guard = guard;
            std::future::pending().await
        });
    }
    (set, dropped)
}

async fn empty_sets() {
    let mut set = JoinSet::<u8>::new();
    assert!(set.is_empty());
    assert!(set.join_next().await.is_none());
    assert!(set.try_join_next().is_none());
    assert!(set.join_all().await.is_empty());
}

async fn dropping_aborts() {
    let (set, dropped) = endless();
    drop(set);
    while dropped.load(Ordering::SeqCst) < 3 {
        tokio::task::yield_now().await;
    }
}

async fn detaching_does_not() {
    let (done_in, done) = tokio::sync::oneshot::channel();
    let mut set = JoinSet::new();
    set.spawn(async move {
        tokio::task::yield_now().await;
        done_in.send(1).unwrap();
    });
    set.detach_all();
    assert_eq!(set.len(), 0);
    drop(set);
    assert_eq!(done.await.unwrap(), 1);
}

async fn shutting_down() {
    let (mut set, dropped) = endless();
    set.shutdown().await;
    assert!(set.is_empty());
    assert_eq!(dropped.load(Ordering::SeqCst), 3);
}

async fn aborting_all() {
    let (mut set, _) = endless();
    set.abort_all();
    assert_eq!(set.len(), 3);
    while let Some(joined) = set.join_next().await {
        assert!(joined.unwrap_err().is_cancelled());
    }
    let mut set = JoinSet::new();
    let one = set.spawn(std::future::pending::<u8>());
    set.spawn(async { 2 });
    one.abort();
    let mut outcomes = Vec::new();
    while let Some(joined) = set.join_next().await {
        outcomes.push(joined.ok());
    }
    outcomes.sort();
    assert_eq!(outcomes, [None, Some(2)]);
}

/// A panic that nobody prints: a backtrace takes a lock of the whole process, for which a fiber
/// would wait as the tests beside it have it.
fn quiet<T>(what: &'static str) -> T {
    std::panic::resume_unwind(Box::new(what))
}

async fn panics_and_identities() {
    let mut set = JoinSet::new();
    let fine = set.spawn(async { 1 }).id();
    let bad = set.spawn(async { quiet("bad") }).id();
    assert_ne!(fine, bad);
    for _ in 0..2 {
        match set.join_next_with_id().await.unwrap() {
            Ok(joined) => assert_eq!(joined, (fine, 1)),
            Err(error) => assert!(error.is_panic() && error.id() == bad),
        }
    }
    let mut set = JoinSet::<()>::new();
    set.spawn(async { quiet("spread") });
    let spread = tokio::spawn(async move { set.join_all().await })
        .await
        .unwrap_err();
    assert_eq!(
        *spread.into_panic().downcast_ref::<&str>().unwrap(),
        "spread"
    );
}

async fn joining_without_waiting() {
    let mut set = JoinSet::new();
    set.spawn(async { 1 });
    assert!(set.try_join_next().is_none());
    let joined = loop {
        tokio::task::yield_now().await;
        if let Some(joined) = set.try_join_next() {
            break joined.unwrap();
        }
    };
    assert_eq!(joined, 1);
    set.spawn_blocking(|| 2);
    set.spawn_on(async { 3 }, &tokio::runtime::Handle::current());
    let mut rest = set.join_all().await;
    rest.sort_unstable();
    assert_eq!(rest, [2, 3]);
}

async fn waiting_again_after_giving_up() {
    let (go, wait) = tokio::sync::oneshot::channel();
    let mut set = JoinSet::new();
    set.spawn(async { wait.await.unwrap() });
    let none = tokio::time::timeout(Duration::from_millis(1), set.join_next()).await;
    assert!(none.is_err());
    go.send(4).unwrap();
    assert_eq!(set.join_next().await.unwrap().unwrap(), 4);
}

async fn local_sets() {
    let set = tokio::task::LocalSet::new();
    let shared = std::rc::Rc::new(std::cell::Cell::new(0));
    let inner = std::rc::Rc::clone(&shared);
    let sum = set.run_until(async move {
        let one = tokio::task::spawn_local(async move { inner.replace(5) });
        one.await.unwrap()
    });
    assert_eq!((sum.await, shared.get()), (0, 5));
    let inner = std::rc::Rc::clone(&shared);
    set.spawn_local(async move {
        tokio::task::yield_now().await;
        inner.set(6);
    });
    set.await;
    assert_eq!(shared.get(), 6);
    let set = tokio::task::LocalSet::new();
    let dropped = Arc::new(AtomicU32::new(0));
    let guard = CountDrop(Arc::clone(&dropped));
    let task = set.spawn_local(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    drop(set);
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn tasks_are_joined_in_the_order_in_which_they_finish() {
    simulate(1, || async {
        let mut set = JoinSet::new();
        let start = Instant::now();
        for millis in [30, 10, 20] {
            set.spawn(async move {
                sleep(Duration::from_millis(millis)).await;
                millis
            });
        }
        assert_eq!(set.join_all().await, [10, 20, 30]);
        assert!(start.elapsed() < Duration::from_millis(31));
    });
}
