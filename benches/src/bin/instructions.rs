//! Counts user-mode instructions an operation, under valgrind, and prints a Markdown table.
//!
//! Each operation runs N and 2N times in a process of its own; the difference, divided by N, is
//! free of everything that happens once.

use std::io::ErrorKind;
use std::process::{Command, ExitCode};

use landfall_benches::operation::{OPERATIONS, Operation, Through};
use landfall_benches::reference::Kind;

const USAGE: &str = "usage: instructions              count every operation, print a table
       instructions NAME COUNT   run one operation, for a profiler

exit codes: 0 counted, 2 wrong arguments or no valgrind, 1 anything else";

/// Why there is no table.
enum Failure {
    /// What the caller can put right.
    Usage(String),
    /// What should not have happened.
    Broken(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match &arguments[..] {
        [] => table(),
        [name, count] => run(name, count),
        _ => Err(Failure::Usage(USAGE.to_owned())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
        Err(Failure::Broken(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, count: &str) -> Result<(), Failure> {
    let operation = OPERATIONS.iter().find(|operation| operation.name() == name);
    let operation = operation.ok_or_else(|| {
        let names: Vec<String> = OPERATIONS.iter().map(Operation::name).collect();
        Failure::Usage(format!(
            "there is no operation {name:?}; there are {}",
            names.join(", ")
        ))
    })?;
    let count = count
        .parse::<u64>()
        .ok()
        .filter(|count| count.is_multiple_of(100));
    let count = count.ok_or_else(|| Failure::Usage("a count is a multiple of 100".to_owned()))?;
    operation.run(count);
    Ok(())
}

fn table() -> Result<(), Failure> {
    println!(
        "| operation | instructions | goal | tokio 1.54 paused, this run | madsim 0.2.34 * | \
         tokio paused 1.54 * | moonpool 0.8 * | turmoil 0.7.2 * |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for kind in [Kind::Yield, Kind::Sleep, Kind::Spawn, Kind::RoundTrip] {
        let of_kind = || {
            OPERATIONS
                .iter()
                .filter(move |operation| operation.kind == kind)
        };
        let tokio = of_kind().find(|operation| operation.through == Through::Tokio);
        let tokio = tokio
            .map(per_operation)
            .transpose()?
            .map_or("-".to_owned(), grouped);
        let reference = kind.reference();
        for operation in of_kind().filter(|operation| operation.through != Through::Tokio) {
            println!(
                "| {} | {} | <= {} | {tokio} | {} | {} | {} | {} |",
                operation.name(),
                grouped(per_operation(operation)?),
                grouped(reference.goal),
                reference.madsim,
                reference.tokio,
                reference.moonpool,
                reference.turmoil,
            );
        }
    }
    println!("\n\\* as measured for the design.");
    Ok(())
}

/// How often an operation runs; large enough that growing collections do not show.
const fn count_of(kind: Kind) -> u64 {
    match kind {
        Kind::Yield => 50_000,
        Kind::Sleep | Kind::Spawn => 20_000,
        Kind::RoundTrip => 5_000,
    }
}

fn per_operation(operation: &Operation) -> Result<u64, Failure> {
    let count = count_of(operation.kind);
    let once = instructions(operation, count)?;
    let twice = instructions(operation, 2 * count)?;
    twice
        .checked_sub(once)
        .map(|more| more / count)
        .ok_or_else(|| {
            Failure::Broken(format!(
                "{}: {twice} instructions after {once}",
                operation.name()
            ))
        })
}

/// Instructions of a process that does nothing but run `operation` `count` times.
fn instructions(operation: &Operation, count: u64) -> Result<u64, Failure> {
    let broken = |what: String| Failure::Broken(format!("{}: {what}", operation.name()));
    let program = std::env::current_exe().map_err(|error| broken(error.to_string()))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([operation.name(), count.to_string()])
        // valgrind itself would die of the trap.
        .env("LANDFALL_FLOOR_WITHOUT", "tsc")
        .output();
    let output = output.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Usage(
            "instructions are counted by valgrind, which is not installed: \
             `apt-get install valgrind`"
                .to_owned(),
        ),
        _ => broken(error.to_string()),
    })?;
    let report = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(broken(format!("{}\n{report}", output.status)));
    }
    collected(&report).ok_or_else(|| broken(format!("valgrind says no count:\n{report}")))
}

/// The number in callgrind's line `==123== Collected : 456`.
fn collected(report: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_what_valgrind_says() {
        let report = "==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(collected(report), Some(1_234_567));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
        assert_eq!(collected("==7== Collected : 12x\n"), None);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let numbers = [0, 999, 1_000, 12_345, 1_234_567];
        assert_eq!(
            numbers.map(grouped),
            ["0", "999", "1,000", "12,345", "1,234,567"]
        );
    }
}
