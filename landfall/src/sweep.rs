//! One test over many seeds: run, count, run again what must be, judge.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::coordinate::{CoordinateError, Flow, Pool, RunRequest, TestInfo, Tier};
use crate::judge::{Circumstances, Judgement, judge};
use crate::report::SeedOutcome;
use crate::script::Script;
use crate::tally::Tally;
use crate::twice::{self, Print};
pub use crate::twice::{Divergence, SHARE_PERCENT};

/// How many seeds a simulation written by hand runs unless it says otherwise.
pub const HAND_SEEDS: u32 = 10;

/// What to run of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Which seeds, all shards together.
    pub seeds: Vec<u64>,
    /// Which of them are run here.
    pub shard: Shard,
    /// What each run does other than its seed would.
    pub script: Script,
    /// Which budget's duration.
    pub tier: Tier,
    /// How many seeds of a hundred are run twice.
    pub double_percent: u8,
    /// Whether each run sends the guests' whole log along.
    pub whole_log: bool,
    /// Whether no new seed is begun after one has failed.
    pub stop_at_failure: bool,
    /// After how many seeds without a new behaviour no more are counted. What is counted does not
    /// depend on how fast seeds run.
    pub flat_after: Option<u64>,
}

/// A part of a sweep: every `of`-th seed, beginning with the one at place `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// How many parts there are.
    pub of: u32,
}

impl Shard {
    /// The whole sweep.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    const fn has(self, place: usize) -> bool {
        place % self.of as usize == self.index as usize
    }
}

impl Order {
    /// These seeds, all of them and here, with nothing out of the ordinary.
    #[must_use]
    pub fn new(seeds: Vec<u64>, tier: Tier) -> Self {
        Self {
            seeds,
            shard: Shard::WHOLE,
            script: Script::default(),
            tier,
            double_percent: SHARE_PERCENT,
            whole_log: false,
            stop_at_failure: false,
            flat_after: None,
        }
    }

    /// The seeds that are run here, in order.
    pub fn seeds_here(&self) -> impl Iterator<Item = u64> {
        let here = self
            .seeds
            .iter()
            .enumerate()
            .filter(|(place, _)| self.shard.has(*place));
        here.map(|(_, seed)| *seed)
    }

    /// Those of them that are run twice.
    fn doubled(&self) -> BTreeSet<u64> {
        let places = self
            .seeds
            .iter()
            .enumerate()
            .filter(|(place, _)| self.shard.has(*place));
        places
            .filter(|(place, _)| twice::is_doubled(*place, self.double_percent))
            .map(|(_, seed)| *seed)
            .collect()
    }

    fn request(&self, test: &TestInfo, seed: u64) -> RunRequest {
        let request = RunRequest::new(&test.test, seed, self.tier).with_script(&self.script);
        if self.whole_log {
            request.with_log(true)
        } else {
            request
        }
    }
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

/// What was found out beside the seeds' outcomes: by running some of them again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reruns {
    /// Seeds that were run twice, in different workers, and compared.
    pub compared: u64,
    /// Of them, those whose two runs differ.
    pub differing: u64,
    /// Where the first of these does.
    pub divergence: Option<Divergence>,
    /// The first seed that failed, run again: whether it failed the same, and how.
    pub failure: Option<(bool, SeedOutcome)>,
}

impl Reruns {
    /// Adds what another part of the same sweep found out.
    pub fn merge(&mut self, other: Self) {
        self.compared += other.compared;
        self.differing += other.differing;
        let mine = self.divergence.take().into_iter();
        let all = mine.chain(other.divergence);
        self.divergence = all.min_by_key(|divergence| divergence.seed);
        let mine = self.failure.take().into_iter();
        let all = mine.chain(other.failure);
        self.failure = all.min_by_key(|(_, outcome)| outcome.seed());
    }
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
    let mut each = |outcome: &SeedOutcome| {
        progress(outcome);
        Flow::Continue
    };
    let (tally, reruns) = gather(pool, test, order, BTreeMap::new(), &mut each)?;
    Ok(conclude(test, order.tier, tally, reruns))
}

