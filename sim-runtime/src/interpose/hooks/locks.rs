//! Locks of C code: mutexes, condition variables, semaphores.
//!
//! The C library waits within itself, where no symbol is passed. So inside a simulation a hook
//! tries, and while that fails waits as a futex does, by the address of the lock; whoever unlocks
//! wakes. Who owns a mutex is told by thread-locals, of which each fiber has its own, so that
//! recursive and checked mutexes are right.
//!
//! A mutex whose owner was killed with its process is taken over by the next who wants it, and so
//! is a lock for reading and writing (`rwlocks`). A semaphore counts and has no owner: what a
//! killed process took of it stays taken until somebody posts or makes it anew.
//!
//! # What is not served
//! - A condition variable that a thread outside signals: the C library sees nobody wait for it.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::cell::Cell;
use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{clockid_t, pthread_cond_t, pthread_mutex_t, sem_t, timespec};

use super::real::{self, Real};
use super::{clock, sleep, threads};
use crate::fiber;
use crate::fiber::futex::{self, Waited};
use crate::ids::SimInstant;
use crate::interpose::hatch;
use crate::world;

type Mutex = *mut pthread_mutex_t;
type Condition = *mut pthread_cond_t;
type Semaphore = *mut sem_t;
pub(super) type Time = *const timespec;

/// Whether the simulation serves this call.
#[inline]
pub(super) fn is_here() -> bool {
    !hatch::is_suspended() && crate::in_simulation()
}

fn load(word: usize) -> u32 {
    // SAFETY: the address of a lock that the caller uses: alive, aligned, changed by atomics.
    unsafe { &*(word as *const AtomicU32) }.load(Ordering::SeqCst)
}

/// Tries until the answer is another than `EBUSY`. `None`: only the C library can wait for that.
pub(super) fn wait_for(
    word: usize,
    deadline: Option<SimInstant>,
    attempt: impl Fn() -> c_int,
) -> Option<c_int> {
    loop {
        let before = load(word);
        let answer = attempt();
        if answer != libc::EBUSY {
            return Some(answer);
        }
        if load(word) != before {
            continue;
        }
        match futex::wait((word, before), u32::MAX, deadline) {
            Waited::Woken => {}
            Waited::TimedOut => return Some(libc::ETIMEDOUT),
            Waited::NotHere => return None,
        }
    }
}

/// Wakes up to `count` of the simulation that wait for a lock; how many.
pub(super) fn wake(word: usize, count: usize) -> usize {
    let none_moved = (0, 0);
    world::with(|world| {
        let table = &world.fibers.futexes;
        table.wake(world, word, (count, u32::MAX), none_moved).0
    })
}

/// Wakes up to `count` who wait for a condition variable. `None`: threads outside may wait, too.
///
/// # Safety
///
/// `condition` is initialised.
unsafe fn signal(condition: Condition, count: usize) -> Option<c_int> {
    (wake(condition as usize, count) >= count).then_some(0)
}

/// The virtual instant of an absolute time; `None` where the C library must judge it.
///
/// # Safety
///
/// `time` is null or valid for a read.
unsafe fn deadline(clock: clockid_t, time: Time) -> Option<SimInstant> {
    if time.is_null() {
        return None;
    }
    // SAFETY: not null, and so valid by the contract.
    let time = unsafe { time.read() };
    sleep::nanoseconds(time)?;
    threads::instant(time, clock::guest_clock(clock)?)
}

/// Takes a mutex.
///
/// # Safety
///
/// `mutex` is initialised.
unsafe fn lock(mutex: Mutex, deadline: Option<SimInstant>) -> Option<c_int> {
    let has_waited = Cell::new(false);
    let taken = wait_for(mutex as usize, deadline, || {
        // SAFETY: the caller's promise.
        let answer = unsafe { libc::pthread_mutex_trylock(mutex) };
        if answer != libc::EBUSY {
            return answer;
        }
        // SAFETY: the caller's promise.
        if unsafe { inherit(mutex) } {
            return 0;
        }
        if !has_waited.replace(true) {
            fiber::awaits(mutex as usize);
        }
        // SAFETY: the caller's promise.
        if unsafe { is_checked(mutex) } {
            // SAFETY: the caller's promise.
            return unsafe { is_own(mutex) };
        }
        answer
    });
    if has_waited.get() {
        fiber::awaits(0);
    }
    taken
}

