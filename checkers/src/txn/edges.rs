//! From facts to a graph: who depends on whom, and what justifies it.

use super::facts::{Facts, Touches};
use super::graph::{Edge, FOLLOWS, Graph, Kinds, PASS, PROCESS, PRW, PWR, REALTIME, RW, WR, WW};
use super::transactions::{NONE, Status, Transactions};

/// Makes the graph of what is certain. Cost: linear in the touches, n log n in the transactions.
pub(super) fn graph(all: &Transactions<'_>, facts: &Facts<'_>) -> Graph {
    let mut edges = Edges {
        facts,
        nodes: facts.txns,
        edges: Vec::with_capacity(facts.reads.all().len() * 2 + facts.key.len()),
    };
    edges.chains();
    edges.reads(&facts.reads, (WR, RW));
    edges.reads(&facts.selected, (PWR, PRW));
    edges.loose(&facts.reads, RW);
    edges.loose(&facts.selected, PRW);
    edges.processes(all);
    edges.realtime(all);
    Graph::new(edges.nodes, facts.txns, &edges.edges)
}

struct Edges<'f, 'h> {
    facts: &'f Facts<'h>,
    nodes: u32,
    edges: Vec<Edge>,
}

impl Edges<'_, '_> {
    fn add(&mut self, from: u32, to: u32, kind: Kinds, why: u32) {
        if from != to && from != NONE && to != NONE {
            self.edges.push(Edge {
                from,
                to,
                kind,
                why,
            });
        }
    }

    fn writer(&self, version: u32) -> u32 {
        self.facts.writer[version as usize]
    }

    /// Each version in order depends on the one before it.
    fn chains(&mut self) {
        for key in 0..self.facts.ordered.len() as u32 {
            let mut last = NONE;
            let follows = self.facts.chain_follows.get(key as usize) == Some(&true);
            let kind = if follows { FOLLOWS } else { WW };
            for version in self.facts.chain(key) {
                let writer = self.writer(version);
                if writer != NONE {
                    self.add(last, writer, kind, version);
                    last = writer;
                }
            }
        }
    }

    /// Who reads a version depends on it, and misses the one after it.
    fn reads(&mut self, touches: &Touches, (depends, misses): (Kinds, Kinds)) {
        for read in touches.all() {
            let chain = self.facts.chain(self.facts.key[read.version as usize]);
            let mut seen = read.version;
            // Lists show what came before, too, when the last of it is of nobody.
            while self.writer(seen) == NONE && seen > chain.start && chain.contains(&seen) {
                seen -= 1;
            }
            self.add(self.writer(seen), read.txn, depends, seen);
            if chain.contains(&read.version)
                && let Some(next) = self.facts.missed(read)
            {
                self.add(read.txn, self.writer(next), misses, next);
            }
        }
    }

    /// Versions that are not in order come after those that are, and after those that are known
    /// to come before them.
    fn loose(&mut self, touches: &Touches, misses: Kinds) {
        let facts = self.facts;
        let mut readers: Vec<Vec<u32>> = Vec::new();
        let keys = facts.ordered.len() as u32;
        let loose = (0..keys).filter(|key| !facts.loose(*key).is_empty());
        let loose: Vec<u32> = loose.collect();
        if loose.is_empty() || misses != RW && touches.all().is_empty() {
            return;
        }
        let mut place = vec![NONE; facts.key.len()];
        let mut listed = |version: u32, readers: &mut Vec<Vec<u32>>| {
            let place = &mut place[version as usize];
            if *place == NONE {
                *place = readers.len() as u32;
                readers.push(Vec::new());
            }
            *place as usize
        };
        // The last in order that somebody wrote, and whatever is read after it.
        let mut last_of = vec![NONE; keys as usize];
        for key in &loose {
            let mut chain = facts.chain(*key);
            let first = chain.start;
            let last = chain.rfind(|version| facts.writer[*version as usize] != NONE);
            last_of[*key as usize] = last.unwrap_or(first);
            listed(last.unwrap_or(first), &mut readers);
        }
        for (first, _) in &facts.before {
            listed(*first, &mut readers);
        }
        for read in touches.all() {
            let key = facts.key[read.version as usize];
            let last = last_of[key as usize];
            if last == NONE {
                continue;
            }
            let chain = facts.chain(key);
            let of = if chain.contains(&read.version) && read.version >= last {
                last
            } else {
                read.version
            };
            if place[of as usize] != NONE {
                readers[place[of as usize] as usize].push(read.txn);
            }
        }
        for key in &loose {
            let last = last_of[*key as usize];
            let after: Vec<u32> = facts.loose(*key).collect();
            let from = std::mem::take(&mut readers[place[last as usize] as usize]);
            let writer = self.writer(last);
            if misses == RW {
                for version in &after {
                    self.add(writer, self.writer(*version), WW, *version);
                }
            }
            self.all_to_all(&from, &after, misses);
        }
        for (first, second) in &facts.before {
            if misses == RW {
                let follows = facts.follows.binary_search(&(*first, *second)).is_ok();
                let kind = if follows { FOLLOWS } else { WW };
                self.add(self.writer(*first), self.writer(*second), kind, *second);
            }
            let to = self.writer(*second);
            for reader in &readers[place[*first as usize] as usize] {
                self.add(*reader, to, misses, *second);
            }
        }
    }

