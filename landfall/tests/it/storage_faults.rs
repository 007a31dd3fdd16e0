//! Faults of disks that a plan can name land on a small system, and heal.

use landfall::judge::Verdict;

use crate::sweeps::{pool, reports, sweep_all};
use crate::toy::{Quirk, Toy};

mod plan {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/storage.md",
        system = Toy(Quirk::None),
        test = false
    );
}

const SEEDS: u64 = 3;

/// The fault is injected while it is open and heals, whatever that does to the system.
fn is_injected(scenario: &str, counter: &str) {
    let mut pool = pool(1);
    let name = format!("storage_faults::plan::{scenario}");
    for report in reports(&mut pool, &name, SEEDS) {
        let [row] = &report.ledger[..] else {
            panic!("one fault is planned: {:?}", report.ledger);
        };
        let injected = row.injected.get(counter).copied().unwrap_or_default();
        assert!(injected > 0, "{row:?}");
        assert_eq!(row.healed.len(), row.armed.len(), "{row:?}");
        assert!(row.injected_evidence[0].at >= row.armed[0], "{row:?}");
    }
}

/// And the system, which waits and tries again, lives with it.
fn lands(scenario: &str, counter: &str) {
    is_injected(scenario, counter);
    let mut pool = pool(1);
    let name = format!("storage_faults::plan::{scenario}");
    let result = sweep_all(&mut pool, &name, SEEDS);
    let verdict = &result.judgement.verdict;
    assert_eq!(*verdict, Verdict::PassSmoke, "{scenario}: {result:#?}");
}

#[test]
fn a_slow_disk_lands() {
    lands("s1_slow", "calls-delayed");
}

#[test]
fn a_stalled_disk_lands() {
    lands("s2_stall", "calls-stalled");
}

#[test]
fn short_counts_land() {
    lands("s3_short", "calls-shortened");
}

#[test]
fn a_plan_says_what_its_disks_are_like() {
    let mut pool = pool(1);
    let disks = |pool: &mut _, scenario: &str| {
        let mut reports = reports(pool, &format!("storage_faults::plan::{scenario}"), 1);
        let disks = reports.remove(0).disks.expect("there are disks");
        (disks.profile, disks.tear)
    };
    let named = |profile: &str, tear: &str| (profile.to_owned(), tear.to_owned());
    assert_eq!(disks(&mut pool, "s3_short"), named("sequential", "none"));
    let usual = named("posix-weak", "atomic-512");
    assert_eq!(disks(&mut pool, "s2_stall"), usual);
}

#[test]
fn failing_syncs_are_injected() {
    is_injected("s4_sync_errors", "disk-errors");
}

#[test]
fn a_read_only_disk_is_injected() {
    is_injected("s5_read_only", "disk-errors");
}

#[test]
fn failing_call_sites_are_injected() {
    is_injected("s6_call_sites", "disk-errors");
}

#[test]
fn lost_writes_are_injected() {
    is_injected("s7_lost_writes", "writes-lost");
}

#[test]
fn a_wiped_disk_is_injected() {
    is_injected("s8_wipe", "files-wiped");
}

#[test]
fn a_stale_disk_is_injected() {
    is_injected("s9_stale_restore", "files-reverted");
}

#[test]
fn swapped_disks_are_injected() {
    is_injected("s10_swap", "files-swapped");
}
