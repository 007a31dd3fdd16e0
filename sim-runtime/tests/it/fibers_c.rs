//! Locks of the C library, as C code takes them, between fibers.
#![expect(
    clippy::disallowed_methods,
    reason = "a guest makes threads as it likes"
)]
#![expect(unsafe_code, reason = "calls the C library, as C code does")]

use std::cell::UnsafeCell;
use std::mem;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use sim_runtime::{Down, NodeId, NodeMain, fiber, time, world};

use crate::fibers::twice;
use crate::support;

/// Something of the C library that threads share.
struct Shared<T>(UnsafeCell<T>);

// SAFETY: what is in it is made to be shared.
unsafe impl<T> Sync for Shared<T> {}
// SAFETY: as above; it stays where its `Arc` put it.
unsafe impl<T> Send for Shared<T> {}

impl<T> Shared<T> {
    fn new(init: impl FnOnce(*mut T) -> i32) -> Arc<Self> {
        // SAFETY: zeroes are a value of these plain structures.
        let zeroed = Arc::new(Self(UnsafeCell::new(unsafe { mem::zeroed() })));
        assert_eq!(init(zeroed.get()), 0);
        zeroed
    }

    fn get(&self) -> *mut T {
        self.0.get()
    }
}

fn mutex(kind: i32) -> Arc<Shared<libc::pthread_mutex_t>> {
    Shared::new(|mutex| {
        // SAFETY: zeroes are a value of this plain structure.
        let mut attributes = unsafe { mem::zeroed() };
        // SAFETY: a live structure.
        unsafe { libc::pthread_mutexattr_init(&mut attributes) };
        // SAFETY: initialised above.
        unsafe { libc::pthread_mutexattr_settype(&mut attributes, kind) };
        // SAFETY: a live structure, and initialised attributes.
        unsafe { libc::pthread_mutex_init(mutex, &raw const attributes) }
    })
}

fn lock(mutex: &Shared<libc::pthread_mutex_t>) -> i32 {
    // SAFETY: initialised.
    unsafe { libc::pthread_mutex_lock(mutex.get()) }
}

fn unlock(mutex: &Shared<libc::pthread_mutex_t>) -> i32 {
    // SAFETY: initialised.
    unsafe { libc::pthread_mutex_unlock(mutex.get()) }
}

/// So many seconds from now, by a clock.
fn in_seconds(clock: libc::clockid_t, seconds: i64) -> libc::timespec {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a live structure.
    unsafe { libc::clock_gettime(clock, &mut now) };
    now.tv_sec += seconds;
    now
}

