//! How likely a failure was, over time.

use std::fmt;

use sim_runtime::SimInstant;

/// What the statistic of a rise must come to, so that it is no chance.
const CHANCE_MAX: u128 = 10;

/// One moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Virtual nanoseconds of the run.
    pub at_ns: u64,
    /// Runs that were the same up to it.
    pub runs: u32,
    /// Those of them that failed alike.
    pub failed: u32,
}

impl Point {
    /// The share that failed, in thousandths.
    #[must_use]
    pub const fn permille(&self) -> u32 {
        match self.runs {
            0 => 0,
            runs => (self.failed as u64 * 1_000 / runs as u64) as u32,
        }
    }

    /// Between which thousandths the true share lies, with a confidence of 95 %: Wilson's score
    /// interval.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "both are between 0 and 1000, and only shown"
    )]
    pub fn band(&self) -> (u32, u32) {
        if self.runs == 0 {
            return (0, 1_000);
        }
        let (n, z) = (f64::from(self.runs), 1.96_f64);
        let share = f64::from(self.failed) / n;
        let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        let middle = share + z * z / (2.0 * n);
        let scale = 1.0 + z * z / n;
        let low = ((middle - spread) / scale).max(0.0);
        let high = ((middle + spread) / scale).min(1.0);
        (
            (low * 1_000.0).floor() as u32,
            (high * 1_000.0).ceil() as u32,
        )
    }
}

/// Moments in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Curve {
    points: Vec<Point>,
}

impl Curve {
    /// The moments, in order.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    pub(super) fn has(&self, at_ns: u64) -> bool {
        self.points
            .binary_search_by_key(&at_ns, |point| point.at_ns)
            .is_ok()
    }

    /// Counts one more run that was the same up to a moment.
    pub(super) fn count(&mut self, at_ns: u64, failed: bool) {
        let place = self.points.partition_point(|point| point.at_ns < at_ns);
        if !self.has(at_ns) {
            let none = Point::default();
            self.points.insert(place, Point { at_ns, ..none });
        }
        let point = &mut self.points[place];
        point.runs += 1;
        point.failed += u32::from(failed);
    }

    /// The two neighbouring moments that part the curve best into a low share before and a high
    /// one after: of several, the earliest. None where the shares differ no more than chance would
    /// have it; a single point that is high by chance moves it little.
    #[must_use]
    pub fn jump(&self) -> Option<Jump> {
        let mut best: Option<(u128, usize, (Tally, Tally))> = None;
        for place in 1..self.points.len() {
            let (before, after) = self.points.split_at(place);
            let parts = (Tally::of(before), Tally::of(after));
            let score = parts.0.rise_to(parts.1);
            if score > best.map_or(0, |(most, ..)| most) {
                best = Some((score, place, parts));
            }
        }
        let (score, place, (before, after)) = best?;
        let whole = Tally::of(&self.points);
        let passed = whole.runs - whole.failed;
        // The statistic chi squared of the two parts, whose largest over all places is below this
        // bound for 95 of 100 curves that do not rise.
        let is_chance = score * whole.runs < CHANCE_MAX * whole.failed * passed;
        (!is_chance).then(|| Jump {
            from_ns: self.points[place - 1].at_ns,
            to_ns: self.points[place].at_ns,
            before_permille: before.permille(),
            after_permille: after.permille(),
        })
    }

    /// When the failure was decided, for a run that ended then.
    #[must_use]
    pub fn decided(&self, ended_ns: u64) -> Decided {
        let last = self.points.last().map_or(0, |point| point.at_ns);
        if last < ended_ns {
            return Decided::NotKnown { until_ns: last };
        }
        let permille = Tally::of(&self.points).permille();
        self.jump()
            .map_or(Decided::Throughout { permille }, Decided::Between)
    }
}

/// Where a curve rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// The last moment before, in virtual nanoseconds.
    pub from_ns: u64,
    /// The first moment after.
    pub to_ns: u64,
    /// The share of the runs that failed before, in thousandths.
    pub before_permille: u32,
    /// The share that failed after.
    pub after_permille: u32,
}

impl Jump {
    /// Both moments, in virtual nanoseconds.
    #[must_use]
    pub const fn span_ns(&self) -> (u64, u64) {
        (self.from_ns, self.to_ns)
    }
}

