//! `random`: any node that has a ready task, then any of its tasks.

use super::queue::Ready;
use crate::ids::NodeId;
use crate::stream::{Root, Stream};

/// Push and pop cost O(1).
pub(crate) struct RandomQueue<T> {
    root: Root,
    pick_node: Box<Picks>,
    nodes: Vec<NodeQueue<T>>,
    /// Nodes with at least one ready task.
    ready: Vec<u32>,
}

struct NodeQueue<T> {
    tasks: Vec<T>,
    pick_task: Picks,
}

/// How many picks are drawn at a time.
const PICKS: usize = 64;

/// Draws of 32 bits, two of which make one of the stream's.
struct Picks {
    at: usize,
    words: [u32; PICKS],
    stream: Stream,
}

impl Picks {
    const fn new(stream: Stream) -> Self {
        Self {
            at: PICKS,
            words: [0; PICKS],
            stream,
        }
    }

    #[inline]
    fn word(&mut self) -> u32 {
        if self.at >= PICKS {
            self.refill();
        }
        let word = self.words[self.at % PICKS];
        self.at += 1;
        word
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self) {
        let mut bytes = [0; 4 * PICKS];
        self.stream.fill(&mut bytes);
        for (word, bytes) in self.words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        self.at = 0;
    }

    /// Uniform in `0..len`, without bias (Lemire's multiply and reject).
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "there are fewer than 2^32 tasks, and a product's two halves are looked at"
    )]
    fn index(&mut self, len: usize) -> usize {
        let n = len as u32;
        let mut product = u64::from(self.word()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.word()) * u64::from(n);
            }
        }
        (product >> 32) as usize
    }
}

impl<T: Ready> RandomQueue<T> {
    pub(super) fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            pick_node: Box::new(Picks::new(root.stream("sched.node", 0))),
            nodes: Vec::new(),
            ready: Vec::new(),
        }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, task: T) {
        let node = task.node();
        let index = node.0 as usize;
        if index >= self.nodes.len() {
            self.add_nodes(node);
        }
        let tasks = &mut self.nodes[index].tasks;
        if tasks.is_empty() {
            self.ready.push(node.0);
        }
        tasks.push(task);
    }

    #[cold]
    #[inline(never)]
    fn add_nodes(&mut self, upto: NodeId) {
        while self.nodes.len() <= upto.0 as usize {
            let id = u64::try_from(self.nodes.len()).expect("fewer than 2^64 nodes");
            self.nodes.push(NodeQueue {
                tasks: Vec::new(),
                pick_task: Picks::new(self.root.stream("sched", id)),
            });
        }
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<T> {
        let index = match self.ready.len() {
            0 => return None,
            1 => 0,
            len => self.pick_node.index(len),
        };
        let node = &mut self.nodes[self.ready[index] as usize];
        let len = node.tasks.len();
        if len > 1 {
            let picked = node.pick_task.index(len);
            return Some(node.tasks.swap_remove(picked));
        }
        self.ready.swap_remove(index);
        node.tasks.pop()
    }

    pub(super) fn take_node(&mut self, node: NodeId) -> Vec<T> {
        self.ready.retain(|ready| *ready != node.0);
        let node = self.nodes.get_mut(node.0 as usize);
        node.map(|node| std::mem::take(&mut node.tasks))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Seed;

    #[test]
    fn two_picks_make_a_draw_of_the_stream() {
        // Stored seeds depend on it.
        let mut picks = Picks::new(Stream::of(Seed(1), "sched", 3));
        let mut stream = Stream::of(Seed(1), "sched", 3);
        for _ in 0..3 * PICKS {
            let (low, high) = (u64::from(picks.word()), u64::from(picks.word()));
            assert_eq!(stream.next_u64(), high << 32 | low);
        }
    }
}
