//! Registers that transactions set to distinct values: a read tells whose write it saw, and
//! nothing of the others.

use super::anomaly::{Kind, Plains};
use super::facts::{Facts, Touch, Touches};
use super::predicate::{DEAD, Selected, Universe};
use super::transactions::{Access, NONE, Status, Transactions};
use super::writes::Writes;
use crate::value::{Brief, Value};

struct Registers<'h, 't> {
    all: &'t Transactions<'h>,
    writes: Writes<'h>,
    /// What predicates need to know.
    universe: Universe<'h>,
    /// By object that was deleted: the version that a read of nothing saw, if that is told.
    deleted: Vec<Option<Option<u32>>>,
    plain: Plains<'h>,
}

/// Makes facts of an rw-register history. Cost: linear in the steps.
///
/// # Errors
/// The field that a row lacks.
pub(super) fn facts<'h>(all: &Transactions<'h>, initial: &'h Value) -> Result<Facts<'h>, String> {
    let mut registers = Registers {
        all,
        writes: Writes::new(all.keys.len()),
        universe: Universe::new(all.keys.len()),
        deleted: vec![None; all.keys.len()],
        plain: Plains::default(),
    };
    registers.collect()?;
    for write in &mut registers.writes.all {
        // Reads of it may be of the initial version.
        write.untold |= write.value == initial && !std::ptr::eq(write.value, &raw const DEAD);
    }
    let mut facts = registers.versions(initial);
    registers.deletions();
    let reads = registers.reads(&facts, initial);
    facts.reads = Touches::new(reads, all.len());
    if !all.found.is_empty() {
        let selected = registers.selected(&mut facts);
        facts.selected = Touches::new(selected, all.len());
    }
    internal(all, &mut registers.plain);
    facts.plain = registers.plain;
    Ok(facts)
}