    /// Every reader misses every one of the versions, but its own.
    fn all_to_all(&mut self, readers: &[u32], versions: &[u32], misses: Kinds) {
        if readers.len() * versions.len() <= 8 * (readers.len() + versions.len()) {
            for reader in readers {
                for version in versions {
                    self.add(*reader, self.writer(*version), misses, *version);
                }
            }
            return;
        }
        // Versions by writer, under a tree of auxiliary nodes: node 1 is the root, and a reader
        // goes to the few that have all but its own beneath them.
        let mut leaves: Vec<(u32, u32)> = versions
            .iter()
            .map(|version| (self.writer(*version), *version))
            .collect();
        leaves.sort_unstable();
        leaves.dedup_by_key(|leaf| leaf.0);
        let width = leaves.len().next_power_of_two();
        let base = self.nodes;
        self.nodes += 2 * width as u32;
        let node = |at: usize| base + at as u32;
        for at in 1..width {
            self.add(node(at), node(2 * at), PASS, NONE);
            self.add(node(at), node(2 * at + 1), PASS, NONE);
        }
        for (at, (writer, version)) in leaves.iter().enumerate() {
            self.add(node(width + at), *writer, PASS, *version);
        }
        for reader in readers {
            match leaves.binary_search_by_key(reader, |leaf| leaf.0) {
                Err(_) => self.add(*reader, node(1), misses, NONE),
                Ok(own) => {
                    let mut at = width + own;
                    while at > 1 {
                        self.add(*reader, node(at ^ 1), misses, NONE);
                        at /= 2;
                    }
                }
            }
        }
    }

    /// Each process's transactions in their order. After one whose outcome is unknown nothing
    /// follows for certain, since it may take effect later.
    fn processes(&mut self, all: &Transactions<'_>) {
        let part = (0..all.len()).filter(|txn| self.facts.takes_part[*txn as usize]);
        let mut sessions: Vec<(u64, u32)> = part.map(|txn| (all.op(txn).process_id, txn)).collect();
        sessions.sort_by_key(|(process, _)| *process);
        let (mut last, mut last_update) = ((u64::MAX, NONE), NONE);
        for (process, txn) in sessions {
            if last.0 != process {
                last = (process, NONE);
                last_update = NONE;
            }
            self.add(last.1, txn, PROCESS, NONE);
            let updates = self.facts.updates[txn as usize];
            if updates && last_update != last.1 {
                self.add(last_update, txn, PROCESS, NONE);
            }
            if all.status(txn) == Status::Committed {
                last.1 = txn;
                if updates {
                    last_update = txn;
                }
            }
        }
    }

    /// Real time as a chain of barriers: who ended goes to the next barrier, who begins comes
    /// from the last.
    fn realtime(&mut self, all: &Transactions<'_>) {
        let mut begins: Vec<(u64, u32)> = Vec::new();
        let mut ends: Vec<(u64, u32)> = Vec::new();
        for txn in (0..all.len()).filter(|txn| self.facts.takes_part[*txn as usize]) {
            let op = all.op(txn);
            begins.push((op.invoke_ts, txn));
            if all.status(txn) == Status::Committed
                && let Some(complete_ts) = op.complete_ts
            {
                ends.push((complete_ts, txn));
            }
        }
        // They are nearly in order already, which a stable sort is fast on.
        begins.sort();
        ends.sort();
        let (mut barrier, mut ended, mut ends) = (NONE, Vec::new(), ends.into_iter().peekable());
        for (from_ts, txn) in begins {
            // At one instant, who begins does so before who ends.
            while let Some((_, before)) = ends.next_if(|(to_ts, _)| *to_ts < from_ts) {
                ended.push(before);
            }
            if !ended.is_empty() {
                let next = self.nodes;
                self.nodes += 1;
                self.add(barrier, next, REALTIME, NONE);
                for txn in ended.drain(..) {
                    self.add(txn, next, REALTIME, NONE);
                }
                barrier = next;
            }
            self.add(barrier, txn, REALTIME, NONE);
        }
    }
}
