//! The levels that speak of what a transaction sees of others, and of starts and commits.

mod entries;

use super::decide::{Decider, Decision, all_cycles, kinds_of, some};
use super::facts::{Own, Touch};
use super::graph::{DEPENDS, Edge, FOLLOWS, Graph, Kinds, MISSES, PASS, PROCESS, REALTIME, WR, WW};
use super::graph::{PRW, PWR, RW};
use super::levels::Order;
use super::paths::Paths;
use super::touched::Touched;
use super::transactions::NONE;
use entries::Entries;

impl Decider<'_, '_> {
    /// The node of who wrote a version, if it is on any cycle and is not the given one.
    fn other(&self, version: u32, than: u32) -> Option<u32> {
        let writer = self.facts.writer[version as usize];
        let node = (writer != NONE).then(|| self.node(writer))??;
        (node != than).then_some(node)
    }

    /// What a transaction observed, each with the kinds of the edges that come of it.
    fn seen(&self, txn: u32) -> impl Iterator<Item = (&Touch, Kinds, Kinds)> + Clone {
        let reads = self.facts.reads.of(txn).iter().map(|read| (read, WR, RW));
        let selected = self.facts.selected.of(txn).iter();
        reads.chain(selected.map(|read| (read, PWR, PRW)))
    }

    fn nodes(&self) -> std::ops::Range<u32> {
        0..self.graph().txns
    }

    /// A read-modify-write by a transaction of a version that another had replaced between.
    pub(super) fn cursors(&mut self) -> Decision {
        let facts = self.facts;
        let mut cycles = Vec::new();
        let mut own = Own::new();
        for node in self.nodes() {
            let txn = self.txn(node);
            for read in facts.reads.of(txn) {
                let key = facts.key[read.version as usize];
                for (_, write) in own.after(facts, (txn, read.step), key) {
                    let ordered = facts.chain(key).contains(&write.version);
                    if !ordered || !facts.precedes(read.version, write.version) {
                        continue;
                    }
                    let between = facts.next(read.version);
                    if let Some(version) = between.filter(|next| *next < write.version)
                        && let Some(other) = self.other(version, node)
                    {
                        cycles.push(vec![
                            edge(node, other, RW, version),
                            edge(other, node, WW, write.version),
                        ]);
                    }
                }
            }
            if cycles.len() >= self.cycles_max {
                break;
            }
        }
        some(cycles)
    }

    /// What a transaction read from is visible to it, wholly: to each of its reads, or to those
    /// that came later alone.
    pub(super) fn atomic(&mut self, order: Order, later: bool) -> Decision {
        let facts = self.facts;
        let mut cycles = Vec::new();
        let (mut sources, mut by_key) = (Vec::new(), Vec::new());
        for node in self.nodes() {
            let txn = self.txn(node);
            sources.clear();
            by_key.clear();
            for (touch, wr, rw) in self.seen(txn) {
                by_key.push((facts.key[touch.version as usize], touch.step, touch, rw));
                if let Some(source) = self.other(touch.version, node) {
                    sources.push((source, touch.step, touch.version, wr));
                }
            }
            by_key.sort_unstable_by_key(|(key, step, ..)| (*key, *step));
            sources.sort_unstable();
            // Of several reads of one transaction's versions, later ones tell no more.
            sources.dedup_by_key(|(source, ..)| *source);
            for (source, step, version, wr) in &sources {
                let mut missed = |key: u32, write: &Touch| {
                    let from = by_key.partition_point(|(of, ..)| *of < key);
                    let of = by_key[from..].iter().take_while(|(of, ..)| *of == key);
                    for (_, at, read, rw) in of {
                        if (!later || at > step) && facts.precedes(read.version, write.version) {
                            cycles.push(vec![
                                edge(node, *source, *rw, write.version),
                                edge(*source, node, *wr, *version),
                            ]);
                        }
                    }
                };
                for write in facts.writes.of(self.txn(*source)) {
                    missed(facts.key[write.version as usize], write);
                }
            }
            if cycles.len() >= self.cycles_max {
                break;
            }
        }
        if order == Order::None || !cycles.is_empty() {
            return some(cycles);
        }
        self.visible(order, kinds_of(order))
    }

    /// Whatever leads to a transaction by edges of the given kinds is visible to it.
    pub(super) fn visible(&mut self, order: Order, kinds: Kinds) -> Decision {
        let Some(sorted) = self.topological(order) else {
            return Decision::Unknown;
        };
        let mut place = vec![0_u32; self.graph().nodes() as usize];
        for (at, node) in (0..).zip(sorted.iter()) {
            place[*node as usize] = at;
        }
        let facts = self.facts;
        let mut links = Vec::new();
        for node in self.nodes() {
            let txn = self.txn(node);
            let mut spent = 0;
            for (read, _, rw) in self.seen(txn) {
                // Writers of later versions come later in the order; past the reader none leads
                // to it.
                for version in facts.later(read.version) {
                    let writer = facts.writer[version as usize];
                    if writer == NONE || writer == txn {
                        continue;
                    }
                    let Some(writer) = self.node(writer) else {
                        continue;
                    };
                    if place[writer as usize] > place[node as usize] {
                        break;
                    }
                    spent += 1;
                    links.push(edge(node, writer, rw, version));
                }
            }
            if !self.steps.take(spent) {
                return Decision::Unknown;
            }
            for arc in self
                .graph()
                .out(node)
                .iter()
                .filter(|arc| arc.kind & MISSES != 0)
            {
                links.push(edge(node, arc.to, arc.kind, arc.why));
            }
        }
        if self.steps.0 == 0 {
            return Decision::Unknown;
        }
        self.back(order, kinds, &links)
    }

