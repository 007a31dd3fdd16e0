//! Levels while they are judged: by what is certain, then by orders of versions.

mod alike;

use std::collections::BTreeMap;

use super::anomaly::{Kind, Name};
use super::cycles;
use super::decide::{Cycle, Decider, Decision, kinds_of};
use super::edges;
use super::facts::Facts;
use super::graph::{DEPENDS, Graph, Kinds, MISSES, PROCESS, Part, REALTIME, WW};
use super::levels::{Base, Level, Order};
use super::paths::Steps;
use super::polygraph::{self, Polygraph, Shape, Solved};
use super::saturate::{self, DECIDED, Pair, Saturated, Saturation};
use super::search::{Found, Ordered, Search, settled};
use super::transactions::Transactions;
use crate::report::Budget;
use alike::{stronger, with_weaker, without_starts};

/// What is known of a level while they are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Open,
    Holds,
    /// By an anomaly that is no cycle, by its place.
    Plain(usize),
    /// By a cycle, by its place.
    Cycle(usize),
    Unknown,
    /// It was not asked for.
    Skipped,
}

pub(super) struct Judged {
    pub(super) levels: Vec<(Level, Known)>,
    pub(super) cycles: Vec<Cycle>,
    /// Cycles that were found for their own sake, with the names they have beyond their shapes.
    pub(super) named: Vec<(Name, usize)>,
    /// Cycles of one order of the versions that are not in order, where every order has one that
    /// breaks the level after which this is called.
    pub(super) guessed: BTreeMap<usize, Name>,
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

/// In which sequence levels are tried of an order of versions: the strongest, then what tells the
/// most of others.
const TRIED: [Base; 17] = [
    Base::Serializable,
    Base::ReadUncommitted,
    Base::ReadCommitted,
    Base::CursorStability,
    Base::MonotonicAtomicView,
    Base::ReadAtomic,
    Base::ForwardConsistentView,
    Base::ConsistentView,
    Base::SnapshotIsolation,
    Base::Prefix,
    Base::ParallelSnapshotIsolation,
    Base::UpdateSerializable,
    Base::RepeatableRead,
    Base::Causal,
    Base::UpdateAtomic,
    Base::MonotonicSnapshotRead,
    Base::MonotonicView,
];

impl Judged {
    /// Judges some levels, those that they imply and those that may decide them; all, if none is
    /// named.
    pub(super) fn of(
        all: &Transactions<'_>,
        facts: &Facts<'_>,
        asked: &[Level],
        budget: &Budget,
    ) -> Self {
        let asked: &[Level] = &asked
            .iter()
            .flat_map(|level| with_weaker(*level))
            .collect::<Vec<_>>();
        let open = |level: Level| {
            let below = asked.iter().any(|asked| asked.implies(level));
            match asked.is_empty() || below {
                true => (level, Known::Open),
                false => (level, Known::Skipped),
            }
        };
        let mut judged = Self {
            levels: Level::all().map(open).collect(),
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
        if !components.is_empty() && asked.is_empty() {
            judged.search(facts, &part, budget.steps_max / 10);
        }
        judged
    }

    /// Whether a level holds.
    pub(super) fn holds(&self, level: Level) -> bool {
        self.levels.contains(&(level, Known::Holds))
    }

    /// Tries orders of the versions whose order is not known, for levels that are still open.
    fn orders(&mut self, all: &Transactions<'_>, facts: &Facts<'_>, graph: &Graph, steps: u64) {
        if self.open() == 0 {
            return;
        }
        let mut search = Search::new(all, facts, graph, steps);
        let mut open = self.levels.iter().filter(|(_, k)| *k == Known::Open);
        if open.all(|(level, _)| DECIDED.contains(&level.base)) {
            self.saturate(all, facts, graph, &mut search, (steps, false));
            return;
        }
        // If all is well, the order in which they ended is one that shows it.
        if search.rank(graph, Kinds::MAX)
            && let Some(guess) = search.ordered(&[])
        {
            self.try_order(&guess, steps);
            if self.open() == 0 {
                return;
            }
        }
        let fixed = self.saturate(all, facts, graph, &mut search, (steps, true));
        if self.open() == 0 {
            return;
        }
        self.polygraphs(all, facts, graph, &mut search, steps);
        if self.open() == 0 {
            return;
        }
        // What every order has that is at least causal is taken into the guesses.
        let known = fixed[Order::None as usize].clone().unwrap_or_default();
        let with = saturate::with(graph, facts, &known);
        search.fixed = known;
        let mut best = 0;
        for graph in [&with, graph] {
            let ranked = self.guess(&mut search, graph, steps);
            if self.open() == 0 {
                return;
            }
            if let Some(kinds) = ranked {
                best = kinds;
                search.rank(graph, best);
                break;
            }
            search.fixed = Vec::new();
        }
        if best == 0 {
            return;
        }
        let levels = Order::ALL.into_iter();
        let levels = levels.flat_map(|order| Base::ALL.map(|base| Level { base, order }));
        for level in levels {
            if *self.known(level) != Known::Open {
                continue;
            }
            let causal = |base: Base| {
                let order = level.order;
                level.implies(Level { base, order })
            };
            search.fixed = match &fixed[level.order as usize] {
                Some(pairs) if causal(Base::Causal) || causal(Base::ConsistentView) => {
                    pairs.clone()
                }
                _ => Vec::new(),
            };
            match search.level(level) {
                (Found::Holds, order) => {
                    self.hold(level);
                    if let Some(order) = order {
                        self.try_order(&order, steps);
                    }
                }
                (Found::Unknown, _) => *self.known(level) = Known::Unknown,
                (Found::Fails(refuted), _) => {
                    let cycle = refuted.shown().expect("a failure has a cycle");
                    self.guessed_cycle(level, cycle);
                }
            }
        }
    }

    /// Decides the levels that need no search; gives, by order, the pairs of versions that every
    /// order has that is causal, where there is one and they are asked for.
    fn saturate<'h>(
        &mut self,
        all: &Transactions<'h>,
        facts: &Facts<'h>,
        graph: &Graph,
        search: &mut Search<'_, 'h>,
        (steps, pairs): (u64, bool),
    ) -> [Option<Vec<Pair>>; 3] {
        let saturation = Saturation::new(all, facts, graph);
        let mut fixed = [None, None, None];
        let mut refuted: Vec<Level> = Vec::new();
        for order in Order::ALL.into_iter().rev() {
            for base in DECIDED {
                let level = Level { base, order };
                let known = self.known(level).clone();
                let seeds = pairs && known == Known::Holds && base == Base::Causal;
                if known != Known::Open && !seeds {
                    continue;
                }
                match saturation.decide(base, order, &mut Steps(steps)) {
                    Saturated::Holds(pairs) => {
                        self.hold(level);
                        if base == Base::Causal {
                            fixed[order as usize] = Some(pairs);
                        }
                    }
                    Saturated::Fails => {
                        refuted.push(level);
                        if base == Base::Causal {
                            refuted.extend(stronger(facts, level));
                        }
                    }
                    Saturated::Unknown => {}
                }
            }
        }
        self.refute(refuted, graph, search, steps);
        fixed
    }

