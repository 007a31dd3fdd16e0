//! Is there an order of versions with which all of a graph goes forward?
//!
//! Of two transactions that wrote an object one comes first, and whoever read its version comes
//! before the other: each pair is a choice of two sets of edges. First what is forced is found,
//! from who reaches whom, until nothing more is; what is left is searched, in `solve`, in an order
//! that is kept up edge by edge (`topology`). Complete within the steps. Source: Papadimitriou,
//! *The Serializability of Concurrent Database Updates*, for the polygraph.

use std::collections::BTreeMap;

mod reached;
mod shapes;
mod solve;
mod topology;
mod windows;

use super::facts::Facts;
use super::graph::{Edge, Graph, Kinds, PROCESS, WW};
use super::levels::Base;
use super::transactions::{NONE, Status, Transactions};
use reached::Clocks;
pub(super) use reached::Reached;
use shapes::{Shaped, Stepped, replaces};
pub(super) use shapes::{missed_at, missed_key};
pub(super) use solve::{Solver, Sum};
pub(super) use topology::Topology;

/// What is to be put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Transactions.
    Serial,
    /// Those that wrote something.
    Updates,
    /// Starts and commits, as in snapshot isolation.
    Snapshots,
    /// Starts and commits, where writers of an object may overlap.
    Prefixes,
    /// Transactions, by dependencies; and nobody misses what leads to it.
    Single,
    /// The same, step by step: nobody misses what leads to what it had read and written before.
    Monotonic,
    /// Transactions, by dependencies; and nobody writes an object between a read of it and the
    /// write that follows that.
    Cursors,
}

/// Levels that ask for an order of the nodes of one graph, the strongest first.
pub(super) const SHAPES: [(Base, Shape); 8] = [
    (Base::Serializable, Shape::Serial),
    (Base::SnapshotIsolation, Shape::Snapshots),
    (Base::Prefix, Shape::Prefixes),
    (Base::UpdateSerializable, Shape::Updates),
    (Base::ParallelSnapshotIsolation, Shape::Single),
    (Base::ConsistentView, Shape::Single),
    (Base::MonotonicSnapshotRead, Shape::Monotonic),
    (Base::CursorStability, Shape::Cursors),
];

/// What was found.
pub(super) enum Solved {
    /// By transaction, where its writes stand in an order that does it.
    Order(Vec<u32>),
    /// No order of versions does it.
    Never,
    /// The steps did not suffice.
    Unknown,
}

/// What a transaction wrote of one object and what has no certain order.
struct Block {
    txn: u32,
    /// The first of its versions.
    version: u32,
    /// The node before which what it overwrites was there.
    enter: u32,
    /// Where those who read it stand in a row of all.
    readers: (u32, u32),
}

/// The most memory of a table that tells who reaches whom, words.
const WORDS_MAX: usize = 32 << 20;
/// How many chains of nodes are followed by clocks.
const CHAINS_MAX: usize = 256;
/// How often such tables are made anew, before what is left is searched.
const PASSES_MAX: u32 = 100;

/// What is known of a pair of blocks: of the first one's coming before the other, and of the
/// other's before it.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// It closes a circle.
    closes: [bool; 2],
    /// What the first wrote is known to lead to the other.
    known: [bool; 2],
}

pub(super) struct Polygraph<'s, 'h> {
    all: &'s Transactions<'h>,
    facts: &'s Facts<'h>,
    shape: Shape,
    /// What is certain, of transactions or of their starts and commits.
    base: Graph,
    /// How many nodes there are before the first commit.
    starts: u32,
    blocks: Vec<Block>,
    /// Transactions, and the nodes that come before what they miss.
    readers: Vec<(u32, u32)>,
    /// Pairs of blocks of an object that are not decided.
    open: Vec<(u32, u32)>,
    /// The edges of those that were.
    edges: Vec<Edge>,
    /// Who misses what whom wrote, where that closes no circle but alone.
    misses: Vec<(u32, u32)>,
    stepped: Option<Stepped>,
    /// Whether each process's transactions are in order.
    sessions: bool,
    pub(super) steps: u64,
}

