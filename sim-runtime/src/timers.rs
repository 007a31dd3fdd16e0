//! Cancelable timers: a hierarchical wheel that fires in order of (deadline, order of arming).
//!
//! Eleven levels of 64 slots. A timer stands at the level of the highest six-bit group in which
//! its deadline differs from `elapsed`, so everything on a lower level is due earlier. Slots are
//! lists in order of arming, and a slot that time enters is spread over the levels below in that
//! order; timers of one deadline are always in one list and thus fire in the order they were armed.
//!
//! Arming and cancelling cost O(1), firing at most one move a level. Cancelling leaves nothing
//! behind: memory is bounded by the timers alive at a time.

use std::task::Waker;

use crate::device::DeviceId;
use crate::ids::NodeId;

/// Names an armed timer; goes stale, harmlessly, when it fires or is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey {
    slot: u32,
    generation: u32,
}

/// What happens when a timer fires.
#[derive(Debug)]
pub(crate) enum Due {
    /// Whose clock it was armed by, too.
    Wake(NodeId, Waker),
    Device(DeviceId, u64),
    /// A node's clock has been slewed as far as it was to be.
    Slewed(NodeId),
}

/// No timer: the end of a list.
const NONE: u32 = u32::MAX;
const GROUP_BITS: u32 = 6;
const SLOTS: usize = 1 << GROUP_BITS;
const LEVELS: usize = 11;
/// The list of those armed for a time that is over, in order of (deadline, order of arming).
const OVERDUE: usize = LEVELS * SLOTS;

/// A timer, or a free place for one: then `next` is the next free place.
#[derive(Debug)]
struct Slot {
    at: u64,
    generation: u32,
    list: u32,
    prev: u32,
    next: u32,
    due: Option<Due>,
}

#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

const EMPTY: List = List {
    first: NONE,
    last: NONE,
};

#[derive(Debug)]
pub(crate) struct Timers {
    slots: Vec<Slot>,
    free: u32,
    lists: Box<[List; OVERDUE + 1]>,
    /// Which lists of a level are not empty.
    occupied: [u64; LEVELS],
    /// Which levels have any.
    levels: u32,
    /// No timer of the wheel is due earlier, and it is never ahead of the clock.
    elapsed: u64,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            lists: Box::new([EMPTY; OVERDUE + 1]),
            occupied: [0; LEVELS],
            levels: 0,
            elapsed: 0,
        }
    }
}

/// The first instant of the level's slot that `at` falls in.
const fn slot_start(at: u64, level: usize) -> u64 {
    let shift = GROUP_BITS * level as u32;
    at >> shift << shift
}

impl Timers {
    /// Arms a timer for virtual nanosecond `at`.
    #[inline]
    pub(crate) fn arm(&mut self, at: u64, due: Due) -> TimerKey {
        let slot = match self.free {
            NONE => self.add_slot(),
            free => free,
        };
        let vacant = &mut self.slots[slot as usize];
        self.free = vacant.next;
        vacant.at = at;
        vacant.due = Some(due);
        let generation = vacant.generation;
        if at < self.elapsed {
            self.link_overdue(slot, at);
        } else {
            self.link(slot, at);
        }
        TimerKey { slot, generation }
    }

    #[cold]
    fn add_slot(&mut self) -> u32 {
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 timers at a time");
        self.slots.push(Slot {
            at: 0,
            generation: 0,
            list: 0,
            prev: NONE,
            next: NONE,
            due: None,
        });
        slot
    }

    /// Takes the earliest timer out. The caller moves the clock to its deadline before it arms
    /// anything else.
    #[inline]
    pub(crate) fn pop_next(&mut self) -> Option<(u64, Due)> {
        loop {
            let (list, level) = self.earliest()?;
            let first = self.lists[list].first;
            let at = self.slots[first as usize].at;
            if self.is_exact(list, level) {
                self.elapsed = self.elapsed.max(at);
                return Some((at, self.take(first)));
            }
            self.spread(list, slot_start(at, level));
        }
    }

