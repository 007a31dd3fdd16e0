//! Thread-specific data of C code (`pthread_key_create`) on fibers.
//!
//! The values live in the host, which would run their destructors when it ends: outside the
//! simulation, on another thread. So a fiber runs them at its end, and a killed one forgets them.
#![expect(unsafe_code, reason = "calls destructors of C code")]

use std::ffi::c_void;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::pthread_key_t;

pub(crate) type Destructor = unsafe extern "C" fn(*mut c_void);

/// `PTHREAD_KEYS_MAX`.
const KEYS_MAX: usize = 1_024;
/// `PTHREAD_DESTRUCTOR_ITERATIONS`: how often destructors may leave something to destroy.
const ROUNDS_MAX: u32 = 4;

/// By key; 0 where there is none. Written when a key is made, on whatever thread.
static DESTRUCTORS: [AtomicUsize; KEYS_MAX] = [const { AtomicUsize::new(0) }; KEYS_MAX];

/// A key was made, or deleted.
pub(crate) fn note(key: pthread_key_t, destructor: Option<Destructor>) {
    if let Some(place) = DESTRUCTORS.get(key as usize) {
        let address = destructor.map_or(0, |destructor| destructor as usize);
        place.store(address, Ordering::Relaxed);
    }
}

/// Takes the value of every key that has a destructor from the running thread, and says what to
/// call.
fn take_each(mut f: impl FnMut(Destructor, *mut c_void)) {
    for (key, place) in DESTRUCTORS.iter().enumerate() {
        let address = place.load(Ordering::Relaxed);
        if address == 0 {
            continue;
        }
        let key = key as pthread_key_t;
        // SAFETY: any number may be asked for.
        let value = unsafe { libc::pthread_getspecific(key) };
        if value.is_null() {
            continue;
        }
        // SAFETY: any number may be asked for.
        unsafe { libc::pthread_setspecific(key, ptr::null()) };
        // SAFETY: `note` made the number of such a function.
        f(
            unsafe { mem::transmute::<usize, Destructor>(address) },
            value,
        );
    }
}

/// Runs the destructors of the running fiber's values.
pub(super) fn destroy() {
    for _ in 0..ROUNDS_MAX {
        let mut any = false;
        take_each(|destructor, value| {
            any = true;
            // SAFETY: what its key was made for, with a value of that key.
            unsafe { destructor(value) };
        });
        if !any {
            return;
        }
    }
}

/// Forgets the values of the thread whose thread-locals these are.
pub(super) fn abandon() {
    take_each(|_, _| ());
}
