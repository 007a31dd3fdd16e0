//! The isolation levels, and which implies which.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a level asks of the transactions, whatever it asks of sessions and of real time.
///
/// Sources: Adya, *Weak Consistency* (PL-1 to PL-3, PL-2+, PL-CS, PL-2L, PL-FCV, PL-MSR, PL-3U);
/// Bailis et al., *Highly Available Transactions* (monotonic atomic view, read atomic); Cerone,
/// Bernardi and Gotsman, *A Framework for Transactional Consistency Models with Atomic
/// Visibility* (causal, parallel SI, prefix, update atomic, SI); Biswas and Enea, *On the
/// Complexity of Checking Transactional Consistency*, whose read committed, read atomic and causal
/// consistency are the strong session variants of monotonic atomic view, read atomic and causal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Base {
    /// PL-1: no cycle of write dependencies (G0).
    ReadUncommitted,
    /// PL-2: nor of write and read dependencies (G1c), no aborted (G1a), no intermediate read
    /// (G1b).
    ReadCommitted,
    /// PL-CS: nor is an update lost (G-cursor), every read that its transaction follows by a
    /// write of the same object being taken for a cursor's.
    CursorStability,
    /// Read committed, and who has read of a transaction does not later miss another effect of
    /// it.
    MonotonicAtomicView,
    /// PL-2L: nor of whatever that transaction depended on (G-monotonic).
    MonotonicView,
    /// PL-MSR: as PL-2L, with transactions that had ended when this one began (G-MSR). Starts
    /// are not seen in a history: they count in the strong variant alone.
    MonotonicSnapshotRead,
    /// Who has read of a transaction misses no effect of it (fractured reads).
    ReadAtomic,
    /// Read atomic, and no update is lost.
    UpdateAtomic,
    /// Who has read of a transaction misses no effect of any that it had read of, transitively.
    Causal,
    /// Causal, no update lost: no cycle with one anti-dependency (G-single).
    ParallelSnapshotIsolation,
    /// Every transaction reads a prefix of one order of all.
    Prefix,
    /// PL-2+: no cycle with one anti-dependency (G-single).
    ConsistentView,
    /// PL-FCV: nor with starts (G-SIb). Starts are not seen: they count in the strong variant.
    ForwardConsistentView,
    /// No cycle without two anti-dependencies in a row (G-SI).
    SnapshotIsolation,
    /// PL-2.99: no cycle with item anti-dependencies (G2-item).
    RepeatableRead,
    /// PL-3U: updates are serializable, and each read-only transaction alone with them
    /// (G-update).
    UpdateSerializable,
    /// PL-3: no cycle (G2).
    Serializable,
}

/// What else orders transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Order {
    /// Nothing.
    None,
    /// Each process's order: the *strong session* levels.
    Process,
    /// Real time, and with it each process's order: the *strong* levels.
    Realtime,
}

impl Order {
    /// All, the weakest first.
    pub const ALL: [Order; 3] = [Order::None, Order::Process, Order::Realtime];

    /// What names of anomalies end in: nothing, `-process`, `-realtime`.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Order::None => "",
            Order::Process => "-process",
            Order::Realtime => "-realtime",
        }
    }
}

impl Base {
    /// All.
    pub const ALL: [Base; 17] = [
        Base::ReadUncommitted,
        Base::ReadCommitted,
        Base::CursorStability,
        Base::MonotonicAtomicView,
        Base::MonotonicView,
        Base::MonotonicSnapshotRead,
        Base::ReadAtomic,
        Base::UpdateAtomic,
        Base::Causal,
        Base::ParallelSnapshotIsolation,
        Base::Prefix,
        Base::ConsistentView,
        Base::ForwardConsistentView,
        Base::SnapshotIsolation,
        Base::RepeatableRead,
        Base::UpdateSerializable,
        Base::Serializable,
    ];

