//! Runtimes and handles.

use std::time::Duration;

use tokio::runtime::{Builder, Handle, LocalRuntime, Runtime, RuntimeFlavor};
use tokio::task::LocalSet;

use crate::support::{panic_of, simulate};

#[test]
fn outside_a_runtime_is_tokios() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let sum = runtime.block_on(async {
        let (one, two) = (
            tokio::spawn(async { 1 }),
            Handle::current().spawn(async { 2 }),
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
        one.await.unwrap() + two.await.unwrap()
    });
    assert_eq!(sum, 3);
    assert_eq!(
        runtime.handle().runtime_flavor(),
        RuntimeFlavor::MultiThread
    );
    assert_eq!(runtime.metrics().num_workers(), 2);
    let entered = runtime.enter();
    let task = tokio::spawn(async { 4 });
    drop(entered);
    assert_eq!(runtime.handle().block_on(task).unwrap(), 4);
    runtime.shutdown_timeout(Duration::from_secs(1));
    assert!(Handle::try_current().unwrap_err().is_missing_context());
}

#[test]
fn inside_there_is_one_already() {
    simulate(1, || async {
        assert_eq!(
            Handle::current().runtime_flavor(),
            RuntimeFlavor::CurrentThread
        );
        let runtime = Runtime::new().unwrap();
        assert_eq!(runtime.spawn(async { 1 }).await.unwrap(), 1);
        let nested = std::panic::AssertUnwindSafe(|| runtime.block_on(async {}));
        let panic = std::panic::catch_unwind(nested).unwrap_err();
        let message = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let message = message
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap();
        assert!(
            message.starts_with("Cannot start a runtime from within a runtime."),
            "{message}"
        );
        runtime.shutdown_background();
    });
}

crate::support::in_both_worlds! {
    nested_runtimes_panic
    blocking_code_may_block_on_futures
    local_tasks_need_a_local_set
    local_tasks_run_while_their_set_is_awaited
    a_dropped_set_drops_its_tasks_at_once
    handles_tell_who_they_are
    tasks_know_their_number
    the_budget_is_spent_and_given_back
    who_never_waits_lets_others_run
    processes_and_standard_input
    children_of_std_are_refused_or_run
}

async fn nested_runtimes_panic() {
    let nested = "Cannot start a runtime from within a runtime.";
    let handle = Handle::current();
    assert!(panic_of(|| handle.block_on(async {})).starts_with(nested));
    // Neither may a future that is blocked on.
    let blocking = tokio::task::spawn_blocking(move || {
        handle.block_on(async { panic_of(|| Handle::current().block_on(async {})) })
    });
    assert!(blocking.await.unwrap().starts_with(nested));
}

#[expect(
    clippy::disallowed_methods,
    reason = "a guest's thread is what is tested"
)]
async fn blocking_code_may_block_on_futures() {
    let handle = Handle::current();
    let blocking = tokio::task::spawn_blocking(move || {
        let first = handle.block_on(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            1
        });
        first + handle.block_on(tokio::spawn(async { 2 })).unwrap()
    });
    assert_eq!(blocking.await.unwrap(), 3);
    let thread = std::thread::spawn(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut set = tokio::task::JoinSet::new();
            set.spawn_blocking(|| 4);
            set.join_next().await.unwrap().unwrap()
        })
    });
    let joined = tokio::task::spawn_blocking(|| thread.join().unwrap());
    assert_eq!(joined.await.unwrap(), 4);
}

async fn local_tasks_need_a_local_set() {
    let said = panic_of(|| drop(tokio::task::spawn_local(async {})));
    assert!(
        said.starts_with("`spawn_local` called from outside of a `task::LocalSet`"),
        "{said}"
    );
    let set = LocalSet::new();
    let guard = set.enter();
    let task = tokio::task::spawn_local(async { 1 });
    drop(guard);
    assert_eq!(set.run_until(task).await.unwrap(), 1);
    assert_ne!(set.id(), LocalSet::new().id());
    let mut joined = tokio::task::JoinSet::new();
    joined.spawn_local_on(async { 2 }, &set);
    let sum = set.run_until(async move {
        joined.spawn_local(async { 3 });
        joined.join_all().await.into_iter().sum::<i32>()
    });
    assert_eq!(sum.await, 5);
}

async fn local_tasks_run_while_their_set_is_awaited() {
    let set = LocalSet::new();
    let ran = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&ran);
    set.spawn_local(async move {
        loop {
            count.set(count.get() + 1);
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ran.get(), 0, "nobody drives the set");
    let some = async {
        while ran.get() < 3 {
            tokio::task::yield_now().await;
        }
    };
    set.run_until(some).await;
    let before = ran.get();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ran.get(), before, "nobody drives the set any more");
}

