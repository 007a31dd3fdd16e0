//! `SIGSYS`: a system call made without the C library.
#![expect(
    unsafe_code,
    reason = "a signal handler reads and writes the interrupted registers"
)]

use std::ffi::{c_int, c_long, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{arms, masks, signals};
use crate::interpose::hatch;
use crate::interpose::hooks::{real, syscall};

/// `si_code` of syscall user dispatch and of seccomp.
const USER_DISPATCH: c_int = 2;
const SECCOMP: c_int = 1;

/// Calls that only the caller's own instruction can make: they return elsewhere, or twice.
pub(super) const OWN_INSTRUCTION: [c_long; 5] = [
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_rt_sigreturn,
];

/// The length of `syscall`.
const INSTRUCTION: i64 = 2;

/// More numbers than there are.
const NUMBERS: usize = 512;

static ESCAPES: [AtomicU32; NUMBERS] = [const { AtomicU32::new(0) }; NUMBERS];

/// The system calls that were made without the C library inside a simulation, in this process,
/// and that no simulated kernel has answered: (number, how often), by number.
///
/// Not empty means that the run has touched the machine behind the simulation's back.
pub fn escapes() -> Vec<(u32, u32)> {
    (0..)
        .zip(&ESCAPES)
        .map(|(number, count)| (number, count.load(Ordering::Relaxed)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Answers a trapped system call.
///
/// # Safety
///
/// Called by the kernel as a handler with `SA_SIGINFO`.
pub(super) unsafe extern "C" fn on_sigsys(
    signal: c_int,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    // SAFETY: the kernel passes a valid description of the signal.
    let code = unsafe { (*info).si_code };
    if code != USER_DISPATCH && code != SECCOMP {
        // SAFETY: the arguments are the kernel's.
        unsafe { signals::chain(signal, info, context) };
        return;
    }
    // SAFETY: with SA_SIGINFO the third argument is the interrupted context, which is ours until
    // we return.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    let register = |index: c_int| registers[index as usize] as usize;
    let number = register(libc::REG_RAX) as c_long;
    if OWN_INSTRUCTION.contains(&number) && arms::open() {
        count_escape(number);
        registers[libc::REG_RIP as usize] -= INSTRUCTION;
        return;
    }
    let arguments = [
        libc::REG_RDI,
        libc::REG_RSI,
        libc::REG_RDX,
        libc::REG_R10,
        libc::REG_R8,
        libc::REG_R9,
    ]
    .map(register);
    let errno = real::errno();
    // SAFETY: the arguments are those that the kernel was asked with.
    let answer = unsafe { call(number, arguments) };
    registers[libc::REG_RAX as usize] = answer;
    masks::keep(number, context);
    real::set_errno(errno);
}

/// Makes the call, by the simulation or by the kernel; an error is its number, negative.
///
/// # Safety
///
/// As for the system call of that number.
unsafe fn call(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> c_long {
    // SAFETY: the caller's promise.
    let served = unsafe { syscall::serve(number, [a, b, c, d, e, f]) };
    let answer = served.unwrap_or_else(|| {
        count_escape(number);
        let Some(syscall) = real::SYSCALL.get() else {
            return real::unavailable().into();
        };
        // SAFETY: the caller's promise, passed on.
        unsafe { syscall(number, a, b, c, d, e, f) }
    });
    match answer {
        -1 => -c_long::from(real::errno()),
        answer => answer,
    }
}

fn count_escape(number: c_long) {
    if hatch::is_suspended() || !crate::in_simulation() {
        return;
    }
    let index = usize::try_from(number).unwrap_or(NUMBERS).min(NUMBERS - 1);
    ESCAPES[index].fetch_add(1, Ordering::Relaxed);
}