fn contended() -> Vec<u32> {
    let guard = mutex(libc::PTHREAD_MUTEX_NORMAL);
    let order = Arc::new(Shared::<Vec<u32>>(UnsafeCell::new(Vec::new())));
    let threads: Vec<_> = (0..5)
        .map(|n| {
            let (guard, order) = (Arc::clone(&guard), Arc::clone(&order));
            thread::spawn(move || {
                for _ in 0..3 {
                    assert_eq!(lock(&guard), 0);
                    thread::sleep(Duration::from_millis(1));
                    // SAFETY: the mutex is held.
                    unsafe { &mut *order.get() }.push(n);
                    assert_eq!(unlock(&guard), 0);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    // SAFETY: the threads have ended.
    mem::take(unsafe { &mut *order.get() })
}

#[test]
fn a_c_mutex_is_fought_for_as_the_seed_says() {
    let orders: std::collections::BTreeSet<_> =
        (0..12).map(|seed| twice(seed, contended)).collect();
    assert!(orders.iter().all(|order| order.len() == 15));
    assert!(orders.len() > 6, "{} orders of 12 seeds", orders.len());
}

#[test]
fn a_c_mutex_knows_its_owner() {
    let answers = twice(1, || {
        let checked = mutex(libc::PTHREAD_MUTEX_ERRORCHECK);
        let again = mutex(libc::PTHREAD_MUTEX_RECURSIVE);
        let locks = [lock(&checked), lock(&checked), lock(&again), lock(&again)];
        let (other, elsewhere) = (Arc::clone(&checked), Arc::clone(&again));
        let thread = thread::spawn(move || {
            let stolen = unlock(&other);
            let until = in_seconds(libc::CLOCK_REALTIME, 2);
            // SAFETY: initialised, and a live time.
            let timed = unsafe { libc::pthread_mutex_timedlock(other.get(), &raw const until) };
            (stolen, timed, lock(&elsewhere), unlock(&elsewhere))
        });
        thread::sleep(Duration::from_secs(1));
        let unlocks = [unlock(&again), unlock(&again)];
        let others = thread.join().expect("no panic");
        (locks, unlocks, others, unlock(&checked))
    });
    let others = (libc::EPERM, libc::ETIMEDOUT, 0, 0);
    assert_eq!(answers, ([0, libc::EDEADLK, 0, 0], [0, 0], others, 0));
}

fn condition(clock: libc::clockid_t) -> Arc<Shared<libc::pthread_cond_t>> {
    Shared::new(|condition| {
        // SAFETY: zeroes are a value of this plain structure.
        let mut attributes = unsafe { mem::zeroed() };
        // SAFETY: a live structure.
        unsafe { libc::pthread_condattr_init(&mut attributes) };
        // SAFETY: initialised above.
        unsafe { libc::pthread_condattr_setclock(&mut attributes, clock) };
        // SAFETY: a live structure, and initialised attributes.
        unsafe { libc::pthread_cond_init(condition, &raw const attributes) }
    })
}

#[test]
fn c_condition_variables_wake_and_end_with_their_time() {
    let (woken, waits) = twice(2, || {
        let (guard, changed) = (
            mutex(libc::PTHREAD_MUTEX_NORMAL),
            condition(libc::CLOCK_REALTIME),
        );
        let turns = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (guard, changed) = (Arc::clone(&guard), Arc::clone(&changed));
                let turns = Arc::clone(&turns);
                thread::spawn(move || {
                    lock(&guard);
                    while turns.load(Ordering::Relaxed) == 0 {
                        // SAFETY: both are initialised, and the mutex is held.
                        unsafe { libc::pthread_cond_wait(changed.get(), guard.get()) };
                    }
                    turns.fetch_add(1, Ordering::Relaxed);
                    unlock(&guard)
                })
            })
            .collect();
        thread::sleep(Duration::from_secs(1));
        lock(&guard);
        turns.store(1, Ordering::Relaxed);
        // SAFETY: initialised.
        unsafe { libc::pthread_cond_signal(changed.get()) };
        // SAFETY: initialised.
        unsafe { libc::pthread_cond_broadcast(changed.get()) };
        unlock(&guard);
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), 0);
        }
        let waits = [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC].map(|clock| {
            let (changed, guard) = (condition(clock), Arc::clone(&guard));
            let thread = thread::spawn(move || {
                lock(&guard);
                let start = time::now();
                let until = in_seconds(clock, 3);
                let (changed, time) = (changed.get(), &raw const until);
                // SAFETY: both are initialised, and the mutex is held.
                let answer = unsafe { libc::pthread_cond_timedwait(changed, guard.get(), time) };
                unlock(&guard);
                (answer, (time::now() - start).as_secs())
            });
            thread.join().expect("no panic")
        });
        (turns.load(Ordering::Relaxed), waits)
    });
    assert_eq!(woken, 5);
    assert!(
        waits
            .iter()
            .all(|(answer, seconds)| *answer == libc::ETIMEDOUT && (2..=3).contains(seconds)),
        "{waits:?}"
    );
}

