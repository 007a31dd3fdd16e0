//! Counts user-mode instructions an operation, under valgrind, and prints a Markdown table.
//!
//! Each operation runs N and 2N times in a process of its own; the difference, divided by N, is
//! free of everything that happens once.

mod callgrind;
mod disks;
mod peers;

use std::process::ExitCode;

use landfall_benches::operation::{OPERATIONS, Operation, Through};
use landfall_benches::reference::Kind;

use crate::callgrind::Counted;
use crate::peers::Peers;

const USAGE: &str = "usage: instructions              count every operation, print two tables
       instructions --disks      only those of files, with nanoseconds; after it, --peers
       instructions --peers      the same, and madsim and turmoil beside it, which it builds
       instructions NAME COUNT   run one operation, for a profiler

exit codes: 0 counted, 2 wrong arguments or no valgrind, 1 anything else";

/// Why there is no table.
pub(crate) enum Failure {
    /// What the caller can put right.
    Usage(String),
    /// What should not have happened.
    Broken(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match &arguments[..] {
        [] => table(None),
        [peers] if peers == "--peers" => Peers::build().and_then(|peers| table(Some(&peers))),
        [disks] if disks == "--disks" => disks::table(None),
        [disks, peers] if disks == "--disks" && peers == "--peers" => {
            Peers::build().and_then(|peers| disks::table(Some(&peers)))
        }
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

/// What others take, by the column's title: as text, since not every one has every operation.
type Others = Vec<(&'static str, String)>;

fn table(peers: Option<&Peers>) -> Result<(), Failure> {
    let mut header = false;
    let kinds = [
        Kind::Yield,
        Kind::Sleep,
        Kind::Spawn,
        Kind::RoundTrip,
        Kind::Message,
        Kind::Select,
        Kind::Timeout,
        Kind::RoundTripOfTen,
        Kind::RoundTripOfThousand,
    ];
    for kind in kinds {
        let others = others(kind, peers)?;
        if !header {
            header = true;
            let titles: Vec<_> = others.iter().map(|(title, _)| *title).collect();
            println!(
                "| operation | instructions | goal | {} |",
                titles.join(" | ")
            );
            println!("|---|--:|--:|{}", "--:|".repeat(titles.len()));
        }
        let costs: Vec<_> = others.into_iter().map(|(_, cost)| cost).collect();
        let goal = kind.reference().goal;
        let goal = goal.map_or("-".to_owned(), |goal| format!("<= {}", grouped(goal)));
        for operation in of_kind(kind).filter(|operation| operation.through != Through::Tokio) {
            let cost = grouped(per_operation(operation)?);
            let name = operation.name();
            println!("| {name} | {cost} | {goal} | {} |", costs.join(" | "));
        }
    }
    println!("\n\\* as measured for the design.\n");
    disks::table(peers)
}

fn of_kind(kind: Kind) -> impl Iterator<Item = &'static Operation> {
    OPERATIONS
        .iter()
        .filter(move |operation| operation.kind == kind)
}

/// Others beside ours: measured in this run where they are here, else as the design has them.
fn others(kind: Kind, peers: Option<&Peers>) -> Result<Others, Failure> {
    let text = |cost: Option<u64>| cost.map_or("-".to_owned(), grouped);
    let tokio = of_kind(kind).find(|operation| operation.through == Through::Tokio);
    let tokio = (
        "tokio 1.54 paused",
        text(tokio.map(per_operation).transpose()?),
    );
    let reference = kind.reference();
    let moonpool = ("moonpool 0.8 *", reference.moonpool.to_owned());
    let Some(peers) = peers else {
        return Ok(vec![
            tokio,
            ("madsim 0.2.34 *", reference.madsim.to_owned()),
            moonpool,
            ("turmoil 0.7.2 *", reference.turmoil.to_owned()),
        ]);
    };
    let cost = |peer| peers.cost(peer, kind, count_of(kind));
    Ok(vec![
        tokio,
        ("madsim 0.2.34", text(cost("madsim")?)),
        moonpool,
        ("turmoil 0.7.2", text(cost("turmoil")?)),
    ])
}

/// How often an operation runs; large enough that growing collections do not show.
const fn count_of(kind: Kind) -> u64 {
    match kind {
        Kind::Yield => 50_000,
        Kind::Sleep | Kind::Spawn | Kind::Select | Kind::Timeout => 20_000,
        Kind::RoundTrip | Kind::Message | Kind::RoundTripOfTen | Kind::RoundTripOfThousand => 5_000,
        Kind::PageWrite | Kind::PageRead | Kind::PageSync | Kind::Open => 20_000,
    }
}

fn per_operation(operation: &Operation) -> Result<u64, Failure> {
    let this = std::env::current_exe().map_err(|error| Failure::Broken(error.to_string()))?;
    let counted = Counted {
        program: &this,
        words: vec![operation.name()],
    };
    counted.per_operation(count_of(operation.kind))
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
    fn numbers_are_grouped_by_thousands() {
        let numbers = [0, 999, 1_000, 12_345, 1_234_567];
        assert_eq!(
            numbers.map(grouped),
            ["0", "999", "1,000", "12,345", "1,234,567"]
        );
    }
}
