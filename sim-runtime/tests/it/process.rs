//! One process a seed: this binary starts itself as a worker.
#![expect(
    unsafe_code,
    reason = "registers a handler and asks the kernel about descriptors"
)]
#![expect(clippy::disallowed_methods, reason = "a child may exit as it likes")]

use std::env;
use std::ffi::c_char;
use std::process;
use std::slice;
use std::time::Duration;

use sim_runtime::interpose::floor::{self, LayerName};
use sim_runtime::process::{
    ChildExit, ChildStatus, Reply, VARIABLE, WORKER_HANDLERS, Worker, WorkerCommand, WorkerError,
    wait_any,
};

use crate::floor::{hash_order, simulated};

const LIMIT: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(120);

/// What the children of these tests do, by the first word of the command.
#[linkme::distributed_slice(WORKER_HANDLERS)]
static HANDLER: fn(&[u8], &mut Reply) = |command, reply| {
    let text = str::from_utf8(command).unwrap_or("");
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    match verb {
        "memory" => reply.result(memory(rest.parse().expect("a seed")).as_bytes()),
        "floor" => {
            let lines: Vec<_> = floor::report().iter().map(ToString::to_string).collect();
            reply.result(lines.join("\n").as_bytes());
        }
        #[cfg(floor_traps)]
        "inline" => reply.result(crate::floor_inline::in_child(rest).as_bytes()),
        "length" => reply.result(command.len().to_string().as_bytes()),
        "bytes" => reply.result(&vec![b'x'; rest.parse().expect("a number")]),
        "progress" => (0..3u8).for_each(|step| reply.progress(&[step])),
        "print" => {
            println!("printed {rest}");
            reply.keep_output();
        }
        "descriptors" => reply.result(descriptors().as_bytes()),
        "panic" => panic!("on purpose: {rest}"),
        "abort" => {
            eprintln!("aborting");
            process::abort();
        }
        "result-abort" => {
            reply.result(b"before");
            process::abort();
        }
        "exit" => process::exit(rest.parse().expect("a code")),
        "pid-spin" => {
            reply.progress(&process::id().to_le_bytes());
            loop {
                std::hint::spin_loop();
            }
        }
        "spin" => {
            println!("spinning");
            loop {
                std::hint::spin_loop();
            }
        }
        _ => panic!("no such verb: {verb}"),
    }
};

// SAFETY: the C library defines it with this type.
unsafe extern "C" {
    /// The environment, which the kernel puts on the main thread's stack.
    static environ: *const *const c_char;
}

/// What an address-dependent program sees: heap, stack, statics, and the order of a HashMap.
fn memory(seed: u64) -> String {
    let main_heap = env::args().next().map(|name| name.as_ptr().addr());
    // SAFETY: reads where the list is, which nobody moves meanwhile.
    let main_stack = unsafe { environ }.addr();
    simulated(seed, move || {
        let small = Box::new(1u8);
        let large = vec![0u8; 4 << 20];
        let local = 0u8;
        format!(
            "heap {:p} {:p} {main_heap:x?} stack {:p} {main_stack:x} \
             static {:p} libc {:p} order {:?}",
            &raw const *small,
            large.as_ptr(),
            &raw const local,
            &raw const HANDLER,
            libc::getenv as *const (),
            hash_order(),
        )
    })
}

/// The numbers of the open descriptors below those of the worker.
fn descriptors() -> String {
    let open: Vec<_> = (0..256)
        // SAFETY: asks about a number.
        .filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0)
        .map(|fd| fd.to_string())
        .collect();
    open.join(" ")
}

pub(crate) fn command() -> WorkerCommand {
    WorkerCommand {
        exe: env::current_exe().expect("this binary has a path"),
        cwd: env::current_dir().expect("tests run in a directory"),
        extra_env: Vec::new(),
    }
}

fn worker() -> Worker {
    Worker::spawn(&command()).expect("this binary is a worker")
}

fn run(worker: &mut Worker, command: &str) -> ChildExit {
    worker
        .run(command.as_bytes(), LIMIT, &mut |_| {})
        .expect("the worker lives")
}

/// What `memory` must be the same in two workers: everything, or the order alone where the
/// machine forbids fixed addresses.
fn memory_in(worker: &mut Worker, seed: u64) -> String {
    let all = result(worker, &format!("memory {seed}"));
    let from = if worker.has_fixed_addresses() {
        0
    } else {
        all.find("order").expect("it has")
    };
    all[from..].to_owned()
}

pub(crate) fn result(worker: &mut Worker, command: &str) -> String {
    let exit = run(worker, command);
    assert_eq!(exit.status, ChildStatus::Code(0), "{exit:?}");
    String::from_utf8(exit.result.expect("a result")).expect("text")
}

