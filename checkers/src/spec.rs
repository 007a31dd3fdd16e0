//! The names by which plans ask for judgement: which model, which checker.

use serde::{Deserialize, Serialize};

use crate::single::Single;
use crate::txn::{Level, Workload};
use crate::weak::Weak;

mod names;

pub(crate) use names::parse_bound;

/// The sequential object a history is judged against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// One value: read, write; and compare-and-set, if there is any.
    Register,
    /// One value: read, write, compare-and-set.
    CasRegister,
    /// Independent registers by key: read, write, cas; `get` and `put` are names for the first
    /// two. With `append` its values are texts, as for [`ModelKind::Text`], or else lists, as for
    /// [`ModelKind::Log`].
    Map,
    /// An append-only list by key: append, read of the whole list.
    Log,
    /// Texts by key: put, get, and append at the end of the text.
    Text,
    /// A sum: `inc` and `dec` by the input (one without), read.
    Counter,
    /// Distinct elements: add, remove, contains, read of all of them.
    Set,
    /// Elements in no order: add, and remove of any one, null when there is none.
    Bag,
    /// First in, first out: enqueue, dequeue, null when it is empty.
    Queue,
    /// Last in, first out: push, pop, null when it is empty.
    Stack,
    /// Smallest first: insert, delete-min (or delete-max), null when it is empty.
    PriorityQueue,
    /// A log with offsets: append gives the offset, poll reads from one.
    Offsets,
    /// A lock without an owner: acquire, release.
    Mutex,
    /// A lock with an owner, its process: acquire, release.
    OwnedMutex,
    /// A lock that its owner may take again.
    ReentrantMutex,
    /// Many readers or one writer: acquire and release of `read` or `write`.
    ReadWriteLock,
    /// So many permits: acquire and release.
    Semaphore {
        /// How many there are.
        permits: u32,
    },
    /// A lock that expires: acquire, renew, release.
    Lease {
        /// How long it holds, nanoseconds from when it was granted.
        ttl_ns: u64,
        /// How far its holder's clock may be from the grantor's, nanoseconds.
        skew_ns: u64,
    },
    /// Members of a group: join, leave, read of all of them.
    Membership,
    /// Many registers, counters and sets at once: `txn` of `["r", k, v]`, `["w", k, v]`,
    /// `["inc", k, n]` and `["add", k, element]`.
    MultiRegister,
}

impl ModelKind {
    /// Every model, by the name that histories' judges call it; the permits and times are those
    /// that a name alone stands for.
    pub const ALL: [ModelKind; 20] = [
        ModelKind::Register,
        ModelKind::CasRegister,
        ModelKind::Map,
        ModelKind::Log,
        ModelKind::Text,
        ModelKind::Counter,
        ModelKind::Set,
        ModelKind::Bag,
        ModelKind::Queue,
        ModelKind::Stack,
        ModelKind::PriorityQueue,
        ModelKind::Offsets,
        ModelKind::Mutex,
        ModelKind::OwnedMutex,
        ModelKind::ReentrantMutex,
        ModelKind::ReadWriteLock,
        ModelKind::Semaphore { permits: 1 },
        ModelKind::Lease {
            ttl_ns: 10_000_000_000,
            skew_ns: 0,
        },
        ModelKind::Membership,
        ModelKind::MultiRegister,
    ];

    /// The name: `register`, `cas-register`, `map`, ...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ModelKind::Register => "register",
            ModelKind::CasRegister => "cas-register",
            ModelKind::Map => "map",
            ModelKind::Log => "log",
            ModelKind::Text => "text",
            ModelKind::Counter => "counter",
            ModelKind::Set => "set",
            ModelKind::Bag => "bag",
            ModelKind::Queue => "queue",
            ModelKind::Stack => "stack",
            ModelKind::PriorityQueue => "priority-queue",
            ModelKind::Offsets => "offsets",
            ModelKind::Mutex => "mutex",
            ModelKind::OwnedMutex => "owned-mutex",
            ModelKind::ReentrantMutex => "reentrant-mutex",
            ModelKind::ReadWriteLock => "read-write-lock",
            ModelKind::Semaphore { .. } => "semaphore",
            ModelKind::Lease { .. } => "lease",
            ModelKind::Membership => "membership",
            ModelKind::MultiRegister => "multi-register",
        }
    }
}

/// A checker a plan can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckerSpec {
    /// Linearizability of each key's history against the scenario's model.
    Linearizability,
    /// Every acknowledged write is in the final state, or was overwritten.
    NoLostAck,
    /// At most one leader a term (rows of type `lead`).
    SingleLeader,
    /// After each heal a client operation succeeds within `within_ns`.
    Progress {
        /// The bound, in virtual nanoseconds after the heal.
        within_ns: u64,
    },
    /// A single-purpose checker.
    Single(Single),
    /// Transactions satisfy an isolation level.
    Isolation {
        /// What they do.
        workload: Workload,
        /// The level.
        level: Level,
    },
    /// A model weaker than linearizability.
    Weak(Weak),
}