/// Where a mutex has its owner on this platform: as for its kind.
const OWNER: usize = 8;

/// What a mutex calls its owner; 0: nobody.
///
/// # Safety
///
/// It is initialised.
pub(crate) unsafe fn owner_of(mutex: usize) -> c_int {
    let owner = (mutex as *const c_int).wrapping_byte_add(OWNER);
    // SAFETY: within the structure, whose other users are fibers of this thread.
    unsafe { owner.read_volatile() }
}

/// What a mutex calls the thread that runs, or the fiber.
pub(crate) fn owner_here() -> c_int {
    let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
    // SAFETY: initialised, and nobody else's.
    if unsafe { libc::pthread_mutex_trylock(&raw mut mutex) } != 0 {
        return 0;
    }
    // SAFETY: initialised.
    unsafe { owner_of(&raw const mutex as usize) }
}

/// Takes a mutex whose owner died with its process; false if it did not.
///
/// # Safety
///
/// `mutex` is initialised.
unsafe fn inherit(mutex: Mutex) -> bool {
    // SAFETY: the caller's promise.
    let owner = unsafe { owner_of(mutex as usize) };
    if owner == 0 || world::try_with(|world| world.fibers.is_dead(owner)) != Some(true) {
        return false;
    }
    // The word, how often it was taken, its owner, and how many use it: all that is not its kind.
    for field in 0..4 {
        // SAFETY: within the structure; its owner, who alone would write there, is no more.
        unsafe { mutex.cast::<c_int>().add(field).write_volatile(0) };
    }
    // SAFETY: the caller's promise.
    unsafe { libc::pthread_mutex_trylock(mutex) == 0 }
}

/// Whether a mutex tells its owner that it is the owner.
///
/// # Safety
///
/// `mutex` is initialised.
unsafe fn is_checked(mutex: Mutex) -> bool {
    /// Where the kind is on this platform: initialisers are compiled into programs.
    const KIND: usize = 16;
    /// What of it is the type.
    const TYPE: c_int = 3;
    // SAFETY: within the structure.
    let kind = unsafe { mutex.byte_add(KIND) }.cast::<c_int>();
    // SAFETY: the caller's promise; it is written at initialisation only.
    unsafe { kind.read() & TYPE == libc::PTHREAD_MUTEX_ERRORCHECK }
}

/// `EDEADLK` if the caller owns a checked mutex, `EBUSY` if another does, 0 if it has it now.
///
/// # Safety
///
/// `mutex` is initialised.
unsafe fn is_own(mutex: Mutex) -> c_int {
    let long_ago = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let Some(timedlock) = PTHREAD_MUTEX_TIMEDLOCK.get() else {
        return libc::EBUSY;
    };
    // SAFETY: the caller's promise; the time is live.
    match unsafe { timedlock(mutex, &raw const long_ago) } {
        libc::ETIMEDOUT => libc::EBUSY,
        answer => answer,
    }
}

/// Lets a mutex go, waits for a condition variable, and takes the mutex again.
///
/// # Safety
///
/// Both are initialised.
unsafe fn await_signal(
    condition: Condition,
    mutex: Mutex,
    deadline: Option<SimInstant>,
) -> Option<c_int> {
    let word = condition as usize;
    let value = load(word);
    // SAFETY: the caller's promise.
    let error = unsafe { release(PTHREAD_MUTEX_UNLOCK.get(), mutex, 1) }?;
    if error != 0 {
        return Some(error);
    }
    // Nobody runs in between: a signal cannot be lost.
    let waited = futex::wait((word, value), u32::MAX, deadline);
    // SAFETY: the caller's promise.
    let error = unsafe { lock(mutex, None) }?;
    Some(match waited {
        _ if error != 0 => error,
        Waited::TimedOut => libc::ETIMEDOUT,
        // A wait may end for no reason.
        Waited::Woken | Waited::NotHere => 0,
    })
}

