//! A history judged at every level.

use std::collections::BTreeMap;

use serde::Serialize;

use super::anomaly::{Kind, Name};
use super::cycles;
use super::decide::{Cycle, Decider, Decision};
use super::edges;
use super::explain::because;
use super::facts::Facts;
use super::graph::{DEPENDS, Kinds, MISSES, PROCESS, PRW, PWR, Part, REALTIME, RW, WR, WW};
use super::levels::{Base, Level, Order, strongest, weakest};
use super::search::{Found, Ordered, Search, settled};
use super::transactions::Transactions;
use crate::history::History;
use crate::report::Budget;
use crate::value::Value;

/// What transactions do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// They read lists and add distinct elements to them.
    ListAppend,
    /// They read registers and set them to distinct values.
    RwRegister,
}

impl Workload {
    /// All.
    pub const ALL: [Workload; 2] = [Workload::ListAppend, Workload::RwRegister];

    /// The name: `list-append`, `rw-register`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Workload::ListAppend => "list-append",
            Workload::RwRegister => "rw-register",
        }
    }
}

/// What is said of a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The history satisfies it.
    Holds,
    /// It does not.
    Fails {
        /// Which of the anomalies shows it.
        anomaly: usize,
    },
    /// It was not decided.
    Unknown {
        /// What stopped it.
        why: String,
    },
}

/// One transaction comes before another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The `op_id` of the first.
    pub from: u64,
    /// The `op_id` of the second.
    pub to: u64,
    /// `ww`, `wr`, `rw`, `process`, `realtime`; with a `p` before it, of a predicate.
    pub kind: String,
    /// The object, unless an order is what links them.
    pub key: Option<Value>,
    /// Of `wr` the value that was read, of `ww` and `rw` the later one.
    pub value: Option<Value>,
    /// Why, as a sentence.
    pub because: String,
}

/// An anomaly, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// `G0`, `G-single-realtime`, `lost-update`, ...
    pub name: String,
    /// What is wrong, as sentences.
    pub message: String,
    /// The object, of one that is no cycle.
    pub key: Option<Value>,
    /// Ids of the operations that prove it, of a cycle in its order.
    pub ops: Vec<u64>,
    /// The cycle; empty for what is none.
    pub cycle: Vec<Link>,
}

/// What a history comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Analysis {
    /// The gravest first, with the weaker order before the stronger.
    pub anomalies: Vec<Anomaly>,
    /// How many of each name were found; of those that are no cycles, how many there are.
    pub counts: BTreeMap<String, u64>,
    /// Every level.
    pub levels: Vec<(Level, Verdict)>,
    /// The strongest levels that hold.
    pub holds: Vec<Level>,
    /// The weakest that do not.
    pub fails: Vec<Level>,
    /// Transactions that took part.
    pub transactions: u64,
    /// What was taken for granted beside the history, if anything.
    pub assumptions: Vec<String>,
}

impl Analysis {
    /// What is said of a level.
    #[must_use]
    pub fn verdict(&self, level: Level) -> &Verdict {
        let mut levels = self.levels.iter();
        let found = levels.find(|(of, _)| *of == level);
        &found.expect("every level has a verdict").1
    }
}

/// Judges a history at every level.
///
/// Deterministic. Cost: n log n in the transactions and their steps when it is serializable in
/// real time; else what the budget's steps allow beyond that, past which levels are
/// [`Verdict::Unknown`]. Memory: some 200 bytes a transaction and 30 a dependency.
///
/// # Errors
/// The field that the history lacks.
pub fn analyze(history: &History, workload: Workload, budget: &Budget) -> Result<Analysis, String> {
    let all = Transactions::of(history)?;
    let mut facts = match workload {
        Workload::ListAppend => super::append::facts(&all)?,
        Workload::RwRegister => super::register::facts(&all, &Value::Null)?,
    };
    let mut plain = std::mem::take(&mut facts.plain);
    super::updates::lost(&all, &facts, &mut plain);
    facts.plain = plain;
    let judged = Judged::of(&all, &facts, budget);
    Ok(judged.told(&all, &facts))
}

