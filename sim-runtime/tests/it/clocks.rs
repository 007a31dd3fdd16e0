//! Clocks of nodes: what std and tasks see of a step, a drift, a slew and a pause, and what the
//! ledger says of it.

#![expect(clippy::disallowed_types, reason = "a guest's view is what is tested")]
#![cfg_attr(
    floor_traps,
    expect(clippy::disallowed_methods, reason = "a guest makes threads")
)]

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use sim_runtime::{
    ClockFault, Down, FaultId, LedgerRow, NodeId, NodeMain, Pause, SimInstant, spawn, time, with,
    world,
};

use crate::support::run;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// More than all clock reads and polls of a test cost.
const COSTS: Duration = Duration::from_micros(50);

fn main_of<F: Future<Output = ()> + 'static>(f: impl Fn() -> F + 'static) -> NodeMain {
    Rc::new(move || Box::pin(f()))
}

fn idle_node(name: &str, last: u8) -> NodeId {
    let node = world().create_node(name, IpAddr::from([10, 0, 0, last]));
    world().start_node(node, main_of(std::future::pending));
    node
}

fn fault(name: &str) -> FaultId {
    let id = world().ledger().plan(name, "clock");
    world().ledger().arm(id, "n1");
    id
}

fn row(summary: &sim_runtime::Summary, id: FaultId) -> LedgerRow {
    summary.ledger[id.0 as usize - 1].clone()
}

/// What a node sees of virtual time, its monotonic and its wall clock in `duration` of virtual
/// time, during which `then` is called once at the beginning.
async fn seen(node: NodeId, duration: Duration, then: impl FnOnce()) -> (i128, i128) {
    let read = || {
        world().on_node(node, || {
            let before = with(|world| world.now());
            (before, Instant::now(), SystemTime::now())
        })
    };
    let (virtual_before, monotonic_before, wall_before) = read();
    then();
    time::sleep(duration).await;
    let (virtual_after, monotonic_after, wall_after) = read();
    let passed = nanos(virtual_after - virtual_before);
    let monotonic = nanos(monotonic_after - monotonic_before) - passed;
    let wall = match wall_after.duration_since(wall_before) {
        Ok(forward) => nanos(forward),
        Err(back) => -nanos(back.duration()),
    };
    (monotonic, wall - passed)
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).expect("short")
}

fn near(actual: i128, expected: i128) {
    assert!(
        (actual - expected).abs() < nanos(COSTS),
        "{actual} ns instead of {expected} ns"
    );
}

#[test]
fn a_step_moves_the_wall_clock_of_one_node_and_no_monotonic_clock() {
    let (ids, summary) = run(1, || async {
        let (n1, n2) = (idle_node("n1", 1), idle_node("n2", 2));
        let id = fault("step");
        let step = |wall_ns| move || world().skew_clock(id, n1, ClockFault::Step { wall_ns });
        let (monotonic, wall) = seen(n1, SECOND, step(5_000_000_000)).await;
        near(monotonic, 0);
        near(wall, 5_000_000_000);
        let (monotonic, wall) = seen(n1, SECOND, step(-9_000_000_000)).await;
        near(monotonic, 0);
        near(wall, -9_000_000_000);
        let (monotonic, wall) = seen(n2, SECOND, || ()).await;
        near(monotonic, 0);
        near(wall, 0);
        let end = || assert!(world().end_clock_fault(id));
        let (_, wall) = seen(n1, SECOND, end).await;
        near(wall, 4_000_000_000);
        assert!(!world().end_clock_fault(id), "it is over");
        id
    });
    let row = row(&summary, ids);
    assert_eq!(row.injected["clock-steps"], 2);
    // After the first step one read, before and after the second two, one before the end; steps
    // of the wall clock are not seen by the monotonic one. Two effects saw the later reads.
    assert_eq!(row.injected["clock-reads-skewed"], 1 + 1 + 2 + 2);
    assert!(row.has_landed());
}

