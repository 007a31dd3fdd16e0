//! Whom a fault hits.

use std::fmt;

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
    /// Every node that does not lead.
    Followers,
    /// These nodes.
    Nodes {
        /// Which.
        nodes: NodeSet,
    },
    /// Every node but one.
    AllBut {
        /// The number of the one that is spared, from 1.
        number: u32,
    },
    /// A pair of idle hosts that no one talks to (a control that must prove vacuous).
    Idle,
}

/// Nodes by number, from 1; at most [`NodeSet::NUMBER_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct NodeSet(u64);

impl NodeSet {
    /// The highest number that a set can have in it.
    pub const NUMBER_MAX: u32 = 64;

    /// The set with one node more; `None` where a set can't have such a number.
    #[must_use]
    pub fn with(self, number: u32) -> Option<Self> {
        let fits = (1..=Self::NUMBER_MAX).contains(&number);
        fits.then(|| Self(self.0 | 1 << (number - 1)))
    }

    /// Whether a node is in it.
    #[must_use]
    pub fn contains(self, number: u32) -> bool {
        self.numbers().any(|one| one == number)
    }

    /// Its nodes in order.
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        (1..=Self::NUMBER_MAX).filter(move |number| self.0 >> (number - 1) & 1 == 1)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<Vec<u32>> for NodeSet {
    type Error = String;

    fn try_from(numbers: Vec<u32>) -> Result<Self, String> {
        numbers
            .into_iter()
            .try_fold(Self::default(), |set, number| {
                set.with(number)
                    .ok_or_else(|| format!("a set of nodes has no number {number}"))
            })
    }
}

impl From<NodeSet> for Vec<u32> {
    fn from(set: NodeSet) -> Self {
        set.numbers().collect()
    }
}

impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.numbers().map(|number| format!("n{number}")).collect();
        write!(f, "{{{}}}", names.join(", "))
    }
}
