//! What a fault does to the packets of a link: data only.

use std::time::Duration;

use sim_runtime::{FaultId, SimInstant};

use crate::config::{Chance, Latency};

/// What a fault does to each packet that arrives over a link it lies on.
///
/// Effects compose. A packet that one drops is dropped; else, one that holds packets back holds
/// it; else it comes late by the longest delay. Copies are made of what is not dropped.
/// Every draw is keyed by the fault, its window and the link, and is made whatever the other
/// effects do, so that removing a fault leaves the draws of the others alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Packets vanish (`iptables -j DROP`).
    Cut,
    /// Packets vanish and their sender is told (`-j REJECT`): `EHOSTUNREACH` for who connects or
    /// sends datagrams on a connected socket, `ECONNRESET` on a connection.
    Reject,
    /// Packets wait and arrive in one burst, in their order, once the fault is healed.
    Jam,
    /// Packets vanish by chance: datagrams for good, those of streams until retransmitted.
    Loss(Chance),
    /// Packets come later by so much more. Streams stay in order: what follows waits.
    Delay(Latency),
    /// Some packets come later, so that datagrams sent after them overtake.
    Reorder {
        /// Which.
        chance: Chance,
        /// By how much.
        by: Latency,
    },
    /// Datagrams and segments arrive twice; the second copies of segments are only acknowledged.
    Duplicate(Chance),
    /// A byte of a datagram is changed. Packets of streams have checksums that hold: they vanish.
    Corrupt(Chance),
    /// Packets pass one after the other. Datagrams that would wait behind more than `queue` bytes
    /// are lost; streams wait.
    Bandwidth {
        /// What passes, headers of 40 bytes a packet included.
        bytes_per_second: u64,
        /// How much of it may wait.
        queue: u64,
    },
}

impl Effect {
    /// More latency, the same for every packet.
    pub fn delay(extra: Duration) -> Self {
        Self::Delay(Latency::constant(extra))
    }

    /// A purpose of its own for the draws of each sort of effect.
    pub(crate) fn purpose(self) -> &'static str {
        match self {
            Self::Cut => "net.fault.cut",
            Self::Reject => "net.fault.reject",
            Self::Jam => "net.fault.jam",
            Self::Loss(_) => "net.fault.loss",
            Self::Delay(_) => "net.fault.delay",
            Self::Reorder { .. } => "net.fault.reorder",
            Self::Duplicate(_) => "net.fault.duplicate",
            Self::Corrupt(_) => "net.fault.corrupt",
            Self::Bandwidth { .. } => "net.fault.bandwidth",
        }
    }
}

/// What became of a packet because of a fault: the counters of its receipt, for packets and for
/// bytes of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    Dropped,
    Rejected,
    Corrupted,
    Held,
    Delayed,
    Reordered,
    Duplicated,
}

impl Harm {
    pub(crate) fn counters(self) -> (&'static str, &'static str) {
        match self {
            Self::Dropped => ("packets-dropped", "bytes-dropped"),
            Self::Rejected => ("packets-rejected", "bytes-rejected"),
            Self::Corrupted => ("packets-corrupted", "bytes-corrupted"),
            Self::Held => ("packets-held", "bytes-held"),
            Self::Delayed => ("packets-delayed", "bytes-delayed"),
            Self::Reordered => ("packets-reordered", "bytes-reordered"),
            Self::Duplicated => ("packets-duplicated", "bytes-duplicated"),
        }
    }

    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Rejected => "rejected",
            Self::Corrupted => "corrupted",
            Self::Held => "held",
            Self::Delayed => "delayed",
            Self::Reordered => "overtaken",
            Self::Duplicated => "duplicated",
        }
    }
}

/// What a reader of a datagram can tell of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) fault: FaultId,
    pub(crate) harm: Harm,
    /// When it would have arrived.
    pub(crate) since: SimInstant,
}

impl Mark {
    /// The counter of the reader's observation.
    pub(crate) fn counter(self) -> &'static str {
        match self.harm {
            Harm::Duplicated => "datagrams-read-twice",
            Harm::Corrupted => "datagrams-read-corrupt",
            Harm::Reordered => "datagrams-read-out-of-order",
            _ => "datagrams-late",
        }
    }
}
