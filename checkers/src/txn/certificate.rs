//! Proofs that a level holds or fails, and their check, which shares nothing with the search but
//! the reading of transactions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::analysis::{Analysis, Link, Verdict, Workload};
use super::axioms::{self, Selected};
use super::claims::{self, Claims};
use super::levels::{Base, Level, Order};
use super::options::Options;
use super::predicate::Predicate;
use super::sets;
use super::totals;
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
    /// The same, with what was read where that is not told by what it shows.
    Selected {
        /// The transactions.
        order: Vec<u64>,
        /// What reads saw that show nothing of an object.
        selected: Vec<Selection>,
    },
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
    /// In every way in which totals can have counted the level fails: a proof for each.
    Each(Vec<Certificate>),
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
    if anomaly.cycle.is_empty() {
        claims::named(&anomaly.name)?;
        return Some(Certificate::Anomaly {
            name: anomaly.name.clone(),
            key: anomaly.key.clone()?,
            ops: anomaly.ops.clone(),
        });
    }
    let stands = !anomaly.guessed && breaks(&anomaly.cycle, level);
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
    verify_with(history, workload, level, &Options::default(), certificate)
}

/// As [`verify`], of objects that begin with a value. Nothing is taken for granted.
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
    let replay = Replay {
        numbers: numbers.collect(),
        all,
        workload,
        initial: &options.initial,
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
        Certificate::Order(order) => axioms(order, &Selected::new()),
        Certificate::Selected { order, selected } => axioms(order, &replay.selected(selected)?),
        Certificate::Cycle(links) => {
            if !breaks(links, level) {
                return Err(format!("{level} does not forbid such a cycle"));
            }
            replay.cycle(links)
        }
        Certificate::Anomaly { name, key, ops } => replay.anomaly(level, name, key, ops),
        Certificate::Counted { .. } | Certificate::Each(_) => {
            Err("what totals counted shows nothing of what has none".to_owned())
        }
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
    /// What every object begins with.
    initial: &'h Value,
}

/// The versions of an object, with when each was committed.
type States = BTreeMap<u32, Vec<(usize, Value)>>;

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
        let at_start = |states: &States, key: u32| {
            let versions = states.get(&key).map_or(&[][..], |versions| versions);
            let count = versions.partition_point(|(when, _)| *when < from);
            let last = count.checked_sub(1).map(|at| versions[at].1.clone());
            last.unwrap_or_else(|| self.initial.clone())
        };
        let mut written: BTreeSet<u32> = BTreeSet::new();
        for (place, step) in self.all.steps(txn).iter().enumerate() {
            let Step { value, key, access } = step;
            if *access == Access::Predicate {
                let now = |key: u32| match own.get(&key) {
                    Some(value) => value.clone(),
                    None => at_start(states, key),
                };
                self.finds(txn, place, &written, now)?;
                continue;
            }
            let state = own.entry(*key).or_insert_with(|| at_start(states, *key));
            match access {
                Access::Read => {
                    let nothing = |value: &Value| {
                        *value == Value::Null
                            || self.workload == Workload::ListAppend
                                && value.as_list().is_some_and(<[Value]>::is_empty)
                    };
                    // What a register begins with may be read as nothing, too.
                    let first = states.get(key).is_none_or(Vec::is_empty) && **value == Value::Null;
                    let first = first && !written.contains(key);
                    let first = first && self.workload != Workload::ListAppend;
                    if state != *value && !first && !(nothing(state) && nothing(value)) {
                        return Err(format!("#{id} can not have read {value}, but {state}"));
                    }
                }
                Access::Append => match state {
                    Value::List(list) => list.push((*value).clone()),
                    _ => *state = Value::List(vec![(*value).clone()]),
                },
                Access::Write => *state = (*value).clone(),
                Access::Delete => *state = Value::Null,
                Access::Predicate => {}
            }
            if *access != Access::Read {
                written.insert(*key);
            }
        }
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

    /// A read by a predicate shows all that matches and nothing else. Whether it sees its own
    /// transaction's writes is left to the database.
    fn finds(
        &self,
        txn: u32,
        at: usize,
        written: &BTreeSet<u32>,
        now: impl Fn(u32) -> Value,
    ) -> Result<(), String> {
        let step = &self.all.steps(txn)[at];
        let asks = Predicate::parse(step.value).ok_or("a predicate that is none")?;
        let shown = &self.all.found[step.key as usize];
        for key in 0..self.all.keys.len() as u32 {
            let value = now(key);
            let there = value != Value::Null && asks.matches(&value);
            let agrees = match shown.iter().find(|(of, _)| *of == key) {
                Some((_, shown)) => there && **shown == value,
                None => !there || written.contains(&key),
            };
            if !agrees {
                let (id, name) = (self.all.op(txn).op_id, self.all.keys[key as usize]);
                return Err(format!(
                    "#{id} can not have looked for {name} when it was {value}"
                ));
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
            initial: self.initial,
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
            _ => {}
        }
        let (Some(key), Some(value)) = (&link.key, &link.value) else {
            return Err("a dependency has no object or no value".to_owned());
        };
        let key = self.all.keys.iter().position(|known| *known == key);
        let key = key.ok_or("a link is of an object that is not there")? as u32;
        let claims = self.claims(key);
        let wrote = |txn: u32, value: &Value| {
            let mut steps = self.all.steps(txn).iter();
            steps.any(|s| claims.changes(s) && s.value == value)
        };
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
        let nothing = *value == Value::Null && !claims.lists;
        Ok(match &*link.kind {
            "pwr" => wrote(from, value) && claims.hid(to).contains(&Some(from)),
            "prw" => {
                let mut hid = claims.hid(from).into_iter();
                wrote(to, value) && hid.any(|by| claims.replaced(by, to, value))
            }
            "wr" if nothing => wrote(from, value) && claims.saw_nothing(to) == [Some(from)],
            "wr" => wrote(from, value) && read(to, &has),
            "rw" => {
                let missed = |seen: &Value| match (claims.lists, claims.saw_nothing(from)) {
                    (true, _) => !has(seen),
                    (false, by) if *seen == Value::Null => match by[..] {
                        [one] => claims.replaced(one, to, value),
                        _ => false,
                    },
                    _ => before(seen),
                };
                wrote(to, value) && read(from, &missed)
            }
            _ => {
                let mut steps = self.all.steps(from).iter();
                let first = self.all.universe == Some(from) && from != to;
                let earlier = steps.any(|s| claims.changes(s) && (first || before(s.value)));
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
