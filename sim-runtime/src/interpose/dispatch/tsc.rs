//! `SIGSEGV`: a read of the time-stamp counter, or what it has always been.
#![expect(
    unsafe_code,
    reason = "a signal handler reads and writes the interrupted registers"
)]

use std::arch::x86_64::_rdtsc;
use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::sync::OnceLock;

use super::{arms, signals, text};
use crate::clock::GuestClock;
use crate::guest;
use crate::interpose::hatch;

/// `si_code` of a general protection fault.
const FROM_KERNEL: c_int = 128;

/// Answers a trapped read of the counter: nanoseconds of the guest's monotonic clock, as if the
/// counter ran at 1 GHz.
///
/// # Safety
///
/// Called by the kernel as a handler with `SA_SIGINFO`.
pub(super) unsafe extern "C" fn on_sigsegv(
    signal: c_int,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    // SAFETY: the kernel passes a valid description of the signal.
    let code = unsafe { (*info).si_code };
    // SAFETY: with SA_SIGINFO the third argument is the interrupted context.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let at = registers[libc::REG_RIP as usize] as usize;
    let read = if code == FROM_KERNEL {
        // SAFETY: a general protection fault comes from an instruction that was fetched there.
        unsafe { Read::at(at) }
    } else {
        None
    };
    let Some(read) = read else {
        // SAFETY: the arguments are the kernel's.
        unsafe { signals::chain(signal, info, context) };
        return;
    };
    if !arms::tsc_is_armed() {
        // A thread that was made by a simulation's thread inherits the trap, and nothing else.
        arms::allow_tsc(true);
        return;
    }
    let value = counter(at);
    registers[libc::REG_RAX as usize] = (value & 0xffff_ffff).cast_signed();
    registers[libc::REG_RDX as usize] = (value >> 32).cast_signed();
    if read == Read::WithProcessor {
        // The first processor of the first node.
        registers[libc::REG_RCX as usize] = 0;
    }
    registers[libc::REG_RIP as usize] += read.length();
}

/// The two instructions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    /// `rdtsc`.
    Plain,
    /// `rdtscp`.
    WithProcessor,
}

impl Read {
    /// # Safety
    ///
    /// An instruction starts at `address`.
    unsafe fn at(address: usize) -> Option<Self> {
        let byte = |offset: usize| {
            // SAFETY: each is read only after those before it have shown that the instruction
            // goes on.
            unsafe { ((address + offset) as *const u8).read() }
        };
        match (byte(0), byte(1)) {
            (0x0f, 0x31) => Some(Self::Plain),
            (0x0f, 0x01) if byte(2) == 0xf9 => Some(Self::WithProcessor),
            _ => None,
        }
    }

    const fn length(self) -> i64 {
        match self {
            Self::Plain => 2,
            Self::WithProcessor => 3,
        }
    }
}

/// The guest's counter; the true one for the kernel's own page, whose clocks only real callers
/// read.
fn counter(at: usize) -> u64 {
    let is_guest = !hatch::is_suspended() && !vdso().contains(&at);
    let read = || guest::clock_read(GuestClock::Raw);
    is_guest.then(read).flatten().unwrap_or_else(true_counter)
}

fn true_counter() -> u64 {
    arms::allow_tsc(true);
    // SAFETY: every x86-64 processor has it, and this thread may use it now.
    let value = unsafe { _rdtsc() };
    arms::allow_tsc(false);
    value
}

/// Where the kernel's page of clocks is.
pub(super) fn vdso() -> Range<usize> {
    static VDSO: OnceLock<Range<usize>> = OnceLock::new();
    let find = || {
        // SAFETY: asks for a number.
        let start = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
        text::around(start as usize).unwrap_or(0..0)
    };
    VDSO.get_or_init(find).clone()
}
