//! `__libc_start_main`: where a process becomes a worker, if it was started as one.
//!
//! The executable's `_start` calls this function with its `main`. The C library's own gets a
//! wrapper instead, which runs after every constructor and before the Rust runtime and libtest:
//! there is one thread then, and little has been allocated.
#![expect(
    unsafe_code,
    reason = "stands between the C library's start-up code and `main`"
)]

use std::ffi::{c_char, c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::real::{self, Main};
use crate::interpose::constructors;
use crate::process;

/// Run by the dynamic loader's start-up code before every other constructor, single-threaded.
#[used]
// SAFETY: the section holds pointers to functions that are called with `(argc, argv, envp)` in
// the order of its number; ours touches only statics of this crate and calls `dlsym`, which works
// by then.
#[unsafe(link_section = ".init_array.00001")]
static BEFORE_CONSTRUCTORS: extern "C" fn() = before_constructors;

extern "C" fn before_constructors() {
    real::resolve_all();
    if process::is_worker_to_be() {
        constructors::begin();
    }
}

/// The program's own `main`.
static PROGRAM: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Runs the worker if the environment asks for it, else the program.
unsafe extern "C" fn main(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int {
    constructors::end();
    // SAFETY: the C library calls `main` with the process' own argument and environment lists.
    unsafe { process::run_if_worker(argv, envp) };
    let program = PROGRAM.load(Ordering::Relaxed);
    // SAFETY: `__libc_start_main` stored a `Main` there before the C library called us.
    let program = unsafe { mem::transmute::<*mut c_void, Main>(program) };
    // SAFETY: the arguments are what the C library has for `main`.
    unsafe { program(argc, argv, envp) }
}

/// The C library's start-up function, called by `_start` and by nobody else.
///
/// # Safety
///
/// As called by `_start`.
// SAFETY: the name and type are the C library's; it goes on to the C library's definition.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn __libc_start_main(
    program: Main,
    argc: c_int,
    argv: *mut *mut c_char,
    init: *mut c_void,
    fini: *mut c_void,
    rtld_fini: *mut c_void,
    stack_end: *mut c_void,
) -> c_int {
    PROGRAM.store(program as *mut c_void, Ordering::Relaxed);
    let Some(start) = real::LIBC_START_MAIN.get() else {
        // Nothing has run yet and nothing can: there is no C library to go on with.
        // SAFETY: takes no arguments and does not return.
        unsafe { libc::abort() }
    };
    // SAFETY: the arguments of `_start`, with a `main` of the same type.
    unsafe { start(main, argc, argv, init, fini, rtld_fini, stack_end) }
}