#[test]
fn two_workers_see_the_same_memory() {
    let first = memory_in(&mut worker(), 11);
    assert_eq!(first, memory_in(&mut worker(), 11));
    assert_ne!(
        first,
        memory_in(&mut worker(), 12),
        "HashMap order is the seed's"
    );
}

#[test]
fn seed_500_after_499_others_sees_what_it_sees_alone() {
    let mut sweep = worker();
    for seed in 1..500 {
        // Seeds end in many ways, and none may leave a trace.
        let verb = match seed % 50 {
            7 => "panic 1",
            13 => "abort",
            17 => "exit 3",
            19 => "print a line",
            23 => "bytes 300000",
            _ => "memory 9",
        };
        run(&mut sweep, verb);
    }
    let after_others = memory_in(&mut sweep, 500);
    assert_eq!(after_others, memory_in(&mut worker(), 500));
}

#[test]
fn variables_do_not_move_the_stack() {
    let mut with = command();
    with.extra_env
        .push(("SOME_VARIABLE".into(), "of some length".into()));
    let mut with = Worker::spawn(&with).expect("this binary is a worker");
    assert_eq!(memory_in(&mut worker(), 1), memory_in(&mut with, 1));
}

#[test]
fn a_child_dies_with_its_worker() {
    let mut worker = worker();
    worker.start(b"pid-spin", LIMIT).expect("idle");
    let mut reports = Vec::new();
    while reports.is_empty() {
        let ended = wait_any(slice::from_mut(&mut worker), Duration::from_millis(10));
        assert!(ended.is_none(), "{ended:?}");
        reports = worker.take_progress();
    }
    let pid = u32::from_le_bytes(reports[0][..].try_into().expect("four bytes"));
    // SAFETY: works on numbers.
    let child = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let child = i32::try_from(child).expect("a descriptor");
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    drop(worker);
    let mut dead = libc::pollfd {
        fd: child,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the pointer is to one live pollfd.
    assert_eq!(
        unsafe { libc::poll(&mut dead, 1, 60_000) },
        1,
        "it spins on"
    );
    // SAFETY: the descriptor is this function's.
    unsafe { libc::close(child) };
}

#[test]
fn a_worker_started_by_hand_greets_and_ends_with_its_input() {
    let by_hand = process::Command::new(env::current_exe().expect("this binary has a path"))
        .env(VARIABLE, "")
        .stdin(process::Stdio::null())
        .output()
        .expect("it starts");
    assert!(by_hand.status.success(), "{by_hand:?}");
    assert_eq!(by_hand.stdout[..5], *b"H\x0c\0\0\0");
    let flags = by_hand.stdout[13];
    // It made its addresses fixed by itself where the machine lets it; and had one thread.
    assert_eq!(flags, 2 | u8::from(worker().has_fixed_addresses()));
}

/// Whether the machine lets a program have fixed addresses. Per thread, and put back.
fn machine_fixes_addresses() -> bool {
    let no_randomize = libc::ADDR_NO_RANDOMIZE as libc::c_ulong;
    // SAFETY: takes any number; this one changes nothing.
    let before = unsafe { libc::personality(0xffff_ffff) };
    let before = libc::c_ulong::from(before.cast_unsigned());
    // SAFETY: takes any number; affects only what this thread executes.
    let allowed = unsafe { libc::personality(before | no_randomize) } >= 0;
    // SAFETY: as above.
    unsafe { libc::personality(before) };
    allowed
}

#[test]
fn a_child_has_the_floor_of_a_fresh_process() {
    let mut worker = worker();
    let fixed = worker.has_fixed_addresses();
    assert_eq!(fixed, machine_fixes_addresses());
    let report = result(&mut worker, "floor");
    let is_active = |layer: LayerName| {
        let line = format!("{}: active", layer.as_str());
        report.lines().any(|found| found == line)
    };
    for layer in [
        LayerName::Symbols,
        LayerName::FreshProcess,
        LayerName::FreshThread,
    ] {
        assert!(is_active(layer), "{layer:?} in\n{report}");
    }
    assert_eq!(is_active(LayerName::FixedAddresses), fixed, "{report}");
    assert_eq!(result(&mut worker, "descriptors"), "0 1 2");
}

#[test]
fn a_panic_is_a_result() {
    let mut worker = worker();
    let exit = run(&mut worker, "panic of a guest");
    assert_eq!(exit.status, ChildStatus::Code(101));
    assert_eq!(exit.error.as_deref(), Some("on purpose: of a guest"));
    assert!(
        exit.output_tail.contains("process.rs"),
        "{}",
        exit.output_tail
    );
    assert_eq!(result(&mut worker, "length of this"), "14");
}

#[test]
fn a_crash_is_a_result() {
    let mut worker = worker();
    let exit = run(&mut worker, "abort");
    assert_eq!(exit.status, ChildStatus::Signal(libc::SIGABRT));
    assert!(exit.output_tail.starts_with("aborting\n"), "{exit:?}");
    let exit = run(&mut worker, "result-abort");
    assert_eq!(exit.result.as_deref(), Some(&b"before"[..]));
    assert_eq!(exit.status, ChildStatus::Signal(libc::SIGABRT));
    assert!(
        !exit.output_tail.contains("aborting"),
        "nothing of the command before"
    );
    assert_eq!(result(&mut worker, "length 1"), "8");
}

#[test]
fn an_exit_code_is_a_result() {
    let mut worker = worker();
    let exit = run(&mut worker, "exit 42");
    assert_eq!((exit.status, exit.result), (ChildStatus::Code(42), None));
    assert_eq!(result(&mut worker, "length 1"), "8");
}

#[test]
fn a_hang_is_a_result() {
    let mut worker = worker();
    let pid = worker.pid();
    let exit = worker
        .run(b"spin", Duration::from_millis(200), &mut |_| {})
        .expect("it lives");
    assert_eq!(exit.status, ChildStatus::TimedOut);
    assert_eq!(exit.output_tail, "spinning\n");
    assert!(exit.user_us + exit.system_us > 0);
    assert_eq!(result(&mut worker, "length 1"), "8");
    assert_eq!(worker.pid(), pid, "the worker outlives the child");
}

#[test]
fn messages_of_any_length_arrive() {
    let mut worker = worker();
    for length in [0, 1, 4090, 4091, 4092, 1_000_000, 5_000_000] {
        let exit = run(&mut worker, &format!("bytes {length}"));
        assert_eq!(exit.result.map(|bytes| bytes.len()), Some(length));
    }
    let longest = vec![b' '; sim_runtime::process::protocol::COMMAND_MAX];
    let mut longest = String::from_utf8(longest).expect("spaces");
    longest.replace_range(..6, "length");
    assert_eq!(result(&mut worker, &longest), longest.len().to_string());
    longest.push(' ');
    let refused = worker.run(longest.as_bytes(), LIMIT, &mut |_| {});
    assert!(
        matches!(refused, Err(WorkerError::CommandTooLong(_))),
        "{refused:?}"
    );
    assert_eq!(result(&mut worker, "length 1"), "8");
}

#[test]
fn progress_arrives_in_order_and_output_when_asked_for() {
    let mut worker = worker();
    let mut seen = Vec::new();
    let exit = worker
        .run(b"progress", LIMIT, &mut |report| {
            seen.extend_from_slice(report)
        })
        .expect("the worker lives");
    assert_eq!((seen, exit.output_tail.as_str()), (vec![0, 1, 2], ""));
    assert_eq!(run(&mut worker, "print this").output_tail, "printed this\n");
}

#[test]
fn one_thread_drives_many_workers() {
    let mut workers: Vec<_> = (0..3).map(|_| worker()).collect();
    for (worker, verb) in workers.iter_mut().zip(["length 1", "abort", "exit 5"]) {
        worker.start(verb.as_bytes(), LIMIT).expect("idle");
    }
    let busy = workers[0].start(b"length 1", LIMIT);
    assert!(matches!(busy, Err(WorkerError::Busy)), "{busy:?}");
    let mut status = [None; 3];
    while let Some((index, exit)) = wait_any(&mut workers, PATIENCE) {
        status[index] = Some(exit.expect("the worker lives").status);
    }
    let want = [
        ChildStatus::Code(0),
        ChildStatus::Signal(libc::SIGABRT),
        ChildStatus::Code(5),
    ];
    assert_eq!(status, want.map(Some));
}

#[test]
fn a_dead_worker_is_an_error_and_the_next_command_gets_another() {
    let mut worker = worker();
    let first = worker.pid().expect("it lives");
    worker.start(b"spin", LIMIT).expect("idle");
    // SAFETY: sends a signal to a child of this process that has not been reaped.
    unsafe { libc::kill(first.cast_signed(), libc::SIGKILL) };
    let (_, died) = wait_any(slice::from_mut(&mut worker), PATIENCE).expect("it ends");
    assert!(matches!(died, Err(WorkerError::Died(Some(_)))), "{died:?}");
    assert_eq!(result(&mut worker, "length 1"), "8");
    assert_ne!(worker.pid(), Some(first));
}

#[test]
fn what_is_not_a_worker_is_named() {
    let stranger = WorkerCommand {
        exe: "/bin/echo".into(),
        ..command()
    };
    let error = Worker::spawn(&stranger).expect_err("echo greets nobody");
    assert!(matches!(error, WorkerError::NotAWorker(..)), "{error}");
    assert!(
        error.to_string().contains("/echo is not a worker"),
        "{error}"
    );
    let nothing = WorkerCommand {
        exe: "/no/such/file".into(),
        ..command()
    };
    let error = Worker::spawn(&nothing).expect_err("there is no such file");
    assert!(matches!(error, WorkerError::Spawn(..)), "{error}");
}
