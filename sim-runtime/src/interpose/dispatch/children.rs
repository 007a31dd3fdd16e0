//! Programs and processes that a guest starts: they are outside, and must not inherit the trap of
//! the time-stamp counter, which their C library would die of.
//!
//! A seccomp filter can't be lifted and outlives `execve`, so where one stands no program can be
//! started: `EPERM` says so, before the program dies of its first system call.
#![expect(unsafe_code, reason = "defines functions of the C library")]

use std::ffi::{c_char, c_int};

use libc::{pid_t, posix_spawn_file_actions_t, posix_spawnattr_t};

use super::{arms, seccomp};
use crate::interpose::hooks::real::Real;
use crate::interpose::hooks::unavailable;

/// The first argument takes a process id, or a descriptor of one: an int in either case.
type Spawn = unsafe extern "C" fn(
    *mut c_int,
    *const c_char,
    *const posix_spawn_file_actions_t,
    *const posix_spawnattr_t,
    *const *mut c_char,
    *const *mut c_char,
) -> c_int;

// SAFETY: the type is that of the function's manual page.
static POSIX_SPAWN: Real<Spawn> = unsafe { Real::new(c"posix_spawn") };
// SAFETY: as above.
static POSIX_SPAWNP: Real<Spawn> = unsafe { Real::new(c"posix_spawnp") };
// SAFETY: as above.
static PIDFD_SPAWN: Real<Spawn> = unsafe { Real::new(c"pidfd_spawn") };
// SAFETY: as above.
static PIDFD_SPAWNP: Real<Spawn> = unsafe { Real::new(c"pidfd_spawnp") };
// SAFETY: as above.
static FORK: Real<unsafe extern "C" fn() -> pid_t> = unsafe { Real::new(c"fork") };

/// Frees the counter for as long as it lives.
struct Free;

impl Free {
    fn new() -> Self {
        arms::free_counter();
        Self
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        arms::trap_counter_again();
    }
}

macro_rules! spawns {
    ($($name:ident = $real:ident;)*) => {$(
        #[doc = concat!("`", stringify!($name), "(3)`.")]
        ///
        /// # Safety
        ///
        /// As for the C function.
        // SAFETY: the name and type are the C library's, and so is the behaviour.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(
            child: *mut c_int,
            path: *const c_char,
            actions: *const posix_spawn_file_actions_t,
            attributes: *const posix_spawnattr_t,
            arguments: *const *mut c_char,
            environment: *const *mut c_char,
        ) -> c_int {
            if seccomp::is_on() {
                return libc::EPERM;
            }
            let _free = Free::new();
            match $real.get() {
                // SAFETY: the caller's promise, passed on.
                Some(spawn) => unsafe {
                    spawn(child, path, actions, attributes, arguments, environment)
                },
                None => libc::ENOSYS,
            }
        }
    )*};
}

spawns! {
    posix_spawn = POSIX_SPAWN;
    posix_spawnp = POSIX_SPAWNP;
    pidfd_spawn = PIDFD_SPAWN;
    pidfd_spawnp = PIDFD_SPAWNP;
}

/// `fork(2)`. The child goes on with a free counter.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fork() -> pid_t {
    arms::free_counter();
    let pid = match FORK.get() {
        // SAFETY: the caller's promise, passed on.
        Some(fork) => unsafe { fork() },
        None => unavailable(),
    };
    if pid != 0 {
        arms::trap_counter_again();
    }
    pid
}