    /// No cycle with one anti-dependency.
    pub(super) fn single(&mut self, order: Order) -> Decision {
        let links: Vec<Edge> = self.graph().edges(MISSES).collect();
        self.back(order, DEPENDS | kinds_of(order), &links)
    }

    /// None whose transaction had already read, before the anti-dependency, of what leads back.
    pub(super) fn monotonic(&mut self, order: Order) -> Decision {
        let graph = self.graph();
        let kinds = DEPENDS | kinds_of(order);
        let Some(sorted) = self.topological(order) else {
            return Decision::Unknown;
        };
        let misses = |node: u32| graph.out(node).iter().any(|arc| arc.kind & MISSES != 0);
        let mut lasts: Vec<Edge> = graph.edges(kinds).filter(|last| misses(last.to)).collect();
        lasts.sort_unstable_by_key(|last| last.to);
        let mut into = Vec::with_capacity(lasts.len());
        let mut links = Vec::new();
        for of in lasts.chunk_by(|one, other| one.to == other.to) {
            let node = of[0].to;
            let touched = Touched::of(self.facts, self.txn(node));
            into.extend(
                of.iter()
                    .map(|last| (node, touched.step_into(*last), *last)),
            );
            let arcs = graph.out(node).iter().filter(|arc| arc.kind & MISSES != 0);
            for arc in arcs {
                let link = edge(node, arc.to, arc.kind, arc.why);
                let step = touched.missed_at(self.facts, graph, link, |node| self.txn(node));
                links.push((link, step.unwrap_or(u32::MAX)));
            }
        }
        let entries = Entries::new(graph, kinds, &sorted, into);
        let links = links.into_iter();
        let links = links.filter_map(|(link, step)| Some((link, entries.before(link.from, step)?)));
        let mut paths = Paths::new(entries.graph.nodes());
        let of = (&entries.graph, &entries.order[..]);
        let decision = self.lead_back(of, kinds, &links.collect::<Vec<_>>(), &mut paths);
        entries.outside_all(decision)
    }

    /// Who wrote an object before a transaction did is visible to it, too.
    pub(super) fn conflicts(&mut self, order: Order) -> Decision {
        let facts = self.facts;
        let Some(sorted) = self.topological(order) else {
            return Decision::Unknown;
        };
        let mut place = vec![0_u32; self.graph().nodes() as usize];
        for (at, node) in (0..).zip(sorted.iter()) {
            place[*node as usize] = at;
        }
        let mut cycles = Vec::new();
        for node in self.nodes() {
            let txn = self.txn(node);
            let ours = facts.writes.of(txn);
            if ours.is_empty() {
                continue;
            }
            let mut spent = 0;
            for (read, _, rw) in self.seen(txn) {
                for missed in facts.later(read.version) {
                    let Some(other) = self.other(missed, node) else {
                        continue;
                    };
                    if place[other as usize] > place[node as usize] {
                        break;
                    }
                    let theirs = facts.writes.of(self.txn(other));
                    spent += (theirs.len() * ours.len()) as u64;
                    if spent > self.steps.0 {
                        return Decision::Unknown;
                    }
                    let mut pairs = theirs.iter().flat_map(|a| ours.iter().map(move |b| (a, b)));
                    let first = pairs.find(|(a, b)| facts.precedes(a.version, b.version));
                    if let Some((_, last)) = first {
                        cycles.push(vec![
                            edge(node, other, rw, missed),
                            edge(other, node, WW, last.version),
                        ]);
                    }
                }
            }
            if !self.steps.take(spent) {
                return Decision::Unknown;
            }
            if cycles.len() >= self.cycles_max {
                break;
            }
        }
        match cycles.is_empty() {
            true => self.atomic(order, false),
            false => some(cycles),
        }
    }