#[test]
fn a_drift_moves_every_clock_and_every_timer_of_the_node() {
    let (id, summary) = run(2, || async {
        let n1 = idle_node("n1", 1);
        let id = fault("drift");
        let drift = || world().skew_clock(id, n1, ClockFault::Drift { ppm: 100_000 });
        let (monotonic, wall) = seen(n1, 10 * SECOND, drift).await;
        near(monotonic, 1_000_000_000);
        near(wall, 1_000_000_000);

        let slept = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&slept);
        let sleeper = sim_runtime::spawn_on(n1, "sleeper", async move {
            let (before, started) = (Instant::now(), with(|world| world.now()));
            time::sleep(11 * SECOND).await;
            let took = with(|world| world.now()) - started;
            log.borrow_mut().push((before.elapsed(), took));
        });
        sleeper.await.unwrap();
        let (own, virtual_time) = slept.borrow()[0];
        assert!(own >= 11 * SECOND, "never early on its own clock: {own:?}");
        near(nanos(own), nanos(11 * SECOND));
        near(nanos(virtual_time), nanos(10 * SECOND));

        world().end_clock_fault(id);
        let (monotonic, wall) = seen(n1, SECOND, || ()).await;
        near(monotonic, 0);
        near(wall, 0);
        id
    });
    let row = row(&summary, id);
    assert_eq!(row.observed["timers-shifted"], 1);
    assert!(row.injected["clock-reads-skewed"] >= 4);
}

/// A timer that is armed before the clock changes its pace.
#[test]
fn timers_that_are_armed_follow_the_clock() {
    for ppm in [-500_000, 1_000_000] {
        let (_, summary) = run(3, move || async move {
            let n1 = idle_node("n1", 1);
            let sleeper = sim_runtime::spawn_on(n1, "sleeper", async {
                let (before, started) = (Instant::now(), with(|world| world.now()));
                time::sleep(10 * SECOND).await;
                let took = with(|world| world.now()) - started;
                (before.elapsed(), took)
            });
            time::sleep(2 * SECOND).await;
            world().skew_clock(fault("drift"), n1, ClockFault::Drift { ppm });
            let (own, took) = sleeper.await.unwrap();
            assert!(own >= 10 * SECOND);
            near(nanos(own), nanos(10 * SECOND));
            let expected = if ppm > 0 { 2 + 4 } else { 2 + 16 };
            near(nanos(took), nanos(expected * SECOND));
        });
        assert_eq!(summary.ledger[0].injected["timers-shifted"], 1);
    }
}

#[test]
fn a_slew_ends_when_the_wall_clock_has_moved_as_far() {
    run(4, || async {
        let n1 = idle_node("n1", 1);
        let id = fault("slew");
        let what = ClockFault::Slew {
            wall_ns: -10_000_000,
            ppm: 10_000,
        };
        let slew = || world().skew_clock(id, n1, what);
        let (monotonic, wall) = seen(n1, 500 * MS, slew).await;
        near(monotonic, -5_000_000);
        near(wall, -5_000_000);
        let (monotonic, wall) = seen(n1, 10 * SECOND, || ()).await;
        near(monotonic, -5_000_000);
        near(wall, -5_000_000);
        let (monotonic, _) = seen(n1, SECOND, || ()).await;
        near(monotonic, 0);
    });
}

/// What a node counts in a pause of ten seconds that begins at its fifth tick.
fn paused(how: Pause) -> (Vec<u64>, i128, i128, LedgerRow) {
    let ((ticks, clocks, id), summary) = run(5, move || async move {
        let ticks = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&ticks);
        let n1 = world().create_node("n1", IpAddr::from([10, 0, 0, 1]));
        world().start_node(
            n1,
            main_of(move || {
                let log = Rc::clone(&log);
                async move {
                    loop {
                        time::sleep(SECOND).await;
                        let now = with(|world| world.now().as_nanos());
                        log.borrow_mut().push(now / 1_000_000_000);
                    }
                }
            }),
        );
        time::sleep(5 * SECOND + 500 * MS).await;
        let id = fault("pause");
        let pause = || assert!(world().pause_node(id, n1, how));
        let clocks = seen(n1, 10 * SECOND, pause).await;
        assert!(world().resume_node(id, n1));
        assert!(!world().resume_node(id, n1), "it goes on");
        time::sleep(2_900 * MS).await;
        let ticks = ticks.borrow().clone();
        (ticks, clocks, id)
    });
    let (monotonic, wall) = clocks;
    (ticks, monotonic, wall, row(&summary, id))
}

#[test]
fn a_stopped_process_finds_its_timers_due_when_it_goes_on() {
    let (ticks, monotonic, wall, row) = paused(Pause::Process);
    assert_eq!(ticks, [1, 2, 3, 4, 5, 15, 16, 17]);
    near(monotonic, 0);
    near(wall, 0);
    assert_eq!(row.injected["turns-held"], 1);
    assert!(row.has_landed());
}

#[test]
fn a_suspended_machine_has_its_sleep_left_and_the_right_wall_clock() {
    let (ticks, monotonic, wall, row) = paused(Pause::Suspend);
    assert_eq!(ticks, [1, 2, 3, 4, 5, 16, 17, 18]);
    near(monotonic, -10_000_000_000);
    near(wall, 0);
    assert!(row.injected["clock-reads-skewed"] >= 1);
}

