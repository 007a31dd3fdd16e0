//! tokio's time on a node whose clock runs twice as fast: its instants, timers, limits and ticks
//! agree with each other, and with nobody else's; files carry the node's wall clock.

#![expect(clippy::disallowed_types, reason = "a guest's view is what is tested")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use sim_runtime::{ClockFault, spawn_on, with};
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};

use crate::support::run_world;

const MS: Duration = Duration::from_millis(1);
/// More than all clock reads and polls of a body cost.
const COSTS: Duration = Duration::from_micros(100);

/// Runs a body on a node with such a clock; gives back what it took by the node's clock and in
/// virtual time.
fn took<F>(body: impl FnOnce() -> F + Send + 'static) -> (Duration, Duration)
where
    F: Future<Output = ()> + 'static,
{
    let (output, summary) = run_world(1, move |world| async move {
        let node = world.create_node("n1", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
        world.start_node(node, std::rc::Rc::new(|| Box::pin(std::future::pending())));
        let fault = world.ledger().plan("fast", "clock drift");
        world.ledger().arm(fault, "n1");
        world.skew_clock(fault, node, ClockFault::Drift { ppm: 1_000_000 });
        let timed = spawn_on(node, "timed", async move {
            let (own, right) = (Instant::now(), with(|world| world.now()));
            body().await;
            (own.elapsed(), with(|world| world.now()) - right)
        });
        timed.await.unwrap()
    });
    assert!(summary.ledger[0].injected["clock-reads-skewed"] >= 1);
    output.unwrap()
}

fn near(actual: Duration, expected: Duration) {
    assert!(
        actual >= expected.saturating_sub(COSTS),
        "{actual:?} instead of {expected:?}"
    );
    assert!(
        actual < expected + COSTS,
        "{actual:?} instead of {expected:?}"
    );
}

#[test]
fn sleeps_run_on_the_clock_of_the_node() {
    let (own, right) = took(|| async {
        sleep(500 * MS).await;
        let deadline = Instant::now() + 500 * MS;
        sleep_until(deadline).await;
        assert!(Instant::now() >= deadline, "never early on its own clock");
    });
    near(own, 1_000 * MS);
    near(right, 500 * MS);
}

#[test]
fn limits_and_ticks_run_on_the_clock_of_the_node() {
    let (own, right) = took(|| async {
        let never = timeout(400 * MS, std::future::pending::<()>());
        assert!(never.await.is_err());
        let mut ticks = interval(100 * MS);
        let first = ticks.tick().await;
        for tick in 1..=6 {
            let due = ticks.tick().await;
            near(due - first, tick * 100 * MS);
            assert!(Instant::now() >= due);
        }
    });
    near(own, 1_000 * MS);
    near(right, 500 * MS);
}

#[test]
fn files_carry_the_wall_clock_of_their_node() {
    took(|| async {
        sleep(2_000 * MS).await;
        let before = SystemTime::now();
        tokio::fs::write("/file", b"x").await.unwrap();
        let modified = tokio::fs::metadata("/file").await.unwrap().modified();
        let modified = modified.unwrap();
        assert!(before <= modified && modified <= SystemTime::now());
    });
}
