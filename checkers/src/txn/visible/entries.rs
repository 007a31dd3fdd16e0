//! Where dependencies enter transactions, step by step: nodes of their own, so that one question
//! for each anti-dependency tells whether it leads back to what its transaction had seen.

use super::super::decide::Decision;
use super::super::graph::{Edge, Graph, Kinds, PASS};
use super::super::transactions::NONE;

/// A graph with such nodes. Who enters at a step has entered at all later ones.
pub(super) struct Entries {
    pub(super) graph: Graph,
    /// A topological order of it.
    pub(super) order: Vec<u32>,
    /// The first of the nodes.
    base: u32,
    /// By node from there on, its transaction and step; sorted.
    entries: Vec<(u32, u32)>,
}

impl Entries {
    /// Of edges of the given kinds, which make no cycle, and of what enters: by transaction and
    /// step. `order` is a topological order of the graph. Cost: linear, but for sorting.
    pub(super) fn new(
        graph: &Graph,
        kinds: Kinds,
        order: &[u32],
        mut into: Vec<(u32, u32, Edge)>,
    ) -> Self {
        into.sort_unstable();
        let base = graph.nodes();
        let mut place = vec![0_u32; base as usize];
        for (at, node) in (0..).zip(order) {
            place[*node as usize] = at;
        }
        let mut edges: Vec<Edge> = graph.edges(kinds | PASS).collect();
        let mut entries: Vec<(u32, u32)> = Vec::new();
        // By entry, the last place of those who lead to it.
        let mut after: Vec<u32> = Vec::new();
        for (node, step, last) in into {
            if entries.last() != Some(&(node, step)) {
                let next = base + entries.len() as u32;
                let follows = entries.last().is_some_and(|(before, _)| *before == node);
                let least = if follows { after[after.len() - 1] } else { 0 };
                if follows {
                    edges.push(Edge {
                        from: next - 1,
                        to: next,
                        kind: PASS,
                        why: NONE,
                    });
                }
                entries.push((node, step));
                after.push(least);
            }
            let at = entries.len() - 1;
            after[at] = after[at].max(place[last.from as usize]);
            edges.push(Edge {
                to: base + at as u32,
                ..last
            });
        }
        let mut inserted: Vec<(u32, u32)> = after.into_iter().zip(base..).collect();
        inserted.sort_unstable();
        let mut inserted = inserted.into_iter().peekable();
        let mut all = Vec::with_capacity(order.len() + entries.len());
        for (at, node) in (0..).zip(order) {
            all.push(*node);
            while let Some((_, entry)) = inserted.next_if(|(after, _)| *after == at) {
                all.push(entry);
            }
        }
        Self {
            graph: Graph::new(base + entries.len() as u32, graph.txns, &edges),
            order: all,
            base,
            entries,
        }
    }

    /// The node that is reached by all that entered a transaction before a step.
    pub(super) fn before(&self, node: u32, step: u32) -> Option<u32> {
        let count = self.entries.partition_point(|entry| *entry < (node, step));
        let (of, _) = self.entries.get(count.checked_sub(1)?)?;
        (*of == node).then(|| self.base + count as u32 - 1)
    }

    /// Cycles that end in such a node, as those of its transaction.
    pub(super) fn outside_all(&self, decision: Decision) -> Decision {
        match decision {
            Decision::Fails(cycles) => {
                let cycles = cycles.into_iter().map(|cycle| self.outside(cycle));
                Decision::Fails(cycles.collect())
            }
            other => other,
        }
    }

    /// A path to such a node, as one to its transaction.
    fn outside(&self, mut path: Vec<Edge>) -> Vec<Edge> {
        let enters = path.iter().position(|edge| edge.to >= self.base);
        if let Some(at) = enters {
            path.truncate(at + 1);
            let entry = (path[at].to - self.base) as usize;
            path[at].to = self.entries[entry].0;
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::graph::{RW, WW};
    use super::super::super::paths::{Paths, Steps, reached};
    use super::*;

    /// 1 leads to 0 at its step 5, 2 at its step 3, and 3 to 2.
    #[test]
    fn who_entered_before_a_step_is_told_by_one_node() {
        let edge = |from, to, kind| Edge {
            from,
            to,
            kind,
            why: NONE,
        };
        let edges = [
            edge(1, 0, WW),
            edge(2, 0, WW),
            edge(3, 2, WW),
            edge(0, 1, RW),
        ];
        let graph = Graph::new(4, 4, &edges);
        let order = graph.topological(WW, |_| 0).expect("no cycle");
        let into = vec![(0, 5, edges[0]), (0, 3, edges[1])];
        let entries = Entries::new(&graph, WW, &order, into);
        let (early, late) = (entries.before(0, 4), entries.before(0, 6));
        let (early, late) = (early.expect("one entry"), late.expect("two entries"));
        assert_eq!((entries.before(0, 3), entries.before(1, 9)), (None, None));
        let queries = [(3, early), (1, early), (3, late), (1, late)];
        let (of, mut steps) = (WW | PASS, Steps(1_000));
        let told = reached(&entries.graph, of, &entries.order, &queries, &mut steps);
        assert_eq!(told, Some(vec![true, false, true, true]));
        let mut paths = Paths::new(entries.graph.nodes());
        let path = paths.shortest(&entries.graph, WW, (3, late), 9, &mut steps);
        let path = entries.outside(path.expect("a path"));
        assert_eq!(path, [edges[2], edges[1]]);
    }
}