impl<'h> Registers<'h, '_> {
    fn collect(&mut self) -> Result<(), String> {
        for txn in 0..self.all.len() {
            for (at, step) in self.all.steps(txn).iter().enumerate() {
                match step.access {
                    Access::Write => {
                        let what = (step.key, step.value);
                        self.writes.push(self.all, (txn, at as u32), what, true);
                    }
                    Access::Delete => {
                        self.writes
                            .push_unnamed((txn, at as u32), step.key, step.value);
                    }
                    Access::Read | Access::Predicate => {}
                    Access::Append => {
                        let id = self.all.op(txn).op_id;
                        return Err(format!("input (writes, no appends) of txn #{id}"));
                    }
                }
            }
            self.writes.mark_last(txn);
        }
        Ok(())
    }

    /// Every object has its initial version, and one of the last write of each transaction.
    fn versions(&mut self, initial: &'h Value) -> Facts<'h> {
        let all = self.all;
        let mut seen = vec![false; all.txns.len()];
        for txn in (0..all.len()).filter(|txn| all.status(*txn) == Status::Committed) {
            for (_, key, value) in shown(all, txn) {
                if let Some(write) = self.writes.find(key, value) {
                    seen[write.txn as usize] = true;
                }
            }
        }
        let part = |txn: u32| match all.status(txn) {
            Status::Committed => true,
            Status::Unknown => seen[txn as usize],
            Status::Aborted => false,
        };
        let takes_part: Vec<bool> = (0..all.len()).map(part).collect();
        let mut by_key: Vec<Vec<u32>> = vec![Vec::new(); all.keys.len()];
        for (number, write) in (0..).zip(&self.writes.all) {
            let key = write.key as usize;
            if takes_part[write.txn as usize] && write.last {
                by_key[key].push(number);
                // What there was in the beginning comes first.
                if Some(write.txn) == all.universe {
                    by_key[key].rotate_right(1);
                    self.universe.exists[key] = true;
                }
            } else if all.status(write.txn) == Status::Unknown && write.last {
                let dead = std::ptr::eq(write.value, &raw const DEAD);
                self.universe.perhaps[key].push((!dead).then_some(write.value));
            }
        }
        let mut facts = Facts::empty(all.len(), takes_part);
        for (key, writes) in (0..).zip(&by_key) {
            facts.open(initial);
            let first = usize::from(self.universe.exists[key as usize]);
            // Of one alone the order is known.
            let ordered = if writes.len() == first + 1 {
                first + 1
            } else {
                first
            };
            for (at, number) in writes.iter().enumerate() {
                if at == ordered {
                    facts.close_chain();
                }
                let write = &mut self.writes.all[*number as usize];
                write.version = facts.key.len() as u32;
                facts.push(key, write.value, write.txn);
            }
            if writes.len() <= ordered {
                facts.close_chain();
            }
        }
        facts.first.push(facts.key.len() as u32);
        facts.untold = self.writes.all.iter().filter(|write| write.untold).count() as u64;
        let touches = self.writes.all.iter().filter(|write| write.version != NONE);
        let touches: Vec<Touch> = touches
            .map(|write| Touch {
                txn: write.txn,
                version: write.version,
                step: write.step,
            })
            .collect();
        for touch in &touches {
            facts.updates[touch.txn as usize] = true;
        }
        facts.writes = Touches::new(touches, all.len());
        facts
    }

    /// A read of nothing saw what a deletion left, if the object was there in the beginning and
    /// was deleted once; else it is not told what it saw.
    fn deletions(&mut self) {
        for write in &self.writes.all {
            let dead = std::ptr::eq(write.value, &raw const DEAD);
            if !dead || self.all.status(write.txn) == Status::Aborted {
                continue;
            }
            let key = write.key as usize;
            let first = self.deleted[key].is_none() && write.version != NONE;
            let told = first && self.universe.exists[key];
            self.deleted[key] = Some(told.then_some(write.version));
        }
    }

    fn reads(&mut self, facts: &Facts<'h>, initial: &Value) -> Vec<Touch> {
        let all = self.all;
        let mut reads = Vec::new();
        for txn in (0..all.len()).filter(|txn| all.status(*txn) == Status::Committed) {
            for (step, key, value) in shown(all, txn) {
                let version = self.read(facts, initial, (txn, step), (key, value));
                reads.extend(version.map(|version| Touch { txn, version, step }));
            }
        }
        reads
    }

    /// What predicate reads selected of the objects that they do not show, but of those that
    /// their own transaction had changed.
    fn selected(&mut self, facts: &mut Facts<'h>) -> Vec<Touch> {
        let all = self.all;
        let (mut selected, mut open) = (Vec::new(), 0_u64);
        let mut shown = vec![(NONE, NONE); all.keys.len()];
        for txn in (0..all.len()).filter(|txn| all.status(*txn) == Status::Committed) {
            for (at, step) in (0..).zip(all.steps(txn)) {
                if step.access != Access::Predicate {
                    continue;
                }
                for (key, _) in &all.found[step.key as usize] {
                    shown[*key as usize] = (txn, at);
                }
                for own in &all.steps(txn)[..at as usize] {
                    if matches!(own.access, Access::Write | Access::Delete) {
                        shown[own.key as usize] = (txn, at);
                    }
                }
                let chosen = self.universe.selected(facts, step.value).iter();
                for (key, chosen) in chosen
                    .enumerate()
                    .filter(|(key, _)| shown[*key] != (txn, at))
                {
                    let (name, step) = (all.keys[key], at);
                    match *chosen {
                        Selected::Version(version) => selected.push(Touch { txn, version, step }),
                        Selected::Any => open += 1,
                        Selected::Miss => {
                            let kind = Kind::PredicateReadMiss;
                            self.plain.add(kind, Some(name), &[txn], || {
                                format!("{name} was not found, though each of its versions matches")
                            });
                        }
                    }
                }
            }
        }
        if open > 0 {
            facts.assumptions.push(format!(
                "predicate reads saw, of {open} objects that several versions could have kept from \
                 them, the one that contradicts nothing"
            ));
        }
        selected
    }

    /// The version that a read saw, unless it is one of its own transaction or of nobody.
    fn read(
        &mut self,
        facts: &Facts<'h>,
        initial: &Value,
        (txn, at): (u32, u32),
        (key, value): (u32, &'h Value),
    ) -> Option<u32> {
        let name = self.all.keys[key as usize];
        let Some(write) = self.writes.find(key, value) else {
            if *value == Value::Null
                && let Some(deleted) = self.deleted[key as usize]
            {
                return deleted;
            }
            if value == initial || *value == Value::Null {
                return Some(facts.first[key as usize]);
            }
            self.plain.add(Kind::GarbageRead, Some(name), &[txn], || {
                format!("{name} was read as {}, which nobody wrote", Brief(value))
            });
            return None;
        };
        if write.untold || value == initial {
            return None;
        }
        if write.txn == txn {
            if write.step > at {
                self.plain.add(Kind::FutureRead, Some(name), &[txn], || {
                    let value = Brief(value);
                    format!("{name} was read as {value} before the transaction itself wrote that")
                });
            }
            return None;
        }
        let txns = [txn, write.txn];
        if self.all.status(write.txn) == Status::Aborted {
            self.plain.add(Kind::G1a, Some(name), &txns, || {
                let value = Brief(value);
                format!("{name} was read as {value}, though its transaction aborted")
            });
            return None;
        }
        if !write.last {
            self.plain.add(Kind::G1b, Some(name), &txns, || {
                let value = Brief(value);
                format!("{name} was read as {value}, which its transaction then overwrote")
            });
            return None;
        }
        Some(write.version)
    }
}

/// What the reads of a transaction show: at which step, of which object, what value.
fn shown<'h>(all: &Transactions<'h>, txn: u32) -> impl Iterator<Item = (u32, u32, &'h Value)> {
    (0..).zip(all.steps(txn)).flat_map(|(at, step)| {
        let (read, found) = match step.access {
            Access::Read => (Some((step.key, step.value)), &[][..]),
            Access::Predicate => (None, &all.found[step.key as usize][..]),
            _ => (None, &[][..]),
        };
        let shown = read.into_iter().chain(found.iter().copied());
        shown.map(move |(key, value)| (at, key, value))
    })
}

/// Complains of reads that contradict the transaction's own earlier steps.
fn internal<'h>(all: &Transactions<'h>, plain: &mut Plains<'h>) {
    let mut known: Vec<(u32, &Value)> = vec![(NONE, &Value::Null); all.keys.len()];
    for txn in (0..all.len()).filter(|txn| all.status(*txn) == Status::Committed) {
        let items = all.steps(txn).iter();
        for step in items.filter(|step| step.access != Access::Predicate) {
            let slot = &mut known[step.key as usize];
            let (by, expected) = *slot;
            if step.access == Access::Read && by == txn && expected != step.value {
                let name = all.keys[step.key as usize];
                plain.add(Kind::Internal, Some(name), &[txn], || {
                    let (read, expected) = (Brief(step.value), Brief(expected));
                    format!("{name} was read as {read}, after its own steps left it {expected}")
                });
            }
            *slot = (txn, step.value);
        }
    }
}
