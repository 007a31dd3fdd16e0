//! Ticks at a fixed period.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sim_runtime::{SimInstant, in_simulation, time};
use tokio_real::time::{Instant, MissedTickBehavior};

use crate::clock;
use crate::task::coop;

/// A tick this late counts as missed; an earlier one does not move the schedule.
const LATENESS_ALLOWED: Duration = Duration::from_millis(5);

/// Ticks at a fixed period; as `tokio::time::Interval`.
#[derive(Debug)]
pub struct Interval(Repr);

#[derive(Debug)]
enum Repr {
    Sim(SimInterval),
    Real(tokio_real::time::Interval),
}

#[derive(Debug)]
struct SimInterval {
    next: time::Sleep,
    period: Duration,
    behavior: MissedTickBehavior,
}

/// Ticks now, and then every `period`.
///
/// # Panics
/// When `period` is zero; outside a simulation, when there is no runtime with a timer.
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "`period` must be non-zero.");
    if in_simulation() {
        Interval::simulated(time::now(), period)
    } else {
        Interval(Repr::Real(tokio_real::time::interval(period)))
    }
}

/// Ticks at `start`, and then every `period`.
///
/// # Panics
/// When `period` is zero; outside a simulation, when there is no runtime with a timer.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "`period` must be non-zero.");
    if in_simulation() {
        Interval::simulated(clock::to_virtual(start), period)
    } else {
        Interval(Repr::Real(tokio_real::time::interval_at(start, period)))
    }
}

impl SimInterval {
    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<SimInstant> {
        ready!(coop::spend(cx, |cx| Pin::new(&mut self.next).poll(cx)));
        let due = self.next.deadline();
        let next = following(self.behavior, due, time::now(), self.period);
        self.next.reset(next);
        Poll::Ready(due)
    }
}

/// When to tick after a tick that was `due` and is taken `now`.
fn following(
    behavior: MissedTickBehavior,
    due: SimInstant,
    now: SimInstant,
    period: Duration,
) -> SimInstant {
    if now <= due + LATENESS_ALLOWED {
        return due + period;
    }
    match behavior {
        MissedTickBehavior::Burst => due + period,
        MissedTickBehavior::Delay => now + period,
        MissedTickBehavior::Skip => {
            let period_ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
            let beyond_ns = (now.0 - due.0) % period_ns;
            SimInstant(now.0 - beyond_ns) + period
        }
    }
}

impl Interval {
    fn simulated(start: SimInstant, period: Duration) -> Self {
        let behavior = MissedTickBehavior::default();
        Self(Repr::Sim(SimInterval {
            next: time::sleep_until(start),
            period,
            behavior,
        }))
    }

    /// Waits for the next tick; gives the instant it was due at. Cancellation-safe.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Polls for the next tick.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        match &mut self.0 {
            Repr::Sim(interval) => interval.poll_tick(cx).map(clock::to_instant),
            Repr::Real(interval) => interval.poll_tick(cx),
        }
    }

    /// The next tick is one period from now.
    pub fn reset(&mut self) {
        match &mut self.0 {
            Repr::Sim(interval) => interval.next.reset(clock::after(interval.period)),
            Repr::Real(interval) => interval.reset(),
        }
    }

    /// The next tick is now.
    pub fn reset_immediately(&mut self) {
        match &mut self.0 {
            Repr::Sim(interval) => interval.next.reset(time::now()),
            Repr::Real(interval) => interval.reset_immediately(),
        }
    }

    /// The next tick is `after` from now.
    pub fn reset_after(&mut self, after: Duration) {
        match &mut self.0 {
            Repr::Sim(interval) => interval.next.reset(clock::after(after)),
            Repr::Real(interval) => interval.reset_after(after),
        }
    }

    /// The next tick is at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        match &mut self.0 {
            Repr::Sim(interval) => interval.next.reset(clock::to_virtual(deadline)),
            Repr::Real(interval) => interval.reset_at(deadline),
        }
    }

    /// What happens after a missed tick.
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        match &self.0 {
            Repr::Sim(interval) => interval.behavior,
            Repr::Real(interval) => interval.missed_tick_behavior(),
        }
    }

    /// Says what happens after a missed tick.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        match &mut self.0 {
            Repr::Sim(interval) => interval.behavior = behavior,
            Repr::Real(interval) => interval.set_missed_tick_behavior(behavior),
        }
    }

    /// The period.
    #[must_use]
    pub fn period(&self) -> Duration {
        match &self.0 {
            Repr::Sim(interval) => interval.period,
            Repr::Real(interval) => interval.period(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(behavior: MissedTickBehavior, now_ms: u64) -> u64 {
        let ms = |ms: u64| SimInstant(ms * 1_000_000);
        following(behavior, ms(100), ms(now_ms), Duration::from_millis(50)).0 / 1_000_000
    }

    #[test]
    fn a_late_tick_is_followed_as_its_behaviour_says() {
        assert_eq!(next(MissedTickBehavior::Burst, 320), 150);
        assert_eq!(next(MissedTickBehavior::Delay, 320), 370);
        assert_eq!(next(MissedTickBehavior::Skip, 320), 350);
        for behavior in [
            MissedTickBehavior::Burst,
            MissedTickBehavior::Delay,
            MissedTickBehavior::Skip,
        ] {
            assert_eq!(next(behavior, 105), 150, "{behavior:?}");
        }
    }
}
