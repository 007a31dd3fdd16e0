//! What a level asks of reads that count a change, and of those that do not: edges.

use super::super::decide::kinds_of;
use super::super::graph::{Edge, Graph, Kinds, PASS};
use super::super::levels::{Base, Level};
use super::super::transactions::NONE;
use super::super::visible;
use super::ways::Ways;

/// One way of a choice: its edges, and how many of them may be in one circle with others; the
/// rest must close none of those.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) all: [(u32, u32); 2],
    len: usize,
    pub(super) strict: usize,
}

impl Way {
    const NONE: Way = Way {
        all: [(NONE, NONE); 2],
        len: 0,
        strict: 0,
    };

    pub(super) fn edges(&self) -> impl Iterator<Item = (u32, u32)> {
        self.all.into_iter().take(self.len)
    }

    /// One edge more, before those that are not in circles with others.
    fn with(mut self, edge: (u32, u32), strict: bool) -> Self {
        self.all[self.len] = edge;
        self.len += 1;
        if strict {
            self.all[..self.len].rotate_right(usize::from(self.strict < self.len - 1));
            self.strict += 1;
        }
        self
    }
}

/// The graph of sessions and real time, as a level sees it, with the ways of each choice: that a
/// read counts a change, and that it does not.
pub(super) struct Shaped {
    pub(super) graph: Graph,
    pub(super) ways: Vec<Way>,
    /// Whether some edges must close no circle with the others.
    pub(super) alone: bool,
    /// How many nodes there are before the first commit.
    starts: u32,
    /// Whether there are commits; where what is no transaction begins.
    moments: bool,
    others: u32,
}

impl Shaped {
    pub(super) fn of(made: &Ways<'_, '_>, level: Level) -> Self {
        let base = level.base;
        let kinds = kinds_of(level.order) | PASS;
        let (starts, txns) = (made.graph.nodes(), made.graph.txns);
        let moments = matches!(base, Base::SnapshotIsolation | Base::MonotonicView);
        let graph = match moments {
            true => visible::moments(&made.graph, kinds, false),
            false => {
                let edges: Vec<Edge> = made.graph.edges(kinds).collect();
                Graph::new(starts, txns, &edges)
            }
        };
        let others = graph.nodes();
        let mut shaped = Self {
            graph,
            ways: Vec::with_capacity(2 * made.pairs.len()),
            alone: matches!(
                base,
                Base::ConsistentView | Base::Causal | Base::MonotonicView
            ),
            starts,
            moments,
            others,
        };
        let nodes = shaped.choices(made, base);
        match base {
            Base::MonotonicView => shaped.steps(made, nodes),
            Base::Causal | Base::ReadAtomic | Base::MonotonicAtomicView => {
                shaped.alike(made, level);
            }
            _ => {}
        }
        shaped
    }

    fn commit(&self, txn: u32) -> u32 {
        if self.moments { self.starts + txn } else { txn }
    }

    /// When a node is likely to have its turn.
    pub(super) fn time(&self, made: &Ways<'_, '_>, node: u32) -> u64 {
        let times = |txn: u32| made.times[txn as usize];
        match node {
            node if node >= self.others => 0,
            node if node < self.graph_txns(made) && self.moments => times(node).0,
            node if node < self.graph_txns(made) => times(node).1,
            node if self.moments && node >= self.starts => times(node - self.starts).1,
            _ => 0,
        }
    }

    fn graph_txns(&self, made: &Ways<'_, '_>) -> u32 {
        made.graph.txns
    }

    /// What is counted comes first; what is not, later. Gives the first node that is free.
    fn choices(&mut self, made: &Ways<'_, '_>, base: Base) -> u32 {
        for (read, change) in &made.pairs {
            let change = self.commit(*change);
            let (sees, misses) = ((change, *read), (*read, change));
            let late = match base {
                Base::Serializable | Base::SnapshotIsolation => Way::NONE.with(misses, true),
                Base::ConsistentView | Base::Causal => Way::NONE.with(misses, false),
                _ => Way::NONE,
            };
            let early = match base {
                Base::ReadUncommitted => Way::NONE,
                _ => Way::NONE.with(sees, true),
            };
            self.ways.extend([early, late]);
        }
        self.others
    }

    /// Whoever counts a change at a step, sees what led to it at later ones.
    fn steps(&mut self, made: &Ways<'_, '_>, mut next: u32) {
        let mut edges: Vec<Edge> = self.graph.edges(Kinds::MAX).collect();
        let mut place = 0;
        for of in made.counted.reads.chunk_by(|a, b| a.row == b.row) {
            let mut node = NONE;
            for read in of {
                for at in place..place + read.of.len() {
                    let (txn, change) = made.pairs[at];
                    let before = if node == NONE { txn } else { node };
                    let commit = self.commit(change);
                    self.ways[2 * at] = Way::NONE.with((commit, next), true);
                    self.ways[2 * at + 1] = Way::NONE.with((before, commit), false);
                }
                if let Some((txn, _)) = made.pairs.get(place).filter(|_| !read.of.is_empty()) {
                    let before = if node == NONE { *txn } else { node };
                    edges.extend([pass(before, next), pass(next, self.commit(*txn))]);
                    (node, next) = (next, next + 1);
                }
                place += read.of.len();
            }
        }
        self.graph = Graph::new(next, next, &edges);
    }

    /// What a transaction changed is counted by all reads of another, or by none; or, of
    /// monotonic atomic view, by those after one that counts it. What came before it by sessions
    /// or real time is counted by all.
    fn alike(&mut self, made: &Ways<'_, '_>, level: Level) {
        let later = level.base == Base::MonotonicAtomicView;
        let mut places: Vec<u32> = (0..made.pairs.len() as u32).collect();
        places.sort_by_key(|place| made.pairs[*place as usize]);
        let mut edges: Vec<Edge> = self.graph.edges(Kinds::MAX).collect();
        let mut next = self.others;
        for of in places.chunk_by(|a, b| made.pairs[*a as usize] == made.pairs[*b as usize]) {
            let (txn, change) = made.pairs[of[0] as usize];
            let before = made.precedes(level.order, change, txn);
            if of.len() == 1 && !before {
                continue;
            }
            let first = next;
            next += 2;
            if before {
                edges.push(pass(first, first + 1));
            }
            for (at, place) in of.iter().enumerate() {
                if later && at > 0 {
                    edges.push(pass(next - 1, next));
                    next += 1;
                }
                let ways = &mut self.ways[2 * *place as usize..][..2];
                ways[0] = ways[0].with((first, next - 1), true);
                ways[1] = ways[1].with((next - 1, first), true);
            }
        }
        self.graph = Graph::new(next, next, &edges);
    }
}

fn pass(from: u32, to: u32) -> Edge {
    Edge {
        from,
        to,
        kind: PASS,
        why: NONE,
    }
}