/// The clock of a condition variable, found where two fresh ones differ.
///
/// # Safety
///
/// `condition` is initialised.
unsafe fn clock_of(condition: Condition) -> clockid_t {
    const BYTES: usize = mem::size_of::<pthread_cond_t>();
    // SAFETY: zeroes are a value of this plain structure.
    let mut attributes: libc::pthread_condattr_t = unsafe { mem::zeroed() };
    // SAFETY: a live structure.
    unsafe { libc::pthread_condattr_init(&mut attributes) };
    // SAFETY: initialised above.
    unsafe { libc::pthread_condattr_setclock(&mut attributes, libc::CLOCK_MONOTONIC) };
    let fresh = |attributes: *const libc::pthread_condattr_t| {
        // SAFETY: zeroes are a value of this plain structure.
        let mut fresh: pthread_cond_t = unsafe { mem::zeroed() };
        // SAFETY: a live structure; the attributes are null or initialised.
        unsafe { libc::pthread_cond_init(&mut fresh, attributes) };
        // SAFETY: both are plain bytes, as many.
        unsafe { mem::transmute::<pthread_cond_t, [u8; BYTES]>(fresh) }
    };
    let (real, monotonic) = (fresh(ptr::null()), fresh(&raw const attributes));
    let is_monotonic = (0..BYTES).any(|at| {
        // SAFETY: within the structure.
        let byte = unsafe { condition.byte_add(at) }.cast::<u8>();
        // SAFETY: the caller's promise; no other thread of the simulation writes it now.
        let byte = unsafe { byte.read_volatile() };
        byte & (real[at] ^ monotonic[at]) != 0
    });
    match is_monotonic {
        true => libc::CLOCK_MONOTONIC,
        false => libc::CLOCK_REALTIME,
    }
}

/// Takes one of a semaphore.
///
/// # Safety
///
/// `semaphore` is initialised.
unsafe fn take(semaphore: Semaphore, deadline: Option<SimInstant>) -> Option<c_int> {
    let error = wait_for(semaphore as usize, deadline, || {
        // SAFETY: the caller's promise.
        match unsafe { libc::sem_trywait(semaphore) } {
            0 => 0,
            _ if real::errno() == libc::EAGAIN => libc::EBUSY,
            _ => real::errno(),
        }
    })?;
    if error == 0 {
        return Some(0);
    }
    real::set_errno(error);
    Some(-1)
}

/// Lets a lock go by its real function, and wakes who waits for it.
///
/// # Safety
///
/// `lock` is what the function takes.
pub(super) unsafe fn release<L>(
    function: Option<unsafe extern "C" fn(*mut L) -> c_int>,
    lock: *mut L,
    count: usize,
) -> Option<c_int> {
    // SAFETY: the caller's promise.
    let answer = unsafe { function?(lock) };
    if answer == 0 {
        wake(lock as usize, count);
    }
    Some(answer)
}

/// After something was let go, others may be first.
pub(super) fn crossed(answer: Option<c_int>) -> Option<c_int> {
    fiber::crossing();
    answer
}

/// Waits until a time at most; the C library does if it must judge the time.
///
/// # Safety
///
/// `time` is null or valid for a read.
pub(super) unsafe fn timed(
    clock: clockid_t,
    time: Time,
    wait: impl FnOnce(Option<SimInstant>) -> Option<c_int>,
) -> Option<c_int> {
    // SAFETY: the caller's promise.
    let end = unsafe { deadline(clock, time) }?;
    wait(Some(end))
}

