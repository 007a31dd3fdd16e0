//! What tells the order of writes where what is not committed may be read.

use std::collections::BTreeMap;

use super::super::transactions::{Access, Status};
use super::Model;
use crate::value::Value;

impl Model<'_> {
    /// The writes of every object come in the order that is given, or else in that of the longest
    /// read of a list, each transaction's together; and nothing was read that nobody wrote.
    pub(super) fn written(&self) -> Result<(), String> {
        let mut told: BTreeMap<u32, &[Value]> = BTreeMap::new();
        for (txn, key, value) in self.shown() {
            let shown = match (self.lists, value.as_list()) {
                (true, Some(list)) => list,
                _ => std::slice::from_ref(value),
            };
            for (at, one) in shown.iter().enumerate() {
                let before = match self.lists {
                    true => shown[..at].iter().filter(|other| *other == one).count(),
                    false => 0,
                };
                if *value != Value::Null && self.times(key, one) <= before {
                    let id = self.all.op(txn).op_id;
                    return Err(format!("#{id} can not have read {value}"));
                }
            }
            let longest = told.entry(key).or_default();
            if self.lists && *value != Value::Null && shown.len() > longest.len() {
                *longest = shown;
            }
        }
        for (key, given) in &self.all.given {
            let longest = told.entry(*key).or_default();
            if given.starts_with(longest) {
                *longest = given;
            }
        }
        told.into_iter()
            .try_for_each(|(key, list)| self.in_a_row(key, list))
    }

    /// What was read: by whom, of which object, which value.
    fn shown(&self) -> Vec<(u32, u32, &Value)> {
        let mut shown = Vec::new();
        let txns = 0..self.all.len();
        for txn in txns.filter(|txn| self.all.status(*txn) == Status::Committed) {
            for step in self.all.steps(txn) {
                match step.access {
                    Access::Read => shown.push((txn, step.key, step.value)),
                    Access::Predicate => {
                        let found = self.all.found[step.key as usize].iter();
                        shown.extend(found.map(|(key, value)| (txn, *key, *value)));
                    }
                    _ => {}
                }
            }
        }
        shown
    }

    /// How often a value was written, or an element added, by anybody or to begin with.
    fn times(&self, key: u32, value: &Value) -> usize {
        let initial = match self.lists {
            true => super::super::append::elements(self.initial).unwrap_or(&[]),
            false => std::slice::from_ref(self.initial),
        };
        let steps = (0..self.all.len()).flat_map(|txn| self.all.steps(txn));
        let wrote = steps
            .filter(|step| self.is_write(step.access) && step.key == key && step.value == value);
        wrote.count() + initial.iter().filter(|first| *first == value).count()
    }

    fn is_write(&self, access: Access) -> bool {
        matches!(access, Access::Write | Access::Append)
    }

    /// Those who wrote an object come in the order of their writes in a list, and whoever is not in
    /// it comes after them.
    fn in_a_row(&self, key: u32, list: &[Value]) -> Result<(), String> {
        let writers = self.writers.get(&key).map_or(&[][..], |all| all);
        let wrote = |value: &Value| {
            let mut of = writers.iter().filter(|place| {
                let mut steps = self.all.steps(self.members[**place].txn).iter();
                steps.any(|step| {
                    self.is_write(step.access) && step.key == key && step.value == value
                })
            });
            match (of.next(), of.next()) {
                (Some(one), None) => Some(*one),
                _ => None,
            }
        };
        let places: Vec<usize> = list.iter().filter_map(wrote).collect();
        let last = places.last().copied().unwrap_or(0);
        let unread = |place: &&usize| {
            let steps = self.all.steps(self.members[**place].txn).iter();
            let mut own = steps.filter(|step| self.is_write(step.access) && step.key == key);
            own.any(|step| self.lists && !list.contains(step.value))
        };
        let early = writers.iter().filter(unread).any(|place| *place < last);
        match places.is_sorted() && !early {
            true => Ok(()),
            false => {
                let name = self.all.keys[key as usize];
                Err(format!("the writes of {name} come in another order"))
            }
        }
    }
}
