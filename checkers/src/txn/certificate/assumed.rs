//! What is taken for granted of the order of versions, worked out from the rows again.

use std::collections::BTreeMap;

use super::super::options::Assumption;
use super::super::transactions::{Access, Status};
use super::Replay;
use super::cycles::{Index, Later, leads};
use crate::value::Value;

/// Whose version, none for the initial one.
type Version = Option<u32>;

/// How a transaction meets an object: by whose version first, and whose it leaves; and what it
/// read before it wrote.
struct Met {
    txn: u32,
    key: u32,
    first: Version,
    last: Version,
    made_of: Vec<Version>,
}

/// What comes later than what, by object and transaction.
#[derive(Default)]
pub(super) struct Assumed {
    pub(super) later: Later,
    /// What would come before the initial version.
    first: Vec<(u32, u32)>,
}

impl Assumed {
    fn add(&mut self, key: u32, before: Version, after: Version) {
        match (before, after) {
            (Some(before), Some(after)) if before != after => {
                self.later.entry((key, before)).or_default().push(after);
            }
            (Some(before), None) => self.first.push((key, before)),
            _ => {}
        }
    }
}

impl Replay<'_> {
    /// What follows from what is taken for granted.
    pub(super) fn assumed(&self, index: &Index<'_>) -> Assumed {
        let mut assumed = Assumed::default();
        if self.assumptions.is_empty() {
            return assumed;
        }
        let txns = (0..self.all.len()).filter(|txn| index.takes_part[*txn as usize]);
        let met: Vec<Met> = txns.flat_map(|txn| self.met(txn, index)).collect();
        for assumption in self.assumptions {
            match assumption {
                Assumption::WritesFollowReads => {
                    for met in &met {
                        for read in &met.made_of {
                            assumed.add(met.key, *read, met.last);
                        }
                    }
                }
                Assumption::SequentialKeys => self.sequential(&met, &mut assumed),
                Assumption::LinearizableKeys => self.linearizable(&met, &mut assumed),
            }
        }
        assumed
    }

    /// How a transaction meets each object.
    fn met(&self, txn: u32, index: &Index<'_>) -> Vec<Met> {
        let mut all: BTreeMap<u32, Met> = BTreeMap::new();
        let steps = self.all.steps(txn);
        for (at, step) in steps.iter().enumerate() {
            let shown = match step.access {
                Access::Read => vec![(step.key, step.value)],
                Access::Predicate => self.all.found[step.key as usize].clone(),
                _ => {
                    let claims = self.claims(step.key);
                    let again = !claims.lists && steps[at + 1..].iter().any(|s| claims.changes(s));
                    if !again {
                        let met = all.entry(step.key).or_insert(Met {
                            txn,
                            key: step.key,
                            first: self.version(txn),
                            last: None,
                            made_of: Vec::new(),
                        });
                        met.last = self.version(txn);
                    }
                    continue;
                }
            };
            for (key, value) in shown {
                let Some(of) = self.seen((txn, at), (key, value), index) else {
                    continue;
                };
                let met = all.entry(key).or_insert(Met {
                    txn,
                    key,
                    first: of,
                    last: of,
                    made_of: Vec::new(),
                });
                let claims = self.claims(key);
                if steps[at..].iter().any(|step| claims.changes(step)) {
                    met.made_of.push(of);
                }
            }
        }
        all.into_values().collect()
    }

    /// What a transaction leaves; what there was in the beginning is the initial version.
    fn version(&self, txn: u32) -> Version {
        (self.all.universe != Some(txn)).then_some(txn)
    }

    /// Whose last version of an object a read shows, where that is told; none for its own.
    fn seen(
        &self,
        (txn, at): (u32, usize),
        (key, value): (u32, &Value),
        index: &Index<'_>,
    ) -> Option<Version> {
        let claims = self.claims(key);
        let begin = match claims.lists {
            true => super::super::append::elements(self.initial).map_or(0, <[Value]>::len),
            false => 0,
        };
        let shown = match super::super::append::elements(value).filter(|_| claims.lists) {
            Some(list) if list.len() <= begin => return Some(None),
            // It is told of by itself.
            Some(list) if self.adds_later((txn, at), key, list) => return None,
            Some(list) => list.last()?,
            None => value,
        };
        match index.writer(key, shown) {
            Some(by) if by == txn || self.leaves(by, key) != Some(shown) => None,
            Some(by) => Some(self.version(by)),
            // A deletion may have left it so.
            None if index.deleted[key as usize] => None,
            None => (*shown == Value::Null || shown == self.initial).then_some(None),
        }
    }

    /// Whether a read of a list shows what its own transaction adds later.
    fn adds_later(&self, (txn, at): (u32, usize), key: u32, list: &[Value]) -> bool {
        let mut later = self.all.steps(txn)[at..].iter();
        later.any(|s| s.key == key && s.access == Access::Append && list.contains(s.value))
    }

    fn sequential(&self, met: &[Met], assumed: &mut Assumed) {
        let mut left: BTreeMap<(u64, u32), Version> = BTreeMap::new();
        for met in met {
            let place = (self.all.op(met.txn).process_id, met.key);
            if let Some(before) = left.get(&place) {
                assumed.add(met.key, *before, met.first);
            }
            if self.all.status(met.txn) == Status::Committed {
                left.insert(place, met.last);
            }
        }
    }

    fn linearizable(&self, met: &[Met], assumed: &mut Assumed) {
        let mut ended: BTreeMap<u32, Vec<(u64, u64, Version)>> = BTreeMap::new();
        for met in met {
            let op = self.all.op(met.txn);
            let committed = self.all.status(met.txn) == Status::Committed;
            if let Some(to_ts) = op.complete_ts.filter(|_| committed) {
                let of_key = ended.entry(met.key).or_default();
                of_key.push((to_ts, op.invoke_ts, met.last));
            }
        }
        for of_key in ended.values_mut() {
            of_key.sort_unstable();
        }
        for met in met {
            let from_ts = self.all.op(met.txn).invoke_ts;
            let of_key = ended.get(&met.key).map_or(&[][..], |all| all);
            let over = &of_key[..of_key.partition_point(|(to_ts, ..)| *to_ts < from_ts)];
            // What ended before another of them began comes before what that one left.
            let mut latest = 0;
            for (to_ts, began, last) in over.iter().rev() {
                if *to_ts < latest {
                    break;
                }
                latest = latest.max(*began);
                assumed.add(met.key, *last, met.first);
            }
        }
    }

    /// Transactions that come in an order, and their versions with them, do so in the order that
    /// is taken for granted.
    pub(super) fn agrees(&self, order: impl Iterator<Item = u64>) -> Result<(), String> {
        if self.assumptions.is_empty() {
            return Ok(());
        }
        let place: BTreeMap<u64, usize> = order.zip(0..).collect();
        let id = |txn: u32| self.all.op(txn).op_id;
        let assumed = self.assumed(&self.index());
        if let Some((_, txn)) = assumed.first.first() {
            return Err(format!("what #{} wrote comes first of all", id(*txn)));
        }
        for ((_, before), after) in &assumed.later {
            for after in after {
                let (before, after) = (id(*before), id(*after));
                if place.get(&before) >= place.get(&after) {
                    return Err(format!(
                        "what #{before} wrote comes before what #{after} did"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether some of the transactions wrote what comes before itself by what is taken for
    /// granted.
    pub(super) fn before_itself(&self, key: u32, txns: &[u32]) -> bool {
        if self.assumptions.is_empty() {
            return false;
        }
        let index = self.index();
        let known = self.told(key, &index);
        let orders = [&index.assumed.later, &index.made_of, &known];
        let first = |txn: &u32| index.assumed.first.contains(&(key, *txn));
        txns.iter()
            .any(|txn| first(txn) || leads(&orders, key, *txn, *txn))
    }

    /// By the longest read of a list, or the order that is given: who comes after whom; and all
    /// others after the last.
    fn told(&self, key: u32, index: &Index<'_>) -> Later {
        let claims = self.claims(key);
        let lists = (0..self.all.len()).flat_map(|txn| claims.read(txn));
        let lists = lists.filter(|_| claims.lists);
        let lists = lists.filter_map(|(_, value)| super::super::append::elements(value));
        let longest = lists.chain(self.all.given.get(&key).copied());
        let longest = longest.max_by_key(|list| list.len()).unwrap_or(&[]);
        let mut known = Later::new();
        let mut row: Vec<u32> = Vec::new();
        for by in longest.iter().filter_map(|value| index.writer(key, value)) {
            if let Some(last) = row.last().filter(|last| **last != by) {
                known.entry((key, *last)).or_default().push(by);
            }
            row.push(by);
        }
        if let Some(last) = row.last() {
            let others = (0..self.all.len()).filter(|txn| !row.contains(txn));
            let wrote = |txn: &u32| self.all.steps(*txn).iter().any(|step| claims.changes(step));
            let others = others.filter(|txn| index.takes_part[*txn as usize] && wrote(txn));
            known.entry((key, *last)).or_default().extend(others);
        }
        known
    }
}
