//! Explanation: when a failure became inevitable, and what it takes.
//!
//! - The *curve*: for moments T of a failing run, how often a run fails that is the same up to T
//!   and draws everything anew from there on. Where it jumps, the failure was decided.
//! - *Counterfactuals*: the same seed without one of its faults.
//! - The *nearest pass*: of the runs that stayed the same longest, one that does not fail, and the
//!   first operation that went another way in it.
//!
//! - The *critical pairs*: with the schedule put back to first in, first out, the picks that the
//!   failure still needs, as pairs of tasks.
//!
//! - `curve`: points and bounds; `events`: what happened between two moments, and where two runs
//!   part; `schedule`: the critical pairs.

mod curve;
mod events;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sim_runtime::{LedgerRow, Reseed, Seed, SimInstant};

pub use self::curve::{Curve, Decided, Jump, Point};
pub use self::events::Parting;
pub(crate) use self::events::parting;
pub use self::schedule::ScheduleNeeds;
use crate::coordinate::{CoordinateError, Flow, Pool, RunRequest};
use crate::reduce::ReduceError;
use crate::report::{SeedOutcome, SeedReport};
use crate::script::Script;

/// How many moments are looked at first, and how many more where the curve jumps.
const POINTS: u64 = 32;
const POINTS_CLOSER: u64 = 8;

/// How many runs are made for each moment, unless told otherwise, and how many of them before the
/// schedule is looked at.
pub const RUNS_A_POINT: u32 = 16;
const RUNS_FIRST: u32 = 4;

/// What was found out about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What kind of failure it is.
    pub signature: String,
    /// The failing run.
    pub outcome: SeedOutcome,
    /// How likely the failure was, over time.
    pub curve: Curve,
    /// What happened while it became so.
    pub events: Vec<String>,
    /// The same seed without each of its faults.
    pub without: Vec<Counterfactual>,
    /// A run that stayed the same for long and passed.
    pub nearest: Option<Nearest>,
    /// What it needs of the order in which tasks run; none if the time was over before.
    pub schedule: Option<ScheduleNeeds>,
    /// How many runs it took.
    pub runs: u64,
}

impl Explanation {
    /// When the failure was decided.
    #[must_use]
    pub fn decided(&self) -> Decided {
        let ended = self.outcome.report().map_or(0, |report| report.virtual_ns);
        self.curve.decided(ended)
    }
}

/// A seed without one of its faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterfactual {
    /// The fault's name in the scenario.
    pub fault: String,
    /// What it is.
    pub kind: String,
    /// Whether it landed in the failing run.
    pub landed: bool,
    /// How the run without it fails; none when it does not.
    pub fails: Option<String>,
    /// Where the run without it goes another way.
    pub parting: Option<Parting>,
}

impl Counterfactual {
    /// Whether the failure is gone, or another, without the fault.
    #[must_use]
    pub fn is_decisive(&self, signature: &str) -> bool {
        self.fails.as_deref() != Some(signature)
    }
}

/// A run that passes, and shares its beginning with the failing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Up to when it is the same.
    pub same_until: SimInstant,
    /// What gives it.
    pub script: Script,
    /// Where it goes another way.
    pub parting: Option<Parting>,
}

/// What an explanation may use.
pub struct Effort<'a> {
    /// Runs for each moment.
    pub runs_a_point: u32,
    /// Asked between runs: whether the time is over.
    pub is_over: &'a dyn Fn() -> bool,
    /// Told after each run: how many there were.
    pub progress: &'a mut dyn FnMut(u64),
}

/// Explains the failure that `base` shows when it follows `script`. Interrupted, it gives what it
/// has.
///
/// # Errors
/// The run does not fail, or its process dies, so that nothing can be told of it; or the workers
/// broke.
pub fn explain(
    pool: &mut Pool,
    base: &RunRequest,
    script: &Script,
    effort: &mut Effort<'_>,
) -> Result<Explanation, ReduceError> {
    let recorded = base.clone().with_script(script).with_recording();
    let outcome = pool.run_one(recorded.with_history().with_log(true))?;
    let signature = outcome.signature().ok_or(ReduceError::Passes)?;
    let (started, ended) = match outcome.report() {
        Some(report) => (
            report
                .recording
                .as_ref()
                .map_or(0, |recording| recording.started_ns),
            report.virtual_ns,
        ),
        None => return Err(ReduceError::Died(signature)),
    };
    let mut probe = Probe {
        pool,
        base,
        script,
        signature: &signature,
        effort,
        runs: 1,
        passes: Vec::new(),
    };
    let report = outcome.report().expect("it was one above");
    // The fewest runs first: what takes the time that is left, the curve's depth, comes last.
    let without = probe.without(report)?;
    let mut curve = Curve::default();
    let moments = moments_between((started, ended), POINTS);
    let draws = probe.effort.runs_a_point;
    let first = RUNS_FIRST.min(draws);
    probe.look(&mut curve, &moments, 0..first)?;
    let schedule = probe.schedule(report)?;
    probe.look(&mut curve, &moments, first..draws)?;
    if let Some(jump) = curve.jump() {
        let mut closer = moments_between(jump.span_ns(), POINTS_CLOSER);
        closer.retain(|&at| !curve.has(at));
        probe.look(&mut curve, &closer, 0..draws)?;
    }
    let events = curve
        .jump()
        .map(|jump| events::between(report, jump.span_ns()))
        .unwrap_or_default();
    let nearest = probe.nearest(report)?;
    Ok(Explanation {
        schedule,
        runs: probe.runs,
        curve,
        events,
        without,
        nearest,
        signature,
        outcome,
    })
}

