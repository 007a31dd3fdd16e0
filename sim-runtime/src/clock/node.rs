//! One node's clocks, as straight lines over virtual time.

use super::course::{Ahead, Course, Effect, GuestClock, WHOLE, share};
use crate::ids::{FaultId, SimInstant};

/// However many drifts add up, a clock goes on at a tenth of its pace: it must not stand still.
const SLOWEST: i128 = -900_000;

/// A node's clocks. Between two changes each is a straight line.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeClock {
    /// The virtual nanosecond of the last change.
    anchor: u64,
    /// Then.
    ahead: Ahead,
    effects: Vec<Effect>,
}

impl NodeClock {
    /// How far a clock is ahead at virtual nanosecond `now`, which is not before the last change.
    pub(super) fn ahead(&self, clock: GuestClock, now: u64) -> i64 {
        let elapsed = now.saturating_sub(self.anchor);
        let gained = match (self.stop(), clock) {
            (Some(stop), _) => stop.gains(elapsed).of(clock),
            (None, GuestClock::Raw) => share(elapsed, self.drifted()),
            (None, _) => share(elapsed, self.slewed()),
        };
        self.ahead.of(clock).saturating_add(gained)
    }

    /// What the monotonic clock shows, counted from the start of the simulation.
    pub(super) fn monotonic(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.ahead(GuestClock::Monotonic, now))
    }

    /// The first virtual nanosecond at which the monotonic clock shows `shown` or more, if nothing
    /// changes; not after that, if the clock stands.
    pub(super) fn virtual_at(&self, shown: u64) -> u64 {
        let start = self.anchor.saturating_add_signed(self.ahead.monotonic);
        let Some(left) = shown.checked_sub(start) else {
            return self.anchor;
        };
        let pace = WHOLE + self.slewed();
        let left = match self.stop() {
            Some(_) => i128::from(left),
            None => (i128::from(left) * WHOLE + pace - 1) / pace,
        };
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        self.anchor.saturating_add(left)
    }

    /// What is gained in `elapsed` nanoseconds since the anchor. Drift and slew are added up before
    /// they are rounded, so that a clock's way back from its time is exact.
    fn gained(&self, elapsed: u64) -> Ahead {
        if let Some(stop) = self.stop() {
            return stop.gains(elapsed);
        }
        let kept = share(elapsed, self.slewed());
        Ahead {
            monotonic: kept,
            raw: share(elapsed, self.drifted()),
            boot: kept,
            wall: kept,
        }
    }

    /// A frozen machine is not asleep as well.
    fn stop(&self) -> Option<Course> {
        let courses = || self.effects.iter().map(|effect| effect.course);
        let frozen = courses().find(|course| *course == Course::Frozen);
        frozen.or_else(|| courses().find(|course| course.is_stop()))
    }

    /// Millionths, of the hardware's clock.
    fn drifted(&self) -> i128 {
        self.pace(|course| match course {
            Course::Drift(ppm) => ppm,
            _ => 0,
        })
    }

    /// Millionths, of the kernel's clocks.
    fn slewed(&self) -> i128 {
        self.pace(|course| match course {
            Course::Drift(ppm) | Course::Slew(ppm, _) => ppm,
            _ => 0,
        })
    }

    fn pace(&self, of: impl Fn(Course) -> i32) -> i128 {
        let each = self
            .effects
            .iter()
            .map(|effect| i128::from(of(effect.course)));
        each.sum::<i128>().max(SLOWEST)
    }

    /// Moves the anchor to `now`, and ends the slewing that is done.
    pub(super) fn settle(&mut self, now: u64) {
        let elapsed = now.saturating_sub(self.anchor);
        let gained = self.gained(elapsed);
        let stop = self.stop();
        for effect in &mut self.effects {
            if stop.is_none() || stop == Some(effect.course) {
                effect.share.add(effect.course.gains(elapsed));
            }
            if matches!(effect.course, Course::Slew(_, until) if until <= now) {
                effect.course = Course::Done;
            }
        }
        self.ahead.add(gained);
        self.anchor = now;
    }

    pub(super) fn begin(&mut self, now: u64, effect: Effect) {
        self.settle(now);
        self.ahead.add(effect.share);
        self.effects.push(effect);
    }

    /// Ends the effects of a fault: the wall clock is set right, as far as it was this fault that
    /// set it wrong, unless the machine did not notice; monotonic clocks keep what they gained.
    pub(super) fn end(&mut self, now: u64, fault: FaultId) -> bool {
        self.settle(now);
        let mut ended = false;
        let ahead = &mut self.ahead;
        for effect in &mut self.effects {
            if effect.fault != fault || effect.is_over {
                continue;
            }
            ended = true;
            effect.is_over = true;
            if !effect.course.is_stop() {
                let wall = std::mem::take(&mut effect.share.wall);
                ahead.wall = ahead.wall.saturating_sub(wall);
            }
            effect.course = Course::Done;
        }
        self.forget();
        ended
    }

    /// Ends every pause: the process is gone.
    pub(super) fn end_stops(&mut self, now: u64) {
        self.settle(now);
        for effect in &mut self.effects {
            if effect.course.is_stop() {
                (effect.is_over, effect.course) = (true, Course::Done);
            }
        }
    }

    /// Drops effects that are over and that nothing more can be seen of, or has been.
    pub(super) fn forget(&mut self) {
        let is_kept =
            |effect: &Effect| !effect.is_over || !(effect.share.is_zero() || effect.is_read);
        self.effects.retain(is_kept);
    }

    /// The effects that a read of `clock` sees, now.
    pub(super) fn seen(
        &mut self,
        clock: GuestClock,
        now: u64,
    ) -> impl Iterator<Item = &mut Effect> {
        let elapsed = now.saturating_sub(self.anchor);
        let stop = self.stop();
        self.effects.iter_mut().filter(move |effect| {
            let mut share = effect.share;
            if stop.is_none() || stop == Some(effect.course) {
                share.add(effect.course.gains(elapsed));
            }
            share.of(clock) != 0
        })
    }

    /// The effects that move timers, now.
    pub(super) fn moving(&mut self) -> impl Iterator<Item = &mut Effect> {
        let moves = |course| matches!(course, Course::Drift(_) | Course::Slew(..));
        let each = self.effects.iter_mut();
        each.filter(move |effect| moves(effect.course))
    }

    pub(super) fn effects_of(&mut self, fault: FaultId) -> impl Iterator<Item = &mut Effect> {
        let each = self.effects.iter_mut();
        each.filter(move |effect| effect.fault == fault)
    }

    /// Whether its clocks show virtual time from now on.
    pub(super) fn is_right(&self) -> bool {
        self.effects.is_empty() && self.ahead.is_zero()
    }

    /// When the next slewing is done.
    pub(super) fn slews_until(&self) -> Option<SimInstant> {
        let ends = self
            .effects
            .iter()
            .filter_map(|effect| match effect.course {
                Course::Slew(_, until) => Some(SimInstant(until)),
                _ => None,
            });
        ends.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seed, Stream};

    const SECOND: u64 = 1_000_000_000;
    const FAULT: FaultId = FaultId(1);

    fn drifting(ppm: i32) -> NodeClock {
        let mut clock = NodeClock::default();
        clock.begin(0, Effect::new(FAULT, Course::Drift(ppm), Ahead::default()));
        clock
    }

    #[test]
    fn a_drift_of_100_ppm_gains_100_us_a_second_on_every_clock() {
        let clock = drifting(100);
        for which in [
            GuestClock::Monotonic,
            GuestClock::Raw,
            GuestClock::Boot,
            GuestClock::Realtime,
        ] {
            assert_eq!(clock.ahead(which, 10 * SECOND), 1_000_000, "{which:?}");
        }
    }

    #[test]
    fn the_end_of_a_drift_sets_the_wall_clock_right_and_nothing_else() {
        let mut clock = drifting(-100);
        assert!(clock.end(10 * SECOND, FAULT));
        assert_eq!(clock.ahead(GuestClock::Monotonic, 20 * SECOND), -1_000_000);
        assert_eq!(clock.ahead(GuestClock::Realtime, 20 * SECOND), 0);
        assert!(!clock.is_right(), "what is left is seen");
    }

    #[test]
    fn a_slew_ends_by_itself_and_leaves_the_raw_clock_alone() {
        let mut clock = NodeClock::default();
        let slew = Course::Slew(500, 2 * SECOND);
        clock.begin(0, Effect::new(FAULT, slew, Ahead::default()));
        clock.settle(2 * SECOND);
        assert_eq!(clock.ahead(GuestClock::Realtime, 9 * SECOND), 1_000_000);
        assert_eq!(clock.ahead(GuestClock::Monotonic, 9 * SECOND), 1_000_000);
        assert_eq!(clock.ahead(GuestClock::Raw, 9 * SECOND), 0);
    }

    #[test]
    fn a_suspended_machine_knows_that_it_slept_and_a_frozen_one_does_not() {
        let asleep = |course| {
            let mut clock = drifting(100);
            clock.begin(0, Effect::new(FaultId(2), course, Ahead::default()));
            clock.end(5 * SECOND, FaultId(2));
            [
                GuestClock::Monotonic,
                GuestClock::Boot,
                GuestClock::Realtime,
            ]
            .map(|which| clock.ahead(which, 5 * SECOND))
        };
        let slept = -5_000_000_000;
        assert_eq!(asleep(Course::Suspended), [slept, 0, 0]);
        assert_eq!(asleep(Course::Frozen), [slept, slept, slept]);
    }

    #[test]
    fn the_way_back_is_exact_whatever_the_pace() {
        let mut stream = Stream::of(Seed(1), "test", 0);
        for _ in 0..20_000 {
            let ppm = stream.below(1_400_000) as i32 - 500_000;
            let mut clock = drifting(ppm);
            let bits = 1 + stream.below(50);
            let mut now = stream.below(1 << bits);
            clock.settle(now);
            if stream.chance(1, 2) {
                let slew = Course::Slew(stream.below(500) as i32, u64::MAX);
                clock.begin(now, Effect::new(FaultId(2), slew, Ahead::default()));
            }
            now += stream.below(1 << 40);
            let bits = 1 + stream.below(50);
            let shown = clock.monotonic(now) + 1 + stream.below(1 << bits);
            let due = clock.virtual_at(shown);
            assert!(clock.monotonic(due) >= shown, "never early");
            assert!(clock.monotonic(due - 1) < shown, "and not late");
        }
    }

    #[test]
    fn what_can_be_seen_no_more_is_forgotten() {
        let mut clock = NodeClock::default();
        clock.begin(0, Effect::new(FAULT, Course::Done, Ahead::wall(5)));
        assert_eq!(clock.seen(GuestClock::Monotonic, 1).count(), 0);
        assert_eq!(clock.seen(GuestClock::Realtime, 1).count(), 1);
        clock.end(1, FAULT);
        assert!(clock.is_right());
    }
}
