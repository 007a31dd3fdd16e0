//! Locks for reading and writing of C code.
//!
//! As `locks` serves mutexes. Such a lock names its writer and counts its readers, so who took it
//! is noted aside, and what a killed process held is let go for it when somebody wants the lock.
//!
//! # What is not served
//! - A lock that its owner takes again is a deadlock, not `EDEADLK`.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::c_int;

use libc::{clockid_t, pthread_rwlock_t, pthread_rwlockattr_t};

use super::locks::{Time, crossed, hooks, is_here, owner_here, release, timed, wait_for};
use super::real::Real;
use crate::fiber;
use crate::ids::SimInstant;
use crate::world;

type ReadWrite = *mut pthread_rwlock_t;
type Attributes = *const pthread_rwlockattr_t;

/// What a lock is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    Write,
}

/// Tries to take a lock; `EBUSY` if another has it, who lives.
///
/// # Safety
///
/// `rwlock` is initialised.
unsafe fn attempt(rwlock: ReadWrite, mode: Mode) -> c_int {
    let function = match mode {
        Mode::Read => PTHREAD_RWLOCK_TRYRDLOCK.get(),
        Mode::Write => PTHREAD_RWLOCK_TRYWRLOCK.get(),
    };
    let Some(function) = function else {
        return libc::ENOSYS;
    };
    // SAFETY: the caller's promise.
    let mut answer = unsafe { function(rwlock) };
    // SAFETY: the caller's promise.
    if answer == libc::EBUSY && unsafe { inherit(rwlock) } {
        // SAFETY: the caller's promise.
        answer = unsafe { function(rwlock) };
    }
    if answer == 0 && fiber::is_here() {
        let owner = owner_here();
        let is_writing = mode == Mode::Write;
        world::with(|world| world.fibers.holds.take(rwlock as usize, owner, is_writing));
    }
    answer
}

/// Lets go what killed processes held of a lock; false if that is nothing.
///
/// # Safety
///
/// `rwlock` is initialised.
unsafe fn inherit(rwlock: ReadWrite) -> bool {
    /// Where the readers and writers, what they wait for, and the writer are on this platform:
    /// initialisers are compiled into programs.
    const HELD: [usize; 5] = [0, 1, 2, 3, 6];
    let estate = world::with(|world| {
        let fibers = &world.fibers;
        let is_dead = |owner| fibers.is_dead(owner);
        fibers.holds.inherit(rwlock as usize, is_dead)
    });
    if estate.is_written {
        for field in HELD {
            // SAFETY: within the structure; its writer, who alone would write there, is no more.
            unsafe { rwlock.cast::<c_int>().add(field).write_volatile(0) };
        }
        return true;
    }
    for _ in 0..estate.reads {
        if let Some(unlock) = PTHREAD_RWLOCK_UNLOCK.get() {
            // SAFETY: it is taken for reading, once more than by those who live.
            unsafe { unlock(rwlock) };
        }
    }
    estate.reads > 0
}

/// Takes a lock for reading or for writing.
///
/// # Safety
///
/// `rwlock` is initialised.
unsafe fn take(rwlock: ReadWrite, mode: Mode, deadline: Option<SimInstant>) -> Option<c_int> {
    // SAFETY: the caller's promise.
    wait_for(rwlock as usize, deadline, || unsafe {
        attempt(rwlock, mode)
    })
}

/// Lets a lock go, and wakes all who wait.
///
/// # Safety
///
/// `rwlock` is initialised.
unsafe fn let_go(rwlock: ReadWrite) -> Option<c_int> {
    if fiber::is_here() {
        let owner = owner_here();
        world::with(|world| world.fibers.holds.release(rwlock as usize, owner));
    }
    // SAFETY: the caller's promise.
    crossed(unsafe { release(PTHREAD_RWLOCK_UNLOCK.get(), rwlock, usize::MAX) })
}

