//! Whether the certain dependencies break a level, with the cycle that shows it.

use std::rc::Rc;

use super::facts::Facts;
use super::graph::{
    DEPENDS, Edge, Graph, Kinds, MISSES, PASS, PROCESS, PWR, Part, REALTIME, RW, WR, WW,
};
use super::levels::{Base, Level, Order};
use super::paths::{Paths, Steps, reached};
use super::transactions::NONE;

/// A cycle of transactions, each linked to the next, the last to the first.
pub(super) type Cycle = Vec<Edge>;

/// What the dependencies say of a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// They do not break it.
    Holds,
    /// They break it, as each of these cycles shows; there is one at least.
    Fails(Vec<Cycle>),
    /// The steps did not suffice.
    Unknown,
}

/// How much the search for the shortest of many witnesses may spend, steps.
const WITNESS_STEPS: u64 = 200_000;

/// What orders transactions beside dependencies.
pub(super) fn kinds_of(order: Order) -> Kinds {
    match order {
        Order::None => 0,
        Order::Process => PROCESS,
        Order::Realtime => PROCESS | REALTIME,
    }
}

/// Decides levels.
pub(super) struct Decider<'f, 'h> {
    pub(super) facts: &'f Facts<'h>,
    pub(super) part: &'f Part,
    pub(super) paths: Paths,
    /// Steps left for what is not linear.
    pub(super) steps: Steps,
    /// By order, a topological order of the dependencies with it, once it is known; none when
    /// there is none.
    orders: [Option<Option<Rc<[u32]>>>; 3],
    /// How many cycles are asked for.
    pub(super) cycles_max: usize,
}

impl<'f, 'h> Decider<'f, 'h> {
    /// For the part of a graph in which all its cycles are.
    pub(super) fn new(facts: &'f Facts<'h>, part: &'f Part, steps: u64) -> Self {
        Self {
            facts,
            part,
            paths: Paths::new(part.graph.nodes()),
            steps: Steps(steps),
            orders: [None, None, None],
            cycles_max: 1,
        }
    }

