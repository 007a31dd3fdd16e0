//! Futexes of a simulation: who waits for which word.
//!
//! A lock may be shared with a thread outside (std's lock around the standard output is), and that
//! thread tells the kernel, not us. So words are looked at again whenever nothing else can run, and
//! in a process with other threads before time moves on: a waiter whose word has changed is woken,
//! which a futex may do at any time.
#![expect(unsafe_code, reason = "reads the words that are waited for")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;

use super::run::{Fiber, current};
use super::waiting::wait_for;
use super::{host, nested};
use crate::digest::EventKind;
use crate::ids::SimInstant;
use crate::report::Waits;
use crate::world::{self, World};

/// Somebody who waits.
pub(super) struct Waiter {
    word: Cell<usize>,
    /// What the word was.
    value: u32,
    bits: u32,
    pub(super) woken: Cell<bool>,
    waker: Waker,
    /// The fiber's number; 0 for a task.
    fiber: u64,
    /// How many had waited before it: addresses differ from run to run within a process.
    order: u64,
}

/// Waiters by the address of their word, in the order they came.
#[derive(Default)]
pub(crate) struct Table {
    waiters: RefCell<BTreeMap<usize, VecDeque<Rc<Waiter>>>>,
    waited: Cell<u64>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Woken,
    TimedOut,
    /// Nobody of the simulation can ever wake it: the kernel must wait.
    NotHere,
}

impl Table {
    fn next(&self) -> u64 {
        let order = self.waited.get();
        self.waited.set(order + 1);
        order
    }

    fn add(&self, waiter: &Rc<Waiter>) {
        let mut waiters = self.waiters.borrow_mut();
        let queue = waiters.entry(waiter.word.get()).or_default();
        queue.push_back(Rc::clone(waiter));
    }

    fn remove(&self, waiter: &Rc<Waiter>) {
        let word = waiter.word.get();
        let mut waiters = self.waiters.borrow_mut();
        if let Some(queue) = waiters.get_mut(&word) {
            queue.retain(|other| !Rc::ptr_eq(other, waiter));
            if queue.is_empty() {
                waiters.remove(&word);
            }
        }
    }

    /// Takes a dead fiber out of every queue.
    pub(super) fn forget(&self, fiber: &Fiber) {
        let mut waiters = self.waiters.borrow_mut();
        waiters.retain(|_, queue| {
            queue.retain(|waiter| waiter.fiber != fiber.number);
            !queue.is_empty()
        });
    }

    /// Takes up to `count` waiters of a word.
    fn take(&self, word: usize, count: usize, bits: u32) -> Vec<Rc<Waiter>> {
        let mut waiters = self.waiters.borrow_mut();
        let Some(queue) = waiters.get_mut(&word) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        queue.retain(|waiter| {
            let matches = taken.len() < count && waiter.bits & bits != 0;
            if matches {
                taken.push(Rc::clone(waiter));
            }
            !matches
        });
        if queue.is_empty() {
            waiters.remove(&word);
        }
        taken
    }

    /// Wakes whoever waits for a word that is not what it was; false if nobody does.
    pub(crate) fn wake_changed(&self) -> bool {
        let is_changed = |waiter: &Rc<Waiter>| {
            // SAFETY: who waits for a word keeps it alive; others use it as an atomic.
            let word = unsafe { &*(waiter.word.get() as *const AtomicU32) };
            word.load(Ordering::SeqCst) != waiter.value
        };
        let waiters = self.waiters.borrow();
        let mut changed: Vec<_> = waiters
            .values()
            .flatten()
            .filter(|w| is_changed(w))
            .cloned()
            .collect();
        drop(waiters);
        changed.sort_unstable_by_key(|waiter| waiter.order);
        for waiter in &changed {
            self.remove(waiter);
            waiter.woken.set(true);
            waiter.waker.wake_by_ref();
        }
        !changed.is_empty()
    }

    /// Wakes up to `count` waiters of a word whose bits match, and moves up to `moved` others to
    /// another word. Returns how many of each.
    pub(crate) fn wake(
        &self,
        world: &World,
        word: usize,
        (count, bits): (usize, u32),
        (moved, to): (usize, usize),
    ) -> (usize, usize) {
        let woken = self.take(word, count, bits);
        for waiter in &woken {
            waiter.woken.set(true);
            world.event(EventKind::User, FUTEX_WAKE, waiter.fiber);
            waiter.waker.wake_by_ref();
        }
        let requeued = if moved > 0 {
            self.take(word, moved, u32::MAX)
        } else {
            Vec::new()
        };
        for waiter in &requeued {
            waiter.word.set(to);
            self.add(waiter);
        }
        (woken.len(), requeued.len())
    }
}

/// Tells this event from others.
const FUTEX_WAKE: u64 = 0x6675_7465_7877;

/// Waits for a word whose value has been looked at.
pub(crate) fn wait((word, value): (usize, u32), bits: u32, deadline: Option<SimInstant>) -> Waited {
    let waiter = |waker, fiber| {
        Rc::new(Waiter {
            word: Cell::new(word),
            value,
            bits,
            woken: Cell::new(false),
            waker,
            fiber,
            order: world::with(|world| world.fibers.futexes.next()),
        })
    };
    match current() {
        Some(fiber) => wait_on_fiber(&fiber, &waiter(fiber.waker(), fiber.number), deadline),
        None => wait_in_task(&waiter(Waker::noop().clone(), 0), deadline),
    }
}

fn wait_on_fiber(fiber: &Fiber, waiter: &Rc<Waiter>, deadline: Option<SimInstant>) -> Waited {
    world::with(|world| world.fibers.futexes.add(waiter));
    fiber.word.set(waiter.word.get());
    let waited = wait_for(deadline, |_| {
        let woken = waiter.woken.get();
        if !woken {
            let waits = Waits::Other("a lock, channel or parked thread", 0);
            world::with(|world| world.waiting(waits));
        }
        woken
    });
    fiber.word.set(0);
    if waited != Waited::Woken {
        world::with(|world| world.fibers.futexes.remove(waiter));
    }
    waited
}

fn ended(waiter: &Waiter) -> Waited {
    match waiter.woken.get() {
        true => Waited::Woken,
        false => Waited::TimedOut,
    }
}

fn wait_in_task(waiter: &Rc<Waiter>, deadline: Option<SimInstant>) -> Waited {
    let is_alone = crate::process::fresh().is_ok();
    if !is_alone && host::wait_a_moment(waiter.word.get(), waiter.value) {
        return Waited::Woken;
    }
    world::with(|world| {
        world.fibers.futexes.add(waiter);
        let done = nested::run_until(world, deadline, || waiter.woken.get());
        if !waiter.woken.get() {
            world.fibers.futexes.remove(waiter);
        }
        match done {
            nested::Ended::Stuck if is_alone => nested::give_up(world),
            nested::Ended::Stuck => Waited::NotHere,
            _ => ended(waiter),
        }
    })
}
