//! What reports say of tasks that wait, spin or panic.

use std::future::pending;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use sim_runtime::interpose::outside;
use sim_runtime::{
    Budget, Config, Fd, NodeId, NodeState, Seed, Simulation, Waits, spawn, spawn_on, time, with,
    world,
};

use crate::support::{run, yield_now};

fn stopped(config: Config, main: impl Future<Output = ()> + 'static) -> String {
    let simulation = Simulation::new(config);
    simulation.block_on(main).unwrap_err().to_string()
}

/// The line of a report that names a task.
fn line<'a>(report: &'a str, task: &str) -> &'a str {
    let found = report.lines().find(|line| line.contains(task));
    found.unwrap_or_else(|| panic!("no {task} in {report}"))
}

#[test]
fn a_deadlock_says_what_each_task_waits_for_and_since_when() {
    let report = stopped(Config::new(Seed(1)), async {
        let node = world().create_node("n1", [10, 0, 0, 1].into());
        world().start_node(node, Rc::new(|| Box::pin(pending())));
        let reader = spawn_on(node, "reader", async {
            time::sleep(Duration::from_millis(1_500)).await;
            std::future::poll_fn(|_| {
                with(|world| world.waiting(Waits::Descriptor("read", Fd(Fd::BASE + 3))));
                std::task::Poll::<()>::Pending
            })
            .await;
        });
        drop(spawn_on(node, "forgetful", async {
            time::sleep(Duration::from_millis(10)).await;
            // Nobody notes this one, and the sleep before must not be shown for it.
            pending::<()>().await;
        }));
        reader.await.unwrap();
    });
    let reader = line(&report, "n1: reader (");
    assert!(reader.contains("waits for fd"), "{reader}");
    assert!(reader.contains("to read since 1.50"), "{reader}");
    let main = line(&report, "harness: main (");
    assert!(
        main.contains("waits for the end of task reader ("),
        "{main}"
    );
    let forgetful = line(&report, "n1: forgetful (");
    assert!(forgetful.contains("waits since 0.01"), "{forgetful}");
}

#[test]
fn leaks_say_what_was_waited_for() {
    let (_, summary) = run(1, || async {
        let node = world().create_node("n1", [10, 0, 0, 1].into());
        world().start_node(
            node,
            Rc::new(|| Box::pin(time::sleep(Duration::from_secs(60)))),
        );
        time::sleep(Duration::from_secs(1)).await;
    });
    let [task] = &summary.leaks.tasks[..] else {
        panic!("{:?}", summary.leaks);
    };
    assert!(task.starts_with("n1: n1 ("), "{task}");
    assert!(task.contains("waits for a timer at 60.0"), "{task}");
}

#[test]
fn tasks_that_spin_are_a_livelock_that_names_them() {
    let config = Config {
        budget: Budget {
            polls_without_timer_max: 20_000,
            ..Budget::default()
        },
        ..Config::new(Seed(1))
    };
    let stop = stopped(config, async {
        let spinner = |name: &str| {
            spawn_on(NodeId::HARNESS, name, async {
                loop {
                    yield_now().await;
                }
            })
        };
        let (one, _two) = (spinner("spinner one"), spinner("spinner two"));
        one.await.unwrap()
    });
    assert!(stop.starts_with("livelock"), "{stop}");
    assert!(line(&stop, "spinner one").contains("of the last"), "{stop}");
    assert!(line(&stop, "spinner two").contains("of the last"), "{stop}");
    assert!(!stop.contains("main"), "it waits: {stop}");
}

#[test]
fn tasks_that_wait_for_timers_are_no_livelock() {
    let config = Config {
        budget: Budget {
            polls_without_timer_max: 1_000,
            ..Budget::default()
        },
        ..Config::new(Seed(1))
    };
    let simulation = Simulation::new(config);
    let ended = simulation.block_on(async {
        for _ in 0..50_000 {
            time::sleep(Duration::from_micros(10)).await;
        }
    });
    assert_eq!(ended, Ok(()));
}

/// A waker that panics when it is woken.
fn panicking_waker() -> Waker {
    struct Panicking;
    impl std::task::Wake for Panicking {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("told to wake");
        }
    }
    Waker::from(std::sync::Arc::new(Panicking))
}

#[test]
fn a_waker_that_panics_is_a_finding_and_others_are_woken() {
    let (_, summary) = run(1, || async {
        let at = time::now() + Duration::from_millis(5);
        with(|world| world.wake_at(at, panicking_waker()));
        let sleeper = spawn(time::sleep_until(at));
        sleeper.await.unwrap();
    });
    let [panic] = &summary.panics[..] else {
        panic!("{:?}", summary.panics);
    };
    assert_eq!(panic.message, "told to wake");
}

#[test]
fn a_node_that_was_never_started_cannot_be_restarted_and_stays_as_it_was() {
    run(1, || async {
        let node = world().create_node("n1", [10, 0, 0, 1].into());
        let restarted = std::panic::catch_unwind(|| world().restart_node(node));
        assert!(restarted.is_err());
        let info = world().node(node);
        assert_eq!((info.state, info.boot.0), (NodeState::Idle, 0));
        world().start_node(node, Rc::new(|| Box::pin(pending())));
        assert_eq!(world().node(node).boot.0, 1);
    });
}

#[test]
fn an_abort_from_another_thread_arrives() {
    run(1, || async {
        let task = spawn(pending::<()>());
        let handle = task.abort_handle();
        // A thread of the machine's, not a fiber.
        outside(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    handle.abort();
                    assert!(!handle.is_finished(), "from here, not known to be");
                });
            });
        });
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(handle.is_finished());
    });
}
