//! Levels that ask the same of some histories, or so nearly that one decides the other.

use super::super::facts::Facts;
use super::super::levels::{Base, Level};

/// Which levels that are not said to imply one fail where no order of versions satisfies it: they
/// forbid the same cycles, though not that a transaction contradicts its own steps, or those of
/// predicates.
pub(super) fn stronger(facts: &Facts<'_>, level: Level) -> impl Iterator<Item = Level> {
    let items = facts.selected.all().is_empty();
    let single = [Base::Causal, Base::ParallelSnapshotIsolation].contains(&level.base);
    let single = single.then_some(Base::ConsistentView);
    // Starts are not seen: they ask the same.
    let same = (level.base == Base::MonotonicSnapshotRead).then_some(Base::MonotonicView);
    let items = items.then_some(Base::RepeatableRead);
    let order = level.order;
    let of = single.into_iter().chain(same).chain(items);
    of.map(move |base| Level { base, order })
}

/// A level, and those of which it is known, where they fail, that it fails, too: the other way
/// round from [`stronger`].
pub(super) fn with_weaker(level: Level) -> Vec<Level> {
    let bases: &[Base] = match level.base {
        Base::ConsistentView => &[Base::Causal],
        Base::MonotonicView => &[Base::MonotonicSnapshotRead],
        Base::RepeatableRead => &[Base::Causal, Base::MonotonicSnapshotRead],
        _ => &[],
    };
    let weaker = bases.iter().map(|base| Level {
        base: *base,
        ..level
    });
    std::iter::once(level).chain(weaker).collect()
}

/// The level that asks the same as another where starts are not seen.
pub(super) fn without_starts(level: Level) -> Level {
    let base = match level.base {
        Base::ForwardConsistentView => Base::ConsistentView,
        Base::MonotonicSnapshotRead => Base::MonotonicView,
        other => other,
    };
    Level { base, ..level }
}
