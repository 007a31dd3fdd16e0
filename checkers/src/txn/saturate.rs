//! Levels that need no search: what follows of the order of versions from who sees whom.
//!
//! Whoever reads a version, and sees another transaction that wrote the object, tells that the
//! other's version came first. With read uncommitted and committed (which ask nothing of that
//! kind), monotonic atomic view, read atomic and causal, what is seen does not depend on the order
//! of versions, so all that follows is found at once, and a level holds if and only if it is in no
//! circle: then any order of the transactions that agrees with it satisfies the level. Source:
//! Biswas and Enea, *On the Complexity of Checking Transactional Consistency*, whose axioms these
//! are; clocks for each session make it near-linear, as in Møldrup and Pavlogiannis, *AWDIT*.

use std::collections::BTreeMap;

use super::decide::kinds_of;
use super::facts::{Facts, Touch};
use super::graph::{DEPENDS, Edge, Graph, Kinds, PASS, PWR, RW, WR, WW};
use super::levels::{Base, Order};
use super::paths::{Steps, reached};
use super::transactions::{NONE, Status, Transactions};

/// Of two versions of an object, the first comes before the second.
pub(super) type Pair = (u32, u32);

/// The levels that are decided here, the strongest first.
pub(super) const DECIDED: [Base; 5] = [
    Base::Causal,
    Base::ReadAtomic,
    Base::MonotonicAtomicView,
    Base::ReadCommitted,
    Base::ReadUncommitted,
];

/// What is said of a level.
pub(super) enum Saturated {
    /// It holds with these pairs, and any order of transactions that agrees with them.
    Holds(Vec<Pair>),
    /// No order of versions satisfies it.
    Fails,
    /// The steps did not suffice.
    Unknown,
}

/// Who wrote an object, for those who look for it.
struct Writer {
    /// Where it is among those that come after each other, and as which of them.
    chain: u32,
    place: u32,
    version: u32,
    from_ts: u64,
    /// When it was over, if it is known to be.
    to_ts: Option<u64>,
}

/// Decides levels of one history.
pub(super) struct Saturation<'s, 'h> {
    all: &'s Transactions<'h>,
    facts: &'s Facts<'h>,
    graph: &'s Graph,
    /// By object, its writers, by chain and place in it.
    writers: Vec<Vec<Writer>>,
    /// By object, its writers that are known to have ended, by when, each with the latest begin
    /// so far.
    ended: Vec<Vec<(u64, u64, u32)>>,
    /// By transaction, its chain and place.
    chains: Vec<(u32, u32)>,
    chain_count: u32,
}

impl<'s, 'h> Saturation<'s, 'h> {
    /// Prepares. Cost: n log n.
    pub(super) fn new(all: &'s Transactions<'h>, facts: &'s Facts<'h>, graph: &'s Graph) -> Self {
        let mut sessions: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
        let mut chains = vec![(NONE, 0); all.txns.len()];
        let mut chain_count = 0;
        for txn in (0..all.len()).filter(|txn| facts.takes_part[*txn as usize]) {
            let fresh = chain_count;
            if all.status(txn) != Status::Committed {
                // Nothing follows it for certain.
                chains[txn as usize] = (fresh, 0);
                chain_count += 1;
                continue;
            }
            let session = sessions.entry(all.op(txn).process_id).or_insert((fresh, 0));
            chain_count += u32::from(session.0 == fresh);
            chains[txn as usize] = *session;
            session.1 += 1;
        }
        let keys = facts.ordered.len();
        let mut writers: Vec<Vec<Writer>> = (0..keys).map(|_| Vec::new()).collect();
        for (version, writer) in (0..).zip(&facts.writer).filter(|(_, w)| **w != NONE) {
            let op = all.op(*writer);
            let committed = all.status(*writer) == Status::Committed;
            let (chain, place) = chains[*writer as usize];
            writers[facts.key[version as usize] as usize].push(Writer {
                chain,
                place,
                version,
                from_ts: op.invoke_ts,
                to_ts: op.complete_ts.filter(|_| committed),
            });
        }
        let ended = writers.iter().map(|writers| {
            let ended = writers.iter();
            let ended = ended.filter_map(|w| Some((w.to_ts?, w.from_ts, w.version)));
            let mut ended: Vec<(u64, u64, u32)> = ended.collect();
            ended.sort_unstable();
            let mut latest = 0;
            for (_, from, _) in &mut ended {
                latest = latest.max(*from);
                *from = latest;
            }
            ended
        });
        let ended = ended.collect();
        for writers in &mut writers {
            writers.sort_unstable_by_key(|w| (w.chain, w.place, w.version));
        }
        Self {
            all,
            facts,
            graph,
            writers,
            ended,
            chains,
            chain_count,
        }
    }

