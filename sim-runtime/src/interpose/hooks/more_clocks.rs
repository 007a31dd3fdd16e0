//! What else tells the time: `clock_getres`, `timespec_get`, `times`, `sysinfo`.
//!
//! The CPU times of `times`, and those of `clock` and `getrusage`, which are not hooked, are the
//! real ones of the thread that runs the simulation.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{c_int, c_long};
use std::mem;

use libc::{clock_t, clockid_t, timespec, tms};

use super::clock;
use super::real::Real;
use crate::clock::GuestClock;

// SAFETY: the type is that of the function's manual page.
static CLOCK_GETRES: Real<unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int> =
    unsafe { Real::new(c"clock_getres") };
// SAFETY: as above.
static TIMESPEC_GET: Real<unsafe extern "C" fn(*mut timespec, c_int) -> c_int> =
    unsafe { Real::new(c"timespec_get") };
// SAFETY: as above.
static TIMES: Real<unsafe extern "C" fn(*mut tms) -> clock_t> = unsafe { Real::new(c"times") };
// SAFETY: as above.
static SYSINFO: Real<unsafe extern "C" fn(*mut libc::sysinfo) -> c_int> =
    unsafe { Real::new(c"sysinfo") };

/// The base of `timespec_get` that is the wall clock.
const TIME_UTC: c_int = 1;
/// A tick of `times`: `sysconf(_SC_CLK_TCK)` is 100 on every Linux.
const TICK_NS: u64 = 10_000_000;
const NS_PER_S: u64 = 1_000_000_000;

/// Serves `clock_getres`: true if it answered. A guest's clocks count nanoseconds, the coarse too.
///
/// # Safety
///
/// `out` is null or valid for a write.
pub(super) unsafe fn serve_resolution(clock: clockid_t, out: *mut timespec) -> bool {
    if clock::guest_clock(clock).is_none() || !super::identity::is_simulated() {
        return false;
    }
    let resolution = timespec {
        tv_sec: 0,
        tv_nsec: 1,
    };
    if !out.is_null() {
        // SAFETY: not null, and so valid by the contract.
        unsafe { out.write(resolution) };
    }
    true
}

/// The ticks since a node's boot, for `times`; `None` outside.
pub(super) fn ticks() -> Option<c_long> {
    let now = clock::read(GuestClock::Monotonic)?;
    c_long::try_from(now / TICK_NS).ok()
}

/// Puts what is simulated into what the kernel told of its load: the time since boot, and none of
/// what others use of the machine.
///
/// # Safety
///
/// `out` is null or valid, and filled in.
pub(super) unsafe fn amend_sysinfo(out: *mut libc::sysinfo) {
    let Some(now) = clock::read(GuestClock::Boot) else {
        return;
    };
    // SAFETY: by the contract.
    let Some(out) = (unsafe { out.as_mut() }) else {
        return;
    };
    // SAFETY: the structure is of numbers, which may all be zero.
    let empty: libc::sysinfo = unsafe { mem::zeroed() };
    *out = libc::sysinfo {
        uptime: (now / NS_PER_S).cast_signed(),
        totalram: out.totalram,
        freeram: out.totalram / 2,
        totalswap: out.totalswap,
        freeswap: out.totalswap,
        totalhigh: out.totalhigh,
        freehigh: out.totalhigh,
        mem_unit: out.mem_unit,
        procs: 1,
        ..empty
    };
}

/// `clock_getres(2)`.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_getres(clock: clockid_t, out: *mut timespec) -> c_int {
    // SAFETY: the caller's promise.
    if unsafe { serve_resolution(clock, out) } {
        return 0;
    }
    match CLOCK_GETRES.get() {
        // SAFETY: the caller's promise, passed on.
        Some(clock_getres) => unsafe { clock_getres(clock, out) },
        None => super::unavailable(),
    }
}

/// `timespec_get(3)`, which gives back its base.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn timespec_get(out: *mut timespec, base: c_int) -> c_int {
    // SAFETY: the caller's promise.
    if base == TIME_UTC && unsafe { clock::serve_gettime(libc::CLOCK_REALTIME, out) } {
        return base;
    }
    match TIMESPEC_GET.get() {
        // SAFETY: the caller's promise, passed on.
        Some(timespec_get) => unsafe { timespec_get(out, base) },
        None => 0,
    }
}

/// `times(2)`.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn times(out: *mut tms) -> clock_t {
    let Some(times) = TIMES.get() else {
        return super::unavailable().into();
    };
    // SAFETY: the caller's promise, passed on.
    let real = unsafe { times(out) };
    match real {
        -1 => real,
        real => ticks().unwrap_or(real),
    }
}

/// `sysinfo(2)`: the machine's memory, and the rest as if a node had it to itself.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sysinfo(out: *mut libc::sysinfo) -> c_int {
    let Some(sysinfo) = SYSINFO.get() else {
        return super::unavailable();
    };
    // SAFETY: the caller's promise, passed on.
    let answer = unsafe { sysinfo(out) };
    if answer == 0 {
        // SAFETY: the call succeeded, so `out` is valid and filled in.
        unsafe { amend_sysinfo(out) };
    }
    answer
}
