//! Proofs that a level holds or fails, and their check, which shares nothing with the search but
//! the reading of transactions.

use std::collections::BTreeMap;

use serde::Serialize;

use super::analysis::{Analysis, Link, Verdict, Workload};
use super::axioms;
use super::claims::{self, Claims};
use super::levels::{Base, Level, Order};
use super::sets;
use super::transactions::{Access, Status, Step, Transactions};
use crate::history::{History, Operation, precedes};
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
    /// Each of these transactions comes before the next, and the last before the first.
    Cycle(Vec<Link>),
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
}

/// The certificate of an analysis that a level fails: its witness, if that rests on nothing but
/// what the history says.
#[must_use]
pub fn refutation(analysis: &Analysis, level: Level) -> Option<Certificate> {
    let Verdict::Fails { anomaly } = analysis.verdict(level) else {
        return None;
    };
    let anomaly = &analysis.anomalies[*anomaly];
    if anomaly.cycle.is_empty() {
        claims::named(&anomaly.name)?;
        return Some(Certificate::Anomaly {
            name: anomaly.name.clone(),
            key: anomaly.key.clone()?,
            ops: anomaly.ops.clone(),
        });
    }
    // What a predicate read selected is not in the history to be looked up.
    let looked_up = anomaly
        .cycle
        .iter()
        .all(|link| !matches!(&*link.kind, "pwr" | "prw"));
    let stands = looked_up && !anomaly.guessed && breaks(&anomaly.cycle, level);
    stands.then(|| Certificate::Cycle(anomaly.cycle.clone()))
}

/// Checks a certificate against a history: that a level holds, for an order; that a level with
/// this order fails, for a cycle (of which the kind of level is told by its anti-dependencies:
/// see [`breaks`]).
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
    history.validate()?;
    let (history, workload) = sets::as_registers(history, workload)?;
    let all = Transactions::of(&history)?;
    let numbers = (0..all.len()).map(|txn| (all.op(txn).op_id, txn));
    let replay = Replay {
        numbers: numbers.collect(),
        all,
        workload,
    };
    match certificate {
        Certificate::Serial(order) => {
            let moments = order
                .iter()
                .flat_map(|id| [Moment::Start(*id), Moment::Commit(*id)]);
            replay.moments(level.order, &moments.collect::<Vec<_>>())
        }
        Certificate::Snapshots(moments) => {
            let snapshots = Level {
                base: Base::SnapshotIsolation,
                order: level.order,
            };
            if !snapshots.implies(level) {
                return Err(format!("starts and commits do not show {level}"));
            }
            replay.moments(level.order, moments)
        }
        Certificate::Order(order) => {
            let order = order.iter().map(|id| replay.txn(*id));
            let order = order.collect::<Result<Vec<u32>, String>>()?;
            axioms::check(&replay.all, replay.workload, level, &order)
        }
        Certificate::Cycle(links) => {
            if !breaks(links, level) {
                return Err(format!("{level} does not forbid such a cycle"));
            }
            replay.cycle(links)
        }
        Certificate::Anomaly { name, key, ops } => replay.anomaly(level, name, key, ops),
    }
}

/// Whether a level forbids a cycle, by the kinds of its links alone.
#[must_use]
pub fn breaks(links: &[Link], level: Level) -> bool {
    if links.is_empty() {
        return false;
    }
    let count = |kind: &str| links.iter().filter(|link| link.kind == kind).count();
    let order = match (count("realtime"), count("process")) {
        (0, 0) => Order::None,
        (0, _) => Order::Process,
        _ => Order::Realtime,
    };
    let misses = |link: &Link| link.kind == "rw" || link.kind == "prw";
    let follows = links.iter().zip(links.iter().cycle().skip(1));
    let adjacent = follows
        .filter(|(link, next)| misses(link) && misses(next))
        .count()
        > 0;
    let orders = count("realtime") + count("process");
    let reads = count("wr") + count("pwr");
    // Whoever misses something had, right before, nothing but read of what led to it.
    let blind = follows_a_write(links);
    let mut bases = Vec::new();
    match links.iter().filter(|link| misses(link)).count() {
        0 if reads == 0 => bases.push(Base::ReadUncommitted),
        0 => bases.push(Base::ReadCommitted),
        1 => {
            bases.push(Base::ConsistentView);
            if count("ww") == 0 {
                bases.push(Base::Causal);
            }
            if count("ww") == 0 && (links.len() == 2 || orders + 1 == links.len()) {
                bases.push(Base::ReadAtomic);
            }
            if !blind {
                bases.push(Base::Prefix);
            }
        }
        _ if !adjacent => {
            bases.push(Base::SnapshotIsolation);
            if !blind {
                bases.push(Base::Prefix);
            }
        }
        _ => bases.push(Base::Serializable),
    }
    if count("prw") == 0 {
        bases.push(Base::RepeatableRead);
    }
    let mut bases = bases.into_iter();
    bases.any(|base| level.implies(Level { base, order }))
}