#[test]
fn c_semaphores_and_rwlocks_let_in_whom_they_should() {
    let seen = twice(3, || {
        // SAFETY: a live structure.
        let items = Shared::new(|items| unsafe { libc::sem_init(items, 0, 0) });
        let rwlock = Shared::new(|lock| {
            // SAFETY: a live structure; no attributes.
            unsafe { libc::pthread_rwlock_init(lock, std::ptr::null()) }
        });
        // SAFETY: initialised.
        unsafe { libc::pthread_rwlock_wrlock(rwlock.get()) };
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let (items, rwlock) = (Arc::clone(&items), Arc::clone(&rwlock));
                thread::spawn(move || {
                    // SAFETY: initialised.
                    let taken = unsafe { libc::sem_wait(items.get()) };
                    // SAFETY: initialised.
                    let read = unsafe { libc::pthread_rwlock_rdlock(rwlock.get()) };
                    thread::sleep(Duration::from_secs(n));
                    // SAFETY: initialised, and held.
                    taken + read + unsafe { libc::pthread_rwlock_unlock(rwlock.get()) }
                })
            })
            .collect();
        thread::sleep(Duration::from_secs(1));
        for _ in 0..4 {
            // SAFETY: initialised.
            unsafe { libc::sem_post(items.get()) };
        }
        thread::sleep(Duration::from_secs(1));
        let start = time::now();
        // SAFETY: initialised, and held.
        unsafe { libc::pthread_rwlock_unlock(rwlock.get()) };
        let answers: Vec<_> = threads
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect();
        // All four read together: as long as the longest of them.
        (answers, (time::now() - start).as_secs())
    });
    assert_eq!(seen, (vec![0; 4], 3));
}

#[test]
fn a_task_takes_a_c_mutex_that_a_thread_holds() {
    let waited = twice(4, || {
        let guard = mutex(libc::PTHREAD_MUTEX_NORMAL);
        let held = Arc::clone(&guard);
        let thread = thread::spawn(move || {
            lock(&held);
            thread::sleep(Duration::from_secs(5));
            unlock(&held)
        });
        let start = time::now();
        while lock(&guard) == 0 && time::now() - start < Duration::from_secs(1) {
            unlock(&guard);
            thread::yield_now();
            thread::sleep(Duration::from_millis(100));
        }
        unlock(&guard);
        thread.join().expect("no panic")
    });
    assert_eq!(waited, 0);
}

