//! What one fault does to a node's clocks.

use crate::ids::FaultId;

/// The clocks that are simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestClock {
    /// Since a boot long ago; slewed, never stepped.
    Monotonic,
    /// As the last, without slewing: the hardware's own.
    Raw,
    /// As monotonic, and goes on while the machine is suspended.
    Boot,
    /// Since 1970.
    Realtime,
}

/// A million parts.
pub(super) const WHOLE: i128 = 1_000_000;

/// How far each clock is ahead of virtual time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ahead {
    pub(super) monotonic: i64,
    pub(super) raw: i64,
    pub(super) boot: i64,
    pub(super) wall: i64,
}

impl Ahead {
    pub(super) const fn wall(wall: i64) -> Self {
        Self {
            monotonic: 0,
            raw: 0,
            boot: 0,
            wall,
        }
    }

    pub(super) const fn of(&self, clock: GuestClock) -> i64 {
        match clock {
            GuestClock::Monotonic => self.monotonic,
            GuestClock::Raw => self.raw,
            GuestClock::Boot => self.boot,
            GuestClock::Realtime => self.wall,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.monotonic = self.monotonic.saturating_add(other.monotonic);
        self.raw = self.raw.saturating_add(other.raw);
        self.boot = self.boot.saturating_add(other.boot);
        self.wall = self.wall.saturating_add(other.wall);
    }

    pub(super) const fn is_zero(&self) -> bool {
        self.monotonic == 0 && self.raw == 0 && self.boot == 0 && self.wall == 0
    }
}

/// What goes on while an effect lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// Nothing: it has done what it does.
    Done,
    /// The oscillator runs fast or slow, by millionths.
    Drift(i32),
    /// The kernel slews the clocks, by millionths, until this virtual nanosecond.
    Slew(i32, u64),
    /// The machine sleeps: what counts its own ticks stands still.
    Suspended,
    /// The machine does not exist meanwhile.
    Frozen,
}

impl Course {
    /// How far the clocks move ahead of virtual time in `elapsed` nanoseconds of it, when this is
    /// all there is.
    pub(super) fn gains(self, elapsed: u64) -> Ahead {
        let lost = -signed(elapsed);
        match self {
            Self::Done => Ahead::default(),
            Self::Drift(ppm) => {
                let gain = share(elapsed, i128::from(ppm));
                Ahead {
                    monotonic: gain,
                    raw: gain,
                    boot: gain,
                    wall: gain,
                }
            }
            Self::Slew(ppm, _) => {
                let gain = share(elapsed, i128::from(ppm));
                Ahead {
                    monotonic: gain,
                    raw: 0,
                    boot: gain,
                    wall: gain,
                }
            }
            Self::Suspended => Ahead {
                monotonic: lost,
                raw: lost,
                boot: 0,
                wall: 0,
            },
            Self::Frozen => Ahead {
                monotonic: lost,
                raw: lost,
                boot: lost,
                wall: lost,
            },
        }
    }

    pub(super) const fn is_stop(self) -> bool {
        matches!(self, Self::Suspended | Self::Frozen)
    }
}

/// What one fault does, or has done, to a node's clocks.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    pub(super) fault: FaultId,
    pub(super) course: Course,
    /// Its share of the node's difference, at the node's anchor.
    pub(super) share: Ahead,
    /// Its fault is over: it stays until one read has seen what it left.
    pub(super) is_over: bool,
    /// Reads that saw it, and timers that it moved, that the ledger does not know of.
    pub(super) reads: u64,
    pub(super) timers: u64,
    /// Whether the ledger knows of the first read, and of the first timer.
    pub(super) is_read: bool,
    pub(super) is_timed: bool,
}

impl Effect {
    pub(super) fn new(fault: FaultId, course: Course, share: Ahead) -> Self {
        Self {
            fault,
            course,
            share,
            is_over: false,
            reads: 0,
            timers: 0,
            is_read: false,
            is_timed: false,
        }
    }
}

/// `ppm` millionths of `elapsed`, rounded down.
pub(super) fn share(elapsed: u64, ppm: i128) -> i64 {
    // Division of 128 bits is a call, and takes as long as all the rest of a read.
    if let (Ok(elapsed), Ok(ppm)) = (i64::try_from(elapsed), i64::try_from(ppm))
        && let Some(product) = elapsed.checked_mul(ppm)
    {
        return product.div_euclid(1_000_000);
    }
    let share = (i128::from(elapsed) * ppm).div_euclid(WHOLE);
    i64::try_from(share).unwrap_or(i64::MAX)
}

fn signed(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}
