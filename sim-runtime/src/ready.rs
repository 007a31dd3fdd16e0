//! The ready queue: which of the tasks that can run runs next.

use std::collections::VecDeque;

use async_task::Runnable;
use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, Seed};
use crate::stream::Stream;
use crate::task::TaskMeta;

/// How the next task is picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Any node that has a ready task, then any of its tasks, by seed.
    #[default]
    Random,
    /// In the order they became ready.
    Fifo,
}

pub(crate) type Task = Runnable<TaskMeta>;

/// Tasks that can run. Push and pop cost O(1).
pub(crate) enum ReadyQueue {
    Fifo(VecDeque<Task>),
    Random(Box<RandomQueue>),
}

pub(crate) struct RandomQueue {
    seed: Seed,
    pick_node: Picks,
    nodes: Vec<NodeQueue>,
    /// Nodes with at least one ready task.
    ready: Vec<u32>,
}

struct NodeQueue {
    pick_task: Picks,
    tasks: Vec<Task>,
}

/// Two picks to a draw.
struct Picks {
    stream: Stream,
    word: u64,
    left: u32,
}

impl Picks {
    const fn new(stream: Stream) -> Self {
        Self {
            stream,
            word: 0,
            left: 0,
        }
    }

    #[inline]
    fn half(&mut self) -> u32 {
        if self.left == 0 {
            self.word = self.stream.next_u64();
            self.left = 2;
        }
        let half = self.word as u32;
        self.word >>= 32;
        self.left -= 1;
        half
    }

    /// Uniform in `0..len`, without bias (Lemire's multiply and reject).
    #[inline]
    fn index(&mut self, len: usize) -> usize {
        let n = u32::try_from(len).expect("fewer than 2^32 tasks at a time");
        let mut product = u64::from(self.half()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.half()) * u64::from(n);
            }
        }
        (product >> 32) as usize
    }
}

impl ReadyQueue {
    pub(crate) fn new(policy: Policy, seed: Seed) -> Self {
        match policy {
            Policy::Fifo => Self::Fifo(VecDeque::new()),
            Policy::Random => Self::Random(Box::new(RandomQueue {
                seed,
                pick_node: Picks::new(Stream::of(seed, "sched.node", 0)),
                nodes: Vec::new(),
                ready: Vec::new(),
            })),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, task: Task) {
        match self {
            Self::Fifo(queue) => queue.push_back(task),
            Self::Random(queue) => queue.push(task),
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Task> {
        match self {
            Self::Fifo(queue) => queue.pop_front(),
            Self::Random(queue) => queue.pop(),
        }
    }

    /// Takes out every task of `node`, in queue order.
    pub(crate) fn take_node(&mut self, node: NodeId) -> Vec<Task> {
        match self {
            Self::Fifo(queue) => {
                let (taken, kept) = queue
                    .drain(..)
                    .partition(|task| task.metadata().node == node);
                *queue = kept;
                VecDeque::into(taken)
            }
            Self::Random(queue) => {
                queue.ready.retain(|ready| *ready != node.0);
                let tasks = queue
                    .nodes
                    .get_mut(node.0 as usize)
                    .map(|node| &mut node.tasks);
                tasks.map(std::mem::take).unwrap_or_default()
            }
        }
    }
}

impl RandomQueue {
    #[inline]
    fn push(&mut self, task: Task) {
        let node = task.metadata().node;
        if self.nodes.len() <= node.0 as usize {
            self.add_nodes(node);
        }
        let tasks = &mut self.nodes[node.0 as usize].tasks;
        if tasks.is_empty() {
            self.ready.push(node.0);
        }
        tasks.push(task);
    }

    #[cold]
    fn add_nodes(&mut self, upto: NodeId) {
        while self.nodes.len() <= upto.0 as usize {
            let id = u64::try_from(self.nodes.len()).expect("fewer than 2^64 nodes");
            let pick_task = Picks::new(Stream::of(self.seed, "sched", id));
            self.nodes.push(NodeQueue {
                pick_task,
                tasks: Vec::new(),
            });
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Task> {
        let index = match self.ready.len() {
            0 => return None,
            1 => 0,
            len => self.pick_node.index(len),
        };
        let node = &mut self.nodes[self.ready[index] as usize];
        let task = match node.tasks.len() {
            1 => node.tasks.pop(),
            len => Some(node.tasks.swap_remove(node.pick_task.index(len))),
        };
        if node.tasks.is_empty() {
            self.ready.swap_remove(index);
        }
        task
    }
}
