//! Layer 2 of the floor: system calls that do not go through the C library.
#![expect(unsafe_code, reason = "makes system calls by hand")]
#![expect(
    clippy::disallowed_methods,
    reason = "threads beside the simulation are real"
)]

use std::arch::asm;
use std::backtrace::Backtrace;
use std::fs;
use std::process::Command;
use std::thread;

use sim_runtime::interpose::floor::{self, LayerName};
use sim_runtime::interpose::{escapes, outside};
use sim_runtime::process::Worker;

use crate::floor::simulated;
use crate::process;

/// A system call as rustix makes it.
pub(crate) unsafe fn inline_call(number: libc::c_long, arguments: [usize; 4]) -> isize {
    let [a, b, c, d] = arguments;
    let answer;
    // SAFETY: the instruction clobbers what is said; the rest is the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

fn random_bytes() -> [u8; 16] {
    let mut out = [0_u8; 16];
    let arguments = [out.as_mut_ptr() as usize, out.len(), 0, 0];
    // SAFETY: the pointer and length are those of a live array.
    let got = unsafe { inline_call(libc::SYS_getrandom, arguments) };
    assert_eq!(got, 16);
    out
}

fn monotonic_ns() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let clock = libc::CLOCK_MONOTONIC as usize;
    let arguments = [clock, &raw mut now as usize, 0, 0];
    // SAFETY: the pointer is to a live timespec.
    assert_eq!(
        unsafe { inline_call(libc::SYS_clock_gettime, arguments) },
        0
    );
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Sleeps and reads the clock around it.
fn slept_ns(ns: i64) -> i64 {
    let request = libc::timespec {
        tv_sec: ns / 1_000_000_000,
        tv_nsec: ns % 1_000_000_000,
    };
    let start = monotonic_ns();
    let arguments = [&raw const request as usize, 0, 0, 0];
    // SAFETY: the pointer is to a live timespec, and null asks for no rest.
    assert_eq!(unsafe { inline_call(libc::SYS_nanosleep, arguments) }, 0);
    monotonic_ns() - start
}

fn count_of(number: libc::c_long) -> u32 {
    let escapes = escapes();
    let found = escapes
        .iter()
        .find(|(escaped, _)| i64::from(*escaped) == number);
    found.map_or(0, |(_, count)| *count)
}

#[test]
fn a_seed_fixes_what_inline_calls_answer() {
    let draw = || {
        let started = monotonic_ns();
        (random_bytes(), random_bytes(), monotonic_ns() - started)
    };
    let run = move |seed| simulated(seed, draw);
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
    let slept = simulated(1, || slept_ns(3_600_000_000_000));
    assert!((3_600_000_000_000..3_601_000_000_000).contains(&slept));
}

#[test]
fn what_no_simulation_answers_is_made_and_counted() {
    // getpriority: nothing else in these tests calls it.
    let number = libc::SYS_getpriority;
    let call = move || {
        // SAFETY: asks for a number.
        unsafe { inline_call(number, [0, 0, 0, 0]) }
    };
    let before = count_of(number);
    let real = call();
    assert_eq!(count_of(number), before, "a thread outside is not trapped");
    assert_eq!(simulated(1, call), real);
    assert_eq!(count_of(number), before + 1);
    assert_eq!(simulated(1, move || outside(call)), real);
    assert_eq!(count_of(number), before + 1, "asked for by the hatch");
}

#[test]
fn errors_and_errno_are_as_the_kernel_has_them() {
    simulated(1, || {
        // SAFETY: the kernel refuses the number of this call.
        let answer = unsafe { inline_call(9_999, [0; 4]) };
        assert_eq!(answer, -(libc::ENOSYS as isize));
        // SAFETY: an address that is not mapped is what the kernel is to refuse.
        let answer = unsafe { inline_call(libc::SYS_getrandom, [0, 16, 0xff00, 0]) };
        assert_eq!(answer, -(libc::EINVAL as isize));
        // SAFETY: closes nothing.
        assert_eq!(unsafe { libc::close(-1) }, -1);
        // SAFETY: as above.
        unsafe { inline_call(9_999, [0; 4]) };
        let errno = std::io::Error::last_os_error().raw_os_error();
        assert_eq!(errno, Some(libc::EBADF), "an inline call sets no errno");
    });
}

/// Forks by hand; the child answers by its exit code.
fn forked() -> i32 {
    // SAFETY: the child makes one inline call and ends.
    let pid = unsafe { inline_call(libc::SYS_fork, [0; 4]) };
    if pid == 0 {
        // SAFETY: ends the child, which was forked from one of several threads.
        unsafe { inline_call(libc::SYS_exit_group, [42, 0, 0, 0]) };
    }
    assert!(pid > 0, "{pid}");
    let mut status = 0;
    let pid = libc::pid_t::try_from(pid).expect("a process id");
    // SAFETY: waits for the child; the status is a live int.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    libc::WEXITSTATUS(status)
}

#[test]
fn an_inline_fork_returns_twice_and_its_child_is_free() {
    let (code, after) = simulated(1, || (forked(), random_bytes()));
    assert_eq!(code, 42);
    assert_ne!(after, [0; 16]);
}

/// The kernel's word for the filters of this thread: `2` where there are any.
fn filters() -> String {
    let status = fs::read_to_string("/proc/thread-self/status").expect("the kernel has it");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"));
    line.expect("it is listed").trim().to_owned()
}

/// What a seed's process does when `part` is asked of it.
pub(crate) fn in_child(part: &str) -> String {
    let seen = simulated(1, || {
        let layers = floor::report();
        let inline = layers
            .iter()
            .find(|layer| layer.name == LayerName::InlineSyscalls);
        let inline = inline.expect("every layer is listed").to_string();
        let answers = (random_bytes(), slept_ns(5_000_000_000), random_bytes());
        let before = count_of(libc::SYS_getpriority);
        // SAFETY: asks for a number.
        let real = unsafe { inline_call(libc::SYS_getpriority, [0; 4]) };
        let escaped = count_of(libc::SYS_getpriority) - before;
        let text = Backtrace::force_capture().to_string();
        let backtrace = text.contains("floor_inline::in_child");
        format!("{inline} {answers:?} {real} {escaped} {backtrace}")
    });
    match part {
        "answers" => seen,
        "filters" => filters(),
        // What is done by the caller's own instruction, and by programs and threads beside.
        "others" => {
            let code = simulated(1, forked);
            let output = simulated(1, || outside(|| Command::new("date").output()));
            let date = match output {
                Ok(output) => output.status.success().to_string(),
                Err(error) => format!("{:?}", error.kind()),
            };
            let beside = outside(|| thread::spawn(random_bytes)).join();
            let real = beside.expect("no panic") != random_bytes();
            format!("{code} {date} {real}")
        }
        _ => panic!("no such part: {part}"),
    }
}

#[test]
fn an_older_kernels_filter_gives_the_same_answers() {
    let mut older = process::command();
    let without = ("LANDFALL_FLOOR_WITHOUT".into(), "user-dispatch".into());
    older.extra_env.push(without);
    let mut older = Worker::spawn(&older).expect("this binary is a worker");
    let mut worker = Worker::spawn(&process::command()).expect("this binary is a worker");
    let [by_filter, by_dispatch] =
        [&mut older, &mut worker].map(|worker| process::result(worker, "inline answers"));
    assert_eq!(by_filter, by_dispatch);
    assert!(
        by_filter.starts_with("inline-syscalls: active") && by_filter.ends_with(" 1 true"),
        "{by_filter}"
    );
    assert_eq!(process::result(&mut older, "inline filters"), "2");
    let others = process::result(&mut worker, "inline others");
    assert_eq!(others, "42 true true");
    let others = process::result(&mut older, "inline others");
    assert_eq!(others, "42 PermissionDenied true");
}

#[test]
fn threads_panics_and_backtraces_work_beside_and_inside() {
    let beside = thread::spawn(|| (random_bytes(), random_bytes()));
    let (text, caught) = simulated(1, || {
        let text = Backtrace::force_capture().to_string();
        let caught = std::panic::catch_unwind(|| panic!("a guest's panic"));
        (text, caught.is_err())
    });
    assert!(text.contains("threads_panics_and_backtraces"), "{text}");
    assert!(caught);
    let (first, second) = beside.join().expect("no panic");
    assert_ne!(first, second);
}

#[test]
fn the_report_says_that_the_layer_is_there() {
    let layers = simulated(1, floor::report);
    let of = |name| {
        let layer = layers.iter().find(|layer| layer.name == name);
        layer.expect("every layer is listed").to_string()
    };
    assert_eq!(of(LayerName::InlineSyscalls), "inline-syscalls: active");
    assert_eq!(of(LayerName::Tsc), "tsc: active");
}
