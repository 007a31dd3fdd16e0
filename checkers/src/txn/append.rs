//! Lists to which transactions add distinct elements: a read of a list tells all that came before.

use super::anomaly::{Kind, Plains};
use super::facts::{Facts, Own, Touch, Touches};
use super::transactions::{Access, NONE, Status, Step, Transactions};
use super::writes::{Write, Writes};
use crate::value::{Brief, Value};

/// The elements of a list, each with its append, if there is one.
type Chain<'h> = Vec<(&'h Value, u32)>;

/// What is known while versions are made.
struct Lists<'h, 't> {
    all: &'t Transactions<'h>,
    /// What every list has before all that is added.
    initial: &'h [Value],
    writes: Writes<'h>,
    /// By object, its longest read and who read it.
    longest: Vec<(&'h [Value], u32)>,
    /// By object, whether an element is in its longest read twice.
    twice: Vec<bool>,
    /// By version, whether its transaction added more after it.
    midway: Vec<bool>,
    /// What the transaction whose reads are looked at wrote, by object.
    later: Own,
    plain: Plains<'h>,
}

/// Makes facts of a list-append history. Cost: linear in the steps and in the elements read.
///
/// # Errors
/// The field that a row lacks.
pub(super) fn facts<'h>(all: &Transactions<'h>, initial: &'h Value) -> Result<Facts<'h>, String> {
    let keys = all.keys.len();
    let mut lists = Lists {
        all,
        initial: elements(initial).ok_or("an initial value that is a list")?,
        writes: Writes::new(keys),
        longest: vec![(&[][..], NONE); keys],
        twice: vec![false; keys],
        midway: Vec::new(),
        later: Own::new(),
        plain: Plains::default(),
    };
    lists.collect()?;
    let mut facts = lists.versions()?;
    let reads = lists.reads(&facts);
    facts.reads = Touches::new(reads, all.len());
    super::internal::of_lists(all, &mut lists.plain);
    facts.plain = lists.plain;
    Ok(facts)
}

/// The elements of a list as it was read; none for what is no list.
pub(super) fn elements(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Null => Some(&[]),
        Value::List(elements) => Some(elements),
        _ => None,
    }
}

