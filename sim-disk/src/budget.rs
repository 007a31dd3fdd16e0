//! How much may be damaged in all, so that no injector makes a world in which no system could
//! keep its promises.

use std::collections::{BTreeMap, BTreeSet};

use sim_runtime::NodeId;

/// What replicas have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Chunk {
    /// A node's disk, whole: for systems whose replicas differ in layout.
    #[default]
    Node,
    /// A page of a path: for systems whose replicas are equal byte for byte.
    Page,
}

/// A recovery domain: nodes that hold replicas of the same data, with the number of replicas of a
/// chunk that may ever be damaged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Budget {
    members: BTreeSet<NodeId>,
    replicas_max: usize,
    chunk: Chunk,
    whole: BTreeSet<NodeId>,
    pages: BTreeMap<(String, u64), BTreeSet<NodeId>>,
    withheld: u64,
}

impl Budget {
    /// At most `replicas_max` of the members may be damaged, in the same chunk. A minority is
    /// what a system that replicates by quorum has to bear.
    pub fn new(
        members: impl IntoIterator<Item = NodeId>,
        replicas_max: usize,
        chunk: Chunk,
    ) -> Budget {
        Budget {
            members: members.into_iter().collect(),
            replicas_max,
            chunk,
            whole: BTreeSet::new(),
            pages: BTreeMap::new(),
            withheld: 0,
        }
    }

    /// May this page of a node be damaged? Then it counts as damaged from now on, for good: that
    /// it was repaired is the system's claim. Nodes outside the domain are not limited.
    pub fn take(&mut self, node: NodeId, path: &str, page: u64) -> bool {
        if !self.members.contains(&node) || self.whole.contains(&node) {
            return true;
        }
        if self.chunk == Chunk::Node {
            return self.take_node(node);
        }
        let damaged = self.pages.entry((path.to_owned(), page)).or_default();
        let others = self.whole.union(damaged).count();
        let fits = damaged.contains(&node) || others < self.replicas_max;
        if fits {
            damaged.insert(node);
        } else {
            self.withheld += 1;
        }
        fits
    }

    /// May all of a node's disk be damaged?
    pub fn take_node(&mut self, node: NodeId) -> bool {
        if !self.members.contains(&node) || self.whole.contains(&node) {
            return true;
        }
        let mut fits = self.whole.len() < self.replicas_max;
        for damaged in self.pages.values() {
            let others = self.whole.union(damaged).filter(|other| **other != node);
            fits &= others.count() < self.replicas_max;
        }
        if fits {
            self.whole.insert(node);
        } else {
            self.withheld += 1;
        }
        fits
    }

    /// How often damage was withheld.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Chunk};
    use sim_runtime::NodeId;

    const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

    #[test]
    fn a_node_damaged_once_may_be_damaged_on() {
        let mut budget = Budget::new(NODES, 1, Chunk::Node);
        assert!(budget.take(NODES[0], "/a", 0));
        assert!(budget.take(NODES[0], "/b", 7));
        assert!(!budget.take(NODES[1], "/a", 9));
        assert!(budget.take(NodeId(9), "/a", 0), "not of the domain");
        assert_eq!(budget.withheld(), 1);
    }

    #[test]
    fn pages_are_counted_apart() {
        let mut budget = Budget::new(NODES, 1, Chunk::Page);
        assert!(budget.take(NODES[0], "/a", 0));
        assert!(budget.take(NODES[1], "/a", 1));
        assert!(!budget.take(NODES[2], "/a", 1));
        assert!(!budget.take_node(NODES[2]), "every page of it is a replica");
        let mut budget = Budget::new(NODES, 2, Chunk::Page);
        assert!(budget.take(NODES[0], "/a", 0));
        assert!(budget.take_node(NODES[2]));
        assert!(!budget.take(NODES[1], "/a", 0));
        assert!(
            budget.take(NODES[1], "/a", 1),
            "one other replica is damaged"
        );
    }
}
