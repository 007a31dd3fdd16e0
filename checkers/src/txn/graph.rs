//! Directed graphs with kinds of edges, flat, and what is asked of them. Nothing recurses.

use super::transactions::NONE;

/// Kinds of edges, one bit each, and sets of them.
pub(super) type Kinds = u16;
/// A version follows another.
pub(super) const WW: Kinds = 1;
/// A version was read.
pub(super) const WR: Kinds = 2;
/// The version that was read was replaced.
pub(super) const RW: Kinds = 4;
/// A version that changed what a predicate matches was read, by its matching or not.
pub(super) const PWR: Kinds = 8;
/// What a predicate matched was changed.
pub(super) const PRW: Kinds = 16;
/// The same process did both, in this order.
pub(super) const PROCESS: Kinds = 32;
/// The first ended before the second began.
pub(super) const REALTIME: Kinds = 64;
/// From an auxiliary node on: no dependency of its own.
pub(super) const PASS: Kinds = 128;
/// A version follows another wherever nothing is read that is not committed: its transaction had
/// read the other.
pub(super) const FOLLOWS: Kinds = 256;
/// Dependencies on what was written.
pub(super) const DEPENDS: Kinds = WW | FOLLOWS | WR | PWR;
/// Anti-dependencies.
pub(super) const MISSES: Kinds = RW | PRW;

/// An edge, before the graph is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) kind: Kinds,
    /// The version that justifies it: of ww and rw the later one, of wr the one that was read.
    pub(super) why: u32,
}

/// An edge from a node that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arc {
    pub(super) to: u32,
    pub(super) why: u32,
    pub(super) kind: Kinds,
}

/// A graph. The first `txns` nodes are transactions, others are auxiliary.
#[derive(Debug)]
pub(super) struct Graph {
    first: Vec<u32>,
    arcs: Vec<Arc>,
    pub(super) txns: u32,
}

impl Graph {
    /// Sorts edges by where they begin; those that end there are left out. Memory: 12 bytes an
    /// edge and 4 a node, beside the edges.
    pub(super) fn new(nodes: u32, txns: u32, edges: &[Edge]) -> Self {
        let mut first = vec![0_u32; nodes as usize + 1];
        let edges = || edges.iter().filter(|edge| edge.from != edge.to);
        for edge in edges() {
            first[edge.from as usize + 1] += 1;
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        let mut next = first.clone();
        let blank = Arc {
            to: NONE,
            why: NONE,
            kind: 0,
        };
        let mut arcs = vec![blank; first.last().copied().unwrap_or(0) as usize];
        for Edge {
            from,
            to,
            kind,
            why,
        } in edges().copied()
        {
            let slot = &mut next[from as usize];
            arcs[*slot as usize] = Arc { to, why, kind };
            *slot += 1;
        }
        Self { first, arcs, txns }
    }

    pub(super) fn nodes(&self) -> u32 {
        self.first.len() as u32 - 1
    }

    pub(super) fn is_txn(&self, node: u32) -> bool {
        node < self.txns
    }

    /// The edges from a node.
    pub(super) fn out(&self, node: u32) -> &[Arc] {
        let (from, to) = (self.first[node as usize], self.first[node as usize + 1]);
        &self.arcs[from as usize..to as usize]
    }

    /// Every edge of the given kinds.
    pub(super) fn edges(&self, kinds: Kinds) -> impl Iterator<Item = Edge> {
        let nodes = 0..self.nodes();
        nodes.flat_map(move |from| {
            let arcs = self
                .out(from)
                .iter()
                .filter(move |arc| arc.kind & kinds != 0);
            arcs.map(move |arc| Edge {
                from,
                to: arc.to,
                kind: arc.kind,
                why: arc.why,
            })
        })
    }

    /// The strongly connected components by edges of the given kinds, of two nodes or more, each
    /// sorted, sorted. Tarjan's algorithm with a stack of its own: linear.
    pub(super) fn components(&self, kinds: Kinds) -> Vec<Vec<u32>> {
        let nodes = self.nodes() as usize;
        let mut search = Tarjan {
            number: vec![NONE; nodes],
            low: vec![NONE; nodes],
            path: Vec::new(),
            open: Vec::new(),
            next: 0,
            found: Vec::new(),
        };
        for root in 0..self.nodes() {
            if search.number[root as usize] == NONE {
                search.from(self, kinds, root);
            }
        }
        search.found.sort_unstable();
        search.found
    }

    /// Whether edges of the given kinds make a cycle; nodes in an order in which those edges go
    /// forward, if they make none, the smaller number first where it is free.
    pub(super) fn topological(&self, kinds: Kinds, rank: impl Fn(u32) -> u64) -> Option<Vec<u32>> {
        let nodes = self.nodes();
        let mut missing = vec![0_u32; nodes as usize];
        for edge in self.edges(kinds) {
            missing[edge.to as usize] += 1;
        }
        let free = (0..nodes).filter(|node| missing[*node as usize] == 0);
        let free = free.map(|node| std::cmp::Reverse((rank(node), node)));
        let mut ready: std::collections::BinaryHeap<_> = free.collect();
        let mut order = Vec::with_capacity(nodes as usize);
        while let Some(std::cmp::Reverse((_, node))) = ready.pop() {
            order.push(node);
            for arc in self.out(node).iter().filter(|arc| arc.kind & kinds != 0) {
                let missing = &mut missing[arc.to as usize];
                *missing -= 1;
                if *missing == 0 {
                    ready.push(std::cmp::Reverse((rank(arc.to), arc.to)));
                }
            }
        }
        (order.len() == nodes as usize).then_some(order)
    }
}

struct Tarjan {
    number: Vec<u32>,
    low: Vec<u32>,
    /// Nodes on the way, each with how many of its edges were taken.
    path: Vec<(u32, u32)>,
    /// Nodes whose component is not complete.
    open: Vec<u32>,
    next: u32,
    found: Vec<Vec<u32>>,
}

/// The number of a node whose component is complete.
const DONE: u32 = NONE - 1;

impl Tarjan {
    fn enter(&mut self, node: u32) {
        self.number[node as usize] = self.next;
        self.low[node as usize] = self.next;
        self.next += 1;
        self.open.push(node);
        self.path.push((node, 0));
    }