/// A lock is made or destroyed, which the C library does.
///
/// # Safety
///
/// None is asked for: the address is looked up. All that hooks serve is unsafe.
unsafe fn forget(rwlock: ReadWrite) -> Option<c_int> {
    world::with(|world| world.fibers.holds.forget(rwlock as usize));
    None
}

hooks! {
    /// `pthread_rwlock_rdlock(3)`.
    pthread_rwlock_rdlock = PTHREAD_RWLOCK_RDLOCK(
        Real::new(c"pthread_rwlock_rdlock")
    ): (rwlock: ReadWrite) {
        take(rwlock, Mode::Read, None)
    }
    /// `pthread_rwlock_timedrdlock(3)`.
    pthread_rwlock_timedrdlock = PTHREAD_RWLOCK_TIMEDRDLOCK(
        Real::new(c"pthread_rwlock_timedrdlock")
    ): (rwlock: ReadWrite, time: Time) {
        timed(libc::CLOCK_REALTIME, time, |end| {
            take(rwlock, Mode::Read, end)
        })
    }
    /// `pthread_rwlock_clockrdlock(3)`.
    pthread_rwlock_clockrdlock = PTHREAD_RWLOCK_CLOCKRDLOCK(
        Real::new(c"pthread_rwlock_clockrdlock")
    ): (rwlock: ReadWrite, clock: clockid_t, time: Time) {
        timed(clock, time, |end| take(rwlock, Mode::Read, end))
    }
    /// `pthread_rwlock_wrlock(3)`.
    pthread_rwlock_wrlock = PTHREAD_RWLOCK_WRLOCK(
        Real::new(c"pthread_rwlock_wrlock")
    ): (rwlock: ReadWrite) {
        take(rwlock, Mode::Write, None)
    }
    /// `pthread_rwlock_timedwrlock(3)`.
    pthread_rwlock_timedwrlock = PTHREAD_RWLOCK_TIMEDWRLOCK(
        Real::new(c"pthread_rwlock_timedwrlock")
    ): (rwlock: ReadWrite, time: Time) {
        timed(libc::CLOCK_REALTIME, time, |end| {
            take(rwlock, Mode::Write, end)
        })
    }
    /// `pthread_rwlock_clockwrlock(3)`.
    pthread_rwlock_clockwrlock = PTHREAD_RWLOCK_CLOCKWRLOCK(
        Real::new(c"pthread_rwlock_clockwrlock")
    ): (rwlock: ReadWrite, clock: clockid_t, time: Time) {
        timed(clock, time, |end| take(rwlock, Mode::Write, end))
    }
    /// `pthread_rwlock_unlock(3)`: wakes all who wait.
    pthread_rwlock_unlock = PTHREAD_RWLOCK_UNLOCK(
        Real::new(c"pthread_rwlock_unlock")
    ): (rwlock: ReadWrite) {
        let_go(rwlock)
    }
    /// `pthread_rwlock_tryrdlock(3)`.
    pthread_rwlock_tryrdlock = PTHREAD_RWLOCK_TRYRDLOCK(
        Real::new(c"pthread_rwlock_tryrdlock")
    ): (rwlock: ReadWrite) {
        Some(attempt(rwlock, Mode::Read))
    }
    /// `pthread_rwlock_trywrlock(3)`.
    pthread_rwlock_trywrlock = PTHREAD_RWLOCK_TRYWRLOCK(
        Real::new(c"pthread_rwlock_trywrlock")
    ): (rwlock: ReadWrite) {
        Some(attempt(rwlock, Mode::Write))
    }
    /// `pthread_rwlock_init(3)`.
    pthread_rwlock_init = PTHREAD_RWLOCK_INIT(
        Real::new(c"pthread_rwlock_init")
    ): (rwlock: ReadWrite, attributes: Attributes) {
        forget(rwlock)
    }
    /// `pthread_rwlock_destroy(3)`.
    pthread_rwlock_destroy = PTHREAD_RWLOCK_DESTROY(
        Real::new(c"pthread_rwlock_destroy")
    ): (rwlock: ReadWrite) {
        forget(rwlock)
    }
}
