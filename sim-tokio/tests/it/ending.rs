//! Runtimes that come and go: each body on the real tokio and in simulations.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, LocalRuntime, Runtime, RuntimeFlavor};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::support::{panic_of, simulate, simulate_world, start};

crate::support::in_both_worlds! {
    a_runtime_takes_its_tasks_with_it
    a_runtime_takes_what_its_tasks_own_and_spawn
    a_runtime_is_not_dropped_where_futures_are_polled
    a_standing_runtime_runs_while_it_is_blocked_on
    a_runtime_waits_for_closures_that_have_begun
    a_runtime_is_where_its_tasks_are
    a_local_runtime_takes_its_tasks_with_it
}

fn multi_thread() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// Counts how many of it were dropped.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicU32>);

impl Drops {
    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    fn guard(&self) -> Guard {
        Guard(self.clone())
    }
}

struct Guard(Drops);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn a_runtime_takes_its_tasks_with_it() {
    let ended = spawn_blocking(|| {
        let drops = Drops::default();
        let (outer, inner) = (drops.guard(), drops.guard());
        let runtime = multi_thread();
        let task = runtime.spawn(async move {
            let _outer = outer;
            let task = tokio::spawn(async move {
                let _inner = inner;
                pending::<()>().await;
            });
            task.await
        });
        runtime.block_on(async { sleep(Duration::from_millis(2)).await });
        assert_eq!((drops.count(), task.is_finished()), (0, false));
        let handle = runtime.handle().clone();
        drop(runtime);
        assert_eq!(drops.count(), 2);
        let late = drops.guard();
        let late = handle.spawn(async move { drop(late) });
        assert_eq!(drops.count(), 3);
        let here = Handle::current();
        (
            here.block_on(task).unwrap_err(),
            here.block_on(late).unwrap_err(),
        )
    });
    let (task, late) = ended.await.unwrap();
    assert!(task.is_cancelled() && late.is_cancelled());
    assert!(tokio::spawn(async { 1 }).await.is_ok(), "the other goes on");
}

async fn a_runtime_takes_what_its_tasks_own_and_spawn() {
    struct Spawns(Guard);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let again = self.0.0.guard();
            tokio::spawn(async move {
                let _again = again;
                pending::<()>().await;
            });
        }
    }
    let drops = Drops::default();
    let counted = drops.clone();
    let ended = spawn_blocking(move || {
        let runtime = multi_thread();
        let spawns = Spawns(counted.guard());
        let mut set = JoinSet::new();
        let in_set = counted.guard();
        set.spawn_on(
            async move {
                pending::<Guard>().await;
                drop(in_set)
            },
            runtime.handle(),
        );
        runtime.spawn(async move {
            let (_spawns, _set) = (spawns, set);
            pending::<()>().await;
        });
        runtime.block_on(async { sleep(Duration::from_millis(2)).await });
        drop(runtime);
        counted.count()
    });
    assert_eq!(ended.await.unwrap(), 3);
}

async fn a_runtime_is_not_dropped_where_futures_are_polled() {
    let words = "Cannot drop a runtime in a context where blocking is not allowed.";
    let runtime = multi_thread();
    assert!(panic_of(move || drop(runtime)).starts_with(words));
    let runtime = multi_thread();
    let timed = panic_of(move || runtime.shutdown_timeout(Duration::from_millis(1)));
    assert!(timed.starts_with(words), "{timed}");
    let runtime = multi_thread();
    let task = runtime.spawn(pending::<()>());
    runtime.shutdown_background();
    assert!(task.await.unwrap_err().is_cancelled());
}

#[expect(
    clippy::disallowed_methods,
    reason = "a guest's thread is what is tested"
)]
async fn a_standing_runtime_runs_while_it_is_blocked_on() {
    let thread = std::thread::spawn(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let ran = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&ran);
        let task = runtime.spawn(async move {
            loop {
                count.fetch_add(1, Ordering::SeqCst);
                sleep(Duration::from_millis(1)).await;
            }
        });
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(ran.load(Ordering::SeqCst), 0, "nobody drives it");
        runtime.block_on(async { sleep(Duration::from_millis(20)).await });
        let before = ran.load(Ordering::SeqCst);
        assert!(before > 1);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(
            ran.load(Ordering::SeqCst),
            before,
            "nobody drives it any more"
        );
        task.abort();
        assert!(runtime.block_on(task).unwrap_err().is_cancelled());
        runtime.block_on(async { tokio::spawn(async { 5 }).await.unwrap() })
    });
    assert_eq!(spawn_blocking(|| thread.join().unwrap()).await.unwrap(), 5);
}

