//! `pct(d)`: probabilistic concurrency testing.
//!
//! Burckhardt, Kothari, Musuvathi, Nagarakatte, *A Randomized Scheduler with Probabilistic
//! Guarantees of Finding Bugs* (ASPLOS 2010). Each task has a random priority from its spawning
//! on, and the ready task of the highest runs; at d - 1 steps, drawn over an estimate of the run's
//! steps k, the task that would run falls below all others. With n tasks a bug of depth d is found
//! with a probability of at least 1 / (n k^(d-1)) a seed.
//!
//! A step is a poll. Beyond the paper, so that a task that spins until another has done something
//! does not spin for ever: a task that ran [`TURNS_MAX`] times while another waited all along
//! falls to the bottom, too.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::queue::{Ready, Scheduler, Site};
use crate::ids::NodeId;
use crate::stream::{Root, Stream};

/// How often a task may run between two moments at which nobody was ready.
const TURNS_MAX: u32 = 1_000;

/// Push and pop cost O(log n).
pub(super) struct PctQueue<T> {
    stream: Stream,
    /// Steps at which a priority falls, with what it falls to; the next one last.
    changes: Vec<(u64, i64)>,
    steps: u64,
    tasks: Vec<Rank>,
    heap: BinaryHeap<Entry<T>>,
    pushed: u64,
    /// One more whenever nobody is ready.
    epoch: u64,
    /// What the next task that ran too often falls to.
    bottom: i64,
}

#[derive(Clone, Copy)]
struct Rank {
    priority: i64,
    epoch: u64,
    turns: u32,
}

/// By priority; of two equal ones, the earlier pushed.
struct Entry<T> {
    key: (i64, Reverse<u64>),
    task: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl<T> PctQueue<T> {
    pub(super) fn new(root: &Root, depth: u32, steps: u64) -> Self {
        let mut stream = root.stream("sched.pct.changes", 0);
        let points = 1..i64::from(depth);
        let mut changes: Vec<_> = points
            .map(|value| (stream.range(1, steps.max(1)), value))
            .collect();
        changes.sort_unstable_by_key(|change| Reverse(*change));
        Self {
            stream: root.stream("sched.pct", 0),
            changes,
            steps: 0,
            tasks: Vec::new(),
            heap: BinaryHeap::new(),
            pushed: 0,
            epoch: 0,
            bottom: 0,
        }
    }

    /// What the task at `slot` falls to at this step, if it does.
    fn falls_to(&mut self, slot: usize) -> Option<i64> {
        let mut lowest = None;
        while let Some((_, value)) = self.changes.pop_if(|(step, _)| *step <= self.steps) {
            lowest = Some(lowest.map_or(value, |lowest: i64| lowest.min(value)));
        }
        let rank = &mut self.tasks[slot];
        if rank.epoch != self.epoch {
            rank.epoch = self.epoch;
            rank.turns = 0;
        }
        rank.turns += 1;
        if rank.turns > TURNS_MAX {
            rank.turns = 0;
            self.bottom -= 1;
            lowest = Some(self.bottom);
        }
        lowest
    }

    fn enqueue(&mut self, slot: usize, task: T) {
        self.pushed += 1;
        let key = (self.tasks[slot].priority, Reverse(self.pushed));
        self.heap.push(Entry { key, task });
    }
}

impl<T: Ready> Scheduler<T> for PctQueue<T> {
    fn spawned(&mut self, slot: u32, _site: &Site) {
        let slot = slot as usize;
        // Above every value that a priority can fall to.
        let drawn = self.stream.next_u64() >> 2;
        let priority = i64::try_from(drawn | (1 << 61)).expect("62 bits");
        let rank = Rank {
            priority,
            epoch: self.epoch,
            turns: 0,
        };
        if self.tasks.len() <= slot {
            self.tasks.resize(slot + 1, rank);
        }
        self.tasks[slot] = rank;
    }

    fn push(&mut self, task: T) {
        let slot = task.slot() as usize;
        self.enqueue(slot, task);
    }

    fn pop(&mut self) -> Option<T> {
        let Some(Entry { task, .. }) = self.heap.pop() else {
            self.epoch += 1;
            return None;
        };
        self.steps += 1;
        let slot = task.slot() as usize;
        let Some(priority) = self.falls_to(slot) else {
            return Some(task);
        };
        self.tasks[slot].priority = priority;
        self.enqueue(slot, task);
        self.heap.pop().map(|entry| entry.task)
    }

    fn take_node(&mut self, node: NodeId) -> Vec<T> {
        let heap = std::mem::take(&mut self.heap).into_sorted_vec();
        let (taken, kept): (Vec<_>, Vec<_>) = heap
            .into_iter()
            .rev()
            .partition(|entry| entry.task.node() == node);
        self.heap = kept.into();
        taken.into_iter().map(|entry| entry.task).collect()
    }
}
