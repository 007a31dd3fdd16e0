//! What has happened by a return, and sets of it.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::linear::memory::{of_grown, of_list, of_map, of_piece};

/// What has happened, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Point {
    pub(super) state: u32,
    /// The slots of open operations that took effect.
    pub(super) done: u64,
    /// What may take effect and did not yet, by its number in [`Spares`].
    pub(super) spare: u32,
}

impl Point {
    /// Before anything has.
    pub(super) const FIRST: Self = Self {
        state: 0,
        done: 0,
        spare: Spares::NONE,
    };
}

/// A set of points.
#[derive(Default)]
pub(super) struct Points {
    spares: FxHashMap<(u32, u64), Vec<u32>>,
    /// What the lists take.
    bytes: u64,
}

impl Points {
    /// Whether one is there that differs in what is spare at most, of which `is` holds.
    pub(super) fn any(&self, point: &Point, is: impl Fn(u32) -> bool) -> bool {
        self.find(point, is).is_some()
    }

    /// One that differs in what is spare at most, of which `is` holds.
    pub(super) fn find(&self, point: &Point, is: impl Fn(u32) -> bool) -> Option<u32> {
        let known = self.spares.get(&(point.state, point.done))?;
        known.iter().copied().find(|spare| is(*spare))
    }

    /// How many differ from one in what is spare at most.
    pub(super) fn count(&self, point: &Point) -> u64 {
        let known = self.spares.get(&(point.state, point.done));
        known.map_or(0, |known| known.len() as u64)
    }

    /// Takes one in; how much more they take.
    pub(super) fn put(&mut self, point: &Point) -> u64 {
        let before = self.bytes();
        let known = self.spares.entry((point.state, point.done)).or_default();
        if known.len() == known.capacity() {
            // One is most often alone.
            let more = known.len().max(1);
            known.reserve_exact(more);
            self.bytes += of_piece(more * size_of::<u32>());
        }
        known.push(point.spare);
        self.bytes() - before
    }

    /// What they take.
    pub(super) fn bytes(&self) -> u64 {
        of_grown(&self.spares) + self.bytes
    }

    pub(super) fn take(&mut self, point: &Point) {
        if let Some(known) = self.spares.get_mut(&(point.state, point.done)) {
            known.retain(|spare| *spare != point.spare);
        }
    }

    pub(super) fn clear(&mut self) {
        self.spares.clear();
        self.bytes = 0;
    }
}

/// What is kept beside what is pointed to, bytes.
const REFERENCES: usize = 16;

/// So many that there is no end of them.
const ENDLESS: u32 = u32::MAX;

/// Numbers for how many there are of which class: by class in order, none of zero.
pub(super) struct Spares {
    all: Vec<Rc<[(u32, u32)]>>,
    numbers: FxHashMap<Rc<[(u32, u32)]>, u32>,
    /// With one less of a class.
    less: FxHashMap<(u32, u32), u32>,
    scratch: Vec<(u32, u32)>,
    /// By class, how many are counted while not all are.
    counted: FxHashMap<u32, u32>,
    counts_all: bool,
    /// What the counts take.
    bytes: u64,
}

impl Spares {
    /// Nothing.
    pub(super) const NONE: u32 = 0;

    pub(super) fn new() -> Self {
        let none: Rc<[(u32, u32)]> = Rc::new([]);
        Self {
            all: vec![none.clone()],
            numbers: FxHashMap::from_iter([(none, Self::NONE)]),
            less: FxHashMap::default(),
            scratch: Vec::new(),
            counted: FxHashMap::default(),
            counts_all: true,
            bytes: 0,
        }
    }

    /// Whether every class is counted. If not, where there are more of one than
    /// [`Spares::count`] says, there is no end of them.
    pub(super) fn count_all(&mut self, all: bool) {
        self.counts_all = all;
    }

    /// Counts more of a class.
    pub(super) fn count(&mut self, class: u32) {
        let counted = self.counted.entry(class).or_insert(0);
        *counted = *counted * 2 + 1;
    }

    pub(super) fn get(&self, spare: u32) -> &[(u32, u32)] {
        &self.all[spare as usize]
    }

