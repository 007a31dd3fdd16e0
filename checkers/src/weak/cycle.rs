//! Cycles: what must come before itself.

use super::sessions::NONE;

/// Why a node comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its session did it before, or (writes follow reads) had read it.
    Session,
    /// The other read what it wrote.
    Read,
    /// This node, a read, read from the other and comes after it.
    Overwritten(u32),
}

/// Edges into nodes that follow from reads.
pub(super) struct Derived {
    /// By node, its newest edge.
    head: Vec<u32>,
    /// From, the read that shows it, the next older edge into the same node.
    edges: Vec<(u32, u32, u32)>,
}

impl Derived {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            head: vec![NONE; nodes],
            edges: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.edges.len()
    }

    pub(super) fn add(&mut self, from: u32, to: u32, read: u32) {
        let next = self.head[to as usize];
        self.head[to as usize] = self.edges.len() as u32;
        self.edges.push((from, read, next));
    }

    /// What comes before a node, each with the read that shows it and its number, newest first.
    pub(super) fn before(&self, node: u32) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        let mut at = self.head[node as usize];
        std::iter::from_fn(move || {
            let number = at;
            let (from, read, next) = *self.edges.get(at as usize)?;
            at = next;
            Some((from, read, number))
        })
    }

    /// Forgets the edges into these nodes.
    pub(super) fn clear(&mut self, nodes: &[u32]) {
        for node in nodes {
            self.head[*node as usize] = NONE;
        }
        self.edges.clear();
    }
}

/// What comes before what.
pub(super) trait Order {
    /// Gives each node that is directly before this one.
    fn before(&self, node: u32, give: &mut dyn FnMut(u32, Why));
}

/// A node that is before itself, if there is one among `nodes` and what comes before them. Marks
/// are by node, zero before and after.
///
/// Depth first with a stack of its own: no recursion.
pub(super) fn find(order: &impl Order, nodes: &[u32], marks: &mut [u8]) -> Option<u32> {
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut touched: Vec<u32> = Vec::new();
    let mut found = None;
    let mut stack: Vec<(u32, bool)> = Vec::new();
    'all: for start in nodes {
        stack.push((*start, false));
        while let Some((node, leaving)) = stack.pop() {
            let mark = &mut marks[node as usize];
            if leaving {
                *mark = DONE;
                continue;
            }
            if *mark != 0 {
                continue;
            }
            *mark = OPEN;
            touched.push(node);
            stack.push((node, true));
            order.before(node, &mut |from, _| match marks[from as usize] {
                OPEN => found = found.or(Some(from)),
                0 => stack.push((from, false)),
                _ => {}
            });
            if found.is_some() {
                break 'all;
            }
        }
    }
    for node in touched {
        marks[node as usize] = 0;
    }
    found
}

/// A shortest cycle through a node: each is before the next, and the last before the first. Breadth
/// first; `parents` is by node, [`NONE`] before and after.
pub(super) fn shortest(
    order: &impl Order,
    start: u32,
    parents: &mut [u32],
) -> Option<(Vec<u32>, Vec<Why>)> {
    path(order, start, start, parents)
}

/// A shortest path: each node is before the next, the last one is before `to`. It begins with
/// `from`, and `to` is not on it unless it is `from`.
pub(super) fn path(
    order: &impl Order,
    from: u32,
    to: u32,
    parents: &mut [u32],
) -> Option<(Vec<u32>, Vec<Why>)> {
    let mut queue = vec![to];
    let (mut at, mut reached) = (0, false);
    while at < queue.len() && !reached {
        let node = queue[at];
        at += 1;
        order.before(node, &mut |before, _| {
            if parents[before as usize] == NONE {
                parents[before as usize] = node;
                reached |= before == from;
                queue.push(before);
            }
        });
    }
    let result = reached.then(|| {
        let (mut nodes, mut whys, mut node) = (Vec::new(), Vec::new(), from);
        loop {
            let next = parents[node as usize];
            let mut why = None;
            order.before(next, &mut |before, reason| {
                // Of those that follow from reads the oldest, given last, rests on no later one.
                if before == node && matches!(why, None | Some(Why::Overwritten(_))) {
                    why = Some(reason);
                }
            });
            nodes.push(node);
            whys.extend(why);
            node = next;
            if node == to {
                break (nodes, whys);
            }
        }
    });
    for node in queue {
        parents[node as usize] = NONE;
    }
    result
}
