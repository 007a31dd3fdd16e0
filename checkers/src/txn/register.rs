//! Registers that transactions set to distinct values: a read tells whose write it saw, and
//! nothing of the others.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::anomaly::{Kind, Plains};
use super::facts::{Facts, Touch, Touches};
use super::hidden::{Chosen, Open};
use super::predicate::{DEAD, Predicate, Universe};
use super::transactions::{Access, NONE, Status, Step, Transactions};
use super::writes::Writes;
use crate::value::{Brief, Value};

struct Registers<'h, 't> {
    all: &'t Transactions<'h>,
    /// What reads by predicates selected, where several versions can be.
    chosen: &'t Chosen,
    writes: Writes<'h>,
    /// What predicates need to know.
    universe: Universe<'h>,
    /// Values that were read and that nobody wrote, each a version of nobody.
    phantoms: FxHashMap<(u32, &'h Value), u32>,
    /// By object that was deleted: whose version a read of nothing can have seen.
    deleted: Vec<Vec<u32>>,
    /// By object, whether anybody deletes it, for good or not.
    removed: Vec<bool>,
    /// Reads of nothing that can have seen several.
    open: Vec<Open>,
    plain: Plains<'h>,
}

/// Makes facts of an rw-register history. Cost: linear in the steps.
///
/// # Errors
/// The field that a row lacks.
pub(super) fn facts<'h>(
    all: &Transactions<'h>,
    initial: &'h Value,
    chosen: &Chosen,
) -> Result<Facts<'h>, String> {
    let mut registers = Registers {
        all,
        chosen,
        writes: Writes::new(all.keys.len()),
        universe: Universe::new(all.keys.len()),
        phantoms: FxHashMap::default(),
        deleted: vec![Vec::new(); all.keys.len()],
        removed: vec![false; all.keys.len()],
        open: Vec::new(),
        plain: Plains::default(),
    };
    registers.collect()?;
    for write in &mut registers.writes.all {
        // Reads of it may be of the initial version.
        write.untold |= write.value == initial && !std::ptr::eq(write.value, &raw const DEAD);
    }
    let mut facts = registers.versions(initial)?;
    registers.deletions();
    let reads = registers.reads(&facts, initial);
    facts.reads = Touches::new(reads, all.len());
    facts.open = std::mem::take(&mut registers.open);
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
                        self.removed[step.key as usize] = true;
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
    fn versions(&mut self, initial: &'h Value) -> Result<Facts<'h>, String> {
        let all = self.all;
        let (mut seen, phantoms) = self.seen(initial);
        let given = self.given(&mut seen);
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
                let left = (!dead).then_some(write.value);
                self.universe.perhaps[key].push((write.txn, left));
            }
        }
        let made_of = self.made_of(initial);
        let mut facts = Facts::empty(all.len(), takes_part);
        for (key, writes) in (0..).zip(&mut by_key) {
            facts.open(initial);
            let nobody = phantoms[key as usize].is_empty();
            let (given, of) = (given.get(&key), &made_of[..]);
            let (ordered, follows) = self.order(key, writes, nobody, given, of)?;
            facts.chain_follows.push(follows);
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
            for value in &phantoms[key as usize] {
                let version = facts.key.len() as u32;
                self.phantoms.insert((key, *value), version);
                facts.push(key, value, NONE);
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
        Ok(facts)
    }

    /// Puts the writes of an object in order, as many as are; gives their number, and whether that
    /// follows from what their transactions had read.
    fn order(
        &self,
        key: u32,
        writes: &mut [u32],
        nobody: bool,
        given: Option<&BTreeMap<u32, usize>>,
        made_of: &[Option<u32>],
    ) -> Result<(usize, bool), String> {
        let first = usize::from(self.universe.exists[key as usize]);
        if let Some(given) = given {
            let lacks = |number: &&u32| !given.contains_key(number);
            if let Some(number) = writes[first..].iter().find(lacks) {
                let name = self.all.keys[key as usize];
                let value = self.writes.all[*number as usize].value;
                return Err(format!("versions of {name} (they lack {value})"));
            }
            writes[first..].sort_by_key(|number| given[number]);
            return Ok((writes.len(), false));
        }
        // Of one alone the order is known.
        if nobody && writes.len() == first + 1 {
            return Ok((first + 1, false));
        }
        match nobody && writes.len() > first && in_a_row(writes, first, made_of) {
            true => Ok((writes.len(), true)),
            false => Ok((first, false)),
        }
    }

    /// Which transactions somebody read of, and by object the values that nobody wrote.
    fn seen(&mut self, initial: &Value) -> (Vec<bool>, Vec<Vec<&'h Value>>) {
        let all = self.all;
        let mut seen = vec![false; all.txns.len()];
        for by in self.chosen.values().filter(|by| **by != NONE) {
            seen[*by as usize] = true;
        }
        let mut phantoms: Vec<Vec<&'h Value>> = vec![Vec::new(); all.keys.len()];
        for txn in (0..all.len()).filter(|txn| all.status(*txn) == Status::Committed) {
            for (_, key, value) in shown(all, txn) {
                if let Some(write) = self.writes.find(key, value) {
                    seen[write.txn as usize] = true;
                } else if *value != Value::Null
                    && value != initial
                    && self.phantoms.insert((key, value), NONE).is_none()
                {
                    phantoms[key as usize].push(value);
                }
            }
        }
        (seen, phantoms)
    }

    /// By object whose order of versions is given, the place of each write; who wrote them took
    /// part.
    fn given(&self, seen: &mut [bool]) -> BTreeMap<u32, BTreeMap<u32, usize>> {
        let of = |(key, values): (&u32, &&'h [Value])| {
            let numbers = values.iter().map(|value| self.writes.number(*key, value));
            let places = numbers.enumerate();
            let places = places.filter_map(|(place, number)| Some((number?, place)));
            (*key, places.collect::<BTreeMap<u32, usize>>())
        };
        let given: BTreeMap<_, _> = self.all.given.iter().map(of).collect();
        for number in given.values().flat_map(BTreeMap::keys) {
            seen[self.writes.all[*number as usize].txn as usize] = true;
        }
        given
    }

    /// By write, the one of which its transaction made it: none of the initial version, and no
    /// answer where that was not read.
    fn made_of(&self, initial: &Value) -> Vec<Option<u32>> {
        let all = self.all;
        let mut made_of = vec![None; self.writes.all.len()];
        // By object: who met it last, what it had read before it wrote, and its last write.
        let mut met: Vec<(u32, Option<u32>, bool)> = vec![(NONE, None, false); all.keys.len()];
        let mut number = 0_usize;
        for txn in 0..all.len() {
            for step in all.steps(txn) {
                if step.access == Access::Predicate {
                    continue;
                }
                let slot = &mut met[step.key as usize];
                if slot.0 != txn {
                    *slot = (txn, None, false);
                }
                match step.access {
                    Access::Read if slot.1.is_none() && !slot.2 => {
                        let found = self.writes.find(step.key, step.value);
                        let told = found.is_none_or(|write| !write.untold && write.last);
                        let first = step.value == initial || *step.value == Value::Null;
                        slot.1 = match self.writes.number(step.key, step.value) {
                            Some(number) => told.then_some(number),
                            None => first.then_some(NONE),
                        };
                    }
                    Access::Read => {}
                    _ => {
                        made_of[number] = slot.1;
                        slot.2 = true;
                        number += 1;
                    }
                }
            }
        }
        made_of
    }

    /// A read of nothing saw what a deletion left, or the object before it was made.
    fn deletions(&mut self) {
        for write in self.writes.all.iter().filter(|write| write.last) {
            let dead = std::ptr::eq(write.value, &raw const DEAD);
            if dead && self.all.status(write.txn) != Status::Aborted {
                let key = write.key as usize;
                if self.deleted[key].is_empty() && !self.universe.exists[key] {
                    self.deleted[key].push(NONE);
                }
                self.deleted[key].push(write.txn);
            }
        }
    }

    /// The version that a read of nothing saw of an object that was deleted, if it is one of
    /// another transaction and is told.
    fn nothing(&mut self, facts: &Facts<'h>, (txn, at): (u32, u32), key: u32) -> Option<u32> {
        let others = self.deleted[key as usize].iter();
        let by: Vec<u32> = others.copied().filter(|by| *by != txn).collect();
        let place = (txn, at, key);
        let chosen = match by[..] {
            [one] if one == NONE || facts.takes_part[one as usize] => Some(one),
            _ => self.chosen.get(&place).copied(),
        };
        if chosen.is_none() && !by.is_empty() {
            self.open.push(Open { place, by });
        }
        facts.version_by(key, chosen?)
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
        let (mut selected, mut open) = (Vec::new(), Vec::new());
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
                let hidden = self.universe.hidden(facts, step.value).iter();
                let hidden = hidden.enumerate();
                for (key, hidden) in hidden.filter(|(key, _)| shown[*key] != (txn, at)) {
                    let mut by = hidden.iter().copied().filter(|by| *by != txn);
                    let place = (txn, at, key as u32);
                    let (first, second) = (by.next(), by.next());
                    let told = first.filter(|first| {
                        second.is_none() && (*first == NONE || facts.takes_part[*first as usize])
                    });
                    match (told.or(self.chosen.get(&place).copied()), first) {
                        (Some(by), _) => {
                            let version = facts.version_by(key as u32, by);
                            selected.extend(version.map(|version| Touch {
                                txn,
                                version,
                                step: at,
                            }));
                        }
                        (None, Some(_)) => open.push(Open {
                            place,
                            by: hidden.iter().copied().filter(|by| *by != txn).collect(),
                        }),
                        (None, None) => {
                            let (kind, name) = (Kind::PredicateReadMiss, all.keys[key]);
                            self.plain.add(kind, Some(name), &[txn], || {
                                format!("{name} was not found, though each of its versions matches")
                            });
                        }
                    }
                }
            }
        }
        facts.open.extend(open);
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
            let own = &self.all.steps(txn)[..at as usize];
            let deletes = |step: &Step<'_>| step.key == key && step.access == Access::Delete;
            let removed = *value == Value::Null && self.removed[key as usize];
            if removed && own.iter().any(deletes) {
                return None;
            }
            if *value == Value::Null && !self.deleted[key as usize].is_empty() {
                return self.nothing(facts, (txn, at), key);
            }
            if value == initial || *value == Value::Null {
                return Some(facts.first[key as usize]);
            }
            self.plain.add(Kind::GarbageRead, Some(name), &[txn], || {
                format!("{name} was read as {}, which nobody wrote", Brief(value))
            });
            return self.phantoms.get(&(key, value)).copied();
        };
        if write.untold || value == initial {
            return None;
        }
        if write.txn == txn {
            // It may write one value again.
            let mut before = self.all.steps(txn)[..at as usize].iter();
            let again = |step: &Step<'_>| {
                step.access == Access::Write && (step.key, step.value) == (key, value)
            };
            if write.step > at && !before.any(again) {
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

/// Whether the writes of an object, but so many first ones, were each made of the one before it,
/// in some order: then that is theirs.
fn in_a_row(writes: &mut [u32], first: usize, made_of: &[Option<u32>]) -> bool {
    let mut next: BTreeMap<u32, u32> = BTreeMap::new();
    let mut root = None;
    for number in writes.iter() {
        let before = match made_of[*number as usize] {
            None | Some(NONE) => None,
            before => before,
        };
        let slot = match before {
            Some(before) => next.insert(before, *number),
            None => root.replace(*number),
        };
        if slot.is_some() {
            return false;
        }
    }
    if first == 1 && root != Some(writes[0]) {
        return false;
    }
    let mut row = Vec::with_capacity(writes.len());
    let mut at = root;
    while let Some(number) = at.filter(|_| row.len() < writes.len()) {
        row.push(number);
        at = next.get(&number).copied();
    }
    let all = row.len() == writes.len();
    if all {
        writes.copy_from_slice(&row);
    }
    all
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
        for (at, step) in all.steps(txn).iter().enumerate() {
            if step.access == Access::Predicate {
                found_again(all, (txn, at), &mut known, plain);
                continue;
            }
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

/// Whether a read by a predicate shows what its transaction knows, and nothing else of it.
fn found_again<'h>(
    all: &Transactions<'h>,
    (txn, at): (u32, usize),
    known: &mut [(u32, &'h Value)],
    plain: &mut Plains<'h>,
) {
    let steps = all.steps(txn);
    let Some(predicate) = Predicate::parse(steps[at].value) else {
        return;
    };
    let found = &all.found[steps[at].key as usize];
    let keys = steps[..at].iter().flat_map(|step| match step.access {
        Access::Predicate => all.found[step.key as usize]
            .iter()
            .map(|(key, _)| *key)
            .collect(),
        _ => vec![step.key],
    });
    let mut keys: Vec<u32> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let (_, expected) = known[key as usize];
        let there = *expected != Value::Null && predicate.matches(expected);
        let shown = found
            .iter()
            .find(|(of, _)| *of == key)
            .map(|(_, value)| *value);
        // Whether such a read sees its own transaction's writes is left to the database.
        let mut before = steps[..at].iter();
        let own = before
            .any(|step| step.key == key && matches!(step.access, Access::Write | Access::Delete));
        if shown != there.then_some(expected) && !(own && shown.is_none()) {
            let name = all.keys[key as usize];
            plain.add(Kind::Internal, Some(name), &[txn], || {
                let expected = Brief(expected);
                format!("{name} was looked for, after its own steps left it {expected}")
            });
        }
    }
    for (key, value) in found {
        known[*key as usize] = (txn, value);
        // What is absent is found by nobody.
        if **value == Value::Null || !predicate.matches(value) {
            let name = all.keys[*key as usize];
            plain.add(Kind::Internal, Some(name), &[txn], || {
                let value = Brief(value);
                format!("{name} was found at {value}, which is not what was looked for")
            });
        }
    }
}
