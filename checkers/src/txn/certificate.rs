//! Proofs that a level holds or fails, and their check, which shares nothing with the search but
//! the reading of transactions.

use std::collections::BTreeMap;

mod assumed;
mod cases;
mod choices;
mod cycles;
mod replay;

use serde::Serialize;

use super::analysis::{Analysis, Link, Verdict, Workload};
use super::anomaly::Kind;
use super::axioms::{self, Selected};
use super::claims::{self, Claims};
use super::levels::{Base, Level, Order};
use super::options::{Assumption, Options};
use super::sets;
use super::totals;
use super::transactions::{Status, Transactions};
use crate::history::History;
use crate::value::Value;

/// A moment of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// It takes its snapshot.
    Start(u64),
    /// What it wrote is seen by whoever starts later.
    Commit(u64),
}

/// A proof about a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certificate {
    /// The transactions that took part, one after the other, give every response: serializable,
    /// and whatever that implies.
    Serial(Vec<u64>),
    /// Their starts and commits do, no two that overlap writing one object: snapshot isolation,
    /// and whatever that implies.
    Snapshots(Vec<Moment>),
    /// With the versions of every object in the order of these transactions, the level's axioms
    /// hold.
    Order(Vec<u64>),
    /// The same, with what was read where that is not told by what it shows.
    Selected {
        /// The transactions.
        order: Vec<u64>,
        /// What reads saw that show nothing of an object.
        selected: Vec<Selection>,
    },
    /// Each of these transactions comes before the next, and the last before the first.
    Cycle(Vec<Link>),
    /// However versions are ordered, one of these cycles is there.
    Cases {
        /// Cycles, each with what it supposes.
        cases: Vec<Case>,
        /// What cannot be so together, by the cycles, by what stands before it here, and since
        /// orders of versions are total. In the end, that leaves nothing.
        excluded: Vec<Vec<Precedence>>,
    },
    /// An anomaly that is no cycle, by its name, with the object and the transactions that show
    /// it.
    Anomaly {
        /// `G1a`, `lost-update`, ...
        name: String,
        /// The object.
        key: Value,
        /// Their ids, in the order of [`super::Anomaly::ops`].
        ops: Vec<u64>,
    },
    /// Totals counted these changes of others, each read's in a row, by the ids of their
    /// transactions; with that, a proof about the history in which each change of an object is a
    /// register of its own, which whoever counts it reads. What fails does so if totals can have
    /// counted nothing else.
    Counted {
        /// By read of a total, in the order of the rows and their steps.
        seen: Vec<Vec<u64>>,
        /// Of registers.
        proof: Box<Certificate>,
    },
    /// If reads that do not show what they saw did so, the proof stands.
    Chosen {
        /// What they saw.
        selected: Vec<Selection>,
        /// That the level fails.
        proof: Box<Certificate>,
    },
    /// In every way in which totals can have counted, or reads can have seen what they do not
    /// show, the level fails: a proof for each.
    Each(Vec<Certificate>),
}

/// A cycle that is there if some versions come before others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// What is supposed.
    pub supposed: Vec<Precedence>,
    /// Each of these transactions comes before the next, and the last before the first.
    pub cycle: Vec<Link>,
}

/// Of two versions of an object the first comes before the second; of lists, what nobody read of
/// what these transactions added.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Precedence {
    /// The object.
    pub key: Value,
    /// Who wrote the first.
    pub first: u64,
    /// Who wrote the second.
    pub second: u64,
}

/// Which version of an object a read saw that shows nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// The reader.
    pub op: u64,
    /// Which of its steps, counted from zero.
    pub step: u32,
    /// The object.
    pub key: Value,
    /// Whose version it was, none for the initial one.
    pub by: Option<u64>,
}

/// The certificate of an analysis that a level fails: its witness, if that rests on nothing but
/// what the history says.
#[must_use]
pub fn refutation(analysis: &Analysis, level: Level) -> Option<Certificate> {
    let Verdict::Fails { anomaly } = analysis.verdict(level) else {
        return None;
    };
    let anomaly = &analysis.anomalies[*anomaly];
    if anomaly.guessed {
        return None;
    }
    if anomaly.cycle.is_empty() {
        claims::named(&anomaly.name)?;
        return Some(Certificate::Anomaly {
            name: anomaly.name.clone(),
            key: anomaly.key.clone()?,
            ops: anomaly.ops.clone(),
        });
    }
    Some(Certificate::Cycle(anomaly.cycle.clone()))
}

/// Checks a certificate against a history: that a level holds, for an order; that it fails, for
/// a cycle that it forbids, or for what is none.
///
/// Cost: the replay's, and for cycles that of looking through the history once a link.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    history: &History,
    workload: Workload,
    level: Level,
    certificate: &Certificate,
) -> Result<(), String> {
    verify_with(history, workload, level, &Options::default(), certificate)
}

