//! Rule 12, lint by lint: what is named, and what is not.

use std::time::Duration;

use sim_disk::{DiskConfig, FailMode, Latency, LatencyRange, Lint, LintKind, OpKind};
use sim_runtime::{Down, spawn_on, time};

use crate::harness::{Bench, code, fault, put, sync_dir};

const RDWR: i32 = libc::O_RDWR | libc::O_CREAT;

/// A node whose writes take a millisecond, watched.
fn watched() -> Bench {
    let milli = Duration::from_millis(1);
    let config = DiskConfig {
        lints: true,
        latency: Latency {
            write: LatencyRange {
                lo: milli,
                hi: milli,
            },
            ..Latency::default()
        },
        ..DiskConfig::default()
    };
    Bench::new(1, config)
}

fn found(bench: &Bench) -> Vec<(LintKind, String, u64)> {
    let plain = |lint: Lint| (lint.kind, lint.path, lint.times);
    bench.disk.lints().into_iter().map(plain).collect()
}

/// Two tasks of the node write at these offsets, the second so much later.
fn two_writes(bench: &Bench, offsets: [u64; 2], later: Duration) {
    let fd = bench.on_node(|disk| disk.open_with("/f", RDWR, 0o644).unwrap());
    let node = bench.node;
    let tasks = offsets.into_iter().zip([Duration::ZERO, later]);
    for (offset, after) in tasks {
        drop(spawn_on(node, "writer", async move {
            time::sleep(after).await;
            let disk = sim_disk::disk().unwrap();
            time::sleep(disk.latency(OpKind::Write)).await;
            assert_eq!(disk.pwrite(fd, &[1; 100], offset).unwrap(), 100);
        }));
    }
    bench.run_for(Duration::from_millis(20));
}

#[test]
fn rule_12_writes_of_one_place_at_once_are_named() {
    let half = Duration::from_micros(500);
    let both = watched();
    two_writes(&both, [0, 50], half);
    let lints = both.disk.lints();
    assert_eq!(lints.len(), 1, "{lints:?}");
    assert_eq!(lints[0].kind, LintKind::OverlappingWrites);
    assert_eq!(lints[0].first, "bytes 0..100 and 50..150 of /f at once");
    drop(both.finish());
    let apart = watched();
    two_writes(&apart, [0, 100], half);
    assert_eq!(found(&apart), [], "side by side");
    drop(apart.finish());
    let after = watched();
    two_writes(&after, [0, 50], Duration::from_millis(5));
    assert_eq!(found(&after), [], "one after the other");
}

#[test]
fn rule_12_going_on_after_a_sync_failed_is_named_and_giving_up_is_not() {
    for goes_on in [true, false] {
        let bench = watched();
        let id = fault(&bench, "disk-error");
        let fsync = FailMode::Eio {
            reads: false,
            writes: false,
            fsync: true,
        };
        bench.on_node(|disk| {
            let fd = disk.open_with("/f", RDWR, 0o644).unwrap();
            disk.write(fd, b"x").unwrap();
            disk.fail(id, bench.node, fsync);
            assert_eq!(code(disk.fsync(fd)), libc::EIO);
            disk.heal(id);
            if goes_on {
                disk.write(fd, b"y").unwrap();
            }
        });
        bench.down_and_up(Down::Kill);
        bench.on_node(|disk| put(disk, "/f", b"z", true));
        let expected = goes_on.then(|| (LintKind::IgnoredSyncError, "/f".to_owned(), 1));
        assert_eq!(found(&bench), Vec::from_iter(expected));
    }
}

#[test]
fn rule_12_a_rename_is_named_when_its_directory_is_not_synced_in_time() {
    let rename = |bench: &Bench| {
        bench.on_node(|disk| {
            put(disk, "/new", b"x", true);
            disk.rename("/new", "/f").unwrap();
        });
    };
    let never = watched();
    rename(&never);
    assert_eq!(found(&never), [], "there is still time");
    never.run_for(Duration::from_secs(2));
    let lint = |times| (LintKind::RenameWithoutDirSync, "/f".to_owned(), times);
    assert_eq!(found(&never), [lint(1)]);
    rename(&never);
    never.run_for(Duration::from_secs(2));
    assert_eq!(found(&never), [lint(2)]);
    drop(never.finish());

    let synced = watched();
    rename(&synced);
    synced.on_node(|disk| sync_dir(disk, "/"));
    synced.run_for(Duration::from_secs(2));
    assert_eq!(found(&synced), []);
    drop(synced.finish());

    let down = watched();
    rename(&down);
    down.down_and_up(Down::PowerLoss);
    down.run_for(Duration::from_secs(2));
    assert_eq!(found(&down), [], "it had no time to");
}

#[test]
fn rule_12_reading_what_nobody_wrote_is_named() {
    let bench = watched();
    bench.on_node(|disk| {
        let fd = disk.open_with("/f", RDWR, 0o644).unwrap();
        disk.pwrite(fd, &[1; 4096], 0).unwrap();
        disk.set_len(fd, 3 * 4096).unwrap();
        disk.pread(fd, &mut [0; 4096], 0).unwrap();
        disk.pread(fd, &mut [0; 10], 100 * 4096).unwrap();
    });
    assert_eq!(found(&bench), [], "what was written, and nothing at all");
    bench.on_node(|disk| {
        let fd = disk.open_with("/f", RDWR, 0o644).unwrap();
        disk.pread(fd, &mut [0; 4096], 4096).unwrap();
    });
    assert_eq!(found(&bench), [(LintKind::ReadOfHole, "/f".to_owned(), 1)]);
}
