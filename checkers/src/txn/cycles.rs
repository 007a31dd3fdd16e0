//! Cycles of every class in every component, the shortest first, by name.

use std::collections::VecDeque;

use super::anomaly::{Kind, Name};
use super::decide::kinds_of;
use super::facts::{Facts, Touch};
use super::graph::{
    DEPENDS, Edge, FOLLOWS, Graph, Kinds, MISSES, PASS, PROCESS, PRW, REALTIME, WR, WW,
};
use super::graph::{PWR, RW};
use super::levels::Order;
use super::paths::{Steps, length};
use super::transactions::NONE;

/// The classes that are searched for, the gravest first.
const CLASSES: [Kind; 6] = [
    Kind::G0,
    Kind::G1c,
    Kind::GSingle,
    Kind::GNonadjacent,
    Kind::G2Item,
    Kind::G2,
];

/// What a cycle is called: its class, and what else it is.
pub(super) fn names(cycle: &[Edge], facts: &Facts<'_>) -> Vec<Name> {
    let any = |kinds: Kinds| cycle.iter().any(|edge| edge.kind & kinds != 0);
    let order = if any(REALTIME) {
        Order::Realtime
    } else if any(PROCESS) {
        Order::Process
    } else {
        Order::None
    };
    let misses = |edge: &Edge| edge.kind & MISSES != 0;
    let count = cycle.iter().filter(|edge| misses(edge)).count();
    let follows = cycle.iter().zip(cycle.iter().cycle().skip(1));
    let mut pairs = follows.map(|(edge, next)| misses(edge) && misses(next));
    let adjacent = pairs.any(|both| both);
    let kind = match count {
        0 if any(WR | PWR | FOLLOWS) => Kind::G1c,
        0 => Kind::G0,
        1 => Kind::GSingle,
        _ if !adjacent => Kind::GNonadjacent,
        _ if any(PRW) => Kind::G2,
        _ => Kind::G2Item,
    };
    let mut names = vec![Name { order, kind }];
    let key_of = |version: u32| facts.key.get(version as usize).copied().unwrap_or(version);
    let first = cycle.iter().position(misses).unwrap_or(0);
    let at = |place: usize| &cycle[(first + place) % cycle.len()];
    // Sessions and real time link what the shape is of; the name tells that they do.
    let core: Vec<&Edge> = (0..cycle.len())
        .map(at)
        .filter(|edge| edge.kind & (PROCESS | REALTIME) == 0)
        .collect();
    let plain = |kind| if kind == FOLLOWS { WW } else { kind };
    let shape: Vec<Kinds> = core.iter().map(|edge| plain(edge.kind)).collect();
    let same = || key_of(core[0].why) == key_of(core[1].why);
    let reads = |edge: &Edge| misses(edge) || edge.kind & (WR | PWR | PROCESS | REALTIME) != 0;
    let also = match shape[..] {
        [RW, WW] if same() && core[1].to == core[0].from && replaces(core[0], facts) => {
            Some(Kind::GCursor)
        }
        // Of one transaction something is read, and something else is missed.
        [RW, WR] if at(1).kind == WR && (order == Order::None || !same()) => {
            Some(Kind::FracturedRead)
        }
        [RW, RW] if !same() => Some(Kind::WriteSkew),
        [PRW, PRW] | [PRW, RW] | [RW, PRW] => Some(Kind::WriteSkew),
        _ => None,
    };
    if shape[..] == [RW] && replaces(core[0], facts) {
        names.extend([Kind::LostUpdate, Kind::GCursor].map(|kind| Name { order, kind }));
    }
    let fork = kind == Kind::GNonadjacent && cycle.len() == 4 && cycle.iter().all(reads);
    let also = also.or(fork.then_some(Kind::LongFork));
    names.extend(also.map(|kind| Name { order, kind }));
    let starts = match count {
        0 if cycle.len() == 2 && order == Order::Realtime => Some(Kind::GSIa),
        1 if order == Order::Realtime => Some(Kind::GSIb),
        _ => None,
    };
    let order = Order::None;
    names.extend(starts.map(|kind| Name { order, kind }));
    names
}

