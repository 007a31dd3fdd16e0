//! One order of all writes: causal convergence, read atomic, read committed.

use rustc_hash::FxHashMap;

use super::cycle::{self, Derived, Order, Why};
use super::sessions::{NONE, Node, Sessions};
use super::view::LOOKS_A_STEP;
use super::{Verdict, Violation};
use crate::report::Budget;

/// What causes what, and what follows from reads.
pub(super) struct Causes<'a, 'h> {
    sessions: &'a Sessions<'h>,
    pub(super) derived: Derived,
}

impl Order for Causes<'_, '_> {
    fn before(&self, node: u32, give: &mut dyn FnMut(u32, Why)) {
        let Node { last, source, .. } = *self.sessions.node(node);
        if last != NONE {
            give(last, Why::Session);
        }
        if source != NONE {
            give(source, Why::Read);
        }
        for (from, read, _) in self.derived.before(node) {
            give(from, Why::Overwritten(read));
        }
    }
}

impl<'a, 'h> Causes<'a, 'h> {
    pub(super) fn new(sessions: &'a Sessions<'h>) -> Self {
        Self {
            sessions,
            derived: Derived::new(sessions.nodes.len()),
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        let count = self.sessions.nodes.len();
        let all: Vec<u32> = (0..count as u32).collect();
        let (mut marks, mut parents) = (vec![0_u8; count], vec![NONE; count]);
        let cycle = cycle::find(self, &all, &mut marks);
        let cycle = cycle.and_then(|node| cycle::shortest(self, node, &mut parents));
        match cycle {
            None => Verdict::Holds,
            Some((mut nodes, edges)) => {
                self.prove(&mut nodes, &edges, &mut parents);
                Verdict::Broken(Violation {
                    anomaly: "cycle",
                    nodes,
                    edges,
                })
            }
        }
    }

    /// Adds the reads that show an edge, and how each comes after what it did not read, by causes.
    fn prove(&self, nodes: &mut Vec<u32>, edges: &[Why], parents: &mut [u32]) {
        let causes = Causes::new(self.sessions);
        for (from, why) in nodes.clone().into_iter().zip(edges) {
            let Why::Overwritten(read) = *why else {
                continue;
            };
            let path = cycle::path(&causes, from, read, parents);
            for node in path.unwrap_or_default().0.into_iter().chain([read]) {
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
        }
    }
}

fn initial(nodes: Vec<u32>) -> Verdict {
    Verdict::Broken(Violation {
        anomaly: "initial-read",
        nodes,
        edges: Vec::new(),
    })
}

pub(super) fn read_committed(sessions: &Sessions<'_>) -> Verdict {
    Causes::new(sessions).verdict()
}

pub(super) fn read_atomic(sessions: &Sessions<'_>) -> Verdict {
    let mut causes = Causes::new(sessions);
    // By session and key, its last write that was acknowledged.
    let mut own: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    for (at, node) in (0_u32..).zip(&sessions.nodes) {
        let place = (node.session, node.key);
        if node.writes {
            if node.op.is_acknowledged() {
                own.insert(place, at);
            }
        } else if let Some(write) = own.get(&place) {
            match node.source {
                NONE => return initial(vec![*write, at]),
                source if source != *write => causes.derived.add(*write, source, at),
                _ => {}
            }
        }
    }
    causes.verdict()
}

pub(super) fn causal_convergence(sessions: &Sessions<'_>, budget: &Budget) -> Verdict {
    match conflicts(sessions, budget) {
        Ok(causes) => causes.verdict(),
        Err(verdict) => verdict,
    }
}

/// By key, a session's reads of it: which read, what it read from.
type OfKey = FxHashMap<u32, Vec<(u32, u32)>>;

/// What every single order of all writes must keep: causes, and that what causes a read comes
/// before what it read from.
pub(super) fn conflicts<'a, 'h>(
    sessions: &'a Sessions<'h>,
    budget: &Budget,
) -> Result<Causes<'a, 'h>, Verdict> {
    let mut causes = Causes::new(sessions);
    if let Verdict::Broken(cycle) = causes.verdict() {
        return Err(Verdict::Broken(cycle));
    }
    let plain = Causes::new(sessions);
    let mut looks = budget.steps_max.saturating_mul(LOOKS_A_STEP);
    let mut entered_by: Vec<u32> = vec![NONE; sessions.nodes.len()];
    for (session, reads) in (0_u32..).zip(&sessions.reads_of) {
        let mut of_key = OfKey::default();
        for (place, read) in (0_u32..).zip(reads) {
            let Node { key, source, .. } = *sessions.node(*read);
            let of_key = of_key.entry(key).or_default();
            if let Some((_, last)) = of_key.last().copied()
                && last != source
                && last != NONE
            {
                if source == NONE {
                    return Err(initial(vec![
                        last,
                        reads[of_key[of_key.len() - 1].0 as usize],
                        *read,
                    ]));
                }
                causes.derived.add(last, source, *read);
            }
            of_key.push((place, source));
        }
        let mut stack: Vec<u32> = Vec::new();
        for (place, read) in (0_u32..).zip(reads) {
            stack.push(*read);
            while let Some(at) = stack.pop() {
                if entered_by[at as usize] == session {
                    continue;
                }
                let left = looks.checked_sub(1);
                looks = left.ok_or_else(|| spent(budget))?;
                entered_by[at as usize] = session;
                let node = sessions.node(at);
                if node.writes
                    && let Some(of_key) = of_key.get(&node.key)
                {
                    let next = of_key.partition_point(|(read, _)| *read < place);
                    if let Some((read, source)) = of_key.get(next) {
                        let read = reads[*read as usize];
                        if *source == NONE {
                            return Err(initial(before_initial(&plain, at, read)));
                        }
                        let other = sessions.node(*source);
                        let known = other.session == node.session && at < *source;
                        if *source != at && !(known && node.op.is_acknowledged()) {
                            causes.derived.add(at, *source, read);
                        }
                    }
                }
                plain.before(at, &mut |from, _| stack.push(from));
            }
        }
        if causes.derived.len() as u64 * 12 > budget.memory_bytes_max {
            return Err(spent(budget));
        }
    }
    Ok(causes)
}

fn spent(budget: &Budget) -> Verdict {
    let (steps, bytes) = (budget.steps_max, budget.memory_bytes_max);
    Verdict::Spent(format!("{steps} steps or {bytes} bytes are spent"))
}

/// How a write causes a read of the initial value.
fn before_initial(causes: &Causes<'_, '_>, write: u32, read: u32) -> Vec<u32> {
    let mut parents = vec![NONE; causes.sessions.nodes.len()];
    let path = cycle::path(causes, write, read, &mut parents);
    let mut nodes = path.map_or_else(|| vec![write], |(nodes, _)| nodes);
    nodes.push(read);
    nodes
}
