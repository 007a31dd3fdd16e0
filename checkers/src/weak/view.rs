//! One order for each session: of all writes, and of its own reads.
//!
//! For the session's reads r0, r1, ... every operation has an *entry*: the first of them that it
//! must come before. A write of a key that enters before a read of the key, and is not what that
//! read returned, comes before what it returned; and that may lower its entry. Entries only fall,
//! so this ends; then there is an order unless something is before itself.

use std::cell::Cell;

use rustc_hash::FxHashMap;

use super::cycle::{self, Derived, Order, Why};
use super::sessions::{NONE, Node, Sessions};
use super::{Verdict, Violation, Weak};
use crate::report::Budget;

/// So many looks at a node are one step of the budget.
pub(super) const LOOKS_A_STEP: u64 = 64;

/// What is before what for one session.
pub(super) struct View<'a, 'h> {
    sessions: &'a Sessions<'h>,
    weak: Weak,
    /// Whose it is.
    session: u32,
    derived: Derived,
    /// Edges that follow from reads are looked at up to this number.
    until: Cell<u32>,
    /// By node, the first of the session's reads that it comes before.
    entry: Vec<u32>,
    /// Those that have an entry.
    entered: Vec<u32>,
    /// By key, the session's reads of it: which read, what it read from.
    of_key: FxHashMap<u32, Vec<(u32, u32)>>,
}

/// A read of the initial value that comes after a write.
struct TooLate {
    write: u32,
    read: u32,
}

impl Order for View<'_, '_> {
    fn before(&self, node: u32, give: &mut dyn FnMut(u32, Why)) {
        let Node {
            source,
            writes,
            last,
            last_read,
            last_write,
            session,
            ..
        } = *self.sessions.node(node);
        let of_session = match self.weak {
            Weak::Pram if session != self.session => last_write,
            Weak::MonotonicWrites if writes => last_write,
            Weak::MonotonicWrites | Weak::WritesFollowReads => last_read,
            _ => last,
        };
        if of_session != NONE {
            give(of_session, Why::Session);
        }
        if source != NONE {
            give(source, Why::Read);
        }
        for (from, read, number) in self.derived.before(node) {
            if number < self.until.get() {
                give(from, Why::Overwritten(read));
            }
        }
    }
}

impl<'a, 'h> View<'a, 'h> {
    pub(super) fn new(weak: Weak, sessions: &'a Sessions<'h>) -> Self {
        let count = sessions.nodes.len();
        Self {
            sessions,
            weak,
            session: 0,
            derived: Derived::new(count),
            until: Cell::new(NONE),
            entry: vec![NONE; count],
            entered: Vec::new(),
            of_key: FxHashMap::default(),
        }
    }

    /// Turns to another session.
    fn turn(&mut self, session: u32) {
        self.derived.clear(&self.entered);
        for node in self.entered.drain(..) {
            self.entry[node as usize] = NONE;
        }
        self.of_key.clear();
        self.session = session;
        for (place, read) in self.sessions.reads_of[session as usize].iter().enumerate() {
            let node = self.sessions.node(*read);
            let of_key = self.of_key.entry(node.key).or_default();
            of_key.push((place as u32, node.source));
        }
    }

    /// Finds all that follows; a write before a read of the initial value is the end. Counts its
    /// looks down from `looks`, and says `None` when they are spent.
    fn saturate(&mut self, looks: &mut u64) -> Option<Result<(), TooLate>> {
        let reads = &self.sessions.reads_of[self.session as usize];
        let mut stack: Vec<(u32, u32)> = Vec::new();
        for (place, read) in reads.iter().enumerate() {
            stack.push((*read, place as u32));
            match self.chain(*read, place as u32) {
                Ok(entry) => stack.extend(entry),
                Err(late) => return Some(Err(late)),
            }
            while let Some((node, entry)) = stack.pop() {
                *looks = looks.checked_sub(1)?;
                let known = self.entry[node as usize];
                if known <= entry {
                    continue;
                }
                if known == NONE {
                    self.entered.push(node);
                }
                self.entry[node as usize] = entry;
                let Node { writes, key, .. } = *self.sessions.node(node);
                if writes && let Some((read, source)) = self.next_read(key, entry) {
                    let read = reads[read as usize];
                    if source == NONE {
                        return Some(Err(TooLate { write: node, read }));
                    }
                    if source != node {
                        self.derived.add(node, source, read);
                        let before = self.entry[source as usize];
                        if before < entry {
                            stack.push((node, before));
                        }
                    }
                }
                let now = self.entry[node as usize];
                self.before(node, &mut |from, _| stack.push((from, now)));
            }
        }
        Some(Ok(()))
    }

    /// What the last read of the same key had read from comes before what this one reads from, and
    /// enters no later.
    fn chain(&mut self, read: u32, place: u32) -> Result<Option<(u32, u32)>, TooLate> {
        let Node { key, source, .. } = *self.sessions.node(read);
        let of_key = &self.of_key[&key];
        let own = of_key.partition_point(|(at, _)| *at < place);
        let last = own.checked_sub(1).map_or(NONE, |last| of_key[last].1);
        if last == source || last == NONE {
            return Ok(None);
        }
        if source == NONE {
            return Err(TooLate { write: last, read });
        }
        self.derived.add(last, source, read);
        let entry = self.entry[source as usize];
        Ok((entry != NONE).then_some((last, entry)))
    }

