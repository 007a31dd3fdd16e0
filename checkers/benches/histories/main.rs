//! How long histories take to be judged, and how much memory: `cargo bench -p landfall-checkers`.
//!
//! Each row is a process of its own, so that its peak is its own. After `--`:
//!
//! - `rows FROM` begins at that row, `row N` measures one, and `steps N` counts what suffices.
//! - `recorded` judges the recorded logs of others.
//! - `formats MIB` reads so much text of each format, whole and row by row.
//! - `seeds N`, or `seeds N MODEL...`: how many of N histories of each family of 1,000 operations
//!   are decided, and in what time.
//! - `sweep N`, or `sweep N MODEL...`: every model is compared with all orders on all histories of
//!   N operations, and its engines with each other on a million random ones of 3 to 14.

#![expect(clippy::disallowed_types, reason = "a bench measures wall time")]
#![expect(clippy::disallowed_methods, reason = "a bench starts itself again")]

use std::process::{Command, exit};
use std::time::Instant;

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, History, Operation, Outcome, check};

#[path = "../../tests/it/recorded/etcd.rs"]
mod etcd;
#[path = "../../tests/it/recorded/kv.rs"]
mod kv;
#[path = "../../tests/it/models.rs"]
mod models;
#[path = "../../tests/it/reference.rs"]
mod reference;

mod families;
mod formats;
mod recorded;

use families::{Family, generate};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["row", index, ..] => row(index.parse().expect("a number")),
        ["steps", index, ..] => steps(index.parse().expect("a number")),
        ["recorded", ..] => recorded::print(),
        ["format", format, way, mib, ..] => formats::row(format, way, mib.parse().expect("MiB")),
        ["formats", mib, ..] => texts(mib),
        ["seeds", count, ..] => seeds(count.parse().expect("a number"), &words[2..]),
        ["sweep", count, ..] => sweep(count.parse().expect("a number"), &words[2..]),
        _ if words.contains(&"--bench") => all(),
        // Built and started with the tests, it measures nothing.
        _ => {}
    }
}

/// Every row, each by a process of its own.
fn all() {
    let me = std::env::current_exe().expect("the path of this process");
    println!(
        "{:<52} {:>9} {:>9} {:>9}  answer",
        "family", "ms", "cpu ms", "peak MiB"
    );
    // `rows FROM` begins there.
    let words: Vec<String> = std::env::args().collect();
    let from = words.iter().position(|word| word == "rows");
    let from = from.and_then(|place| words.get(place + 1)?.parse().ok());
    for index in from.unwrap_or(0)..families::all().len() {
        let mut command = Command::new(&me);
        let status = command.args(["row", &index.to_string()]).status();
        if !status.is_ok_and(|status| status.success()) {
            println!("row {index} broke");
            exit(1);
        }
    }
}

/// Every format, read whole and row by row.
fn texts(mib: &str) {
    let me = std::env::current_exe().expect("the path of this process");
    for format in ["jsonl", "edn"] {
        for way in ["read", "stream"] {
            let status = Command::new(&me)
                .args(["format", format, way, mib])
                .status();
            assert!(
                status.is_ok_and(|status| status.success()),
                "{format} {way}"
            );
        }
    }
}

/// The fewest steps with which a row has an answer, to one in sixteen.
fn steps(index: usize) {
    let families = families::all();
    let family: &Family = &families[index];
    let windows = Vec::new();
    let ops = generate(family);
    let history = History { ops, windows };
    let steps = recorded::steps(&history, family.model);
    println!("{:<52} {steps:>12} steps", family.name());
}

fn row(index: usize) {
    let families = families::all();
    let family: &Family = &families[index];
    let ops: Vec<Operation> = generate(family);
    let history = History {
        ops,
        windows: Vec::new(),
    };
    let (before, busy) = (Instant::now(), cpu_ms());
    let spec = CheckerSpec::Linearizability;
    let report = check(&history, &spec, family.model, &Budget::default());
    let ms = before.elapsed().as_micros() as f64 / 1000.0;
    let cpu = cpu_ms() - busy;
    let answer = match &report.outcome {
        Outcome::Unknown { .. } => "unknown".to_owned(),
        other => other.to_string(),
    };
    let minimal: Vec<usize> = report
        .findings
        .iter()
        .map(|one| one.minimal.len())
        .collect();
    let minimal = match minimal[..] {
        [] => String::new(),
        _ => format!(", minimal {minimal:?}"),
    };
    println!(
        "{:<52} {ms:>9.1} {cpu:>9.1} {:>9}  {answer} ({}){minimal}",
        family.name(),
        peak_mib(),
        report.engine
    );
}

/// How long this process' threads have been on a processor, milliseconds.
fn cpu_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let stats = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    stats.sum::<u64>() as f64 / 1e6
}

/// The most memory that this process has had, MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kib.unwrap_or(0_u64) / 1024
}

/// With so many steps an undecided history takes a second or two.
const STEPS_OF_SEEDS: u64 = 2_000_000;

/// Families of a thousand operations, by many seeds: how many are decided, the time of the one in
/// the middle and of the slowest.
fn seeds(count: u64, names: &[&str]) {
    let named = |family: &Family| names.is_empty() || names.contains(&family.model.name());
    let wanted = |family: &Family| family.ops == 1_000 && named(family);
    println!("| family | decided | legal | median ms | most ms |");
    println!("|---|--:|--:|--:|--:|");
    let budget = Budget {
        steps_max: STEPS_OF_SEEDS,
        ..Budget::default()
    };
    for family in families::all().into_iter().filter(wanted) {
        let (mut times, mut decided, mut legal) = (Vec::new(), 0, 0);
        for seed in 1..=count {
            let (ops, windows) = (generate(&Family { seed, ..family }), Vec::new());
            let history = History { ops, windows };
            let begun = cpu_ms();
            let spec = CheckerSpec::Linearizability;
            let report = check(&history, &spec, family.model, &budget);
            times.push(cpu_ms() - begun);
            decided += u64::from(!matches!(report.outcome, Outcome::Unknown { .. }));
            legal += u64::from(report.outcome == Outcome::Ok);
        }
        times.sort_unstable_by(f64::total_cmp);
        let (middle, most) = (times[times.len() / 2], times[times.len() - 1]);
        let name = family.name();
        println!("| {name} | {decided} of {count} | {legal} | {middle:.1} | {most:.1} |");
    }
}

fn sweep(count: usize, names: &[&str]) {
    let named = |kind: &ModelKind| names.is_empty() || names.contains(&kind.name());
    for kind in ModelKind::ALL.into_iter().filter(named) {
        let before = Instant::now();
        let (legal, illegal) = models::exhaust(kind, count);
        let all = legal + illegal;
        println!("{:<16} all of {count}: {all}, {legal} legal", kind.name());
        let (legal, illegal) = models::sample(kind, 6, 6, 5_000);
        let all = legal + illegal;
        println!("{:<16} of 6, all orders: {all}, {legal} legal", "");
        for longer in [3, 5, 7, 10, 14] {
            let (legal, illegal) = models::compare(kind, longer, longer as u64, 200_000);
            println!("{:<16} of {longer}: {}, {legal} legal", "", legal + illegal);
        }
        let seconds = before.elapsed().as_secs();
        println!("{:<16} {seconds} s", "");
    }
}
