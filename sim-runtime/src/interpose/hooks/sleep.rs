//! Blocking sleep: `nanosleep`, `clock_nanosleep`, `usleep`, `sleep`.
//!
//! A fiber sleeps as a task does. A task that blocks its thread keeps its node busy: virtual time
//! moves on by the length of the sleep, and nothing else runs meanwhile.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{c_int, c_uint};

use libc::{clockid_t, timespec};

use super::{clock, real};
use crate::interpose::hatch;
use crate::{fiber, guest};

const NS_PER_S: u64 = 1_000_000_000;

/// Sleeps `ns` virtual nanoseconds; false where the kernel must.
pub(super) fn sleep_ns(ns: u64) -> bool {
    !hatch::is_suspended() && (fiber::sleep(ns) || guest::sleep(ns))
}

/// The nanoseconds of a request, `None` if the kernel would refuse it. Saturates after 584 years.
pub(super) fn nanoseconds(request: timespec) -> Option<u64> {
    let seconds = u64::try_from(request.tv_sec).ok()?;
    let rest = u64::try_from(request.tv_nsec)
        .ok()
        .filter(|rest| *rest < NS_PER_S)?;
    Some(seconds.saturating_mul(NS_PER_S).saturating_add(rest))
}

/// Serves `clock_nanosleep`: true if it slept. A request that the kernel would refuse, and clocks
/// that the simulation has none for, are the kernel's.
///
/// # Safety
///
/// `request` is null or valid for a read.
pub(super) unsafe fn serve(clock: clockid_t, flags: c_int, request: *const timespec) -> bool {
    if request.is_null() || flags & !libc::TIMER_ABSTIME != 0 {
        return false;
    }
    // SAFETY: not null, and so valid by the contract.
    let request = unsafe { request.read() };
    let (Some(clock), Some(ns)) = (clock::guest_clock(clock), nanoseconds(request)) else {
        return false;
    };
    if flags & libc::TIMER_ABSTIME == 0 {
        return sleep_ns(ns);
    }
    clock::read(clock).is_some_and(|now| now >= ns || sleep_ns(ns - now))
}

/// `nanosleep(2)`. A simulated sleep is never interrupted, so `rest` stays as it is.
///
/// # Safety
///
/// As for the C function: `request` is valid for a read and `rest` for a write, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn nanosleep(request: *const timespec, rest: *mut timespec) -> c_int {
    // SAFETY: the caller's promise.
    if unsafe { serve(libc::CLOCK_MONOTONIC, 0, request) } {
        return 0;
    }
    match real::NANOSLEEP.get() {
        // SAFETY: the caller's promise, passed on.
        Some(nanosleep) => unsafe { nanosleep(request, rest) },
        None => super::unavailable(),
    }
}

/// `clock_nanosleep(2)`, which returns its error instead of setting errno.
///
/// # Safety
///
/// As for the C function: `request` is valid for a read and `rest` for a write, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    request: *const timespec,
    rest: *mut timespec,
) -> c_int {
    // SAFETY: the caller's promise.
    if unsafe { serve(clock, flags, request) } {
        return 0;
    }
    match real::CLOCK_NANOSLEEP.get() {
        // SAFETY: the caller's promise, passed on.
        Some(clock_nanosleep) => unsafe { clock_nanosleep(clock, flags, request, rest) },
        None => libc::ENOSYS,
    }
}

/// `usleep(3)`.
///
/// # Safety
///
/// None is needed; the C function has none to ask for either.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn usleep(us: c_uint) -> c_int {
    if sleep_ns(u64::from(us) * 1_000) {
        return 0;
    }
    match real::USLEEP.get() {
        // SAFETY: takes any number.
        Some(usleep) => unsafe { usleep(us) },
        None => super::unavailable(),
    }
}

/// `sleep(3)`: the seconds not slept, which is none in a simulation.
///
/// # Safety
///
/// None is needed; the C function has none to ask for either.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sleep(s: c_uint) -> c_uint {
    if sleep_ns(u64::from(s) * NS_PER_S) {
        return 0;
    }
    match real::SLEEP.get() {
        // SAFETY: takes any number.
        Some(sleep) => unsafe { sleep(s) },
        None => s,
    }
}

#[cfg(test)]
mod tests {
    use super::{nanoseconds, timespec};

    #[test]
    fn a_request_is_refused_as_the_kernel_refuses_it() {
        let of = |tv_sec, tv_nsec| nanoseconds(timespec { tv_sec, tv_nsec });
        assert_eq!(of(1, 5), Some(1_000_000_005));
        assert_eq!(of(0, 999_999_999), Some(999_999_999));
        assert_eq!(of(0, 1_000_000_000), None);
        assert_eq!(of(-1, 0), None);
        assert_eq!(of(0, -1), None);
        assert_eq!(of(i64::MAX, 0), Some(u64::MAX));
    }
}
