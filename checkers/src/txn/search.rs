//! Orders of versions that nobody's reads put in order: how one is made of a guess, what proves a
//! level with it, and, in `learn`, whether there is one that satisfies a level.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

mod learn;

use super::certificate::{Certificate, Moment};
use super::decide::{Cycle, Decider, Decision, kinds_of};
use super::edges;
use super::facts::{Facts, Touch, Touches};
use super::graph::{DEPENDS, Edge, FOLLOWS, Graph, Kinds, MISSES, PASS, PRW, Part, WW};
use super::levels::{Base, Level};
use super::saturate::Pair;
use super::transactions::{NONE, Transactions};
use super::visible;
pub(super) use learn::Refuted;

/// What the search says of a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An order satisfies it.
    Holds,
    /// None does.
    Fails(Refuted),
    /// The steps did not suffice.
    Unknown,
}

/// Searches for orders of versions.
pub(super) struct Search<'s, 'h> {
    all: &'s Transactions<'h>,
    facts: &'s Facts<'h>,
    /// By transaction, where a guess puts it.
    rank: Vec<u32>,
    /// By version, the first of those of its transaction that go with it.
    block: Vec<u32>,
    /// Pairs that stand as they do in every order that is tried.
    pub(super) fixed: Vec<Pair>,
    /// Whether what is not committed may be read: then a version that was made of another need not
    /// follow it.
    pub(super) dirty: bool,
    steps: u64,
}

/// Facts with an order of all versions.
pub(super) struct Ordered<'h> {
    pub(super) facts: Facts<'h>,
    /// By new number of a version, its old one.
    old: Vec<u32>,
    pub(super) part: Part,
}

impl<'s, 'h> Search<'s, 'h> {
    /// `graph` is that of the certain dependencies. The guess is no good before it is ranked.
    pub(super) fn new(
        all: &'s Transactions<'h>,
        facts: &'s Facts<'h>,
        graph: &Graph,
        steps: u64,
    ) -> Self {
        let mut search = Self {
            all,
            facts,
            rank: vec![0; graph.nodes() as usize],
            block: (0..facts.key.len() as u32).collect(),
            fixed: Vec::new(),
            dirty: false,
            steps,
        };
        let mut first: BTreeMap<u32, u32> = BTreeMap::new();
        for key in 0..facts.ordered.len() as u32 {
            let loose = facts.loose(key);
            if loose.len() < 2 {
                continue;
            }
            first.clear();
            for version in loose {
                let writer = facts.writer[version as usize];
                if writer != NONE {
                    search.block[version as usize] = *first.entry(writer).or_insert(version);
                }
            }
        }
        search
    }

    /// Puts transactions in an order in which dependencies of the given kinds go forward, the
    /// first to end first where they are free. False when there is none.
    pub(super) fn rank(&mut self, graph: &Graph, kinds: Kinds) -> bool {
        let time = |node: u32| match graph.is_txn(node) {
            true => self.all.op(node).complete_ts.unwrap_or(u64::MAX),
            false => 0,
        };
        let order = graph.topological(kinds | PASS, time);
        for (at, node) in (0..).zip(order.iter().flatten()) {
            self.rank[*node as usize] = at;
        }
        order.is_some()
    }

    /// By transaction, its place in the order that was made last.
    pub(super) fn ranks(&self) -> &[u32] {
        &self.rank
    }

    /// Puts transactions in an order that is given: by transaction, its place.
    pub(super) fn order_by(&mut self, rank: Vec<u32>) {
        self.rank = rank;
        self.fixed = Vec::new();
    }

