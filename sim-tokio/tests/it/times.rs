//! Virtual time.

use std::time::Duration;

use tokio::time::{self, Instant, MissedTickBehavior, interval, interval_at, sleep, timeout_at};

use crate::support::{run, simulate};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn an_hour_passes_in_no_time_and_the_clocks_agree() {
    simulate(1, || async {
        let (start, virtual_start) = (Instant::now(), sim_runtime::time::now());
        sleep(Duration::from_secs(3_600)).await;
        let slept = start.elapsed();
        assert!(slept >= Duration::from_secs(3_600) && slept < Duration::from_secs(3_601));
        assert!((sim_runtime::time::now() - virtual_start).abs_diff(slept) < ms(1));
    });
}

#[test]
fn deadlines_are_met_to_the_microsecond() {
    simulate(1, || async {
        let deadline = Instant::now() + ms(50);
        let sleeping = time::sleep_until(deadline);
        assert_eq!(sleeping.deadline(), deadline);
        sleeping.await;
        assert!(deadline.elapsed() < Duration::from_micros(10));
        let late = timeout_at(deadline + ms(1), std::future::pending::<()>()).await;
        assert!(late.is_err());
        let late_by = deadline.elapsed() - ms(1);
        assert!(late_by < Duration::from_micros(10), "{late_by:?}");
    });
}

/// When an interval ticks that nobody looked at for 320 ms.
async fn ticks_after_a_delay(behavior: MissedTickBehavior) -> Vec<u128> {
    let start = Instant::now() + ms(1);
    let mut ticks = interval_at(start, ms(100));
    ticks.set_missed_tick_behavior(behavior);
    ticks.tick().await;
    sleep(ms(320)).await;
    let mut due = Vec::new();
    for _ in 0..4 {
        due.push((ticks.tick().await - start).as_millis());
    }
    due
}

#[test]
fn missed_ticks_are_made_up_as_told() {
    let ticks = |behavior| simulate(1, move || ticks_after_a_delay(behavior));
    assert_eq!(ticks(MissedTickBehavior::Burst), [100, 200, 300, 400]);
    assert_eq!(ticks(MissedTickBehavior::Delay), [100, 420, 520, 620]);
    assert_eq!(ticks(MissedTickBehavior::Skip), [100, 400, 500, 600]);
}

#[test]
fn an_interval_can_be_reset() {
    simulate(1, || async {
        let mut ticks = interval(ms(100));
        let first = ticks.tick().await;
        sleep(ms(50)).await;
        ticks.reset();
        let next = ticks.tick().await - first;
        assert!(next >= ms(150) && next < ms(151), "{next:?}");
        ticks.reset_after(ms(10));
        let next = ticks.tick().await - first;
        assert!(next >= ms(160) && next < ms(161), "{next:?}");
        ticks.reset_at(first + ms(500));
        assert_eq!(ticks.tick().await, first + ms(500));
        assert_eq!(ticks.period(), ms(100));
    });
}

#[test]
fn a_sleep_that_is_dropped_leaves_nothing_behind() {
    let (_, summary) = run(1, || async {
        let long = time::timeout(ms(1), sleep(Duration::from_secs(1_000)));
        assert!(long.await.is_err());
    });
    assert!(summary.elapsed.as_nanos() < 2_000_000);
}

#[test]
fn sleeping_for_ever_is_a_deadlock_or_a_budget_not_an_overflow() {
    let (stopped, _) = run(1, || sleep(Duration::MAX));
    assert!(stopped.is_err());
}
