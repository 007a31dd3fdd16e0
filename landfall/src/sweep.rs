//! One test over many seeds: run, count, run again what must be, judge.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sim_runtime::TraceEvent;

use crate::coordinate::{CoordinateError, Flow, Pool, RunRequest, TestInfo, Tier};
use crate::judge::{Circumstances, Judgement, judge};
use crate::report::SeedOutcome;
use crate::tally::Tally;

/// How many seeds a simulation written by hand runs unless it says otherwise.
pub const HAND_SEEDS: u32 = 10;

/// How many seeds of a sweep are run twice: one in this many.
const DOUBLE_RUN_ONE_IN: usize = 20;

/// How many events after the last checkpoint that agrees are looked at: up to the next one.
const DIVERGENCE_WINDOW: u64 = 1_024;

/// How many pairs of runs are made to find the first event that differs.
const LOCATE_TRIES: usize = 8;

/// What to run of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Which seeds.
    pub seeds: Vec<u64>,
    /// Which budget's duration.
    pub tier: Tier,
    /// Whether every seed is run twice, or only one in twenty.
    pub double_every_seed: bool,
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

/// Two runs of one seed that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The seed.
    pub seed: u64,
    /// Number of the last event up to which checkpoints agree.
    pub same_until: u64,
    /// The last event that does not differ, where it was written out: whose task ran last.
    pub last_same: Option<TraceEvent>,
    /// The first event that differs, of each run; none where further runs did not differ there.
    pub first: Option<(Option<TraceEvent>, Option<TraceEvent>)>,
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
    let request = |seed: u64| RunRequest::new(&test.test, seed, order.tier);
    let doubled: BTreeSet<u64> = order
        .seeds
        .iter()
        .step_by(if order.double_every_seed {
            1
        } else {
            DOUBLE_RUN_ONE_IN
        })
        .copied()
        .collect();
    let mut twice = Vec::new();
    let requests = order.seeds.iter().map(|seed| request(*seed));
    pool.run(requests, &mut |request, outcome| {
        progress(&outcome);
        if doubled.contains(&request.seed()) {
            twice.push((request.seed(), outcome.digest()));
        }
        let failed = outcome.failed();
        tally.add(outcome);
        if failed && order.stop_at_failure {
            Flow::Stop
        } else {
            Flow::Continue
        }
    })?;
    twice.sort_unstable_by_key(|(seed, _)| *seed);

    let mut known = Circumstances {
        tier: Some(order.tier),
        ..Circumstances::default()
    };
    let divergence = check_determinism(pool, &request, &twice)?;
    known.diverged = divergence.as_ref().map(|divergence| divergence.seed);
    if let Some(first) = tally.failures.first().cloned() {
        let again = pool.run_one(request(first.seed()).with_history())?;
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

fn check_determinism(
    pool: &mut Pool,
    request: &dyn Fn(u64) -> RunRequest,
    twice: &[(u64, Option<sim_runtime::Digest>)],
) -> Result<Option<Divergence>, CoordinateError> {
    let mut differing: Vec<u64> = Vec::new();
    let requests = twice.iter().map(|(seed, _)| request(*seed));
    pool.run(requests, &mut |request, outcome| {
        let seed = request.seed();
        let before = twice
            .iter()
            .find(|(other, _)| *other == seed)
            .and_then(|(_, d)| *d);
        if outcome.digest() != before {
            differing.push(seed);
        }
        Flow::Continue
    })?;
    match differing.into_iter().min() {
        None => Ok(None),
        Some(seed) => locate(pool, &request(seed)).map(Some),
    }
}

/// Runs a seed that is known to differ, twice at a time, until the first event that differs is
/// in the window that was written out: which event that is may itself change from run to run.
fn locate(pool: &mut Pool, request: &RunRequest) -> Result<Divergence, CoordinateError> {
    let mut divergence = Divergence {
        seed: request.seed(),
        same_until: 0,
        last_same: None,
        first: None,
    };
    for _ in 0..LOCATE_TRIES {
        let start = divergence.same_until + 1;
        let traced = request.clone().with_trace(start..start + DIVERGENCE_WINDOW);
        let (a, b) = (pool.run_one(traced.clone())?, pool.run_one(traced)?);
        let (Some(a), Some(b)) = (a.report(), b.report()) else {
            return Ok(divergence);
        };
        let same = a
            .checkpoints
            .iter()
            .zip(&b.checkpoints)
            .take_while(|(a, b)| a == b)
            .last()
            .map_or(0, |(checkpoint, _)| checkpoint.events);
        let longest = a.trace.len().max(b.trace.len());
        let differs = (0..longest).find(|place| a.trace.get(*place) != b.trace.get(*place));
        if let Some(place) = differs.filter(|_| same == divergence.same_until) {
            divergence.last_same = place
                .checked_sub(1)
                .and_then(|before| a.trace.get(before))
                .cloned();
            let (a, b) = (a.trace.get(place).cloned(), b.trace.get(place).cloned());
            divergence.same_until = start - 1 + place as u64;
            divergence.first = Some((a, b));
            return Ok(divergence);
        }
        if a.digest != b.digest {
            divergence.same_until = same;
        }
    }
    Ok(divergence)
}
