//! Every fault lands on a small system with the counters that it promises, and heals.

use landfall::coordinate::Tier;
use landfall::judge::Verdict;
use landfall::render;

use crate::sweeps::{pool, reports, sweep_all, sweep_tier, test_named};
use crate::toy::{Quirk, Toy};

mod plan {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/faults.md",
        system = Toy(Quirk::None),
        test = false
    );
}

mod unproven {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/unproven.md",
        system = Toy(Quirk::None),
        test = false
    );
}

mod accepted {
    use super::{Quirk, Toy};
    landfall::plan!("tests/it/plans/accepted.md", system = Toy(Quirk::None));
}

mod taken_over {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/reelected.md",
        system = Toy(Quirk::None),
        test = false
    );
}

mod loyal {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/reelected.md",
        system = Toy(Quirk::Loyal),
        test = false
    );
}

mod overlap {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/overlap.md",
        system = Toy(Quirk::None),
        test = false
    );
}

const SEEDS: u64 = 3;

/// Sweeps a scenario that must land in every seed. `counters`: least number in each seed.
fn lands(scenario: &str, target: &str, counters: &[(&str, u64)]) {
    let mut pool = pool(1);
    let name = format!("faults::plan::{scenario}");
    let result = sweep_all(&mut pool, &name, SEEDS);
    assert_eq!(
        result.judgement.verdict,
        Verdict::PassSmoke,
        "{scenario}: {result:#?}"
    );
    assert_eq!(result.tally.landed, SEEDS);
    for report in reports(&mut pool, &name, SEEDS) {
        let [row] = &report.ledger[..] else {
            panic!("one fault is planned: {:?}", report.ledger);
        };
        assert!(!row.armed.is_empty());
        assert_eq!(row.healed.len(), row.armed.len(), "{row:?}");
        assert!(row.target.contains(target), "{}", row.target);
        assert!(
            !row.observed.is_empty() && !row.observed_evidence.is_empty(),
            "{row:?}"
        );
        for (counter, min) in counters {
            let count = row.injected.get(*counter).copied().unwrap_or(0);
            assert!(count >= *min, "{counter} {count}: {row:?}");
        }
        assert!(report.operations.ok > 20, "{:?}", report.operations);
    }
}

#[test]
fn a_kill_lands() {
    lands("s1_kill", "n1", &[("processes-killed", 1), ("restarts", 1)]);
}

#[test]
fn what_landed_over_the_hardening_budget_is_hardened() {
    let mut pool = pool(1);
    let name = "faults::plan::s1_kill";
    let result = sweep_tier(&mut pool, name, 5, Tier::Harden);
    assert_eq!(result.judgement.verdict, Verdict::PassHardening);
    let short = sweep_tier(&mut pool, name, 4, Tier::Harden);
    assert_eq!(short.judgement.verdict, Verdict::PassSmoke);
    let table = render::table(&[result]);
    for expected in [
        "PASS-hardening ",
        "claims  C1 A write succeeds within 5 s of every heal",
        "oracle  progress: ",
        "fault   S1.kill-n1 kill: landed in 5/5; ",
        "processes-killed 5",
        "landing \"processes killed >= 1",
    ] {
        assert!(table.contains(expected), "{expected} is not in\n{table}");
    }
}

#[test]
fn a_power_loss_lands() {
    lands(
        "s2_power_loss",
        "n1",
        &[("power-losses", 1), ("restarts", 1)],
    );
}

#[test]
fn a_graceful_stop_lands() {
    lands(
        "s3_graceful_stop",
        "n1",
        &[("graceful-stops", 1), ("restarts", 1)],
    );
}

#[test]
fn disk_errors_land() {
    // The node ends at the first one. It is started again when the window closes, which is no
    // evidence for the fault; that it serves again is what the scenario's progress claim shows.
    lands("s4_disk_error", "n1", &[("disk-errors", 1)]);
    lands("s5_disk_full", "n1", &[("disk-errors", 1)]);
}

#[test]
fn one_way_partitions_land() {
    for scenario in ["s6_outbound", "s7_inbound", "s8_one_way"] {
        lands(scenario, "n1", &[("packets-dropped", 1)]);
    }
}

#[test]
fn partitions_of_a_minority_and_of_a_majority_land() {
    lands("s9_minority", "n", &[("packets-dropped", 1)]);
    lands("s10_majority", ", ", &[("packets-dropped", 1)]);
}

