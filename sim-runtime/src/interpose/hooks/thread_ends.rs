//! How a thread of the guest begins and ends in the eyes of C code: its stack, what it does once,
//! its thread-specific data, `pthread_exit`.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{pthread_attr_t, pthread_key_t, pthread_t};

use super::locks::{is_here, wake};
use super::real::Real;
use crate::fiber::{self, futex, keys};
use crate::world;

type Exit = unsafe extern "C" fn(*mut c_void) -> !;
type GetAttributes = unsafe extern "C" fn(pthread_t, *mut pthread_attr_t) -> c_int;
type KeyCreate = unsafe extern "C" fn(*mut pthread_key_t, Option<keys::Destructor>) -> c_int;
type KeyDelete = unsafe extern "C" fn(pthread_key_t) -> c_int;
type Routine = unsafe extern "C" fn();
type Once = unsafe extern "C" fn(*mut c_int, Routine) -> c_int;

// SAFETY: the type is that of the function's manual page.
static PTHREAD_EXIT: Real<Exit> = unsafe { Real::new(c"pthread_exit") };
// SAFETY: as above.
static PTHREAD_GETATTR_NP: Real<GetAttributes> = unsafe { Real::new(c"pthread_getattr_np") };
// SAFETY: as above.
static PTHREAD_KEY_CREATE: Real<KeyCreate> = unsafe { Real::new(c"pthread_key_create") };
// SAFETY: as above.
static PTHREAD_KEY_DELETE: Real<KeyDelete> = unsafe { Real::new(c"pthread_key_delete") };
// SAFETY: as above.
static PTHREAD_ONCE: Real<Once> = unsafe { Real::new(c"pthread_once") };

/// `pthread_exit(3)`: a fiber runs the destructors of its thread-locals and of its thread-specific
/// data, and ends. Frames are left as they are: handlers of `pthread_cleanup_push` do not run.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour on real threads.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_exit(returned: *mut c_void) -> ! {
    if let Some(fiber) = fiber::current() {
        fiber.exit(returned);
    }
    if is_here() {
        world::with(|world| {
            let who = world.who();
            eprintln!("landfall: pthread_exit in {who}, which is no thread but a task");
        });
        std::process::abort();
    }
    match PTHREAD_EXIT.get() {
        // SAFETY: the caller's promise, passed on.
        Some(exit) => unsafe { exit(returned) },
        None => std::process::abort(),
    }
}

/// `pthread_getattr_np(3)`: a fiber that asks for itself is told of its own stack.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour on real threads.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_getattr_np(
    thread: pthread_t,
    attributes: *mut pthread_attr_t,
) -> c_int {
    let Some(getattr) = PTHREAD_GETATTR_NP.get() else {
        return libc::ENOSYS;
    };
    // SAFETY: the caller's promise, passed on.
    let answer = unsafe { getattr(thread, attributes) };
    if let Some(fiber) = fiber::current()
        && answer == 0
        && fiber.is_thread(thread)
    {
        let (low, bytes) = fiber.stack();
        // SAFETY: the call above has initialised the attributes.
        return unsafe { libc::pthread_attr_setstack(attributes, low as *mut c_void, bytes) };
    }
    answer
}

/// `pthread_key_create(3)`. Destructors are remembered, for fibers to run.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_key_create(
    key: *mut pthread_key_t,
    destructor: Option<keys::Destructor>,
) -> c_int {
    let Some(create) = PTHREAD_KEY_CREATE.get() else {
        return libc::ENOSYS;
    };
    // SAFETY: the caller's promise, passed on.
    let answer = unsafe { create(key, destructor) };
    if answer == 0 {
        // SAFETY: the call above has written it.
        keys::note(unsafe { key.read() }, destructor);
    }
    answer
}

/// `pthread_key_delete(3)`.
///
/// # Safety
///
/// None is needed; the C function has none to ask for either.
// SAFETY: the name and type are the C library's, and so is the behaviour.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_key_delete(key: pthread_key_t) -> c_int {
    let Some(delete) = PTHREAD_KEY_DELETE.get() else {
        return libc::ENOSYS;
    };
    keys::note(key, None);
    // SAFETY: any number may be asked for.
    unsafe { delete(key) }
}

/// `pthread_once(3)`: who comes while another fiber is at it waits in the simulation.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_once(control: *mut c_int, routine: Routine) -> c_int {
    /// As the C library has them: what was done outside is done inside.
    const RUNNING: u32 = 1;
    const DONE: u32 = 2;
    if !is_here() {
        return match PTHREAD_ONCE.get() {
            // SAFETY: the caller's promise, passed on.
            Some(once) => unsafe { once(control, routine) },
            None => libc::ENOSYS,
        };
    }
    // SAFETY: the caller's promise; the C library changes it by atomics as well.
    let word = unsafe { AtomicU32::from_ptr(control.cast::<u32>()) };
    loop {
        let state = word.load(Ordering::Acquire);
        if state & DONE != 0 {
            return 0;
        }
        if state & RUNNING == 0 {
            word.store(RUNNING, Ordering::Relaxed);
            // SAFETY: the caller's promise.
            unsafe { routine() };
            word.store(DONE, Ordering::Release);
            wake(control as usize, usize::MAX);
            return 0;
        }
        futex::wait((control as usize, state), u32::MAX, None);
    }
}
