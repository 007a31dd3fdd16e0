//! The handlers of `SIGSYS` and `SIGSEGV`, and what everybody else believes them to be.
//!
//! A disposition belongs to the process. Once ours are installed, `sigaction` and `signal` set
//! and show a copy, and signals that are not for us go where the copy says: to the guest's
//! handler, to std's (which knows a stack overflow), or to the default, which is death.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library and calls handlers"
)]

use std::array;
use std::ffi::{c_int, c_long, c_void};
use std::mem;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};

use libc::{sighandler_t, siginfo_t, sigset_t};

use super::{arms, inline, tsc};
use crate::interpose::hooks::real::Real;
use crate::interpose::hooks::unavailable;

type Sigaction = unsafe extern "C" fn(c_int, *const libc::sigaction, *mut libc::sigaction) -> c_int;
type Signal = unsafe extern "C" fn(c_int, sighandler_t) -> sighandler_t;
type Sigmask = unsafe extern "C" fn(c_int, *const sigset_t, *mut sigset_t) -> c_int;

// SAFETY: the type is that of the function's manual page.
static SIGACTION: Real<Sigaction> = unsafe { Real::new(c"sigaction") };
// SAFETY: as above.
static SIGNAL: Real<Signal> = unsafe { Real::new(c"signal") };
// SAFETY: as above.
static PTHREAD_SIGMASK: Real<Sigmask> = unsafe { Real::new(c"pthread_sigmask") };
// SAFETY: as above.
static SIGPROCMASK: Real<Sigmask> = unsafe { Real::new(c"sigprocmask") };

const MASK_WORDS: usize = size_of::<sigset_t>() / size_of::<u64>();

/// A disposition that can be read in a handler.
struct Disposition {
    handler: AtomicUsize,
    flags: AtomicI32,
    mask: [AtomicU64; MASK_WORDS],
}

impl Disposition {
    const fn new() -> Self {
        Self {
            handler: AtomicUsize::new(libc::SIG_DFL),
            flags: AtomicI32::new(0),
            mask: [const { AtomicU64::new(0) }; MASK_WORDS],
        }
    }

    fn load(&self) -> libc::sigaction {
        let words: [u64; MASK_WORDS] =
            array::from_fn(|index| self.mask[index].load(Ordering::Relaxed));
        libc::sigaction {
            sa_sigaction: self.handler.load(Ordering::Relaxed),
            // SAFETY: a set of signals is an array of words, each bit of which means a signal.
            sa_mask: unsafe { mem::transmute::<[u64; MASK_WORDS], sigset_t>(words) },
            sa_flags: self.flags.load(Ordering::Relaxed),
            sa_restorer: None,
        }
    }

    fn store(&self, action: &libc::sigaction) {
        // SAFETY: as in `load`.
        let words = unsafe { mem::transmute::<sigset_t, [u64; MASK_WORDS]>(action.sa_mask) };
        for (word, value) in self.mask.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        self.flags.store(action.sa_flags, Ordering::Relaxed);
        self.handler.store(action.sa_sigaction, Ordering::Relaxed);
    }
}

static OF_SIGSYS: Disposition = Disposition::new();
static OF_SIGSEGV: Disposition = Disposition::new();
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The copy that stands for a signal's disposition, once ours is installed.
fn copy_of(signal: c_int) -> Option<&'static Disposition> {
    if !INSTALLED.load(Ordering::Acquire) {
        return None;
    }
    match signal {
        libc::SIGSYS => Some(&OF_SIGSYS),
        libc::SIGSEGV => Some(&OF_SIGSEGV),
        _ => None,
    }
}

type Handler = unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Puts ours in place, for the rest of the process' life.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Found now, since the loader is not to be asked in a handler.
        let _range = tsc::vdso();
        // A handler of inline calls may end up suspending a fiber: it runs on the stack that was
        // interrupted, and masks nothing. The other one never does, and may have to run when a
        // stack has overflowed.
        take(libc::SIGSYS, &OF_SIGSYS, inline::on_sigsys, 0);
        take(
            libc::SIGSEGV,
            &OF_SIGSEGV,
            tsc::on_sigsegv,
            libc::SA_ONSTACK,
        );
        INSTALLED.store(true, Ordering::Release);
    });
}

