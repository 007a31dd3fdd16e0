//! Every fault of the network that a plan can name lands on a small system, and heals.

use landfall::judge::Verdict;

use crate::sweeps::{pool, reports, sweep_all};
use crate::toy::{Quirk, Toy};

mod plan {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/network.md",
        system = Toy(Quirk::None),
        test = false
    );
}

mod names {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/names.md",
        system = Toy(Quirk::ByName),
        test = false
    );
}

const SEEDS: u64 = 3;

fn lands(scenario: &str, counter: &str) {
    lands_in("plan", scenario, counter);
}

fn lands_in(plan: &str, scenario: &str, counter: &str) {
    let mut pool = pool(1);
    let name = format!("network_faults::{plan}::{scenario}");
    let result = sweep_all(&mut pool, &name, SEEDS);
    let verdict = &result.judgement.verdict;
    assert_eq!(*verdict, Verdict::PassSmoke, "{scenario}: {result:#?}");
    for report in reports(&mut pool, &name, SEEDS) {
        let [row] = &report.ledger[..] else {
            panic!("one fault is planned: {:?}", report.ledger);
        };
        assert!(row.has_landed(), "{row:?}");
        assert!(row.injected[counter] > 0, "{row:?}");
        assert_eq!(row.healed.len(), row.armed.len(), "{row:?}");
        let first = row.injected_evidence[0].at;
        assert!(first >= row.armed[0], "{row:?}");
    }
}

#[test]
fn latency_lands() {
    lands("s1_latency", "packets-delayed");
}

#[test]
fn loss_lands() {
    lands("s2_loss", "packets-dropped");
}

#[test]
fn reordering_lands() {
    lands("s3_reorder", "packets-delayed");
}

#[test]
fn corruption_lands() {
    lands("s4_corrupt", "packets-corrupted");
}

#[test]
fn a_narrow_link_lands() {
    lands("s5_bandwidth", "packets-delayed");
}

#[test]
fn a_jam_lands() {
    lands("s6_jam", "packets-held");
}

#[test]
fn a_rejecting_partition_lands() {
    lands("s7_reject", "packets-rejected");
}

#[test]
fn resets_land() {
    lands("s8_reset", "connections-reset");
}

#[test]
fn a_split_into_halves_lands() {
    lands("s9_halves", "packets-dropped");
}

#[test]
fn a_partition_of_the_clients_lands() {
    lands("s10_clients", "packets-dropped");
}

#[test]
fn a_swizzle_lands() {
    lands("s11_swizzle", "packets-dropped");
}

#[test]
fn a_ring_of_majorities_lands() {
    lands("s15_ring", "packets-dropped");
}

/// Shapes that may leave the links in use alone: what was dropped, was between servers.
fn lands_in_some_seed(scenario: &str) {
    let mut pool = pool(1);
    let all = reports(&mut pool, &format!("network_faults::plan::{scenario}"), 8);
    let rows: Vec<_> = all.into_iter().flat_map(|report| report.ledger).collect();
    assert_eq!(rows.len(), 8, "one fault a seed");
    for seen in rows.iter().flat_map(|row| &row.injected_evidence) {
        assert!(!seen.what.contains("10.0.1."), "no client's: {seen:?}");
    }
    let landed = rows.iter().filter(|row| row.has_landed()).count();
    assert!(landed >= 4, "{landed} of 8 landed: {rows:#?}");
}

#[test]
fn a_bridge_lands() {
    lands_in_some_seed("s16_bridge");
}

#[test]
fn a_partition_of_some_links_lands() {
    lands_in_some_seed("s17_partial");
}

#[test]
fn isolating_one_node_or_the_leader_lands() {
    lands("s22_one", "packets-dropped");
    lands("s18_leader", "packets-dropped");
}

#[test]
fn isolating_a_minority_a_majority_or_less_than_a_third_lands() {
    lands("s19_minority", "packets-dropped");
    lands("s20_majority", "packets-dropped");
    lands("s21_third", "packets-dropped");
}

#[test]
fn one_way_partitions_land_on_their_way_alone() {
    for (scenario, way) in [
        ("s23_in", " -> 10.0.0.1:"),
        ("s24_out", "10.0.0.1:7000 -> "),
    ] {
        lands(scenario, "packets-dropped");
        let mut pool = pool(1);
        for report in reports(
            &mut pool,
            &format!("network_faults::plan::{scenario}"),
            SEEDS,
        ) {
            for seen in &report.ledger[0].injected_evidence {
                assert!(seen.what.contains(way), "{scenario}: {seen:?}");
            }
        }
    }
}