/// Reads under the lock, and writes what it computed under the lock: an update may be lost.
fn checks_then_acts() -> u32 {
    let guard = mutex(libc::PTHREAD_MUTEX_NORMAL);
    let count = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (guard, count) = (Arc::clone(&guard), Arc::clone(&count));
            thread::spawn(move || {
                assert_eq!(lock(&guard), 0);
                let seen = count.load(Ordering::Relaxed);
                assert_eq!(unlock(&guard), 0);
                assert_eq!(lock(&guard), 0);
                count.store(seen + 1, Ordering::Relaxed);
                assert_eq!(unlock(&guard), 0);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    count.load(Ordering::Relaxed)
}

#[test]
fn a_lost_update_between_two_locks_is_found() {
    let lost = |seed: &u64| twice(*seed, checks_then_acts) == 1;
    let found = (0..100).filter(lost).count();
    assert!((1..100).contains(&found), "{found} of 100 seeds");
}

/// A mutex that all nodes have, as statics of C libraries are.
static SHARED: Statics = Statics(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));

struct Statics(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: what is in it is made to be shared.
unsafe impl Sync for Statics {}

/// Takes what all nodes have, sleeps, and lets it go; when it was taken, in seconds.
fn hold(seconds: u64) -> u64 {
    // SAFETY: initialised.
    assert_eq!(unsafe { libc::pthread_mutex_lock(SHARED.0.get()) }, 0);
    let at = time::now().as_nanos() / 1_000_000_000;
    thread::sleep(Duration::from_secs(seconds));
    // SAFETY: as above.
    assert_eq!(unsafe { libc::pthread_mutex_unlock(SHARED.0.get()) }, 0);
    at
}

#[test]
fn a_c_mutex_of_a_killed_process_is_taken_over() {
    let (at, _) = support::run(1, || async {
        let host = |name, ip| {
            let main: NodeMain = Rc::new(|| {
                Box::pin(async {
                    drop(thread::spawn(|| hold(100)));
                    std::future::pending::<()>().await;
                })
            });
            let node = world().create_node(name, IpAddr::from([10, 0, 0, ip]));
            world().start_node(node, main);
            node
        };
        let first = host("n1", 1);
        time::sleep(Duration::from_secs(1)).await;
        let waits = fiber::spawn_blocking(NodeId::HARNESS, || hold(1));
        time::sleep(Duration::from_secs(1)).await;
        world().kill_node(first, Down::Kill);
        let waited = waits.await.expect("no panic");
        host("n2", 2);
        time::sleep(Duration::from_secs(1)).await;
        let later = fiber::spawn_blocking(NodeId::HARNESS, || hold(1));
        (waited, later.await.expect("no panic"))
    });
    // An owner that lives is waited for.
    assert_eq!(at, (2, 103));
}

/// A lock for reading and writing that all nodes have.
static READ_AND_WRITTEN: StaticLock = StaticLock(UnsafeCell::new(libc::PTHREAD_RWLOCK_INITIALIZER));

struct StaticLock(UnsafeCell<libc::pthread_rwlock_t>);

// SAFETY: what is in it is made to be shared.
unsafe impl Sync for StaticLock {}

/// As [`hold`], to read or to write.
fn hold_to(write: bool, seconds: u64) -> u64 {
    let lock = READ_AND_WRITTEN.0.get();
    let taken = match write {
        // SAFETY: initialised.
        true => unsafe { libc::pthread_rwlock_wrlock(lock) },
        // SAFETY: initialised.
        false => unsafe { libc::pthread_rwlock_rdlock(lock) },
    };
    assert_eq!(taken, 0);
    let at = time::now().as_nanos() / 1_000_000_000;
    thread::sleep(Duration::from_secs(seconds));
    // SAFETY: as above.
    assert_eq!(unsafe { libc::pthread_rwlock_unlock(lock) }, 0);
    at
}

/// Kills who holds a lock for 100 s after 2 s, while another reads until 6 s if it may; when one
/// who wants it from 1 s on has it, and whether nobody has it in the end.
async fn outlive(dead_writes: bool, wants_to_write: bool) -> (u64, i32) {
    let main: NodeMain = Rc::new(move || {
        Box::pin(async move {
            drop(thread::spawn(move || hold_to(dead_writes, 100)));
            std::future::pending::<()>().await;
        })
    });
    let node = world().create_node("n1", IpAddr::from([10, 0, 0, 1]));
    world().start_node(node, main);
    let reads = fiber::spawn_blocking(NodeId::HARNESS, || {
        thread::sleep(Duration::from_millis(500));
        hold_to(false, 5)
    });
    time::sleep(Duration::from_secs(1)).await;
    let wants = fiber::spawn_blocking(NodeId::HARNESS, move || hold_to(wants_to_write, 1));
    time::sleep(Duration::from_secs(1)).await;
    world().kill_node(node, Down::Kill);
    let had = wants.await.expect("no panic");
    reads.await.expect("no panic");
    let free = fiber::spawn_blocking(NodeId::HARNESS, || {
        let lock = READ_AND_WRITTEN.0.get();
        // SAFETY: initialised.
        let free = unsafe { libc::pthread_rwlock_trywrlock(lock) };
        // SAFETY: initialised, and taken if nobody else had it.
        unsafe { libc::pthread_rwlock_unlock(lock) };
        free
    });
    (had, free.await.expect("no panic"))
}

#[test]
fn a_c_lock_for_reading_and_writing_of_a_killed_process_is_let_go() {
    // One after the other: the lock is the process's. Who reads and lives is waited for.
    let read = support::run(1, || outlive(false, true)).0;
    let written = support::run(1, || outlive(true, false)).0;
    assert_eq!((read, written), ((5, 0), (2, 0)));
}