/// Whether who missed a version wrote the object after it had read it.
fn replaces(miss: &Edge, facts: &Facts<'_>) -> bool {
    let of = |touch: &&Touch| {
        let why = facts.key.get(miss.why as usize);
        why == Some(&facts.key[touch.version as usize])
    };
    let missed = |touch: &&Touch| facts.precedes(touch.version, miss.why);
    let mut reads = facts.reads.of(miss.from).iter().filter(of).filter(missed);
    reads.any(|read| {
        let mut writes = facts.writes.of(miss.from).iter().filter(of);
        writes.any(|write| write.step > read.step)
    })
}

/// Searches a component for a cycle of every class, with every order; gives the shortest of each
/// that the steps reach.
pub(super) fn search(graph: &Graph, component: &[u32], steps: u64) -> Vec<Vec<Edge>> {
    let mut found = Vec::new();
    let predicates = graph.edges(PRW).next().is_some();
    let width = if predicates { 16 } else { 8 };
    let mut search = Search {
        graph,
        width,
        seen: vec![NONE; graph.nodes() as usize * width],
        back: vec![(0, NONE); graph.nodes() as usize * width],
        met: Vec::new(),
    };
    for order in Order::ALL {
        for kind in CLASSES {
            if kind == Kind::G2 && !predicates {
                continue;
            }
            let mut left = Steps(steps);
            found.extend(search.class(component, Name { order, kind }, &mut left));
        }
    }
    found
}

/// The last edge was an anti-dependency.
const LAST: usize = 1;
/// What the class needs beside its first edge was met.
const MET: usize = 2;
/// What the order needs was met.
const ORDERED: usize = 4;
/// An anti-dependency of a predicate was met.
const PREDICATE: usize = 8;

struct Search<'g> {
    graph: &'g Graph,
    /// How many sets of flags there are.
    width: usize,
    /// By node and flags, how far it is.
    seen: Vec<u32>,
    /// By node and flags, the state before, and which edge led from it.
    back: Vec<(u32, u32)>,
    met: Vec<u32>,
}

