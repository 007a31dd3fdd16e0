//! The floor's signal handlers disturb nobody's.
#![expect(unsafe_code, reason = "installs signal handlers")]
#![expect(
    clippy::disallowed_methods,
    reason = "starts processes beside the simulation"
)]

use std::arch::x86_64::_rdtsc;
use std::env;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Output};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use sim_runtime::interpose::outside;

use crate::floor::simulated;
use crate::floor_inline::inline_call;

static CAUGHT: AtomicI32 = AtomicI32::new(0);

extern "C" fn note(signal: libc::c_int) {
    CAUGHT.store(signal, Ordering::Relaxed);
}

/// Runs a part of this test binary in a process of its own.
fn part(name: &str) -> Output {
    let exe = env::current_exe().expect("a path");
    let mut command = Command::new(exe);
    command
        .args(["--exact", "floor_signals::parts", "--nocapture"])
        .env("FLOOR_PART", name)
        .env("RUST_BACKTRACE", "0");
    command.output().expect("it starts")
}

/// What the others run as processes of their own; by itself it does nothing.
#[test]
fn parts() {
    match env::var("FLOOR_PART").as_deref() {
        Ok("guest-handlers") => simulated(1, guest_handlers),
        Ok("overflow") => assert_eq!(simulated(1, || overflow(0)), 0),
        Ok("fault") => simulated(1, fault),
        Ok("masked") => simulated(1, masked),
        Ok("masked-by-number") => simulated(1, masked_by_number),
        Ok("children") => simulated(1, children),
        Ok("after") => {
            simulated(1, || ());
            fault();
        }
        _ => {}
    }
}

/// A guest's own handlers are called, shown, and do not replace the floor's.
fn guest_handlers() {
    for signal in [libc::SIGSYS, libc::SIGSEGV, libc::SIGUSR1] {
        // SAFETY: the handler stores to a static.
        let before = unsafe { libc::signal(signal, note as *const () as usize) };
        assert_ne!(before, libc::SIG_ERR);
        // SAFETY: sends a signal to this thread.
        assert_eq!(unsafe { libc::raise(signal) }, 0);
        assert_eq!(CAUGHT.load(Ordering::Relaxed), signal);
        // SAFETY: zeroes are an empty disposition.
        let mut shown: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: asks for the disposition alone.
        unsafe { libc::sigaction(signal, ptr::null(), &mut shown) };
        assert_eq!(shown.sa_sigaction, note as *const () as usize);
        CAUGHT.store(0, Ordering::Relaxed);
        // SAFETY: every x86-64 processor has it.
        unsafe { _rdtsc() };
        // SAFETY: asks for a number.
        unsafe { inline_call(libc::SYS_getuid, [0; 4]) };
        assert_eq!(CAUGHT.load(Ordering::Relaxed), 0, "the floor's own traps");
    }
    println!("handlers done");
}

/// Programs that a guest starts, by each way there is, have a counter and a clock.
fn children() {
    let clock = || {
        let output = Command::new("date").arg("+%s").output();
        let output = output.expect("it starts");
        assert!(output.status.success(), "{output:?}");
    };
    clock();
    outside(clock);
    let mut forked = Command::new("date");
    // SAFETY: nothing is done between fork and exec; it makes std use fork.
    unsafe { forked.pre_exec(|| Ok(())) };
    assert!(forked.output().expect("it starts").status.success());
    println!("children done");
}

fn masked() {
    // SAFETY: zeroes are an empty set.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a live set.
    unsafe { libc::sigfillset(&mut all) };
    // SAFETY: a live set, and null for the old one.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &all, ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &all, ptr::null_mut()) };
    // SAFETY: every x86-64 processor has it.
    unsafe { _rdtsc() };
    // SAFETY: asks for a number.
    unsafe { inline_call(libc::SYS_getuid, [0; 4]) };
    println!("masked done");
}

/// The thread's mask, and a new one if there is any: by libc's `syscall` or by hand.
fn mask(by_hand: bool, how: libc::c_int, new: Option<u64>) -> u64 {
    let (mut old, new) = (0_u64, new.as_ref());
    let new = new.map_or(ptr::null(), ptr::from_ref) as usize;
    let arguments = [how as usize, new, &raw mut old as usize, size_of::<u64>()];
    let [a, b, c, d] = arguments;
    let answer = match by_hand {
        // SAFETY: both sets are live, or null.
        true => unsafe { inline_call(libc::SYS_rt_sigprocmask, arguments) },
        // SAFETY: as above.
        false => unsafe { libc::syscall(libc::SYS_rt_sigprocmask, a, b, c, d) as isize },
    };
    assert_eq!(answer, 0);
    old
}

/// A mask that is set by hand stays set, and never covers the floor's own signals.
fn masked_by_number() {
    let bit = |signal: libc::c_int| 1_u64 << (signal - 1);
    let ours = bit(libc::SIGSYS) | bit(libc::SIGSEGV);
    for by_hand in [true, false] {
        let before = mask(by_hand, libc::SIG_BLOCK, Some(bit(libc::SIGUSR2) | ours));
        let after = mask(!by_hand, 0, None);
        assert_eq!(after, before | bit(libc::SIGUSR2), "by hand: {by_hand}");
        // SAFETY: every x86-64 processor has it.
        unsafe { _rdtsc() };
        mask(by_hand, libc::SIG_UNBLOCK, Some(bit(libc::SIGUSR2)));
        assert_eq!(mask(!by_hand, 0, None), before);
    }
    // The alternate stack of signals, which std has set, is taken off by hand.
    // SAFETY: zeroes are a valid stack.
    let (mut off, mut shown): (libc::stack_t, libc::stack_t) = unsafe { std::mem::zeroed() };
    off.ss_flags = libc::SS_DISABLE;
    // SAFETY: a live structure, and null for the old one.
    unsafe { inline_call(libc::SYS_sigaltstack, [&raw const off as usize, 0, 0, 0]) };
    // SAFETY: a live structure, and null for the new one.
    assert_eq!(unsafe { libc::sigaltstack(ptr::null(), &mut shown) }, 0);
    assert_eq!(shown.ss_flags, libc::SS_DISABLE);
    println!("masked-by-number done");
}

#[expect(unconditional_recursion, reason = "overflows the stack")]
fn overflow(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + room[1]
}

fn fault() {
    let nowhere = std::hint::black_box(ptr::without_provenance::<u8>(8));
    // SAFETY: none: this is the fault that is asked for.
    let byte = unsafe { nowhere.read_volatile() };
    println!("read {byte}");
}

#[test]
fn a_guest_has_its_own_handlers() {
    let output = part("guest-handlers");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("handlers done"), "{text}");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_guest_that_masks_everything_is_served_all_the_same() {
    for name in ["masked", "masked-by-number"] {
        let output = part(name);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("{name} done")), "{output:?}");
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn a_program_that_a_guest_starts_inherits_no_trap() {
    let output = part("children");
    assert!(String::from_utf8_lossy(&output.stdout).contains("children done"));
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn an_overflow_of_the_stack_is_told_as_std_tells_it() {
    let output = part("overflow");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("has overflowed its stack"), "{text}");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
}

#[test]
fn a_fault_is_a_fault_inside_and_after() {
    for name in ["fault", "after"] {
        let output = part(name);
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{name}");
    }
}
