//! Clocks: `clock_gettime`, `gettimeofday`, `time`.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{c_int, c_void};

use libc::{clockid_t, time_t, timespec, timeval};

use super::real;
use crate::clock::GuestClock;
use crate::guest;
use crate::interpose::hatch;

const NS_PER_S: u64 = 1_000_000_000;

/// Which of the guest's clocks answers for a clock id of the kernel, if one does.
///
/// Coarse and alarm variants show what the plain clocks do. CPU clocks and dynamic clocks (negative
/// ids) are the kernel's.
pub(super) fn guest_clock(clock: clockid_t) -> Option<GuestClock> {
    match clock {
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_COARSE => Some(GuestClock::Monotonic),
        libc::CLOCK_MONOTONIC_RAW => Some(GuestClock::Raw),
        libc::CLOCK_BOOTTIME | libc::CLOCK_BOOTTIME_ALARM => Some(GuestClock::Boot),
        libc::CLOCK_REALTIME
        | libc::CLOCK_REALTIME_COARSE
        | libc::CLOCK_REALTIME_ALARM
        | libc::CLOCK_TAI => Some(GuestClock::Realtime),
        _ => None,
    }
}

/// Reads a guest clock in nanoseconds; `None` where the real one must answer.
#[inline]
pub(super) fn read(clock: GuestClock) -> Option<u64> {
    if hatch::is_suspended() {
        None
    } else {
        guest::clock_read(clock)
    }
}

fn seconds(ns: u64) -> time_t {
    // 2^64 ns are 1.8e10 s, which fit.
    (ns / NS_PER_S).cast_signed()
}

/// Serves `clock_gettime`: true if `out` was written.
///
/// # Safety
///
/// `out` is null or valid for a write.
pub(super) unsafe fn serve_gettime(clock: clockid_t, out: *mut timespec) -> bool {
    if out.is_null() {
        return false;
    }
    let Some(ns) = guest_clock(clock).and_then(read) else {
        return false;
    };
    let now = timespec {
        tv_sec: seconds(ns),
        tv_nsec: (ns % NS_PER_S).cast_signed(),
    };
    // SAFETY: not null, and so valid by the contract.
    unsafe { out.write(now) };
    true
}

/// Serves `gettimeofday`: true if `out` was written (and `zone` zeroed, as glibc does).
///
/// # Safety
///
/// `out` is null or valid for a write; `zone` is null or valid for a `struct timezone`.
pub(super) unsafe fn serve_timeofday(out: *mut timeval, zone: *mut c_void) -> bool {
    if out.is_null() {
        return false;
    }
    let Some(ns) = read(GuestClock::Realtime) else {
        return false;
    };
    let now = timeval {
        tv_sec: seconds(ns),
        tv_usec: (ns % NS_PER_S / 1_000).cast_signed(),
    };
    // SAFETY: not null, and so valid by the contract.
    unsafe { out.write(now) };
    if !zone.is_null() {
        // SAFETY: not null, and so valid for a `struct timezone`, which is two ints.
        unsafe { zone.cast::<[c_int; 2]>().write([0, 0]) };
    }
    true
}

/// Serves `time`: the seconds, also written to `out` unless that is null.
///
/// # Safety
///
/// `out` is null or valid for a write.
pub(super) unsafe fn serve_time(out: *mut time_t) -> Option<time_t> {
    let now = seconds(read(GuestClock::Realtime)?);
    if !out.is_null() {
        // SAFETY: not null, and so valid by the contract.
        unsafe { out.write(now) };
    }
    Some(now)
}

/// `clock_gettime(2)`.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_gettime(clock: clockid_t, out: *mut timespec) -> c_int {
    // SAFETY: the caller's promise.
    if unsafe { serve_gettime(clock, out) } {
        return 0;
    }
    match real::CLOCK_GETTIME.get() {
        // SAFETY: the caller's promise, passed on.
        Some(clock_gettime) => unsafe { clock_gettime(clock, out) },
        None => super::unavailable(),
    }
}

/// `gettimeofday(2)`.
///
/// # Safety
///
/// As for the C function: both pointers are valid for a write, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn gettimeofday(out: *mut timeval, zone: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    if unsafe { serve_timeofday(out, zone) } {
        return 0;
    }
    match real::GETTIMEOFDAY.get() {
        // SAFETY: the caller's promise, passed on.
        Some(gettimeofday) => unsafe { gettimeofday(out, zone) },
        None => super::unavailable(),
    }
}

/// `time(2)`.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn time(out: *mut time_t) -> time_t {
    // SAFETY: the caller's promise.
    if let Some(now) = unsafe { serve_time(out) } {
        return now;
    }
    match real::TIME.get() {
        // SAFETY: the caller's promise, passed on.
        Some(time) => unsafe { time(out) },
        None => super::unavailable().into(),
    }
}
