//! Threads, where there are no fibers: a guest gets none.
//!
//! A real thread would run beside the simulation, by the machine's clock and order.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::backtrace::Backtrace;
use std::ffi::{c_int, c_void};

use libc::{pthread_attr_t, pthread_t};

use super::real::{PTHREAD_CREATE, ThreadStart};
use crate::interpose::{self, hatch};
use crate::world;

/// `pthread_create(3)`: `EAGAIN` inside a simulation, and a message that names node, task and call.
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
    if !hatch::is_suspended() && crate::in_simulation() {
        let who = world::with(|world| world.who());
        let frames = interpose::outside(Backtrace::force_capture);
        eprintln!(
            "landfall: no thread for {who}: this platform has no fibers to run it on; \
             run it outside, or as a task\n{frames}"
        );
        return libc::EAGAIN;
    }
    match PTHREAD_CREATE.get() {
        // SAFETY: the caller's promise, passed on.
        Some(create) => unsafe { create(thread, attributes, start, argument) },
        None => libc::ENOSYS,
    }
}
