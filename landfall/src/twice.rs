//! The proof that a seed is one run: it is run again in another worker, and what differs is placed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sim_runtime::{Checkpoint, Digest, TraceEvent};

use crate::coordinate::{CoordinateError, Flow, Pool, RunRequest};
use crate::report::{Death, SeedOutcome, SeedReport};

/// How many seeds of a hundred are run twice unless told otherwise.
pub const SHARE_PERCENT: u8 = 5;

/// How many events are written out of a stretch between two checkpoints at first, and at most.
const WINDOW: u64 = 1_024;
const WINDOW_MAX: u64 = 65_536;

/// How many pairs of runs are made to find the first event that differs.
const LOCATE_TRIES: usize = 12;

/// How many events after the first that differs are kept: whom it woke.
const EVENTS_AFTER: usize = 3;

/// Two runs of one seed that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The seed.
    pub seed: u64,
    /// Number of the last event that is known to be the same.
    pub same_until: u64,
    /// The last event that does not differ, where it was written out: whose task ran last.
    pub last_same: Option<TraceEvent>,
    /// The first event that differs, of each run; none where further runs did not differ there.
    pub first: Option<(Option<TraceEvent>, Option<TraceEvent>)>,
    /// What came after it, of each run.
    pub then: (Vec<TraceEvent>, Vec<TraceEvent>),
    /// How the two runs ended, in words.
    pub ends: (String, String),
}

/// Whether the seed at this place among the seeds of a sweep is run twice: an even share.
pub(crate) fn is_doubled(place: usize, percent: u8) -> bool {
    place * usize::from(percent) % 100 < usize::from(percent)
}

/// What two runs of a seed must have in common.
#[derive(Clone, Debug)]
pub(crate) enum Print {
    Ran(Digest),
    Died(Box<Death>),
}

impl Print {
    pub(crate) fn of(outcome: &SeedOutcome) -> Self {
        match outcome {
            SeedOutcome::Ran(report) => Self::Ran(report.digest),
            SeedOutcome::Crashed(death) => Self::Died(death.clone()),
        }
    }

    /// None: real time or another process ended one of the runs.
    fn is_same(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Ran(a), Self::Ran(b)) => Some(a == b),
            (Self::Died(death), _) | (_, Self::Died(death)) if death.cause.is_from_outside() => {
                None
            }
            (Self::Died(a), Self::Died(b)) => Some(a.is_like(b)),
            _ => Some(false),
        }
    }
}

/// What came of the second runs.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    pub(crate) seeds: u64,
    pub(crate) differing: u64,
    pub(crate) divergence: Option<Divergence>,
}

/// Runs seeds again, last first, in workers that have not run any, and compares.
pub(crate) fn check(
    pool: &mut Pool,
    request: &dyn Fn(u64) -> RunRequest,
    first: &BTreeMap<u64, Print>,
) -> Result<Compared, CoordinateError> {
    if first.is_empty() {
        return Ok(Compared::default());
    }
    pool.renew()?;
    let mut differing: Vec<u64> = Vec::new();
    let mut seeds = 0;
    let requests = first.keys().rev().map(|seed| request(*seed));
    pool.run(requests, &mut |request, outcome| {
        let seed = request.seed();
        let same = first
            .get(&seed)
            .and_then(|before| before.is_same(&Print::of(&outcome)));
        seeds += u64::from(same.is_some());
        if same == Some(false) {
            differing.push(seed);
        }
        Flow::Continue
    })?;
    let divergence = match differing.iter().min() {
        None => None,
        Some(seed) => Some(locate(pool, &request(*seed))?),
    };
    Ok(Compared {
        seeds,
        differing: differing.len() as u64,
        divergence,
    })
}

/// Runs a seed that is known to differ, twice at a time, until the first event that differs is
/// in the window that was written out: which event that is may itself change from run to run.
fn locate(pool: &mut Pool, request: &RunRequest) -> Result<Divergence, CoordinateError> {
    let mut divergence = Divergence {
        seed: request.seed(),
        same_until: 0,
        last_same: None,
        first: None,
        then: (Vec::new(), Vec::new()),
        ends: (String::new(), String::new()),
    };
    // The last checkpoint that agreed; the window begins there or, in a long stretch, later.
    let mut base = 0;
    let mut window = WINDOW;
    for _ in 0..LOCATE_TRIES {
        let from = divergence.same_until;
        let traced = request.clone().with_trace(from + 1..from + 1 + window);
        let (a, b) = (pool.run_one(traced.clone())?, pool.run_one(traced)?);
        divergence.ends = (end(&a), end(&b));
        let (Some(a), Some(b)) = (a.report(), b.report()) else {
            return Ok(divergence);
        };
        let (same, next) = stretch(a, b);
        let place = first_difference(&a.trace, &b.trace);
        if let Some(place) = place.filter(|_| same >= base) {
            place_it(&mut divergence, place, a, b);
            return Ok(divergence);
        }
        if a.digest == b.digest {
            continue;
        }
        if same != base || from >= next {
            (base, divergence.same_until) = (same, same);
        } else {
            // Further on in the same stretch.
            divergence.same_until = from + window;
        }
        window = (next - divergence.same_until.min(next)).clamp(WINDOW, WINDOW_MAX);
    }
    Ok(divergence)
}

fn end(outcome: &SeedOutcome) -> String {
    match outcome {
        SeedOutcome::Ran(report) => format!("digest {}, {} events", report.digest, report.events),
        SeedOutcome::Crashed(death) => death.cause.to_string(),
    }
}

/// Events up to the last checkpoint that agrees, and to the first that does not.
fn stretch(a: &SeedReport, b: &SeedReport) -> (u64, u64) {
    let pairs = || a.checkpoints.iter().zip(&b.checkpoints);
    let is_same = |(a, b): &(&Checkpoint, &Checkpoint)| a == b;
    let same = pairs().take_while(is_same).last();
    let differs = pairs().find(|pair| !is_same(pair));
    (
        same.map_or(0, |(checkpoint, _)| checkpoint.events),
        differs.map_or(a.events.max(b.events), |(a, b)| a.events.max(b.events)),
    )
}

fn first_difference(a: &[TraceEvent], b: &[TraceEvent]) -> Option<usize> {
    (0..a.len().max(b.len())).find(|place| a.get(*place) != b.get(*place))
}

fn place_it(divergence: &mut Divergence, place: usize, a: &SeedReport, b: &SeedReport) {
    let after = |trace: &[TraceEvent]| {
        let rest = trace.iter().skip(place + 1);
        rest.take(EVENTS_AFTER).cloned().collect()
    };
    let before = place.checked_sub(1);
    divergence.last_same = before.and_then(|before| a.trace.get(before)).cloned();
    divergence.same_until += place as u64;
    let at = |trace: &[TraceEvent]| trace.get(place).cloned();
    divergence.first = Some((at(&a.trace), at(&b.trace)));
    divergence.then = (after(&a.trace), after(&b.trace));
}

#[cfg(test)]
mod tests {
    use super::is_doubled;

    #[test]
    fn a_share_is_even_and_never_nothing() {
        let count = |seeds, percent| {
            let places = 0..seeds;
            places.filter(|place| is_doubled(*place, percent)).count()
        };
        assert_eq!((count(1, 5), count(3, 5), count(200, 5)), (1, 1, 10));
        assert_eq!((count(10, 100), count(10, 0), count(10, 50)), (10, 0, 5));
    }
}