    pub(super) fn graph(&self) -> &'f Graph {
        &self.part.graph
    }

    /// The transaction of a node.
    pub(super) fn txn(&self, node: u32) -> u32 {
        self.part.whole[node as usize]
    }

    /// The node of a transaction, if it has one.
    pub(super) fn node(&self, txn: u32) -> Option<u32> {
        let txns = &self.part.whole[..self.graph().txns as usize];
        txns.binary_search(&txn).ok().map(|at| at as u32)
    }

    /// Decides a level, given that none that is weaker fails.
    pub(super) fn decide(&mut self, level: Level) -> Decision {
        let order = kinds_of(level.order);
        let decision = match level.base {
            Base::ReadUncommitted => self.acyclic(WW | order),
            Base::ReadCommitted => self.acyclic(DEPENDS | order),
            Base::RepeatableRead => match self.acyclic(DEPENDS | RW | order) {
                // It implies this one, which what predicates selected may break alone.
                Decision::Holds if !self.facts.selected.all().is_empty() => {
                    self.atomic(level.order, true)
                }
                other => other,
            },
            Base::Serializable => self.acyclic(DEPENDS | MISSES | order),
            Base::SnapshotIsolation => self.starts_and_commits(level.order, false),
            Base::Prefix => self.starts_and_commits(level.order, true),
            Base::CursorStability => self.cursors(),
            Base::MonotonicAtomicView => self.atomic(level.order, true),
            Base::ReadAtomic => self.atomic(level.order, false),
            Base::UpdateAtomic => self.conflicts(level.order),
            Base::Causal => self.visible(level.order, WR | PWR | order),
            Base::MonotonicView | Base::MonotonicSnapshotRead => self.monotonic(level.order),
            Base::ParallelSnapshotIsolation
            | Base::ConsistentView
            | Base::ForwardConsistentView => self.single(level.order),
            Base::UpdateSerializable => self.updates(level.order),
        };
        match decision {
            Decision::Fails(cycles) => {
                Decision::Fails(cycles.iter().map(|cycle| self.outside(cycle)).collect())
            }
            other => other,
        }
    }

    /// A cycle in the numbers of the whole graph, without auxiliary nodes.
    pub(super) fn outside(&self, cycle: &[Edge]) -> Cycle {
        let graph = self.graph();
        let start = cycle.iter().position(|edge| graph.is_txn(edge.from));
        let (before, after) = cycle.split_at(start.unwrap_or(0));
        let mut links: Cycle = Vec::new();
        for edge in after.iter().chain(before) {
            if graph.is_txn(edge.from) {
                links.push(Edge {
                    from: self.txn(edge.from),
                    to: edge.to,
                    ..*edge
                });
            }
            if let Some(link) = links.last_mut() {
                link.to = edge.to;
                if edge.kind == PASS && edge.why != NONE {
                    link.why = edge.why;
                }
            }
        }
        for link in &mut links {
            link.to = self.txn(link.to);
        }
        links
    }

    pub(super) fn acyclic(&mut self, kinds: Kinds) -> Decision {
        let graph = self.graph();
        let components = graph.components(kinds | PASS);
        some(all_cycles(
            &mut self.paths,
            graph,
            kinds,
            components,
            self.cycles_max,
        ))
    }

    /// A topological order of dependencies with what else orders; none if there is none.
    pub(super) fn topological(&mut self, order: Order) -> Option<Rc<[u32]>> {
        let (graph, part) = (self.graph(), self.part);
        let known = &mut self.orders[order as usize];
        let make = || {
            let rank = |node: u32| u64::from(part.whole[node as usize]);
            let rank = |node: u32| if graph.is_txn(node) { rank(node) } else { 0 };
            let kinds = DEPENDS | PASS | kinds_of(order);
            graph.topological(kinds, rank).map(Rc::from)
        };
        known.get_or_insert_with(make).clone()
    }

    /// The shortest of the cycles that begin with one of the links and lead back by edges of the
    /// given kinds, if there is one.
    pub(super) fn back(&mut self, order: Order, kinds: Kinds, links: &[Edge]) -> Decision {
        let Some(order) = self.topological(order) else {
            return Decision::Unknown;
        };
        let links: Vec<(Edge, u32)> = links.iter().map(|link| (*link, link.from)).collect();
        let mut paths = std::mem::replace(&mut self.paths, Paths::new(0));
        let decision = self.lead_back((self.graph(), &order), kinds, &links, &mut paths);
        self.paths = paths;
        decision
    }

    /// The same, of links each with the node to which it is to lead, in a graph with a topological
    /// order.
    pub(super) fn lead_back(
        &mut self,
        (graph, order): (&Graph, &[u32]),
        kinds: Kinds,
        links: &[(Edge, u32)],
        paths: &mut Paths,
    ) -> Decision {
        let queries: Vec<(u32, u32)> = links.iter().map(|(link, end)| (link.to, *end)).collect();
        let Some(told) = reached(graph, kinds | PASS, order, &queries, &mut self.steps) else {
            return Decision::Unknown;
        };
        let mut steps = Steps(WITNESS_STEPS);
        let mut cycles: Vec<Cycle> = Vec::new();
        for ((link, end), _) in links.iter().zip(told).filter(|(_, told)| *told) {
            let mut all = Steps(u64::MAX);
            let of = if cycles.is_empty() {
                &mut all
            } else {
                &mut steps
            };
            // One that is asked for is the shortest; of many, each counts.
            let longest = match self.cycles_max {
                1 => cycles.first().map_or(NONE - 1, |best| best.len() as u32),
                _ => NONE - 1,
            };
            let Some(path) = paths.shortest(graph, kinds, (link.to, *end), longest, of) else {
                continue;
            };
            let mut cycle = vec![*link];
            cycle.extend(path);
            if self.cycles_max > 1 {
                cycles.push(cycle);
            } else if cycles.first().is_none_or(|best| cycle.len() < best.len()) {
                cycles = vec![cycle];
            }
            let enough = match self.cycles_max {
                1 => cycles.first().is_some_and(|best| best.len() < 3),
                most => cycles.len() >= most,
            };
            if steps.0 == 0 || enough {
                break;
            }
        }
        some(cycles)
    }
}

/// What the cycles that were found say.
pub(super) fn some(cycles: Vec<Cycle>) -> Decision {
    match cycles.is_empty() {
        true => Decision::Holds,
        false => Decision::Fails(cycles),
    }
}

/// A cycle of each of so many components, the smallest first; or, where more are asked for, of
/// each of their nodes, as far as steps go.
pub(super) fn all_cycles(
    paths: &mut Paths,
    graph: &Graph,
    kinds: Kinds,
    mut components: Vec<Vec<u32>>,
    most: usize,
) -> Vec<Cycle> {
    components.sort_by_key(Vec::len);
    components.truncate(most);
    let steps = WITNESS_STEPS / components.len().max(1) as u64;
    let cycles = components.iter().map(|nodes| {
        let cycle = paths.cycle(graph, kinds, nodes, steps);
        cycle.expect("a component has a cycle")
    });
    let mut cycles: Vec<Cycle> = cycles.collect();
    let mut left = Steps(WITNESS_STEPS);
    for node in components
        .iter()
        .flatten()
        .filter(|node| graph.is_txn(**node))
    {
        if most == 1 || cycles.len() >= most || left.0 == 0 {
            break;
        }
        let ends = (*node, *node);
        cycles.extend(paths.shortest(graph, kinds, ends, NONE - 1, &mut left));
    }
    cycles
}