    /// Decides a level, given that none that is weaker fails.
    pub(super) fn decide(&self, base: Base, order: Order, steps: &mut Steps) -> Saturated {
        let mut pairs = Pairs {
            facts: self.facts,
            all: Vec::new(),
            contradiction: false,
        };
        let enough = match base {
            Base::ReadUncommitted | Base::ReadCommitted => true,
            Base::MonotonicAtomicView | Base::ReadAtomic => {
                self.direct(base == Base::MonotonicAtomicView, &mut pairs);
                self.ordered(order, &mut pairs);
                true
            }
            _ if order == Order::None => self.reads_of_reads(&mut pairs, steps),
            _ => self.clocks(order, &mut pairs, steps),
        };
        if pairs.contradiction {
            return Saturated::Fails;
        }
        if !enough {
            return Saturated::Unknown;
        }
        let mut pairs = pairs.all;
        pairs.sort_unstable();
        pairs.dedup();
        let depends = match base {
            Base::ReadUncommitted => WW,
            _ => DEPENDS,
        };
        let with = with(self.graph, self.facts, &pairs, false);
        let kinds = depends | kinds_of(order) | PASS;
        match with.components(kinds).is_empty() {
            true => Saturated::Holds(pairs),
            false => Saturated::Fails,
        }
    }

    /// What a transaction observed, in the order of its steps.
    fn seen(&self, txn: u32) -> Vec<&'s Touch> {
        let facts = self.facts;
        let selected = facts.selected.of(txn).iter();
        facts.reads.of(txn).iter().chain(selected).collect()
    }

    /// Who was read from is seen, by all reads or by those that come later alone.
    fn direct(&self, later: bool, pairs: &mut Pairs<'_, 'h>) {
        let facts = self.facts;
        for txn in 0..self.all.len() {
            let seen = self.seen(txn);
            for from in &seen {
                let source = facts.writer[from.version as usize];
                if source == NONE || source == txn {
                    continue;
                }
                let wrote = facts.writes.of(source);
                for read in seen.iter().filter(|read| !later || read.step > from.step) {
                    let key = facts.key[read.version as usize];
                    let of = wrote.iter().map(|write| write.version);
                    for version in of.filter(|version| facts.key[*version as usize] == key) {
                        pairs.add(version, read.version, txn);
                    }
                }
            }
        }
    }

    /// Who came before by sessions or by real time is seen.
    fn ordered(&self, order: Order, pairs: &mut Pairs<'_, 'h>) {
        if order == Order::None {
            return;
        }
        for txn in 0..self.all.len() {
            let (chain, place) = self.chains[txn as usize];
            let from_ts = self.all.op(txn).invoke_ts;
            for read in self.seen(txn) {
                let key = self.facts.key[read.version as usize] as usize;
                let before = |w: &Writer| (w.chain, w.place) < (chain, place);
                let count = self.writers[key].partition_point(before);
                let last = self.writers[key][..count].last();
                if let Some(last) = last.filter(|last| last.chain == chain) {
                    pairs.add(last.version, read.version, txn);
                }
                if order == Order::Realtime {
                    self.ended_before(key, from_ts, read.version, txn, pairs);
                }
            }
        }
    }

    /// The last of those that had ended at a time: none ended before another of them began.
    fn ended_before(
        &self,
        key: usize,
        from_ts: u64,
        version: u32,
        txn: u32,
        pairs: &mut Pairs<'_, 'h>,
    ) {
        let ended = &self.ended[key];
        let ended = &ended[..ended.partition_point(|(to, ..)| *to < from_ts)];
        let latest = ended.last().map_or(0, |(_, from, _)| *from);
        for (to, _, other) in ended.iter().rev() {
            if *to < latest {
                break;
            }
            pairs.add(*other, version, txn);
        }
    }

    /// Who was read from, by whom one read from, and so on, is seen.
    fn reads_of_reads(&self, pairs: &mut Pairs<'_, 'h>, steps: &mut Steps) -> bool {
        let kinds = WR | PWR | PASS;
        let Some(sorted) = self.graph.topological(kinds, u64::from) else {
            return false;
        };
        let mut place = vec![0_u32; self.graph.nodes() as usize];
        for (at, node) in (0..).zip(&sorted) {
            place[*node as usize] = at;
        }
        let (mut queries, mut asked) = (Vec::new(), Vec::new());
        for txn in 0..self.all.len() {
            for read in self.seen(txn) {
                let key = self.facts.key[read.version as usize] as usize;
                if !steps.take(self.writers[key].len() as u64 / 8 + 1) {
                    return false;
                }
                for other in &self.writers[key] {
                    let writer = self.facts.writer[other.version as usize];
                    let before = place[writer as usize] < place[txn as usize];
                    if before && other.version != read.version {
                        queries.push((writer, txn));
                        asked.push((other.version, read.version));
                    }
                }
            }
        }
        let Some(told) = reached(self.graph, kinds, &sorted, &queries, steps) else {
            return false;
        };
        for (at, _) in told.iter().enumerate().filter(|(_, told)| **told) {
            let (first, second) = asked[at];
            pairs.add(first, second, queries[at].1);
        }
        true
    }

    /// As [`Self::reads_of_reads`], with what else orders: by clocks, which tell of each chain how
    /// far it is seen.
    fn clocks(&self, order: Order, pairs: &mut Pairs<'_, 'h>, steps: &mut Steps) -> bool {
        let kinds = WR | PWR | kinds_of(order) | PASS;
        let rank = |node: u32| match self.graph.is_txn(node) {
            true => u64::from(node),
            false => 0,
        };
        let Some(sorted) = self.graph.topological(kinds, rank) else {
            return false;
        };
        let chains = self.chain_count as usize;
        let mut clocks: Vec<Option<Box<[u32]>>> = vec![None; self.graph.nodes() as usize];
        for node in sorted {
            let clock = clocks[node as usize].take();
            let mut clock = clock.unwrap_or_else(|| vec![0; chains].into());
            if self.graph.is_txn(node) && self.facts.takes_part[node as usize] {
                self.told(node, &clock, pairs);
                let (chain, place) = self.chains[node as usize];
                let own = &mut clock[chain as usize];
                *own = (*own).max(place + 1);
            }
            for arc in self
                .graph
                .out(node)
                .iter()
                .filter(|arc| arc.kind & kinds != 0)
            {
                if !steps.take(chains as u64 / 8 + 1) {
                    return false;
                }
                match &mut clocks[arc.to as usize] {
                    Some(later) => {
                        for (later, now) in later.iter_mut().zip(&clock) {
                            *later = (*later).max(*now);
                        }
                    }
                    none => *none = Some(clock.clone()),
                }
            }
        }
        true
    }

    /// What the reads of a transaction say that sees so far of every chain.
    fn told(&self, txn: u32, clock: &[u32], pairs: &mut Pairs<'_, 'h>) {
        for read in self.seen(txn) {
            let key = self.facts.key[read.version as usize] as usize;
            for of_chain in self.writers[key].chunk_by(|a, b| a.chain == b.chain) {
                let far = clock[of_chain[0].chain as usize];
                let count = of_chain.partition_point(|writer| writer.place < far);
                if let Some(last) = of_chain[..count].last() {
                    pairs.add(last.version, read.version, txn);
                }
            }
        }
    }
}

