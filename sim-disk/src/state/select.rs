//! The choice of what survives a power loss.

use std::ops::Range;

use super::op::{Change, Op};
use super::order::Dependencies;
use super::pages::{Payload, SECTOR};
use crate::config::TearUnit;

/// How a power loss chose what survives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CrashKind {
    /// Nothing was pending.
    Clean,
    /// Everything reached the media just in time.
    All,
    /// Nothing did.
    Nothing,
    /// The first so many operations, in the order of the calls.
    Prefix,
    /// A random set, closed under what the profile orders.
    Subset,
    /// A closed set, and part of one more write.
    Torn,
    /// As torn, and the sector that was being written holds garbage.
    Garbage,
}

/// The operations that survive, by position in the pending order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Selection {
    pub(crate) kind: CrashKind,
    pub(crate) kept: Vec<bool>,
    /// A write of which only these byte ranges survive.
    pub(crate) torn: Option<(usize, Vec<Range<usize>>)>,
    /// Bytes of the torn write that are garbage, with the number that they are made of.
    pub(crate) garbage: Option<(Range<usize>, u64)>,
}

/// Draws a number below its argument.
pub(crate) type Below<'a> = &'a mut dyn FnMut(u64) -> u64;

/// Chooses what survives. `partial`: the power went in the middle of a sync, so neither all nor
/// nothing. Draws nothing when nothing is pending.
pub(crate) fn select(
    ops: &[&Op],
    deps: &Dependencies,
    tear: TearUnit,
    partial: bool,
    below: Below<'_>,
) -> Selection {
    let n = ops.len();
    let selection = |kind, kept| Selection {
        kind,
        kept,
        torn: None,
        garbage: None,
    };
    if n == 0 {
        return selection(CrashKind::Clean, Vec::new());
    }
    let outcome = if partial { 5 + below(15) } else { below(20) };
    match outcome {
        0..2 => selection(CrashKind::All, vec![true; n]),
        2..5 => selection(CrashKind::Nothing, vec![false; n]),
        5..10 => {
            let len = if n > 1 {
                1 + below(n as u64 - 1)
            } else {
                below(2)
            };
            selection(
                CrashKind::Prefix,
                (0..n as u64).map(|at| at < len).collect(),
            )
        }
        10..15 => selection(CrashKind::Subset, random_closed(deps, below)),
        _ => {
            let kept = random_closed(deps, below);
            let torn = tear_frontier(ops, deps, &kept, tear, below);
            let garbage = torn.as_ref().filter(|_| tear == TearUnit::None);
            let garbage =
                garbage.and_then(|(at, kept)| garbage_after(&ops[*at].change, kept, below));
            let kind = match (&torn, &garbage) {
                (None, _) => CrashKind::Subset,
                (Some(_), None) => CrashKind::Torn,
                (Some(_), Some(_)) => CrashKind::Garbage,
            };
            Selection {
                kind,
                kept,
                torn,
                garbage,
            }
        }
    }
}

/// Where nothing is atomic, the rest of the sector in which a write was cut may hold anything.
fn garbage_after(
    change: &Change,
    kept: &[Range<usize>],
    below: Below<'_>,
) -> Option<(Range<usize>, u64)> {
    let Change::Write { offset, bytes, .. } = change else {
        return None;
    };
    let cut = kept.last()?.end;
    let left = SECTOR - (offset + cut as u64) % SECTOR;
    let end = bytes.len().min(cut + left as usize);
    (below(2) == 0).then(|| (cut..end, below(u64::MAX)))
}

/// Each operation whose needs are kept is kept with a probability drawn once.
pub(crate) fn random_closed(deps: &Dependencies, below: Below<'_>) -> Vec<bool> {
    let eighths = [1, 4, 6, 7][below(4) as usize];
    let mut kept = Vec::with_capacity(deps.len());
    for needs in deps {
        let possible = needs.iter().all(|&at| kept[at]);
        kept.push(possible && below(8) < eighths);
    }
    kept
}

/// Tears one write that did not survive whole, though all that it needs did.
fn tear_frontier(
    ops: &[&Op],
    deps: &Dependencies,
    kept: &[bool],
    tear: TearUnit,
    below: Below<'_>,
) -> Option<(usize, Vec<Range<usize>>)> {
    let candidates: Vec<(usize, Vec<Range<usize>>)> = (0..ops.len())
        .filter(|&at| !kept[at] && deps[at].iter().all(|&need| kept[need]))
        .filter_map(|at| Some((at, pieces(&ops[at].change, tear)?)))
        .collect();
    if candidates.is_empty() {
        return None;
    }
    let (at, units) = &candidates[below(candidates.len() as u64) as usize];
    if tear == TearUnit::None {
        let cut = 1 + below(units[0].end as u64 - 1) as usize;
        return Some((*at, std::iter::once(0..cut).collect()));
    }
    let all = (1u64 << units.len()) - 1;
    let mask = 1 + below(all - 1);
    let survives = |unit: &usize| mask >> unit & 1 == 1;
    Some((
        *at,
        (0..units.len())
            .filter(survives)
            .map(|unit| units[unit].clone())
            .collect(),
    ))
}

/// The pieces of a write that the media writes on its own; None when it can't be torn.
pub(crate) fn pieces(change: &Change, tear: TearUnit) -> Option<Vec<Range<usize>>> {
    let Change::Write { offset, bytes, .. } = change else {
        return None;
    };
    if matches!(bytes, Payload::Hole) {
        // That a page is given back is metadata.
        return None;
    }
    match tear {
        TearUnit::Atomic4096 => None,
        TearUnit::None => (bytes.len() > 1).then(|| std::iter::once(0..bytes.len()).collect()),
        TearUnit::Atomic512 => {
            let mut units = Vec::new();
            let mut start = 0;
            while start < bytes.len() {
                let within = (offset + start as u64) % SECTOR;
                let end = (start + (SECTOR - within) as usize).min(bytes.len());
                units.push(start..end);
                start = end;
            }
            (units.len() > 1).then_some(units)
        }
    }
}
