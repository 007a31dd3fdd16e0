//! What a plan requires to be observable is looked for in what a run left behind, by node.

use landfall::coordinate::{RunRequest, Tier};
use landfall::observability::judge;

use crate::sweeps::{pool, test_named};
use crate::toy::{Quirk, Toy};

mod plan {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/observed.md",
        system = Toy(Quirk::None),
        test = false
    );
}

const NAME: &str = "observed::plan::s1_what_is_required";

#[test]
fn each_thing_that_is_required_is_judged_by_what_was_captured() {
    let mut pool = pool(1);
    let scenario = test_named(&mut pool, NAME)
        .scenario
        .expect("it is a plan's");
    let request = RunRequest::new(NAME, 1, Tier::Smoke)
        .with_history()
        .with_log(true);
    let outcome = pool.run_one(request).expect("the worker holds");
    let report = outcome.report().expect("it runs to its end");
    let required = judge(&scenario, report);
    let found: Vec<_> = required
        .iter()
        .map(|one| (one.text.as_str(), one.is_there))
        .collect();
    assert_eq!(
        found,
        [
            ("client histories with the node that answered", Some(true)),
            ("server logs", Some(true)),
            ("log line \"taking over\"", Some(true)),
            ("packets dropped by fault", Some(true)),
            ("reports of elections", Some(true)),
            ("request ids", Some(false)),
            ("metrics", Some(true)),
            ("smoke signals", None),
        ],
        "{required:#?}"
    );
    assert!(required[2].seen.contains("n2 "), "{:?}", required[2]);
    assert!(
        report.landing.iter().all(|landing| landing.held),
        "{:?}",
        report.landing
    );
}
