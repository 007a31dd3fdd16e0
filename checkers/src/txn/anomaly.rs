//! The anomalies by name, and which levels proscribe those that are no cycles.

use std::fmt;

use super::levels::{Base, Level, Order};
use crate::value::Value;

/// A kind of anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A value that nobody wrote was read.
    GarbageRead,
    /// An element is in a list twice, though it was added once.
    DuplicateElements,
    /// Versions of an object come before each other.
    CyclicVersions,
    /// By what is assumed, versions of an object come before each other.
    AssumedVersions,
    /// A cycle of write dependencies.
    G0,
    /// An effect of an aborted transaction was read.
    G1a,
    /// A committed write follows one of an aborted transaction.
    DirtyUpdate,
    /// Two reads of a list of which neither begins with the other.
    IncompatibleOrder,
    /// A write that its own transaction overwrote was read.
    G1b,
    /// A transaction read its own later write.
    FutureRead,
    /// A cycle of write and read dependencies.
    G1c,
    /// A dependency on a transaction that began after this one had ended.
    GSIa,
    /// A transaction reads what contradicts its own earlier steps.
    Internal,
    /// Two transactions read a version and both replaced it.
    LostUpdate,
    /// A read-modify-write that an intervening write was lost by.
    GCursor,
    /// An effect of a transaction was read, and another effect of it missed.
    FracturedRead,
    /// A cycle with one anti-dependency, whose transaction had already read of what it misses.
    GMonotonic,
    /// The same, with transactions that had ended before.
    GMsr,
    /// A predicate read misses a version though every version matches.
    PredicateReadMiss,
    /// A cycle with one anti-dependency.
    GSingle,
    /// A cycle with one anti-dependency and start order.
    GSIb,
    /// Two read-only transactions see two updates in opposite orders.
    LongFork,
    /// A cycle with anti-dependencies, none after another.
    GNonadjacent,
    /// Updates, or they with one read-only transaction, have no serial order.
    GUpdate,
    /// Two transactions each miss what the other wrote.
    WriteSkew,
    /// A cycle with item anti-dependencies.
    G2Item,
    /// A cycle with anti-dependencies, of predicates at least one.
    G2,
}

impl Kind {
    /// All.
    const ALL: [Kind; 27] = [
        Kind::GarbageRead,
        Kind::DuplicateElements,
        Kind::CyclicVersions,
        Kind::AssumedVersions,
        Kind::G0,
        Kind::G1a,
        Kind::DirtyUpdate,
        Kind::IncompatibleOrder,
        Kind::G1b,
        Kind::FutureRead,
        Kind::G1c,
        Kind::GSIa,
        Kind::Internal,
        Kind::LostUpdate,
        Kind::GCursor,
        Kind::FracturedRead,
        Kind::GMonotonic,
        Kind::GMsr,
        Kind::PredicateReadMiss,
        Kind::GSingle,
        Kind::GSIb,
        Kind::LongFork,
        Kind::GNonadjacent,
        Kind::GUpdate,
        Kind::WriteSkew,
        Kind::G2Item,
        Kind::G2,
    ];

    /// The name in findings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::GarbageRead => "garbage-read",
            Kind::DuplicateElements => "duplicate-elements",
            Kind::CyclicVersions | Kind::AssumedVersions => "cyclic-versions",
            Kind::G0 => "G0",
            Kind::G1a => "G1a",
            Kind::DirtyUpdate => "dirty-update",
            Kind::IncompatibleOrder => "incompatible-order",
            Kind::G1b => "G1b",
            Kind::FutureRead => "future-read",
            Kind::G1c => "G1c",
            Kind::GSIa => "G-SIa",
            Kind::Internal => "internal",
            Kind::LostUpdate => "lost-update",
            Kind::GCursor => "G-cursor",
            Kind::FracturedRead => "fractured-read",
            Kind::GMonotonic => "G-monotonic",
            Kind::GMsr => "G-MSR",
            Kind::PredicateReadMiss => "predicate-read-miss",
            Kind::GSingle => "G-single",
            Kind::GSIb => "G-SIb",
            Kind::LongFork => "long-fork",
            Kind::GNonadjacent => "G-nonadjacent",
            Kind::GUpdate => "G-update",
            Kind::WriteSkew => "write-skew",
            Kind::G2Item => "G2-item",
            Kind::G2 => "G2",
        }
    }

    /// How much the name leaves open of what went wrong: the less, the sooner it is told.
    pub(super) const fn vagueness(self) -> u8 {
        match self {
            Kind::LostUpdate | Kind::FracturedRead | Kind::WriteSkew | Kind::LongFork => 0,
            Kind::G0 | Kind::G1c | Kind::GSingle | Kind::GNonadjacent | Kind::G2Item | Kind::G2 => {
                1
            }
            _ => 2,
        }
    }

    /// The weakest levels that proscribe it, of one that is no cycle.
    pub(super) const fn proscribed_by(self) -> &'static [Base] {
        match self {
            Kind::GarbageRead | Kind::DuplicateElements | Kind::AssumedVersions => {
                &[Base::ReadUncommitted]
            }
            Kind::Internal => &[Base::ReadAtomic],
            Kind::LostUpdate => &[Base::CursorStability],
            Kind::PredicateReadMiss => &[Base::Serializable],
            _ => &[Base::ReadCommitted],
        }
    }
}

