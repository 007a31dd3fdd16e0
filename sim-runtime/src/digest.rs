//! The event digest: a 128-bit rolling hash over everything that happens.
//!
//! Two runs of one seed are the same run exactly when their digests agree. Every
//! [`CHECKPOINT_EVENTS`] events, or a power of two times as many in a long run, the state is kept,
//! so that a difference can be narrowed down to a window, and the window run again with its events
//! written out.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::process::{BlackBox, black_box};

/// How many events lie between two checkpoints of a run that is not long.
pub(crate) const CHECKPOINT_EVENTS: u64 = 1_024;

/// How many checkpoints are kept: at this many, every other one goes and the distance doubles.
/// Even, so that those that stay are those of the doubled distance.
const CHECKPOINTS_MAX: usize = 4_096;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it")]
pub enum EventKind {
    Poll = 1,
    Spawn,
    Timer,
    Node,
    Net,
    Disk,
    Entropy,
    Clock,
    Fault,
    User,
    Arm,
}

impl EventKind {
    const ALL: [Self; 11] = [
        Self::Poll,
        Self::Spawn,
        Self::Timer,
        Self::Node,
        Self::Net,
        Self::Disk,
        Self::Entropy,
        Self::Clock,
        Self::Fault,
        Self::User,
        Self::Arm,
    ];

    /// The kind with this number.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u64 == number)
    }
}

/// The hash of a run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest(pub u64, pub u64);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

/// The digest after `events` events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How many events it covers.
    pub events: u64,
    /// Their hash.
    pub digest: Digest,
}

/// One event, written out for a reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// Its number in the run, from 1.
    pub number: u64,
    /// Virtual nanoseconds.
    pub at: u64,
    /// What happened.
    pub kind: EventKind,
    /// Node of the running task.
    pub node: u32,
    /// Name of the running task, with the place it was spawned at.
    pub task: String,
    /// The event's two arguments.
    pub arguments: (u64, u64),
}

/// Accumulates events; 10 to 15 instructions each.
pub(crate) struct Recorder {
    state: Cell<Digest>,
    /// The next event that asks for more than to be mixed in: a checkpoint or a traced one.
    watch: Cell<u64>,
    /// How many events come before that.
    left: Cell<u64>,
    next_checkpoint: Cell<u64>,
    /// How many events lie between two checkpoints by now.
    stride: Cell<u64>,
    checkpoints: RefCell<Vec<Checkpoint>>,
    traced: Range<u64>,
    trace: RefCell<Vec<TraceEvent>>,
    black_box: &'static BlackBox,
}

/// Mixes one event into the state: one multiplication, whose two halves are folded together. The
/// old second half comes in after it, so that no pair of arguments cancels the whole past.
#[inline]
const fn mix(Digest(first, second): Digest, kind: EventKind, a: u64, b: u64) -> Digest {
    let product = ((first ^ a) as u128) * (0x9e37_79b9_7f4a_7c15_u64 as u128);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves are folded together"
    )]
    let (low, high) = (product as u64, (product >> 64) as u64);
    let mixed = (low ^ high).wrapping_add(second);
    let beside = second ^ b ^ ((kind as u64) << 56);
    Digest(mixed, beside.rotate_left(29).wrapping_add(mixed))
}

impl Recorder {
    pub(crate) fn new(traced: Range<u64>) -> Self {
        Self {
            state: Cell::new(Digest(0x6c61_6e64_6661_6c6c, 0x243f_6a88_85a3_08d3)),
            watch: Cell::new(1),
            left: Cell::new(0),
            next_checkpoint: Cell::new(CHECKPOINT_EVENTS),
            stride: Cell::new(CHECKPOINT_EVENTS),
            checkpoints: RefCell::new(Vec::new()),
            traced,
            trace: RefCell::new(Vec::new()),
            black_box: black_box(),
        }
    }

    /// Mixes one event in. True: its number is in the traced window.
    #[inline(always)]
    pub(crate) fn record(&self, kind: EventKind, a: u64, b: u64) -> bool {
        self.state.set(mix(self.state.get(), kind, a, b));
        let left = self.left.get();
        self.left.set(left.wrapping_sub(1));
        self.black_box.event(self.watch.get() - left, kind, a, b);
        left == 0 && self.look_at(self.watch.get())
    }

