//! Sets of configurations, of which only the least are kept.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use crate::linear::memory::{of_list, of_map, of_piece};

/// Which slots are done: a set of small numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Bits {
    low: u128,
    /// From 128 on, without zeros at the end.
    high: Vec<u64>,
}

/// How many fit into the first word.
const LOW: u32 = u128::BITS;

impl Bits {
    pub(super) fn has(&self, slot: u32) -> bool {
        match slot.checked_sub(LOW) {
            None => self.low >> slot & 1 == 1,
            Some(at) => {
                let word = self.high.get(at as usize / 64).copied().unwrap_or(0);
                word >> (at % 64) & 1 == 1
            }
        }
    }

    pub(super) fn put(&mut self, slot: u32) {
        let Some(at) = slot.checked_sub(LOW) else {
            self.low |= 1 << slot;
            return;
        };
        let word = at as usize / 64;
        if self.high.len() <= word {
            self.high.resize(word + 1, 0);
        }
        self.high[word] |= 1 << (at % 64);
    }

    /// Takes a slot out; whether it was in.
    pub(super) fn take(&mut self, slot: u32) -> bool {
        let was = self.has(slot);
        if !was {
            return false;
        }
        match slot.checked_sub(LOW) {
            None => self.low &= !(1 << slot),
            Some(at) => {
                self.high[at as usize / 64] &= !(1 << (at % 64));
                while self.high.last() == Some(&0) {
                    self.high.pop();
                }
            }
        }
        true
    }
}

/// What has happened, as far as it matters.
#[derive(Clone, Debug)]
pub(super) struct Configuration<S> {
    pub(super) state: S,
    /// The slots of open operations that took effect.
    pub(super) done: Bits,
    /// By class, how many took effect of those that may never; by class in order, none of zero.
    used: Vec<(u32, u32)>,
}

impl<S: Eq + Hash> Configuration<S> {
    pub(super) fn of(state: S) -> Self {
        Self {
            state,
            done: Bits::default(),
            used: Vec::new(),
        }
    }

    /// The same in another state.
    pub(super) fn with(&self, state: S) -> Self {
        Self {
            state,
            done: self.done.clone(),
            used: self.used.clone(),
        }
    }

    pub(super) fn used_of(&self, class: u32) -> u32 {
        let place = self.used.binary_search_by_key(&class, |(class, _)| *class);
        place.map_or(0, |place| self.used[place].1)
    }

    pub(super) fn uses(&mut self, class: u32) {
        match self.used.binary_search_by_key(&class, |(class, _)| *class) {
            Ok(place) => self.used[place].1 += 1,
            Err(place) => self.used.insert(place, (class, 1)),
        }
    }

    /// Whether it can do whatever the other can, being alike but for what was used.
    fn is_below(&self, other: &Self) -> bool {
        let at_least = |(class, count): &(u32, u32)| *count <= other.used_of(*class);
        self.used.len() <= other.used.len() && self.used.iter().all(at_least)
    }
}

/// A set of configurations, in the order in which they came.
pub(super) struct Configurations<S> {
    pub(super) list: Vec<Configuration<S>>,
    /// By a hash of state and slots.
    places: FxHashMap<u64, Vec<u32>>,
    /// What the slots and counts of all take, and the places.
    bytes: u64,
}

impl<S> Default for Configurations<S> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            places: FxHashMap::default(),
            bytes: 0,
        }
    }
}

impl<S: Eq + Hash> Configurations<S> {
    /// Takes one in, unless one that can do as much is there; of those from `from` on, one that
    /// can do less makes room for it.
    pub(super) fn insert(&mut self, one: Configuration<S>, from: usize) {
        let hash = hash_of(&(&one.state, &one.done));
        let places = self.places.entry(hash).or_default();
        let mut room = None;
        for place in places.iter() {
            let other = &mut self.list[*place as usize];
            if other.state != one.state || other.done != one.done {
                continue;
            }
            if other.is_below(&one) {
                return;
            }
            if *place as usize >= from && one.is_below(other) {
                room = Some(*place as usize);
            }
        }
        if let Some(room) = room {
            self.list[room] = one;
            return;
        }
        let pieces = [size_of_val(&*one.used), size_of_val(&*one.done.high)];
        self.bytes += pieces.map(of_piece).iter().sum::<u64>();
        let before = places.capacity();
        places.push(self.list.len() as u32);
        if places.capacity() > before {
            self.bytes += of_piece(places.capacity() * size_of::<u32>());
        }
        self.list.push(one);
    }

    /// What they take, without what the states point to.
    pub(super) fn bytes(&self) -> u64 {
        of_list(&self.list) + of_map(&self.places) + self.bytes
    }
}

/// A hash that is the same in every run.
pub(super) fn hash_of(what: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    what.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{Bits, Configuration, Configurations};

    #[test]
    fn slots_beyond_the_first_word_count_as_well() {
        let mut bits = Bits::default();
        for slot in [0, 127, 128, 200, 1_000] {
            assert!(!bits.has(slot));
            bits.put(slot);
            assert!(bits.has(slot) && !bits.has(slot + 1), "{slot}");
        }
        for slot in [1_000, 0, 200, 128, 127] {
            assert!(bits.take(slot) && !bits.take(slot), "{slot}");
        }
        assert_eq!(bits, Bits::default());
    }

    #[test]
    fn only_the_least_is_kept() {
        let mut set = Configurations::default();
        let using = |classes: &[u32]| {
            let mut one = Configuration::of(7);
            classes.iter().for_each(|class| one.uses(*class));
            one
        };
        for classes in [[2, 3].as_slice(), &[2, 2], &[3, 2], &[2], &[2, 5]] {
            set.insert(using(classes), 0);
        }
        let left: Vec<_> = set.list.iter().map(|one| one.used.clone()).collect();
        assert_eq!(left, [vec![(2, 1), (3, 1)], vec![(2, 1)]]);
    }
}
