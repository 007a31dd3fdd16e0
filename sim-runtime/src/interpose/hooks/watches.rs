//! Watchers of files, by `inotify(7)` and `fanotify(7)`: a guest gets none.
//!
//! The kernel would tell of the machine's files, in its own time, and never of simulated ones.
#![expect(unsafe_code, reason = "defines functions of the C library")]

use std::ffi::{c_int, c_long, c_uint};

use super::real::{Real, set_errno};
use crate::interpose::hatch;
use crate::world;

// SAFETY: the type is that of the function's manual page.
static INOTIFY_INIT: Real<unsafe extern "C" fn() -> c_int> = unsafe { Real::new(c"inotify_init") };
// SAFETY: as above.
static INOTIFY_INIT1: Real<unsafe extern "C" fn(c_int) -> c_int> =
    unsafe { Real::new(c"inotify_init1") };
// SAFETY: as above.
static FANOTIFY_INIT: Real<unsafe extern "C" fn(c_uint, c_uint) -> c_int> =
    unsafe { Real::new(c"fanotify_init") };

/// The answer to a guest: as a kernel's that was built without; `None` outside a simulation.
pub(super) fn serve(name: &str) -> Option<c_long> {
    if hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    let who = world::with(|world| world.who());
    eprintln!(
        "landfall: {name} is refused to {who}: nobody can watch a simulated file; \
         look again after a while (as notify's PollWatcher does), or ask outside the simulation"
    );
    set_errno(libc::ENOSYS);
    Some(-1)
}

macro_rules! refused {
    ($($name:ident = $real:ident: ($($argument:ident: $type:ty),*);)*) => {$(
        #[doc = concat!("`", stringify!($name), "(2)`: `ENOSYS` inside a simulation.")]
        ///
        /// # Safety
        ///
        /// As for the C function.
        // SAFETY: the name and type are the C library's, and so is the behaviour outside.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            if serve(stringify!($name)).is_some() {
                return -1;
            }
            match $real.get() {
                // SAFETY: the caller's promise, passed on.
                Some(init) => unsafe { init($($argument),*) },
                None => super::unavailable() as c_int,
            }
        }
    )*};
}

refused! {
    inotify_init = INOTIFY_INIT: ();
    inotify_init1 = INOTIFY_INIT1: (flags: c_int);
    fanotify_init = FANOTIFY_INIT: (flags: c_uint, event_flags: c_uint);
}
