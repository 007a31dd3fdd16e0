//! The writes of a history: who made each, and which one a value is of.

use rustc_hash::FxHashMap;

use super::transactions::{NONE, Status, Transactions};
use crate::value::Value;

/// A write, or an append.
pub(super) struct Write<'h> {
    pub(super) value: &'h Value,
    pub(super) txn: u32,
    pub(super) step: u32,
    pub(super) key: u32,
    /// No later write of its transaction is of the same object.
    pub(super) last: bool,
    /// More than one transaction may have written the value.
    pub(super) untold: bool,
    /// What aborted wrote the value more than once.
    pub(super) again: bool,
    /// More than one transaction that aborted did.
    pub(super) several: bool,
    /// Its version, once it has one.
    pub(super) version: u32,
}

/// All of them, in the order of transactions and steps.
pub(super) struct Writes<'h> {
    pub(super) all: Vec<Write<'h>>,
    /// By object and value, the write.
    found: FxHashMap<(u32, &'h Value), u32>,
    /// By object, the transaction whose writes were marked last.
    stamp: Vec<u32>,
    /// Where the writes of the transaction begin that is being read.
    first: usize,
}

impl<'h> Writes<'h> {
    /// None, of so many objects.
    pub(super) fn new(keys: usize) -> Self {
        Self {
            all: Vec::new(),
            found: FxHashMap::default(),
            stamp: vec![NONE; keys],
            first: 0,
        }
    }

    /// Adds a write. A value that two transactions may have written is of neither; one that a
    /// transaction wrote twice is of its last write if `again`, else of neither.
    pub(super) fn push(
        &mut self,
        all: &Transactions<'_>,
        (txn, step): (u32, u32),
        (key, value): (u32, &'h Value),
        again: bool,
    ) {
        let number = self.all.len() as u32;
        self.push_unnamed((txn, step), key, value);
        let slot = self.found.entry((key, value)).or_insert(number);
        let other = &mut self.all[*slot as usize];
        if *slot == number || all.status(txn) == Status::Aborted {
            other.again |= *slot != number && all.status(other.txn) == Status::Aborted;
            other.several |= other.again && other.txn != txn;
            return;
        }
        if all.status(other.txn) == Status::Aborted || again && other.txn == txn {
            *slot = number;
        } else {
            other.untold = true;
            self.all[number as usize].untold = true;
        }
    }

    /// Adds a write that no value tells from others.
    pub(super) fn push_unnamed(&mut self, (txn, step): (u32, u32), key: u32, value: &'h Value) {
        self.all.push(Write {
            value,
            txn,
            step,
            key,
            last: true,
            untold: false,
            again: false,
            several: false,
            version: NONE,
        });
    }

    /// All writes of a transaction were added: marks those that it overwrote.
    pub(super) fn mark_last(&mut self, txn: u32) {
        for write in self.all[self.first..].iter_mut().rev() {
            let stamp = &mut self.stamp[write.key as usize];
            write.last = *stamp != txn;
            *stamp = txn;
        }
        self.first = self.all.len();
    }

    /// The number of the write of a value.
    pub(super) fn number(&self, key: u32, value: &'h Value) -> Option<u32> {
        self.found.get(&(key, value)).copied()
    }

    /// The write of a value.
    pub(super) fn find(&self, key: u32, value: &'h Value) -> Option<&Write<'h>> {
        let number = self.number(key, value)?;
        Some(&self.all[number as usize])
    }
}
