//! What is armed on this thread.
#![expect(unsafe_code, reason = "prctl(2) is told addresses")]

use std::cell::Cell;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{seccomp, signals, text};
use crate::interpose::floor;
use crate::interpose::hooks::real;

const PR_SET_SYSCALL_USER_DISPATCH: i32 = 59;
const PR_SYS_DISPATCH_OFF: usize = 0;
const PR_SYS_DISPATCH_ON: usize = 1;
/// The selector's values.
const ALLOW: u8 = 0;
const BLOCK: u8 = 1;

/// How inline system calls are caught.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inline {
    /// Not at all; the reason is in `INLINE_MISSING`.
    No,
    Dispatch,
    Seccomp,
}

/// What is armed on a kernel thread. A fiber, which has thread-locals of its own but runs on the
/// kernel thread of its simulation, copies it: [`inherit`].
#[derive(Clone, Copy)]
pub(crate) struct ThreadArms {
    /// What the kernel reads at each system call; null when it does not.
    selector: *const AtomicU8,
    inline: Inline,
    tsc: bool,
}

impl ThreadArms {
    const NONE: Self = Self {
        selector: ptr::null(),
        inline: Inline::No,
        tsc: false,
    };
}

thread_local! {
    static SELECTOR: AtomicU8 = const { AtomicU8::new(ALLOW) };
    static ARMS: Cell<ThreadArms> = const { Cell::new(ThreadArms::NONE) };
    static INLINE_MISSING: Cell<Option<&'static str>> = const { Cell::new(None) };
    static TSC_MISSING: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// What is armed on this thread.
pub(crate) fn thread_arms() -> ThreadArms {
    ARMS.get()
}

/// Takes over what is armed on the kernel thread, for code with thread-locals of its own.
pub(crate) fn inherit(arms: ThreadArms) {
    ARMS.set(arms);
}

/// Arms both layers, as far as this machine has them, for a simulation that is entered.
/// Some system calls.
pub(crate) fn enter_thread() {
    signals::install();
    let mut arms = ThreadArms::NONE;
    match arm_inline() {
        Ok(inline) => {
            arms.inline = inline;
            if inline == Inline::Dispatch {
                arms.selector = SELECTOR.with(ptr::from_ref);
            }
            INLINE_MISSING.set(None);
        }
        Err(reason) => INLINE_MISSING.set(Some(reason)),
    }
    arms.tsc = false;
    match arm_tsc() {
        Ok(()) => {
            arms.tsc = true;
            TSC_MISSING.set(None);
        }
        Err(reason) => TSC_MISSING.set(Some(reason)),
    }
    ARMS.set(arms);
    set_selector(arms, BLOCK);
}

/// Takes both off. A seccomp filter stays, and passes everything through.
pub(crate) fn leave_thread() {
    let arms = ARMS.replace(ThreadArms::NONE);
    set_selector(arms, ALLOW);
    if arms.inline == Inline::Dispatch {
        let off = [PR_SYS_DISPATCH_OFF, 0, 0, 0];
        // What was on can be put off; and if not, the selector allows everything.
        let _done = prctl(PR_SET_SYSCALL_USER_DISPATCH, off);
    }
    if arms.tsc {
        allow_tsc(true);
    }
}

/// Lets the kernel serve inline calls until [`close_again`], for the few that only the caller's
/// own instruction can make. False where that can't be done.
pub(super) fn open() -> bool {
    let arms = ARMS.get();
    set_selector(arms, ALLOW);
    arms.inline == Inline::Dispatch
}

/// Ends what [`open`] began. A load and a branch where nothing is armed.
#[inline]
pub(crate) fn close_again() {
    set_selector(ARMS.get(), BLOCK);
}

#[inline]
fn set_selector(arms: ThreadArms, value: u8) {
    if !arms.selector.is_null() {
        // SAFETY: it is the simulation's own thread-local, which outlives the simulation and
        // with it every fiber that copied the address.
        let selector = unsafe { &*arms.selector };
        selector.store(value, Ordering::Relaxed);
    }
}

/// Whether the time-stamp counter is trapped on this kernel thread.
pub(super) fn tsc_is_armed() -> bool {
    ARMS.get().tsc
}

/// Whether this kernel thread may be sent one of our two signals.
pub(super) fn any_is_armed() -> bool {
    let arms = ARMS.get();
    arms.tsc || arms.inline != Inline::No
}

/// Switches the trap of the armed thread; used around reads of the true counter.
pub(super) fn allow_tsc(allowed: bool) {
    let mode = if allowed {
        libc::PR_TSC_ENABLE
    } else {
        libc::PR_TSC_SIGSEGV
    };
    let _same_as_before = prctl(libc::PR_SET_TSC, [mode as usize, 0, 0, 0]);
}

/// Frees the counter until [`trap_counter_again`]: the trap would be inherited by threads and by
/// programs that are started meanwhile. Nothing where it is not armed.
pub(crate) fn free_counter() {
    if tsc_is_armed() {
        allow_tsc(true);
    }
}

/// Ends what [`free_counter`] began.
pub(crate) fn trap_counter_again() {
    if tsc_is_armed() {
        allow_tsc(false);
    }
}

/// The state of the inline layer on this thread, for the floor report.
pub(crate) fn inline_state() -> Result<(), String> {
    state(ARMS.get().inline != Inline::No, INLINE_MISSING.get())
}

/// The state of the counter's layer on this thread, for the floor report.
pub(crate) fn tsc_state() -> Result<(), String> {
    state(ARMS.get().tsc, TSC_MISSING.get())
}

fn state(armed: bool, missing: Option<&str>) -> Result<(), String> {
    if armed {
        return Ok(());
    }
    Err(missing
        .unwrap_or("this thread is in no simulation")
        .to_owned())
}

fn arm_inline() -> Result<Inline, &'static str> {
    if floor::is_without("inline-syscalls") {
        return Err("switched off");
    }
    let libc = libc_text().ok_or("the C library's text was not found")?;
    let length = libc.end - libc.start;
    let selector = SELECTOR.with(ptr::from_ref) as usize;
    let on = [PR_SYS_DISPATCH_ON, libc.start, length, selector];
    if !floor::is_without("user-dispatch") && prctl(PR_SET_SYSCALL_USER_DISPATCH, on) {
        return Ok(Inline::Dispatch);
    }
    if crate::process::fresh().is_err() {
        return Err("no syscall user dispatch here, and a seccomp filter never comes off");
    }
    match seccomp::trap_outside(&libc) {
        true => Ok(Inline::Seccomp),
        false => Err("neither syscall user dispatch nor seccomp can be had"),
    }
}

fn arm_tsc() -> Result<(), &'static str> {
    if floor::is_without("tsc") {
        return Err("switched off");
    }
    match prctl(libc::PR_SET_TSC, [libc::PR_TSC_SIGSEGV as usize, 0, 0, 0]) {
        true => Ok(()),
        false => Err("the kernel does not trap the time-stamp counter"),
    }
}

/// The C library's text, which may make system calls.
fn libc_text() -> Option<std::ops::Range<usize>> {
    static TEXT: OnceLock<Option<std::ops::Range<usize>>> = OnceLock::new();
    let find = || text::around(real::SYSCALL.get()? as usize);
    TEXT.get_or_init(find).clone()
}

fn prctl(option: i32, arguments: [usize; 4]) -> bool {
    let [a, b, c, d] = arguments;
    // SAFETY: the two options used here change what instructions of this thread do; the range and
    // the selector that one of them is told outlive the simulation.
    (unsafe { libc::prctl(option, a, b, c, d) }) == 0
}