    /// The name: `read-committed`, ...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Base::ReadUncommitted => "read-uncommitted",
            Base::ReadCommitted => "read-committed",
            Base::CursorStability => "cursor-stability",
            Base::MonotonicAtomicView => "monotonic-atomic-view",
            Base::MonotonicView => "monotonic-view",
            Base::MonotonicSnapshotRead => "monotonic-snapshot-read",
            Base::ReadAtomic => "read-atomic",
            Base::UpdateAtomic => "update-atomic",
            Base::Causal => "causal",
            Base::ParallelSnapshotIsolation => "parallel-snapshot-isolation",
            Base::Prefix => "prefix",
            Base::ConsistentView => "consistent-view",
            Base::ForwardConsistentView => "forward-consistent-view",
            Base::SnapshotIsolation => "snapshot-isolation",
            Base::RepeatableRead => "repeatable-read",
            Base::UpdateSerializable => "update-serializable",
            Base::Serializable => "serializable",
        }
    }

    /// The levels that it implies at once.
    const fn implies(self) -> &'static [Base] {
        match self {
            Base::ReadUncommitted => &[],
            Base::ReadCommitted => &[Base::ReadUncommitted],
            Base::CursorStability | Base::MonotonicAtomicView => &[Base::ReadCommitted],
            Base::MonotonicView | Base::ReadAtomic => &[Base::MonotonicAtomicView],
            Base::MonotonicSnapshotRead => &[Base::MonotonicView],
            Base::UpdateAtomic => &[Base::ReadAtomic, Base::CursorStability],
            Base::Causal => &[Base::ReadAtomic],
            Base::ParallelSnapshotIsolation => {
                &[Base::Causal, Base::UpdateAtomic, Base::ConsistentView]
            }
            Base::Prefix => &[Base::Causal],
            Base::ConsistentView => &[Base::CursorStability, Base::MonotonicSnapshotRead],
            Base::ForwardConsistentView => &[Base::ConsistentView],
            Base::SnapshotIsolation => &[
                Base::ForwardConsistentView,
                Base::ParallelSnapshotIsolation,
                Base::Prefix,
            ],
            Base::RepeatableRead => &[Base::CursorStability, Base::MonotonicAtomicView],
            Base::UpdateSerializable => &[Base::ForwardConsistentView],
            Base::Serializable => &[
                Base::SnapshotIsolation,
                Base::RepeatableRead,
                Base::UpdateSerializable,
            ],
        }
    }
}

/// An isolation level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    /// What it asks of transactions.
    pub base: Base,
    /// What else orders them.
    pub order: Order,
}

impl Level {
    /// Strict serializability.
    pub const STRICT_SERIALIZABLE: Level = Level {
        base: Base::Serializable,
        order: Order::Realtime,
    };

    /// Every level: 17 of transactions, each plain, strong session and strong.
    pub fn all() -> impl DoubleEndedIterator<Item = Level> {
        let of = |order| Base::ALL.into_iter().map(move |base| Level { base, order });
        Order::ALL.into_iter().flat_map(of)
    }

    /// The level of a name: `serializable`, `strong-session-causal`, `strong-read-committed`,
    /// `strict-serializable`; Adya's names (`PL-3`, `PL-2+`, ...) are known too.
    #[must_use]
    pub fn named(name: &str) -> Option<Level> {
        let lower = name.to_ascii_lowercase();
        let name = lower.trim_start_matches(':');
        if matches!(
            name,
            "strict-serializable" | "pl-ss" | "strict" | "strong-1sr"
        ) {
            return Some(Level::STRICT_SERIALIZABLE);
        }
        let (order, base) = if let Some(base) = name.strip_prefix("strong-session-") {
            (Order::Process, base)
        } else if let Some(base) = name.strip_prefix("strong-") {
            (Order::Realtime, base)
        } else {
            (Order::None, name)
        };
        let base = Base::ALL.into_iter().find(|known| known.name() == base);
        let base = base.or_else(|| alias(name.trim_start_matches("strong-session-")));
        base.map(|base| Level { base, order })
    }

