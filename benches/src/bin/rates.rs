//! How much a core sweeps: seeds, simulated seconds and events a second of processor time, of one
//! test with everything on: faults, ledger, history, checkers, digest, a process for each seed.
//!
//! `rates TEST-EXECUTABLE TEST SEEDS [WORKLOAD-MILLISECONDS]`; with a workload cut to 1 ms it says
//! what a seed costs that does nothing. Processor time of the workers and of all their children, so
//! that other load on the machine does not count.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use landfall::coordinate::{Flow, Pool, RunRequest, TestBinary, Tier};
use landfall::script::Script;

/// Clock ticks a second, in which Linux tells processor times to every program.
const TICKS: u64 = 100;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let (exe, test, seeds, ms) = match &words[..] {
        [exe, test, seeds] => (exe, test, seeds, None),
        [exe, test, seeds, ms] => (exe, test, seeds, ms.parse::<u64>().ok()),
        _ => {
            eprintln!("usage: rates TEST-EXECUTABLE TEST SEEDS [WORKLOAD-MILLISECONDS]");
            return ExitCode::from(2);
        }
    };
    let script = Script {
        workload_ns: ms.map(|ms| ms * 1_000_000),
        ..Script::default()
    };
    let Ok(seeds) = seeds.parse::<u64>() else {
        eprintln!("{seeds} is no count of seeds");
        return ExitCode::from(2);
    };
    let binary = TestBinary {
        exe: PathBuf::from(exe),
        cwd: env::current_dir().expect("there is a current directory"),
    };
    let before = ticks_of_children();
    let mut sums = (0_u64, 0_u64, 0_u64);
    // Of all seeds, in whatever order they end: equal for two builds that run them alike.
    let mut digest = (0_u64, 0_u64);
    let swept = Pool::start(&binary, 1).and_then(|mut pool| {
        let request = |seed| RunRequest::new(test, seed, Tier::Harden).with_script(&script);
        pool.run((0..seeds).map(request), &mut |_, outcome| {
            if let Some(report) = outcome.report() {
                sums.0 += report.virtual_ns;
                sums.1 += report.events;
                sums.2 += report.operations.ok;
                digest.0 ^= report.digest.0;
                digest.1 ^= report.digest.1;
            }
            Flow::Continue
        })
    });
    // The pool is gone here, and its worker waited for.
    if let Err(error) = swept {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let ticks = (ticks_of_children() - before).max(1);
    let rate = |n: u64| n * TICKS / ticks;
    let (virtual_ns, events, operations) = sums;
    println!("| a core-second | |\n|---|--:|");
    println!("| seeds | {} |", rate(seeds));
    println!(
        "| simulated seconds | {} |",
        rate(virtual_ns / 1_000_000_000)
    );
    println!("| events | {} |", rate(events));
    println!("| operations acknowledged | {} |", rate(operations));
    println!(
        "\n{events} events, digest of all {:016x}{:016x}",
        digest.0, digest.1
    );
    ExitCode::SUCCESS
}

/// The processor time of children that were waited for, and of theirs.
fn ticks_of_children() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux tells");
    // The name, in parentheses, may hold anything; user and system time are 14 fields after it.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |place: usize| fields[place].parse::<u64>().expect("a number");
    field(13) + field(14)
}