impl<'s, 'h> Polygraph<'s, 'h> {
    /// `graph` is that of the certain dependencies; `kinds` is what else orders. None when there
    /// are too many pairs for the steps. Cost: the square of the writers of each object.
    pub(super) fn new(
        (all, facts): (&'s Transactions<'h>, &'s Facts<'h>),
        graph: &Graph,
        (shape, kinds): (Shape, Kinds),
        steps: u64,
    ) -> Option<Self> {
        let shaped = Shaped::of(facts, graph, shape, kinds);
        let mut made = Self {
            all,
            facts,
            shape,
            base: shaped.graph,
            starts: graph.nodes(),
            blocks: Vec::new(),
            readers: Vec::new(),
            open: Vec::new(),
            edges: Vec::new(),
            misses: shaped.misses,
            stepped: shaped.stepped,
            sessions: kinds & PROCESS != 0,
            steps,
        };
        made.pair()?;
        Some(made)
    }

    /// Finds the blocks and their pairs.
    fn pair(&mut self) -> Option<()> {
        let facts = self.facts;
        let mut block_of = vec![NONE; facts.key.len()];
        let mut of_key: Vec<(u32, u32)> = Vec::new();
        for key in 0..facts.ordered.len() as u32 {
            let loose = facts.loose(key);
            if loose.len() < 2 {
                continue;
            }
            of_key.clear();
            let written = loose.filter(|version| facts.writer[*version as usize] != NONE);
            of_key.extend(written.map(|version| (facts.writer[version as usize], version)));
            of_key.sort_unstable();
            let first = self.blocks.len() as u32;
            for (txn, version) in of_key.iter().copied() {
                let same = self.blocks[first as usize..].last();
                if same.is_none_or(|block| block.txn != txn) {
                    let enter = self.enter(txn, version);
                    self.blocks.push(Block {
                        txn,
                        version,
                        enter,
                        readers: (0, 0),
                    });
                }
                block_of[version as usize] = self.blocks.len() as u32 - 1;
            }
            let last = self.blocks.len() as u32;
            let count = u64::from(last - first);
            self.steps = self.steps.checked_sub(count * count / 16)?;
            let pairs = (first..last).flat_map(|a| (a + 1..last).map(move |b| (a, b)));
            self.open.extend(pairs);
        }
        let selected = facts.selected.all().iter();
        let seen = facts.reads.all().iter().chain(selected);
        let seen = seen.filter(|read| block_of[read.version as usize] != NONE);
        let seen = seen.filter(|read| match self.shape {
            Shape::Updates => facts.updates[read.txn as usize],
            Shape::Cursors => replaces(facts, read),
            _ => true,
        });
        // Of several reads of one version the last says most.
        let seen = seen.map(|read| (block_of[read.version as usize], read.txn, read.step));
        let mut seen: Vec<(u32, u32, u32)> = seen.collect();
        seen.sort_unstable_by_key(|(block, txn, step)| (*block, *txn, std::cmp::Reverse(*step)));
        seen.dedup_by_key(|(block, txn, _)| (*block, *txn));
        for (at, (block, ..)) in (0..).zip(&seen) {
            let readers = &mut self.blocks[*block as usize].readers;
            if readers.1 == 0 {
                readers.0 = at;
            }
            readers.1 = at + 1;
        }
        let node = |txn: u32, step: u32| match &self.stepped {
            Some(stepped) => stepped.at(txn, step),
            None => txn,
        };
        let readers = seen.iter().map(|(_, txn, step)| (*txn, node(*txn, *step)));
        self.readers = readers.collect();
        let known = |a: u32, b: u32| {
            let version = |block: u32| self.blocks[block as usize].version;
            facts.precedes(version(a), version(b)) || facts.precedes(version(b), version(a))
        };
        let mut open = std::mem::take(&mut self.open);
        open.retain(|(a, b)| !known(*a, *b));
        self.open = open;
        Some(())
    }

    /// The node at which what a transaction wrote is there.
    fn commit(&self, txn: u32) -> u32 {
        match self.shape {
            Shape::Snapshots | Shape::Prefixes => self.starts + txn,
            _ => txn,
        }
    }