#[test]
fn all_nodes_and_each_in_turn_are_killed() {
    let thrice = [("processes-killed", 3), ("restarts", 3)];
    lands("s11_all", "n1, n2, n3", &thrice);
    lands("s12_rolling", "n3", &thrice);
    let mut pool = pool(1);
    for report in reports(&mut pool, "faults::plan::s12_rolling", 1) {
        let row = &report.ledger[0];
        let killed: Vec<_> = row
            .injected_evidence
            .iter()
            .filter(|sighting| !sighting.what.contains("started"))
            .map(|sighting| &sighting.what[..2])
            .collect();
        assert_eq!(&killed[..2], ["n1", "n2"], "{row:?}");
        assert_eq!(row.armed.len(), 3);
    }
}

#[test]
fn the_leader_and_a_follower_are_told_apart() {
    lands("s13_leader", "n1", &[("processes-killed", 1)]);
    let mut pool = pool(1);
    lands("s14_follower", "n", &[("processes-killed", 1)]);
    for report in reports(&mut pool, "faults::plan::s14_follower", SEEDS) {
        assert!(["n2", "n3"].contains(&report.ledger[0].target.as_str()));
    }
}

#[test]
fn a_partition_of_idle_links_is_not_proven() {
    let result = sweep_all(&mut pool(1), "faults::unproven::s1_idle_links", SEEDS);
    let judgement = &result.judgement;
    assert_eq!(judgement.verdict, Verdict::InconclusiveFaultNotProven);
    let reason = &judgement.reason;
    assert!(
        reason.contains("S1.partition-idle (partition) vacuous: armed, never injected"),
        "{reason}"
    );
    assert_eq!((result.tally.failed, result.tally.landed), (0, 0));
}

#[test]
fn the_plan_may_accept_a_fault_that_is_not_proven() {
    let test = test_named(&mut pool(1), "faults::accepted::s1_idle_links_are_accepted");
    let allowed = test.scenario.expect("it can run").allow;
    assert_eq!(allowed, ["INCONCLUSIVE-fault-not-proven"]);
    // Its own #[test], which the plan made, passes.
}

#[test]
fn the_hit_node_that_leads_again_is_no_election() {
    let mut pool = pool(1);
    let taken_over = sweep_all(&mut pool, "faults::taken_over::s1_reelected", SEEDS);
    let judgement = taken_over.judgement;
    assert_eq!(judgement.verdict, Verdict::PassSmoke, "{judgement:?}");
    let seen = taken_over.tally.landing[0]
        .seen
        .as_deref()
        .unwrap_or_default();
    assert!(seen.contains("leads in term 1001"), "{seen}");

    let loyal = sweep_all(&mut pool, "faults::loyal::s1_reelected", SEEDS);
    let judgement = &loyal.judgement;
    assert_eq!(
        judgement.verdict,
        Verdict::InconclusiveFaultNotProven,
        "{judgement:?}"
    );
    assert!(
        judgement
            .reason
            .contains("no other node became leader in time")
    );
    assert_eq!(
        loyal.tally.faults[0].landed, SEEDS,
        "the fault itself landed"
    );
    for report in reports(&mut pool, "faults::loyal::s1_reelected", SEEDS) {
        let history = report.history.expect("it was asked for");
        let led = history
            .lines()
            .filter(|line| line.contains("\"lead\""))
            .count();
        assert_eq!(led, 2, "the primary led again after its restart");
    }
}

#[test]
fn a_window_that_closes_leaves_a_node_down_that_another_holds() {
    let name = "faults::overlap::s1_a_partition_heals_while_its_node_is_down";
    for report in reports(&mut pool(1), name, SEEDS) {
        assert!(report.landed(), "{:?}", report.ledger);
        let [kill, partition] = &report.ledger[..] else {
            panic!("two faults are planned: {:?}", report.ledger);
        };
        assert!(partition.healed[0] < kill.healed[0]);
        assert_eq!(partition.injected.get("restarts"), None, "{partition:?}");
        assert_eq!(kill.injected.get("restarts"), Some(&1), "{kill:?}");
        let restart = kill.injected_evidence.iter();
        let restart = restart.filter(|sighting| sighting.what.contains("started again"));
        let at: Vec<_> = restart.map(|sighting| sighting.at).collect();
        assert_eq!(at, [kill.healed[0]]);
    }
}
