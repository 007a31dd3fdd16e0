//! What is left of the floor where a platform has less: the run goes on, and the report says what
//! it cannot rely on. Built with `--cfg landfall_portable`, or `landfall_portable="symbols"`.
#![expect(
    clippy::disallowed_types,
    reason = "what is simulated is what is tested"
)]

use std::time::{Duration, Instant};

use sim_runtime::interpose::floor::{self, LayerName};
use sim_runtime::interpose::{escapes, outside, outside_count};
use sim_runtime::time;

use crate::support;

const HAS_SYMBOLS: bool = cfg!(floor_symbols);

fn line(layers: &[floor::Layer], name: LayerName) -> String {
    let layer = layers.iter().find(|layer| layer.name == name);
    layer.expect("every layer is listed").to_string()
}

#[test]
fn the_report_names_what_is_missing_and_what_that_leaves_uncovered() {
    let (layers, _) = support::run(1, || async { floor::report() });
    assert_eq!(
        line(&layers, LayerName::InlineSyscalls),
        "inline-syscalls: missing (needs Linux on x86-64); uncovered: entropy and clocks read \
         without libc: rustix, ring"
    );
    assert_eq!(
        line(&layers, LayerName::Tsc),
        "tsc: missing (needs Linux on x86-64); uncovered: the time-stamp counter: quanta, minstant"
    );
    let symbols = line(&layers, LayerName::Symbols);
    assert_eq!(symbols == "symbols: active", HAS_SYMBOLS, "{symbols}");
    let fresh = line(&layers, LayerName::FreshProcess);
    assert!(fresh.starts_with("fresh-process: missing ("), "{fresh}");
    assert_eq!(escapes(), []);
}

#[test]
fn a_simulation_runs_and_its_own_clock_is_virtual() {
    let run = || {
        let (slept, summary) = support::run(1, || async {
            let start = time::now();
            time::sleep(Duration::from_secs(3_600)).await;
            time::now() - start
        });
        (slept, summary.digest)
    };
    let first = run();
    assert!(first.0 >= Duration::from_secs(3_600));
    assert_eq!(first, run());
}

#[test]
fn what_no_hook_answers_is_the_machines() {
    let (slept, _) = support::run(1, || async {
        let started = Instant::now();
        time::sleep(Duration::from_secs(3_600)).await;
        started.elapsed()
    });
    assert_eq!(slept >= Duration::from_secs(3_600), HAS_SYMBOLS);
}

#[test]
fn the_hatch_is_there_and_counts() {
    let before = outside_count();
    assert_eq!(outside(|| 5), 5);
    assert_eq!(outside_count() - before, 1);
}

#[cfg(not(floor_symbols))]
#[test]
fn there_are_no_workers_and_the_error_says_so() {
    use sim_runtime::process::{Worker, WorkerCommand, WorkerError, is_child, wait_any};
    let command = WorkerCommand {
        exe: "/bin/true".into(),
        cwd: "/".into(),
        extra_env: Vec::new(),
    };
    let refused = Worker::spawn(&command).expect_err("there are none");
    assert!(matches!(refused, WorkerError::Unsupported), "{refused}");
    assert!(wait_any(&mut [], Duration::ZERO).is_none());
    assert!(!is_child());
}

/// Without fibers a thread of a guest would run outside the simulation.
#[cfg(floor_symbols)]
#[test]
fn a_guest_gets_no_thread() {
    let (error, _) = support::run(1, || async {
        let made = std::thread::Builder::new().spawn(|| ());
        made.map(|_| ()).expect_err("refused").raw_os_error()
    });
    assert_eq!(error, Some(libc::EAGAIN));
    let outside = std::thread::Builder::new().spawn(|| 42).expect("a thread");
    assert_eq!(outside.join().expect("no panic"), 42);
}