    /// Updates have a serial order, and with each read-only transaction alone they have one, too.
    pub(super) fn updates(&mut self, order: Order) -> Decision {
        let graph = self.graph();
        let kinds = DEPENDS | MISSES | kinds_of(order);
        let keeps = |node: u32| !graph.is_txn(node) || self.facts.updates[self.txn(node) as usize];
        let edges = graph.edges(kinds | PASS);
        let edges = edges.filter(|edge| keeps(edge.from) && keeps(edge.to));
        let updates = Graph::new(graph.nodes(), graph.txns, &edges.collect::<Vec<_>>());
        let components = updates.components(kinds | PASS);
        if !components.is_empty() {
            return some(all_cycles(
                &mut self.paths,
                &updates,
                kinds,
                components,
                self.cycles_max,
            ));
        }
        let Some(sorted) = updates.topological(kinds | PASS, |_| 0) else {
            return Decision::Unknown;
        };
        let (mut links, mut into) = (Vec::new(), Vec::new());
        for (from, to) in self.sessions(order, keeps) {
            let process = edge(from, to, PROCESS, NONE);
            match keeps(from) {
                true => into.push((to, 0, process)),
                false => links.push(process),
            }
        }
        for node in self.nodes().filter(|node| !keeps(*node)) {
            let arcs = graph.out(node).iter();
            let arcs = arcs.filter(|arc| arc.kind & kinds != 0 && keeps(arc.to));
            links.extend(arcs.map(|arc| edge(node, arc.to, arc.kind, arc.why)));
        }
        for last in graph.edges(kinds) {
            if !keeps(last.to) && keeps(last.from) {
                into.push((last.to, 0, last));
            }
        }
        let entries = Entries::new(&updates, kinds, &sorted, into);
        let links = links.into_iter();
        let links = links.filter_map(|link| Some((link, entries.before(link.from, 1)?)));
        let mut paths = Paths::new(entries.graph.nodes());
        let of = (&entries.graph, &entries.order[..]);
        let decision = self.lead_back(of, kinds, &links.collect::<Vec<_>>(), &mut paths);
        match entries.outside_all(decision) {
            // Orders beside dependencies may lead through several that only read.
            Decision::Holds => self.single(order),
            other => other,
        }
    }

    /// Of each session, who only reads with the update before it and the one after it, where
    /// others that only read are between.
    fn sessions(&self, order: Order, keeps: impl Fn(u32) -> bool) -> Vec<(u32, u32)> {
        if order == Order::None {
            return Vec::new();
        }
        let graph = self.graph();
        let next = |node: u32| {
            let arcs = graph.out(node).iter();
            arcs.filter(|arc| arc.kind == PROCESS).map(|arc| arc.to)
        };
        let mut found = Vec::new();
        let mut before = vec![NONE; graph.txns as usize];
        for node in self.nodes() {
            let update = if keeps(node) {
                node
            } else {
                before[node as usize]
            };
            for to in next(node).filter(|to| update != NONE && !keeps(*to)) {
                before[to as usize] = update;
                if update != node {
                    found.push((update, to));
                }
            }
        }
        let mut after = vec![NONE; graph.txns as usize];
        for node in self.nodes().rev().filter(|node| !keeps(*node)) {
            for to in next(node) {
                let update = if keeps(to) { to } else { after[to as usize] };
                after[node as usize] = after[node as usize].min(update);
                if update != to && update != NONE {
                    found.push((node, update));
                }
            }
        }
        found
    }

    /// Whether every transaction can have a start and a commit: what it depends on committed
    /// before it started, what it missed committed after. Of two writers of an object one
    /// committed before the other started; or, if `blind`, before it committed.
    pub(super) fn starts_and_commits(&mut self, order: Order, blind: bool) -> Decision {
        let graph = self.graph();
        let nodes = graph.nodes();
        let kinds = DEPENDS | MISSES | kinds_of(order) | PASS;
        let moments = moments(graph, kinds, blind);
        let components = moments.components(kinds | PASS);
        let mut paths = Paths::new(moments.nodes());
        let cycles = all_cycles(&mut paths, &moments, kinds, components, self.cycles_max);
        let node = |moment: u32| {
            if moment >= nodes {
                moment - nodes
            } else {
                moment
            }
        };
        let cycles = cycles.into_iter().map(|cycle| {
            let links = cycle.into_iter();
            let links = links.map(|link| edge(node(link.from), node(link.to), link.kind, link.why));
            links.filter(|link| link.from != link.to).collect()
        });
        some(cycles.collect())
    }
}

/// The starts and commits of transactions, with what comes before what: a start is the node of
/// its transaction, its commit so many nodes later as the graph has.
pub(super) fn moments(graph: &Graph, kinds: Kinds, blind: bool) -> Graph {
    let (txns, nodes) = (graph.txns, graph.nodes());
    let commit = |node: u32| {
        if graph.is_txn(node) {
            nodes + node
        } else {
            node
        }
    };
    let mut edges: Vec<Edge> = (0..txns)
        .map(|txn| edge(txn, commit(txn), 0, NONE))
        .collect();
    for link in graph.edges(kinds) {
        let Edge {
            from,
            to,
            kind,
            why,
        } = link;
        let (from, to) = match kind {
            WW | FOLLOWS if blind => (commit(from), commit(to)),
            WW | FOLLOWS | WR | PWR | PROCESS | REALTIME => (commit(from), to),
            // Anti-dependencies, and what is behind them.
            _ => (from, commit(to)),
        };
        edges.push(Edge {
            from,
            to,
            kind,
            why,
        });
    }
    for link in &mut edges {
        if link.kind == 0 {
            link.kind = PASS;
        }
    }
    // All nodes count as transactions, so that every path is short in links.
    Graph::new(nodes + txns, nodes + txns, &edges)
}

fn edge(from: u32, to: u32, kind: Kinds, why: u32) -> Edge {
    Edge {
        from,
        to,
        kind,
        why,
    }
}
