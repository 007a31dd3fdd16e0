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
use checkers::txn::{
    Analysis, Base, Level, Options, Order, Workload, analyze_levels, certify_with, refute,
    verify_with,
};

mod databases;

use databases::forms::Names;
use databases::truth::{self, Tally};
use databases::wide::promises;
use databases::{DEFECTS, Database, Isolation, run, run_with};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["list", ..] => (0..)
            .zip(all())
            .for_each(|(at, of)| println!("{at} {}", of.name())),
        ["row", index, ..] => row(index.parse().expect("a number")),
        ["defects", ..] => defects(),
        ["certificates", ..] => certificates(),
        ["sweep", from, count, transactions, ..] => {
            let number = |word: &str| word.parse().expect("a number");
            sweep(
                number(from)..number(from) + number(count),
                number(transactions),
            );
        }
        _ if words.contains(&"--bench") => rows(),
        // Built and started with the tests, it measures nothing.
        _ => {}
    }
}

/// What is measured.
#[derive(Clone, Copy)]
struct Row {
    database: Database,
    /// At causal consistency and below alone, with sessions and real time and without.
    causal: bool,
}

impl Row {
    fn name(&self) -> String {
        let Database {
            workload,
            isolation,
            transactions,
            ..
        } = self.database;
        let levels = if self.causal { " causal" } else { "" };
        let living = if self.database.writes == u64::MAX {
            " ten for ever"
        } else {
            ""
        };
        let name = workload.name();
        format!("{name} {isolation:?} {transactions}{levels}{living}")
    }

    /// What is asked; all levels, if nothing is.
    fn levels(&self) -> Vec<Level> {
        let (base, order) = (Base::Causal, Order::Realtime);
        let top = Level { base, order };
        let below = Level::all().filter(|level| top.implies(*level));
        below.filter(|_| self.causal).collect()
    }
}

fn all() -> Vec<Row> {
    let isolations = [
        Isolation::Strict,
        Isolation::Stale,
        Isolation::Snapshot,
        Isolation::Committed,
    ];
    let mut rows = Vec::new();
    let lists = Workload::ListAppend;
    for (workload, causal) in [
        (lists, false),
        (Workload::RwRegister, false),
        (Workload::RwRegister, true),
    ] {
        for isolation in isolations {
            for transactions in [1_000, 10_000, 100_000, 1_000_000] {
                let few = isolation == Isolation::Strict || causal;
                let long = transactions == 1_000_000 && !few;
                let short = transactions == 1_000 && (workload == lists || causal);
                if !long && !short {
                    let database = Database {
                        workload,
                        isolation,
                        transactions,
                        seed: 0,
                        clients: 10,
                        keys: 10,
                        writes: 32,
                    };
                    rows.push(Row { database, causal });
                }
            }
        }
    }
    // Ten registers in use throughout.
    for transactions in [10_000, 100_000, 1_000_000] {
        let database = Database {
            workload: Workload::RwRegister,
            isolation: Isolation::Stale,
            transactions,
            seed: 0,
            clients: 10,
            keys: 10,
            writes: u64::MAX,
        };
        let causal = true;
        rows.push(Row { database, causal });
    }
    rows
}

/// Of databases of registers, the levels that hold or fail the furthest: whether what is said of
/// each has a certificate that stands.
fn certificates() {
    let of = |isolation, transactions, (clients, keys, writes)| Database {
        workload: Workload::RwRegister,
        isolation,
        transactions,
        seed: 0,
        clients,
        keys,
        writes,
    };
    let (budget, options) = (Budget::default(), Options::default());
    for database in [
        of(Isolation::Stale, 5_000, (200, 20, 16)),
        of(Isolation::Snapshot, 20_000, (10, 10, 32)),
        of(Isolation::Committed, 20_000, (10, 10, 32)),
        of(Isolation::Strict, 100_000, (10, 10, 32)),
        of(Isolation::Stale, 100_000, (10, 10, 32)),
    ] {
        let (history, workload) = (run(&database), database.workload);
        let told = analyze_levels(&history, workload, &options, &[], &budget);
        let told = told.expect("transactions");
        for (level, holds) in [(&told.holds, true), (&told.fails, false)]
            .into_iter()
            .flat_map(|(levels, holds)| levels.iter().map(move |level| (*level, holds)))
        {
            let cpu_before = cpu_ms();
            let given = match holds {
                true => certify_with(&history, workload, level, &options, &budget),
                false => refute(&history, workload, level, &options, &budget),
            };
            let cpu = cpu_ms() - cpu_before;
            let given = given.expect("transactions");
            let stands = given.map(|one| verify_with(&history, workload, level, &options, &one));
            let answer = match stands {
                None => "NONE",
                Some(Ok(())) => "stands",
                Some(Err(_)) => "DOES NOT STAND",
            };
            let (isolation, count) = (database.isolation, database.transactions);
            let says = if holds { "holds" } else { "fails" };
            let name = format!("{isolation:?} {count} {level} {says}");
            println!("{name:<64} {cpu:>9.1}  {answer}");
        }
    }
}

