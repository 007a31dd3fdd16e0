//! The search for an order of versions that satisfies a level.
//!
//! An order is chosen and judged. Each cycle that breaks the level is kept as a case: the pairs of
//! versions that it supposes are not so together. The next order is one with which no case is so,
//! and with no such order left none satisfies the level. Source: Nieuwenhuis, Oliveras and
//! Tinelli, *Solving SAT and SAT Modulo Theories*, for clauses that a theory gives when asked.

use std::collections::{BTreeMap, BTreeSet};

use super::super::decide::{Cycle, Decider, Decision};
use super::super::graph::{Edge, Graph, Kinds, MISSES, WW};
use super::super::levels::Level;
use super::super::polygraph::{Solver, Topology};
use super::super::saturate::Pair;
use super::super::transactions::NONE;
use super::{Found, Ordered, Search, settled};

/// How many cycles are looked at in one order.
const CYCLES_MAX: usize = 1_000;

/// That no order of versions satisfies a level: every order has one of the cycles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::txn) struct Refuted {
    /// Pairs of versions, and the cycle that there is where the first of each comes first.
    pub(in crate::txn) cases: Vec<(Vec<Pair>, Cycle)>,
    /// What follows from the cases, one after the other: pairs that are not so together.
    pub(in crate::txn) excluded: Vec<Vec<Pair>>,
}

impl Refuted {
    /// One of the cycles: what has most anti-dependencies is what other orders do not break worse.
    pub(in crate::txn) fn shown(&self) -> Option<Cycle> {
        let misses = |cycle: &Cycle| {
            let missed = cycle.iter().filter(|edge| edge.kind & MISSES != 0);
            missed.count()
        };
        let cycles = self.cases.iter().map(|(_, cycle)| cycle);
        cycles.rev().max_by_key(|cycle| misses(cycle)).cloned()
    }
}

/// What is chosen next.
enum Choice {
    /// These pairs, with which no case is so.
    Pairs(Vec<Pair>),
    /// Nothing is left, as follows.
    Never(Vec<Vec<Pair>>),
    Unknown,
}

