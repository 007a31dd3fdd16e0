//! Reduction: from a failing seed to the few fault windows, operations and picks that it takes.
//!
//! A candidate is accepted only if it fails with the same signature, twice. Order: pin what the
//! run did; look for a run that fails so and draws less; cut after the failure; drop windows, then
//! operations; where much is left, try far smaller runs under other draws; weaken windows; merge
//! keys; fewer clients and servers; knobs to their defaults; and when nothing gets smaller, the
//! schedule back to first in, first out, but for the picks that are needed. Draws are keyed, so
//! what is taken out leaves the rest as it was, but for what comes after it on the same link.
//!
//! - `ddmin`: which items of a list it takes; `luck`: draws made anew; `trial`: running candidates;
//!   `stages`: what is tried.

mod ddmin;
mod luck;
mod stages;
mod trial;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use self::trial::Trials;
use self::trial::failing;
pub use self::trial::{Effort, Progress};
use crate::coordinate::{CoordinateError, Pool, RunRequest};
use crate::report::SeedOutcome;
use crate::script::Script;

/// What came of a reduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduced {
    /// The least that was found to fail, twice at least.
    pub script: Script,
    /// Its run, with its recording, history and the end of its log.
    pub outcome: SeedOutcome,
    /// What kind of failure it is: that of the run that was reduced.
    pub signature: String,
    /// What there was, and what is left.
    pub sizes: (Sizes, Sizes),
    /// How many runs it took.
    pub runs: u64,
    /// Whether it ended because nothing got smaller, and not because its effort was spent.
    pub is_complete: bool,
    /// Other kinds of failure that were met, with a script for each.
    pub others: BTreeMap<String, Script>,
}

/// How much there is to a failing run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Events of the digest.
    pub events: u64,
    /// Fault windows.
    pub windows: usize,
    /// Client operations of the workload.
    pub operations: usize,
    /// Picks that are not first in, first out.
    pub deviations: usize,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            events,
            windows,
            operations,
            deviations,
        } = self;
        write!(
            f,
            "{events} events, {windows} fault windows, {operations} operations, \
             {deviations} picks out of order"
        )
    }
}

/// Why there is nothing to reduce.
#[derive(Debug)]
pub enum ReduceError {
    /// The worker processes broke.
    Coordinate(CoordinateError),
    /// The run does not fail.
    Passes,
    /// Its process dies, and leaves nothing to look at.
    Died(String),
    /// It fails, and another way the second time.
    Differs(String, Option<String>),
}

impl fmt::Display for ReduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coordinate(error) => error.fmt(f),
            Self::Passes => f.write_str("the run does not fail: there is nothing to reduce"),
            Self::Died(how) => write!(
                f,
                "the run's process dies ({how}), so nothing can be told of how it came to that"
            ),
            Self::Differs(first, None) => {
                write!(f, "the run fails once with {first} and then does not")
            }
            Self::Differs(first, Some(second)) => {
                write!(f, "the run fails once with {first} and then with {second}")
            }
        }
    }
}

impl std::error::Error for ReduceError {}

impl From<CoordinateError> for ReduceError {
    fn from(error: CoordinateError) -> Self {
        Self::Coordinate(error)
    }
}

/// Reduces the failure that `base` shows; `script` is what its run follows, `nodes` how many
/// servers it has. Interrupted, it gives the best so far.
///
/// # Errors
/// The run does not fail, or not always alike; or the workers broke.
pub fn reduce(
    pool: &mut Pool,
    base: RunRequest,
    script: &Script,
    nodes: u32,
    effort: &mut Effort<'_>,
) -> Result<Reduced, ReduceError> {
    let progress = Progress {
        stage: "run the failure",
        runs: 0,
        windows: 0,
        operations: 0,
    };
    let mut trials = Trials {
        pool,
        base,
        signature: String::new(),
        nodes,
        effort,
        progress,
        others: BTreeMap::new(),
        broken: None,
    };
    let first = trials.record(script)?;
    let again = trials.record(script)?;
    let signature = first.signature().ok_or(ReduceError::Passes)?;
    if again.signature().as_ref() != Some(&signature) {
        return Err(ReduceError::Differs(signature, again.signature()));
    }
    trials.signature.clone_from(&signature);
    let pinned = pin(&mut trials, script, &first);
    let best = trials.reduce(pinned);
    if let Some(error) = trials.broken.take() {
        return Err(error.into());
    }
    let outcome = trials.record(&best)?;
    Ok(Reduced {
        sizes: (sizes(&first), sizes(&outcome)),
        runs: trials.progress.runs,
        is_complete: !trials.is_over(),
        others: std::mem::take(&mut trials.others),
        script: best,
        outcome,
        signature,
    })
}

/// The same run by its windows and operations, as far as it fails so, too.
fn pin(trials: &mut Trials<'_, '_>, script: &Script, first: &SeedOutcome) -> Script {
    let Some(recording) = failing(first, &trials.signature).and_then(|r| r.recording.clone())
    else {
        return script.clone();
    };
    let windows = Script {
        windows: Some(recording.windows),
        ..script.clone()
    };
    let all = Script {
        operations: Some(recording.operations),
        ..windows.clone()
    };
    match trials.first(&[all.clone(), windows.clone()]) {
        Some(0) => all,
        Some(_) => windows,
        None => script.clone(),
    }
}

fn sizes(outcome: &SeedOutcome) -> Sizes {
    let Some(report) = outcome.report() else {
        return Sizes::default();
    };
    let recording = report.recording.clone().unwrap_or_default();
    Sizes {
        events: report.events,
        windows: recording.windows.len(),
        operations: recording.operations.len(),
        deviations: recording.deviations.len(),
    }
}