    /// Whether a history that satisfies this level satisfies the other.
    #[must_use]
    pub fn implies(self, other: Level) -> bool {
        if self.order < other.order {
            return false;
        }
        let mut seen = [false; Base::ALL.len()];
        let mut rest = vec![self.base];
        while let Some(base) = rest.pop() {
            if base == other.base {
                return true;
            }
            if !std::mem::replace(&mut seen[base as usize], true) {
                rest.extend(base.implies());
            }
        }
        false
    }
}

/// Other names of levels.
fn alias(name: &str) -> Option<Base> {
    Some(match name.trim_start_matches("strong-") {
        "pl-1" => Base::ReadUncommitted,
        "pl-2" => Base::ReadCommitted,
        "pl-cs" => Base::CursorStability,
        "pl-2l" => Base::MonotonicView,
        "pl-msr" => Base::MonotonicSnapshotRead,
        "pl-2+" => Base::ConsistentView,
        "pl-fcv" => Base::ForwardConsistentView,
        "pl-si" | "si" => Base::SnapshotIsolation,
        "pl-2.99" => Base::RepeatableRead,
        "pl-3u" => Base::UpdateSerializable,
        "pl-3" | "conflict-serializable" | "1sr" => Base::Serializable,
        "psi" => Base::ParallelSnapshotIsolation,
        "rola" => Base::UpdateAtomic,
        "causal-cerone" => Base::Causal,
        _ => return None,
    })
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Level::STRICT_SERIALIZABLE {
            return f.write_str("strict-serializable");
        }
        let prefix = match self.order {
            Order::None => "",
            Order::Process => "strong-session-",
            Order::Realtime => "strong-",
        };
        write!(f, "{prefix}{}", self.base.name())
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || serde::de::Error::custom(format!("{name} is no isolation level"));
        Level::named(&name).ok_or_else(unknown)
    }
}

/// Of some levels, those that no other of them implies.
pub(super) fn strongest(levels: &[Level]) -> Vec<Level> {
    let covered = |level: Level| {
        let mut others = levels.iter().filter(|other| **other != level);
        others.any(|other| other.implies(level))
    };
    levels
        .iter()
        .copied()
        .filter(|level| !covered(*level))
        .collect()
}

/// Of some levels, those that imply no other of them.
pub(super) fn weakest(levels: &[Level]) -> Vec<Level> {
    let covers = |level: Level| {
        let mut others = levels.iter().filter(|other| **other != level);
        others.any(|other| level.implies(*other))
    };
    levels
        .iter()
        .copied()
        .filter(|level| !covers(*level))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for level in Level::all() {
            assert_eq!(Level::named(&level.to_string()), Some(level));
        }
        assert_eq!(Level::all().count(), 51);
        assert_eq!(
            Level::named("strong-serializable"),
            Some(Level::STRICT_SERIALIZABLE)
        );
        assert_eq!(
            Level::named(":PL-2+").map(|level| level.base),
            Some(Base::ConsistentView)
        );
        assert_eq!(
            Level::named("strong-session-PL-2").map(|level| level.order),
            { Some(Order::Process) }
        );
        assert_eq!(Level::named("sturdy"), None);
    }

    #[test]
    fn implication_is_an_order_with_one_top() {
        for level in Level::all() {
            assert!(Level::STRICT_SERIALIZABLE.implies(level));
            assert!(level.implies(level));
            let equal = Level::all().filter(|other| other.implies(level) && level.implies(*other));
            assert_eq!(equal.count(), 1, "{level}");
        }
        let all: Vec<Level> = Level::all().collect();
        assert_eq!(strongest(&all), [Level::STRICT_SERIALIZABLE]);
        assert_eq!(weakest(&all).len(), 1);
    }
}