async fn a_runtime_waits_for_closures_that_have_begun() {
    /// A closure of 200 ms in a runtime that ends; whether it was done by then.
    fn is_done(end: fn(Runtime)) -> bool {
        let (begun, begins) = std::sync::mpsc::channel();
        let done = Arc::new(AtomicU32::new(0));
        let flag = Arc::clone(&done);
        let runtime = multi_thread();
        runtime.spawn_blocking(move || {
            begun.send(()).unwrap();
            std::thread::sleep(Duration::from_millis(200));
            flag.store(1, Ordering::SeqCst);
        });
        begins.recv().unwrap();
        end(runtime);
        done.load(Ordering::SeqCst) == 1
    }
    let dropped = spawn_blocking(|| is_done(drop)).await.unwrap();
    let timed = spawn_blocking(|| is_done(|it| it.shutdown_timeout(Duration::from_millis(1))));
    let patient = spawn_blocking(|| is_done(|it| it.shutdown_timeout(Duration::from_secs(60))));
    let background = spawn_blocking(|| is_done(Runtime::shutdown_background));
    assert!(dropped && patient.await.unwrap());
    assert!(!timed.await.unwrap() && !background.await.unwrap());
}

async fn a_runtime_is_where_its_tasks_are() {
    let outer = Handle::current().id();
    let ran = spawn_blocking(move || {
        assert_eq!(Handle::current().id(), outer);
        let mut builder = Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(1)
            .name("inner")
            .enable_all()
            .build()
            .unwrap();
        let inner = runtime.handle().id();
        assert_ne!(inner, outer);
        assert_eq!(
            runtime.handle().runtime_flavor(),
            RuntimeFlavor::MultiThread
        );
        runtime.block_on(async move {
            let is_inner = move || Handle::current().id() == inner;
            assert!(is_inner());
            assert_eq!(Handle::current().name(), Some("inner"));
            assert!(tokio::spawn(async move { is_inner() }).await.unwrap());
            assert!(spawn_blocking(is_inner).await.unwrap());
            let mut set = JoinSet::new();
            set.spawn(async move { is_inner() });
            set.spawn_blocking(is_inner);
            assert_eq!(set.join_all().await, [true, true]);
        });
        assert_eq!(Handle::current().id(), outer);
        let entered = runtime.enter();
        let task = tokio::spawn(async move { Handle::current().id() == inner });
        assert_eq!(Handle::current().id(), inner);
        drop(entered);
        assert_eq!(Handle::current().id(), outer);
        assert!(Handle::current().block_on(task).unwrap());
        let waits = runtime.spawn(pending::<()>());
        // A task that has answered is there until its worker has let go of it.
        let alive = || runtime.metrics().num_alive_tasks();
        let settles = (0..1_000_000).any(|_| {
            std::thread::yield_now();
            alive() == 1
        });
        assert!(settles, "{} tasks are alive", alive());
        waits.abort();
    });
    ran.await.unwrap();
}

async fn a_local_runtime_takes_its_tasks_with_it() {
    let ended = spawn_blocking(|| {
        let drops = Drops::default();
        let (local, shared) = (drops.guard(), drops.guard());
        let runtime = LocalRuntime::new().unwrap();
        let local = runtime.spawn_local(async move {
            let _local = local;
            pending::<()>().await;
        });
        runtime.block_on(async move {
            tokio::spawn(async move {
                let _shared = shared;
                pending::<()>().await;
            });
            tokio::task::yield_now().await;
        });
        drop(runtime);
        assert!(
            Handle::current()
                .block_on(local)
                .unwrap_err()
                .is_cancelled()
        );
        drops.count()
    });
    assert_eq!(ended.await.unwrap(), 2);
}

/// Nobody is left who could hear of it.
#[test]
fn a_runtime_that_is_left_behind_ends_without_a_word() {
    async fn owner() {
        let runtime = multi_thread();
        runtime.spawn(pending::<()>());
        pending::<()>().await;
    }
    simulate(1, || async {
        tokio::spawn(owner());
        sleep(Duration::from_millis(1)).await;
    });
    simulate_world(1, |world| async move {
        let node = start(&world, "owner", 1, owner);
        sleep(Duration::from_millis(1)).await;
        world.kill_node(node, sim_runtime::Down::Kill);
        sleep(Duration::from_millis(1)).await;
    });
}
