//! `syscall(2)`: the same services asked for by number.
#![expect(
    unsafe_code,
    reason = "defines a function of the C library that takes raw pointers"
)]

use std::ffi::{c_int, c_long, c_uint, c_void};

use libc::clockid_t;

#[cfg(floor_traps)]
use super::threads;
use super::{
    clock, entropy, file_numbers, identity, more_clocks, polls, real, sleep, socket_numbers,
    watches,
};
#[cfg(floor_traps)]
use crate::interpose::dispatch::{masks, signals};
use crate::interpose::hatch;

/// What the simulation answers to a call by number, if it does.
///
/// # Safety
///
/// The arguments are what the system call's manual page asks for.
pub(in crate::interpose) unsafe fn serve(number: c_long, arguments: [usize; 6]) -> Option<c_long> {
    let [a, b, c, ..] = arguments;
    // A register is as wide as a pointer; an int is its low half.
    let int = |register: usize| register as c_int;
    match number {
        libc::SYS_getrandom => {
            // SAFETY: the caller's promise.
            let given = unsafe { entropy::serve(a as *mut c_void, b, c as c_uint) };
            if given.is_none() {
                hatch::note_real_entropy();
            }
            given.map(|bytes| bytes as c_long)
        }
        libc::SYS_clock_gettime => {
            // SAFETY: the caller's promise.
            unsafe { clock::serve_gettime(int(a) as clockid_t, b as *mut _) }.then_some(0)
        }
        libc::SYS_gettimeofday => {
            // SAFETY: the caller's promise.
            unsafe { clock::serve_timeofday(a as *mut _, b as *mut c_void) }.then_some(0)
        }
        #[cfg(target_arch = "x86_64")]
        libc::SYS_time => {
            // SAFETY: the caller's promise.
            unsafe { clock::serve_time(a as *mut _) }
        }
        libc::SYS_clock_getres => {
            // SAFETY: the caller's promise.
            unsafe { more_clocks::serve_resolution(int(a) as clockid_t, b as *mut _) }.then_some(0)
        }
        libc::SYS_times if identity::is_simulated() => {
            // SAFETY: the caller's promise.
            Some(unsafe { more_clocks::times(a as *mut _) })
        }
        libc::SYS_sysinfo if identity::is_simulated() => {
            // SAFETY: the caller's promise.
            Some(unsafe { more_clocks::sysinfo(a as *mut _) }.into())
        }
        libc::SYS_nanosleep => {
            // SAFETY: the caller's promise.
            unsafe { sleep::serve(libc::CLOCK_MONOTONIC, 0, a as *const _) }.then_some(0)
        }
        libc::SYS_clock_nanosleep => {
            // SAFETY: the caller's promise.
            unsafe { sleep::serve(int(a) as clockid_t, int(b), c as *const _) }.then_some(0)
        }
        #[cfg(floor_traps)]
        libc::SYS_futex => {
            // SAFETY: the caller's promise.
            unsafe { threads::serve_futex(arguments) }
        }
        #[cfg(floor_traps)]
        libc::SYS_sched_yield if !hatch::is_suspended() && crate::fiber::yield_now() => Some(0),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => {
            let limit = u64::try_from(int(c)).ok().map(|ms| ms * 1_000_000);
            // SAFETY: the caller's promise.
            unsafe { polls::serve(a as *mut _, b as libc::nfds_t, limit) }
        }
        #[cfg(target_arch = "x86_64")]
        libc::SYS_inotify_init => watches::serve("inotify_init"),
        libc::SYS_inotify_init1 => watches::serve("inotify_init1"),
        libc::SYS_fanotify_init => watches::serve("fanotify_init"),
        libc::SYS_getpid | libc::SYS_gettid => identity::pid(),
        libc::SYS_getppid => identity::parent(),
        libc::SYS_sched_getaffinity => {
            // SAFETY: the caller's promise.
            unsafe { identity::serve_affinity(b, c as *mut c_void) }
        }
        libc::SYS_uname if identity::is_simulated() => {
            // SAFETY: the caller's promise.
            Some(unsafe { identity::uname(a as *mut libc::utsname) }.into())
        }
        libc::SYS_getcpu => {
            // SAFETY: the caller's promise.
            unsafe { identity::serve_getcpu(a as *mut c_uint, b as *mut c_uint) }
        }
        #[cfg(floor_traps)]
        libc::SYS_rt_sigaction => {
            // SAFETY: the caller's promise.
            unsafe { signals::serve_by_number(int(a), b, c) }
        }
        #[cfg(floor_traps)]
        libc::SYS_rt_sigprocmask => {
            // SAFETY: the caller's promise.
            unsafe { masks::serve_by_number(arguments) }
        }
        _ => {
            // SAFETY: the caller's promise.
            unsafe { file_numbers::serve(number, arguments) }
                // SAFETY: the caller's promise.
                .or_else(|| unsafe { socket_numbers::serve(number, arguments) })
        }
    }
}

/// `syscall(2)`, declared with all the registers that a system call can have: on these targets
/// a variadic caller puts its arguments where a caller of this type does, and what it did not
/// pass is read as whatever is there and not looked at.
///
/// # Safety
///
/// As for the system call of that number.
// SAFETY: the name is the C library's, the type is compatible with its callers as said above,
// and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    // SAFETY: the caller's promise.
    if let Some(answer) = unsafe { serve(number, [a, b, c, d, e, f]) } {
        return answer;
    }
    match real::SYSCALL.get() {
        // SAFETY: the caller's promise, passed on.
        Some(syscall) => unsafe { syscall(number, a, b, c, d, e, f) },
        None => super::unavailable().into(),
    }
}
