//! One order of all operations that keeps each session's: sequential consistency.
//!
//! To decide it is NP-hard even when every read has its write. What must be so is found first:
//! what is before a read by its causes is before what it read. Within that, operations are tried
//! in the order in which they ended, depth first, with a stack of its own. A read is taken as soon
//! as its write is the last one of its key, and a write only when all reads of the last one are
//! taken: neither loses an order. What was tried is remembered as 128 bits of a hash.

use rustc_hash::FxHashSet;

use super::cycle::{Order, Why};
use super::global::{self, Causes};
use super::sessions::{NONE, Sessions};
use super::{Verdict, Violation};
use crate::report::Budget;

/// A search that is under way.
struct Search<'a, 'h> {
    sessions: &'a Sessions<'h>,
    /// By node, what must come after it, and how many must still come before it.
    after: Vec<Vec<u32>>,
    missing: Vec<u32>,
    /// By node, how many of its reads are not taken.
    readers: Vec<u32>,
    /// By key, the same for the initial value, and the last write.
    initial_readers: Vec<u32>,
    current: Vec<u32>,
    /// Those before which nothing must come that is not taken, and where each stands.
    ready: Vec<u32>,
    place: Vec<u32>,
    taken: Vec<u32>,
    /// The last write before each write that is taken.
    overwritten: Vec<u32>,
    hash: u128,
}

/// A choice of a write, and those that are left.
struct Level {
    /// How many were taken before it.
    taken: usize,
    choices: Vec<u32>,
}

pub(super) fn decide(sessions: &Sessions<'_>, budget: &Budget) -> Verdict {
    let causes = match global::conflicts(sessions, budget) {
        Ok(causes) => causes,
        Err(verdict) => return verdict,
    };
    if let Verdict::Broken(violation) = causes.verdict() {
        return Verdict::Broken(violation);
    }
    Search::new(sessions, &causes).run(budget)
}

