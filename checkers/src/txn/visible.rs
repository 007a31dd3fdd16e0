//! The levels that speak of what a transaction sees of others, and of starts and commits.

use super::decide::{Cycle, Decider, Decision, all_cycles, kinds_of, some};
use super::facts::Touch;
use super::graph::{DEPENDS, Edge, FOLLOWS, Graph, Kinds, MISSES, PASS, PROCESS, REALTIME, WR, WW};
use super::graph::{PRW, PWR, RW};
use super::levels::Order;
use super::paths::Paths;
use super::polygraph::missed_at;
use super::transactions::NONE;

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
        for node in self.nodes() {
            let txn = self.txn(node);
            for read in facts.reads.of(txn) {
                for write in facts
                    .writes
                    .of(txn)
                    .iter()
                    .filter(|write| write.step > read.step)
                {
                    if !facts.precedes(read.version, write.version) {
                        continue;
                    }
                    let between = facts
                        .next(read.version)
                        .filter(|next| *next < write.version);
                    let between = between.filter(|_| {
                        facts
                            .chain(facts.key[read.version as usize])
                            .contains(&write.version)
                    });
                    if let Some(version) = between
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
        for node in self.nodes() {
            let txn = self.txn(node);
            let seen = self.seen(txn);
            for (from, wr, _) in seen.clone() {
                let Some(source) = self.other(from.version, node) else {
                    continue;
                };
                let writes = facts.writes.of(self.txn(source));
                for (read, _, rw) in seen.clone() {
                    if later && read.step <= from.step {
                        continue;
                    }
                    let missed = writes.iter();
                    let mut missed = missed.filter(|w| facts.precedes(read.version, w.version));
                    if let Some(missed) = missed.next() {
                        cycles.push(vec![
                            edge(node, source, rw, missed.version),
                            edge(source, node, wr, from.version),
                        ]);
                    }
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
                    links.push((edge(node, writer, rw, version), None));
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
                links.push((edge(node, arc.to, arc.kind, arc.why), None));
            }
        }
        if self.steps.0 == 0 {
            return Decision::Unknown;
        }
        self.back(order, kinds, &links)
    }

    /// No cycle with one anti-dependency.
    pub(super) fn single(&mut self, order: Order) -> Decision {
        let links = self.graph().edges(MISSES).map(|link| (link, None));
        let links: Vec<_> = links.collect();
        self.back(order, DEPENDS | kinds_of(order), &links)
    }

    /// None whose transaction had already read, before the anti-dependency, of what leads back.
    pub(super) fn monotonic(&mut self, order: Order) -> Decision {
        let graph = self.graph();
        let kinds = DEPENDS | kinds_of(order);
        let mut into: Vec<Vec<Edge>> = vec![Vec::new(); graph.nodes() as usize];
        for last in graph.edges(kinds) {
            into[last.to as usize].push(last);
        }
        let mut links = Vec::new();
        for link in graph.edges(MISSES) {
            let read = self.read_step(link);
            for last in &into[link.from as usize] {
                if self.step_into(*last) < read {
                    links.push((link, Some(*last)));
                }
            }
        }
        self.back(order, kinds, &links)
    }

    /// At which step, counted from one, a transaction read what an anti-dependency says that it
    /// missed: the last of them.
    fn read_step(&self, link: Edge) -> u32 {
        let txn = self.txn(link.from);
        let step = missed_at(self.facts, self.graph(), link, txn, |node| self.txn(node));
        step.unwrap_or(u32::MAX)
    }

    /// At which step, counted from one, a dependency enters a transaction; zero for its begin.
    fn step_into(&self, last: Edge) -> u32 {
        let facts = self.facts;
        let txn = self.txn(last.to);
        let touches = match last.kind {
            WR => facts.reads.of(txn),
            WW | FOLLOWS => facts.writes.of(txn),
            PWR => facts.selected.of(txn),
            _ => return 0,
        };
        let mut steps = touches.iter().filter(|touch| touch.version == last.why);
        steps.next().map_or(0, |touch| touch.step + 1)
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
        let mut into: Vec<Vec<Edge>> = vec![Vec::new(); graph.nodes() as usize];
        for last in graph.edges(kinds).filter(|edge| !keeps(edge.to)) {
            into[last.to as usize].push(last);
        }
        let (mut links, mut queries) = (Vec::new(), Vec::new());
        for node in self.nodes().filter(|node| !keeps(*node)) {
            for arc in graph.out(node).iter().filter(|arc| arc.kind & kinds != 0) {
                for last in &into[node as usize] {
                    if keeps(arc.to) && keeps(last.from) {
                        links.push((edge(node, arc.to, arc.kind, arc.why), *last));
                        queries.push((arc.to, last.from));
                    }
                }
            }
        }
        let told =
            super::paths::reached(&updates, kinds | PASS, &sorted, &queries, &mut self.steps);
        let Some(told) = told else {
            return Decision::Unknown;
        };
        let found = links.iter().zip(told).filter(|(_, told)| *told);
        let cycles = found.take(self.cycles_max).map(|((link, last), _)| {
            let mut cycle = vec![*link];
            if link.to != last.from {
                let (ends, mut all) = ((link.to, last.from), super::paths::Steps(u64::MAX));
                let path = self
                    .paths
                    .shortest(&updates, kinds, ends, NONE - 1, &mut all);
                cycle.extend(path.expect("it was reached"));
            }
            cycle.push(*last);
            cycle
        });
        let cycles: Vec<Cycle> = cycles.collect();
        match cycles.is_empty() {
            // Orders beside dependencies may lead through several that only read.
            true => self.single(order),
            false => some(cycles),
        }
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