    /// Facts with an order of all versions in which the given pairs stand as they are given; none
    /// when they contradict each other.
    pub(super) fn ordered(&mut self, pairs: &[Pair]) -> Option<Ordered<'h>> {
        let facts = self.facts;
        let after = self.after(pairs);
        let mut old = Vec::with_capacity(facts.key.len());
        for key in 0..facts.ordered.len() as u32 {
            old.extend(facts.chain(key));
            let loose = facts.loose(key);
            if !loose.is_empty() {
                let count = loose.len();
                let sorted = self.sorted(loose, &after);
                (sorted.len() == count).then_some(())?;
                old.extend(sorted);
            }
        }
        let mut new = vec![0_u32; old.len()];
        for (at, version) in (0..).zip(&old) {
            new[*version as usize] = at;
        }
        let touches = |touches: &Touches| {
            let renamed = touches.all().iter().map(|touch| Touch {
                version: new[touch.version as usize],
                ..*touch
            });
            Touches::new(renamed.collect(), facts.txns)
        };
        let mut total = Facts::empty(facts.txns, facts.takes_part.clone());
        total.first.clone_from(&facts.first);
        total.ordered = facts
            .first
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect();
        total.key.clone_from(&facts.key);
        total.chain_follows.clone_from(&facts.chain_follows);
        total.writer = old.iter().map(|old| facts.writer[*old as usize]).collect();
        total.value = old.iter().map(|old| facts.value[*old as usize]).collect();
        total.reads = touches(&facts.reads);
        total.selected = touches(&facts.selected);
        total.asks.clone_from(&facts.asks);
        total.writes = touches(&facts.writes);
        total.updates.clone_from(&facts.updates);
        let graph = edges::graph(self.all, &total);
        // The facts, the graph, its components and what is asked of it each look at all of it.
        let size = u64::from(graph.nodes()) + total.reads.all().len() as u64;
        self.steps = self.steps.saturating_sub(4 * size);
        let components = graph.components(Kinds::MAX);
        let part = Part::of(&graph, &components);
        Some(Ordered {
            facts: total,
            old,
            part,
        })
    }

    /// The versions of an object that are not in order, in one; fewer if there is none. Those of
    /// one transaction stay together.
    fn sorted(&self, loose: std::ops::Range<u32>, after: &BTreeMap<u32, Vec<u32>>) -> Vec<u32> {
        let facts = self.facts;
        let mut blocks: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let own = |version: u32| self.block[version as usize];
        for version in loose.clone() {
            blocks.entry(own(version)).or_default().push(version);
        }
        let mut missing: BTreeMap<u32, u32> = blocks.keys().map(|block| (*block, 0)).collect();
        let mut next: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for version in loose.clone() {
            if own(version) != version {
                continue;
            }
            for second in after.get(&version).into_iter().flatten() {
                let (from, to) = (version, *second);
                if from != to {
                    next.entry(from).or_default().push(to);
                    *missing.entry(to).or_default() += 1;
                }
            }
        }
        let rank = |block: u32| {
            let writer = facts.writer[block as usize] as usize;
            self.rank.get(writer).copied().unwrap_or(NONE)
        };
        let free = missing.iter().filter(|(_, count)| **count == 0);
        let mut ready: BinaryHeap<_> = free.map(|(b, _)| Reverse((rank(*b), *b))).collect();
        let mut sorted = Vec::new();
        while let Some(Reverse((_, block))) = ready.pop() {
            sorted.extend(&blocks[&block]);
            for to in next.get(&block).into_iter().flatten() {
                let count = missing.entry(*to).or_default();
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse((rank(*to), *to)));
                }
            }
        }
        sorted
    }

    /// The pairs on which a cycle rests that are not certain.
    fn guessed(
        &self,
        ordered: &Ordered<'h>,
        cycle: &Cycle,
        after: &BTreeMap<u32, Vec<u32>>,
    ) -> Vec<Pair> {
        let facts = &ordered.facts;
        let mut guessed = Vec::new();
        for edge in cycle {
            if edge.kind & (WW | FOLLOWS | MISSES) == 0 || edge.why == NONE {
                continue;
            }
            let touches = match edge.kind {
                WW | FOLLOWS => facts.writes.of(edge.from),
                PRW => facts.selected.of(edge.from),
                _ => facts.reads.of(edge.from),
            };
            let rests = |touch: &&Touch| {
                facts.precedes(touch.version, edge.why) && facts.misses(touch, edge.why)
            };
            let Some(touch) = touches.iter().rev().find(rests) else {
                continue;
            };
            let block = |version: u32| self.block[ordered.old[version as usize] as usize];
            let pair = (block(touch.version), block(edge.why));
            if !self.is_certain(pair, after) && !guessed.contains(&pair) {
                guessed.push(pair);
            }
        }
        guessed
    }

    /// Whether the first of two versions comes before the second for certain, given what comes
    /// after which.
    fn is_certain(&self, (first, second): Pair, after: &BTreeMap<u32, Vec<u32>>) -> bool {
        let facts = self.facts;
        if facts.chain(facts.key[first as usize]).contains(&first) {
            return true;
        }
        let block = |version: u32| self.block[version as usize];
        let (mut seen, mut rest) = (BTreeSet::from([block(first)]), vec![block(first)]);
        while let Some(version) = rest.pop() {
            if version == block(second) {
                return true;
            }
            for to in after.get(&version).into_iter().flatten() {
                if seen.insert(*to) {
                    rest.push(*to);
                }
            }
        }
        false
    }

    /// What comes after which, by blocks of versions.
    fn after(&self, pairs: &[Pair]) -> BTreeMap<u32, Vec<u32>> {
        let mut after: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let block = |version: u32| self.block[version as usize];
        let facts = self.facts;
        let holds = |pair: &&Pair| !self.dirty || facts.follows.binary_search(pair).is_err();
        let fixed = facts.before.iter().filter(holds).chain(&self.fixed);
        for (first, second) in fixed.chain(pairs) {
            after.entry(block(*first)).or_default().push(block(*second));
        }
        after
    }
}