/// A node's place in the hash.
fn mixed(node: u64) -> u128 {
    let mut low = node.wrapping_add(0x9e37_79b9_7f4a_7c15);
    low = (low ^ (low >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    low = (low ^ (low >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    low ^= low >> 31;
    let mut high = low
        .wrapping_add(0xd1b5_4a32_d192_ed03)
        .wrapping_mul(0xff51_afd7_ed55_8ccd);
    high = (high ^ (high >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    high ^= high >> 33;
    u128::from(low) | u128::from(high) << 64
}

impl<'a, 'h> Search<'a, 'h> {
    fn new(sessions: &'a Sessions<'h>, causes: &Causes<'_, '_>) -> Self {
        let count = sessions.nodes.len();
        let mut search = Self {
            sessions,
            after: vec![Vec::new(); count],
            missing: vec![0; count],
            readers: vec![0; count],
            initial_readers: vec![0; sessions.keys],
            current: vec![NONE; sessions.keys],
            ready: Vec::new(),
            place: vec![NONE; count],
            taken: Vec::with_capacity(count),
            overwritten: Vec::new(),
            hash: 0,
        };
        for (at, node) in (0_u32..).zip(&sessions.nodes) {
            causes.before(at, &mut |from, _: Why| {
                search.after[from as usize].push(at);
                search.missing[at as usize] += 1;
            });
            if !node.writes {
                match node.source {
                    NONE => search.initial_readers[node.key as usize] += 1,
                    source => search.readers[source as usize] += 1,
                }
            }
        }
        for at in 0..count as u32 {
            if search.missing[at as usize] == 0 {
                search.enter(at);
            }
        }
        search
    }

    fn enter(&mut self, at: u32) {
        self.place[at as usize] = self.ready.len() as u32;
        self.ready.push(at);
    }

    fn leave(&mut self, at: u32) {
        let place = self.place[at as usize];
        self.ready.swap_remove(place as usize);
        if let Some(moved) = self.ready.get(place as usize) {
            self.place[*moved as usize] = place;
        }
        self.place[at as usize] = NONE;
    }

    /// Whether the turn of an operation has come.
    fn is_legal(&self, at: u32) -> bool {
        let node = self.sessions.node(at);
        let current = self.current[node.key as usize];
        if !node.writes {
            return current == node.source;
        }
        match current {
            NONE => self.initial_readers[node.key as usize] == 0,
            current => self.readers[current as usize] == 0,
        }
    }

    /// Takes an operation that is ready.
    fn take(&mut self, at: u32) {
        let node = self.sessions.node(at);
        let key = node.key as usize;
        self.leave(at);
        self.hash ^= mixed(u64::from(at));
        if node.writes {
            self.overwritten.push(self.current[key]);
            self.write(key, at);
        } else {
            match node.source {
                NONE => self.initial_readers[key] -= 1,
                source => self.readers[source as usize] -= 1,
            }
        }
        self.taken.push(at);
        for next in 0..self.after[at as usize].len() {
            let next = self.after[at as usize][next];
            self.missing[next as usize] -= 1;
            if self.missing[next as usize] == 0 {
                self.enter(next);
            }
        }
    }

    fn write(&mut self, key: usize, at: u32) {
        let old = std::mem::replace(&mut self.current[key], at);
        self.hash ^= mixed(1 << 40 | u64::from(old)) ^ mixed(1 << 40 | u64::from(at));
    }

    /// Gives the last operation back.
    fn give_back(&mut self) {
        let Some(at) = self.taken.pop() else {
            return;
        };
        for next in 0..self.after[at as usize].len() {
            let next = self.after[at as usize][next];
            if self.missing[next as usize] == 0 {
                self.leave(next);
            }
            self.missing[next as usize] += 1;
        }
        let node = self.sessions.node(at);
        let key = node.key as usize;
        self.hash ^= mixed(u64::from(at));
        if node.writes {
            let before = self.overwritten.pop().unwrap_or(NONE);
            self.write(key, before);
        } else {
            match node.source {
                NONE => self.initial_readers[key] += 1,
                source => self.readers[source as usize] += 1,
            }
        }
        self.enter(at);
    }

    fn run(mut self, budget: &Budget) -> Verdict {
        let count = self.sessions.nodes.len();
        let mut steps = budget.steps_max;
        let mut visited: FxHashSet<u128> = FxHashSet::default();
        let mut levels: Vec<Level> = Vec::new();
        let (mut deepest, mut stuck): (usize, Vec<u32>) = (0, Vec::new());
        loop {
            let Some(left) = steps.checked_sub(1 + self.ready.len() as u64) else {
                return Verdict::Spent(format!("{} steps are spent", budget.steps_max));
            };
            steps = left;
            self.take_reads();
            if self.taken.len() == count {
                return Verdict::Holds;
            }
            let choices = if visited.insert(self.hash) {
                self.choices()
            } else {
                Vec::new()
            };
            if choices.is_empty() && self.taken.len() >= deepest {
                (deepest, stuck) = (self.taken.len(), self.ready.clone());
            }
            if visited.len() as u64 * 40 > budget.memory_bytes_max {
                let bytes = budget.memory_bytes_max;
                return Verdict::Spent(format!("{bytes} bytes are spent"));
            }
            levels.push(Level {
                taken: self.taken.len(),
                choices,
            });
            if !self.next_choice(&mut levels) {
                return Verdict::Broken(Violation {
                    anomaly: "not-sequential",
                    nodes: stuck,
                    edges: Vec::new(),
                });
            }
        }
    }

    /// The writes that may be next, the first to have ended last, since it is tried first.
    fn choices(&self) -> Vec<u32> {
        let legal = self.ready.iter().filter(|at| self.is_legal(**at));
        let mut choices: Vec<u32> = legal.copied().collect();
        let end = |at: &u32| self.sessions.node(*at).op.complete_ts.unwrap_or(u64::MAX);
        choices.sort_by_key(|at| std::cmp::Reverse((end(at), *at)));
        choices
    }

    /// Goes back to a choice that is left, and makes it; false when there is none.
    fn next_choice(&mut self, levels: &mut Vec<Level>) -> bool {
        while let Some(level) = levels.last_mut() {
            while self.taken.len() > level.taken {
                self.give_back();
            }
            if let Some(choice) = level.choices.pop() {
                self.take(choice);
                return true;
            }
            levels.pop();
        }
        false
    }

    /// Takes every read whose turn has come, until there is none.
    fn take_reads(&mut self) {
        let mut at = 0;
        while at < self.ready.len() {
            let node = self.ready[at];
            if !self.sessions.node(node).writes && self.is_legal(node) {
                self.take(node);
            } else {
                at += 1;
            }
        }
    }
}
