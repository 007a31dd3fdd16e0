//! What each weaker model is called, claims, needs, and cannot see.

use super::Weak;
use crate::single::Row;

const NEEDS: &str = "`read`s and `write`s, each value of a key written once";
const BLIND: &str = "the order in real time; values that nobody read";

/// A line for a model of registers.
const fn register(
    name: &'static str,
    claim: &'static str,
    anomalies: &'static [&'static str],
) -> Row {
    Row {
        name,
        takes: "",
        claim,
        needs: NEEDS,
        anomalies,
        blind: BLIND,
    }
}

const SEQUENTIAL: Row = register(
    "sequential",
    "one order of all operations keeps each session's, and every read returns the last write",
    &[
        "thin-air-read",
        "aborted-read",
        "future-read",
        "initial-read",
        "cycle",
        "not-sequential",
    ],
);
const CAUSAL: Row = register(
    "causal",
    "for each session an order of all writes and its reads keeps what caused what",
    &[
        "thin-air-read",
        "aborted-read",
        "future-read",
        "initial-read",
        "causality",
    ],
);
const CAUSAL_CONVERGENCE: Row = register(
    "causal-convergence",
    "one order of all writes keeps what caused what, and each read returns the last of its causes",
    &[
        "thin-air-read",
        "aborted-read",
        "future-read",
        "initial-read",
        "cycle",
    ],
);
const PRAM: Row = register(
    "pram",
    "for each session an order of all writes and its own operations keeps each session's",
    &[
        "thin-air-read",
        "aborted-read",
        "future-read",
        "initial-read",
        "session-order",
    ],
);
const READ_YOUR_WRITES: Row = register(
    "read-your-writes",
    "a session's read does not return what its own last write of the key had replaced",
    &[
        "thin-air-read",
        "aborted-read",
        "future-read",
        "own-write-unseen",
    ],
);
const MONOTONIC_READS: Row = register(
    "monotonic-reads",
    "a session's reads of a key do not return to a value that they had left",
    &["thin-air-read", "aborted-read", "future-read", "went-back"],
);
const MONOTONIC_WRITES: Row = register(
    "monotonic-writes",
    "each session that reads sees the writes of every session in their order",
    &[
        "thin-air-read",
        "aborted-read",
        "future-read",
        "initial-read",
        "write-order",
    ],
);
const WRITES_FOLLOW_READS: Row = register(
    "writes-follow-reads",
    "each session that reads sees a write after what the writing session had read",
    &[
        "thin-air-read",
        "aborted-read",
        "future-read",
        "initial-read",
        "read-write-order",
    ],
);
const READ_COMMITTED: Row = register(
    "read-committed",
    "nothing is read that failed or did not happen, and what caused what has no cycle",
    &["thin-air-read", "aborted-read", "future-read", "cycle"],
);
const READ_ATOMIC: Row = register(
    "read-atomic",
    "as read-committed, and one order of all writes keeps a session's own before what it reads",
    &[
        "thin-air-read",
        "aborted-read",
        "future-read",
        "initial-read",
        "cycle",
    ],
);
const CONVERGENCE: Row = Row {
    name: "convergence",
    takes: "",
    claim: "at the end all nodes have one value, which was written",
    needs: "`final-read`s of one key at two nodes",
    anomalies: &["diverged", "unwritten-value"],
    blind: "whether the right one of the written values won",
};

impl Weak {
    /// Every model.
    pub const ALL: [Weak; 11] = [
        Weak::Sequential,
        Weak::Causal,
        Weak::CausalConvergence,
        Weak::Pram,
        Weak::ReadYourWrites,
        Weak::MonotonicReads,
        Weak::MonotonicWrites,
        Weak::WritesFollowReads,
        Weak::ReadCommitted,
        Weak::ReadAtomic,
        Weak::Convergence,
    ];

    /// What it claims, needs, reports and cannot see.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        match self {
            Weak::Sequential => &SEQUENTIAL,
            Weak::Causal => &CAUSAL,
            Weak::CausalConvergence => &CAUSAL_CONVERGENCE,
            Weak::Pram => &PRAM,
            Weak::ReadYourWrites => &READ_YOUR_WRITES,
            Weak::MonotonicReads => &MONOTONIC_READS,
            Weak::MonotonicWrites => &MONOTONIC_WRITES,
            Weak::WritesFollowReads => &WRITES_FOLLOW_READS,
            Weak::ReadCommitted => &READ_COMMITTED,
            Weak::ReadAtomic => &READ_ATOMIC,
            Weak::Convergence => &CONVERGENCE,
        }
    }

    /// The name: `sequential`, `causal`, ...
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The model of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|weak| weak.name() == name)
    }

    /// What a session's order that has a cycle is called.
    pub(super) const fn anomaly(self) -> &'static str {
        match self {
            Weak::Pram => "session-order",
            Weak::Causal => "causality",
            Weak::MonotonicWrites => "write-order",
            Weak::WritesFollowReads => "read-write-order",
            _ => "cycle",
        }
    }

    /// What an order keeps.
    pub(super) const fn order(self) -> &'static str {
        match self {
            Weak::Sequential => "the sessions' orders and what was read",
            Weak::Pram => "the sessions' orders and what this session read",
            Weak::MonotonicWrites => "the orders of writes and what this session read",
            Weak::WritesFollowReads => "what was read before each write",
            _ => "what caused what",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Weak;

    #[test]
    fn names_are_read_back() {
        for weak in Weak::ALL {
            assert_eq!(Weak::parse(weak.name()), Some(weak));
        }
        assert_eq!(Weak::parse("strong"), None);
    }
}