impl Ordered<'_> {
    /// A cycle with versions by their old numbers.
    pub(super) fn named(&self, cycle: Cycle) -> Cycle {
        let named = cycle.into_iter().map(|edge| Edge {
            why: self.old.get(edge.why as usize).copied().unwrap_or(NONE),
            ..edge
        });
        named.collect()
    }
}

/// Decides a level and what it rests on.
pub(super) fn settled(decider: &mut Decider<'_, '_>, level: Level) -> Decision {
    for base in [Base::ReadUncommitted, Base::ReadCommitted] {
        let below = Level { base, ..level };
        if level.implies(below) {
            match decider.decide(below) {
                Decision::Holds => {}
                other => return other,
            }
        }
    }
    decider.decide(level)
}

/// The order of transactions, or of their starts and commits, or of the versions that they wrote,
/// in which a level that holds with an order of all versions does so.
pub(super) fn proof(
    all: &Transactions<'_>,
    facts: &Facts<'_>,
    level: Level,
) -> Option<Certificate> {
    let graph = edges::graph(all, facts);
    let kinds = DEPENDS | MISSES | PASS | kinds_of(level.order);
    let time = |node: u32| match graph.is_txn(node) {
        true => all.op(node).invoke_ts,
        false => 0,
    };
    let part = |node: &u32| graph.is_txn(*node) && facts.takes_part[*node as usize];
    let id = |node: u32| all.op(node).op_id;
    if level.base == Base::Serializable {
        let order = graph.topological(kinds, time)?;
        let order = order.into_iter().filter(part).map(id);
        return Some(Certificate::Serial(order.collect()));
    }
    if !matches!(level.base, Base::SnapshotIsolation | Base::Prefix) {
        let depends = match level.base {
            Base::ReadUncommitted => WW,
            _ => DEPENDS,
        };
        let order = graph.topological(depends | PASS | kinds_of(level.order), time)?;
        let order = order.into_iter().filter(part).map(id);
        return Some(Certificate::Order(order.collect()));
    }
    let blind = level.base == Base::Prefix;
    let (moments, nodes) = (visible::moments(&graph, kinds, blind), graph.nodes());
    let txn = |moment: u32| match moment >= nodes {
        true => moment - nodes,
        false => moment,
    };
    let order = moments.topological(Kinds::MAX, |moment| time(txn(moment)))?;
    let order = order.into_iter().filter(|moment| part(&txn(*moment)));
    if blind {
        let commits = order.filter(|moment| *moment >= nodes);
        return Some(Certificate::Order(
            commits.map(|moment| id(txn(moment))).collect(),
        ));
    }
    let order = order.map(|moment| match moment >= nodes {
        true => Moment::Commit(id(txn(moment))),
        false => Moment::Start(id(moment)),
    });
    Some(Certificate::Snapshots(order.collect()))
}
