//! The operations of `landfall-benches`, written for other simulators: 100 tasks that yield,
//! sleep 1 to 2 ms, spawn and join, and 64 bytes to another node and back over TCP; pages of a
//! file written, read and synced, and a file opened. And the workloads of its `scale`: mebibytes,
//! simulated seconds, or connections are what is counted.
//!
//! `peers` lists what there is, one `PEER OPERATION` a line; `peers PEER OPERATION COUNT` runs one.
//! Peers are configured by default; `turmoil_peer` says what is not, and why.

mod common;
mod madsim_peer;
mod tokio_peer;
mod turmoil_peer;

use std::process::ExitCode;

/// A peer's name, an operation's, and what does it a given number of times.
type Operation = (&'static str, &'static str, fn(u64));

const OPERATIONS: [Operation; 29] = [
    ("madsim", "yield", madsim_peer::yields),
    ("madsim", "sleep", madsim_peer::sleeps),
    ("madsim", "spawn", madsim_peer::spawns),
    ("madsim", "tcp", madsim_peer::round_trips),
    ("madsim", "message", madsim_peer::messages),
    ("madsim", "select", madsim_peer::selects),
    ("madsim", "timeout", madsim_peer::timeouts),
    ("madsim", "stream", madsim_peer::stream),
    ("madsim", "heartbeats", madsim_peer::heartbeats),
    ("madsim", "connections", madsim_peer::connections),
    ("madsim", "page-write", madsim_peer::page_writes),
    ("madsim", "page-read", madsim_peer::page_reads),
    ("madsim", "page-sync", madsim_peer::page_syncs),
    ("madsim", "open", madsim_peer::opens),
    ("tokio", "yield", tokio_peer::yields),
    ("tokio", "sleep", tokio_peer::sleeps),
    ("tokio", "spawn", tokio_peer::spawns),
    ("tokio", "select", tokio_peer::selects),
    ("tokio", "timeout", tokio_peer::timeouts),
    ("turmoil", "yield", turmoil_peer::yields),
    ("turmoil", "sleep", turmoil_peer::sleeps),
    ("turmoil", "spawn", turmoil_peer::spawns),
    ("turmoil", "tcp", turmoil_peer::round_trips),
    ("turmoil", "message", turmoil_peer::messages),
    ("turmoil", "select", turmoil_peer::selects),
    ("turmoil", "timeout", turmoil_peer::timeouts),
    ("turmoil", "stream", turmoil_peer::stream),
    ("turmoil", "heartbeats", turmoil_peer::heartbeats),
    ("turmoil", "connections", turmoil_peer::connections),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => {
            for (peer, operation, _) in OPERATIONS {
                println!("{peer} {operation}");
            }
            ExitCode::SUCCESS
        }
        [peer, operation, count] => {
            let wanted = |(of, name, _): &&Operation| *of == peer && *name == operation;
            let found = OPERATIONS.iter().find(wanted);
            match (found, count.parse::<u64>()) {
                (Some((_, _, run)), Ok(count)) if fits(operation, count) => {
                    run(count);
                    ExitCode::SUCCESS
                }
                _ => usage(),
            }
        }
        _ => usage(),
    }
}

/// Can the operation be done so often? What tasks share must come out even.
fn fits(operation: &str, count: u64) -> bool {
    ["stream", "heartbeats"].contains(&operation) || count % common::TASKS == 0
}

fn usage() -> ExitCode {
    eprintln!("usage: peers [PEER OPERATION COUNT]   (a count is a multiple of 100)");
    ExitCode::from(2)
}