async fn a_dropped_set_drops_its_tasks_at_once() {
    struct Note(
        &'static str,
        std::rc::Rc<std::cell::RefCell<Vec<&'static str>>>,
    );
    impl Drop for Note {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let notes = std::rc::Rc::default();
    let set = LocalSet::new();
    let mut tasks = Vec::new();
    for name in ["one", "two"] {
        let note = Note(name, std::rc::Rc::clone(&notes));
        tasks.push(set.spawn_local(async move {
            let _note = note;
            std::future::pending::<()>().await;
        }));
    }
    drop(set);
    assert_eq!(*notes.borrow(), ["one", "two"]);
    for task in tasks {
        assert!(task.await.unwrap_err().is_cancelled());
    }
}

async fn handles_tell_who_they_are() {
    let handle = Handle::current();
    assert_eq!(handle.id(), Handle::current().id());
    assert!(handle.id().to_string().parse::<u64>().unwrap() > 0);
    assert_eq!(handle.name(), None);
    let metrics = handle.metrics();
    assert_eq!(metrics.num_workers(), 1);
    let before = metrics.num_alive_tasks();
    let task = tokio::spawn(std::future::pending::<()>());
    assert_eq!(metrics.num_alive_tasks(), before + 1);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(metrics.num_alive_tasks(), before);
    assert_eq!(tokio::runtime::worker_index(), Some(0));
    let blocking = tokio::task::spawn_blocking(tokio::runtime::worker_index);
    assert_eq!(blocking.await.unwrap(), None);
}

async fn tasks_know_their_number() {
    let task = tokio::spawn(async { (tokio::task::id(), tokio::task::try_id()) });
    let id = task.id();
    assert_eq!(task.await.unwrap(), (id, Some(id)));
    let later = tokio::spawn(async {}).id();
    assert!(later > id);
}

async fn the_budget_is_spent_and_given_back() {
    use std::task::Poll;
    use tokio::task::coop;
    let turns = async {
        let mut spent = 0;
        std::future::poll_fn(|cx| {
            while let Poll::Ready(taken) = coop::poll_proceed(cx) {
                taken.made_progress();
                spent += 1;
            }
            assert!(!coop::has_budget_remaining());
            Poll::Ready(())
        })
        .await;
        let free = coop::unconstrained(async { coop::has_budget_remaining() });
        assert!(free.await);
        assert!(!coop::has_budget_remaining());
        // Another turn has another budget.
        tokio::task::yield_now().await;
        std::future::poll_fn(|cx| {
            drop(coop::poll_proceed(cx));
            Poll::Ready(())
        })
        .await;
        coop::cooperative(std::future::ready(())).await;
        spent
    };
    assert_eq!(tokio::spawn(turns).await.unwrap(), 128);
    let shared = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let other = std::sync::Arc::clone(&shared);
    let greedy = tokio::spawn(async move {
        while other.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            coop::consume_budget().await;
        }
    });
    shared.store(1, std::sync::atomic::Ordering::Relaxed);
    greedy.await.unwrap();
}

/// Nothing that it waits for ever makes it wait: only the budget lets the other task run.
/// A stream's end at which 20,000 bytes wait.
async fn filled() -> (tokio::net::TcpStream, tokio::net::TcpStream) {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(tokio::net::TcpStream::connect(addr), listener.accept());
    let (mut client, (server, _)) = (client.unwrap(), accepted.unwrap());
    client.write_all(&[7; 20_000]).await.unwrap();
    while server.peek(&mut [0; 20_000]).await.unwrap() < 20_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (client, server)
}

