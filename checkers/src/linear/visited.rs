//! The configurations that the search has been in: which members are linearized, in which state.

use rustc_hash::FxHashMap;

use super::defect::{Defect, planted};
use super::memory::{of_list, of_map, of_piece};
use super::partition::Partition;

/// Exact, not hashed down: two configurations are one only if they are equal.
///
/// Since every certain member before the first missing one is linearized, and none called after
/// that one's return is, only the bits between have to be kept: nearly always few enough to stand
/// in the table itself. Members that may never take effect are counted by class, since those of a
/// class are taken in the order of their calls: of two configurations that differ in these counts
/// alone, the one that has used fewer can do whatever the other can, so that only the least are
/// kept.
pub(super) struct Visited {
    /// By certain member in the order of calls, whether it is linearized.
    done: Vec<u64>,
    /// By member, its place among the certain ones.
    places: Vec<u32>,
    /// By place, how many certain members were called before its return.
    called: Vec<u32>,
    /// By class, how many of it are linearized.
    used: Vec<u16>,
    /// The configurations, each with the first of what was used in it; [`NOTHING`] when there is
    /// nothing optional.
    narrow: FxHashMap<[u64; 1 + WINDOW_WORDS], u32>,
    /// Those whose window is wider.
    wide: FxHashMap<Box<[u64]>, u32>,
    least: Least,
    key: Vec<u64>,
    /// What the keys of the wide ones take.
    bytes: u64,
}

/// Words of a window that stand in the table.
const WINDOW_WORDS: usize = 2;

/// The end of a chain.
pub(super) const NOTHING: u32 = u32::MAX;

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
            narrow: FxHashMap::default(),
            wide: FxHashMap::default(),
            least: Least::default(),
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
        self.key_of(self.places[first as usize], state);
        let (tables, key) = ((&mut self.narrow, &mut self.wide), self.key.as_slice());
        let mut narrow = [0; 1 + WINDOW_WORDS];
        let known = if key.len() <= narrow.len() {
            narrow[..key.len()].copy_from_slice(key);
            tables.0.get_mut(&narrow)
        } else {
            tables.1.get_mut(key)
        };
        if let Some(chain) = known {
            return *chain != NOTHING && self.least.insert(chain, &self.used);
        }
        let mut chain = NOTHING;
        if !self.used.is_empty() {
            self.least.insert(&mut chain, &self.used);
        }
        if key.len() <= narrow.len() {
            self.narrow.insert(narrow, chain);
        } else {
            self.wide.insert(key.into(), chain);
            self.bytes += of_piece(size_of_val(key));
        }
        true
    }

    /// The place of the first missing member, the state, and the bits from that member on, so that
    /// equal windows have equal keys.
    fn key_of(&mut self, place: u32, state: u32) {
        let last = self.called[place as usize].max(place + 1);
        self.key.clear();
        self.key.push(u64::from(place) << 32 | u64::from(state));
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
    }

    /// What the configurations occupy, or will when the tables grow.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes + of_map(&self.narrow) + of_map(&self.wide) + self.least.bytes()
    }
}

/// By configuration, the least that was used of each class: chains of counts, in one piece.
#[derive(Default)]
pub(super) struct Least {
    counts: Vec<u16>,
    next: Vec<u32>,
    free: Vec<u32>,
}

impl Least {
    /// Puts counts into a chain, and takes those out that are no less; false when there are some
    /// that are no more.
    pub(super) fn insert(&mut self, chain: &mut u32, used: &[u16]) -> bool {
        let (mut at, mut before) = (*chain, NOTHING);
        while at != NOTHING {
            let next = self.next[at as usize];
            let place = at as usize * used.len();
            let other = &self.counts[place..place + used.len()];
            if below(other, used) {
                return false;
            }
            if below(used, other) {
                match before {
                    NOTHING => *chain = next,
                    before => self.next[before as usize] = next,
                }
                self.free.push(at);
            } else {
                before = at;
            }
            at = next;
        }
        let new = self.free.pop().unwrap_or_else(|| {
            self.next.push(NOTHING);
            self.counts.resize(self.counts.len() + used.len(), 0);
            self.next.len() as u32 - 1
        });
        let place = new as usize * used.len();
        self.counts[place..place + used.len()].copy_from_slice(used);
        self.next[new as usize] = *chain;
        *chain = new;
        true
    }

    pub(super) fn bytes(&self) -> u64 {
        of_list(&self.counts) + of_list(&self.next) + of_list(&self.free)
    }
}

/// Whether no count is more than the other. Looks at all of them, since that is quicker.
fn below(one: &[u16], other: &[u16]) -> bool {
    let pairs = one.iter().zip(other);
    pairs.fold(0, |over, (a, b)| over | a.saturating_sub(*b)) == 0
}
