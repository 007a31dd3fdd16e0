//! Joining, aborting, panicking, dropping: tokio's rules.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use sim_runtime::{Config, Seed, Simulation, spawn, time};

use crate::support::{run, yield_now};

struct OnDrop(Rc<Cell<u32>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_joined_panic_is_an_error_with_its_payload_and_nothing_more() {
    let (_, summary) = run(1, || async {
        let number = std::hint::black_box(1);
        let error = spawn(async move { panic!("boom {number}") })
            .await
            .unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert!(error.to_string().contains("boom 1"), "{error}");
        let payload = error.try_into_panic().unwrap();
        assert_eq!(payload.downcast_ref::<String>().unwrap(), "boom 1");
    });
    assert_eq!(summary.panics, []);
}

#[test]
fn a_panic_nobody_joined_is_reported_with_its_task() {
    let (_, summary) = run(1, || async {
        drop(spawn(async { panic!("unseen") }));
        time::sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(summary.panics.len(), 1);
    assert_eq!(summary.panics[0].message, "unseen");
    assert!(summary.panics[0].task.contains("tasks.rs"));
}

#[test]
fn abort_drops_the_future_and_joins_as_cancelled() {
    run(1, || async {
        let drops = Rc::new(Cell::new(0));
        let guard = OnDrop(Rc::clone(&drops));
        let task = spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        let handle = task.abort_handle();
        time::sleep(Duration::from_millis(1)).await;
        assert!(!handle.is_finished());
        handle.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(drops.get(), 1);
        assert!(handle.is_finished());
    });
}

#[test]
fn abort_after_completion_keeps_the_output() {
    run(1, || async {
        let task = spawn(async { 5 });
        time::sleep(Duration::from_millis(1)).await;
        assert!(task.is_finished());
        task.abort();
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn a_task_can_abort_itself_and_ends_at_its_next_await() {
    run(1, || async {
        let reached = Rc::new(Cell::new(0));
        let inner = Rc::clone(&reached);
        let (sender, receiver) = futures::channel::oneshot::channel();
        let task = spawn(async move {
            let handle: sim_runtime::AbortHandle = receiver.await.unwrap();
            handle.abort();
            inner.set(1);
            yield_now().await;
            inner.set(2);
        });
        sender.send(task.abort_handle()).unwrap();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(reached.get(), 1);
    });
}

#[test]
fn a_dropped_handle_detaches() {
    run(1, || async {
        let done = Rc::new(Cell::new(0));
        let guard = OnDrop(Rc::clone(&done));
        drop(spawn(async move {
            time::sleep(Duration::from_secs(1)).await;
            drop(guard);
        }));
        time::sleep(Duration::from_secs(2)).await;
        assert_eq!(done.get(), 1);
    });
}

#[test]
fn everything_is_dropped_inside_the_world() {
    struct InWorld(Rc<Cell<u32>>);
    impl Drop for InWorld {
        fn drop(&mut self) {
            assert!(sim_runtime::in_simulation());
            // A destructor may spawn; what it spawns is dropped as well.
            let count = OnDrop(Rc::clone(&self.0));
            drop(spawn(async move {
                let _count = count;
                std::future::pending::<()>().await;
            }));
        }
    }
    let drops = Rc::new(Cell::new(0));
    let counted = Rc::clone(&drops);
    let simulation = Simulation::new(Config::new(Seed(1)));
    simulation
        .block_on(async move {
            for _ in 0..10 {
                let guard = InWorld(Rc::clone(&counted));
                drop(spawn(async move {
                    let _guard = guard;
                    std::future::pending::<()>().await;
                }));
            }
            time::sleep(Duration::from_millis(1)).await;
        })
        .unwrap();
    drop(simulation.finish());
    assert_eq!(drops.get(), 10);
    assert_eq!(Rc::strong_count(&drops), 1);
    assert!(!sim_runtime::in_simulation());
}

#[test]
fn a_panicking_destructor_is_reported_not_spread() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let (_, summary) = run(1, || async {
        let task = spawn(async {
            let _bad = Bad;
            std::future::pending::<()>().await;
        });
        time::sleep(Duration::from_millis(1)).await;
        task.abort();
        time::sleep(Duration::from_millis(1)).await;
        drop(task);
    });
    assert_eq!(summary.panics.len(), 1);
    assert_eq!(summary.panics[0].message, "in drop");
}

#[test]
fn a_panicking_destructor_of_an_output_is_reported_not_spread() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("output in drop");
        }
    }
    let (_, summary) = run(1, || async {
        drop(spawn(async { Bad }));
        time::sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(summary.panics.len(), 1);
    assert_eq!(summary.panics[0].message, "output in drop");
}

#[test]
fn nothing_is_polled_once_the_end_has_begun() {
    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            drop(spawn(async { panic!("polled after the end") }));
        }
    }
    let (_, summary) = run(1, || async {
        drop(spawn(async {
            let _late = Late;
            std::future::pending::<()>().await;
        }));
        time::sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(summary.panics, []);
}