/// As [`verify`], of objects that begin with a value, and with what is taken for granted.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_with(
    history: &History,
    workload: Workload,
    level: Level,
    options: &Options,
    certificate: &Certificate,
) -> Result<(), String> {
    history.validate()?;
    if workload == Workload::Counters {
        return totals::verify(history, level, &options.initial, certificate);
    }
    let (history, workload) = sets::as_registers(history, workload)?;
    let all = Transactions::of(&history)?;
    let numbers = (0..all.len()).map(|txn| (all.op(txn).op_id, txn));
    let mut replay = Replay {
        numbers: numbers.collect(),
        all,
        workload,
        selected: Selected::new(),
        initial: &options.initial,
        assumptions: &options.assumptions,
    };
    let axioms = |order: &[u64], selected: &Selected| {
        let order = order.iter().map(|id| replay.txn(*id));
        let order = order.collect::<Result<Vec<u32>, String>>()?;
        let objects = (replay.workload, replay.initial);
        axioms::check(&replay.all, objects, level, (&order, selected))
    };
    match certificate {
        Certificate::Serial(order) => {
            let moments = order
                .iter()
                .flat_map(|id| [Moment::Start(*id), Moment::Commit(*id)]);
            replay.moments(level.order, &moments.collect::<Vec<_>>())?;
            replay.agrees(order.iter().copied())
        }
        Certificate::Snapshots(moments) => {
            let snapshots = Level {
                base: Base::SnapshotIsolation,
                order: level.order,
            };
            if !snapshots.implies(level) {
                return Err(format!("starts and commits do not show {level}"));
            }
            replay.moments(level.order, moments)?;
            replay.agrees(moments.iter().filter_map(|moment| match moment {
                Moment::Start(_) => None,
                Moment::Commit(id) => Some(*id),
            }))
        }
        Certificate::Order(order) => {
            axioms(order, &Selected::new())?;
            replay.agrees(order.iter().copied())
        }
        Certificate::Selected { order, selected } => {
            axioms(order, &replay.selected(selected)?)?;
            replay.agrees(order.iter().copied())
        }
        Certificate::Counted { .. } | Certificate::Chosen { .. } => {
            Err("one way of several shows nothing of the others".to_owned())
        }
        _ => replay.fails(level, certificate),
    }
}

struct Replay<'h> {
    all: Transactions<'h>,
    numbers: BTreeMap<u64, u32>,
    workload: Workload,
    /// What every object begins with.
    initial: &'h Value,
    /// What is taken for granted.
    assumptions: &'h [Assumption],
    /// What is chosen of reads that do not tell what they saw.
    selected: Selected,
}

impl<'h> Replay<'h> {
    fn txn(&self, id: u64) -> Result<u32, String> {
        let txn = self.numbers.get(&id).copied();
        let txn = txn.filter(|txn| self.all.status(*txn) != Status::Aborted);
        txn.ok_or_else(|| format!("#{id} is no transaction that can have taken part"))
    }

    /// What is said of reads that show nothing of an object.
    fn selected(&self, said: &[Selection]) -> Result<Selected, String> {
        let one = |said: &Selection| {
            let key = self.all.keys.iter().position(|key| **key == said.key);
            let key = key.ok_or("an object that is not there")? as u32;
            let by = said.by.map(|id| self.txn(id)).transpose()?;
            Ok(((self.txn(said.op)?, said.step, key), by))
        };
        said.iter().map(one).collect()
    }

    fn claims(&self, key: u32) -> Claims<'_, 'h> {
        Claims {
            all: &self.all,
            lists: self.workload == Workload::ListAppend,
            initial: self.initial,
            selected: &self.selected,
            key,
        }
    }

    /// The rows show an anomaly that is no cycle, and the level forbids it.
    fn anomaly(&self, level: Level, name: &str, key: &Value, ops: &[u64]) -> Result<(), String> {
        let kind = claims::named(name).ok_or_else(|| format!("{name} is not looked up in rows"))?;
        let mut bases = kind.proscribed_by().iter();
        let order = Order::None;
        let forbids = bases.any(|base| level.implies(Level { base: *base, order }));
        let number = |id: &u64| {
            let txn = self.numbers.get(id).copied();
            txn.ok_or_else(|| format!("#{id} is no transaction"))
        };
        let txns: Vec<u32> = ops.iter().map(number).collect::<Result<_, _>>()?;
        let known = self.all.keys.iter().position(|known| *known == key);
        let key_number = known.ok_or("an object that is not there")? as u32;
        if kind == Kind::CyclicVersions && self.before_itself(key_number, &txns) {
            return Ok(());
        }
        match forbids && self.claims(key_number).show(kind, &txns) {
            true => Ok(()),
            false => Err(format!(
                "{ops:?} of {key} show no {name} that {level} forbids"
            )),
        }
    }
}
