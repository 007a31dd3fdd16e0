//! Masks and alternate stacks by number: what a handler changes of them is undone when it returns,
//! unless it changes the interrupted context too.
#![expect(
    unsafe_code,
    reason = "reads a mask of the caller's and writes the interrupted context"
)]

use std::ffi::{c_int, c_long};
use std::ptr;

use libc::ucontext_t;

use super::arms;
use crate::interpose::hooks::real;

/// The kernel's set of signals.
type Set = u64;

const fn bit(signal: c_int) -> Set {
    1 << (signal - 1)
}

/// The kernel kills a thread that has blocked a signal which it is sent by its own instruction.
const OURS: Set = bit(libc::SIGSYS) | bit(libc::SIGSEGV);

/// Serves `rt_sigprocmask` by number; `None` where the kernel must answer, as it was asked.
///
/// # Safety
///
/// `new` is null or valid for a read of `size` bytes; `old` null or valid for a write of as many.
pub(in crate::interpose) unsafe fn serve_by_number(
    [how, new, old, size, ..]: [usize; 6],
) -> Option<c_long> {
    let is_harmless = how as c_int == libc::SIG_UNBLOCK || !arms::any_is_armed();
    if new == 0 || size != size_of::<Set>() || is_harmless {
        return None;
    }
    // SAFETY: not null, and so valid by the contract; it need not be aligned.
    let reduced = unsafe { ptr::read_unaligned(new as *const Set) } & !OURS;
    let new = &raw const reduced as usize;
    let syscall = real::SYSCALL.get()?;
    // SAFETY: the set is live; the rest is the caller's promise.
    Some(unsafe { syscall(libc::SYS_rt_sigprocmask, how, new, old, size, 0, 0) })
}

/// After a call that was made in a handler: what it changed of the thread stays changed when the
/// handler returns.
pub(super) fn keep(number: c_long, context: &mut ucontext_t) {
    let Some(syscall) = real::SYSCALL.get() else {
        return;
    };
    match number {
        libc::SYS_rt_sigprocmask => {
            let mask = &raw mut context.uc_sigmask as usize;
            let size = size_of::<Set>();
            // SAFETY: asks for the mask alone; the kernel's part of it is of that size.
            unsafe { syscall(number, 0, 0, mask, size, 0, 0) };
        }
        libc::SYS_sigaltstack => {
            let stack = &raw mut context.uc_stack as usize;
            // SAFETY: asks for the stack alone, which is the kernel's structure.
            unsafe { syscall(number, 0, stack, 0, 0, 0, 0) };
        }
        _ => {}
    }
}
