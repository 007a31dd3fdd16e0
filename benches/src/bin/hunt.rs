//! How many seeds it takes to find a planted bug: with the swarm and without it, with schedules at
//! random and by priorities.
//!
//! `hunt TEST-EXECUTABLE TEST SEEDS` prints a row of the table. It runs the same seeds in each
//! configuration; from each of them on it counts how many it takes to a failure, and gives the
//! median of these counts.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use landfall::coordinate::{Flow, Pool, RunRequest, TestBinary, Tier};
use landfall::runtime::Policy;
use landfall::script::Script;

/// What is compared.
const CONFIGURATIONS: [(&str, bool, Option<&str>); 4] = [
    ("as drawn", false, None),
    ("no swarm", true, None),
    ("random", false, Some("random")),
    ("pct(3)", false, Some("pct(3)")),
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let [exe, test, seeds] = &words[..] else {
        eprintln!("usage: hunt TEST-EXECUTABLE TEST SEEDS");
        return ExitCode::from(2);
    };
    let Ok(seeds) = seeds.parse::<u64>() else {
        eprintln!("{seeds} is no count of seeds");
        return ExitCode::from(2);
    };
    let exe = PathBuf::from(exe);
    let cwd = env::current_dir().expect("there is a current directory");
    let mut row = String::new();
    for (name, plain, policy) in CONFIGURATIONS {
        let script = Script {
            plain,
            policy: policy.map(|text| text.parse::<Policy>().expect("a policy")),
            ..Script::default()
        };
        let binary = TestBinary {
            exe: exe.clone(),
            cwd: cwd.clone(),
        };
        let failed = match failures(&binary, test, seeds, &script) {
            Ok(failed) => failed,
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        };
        let count = failed.iter().filter(|failed| **failed).count();
        eprintln!("{name}: {count} of {seeds} fail");
        row.push_str(&format!(" {} ({count}) |", median(&failed)));
    }
    println!("| {test} |{row}");
    ExitCode::SUCCESS
}

/// Which seeds fail.
fn failures(
    binary: &TestBinary,
    test: &str,
    seeds: u64,
    script: &Script,
) -> Result<Vec<bool>, String> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut pool = Pool::start(binary, jobs).map_err(|error| error.to_string())?;
    let mut failed = vec![false; usize::try_from(seeds).expect("they fit")];
    let request = |seed| RunRequest::new(test, seed, Tier::Harden).with_script(script);
    let ran = pool.run((0..seeds).map(request), &mut |request, outcome| {
        failed[request.seed() as usize] = outcome.failed();
        Flow::Continue
    });
    ran.map_err(|error| error.to_string())?;
    Ok(failed)
}

/// The median, over all seeds to begin at, of how many it takes to one that fails.
fn median(failed: &[bool]) -> String {
    let mut waits = Vec::new();
    let mut next = None;
    for is_failure in failed.iter().rev() {
        next = match (is_failure, next) {
            (true, _) => Some(1),
            (false, Some(wait)) => Some(wait + 1),
            (false, None) => None,
        };
        waits.push(next.unwrap_or(usize::MAX));
    }
    waits.sort_unstable();
    match waits.get(waits.len() / 2) {
        Some(&usize::MAX) | None => format!("> {}", failed.len() / 2),
        Some(wait) => wait.to_string(),
    }
}
