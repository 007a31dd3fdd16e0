//! Faults that wait for something: another leader, a line of a log, operations, another fault.

use landfall::judge::Verdict;
use landfall::report::SeedReport;

use crate::sweeps::{pool, reports, sweep_all};
use crate::toy::{Quirk, Toy};

mod plan {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/events.md",
        system = Toy(Quirk::None),
        test = false
    );
}

const SEEDS: u64 = 3;

fn ran(scenario: &str) -> Vec<SeedReport> {
    let mut pool = pool(1);
    let name = format!("events::plan::{scenario}");
    let result = sweep_all(&mut pool, &name, SEEDS);
    let reason = &result.judgement.reason;
    assert_eq!(
        result.judgement.verdict,
        Verdict::PassSmoke,
        "{scenario}: {reason}"
    );
    reports(&mut pool, &name, SEEDS)
}

/// When a fault, by its place in the plan, was armed and healed for the first time.
fn window(report: &SeedReport, fault: usize) -> (u64, u64) {
    let row = &report.ledger[fault];
    (row.armed[0].as_nanos(), row.healed[0].as_nanos())
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_fault_waits_for_another_leader() {
    for report in ran("s1_after_a_change_of_leader") {
        let (cut, _) = window(&report, 0);
        let (paused, resumed) = window(&report, 1);
        // The deputy needs some pings to miss the primary; then come the plan's 200 ms.
        assert!(
            paused > cut + SECOND / 2 && paused < cut + 2 * SECOND,
            "{report:?}"
        );
        assert_eq!(resumed - paused, SECOND / 2);
    }
}

#[test]
fn a_fault_waits_for_a_line_of_a_log() {
    for report in ran("s2_after_a_line_of_the_log") {
        let (cut, _) = window(&report, 0);
        let (paused, _) = window(&report, 1);
        assert!(
            paused > cut + SECOND / 5 && paused < cut + SECOND,
            "{report:?}"
        );
    }
}

#[test]
fn a_fault_waits_for_operations() {
    for report in ran("s3_after_some_operations") {
        let (killed, _) = window(&report, 0);
        let history = report.history.as_ref().expect("it was asked for");
        let history = checkers::jsonl::read(history.as_bytes()).expect("a history");
        let before = history
            .ops
            .iter()
            .filter(|op| op.is_client() && op.is_acknowledged());
        let before = before.filter(|op| op.complete_ts.is_some_and(|at| at <= killed));
        // Looked at every 5 ms, in which two clients do no more than this.
        let before = before.count();
        assert!((40..=42).contains(&before), "{before}");
    }
}

#[test]
fn a_fault_follows_another() {
    for report in ran("s4_one_then_the_other") {
        let (_, healed) = window(&report, 0);
        let (killed, _) = window(&report, 1);
        assert!(
            killed >= healed && killed < healed + SECOND / 1_000,
            "{report:?}"
        );
    }
}

#[test]
fn what_is_waited_for_in_vain_does_not_open() {
    let mut pool = pool(1);
    let result = sweep_all(&mut pool, "events::plan::s5_never", SEEDS);
    assert_eq!(
        result.judgement.verdict,
        Verdict::InconclusiveFaultNotProven
    );
    let reason = &result.judgement.reason;
    assert!(reason.contains("never armed"), "{reason}");
}