fn take(signal: c_int, copy: &Disposition, handler: Handler, flags: c_int) {
    let ours = libc::sigaction {
        sa_sigaction: handler as sighandler_t,
        sa_flags: libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_RESTART | flags,
        ..Disposition::new().load()
    };
    let mut theirs = Disposition::new().load();
    if set(signal, &ours, &mut theirs) {
        copy.store(&theirs);
    }
}

/// The real `sigaction`.
fn set(signal: c_int, new: &libc::sigaction, old: &mut libc::sigaction) -> bool {
    let Some(sigaction) = SIGACTION.get() else {
        return false;
    };
    // SAFETY: both are live.
    (unsafe { sigaction(signal, new, old) }) == 0
}

/// Hands a signal that is not ours to whom it would have gone.
///
/// # Safety
///
/// Called from a handler with the kernel's arguments.
pub(super) unsafe fn chain(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(copy) = copy_of(signal) else {
        return;
    };
    let action = copy.load();
    match action.sa_sigaction {
        // The kernel kills who ignores what an instruction did.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: the kernel passes a valid description of the signal.
            let is_sent = unsafe { (*info).si_code } <= 0;
            if is_sent && action.sa_sigaction == libc::SIG_IGN {
                return;
            }
            let mut ours = Disposition::new().load();
            set(signal, &Disposition::new().load(), &mut ours);
            // Sent again, or else met again by the instruction that we return to.
            if is_sent || signal == libc::SIGSYS {
                // SAFETY: sends a signal to this thread.
                unsafe { libc::raise(signal) };
            }
        }
        handler if action.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: whoever set the flag passed a handler of this type.
            let handler = unsafe { mem::transmute::<sighandler_t, Handler>(handler) };
            // SAFETY: the arguments are the kernel's.
            unsafe { handler(signal, info, context) };
        }
        handler => {
            // SAFETY: without the flag a handler takes the number alone.
            let handler = unsafe { mem::transmute::<sighandler_t, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}

/// Serves `sigaction`; `None` where the kernel must.
///
/// # Safety
///
/// `new` is null or valid for a read, `old` null or valid for a write.
unsafe fn serve(
    signal: c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> Option<()> {
    let copy = copy_of(signal)?;
    let before = copy.load();
    if !new.is_null() {
        // SAFETY: not null, and so valid by the contract.
        copy.store(unsafe { &*new });
    }
    if !old.is_null() {
        // SAFETY: not null, and so valid by the contract.
        unsafe { old.write(before) };
    }
    Some(())
}

/// The kernel's own `struct sigaction`, for calls by number.
#[repr(C)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// Serves `rt_sigaction` by number; `None` where the kernel must.
///
/// # Safety
///
/// `new` and `old` are null or valid for the kernel's structure.
pub(in crate::interpose) unsafe fn serve_by_number(
    signal: c_int,
    new: usize,
    old: usize,
) -> Option<c_long> {
    copy_of(signal)?;
    let read = |new: usize| {
        // SAFETY: not null, and so valid by the contract.
        let kernel = unsafe { ptr::read(new as *const KernelAction) };
        let mut words = [0; MASK_WORDS];
        words[0] = kernel.mask;
        libc::sigaction {
            sa_sigaction: kernel.handler,
            // SAFETY: as in `Disposition::load`.
            sa_mask: unsafe { mem::transmute::<[u64; MASK_WORDS], sigset_t>(words) },
            sa_flags: kernel.flags as c_int,
            sa_restorer: None,
        }
    };
    let new = (new != 0).then(|| read(new));
    let mut before = Disposition::new().load();
    let new = new.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: both are live or null.
    unsafe { serve(signal, new, &mut before) }?;
    if old != 0 {
        // SAFETY: as in `Disposition::load`.
        let words = unsafe { mem::transmute::<sigset_t, [u64; MASK_WORDS]>(before.sa_mask) };
        let kernel = KernelAction {
            handler: before.sa_sigaction,
            flags: before.sa_flags as u64,
            restorer: 0,
            mask: words[0],
        };
        // SAFETY: not null, and so valid by the contract.
        unsafe { ptr::write(old as *mut KernelAction, kernel) };
    }
    Some(0)
}

/// `sigaction(2)`.
///
/// # Safety
///
/// As for the C function: `new` is valid for a read and `old` for a write, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour for the guest.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sigaction(
    signal: c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> c_int {
    // SAFETY: the caller's promise.
    if unsafe { serve(signal, new, old) }.is_some() {
        return 0;
    }
    match SIGACTION.get() {
        // SAFETY: the caller's promise, passed on.
        Some(sigaction) => unsafe { sigaction(signal, new, old) },
        None => unavailable(),
    }
}

/// `signal(2)`, with the semantics that glibc gives it: the handler stays, calls are restarted.
///
/// # Safety
///
/// As for the C function: `handler` may be called with a signal's number.
// SAFETY: the name and type are the C library's, and so is the behaviour for the guest.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    let new = libc::sigaction {
        sa_sigaction: handler,
        sa_flags: libc::SA_RESTART,
        ..Disposition::new().load()
    };
    let mut old = Disposition::new().load();
    // SAFETY: both are live.
    if unsafe { serve(signal, &new, &mut old) }.is_some() {
        return old.sa_sigaction;
    }
    match SIGNAL.get() {
        // SAFETY: the caller's promise, passed on.
        Some(real) => unsafe { real(signal, handler) },
        None => {
            unavailable();
            libc::SIG_ERR
        }
    }
}

