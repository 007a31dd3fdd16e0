//! Guests that use threads of std at its corners: each gives the same outcome in a simulation,
//! over many seeds, as on real threads outside.
#![expect(
    clippy::disallowed_methods,
    reason = "a guest makes threads as it likes"
)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::fibers::{run, twice};

/// Seeds that each guest is tried with, twice each.
const SEEDS: u64 = 12;

/// Runs `guest` outside and in simulations: all give what it gives outside.
fn as_outside<R: Send + PartialEq + std::fmt::Debug + 'static>(guest: fn() -> R) {
    let outside = thread::spawn(guest).join().expect("no panic");
    for seed in 0..SEEDS {
        assert_eq!(twice(seed, guest), outside, "seed {seed}");
    }
}

/// The same for guests that panic: what that prints is captured by libtest, and allocates.
fn as_outside_loudly<R: Send + PartialEq + std::fmt::Debug + 'static>(guest: fn() -> R) {
    let outside = thread::spawn(guest).join().expect("no panic");
    for seed in 0..SEEDS {
        assert_eq!(run(seed, guest).0, outside, "seed {seed}");
    }
}

/// Locks, then sleeps with the lock held, when its thread ends.
struct Locks(Arc<Mutex<Vec<u32>>>, u32);

impl Drop for Locks {
    fn drop(&mut self) {
        let mut log = self.0.lock().expect("not poisoned");
        thread::sleep(Duration::from_millis(1));
        log.push(self.1);
    }
}

/// Its drop lets a receiver see the end.
struct Sends(mpsc::Sender<u32>);

impl Drop for Sends {
    fn drop(&mut self) {
        self.0.send(7).expect("received");
    }
}

thread_local! {
    static LOCKS: RefCell<Option<Locks>> = const { RefCell::new(None) };
    static SENDS: RefCell<Option<Sends>> = const { RefCell::new(None) };
}

#[test]
fn destructors_of_thread_locals_lock_and_sleep() {
    as_outside(|| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = (0..5)
            .map(|n| {
                let log = Arc::clone(&log);
                thread::spawn(move || LOCKS.set(Some(Locks(log, n))))
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        let mut log = log.lock().expect("not poisoned").clone();
        log.sort_unstable();
        log
    });
}

#[test]
fn senders_dropped_by_destructors_end_the_channel() {
    as_outside(|| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..4 {
            let sender = sender.clone();
            drop(thread::spawn(move || SENDS.set(Some(Sends(sender)))));
        }
        drop(sender);
        receiver.iter().collect::<Vec<_>>()
    });
}

#[test]
fn a_scope_waits_for_all_though_some_panic() {
    as_outside_loudly(|| {
        let done = AtomicU32::new(0);
        let scope = panic::catch_unwind(AssertUnwindSafe(|| {
            thread::scope(|scope| {
                scope.spawn(|| panic!("first"));
                scope.spawn(|| {
                    thread::scope(|inner| {
                        inner.spawn(|| {
                            thread::sleep(Duration::from_millis(5));
                            done.fetch_add(1, Ordering::Relaxed);
                        });
                    });
                    done.fetch_add(1, Ordering::Relaxed);
                });
                let joined = scope.spawn(|| panic!("second")).join();
                assert!(joined.is_err());
            });
        }));
        (scope.is_err(), done.load(Ordering::Relaxed))
    });
}

#[test]
fn a_once_that_panics_is_poisoned_for_those_who_wait() {
    as_outside_loudly(|| {
        let once = Arc::new(Once::new());
        let (first, second) = (Arc::clone(&once), Arc::clone(&once));
        let started = Arc::new(Barrier::new(2));
        let starts = Arc::clone(&started);
        let panics = thread::spawn(move || {
            first.call_once(|| {
                starts.wait();
                thread::sleep(Duration::from_millis(20));
                panic!("once");
            });
        });
        started.wait();
        let waits = thread::spawn(move || second.call_once(|| ()));
        let ends = (panics.join().is_err(), waits.join().is_err());
        let before = once.is_completed();
        once.call_once_force(|state| assert!(state.is_poisoned()));
        (ends, before, once.is_completed())
    });
}

#[test]
fn a_mutex_is_poisoned_and_cleared() {
    as_outside_loudly(|| {
        let shared = Arc::new((Mutex::new(0), RwLock::new(0)));
        let held = Arc::clone(&shared);
        let panics = thread::spawn(move || {
            let _mutex = held.0.lock();
            let _written = held.1.write();
            panic!("held");
        });
        let ended = panics.join().is_err();
        let seen = (shared.0.lock().is_err(), shared.1.read().is_err());
        shared.0.clear_poison();
        (ended, seen, shared.0.lock().is_ok())
    });
}

#[test]
fn tokens_of_park_are_kept_and_are_one() {
    as_outside(|| {
        let (sender, receiver) = mpsc::channel();
        let parks = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            thread::park();
            sender.send(1).expect("received");
            thread::park();
            sender.send(2).expect("received");
            thread::park_timeout(Duration::from_millis(3));
        });
        parks.thread().unpark();
        parks.thread().unpark();
        let first = receiver.recv().expect("sent");
        let early = receiver.recv_timeout(Duration::from_millis(30)).is_err();
        parks.thread().unpark();
        let second = receiver.recv().expect("sent");
        parks.join().expect("no panic");
        (first, early, second)
    });
}

#[test]
fn a_barrier_is_used_again_and_again() {
    as_outside(|| {
        let barrier = Arc::new(Barrier::new(3));
        let rounds = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (barrier, rounds) = (Arc::clone(&barrier), Arc::clone(&rounds));
                thread::spawn(move || {
                    (0..20)
                        .map(|_| {
                            rounds.fetch_add(1, Ordering::Relaxed);
                            let leads = barrier.wait().is_leader();
                            assert_eq!(rounds.load(Ordering::Relaxed) % 3, 0);
                            barrier.wait();
                            usize::from(leads)
                        })
                        .sum::<usize>()
                })
            })
            .collect();
        let led: usize = threads.into_iter().map(|t| t.join().expect("ok")).sum();
        (led, rounds.load(Ordering::Relaxed))
    });
}

#[test]
fn a_writer_passes_readers_that_never_let_go() {
    as_outside(|| {
        let lock = Arc::new(RwLock::new(0_u32));
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    let mut reads = 0_u32;
                    while *lock.read().expect("not poisoned") == 0 {
                        reads += 1;
                        if reads.is_multiple_of(16) {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(1));
        *lock.write().expect("not poisoned") = 1;
        for reader in readers {
            reader.join().expect("no panic");
        }
        *lock.read().expect("not poisoned")
    });
}

/// A wait that ends as its notice comes: both ends are right, one of them is seen.
fn race() -> (bool, bool) {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let notifies = {
        let pair = Arc::clone(&pair);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            *pair.0.lock().expect("not poisoned") = true;
            pair.1.notify_one();
        })
    };
    let ready = pair.0.lock().expect("not poisoned");
    let (ready, ended) = pair
        .1
        .wait_timeout(ready, Duration::from_millis(5))
        .expect("not poisoned");
    let seen = (*ready, ended.timed_out());
    drop(ready);
    notifies.join().expect("no panic");
    seen
}

#[test]
fn a_timed_wait_that_races_its_notice_ends_in_each_way() {
    let ends: BTreeSet<_> = (0..60).map(|seed| twice(seed, race)).collect();
    assert!(!ends.contains(&(false, false)), "no wake without a cause");
    assert!(ends.len() > 1, "{ends:?}");
}
