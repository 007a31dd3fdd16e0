//! How likely a failure was, over time.

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
    /// one after, if there is a rise: of several, the earliest. A single point that is high by
    /// chance moves it little.
    #[must_use]
    pub fn jump(&self) -> Option<(u64, u64)> {
        let sum = |points: &[Point]| {
            let runs: u64 = points.iter().map(|point| u64::from(point.runs)).sum();
            let failed: u64 = points.iter().map(|point| u64::from(point.failed)).sum();
            (u128::from(runs), u128::from(failed))
        };
        let mut best: Option<(u128, usize)> = None;
        for place in 1..self.points.len() {
            let (before, after) = self.points.split_at(place);
            let ((runs, failed), (runs_after, failed_after)) = (sum(before), sum(after));
            let rise = (failed_after * runs).saturating_sub(failed * runs_after);
            // The variance between the two parts, but for a factor that they share.
            let score = (rise * rise).checked_div(runs * runs_after).unwrap_or(0);
            if score > best.map_or(0, |(most, _)| most) {
                best = Some((score, place));
            }
        }
        best.map(|(_, place)| (self.points[place - 1].at_ns, self.points[place].at_ns))
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
        assert_eq!(rising.jump(), Some((20, 30)));
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
        let jump = curve(&noisy).jump();
        assert_eq!(jump, Some((30, 40)), "10 is high by chance");
        assert_eq!(curve(&[(0, 4), (1, 4)]).jump(), None);
    }
}
