//! Reads by predicates: every version set that they can have had.
//!
//! An object that such a read does not show was read at a version that does not match, any of
//! them. What counts is when matching changed: the read depends on who made the object not match,
//! and misses who made it match again (Adya, section 3.1).
//!
//! That the version is as good as the first of those in a row that do not match is what makes this
//! right. Where that first one is the reader's own later write, it can not have been read: as for
//! a read of one object, this is a cycle of one. Adya's graph has no such edge; without it, a
//! history would have no cycle that no serial order explains.

use std::collections::{BTreeMap, BTreeSet};

use super::{Known, Read, Version};
use crate::txn::notation::{End, Step, Tx};

/// What was seen: by whom, at which step, of whom, who is missed, and whether by a predicate.
pub(super) type Seen = (usize, usize, Option<usize>, Vec<usize>, bool);

impl<'t> Known<'t> {
    /// What is known, for every set of versions that reads by predicates can have selected and
    /// all transactions of unknown outcome that can have taken part.
    pub(crate) fn all(txs: &'t [Tx]) -> Vec<Self> {
        let seen = Known::of(txs).part;
        let open: Vec<usize> = (0..txs.len())
            .filter(|at| txs[*at].end == End::Info)
            .collect();
        let mut parts: BTreeSet<Vec<bool>> = BTreeSet::new();
        for bits in 0..1_usize << open.len() {
            let mut part = seen.clone();
            for (place, at) in open.iter().enumerate() {
                part[*at] |= bits >> place & 1 == 1;
            }
            parts.insert(part);
        }
        parts
            .into_iter()
            .flat_map(|part| Self::sets(txs, &part))
            .collect()
    }

    fn sets(txs: &'t [Tx], part: &[bool]) -> Vec<Self> {
        let base = Known::with(txs, part.to_vec());
        let steps = || txs.iter().flat_map(|tx| &tx.steps);
        let keys = steps().filter_map(|step| match step {
            Step::Write(key, _) | Step::Read(key, _) => Some(*key),
            _ => None,
        });
        let keys: BTreeSet<char> = keys.collect();
        let mut choices: Vec<Vec<(Read, (i64, i64))>> = vec![Vec::new()];
        for (at, tx) in txs.iter().enumerate().filter(|(_, tx)| tx.end == End::Ok) {
            for (step, what) in tx.steps.iter().enumerate() {
                let Step::Find(asks, found) = what else {
                    continue;
                };
                for key in &keys {
                    let own = tx.steps[..step].iter();
                    let mut own = own.filter(|s| matches!(s, Step::Write(k, _) if k == key));
                    if found.iter().any(|(of, _)| of == key) || own.next().is_some() {
                        continue;
                    }
                    let written = base.writes.get(key).into_iter().flatten();
                    let hidden = written
                        .filter(|(by, write)| *by != at && !matches(txs, (*by, *write), *asks));
                    let versions = hidden.map(|version| Some(*version));
                    let versions: Vec<Version> = versions.chain([None]).collect();
                    let longer = |so_far: &Vec<(Read, (i64, i64))>| {
                        let one = |version: &Version| {
                            let read = (at, step, *key, *version);
                            [&so_far[..], &[(read, *asks)]].concat()
                        };
                        versions.iter().map(one).collect::<Vec<_>>()
                    };
                    choices = choices.iter().flat_map(longer).collect();
                }
            }
        }
        let make = |finds: Vec<(Read, (i64, i64))>| {
            let mut known = Known::with(txs, part.to_vec());
            known.finds = finds;
            known
        };
        choices.into_iter().map(make).collect()
    }

    /// All that was seen, with an order of the versions of each object.
    pub(super) fn seen(&self, orders: &BTreeMap<char, &[usize]>) -> Vec<Seen> {
        let items = self.reads.iter().map(|read| {
            let source = read.3.map(|(by, _)| by);
            (read.0, read.1, source, self.missed(read, orders), false)
        });
        let finds = self.finds.iter().map(|((at, step, key, version), asks)| {
            let order = orders.get(key).copied().unwrap_or(&[]);
            let of = |by: usize| {
                let mut writes = self.writes[key].iter();
                *writes
                    .find(|(other, _)| *other == by)
                    .expect("it wrote that")
            };
            let hides = |by: &usize| !matches(self.txs, of(*by), *asks);
            let place = version.and_then(|(by, _)| order.iter().position(|other| *other == by));
            let after = place.map_or(0, |place| place + 1);
            // Who made it not match: the first of those in a row up to the version, which can be
            // its own later write: a cycle of one.
            let row = order[..after]
                .iter()
                .rev()
                .take_while(|by| hides(by))
                .count();
            let source = match after - row {
                0 => None,
                _ => order.get(after - row).copied(),
            };
            let again = order[after..].iter().skip_while(|by| hides(by));
            let missed: Vec<usize> = again.copied().filter(|by| by != at).collect();
            (*at, *step, source, missed, true)
        });
        items.chain(finds).collect()
    }
}

/// Whether a transaction wrote an object before a step.
pub(super) fn own(tx: &Tx, step: usize, key: char) -> bool {
    let mut before = tx.steps[..step].iter();
    before.any(|step| matches!(step, Step::Write(of, _) if *of == key))
}

fn matches(txs: &[Tx], (by, write): (usize, usize), (divisor, rest): (i64, i64)) -> bool {
    match txs[by].steps[write] {
        Step::Write(_, value) => value.rem_euclid(divisor) == rest,
        _ => false,
    }
}
