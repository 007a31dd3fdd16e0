//! What the ledger holds of a power loss: what it took, and who met it.

use std::path::Path;

use sim_disk::{DiskConfig, OpenFlags};
use sim_runtime::{Down, FaultId, LedgerRow};

use crate::harness::{Bench, get, put, row, sync_dir};

/// A node with a synced `/old`, and pending: an overwrite of it, and a new file.
fn prepared(seed: u64) -> (Bench, FaultId) {
    let bench = Bench::new(seed, DiskConfig::default());
    let ledger = bench.simulation.world().ledger();
    let fault = ledger.plan("power", "power-loss");
    ledger.arm(fault, "one");
    bench.on_node(|disk| {
        put(disk, "/old", &[b'o'; 4096], true);
        put(disk, "/quiet", b"never touched again", true);
        sync_dir(disk, "/");
        let flags = OpenFlags {
            write: true,
            ..OpenFlags::default()
        };
        let fd = disk.open(Path::new("/old"), flags).unwrap();
        disk.write(fd, &[b'n'; 4096]).unwrap();
        put(disk, "/new", b"new", false);
    });
    (bench, fault)
}

fn injected(row: &LedgerRow, counter: &str) -> u64 {
    row.injected.get(counter).copied().unwrap_or_default()
}

fn observed(row: &LedgerRow) -> u64 {
    row.observed
        .get("crash-state-read")
        .copied()
        .unwrap_or_default()
}

fn blamed_power_loss(bench: &Bench, fault: FaultId) {
    bench.disk.blame_down(bench.node, fault);
    bench.down_and_up(Down::PowerLoss);
}

#[test]
fn losses_are_counted_as_the_guest_would_see_them() {
    let mut seen = [0; 3];
    for seed in 0..60 {
        let (bench, fault) = prepared(seed);
        blamed_power_loss(&bench, fault);
        let row = row(&bench, fault);
        let report = bench.disk.last_crash(bench.node).unwrap();
        let counts = [
            (injected(&row, "writes-lost"), report.writes_lost),
            (injected(&row, "writes-torn"), report.writes_torn),
            (injected(&row, "names-lost"), report.names_lost),
        ];
        for (at, (in_ledger, in_report)) in counts.into_iter().enumerate() {
            assert_eq!(in_ledger, in_report);
            seen[at] += in_ledger;
        }
        let old = bench.on_node(|disk| get(disk, "/old")).unwrap();
        let touched = old != [b'n'; 4096];
        let evidence = row
            .injected_evidence
            .iter()
            .any(|it| it.what.contains("/old bytes 0..4096"));
        assert_eq!(touched, evidence, "{:?}", row.injected_evidence);
    }
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
}

#[test]
fn a_loss_is_observed_when_the_guest_meets_it_and_once() {
    for seed in 0..60 {
        let (bench, fault) = prepared(seed);
        blamed_power_loss(&bench, fault);
        bench.on_node(|disk| get(disk, "/quiet"));
        assert_eq!(
            observed(&row(&bench, fault)),
            0,
            "nothing of /quiet was lost"
        );
        let old = bench.on_node(|disk| get(disk, "/old")).unwrap();
        let met = u64::from(old != [b'n'; 4096]);
        assert_eq!(observed(&row(&bench, fault)), met);
        bench.on_node(|disk| get(disk, "/old"));
        assert_eq!(observed(&row(&bench, fault)), met, "old news");
    }
}

#[test]
fn finding_a_name_missing_is_meeting_the_loss() {
    let mut missing = 0;
    for seed in 0..60 {
        let (bench, fault) = prepared(seed);
        blamed_power_loss(&bench, fault);
        let lost = injected(&row(&bench, fault), "names-lost") > 0;
        let found = bench.on_node(|disk| match seed % 3 {
            0 => disk.exists(Path::new("/new")).unwrap(),
            1 => disk.open(Path::new("/new"), OpenFlags::reading()).is_ok(),
            _ => disk
                .read_dir(Path::new("/"))
                .unwrap()
                .iter()
                .any(|entry| entry.name == "new"),
        });
        assert_eq!(found, !lost);
        if lost {
            missing += 1;
            assert_eq!(observed(&row(&bench, fault)), 1);
        }
    }
    assert!(missing > 0);
}

#[test]
fn what_the_guest_overwrites_unread_is_not_observed() {
    for seed in 0..30 {
        let (bench, fault) = prepared(seed);
        blamed_power_loss(&bench, fault);
        bench.on_node(|disk| {
            let flags = OpenFlags {
                write: true,
                truncate: true,
                ..OpenFlags::default()
            };
            let fd = disk.open(Path::new("/old"), flags).unwrap();
            disk.write(fd, b"fresh").unwrap();
            assert_eq!(get(disk, "/old").unwrap(), b"fresh");
        });
        assert_eq!(observed(&row(&bench, fault)), 0);
    }
}

#[test]
fn a_power_loss_of_synced_data_takes_nothing() {
    for seed in 0..20 {
        let (bench, fault) = prepared(seed);
        bench.on_node(|disk| {
            for path in ["/old", "/new"] {
                let fd = disk.open(Path::new(path), OpenFlags::reading()).unwrap();
                disk.fsync(fd).unwrap();
            }
            sync_dir(disk, "/");
        });
        blamed_power_loss(&bench, fault);
        assert!(row(&bench, fault).injected.is_empty());
        assert_eq!(bench.on_node(|disk| get(disk, "/new")).unwrap(), b"new");
    }
}

#[test]
fn a_kill_takes_nothing_and_uses_up_the_blame() {
    let (bench, fault) = prepared(1);
    bench.disk.blame_down(bench.node, fault);
    bench.down_and_up(Down::Kill);
    bench.down_and_up(Down::PowerLoss);
    assert!(row(&bench, fault).injected.is_empty());
}