/// Defines functions of the C library: what the simulation answers, if it does, else the real one.
macro_rules! hooks {
    ($(
        $(#[$attribute:meta])*
        $name:ident = $real:ident($make:expr): ($($argument:ident: $type:ty),*) { $served:expr }
    )*) => {
        $(
            // SAFETY: the type is that of the function's manual page.
            static $real: Real<unsafe extern "C" fn($($type),*) -> c_int> = unsafe { $make };

            $(#[$attribute])*
            ///
            /// # Safety
            ///
            /// As for the C function.
            // SAFETY: the name and type are the C library's, and so is the behaviour outside a
            // simulation.
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
                if is_here() {
                    // SAFETY: the caller's promise.
                    if let Some(answer) = unsafe { $served } {
                        return answer;
                    }
                }
                match $real.get() {
                    // SAFETY: the caller's promise, passed on.
                    Some(function) => unsafe { function($($argument),*) },
                    None => libc::ENOSYS,
                }
            }
        )*
    };
}

pub(super) use hooks;

hooks! {
    /// `pthread_mutex_lock(3)`.
    pthread_mutex_lock = PTHREAD_MUTEX_LOCK(Real::new(c"pthread_mutex_lock")): (mutex: Mutex) {
        {
            fiber::crossing();
            lock(mutex, None)
        }
    }
    /// `pthread_mutex_timedlock(3)`.
    pthread_mutex_timedlock = PTHREAD_MUTEX_TIMEDLOCK(
        Real::new(c"pthread_mutex_timedlock")
    ): (mutex: Mutex, time: Time) {
        timed(libc::CLOCK_REALTIME, time, |end| lock(mutex, end))
    }
    /// `pthread_mutex_clocklock(3)`.
    pthread_mutex_clocklock = PTHREAD_MUTEX_CLOCKLOCK(
        Real::new(c"pthread_mutex_clocklock")
    ): (mutex: Mutex, clock: clockid_t, time: Time) {
        timed(clock, time, |end| lock(mutex, end))
    }
    /// `pthread_mutex_unlock(3)`: wakes one who waits.
    pthread_mutex_unlock = PTHREAD_MUTEX_UNLOCK(
        Real::new(c"pthread_mutex_unlock")
    ): (mutex: Mutex) {
        crossed(release(PTHREAD_MUTEX_UNLOCK.get(), mutex, 1))
    }
    /// `pthread_cond_wait(3)`.
    pthread_cond_wait = PTHREAD_COND_WAIT(
        Real::versioned(c"pthread_cond_wait", c"GLIBC_2.3.2")
    ): (condition: Condition, mutex: Mutex) {
        await_signal(condition, mutex, None)
    }
    /// `pthread_cond_timedwait(3)`: by the clock that the variable was made with.
    pthread_cond_timedwait = PTHREAD_COND_TIMEDWAIT(
        Real::versioned(c"pthread_cond_timedwait", c"GLIBC_2.3.2")
    ): (condition: Condition, mutex: Mutex, time: Time) {
        timed(clock_of(condition), time, |end| await_signal(condition, mutex, end))
    }
    /// `pthread_cond_clockwait(3)`.
    pthread_cond_clockwait = PTHREAD_COND_CLOCKWAIT(
        Real::new(c"pthread_cond_clockwait")
    ): (condition: Condition, mutex: Mutex, clock: clockid_t, time: Time) {
        timed(clock, time, |end| await_signal(condition, mutex, end))
    }
    /// `pthread_cond_signal(3)`.
    pthread_cond_signal = PTHREAD_COND_SIGNAL(
        Real::versioned(c"pthread_cond_signal", c"GLIBC_2.3.2")
    ): (condition: Condition) {
        signal(condition, 1)
    }
    /// `pthread_cond_broadcast(3)`: threads outside may wait, too.
    pthread_cond_broadcast = PTHREAD_COND_BROADCAST(
        Real::versioned(c"pthread_cond_broadcast", c"GLIBC_2.3.2")
    ): (condition: Condition) {
        signal(condition, usize::MAX)
    }
    /// `sem_wait(3)`.
    sem_wait = SEM_WAIT(Real::new(c"sem_wait")): (semaphore: Semaphore) {
        take(semaphore, None)
    }
    /// `sem_timedwait(3)`.
    sem_timedwait = SEM_TIMEDWAIT(Real::new(c"sem_timedwait")): (semaphore: Semaphore, time: Time) {
        timed(libc::CLOCK_REALTIME, time, |end| take(semaphore, end))
    }
    /// `sem_clockwait(3)`.
    sem_clockwait = SEM_CLOCKWAIT(
        Real::new(c"sem_clockwait")
    ): (semaphore: Semaphore, clock: clockid_t, time: Time) {
        timed(clock, time, |end| take(semaphore, end))
    }
    /// `sem_post(3)`: wakes one who waits.
    sem_post = SEM_POST(Real::new(c"sem_post")): (semaphore: Semaphore) {
        crossed(release(SEM_POST.get(), semaphore, 1))
    }
}
