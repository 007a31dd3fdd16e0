//! How long histories of simulated databases take to be judged at every level.
//!
//! `cargo bench -p landfall-checkers --bench isolation` prints a row a history: what it is, the
//! time to judge it on the wall and of the processor (it is in memory already), the most memory
//! that the process has had, what holds, and every anomaly. The wall clock is read here and nowhere
//! else; nothing is asserted.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a program of its own, which measures the wall clock"
)]

use std::process::{Command, exit};
use std::time::Instant;

use checkers::Budget;
use checkers::txn::{Analysis, Workload, analyze};

mod databases;

use databases::{Database, Isolation, run};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["list", ..] => (0..)
            .zip(all())
            .for_each(|(at, of)| println!("{at} {}", name(&of))),
        ["row", index, ..] => row(index.parse().expect("a number")),
        _ if words.contains(&"--bench") => rows(),
        // Built and started with the tests, it measures nothing.
        _ => {}
    }
}

/// What is measured.
fn all() -> Vec<Database> {
    let isolations = [
        Isolation::Strict,
        Isolation::Stale,
        Isolation::Snapshot,
        Isolation::Committed,
    ];
    let mut rows = Vec::new();
    for workload in [Workload::ListAppend, Workload::RwRegister] {
        for isolation in isolations {
            for transactions in [1_000, 10_000, 100_000, 1_000_000] {
                let long = transactions == 1_000_000 && isolation != Isolation::Strict;
                let short = transactions == 1_000 && workload == Workload::ListAppend;
                if !long && !short {
                    rows.push(Database {
                        workload,
                        isolation,
                        transactions,
                        seed: 0,
                        clients: 10,
                        keys: 10,
                        writes: 32,
                    });
                }
            }
        }
    }
    rows
}

fn name(database: &Database) -> String {
    let workload = database.workload.name();
    format!(
        "{workload} {:?} {}",
        database.isolation, database.transactions
    )
}

/// Every row, each by a process of its own.
fn rows() {
    let me = std::env::current_exe().expect("the path of this process");
    println!(
        "{:<44} {:>9} {:>9} {:>9}  answer",
        "database", "ms", "cpu ms", "peak MiB"
    );
    for index in 0..all().len() {
        let mut command = Command::new(&me);
        let status = command.args(["row", &index.to_string()]).status();
        if !status.is_ok_and(|status| status.success()) {
            println!("row {index} broke");
            exit(1);
        }
    }
}

fn row(index: usize) {
    let database = all()[index];
    let history = run(&database);
    let (before, cpu_before) = (Instant::now(), cpu_ms());
    let analysis = analyze(&history, database.workload, &Budget::default());
    let ms = before.elapsed().as_micros() as f64 / 1000.0;
    let cpu = cpu_ms() - cpu_before;
    let answer = analysis.map_or_else(|field| format!("lacks {field}"), |told| answer(&told));
    println!(
        "{:<44} {ms:>9.1} {cpu:>9.1} {:>9}  {answer}",
        name(&database),
        peak_mib()
    );
}

fn answer(analysis: &Analysis) -> String {
    let holds: Vec<String> = analysis.holds.iter().map(ToString::to_string).collect();
    let unknown = analysis.levels.iter();
    let unknown =
        unknown.filter(|(_, verdict)| matches!(verdict, checkers::txn::Verdict::Unknown { .. }));
    let unknown = unknown.count();
    let anomalies: Vec<&str> = analysis.counts.keys().map(String::as_str).collect();
    format!(
        "holds {}; unknown {unknown}; {}",
        holds.join(" "),
        anomalies.join(" ")
    )
}

/// What this process has used of the processor, milliseconds.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ns: Option<f64> = text
        .split_whitespace()
        .next()
        .and_then(|ns| ns.parse().ok());
    ns.unwrap_or(0.0) / 1e6
}

/// The most memory that this process has had, MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kib.unwrap_or(0_u64) / 1024
}
