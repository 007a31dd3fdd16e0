//! The table of files: instructions and nanoseconds, beside a map in memory.

#![expect(unsafe_code, reason = "asks the kernel for processor time")]

use landfall_benches::operation::{Operation, Through};
use landfall_benches::reference::DISK_KINDS;

use crate::peers::Peers;
use crate::{Failure, count_of, grouped, of_kind, per_operation};

/// The shortest of so many runs is that with the least of other load in it.
const RUNS: usize = 300;
/// Operations of a run: few enough that it often ends before anybody else is scheduled.
const TIMED: u64 = 1_000;

/// Prints a row for each operation on files, and how much is beyond the map's copy.
pub(crate) fn table(peers: Option<&Peers>) -> Result<(), Failure> {
    println!("| operation | instructions | beyond the map | madsim 0.2.34 | ns | beyond the map |");
    println!("|---|--:|--:|--:|--:|--:|");
    for kind in DISK_KINDS {
        let map = of_kind(kind).find(|operation| operation.through == Through::Map);
        let map = map.ok_or_else(|| Failure::Broken(format!("no map for {}", kind.name())))?;
        let madsim = match peers {
            Some(peers) => peers.cost("madsim", kind, count_of(kind))?,
            None => None,
        };
        let madsim = madsim.map_or("-".to_owned(), grouped);
        let (copied, copied_ns) = (per_operation(map)?, nanoseconds(map));
        for operation in of_kind(kind) {
            let (cost, ns) = (per_operation(operation)?, nanoseconds(operation));
            let (more, more_ns) = match operation.through {
                Through::Map => ("-".to_owned(), "-".to_owned()),
                _ => (
                    grouped(cost.saturating_sub(copied)),
                    grouped(ns.saturating_sub(copied_ns)),
                ),
            };
            let name = operation.name();
            let (cost, ns) = (grouped(cost), grouped(ns));
            println!("| {name} | {cost} | {more} | {madsim} | {ns} | {more_ns} |");
        }
    }
    Ok(())
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
