//! Transactions on counters and accounts, as transactions on sets: a read of a total counts some of
//! the changes that others made, and which is to be found.
//!
//! Changes of one counter commute, so no order of versions is asked for. Whether a read counts a
//! change is a choice: if it does, the change comes first, else the read. The choices of a read
//! add up to what it shows. Each way of making them all gives a history of registers, a change
//! one, which is judged at every level: what holds of one of them holds. A level fails when no
//! way is left in which it holds.

mod counted;
mod proofs;
mod shaped;
mod ways;

use std::collections::BTreeMap;

use super::analysis::{Analysis, Anomaly, Verdict, Workload, analyze_with, extremes};
use super::anomaly::Name;
use super::judged::essence;
use super::levels::{Base, Level, Order, strongest};
use super::options::Options;
use crate::history::History;
use crate::report::Budget;
use counted::{Counted, Seen};
pub(super) use proofs::{certify, refute, verify};
use ways::{Made, Ways};

/// How many ways of counting are tried one by one.
const WAYS_MAX: u64 = 2_000;

/// Levels that are asked whether any way satisfies them, the strongest first.
const ASKED: [Base; 9] = [
    Base::Serializable,
    Base::SnapshotIsolation,
    Base::Causal,
    Base::ConsistentView,
    Base::MonotonicView,
    Base::ReadAtomic,
    Base::MonotonicAtomicView,
    Base::ReadCommitted,
    Base::ReadUncommitted,
];

/// The level that asks the same of totals, of which no order of versions is to be found.
fn same(level: Level) -> Level {
    let base = match level.base {
        Base::Serializable => Base::RepeatableRead,
        Base::SnapshotIsolation => Base::Prefix,
        other => other,
    };
    Level { base, ..level }
}

/// What is known of the levels.
struct Found {
    holds: Vec<Level>,
    fails: Vec<Level>,
    /// The analysis of the weakest level's way.
    last: Option<Analysis>,
}

/// Judges a history of counters or accounts at every level.
///
/// # Errors
/// The field that a row lacks.
pub(super) fn analyze(
    history: &History,
    options: &Options,
    budget: &Budget,
) -> Result<Analysis, String> {
    let counted = Counted::of(history, &options.initial)?;
    if let Some(anomaly) = counted.impossible() {
        return Ok(impossible(&counted, anomaly));
    }
    let mut found = Found {
        holds: Vec::new(),
        fails: Vec::new(),
        last: None,
    };
    let ways = Ways::of(&counted)?;
    let known = |of: &[Level], level: Level| of.iter().any(|other| other.implies(level));
    for order in Order::ALL.into_iter().rev() {
        for base in ASKED {
            let level = Level { base, order };
            if known(&found.holds, level) || found.fails.iter().any(|l| level.implies(*l)) {
                continue;
            }
            match ways.make(level, budget.steps_max) {
                Made::Counted(seen) => found.add(&counted, &seen, budget)?,
                Made::Never => found.fails.extend([level, same(level)]),
                Made::Unknown => {}
            }
        }
    }
    found.each(&counted, budget)?;
    Ok(found.told())
}

impl Found {
    /// Judges one way.
    fn add(&mut self, counted: &Counted<'_>, seen: &Seen, budget: &Budget) -> Result<(), String> {
        let history = counted.registers(seen);
        let options = Options::default();
        let told = analyze_with(&history, Workload::RwRegister, &options, budget)?;
        self.holds.extend(&told.holds);
        self.last = Some(told);
        Ok(())
    }

    fn holds(&self, level: Level) -> bool {
        self.holds.iter().any(|other| other.implies(level))
    }

    /// Tries every way, if there are few: what holds in none fails.
    fn each(&mut self, counted: &Counted<'_>, budget: &Budget) -> Result<(), String> {
        let open = |found: &Self, level: Level| {
            !found.holds(level) && !found.fails.iter().any(|other| level.implies(*other))
        };
        let Some(all) = counted.ways(WAYS_MAX) else {
            return Ok(());
        };
        for seen in &all {
            if !Level::all().any(|level| open(self, level)) {
                return Ok(());
            }
            let last = self.last.take();
            self.add(counted, seen, budget)?;
            self.last = last.or(self.last.take());
        }
        let rest: Vec<Level> = Level::all().filter(|level| open(self, *level)).collect();
        self.fails.extend(rest);
        Ok(())
    }

    /// The answer: each level, with an anomaly of one way where none satisfies it.
    fn told(self) -> Analysis {
        let mut told = self.last.clone().unwrap_or_else(empty);
        let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
        let mut anomalies: Vec<Anomaly> = Vec::new();
        for (level, verdict) in &mut told.levels {
            let fails = self.fails.iter().any(|other| level.implies(*other));
            *verdict = match verdict {
                _ if self.holds(*level) => Verdict::Holds,
                Verdict::Fails { anomaly } if fails => {
                    let next = anomalies.len();
                    let place = *kept.entry(*anomaly).or_insert(next);
                    if place == next {
                        let mut kept = told.anomalies[*anomaly].clone();
                        kept.guessed = true;
                        // Of another way, a level may hold that this name is against.
                        let against = Name::read(&kept.name).map(Name::forbidden_by);
                        if against.is_some_and(|against| self.holds(against)) {
                            kept.name = essence(*level).to_string();
                        }
                        kept.message = format!(
                            "however reads counted, this level fails; in one way, {}",
                            kept.message
                        );
                        anomalies.push(kept);
                    }
                    Verdict::Fails { anomaly: place }
                }
                _ => Verdict::Unknown {
                    why: "the steps of the budget did not suffice".to_owned(),
                },
            };
        }
        (told.holds, told.fails) = extremes(&told.levels);
        told.counts = BTreeMap::new();
        for anomaly in &anomalies {
            *told.counts.entry(anomaly.name.clone()).or_insert(0) += 1;
        }
        told.anomalies = anomalies;
        told
    }
}

/// Nothing is known.
fn empty() -> Analysis {
    let why = || "the steps of the budget did not suffice".to_owned();
    let levels = Level::all().map(|level| (level, Verdict::Unknown { why: why() }));
    Analysis {
        anomalies: Vec::new(),
        counts: BTreeMap::new(),
        levels: levels.collect(),
        holds: Vec::new(),
        fails: Vec::new(),
        transactions: 0,
        assumptions: Vec::new(),
    }
}

/// The answer where a total was read that no changes come to.
fn impossible(counted: &Counted<'_>, anomaly: Anomaly) -> Analysis {
    let weakest = match &*anomaly.name {
        "garbage-read" => Base::ReadUncommitted,
        _ => Base::ReadCommitted,
    };
    let order = Order::None;
    let level = Level {
        base: weakest,
        order,
    };
    let mut told = empty();
    for (other, verdict) in &mut told.levels {
        *verdict = match other.implies(level) {
            true => Verdict::Fails { anomaly: 0 },
            false => Verdict::Holds,
        };
    }
    told.counts.insert(anomaly.name.clone(), 1);
    told.anomalies = vec![anomaly];
    told.fails = vec![level];
    let holds = Level::all().filter(|other| !other.implies(level));
    told.holds = strongest(&holds.collect::<Vec<_>>());
    told.transactions = counted.transactions();
    told
}