/// Whether an anti-dependency comes right after a write dependency.
fn follows_a_write(links: &[Link]) -> bool {
    let follows = links.iter().zip(links.iter().cycle().skip(1));
    let mut pairs = follows.map(|(link, next)| link.kind == "ww" && next.kind.ends_with("rw"));
    pairs.any(|both| both)
}

struct Replay<'h> {
    all: Transactions<'h>,
    numbers: BTreeMap<u64, u32>,
    workload: Workload,
}

/// The versions of an object, with when each was committed.
type States = BTreeMap<u32, Vec<(usize, Value)>>;

impl<'h> Replay<'h> {
    fn txn(&self, id: u64) -> Result<u32, String> {
        let txn = self.numbers.get(&id).copied();
        let txn = txn.filter(|txn| self.all.status(*txn) != Status::Aborted);
        txn.ok_or_else(|| format!("#{id} is no transaction that can have taken part"))
    }

    /// Plays starts and commits back.
    fn moments(&self, order: Order, moments: &[Moment]) -> Result<(), String> {
        let mut states = States::new();
        let mut started: BTreeMap<u32, usize> = BTreeMap::new();
        let mut committed = 0;
        let mut done = vec![false; self.all.txns.len()];
        for (at, moment) in moments.iter().enumerate() {
            match *moment {
                Moment::Start(id) => {
                    let txn = self.txn(id)?;
                    if done[txn as usize] || started.insert(txn, at).is_some() {
                        return Err(format!("#{id} starts twice"));
                    }
                }
                Moment::Commit(id) => {
                    let txn = self.txn(id)?;
                    let from = started.remove(&txn);
                    let from = from.ok_or_else(|| format!("#{id} commits before it starts"))?;
                    self.run(txn, (from, at), &mut states)?;
                    done[txn as usize] = true;
                    committed += 1;
                }
            }
        }
        if !started.is_empty() {
            return Err("a transaction starts and does not commit".to_owned());
        }
        for txn in 0..self.all.len() {
            if self.all.status(txn) == Status::Committed && !done[txn as usize] {
                return Err(format!("#{} is missing", self.all.op(txn).op_id));
            }
        }
        debug_assert!(committed <= self.all.txns.len());
        self.ordered(order, moments)
    }

    /// Runs a transaction on what was committed when it started.
    fn run(&self, txn: u32, (from, at): (usize, usize), states: &mut States) -> Result<(), String> {
        let id = self.all.op(txn).op_id;
        let mut own: BTreeMap<u32, Value> = BTreeMap::new();
        let mut wrote = false;
        let at_start = |states: &States, key: u32| {
            let versions = states.get(&key).map_or(&[][..], |versions| versions);
            let count = versions.partition_point(|(when, _)| *when < from);
            let last = count.checked_sub(1).map(|at| versions[at].1.clone());
            last.unwrap_or_default()
        };
        let mut written: Vec<u32> = Vec::new();
        for Step { value, key, access } in self.all.steps(txn) {
            let state = own.entry(*key).or_insert_with(|| at_start(states, *key));
            match access {
                Access::Read => {
                    let nothing = |value: &Value| {
                        *value == Value::Null
                            || self.workload == Workload::ListAppend
                                && value.as_list().is_some_and(<[Value]>::is_empty)
                    };
                    if state != *value && !(nothing(state) && nothing(value)) {
                        return Err(format!("#{id} can not have read {value}, but {state}"));
                    }
                }
                Access::Append => match state {
                    Value::List(list) => list.push((*value).clone()),
                    _ => *state = Value::List(vec![(*value).clone()]),
                },
                Access::Write => *state = (*value).clone(),
                Access::Delete => *state = Value::Null,
                Access::Predicate => {
                    return Err(format!(
                        "#{id} reads by a predicate, which is not played back"
                    ));
                }
            }
            if *access != Access::Read {
                written.push(*key);
                wrote = true;
            }
        }
        if !wrote {
            return Ok(());
        }
        written.sort_unstable();
        written.dedup();
        for key in written {
            let versions = states.entry(key).or_default();
            if versions.last().is_some_and(|(when, _)| *when > from) {
                return Err(format!("#{id} writes what another wrote since it started"));
            }
            if let Some(value) = own.remove(&key) {
                versions.push((at, value));
            }
        }
        Ok(())
    }

