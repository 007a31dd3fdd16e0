//! The configurations that the search has been in: which members are linearized, in which state.

use rustc_hash::{FxHashMap, FxHashSet};

use super::defect::{Defect, planted};
use super::partition::Partition;

/// Exact, not hashed down: two configurations are one only if they are equal.
///
/// Since every certain member before the first missing one is linearized, and none called after
/// that one's return is, only the bits between have to be kept. Members that may never take
/// effect are counted by class, since those of a class are taken in the order of their calls: of
/// two configurations that differ in these counts alone, the one that has used fewer can do
/// whatever the other can, so that only the least are kept.
pub(super) struct Visited {
    /// By certain member in the order of calls, whether it is linearized.
    done: Vec<u64>,
    /// By member, its place among the certain ones.
    places: Vec<u32>,
    /// By place, how many certain members were called before its return.
    called: Vec<u32>,
    /// By class, how many of it are linearized.
    used: Vec<u16>,
    /// The configurations, when nothing is optional.
    seen: FxHashSet<Box<[u64]>>,
    /// Otherwise, and what they had used.
    least: FxHashMap<Box<[u64]>, Vec<Box<[u16]>>>,
    key: Vec<u64>,
    bytes: u64,
}

impl Visited {
    pub(super) fn new(partition: &Partition<'_>, classes: usize) -> Self {
        let members = &partition.members;
        let mut calls = Vec::new();
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            places.push(calls.len() as u32);
            if member.certain {
                calls.push(member.op.invoke_ts);
            }
        }
        let certain = members.iter().filter(|member| member.certain);
        let called = certain.map(|member| {
            let complete_ts = member.op.complete_ts.unwrap_or(u64::MAX);
            calls.partition_point(|call| *call <= complete_ts) as u32
        });
        Self {
            done: vec![0; calls.len().div_ceil(64)],
            places,
            called: called.collect(),
            used: vec![0; classes],
            seen: FxHashSet::default(),
            least: FxHashMap::default(),
            key: Vec::new(),
            bytes: 0,
        }
    }

    /// Whether a certain member is linearized.
    pub(super) fn is_done(&self, member: u32) -> bool {
        let place = self.places[member as usize];
        self.done[place as usize / 64] >> (place % 64) & 1 == 1
    }

    /// Linearizes a certain member, or takes that back.
    pub(super) fn flip(&mut self, member: u32) {
        let place = self.places[member as usize];
        self.done[place as usize / 64] ^= 1 << (place % 64);
    }

    /// Linearizes the next member of a class.
    pub(super) fn take(&mut self, class: usize) {
        self.used[class] += 1;
    }

    /// Takes that back.
    pub(super) fn give_back(&mut self, class: usize) {
        self.used[class] -= 1;
    }

    pub(super) fn used(&self, class: usize) -> usize {
        usize::from(self.used[class])
    }

    /// Notes a configuration; false when it, or one that can do as much, was there before.
    /// `first` is the first certain member that is not linearized.
    pub(super) fn insert(&mut self, first: u32, state: u32) -> bool {
        let state = match planted(Defect::SearchForgetsStates) {
            true => 0,
            false => state,
        };
        let place = self.places[first as usize];
        let last = self.called[place as usize].max(place + 1);
        self.key.clear();
        self.key.push(u64::from(place) << 32 | u64::from(state));
        // The bits from the first missing member on, so that equal windows have equal keys.
        let (word, shift) = (place as usize / 64, place % 64);
        for at in word..(last as usize).div_ceil(64) {
            let low = self.done[at] >> shift;
            let next = self.done.get(at + 1).copied().unwrap_or(0);
            let high = if shift == 0 { 0 } else { next << (64 - shift) };
            self.key.push(low | high);
        }
        while self.key.len() > 1 && self.key.last() == Some(&0) {
            self.key.pop();
        }
        // The words, their box and its slot, at the load factor of the table.
        let size = self.key.len() as u64 * 8 + 48;
        if self.used.is_empty() {
            let new = !self.seen.contains(self.key.as_slice());
            if new {
                self.seen.insert(self.key.as_slice().into());
                self.bytes += size;
            }
            return new;
        }
        let used = self.used.as_slice();
        let Some(least) = self.least.get_mut(self.key.as_slice()) else {
            let least = vec![used.into()];
            self.least.insert(self.key.as_slice().into(), least);
            self.bytes += size + used.len() as u64 * 2 + 56;
            return true;
        };
        let below = |one: &[u16], other: &[u16]| one.iter().zip(other).all(|(a, b)| a <= b);
        if least.iter().any(|other| below(other, used)) {
            return false;
        }
        let before = least.len();
        least.retain(|other| !below(used, other));
        least.push(used.into());
        let each = used.len() as u64 * 2 + 32;
        self.bytes += each;
        self.bytes -= each * (before + 1 - least.len()) as u64;
        true
    }

    /// Roughly what the configurations occupy.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