/// Each database with each defect that it does not allow, once among 10,000 transactions: whether
/// that is told by its name, and what the database keeps otherwise fails.
fn defects() {
    let promises = [
        (Isolation::Strict, Level::STRICT_SERIALIZABLE),
        (
            Isolation::Stale,
            Level::named("serializable").expect("a level"),
        ),
        (
            Isolation::Snapshot,
            Level::named("strong-snapshot-isolation").expect("a level"),
        ),
        (
            Isolation::Committed,
            Level::named("read-committed").expect("a level"),
        ),
    ];
    for workload in [Workload::ListAppend, Workload::RwRegister] {
        for (isolation, kept) in promises {
            let database = Database {
                workload,
                isolation,
                transactions: 10_000,
                seed: 0,
                clients: 10,
                keys: 10,
                writes: 32,
            };
            let seen = DEFECTS.iter().filter(|defect| defect.is_seen(workload));
            for defect in seen.filter(|defect| kept.implies(defect.forbidden_by)) {
                let (history, _) = run_with(&database, Some((defect, 5_000)));
                let cpu_before = cpu_ms();
                let told = analyze_levels(
                    &history,
                    workload,
                    &Options::default(),
                    &[],
                    &Budget::default(),
                );
                let cpu = cpu_ms() - cpu_before;
                let answer = told.map_or_else(
                    |field| format!("lacks {field}"),
                    |told| {
                        let named = told.counts.contains_key(defect.name);
                        let holds = *told.verdict(kept) == checkers::txn::Verdict::Holds;
                        let named = if named { "named" } else { "NOT NAMED" };
                        let fails = if holds { "HOLDS" } else { "fails" };
                        format!("{named}; {kept} {fails}")
                    },
                );
                let name = format!("{} {isolation:?} {}", workload.name(), defect.name);
                println!("{name:<44} {cpu:>9.1}  {answer}");
            }
        }
    }
}

/// Databases of every level, in every form: whether what is said of them is true.
fn sweep(seeds: std::ops::Range<u64>, transactions: u64) {
    let (mut tally, mut wrong) = (Tally::default(), 0);
    for seed in seeds {
        let names = Names::ALL[seed as usize % Names::ALL.len()];
        for defect in &DEFECTS {
            let wide = truth::wide(Level::STRICT_SERIALIZABLE, seed, transactions as usize);
            if let Err(why) = truth::defective(&wide, defect, names) {
                println!("{why}");
                wrong += 1;
            }
        }
        for promise in promises() {
            let wide = truth::wide(promise, seed, transactions as usize);
            let cpu_before = cpu_ms();
            if let Err(why) = truth::check(&wide, names, &mut tally) {
                println!("{why}");
                wrong += 1;
            }
            let cpu = cpu_ms() - cpu_before;
            if cpu > 10_000.0 {
                println!("{cpu:.0} ms: {wide:?}");
            }
        }
    }
    println!("{tally:?}; {wrong} wrong");
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
    let row = all()[index];
    let history = run(&row.database);
    let (levels, workload) = (row.levels(), row.database.workload);
    let (before, cpu_before) = (Instant::now(), cpu_ms());
    let (options, budget) = (Options::default(), Budget::default());
    let analysis = analyze_levels(&history, workload, &options, &levels, &budget);
    let ms = before.elapsed().as_micros() as f64 / 1000.0;
    let cpu = cpu_ms() - cpu_before;
    let answer = analysis.map_or_else(|field| format!("lacks {field}"), |told| answer(&told));
    println!(
        "{:<44} {ms:>9.1} {cpu:>9.1} {:>9}  {answer}",
        row.name(),
        peak_mib()
    );
}

fn answer(analysis: &Analysis) -> String {
    let holds: Vec<String> = analysis.holds.iter().map(ToString::to_string).collect();
    let unknown = analysis.levels.iter();
    let unknown = unknown.filter(|(_, verdict)| match verdict {
        checkers::txn::Verdict::Unknown { why } => why != "it was not asked for",
        _ => false,
    });
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