#[test]
fn a_frozen_machine_has_lost_the_time() {
    let (ticks, monotonic, wall, row) = paused(Pause::Freeze);
    assert_eq!(ticks, [1, 2, 3, 4, 5, 16, 17, 18]);
    near(monotonic, -10_000_000_000);
    near(wall, -10_000_000_000);
    assert!(row.injected["clock-reads-skewed"] >= 1);
}

#[test]
fn a_node_that_is_killed_while_it_is_paused_starts_again() {
    run(6, || async {
        let started = Rc::new(RefCell::new(0));
        let count = Rc::clone(&started);
        let n1 = world().create_node("n1", IpAddr::from([10, 0, 0, 1]));
        world().start_node(
            n1,
            main_of(move || {
                *count.borrow_mut() += 1;
                async {
                    drop(spawn(time::sleep(SECOND)));
                    std::future::pending::<()>().await;
                }
            }),
        );
        let id = fault("pause");
        time::sleep(MS).await;
        world().pause_node(id, n1, Pause::Freeze);
        time::sleep(2 * SECOND).await;
        world().kill_node(n1, Down::Kill);
        assert!(!world().pause_node(id, n1, Pause::Freeze), "it is down");
        world().restart_node(n1);
        time::sleep(MS).await;
        assert_eq!(*started.borrow(), 2, "not paused any more");
        assert!(!world().resume_node(id, n1));
        let (monotonic, wall) = seen(n1, SECOND, || ()).await;
        near(monotonic, 0);
        near(wall, 0);
    });
}

#[test]
fn two_pauses_of_a_node_end_with_the_last() {
    run(7, || async {
        let n1 = idle_node("n1", 1);
        let done = Rc::new(RefCell::new(SimInstant::ZERO));
        let at = Rc::clone(&done);
        drop(sim_runtime::spawn_on(n1, "sleeper", async move {
            time::sleep(SECOND).await;
            *at.borrow_mut() = with(|world| world.now());
        }));
        time::sleep(MS).await;
        let (one, two) = (fault("one"), fault("two"));
        world().pause_node(one, n1, Pause::Process);
        world().pause_node(two, n1, Pause::Process);
        time::sleep(2 * SECOND).await;
        world().resume_node(one, n1);
        time::sleep(SECOND).await;
        assert_eq!(*done.borrow(), SimInstant::ZERO);
        world().resume_node(two, n1);
        time::sleep(MS).await;
        assert!(done.borrow().as_nanos() >= 3_000_000_000);
    });
}

/// Blocking code sleeps and waits by its node's clock as well.
#[cfg(floor_traps)]
#[test]
fn threads_and_condition_variables_follow_the_clock() {
    use std::sync::{Condvar, Mutex};
    run(8, || async {
        let n1 = idle_node("n1", 1);
        world().skew_clock(fault("drift"), n1, ClockFault::Drift { ppm: 1_000_000 });
        let thread = world().on_node(n1, || {
            std::thread::spawn(|| {
                let (before, started) = (Instant::now(), with(|world| world.now()));
                std::thread::sleep(2 * SECOND);
                let (lock, signal) = (Mutex::new(()), Condvar::new());
                let guard = lock.lock().unwrap();
                let (_guard, timeout) = signal.wait_timeout(guard, 2 * SECOND).unwrap();
                assert!(timeout.timed_out());
                let took = with(|world| world.now()) - started;
                (before.elapsed(), took)
            })
        });
        while !thread.is_finished() {
            time::sleep(MS).await;
        }
        let (own, took) = thread.join().unwrap();
        assert!(own >= 4 * SECOND);
        near(nanos(own), nanos(4 * SECOND));
        near(nanos(took), nanos(2 * SECOND));
    });
}

#[test]
fn a_clock_that_nobody_reads_is_no_evidence() {
    let digest = |skewed| {
        let (id, summary) = run(9, move || async move {
            let (n1, n2) = (idle_node("n1", 1), idle_node("n2", 2));
            let id = world().ledger().plan("drift", "clock");
            if skewed {
                world().ledger().arm(id, "n1");
                world().skew_clock(id, n1, ClockFault::Drift { ppm: 500 });
            }
            for _ in 0..10 {
                time::sleep(MS).await;
                world().on_node(n2, Instant::now);
            }
            id
        });
        row(&summary, id)
    };
    assert_eq!(digest(false).standing(), "planned");
    assert_eq!(digest(true).standing(), "masked");
}
