//! Whom a fault hits.

use serde::{Deserialize, Serialize};

/// Whom a fault hits; an expression resolved when the fault arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "target")]
pub enum Target {
    /// Node by number, from 1.
    Node {
        /// From 1.
        number: u32,
    },
    /// Whoever leads.
    Leader,
    /// A node that does not lead, drawn by seed.
    Follower,
    /// Any node, drawn by seed.
    Random,
    /// A minority of the nodes, drawn by seed.
    Minority,
    /// Less than a third of the nodes, drawn by seed: as many as a quorum of two thirds can miss.
    MinorityThird,
    /// A majority of the nodes, drawn by seed.
    Majority,
    /// Every node at once.
    All,
    /// Every node in turn, one at each repetition.
    Rolling,
    /// The same from the last to the first.
    RollingReverse,
    /// So many nodes, drawn by seed.
    Several {
        /// How many.
        count: u32,
    },
    /// The nodes that have the fault's role when it arms, as the system under test says.
    Role,
    /// A pair of idle hosts that no one talks to (a control that must prove vacuous).
    Idle,
}