    fn from(&mut self, graph: &Graph, kinds: Kinds, root: u32) {
        self.enter(root);
        while let Some((node, taken)) = self.path.last_mut() {
            let node = *node;
            let Some(arc) = graph.out(node).get(*taken as usize) else {
                self.path.pop();
                self.leave(node);
                continue;
            };
            *taken += 1;
            if arc.kind & kinds == 0 {
                continue;
            }
            match self.number[arc.to as usize] {
                NONE => self.enter(arc.to),
                DONE => {}
                number => {
                    let low = &mut self.low[node as usize];
                    *low = (*low).min(number);
                }
            }
        }
    }

    fn leave(&mut self, node: u32) {
        let low = self.low[node as usize];
        if let Some((parent, _)) = self.path.last() {
            let above = &mut self.low[*parent as usize];
            *above = (*above).min(low);
        }
        if low != self.number[node as usize] {
            return;
        }
        let from = self.open.iter().rposition(|open| *open == node);
        let mut component = self
            .open
            .split_off(from.expect("a node that was entered is open"));
        for member in &component {
            self.number[*member as usize] = DONE;
        }
        if component.len() > 1 {
            component.sort_unstable();
            self.found.push(component);
        }
    }
}

/// A part of a graph, its nodes numbered anew.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) graph: Graph,
    /// By node of the part, the node of the whole.
    pub(super) whole: Vec<u32>,
}

impl Part {
    /// The given nodes, sorted, and the edges among those of one component.
    pub(super) fn of(graph: &Graph, components: &[Vec<u32>]) -> Self {
        let mut place = vec![(NONE, NONE); graph.nodes() as usize];
        let mut whole: Vec<u32> = components.iter().flatten().copied().collect();
        whole.sort_unstable();
        for (number, component) in (0..).zip(components) {
            for node in component {
                place[*node as usize].1 = number;
            }
        }
        for (at, node) in (0..).zip(&whole) {
            place[*node as usize].0 = at;
        }
        let txns = whole.partition_point(|node| graph.is_txn(*node)) as u32;
        let mut edges = Vec::new();
        for from in &whole {
            let (at, component) = place[*from as usize];
            for arc in graph.out(*from) {
                let (to, of) = place[arc.to as usize];
                if of == component {
                    edges.push(Edge {
                        from: at,
                        to,
                        kind: arc.kind,
                        why: arc.why,
                    });
                }
            }
        }
        let graph = Graph::new(whole.len() as u32, txns, &edges);
        Self { graph, whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: u32, edges: &[(u32, u32)]) -> Graph {
        let edges = edges.iter().map(|(from, to)| Edge {
            from: *from,
            to: *to,
            kind: WW,
            why: NONE,
        });
        Graph::new(nodes, nodes, &edges.collect::<Vec<_>>())
    }

    #[test]
    fn components_are_found() {
        let two = graph(
            7,
            &[
                (0, 1),
                (1, 2),
                (2, 0),
                (2, 3),
                (3, 4),
                (4, 3),
                (5, 5),
                (6, 0),
            ],
        );
        assert_eq!(two.components(WW), [vec![0, 1, 2], vec![3, 4]]);
        assert!(two.components(WR).is_empty());
        assert_eq!(two.topological(WW, |_| 0), None);
        assert_eq!(two.topological(WR, |_| 0).map(|order| order.len()), Some(7));
    }

    #[test]
    fn a_million_nodes_do_not_overflow_the_stack() {
        let nodes = 1_000_000;
        let mut edges: Vec<(u32, u32)> = (1..nodes).map(|node| (node - 1, node)).collect();
        assert!(graph(nodes, &edges).components(WW).is_empty());
        edges.push((nodes - 1, 0));
        assert_eq!(graph(nodes, &edges).components(WW)[0].len(), nodes as usize);
    }
}
