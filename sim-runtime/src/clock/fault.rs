//! Faults of clocks: what can be done to a node's, and its undoing.

use serde::{Deserialize, Serialize};

use super::GuestClock;
use super::course::{Ahead, Course, Effect};
use super::node::NodeClock;
use crate::ids::{FaultId, NodeId, SimInstant};
use crate::world::World;

/// The slowest and the fastest that a clock can be made to run, in millionths.
const PPM_MIN: i32 = -500_000;
const PPM_MAX: i32 = 1_000_000;

/// What is done to a node's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockFault {
    /// The wall clock is set forward or back, at once; monotonic clocks do not notice.
    Step {
        /// By how many nanoseconds.
        wall_ns: i64,
    },
    /// The oscillator runs fast or slow: every clock does, and every timer.
    Drift {
        /// By how many millionths; held to -500,000 (half as fast) to 1,000,000 (twice as fast).
        ppm: i32,
    },
    /// The kernel slews the clock, as `adjtime(3)` does: all but `CLOCK_MONOTONIC_RAW` and the
    /// time-stamp counter run fast or slow until the wall clock has moved.
    Slew {
        /// By how many nanoseconds in all.
        wall_ns: i64,
        /// At how many millionths; held to 1 to 500,000. Linux slews at 500.
        ppm: u32,
    },
}

impl World {
    /// Does something to the clocks of a node. They are read through std and tokio alike, and
    /// timers of the node's tasks follow its monotonic clock. The ledger counts the reads that saw
    /// a difference as `clock-reads-skewed` (in steps, and exactly once the fault is over) and the
    /// timers that were moved as `timers-shifted`.
    pub fn skew_clock(&self, fault: FaultId, node: NodeId, what: ClockFault) {
        let now = self.now().as_nanos();
        let (course, ahead, counter) = match what {
            ClockFault::Step { wall_ns } => (Course::Done, Ahead::wall(wall_ns), "clock-steps"),
            ClockFault::Drift { ppm } => {
                let ppm = ppm.clamp(PPM_MIN, PPM_MAX);
                (Course::Drift(ppm), Ahead::default(), "clock-drifts")
            }
            ClockFault::Slew { wall_ns, ppm } => {
                let ppm = i64::from(ppm.clamp(1, 500_000));
                let takes =
                    i128::from(wall_ns).unsigned_abs() * 1_000_000 / ppm.unsigned_abs() as u128;
                let takes = u64::try_from(takes).unwrap_or(u64::MAX);
                let ppm = (ppm * wall_ns.signum()) as i32;
                let course = Course::Slew(ppm, now.saturating_add(takes));
                (course, Ahead::default(), "clock-slews")
            }
        };
        let effect = Effect::new(fault, course, ahead);
        self.change_clock(node, |clock| clock.begin(now, effect));
        let say = || format!("{} {}", self.node(node).name, words(what));
        self.ledger().inject(fault, counter, 1, say);
    }

    /// Ends what a fault does to clocks, on every node. Wall clocks are stepped to where they
    /// would be without it, as a time daemon does; monotonic clocks keep what they have gained or
    /// lost, and go on at their old pace. False: it did nothing that was not over.
    pub fn end_clock_fault(&self, fault: FaultId) -> bool {
        let now = self.now().as_nanos();
        let mut ended = false;
        for node in self.clocks.changed() {
            self.report_clock_effects(node, fault);
            self.change_clock(node, |clock| ended |= clock.end(now, fault));
        }
        ended
    }

    /// Changes a node's clocks now; its timers follow.
    pub(super) fn change_clock(&self, node: NodeId, change: impl FnOnce(&mut NodeClock)) {
        let now = self.now().as_nanos();
        let Some((before, after)) = self.clocks.change(node, now, change) else {
            return;
        };
        let moved = self.retime(node, |at| after.virtual_at(before.monotonic(at)).max(now));
        self.clocks.count_timers(self, node, moved);
        if let Some(at) = after.slews_until() {
            self.arm_clock(at, node);
        }
    }

    /// A timer that [`World::change_clock`] armed is due.
    pub(crate) fn slewing_is_done(&self, node: NodeId) {
        let now = self.now().as_nanos();
        self.change_clock(node, |clock| clock.settle(now));
    }

    /// What the running node's monotonic clock shows, counted from the start of the simulation:
    /// virtual time, unless its clock is skewed. Reading it this way costs no time, and is not
    /// evidence that the guest looked.
    #[inline]
    #[must_use]
    pub fn clock(&self) -> SimInstant {
        match self.clocks.are_right() {
            true => self.now(),
            false => self.clock_of(self.current_node()),
        }
    }

    /// [`World::clock`], of any node.
    #[must_use]
    pub fn clock_of(&self, node: NodeId) -> SimInstant {
        let now = self.now().as_nanos();
        let ahead = self.clocks.ahead(node, GuestClock::Monotonic, now);
        SimInstant(now.saturating_add_signed(ahead))
    }

    /// [`World::wall_clock_of`] the running node.
    #[must_use]
    pub fn wall_clock(&self) -> u64 {
        self.wall_clock_of(self.current_node())
    }

    /// What a node's wall clock shows, in nanoseconds since 1970. As [`World::clock`], no read.
    #[must_use]
    pub fn wall_clock_of(&self, node: NodeId) -> u64 {
        let now = self.now().as_nanos();
        let ahead = self.clocks.ahead(node, GuestClock::Realtime, now);
        let right = self.guest.epoch_ns().saturating_add(now);
        right.saturating_add_signed(ahead)
    }

    /// When, in virtual time, the running node's monotonic clock will show `at`.
    #[cold]
    pub(crate) fn virtual_instant(&self, at: SimInstant) -> SimInstant {
        let now = self.now().as_nanos();
        let node = self.current_node();
        let due = self.clocks.virtual_at(node, at.as_nanos()).max(now);
        let left = at.since(self.clock());
        if due - now != left.as_nanos() as u64 {
            self.clocks.count_timers(self, node, 1);
        }
        SimInstant(due)
    }

    /// Tells the ledger what it does not know yet of a fault's effects on a node's clocks.
    fn report_clock_effects(&self, node: NodeId, fault: FaultId) {
        for (counter, n) in self.clocks.unreported(node, fault) {
            self.ledger()
                .inject(fault, counter, n, || self.at_node(node));
        }
    }

    pub(super) fn at_node(&self, node: NodeId) -> String {
        format!("at {}", self.node(node).name)
    }
}

fn words(what: ClockFault) -> String {
    let way = |is_ahead| if is_ahead { "forward" } else { "back" };
    let ms = |ns: i64| {
        format!(
            "{}.{:03} ms",
            ns.unsigned_abs() / 1_000_000,
            ns.unsigned_abs() / 1_000 % 1_000
        )
    };
    match what {
        ClockFault::Step { wall_ns } => {
            format!(
                "steps its wall clock {} by {}",
                way(wall_ns > 0),
                ms(wall_ns)
            )
        }
        ClockFault::Drift { ppm } => format!("drifts by {ppm} ppm"),
        ClockFault::Slew { wall_ns, ppm } => {
            format!("slews {} by {} at {ppm} ppm", way(wall_ns > 0), ms(wall_ns))
        }
    }
}
