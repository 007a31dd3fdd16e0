//! Starts and commits played back on a store of versions.

use std::collections::{BTreeMap, BTreeSet};

use super::super::analysis::Workload;
use super::super::levels::Order;
use super::super::predicate::Predicate;
use super::super::transactions::{Access, Status, Step};
use super::{Moment, Replay};
use crate::history::{Operation, precedes};
use crate::value::Value;

/// The versions of an object, with when each was committed.
type States = BTreeMap<u32, Vec<(usize, Value)>>;

impl Replay<'_> {
    /// Plays starts and commits back.
    pub(super) fn moments(&self, order: Order, moments: &[Moment]) -> Result<(), String> {
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
}