impl<'h> Lists<'h, '_> {
    fn collect(&mut self) -> Result<(), String> {
        for txn in 0..self.all.len() {
            let committed = self.all.status(txn) == Status::Committed;
            for (at, step) in self.all.steps(txn).iter().enumerate() {
                match step.access {
                    Access::Append => {
                        let what = (step.key, step.value);
                        self.writes.push(self.all, (txn, at as u32), what, false);
                    }
                    Access::Read if committed => {
                        let id = self.all.op(txn).op_id;
                        let list = elements(step.value)
                            .ok_or_else(|| format!("output (a list that was read) of txn #{id}"))?;
                        let longest = &mut self.longest[step.key as usize];
                        if list.len() > longest.0.len() {
                            *longest = (list, txn);
                        }
                    }
                    Access::Read => {}
                    Access::Write | Access::Delete | Access::Predicate => {
                        let id = self.all.op(txn).op_id;
                        return Err(format!(
                            "input (appends to lists and reads of one list each) of txn #{id}"
                        ));
                    }
                }
            }
            self.writes.mark_last(txn);
        }
        Ok(())
    }

    /// Numbers the versions: of each object the initial one, those of its longest read, and those
    /// that nobody read.
    fn versions(&mut self) -> Result<Facts<'h>, String> {
        let keys = self.all.keys.len() as u32;
        let (chains, seen) = self.chains();
        let part = |txn: u32| match self.all.status(txn) {
            Status::Committed => true,
            Status::Unknown => seen[txn as usize],
            Status::Aborted => false,
        };
        let takes_part: Vec<bool> = (0..self.all.len()).map(part).collect();
        let mut in_chain = vec![false; self.writes.all.len()];
        for (_, write) in chains.iter().flatten() {
            if *write != NONE {
                in_chain[*write as usize] = true;
            }
        }
        let mut loose: Vec<Vec<u32>> = vec![Vec::new(); keys as usize];
        for (number, write) in self.writes.all.iter().enumerate() {
            if takes_part[write.txn as usize] && !write.untold && !in_chain[number] {
                loose[write.key as usize].push(number as u32);
            }
        }
        let mut facts = Facts::empty(self.all.len(), takes_part);
        for (key, (chain, loose)) in chains.iter().zip(&loose).enumerate() {
            if let Some(unordered) = loose.first().filter(|_| self.is_given(key as u32)) {
                let (key, value) = (
                    self.all.keys[key],
                    self.writes.all[*unordered as usize].value,
                );
                return Err(format!("versions of {key} (they lack {value})"));
            }
            facts.open(&Value::Null);
            for (value, write) in chain {
                self.version(&mut facts, key as u32, value, *write);
            }
            // Of one transaction alone, the order of its steps is that of its versions.
            let mut writers = loose
                .iter()
                .map(|write| self.writes.all[*write as usize].txn);
            let first = writers.next();
            let ordered = writers.all(|writer| Some(writer) == first);
            if !ordered {
                facts.close_chain();
            }
            for write in loose {
                let value = self.writes.all[*write as usize].value;
                self.version(&mut facts, key as u32, value, *write);
            }
            if ordered {
                facts.close_chain();
            }
        }
        facts.first.push(facts.key.len() as u32);
        self.shuffled(&facts);
        facts.untold = self.writes.all.iter().filter(|write| write.untold).count() as u64;
        let touches = self.writes.all.iter().filter(|write| write.version != NONE);
        let touches = touches.filter(|write| facts.takes_part[write.txn as usize]);
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
        facts.writes = Touches::new(touches, self.all.len());
        Ok(facts)
    }

    /// Complains of elements that stand before, or without, what their transaction had added to
    /// the same list earlier.
    fn shuffled(&mut self, facts: &Facts<'h>) {
        let mut last: Vec<u32> = vec![NONE; self.longest.len()];
        for (number, write) in self.writes.all.iter().enumerate() {
            let told = !write.untold && !write.again && !self.initial.contains(write.value);
            if write.version == NONE || !told || !facts.takes_part[write.txn as usize] {
                continue;
            }
            let before = std::mem::replace(&mut last[write.key as usize], number as u32);
            let Some(before) = self.writes.all.get(before as usize) else {
                continue;
            };
            if before.txn != write.txn || before.version < write.version {
                continue;
            }
            let (list, reader) = self.longest[write.key as usize];
            // Of those that are counted alone, nobody is looked for.
            let told = self.plain.tells(Kind::IncompatibleOrder);
            let read = (told && list.contains(write.value)).then_some(reader);
            let txns: Vec<u32> = read.into_iter().chain([write.txn]).collect();
            let name = self.all.keys[write.key as usize];
            self.plain
                .add(Kind::IncompatibleOrder, Some(name), &txns, || {
                    let (first, second) = (before.value, write.value);
                    format!(
                        "{second} stands in {name} without {first} before it, which its \
                         transaction had added first"
                    )
                });
        }
    }

    fn is_given(&self, key: u32) -> bool {
        self.all.given.contains_key(&key)
    }

    /// What follows the longest read of a list in the order of its versions, if that is given.
    fn given(&mut self, key: u32) -> &'h [Value] {
        let (list, reader) = self.longest[key as usize];
        let given = self.all.given.get(&key).copied().unwrap_or(&[]);
        if let Some(rest) = given.strip_prefix(list) {
            return rest;
        }
        if !list.starts_with(given) {
            let name = self.all.keys[key as usize];
            let kind = Kind::IncompatibleOrder;
            self.plain.add(kind, Some(name), &[reader], || {
                let (ours, theirs) = (list_of(list), list_of(given));
                let (ours, theirs) = (Brief(&ours), Brief(&theirs));
                format!("{name} was read as {ours}, and its versions are given as {theirs}")
            });
        }
        &[]
    }

    /// By object, the elements of its longest read, each once, and who added each; and which
    /// transactions added any.
    fn chains(&mut self) -> (Vec<Chain<'h>>, Vec<bool>) {
        let mut seen = vec![false; self.all.txns.len()];
        let mut chains = Vec::with_capacity(self.longest.len());
        let mut stamp = vec![NONE; self.writes.all.len()];
        for key in 0..self.longest.len() {
            let rest = self.given(key as u32);
            let (list, reader) = &self.longest[key];
            let mut chain = Vec::with_capacity(list.len());
            let name = self.all.keys[key];
            let mut aborted = None;
            for value in list.iter().chain(rest) {
                let found = self.writes.number(key as u32, value);
                let Some(number) = found else {
                    chain.push((value, NONE));
                    continue;
                };
                let write = &self.writes.all[number as usize];
                if stamp[number as usize] == key as u32 {
                    self.twice[key] = true;
                    if !write.untold && !write.again {
                        let txns = [*reader, write.txn];
                        self.plain
                            .add(Kind::DuplicateElements, Some(name), &txns, || {
                                format!("{value} is in {name} twice, though it was added once")
                            });
                    }
                    continue;
                }
                stamp[number as usize] = key as u32;
                chain.push((value, number));
                seen[write.txn as usize] = true;
                match (self.all.status(write.txn), aborted) {
                    (Status::Aborted, _) => aborted = Some((value, write.txn)),
                    (_, Some((before, by))) if !write.untold => {
                        let txns = [by, write.txn, *reader];
                        self.plain.add(Kind::DirtyUpdate, Some(name), &txns, || {
                            format!("{value} was added to {name} after {before}, which aborted")
                        });
                        aborted = None;
                    }
                    _ => {}
                }
            }
            chains.push(chain);
        }
        (chains, seen)
    }

    /// Adds a version.
    fn version(&mut self, facts: &mut Facts<'h>, key: u32, value: &'h Value, write: u32) {
        let mut writer = NONE;
        if write != NONE {
            let write = &mut self.writes.all[write as usize];
            write.version = facts.key.len() as u32;
            self.midway.resize(facts.key.len() + 1, false);
            self.midway[facts.key.len()] = !write.last && !write.untold;
            if facts.takes_part[write.txn as usize] && !write.untold {
                writer = write.txn;
            }
        }
        facts.push(key, value, writer);
    }

    /// The reads of committed transactions, but those of what they had added themselves.
    fn reads(&mut self, facts: &Facts<'h>) -> Vec<Touch> {
        let all = self.all;
        let keys = 0..all.keys.len() as u32;
        // By object, how many elements may be read before one that aborted, or that nobody added.
        let clean: Vec<(u32, u32)> = keys.map(|key| self.clean(facts, key)).collect();
        let mut reads = Vec::new();
        for txn in 0..all.len() {
            if all.status(txn) != Status::Committed {
                continue;
            }
            for (at, step) in all.steps(txn).iter().enumerate() {
                if step.access != Access::Read {
                    continue;
                }
                let list = elements(step.value).unwrap_or(&[]);
                let read = Read {
                    txn,
                    step: at as u32,
                    key: step.key,
                    list,
                };
                reads.extend(self.read(facts, &read, clean[step.key as usize]));
            }
        }
        reads
    }

    /// How many elements of the longest read come before the first of an aborted transaction,
    /// and before the first that nobody added.
    fn clean(&self, facts: &Facts<'h>, key: u32) -> (u32, u32) {
        let (list, _) = self.longest[key as usize];
        let (mut told, mut known) = (NONE, NONE);
        let suspicious = facts
            .chain(key)
            .any(|version| facts.writer[version as usize] == NONE);
        if !suspicious && !self.twice[key as usize] {
            return (NONE, NONE);
        }
        for (at, value) in (0..).zip(list) {
            match self.writes.find(key, value) {
                None if self.initial.contains(value) => {}
                None => known = known.min(at),
                Some(write) => {
                    if self.all.status(write.txn) == Status::Aborted {
                        told = told.min(at);
                    }
                }
            }
        }
        (told, known)
    }

    fn read(&mut self, facts: &Facts<'h>, read: &Read<'h>, clean: (u32, u32)) -> Option<Touch> {
        let (longest, reader) = self.longest[read.key as usize];
        let len = read.list.len();
        let prefix = longest[..len.min(longest.len())] == *read.list;
        let mut version = facts.first[read.key as usize] + len as u32;
        let (mut aborted, mut garbage) = (None, None);
        if prefix && !self.twice[read.key as usize] {
            aborted = (clean.0 < len as u32).then_some(clean.0 as usize);
            garbage = (clean.1 < len as u32).then_some(clean.1 as usize);
        } else {
            version = facts.first[read.key as usize];
            for (at, value) in read.list.iter().enumerate() {
                match self.writes.find(read.key, value) {
                    None if self.initial.contains(value) => {}
                    None => garbage = garbage.or(Some(at)),
                    Some(write) => {
                        if self.all.status(write.txn) == Status::Aborted {
                            aborted = aborted.or(Some(at));
                        }
                        version = write.version;
                    }
                }
            }
        }
        self.complain(read, aborted, garbage);
        if !prefix {
            let name = self.all.keys[read.key as usize];
            let txns = [read.txn, reader];
            self.plain
                .add(Kind::IncompatibleOrder, Some(name), &txns, || {
                    let (ours, theirs) = (list_of(read.list), list_of(longest));
                    let (ours, theirs) = (Brief(&ours), Brief(&theirs));
                    format!("{name} was read as {ours} and as {theirs}; neither begins the other")
                });
        }
        let plain = prefix && !self.twice[read.key as usize];
        if version == NONE || self.own(facts, read, (version, plain)) {
            return None;
        }
        Some(Touch {
            txn: read.txn,
            version,
            step: read.step,
        })
    }

    /// Whether a read ends in what its own transaction had added before; and complaints of what
    /// it added after, and of what another overwrote. The version is that of the last element for
    /// certain if `plain`.
    fn own(&mut self, facts: &Facts<'h>, read: &Read<'h>, (version, plain): (u32, bool)) -> bool {
        let name = self.all.keys[read.key as usize];
        for (_, touch) in self.later.after(facts, (read.txn, read.step), read.key) {
            let value = facts.value[touch.version as usize];
            if touch.version <= version && read.list.contains(value) {
                self.plain
                    .add(Kind::FutureRead, Some(name), &[read.txn], || {
                        format!("{value} was read in {name} before the transaction itself added it")
                    });
                return true;
            }
        }
        if facts.writer[version as usize] == read.txn {
            return true;
        }
        let Some(value) = read.list.last() else {
            return false;
        };
        if plain
            && !self
                .midway
                .get(version as usize)
                .is_some_and(|midway| *midway)
        {
            return false;
        }
        if let Some(write) = self.writes.find(read.key, value)
            && !write.last
            && !write.untold
            && write.txn != read.txn
            && !self.may_be_last(read, write)
        {
            let txns = [read.txn, write.txn];
            self.plain.add(Kind::G1b, Some(name), &txns, || {
                format!("{name} was read up to {value}, which was not the last that was added")
            });
        }
        false
    }

    /// Whether a read of a value that aborted transactions wrote more than once may end in what one
    /// of them left: in all that the one had added, if nobody else added the value.
    fn may_be_last(&self, read: &Read<'h>, write: &Write<'h>) -> bool {
        let count = |value: &Value| read.list.iter().filter(|other| *other == value).count();
        let steps = self.all.steps(write.txn);
        let added = |step: &&Step<'h>| step.access == Access::Append && step.key == write.key;
        let shown = |step: &Step<'h>| {
            let times = steps.iter().filter(|other| added(other));
            times.filter(|other| other.value == step.value).count() <= count(step.value)
        };
        write.several || write.again && steps.iter().filter(added).all(shown)
    }

    fn complain(&mut self, read: &Read<'h>, aborted: Option<usize>, garbage: Option<usize>) {
        let name = self.all.keys[read.key as usize];
        if let Some(at) = aborted {
            let value = &read.list[at];
            let by = self.writes.find(read.key, value);
            let by = by.map_or(NONE, |write| write.txn);
            self.plain.add(Kind::G1a, Some(name), &[read.txn, by], || {
                format!("{value} was read in {name}, though its transaction aborted")
            });
        }
        if let Some(at) = garbage {
            let value = &read.list[at];
            let kind = Kind::GarbageRead;
            self.plain.add(kind, Some(name), &[read.txn], || {
                format!("{value} was read in {name}, where nobody added it")
            });
        }
    }
}

/// A read of a list.
struct Read<'h> {
    txn: u32,
    step: u32,
    key: u32,
    list: &'h [Value],
}

fn list_of(elements: &[Value]) -> Value {
    Value::List(elements.to_vec())
}