struct Pairs<'f, 'h> {
    facts: &'f Facts<'h>,
    all: Vec<Pair>,
    /// One of them stands the other way round for certain.
    contradiction: bool,
}

impl Pairs<'_, '_> {
    /// The reader of the second version sees who wrote the first.
    fn add(&mut self, first: u32, second: u32, reader: u32) {
        let facts = self.facts;
        let writer = |version: u32| facts.writer[version as usize];
        if first == second || writer(first) == reader {
            return;
        }
        if facts.precedes(second, first) {
            self.contradiction = true;
        } else if !facts.precedes(first, second) && writer(first) != writer(second) {
            self.all.push((first, second));
        }
    }
}

/// The most edges that are added to a graph.
const EDGES_MAX: usize = 8_000_000;

/// A graph with the write dependencies of some pairs of versions; and, if they are asked for,
/// with what those who read the first of a pair miss.
pub(super) fn with(graph: &Graph, facts: &Facts<'_>, pairs: &[Pair], misses: bool) -> Graph {
    let mut edges: Vec<Edge> = graph.edges(Kinds::MAX).collect();
    let writer = |version: u32| facts.writer[version as usize];
    let mut add = |from: u32, kind: Kinds, version: u32| {
        let to = writer(version);
        if from != NONE && to != NONE && from != to && edges.len() < EDGES_MAX {
            let why = version;
            edges.push(Edge {
                from,
                to,
                kind,
                why,
            });
        }
    };
    for (first, second) in pairs {
        add(writer(*first), WW, *second);
    }
    if misses {
        let mut readers: Vec<(u32, u32)> = facts
            .reads
            .all()
            .iter()
            .map(|r| (r.version, r.txn))
            .collect();
        readers.sort_unstable();
        for (first, second) in pairs {
            let from = readers.partition_point(|(version, _)| version < first);
            let of = readers[from..]
                .iter()
                .take_while(|(version, _)| version == first);
            for (_, reader) in of {
                add(*reader, RW, *second);
            }
        }
    }
    Graph::new(graph.nodes(), graph.txns, &edges)
}
