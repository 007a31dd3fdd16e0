//! Shortest paths and cycles, and who is reached by whom, within a number of steps.

use std::collections::VecDeque;

use super::graph::{Edge, Graph, Kinds, PASS};
use super::transactions::NONE;

/// What may still be spent: one step an edge that is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps(pub(super) u64);

impl Steps {
    /// Spends; false when nothing is left.
    pub(super) fn take(&mut self, steps: u64) -> bool {
        let enough = self.0 >= steps;
        self.0 = self.0.saturating_sub(steps);
        enough
    }
}

/// A search for shortest paths, whose memory serves many of them. A path is as long as the
/// transactions on it; auxiliary nodes count nothing.
#[derive(Debug)]
pub(super) struct Paths {
    /// By node, the edge by which it was reached: its begin and its place.
    back: Vec<(u32, u32)>,
    depth: Vec<u32>,
    met: Vec<u32>,
}

impl Paths {
    pub(super) fn new(nodes: u32) -> Self {
        Self {
            back: vec![(NONE, NONE); nodes as usize],
            depth: vec![NONE; nodes as usize],
            met: Vec::new(),
        }
    }

    /// The shortest path of edges of the given kinds, not empty and at most so long; of equal
    /// ones the first by numbers. A path from a node to itself is a cycle.
    pub(super) fn shortest(
        &mut self,
        graph: &Graph,
        kinds: Kinds,
        (from, to): (u32, u32),
        longest: u32,
        steps: &mut Steps,
    ) -> Option<Vec<Edge>> {
        for node in self.met.drain(..) {
            self.depth[node as usize] = NONE;
        }
        let mut queue = VecDeque::from([(from, 0)]);
        while let Some((node, depth)) = queue.pop_front() {
            // Reached a second time, farther.
            if node != from && self.depth[node as usize] < depth {
                continue;
            }
            let arcs = graph.out(node);
            if !steps.take(arcs.len() as u64) {
                return None;
            }
            for (place, arc) in (0..).zip(arcs) {
                if arc.kind & (kinds | PASS) == 0 {
                    continue;
                }
                let counts = graph.is_txn(arc.to);
                let next = depth + u32::from(counts);
                if next > longest || self.depth[arc.to as usize] <= next {
                    continue;
                }
                self.depth[arc.to as usize] = next;
                self.back[arc.to as usize] = (node, place);
                self.met.push(arc.to);
                if arc.to == to {
                    return Some(self.path(graph, from, to));
                }
                if counts {
                    queue.push_back((arc.to, next));
                } else {
                    queue.push_front((arc.to, next));
                }
            }
        }
        None
    }

    fn path(&self, graph: &Graph, from: u32, to: u32) -> Vec<Edge> {
        let mut path = Vec::new();
        let mut node = to;
        loop {
            let (before, place) = self.back[node as usize];
            let arc = graph.out(before)[place as usize];
            path.push(Edge {
                from: before,
                to: arc.to,
                kind: arc.kind,
                why: arc.why,
            });
            node = before;
            if node == from {
                break;
            }
        }
        path.reverse();
        path
    }

    /// The shortest cycle through any of the nodes, the first of equals; as far as steps go, but
    /// one at least if there is one.
    pub(super) fn cycle(
        &mut self,
        graph: &Graph,
        kinds: Kinds,
        nodes: &[u32],
        steps: u64,
    ) -> Option<Vec<Edge>> {
        let (mut best, mut longest) = (None, NONE - 1);
        let mut left = Steps(steps);
        for node in nodes.iter().filter(|node| graph.is_txn(**node)) {
            let mut all = Steps(u64::MAX);
            let of = if best.is_none() { &mut all } else { &mut left };
            if let Some(cycle) = self.shortest(graph, kinds, (*node, *node), longest, of) {
                longest = length(graph, &cycle) - 1;
                best = Some(cycle);
            }
            if longest < 2 || left.0 == 0 {
                break;
            }
        }
        best
    }
}

/// How many transactions a path comes to.
pub(super) fn length(graph: &Graph, path: &[Edge]) -> u32 {
    path.iter().filter(|edge| graph.is_txn(edge.to)).count() as u32
}

/// Which of the queries, pairs of nodes, are true: that the second is the first or is reached from
/// it by edges of the given kinds, which make no cycle. `order` is a topological order of them.
///
/// 64 first nodes are followed at once. None when the steps do not suffice.
pub(super) fn reached(
    graph: &Graph,
    kinds: Kinds,
    order: &[u32],
    queries: &[(u32, u32)],
    steps: &mut Steps,
) -> Option<Vec<bool>> {
    let mut place = vec![0_u32; graph.nodes() as usize];
    for (at, node) in (0..).zip(order) {
        place[*node as usize] = at;
    }
    let at = |node: u32| place[node as usize];
    // By where the first node stands: a place after the other, and not by comparing.
    let forward = |(from, to): (u32, u32)| at(from) <= at(to);
    let mut next = vec![0_u32; graph.nodes() as usize + 1];
    for (from, _) in queries.iter().filter(|query| forward(**query)) {
        next[at(*from) as usize + 1] += 1;
    }
    for place in 1..next.len() {
        next[place] += next[place - 1];
    }
    let mut sorted = vec![0_u32; next[next.len() - 1] as usize];
    for (number, query) in (0..).zip(queries).filter(|(_, query)| forward(**query)) {
        let slot = &mut next[at(query.0) as usize];
        sorted[*slot as usize] = number;
        *slot += 1;
    }
    let mut told = vec![false; queries.len()];
    let mut masks = vec![0_u64; graph.nodes() as usize];
    let mut rest = &sorted[..];
    while let Some(first) = rest.first() {
        let start = at(queries[*first as usize].0);
        let (mut seeds, mut end, mut taken) = (0_u32, start, 0);
        let mut last = NONE;
        for query in rest {
            let (from, to) = queries[*query as usize];
            if from != last {
                if seeds == 64 {
                    break;
                }
                masks[from as usize] |= 1 << seeds;
                seeds += 1;
                last = from;
            }
            end = end.max(at(to));
            taken += 1;
        }
        let batch;
        (batch, rest) = rest.split_at(taken);
        let window = &order[start as usize..=end as usize];
        for node in window {
            let mask = masks[*node as usize];
            if mask == 0 {
                continue;
            }
            let arcs = graph.out(*node);
            if !steps.take(arcs.len() as u64) {
                return None;
            }
            for arc in arcs.iter().filter(|arc| arc.kind & kinds != 0) {
                if at(arc.to) <= end {
                    masks[arc.to as usize] |= mask;
                }
            }
        }
        let (mut seed, mut last) = (0, NONE);
        for query in batch {
            let (from, to) = queries[*query as usize];
            if from != last {
                seed = if last == NONE { 0 } else { seed + 1 };
                last = from;
            }
            told[*query as usize] = masks[to as usize] >> seed & 1 == 1;
        }
        for node in window {
            masks[*node as usize] = 0;
        }
        steps.take(u64::from(end - start + 1) / 8);
    }
    Some(told)
}