    /// Decides the levels that ask for an order of all transactions, or of starts and commits.
    fn polygraphs<'h>(
        &mut self,
        all: &Transactions<'h>,
        facts: &Facts<'h>,
        graph: &Graph,
        search: &mut Search<'_, 'h>,
        steps: u64,
    ) {
        let (mut refuted, mut left): (Vec<Level>, u64) = (Vec::new(), steps);
        // Where old states are read, those who write often keep to real time alone.
        let kinds = (Shape::Updates, kinds_of(Order::Realtime));
        if let Some(mut made) = Polygraph::new((all, facts), graph, kinds, steps / 4)
            && let Solved::Order(rank) = made.solve()
        {
            search.order_by(rank);
            if let Some(ordered) = search.ordered(&[]) {
                self.try_order(&ordered, steps);
            }
            if self.open() == 0 {
                return;
            }
        }
        for order in Order::ALL.into_iter().rev() {
            for (base, shape) in polygraph::SHAPES {
                let level = Level { base, order };
                if *self.known(level) != Known::Open || refuted.contains(&level) {
                    continue;
                }
                let kinds = (shape, kinds_of(order));
                let Some(mut made) = Polygraph::new((all, facts), graph, kinds, left) else {
                    continue;
                };
                let solved = made.solve();
                left = made.steps;
                match solved {
                    Solved::Order(rank) => {
                        search.order_by(rank);
                        if let Some(ordered) = search.ordered(&[]) {
                            self.try_order(&ordered, steps);
                        }
                    }
                    Solved::Never => {
                        refuted.push(level);
                        refuted.extend(stronger(facts, level));
                    }
                    Solved::Unknown => {}
                }
            }
        }
        self.refute(refuted, graph, search, steps);
    }

