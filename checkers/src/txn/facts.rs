//! What a history says for certain: which versions there were, who wrote them, who read them, and
//! which came before which.

use std::collections::BTreeMap;

use super::anomaly::Plains;
use super::hidden::{Open, Place};
use super::predicate::Predicate;
use super::transactions::NONE;
use crate::value::Value;

/// A read, or a write, of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Touch {
    pub(super) txn: u32,
    pub(super) version: u32,
    /// Which step of the transaction.
    pub(super) step: u32,
}

/// Touches by transaction, in the order of its steps.
#[derive(Debug, Default)]
pub(super) struct Touches {
    all: Vec<Touch>,
    first: Vec<u32>,
}

impl Touches {
    /// Sorts touches, which are given in the order of transactions.
    pub(super) fn new(all: Vec<Touch>, txns: u32) -> Self {
        debug_assert!(all.is_sorted_by_key(|touch| (touch.txn, touch.step)));
        let mut first = vec![0_u32; txns as usize + 1];
        for touch in &all {
            first[touch.txn as usize + 1] += 1;
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        Self { all, first }
    }

    /// Those of a transaction.
    pub(super) fn of(&self, txn: u32) -> &[Touch] {
        if self.all.is_empty() {
            return &[];
        }
        let (from, to) = (self.first[txn as usize], self.first[txn as usize + 1]);
        &self.all[from as usize..to as usize]
    }

    pub(super) fn all(&self) -> &[Touch] {
        &self.all
    }
}

/// The writes of one transaction, by object.
#[derive(Debug)]
pub(super) struct Own {
    txn: u32,
    /// Each with its object.
    writes: Vec<(u32, Touch)>,
}

impl Own {
    /// Of none yet.
    pub(super) fn new() -> Self {
        Self {
            txn: NONE,
            writes: Vec::new(),
        }
    }

    /// What the transaction of a read wrote of an object after it, in the order of its steps. Cost:
    /// that of sorting its writes, once for its reads in a row.
    pub(super) fn after(
        &mut self,
        facts: &Facts<'_>,
        read: (u32, u32),
        key: u32,
    ) -> &[(u32, Touch)] {
        let (txn, step) = read;
        if self.txn != txn {
            let writes = facts.writes.of(txn).iter();
            self.txn = txn;
            self.writes.clear();
            self.writes
                .extend(writes.map(|write| (facts.key[write.version as usize], *write)));
            self.writes
                .sort_unstable_by_key(|(key, write)| (*key, write.step));
        }
        let from = self
            .writes
            .partition_point(|(of, write)| (*of, write.step) <= (key, step));
        let count = self.writes[from..].partition_point(|(of, _)| *of == key);
        &self.writes[from..from + count]
    }
}

/// What is known.
///
/// The versions of an object are numbered in a row; the first is the initial one. So many of them,
/// `ordered`, follow each other as they are numbered; every other comes after all of these, and
/// after those that `before` says.
#[derive(Debug)]
pub(super) struct Facts<'h> {
    pub(super) txns: u32,
    /// By object, its first version; and at last how many versions there are.
    pub(super) first: Vec<u32>,
    /// By object, how many versions are in order.
    pub(super) ordered: Vec<u32>,
    /// By version, its object.
    pub(super) key: Vec<u32>,
    /// By version, the transaction that wrote it and took part, or none.
    pub(super) writer: Vec<u32>,
    /// By version, the value that was added or set.
    pub(super) value: Vec<&'h Value>,
    /// Pairs of versions of an object of which the first comes before the second, sorted; the
    /// second is not in order.
    pub(super) before: Vec<(u32, u32)>,
    /// By version, where the pairs begin of which it is the first, once that is indexed.
    before_of: Vec<u32>,
    /// Of these pairs, sorted, those that hold only where nothing is read that is not committed:
    /// a transaction read the first and wrote the second.
    pub(super) follows: Vec<(u32, u32)>,
    /// By object, whether the order of its versions holds there only.
    pub(super) chain_follows: Vec<bool>,
    /// Reads by transactions that took part, but those of their own writes.
    pub(super) reads: Touches,
    /// What predicate reads must have selected and do not show.
    pub(super) selected: Touches,
    /// What several versions can have kept from predicate reads.
    pub(super) open: Vec<Open>,
    /// What predicate reads asked for that miss nothing of an object but what matches.
    pub(super) asks: BTreeMap<Place, Predicate<'h>>,
    /// The writes of transactions that took part.
    pub(super) writes: Touches,
    /// Whether a transaction took part: it committed, or was seen to.
    pub(super) takes_part: Vec<bool>,
    /// Whether it wrote anything.
    pub(super) updates: Vec<bool>,
    /// What is wrong beside cycles.
    pub(super) plain: Plains<'h>,
    /// Versions whose writer can not be told, since more than one may have written them.
    pub(super) untold: u64,
    /// What was taken for granted beside the history.
    pub(super) assumptions: Vec<String>,
}