    /// The node before which what a transaction overwrites with a version was there.
    fn enter(&self, txn: u32, version: u32) -> u32 {
        match (&self.stepped, self.shape) {
            (_, Shape::Prefixes) => self.starts + txn,
            (Some(stepped), _) => stepped.enter(self.facts, txn, version),
            _ => txn,
        }
    }

    /// Whether who misses something closes no circle but alone.
    fn alone(&self) -> bool {
        matches!(self.shape, Shape::Single | Shape::Monotonic)
    }

    /// How many of the ways of a choice may be in one circle with others.
    fn edges_max(&self) -> usize {
        if self.alone() { 1 } else { usize::MAX }
    }

    /// The edges that there are when one block comes before another.
    fn ways(&self, first: u32, second: u32, into: &mut Vec<(u32, u32)>) {
        let (a, b) = (&self.blocks[first as usize], &self.blocks[second as usize]);
        into.push((self.commit(a.txn), b.enter));
        let readers = &self.readers[a.readers.0 as usize..a.readers.1 as usize];
        let others = readers.iter().filter(|(reader, _)| *reader != b.txn);
        into.extend(others.map(|(_, node)| (*node, self.commit(b.txn))));
    }

    /// Searches.
    pub(super) fn solve(&mut self) -> Solved {
        match self.force() {
            Some(true) => {}
            Some(false) => return Solved::Never,
            None => return Solved::Unknown,
        }
        let graph = self.graph();
        let Some(sorted) = graph.topological(Kinds::MAX, |node| self.time(node)) else {
            return Solved::Never;
        };
        let topology = Topology::new(&graph, &sorted);
        let mut open = std::mem::take(&mut self.open);
        let node = |block: u32| self.commit(self.blocks[block as usize].txn);
        open.sort_by_key(|(a, b)| {
            let (a, b) = (topology.place(node(*a)), topology.place(node(*b)));
            (a.max(b), a.min(b))
        });
        let ways = |literal: u32, into: &mut Vec<(u32, u32)>| {
            let (a, b) = open[literal as usize / 2];
            match literal % 2 {
                0 => self.ways(a, b, into),
                _ => self.ways(b, a, into),
            }
            self.edges_max()
        };
        let ends = |choice: usize| (node(open[choice].0), node(open[choice].1));
        let alone = (self.alone(), &self.misses[..]);
        let mut solver = Solver::new(topology, open.len(), &ways, alone, self.steps);
        let found = solver.solve(ends);
        let spent = solver.topology.spent;
        let told = match found {
            Some(true) => {
                let rank = (0..self.starts).map(|node| match node < self.facts.txns {
                    true => solver.topology.place(self.commit(node)),
                    false => 0,
                });
                Solved::Order(rank.collect())
            }
            Some(false) => Solved::Never,
            None => Solved::Unknown,
        };
        self.steps = self.steps.saturating_sub(spent);
        told
    }

    /// When a node is likely to have its turn.
    fn time(&self, node: u32) -> u64 {
        let txns = self.facts.txns;
        let op = |txn: u32| self.all.op(txn);
        let ended = |txn: u32| op(txn).complete_ts.unwrap_or(u64::MAX);
        if let (Some(stepped), true) = (&self.stepped, node >= self.starts) {
            return ended(stepped.owner[(node - self.starts) as usize]);
        }
        if node < txns {
            match self.shape {
                Shape::Snapshots | Shape::Prefixes => op(node).invoke_ts,
                _ => ended(node),
            }
        } else if (self.starts..self.starts + txns).contains(&node) {
            ended(node - self.starts)
        } else {
            0
        }
    }

    /// What is certain, with what was forced.
    fn graph(&self) -> Graph {
        let base = self.base.edges(Kinds::MAX);
        let edges: Vec<Edge> = base.chain(self.edges.iter().copied()).collect();
        Graph::new(self.base.nodes(), self.base.txns, &edges)
    }

