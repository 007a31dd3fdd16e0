//! Who holds which lock for reading and writing of C code: the lock itself does not name readers.
//!
//! It is asked only about a lock that somebody wants, so what a dead process kept of memory that is
//! gone hurts nobody.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::c_int;

/// By the address of the lock, who took it; as often as he took it.
#[derive(Default)]
pub(crate) struct Holds(RefCell<BTreeMap<usize, Vec<Hold>>>);

struct Hold {
    /// What mutexes call him.
    owner: c_int,
    writes: bool,
}

/// What the dead held of a lock.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Estate {
    /// One of them wrote.
    pub(crate) is_written: bool,
    /// How often it was taken for reading.
    pub(crate) reads: usize,
}

impl Holds {
    /// `owner` has taken a lock: whoever is noted and excludes that held another one, at this
    /// address before.
    pub(crate) fn take(&self, lock: usize, owner: c_int, writes: bool) {
        let mut holds = self.0.borrow_mut();
        let holds = holds.entry(lock).or_default();
        holds.retain(|hold| !writes && !hold.writes);
        holds.push(Hold { owner, writes });
    }

    /// `owner` has let a lock go.
    pub(crate) fn release(&self, lock: usize, owner: c_int) {
        let mut all = self.0.borrow_mut();
        let Some(holds) = all.get_mut(&lock) else {
            return;
        };
        if let Some(at) = holds.iter().position(|hold| hold.owner == owner) {
            holds.swap_remove(at);
        }
        if holds.is_empty() {
            all.remove(&lock);
        }
    }

    /// A lock was made or destroyed: nobody holds it.
    pub(crate) fn forget(&self, lock: usize) {
        self.0.borrow_mut().remove(&lock);
    }

    /// The locks that `owner` holds.
    pub(crate) fn of(&self, owner: c_int) -> Vec<usize> {
        let all = self.0.borrow();
        let holds = |holds: &[Hold]| holds.iter().any(|hold| hold.owner == owner);
        let held = all.iter().filter(|(_, of)| holds(of));
        held.map(|(lock, _)| *lock).collect()
    }

    /// Takes from the dead what they hold of a lock.
    pub(crate) fn inherit(&self, lock: usize, is_dead: impl Fn(c_int) -> bool) -> Estate {
        let mut estate = Estate::default();
        let mut all = self.0.borrow_mut();
        let Some(holds) = all.get_mut(&lock) else {
            return estate;
        };
        holds.retain(|hold| {
            let is_dead = is_dead(hold.owner);
            estate.is_written |= is_dead && hold.writes;
            estate.reads += usize::from(is_dead && !hold.writes);
            !is_dead
        });
        if holds.is_empty() {
            all.remove(&lock);
        }
        estate
    }
}

#[cfg(test)]
mod tests {
    use super::{Estate, Holds};

    const LOCK: usize = 0x100;

    #[test]
    fn what_the_dead_held_is_told_once() {
        let holds = Holds::default();
        for owner in [1, 2, 1, 3] {
            holds.take(LOCK, owner, false);
        }
        holds.release(LOCK, 1);
        assert_eq!(holds.of(1), [LOCK]);
        let dead = |owner| owner == 1 || owner == 3;
        let estate = Estate {
            is_written: false,
            reads: 2,
        };
        assert_eq!(holds.inherit(LOCK, dead), estate);
        assert_eq!(holds.inherit(LOCK, dead), Estate::default());
        holds.release(LOCK, 2);
        assert!(holds.0.borrow().is_empty());
    }

    #[test]
    fn who_cannot_hold_a_lock_that_was_taken_is_forgotten() {
        let holds = Holds::default();
        holds.take(LOCK, 1, true);
        holds.take(LOCK, 2, false);
        assert!(holds.of(1).is_empty());
        holds.take(LOCK, 3, true);
        assert!(holds.of(2).is_empty());
        let estate = Estate {
            is_written: true,
            reads: 0,
        };
        assert_eq!(holds.inherit(LOCK, |owner| owner == 3), estate);
        holds.take(LOCK, 4, true);
        holds.forget(LOCK);
        assert_eq!(holds.inherit(LOCK, |_| true), Estate::default());
    }
}