/// How many bytes a task reads, one by one, before another runs.
async fn reads_before_another_runs(
    mut from: impl tokio::io::AsyncRead + Unpin + Send + 'static,
) -> u32 {
    use tokio::io::AsyncReadExt;
    let greedy = tokio::spawn(async move {
        let has_run = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let flag = std::sync::Arc::clone(&has_run);
        let other = tokio::spawn(async move {
            flag.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let mut reads = 0;
        while reads < 20_000 && !has_run.load(std::sync::atomic::Ordering::Relaxed) {
            assert_eq!(from.read_u8().await.unwrap(), 7);
            reads += 1;
        }
        other.await.unwrap();
        reads
    });
    greedy.await.unwrap()
}

async fn who_never_waits_lets_others_run() {
    let (_client, server) = filled().await;
    let reads = reads_before_another_runs(server).await;
    assert!(reads < 20_000, "{reads} reads before the other ran");
    let (_client, server) = filled().await;
    let (half, _other) = server.into_split();
    let reads = reads_before_another_runs(half).await;
    assert!(
        reads < 20_000,
        "{reads} reads of a half before the other ran"
    );
    let overslept = tokio::spawn(async {
        let has_run = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let flag = std::sync::Arc::clone(&has_run);
        let other = tokio::spawn(async move {
            flag.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let mut sleeps = 0;
        while !has_run.load(std::sync::atomic::Ordering::Relaxed) && sleeps < 20_000 {
            tokio::time::sleep(Duration::ZERO).await;
            sleeps += 1;
        }
        other.await.unwrap();
        sleeps
    });
    assert!(overslept.await.unwrap() < 20_000);
}

async fn processes_and_standard_input() {
    use tokio::io::AsyncReadExt;
    let mut command = tokio::process::Command::new("echo");
    command.args(["one", "two"]).kill_on_drop(true);
    assert!(command.get_kill_on_drop());
    let output = command.output().await;
    if sim_runtime::in_simulation() {
        let error = output.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "echo: a simulated node cannot start processes"
        );
        let mut all = Vec::new();
        assert_eq!(tokio::io::stdin().read_to_end(&mut all).await.unwrap(), 0);
    } else {
        assert_eq!(output.unwrap().stdout, b"one two\n");
        let status = tokio::process::Command::new("true").status().await;
        assert!(status.unwrap().success());
    }
}

async fn children_of_std_are_refused_or_run() {
    let blocking = tokio::task::spawn_blocking(|| {
        let mut command = std::process::Command::new("echo");
        let output = command.arg("three").output();
        // std looks for the program after a `fork`, where the environment says by itself.
        let forked = command.env("PATH", "/usr/bin:/bin").output();
        (output, forked)
    });
    let (output, forked) = blocking.await.unwrap();
    if sim_runtime::in_simulation() {
        assert_eq!(output.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
        assert!(!forked.is_ok_and(|output| output.status.success()));
    } else {
        assert_eq!(output.unwrap().stdout, b"three\n");
        assert_eq!(forked.unwrap().stdout, b"three\n");
    }
}

#[test]
fn simulated_and_real_runtimes_run_side_by_side() {
    let real = || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let start = tokio::time::Instant::now();
            tokio::time::sleep(Duration::from_millis(2)).await;
            start.elapsed()
        })
    };
    std::thread::scope(|scope| {
        let real = scope.spawn(real);
        simulate(1, || tokio::time::sleep(Duration::from_secs(80_000)));
        assert!(real.join().unwrap() < Duration::from_secs(60));
    });
}

#[test]
fn a_local_runtime_blocks_on_a_thread() {
    fn body() -> u8 {
        let runtime = LocalRuntime::new().unwrap();
        let shared = std::rc::Rc::new(3);
        let task = runtime.spawn_local(async move { *shared });
        runtime.block_on(async {
            let two = tokio::task::spawn_local(async { 2 });
            task.await.unwrap() + two.await.unwrap()
        })
    }
    assert_eq!(body(), 5);
    simulate(1, || async {
        let blocking = tokio::task::spawn_blocking(body);
        assert_eq!(blocking.await.unwrap(), 5);
        let named = Builder::new_multi_thread().name("pool").build().unwrap();
        assert_eq!(named.handle().name(), Some("pool"));
        named.shutdown_background();
    });
}

/// The clock's tests, where the real one needs a runtime that stands still.
async fn standing_clock() -> Duration {
    let start = tokio::time::Instant::now();
    tokio::time::advance(Duration::from_secs(5)).await;
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    tokio::time::resume();
    assert_eq!(
        panic_of(tokio::time::resume),
        "time is not frozen",
        "it goes"
    );
    tokio::time::pause();
    assert_eq!(panic_of(tokio::time::pause), "time is already frozen");
    start.elapsed()
}

#[test]
fn a_standing_clock_is_moved_by_hand_and_by_waiting() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let near = |elapsed: Duration| elapsed.abs_diff(Duration::from_secs(1_005));
    assert!(near(runtime.block_on(standing_clock())) < Duration::from_secs(1));
    let inside = simulate(1, || async {
        tokio::time::pause();
        standing_clock().await
    });
    assert!(near(inside) < Duration::from_millis(1), "{inside:?}");
}
