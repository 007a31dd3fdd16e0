//! Numbers of runtimes and local sets.

use std::fmt;

use sim_runtime::NodeId;

/// A runtime's or a `LocalSet`'s number, unique among those that are alive; as
/// `tokio::runtime::Id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(Repr);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Repr {
    /// A node is a runtime.
    Node(NodeId),
    Set(u64),
    Real(tokio_real::runtime::Id),
}

/// Numbers of sets begin above those of nodes.
const SETS_FROM: u64 = 1 << 32;

impl Id {
    pub(crate) const fn of_node(node: NodeId) -> Self {
        Self(Repr::Node(node))
    }

    pub(crate) const fn of_set(number: u64) -> Self {
        Self(Repr::Set(number))
    }

    pub(crate) const fn of_real(id: tokio_real::runtime::Id) -> Self {
        Self(Repr::Real(id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Node(node) => (u64::from(node.0) + 1).fmt(f),
            Repr::Set(number) => (SETS_FROM + number).fmt(f),
            Repr::Real(id) => id.fmt(f),
        }
    }
}