/// What is known of a level while they are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Open,
    Holds,
    /// By an anomaly that is no cycle, by its place.
    Plain(usize),
    /// By a cycle, by its place.
    Cycle(usize),
    Unknown,
}

struct Judged {
    levels: Vec<(Level, Known)>,
    cycles: Vec<Cycle>,
    /// Cycles that were found for their own sake, with the names they have beyond their shapes.
    named: Vec<(Name, usize)>,
    /// Cycles of one order of the versions that are not in order, where every order has one that
    /// breaks the level after which this is called.
    guessed: BTreeMap<usize, Name>,
}

/// Levels in the order in which they are decided: those on which others rest, then the strongest.
const SEQUENCE: [Base; 17] = [
    Base::ReadUncommitted,
    Base::ReadCommitted,
    Base::Serializable,
    Base::SnapshotIsolation,
    Base::ForwardConsistentView,
    Base::ConsistentView,
    Base::ParallelSnapshotIsolation,
    Base::Prefix,
    Base::UpdateSerializable,
    Base::RepeatableRead,
    Base::Causal,
    Base::UpdateAtomic,
    Base::ReadAtomic,
    Base::MonotonicSnapshotRead,
    Base::MonotonicView,
    Base::MonotonicAtomicView,
    Base::CursorStability,
];

impl Judged {
    fn of(all: &Transactions<'_>, facts: &Facts<'_>, budget: &Budget) -> Self {
        let mut judged = Self {
            levels: Level::all().map(|level| (level, Known::Open)).collect(),
            cycles: Vec::new(),
            named: Vec::new(),
            guessed: BTreeMap::new(),
        };
        for (place, plain) in facts.plain.told.iter().enumerate() {
            for base in plain.kind.proscribed_by() {
                let level = Level {
                    base: *base,
                    order: Order::None,
                };
                judged.fail(level, &Known::Plain(place));
            }
        }
        let graph = edges::graph(all, facts);
        let components = graph.components(Kinds::MAX);
        // With no cycle there is a serial order, which orders what was not read, too.
        let settled = facts.is_total() || facts.loose_is_unread();
        if components.is_empty() && settled {
            judged.hold(Level::STRICT_SERIALIZABLE);
            return judged;
        }
        let part = Part::of(&graph, &components);
        judged.decide(facts, &part, budget.steps_max, facts.is_total());
        if !facts.is_total() {
            judged.orders(all, facts, &graph, budget.steps_max);
        }
        if !components.is_empty() {
            judged.search(facts, &part, budget.steps_max / 10);
        }
        judged
    }

    /// Tries orders of the versions whose order is not known, for levels that are still open.
    fn orders(
        &mut self,
        all: &Transactions<'_>,
        facts: &Facts<'_>,
        graph: &super::graph::Graph,
        steps: u64,
    ) {
        let mut search = Search::new(all, facts, graph, steps);
        // By what is seen of real time; without who missed what; without real time.
        let guesses = [
            Kinds::MAX,
            DEPENDS | PROCESS | REALTIME,
            DEPENDS | MISSES,
            DEPENDS,
        ];
        let (mut best, mut most) = (0, 0);
        for kinds in guesses {
            if !search.rank(graph, kinds) {
                continue;
            }
            let Some(guess) = search.ordered(&[]) else {
                return;
            };
            let open = self.open();
            self.try_order(&guess, steps);
            let gained = open - self.open() + 1;
            if self.open() == 0 {
                return;
            }
            if gained > most {
                (best, most) = (kinds, gained);
            }
        }
        search.rank(graph, best);
        let levels = Order::ALL.into_iter();
        let levels = levels.flat_map(|order| Base::ALL.map(|base| Level { base, order }));
        for level in levels {
            if *self.known(level) != Known::Open {
                continue;
            }
            match search.level(level) {
                (Found::Holds, order) => {
                    self.hold(level);
                    if let Some(order) = order {
                        self.try_order(&order, steps);
                    }
                }
                (Found::Unknown, _) => *self.known(level) = Known::Unknown,
                (Found::Fails(cycle), _) => {
                    self.cycles.push(cycle);
                    let place = self.cycles.len() - 1;
                    self.guessed.insert(place, essence(level));
                    self.fail(level, &Known::Cycle(place));
                }
            }
        }
    }

