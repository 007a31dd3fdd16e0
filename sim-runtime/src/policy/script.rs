//! A schedule as data: what a policy picked where `fifo` would have picked another, and the same
//! played back.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::queue::{Ready, ReadyQueue, Scheduler, Site};
use crate::ids::NodeId;

/// A pick that `fifo` would not have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Deviation {
    /// Which pick of the run it is, counted from 0 over those that had a choice.
    pub pick: u64,
    /// How many tasks that were ready before the one picked are passed over.
    pub over: u32,
}

/// A pick that a script asked for, and was made: one task ran before another that could have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overtaking {
    /// Which pick it is, as in [`Deviation::pick`].
    pub pick: u64,
    /// When, in virtual nanoseconds.
    pub at_ns: u64,
    /// The task that ran: its node, and its name with the place where it was spawned.
    pub ran: (NodeId, String),
    /// The task that was ready longest, and would have run first in, first out.
    pub passed: (NodeId, String),
}

/// Where a run's schedule comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// The policy.
    #[default]
    Drawn,
    /// The policy, and [`Summary::deviations`](crate::Summary::deviations) says what it did.
    Recorded,
    /// `fifo`, but for these; those that cannot be made are not.
    Scripted(Vec<Deviation>),
}

/// A policy's queue with a list of who became ready when beside it. A pick costs O(n) in the tasks
/// that are ready.
pub(super) struct RecordedQueue<T> {
    inner: ReadyQueue<T>,
    /// Places of the tasks that are ready, in the order they became so.
    order: VecDeque<u32>,
    picks: u64,
    deviations: Vec<Deviation>,
}

impl<T> RecordedQueue<T> {
    pub(super) const fn new(inner: ReadyQueue<T>) -> Self {
        Self {
            inner,
            order: VecDeque::new(),
            picks: 0,
            deviations: Vec::new(),
        }
    }
}

impl<T: Ready + 'static> Scheduler<T> for RecordedQueue<T> {
    fn spawned(&mut self, slot: u32, site: &Site) {
        self.inner.spawned(slot, || site.clone());
    }

    fn push(&mut self, task: T) {
        self.order.push_back(task.slot());
        self.inner.push(task);
    }

    fn pop(&mut self) -> Option<T> {
        let has_choice = self.order.len() > 1;
        let task = self.inner.pop()?;
        let found = self.order.iter().position(|slot| *slot == task.slot());
        let over = found.expect("what is ready is in the order");
        self.order.remove(over);
        if has_choice {
            if over > 0 {
                let over = u32::try_from(over).expect("fewer than 2^32 tasks");
                self.deviations.push(Deviation {
                    pick: self.picks,
                    over,
                });
            }
            self.picks += 1;
        }
        Some(task)
    }

    fn take_node(&mut self, node: NodeId) -> Vec<T> {
        let taken = self.inner.take_node(node);
        self.order
            .retain(|slot| taken.iter().all(|task| task.slot() != *slot));
        taken
    }

    fn finished(&mut self, slot: u32) {
        self.inner.finished(slot);
    }

    fn take_deviations(&mut self) -> Vec<Deviation> {
        std::mem::take(&mut self.deviations)
    }
}

/// First in, first out, but for deviations. One costs O(n) in the tasks that are ready.
pub(super) struct ScriptedQueue<T> {
    ready: VecDeque<T>,
    picks: u64,
    /// The last one first.
    deviations: Vec<Deviation>,
    /// The last pick, and the place of the task it passed over, if it did.
    overtaken: Option<(u64, u32)>,
}

impl<T> ScriptedQueue<T> {
    pub(super) fn new(deviations: &[Deviation]) -> Self {
        let mut deviations = deviations.to_vec();
        deviations.sort_unstable_by(|one, other| other.cmp(one));
        Self {
            ready: VecDeque::new(),
            picks: 0,
            deviations,
            overtaken: None,
        }
    }
}

impl<T: Ready> Scheduler<T> for ScriptedQueue<T> {
    fn push(&mut self, task: T) {
        self.ready.push_back(task);
    }

    fn pop(&mut self) -> Option<T> {
        if self.ready.len() < 2 {
            return self.ready.pop_front();
        }
        let mut over = 0;
        while let Some(due) = self.deviations.pop_if(|next| next.pick <= self.picks) {
            // Of several for one pick the first that can be made is.
            if over == 0 && (due.over as usize) < self.ready.len() {
                over = due.over as usize;
            }
        }
        let first = self.ready.front().map(Ready::slot);
        self.overtaken = first.filter(|_| over > 0).map(|slot| (self.picks, slot));
        self.picks += 1;
        self.ready.remove(over)
    }

    fn overtaken(&mut self) -> Option<(u64, u32)> {
        self.overtaken.take()
    }

    fn take_node(&mut self, node: NodeId) -> Vec<T> {
        let (taken, kept) = self.ready.drain(..).partition(|task| task.node() == node);
        self.ready = kept;
        VecDeque::into(taken)
    }
}