    /// Decides pairs of which one way closes a circle, until there are none; false when both do.
    fn force(&mut self) -> Option<bool> {
        let chains = match self.sessions {
            true => self.chains(),
            false => Vec::new(),
        };
        let count = chains.iter().map(|(chain, _)| *chain);
        let width = count.filter(|chain| *chain != NONE).max();
        let width = width.map_or(0, |last| last as usize + 1);
        let nodes = self.base.nodes() as usize;
        let clocks = !chains.is_empty() && width < CHAINS_MAX && nodes * width < 2 * WORDS_MAX;
        for _ in 0..PASSES_MAX {
            if self.open.is_empty() {
                break;
            }
            let graph = self.graph();
            let Some(sorted) = graph.topological(Kinds::MAX, |node| self.time(node)) else {
                return Some(false);
            };
            let before = self.open.len();
            let decided = match clocks {
                true => {
                    let table = Clocks::of(&graph, &sorted, &chains, width);
                    let spent = graph.edges(Kinds::MAX).count() * (width / 2 + 4) / 64;
                    self.steps = self.steps.checked_sub((spent + before / 4) as u64)?;
                    let told = self.told(&table);
                    self.pass(&told, |from, to| table.leads(from, to))
                }
                false => {
                    let told = self.windows(&graph, &sorted)?;
                    self.pass(&told, |_, _| false)
                }
            };
            if !decided {
                return Some(false);
            }
            if self.open.len() == before {
                break;
            }
        }
        Some(true)
    }

    /// What clocks say of each open pair.
    fn told(&self, table: &Clocks<'_>) -> Vec<Told> {
        let mut ways = Vec::new();
        let mut closes = |first: u32, second: u32| {
            ways.clear();
            self.ways(first, second, &mut ways);
            ways.iter().any(|(u, v)| table.leads(*v, *u))
        };
        let told = self.open.iter().map(|(a, b)| Told {
            closes: [closes(*a, *b), closes(*b, *a)],
            known: [false; 2],
        });
        told.collect()
    }

    /// By node, its chain of nodes that come after each other, and its place in that.
    fn chains(&self) -> Vec<(u32, u32)> {
        let mut chains = vec![(NONE, 0); self.base.nodes() as usize];
        let mut sessions: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
        let mut count = 0;
        for txn in 0..self.facts.txns {
            let left_out = self.shape == Shape::Updates && !self.facts.updates[txn as usize];
            if !self.facts.takes_part[txn as usize] || left_out {
                continue;
            }
            let mut alone = (count, 0);
            let chain = match self.all.status(txn) {
                Status::Committed => sessions.entry(self.all.op(txn).process_id).or_insert(alone),
                // Nothing follows it for certain.
                _ => &mut alone,
            };
            count += u32::from(chain.0 == count);
            let steps = self.stepped.as_ref().map_or(&[][..], |all| all.row(txn));
            let mut nodes: Vec<u32> = steps.iter().map(|(_, node)| *node).collect();
            nodes.push(txn);
            nodes.extend(Some(self.commit(txn)).filter(|commit| *commit != txn));
            for node in nodes {
                chains[node as usize] = *chain;
                chain.1 += 1;
            }
        }
        chains
    }

    /// Decides what is told; false when neither way of a pair is left. What is known to lead where
    /// need not be said again.
    fn pass(&mut self, told: &[Told], known: impl Fn(u32, u32) -> bool) -> bool {
        let (mut ways, mut kept) = (Vec::new(), Vec::new());
        let open = std::mem::take(&mut self.open);
        for ((a, b), told) in open.into_iter().zip(told) {
            let (first, second, way) = match told.closes {
                [true, true] => return false,
                [false, false] => {
                    kept.push((a, b));
                    continue;
                }
                [false, true] => (a, b, 0),
                [true, false] => (b, a, 1),
            };
            ways.clear();
            self.ways(first, second, &mut ways);
            let why = self.blocks[second as usize].version;
            self.misses.extend(ways.iter().skip(self.edges_max()));
            let said = ways.iter().take(self.edges_max()).enumerate();
            let new = said.filter(|(at, _)| *at > 0 || !told.known[way]);
            let new = new.filter(|(_, (from, to))| !known(*from, *to));
            self.edges.extend(new.map(|(_, (from, to))| Edge {
                from: *from,
                to: *to,
                kind: WW,
                why,
            }));
        }
        self.open = kept;
        true
    }
}