    #[cold]
    #[inline(never)]
    fn look_at(&self, events: u64) -> bool {
        if events == self.next_checkpoint.get() {
            let digest = self.state.get();
            let mut checkpoints = self.checkpoints.borrow_mut();
            checkpoints.push(Checkpoint { events, digest });
            if checkpoints.len() == CHECKPOINTS_MAX {
                self.stride.set(2 * self.stride.get());
                checkpoints.retain(|kept| kept.events % self.stride.get() == 0);
            }
            self.next_checkpoint.set(events + self.stride.get());
        }
        let traced = if events + 1 >= self.traced.end {
            u64::MAX
        } else {
            self.traced.start.max(events + 1)
        };
        let watch = traced.min(self.next_checkpoint.get());
        self.watch.set(watch);
        self.left.set(watch - events - 1);
        self.traced.contains(&events)
    }

    pub(crate) fn push_trace(&self, event: TraceEvent) {
        self.trace.borrow_mut().push(event);
    }

    pub(crate) const fn black_box(&self) -> &'static BlackBox {
        self.black_box
    }

    #[inline]
    pub(crate) const fn events(&self) -> u64 {
        self.watch.get() - 1 - self.left.get()
    }

    pub(crate) const fn digest(&self) -> Digest {
        self.state.get()
    }

    pub(crate) fn take(&self) -> (Vec<Checkpoint>, Vec<TraceEvent>) {
        (self.checkpoints.take(), self.trace.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(events: &[(EventKind, u64, u64)]) -> Digest {
        let recorder = Recorder::new(0..0);
        for (kind, a, b) in events {
            recorder.record(*kind, *a, *b);
        }
        recorder.digest()
    }

    #[test]
    fn kind_order_and_arguments_all_count() {
        use EventKind::{Net, Poll};
        let base = digest(&[(Poll, 1, 2), (Net, 3, 4)]);
        assert_eq!(base, digest(&[(Poll, 1, 2), (Net, 3, 4)]));
        assert_ne!(base, digest(&[(Net, 3, 4), (Poll, 1, 2)]));
        assert_ne!(base, digest(&[(Poll, 1, 2), (Poll, 3, 4)]));
        assert_ne!(base, digest(&[(Poll, 2, 1), (Net, 3, 4)]));
        assert_ne!(base, digest(&[(Poll, 1, 2)]));
    }

    #[test]
    fn checkpoints_of_a_long_run_are_few_and_where_those_of_a_shorter_one_are() {
        let run = |events: u64| {
            let recorder = Recorder::new(0..0);
            for event in 0..events {
                recorder.record(EventKind::User, event, 0);
            }
            assert_eq!(recorder.events(), events);
            recorder.take().0
        };
        let most = CHECKPOINTS_MAX as u64 * CHECKPOINT_EVENTS;
        let (short, long) = (run(most - 1), run(most + 100_000));
        assert_eq!(short.len(), CHECKPOINTS_MAX - 1);
        assert!(long.len() <= CHECKPOINTS_MAX / 2 + 50, "{}", long.len());
        assert!(long.iter().all(|c| c.events % (2 * CHECKPOINT_EVENTS) == 0));
        let both = long.iter().filter(|c| c.events < most);
        assert!(both.clone().count() > 2_000);
        assert!(
            both.into_iter()
                .all(|checkpoint| short.contains(checkpoint))
        );
    }

    #[test]
    fn no_single_argument_erases_the_past() {
        // A multiplication by zero would; try the values that could cause one.
        let Digest(first, second) = digest(&[(EventKind::Poll, 5, 6)]);
        let other = digest(&[(EventKind::Poll, 5, 6), (EventKind::Poll, first, second)]);
        let Digest(a, b) = digest(&[(EventKind::Poll, 7, 6)]);
        assert_ne!(
            other,
            digest(&[(EventKind::Poll, 7, 6), (EventKind::Poll, a, b)])
        );
    }
}