impl Search<'_> {
    fn class(&mut self, component: &[u32], name: Name, steps: &mut Steps) -> Option<Vec<Edge>> {
        let order = kinds_of(name.order);
        let own = match name.order {
            Order::None => 0,
            Order::Process => PROCESS,
            Order::Realtime => REALTIME,
        };
        let starts = match name.kind {
            Kind::G0 if own != 0 => own,
            Kind::G0 => WW,
            Kind::G1c => WR | PWR | FOLLOWS,
            Kind::G2Item => RW,
            Kind::G2 => PRW,
            _ => MISSES,
        };
        let (mut best, mut longest) = (None, NONE - 1);
        for node in component.iter().filter(|node| self.graph.is_txn(**node)) {
            for place in 0..self.graph.out(*node).len() as u32 {
                if self.graph.out(*node)[place as usize].kind & starts == 0 {
                    continue;
                }
                let start = (*node, place);
                if let Some(cycle) = self.from(start, name.kind, (order, own), longest, steps) {
                    longest = length(self.graph, &cycle) - 1;
                    best = Some(cycle);
                }
                if longest < 2 || steps.0 == 0 {
                    return best;
                }
            }
        }
        best
    }

    /// The flags after an edge; none when the class has no such edge there.
    fn after(kind: Kind, flags: usize, edge: Kinds, (order, own): (Kinds, Kinds)) -> Option<usize> {
        if edge == PASS {
            return Some(flags);
        }
        let allowed = match kind {
            Kind::G0 => WW | order,
            Kind::G1c | Kind::GSingle => DEPENDS | order,
            Kind::G2Item => DEPENDS | RW | order,
            _ => DEPENDS | MISSES | order,
        };
        if edge & allowed == 0 {
            return None;
        }
        let mut next = flags & !LAST;
        if edge & own != 0 {
            next |= ORDERED;
        }
        if edge & MISSES != 0 {
            let adjacent = flags & LAST != 0;
            match kind {
                Kind::GNonadjacent if adjacent => return None,
                Kind::GNonadjacent => next |= MET,
                _ if adjacent => next |= MET,
                _ => {}
            }
            next |= LAST;
            if kind == Kind::G2 && edge == PRW {
                next |= PREDICATE;
            }
        }
        Some(next)
    }

    fn accepts(kind: Kind, flags: usize, own: Kinds) -> bool {
        let ordered = own == 0 || flags & ORDERED != 0;
        let shape = match kind {
            Kind::GNonadjacent => flags & MET != 0 && flags & LAST == 0,
            // The last edge, too, may be next to the first.
            Kind::G2Item => flags & (MET | LAST) != 0,
            Kind::G2 => flags & (MET | LAST) != 0 && flags & PREDICATE != 0,
            _ => true,
        };
        ordered && shape
    }

    /// The shortest cycle of the class that begins with an edge, if its nodes are distinct.
    fn from(
        &mut self,
        (root, place): (u32, u32),
        kind: Kind,
        order: (Kinds, Kinds),
        longest: u32,
        steps: &mut Steps,
    ) -> Option<Vec<Edge>> {
        for state in self.met.drain(..) {
            self.seen[state as usize] = NONE;
        }
        let graph = self.graph;
        let arc = graph.out(root)[place as usize];
        let mut flags = if arc.kind & MISSES != 0 { LAST } else { 0 };
        if kind == Kind::G2 {
            flags |= PREDICATE;
        }
        if arc.kind & order.1 != 0 {
            flags |= ORDERED;
        }
        let first = arc.to as usize * self.width + flags;
        let depth = u32::from(graph.is_txn(arc.to));
        self.reach(first, depth, (NONE, place));
        let mut queue = VecDeque::from([(first, depth)]);
        while let Some((state, depth)) = queue.pop_front() {
            if self.seen[state] < depth {
                continue;
            }
            let (node, flags) = ((state / self.width) as u32, state % self.width);
            let arcs = graph.out(node);
            if !steps.take(arcs.len() as u64) {
                return None;
            }
            for (place, arc) in (0..).zip(arcs) {
                let Some(flags) = Self::after(kind, flags, arc.kind, order) else {
                    continue;
                };
                let next = arc.to as usize * self.width + flags;
                let counts = graph.is_txn(arc.to);
                let far = depth + u32::from(counts);
                if far > longest || self.seen[next] <= far {
                    continue;
                }
                if arc.to == root {
                    if Self::accepts(kind, flags, order.1) {
                        self.reach(next, far, (state as u32, place));
                        return self.cycle(root, next);
                    }
                    continue;
                }
                self.reach(next, far, (state as u32, place));
                if counts {
                    queue.push_back((next, far));
                } else {
                    queue.push_front((next, far));
                }
            }
        }
        None
    }

    fn reach(&mut self, state: usize, depth: u32, back: (u32, u32)) {
        self.seen[state] = depth;
        self.back[state] = back;
        self.met.push(state as u32);
    }

    fn cycle(&self, root: u32, last: usize) -> Option<Vec<Edge>> {
        let mut cycle = Vec::new();
        let mut state = last;
        loop {
            let (before, place) = self.back[state];
            let from = if before == NONE {
                root
            } else {
                before / self.width as u32
            };
            let arc = self.graph.out(from)[place as usize];
            cycle.push(Edge {
                from,
                to: arc.to,
                kind: arc.kind,
                why: arc.why,
            });
            if before == NONE {
                break;
            }
            state = before as usize;
        }
        cycle.reverse();
        let txns = cycle.iter().map(|edge| edge.from);
        let mut txns: Vec<u32> = txns.filter(|node| self.graph.is_txn(*node)).collect();
        let count = txns.len();
        txns.sort_unstable();
        txns.dedup();
        (txns.len() == count).then_some(cycle)
    }
}