    /// How many levels are open.
    fn open(&self) -> usize {
        let open = self
            .levels
            .iter()
            .filter(|(_, known)| *known == Known::Open);
        open.count()
    }

    /// Every level that an order of versions satisfies holds.
    fn try_order(&mut self, order: &Ordered<'_>, steps: u64) {
        let mut decider = Decider::new(&order.facts, &order.part, steps);
        for order in Order::ALL.into_iter().rev() {
            for base in SEQUENCE {
                let level = Level { base, order };
                if *self.known(level) == Known::Open
                    && settled(&mut decider, level) == Decision::Holds
                {
                    self.hold(level);
                }
            }
        }
    }

    fn known(&mut self, level: Level) -> &mut Known {
        let mut levels = self.levels.iter_mut();
        let found = levels.find(|(of, _)| *of == level);
        &mut found.expect("every level is known").1
    }

    /// A level holds, and what it implies.
    fn hold(&mut self, level: Level) {
        for (other, known) in &mut self.levels {
            if *known == Known::Open && level.implies(*other) {
                *known = Known::Holds;
            }
        }
    }

    /// A level fails, and what implies it.
    fn fail(&mut self, level: Level, how: &Known) {
        for (other, known) in &mut self.levels {
            if *known == Known::Open && other.implies(level) {
                *known = how.clone();
            }
        }
    }

    /// Decides levels by what is certain; that no cycle breaks one shows that it holds when the
    /// order of all versions is known.
    fn decide(&mut self, facts: &Facts<'_>, part: &Part, steps: u64, total: bool) {
        let mut decider = Decider::new(facts, part, steps);
        for order in Order::ALL {
            for base in SEQUENCE {
                let level = Level { base, order };
                if *self.known(level) != Known::Open {
                    continue;
                }
                match decider.decide(level) {
                    Decision::Holds if total => self.hold(level),
                    Decision::Holds => {}
                    Decision::Unknown => *self.known(level) = Known::Unknown,
                    Decision::Fails(cycles) => {
                        let first = cycles.into_iter().next();
                        let place = self.cycle(first.expect("a failure has a cycle"));
                        self.fail(level, &Known::Cycle(place));
                        self.named.extend(special(level).map(|name| (name, place)));
                    }
                }
            }
        }
    }

    /// Keeps a cycle, once.
    fn cycle(&mut self, cycle: Cycle) -> usize {
        let turned = |first: &Cycle| {
            let start = first.iter().position(|edge| *edge == cycle[0]);
            start.is_some_and(|start| {
                let (before, after) = first.split_at(start);
                first.len() == cycle.len() && after.iter().chain(before).eq(&cycle)
            })
        };
        if let Some(place) = self.cycles.iter().position(turned) {
            return place;
        }
        self.cycles.push(cycle);
        self.cycles.len() - 1
    }

    fn search(&mut self, facts: &Facts<'_>, part: &Part, steps: u64) {
        let decider = Decider::new(facts, part, 0);
        let components = part.graph.components(Kinds::MAX);
        let each = (steps / components.len() as u64 / 15).clamp(100, 50_000);
        for component in components.iter().take(COMPONENTS_MAX) {
            for cycle in cycles::search(&part.graph, component, each) {
                let cycle = decider.outside(&cycle);
                if self.cycles.len() < CYCLES_MAX {
                    self.cycle(cycle);
                }
            }
        }
    }
}

