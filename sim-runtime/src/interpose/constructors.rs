//! What constructors see in a worker: code that runs before `main`, in the process that every seed
//! is forked from, and may calibrate a clock or draw entropy there (`minstant` does).
//!
//! There is no world yet, and no seed: clocks start a second before a simulation's and creep, and
//! entropy is the same in every worker.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::clock::GuestClock;
use crate::ids::Seed;
use crate::stream::Stream;

/// Whether constructors of a worker are running. One thread then, and so it stays.
static RUNNING: AtomicBool = AtomicBool::new(false);
/// Nanoseconds since they began.
static NOW_NS: AtomicU64 = AtomicU64::new(0);
/// How often entropy was drawn.
static DRAWN: AtomicU64 = AtomicU64::new(0);

/// A second before simulations start.
const START_NS: u64 = 999_999 * 1_000_000_000;
/// Another clock's distance from the monotonic one: 2026-01-01.
const EPOCH_NS: u64 = 1_767_225_600 * 1_000_000_000 - START_NS - 1_000_000_000;
/// What reading a clock takes.
const READ_NS: u64 = 50;

/// Answers for the simulation from here on, unless the counter would be a true one: who measures
/// it against a clock that is not would never end.
pub(crate) fn begin() {
    super::enter_thread();
    match super::dispatch::tsc_state() {
        Ok(()) => RUNNING.store(true, Ordering::Relaxed),
        Err(_) => super::leave_thread(),
    }
}

/// Ends what [`begin`] began, if it did.
pub(crate) fn end() {
    if RUNNING.swap(false, Ordering::Relaxed) {
        super::leave_thread();
    }
}

#[inline]
pub(crate) fn are_running() -> bool {
    RUNNING.load(Ordering::Relaxed)
}

/// Moves their clock on; false when none are running.
pub(crate) fn sleep(nanos: u64) -> bool {
    let running = are_running();
    if running {
        NOW_NS.fetch_add(nanos, Ordering::Relaxed);
    }
    running
}

pub(crate) fn clock_read(clock: GuestClock) -> Option<u64> {
    if !sleep(READ_NS) {
        return None;
    }
    let now = START_NS + NOW_NS.load(Ordering::Relaxed);
    Some(match clock {
        GuestClock::Monotonic | GuestClock::Raw | GuestClock::Boot => now,
        GuestClock::Realtime => now + EPOCH_NS,
    })
}

pub(crate) fn fill(out: &mut [u8]) -> bool {
    if !are_running() {
        return false;
    }
    let draw = DRAWN.fetch_add(1, Ordering::Relaxed);
    Stream::of(Seed(0), "constructors", draw).fill(out);
    true
}
