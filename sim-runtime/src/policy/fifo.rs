//! `fifo`: in the order they became ready.

use std::collections::VecDeque;

use super::queue::{Ready, Scheduler};
use crate::ids::NodeId;

/// Push and pop cost O(1).
pub(super) struct FifoQueue<T>(VecDeque<T>);

impl<T> Default for FifoQueue<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Ready> Scheduler<T> for FifoQueue<T> {
    fn push(&mut self, task: T) {
        self.0.push_back(task);
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn take_node(&mut self, node: NodeId) -> Vec<T> {
        let (taken, kept) = self.0.drain(..).partition(|task| task.node() == node);
        self.0 = kept;
        VecDeque::into(taken)
    }
}
