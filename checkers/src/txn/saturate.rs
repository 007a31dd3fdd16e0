//! Levels that need no search: what follows of the order of versions from who sees whom.
//!
//! Whoever reads a version, and sees another transaction that wrote the object, tells that the
//! other's version came first. With read uncommitted and committed (which ask nothing of that
//! kind), monotonic atomic view, read atomic and causal, what is seen does not depend on the order
//! of versions, so all that follows is found at once, and a level holds if and only if it is in no
//! circle: then any order of the transactions that agrees with it satisfies the level. Source:
//! Biswas and Enea, *On the Complexity of Checking Transactional Consistency*, whose axioms these
//! are; clocks for each session make it near-linear, as in Møldrup and Pavlogiannis, *AWDIT*. Where
//! sessions do not count, or are many, who sees whom is told by bits, in `led`.

use std::collections::BTreeMap;

mod led;

use super::decide::kinds_of;
use super::facts::{Facts, Touch};
use super::graph::{DEPENDS, Edge, Graph, Kinds, PASS, PWR, RW, WR, WW};
use super::levels::{Base, Order};
use super::paths::Steps;
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

/// How many chains are followed by clocks.
const CHAINS_MAX: u32 = 512;

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
    /// By object, where its writers of each chain end.
    ends: Vec<Vec<u32>>,
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
        let ends = writers.iter_mut().map(|writers| {
            writers.sort_unstable_by_key(|w| (w.chain, w.place, w.version));
            let mut end = 0;
            let ends = writers.chunk_by(|a, b| a.chain == b.chain).map(|of| {
                end += of.len() as u32;
                end
            });
            ends.collect()
        });
        let ends = ends.collect();
        Self {
            all,
            facts,
            graph,
            writers,
            ends,
            ended,
            chains,
            chain_count,
        }
    }

    /// Decides a level, given that none that is weaker fails.
    pub(super) fn decide(&self, base: Base, order: Order, steps: &mut Steps) -> Saturated {
        let mut pairs = Pairs::of(self.facts);
        let causes = WR | PWR | kinds_of(order) | PASS;
        let enough = match base {
            Base::ReadUncommitted | Base::ReadCommitted => true,
            Base::MonotonicAtomicView | Base::ReadAtomic => {
                self.direct(base == Base::MonotonicAtomicView, &mut pairs);
                self.ordered(order, &mut pairs, steps)
            }
            _ if order != Order::None && self.chain_count <= CHAINS_MAX => {
                self.clocks(causes, &mut pairs, steps)
            }
            _ => self.led(causes, &mut pairs, steps),
        };
        match enough || pairs.contradiction {
            true => self.settle(base, order, pairs),
            false => Saturated::Unknown,
        }
    }

    /// What pairs of versions come to that every order has with which the level holds.
    fn settle(&self, base: Base, order: Order, pairs: Pairs<'_, 'h>) -> Saturated {
        if pairs.contradiction {
            return Saturated::Fails;
        }
        let mut pairs = pairs.all;
        pairs.sort_unstable();
        pairs.dedup();
        let depends = match base {
            Base::ReadUncommitted => WW,
            _ => DEPENDS,
        };
        let kinds = depends | kinds_of(order) | PASS;
        let mut edges: Vec<Edge> = self.graph.edges(kinds).collect();
        edges.extend(pairs.iter().filter_map(|pair| follows(self.facts, *pair)));
        let with = Graph::new(self.graph.nodes(), self.graph.txns, &edges);
        drop(edges);
        match with.components(kinds).is_empty() {
            true => Saturated::Holds(pairs),
            false => Saturated::Fails,
        }
    }

    /// What a transaction observed, in the order of its steps.
    fn seen(&self, txn: u32) -> Vec<&'s Touch> {
        let facts = self.facts;
        let selected = facts.selected.of(txn).iter();
        let mut seen: Vec<&Touch> = facts.reads.of(txn).iter().chain(selected).collect();
        seen.sort_by_key(|touch| touch.step);
        seen
    }

    /// Who was read from is seen, by all reads or by those that come later alone. Cost: of each
    /// transaction and each that it read from, what the one wrote or the other read, whichever is
    /// less.
    fn direct(&self, later: bool, pairs: &mut Pairs<'_, 'h>) {
        let facts = self.facts;
        let wrote = ByKey::of(facts);
        for txn in 0..self.all.len() {
            let seen = self.seen(txn);
            let key = |read: &Touch| facts.key[read.version as usize];
            let mut reads: Vec<(u32, &Touch)> = seen.iter().map(|r| (key(r), *r)).collect();
            reads.sort_by_key(|(key, _)| *key);
            // Of several reads of an object, each sees the one before it.
            for pair in reads.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
                let (first, second) = (pair[0].1.version, pair[1].1.version);
                if later && facts.writer[first as usize] != NONE {
                    pairs.add(first, second, txn);
                }
            }
            let mut sources: Vec<(u32, u32)> = Vec::new();
            for from in &seen {
                let source = facts.writer[from.version as usize];
                if source != NONE && source != txn {
                    sources.push((source, if later { from.step + 1 } else { 0 }));
                }
            }
            sources.sort_unstable();
            sources.dedup_by_key(|(source, _)| *source);
            for (source, step) in sources {
                met(wrote.by(source), &reads, |version, of_key| {
                    // What predicates selected need not be what else was read.
                    let most = if later { 1 } else { usize::MAX };
                    let reads = of_key.iter().filter(|(_, read)| read.step >= step);
                    for (_, read) in reads.take(most) {
                        pairs.add(version, read.version, txn);
                    }
                });
            }
        }
    }

    /// Who came before by sessions or by real time is seen.
    fn ordered(&self, order: Order, pairs: &mut Pairs<'_, 'h>, steps: &mut Steps) -> bool {
        if order == Order::None {
            return true;
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
                    for (_, _, other) in self.ended_before(key, from_ts) {
                        if !steps.take(1) {
                            return false;
                        }
                        pairs.add(*other, read.version, txn);
                    }
                }
            }
        }
        true
    }

    /// The last of those that had ended at a time: none ended before another of them began.
    fn ended_before(&self, key: usize, from_ts: u64) -> &[(u64, u64, u32)] {
        let ended = &self.ended[key];
        let ended = &ended[..ended.partition_point(|(to, ..)| *to < from_ts)];
        let latest = ended.last().map_or(0, |(_, from, _)| *from);
        &ended[ended.partition_point(|(to, ..)| *to < latest)..]
    }

    /// When a node has its turn in an order, where it is free.
    fn rank(&self, node: u32) -> u64 {
        match self.graph.is_txn(node) {
            true => u64::from(node),
            false => 0,
        }
    }

    /// As [`Self::led`], by clocks, which tell of each chain how far it is seen.
    fn clocks(&self, kinds: Kinds, pairs: &mut Pairs<'_, 'h>, steps: &mut Steps) -> bool {
        let Some(sorted) = self.graph.topological(kinds, |node| self.rank(node)) else {
            return false;
        };
        let (chains, mut spent) = (self.chain_count as usize, 0);
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
            let arcs = self.graph.out(node).iter();
            for arc in arcs.filter(|arc| arc.kind & kinds != 0) {
                spent += chains as u64 / 2 + 4;
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
        steps.take(spent / 64)
    }

    /// What the reads of a transaction say that sees so far of every chain.
    fn told(&self, txn: u32, clock: &[u32], pairs: &mut Pairs<'_, 'h>) {
        for read in self.seen(txn) {
            let key = self.facts.key[read.version as usize] as usize;
            let (writers, ends) = (&self.writers[key], &self.ends[key]);
            let mut begin = 0;
            for end in ends {
                let of_chain = &writers[begin..*end as usize];
                begin = *end as usize;
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

impl<'f, 'h> Pairs<'f, 'h> {
    fn of(facts: &'f Facts<'h>) -> Self {
        Self {
            facts,
            all: Vec::new(),
            contradiction: false,
        }
    }

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

/// The writes of each transaction, by object.
struct ByKey {
    all: Vec<(u32, u32)>,
    first: Vec<u32>,
}

impl ByKey {
    fn of(facts: &Facts<'_>) -> Self {
        let (mut all, mut first) = (Vec::with_capacity(facts.writes.all().len()), vec![0]);
        for txn in 0..facts.txns {
            let versions = facts.writes.of(txn).iter().map(|write| write.version);
            let begin = all.len();
            all.extend(versions.map(|version| (facts.key[version as usize], version)));
            all[begin..].sort_unstable();
            first.push(all.len() as u32);
        }
        Self { all, first }
    }

    /// The objects and versions that a transaction wrote.
    fn by(&self, txn: u32) -> &[(u32, u32)] {
        let (from, to) = (self.first[txn as usize], self.first[txn as usize + 1]);
        &self.all[from as usize..to as usize]
    }
}

/// Calls for each version that was written of an object that was read, with the reads of it. Both
/// are by object; the fewer are looked up among the others.
fn met<'r, 't>(
    writes: &[(u32, u32)],
    reads: &'r [(u32, &'t Touch)],
    mut each: impl FnMut(u32, &'r [(u32, &'t Touch)]),
) {
    if writes.len() < reads.len() {
        for (key, version) in writes {
            let begin = reads.partition_point(|(of, _)| of < key);
            let count = reads[begin..].partition_point(|(of, _)| of == key);
            each(*version, &reads[begin..begin + count]);
        }
        return;
    }
    for of_key in reads.chunk_by(|a, b| a.0 == b.0) {
        let key = of_key[0].0;
        let begin = writes.partition_point(|(of, _)| *of < key);
        let of = writes[begin..].iter().take_while(|(of, _)| *of == key);
        of.for_each(|(_, version)| each(*version, of_key));
    }
}

/// The write dependency of a pair of versions, if others wrote them.
fn follows(facts: &Facts<'_>, (first, second): Pair) -> Option<Edge> {
    let writer = |version: u32| facts.writer[version as usize];
    let edge = Edge {
        from: writer(first),
        to: writer(second),
        kind: WW,
        why: second,
    };
    (edge.from != NONE && edge.to != NONE && edge.from != edge.to).then_some(edge)
}

/// The most edges of what is missed that are added to a graph.
const EDGES_MAX: usize = 8_000_000;

/// A graph with the write dependencies of some pairs of versions, and with what those who read the
/// first of a pair miss, as far as there is room: enough for a guess.
pub(super) fn with(graph: &Graph, facts: &Facts<'_>, pairs: &[Pair]) -> Graph {
    let mut edges: Vec<Edge> = graph.edges(Kinds::MAX).collect();
    edges.extend(pairs.iter().filter_map(|pair| follows(facts, *pair)));
    let mut readers: Vec<(u32, u32)> = facts
        .reads
        .all()
        .iter()
        .map(|r| (r.version, r.txn))
        .collect();
    readers.sort_unstable();
    let end = edges.len() + EDGES_MAX;
    for (first, second) in pairs {
        let from = readers.partition_point(|(version, _)| version < first);
        let of = readers[from..].iter();
        let of = of.take_while(|(version, _)| version == first);
        let to = facts.writer[*second as usize];
        let missed = of.filter(|(_, reader)| to != NONE && *reader != to);
        edges.extend(
            missed
                .take(end.saturating_sub(edges.len()))
                .map(|(_, from)| Edge {
                    from: *from,
                    to,
                    kind: RW,
                    why: *second,
                }),
        );
    }
    Graph::new(graph.nodes(), graph.txns, &edges)
}
