//! Every row of the nemesis's taxonomy lands on a small system: the injector says so, and the
//! victim.

use landfall::judge::Verdict;

use crate::sweeps::{pool, reports, sweep_all};
use crate::toy::{Quirk, Toy};

mod plan {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/taxonomy.md",
        system = Toy(Quirk::Operated),
        test = false
    );
}

mod unoffered {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/taxonomy.md",
        system = Toy(Quirk::None),
        test = false
    );
}

const PLAN: &str = include_str!("plans/taxonomy.md");

/// The row, its scenario, and the counter of the ledger that the injector moves.
const ROWS: [(&str, &str, &str); 40] = [
    ("hard kill", "hard_kill", "processes-killed"),
    ("graceful stop", "graceful_stop", "graceful-stops"),
    ("pause", "pause", "nodes-paused"),
    ("container restart", "container_restart", "graceful-stops"),
    ("full partition", "full_partition", "packets-dropped"),
    (
        "asymmetric partition",
        "asymmetric_partition",
        "packets-dropped",
    ),
    (
        "minority-side partition",
        "minority_side",
        "packets-dropped",
    ),
    (
        "majority-side partition",
        "majority_side",
        "packets-dropped",
    ),
    ("leader isolation", "leader_isolation", "packets-dropped"),
    ("loss", "loss", "packets-dropped"),
    ("latency", "latency", "packets-delayed"),
    ("bandwidth", "bandwidth", "packets-delayed"),
    ("duplication", "duplication", "packets-duplicated"),
    ("reordering", "reordering", "packets-delayed"),
    (
        "metadata-store outage",
        "metadata_outage",
        "packets-dropped",
    ),
    ("disk full", "disk_full", "disk-errors"),
    ("fsync/power loss", "power_loss", "power-losses"),
    ("slow disk", "slow_disk", "calls-delayed"),
    ("bit flip", "bit_flip", "sectors-rotted"),
    ("fsync failure", "fsync_failure", "disk-errors"),
    ("typed corruption", "typed_corruption", "sectors-rotted"),
    ("backup/restore race", "backup_restore_race", "backups"),
    ("clock skew", "clock_skew", "clock-steps"),
    ("slow clock", "slow_clock", "timers-shifted"),
    (
        "rolling restart in the wrong order",
        "wrong_order",
        "graceful-stops",
    ),
    ("split-brain attempt", "split_brain", "packets-dropped"),
    ("slow follower", "slow_follower", "packets-delayed"),
    ("mixed-version cluster", "mixed_versions", "nodes-upgraded"),
    ("rolling upgrade", "rolling_upgrade", "nodes-upgraded"),
    ("config divergence", "config_divergence", "config-changes"),
    (
        "credential divergence",
        "credential_divergence",
        "credentials-rotated",
    ),
    ("compaction during reads", "compaction", "compactions"),
    ("rebalancing during writes", "rebalancing", "rebalances"),
    ("CPU starvation", "cpu", "cpu-slices-taken"),
    (
        "descriptor exhaustion",
        "descriptors",
        "descriptors-refused",
    ),
    (
        "credential rotation",
        "credential_rotation",
        "credentials-rotated",
    ),
    ("backup", "backup", "backups"),
    ("leadership transfer", "leadership_transfer", "step-downs"),
    (
        "membership change",
        "membership_change",
        "membership-changes",
    ),
    ("memory exhaustion", "memory", "oom-kills"),
];

/// Packets that come twice are TCP's to hide: nobody above it notices, and the ledger says so.
const MASKED: [&str; 1] = ["duplication"];

const SEEDS: u64 = 3;

fn named(at: usize) -> String {
    format!("s{}_{}", at + 1, ROWS[at].1)
}

#[test]
fn every_row_has_a_scenario_that_can_run() {
    let compiled = plan_compiler::compile(PLAN);
    let errors: Vec<_> = compiled
        .not_runnable
        .iter()
        .map(|one| (&one.id, &one.reasons))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let scenarios = compiled
        .scenarios
        .iter()
        .map(|scenario| scenario.name.as_str());
    assert!(scenarios.eq(ROWS.iter().map(|row| row.1)));
}

/// In some seed: which node a fault meets, and what it was doing then, is drawn.
#[test]
fn every_row_is_injected_and_observed() {
    let mut pool = pool(1);
    let mut missed = Vec::new();
    for (at, (row, _, counter)) in ROWS.iter().enumerate() {
        let reports = reports(&mut pool, &format!("taxonomy::plan::{}", named(at)), SEEDS);
        let rows = reports.iter().flat_map(|report| &report.ledger);
        let rows: Vec<_> = rows
            .filter(|row| row.injected.contains_key(*counter))
            .collect();
        let noticed = rows
            .iter()
            .any(|row| row.has_landed() && !row.observed_evidence.is_empty());
        if rows.is_empty() || noticed == MASKED.contains(row) {
            missed.push(format!("{row}: {counter} in {rows:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn what_a_system_does_not_offer_is_inconclusive_and_named() {
    let mut pool = pool(1);
    let verdict = |pool: &mut _, name: &str| {
        let at = ROWS
            .iter()
            .position(|row| row.1 == name)
            .expect("there is such a row");
        let result = sweep_all(pool, &format!("taxonomy::unoffered::{}", named(at)), SEEDS);
        (result.judgement.verdict, result.judgement.reason)
    };
    for (name, reason) in [
        ("rolling_upgrade", "upgrade to version B"),
        (
            "compaction",
            "needs a hook that the system does not offer (compaction)",
        ),
        ("config_divergence", "config change"),
        (
            "metadata_outage",
            "needs a node with the role \"metadata-store\"",
        ),
    ] {
        let (verdict, said) = verdict(&mut pool, name);
        assert_eq!(verdict, Verdict::InconclusiveEnv, "{said}");
        assert!(said.contains(reason), "{said}");
    }
    let (offered, said) = verdict(&mut pool, "hard_kill");
    assert_eq!(offered, Verdict::PassSmoke, "{said}");
}
