//! Workloads of some size beside madsim and turmoil, each in a process of its own: processor time
//! and memory, as a Markdown table.
#![expect(
    unsafe_code,
    reason = "a child's use of the machine is asked for by a call"
)]

use std::process::{Command, ExitCode};

use landfall_benches::peers;
use landfall_benches::scale::Workload;

const USAGE: &str = "usage: scale                 every workload, ours and the peers', as a table
       scale WORKLOAD AMOUNT  run one: stream MEBIBYTES, heartbeats SECONDS, connections COUNT

exit codes: 0 measured, 2 wrong arguments, 1 anything else";

/// What a process took.
struct Taken {
    seconds: f64,
    resident_kib: i64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => match table() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
        [name, amount] => {
            let workload = Workload::ALL.into_iter().find(|one| one.name() == name);
            match (workload, amount.parse()) {
                (Some(workload), Ok(amount)) => {
                    workload.run(amount);
                    ExitCode::SUCCESS
                }
                _ => usage(),
            }
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// How much of each is done.
const fn amount(workload: Workload) -> u64 {
    match workload {
        Workload::Stream => 256,
        Workload::Heartbeats => 3_600,
        Workload::Connections => 10_000,
    }
}

fn table() -> Result<(), String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let peers = peers::build()?;
    println!("| workload | landfall | madsim 0.2.34 | turmoil 0.7.2 |");
    println!("|---|--:|--:|--:|");
    for workload in Workload::ALL {
        let (name, amount) = (workload.name(), amount(workload).to_string());
        let ours = take(Command::new(&this).args([name, &amount]))?;
        let mut cells = vec![cell(&ours, None)];
        for peer in ["madsim", "turmoil"] {
            let theirs = take(Command::new(&peers).args([peer, name, &amount]));
            cells.push(theirs.map_or_else(|error| error, |theirs| cell(&theirs, Some(&ours))));
        }
        println!("| {name} {amount} | {} |", cells.join(" | "));
    }
    Ok(())
}

fn cell(taken: &Taken, beside: Option<&Taken>) -> String {
    let mebibytes = taken.resident_kib / 1_024;
    let text = format!("{:.2} s, {mebibytes} MiB", taken.seconds);
    match beside {
        Some(ours) => format!("{text}, {:.1} x", taken.seconds / ours.seconds),
        None => text,
    }
}

/// Runs a program to its end.
fn take(command: &mut Command) -> Result<Taken, String> {
    let child = command.spawn().map_err(|error| error.to_string())?;
    let number = i32::try_from(child.id()).map_err(|error| error.to_string())?;
    let mut status = 0;
    // SAFETY: a structure of numbers, for which zeros are values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both are places of this function's, and the child is its own and not waited for yet.
    let waited = unsafe { libc::wait4(number, &raw mut status, 0, &raw mut usage) };
    if waited != number || status != 0 {
        return Err(format!("fails ({status})"));
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Taken {
        seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        resident_kib: usage.ru_maxrss,
    })
}