/// An anomaly's name: its kind, and the order that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// What it needs beside dependencies.
    pub order: Order,
    /// What it is.
    pub kind: Kind,
}

impl Name {
    /// The name as it is told, read back.
    pub(super) fn read(text: &str) -> Option<Name> {
        let orders = Order::ALL.into_iter().rev();
        let mut of = orders.filter_map(|order| Some((order, text.strip_suffix(order.suffix())?)));
        let (order, kind) = of.next()?;
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
        Some(Name { order, kind })
    }

    /// The weakest level that forbids it.
    pub(super) fn forbidden_by(self) -> Level {
        let (base, order) = match self.kind {
            Kind::GSIa => (Base::ReadCommitted, Order::Realtime),
            Kind::GSIb => (Base::ForwardConsistentView, Order::Realtime),
            Kind::G0 => (Base::ReadUncommitted, self.order),
            Kind::GCursor => (Base::CursorStability, self.order),
            Kind::FracturedRead if self.order == Order::None => (Base::ReadAtomic, self.order),
            Kind::FracturedRead => (Base::Causal, self.order),
            Kind::GMonotonic => (Base::MonotonicView, self.order),
            Kind::GMsr => (Base::MonotonicSnapshotRead, self.order),
            Kind::GSingle => (Base::ConsistentView, self.order),
            Kind::GNonadjacent | Kind::LongFork => (Base::SnapshotIsolation, self.order),
            Kind::GUpdate => (Base::UpdateSerializable, self.order),
            Kind::G2Item => (Base::RepeatableRead, self.order),
            Kind::G2 | Kind::WriteSkew => (Base::Serializable, self.order),
            Kind::G1c => (Base::ReadCommitted, self.order),
            plain => (plain.proscribed_by()[0], Order::None),
        };
        Level { base, order }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.name(), self.order.suffix())
    }
}

/// An anomaly that is no cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plain<'h> {
    pub(super) kind: Kind,
    pub(super) key: Option<&'h Value>,
    /// The transactions that prove it.
    pub(super) txns: Vec<u32>,
    pub(super) message: String,
}

/// Anomalies that are no cycles, a few of each kind and how many there are.
#[derive(Debug, Default)]
pub(super) struct Plains<'h> {
    pub(super) told: Vec<Plain<'h>>,
    pub(super) counts: std::collections::BTreeMap<Kind, u64>,
}

/// How many of a kind are told.
pub(super) const TOLD_MAX: u64 = 4;

impl<'h> Plains<'h> {
    /// Whether one of them breaks a level.
    pub(super) fn breaks(&self, level: Level) -> bool {
        let order = Order::None;
        let forbids = |base: &Base| level.implies(Level { base: *base, order });
        let mut kinds = self.counts.keys();
        kinds.any(|kind| kind.proscribed_by().iter().any(forbids))
    }

    /// Whether one more of a kind is kept.
    pub(super) fn tells(&self, kind: Kind) -> bool {
        self.counts.get(&kind).is_none_or(|count| *count < TOLD_MAX)
    }

    /// Counts one, and keeps it if there are not many.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        key: Option<&'h Value>,
        txns: &[u32],
        message: impl FnOnce() -> String,
    ) {
        let count = self.counts.entry(kind).or_insert(0);
        *count += 1;
        if *count <= TOLD_MAX {
            self.told.push(Plain {
                kind,
                key,
                txns: txns.to_vec(),
                message: message(),
            });
        }
    }
}
