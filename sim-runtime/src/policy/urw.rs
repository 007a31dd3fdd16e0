//! `urw`: a random walk that is uniform over interleavings.
//!
//! Zhao, Wolff, Mathur, Roychoudhury, *Selectively Uniform Concurrency Testing* (ASPLOS 2025),
//! its building block URW: a step is given to a task with a probability in proportion to how many
//! events it has left, so that every interleaving is as likely as any other. A walk that picks
//! among ready tasks alike finishes short tasks early and hardly ever lets a long one run ahead.
//!
//! An event is a poll here, and how many a task has left is estimated within the run: tasks
//! spawned at one place under one name take as many polls as those before them took on average;
//! where none has come to its end yet, a task is expected to live as long again as it has. The
//! walk is uniform as far as the estimates hold. What a task is yet to spawn is not counted.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::queue::{Ready, Scheduler, Site};
use crate::ids::NodeId;
use crate::stream::{Root, Stream};

/// Push and pop cost O(log n).
pub(super) struct UrwQueue<T> {
    stream: Stream,
    places: Vec<Place<T>>,
    weights: Weights,
    sites: BTreeMap<SiteKey, usize>,
    tallies: Vec<Tally>,
}

type SiteKey = (&'static str, u32, u32, Option<Rc<str>>);

struct Place<T> {
    site: usize,
    polls: u64,
    task: Option<T>,
}

/// What is known of a site.
#[derive(Clone, Copy, Default)]
struct Tally {
    finished: u64,
    polls: u64,
}

impl Tally {
    /// How many polls a task that had `polls` has left.
    fn left(self, polls: u64) -> u64 {
        match self.finished {
            0 => polls + 1,
            finished => (self.polls / finished).saturating_sub(polls).max(1),
        }
    }
}

/// A Fenwick tree: weights by place, with their prefix sums.
#[derive(Default)]
struct Weights {
    each: Vec<u64>,
    /// From 1; its length is a power of two, plus one.
    tree: Vec<u64>,
    total: u64,
}

impl Weights {
    fn set(&mut self, place: usize, weight: u64) {
        if place >= self.each.len() {
            self.grow(place);
        }
        let old = std::mem::replace(&mut self.each[place], weight);
        self.total = self.total - old + weight;
        let mut node = place + 1;
        while node < self.tree.len() {
            self.tree[node] = self.tree[node] - old + weight;
            node += node & node.wrapping_neg();
        }
    }

    #[cold]
    fn grow(&mut self, place: usize) {
        let len = (place + 1).next_power_of_two();
        self.each.resize(len, 0);
        self.tree = vec![0; len + 1];
        for node in 1..=len {
            self.tree[node] += self.each[node - 1];
            let parent = node + (node & node.wrapping_neg());
            if parent <= len {
                self.tree[parent] += self.tree[node];
            }
        }
    }

    /// The place whose weight covers `at`, which is below the total.
    fn find(&self, mut at: u64) -> usize {
        let mut place = 0;
        let mut step = self.each.len();
        while step > 0 {
            if place + step < self.tree.len() && self.tree[place + step] <= at {
                place += step;
                at -= self.tree[place];
            }
            step /= 2;
        }
        place
    }
}

impl<T> UrwQueue<T> {
    pub(super) fn new(root: &Root) -> Self {
        Self {
            stream: root.stream("sched.urw", 0),
            places: Vec::new(),
            weights: Weights::default(),
            sites: BTreeMap::new(),
            tallies: Vec::new(),
        }
    }

    fn site(&mut self, site: &Site) -> usize {
        let at = site.location;
        let key = (at.file(), at.line(), at.column(), site.name.clone());
        let next = self.tallies.len();
        let index = *self.sites.entry(key).or_insert(next);
        if index == next {
            self.tallies.push(Tally::default());
        }
        index
    }
}

impl<T: Ready> Scheduler<T> for UrwQueue<T> {
    fn spawned(&mut self, slot: u32, site: &Site) {
        let site = self.site(site);
        let slot = slot as usize;
        while self.places.len() <= slot {
            self.places.push(Place {
                site,
                polls: 0,
                task: None,
            });
        }
        let place = &mut self.places[slot];
        place.site = site;
        place.polls = 0;
    }

    fn push(&mut self, task: T) {
        let slot = task.slot() as usize;
        let place = &mut self.places[slot];
        place.task = Some(task);
        let weight = self.tallies[place.site].left(place.polls);
        self.weights.set(slot, weight);
    }

    fn pop(&mut self) -> Option<T> {
        if self.weights.total == 0 {
            return None;
        }
        let at = self.stream.below(self.weights.total);
        let slot = self.weights.find(at);
        self.weights.set(slot, 0);
        let place = &mut self.places[slot];
        place.polls += 1;
        place.task.take()
    }

    fn take_node(&mut self, node: NodeId) -> Vec<T> {
        let mut taken = Vec::new();
        for (slot, place) in self.places.iter_mut().enumerate() {
            if let Some(task) = place.task.take_if(|task| task.node() == node) {
                self.weights.set(slot, 0);
                taken.push(task);
            }
        }
        taken
    }

    fn finished(&mut self, slot: u32) {
        let place = &self.places[slot as usize];
        let tally = &mut self.tallies[place.site];
        tally.finished += 1;
        tally.polls += place.polls;
    }
}
