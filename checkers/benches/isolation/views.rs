//! What reads see in a database of a level, and what keeps a transaction from committing.

use std::collections::BTreeMap;

use checkers::txn::Base;

use super::wide::{Commit, Open, SITES, State, Step};

/// How far back an old state may be, commits.
const BACK_MAX: u64 = 20;

/// Which commits a read sees.
#[derive(Clone, Debug)]
pub(super) enum View {
    /// The first so many.
    Until(u64),
    /// These too.
    With(u64, Vec<u64>),
    /// So many of each place.
    Places([u64; SITES]),
    /// All, and elements that are not committed.
    Dirty(Vec<i64>),
}

/// By step and object.
pub(super) type Views = BTreeMap<(usize, i64), View>;

impl View {
    /// The elements of an object.
    pub(super) fn elements(&self, state: &State, key: i64) -> Vec<i64> {
        let versions = state.versions.get(&key).into_iter().flatten();
        let sees = |number: u64| match self {
            View::Until(until) => number <= *until,
            View::With(until, more) => number <= *until || more.contains(&number),
            View::Places(seen) => {
                let commit = &state.commits[number as usize - 1];
                commit.place <= seen[commit.site]
            }
            View::Dirty(_) => true,
        };
        let seen = versions.filter(|(number, _)| sees(*number));
        let mut elements: Vec<i64> = seen.map(|(_, element)| *element).collect();
        if let View::Dirty(more) = self {
            elements.extend(more);
        }
        elements
    }

    /// The last commit that it can show.
    pub(super) fn latest(&self, now: u64) -> u64 {
        match self {
            View::Until(until) => *until,
            View::With(until, more) => more.iter().copied().max().unwrap_or(0).max(*until),
            View::Places(_) | View::Dirty(_) => now,
        }
    }
}

/// What each read of a transaction sees.
pub(super) fn of(state: &mut State, client: usize, open: &Open) -> Views {
    let pairs = pairs(state, open);
    let now = state.commits.len() as u64;
    let least = state.after(client, open).max(now.saturating_sub(BACK_MAX));
    let base = state.wide.promise.base;
    let all = |view: View| pairs.iter().map(|pair| (*pair, view.clone())).collect();
    let single = match base {
        Base::ReadUncommitted => return dirty(state, client, &pairs),
        Base::ReadCommitted => return any(state, &pairs, |_| now.saturating_sub(BACK_MAX)),
        Base::CursorStability => {
            return any(state, &pairs, |(at, key)| match open.writes_from(at, key) {
                true => now,
                false => now.saturating_sub(BACK_MAX),
            });
        }
        Base::MonotonicAtomicView => return later(state, &pairs, least),
        Base::MonotonicSnapshotRead => return forward(state, open, &pairs, least),
        Base::ReadAtomic | Base::UpdateAtomic => return whole(state, open, &pairs, least),
        Base::Causal | Base::ParallelSnapshotIsolation => View::Places(open.seen),
        Base::UpdateSerializable if open.only_reads() => View::With(least, some(state, least)),
        Base::Prefix | Base::SnapshotIsolation => View::Until(from(state, least)),
        _ if open.only_reads() => View::Until(from(state, least)),
        _ => View::Until(now),
    };
    all(single)
}

/// What is read: at which step, which object.
fn pairs(state: &State, open: &Open) -> Vec<(usize, i64)> {
    let mut pairs = Vec::new();
    for (at, step) in open.steps.iter().enumerate() {
        match step {
            Step::Write(..) => {}
            Step::Read(key, _) => pairs.push((at, *key)),
            Step::Scan(_) => pairs.extend(state.keys().map(|key| (at, key))),
        }
    }
    pairs
}

/// A state from one on; the last one, half of the time.
fn from(state: &mut State, least: u64) -> u64 {
    let now = state.commits.len() as u64;
    match state.numbers.below(2) {
        0 => now,
        _ => least + state.numbers.below(now - least + 1),
    }
}

/// Each read sees any state from one on.
fn any(state: &mut State, pairs: &[(usize, i64)], least: impl Fn((usize, i64)) -> u64) -> Views {
    let one = |pair: &(usize, i64)| (*pair, View::Until(from(state, least(*pair))));
    pairs.iter().map(one).collect()
}

/// All of what is committed, and half of the time what another is about to commit.
fn dirty(state: &mut State, client: usize, pairs: &[(usize, i64)]) -> Views {
    let mut views = Views::new();
    for (at, key) in pairs {
        let others = state.open.iter().enumerate();
        let others = others.filter(|(of, _)| *of != client);
        let others = others.filter_map(|(_, open)| open.as_ref().filter(|open| !open.done));
        let pending = others.flat_map(|open| &open.steps);
        let pending = pending.filter_map(|step| match step {
            Step::Write(of, element) if of == key => Some(*element),
            _ => None,
        });
        let mut pending: Vec<i64> = pending.collect();
        let most = state.numbers.below(2 * (pending.len() as u64 + 1)) as usize;
        pending.truncate(most.saturating_sub(pending.len() + 1));
        views.insert((*at, *key), View::Dirty(pending));
    }
    views
}