/// Calls `f` with `set`, or with a copy of it that leaves our two signals alone: the kernel
/// kills a thread that has blocked a signal which it is sent by its own instruction.
///
/// # Safety
///
/// `set` is null or valid for a read.
unsafe fn without_ours<R>(
    how: c_int,
    set: *const sigset_t,
    f: impl FnOnce(*const sigset_t) -> R,
) -> R {
    if set.is_null() || how == libc::SIG_UNBLOCK || !arms::any_is_armed() {
        return f(set);
    }
    // SAFETY: not null, and so valid by the contract.
    let mut reduced = unsafe { set.read() };
    for ours in [libc::SIGSYS, libc::SIGSEGV] {
        // SAFETY: a live set and the number of a signal.
        unsafe { libc::sigdelset(&mut reduced, ours) };
    }
    f(&reduced)
}

/// `pthread_sigmask(3)`, which returns its error instead of setting errno.
///
/// # Safety
///
/// As for the C function: `set` is valid for a read and `old` for a write, or null.
// SAFETY: the name and type are the C library's; two signals stay open on a simulation's thread.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_sigmask(
    how: c_int,
    set: *const sigset_t,
    old: *mut sigset_t,
) -> c_int {
    let Some(real) = PTHREAD_SIGMASK.get() else {
        return libc::ENOSYS;
    };
    // SAFETY: the caller's promise, passed on.
    unsafe { without_ours(how, set, |set| real(how, set, old)) }
}

/// `sigprocmask(2)`.
///
/// # Safety
///
/// As for the C function: `set` is valid for a read and `old` for a write, or null.
// SAFETY: the name and type are the C library's; two signals stay open on a simulation's thread.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sigprocmask(
    how: c_int,
    set: *const sigset_t,
    old: *mut sigset_t,
) -> c_int {
    let Some(real) = SIGPROCMASK.get() else {
        return unavailable();
    };
    // SAFETY: the caller's promise, passed on.
    unsafe { without_ours(how, set, |set| real(how, set, old)) }
}
