//! Registers that transactions set to distinct values: a read tells whose write it saw, and
//! nothing of the others.

use rustc_hash::FxHashMap;

use super::anomaly::{Kind, Plains};
use super::facts::{Facts, Touch, Touches};
use super::transactions::{Access, NONE, Status, Transactions};
use crate::value::{Brief, Value};

/// A write.
struct Write<'h> {
    value: &'h Value,
    txn: u32,
    step: u32,
    key: u32,
    /// No later write of its transaction is of the same object.
    last: bool,
    /// More than one transaction may have written the value.
    untold: bool,
    /// Its version, once it has one.
    version: u32,
}

struct Registers<'h, 't> {
    all: &'t Transactions<'h>,
    writes: Vec<Write<'h>>,
    /// By object and value, the write.
    found: FxHashMap<(u32, &'h Value), u32>,
    plain: Plains<'h>,
}

/// Makes facts of an rw-register history. Cost: linear in the steps.
///
/// # Errors
/// The field that a row lacks.
pub(super) fn facts<'h>(all: &Transactions<'h>, initial: &'h Value) -> Result<Facts<'h>, String> {
    let mut registers = Registers {
        all,
        writes: Vec::new(),
        found: FxHashMap::default(),
        plain: Plains::default(),
    };
    registers.collect()?;
    for write in &mut registers.writes {
        // Reads of it may be of the initial version.
        write.untold |= write.value == initial;
    }
    let mut facts = registers.versions(initial);
    let reads = registers.reads(&facts, initial);
    facts.reads = Touches::new(reads, all.len());
    internal(all, &mut registers.plain);
    facts.plain = registers.plain;
    Ok(facts)
}

impl<'h> Registers<'h, '_> {
    fn collect(&mut self) -> Result<(), String> {
        let mut stamp = vec![NONE; self.all.keys.len()];
        for txn in 0..self.all.len() {
            let first = self.writes.len();
            for (at, step) in self.all.steps(txn).iter().enumerate() {
                match step.access {
                    Access::Write => self.write(txn, at as u32, step.key, step.value),
                    Access::Read => {}
                    Access::Append => {
                        let id = self.all.op(txn).op_id;
                        return Err(format!("input (writes, no appends) of txn #{id}"));
                    }
                }
            }
            for write in self.writes[first..].iter_mut().rev() {
                let stamp = &mut stamp[write.key as usize];
                write.last = *stamp != txn;
                *stamp = txn;
            }
        }
        Ok(())
    }

    fn write(&mut self, txn: u32, step: u32, key: u32, value: &'h Value) {
        let number = self.writes.len() as u32;
        self.writes.push(Write {
            value,
            txn,
            step,
            key,
            last: true,
            untold: false,
            version: NONE,
        });
        let slot = self.found.entry((key, value)).or_insert(number);
        if *slot == number || self.all.status(txn) == Status::Aborted {
            return;
        }
        let other = *slot as usize;
        if self.all.status(self.writes[other].txn) == Status::Aborted {
            *slot = number;
        } else if self.writes[other].txn == txn {
            // Set twice by one transaction: the last of them is what others may see.
            *slot = number;
        } else {
            self.writes[other].untold = true;
            self.writes[number as usize].untold = true;
        }
    }

    /// Every object has its initial version, and one of the last write of each transaction.
    fn versions(&mut self, initial: &'h Value) -> Facts<'h> {
        let all = self.all;
        let mut seen = vec![false; all.txns.len()];
        for txn in (0..all.len()).filter(|txn| all.status(*txn) == Status::Committed) {
            for step in all
                .steps(txn)
                .iter()
                .filter(|step| step.access == Access::Read)
            {
                if let Some(write) = self.found.get(&(step.key, step.value)) {
                    seen[self.writes[*write as usize].txn as usize] = true;
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
        for (number, write) in (0..).zip(&self.writes) {
            if takes_part[write.txn as usize] && write.last {
                by_key[write.key as usize].push(number);
            }
        }
        let mut facts = Facts::empty(all.len(), takes_part);
        for (key, writes) in (0..).zip(&by_key) {
            facts.open(initial);
            // Of one alone the order is known.
            if writes.len() != 1 {
                facts.close_chain();
            }
            for number in writes {
                let write = &mut self.writes[*number as usize];
                write.version = facts.key.len() as u32;
                facts.push(key, write.value, write.txn);
            }
            if writes.len() == 1 {
                facts.close_chain();
            }
        }
        facts.first.push(facts.key.len() as u32);
        facts.untold = self.writes.iter().filter(|write| write.untold).count() as u64;
        let touches = self.writes.iter().filter(|write| write.version != NONE);
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

    fn reads(&mut self, facts: &Facts<'h>, initial: &Value) -> Vec<Touch> {
        let all = self.all;
        let mut reads = Vec::new();
        for txn in (0..all.len()).filter(|txn| all.status(*txn) == Status::Committed) {
            for (at, step) in (0..).zip(all.steps(txn)) {
                if step.access == Access::Read {
                    let version = self.read(facts, initial, (txn, at), (step.key, step.value));
                    reads.extend(version.map(|version| Touch {
                        txn,
                        version,
                        step: at,
                    }));
                }
            }
        }
        reads
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
        let Some(write) = self.found.get(&(key, value)) else {
            if value == initial || *value == Value::Null {
                return Some(facts.first[key as usize]);
            }
            self.plain.add(Kind::GarbageRead, Some(name), &[txn], || {
                format!("{name} was read as {}, which nobody wrote", Brief(value))
            });
            return None;
        };
        let write = &self.writes[*write as usize];
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

/// Complains of reads that contradict the transaction's own earlier steps.
fn internal<'h>(all: &Transactions<'h>, plain: &mut Plains<'h>) {
    let mut known: Vec<(u32, &Value)> = vec![(NONE, &Value::Null); all.keys.len()];
    for txn in (0..all.len()).filter(|txn| all.status(*txn) == Status::Committed) {
        for step in all.steps(txn) {
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
