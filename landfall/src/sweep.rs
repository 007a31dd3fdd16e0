//! One test over many seeds: run, count, run again what must be, judge.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::coordinate::{CoordinateError, Flow, Pool, RunRequest, TestInfo, Tier};
use crate::judge::{Circumstances, Judgement, judge};
use crate::report::SeedOutcome;
use crate::tally::Tally;
use crate::twice::{self, Print};
pub use crate::twice::{Divergence, SHARE_PERCENT};

/// How many seeds a simulation written by hand runs unless it says otherwise.
pub const HAND_SEEDS: u32 = 10;

/// What to run of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Which seeds.
    pub seeds: Vec<u64>,
    /// Which budget's duration.
    pub tier: Tier,
    /// How many seeds of a hundred are run twice.
    pub double_percent: u8,
    /// Whether each run sends the guests' whole log along.
    pub whole_log: bool,
    /// Whether no new seed is begun after one has failed.
    pub stop_at_failure: bool,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// The test.
    pub test: TestInfo,
    /// Which budget's duration was run.
    pub tier: Tier,
    /// What its seeds add up to.
    pub tally: Tally,
    /// Two runs of a seed that differ.
    pub divergence: Option<Divergence>,
    /// The verdict.
    pub judgement: Judgement,
}

/// Runs a test's seeds and judges them. `progress` is called after each seed with its outcome.
///
/// # Errors
/// The worker processes broke.
pub fn sweep(
    pool: &mut Pool,
    test: &TestInfo,
    order: &Order,
    progress: &mut dyn FnMut(&SeedOutcome),
) -> Result<TestResult, CoordinateError> {
    let mut tally = Tally::default();
    if test.plan.is_some() && test.scenario.is_none() {
        let judgement = judge(None, &tally, &Circumstances::default());
        return Ok(TestResult {
            test: test.clone(),
            tier: order.tier,
            tally,
            divergence: None,
            judgement,
        });
    }
    let request = |seed: u64| {
        let request = RunRequest::new(&test.test, seed, order.tier);
        if order.whole_log {
            request.with_log(true)
        } else {
            request
        }
    };
    let places = order.seeds.iter().enumerate();
    let doubled: BTreeSet<u64> = places
        .filter(|(place, _)| twice::is_doubled(*place, order.double_percent))
        .map(|(_, seed)| *seed)
        .collect();
    let mut prints = BTreeMap::new();
    let requests = order.seeds.iter().map(|seed| request(*seed));
    pool.run(requests, &mut |request, outcome| {
        progress(&outcome);
        if doubled.contains(&request.seed()) {
            prints.insert(request.seed(), Print::of(&outcome));
        }
        let failed = outcome.failed();
        tally.add(outcome);
        if failed && order.stop_at_failure {
            Flow::Stop
        } else {
            Flow::Continue
        }
    })?;

    let mut known = Circumstances {
        tier: Some(order.tier),
        ..Circumstances::default()
    };
    let compared = twice::check(pool, &request, &prints)?;
    tally.compared = compared.seeds;
    tally.differing = compared.differing;
    let divergence = compared.divergence;
    known.diverged = divergence.as_ref().map(|divergence| divergence.seed);
    if let Some(first) = tally.failures.first().cloned() {
        let again = pool.run_one(
            request(first.seed())
                .with_history()
                .with_log(order.whole_log),
        )?;
        known.failure_reproduced = Some(is_same_failure(&first, &again));
        if known.failure_reproduced == Some(true) {
            tally.failures[0] = again;
        }
    }
    let judgement = judge(test.scenario.as_ref(), &tally, &known);
    Ok(TestResult {
        test: test.clone(),
        tier: order.tier,
        tally,
        divergence,
        judgement,
    })
}

/// The same kind of failure after the same events.
fn is_same_failure(first: &SeedOutcome, again: &SeedOutcome) -> bool {
    match (first.death(), again.death()) {
        (Some(first), Some(again)) => again.is_like(first),
        _ => again.signature() == first.signature() && again.digest() == first.digest(),
    }
}