    /// Levels that no order of versions satisfies fail.
    fn refute(
        &mut self,
        mut refuted: Vec<Level>,
        graph: &Graph,
        search: &mut Search<'_, '_>,
        steps: u64,
    ) {
        // The weakest first: what shows that it fails shows it of the others.
        refuted.sort_by_key(|level| (level.order, level.base));
        for level in refuted {
            if *self.known(level) == Known::Open {
                self.witness(level, graph, search, steps);
            }
        }
    }

    /// Of a level that no order of versions satisfies, the cycle of one of them.
    fn witness(&mut self, level: Level, graph: &Graph, search: &mut Search<'_, '_>, steps: u64) {
        let order = kinds_of(level.order);
        for kinds in [DEPENDS | order, DEPENDS, WW] {
            if !search.rank(graph, kinds) {
                continue;
            }
            let Some(guess) = search.ordered(&[]) else {
                return;
            };
            let mut decider = Decider::new(&guess.facts, &guess.part, steps);
            if let Decision::Fails(cycles) = settled(&mut decider, level) {
                let shortest = cycles.into_iter().min_by_key(Vec::len);
                let cycle = guess.named(shortest.expect("a failure has a cycle"));
                self.guessed_cycle(level, cycle);
            }
            return;
        }
    }

    /// Tries likely orders of versions; gives the kinds of edges by which the best of them was
    /// made, if any was.
    fn guess(&mut self, search: &mut Search<'_, '_>, graph: &Graph, steps: u64) -> Option<Kinds> {
        let (mut best, mut most) = (None, 0);
        for kinds in GUESSES {
            if !search.rank(graph, kinds) {
                continue;
            }
            let Some(guess) = search.ordered(&[]) else {
                continue;
            };
            let open = self.open();
            self.try_order(&guess, steps);
            let gained = open - self.open() + 1;
            if self.open() == 0 {
                return Some(kinds);
            }
            if gained > most {
                (best, most) = (Some(kinds), gained);
            }
        }
        best
    }

    /// A level fails by the cycle of one order of versions, where every order has one.
    fn guessed_cycle(&mut self, level: Level, cycle: Cycle) {
        self.cycles.push(cycle);
        let place = self.cycles.len() - 1;
        self.guessed.insert(place, essence(level));
        self.fail(level, &Known::Cycle(place));
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
        // Where a level does not hold, none that implies it does.
        let mut broken: Vec<Level> = Vec::new();
        for order in Order::ALL.into_iter().rev() {
            for base in TRIED {
                let level = Level { base, order };
                let below = [Base::ReadUncommitted, Base::ReadCommitted].contains(&base);
                let open = match below {
                    // What others ask first, whether or not another order shows it.
                    true => self.opens(level),
                    false => *self.known(level) == Known::Open,
                };
                if !open || broken.iter().any(|other| level.implies(*other)) {
                    continue;
                }
                match decider.decide(level) {
                    Decision::Holds => self.hold(level),
                    Decision::Unknown if !below => {}
                    _ => broken.push(without_starts(level)),
                }
            }
        }
    }

    /// Whether a level is open that implies one.
    fn opens(&self, level: Level) -> bool {
        let mut levels = self.levels.iter();
        levels.any(|(of, known)| {
            *known == Known::Open && of.order == level.order && of.implies(level)
        })
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
                    // What else is asked of orders of versions may still decide it.
                    Decision::Unknown if !total => {}
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

/// By what orders of versions are guessed: by what is seen of real time; without who missed what;
/// without real time.
pub(super) const GUESSES: [Kinds; 4] = [
    Kinds::MAX,
    DEPENDS | PROCESS | REALTIME,
    DEPENDS | MISSES,
    DEPENDS,
];

/// In how many components cycles are looked for by name.
const COMPONENTS_MAX: usize = 1_000;
/// How many cycles are kept.
const CYCLES_MAX: usize = 2_000;

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
pub(super) fn essence(level: Level) -> Name {
    let kind = match level.base {
        Base::ReadUncommitted => Kind::G0,
        Base::ReadCommitted => Kind::G1c,
        Base::CursorStability => Kind::GCursor,
        Base::MonotonicAtomicView | Base::ReadAtomic if level.order == Order::None => {
            Kind::FracturedRead
        }
        Base::MonotonicView => Kind::GMonotonic,
        Base::MonotonicSnapshotRead => Kind::GMsr,
        Base::Prefix | Base::SnapshotIsolation => Kind::GNonadjacent,
        Base::UpdateSerializable => Kind::GUpdate,
        Base::RepeatableRead => Kind::G2Item,
        Base::Serializable => Kind::G2,
        _ => Kind::GSingle,
    };
    let order = level.order;
    Name { order, kind }
}
