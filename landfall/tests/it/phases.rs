//! The phases of a run: who comes back after the faults, and what a system that does not is told.

use landfall::coordinate::{RunRequest, Tier};
use landfall::judge::Verdict;
use landfall::phases::{Convergence, Phase};
use landfall::script::Script;
use plan_compiler::scenario::Weather;

use crate::sweeps::{pool, reports, sweep_all};
use crate::toy::{Quirk, Toy};

mod minority_lost {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/majority.md",
        system = Toy(Quirk::None),
        test = false
    );
}

const LOST: &str = "phases::minority_lost::s1_short";
const SEEDS: u64 = 20;

#[test]
fn phases_follow_each_other_in_every_seed() {
    use Phase::{Chaos, Converge, Verify, WarmUp};
    for report in reports(&mut pool(1), LOST, 5) {
        let phases: Vec<Phase> = report.phases.iter().map(|begun| begun.phase).collect();
        assert_eq!(phases, [WarmUp, Chaos, Converge, Verify]);
        assert!(report.phases.is_sorted_by_key(|begun| begun.at));
    }
}

/// The toy has one primary and no election: without it nobody is served.
#[test]
fn a_system_whose_minority_is_lost_goes_on_or_is_told_that_it_does_not() {
    let mut pool = pool(1);
    let mut stuck = 0;
    for report in reports(&mut pool, LOST, SEEDS) {
        let core = &report.swarm.as_ref().expect("it is of a plan").core;
        let has_primary = core.is_empty() || core.contains(&1);
        match report.convergence.as_ref().expect("it ran to its end") {
            Convergence::Reached { after_ns } => {
                assert!(has_primary, "seed {}", report.seed);
                assert!(*after_ns < 5_000_000_000, "{after_ns}");
            }
            Convergence::NoLiveness { why } => {
                assert!(!has_primary, "seed {}: {why}", report.seed);
                assert!(why.starts_with("2 of 3 servers run"), "{why}");
                stuck += 1;
            }
            Convergence::Hopeless { why } => panic!("two of three servers are left: {why}"),
        }
    }
    assert!((1..SEEDS / 2).contains(&stuck), "{stuck}");
    let result = sweep_all(&mut pool, LOST, SEEDS);
    assert_eq!(result.tally.convergence.no_liveness, stuck);
    let judgement = &result.judgement;
    assert_eq!(judgement.verdict, Verdict::PartialModel, "{judgement:?}");
    let expected = format!("in {stuck} of {SEEDS} seeds the last state was not read: no liveness");
    assert!(judgement.reason.starts_with(&expected), "{judgement:?}");
}

#[test]
fn a_plain_run_draws_nothing_for_itself() {
    let script = Script {
        plain: true,
        ..Script::default()
    };
    let mut pool = pool(1);
    for seed in 0..5 {
        let request = RunRequest::new(LOST, seed, Tier::Smoke).with_script(&script);
        let outcome = pool.run_one(request).expect("the worker holds");
        let report = outcome.report().expect("it ran to its end");
        let swarm = report.swarm.as_ref().expect("it is of a plan");
        assert_eq!((swarm.network, swarm.disk_percent), (Weather::Usual, 100));
        assert!(swarm.quiet && swarm.without.is_empty() && swarm.core.is_empty());
        assert_eq!((swarm.nodes, swarm.clients), (3, 2));
    }
}
