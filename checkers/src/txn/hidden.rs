//! Which of several versions it was that a transaction read and did not show.
//!
//! An object that a read by a predicate does not show was read at a version that does not match;
//! one that was read as nothing, before it was made or after it was deleted. Where there are
//! several such versions, each choice of them all gives facts that are certain, which are judged
//! at every level: what holds of one of them holds, what fails of all fails. A choice may make a
//! transaction of unknown outcome take part.
//!
//! Adya has such a read depend on whoever made the object stop matching, and miss whoever made it
//! match again. Where transactions are in one order, and wherever what a read sees is told by what
//! leads to it, some choice of a version that is read as any other says the same. The version that
//! was selected comes before what its reader itself installs later: else the first of the versions
//! in a row that do not match would be the reader's own, which it had not written yet. Adya's
//! graph, of which no edge leads from a transaction to itself, would let that pass at every level,
//! serializability too, though no serial order gives such an answer. Of updates alone
//! none need: each that only reads may have its own order of them. There a read by a predicate
//! misses nothing but what matches; the choice of the first of the versions in a row that do not
//! is then what Adya says.

mod repair;
mod views;

use std::collections::BTreeMap;

use super::analysis::{Analysis, Anomaly, Verdict, Workload, extremes, facts_of};
use super::decide::kinds_of;
use super::edges;
use super::facts::Facts;
use super::graph::{DEPENDS, Kinds, MISSES, PROCESS, REALTIME};
use super::judged::Judged;
use super::levels::{Base, Level, Order};
use super::options::Options;
use super::polygraph::{Polygraph, Shape, Solved};
use super::predicate::Predicate;
use super::search::{Found as Judgement, Search};
use super::transactions::{Access, NONE, Transactions};
use crate::report::Budget;
use views::Views;

/// A transaction, its step, an object.
pub(super) type Place = (u32, u32, u32);

/// By place, the transaction whose version was read; [`NONE`] for the initial one.
pub(super) type Chosen = BTreeMap<Place, u32>;

/// What was read at one of several versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) place: Place,
    /// Whose it can be, and [`NONE`] for the initial one.
    pub(super) by: Vec<u32>,
}

/// How many choices are tried one by one, of few transactions; and of how many in all.
const WAYS_MAX: usize = 2_000;
const WORK_MAX: usize = 100_000;

/// Choices, and what is certain without them.
pub(super) struct Hidden<'s, 'h> {
    all: &'s Transactions<'h>,
    facts: &'s Facts<'h>,
    workload: Workload,
    options: &'h Options,
    budget: &'s Budget,
}

/// What is known of the levels that fail by nothing that is certain.
#[derive(Default)]
struct Found {
    holds: Vec<Level>,
    /// What fails in the first choice that was judged, with what shows it.
    fails: BTreeMap<Level, Anomaly>,
    /// What was not decided of some choice.
    unknown: Vec<Level>,
}

impl Found {
    fn holds(&self, level: Level) -> bool {
        self.holds.iter().any(|other| other.implies(level))
    }

    /// Whether a weaker level, of another name, holds in no choice.
    fn weaker(&self, level: Level) -> bool {
        let mut failing = self.fails.keys();
        failing.any(|of| {
            let known = !self.holds(*of) && !self.unknown.contains(of);
            of.base != level.base && level.implies(*of) && known
        })
    }
}

impl<'s, 'h> Hidden<'s, 'h> {
    /// `facts` are those without any choice.
    pub(super) fn of(
        all: &'s Transactions<'h>,
        facts: &'s Facts<'h>,
        (workload, options): (Workload, &'h Options),
        budget: &'s Budget,
    ) -> Self {
        Self {
            all,
            facts,
            workload,
            options,
            budget,
        }
    }

    /// What is certain with a choice.
    pub(super) fn facts(&self, chosen: &Chosen) -> Result<Facts<'h>, String> {
        facts_of(self.all, self.workload, self.options, chosen)
    }

