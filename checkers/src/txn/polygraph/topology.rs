//! An order of the nodes of a graph in which every edge goes forward, kept up while edges come,
//! the last to come being the first to go. Source: Pearce and Kelly, *A Dynamic Topological Sort
//! Algorithm for Directed Acyclic Graphs*.

use std::collections::VecDeque;

use super::super::graph::{Graph, Kinds};
use super::super::transactions::NONE;

/// An edge seen from one end: the other end, and the choice that it comes of, if any.
type Half = (u32, u32);

pub(in crate::txn) struct Topology {
    place: Vec<u32>,
    out: Vec<Vec<Half>>,
    into: Vec<Vec<Half>>,
    /// Edges beyond those of the graph, in the order in which they came.
    added: Vec<(u32, u32)>,
    /// By node, the number of choices on the way to it, and the edge by which it was reached.
    far: Vec<u32>,
    back: Vec<Half>,
    met: Vec<u32>,
    behind: Vec<u32>,
    places: Vec<u32>,
    queue: VecDeque<(u32, u32)>,
    /// Edges that were looked at.
    pub(super) spent: u64,
}

impl Topology {
    /// Of a graph whose edges go forward in the given order.
    pub(in crate::txn) fn new(graph: &Graph, sorted: &[u32]) -> Self {
        let nodes = graph.nodes() as usize;
        let mut place = vec![0; nodes];
        for (at, node) in (0..).zip(sorted) {
            place[*node as usize] = at;
        }
        let (mut out, mut into) = (vec![Vec::new(); nodes], vec![Vec::new(); nodes]);
        for edge in graph.edges(Kinds::MAX) {
            out[edge.from as usize].push((edge.to, NONE));
            into[edge.to as usize].push((edge.from, NONE));
        }
        Self {
            place,
            out,
            into,
            added: Vec::new(),
            far: vec![NONE; nodes],
            back: vec![(NONE, NONE); nodes],
            met: Vec::new(),
            behind: Vec::new(),
            places: Vec::new(),
            queue: VecDeque::new(),
            spent: 0,
        }
    }

    pub(super) fn place(&self, node: u32) -> u32 {
        self.place[node as usize]
    }

    /// How many edges there are beyond those of the graph.
    pub(super) fn added(&self) -> usize {
        self.added.len()
    }

    /// Takes edges away until so many are left. The order stays as it is.
    pub(super) fn shrink(&mut self, count: usize) {
        for (from, to) in self.added.drain(count..).rev() {
            self.out[from as usize].pop();
            self.into[to as usize].pop();
        }
    }

    /// Adds an edge that comes of a choice.
    ///
    /// # Errors
    /// When it closes a circle: the choices of which that is made, of all circles the fewest.
    pub(super) fn insert(&mut self, from: u32, to: u32, choice: u32) -> Result<(), Vec<u32>> {
        if from == to {
            return Err(vec![choice]);
        }
        if self.place(from) > self.place(to) {
            if self.ahead(to, from) {
                let circle = self.circle(to, from, choice);
                self.forget();
                return Err(circle);
            }
            self.reorder(from, to);
            self.forget();
        }
        self.out[from as usize].push((to, choice));
        self.into[to as usize].push((from, choice));
        self.added.push((from, to));
        Ok(())
    }

    /// The choices of a circle that an edge would close, if it would; the edge comes of a choice,
    /// or of none.
    pub(super) fn closes(&mut self, from: u32, to: u32, choice: u32) -> Option<Vec<u32>> {
        if self.place(to) >= self.place(from) {
            return None;
        }
        let circle = match self.ahead(to, from) {
            true => Some(self.circle(to, from, choice)),
            false => None,
        };
        self.forget();
        circle
    }

    fn forget(&mut self) {
        for node in self.met.drain(..) {
            self.far[node as usize] = NONE;
        }
    }

    /// Finds what a node leads to no later than another stands; whether that is among it.
    fn ahead(&mut self, start: u32, end: u32) -> bool {
        let last = self.place(end);
        self.queue.clear();
        self.queue.push_back((start, 0));
        self.far[start as usize] = 0;
        self.met.push(start);
        while let Some((node, far)) = self.queue.pop_front() {
            if self.far[node as usize] < far {
                continue;
            }
            if node == end {
                return true;
            }
            self.spent += self.out[node as usize].len() as u64;
            for (to, choice) in &self.out[node as usize] {
                let next = far + u32::from(*choice != NONE);
                let known = &mut self.far[*to as usize];
                if self.place[*to as usize] > last || *known <= next {
                    continue;
                }
                if *known == NONE {
                    self.met.push(*to);
                }
                *known = next;
                self.back[*to as usize] = (node, *choice);
                match next == far {
                    true => self.queue.push_front((*to, next)),
                    false => self.queue.push_back((*to, next)),
                }
            }
        }
        false
    }

    fn circle(&self, start: u32, end: u32, choice: u32) -> Vec<u32> {
        let mut choices = Vec::from_iter((choice != NONE).then_some(choice));
        let mut node = end;
        while node != start {
            let (before, of) = self.back[node as usize];
            choices.extend((of != NONE).then_some(of));
            node = before;
        }
        choices.sort_unstable();
        choices.dedup();
        choices
    }

    /// Puts what leads to the first node before what the second leads to, which was met.
    fn reorder(&mut self, from: u32, to: u32) {
        let first = self.place(to);
        self.behind.clear();
        self.behind.push(from);
        self.far[from as usize] = 0;
        let mut at = 0;
        while at < self.behind.len() {
            let node = self.behind[at];
            at += 1;
            self.spent += self.into[node as usize].len() as u64;
            for (before, _) in &self.into[node as usize] {
                let far = &mut self.far[*before as usize];
                if self.place[*before as usize] >= first && *far == NONE {
                    *far = 0;
                    self.behind.push(*before);
                }
            }
        }
        let place = &self.place;
        self.behind
            .sort_unstable_by_key(|node| place[*node as usize]);
        self.met.sort_unstable_by_key(|node| place[*node as usize]);
        self.places.clear();
        let both = self.behind.iter().chain(&self.met);
        self.places.extend(both.map(|node| place[*node as usize]));
        self.places.sort_unstable();
        for (node, place) in self.behind.iter().chain(&self.met).zip(&self.places) {
            self.place[*node as usize] = *place;
        }
        self.met.append(&mut self.behind);
    }
}