impl<'h> Facts<'h> {
    /// Nothing yet, but who takes part.
    pub(super) fn empty(txns: u32, takes_part: Vec<bool>) -> Self {
        Self {
            txns,
            first: Vec::new(),
            ordered: Vec::new(),
            key: Vec::new(),
            writer: Vec::new(),
            value: Vec::new(),
            before: Vec::new(),
            before_of: Vec::new(),
            follows: Vec::new(),
            chain_follows: Vec::new(),
            reads: Touches::default(),
            selected: Touches::default(),
            open: Vec::new(),
            asks: BTreeMap::new(),
            writes: Touches::default(),
            takes_part,
            updates: vec![false; txns as usize],
            plain: Plains::default(),
            untold: 0,
            assumptions: Vec::new(),
        }
    }

    /// Begins the next object with its initial version.
    pub(super) fn open(&mut self, initial: &'h Value) {
        let key = self.first.len() as u32;
        self.first.push(self.key.len() as u32);
        self.push(key, initial, NONE);
    }

    /// Adds a version to the object that was begun last.
    pub(super) fn push(&mut self, key: u32, value: &'h Value, writer: u32) {
        self.key.push(key);
        self.value.push(value);
        self.writer.push(writer);
    }

    /// Says that the versions so far of the object that was begun last are in order.
    pub(super) fn close_chain(&mut self) {
        let first = self.first.last().copied().unwrap_or(0);
        self.ordered.push(self.key.len() as u32 - first);
    }

    /// The version of an object that a transaction left, [`NONE`] for the initial one.
    pub(super) fn version_by(&self, key: u32, writer: u32) -> Option<u32> {
        if writer == NONE {
            return self.first.get(key as usize).copied();
        }
        let writes = self.writes.of(writer).iter().map(|write| write.version);
        let mut of = writes.filter(|version| self.key[*version as usize] == key);
        of.next_back()
    }

    /// The versions of an object that are in order.
    pub(super) fn chain(&self, key: u32) -> std::ops::Range<u32> {
        let first = self.first[key as usize];
        first..first + self.ordered[key as usize]
    }

    /// Those that are not.
    pub(super) fn loose(&self, key: u32) -> std::ops::Range<u32> {
        self.chain(key).end..self.first[key as usize + 1]
    }

    /// The next version in order that somebody wrote.
    pub(super) fn next(&self, version: u32) -> Option<u32> {
        let chain = self.chain(self.key[version as usize]);
        let mut rest = version + 1..chain.end;
        rest.find(|next| self.writer[*next as usize] != NONE)
    }

    /// Whether a read misses a version of its object that is later than what it saw.
    pub(super) fn misses(&self, read: &Touch, later: u32) -> bool {
        let place = (read.txn, read.step, self.key[later as usize]);
        let asks = self.asks.get(&place);
        asks.is_none_or(|asks| self.matches(later, *asks))
    }

    /// The next version in order that somebody wrote and a read misses.
    pub(super) fn missed(&self, read: &Touch) -> Option<u32> {
        let chain = self.chain(self.key[read.version as usize]);
        let mut rest = read.version + 1..chain.end;
        rest.find(|next| self.writer[*next as usize] != NONE && self.misses(read, *next))
    }

    /// The versions in order that come later than one; none when that one is not in order.
    pub(super) fn later(&self, version: u32) -> std::ops::Range<u32> {
        let chain = self.chain(self.key[version as usize]);
        match chain.contains(&version) {
            true => version + 1..chain.end,
            false => chain.end..chain.end,
        }
    }

    /// Whether a version comes before another of its object for certain.
    pub(super) fn precedes(&self, first: u32, second: u32) -> bool {
        let key = self.key[first as usize];
        if key != self.key[second as usize] || first == second {
            return false;
        }
        let chain = self.chain(key);
        if chain.contains(&first) {
            return !chain.contains(&second) || first < second;
        }
        let of = first as usize;
        let pairs = match self.before_of.get(of..of + 2) {
            Some(ends) => &self.before[ends[0] as usize..ends[1] as usize],
            None => &self.before[..],
        };
        pairs.binary_search(&(first, second)).is_ok()
    }

    /// Indexes the pairs of versions that are known, which are all that there will be.
    pub(super) fn index(&mut self) {
        let mut of = vec![0_u32; self.key.len() + 1];
        for (first, _) in &self.before {
            of[*first as usize + 1] += 1;
        }
        for at in 1..of.len() {
            of[at] += of[at - 1];
        }
        self.before_of = of;
    }

    /// Whether nobody read a version that is not in order, nor is any of them known to come
    /// before another.
    pub(super) fn loose_is_unread(&self) -> bool {
        let in_order = |read: &Touch| {
            let key = self.key[read.version as usize];
            self.chain(key).contains(&read.version)
        };
        let mut seen = self.reads.all().iter().chain(self.selected.all());
        self.before.is_empty() && seen.all(in_order)
    }

    /// Whether the order of every two versions is known, but of those of one transaction.
    pub(super) fn is_total(&self) -> bool {
        let mut keys = 0..self.ordered.len() as u32;
        keys.all(|key| {
            let mut loose = self.loose(key).map(|version| self.writer[version as usize]);
            let first = loose.next();
            loose.all(|writer| Some(writer) == first)
        })
    }
}
