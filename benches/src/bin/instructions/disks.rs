//! The table of files: instructions and nanoseconds, beside a map in memory.

#![expect(unsafe_code, reason = "asks the kernel for processor time")]

use landfall_benches::operation::{Operation, Through};
use landfall_benches::reference::DISK_KINDS;

use crate::peers::Peers;
use crate::{Failure, count_of, grouped, of_kind, per_operation};

/// The shortest of so many runs is that with the least of other load in it.
const RUNS: usize = 40;
/// Operations of a run: so many that what a young process does, such as meeting its memory for the
/// first time, is next to nothing of them.
const TIMED: u64 = 50_000;

/// Prints a row for each operation on files: what it takes, how much of that is beyond the map's
/// copy, and how many times what the map and madsim take it is.
pub(crate) fn table(peers: Option<&Peers>) -> Result<(), Failure> {
    println!(
        "| operation | instructions | beyond the map | map | madsim 0.2.34 | ns | beyond the map |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for kind in DISK_KINDS {
        let map = of_kind(kind).find(|operation| operation.through == Through::Map);
        let map = map.ok_or_else(|| Failure::Broken(format!("no map for {}", kind.name())))?;
        let madsim = match peers {
            Some(peers) => peers.cost("madsim", kind, count_of(kind))?,
            None => None,
        };
        let (copied, copied_ns) = (per_operation(map)?, nanoseconds(map));
        for operation in of_kind(kind) {
            let (cost, ns) = (per_operation(operation)?, nanoseconds(operation));
            let name = operation.name();
            let (instructions, taken) = (grouped(cost), grouped(ns));
            if operation.through == Through::Map {
                println!("| {name} | {instructions} | - | - | - | {taken} | - |");
                continue;
            }
            let more = grouped(cost.saturating_sub(copied));
            let more_ns = grouped(ns.saturating_sub(copied_ns));
            let of_map = times(cost, copied);
            let of_madsim = madsim.map_or("-".to_owned(), |other| times(cost, other));
            println!(
                "| {name} | {instructions} | {more} | {of_map} | {of_madsim} | {taken} | \
                 {more_ns} |"
            );
        }
        if let Some(madsim) = madsim {
            let (name, of_map) = (kind.name(), times(madsim, copied));
            let (more, madsim) = (grouped(madsim.saturating_sub(copied)), grouped(madsim));
            println!("| {name} (madsim 0.2.34) | {madsim} | {more} | {of_map} | 1.0x | - | - |");
        }
    }
    Ok(())
}

/// How many times as much as another, to a tenth.
fn times(cost: u64, other: u64) -> String {
    let tenths = (10 * cost + other / 2) / other.max(1);
    format!("{}.{}x", tenths / 10, tenths % 10)
}

/// Of one operation, from runs of N and 2N: what happens once cancels out.
fn nanoseconds(operation: &Operation) -> u64 {
    let least = |count: u64| {
        let runs = (0..RUNS).map(|_| {
            let start = processor_time_ns();
            operation.run(count);
            processor_time_ns() - start
        });
        runs.min().unwrap_or_default()
    };
    least(2 * TIMED).saturating_sub(least(TIMED)) / TIMED
}

/// What this process took of the processor so far: others' load is not in it, but for what it does
/// to caches.
fn processor_time_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel fills what it is given.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut now) };
    assert_eq!(told, 0, "every Linux has this clock");
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
