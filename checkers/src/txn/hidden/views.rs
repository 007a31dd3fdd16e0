//! Choices that let each transaction see no more than it must.

use super::super::facts::Facts;
use super::super::levels::Order;
use super::super::transactions::{NONE, Status, Transactions};
use super::{Chosen, Open};

/// More transactions that are seen than these, all in all, are not looked at.
const SEEN_MAX: usize = 4_000_000;

/// Whom each transaction sees: whoever it read of, and what came before it.
pub(super) struct Views<'v, 'h> {
    all: &'v Transactions<'h>,
    facts: &'v Facts<'h>,
    /// By transaction, its place in a likely order.
    rank: &'v [u32],
    order: Order,
    /// Whether whom those saw is seen, too.
    closed: bool,
    seen: Vec<bool>,
    members: Vec<u32>,
}

impl<'v, 'h> Views<'v, 'h> {
    pub(super) fn of(
        (all, facts): (&'v Transactions<'h>, &'v Facts<'h>),
        rank: &'v [u32],
        order: Order,
        closed: bool,
    ) -> Self {
        Self {
            all,
            facts,
            rank,
            order,
            closed,
            seen: vec![false; all.txns.len()],
            members: Vec::new(),
        }
    }

    /// Of each object that was not shown, the first version that can have been read and is not
    /// earlier than those that the transaction sees anyway. None where that is too much work.
    pub(super) fn choose(mut self) -> Option<Chosen> {
        let (mut chosen, mut spent) = (Chosen::new(), 0);
        let open = &self.facts.open;
        for of in open.chunk_by(|a, b| a.place.0 == b.place.0) {
            self.begin(of[0].place.0);
            loop {
                let before = self.members.len();
                for open in of {
                    let by = self.first(open);
                    chosen.insert(open.place, by);
                    self.see(by);
                }
                if self.members.len() == before {
                    break;
                }
            }
            spent += self.members.len() + of.len();
            if spent > SEEN_MAX {
                return None;
            }
        }
        Some(chosen)
    }

    /// What a transaction sees whatever is chosen.
    fn begin(&mut self, txn: u32) {
        for member in self.members.drain(..) {
            self.seen[member as usize] = false;
        }
        let facts = self.facts;
        for touch in facts.reads.of(txn).iter().chain(facts.selected.of(txn)) {
            self.see(facts.writer[touch.version as usize]);
        }
        if self.order == Order::None {
            return;
        }
        let own = self.all.op(txn);
        for other in 0..self.all.len() {
            let op = self.all.op(other);
            let known = self.all.status(other) == Status::Committed;
            let session = op.process_id == own.process_id && other < txn;
            let ended = op.complete_ts.is_some_and(|to| to < own.invoke_ts);
            if known && (session || self.order == Order::Realtime && ended) {
                self.see(other);
            }
        }
    }

    fn see(&mut self, txn: u32) {
        let facts = self.facts;
        let mut rest = vec![txn];
        while let Some(txn) = rest.pop() {
            if txn == NONE || std::mem::replace(&mut self.seen[txn as usize], true) {
                continue;
            }
            self.members.push(txn);
            if self.closed {
                let touches = facts.reads.of(txn).iter().chain(facts.selected.of(txn));
                rest.extend(touches.map(|touch| facts.writer[touch.version as usize]));
            }
        }
    }

    fn first(&self, open: &Open) -> u32 {
        let (txn, _, key) = open.place;
        let place = |by: u32| match by {
            NONE => 0,
            by => u64::from(self.rank[by as usize]) + 1,
        };
        let wrote = |by: &&u32| **by != txn && self.facts.version_by(key, **by).is_some();
        let seen = self.members.iter().filter(wrote).map(|by| place(*by));
        let least = seen.max().unwrap_or(0);
        let later = open.by.iter().filter(|by| place(**by) >= least);
        let first = later.min_by_key(|by| place(**by));
        let last = || open.by.iter().max_by_key(|by| place(**by));
        *first.or_else(last).expect("one of several versions")
    }
}
