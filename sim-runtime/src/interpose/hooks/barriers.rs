//! `pthread_barrier_*` between fibers.
//!
//! The C library waits within itself, so inside a simulation the whole barrier is kept here, in the
//! memory that the caller gives for it. One that was made outside is none of the simulation's.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{c_int, c_uint, c_void};

use libc::{pthread_barrier_t, pthread_barrierattr_t};

use super::locks::{is_here, wake};
use super::real::Real;
use crate::fiber::futex;

type Init =
    unsafe extern "C" fn(*mut pthread_barrier_t, *const pthread_barrierattr_t, c_uint) -> c_int;
type Other = unsafe extern "C" fn(*mut pthread_barrier_t) -> c_int;

// SAFETY: the type is that of the function's manual page.
static BARRIER_INIT: Real<Init> = unsafe { Real::new(c"pthread_barrier_init") };
// SAFETY: as above.
static BARRIER_WAIT: Real<Other> = unsafe { Real::new(c"pthread_barrier_wait") };
// SAFETY: as above.
static BARRIER_DESTROY: Real<Other> = unsafe { Real::new(c"pthread_barrier_destroy") };

/// Tells a barrier of ours: the C library's first word counts threads, and never comes so far.
const OURS: u32 = 0xb0a7_1e55;

/// What a barrier of a simulation is; smaller than the C library's.
#[repr(C)]
struct Barrier {
    mark: u32,
    count: u32,
    arrived: u32,
    /// Waited for; goes up when all have come.
    round: u32,
}

/// The barrier, when it is one of ours.
///
/// # Safety
///
/// `barrier` is initialised, and the pointer that comes back used by one fiber at a time.
unsafe fn ours(barrier: *mut pthread_barrier_t) -> Option<*mut Barrier> {
    let barrier = barrier.cast::<Barrier>();
    // SAFETY: as large and as aligned at least, and initialised by the contract.
    let mark = unsafe { (&raw const (*barrier).mark).read() };
    (is_here() && mark == OURS).then_some(barrier)
}

/// `pthread_barrier_init(3)`.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_barrier_init(
    barrier: *mut pthread_barrier_t,
    attributes: *const pthread_barrierattr_t,
    count: c_uint,
) -> c_int {
    if !is_here() {
        return match BARRIER_INIT.get() {
            // SAFETY: the caller's promise, passed on.
            Some(init) => unsafe { init(barrier, attributes, count) },
            None => libc::ENOSYS,
        };
    }
    if count == 0 || i32::try_from(count).is_err() {
        return libc::EINVAL;
    }
    let made = Barrier {
        mark: OURS,
        count,
        arrived: 0,
        round: 0,
    };
    // SAFETY: as large and as aligned at least, by the caller's promise.
    unsafe { barrier.cast::<Barrier>().write(made) };
    0
}

/// `pthread_barrier_wait(3)`.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_barrier_wait(barrier: *mut pthread_barrier_t) -> c_int {
    // SAFETY: the caller's promise.
    let Some(ours) = (unsafe { ours(barrier) }) else {
        return match BARRIER_WAIT.get() {
            // SAFETY: the caller's promise, passed on.
            Some(wait) => unsafe { wait(barrier) },
            None => libc::ENOSYS,
        };
    };
    // SAFETY: fibers take turns, and none of them gives this one up below.
    let state = unsafe { &mut *ours };
    state.arrived += 1;
    // SAFETY: a place in what `ours` points to.
    let word = unsafe { (&raw mut (*ours).round) as usize };
    if state.arrived == state.count {
        state.arrived = 0;
        state.round = state.round.wrapping_add(1);
        wake(word, usize::MAX);
        return libc::PTHREAD_BARRIER_SERIAL_THREAD;
    }
    let round = state.round;
    // SAFETY: as above; read afresh after others have run.
    while unsafe { (&raw const (*ours).round).read() } == round {
        if futex::wait((word, round), u32::MAX, None) == futex::Waited::NotHere {
            return libc::EINVAL;
        }
    }
    0
}

/// `pthread_barrier_destroy(3)`.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_barrier_destroy(barrier: *mut pthread_barrier_t) -> c_int {
    // SAFETY: the caller's promise.
    let Some(ours) = (unsafe { ours(barrier) }) else {
        return match BARRIER_DESTROY.get() {
            // SAFETY: the caller's promise, passed on.
            Some(destroy) => unsafe { destroy(barrier) },
            None => libc::ENOSYS,
        };
    };
    // SAFETY: as large and as aligned at least, by the caller's promise.
    unsafe { ours.cast::<c_void>().write_bytes(0, size_of::<Barrier>()) };
    0
}