    /// The session's first read of a key from a place on.
    fn next_read(&self, key: u32, entry: u32) -> Option<(u32, u32)> {
        let of_key = self.of_key.get(&key)?;
        of_key
            .get(of_key.partition_point(|(at, _)| *at < entry))
            .copied()
    }
}

/// Judges every session.
pub(super) fn decide(weak: Weak, sessions: &Sessions<'_>, budget: &Budget) -> Verdict {
    let count = sessions.nodes.len();
    let mut looks = budget.steps_max.saturating_mul(LOOKS_A_STEP);
    let (mut marks, mut parents) = (vec![0_u8; count], vec![NONE; count]);
    let mut view = View::new(weak, sessions);
    for session in 0..sessions.reads_of.len() as u32 {
        view.turn(session);
        match view.saturate(&mut looks) {
            None => return Verdict::Spent(format!("{} steps are spent", budget.steps_max)),
            Some(Err(late)) => {
                return Verdict::Broken(view.too_late(&late, &mut parents));
            }
            Some(Ok(())) => {}
        }
        if let Some(node) = cycle::find(&view, &view.entered, &mut marks)
            && let Some((nodes, edges)) = cycle::shortest(&view, node, &mut parents)
        {
            return Verdict::Broken(Violation {
                anomaly: weak.anomaly(),
                nodes: view.proof(&nodes, &edges, &mut parents),
                edges,
            });
        }
    }
    Verdict::Holds
}

/// Proofs of more operations than these are not completed.
const PROOF_MAX: usize = 10_000;

impl View<'_, '_> {
    fn too_late(&self, late: &TooLate, parents: &mut [u32]) -> Violation {
        let found = cycle::path(self, late.write, late.read, parents);
        let (mut nodes, mut edges) = found.unwrap_or((vec![late.write], vec![Why::Session]));
        nodes.push(late.read);
        let proof = self.proof(&nodes, &edges, parents);
        edges.clear();
        Violation {
            anomaly: "initial-read",
            nodes: proof,
            edges,
        }
    }

    /// The nodes of a cycle or path, then those that show why each of its edges stands: an edge
    /// that follows from a read by what was known when it was found, so that none rests on itself.
    fn proof(&self, nodes: &[u32], edges: &[Why], parents: &mut [u32]) -> Vec<u32> {
        let mut all = nodes.to_vec();
        let mut seen: FxHashMap<u32, ()> = nodes.iter().map(|node| (*node, ())).collect();
        let mut shown: FxHashMap<u32, ()> = FxHashMap::default();
        let nexts = nodes.iter().skip(1).chain(&nodes[..1]).copied();
        let steps = nodes.iter().copied().zip(nexts).zip(edges.iter().copied());
        let mut open: Vec<((u32, u32), Why)> = steps.collect();
        while let Some(((from, to), why)) = open.pop() {
            let Why::Overwritten(read) = why else {
                continue;
            };
            let known = self.derived.before(to);
            let same = known.filter(|edge| (edge.0, edge.1) == (from, read));
            let number = same.map(|edge| edge.2).min().unwrap_or(0);
            if all.len() > PROOF_MAX || shown.insert(number, ()).is_some() {
                continue;
            }
            self.until.set(number);
            let path = cycle::path(self, from, read, parents);
            self.until.set(NONE);
            let (nodes, edges) = path.unwrap_or_default();
            let nexts = nodes.iter().skip(1).copied().chain([read]);
            open.extend(nodes.iter().copied().zip(nexts).zip(edges));
            for node in nodes.into_iter().chain([read]) {
                if seen.insert(node, ()).is_none() {
                    all.push(node);
                }
            }
        }
        all
    }
}

/// Each session's reads of a key never return to what they had left.
pub(super) fn monotonic_reads(sessions: &Sessions<'_>) -> Verdict {
    for reads in &sessions.reads_of {
        // By key, what was read last; by key and what was read, the last such read.
        let mut last: FxHashMap<u32, u32> = FxHashMap::default();
        let mut known: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        for read in reads {
            let Node { key, source, .. } = *sessions.node(*read);
            let before = last.insert(key, *read);
            let earlier = known.insert((key, source), *read);
            let Some(before) = before.filter(|last| sessions.node(*last).source != source) else {
                continue;
            };
            let nodes = match earlier {
                Some(earlier) => vec![earlier, before, *read],
                None if source == NONE => vec![before, *read],
                None => continue,
            };
            return Verdict::Broken(Violation {
                anomaly: "went-back",
                nodes,
                edges: Vec::new(),
            });
        }
    }
    Verdict::Holds
}

/// Each session's reads are not older than its own last write of the key.
pub(super) fn read_your_writes(sessions: &Sessions<'_>) -> Verdict {
    // By session and key, its last write that was acknowledged.
    let mut own: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    for (at, node) in (0_u32..).zip(&sessions.nodes) {
        if node.writes {
            if node.op.is_acknowledged() {
                own.insert((node.session, node.key), at);
            }
            continue;
        }
        let Some(write) = own.get(&(node.session, node.key)) else {
            continue;
        };
        let older = match node.source {
            NONE => true,
            source => {
                let writer = sessions.node(source);
                writer.session == node.session && writer.op.is_acknowledged() && source < *write
            }
        };
        if older {
            return Verdict::Broken(Violation {
                anomaly: "own-write-unseen",
                nodes: vec![*write, at],
                edges: Vec::new(),
            });
        }
    }
    Verdict::Holds
}
