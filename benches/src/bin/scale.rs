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

/// A row of the table.
struct Row {
    workload: Workload,
    amount: u64,
    /// Who else does it.
    peers: &'static [&'static str],
    /// How often each does it: the least time of them counts.
    times: u32,
}

const PEERS: [&str; 2] = ["madsim", "turmoil"];

/// turmoil goes through every simulated millisecond of every host, and would take some twenty
/// minutes for an hour of heartbeats: all three do five minutes of them, and who can the hour.
const ROWS: [Row; 4] = [
    Row {
        workload: Workload::Stream,
        amount: 256,
        peers: &PEERS,
        times: 3,
    },
    Row {
        workload: Workload::Connections,
        amount: 10_000,
        peers: &PEERS,
        times: 3,
    },
    Row {
        workload: Workload::Heartbeats,
        amount: 300,
        peers: &PEERS,
        times: 1,
    },
    Row {
        workload: Workload::Heartbeats,
        amount: 3_600,
        peers: &["madsim"],
        times: 1,
    },
];

fn table() -> Result<(), String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let peers = peers::build()?;
    println!("| workload | landfall | madsim 0.2.34 | turmoil 0.7.2 |");
    println!("|---|--:|--:|--:|");
    for row in &ROWS {
        let (name, amount) = (row.workload.name(), row.amount.to_string());
        let ours = least(row.times, Command::new(&this).args([name, &amount]))?;
        let mut cells = vec![cell(&ours, None)];
        for peer in PEERS {
            if !row.peers.contains(&peer) {
                cells.push("-".to_owned());
                continue;
            }
            let theirs = least(row.times, Command::new(&peers).args([peer, name, &amount]));
            cells.push(theirs.map_or_else(|error| error, |theirs| cell(&theirs, Some(&ours))));
        }
        println!("| {name} {amount} | {} |", cells.join(" | "));
    }
    Ok(())
}

/// Runs a program some times; the run that took least time.
fn least(times: u32, command: &mut Command) -> Result<Taken, String> {
    let mut least = take(command)?;
    for _ in 1..times {
        let taken = take(command)?;
        if taken.seconds < least.seconds {
            least = taken;
        }
    }
    Ok(least)
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