/// When a failure was decided, as a curve tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Between two moments.
    Between(Jump),
    /// At none: it is as likely from the beginning on as at the end.
    Throughout {
        /// The share of all runs that failed, in thousandths.
        permille: u32,
    },
    /// The curve does not reach the end of the run.
    NotKnown {
        /// The last moment that it has.
        until_ns: u64,
    },
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Between(jump) => write!(
                f,
                "It was decided between {} and {}: of the runs in which all was drawn anew before, \
                 {} % fail alike, of those after {} %.",
                SimInstant(jump.from_ns),
                SimInstant(jump.to_ns),
                jump.before_permille / 10,
                jump.after_permille / 10
            ),
            Self::Throughout { permille } => write!(
                f,
                "No moment decided it: of the runs in which all was drawn anew, {} % fail alike, \
                 from the beginning on as at the end.",
                permille / 10
            ),
            Self::NotKnown { until_ns } => write!(
                f,
                "Time was over with moments up to {} looked at: when it was decided is not known.",
                SimInstant(until_ns)
            ),
        }
    }
}

/// Runs, and how many of them failed.
#[derive(Clone, Copy)]
struct Tally {
    runs: u128,
    failed: u128,
}

impl Tally {
    fn of(points: &[Point]) -> Self {
        let sum =
            |part: fn(&Point) -> u32| points.iter().map(|point| u128::from(part(point))).sum();
        Self {
            runs: sum(|point| point.runs),
            failed: sum(|point| point.failed),
        }
    }

    fn permille(self) -> u32 {
        let share = (self.failed * 1_000).checked_div(self.runs).unwrap_or(0);
        u32::try_from(share).expect("at most 1,000")
    }

    /// The variance between two parts of a curve of which the second fails more, but for a factor
    /// that they share.
    fn rise_to(self, after: Self) -> u128 {
        let rise = (after.failed * self.runs).saturating_sub(self.failed * after.runs);
        (rise * rise)
            .checked_div(self.runs * after.runs)
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_ns: u64, failed: u32) -> Point {
        Point {
            at_ns,
            runs: 20,
            failed,
        }
    }

    /// A curve of 20 runs a moment, counted run by run, of which so many failed.
    fn curve(moments: &[(u64, u32)]) -> Curve {
        let mut curve = Curve::default();
        for run in 0..20 {
            for &(at_ns, failed) in moments {
                curve.count(at_ns, run < failed);
            }
        }
        curve
    }

    #[test]
    fn the_band_holds_the_share_and_narrows() {
        // Wilson's interval for 5 of 20 is 0.1119 to 0.4687.
        assert_eq!(point(0, 5).band(), (111, 469));
        assert_eq!((point(0, 0).band().0, point(0, 20).band().1), (0, 1_000));
        let many = Point {
            at_ns: 0,
            runs: 2_000,
            failed: 500,
        };
        assert_eq!(many.permille(), 250);
        assert_eq!(many.band(), (231, 270));
        let none = Point {
            at_ns: 0,
            runs: 0,
            failed: 0,
        };
        assert_eq!((none.permille(), none.band()), (0, (0, 1_000)));
    }

    #[test]
    fn the_jump_parts_the_low_shares_from_the_high_ones() {
        let rising = curve(&[(40, 20), (0, 1), (20, 3), (10, 2), (30, 15)]);
        let order: Vec<_> = rising.points().iter().map(|point| point.at_ns).collect();
        assert_eq!(order, [0, 10, 20, 30, 40]);
        assert_eq!(rising.points()[4], point(40, 20));
        let jump = Jump {
            from_ns: 20,
            to_ns: 30,
            before_permille: 100,
            after_permille: 875,
        };
        assert_eq!(rising.jump(), Some(jump));
        assert_eq!(
            rising.decided(40).to_string(),
            "It was decided between 0.000000s and 0.000000s: of the runs in which all was drawn \
             anew before, 10 % fail alike, of those after 87 %."
        );
        assert_eq!(rising.decided(41), Decided::NotKnown { until_ns: 40 });
        assert!(rising.has(20) && !rising.has(25));
        let noisy = [
            (0, 0),
            (10, 12),
            (20, 0),
            (30, 1),
            (40, 13),
            (50, 14),
            (60, 13),
        ];
        let jump = curve(&noisy).jump().map(|jump| jump.span_ns());
        assert_eq!(jump, Some((30, 40)), "10 is high by chance");
    }

    #[test]
    fn a_curve_that_rises_no_more_than_chance_has_no_jump() {
        assert_eq!(curve(&[(0, 4), (1, 4)]).jump(), None);
        let sure = curve(&[(0, 20), (1, 20)]);
        assert_eq!(sure.decided(1), Decided::Throughout { permille: 1_000 });
        let high = curve(&[(0, 18), (1, 17), (2, 19), (3, 19), (4, 18), (5, 20)]);
        assert_eq!(high.decided(5), Decided::Throughout { permille: 925 });
        assert_eq!(curve(&[(0, 20), (1, 3)]).jump(), None, "it falls");
    }
}
