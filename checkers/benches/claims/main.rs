//! How long weaker models and checkers of one claim take, and how much memory, at 10,000, 100,000
//! and 1,000,000 operations: `cargo bench -p landfall-checkers --bench claims`.
//!
//! Each row is a process of its own, so that its peak is its own. The histories pass, and are
//! seeded. The peak has the history in it.

#![expect(clippy::disallowed_types, reason = "a bench measures wall time")]
#![expect(clippy::disallowed_methods, reason = "a bench starts itself again")]

use std::process::{Command, exit};
use std::time::Instant;

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, History, check};

mod generate;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["row", name, count, ..] => row(name, count.parse().expect("a number")),
        _ if words.contains(&"--bench") => all(),
        // Built and started with the tests, it measures nothing.
        _ => {}
    }
}

fn all() {
    let me = std::env::current_exe().expect("the path of this process");
    println!(
        "{:<22} {:>9} {:>9} {:>9}  answer",
        "checker", "ops", "ms", "peak MiB"
    );
    for (name, _) in generate::FAMILIES {
        for count in SIZES {
            let mut command = Command::new(&me);
            let status = command.args(["row", name, &count.to_string()]).status();
            if !status.is_ok_and(|status| status.success()) {
                println!("{name} at {count} broke");
                exit(1);
            }
        }
    }
}

fn row(name: &str, count: usize) {
    let family = generate::FAMILIES.iter().find(|(known, _)| *known == name);
    let (_, generate) = family.expect("a family of this name");
    let ops = generate(count);
    let total = ops.len();
    let history = History {
        ops,
        windows: Vec::new(),
    };
    let spec = CheckerSpec::parse(name).expect("a checker's name");
    let budget = Budget {
        steps_max: 100_000_000,
        ..Budget::default()
    };
    let before = Instant::now();
    let report = check(&history, &spec, ModelKind::Register, &budget);
    let ms = before.elapsed().as_micros() as f64 / 1000.0;
    let peak = peak_mib();
    println!(
        "{name:<22} {total:>9} {ms:>9.1} {peak:>9}  {}",
        report.outcome
    );
}

/// The most memory that this process has had, MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kib.unwrap_or(0_u64) / 1024
}
