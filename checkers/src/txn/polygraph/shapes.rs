//! What a shape asks of the graph of what is certain, before orders of versions are looked for.

use std::collections::BTreeMap;

use super::super::facts::{Facts, Touch, Touches};
use super::super::graph::{
    DEPENDS, Edge, FOLLOWS, Graph, Kinds, MISSES, PASS, PRW, PWR, RW, WR, WW,
};
use super::super::touched::Touched;
use super::super::transactions::NONE;
use super::super::visible;
use super::Shape;

/// What is certain, as a shape sees it.
pub(super) struct Shaped {
    pub(super) graph: Graph,
    /// Who misses what whom wrote, where that closes no circle but alone.
    pub(super) misses: Vec<(u32, u32)>,
    /// The nodes of steps, of the shape that has them.
    pub(super) stepped: Option<Stepped>,
}

impl Shaped {
    /// `graph` is that of the certain dependencies; `kinds` is what else orders.
    pub(super) fn of(facts: &Facts<'_>, graph: &Graph, shape: Shape, kinds: Kinds) -> Self {
        let depends = DEPENDS | PASS | kinds;
        let kinds = depends | MISSES;
        let mut misses = Vec::new();
        let mut stepped = None;
        let (nodes, txns) = (graph.nodes(), graph.txns);
        let graph = match shape {
            Shape::Snapshots => visible::moments(graph, kinds, false),
            Shape::Prefixes => visible::moments(graph, kinds, true),
            Shape::Single => {
                let missed = graph.edges(MISSES);
                misses.extend(missed.map(|edge| (edge.from, edge.to)));
                let edges: Vec<Edge> = graph.edges(depends).collect();
                Graph::new(nodes, txns, &edges)
            }
            Shape::Serial | Shape::Updates => {
                let keeps = |node: u32| {
                    let all = shape == Shape::Serial || !graph.is_txn(node);
                    all || facts.updates[node as usize]
                };
                let edges = graph.edges(kinds);
                let edges = edges.filter(|edge| keeps(edge.from) && keeps(edge.to));
                Graph::new(nodes, txns, &edges.collect::<Vec<_>>())
            }
            Shape::Cursors => {
                let mut edges: Vec<Edge> = graph.edges(depends).collect();
                replaced(facts, &mut edges);
                Graph::new(nodes, txns, &edges)
            }
            Shape::Monotonic => {
                let steps = Stepped::of(facts, nodes);
                let missed = graph.edges(MISSES);
                misses.extend(missed.map(|edge| (steps.before(facts, graph, edge), edge.to)));
                let entered = graph.edges(depends).map(|edge| steps.entered(facts, edge));
                let edges: Vec<Edge> = entered.chain(steps.edges()).collect();
                let all = nodes + steps.owner.len() as u32;
                stepped = Some(steps);
                Graph::new(all, txns, &edges)
            }
        };
        Self {
            graph,
            misses,
            stepped,
        }
    }
}

/// Whether a transaction wrote an object after a read of it.
pub(super) fn replaces(facts: &Facts<'_>, read: &Touch) -> bool {
    let key = facts.key[read.version as usize];
    let mut writes = facts.writes.of(read.txn).iter();
    writes.any(|write| write.step > read.step && facts.key[write.version as usize] == key)
}

/// Whoever read a version and replaced it comes before what certainly follows that. Of a version
/// there is one at most: else an update is lost, whatever the order.
fn replaced(facts: &Facts<'_>, edges: &mut Vec<Edge>) {
    let mut add = |from: u32, version: u32| {
        let to = facts.writer[version as usize];
        if to != NONE && to != from {
            edges.push(Edge {
                from,
                to,
                kind: RW,
                why: version,
            });
        }
    };
    for read in facts
        .reads
        .all()
        .iter()
        .filter(|read| replaces(facts, read))
    {
        let (version, key) = (read.version, facts.key[read.version as usize]);
        let chain = facts.chain(key);
        match facts.next(version).filter(|_| chain.contains(&version)) {
            Some(next) => add(read.txn, next),
            None if chain.contains(&version) => {
                facts.loose(key).for_each(|later| add(read.txn, later));
            }
            None => {}
        }
        let from = facts.before.partition_point(|(first, _)| *first < version);
        let after = facts.before[from..].iter();
        for (_, later) in after.take_while(|(first, _)| *first == version) {
            add(read.txn, *later);
        }
    }
}

/// Transactions as rows of nodes, one for its begin and one for each step that touches something:
/// what enters at a step leads to those after it. The last of a row is the transaction's own.
pub(super) struct Stepped {
    /// By transaction, where its row begins; at last how many there are.
    first: Vec<u32>,
    /// The steps, counted from one, zero for the begin; and the nodes.
    row: Vec<(u32, u32)>,
    /// By node, from the first that there is beyond the graph's, its transaction.
    pub(super) owner: Vec<u32>,
    /// Transactions of many steps, which are looked up.
    long: BTreeMap<u32, Touched>,
}

/// Steps of more touches than these are looked up.
const SHORT_MAX: usize = 16;