    pub(super) fn number(&mut self, counts: Vec<(u32, u32)>) -> u32 {
        if let Some(known) = self.numbers.get(counts.as_slice()) {
            return *known;
        }
        let next = self.all.len() as u32;
        let counts: Rc<[(u32, u32)]> = counts.into();
        self.bytes += of_piece(REFERENCES + size_of_val(&*counts));
        self.all.push(counts.clone());
        self.numbers.insert(counts, next);
        next
    }

    /// With one more of each of `classes`, then changed as `change` says.
    pub(super) fn with(
        &mut self,
        spare: u32,
        classes: &[u32],
        change: impl FnOnce(&mut Vec<(u32, u32)>),
    ) -> u32 {
        let mut counts = std::mem::take(&mut self.scratch);
        counts.clear();
        counts.extend_from_slice(self.get(spare));
        for class in classes {
            add(&mut counts, *class);
        }
        change(&mut counts);
        if !self.counts_all {
            for (class, count) in counts.iter_mut() {
                if *count > self.counted.get(class).copied().unwrap_or(0) {
                    *count = ENDLESS;
                }
            }
        }
        let known = match *counts == *self.get(spare) {
            true => Some(spare),
            false => self.numbers.get(&*counts).copied(),
        };
        let number = known.unwrap_or_else(|| self.number(counts.clone()));
        self.scratch = counts;
        number
    }

    /// One less of a class of which there is one.
    pub(super) fn without(&mut self, spare: u32, class: u32) -> u32 {
        if let Some(known) = self.less.get(&(spare, class)) {
            return *known;
        }
        let mut counts = self.get(spare).to_vec();
        take(&mut counts, class);
        let next = self.number(counts);
        self.less.insert((spare, class), next);
        next
    }

    /// What they take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes + of_list(&self.all) + of_map(&self.numbers) + of_map(&self.less)
    }

    /// Whether one has as many of each class as the other.
    pub(super) fn covers(&self, one: u32, other: u32) -> bool {
        if one == other {
            return true;
        }
        let mut has = self.get(one).iter();
        self.get(other).iter().all(|(class, count)| {
            let found = has.find(|(known, _)| known >= class);
            found.is_some_and(|(known, there)| known == class && there >= count)
        })
    }
}

/// Adds one of a class to counts by class.
pub(super) fn add(counts: &mut Vec<(u32, u32)>, class: u32) {
    match counts.binary_search_by_key(&class, |(class, _)| *class) {
        Ok(place) => counts[place].1 = counts[place].1.saturating_add(1),
        Err(place) => counts.insert(place, (class, 1)),
    }
}

/// Takes one of a class, if there is one.
pub(super) fn take(counts: &mut Vec<(u32, u32)>, class: u32) {
    if let Ok(place) = counts.binary_search_by_key(&class, |(class, _)| *class) {
        match counts[place].1 {
            ENDLESS => {}
            1 => drop(counts.remove(place)),
            count => counts[place].1 = count - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Spares;

    #[test]
    fn counts_are_numbered_and_compared() {
        let mut spares = Spares::new();
        let some = spares.with(Spares::NONE, &[7, 2, 7], |_| {});
        assert_eq!(spares.get(some), [(2, 1), (7, 2)]);
        let again = spares.with(Spares::NONE, &[7, 7], |_| {});
        assert_eq!(spares.with(again, &[2], |_| {}), some);
        let less = spares.without(some, 2);
        assert_eq!(less, again);
        assert!(spares.covers(some, less) && !spares.covers(less, some));
        let other = spares.with(Spares::NONE, &[2, 5], |_| {});
        assert!(!spares.covers(some, other) && !spares.covers(other, some));
        let fewer = spares.with(some, &[], |counts| counts.truncate(1));
        assert_eq!(spares.get(fewer), [(2, 1)]);
    }

    #[test]
    fn what_is_not_counted_has_no_end() {
        let mut spares = Spares::new();
        let counted = spares.with(Spares::NONE, &[2, 7, 7, 7], |_| {});
        spares.count_all(false);
        spares.count(7);
        spares.count(7);
        let endless = spares.with(counted, &[], |_| {});
        assert_eq!(spares.get(endless), [(2, u32::MAX), (7, 3)]);
        assert_eq!(spares.without(endless, 2), endless);
        let more = spares.with(endless, &[2, 7], |_| {});
        assert_eq!(spares.get(more), [(2, u32::MAX), (7, u32::MAX)]);
        assert!(spares.covers(endless, counted) && !spares.covers(counted, endless));
    }
}
