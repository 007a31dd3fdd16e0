//! What reads of registers saw, by predicates too.

use std::collections::BTreeMap;

use super::super::predicate::Predicate;
use super::super::transactions::{Access, Status};
use super::{Model, Read};
use crate::value::Value;

/// By object, what each version is, nothing for what was deleted.
type Values<'h> = BTreeMap<u32, Vec<&'h Value>>;

impl<'h> Model<'h> {
    /// Finds which version every read saw.
    pub(super) fn read_registers(&mut self) -> Result<(), String> {
        let mut values = Values::new();
        for member in &self.members {
            for (key, (_, last)) in &member.writes {
                let value = self.all.steps(member.txn)[*last].value;
                values.entry(*key).or_default().push(value);
            }
        }
        if let Some(universe) = self.all.universe {
            for step in self.all.steps(universe) {
                let first = self.writers.get(&step.key).and_then(|all| all.first());
                if first.is_none_or(|first| self.members[*first].txn != universe) {
                    return Err("what there was in the beginning does not come first".to_owned());
                }
            }
        }
        for place in 0..self.members.len() {
            if self.all.status(self.members[place].txn) == Status::Committed {
                self.members[place].reads = self.reads(place, &values)?;
            }
        }
        Ok(())
    }

    fn reads(&self, place: usize, values: &Values<'h>) -> Result<Vec<Read>, String> {
        let txn = self.members[place].txn;
        let id = self.all.op(txn).op_id;
        let mut reads = Vec::new();
        let mut own: BTreeMap<u32, Vec<&Value>> = BTreeMap::new();
        for (at, step) in self.all.steps(txn).iter().enumerate() {
            let shown = match step.access {
                Access::Read => vec![(step.key, step.value)],
                Access::Predicate => self.all.found[step.key as usize].clone(),
                _ => {
                    own.entry(step.key).or_default().push(step.value);
                    continue;
                }
            };
            for (key, value) in &shown {
                if own.get(key).is_some_and(|own| own.contains(value)) {
                    continue;
                }
                let version = self.version((place, at), *key, value, values)?;
                let writer = version.checked_sub(1).map(|v| self.writers[key][v]);
                if writer == Some(place) {
                    return Err(format!("#{id} read what it wrote later"));
                }
                reads.push(Read {
                    step: at,
                    key: *key,
                    version,
                    later: version,
                    predicate: false,
                });
            }
            if step.access == Access::Predicate {
                let keys = 0..self.all.keys.len() as u32;
                let others = keys.filter(|key| !shown.iter().any(|(of, _)| of == key));
                for key in others.filter(|key| !own.contains_key(key)) {
                    reads.push(self.hidden((place, at), key, values)?);
                }
            }
        }
        Ok(reads)
    }

    /// The version that a read saw of an object.
    fn version(
        &self,
        (place, at): (usize, usize),
        key: u32,
        value: &Value,
        values: &Values<'h>,
    ) -> Result<usize, String> {
        let id = self.all.op(self.members[place].txn).op_id;
        let wrong = || format!("#{id} can not have read {value}");
        let of = values.get(&key).map_or(&[][..], |of| of);
        if *value != Value::Null {
            let found = of.iter().position(|other| *other == value);
            let initial = (value == self.initial).then_some(0);
            return found.map(|at| at + 1).or(initial).ok_or_else(wrong);
        }
        let dead = (1..=of.len()).filter(|version| *of[version - 1] == Value::Null);
        let dead: Vec<usize> = dead.collect();
        match dead.is_empty() {
            true => Ok(0),
            false => {
                let first = (!self.exists(key)).then_some(0);
                self.one_of((place, at), key, first.into_iter().chain(dead).collect())
            }
        }
    }

    /// Whether what there was in the beginning has an object.
    fn exists(&self, key: u32) -> bool {
        let universe = self.all.universe.map(|universe| self.all.steps(universe));
        universe.is_some_and(|steps| steps.iter().any(|step| step.key == key))
    }

    /// The version that is said to have been read, of those that it can have been; the only one,
    /// where nothing is said.
    fn one_of(
        &self,
        (place, at): (usize, usize),
        key: u32,
        mut versions: Vec<usize>,
    ) -> Result<usize, String> {
        let txn = self.members[place].txn;
        let id = self.all.op(txn).op_id;
        let by = |version: usize| {
            let writer = version.checked_sub(1).map(|v| self.writers[&key][v]);
            writer.map(|place| self.members[place].txn)
        };
        versions.retain(|version| by(*version) != Some(txn));
        let said = self.selected.get(&(txn, at as u32, key));
        match (said, &versions[..]) {
            (None, [one]) => Ok(*one),
            (Some(said), _) => {
                let version = versions.iter().find(|version| by(**version) == *said);
                version.copied().ok_or_else(|| {
                    let name = self.all.keys[key as usize];
                    format!("#{id} can not have read {name} at the version that is said")
                })
            }
            (None, _) => {
                let name = self.all.keys[key as usize];
                Err(format!("at which version #{id} read {name} is not said"))
            }
        }
    }

    /// What a read by a predicate saw of an object that it does not show: it depends on whoever
    /// made it not match, and misses whoever made it match again.
    fn hidden(
        &self,
        (place, at): (usize, usize),
        key: u32,
        values: &Values<'h>,
    ) -> Result<Read, String> {
        let txn = self.members[place].txn;
        let asks = Predicate::parse(self.all.steps(txn)[at].value);
        let asks = asks.ok_or("a predicate that is none")?;
        let of = values.get(&key).map_or(&[][..], |of| of);
        let hides = |version: &usize| {
            let value = version.checked_sub(1).map_or(self.initial, |v| of[v]);
            *value == Value::Null || !asks.matches(value)
        };
        let first = usize::from(self.exists(key));
        let all: Vec<usize> = (first..=of.len()).filter(hides).collect();
        let version = self.one_of((place, at), key, all)?;
        let row = (first..version).rev().take_while(hides).count();
        let after = (version + 1..=of.len()).take_while(hides).count();
        Ok(Read {
            step: at,
            key,
            version: version - row,
            later: version + after,
            predicate: true,
        })
    }

    /// Whether a transaction agrees with its own earlier steps. Whether a read by a predicate
    /// sees its own transaction's writes is left to the database.
    pub(super) fn registers_agree(&self, txn: u32) -> bool {
        let mut known: BTreeMap<u32, (&Value, bool)> = BTreeMap::new();
        for step in self.all.steps(txn) {
            match step.access {
                Access::Read => {
                    let own = match known.get(&step.key) {
                        Some((value, _)) if *value != step.value => return false,
                        Some((_, own)) => *own,
                        None => false,
                    };
                    known.insert(step.key, (step.value, own));
                }
                Access::Predicate => {
                    let shown = &self.all.found[step.key as usize];
                    let of = |key: &u32| shown.iter().find(|(of, _)| of == key);
                    let asks = Predicate::parse(step.value);
                    let matches = |value: &Value| asks.is_some_and(|asks| asks.matches(value));
                    if !shown.iter().all(|(_, value)| matches(value)) {
                        return false;
                    }
                    for (key, (value, own)) in &known {
                        let matches = matches(value);
                        let there = matches && **value != Value::Null;
                        let agrees = match of(key) {
                            Some((_, shown)) => there && shown == value,
                            None => !there || *own,
                        };
                        if !agrees {
                            return false;
                        }
                    }
                    for (key, value) in shown {
                        known.entry(*key).or_insert((value, false));
                    }
                }
                _ => {
                    known.insert(step.key, (step.value, true));
                }
            }
        }
        true
    }
}
