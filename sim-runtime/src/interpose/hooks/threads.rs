//! Threads and futexes: inside a simulation they are fibers.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{c_int, c_long, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{pthread_attr_t, pthread_t, timespec};

use super::real::{self, PTHREAD_CREATE, PTHREAD_JOIN, Real, ThreadStart};
use crate::clock::GuestClock;
use crate::fiber::{self, futex, threads};
use crate::guest;
use crate::ids::SimInstant;
use crate::interpose::hatch;
use crate::world;

type Destructor = unsafe extern "C" fn(*mut c_void);
type AtExit = unsafe extern "C" fn(Destructor, *mut c_void, *mut c_void) -> c_int;

// SAFETY: the type is that of the function's manual page.
static PTHREAD_DETACH: Real<unsafe extern "C" fn(pthread_t) -> c_int> =
    unsafe { Real::new(c"pthread_detach") };
// SAFETY: as above.
static SCHED_YIELD: Real<unsafe extern "C" fn() -> c_int> = unsafe { Real::new(c"sched_yield") };
// SAFETY: the type is that of the C++ ABI.
static AT_EXIT: Real<AtExit> = unsafe { Real::new(c"__cxa_thread_atexit_impl") };

// SAFETY: the type is that of the function's manual page.
static GETDETACHSTATE: Real<unsafe extern "C" fn(*const pthread_attr_t, *mut c_int) -> c_int> =
    unsafe { Real::new(c"pthread_attr_getdetachstate") };

/// The stack of a thread that does not ask for one.
const STACK_BYTES: usize = 2 << 20;

/// What a guest asks of its thread: the stack's bytes, and whether it is detached.
///
/// # Safety
///
/// `attributes` is null or initialised.
unsafe fn asked(attributes: *const pthread_attr_t) -> (usize, bool) {
    if attributes.is_null() {
        return (STACK_BYTES, false);
    }
    let (mut bytes, mut state) = (STACK_BYTES, libc::PTHREAD_CREATE_JOINABLE);
    // SAFETY: not null, and so initialised by the contract; the number is live.
    unsafe { libc::pthread_attr_getstacksize(attributes, &mut bytes) };
    if let Some(getdetachstate) = GETDETACHSTATE.get() {
        // SAFETY: as above.
        unsafe { getdetachstate(attributes, &mut state) };
    }
    (bytes, state == libc::PTHREAD_CREATE_DETACHED)
}

/// `pthread_create(3)`.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: ThreadStart,
    argument: *mut c_void,
) -> c_int {
    if hatch::is_suspended() || !crate::in_simulation() {
        return match PTHREAD_CREATE.get() {
            // SAFETY: the caller's promise, passed on.
            Some(create) => unsafe { create(thread, attributes, start, argument) },
            None => libc::ENOSYS,
        };
    }
    // SAFETY: the caller's promise.
    let (bytes, detached) = unsafe { asked(attributes) };
    let made = world::with(|world| threads::create(world, bytes, detached, (start, argument)));
    match made {
        Ok(id) => {
            // SAFETY: the caller's promise.
            unsafe { thread.write(id) };
            0
        }
        Err(error) => {
            let who = world::with(|world| world.who());
            let frames = crate::interpose::outside(std::backtrace::Backtrace::force_capture);
            eprintln!("landfall: no thread for {who}: {error}\n{frames}");
            libc::EAGAIN
        }
    }
}

/// `pthread_join(3)`.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour on real threads.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_join(thread: pthread_t, out: *mut *mut c_void) -> c_int {
    match threads::join(thread) {
        Some(Ok(returned)) => {
            if !out.is_null() {
                // SAFETY: not null, and so valid by the caller's promise.
                unsafe { out.write(returned) };
            }
            0
        }
        Some(Err(error)) => error,
        None => match PTHREAD_JOIN.get() {
            // SAFETY: the caller's promise, passed on.
            Some(join) => unsafe { join(thread, out) },
            None => libc::ENOSYS,
        },
    }
}

/// `pthread_detach(3)`.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour on real threads.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_detach(thread: pthread_t) -> c_int {
    match threads::detach(thread) {
        Some(Ok(())) => 0,
        Some(Err(error)) => error,
        None => match PTHREAD_DETACH.get() {
            // SAFETY: the caller's promise, passed on.
            Some(detach) => unsafe { detach(thread) },
            None => libc::ENOSYS,
        },
    }
}