    /// Whoever ended before another began commits before it starts, if that is asked.
    fn ordered(&self, order: Order, moments: &[Moment]) -> Result<(), String> {
        if order == Order::None {
            return Ok(());
        }
        let row = |txn: u32| (self.all.txns[txn as usize].row as usize, self.all.op(txn));
        // Those that have started: of each process, and of all, the one that was invoked last.
        let mut latest: Option<(usize, &Operation)> = None;
        let mut sessions: BTreeMap<u64, usize> = BTreeMap::new();
        for moment in moments {
            match *moment {
                Moment::Start(id) => {
                    let (at, op) = row(self.txn(id)?);
                    if latest.is_none_or(|(_, other)| other.invoke_ts < op.invoke_ts) {
                        latest = Some((at, op));
                    }
                    let last = sessions.entry(op.process_id).or_insert(at);
                    *last = at.max(*last);
                }
                Moment::Commit(id) => {
                    let txn = self.txn(id)?;
                    let (at, op) = row(txn);
                    let known = self.all.status(txn) == Status::Committed;
                    let later = sessions.get(&op.process_id).is_some_and(|last| *last > at);
                    if known && later {
                        return Err(format!("#{id} commits after a later one of its process"));
                    }
                    let real = latest.is_some_and(|other| precedes((at, op), other));
                    if known && order == Order::Realtime && real {
                        return Err(format!(
                            "#{id} commits after one that began when it had ended"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn claims(&self, key: u32) -> Claims<'_, 'h> {
        Claims {
            all: &self.all,
            lists: self.workload == Workload::ListAppend,
            key,
        }
    }

    /// The rows show an anomaly that is no cycle, and the level forbids it.
    fn anomaly(&self, level: Level, name: &str, key: &Value, ops: &[u64]) -> Result<(), String> {
        let kind = claims::named(name).ok_or_else(|| format!("{name} is not looked up in rows"))?;
        let mut bases = kind.proscribed_by().iter();
        let order = Order::None;
        if !bases.any(|base| level.implies(Level { base: *base, order })) {
            return Err(format!("{level} does not forbid {name}"));
        }
        let number = |id: &u64| {
            let txn = self.numbers.get(id).copied();
            txn.ok_or_else(|| format!("#{id} is no transaction"))
        };
        let txns: Vec<u32> = ops.iter().map(number).collect::<Result<_, _>>()?;
        let known = self.all.keys.iter().position(|known| *known == key);
        let claims = self.claims(known.ok_or("an object that is not there")? as u32);
        match claims.show(kind, &txns) {
            true => Ok(()),
            false => Err(format!("{ops:?} of {key} show no {name}")),
        }
    }

    /// Each link of a cycle stands in the history.
    fn cycle(&self, links: &[Link]) -> Result<(), String> {
        if links.len() < 2 {
            return Err("a cycle has two links at least".to_owned());
        }
        for (link, next) in links.iter().zip(links.iter().cycle().skip(1)) {
            if link.to != next.from {
                return Err(format!("the links break at #{}", link.to));
            }
            if !self.link(link)? {
                let Link { from, to, kind, .. } = link;
                return Err(format!("the history has no {kind} from #{from} to #{to}"));
            }
        }
        Ok(())
    }

    fn link(&self, link: &Link) -> Result<bool, String> {
        let (from, to) = (self.txn(link.from)?, self.txn(link.to)?);
        let row = |txn: u32| (self.all.txns[txn as usize].row as usize, self.all.op(txn));
        let ((at, first), (then, second)) = (row(from), row(to));
        let known = self.all.status(from) == Status::Committed;
        match &*link.kind {
            "process" => return Ok(known && first.process_id == second.process_id && at < then),
            "realtime" => return Ok(precedes((at, first), (then, second))),
            "pwr" | "prw" => return Err("links of predicates are not looked up".to_owned()),
            _ => {}
        }
        let (Some(key), Some(value)) = (&link.key, &link.value) else {
            return Err("a dependency has no object or no value".to_owned());
        };
        let key = self.all.keys.iter().position(|known| *known == key);
        let key = key.ok_or("a link is of an object that is not there")? as u32;
        let wrote = |txn: u32, value: &Value| {
            let mut steps = self.all.steps(txn).iter();
            steps.any(|s| s.key == key && s.access != Access::Read && s.value == value)
        };
        let claims = self.claims(key);
        let read = |txn: u32, what: &dyn Fn(&Value) -> bool| {
            claims.read(txn).iter().any(|(_, value)| what(value))
        };
        let has = |list: &Value| match list.as_list() {
            Some(list) if self.workload == Workload::ListAppend => list.contains(value),
            _ => list == value,
        };
        let before = |other: &Value| match claims.lists {
            true => self.precede(key, other, value),
            false => claims.follows(other, value),
        };
        Ok(match &*link.kind {
            "wr" => wrote(from, value) && read(to, &has),
            "rw" => {
                let missed = |seen: &Value| match self.workload {
                    Workload::ListAppend => !has(seen),
                    _ => before(seen),
                };
                wrote(to, value) && read(from, &missed)
            }
            _ => {
                let mut steps = self.all.steps(from).iter();
                let earlier =
                    steps.any(|s| s.key == key && s.access != Access::Read && before(s.value));
                wrote(to, value) && earlier
            }
        })
    }

    /// Whether some read of a list has one element before another, or without it.
    fn precede(&self, key: u32, first: &Value, second: &Value) -> bool {
        let txns = (0..self.all.len()).filter(|txn| self.all.status(*txn) == Status::Committed);
        let mut lists = txns.flat_map(|txn| self.all.steps(txn)).filter_map(|step| {
            let read = step.key == key && step.access == Access::Read;
            step.value.as_list().filter(|_| read)
        });
        lists.any(|list| {
            let place = |of: &Value| list.iter().position(|element| element == of);
            match (place(first), place(second)) {
                (Some(first), Some(second)) => first < second,
                (Some(_), None) => true,
                _ => false,
            }
        })
    }
}
