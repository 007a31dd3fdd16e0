//! Whose fault a failure is: each planted by somebody else, each said of whom it is.

use landfall::blame::{Blame, Culprit, blame};
use landfall::coordinate::{RunRequest, Tier};
use landfall::evidence::{Effort, Strength, gather};
use landfall::judge::audit::{Answer, audit_with};
use landfall::script::Script;

use crate::sweeps::{pool, sweep_all};
use crate::toy::{Quirk, Toy};

mod liar {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/power_loss.md",
        system = Toy(Quirk::Liar),
        test = false
    );
}

mod wrong_model {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/wrong_model.md",
        system = Toy(Quirk::None),
        test = false
    );
}

mod dice {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/power_loss.md",
        system = Toy(Quirk::UnsyncedDice),
        test = false
    );
}

mod two_leaders {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/leaders.md",
        system = Toy(Quirk::AllLead),
        test = false
    );
}

/// The first failing seed of a test, and whose fault it is.
fn blamed(test: &str) -> Blame {
    let mut pool = pool(2);
    for seed in 0..20 {
        let request = RunRequest::new(test, seed, Tier::Smoke);
        let outcome = pool
            .run_one(request.clone().with_history())
            .expect("the worker holds");
        if outcome.failed() {
            let script = Script::default();
            return blame(&mut pool, &request, &script, &outcome).expect("the worker holds");
        }
    }
    panic!("{test} fails within 20 seeds");
}

#[test]
fn a_system_that_does_not_sync_is_to_blame_itself() {
    let found = blamed("failures::unsynced::s1_acknowledged_writes_survive");
    assert_eq!(found.culprit, Culprit::Sut, "{found:#?}");
    assert!(
        found
            .controls
            .iter()
            .all(|control| control.accuses.is_none())
    );
    let gone = found
        .controls
        .iter()
        .any(|control| control.result == "the failure is gone");
    assert!(gone, "{found:#?}");
}

#[test]
fn a_client_that_makes_answers_up_is_the_harness() {
    let found = blamed("blame::liar::s1_acknowledged_writes_survive");
    assert_eq!(found.culprit, Culprit::Harness, "{found:#?}");
}

#[test]
fn an_oracle_that_no_register_satisfies_is_the_checker() {
    let found = blamed("blame::wrong_model::s1_registers_only_grow");
    assert_eq!(found.culprit, Culprit::Checker, "{found:#?}");
}

#[test]
fn two_leaders_of_a_term_are_the_systems_and_one_of_each_is_called_good() {
    let found = blamed("blame::two_leaders::s1_one_leader");
    assert_eq!(found.culprit, Culprit::Sut, "{found:#?}");
    let good = found
        .controls
        .iter()
        .find(|control| control.experiment == "judge a history that is good by construction");
    let good = good.expect("it is one of the controls");
    assert!(good.done && good.accuses.is_none(), "{good:#?}");
    let no_operations = "of 0 operations";
    assert!(!good.result.contains(no_operations), "{good:#?}");
}

#[test]
fn a_run_that_looks_at_the_real_clock_is_the_environment() {
    let found = blamed("blame::dice::s1_acknowledged_writes_survive");
    assert_eq!(found.culprit, Culprit::Environment, "{found:#?}");
}

#[test]
fn what_passes_says_what_each_fault_changed_and_how_strong_its_oracles_are() {
    let mut pool = pool(2);
    let result = sweep_all(
        &mut pool,
        "failures::synced::s1_acknowledged_writes_survive",
        4,
    );
    let mut effort = Effort {
        runs_a_point: 0,
        is_over: &|| false,
        progress: &mut |_| {},
    };
    let seeds = [0, 1, 2, 3];
    let found = gather(&mut pool, &result, &seeds, &mut effort).expect("the workers hold");
    assert!(found.failure.is_none());
    let [without] = &found.without[..] else {
        panic!("{:#?}", found.without);
    };
    assert!(
        without.landed && !without.decisive && without.fails.is_none(),
        "{without:?}"
    );
    let said = |what: &str| without.changed.iter().any(|line| line.starts_with(what));
    assert!(
        said("leaders reported: ") && said("events: "),
        "{without:?}"
    );
    assert!(without.parting.is_some(), "{without:?}");
    let scores: Vec<_> = found
        .strength
        .iter()
        .map(|one| match one {
            Strength::Scored(score) => score,
            Strength::NotScored { why, .. } => panic!("{why}"),
        })
        .collect();
    assert_eq!(scores.len(), 2, "one a checker");
    assert!(scores.iter().all(|score| score.mutants > 0), "{scores:?}");
    let scenario = result.test.scenario.as_ref().expect("it has one");
    let asked = audit_with(scenario, &result.tally, &found.strength);
    let oracles = asked
        .iter()
        .filter(|one| one.asked.contains("planted in a good history"));
    let answers: Vec<_> = oracles.map(|one| one.answer).collect();
    assert_eq!(answers, [Answer::Yes, Answer::Yes], "{asked:#?}");
}