impl Stepped {
    /// Of those that read of others, from a node on.
    fn of(facts: &Facts<'_>, nodes: u32) -> Self {
        let mut all = Self {
            first: vec![0],
            row: Vec::new(),
            owner: Vec::new(),
            long: BTreeMap::new(),
        };
        for txn in 0..facts.txns {
            let all_touches = [&facts.reads, &facts.selected, &facts.writes];
            let count = all_touches.map(|touches| touches.of(txn).len());
            if count.iter().sum::<usize>() > SHORT_MAX {
                all.long.insert(txn, Touched::of(facts, txn));
            }
            let read = [&facts.reads, &facts.selected].map(|touches| touches.of(txn));
            if read.iter().any(|touches| !touches.is_empty()) {
                let touches = read.into_iter().chain([facts.writes.of(txn)]).flatten();
                let mut steps: Vec<u32> = touches.map(|touch| touch.step + 1).collect();
                steps.push(0);
                steps.sort_unstable();
                steps.dedup();
                for step in steps {
                    all.row.push((step, nodes + all.owner.len() as u32));
                    all.owner.push(txn);
                }
            }
            all.first.push(all.row.len() as u32);
        }
        all
    }

    /// The nodes of a transaction but its own.
    pub(super) fn row(&self, txn: u32) -> &[(u32, u32)] {
        let (from, to) = (self.first[txn as usize], self.first[txn as usize + 1]);
        &self.row[from as usize..to as usize]
    }

    /// The node of the last step up to one, counted from one.
    pub(super) fn at(&self, txn: u32, step: u32) -> u32 {
        let row = self.row(txn);
        let count = row.partition_point(|(of, _)| *of <= step);
        count.checked_sub(1).map_or(txn, |last| row[last].1)
    }

    /// The edges along each row.
    fn edges(&self) -> impl Iterator<Item = Edge> {
        let next = |at: usize| {
            let (node, owner) = (self.row[at].1, self.owner[at]);
            let same = self.owner.get(at + 1) == Some(&owner);
            let to = if same { self.row[at + 1].1 } else { owner };
            Edge {
                from: node,
                to,
                kind: PASS,
                why: NONE,
            }
        };
        (0..self.row.len()).map(next)
    }

    /// A dependency, as it enters at a step.
    fn entered(&self, facts: &Facts<'_>, edge: Edge) -> Edge {
        if edge.to >= facts.txns || edge.kind == PASS {
            return edge;
        }
        let to = self.at(edge.to, self.step_into(facts, edge));
        Edge { to, ..edge }
    }

    /// At which step, counted from one, a dependency enters a transaction; zero for its begin.
    fn step_into(&self, facts: &Facts<'_>, edge: Edge) -> u32 {
        if let Some(touched) = self.long.get(&edge.to) {
            return touched.step_into(edge);
        }
        let of = |touches: &Touches| {
            let mut touches = touches.of(edge.to).iter();
            let touch = touches.find(|touch| touch.version == edge.why);
            touch.map_or(0, |touch| touch.step + 1)
        };
        match edge.kind {
            WR => of(&facts.reads),
            PWR => of(&facts.selected),
            WW | FOLLOWS => of(&facts.writes),
            _ => 0,
        }
    }

    /// The node at which a transaction comes to write a version.
    pub(super) fn enter(&self, facts: &Facts<'_>, to: u32, version: u32) -> u32 {
        let edge = Edge {
            from: to,
            to,
            kind: WW,
            why: version,
        };
        self.at(to, self.step_into(facts, edge))
    }

    /// What had entered before the read whose transaction misses something: of several, before
    /// the last.
    fn before(&self, facts: &Facts<'_>, graph: &Graph, miss: Edge) -> u32 {
        let seen = match miss.kind {
            PRW => &facts.selected,
            _ => &facts.reads,
        };
        let step = match self.long.get(&miss.from) {
            Some(touched) => touched.missed_at(facts, graph, miss, |node| node),
            None => missed_at(facts, graph, miss, seen.of(miss.from), |node| node),
        };
        self.at(miss.from, step.unwrap_or(1) - 1)
    }
}

/// At which step, counted from one, a transaction read last what an anti-dependency of it says
/// that it missed, of its reads of the kind in question. `txn_of` gives the transaction of a node
/// of the graph.
pub(in crate::txn) fn missed_at(
    facts: &Facts<'_>,
    graph: &Graph,
    miss: Edge,
    reads: &[Touch],
    txn_of: impl Fn(u32) -> u32,
) -> Option<u32> {
    let key = missed_key(facts, graph, miss, txn_of);
    let missed = |version: u32| match miss.why {
        // Through auxiliary nodes: whatever is not in order, after all that is.
        NONE => {
            let of = facts.key[version as usize];
            let last = facts.chain(of).contains(&version) && facts.next(version).is_none();
            last && key.is_none_or(|key| key == of)
        }
        why => facts.precedes(version, why),
    };
    let reads = reads.iter().filter(|read| missed(read.version));
    reads.map(|read| read.step + 1).max()
}

/// The object of what an anti-dependency says that was missed, where that tells.
pub(in crate::txn) fn missed_key(
    facts: &Facts<'_>,
    graph: &Graph,
    miss: Edge,
    txn_of: impl Fn(u32) -> u32,
) -> Option<u32> {
    match miss.why {
        NONE => key_behind(facts, graph, miss.to, txn_of),
        why => Some(facts.key[why as usize]),
    }
}

/// The object of the versions behind an auxiliary node.
fn key_behind(
    facts: &Facts<'_>,
    graph: &Graph,
    node: u32,
    txn_of: impl Fn(u32) -> u32,
) -> Option<u32> {
    let mut at = node;
    while !graph.is_txn(at) {
        let arc = graph.out(at).iter().find(|arc| arc.kind == PASS)?;
        if arc.why != NONE && graph.is_txn(arc.to) {
            debug_assert_eq!(facts.writer[arc.why as usize], txn_of(arc.to));
            return Some(facts.key[arc.why as usize]);
        }
        at = arc.to;
    }
    None
}