/// The last commit up to one that wrote both objects.
fn shared(state: &State, (key, until): (i64, u64), other: i64) -> u64 {
    let versions = state.versions.get(&key).into_iter().flatten().rev();
    let mut seen = versions
        .map(|(number, _)| *number)
        .filter(|number| *number <= until);
    let both = seen.find(|number| state.commits[*number as usize - 1].writes.contains(&other));
    both.unwrap_or(0)
}

/// No read misses a commit that an earlier one saw.
fn later(state: &mut State, pairs: &[(usize, i64)], least: u64) -> Views {
    let mut chosen: Vec<(usize, i64, u64)> = Vec::new();
    for (at, key) in pairs {
        let seen = chosen.iter();
        let seen = seen.map(|(_, of, until)| shared(state, (*of, *until), *key));
        let seen = seen.max().unwrap_or(0).max(least);
        chosen.push((*at, *key, from(state, seen)));
    }
    let view = |(at, key, until): &(usize, i64, u64)| ((*at, *key), View::Until(*until));
    chosen.iter().map(view).collect()
}

/// No read sees less than an earlier one, nor than its own writes came after.
fn forward(state: &mut State, open: &Open, pairs: &[(usize, i64)], mut least: u64) -> Views {
    let mut views = Views::new();
    for (at, key) in pairs {
        let wrote = open.steps[..*at]
            .iter()
            .any(|step| matches!(step, Step::Write(..)));
        least = match wrote {
            true => state.commits.len() as u64,
            false => from(state, least),
        };
        views.insert((*at, *key), View::Until(least));
    }
    views
}

/// No read misses a commit that another saw; nor, where no update is lost, one that wrote what the
/// transaction writes.
fn whole(state: &mut State, open: &Open, pairs: &[(usize, i64)], least: u64) -> Views {
    let mut chosen: BTreeMap<i64, u64> = BTreeMap::new();
    let keeps = state.wide.promise.base == Base::UpdateAtomic;
    let now = state.commits.len() as u64;
    let written = open.steps.iter().filter_map(|step| match step {
        Step::Write(key, _) => Some(*key),
        _ => None,
    });
    let written: Vec<i64> = written.filter(|_| keeps).collect();
    for (_, key) in pairs {
        let seen = written.iter().map(|of| shared(state, (*of, now), *key));
        let seen = seen.max().unwrap_or(0).max(least);
        chosen.insert(*key, from(state, seen));
    }
    loop {
        let raised = |(key, until): (&i64, &u64)| {
            let seen = chosen.iter();
            let seen = seen
                .map(|(of, seen)| shared(state, (*of, *seen), *key))
                .max();
            (*key, seen.unwrap_or(0).max(*until))
        };
        let next: BTreeMap<i64, u64> = chosen.iter().map(raised).collect();
        if next == chosen {
            break;
        }
        chosen = next;
    }
    pairs
        .iter()
        .map(|pair| (*pair, View::Until(chosen[&pair.1])))
        .collect()
}

/// Some commits after the first so many, with all that they depend on.
fn some(state: &mut State, least: u64) -> Vec<u64> {
    let mut more: Vec<u64> = Vec::new();
    for number in least + 1..=state.commits.len() as u64 {
        let depends = |before: u64| {
            let [first, second] = [before, number].map(|of| &state.commits[of as usize - 1]);
            let touches = |commit: &Commit, key: &i64| {
                commit.reads.contains(key) || commit.writes.contains(key)
            };
            before <= second.after
                || first.writes.iter().any(|key| touches(second, key))
                || second.writes.iter().any(|key| touches(first, key))
        };
        let missing = (least + 1..number).any(|before| !more.contains(&before) && depends(before));
        if !missing && state.numbers.below(2) == 0 {
            more.push(number);
        }
    }
    more
}

/// Whether somebody else wrote what a transaction writes, and it does not see that.
pub(super) fn conflicts(state: &State, open: &Open, views: &Views) -> bool {
    let base = state.wide.promise.base;
    let first = [Base::SnapshotIsolation, Base::ParallelSnapshotIsolation].contains(&base);
    let view = match base {
        Base::ParallelSnapshotIsolation => View::Places(open.seen),
        _ => views
            .values()
            .next()
            .cloned()
            .unwrap_or(View::Dirty(Vec::new())),
    };
    let written = open.steps.iter().filter_map(|step| match step {
        Step::Write(key, _) => Some(*key),
        _ => None,
    });
    let all = View::Dirty(Vec::new());
    let mut written = written.filter(|_| first);
    written.any(|key| view.elements(state, key) != all.elements(state, key))
}
