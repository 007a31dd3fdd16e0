//! Scheduling, time, budgets, digests.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use sim_runtime::{Budget, Config, EventKind, Seed, Simulation, Stop, spawn, time, with};

use crate::support::{run, run_fifo, run_with, yield_now};

async fn order_of(tasks: u32) -> Vec<u32> {
    let order = Rc::new(RefCell::new(Vec::new()));
    let handles: Vec<_> = (0..tasks)
        .map(|task| {
            let order = Rc::clone(&order);
            spawn(async move { order.borrow_mut().push(task) })
        })
        .collect();
    for handle in handles {
        handle.await.unwrap();
    }
    order.take()
}

#[test]
fn random_reaches_every_order_of_four_and_fifo_one() {
    let orders: BTreeSet<_> = (0..400).map(|seed| run(seed, || order_of(4)).0).collect();
    assert_eq!(orders.len(), 24);
    let orders: BTreeSet<_> = (0..20)
        .map(|seed| run_fifo(seed, || order_of(4)).0)
        .collect();
    assert_eq!(orders.into_iter().collect::<Vec<_>>(), [[0, 1, 2, 3]]);
}

#[test]
fn one_seed_one_digest_and_another_seed_another() {
    let digest = |seed| run(seed, || order_of(20)).1.digest;
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

#[test]
fn checkpoints_agree_up_to_the_first_difference() {
    let go = |odd: bool| {
        run(5, move || async move {
            for turn in 0..3_000_u64 {
                if odd && turn == 2_000 {
                    with(|world| world.event(EventKind::User, 1, 1));
                }
                yield_now().await;
            }
        })
        .1
    };
    let (plain, other) = (go(false), go(true));
    assert_ne!(plain.digest, other.digest);
    let same = plain
        .checkpoints
        .iter()
        .zip(&other.checkpoints)
        .take_while(|(a, b)| a == b);
    assert_eq!(
        same.count(),
        1,
        "2,000 events lie between the first and the second checkpoint"
    );
}

#[test]
fn a_traced_window_holds_its_events_and_changes_nothing() {
    let config = Config {
        trace: 8..11,
        ..Config::new(Seed(1))
    };
    let (_, traced) = run_with(config, || order_of(5));
    let numbers: Vec<_> = traced.trace.iter().map(|event| event.number).collect();
    assert_eq!(numbers, [8, 9, 10]);
    assert!(
        traced
            .trace
            .iter()
            .any(|event| event.task.contains("executor.rs"))
    );
    assert_eq!(traced.digest, run(1, || order_of(5)).1.digest);
}

#[test]
fn time_jumps_to_the_next_timer_and_no_further() {
    let (elapsed, summary) = run(1, || async {
        let start = time::now();
        time::sleep(Duration::from_secs(86_400 / 2)).await;
        time::now() - start
    });
    assert!(elapsed >= Duration::from_secs(43_200));
    assert!(elapsed < Duration::from_secs(43_201));
    assert!(summary.polls < 10);
}

#[test]
fn a_dropped_sleep_leaves_no_timer() {
    let simulation = Simulation::new(Config::new(Seed(1)));
    let never = async {
        for _ in 0..10_000 {
            let sleep = time::sleep(Duration::from_secs(3_600));
            let _ = futures::poll!(Box::pin(sleep));
        }
        std::future::pending::<()>().await;
    };
    // With a timer left, time would jump to it before the deadlock is seen.
    assert!(matches!(
        simulation.block_on(never),
        Err(Stop::Deadlock { .. })
    ));
    assert!(simulation.finish().elapsed.as_nanos() < 1_000_000_000);
}

#[test]
fn sleep_can_be_reset_both_ways() {
    run(1, || async {
        let start = time::now();
        let mut sleep = Box::pin(time::sleep(Duration::from_secs(10)));
        assert!(futures::poll!(&mut sleep).is_pending());
        sleep.as_mut().reset(start + Duration::from_secs(1));
        sleep.as_mut().await;
        assert!(sleep.is_elapsed());
        assert!(time::now() - start < Duration::from_secs(2));
        sleep.as_mut().reset(start + Duration::from_secs(20));
        sleep.await;
        assert!(time::now() - start >= Duration::from_secs(20));
    });
}

#[test]
fn a_deadlock_names_who_is_blocked() {
    let simulation = Simulation::new(Config::new(Seed(1)));
    let stop = simulation
        .block_on(std::future::pending::<()>())
        .unwrap_err();
    let text = stop.to_string();
    assert!(text.contains("deadlock") && text.contains("main"), "{text}");
}

#[test]
fn each_budget_stops_a_run() {
    let spin = |budget: Budget| {
        let simulation = Simulation::new(Config {
            budget,
            ..Config::new(Seed(1))
        });
        let forever = async {
            loop {
                time::sleep(Duration::from_millis(1)).await;
            }
        };
        match simulation.block_on::<_>(async {
            let _: () = forever.await;
        }) {
            Err(Stop::Budget { what }) => what,
            other => panic!("{other:?}"),
        }
    };
    let ample = Budget::default();
    assert_eq!(
        spin(Budget {
            polls_max: 1_000,
            ..ample
        }),
        "polls"
    );
    assert_eq!(
        spin(Budget {
            virtual_ns_max: 1_000_000_000,
            ..ample
        }),
        "virtual time"
    );
    assert_eq!(
        spin(Budget {
            events_max: 1_000,
            ..ample
        }),
        "events"
    );
}

#[test]
fn a_panic_of_the_main_future_is_a_stop() {
    let simulation = Simulation::new(Config::new(Seed(1)));
    let stop = simulation
        .block_on(async { panic!("told you") })
        .unwrap_err();
    assert_eq!(
        stop,
        Stop::Failed {
            message: "told you".to_owned()
        }
    );
}

#[test]
fn a_wake_from_another_thread_reaches_the_world() {
    let (sender, receiver) = futures::channel::oneshot::channel::<u32>();
    let (value, _) = run(1, move || async move {
        let waiting = spawn(receiver);
        yield_now().await;
        sim_runtime::interpose::outside(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| sender.send(7).unwrap());
            });
        });
        waiting.await.unwrap().unwrap()
    });
    assert_eq!(value, 7);
}
