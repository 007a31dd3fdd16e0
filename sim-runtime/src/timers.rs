//! Cancelable timers: an indexed four-ary heap ordered by (deadline, order of arming).
//!
//! Arming, firing and cancelling cost O(log n) and leave nothing behind: a cancelled timer's
//! slot is free at once, so memory is bounded by the timers alive at a time.

use std::task::Waker;

use crate::device::DeviceId;

/// Names an armed timer; goes stale, harmlessly, when it fires or is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey {
    slot: u32,
    generation: u32,
}

/// What happens when a timer fires.
#[derive(Debug)]
pub(crate) enum Due {
    Wake(Waker),
    Device(DeviceId, u64),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u64,
    order: u64,
    slot: u32,
}

impl Entry {
    /// Deadline, then order of arming; one number, which compares without a branch.
    const fn key(&self) -> u128 {
        ((self.at as u128) << 64) | self.order as u128
    }
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    position: u32,
    due: Option<Due>,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: Vec<Entry>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    armed: u64,
}

const ARITY: usize = 4;

impl Timers {
    /// Arms a timer for virtual nanosecond `at`.
    pub(crate) fn arm(&mut self, at: u64, due: Due) -> TimerKey {
        let slot = self.free.pop().unwrap_or_else(|| self.add_slot());
        self.armed += 1;
        let order = self.armed;
        let Slot {
            generation,
            due: vacant,
            ..
        } = &mut self.slots[slot as usize];
        *vacant = Some(due);
        let generation = *generation;
        self.heap.push(Entry { at, order, slot });
        self.sift_up(self.heap.len() - 1);
        TimerKey { slot, generation }
    }

    #[cold]
    fn add_slot(&mut self) -> u32 {
        self.slots.push(Slot {
            generation: 0,
            position: 0,
            due: None,
        });
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 timers at a time")
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn next(&self) -> Option<u64> {
        self.heap.first().map(|entry| entry.at)
    }

    /// Takes the earliest timer out if it is due at `now`.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<(u64, Due)> {
        let first = *self.heap.first()?;
        if first.at > now {
            return None;
        }
        let due = self.remove_at(0);
        Some((first.at, due))
    }

    /// Takes a timer out; `None` when it fired or was cancelled before.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<Due> {
        let slot = self.slots.get(key.slot as usize)?;
        (slot.generation == key.generation && slot.due.is_some())
            .then_some(slot.position as usize)
            .map(|position| self.remove_at(position))
    }

    /// The waker of a timer that is still armed, to be replaced.
    pub(crate) fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        match &mut slot.due {
            Some(Due::Wake(waker)) if slot.generation == key.generation => Some(waker),
            _ => None,
        }
    }

    pub(crate) fn take_all(&mut self) -> Self {
        std::mem::take(self)
    }

    fn remove_at(&mut self, position: usize) -> Due {
        let entry = self.heap.swap_remove(position);
        if position < self.heap.len() {
            self.sink_and_rise(position);
        }
        let slot = &mut self.slots[entry.slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(entry.slot);
        slot.due
            .take()
            .expect("an entry of the heap has something to do")
    }

    fn place(&mut self, position: usize, entry: Entry) {
        self.heap[position] = entry;
        self.slots[entry.slot as usize].position =
            u32::try_from(position).expect("fewer than 2^32 timers at a time");
    }

    fn sift_up(&mut self, mut position: usize) {
        let entry = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.heap[parent].key() <= entry.key() {
                break;
            }
            self.place(position, self.heap[parent]);
            position = parent;
        }
        self.place(position, entry);
    }

    /// Finds the place of an entry that was put where another was taken out.
    ///
    /// It came from the bottom and belongs near it, so it is not compared on the way down: the
    /// least children move up as far as there are any, and it rises from there.
    fn sink_and_rise(&mut self, mut position: usize) {
        let entry = self.heap[position];
        while let Some(least) = self.least_child(position) {
            self.place(position, self.heap[least]);
            position = least;
        }
        self.heap[position] = entry;
        self.sift_up(position);
    }

    fn least_child(&self, position: usize) -> Option<usize> {
        let first = position * ARITY + 1;
        let children = self.heap.get(first..)?;
        if let Some([a, b, c, d]) = children.first_chunk::<ARITY>() {
            let (left, left_key) = lesser((0, a.key()), (1, b.key()));
            let (right, right_key) = lesser((2, c.key()), (3, d.key()));
            return Some(first + lesser((left, left_key), (right, right_key)).0);
        }
        let least = (0..children.len()).min_by_key(|child| children[*child].key())?;
        Some(first + least)
    }
}

/// The one with the lesser key, selected without a branch.
#[inline]
const fn lesser(a: (usize, u128), b: (usize, u128)) -> (usize, u128) {
    let is_b = b.1 < a.1;
    (if is_b { b.0 } else { a.0 }, if is_b { b.1 } else { a.1 })
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
            Due::Wake(_) => panic!("no waker was armed"),
        }
    }

    #[test]
    fn random_arming_and_cancelling_agrees_with_a_sorted_list() {
        let mut stream = Stream::of(Seed(1), "test", 0);
        let mut timers = Timers::default();
        let mut model: Vec<(u64, u64, TimerKey)> = Vec::new();
        for step in 0..20_000_u64 {
            match stream.below(3) {
                0 | 1 if model.len() < 500 => {
                    let at = stream.below(1_000);
                    model.push((at, step, timers.arm(at, device(step))));
                }
                0 | 1 => {
                    model.sort_unstable_by_key(|(at, order, _)| (*at, *order));
                    let (at, order, key) = model.remove(0);
                    assert_eq!(timers.next(), Some(at));
                    let (fired_at, due) = timers.pop_due(at).expect("due");
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
