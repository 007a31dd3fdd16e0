//! A child that is about to die says where it is, as far as it can.
//!
//! What it was doing is in the black box; the handlers here add what only the process itself
//! knows: that its stack has overflowed, and a backtrace, if `RUST_BACKTRACE` asks for one or the
//! child is ended because it spins. They run at most once, write with `write(2)`, and the signal
//! goes on to kill the process. One that hangs in them is killed by the worker.
#![expect(unsafe_code, reason = "installs handlers of signals")]

use std::backtrace::Backtrace;
use std::ffi::{c_int, c_void};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{child, sys};
use crate::interpose;
use crate::process::black_box::black_box;
use crate::process::exit::signal_name;

/// Signals that end a process by something it did, and the one that asks where it is.
const SIGNALS: [c_int; 6] = [
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    sys::WHERE_ARE_YOU,
];
/// What a handler may use: a backtrace takes some ten KiB.
const HANDLER_STACK: usize = 512 << 10;
/// How far from the stack pointer an overflow faults.
const NEAR_STACK: usize = 64 << 10;

static SPEAKS: AtomicBool = AtomicBool::new(false);

/// Installs the handlers, for the whole process.
pub(super) fn install() {
    for signal in SIGNALS {
        // SAFETY: a sigaction is integers and a pointer, for which zero is a value.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_ONSTACK;
        // SAFETY: the action is live, and its handler has the type that SA_SIGINFO asks for.
        unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
    }
}

/// Gives this thread, which begins a simulation, a stack for the handlers; returns its number.
pub(crate) fn begin_thread() -> u32 {
    if child::is_child() && !has_handler_stack() {
        let stack = libc::stack_t {
            ss_sp: sys::map(HANDLER_STACK, libc::MAP_PRIVATE),
            ss_flags: 0,
            ss_size: HANDLER_STACK,
        };
        if !stack.ss_sp.is_null() {
            // SAFETY: the memory is mapped, of this size, and never unmapped.
            unsafe { libc::sigaltstack(&stack, ptr::null_mut()) };
        }
    }
    sys::thread_id()
}

fn has_handler_stack() -> bool {
    // SAFETY: a stack_t is integers and a pointer, for which zero is a value.
    let mut stack: libc::stack_t = unsafe { mem::zeroed() };
    // SAFETY: asks, into a live value.
    unsafe { libc::sigaltstack(ptr::null(), &mut stack) };
    stack.ss_flags & libc::SS_DISABLE == 0
}

unsafe extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // What this thread was doing with the C library's error is not over.
    let before = std::io::Error::last_os_error().raw_os_error();
    if signal != sys::WHERE_ARE_YOU {
        black_box()
            .signal
            .store(signal.cast_unsigned(), Ordering::Relaxed);
    }
    if !SPEAKS.swap(true, Ordering::Relaxed) {
        // SAFETY: the kernel's arguments.
        let overflowed = signal == libc::SIGSEGV && unsafe { is_near_stack(info, context) };
        // A panic in here has nobody to go to.
        let _nothing_more = catch_unwind(AssertUnwindSafe(|| {
            interpose::outside(|| speak(signal, overflowed))
        }));
    }
    black_box().has_spoken.store(1, Ordering::Relaxed);
    if signal != sys::WHERE_ARE_YOU {
        sys::reset_signal(signal);
        // Met again by the instruction that we return to, unless somebody sent it.
        // SAFETY: the kernel passes a valid description of the signal.
        if unsafe { (*info).si_code } <= 0 {
            sys::raise(signal);
        }
    }
    sys::set_errno(before.unwrap_or(0));
}

fn speak(signal: c_int, overflowed: bool) {
    if overflowed {
        black_box().overflowed.store(1, Ordering::Relaxed);
        return;
    }
    let backtrace = if signal == sys::WHERE_ARE_YOU {
        Backtrace::force_capture()
    } else {
        Backtrace::capture()
    };
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        let what = if signal == sys::WHERE_ARE_YOU {
            "ended by landfall".to_owned()
        } else {
            signal_name(signal)
        };
        let frames = backtrace.to_string();
        let text = format!("{what} here:\n{}\n", without_handler(&frames));
        // Nobody may be there to read it.
        let _undelivered = sys::write_all(2, text.as_bytes());
    }
}

/// The frames after that of the handler, whose call by the kernel is one without a name.
fn without_handler(frames: &str) -> &str {
    let Some(handler) = frames.rfind("::on_signal\n") else {
        return frames;
    };
    frames[handler..]
        .split_once("<unknown>\n")
        .map_or(frames, |(_, rest)| rest)
}

/// Whether the fault is near the stack pointer.
///
/// # Safety
///
/// Called with the kernel's arguments of `SIGSEGV`.
unsafe fn is_near_stack(info: *mut libc::siginfo_t, context: *mut c_void) -> bool {
    // SAFETY: the kernel passes a valid description, which for this signal has an address.
    let address = unsafe { (*info).si_addr() }.addr();
    // SAFETY: the kernel passes a valid context.
    let context = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    let stack = context.gregs[libc::REG_RSP as usize].cast_unsigned() as usize;
    #[cfg(target_arch = "aarch64")]
    let stack = context.sp as usize;
    address.abs_diff(stack) < NEAR_STACK
}