/// Of each packet hit, the numbers of the servers at its ends.
fn servers_hit(scenario: &str) -> Vec<Vec<u32>> {
    let mut pool = pool(1);
    let all = reports(
        &mut pool,
        &format!("network_faults::plan::{scenario}"),
        SEEDS,
    );
    let rows = all.into_iter().flat_map(|report| report.ledger);
    let seen = rows.flat_map(|row| row.injected_evidence);
    let ends = seen.map(|seen| {
        let is_end = |number: &u32| seen.what.contains(&format!("10.0.0.{number}:"));
        (1..=5).filter(is_end).collect()
    });
    ends.collect()
}

#[test]
fn between_two_groups_no_other_link_is_cut() {
    let hit = servers_hit("s25_groups");
    assert!(!hit.is_empty(), "nothing was cut");
    for ends in hit {
        let [one, other] = ends[..] else {
            panic!("a client's packet: {ends:?}");
        };
        assert!(one <= 2 && (3..=4).contains(&other), "{ends:?}");
    }
}

#[test]
fn between_two_nodes_one_link_is_cut() {
    let hit = servers_hit("s26_pair");
    assert!(!hit.is_empty(), "nothing was cut");
    assert!(hit.iter().all(|ends| *ends == [1, 2]), "{hit:?}");
}

#[test]
fn every_node_but_one_is_hit() {
    let hit = servers_hit("s27_but_one");
    assert!(!hit.is_empty(), "nothing was lost");
    assert!(hit.iter().all(|ends| *ends != [1]), "{hit:?}");
}

/// A run ends with a write and a read of each of two keys, whatever its clients do.
const LAST: u64 = 3;

#[test]
fn clients_stop_after_the_operations_that_are_asked_of_them() {
    let mut pool = pool(1);
    for (scenario, each) in [("s28_counted", 5), ("s29_idle", 0)] {
        let name = format!("network_faults::plan::{scenario}");
        for report in reports(&mut pool, &name, SEEDS) {
            let counts = report.operations;
            let issued = counts.ok + counts.failed + counts.unknown;
            assert_eq!(issued, 2 * each + LAST, "{scenario}: {counts:?}");
        }
    }
}

#[test]
fn latency_of_a_size_left_open_lands() {
    lands("s12_left_open", "packets-delayed");
}

#[test]
fn frames_of_a_kind_on_one_link_alone_land() {
    lands("s14_frames", "packets-dropped");
    let mut pool = pool(1);
    for report in reports(&mut pool, "network_faults::plan::s14_frames", SEEDS) {
        let row = &report.ledger[0];
        for seen in &row.injected_evidence {
            let one_way =
                seen.what.contains("10.0.0.2:") && seen.what.contains(" -> 10.0.0.1:7000");
            assert!(one_way, "{row:?}");
        }
        // No handshake is of a kind: what a deputy writes is lost, and nothing else.
        assert!(!row.observed.contains_key("connects-failed"), "{row:?}");
    }
}

#[test]
fn look_ups_that_nobody_answers_land() {
    lands_in("names", "s1_outage", "lookups-delayed");
}

#[test]
fn unknown_names_land() {
    lands_in("names", "s2_unknown", "lookups-failed");
}

#[test]
fn slow_look_ups_land() {
    lands_in("names", "s3_slow", "lookups-delayed");
}

#[test]
fn a_host_that_comes_back_under_another_address_lands() {
    lands_in("names", "s5_readdress", "hosts-readdressed");
}

#[test]
fn wrong_names_mislead() {
    let mut pool = pool(1);
    let all = reports(&mut pool, "network_faults::names::s4_elsewhere", SEEDS).into_iter();
    let mut rows = all.flat_map(|report| report.ledger);
    assert!(rows.any(|row| row.injected.contains_key("lookups-misled")));
}

#[test]
fn duplicates_that_tcp_hides_are_masked_and_prove_nothing() {
    let mut pool = pool(1);
    let result = sweep_all(&mut pool, "network_faults::plan::s13_duplicates", SEEDS);
    let verdict = result.judgement.verdict;
    assert_eq!(verdict, Verdict::InconclusiveFaultNotProven);
    for report in reports(&mut pool, "network_faults::plan::s13_duplicates", SEEDS) {
        assert_eq!(report.ledger[0].standing(), "masked");
    }
}