    /// Takes the earliest timer out if it is due at `now`; else says until when nothing is due,
    /// at least.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: u64) -> Result<(u64, Due), u64> {
        loop {
            let (list, level) = self.earliest().ok_or(u64::MAX)?;
            let first = self.lists[list].first;
            let at = self.slots[first as usize].at;
            if self.is_exact(list, level) {
                if at > now {
                    return Err(at);
                }
                self.elapsed = self.elapsed.max(at);
                return Ok((at, self.take(first)));
            }
            let start = slot_start(at, level);
            if start > now {
                return Err(start);
            }
            self.spread(list, start);
        }
    }

    /// The list that holds the earliest timer, and its level.
    #[inline]
    fn earliest(&self) -> Option<(usize, usize)> {
        if self.lists[OVERDUE].first != NONE {
            return Some((OVERDUE, 0));
        }
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let slot = self.occupied[level].trailing_zeros() as usize;
        Some((level * SLOTS + slot, level))
    }

    /// Is the first of the list the earliest? The lowest level's slots are single instants, and
    /// one timer alone is in order wherever it stands.
    #[inline]
    fn is_exact(&self, list: usize, level: usize) -> bool {
        level == 0 || self.lists[list].first == self.lists[list].last
    }

    /// Time enters a slot: its timers move to the levels below, in the order they stand.
    fn spread(&mut self, list: usize, start: u64) {
        self.elapsed = start;
        let mut slot = self.lists[list].first;
        self.clear(list);
        while slot != NONE {
            let Slot { at, next, .. } = self.slots[slot as usize];
            self.link(slot, at);
            slot = next;
        }
    }

    fn clear(&mut self, list: usize) {
        self.lists[list] = EMPTY;
        if list != OVERDUE {
            let level = list / SLOTS;
            self.occupied[level] &= !(1 << (list % SLOTS));
            if self.occupied[level] == 0 {
                self.levels &= !(1 << level);
            }
        }
    }

    /// Puts a timer that is not overdue at the end of its list.
    #[inline]
    fn link(&mut self, slot: u32, at: u64) {
        let differing = (at ^ self.elapsed) | 1;
        let level = (differing.ilog2() / GROUP_BITS) as usize;
        let index = (at >> (GROUP_BITS * level as u32)) as usize % SLOTS;
        let list = level * SLOTS + index;
        self.levels |= 1 << level;
        self.occupied[level] |= 1 << index;
        let last = self.lists[list].last;
        self.insert(slot, list, (last, NONE));
    }

    fn link_overdue(&mut self, slot: u32, at: u64) {
        let mut last = self.lists[OVERDUE].last;
        let mut next = NONE;
        while last != NONE && self.slots[last as usize].at > at {
            next = last;
            last = self.slots[last as usize].prev;
        }
        self.insert(slot, OVERDUE, (last, next));
    }

    #[inline]
    fn insert(&mut self, slot: u32, list: usize, (prev, next): (u32, u32)) {
        let entry = &mut self.slots[slot as usize];
        entry.list = list as u32;
        entry.prev = prev;
        entry.next = next;
        match prev {
            NONE => self.lists[list].first = slot,
            _ => self.slots[prev as usize].next = slot,
        }
        match next {
            NONE => self.lists[list].last = slot,
            _ => self.slots[next as usize].prev = slot,
        }
    }

    /// Takes a timer out of its list and frees its place.
    #[inline]
    fn take(&mut self, slot: u32) -> Due {
        let entry = &mut self.slots[slot as usize];
        let (list, prev, next) = (entry.list as usize, entry.prev, entry.next);
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.free;
        self.free = slot;
        let due = entry.due.take().expect("a timer in a list is armed");
        self.unlink(list, prev, next);
        due
    }

    #[inline(always)]
    fn unlink(&mut self, list: usize, prev: u32, next: u32) {
        if prev == NONE && next == NONE {
            self.clear(list);
            return;
        }
        match prev {
            NONE => self.lists[list].first = next,
            _ => self.slots[prev as usize].next = next,
        }
        match next {
            NONE => self.lists[list].last = prev,
            _ => self.slots[next as usize].prev = prev,
        }
    }

    /// Moves the deadlines of a node's wakers, which keep their order; gives back how many moved,
    /// and the earliest. Cost: one look at every timer.
    pub(crate) fn retime(&mut self, node: NodeId, to: impl Fn(u64) -> u64) -> (u64, u64) {
        let mut found: Vec<(u64, u32)> = Vec::new();
        for list in &*self.lists {
            let mut slot = list.first;
            while slot != NONE {
                let timer = &self.slots[slot as usize];
                if matches!(&timer.due, Some(Due::Wake(of, _)) if *of == node) {
                    found.push((timer.at, slot));
                }
                slot = timer.next;
            }
        }
        // Timers of one deadline stand in one list, in the order they were armed.
        found.sort_by_key(|(at, _)| *at);
        let (mut moved, mut earliest) = (0, u64::MAX);
        for (before, slot) in found {
            let after = to(before);
            if after == before {
                continue;
            }
            let timer = &mut self.slots[slot as usize];
            timer.at = after;
            let (list, prev, next) = (timer.list as usize, timer.prev, timer.next);
            self.unlink(list, prev, next);
            if after < self.elapsed {
                self.link_overdue(slot, after);
            } else {
                self.link(slot, after);
            }
            moved += 1;
            earliest = earliest.min(after);
        }
        (moved, earliest)
    }

    /// Takes a timer out; `None` when it fired or was cancelled before.
    #[inline]
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<Due> {
        let slot = self.slots.get(key.slot as usize)?;
        (slot.generation == key.generation && slot.due.is_some()).then(|| self.take(key.slot))
    }

    /// Whether it has neither fired nor been cancelled: a place's generation changes with either.
    #[inline]
    pub(crate) fn is_armed(&self, key: TimerKey) -> bool {
        let slot = self.slots.get(key.slot as usize);
        slot.is_some_and(|slot| slot.generation == key.generation)
    }

    /// The waker of a timer that is still armed, to be replaced.
    pub(crate) fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        match &mut slot.due {
            Some(Due::Wake(_, waker)) if slot.generation == key.generation => Some(waker),
            _ => None,
        }
    }

    pub(crate) fn take_all(&mut self) -> Self {
        std::mem::take(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seed, Stream};

    fn device(token: u64) -> Due {
        Due::Device(DeviceId(0), token)
    }

    fn token(due: Due) -> u64 {
        match due {
            Due::Device(_, token) => token,
            _ => panic!("only devices' timers were armed"),
        }
    }

    /// Deadlines close together, so that many are equal and many are over when they are armed.
    #[test]
    fn random_arming_and_cancelling_agrees_with_a_sorted_list() {
        agrees_with_a_sorted_list(|stream, _| stream.below(1_000));
    }

    /// Deadlines of every magnitude, none of them over.
    #[test]
    fn deadlines_of_every_level_agree_with_a_sorted_list() {
        agrees_with_a_sorted_list(|stream, now| {
            let bits = stream.below(60);
            now + stream.below(1 << bits)
        });
    }

    fn agrees_with_a_sorted_list(draw: impl Fn(&mut Stream, u64) -> u64) {
        let mut stream = Stream::of(Seed(1), "test", 0);
        let mut now = 0;
        let mut timers = Timers::default();
        let mut model: Vec<(u64, u64, TimerKey)> = Vec::new();
        for step in 0..20_000_u64 {
            match stream.below(3) {
                0 | 1 if model.len() < 500 => {
                    let at = draw(&mut stream, now);
                    model.push((at, step, timers.arm(at, device(step))));
                }
                0 | 1 => {
                    model.sort_unstable_by_key(|(at, order, _)| (*at, *order));
                    let (at, order, key) = model.remove(0);
                    if at > 0 {
                        let bound = timers.pop_due(at - 1).expect_err("nothing is due earlier");
                        assert!(bound <= at, "a bound is not past the earliest");
                    }
                    now = now.max(at);
                    let (fired_at, due) = match step % 2 {
                        0 => timers.pop_next().expect("armed"),
                        _ => timers.pop_due(at).expect("due"),
                    };
                    assert_eq!((fired_at, token(due)), (at, order));
                    assert!(
                        timers.cancel(key).is_none(),
                        "a fired timer cannot be cancelled"
                    );
                }
                _ => {
                    if !model.is_empty() {
                        let (_, order, key) = model.swap_remove(stream.index(model.len()));
                        assert_eq!(timers.cancel(key).map(token), Some(order));
                        assert!(timers.cancel(key).is_none(), "nor a cancelled one");
                    }
                }
            }
        }
        assert!(timers.slots.len() <= 501, "slots are reused");
    }
}