/// In how many components cycles are looked for by name.
const COMPONENTS_MAX: usize = 1_000;
/// How many cycles are kept.
const CYCLES_MAX: usize = 2_000;
/// How many anomalies of a name are told.
const TOLD_MAX: u64 = 4;

/// What breaks a level is called by a name of its own.
fn special(level: Level) -> Option<Name> {
    let kind = match level.base {
        Base::MonotonicView => Kind::GMonotonic,
        Base::MonotonicSnapshotRead => Kind::GMsr,
        Base::UpdateSerializable => Kind::GUpdate,
        Base::CursorStability => Kind::GCursor,
        _ => return None,
    };
    let order = level.order;
    Some(Name { order, kind })
}

/// What breaks a level, by its definition.
fn essence(level: Level) -> Name {
    let kind = match level.base {
        Base::ReadUncommitted => Kind::G0,
        Base::ReadCommitted => Kind::G1c,
        Base::CursorStability => Kind::GCursor,
        Base::MonotonicAtomicView | Base::ReadAtomic if level.order == Order::None => {
            Kind::FracturedRead
        }
        Base::MonotonicView => Kind::GMonotonic,
        Base::MonotonicSnapshotRead => Kind::GMsr,
        Base::UpdateAtomic if level.order == Order::None => Kind::LostUpdate,
        Base::Prefix | Base::SnapshotIsolation => Kind::GNonadjacent,
        Base::UpdateSerializable => Kind::GUpdate,
        Base::RepeatableRead => Kind::G2Item,
        Base::Serializable => Kind::G2,
        _ => Kind::GSingle,
    };
    let order = level.order;
    Name { order, kind }
}

/// The name of a kind of edge.
fn kind_name(kind: Kinds) -> &'static str {
    match kind {
        WW => "ww",
        WR => "wr",
        RW => "rw",
        PWR => "pwr",
        PRW => "prw",
        PROCESS => "process",
        REALTIME => "realtime",
        _ => "other",
    }
}