    /// The same, where reads by predicates miss nothing but what matches.
    pub(super) fn changes(&self, chosen: &Chosen) -> Result<Facts<'h>, String> {
        let mut facts = self.facts(chosen)?;
        let asks = |place: &Place| {
            let step = &self.all.steps(place.0)[place.1 as usize];
            let asks = (step.access == Access::Predicate).then_some(step.value)?;
            Some((*place, Predicate::parse(asks)?))
        };
        facts.asks = chosen.keys().filter_map(asks).collect();
        Ok(facts)
    }

    /// Whether update serializability, which no choice satisfies as it stands, holds in one where
    /// reads by predicates miss nothing but what matches.
    fn updates(&self, ways: &[Chosen], level: Level, found: &mut Found) -> Result<(), String> {
        found.unknown.retain(|other| *other != level);
        for chosen in ways {
            let facts = self.changes(chosen)?;
            if facts.plain.breaks(level) {
                continue;
            }
            let graph = edges::graph(self.all, &facts);
            let mut search = Search::new(self.all, &facts, &graph, self.budget.steps_max);
            search.rank(&graph, DEPENDS);
            match search.level(level).0 {
                Judgement::Holds if facts.open.is_empty() && facts.untold == 0 => {
                    found.holds.push(level);
                    return Ok(());
                }
                Judgement::Fails(_) => {}
                _ => found.unknown.push(level),
            }
        }
        Ok(())
    }

    /// Judges every choice, if they are few, else likely ones. `told` is what is said without
    /// them: what fails in it fails.
    ///
    /// # Errors
    /// The field that a row lacks; none does that could be read so far.
    pub(super) fn judge(&self, told: Analysis) -> Result<Analysis, String> {
        let held =
            |(level, verdict): &(Level, Verdict)| (*verdict == Verdict::Holds).then_some(*level);
        let open: Vec<Level> = told.levels.iter().filter_map(held).collect();
        let mut found = Found::default();
        if open.is_empty() {
            return Ok(told);
        }
        for chosen in self.likely() {
            self.add(&chosen, &open, &mut found)?;
            if open.iter().all(|level| found.holds(*level)) {
                break;
            }
        }
        let ways = self.ways();
        for chosen in ways.iter().flatten() {
            if open.iter().all(|level| found.holds(*level)) {
                break;
            }
            self.add(chosen, &open, &mut found)?;
        }
        for level in open.iter().filter(|_| ways.is_none()) {
            if !found.holds(*level)
                && let Some(chosen) = self.repaired(*level)?
            {
                self.add(&chosen, &open, &mut found)?;
            }
        }
        if let Some(ways) = &ways {
            let updates = |level: &&Level| {
                let weaker = found.weaker(**level);
                level.base == Base::UpdateSerializable && !found.holds(**level) && !weaker
            };
            let updates: Vec<Level> = open.iter().filter(updates).copied().collect();
            for level in updates {
                self.updates(ways, level, &mut found)?;
            }
        }
        Ok(self.told(told, &open, found, ways.is_some()))
    }

    /// Judges a choice at the levels that are open.
    fn add(&self, chosen: &Chosen, open: &[Level], found: &mut Found) -> Result<(), String> {
        let facts = self.facts(chosen)?;
        let left = open.iter().copied().filter(|level| !found.holds(*level));
        let left: Vec<Level> = left.collect();
        let told = Judged::of(self.all, &facts, &left, self.budget).told(self.all, &facts);
        for (level, verdict) in &told.levels {
            match verdict {
                _ if !left.contains(level) => {}
                Verdict::Holds if facts.open.is_empty() => found.holds.push(*level),
                Verdict::Fails { anomaly } => {
                    let anomaly = || told.anomalies[*anomaly].clone();
                    found.fails.entry(*level).or_insert_with(anomaly);
                }
                _ => found.unknown.push(*level),
            }
        }
        Ok(())
    }

    /// The answer; `all` says whether every choice was judged.
    fn told(&self, mut told: Analysis, open: &[Level], found: Found, all: bool) -> Analysis {
        for (level, verdict) in &mut told.levels {
            if !open.contains(level) || found.holds(*level) {
                continue;
            }
            let fails = all && !found.unknown.contains(level);
            *verdict = match found.fails.get(level).filter(|_| fails) {
                Some(anomaly) => Verdict::Fails {
                    anomaly: kept(&mut told.anomalies, &mut told.counts, anomaly),
                },
                None => Verdict::Unknown {
                    why: format!(
                        "{} objects that reads did not show can have been hidden by one of \
                         several versions, and no choice of them that was tried satisfies it",
                        self.facts.open.len()
                    ),
                },
            };
        }
        (told.holds, told.fails) = extremes(&told.levels);
        told
    }

    /// Every choice, if they are few.
    pub(super) fn ways(&self) -> Option<Vec<Chosen>> {
        let most = WAYS_MAX.min(WORK_MAX / self.all.txns.len().max(1));
        let mut ways = vec![Chosen::new()];
        for open in &self.facts.open {
            if ways.len() * open.by.len() > most {
                return None;
            }
            let longer = |way: &Chosen| {
                let one = |by: &u32| {
                    let mut way = way.clone();
                    way.insert(open.place, *by);
                    way
                };
                open.by.iter().map(one).collect::<Vec<_>>()
            };
            ways = ways.iter().flat_map(longer).collect();
        }
        Some(ways)
    }

    /// Choices that follow from likely orders of transactions.
    pub(super) fn likely(&self) -> Vec<Chosen> {
        let graph = edges::graph(self.all, self.facts);
        let steps = self.budget.steps_max;
        let mut likely: Vec<Chosen> = vec![self.by_time()];
        let mut add = |chosen: Chosen| {
            if !likely.contains(&chosen) {
                likely.push(chosen);
            }
        };
        for order in Order::ALL.into_iter().rev() {
            let kinds = (Shape::Serial, kinds_of(order));
            let made = Polygraph::new((self.all, self.facts), &graph, kinds, steps);
            if let Some(Solved::Order(rank)) = made.map(|mut made| made.solve()) {
                add(self.by_rank(&rank));
            }
        }
        let mut search = Search::new(self.all, self.facts, &graph, steps);
        let by_time = DEPENDS | PROCESS | REALTIME;
        for kinds in [Kinds::MAX, by_time, DEPENDS | MISSES, DEPENDS] {
            if search.rank(&graph, kinds) {
                add(self.by_rank(search.ranks()));
            }
        }
        for kinds in [by_time, DEPENDS] {
            if !search.rank(&graph, kinds) {
                continue;
            }
            for (order, closed) in Order::ALL.into_iter().flat_map(|o| [(o, true), (o, false)]) {
                let of = (self.all, self.facts);
                let views = Views::of(of, search.ranks(), order, closed);
                if let Some(chosen) = views.choose() {
                    add(chosen);
                }
            }
        }
        likely
    }

    /// Each is read at the last version before its transaction.
    fn by_rank(&self, rank: &[u32]) -> Chosen {
        self.choose(|txn, by| {
            let (own, other) = (u64::from(rank[txn as usize]), u64::from(rank[by as usize]));
            (other < own).then_some(other)
        })
    }

    /// Each is read at the last version that was there when its transaction began.
    fn by_time(&self) -> Chosen {
        self.choose(|txn, by| {
            let ended = self.all.op(by).complete_ts?;
            (ended <= self.all.op(txn).invoke_ts).then_some(ended)
        })
    }

    /// The last of those that come before a transaction; else the initial version, if it can be
    /// that, else any.
    fn choose(&self, before: impl Fn(u32, u32) -> Option<u64>) -> Chosen {
        let choice = |open: &Open| {
            let place = |by: &u32| match *by {
                NONE => Some(0),
                by => before(open.place.0, by).map(|at| at + 1),
            };
            let last = open
                .by
                .iter()
                .filter_map(|by| Some((place(by)?, *by)))
                .max();
            let by = last.map_or(open.by[0], |(_, by)| by);
            (open.place, by)
        };
        self.facts.open.iter().map(choice).collect()
    }
}

/// Where an anomaly of one choice is kept; what it says fails however reads chose.
fn kept(
    anomalies: &mut Vec<Anomaly>,
    counts: &mut BTreeMap<String, u64>,
    anomaly: &Anomaly,
) -> usize {
    let message = format!(
        "whichever versions it was that reads did not show, this level fails; of one choice, {}",
        anomaly.message
    );
    let known = anomalies.iter().position(|other| other.message == message);
    known.unwrap_or_else(|| {
        *counts.entry(anomaly.name.clone()).or_insert(0) += 1;
        anomalies.push(Anomaly {
            message,
            guessed: true,
            ..anomaly.clone()
        });
        anomalies.len() - 1
    })
}