/// Runs those of a test's seeds that are not `known`. `each` is called after each seed that was
/// run, and says whether to go on; the seeds under way still come in.
///
/// # Errors
/// The worker processes broke.
pub fn gather(
    pool: &mut Pool,
    test: &TestInfo,
    order: &Order,
    mut known: BTreeMap<u64, SeedOutcome>,
    each: &mut dyn FnMut(&SeedOutcome) -> Flow,
) -> Result<(Tally, Reruns), CoordinateError> {
    let mut tally = Tally::default();
    if test.plan.is_some() && test.scenario.is_none() {
        return Ok((tally, Reruns::default()));
    }
    let doubled = order.doubled();
    let mut prints = BTreeMap::new();
    for (seed, outcome) in known.iter().filter(|(seed, _)| doubled.contains(seed)) {
        prints.insert(*seed, Print::of(outcome));
    }
    let seeds: Vec<u64> = order.seeds_here().collect();
    let todo: Vec<u64> = seeds
        .iter()
        .copied()
        .filter(|seed| !known.contains_key(seed))
        .collect();
    // Outcomes come as they end, and are counted in the order of the seeds: what a tally keeps as
    // an example must not depend on how fast a worker is.
    let mut next = seeds.iter().peekable();
    let is_flat = |tally: &Tally| {
        let flat = tally.novelty.flat_for();
        order.flat_after.is_some_and(|after| flat >= after)
    };
    pool.run(
        todo.iter().map(|seed| order.request(test, *seed)),
        &mut |request, outcome| {
            let flow = each(&outcome);
            if doubled.contains(&request.seed()) {
                prints.insert(request.seed(), Print::of(&outcome));
            }
            let failed = outcome.failed();
            known.insert(request.seed(), outcome);
            while !is_flat(&tally)
                && let Some(outcome) = next.peek().and_then(|seed| known.remove(*seed))
            {
                tally.add(outcome);
                next.next();
            }
            if is_flat(&tally) {
                return Flow::Stop;
            }
            match failed && order.stop_at_failure {
                true => Flow::Stop,
                false => flow,
            }
        },
    )?;
    while !is_flat(&tally)
        && let Some(seed) = next.next()
    {
        known
            .remove(seed)
            .into_iter()
            .for_each(|outcome| tally.add(outcome));
    }
    // Seeds that ran on while others made it flat count for nothing.
    let beyond: BTreeSet<u64> = next.copied().collect();
    prints.retain(|seed, _| !beyond.contains(seed));
    let reruns = run_again(
        pool,
        &|seed| order.request(test, seed),
        &tally,
        &prints,
        order,
    )?;
    Ok((tally, reruns))
}

fn run_again(
    pool: &mut Pool,
    request: &dyn Fn(u64) -> RunRequest,
    tally: &Tally,
    prints: &BTreeMap<u64, Print>,
    order: &Order,
) -> Result<Reruns, CoordinateError> {
    let compared = twice::check(pool, request, prints)?;
    let mut reruns = Reruns {
        compared: compared.seeds,
        differing: compared.differing,
        divergence: compared.divergence,
        failure: None,
    };
    if let Some(first) = tally.failures.first() {
        let plain = request(first.seed()).with_history();
        let logged = pool.run_one(plain.clone().with_log(order.whole_log))?;
        let failure = match is_same_failure(first, &logged) {
            true => (true, logged),
            // What a guest does to log may be part of its run.
            false => {
                let again = pool.run_one(plain)?;
                (is_same_failure(first, &again), with_log_of(again, &logged))
            }
        };
        reruns.failure = Some(failure);
    }
    Ok(reruns)
}

/// The result of a test whose seeds have been run, here or elsewhere.
#[must_use]
pub fn conclude(test: &TestInfo, tier: Tier, mut tally: Tally, reruns: Reruns) -> TestResult {
    let ran = tally.seeds > 0;
    tally.compared = reruns.compared;
    tally.differing = reruns.differing;
    let divergence = reruns.divergence;
    let mut known = Circumstances {
        tier: ran.then_some(tier),
        diverged: divergence.as_ref().map(|divergence| divergence.seed),
        ..Circumstances::default()
    };
    if let Some((is_same, again)) = reruns.failure {
        known.failure_reproduced = Some(is_same);
        let first = tally
            .failures
            .first_mut()
            .filter(|first| first.seed() == again.seed());
        if let Some(first) = first.filter(|_| is_same) {
            *first = again;
        }
    }
    let judgement = judge(test.scenario.as_ref(), &tally, &known);
    TestResult {
        test: test.clone(),
        tier,
        tally,
        divergence,
        judgement,
    }
}

/// A run, with the log of another one of its seed.
fn with_log_of(mut outcome: SeedOutcome, logged: &SeedOutcome) -> SeedOutcome {
    if let (SeedOutcome::Ran(report), Some(logged)) = (&mut outcome, logged.report()) {
        report.log_tail.clone_from(&logged.log_tail);
        report.logged_as = Some(logged.digest);
    }
    outcome
}

/// The same kind of failure after the same events.
fn is_same_failure(first: &SeedOutcome, again: &SeedOutcome) -> bool {
    match (first.death(), again.death()) {
        (Some(first), Some(again)) => again.is_like(first),
        _ => again.signature() == first.signature() && again.digest() == first.digest(),
    }
}