/// `sched_yield(2)`: lets others of the simulation run.
///
/// # Safety
///
/// None is needed; the C function has none to ask for either.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sched_yield() -> c_int {
    if !hatch::is_suspended() && fiber::yield_now() {
        return 0;
    }
    match SCHED_YIELD.get() {
        // SAFETY: takes nothing.
        Some(sched_yield) => unsafe { sched_yield() },
        None => super::unavailable(),
    }
}

/// `__cxa_thread_atexit_impl`: a fiber runs the destructors of its thread-locals itself.
///
/// # Safety
///
/// As for the C++ ABI's function.
// SAFETY: the name and type are the C library's, and so is the behaviour on real threads.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn __cxa_thread_atexit_impl(
    destructor: Destructor,
    object: *mut c_void,
    library: *mut c_void,
) -> c_int {
    if let Some(fiber) = fiber::current() {
        fiber.at_exit((destructor, object));
        return 0;
    }
    match AT_EXIT.get() {
        // SAFETY: the caller's promise, passed on.
        Some(at_exit) => unsafe { at_exit(destructor, object, library) },
        None => super::unavailable(),
    }
}

/// A guest's absolute time on its node's monotonic clock; now, if that is past. What is said on the
/// wall clock is carried over as it stands: a step during the wait does not move its end.
pub(super) fn instant(time: timespec, clock: GuestClock) -> Option<SimInstant> {
    let ns = u64::try_from(time.tv_sec)
        .ok()?
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(time.tv_nsec).ok()?);
    let left = ns.saturating_sub(guest::clock_read(clock)?);
    Some(after(left))
}

fn after(nanos: u64) -> SimInstant {
    world::with(|world| SimInstant(world.clock().as_nanos().saturating_add(nanos)))
}

/// Serves `futex`: `None` where the kernel must, because no fiber is concerned.
///
/// # Safety
///
/// The arguments are what the system call's manual page asks for.
pub(super) unsafe fn serve_futex(
    [word, operation, value, four, to, six]: [usize; 6],
) -> Option<c_long> {
    if hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    const FLAGS: c_int = libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME;
    let operation = operation as c_int;
    let value = value as u32;
    match operation & !FLAGS {
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => {
            let time = four as *const timespec;
            // SAFETY: the caller's promise: null or valid.
            let time = (!time.is_null()).then(|| unsafe { time.read() });
            let is_relative = operation & !FLAGS == libc::FUTEX_WAIT;
            let bits = if is_relative { u32::MAX } else { six as u32 };
            let clock = match operation & libc::FUTEX_CLOCK_REALTIME {
                0 => GuestClock::Monotonic,
                _ => GuestClock::Realtime,
            };
            let deadline = match time {
                None => None,
                Some(time) if is_relative => Some(after(super::sleep::nanoseconds(time)?)),
                Some(time) => Some(instant(time, clock)?),
            };
            // SAFETY: the caller's promise: a word that others use as an atomic.
            let seen = unsafe { &*(word as *const AtomicU32) }.load(Ordering::SeqCst);
            if seen != value {
                return Some(failed(libc::EAGAIN));
            }
            match futex::wait((word, value), bits, deadline) {
                futex::Waited::Woken => Some(0),
                futex::Waited::TimedOut => Some(failed(libc::ETIMEDOUT)),
                futex::Waited::NotHere => None,
            }
        }
        libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET => {
            let is_plain = operation & !FLAGS == libc::FUTEX_WAKE;
            let bits = if is_plain { u32::MAX } else { six as u32 };
            let count = value as usize;
            let wake = |table: &futex::Table, world: &world::World| {
                table.wake(world, word, (count, bits), (0, 0)).0
            };
            let woken = world::with(|world| wake(&world.fibers.futexes, world));
            if woken > 0 {
                fiber::crossing();
            }
            // A thread outside may wait for the same word.
            (woken > 0 && woken >= count).then_some(woken as c_long)
        }
        libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE => {
            let is_compared = operation & !FLAGS == libc::FUTEX_CMP_REQUEUE;
            // SAFETY: the caller's promise: a word that others use as an atomic.
            let seen = unsafe { &*(word as *const AtomicU32) }.load(Ordering::SeqCst);
            if is_compared && seen != six as u32 {
                return Some(failed(libc::EAGAIN));
            }
            let (woken, moved) = world::with(|world| {
                let wake = (value as usize, u32::MAX);
                world.fibers.futexes.wake(world, word, wake, (four, to))
            });
            (woken + moved > 0).then_some((woken + moved) as c_long)
        }
        _ => None,
    }
}

fn failed(errno: c_int) -> c_long {
    real::set_errno(errno);
    -1
}