impl<'h> Search<'_, 'h> {
    /// Whether an order satisfies a level; and the order.
    pub(in crate::txn) fn level(&mut self, level: Level) -> (Found, Option<Ordered<'h>>) {
        let mut cases: Vec<(Vec<Pair>, Cycle)> = Vec::new();
        let mut known: BTreeSet<Vec<Pair>> = BTreeSet::new();
        loop {
            let pairs = match self.choose(&cases) {
                Choice::Pairs(pairs) => pairs,
                Choice::Never(excluded) => {
                    return (Found::Fails(Refuted { cases, excluded }), None);
                }
                Choice::Unknown => return (Found::Unknown, None),
            };
            let Some(ordered) = self.ordered(&pairs).filter(|_| self.steps > 0) else {
                return (Found::Unknown, None);
            };
            let mut decider = Decider::new(&ordered.facts, &ordered.part, self.steps);
            decider.cycles_max = CYCLES_MAX;
            let decision = settled(&mut decider, level);
            self.steps = decider.steps.0.saturating_sub(1);
            let cycles = match decision {
                Decision::Holds => return (Found::Holds, Some(ordered)),
                Decision::Unknown => return (Found::Unknown, None),
                Decision::Fails(cycles) => cycles,
            };
            let (after, before) = (self.after(&pairs[..0]), cases.len());
            for cycle in cycles {
                let mut guessed = self.guessed(&ordered, &cycle, &after);
                guessed.sort_unstable();
                let cycle = ordered.named(cycle);
                if guessed.is_empty() {
                    let (cases, excluded) = (vec![(guessed, cycle)], Vec::new());
                    return (Found::Fails(Refuted { cases, excluded }), None);
                }
                if known.insert(guessed.clone()) {
                    cases.push((guessed, cycle));
                }
            }
            if cases.len() == before {
                return (Found::Unknown, None);
            }
        }
    }

    /// Pairs with which no case is so, each object's in an order.
    fn choose(&mut self, cases: &[(Vec<Pair>, Cycle)]) -> Choice {
        // By pair, the smaller version first, its number.
        let mut number: BTreeMap<Pair, u32> = BTreeMap::new();
        let mut pairs: Vec<Pair> = Vec::new();
        let mut literal = |(first, second): &Pair| {
            let pair = (*first.min(second), *first.max(second));
            let of = *number.entry(pair).or_insert(pairs.len() as u32);
            if of as usize == pairs.len() {
                pairs.push(pair);
            }
            2 * of + u32::from(first > second)
        };
        let of_case = |(pairs, _): &(Vec<Pair>, Cycle)| {
            let all = pairs.iter().map(&mut literal);
            all.collect::<Vec<u32>>()
        };
        let cases: Vec<Vec<u32>> = cases.iter().map(of_case).collect();
        let (node, graph) = self.blocks(&pairs);
        let writer = |node: u32| self.facts.writer[node as usize] as usize;
        let version: Vec<u32> = node.keys().copied().collect();
        let rank = |node: u32| self.rank.get(writer(version[node as usize])).copied();
        let rank = |node: u32| u64::from(rank(node).unwrap_or(NONE));
        let Some(sorted) = graph.topological(Kinds::MAX, rank) else {
            return Choice::Unknown;
        };
        let ends = |choice: usize| (node[&pairs[choice].0], node[&pairs[choice].1]);
        let ways = |literal: u32, into: &mut Vec<(u32, u32)>| {
            let (first, second) = ends(literal as usize / 2);
            into.push(match literal % 2 {
                0 => (first, second),
                _ => (second, first),
            });
            usize::MAX
        };
        let topology = Topology::new(&graph, &sorted);
        let steps = self.steps;
        let mut solver = Solver::new(topology, pairs.len(), &ways, (false, &[]), steps);
        solver.keeps_learned();
        let possible = cases.into_iter().all(|case| solver.forbid(&case));
        let found = match possible {
            true => solver.solve(ends),
            false => Some(false),
        };
        let turned = |(first, second): Pair, literal: u32| match literal % 2 {
            0 => (first, second),
            _ => (second, first),
        };
        let of = |literal: u32| turned(pairs[literal as usize / 2], literal);
        let told = match found {
            Some(true) => {
                let chosen = (0..pairs.len()).map(|at| {
                    let second = !solver.first_way(at);
                    of(2 * at as u32 + u32::from(second))
                });
                Choice::Pairs(chosen.collect())
            }
            Some(false) => {
                let clause = |clause: &Vec<u32>| clause.iter().map(|one| of(one ^ 1)).collect();
                Choice::Never(solver.learned().iter().map(clause).collect())
            }
            None => Choice::Unknown,
        };
        self.steps = steps.saturating_sub(solver.spent());
        told
    }

    /// The blocks of versions, numbered, of the objects of some pairs, and what is known of their
    /// order.
    fn blocks(&self, pairs: &[Pair]) -> (BTreeMap<u32, u32>, Graph) {
        let facts = self.facts;
        let keys = pairs.iter().map(|(first, _)| facts.key[*first as usize]);
        let keys: BTreeSet<u32> = keys.collect();
        let versions = keys.iter().flat_map(|key| facts.loose(*key));
        let blocks: BTreeSet<u32> = versions.map(|v| self.block[v as usize]).collect();
        let node: BTreeMap<u32, u32> = blocks.into_iter().zip(0..).collect();
        let mut edges = Vec::new();
        if !node.is_empty() {
            for (from, next) in self.after(&[]) {
                let next = next.iter().filter_map(|to| node.get(to));
                let from = node.get(&from).copied();
                edges.extend(from.into_iter().flat_map(|from| {
                    next.clone().map(move |to| Edge {
                        from,
                        to: *to,
                        kind: WW,
                        why: NONE,
                    })
                }));
            }
        }
        let nodes = node.len() as u32;
        (node, Graph::new(nodes, nodes, &edges))
    }
}
