//! The names by which plans ask for judgement: which model, which checker.

use serde::{Deserialize, Serialize};

/// The sequential object a history is judged against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// One value: read, write.
    Register,
    /// One value: read, write, compare-and-set.
    CasRegister,
    /// Independent registers by key: read, write, cas.
    Map,
    /// An append-only list by key: append, read of the whole list.
    Log,
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
}