/// So many moments, evenly from the first to the last.
fn moments_between((from, to): (u64, u64), points: u64) -> BTreeSet<u64> {
    let at = |place| {
        let share = u128::from(to - from) * u128::from(place) / u128::from(points - 1);
        from + u64::try_from(share).expect("at most the whole")
    };
    (0..points).map(at).collect()
}

struct Probe<'a, 'b> {
    pool: &'a mut Pool,
    base: &'a RunRequest,
    script: &'a Script,
    signature: &'a str,
    effort: &'a mut Effort<'b>,
    runs: u64,
    /// Moments and roots under which the run passes.
    passes: Vec<Reseed>,
}

impl Probe<'_, '_> {
    /// Adds runs to the curve's moments. Every moment has its first before any has its second, so
    /// that a curve whose time is over is whole and has wider bounds.
    fn look(
        &mut self,
        curve: &mut Curve,
        moments: &BTreeSet<u64>,
        draws: Range<u32>,
    ) -> Result<(), CoordinateError> {
        let reseeds = draws.map(u64::from).flat_map(|draw| {
            moments.iter().map(move |&at_ns| Reseed {
                at: SimInstant(at_ns),
                seed: Seed(draw.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at_ns),
            })
        });
        let (base, script) = (self.base, self.script);
        let is_over = self.effort.is_over;
        let requests = reseeds
            .map(|reseed| base.clone().with_script(&script.reseeded(reseed)))
            .take_while(|_| !is_over());
        let (signature, passes, runs) = (self.signature, &mut self.passes, &mut self.runs);
        let progress = &mut self.effort.progress;
        self.pool.run(requests, &mut |request, outcome| {
            *runs += 1;
            progress(*runs);
            let found = outcome.signature();
            if let Some(&reseed) = request.script().and_then(|script| script.reseed.last()) {
                curve.count(reseed.at.0, found.as_deref() == Some(signature));
                passes.extend(found.is_none().then_some(reseed));
            }
            Flow::Continue
        })
    }

    fn without(&mut self, report: &SeedReport) -> Result<Vec<Counterfactual>, CoordinateError> {
        let opened: BTreeSet<&String> = report
            .recording
            .iter()
            .flat_map(|recording| recording.windows.iter().map(|window| &window.fault))
            .collect();
        let rows: Vec<&LedgerRow> = report
            .ledger
            .iter()
            .filter(|row| opened.contains(&row.name))
            .collect();
        let is_over = self.effort.is_over;
        let requests = rows.iter().map(|row| {
            let mut script = self.script.clone();
            script.without.push(row.name.clone());
            self.base.clone().with_script(&script).with_history()
        });
        let mut outcomes = BTreeMap::new();
        let (runs, progress) = (&mut self.runs, &mut self.effort.progress);
        let requests = requests.take_while(|_| !is_over());
        self.pool.run(requests, &mut |request, outcome| {
            *runs += 1;
            progress(*runs);
            let fault = request.script().and_then(|script| script.without.last());
            outcomes.extend(fault.map(|fault| (fault.clone(), outcome)));
            Flow::Continue
        })?;
        let all = rows.into_iter().filter_map(|row| {
            let outcome = outcomes.get(&row.name)?;
            let other = outcome.report();
            Some(Counterfactual {
                fault: row.name.clone(),
                kind: row.kind.clone(),
                landed: row.has_landed(),
                fails: outcome.signature(),
                parting: other.and_then(|other| events::parting(report, other)),
            })
        });
        Ok(all.collect())
    }

    fn nearest(&mut self, report: &SeedReport) -> Result<Option<Nearest>, CoordinateError> {
        // Runs come in as they end; which is taken must not depend on that.
        let last = self
            .passes
            .iter()
            .max_by_key(|reseed| (reseed.at, reseed.seed));
        let Some(reseed) = last.copied() else {
            return Ok(None);
        };
        let script = self.script.reseeded(reseed);
        let outcome = self.run(&script)?;
        Ok(Some(Nearest {
            same_until: reseed.at,
            parting: outcome
                .report()
                .and_then(|other| events::parting(report, other)),
            script,
        }))
    }

    fn run(&mut self, script: &Script) -> Result<SeedOutcome, CoordinateError> {
        self.runs += 1;
        (self.effort.progress)(self.runs);
        self.pool
            .run_one(self.base.clone().with_script(script).with_history())
    }
}
