//! What a policy is to the executor.

use std::panic::Location;
use std::rc::Rc;

use super::choice::Policy;
use super::fifo::FifoQueue;
use super::pct::PctQueue;
use super::random::RandomQueue;
use super::script::{Deviation, RecordedQueue, Schedule, ScriptedQueue};
use super::urw::UrwQueue;
use crate::ids::NodeId;
use crate::stream::Root;

/// A task that can run, as much as a policy may know of it.
pub(crate) trait Ready {
    fn node(&self) -> NodeId;
    /// Its place in the executor's list; a later task takes it again.
    fn slot(&self) -> u32;
}

/// Where and as what a task was spawned: tasks of one site are expected to be alike.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) location: &'static Location<'static>,
    pub(crate) name: Option<Rc<str>>,
}

/// A scheduling policy.
pub(crate) trait Scheduler<T> {
    /// A task takes its place; it is pushed for the first time right after.
    fn spawned(&mut self, _slot: u32, _site: &Site) {}

    /// A task can run. It is not in the queue.
    fn push(&mut self, task: T);

    /// Takes the task that runs next.
    fn pop(&mut self) -> Option<T>;

    /// Takes out every task of a node, in an order that the seed fixes.
    fn take_node(&mut self, node: NodeId) -> Vec<T>;

    /// A task is over, and its place free. It is not in the queue.
    fn finished(&mut self, _slot: u32) {}

    /// The number of the last pick and the place of the task that it passed over, where a script
    /// asked for that.
    fn overtaken(&mut self) -> Option<(u64, u32)> {
        None
    }

    /// The picks so far that `fifo` would not have made, where they are recorded.
    fn take_deviations(&mut self) -> Vec<Deviation> {
        Vec::new()
    }
}

/// Tasks that can run. `random` is called directly, the others through a pointer.
pub(crate) enum ReadyQueue<T> {
    Random(RandomQueue<T>),
    Other(Box<dyn Scheduler<T>>),
}

impl<T: Ready + 'static> ReadyQueue<T> {
    /// The queue of a policy; a schedule that is recorded or scripted costs a look at every task
    /// that is ready.
    pub(crate) fn new(policy: Policy, root: &Root, schedule: &Schedule) -> Self {
        match schedule {
            Schedule::Drawn => {}
            Schedule::Recorded => {
                let inner = Self::new(policy, root, &Schedule::Drawn);
                return Self::Other(Box::new(RecordedQueue::new(inner)));
            }
            Schedule::Scripted(deviations) => {
                return Self::Other(Box::new(ScriptedQueue::new(deviations)));
            }
        }
        match policy {
            Policy::Random => Self::Random(RandomQueue::new(root)),
            Policy::Fifo => Self::Other(Box::new(FifoQueue::default())),
            Policy::Pct { depth, steps } => {
                Self::Other(Box::new(PctQueue::new(root, depth, steps)))
            }
            Policy::Urw => Self::Other(Box::new(UrwQueue::new(root))),
        }
    }

    #[inline]
    pub(crate) fn spawned(&mut self, slot: u32, site: impl FnOnce() -> Site) {
        if let Self::Other(queue) = self {
            queue.spawned(slot, &site());
        }
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, task: T) {
        match self {
            Self::Random(queue) => queue.push(task),
            Self::Other(queue) => queue.push(task),
        }
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<T> {
        match self {
            Self::Random(queue) => queue.pop(),
            Self::Other(queue) => queue.pop(),
        }
    }

    pub(crate) fn take_node(&mut self, node: NodeId) -> Vec<T> {
        match self {
            Self::Random(queue) => queue.take_node(node),
            Self::Other(queue) => queue.take_node(node),
        }
    }

    /// What the last pick passed over, where a script asked for that.
    pub(crate) fn overtaken(&mut self) -> Option<(u64, u32)> {
        match self {
            Self::Random(_) => None,
            Self::Other(queue) => queue.overtaken(),
        }
    }

    /// The picks so far that `fifo` would not have made; none unless they were to be recorded.
    pub(crate) fn take_deviations(&mut self) -> Vec<Deviation> {
        match self {
            Self::Random(_) => Vec::new(),
            Self::Other(queue) => queue.take_deviations(),
        }
    }

    #[inline]
    pub(crate) fn finished(&mut self, slot: u32) {
        if let Self::Other(queue) = self {
            queue.finished(slot);
        }
    }
}