impl Judged {
    fn told(&self, all: &Transactions<'_>, facts: &Facts<'_>) -> Analysis {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (kind, count) in &facts.plain.counts {
            counts.insert(kind.name().to_owned(), *count);
        }
        // What proves each: a cycle, or what is none.
        let mut proofs: Vec<(Name, Known)> = Vec::new();
        for (place, plain) in facts.plain.told.iter().enumerate() {
            let (order, kind) = (Order::None, plain.kind);
            proofs.push((Name { order, kind }, Known::Plain(place)));
        }
        let mut named: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
        let key_of = |version: u32| facts.key.get(version as usize).copied().unwrap_or(version);
        let of_cycles = self.cycles.iter().enumerate();
        let of_cycles = of_cycles.filter(|(place, _)| !self.guessed.contains_key(place));
        let of_cycles = of_cycles.flat_map(|(place, cycle)| {
            cycles::names(cycle, key_of)
                .into_iter()
                .map(move |name| (name, place))
        });
        let guessed = self.guessed.iter().map(|(place, name)| (*name, *place));
        for (name, place) in self.named.iter().copied().chain(guessed).chain(of_cycles) {
            let places = named.entry(name).or_default();
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let needed = |place: usize| self.levels.iter().any(|(_, k)| *k == Known::Cycle(place));
        for (name, mut places) in named {
            counts.insert(name.to_string(), places.len() as u64);
            places.sort_by_key(|place| (self.cycles[*place].len(), *place));
            for (at, place) in (0..).zip(places) {
                if at < TOLD_MAX || needed(place) {
                    proofs.push((name, Known::Cycle(place)));
                }
            }
        }
        proofs.sort_by_key(|(name, _)| *name);
        let place_of = |known: &Known| proofs.iter().position(|(_, proof)| proof == known);
        let levels = self.levels.iter().map(|(level, known)| {
            let verdict = match known {
                Known::Holds if facts.untold > 0 => Verdict::Unknown {
                    why: format!(
                        "{} writes are of values that others wrote as well",
                        facts.untold
                    ),
                },
                Known::Holds => Verdict::Holds,
                Known::Plain(_) | Known::Cycle(_) => Verdict::Fails {
                    anomaly: place_of(known).unwrap_or(0),
                },
                Known::Open | Known::Unknown => Verdict::Unknown {
                    why: "the steps of the budget did not suffice".to_owned(),
                },
            };
            (*level, verdict)
        });
        let levels: Vec<(Level, Verdict)> = levels.collect();
        let those = |holds: bool| -> Vec<Level> {
            let wanted = levels.iter().filter(|(_, verdict)| match verdict {
                Verdict::Holds => holds,
                Verdict::Fails { .. } => !holds,
                Verdict::Unknown { .. } => false,
            });
            wanted.map(|(level, _)| *level).collect()
        };
        let taking_part = facts.takes_part.iter().filter(|part| **part).count();
        Analysis {
            anomalies: proofs
                .iter()
                .map(|(name, proof)| self.anomaly(all, facts, *name, proof))
                .collect(),
            counts,
            holds: strongest(&those(true)),
            fails: weakest(&those(false)),
            levels,
            transactions: taking_part as u64,
            assumptions: Vec::new(),
        }
    }

    fn anomaly(
        &self,
        all: &Transactions<'_>,
        facts: &Facts<'_>,
        name: Name,
        proof: &Known,
    ) -> Anomaly {
        let id = |txn: u32| all.op(txn).op_id;
        match proof {
            Known::Plain(place) => {
                let plain = &facts.plain.told[*place];
                let ops = plain.txns.iter().filter(|txn| **txn < all.len());
                Anomaly {
                    name: name.to_string(),
                    message: plain.message.clone(),
                    key: plain.key.cloned(),
                    ops: ops.map(|txn| id(*txn)).collect(),
                    cycle: Vec::new(),
                }
            }
            Known::Cycle(place) => {
                let cycle = &self.cycles[*place];
                let links = self.links(all, facts, cycle);
                Anomaly {
                    name: name.to_string(),
                    message: match self.guessed.contains_key(place) {
                        true => format!(
                            "every order of the versions that were not read has a cycle; in one \
                             of them, {}",
                            sentence(&links)
                        ),
                        false => sentence(&links),
                    },
                    key: None,
                    ops: cycle.iter().map(|edge| id(edge.from)).collect(),
                    cycle: links,
                }
            }
            _ => unreachable!("only failures have proofs"),
        }
    }

    fn links(&self, all: &Transactions<'_>, facts: &Facts<'_>, cycle: &Cycle) -> Vec<Link> {
        let count = cycle.len();
        let named = |at: usize| format!("T{}", at % count + 1);
        let link = |(at, edge): (usize, &super::graph::Edge)| {
            let (from, to) = (named(at), named(at + 1));
            let version = facts.key.get(edge.why as usize).map(|key| (*key, edge.why));
            Link {
                from: all.op(edge.from).op_id,
                to: all.op(edge.to).op_id,
                kind: kind_name(edge.kind).to_owned(),
                key: version.map(|(key, _)| all.keys[key as usize].clone()),
                value: version.map(|(_, version)| facts.value[version as usize].clone()),
                because: because(all, facts, edge, (&from, &to)),
            }
        };
        cycle.iter().enumerate().map(link).collect()
    }
}

/// A cycle as sentences.
fn sentence(links: &[Link]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("let");
    for (at, link) in links.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(text, "{comma} T{} = #{}", at + 1, link.from);
    }
    for (at, link) in links.iter().enumerate() {
        let last = at + 1 == links.len();
        let next = if last { 1 } else { at + 2 };
        let however = if last { "; however, " } else { "; " };
        let _ = write!(
            text,
            "{however}T{} < T{next}, because {}",
            at + 1,
            link.because
        );
    }
    text.push_str(": a contradiction");
    text
}
