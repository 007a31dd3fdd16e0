//! Blocking code of guests: threads, locks, condition variables, channels.
//!
//! What is compared between two runs prints nothing, not even a panic.
#![expect(
    clippy::disallowed_methods,
    reason = "a guest makes threads as it likes"
)]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use sim_runtime::{Config, Down, Seed, Simulation, Stop, time};

/// Runs `guest` as a task of a simulation on a fresh thread; gives what it returned and the digest.
pub(crate) fn run<R: Send + 'static>(seed: u64, guest: fn() -> R) -> (R, String) {
    let run = move || {
        let simulation = Simulation::new(Config::new(Seed(seed)));
        let output = simulation
            .block_on(async move { guest() })
            .expect("it ends");
        (output, simulation.finish().digest.to_string())
    };
    thread::spawn(run).join().expect("no panic")
}

/// The same twice, compared.
pub(crate) fn twice<R: Send + PartialEq + std::fmt::Debug + 'static>(
    seed: u64,
    guest: fn() -> R,
) -> R {
    let first = run(seed, guest);
    assert_eq!(first, run(seed, guest), "seed {seed}");
    first.0
}

#[test]
fn a_thread_runs_and_is_joined() {
    assert_eq!(
        twice(1, || thread::spawn(|| 42).join().expect("no panic")),
        42
    );
}

#[test]
fn sleeping_threads_take_virtual_time_together() {
    let elapsed = twice(1, || {
        let start = time::now();
        let threads: Vec<_> = (1..=10)
            .map(|n| thread::spawn(move || thread::sleep(Duration::from_secs(n))))
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        time::now() - start
    });
    assert!(elapsed >= Duration::from_secs(10) && elapsed < Duration::from_secs(11));
}

fn contended() -> Vec<u32> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..6)
        .map(|n| {
            let order = Arc::clone(&order);
            thread::spawn(move || {
                for _ in 0..3 {
                    let mut order = order.lock().expect("not poisoned");
                    thread::sleep(Duration::from_millis(1));
                    order.push(n);
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
    let order = order.lock().expect("not poisoned");
    order.clone()
}

#[test]
fn a_mutex_is_fought_for_as_the_seed_says() {
    let orders: std::collections::BTreeSet<_> =
        (0..20).map(|seed| twice(seed, contended)).collect();
    assert!(orders.iter().all(|order| order.len() == 18));
    assert!(orders.len() > 10, "{} orders of 20 seeds", orders.len());
}

#[test]
fn condition_variables_channels_barriers_and_scopes_work() {
    let sums = twice(3, || {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let waits = {
            let pair = Arc::clone(&pair);
            thread::spawn(move || {
                let (ready, changed) = &*pair;
                let ready = ready.lock().expect("not poisoned");
                drop(
                    changed
                        .wait_while(ready, |ready| !*ready)
                        .expect("not poisoned"),
                );
                1
            })
        };
        thread::sleep(Duration::from_millis(3));
        *pair.0.lock().expect("not poisoned") = true;
        pair.1.notify_all();
        let waited = waits.join().expect("no panic");

        let (sender, receiver) = mpsc::sync_channel(0);
        let sends = thread::spawn(move || (0..10).try_for_each(|n| sender.send(n)));
        let received: u32 = receiver.iter().sum();
        sends.join().expect("no panic").expect("received");

        let barrier = Arc::new(Barrier::new(4));
        let leaders = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    if barrier.wait().is_leader() {
                        leaders.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        (waited, received, leaders.into_inner())
    });
    assert_eq!(sums, (1, 45, 1));
}

#[test]
fn a_wait_ends_with_its_time() {
    let (elapsed, empty) = twice(1, || {
        let start = time::now();
        let waits = thread::spawn(|| {
            let pair = (Mutex::new(()), Condvar::new());
            let held = pair.0.lock().expect("not poisoned");
            let (_held, timeout) = pair
                .1
                .wait_timeout(held, Duration::from_secs(5))
                .expect("not poisoned");
            timeout.timed_out()
        });
        assert!(waits.join().expect("no panic"));
        let elapsed = time::now() - start;
        let (_sender, receiver) = mpsc::channel::<()>();
        let empty = thread::spawn(move || receiver.recv_timeout(Duration::from_secs(1)).is_err());
        (elapsed, empty.join().expect("no panic"))
    });
    assert!(
        elapsed >= Duration::from_secs(5) && elapsed < Duration::from_secs(6),
        "{elapsed:?}"
    );
    assert!(empty);
}

#[test]
fn parking_and_locks_for_reading_work() {
    let reads = twice(2, || {
        let lock = Arc::new(RwLock::new(0));
        let parked = thread::spawn(|| {
            thread::park();
            thread::park_timeout(Duration::from_secs(1));
            7
        });
        thread::sleep(Duration::from_millis(1));
        parked.thread().unpark();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    *lock.write().expect("not poisoned") += 1;
                    *lock.read().expect("not poisoned")
                })
            })
            .collect();
        let most = readers
            .into_iter()
            .map(|r| r.join().expect("no panic"))
            .max();
        (most, parked.join().expect("no panic"))
    });
    assert_eq!(reads, (Some(4), 7));
}

thread_local! {
    static OWN: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Printing takes a lock that other tests of this process hold now and then: that is outside.
fn fail_silently() {
    std::panic::resume_unwind(Box::new("a thread's panic"));
}

struct Note(mpsc::Sender<String>);

impl Drop for Note {
    fn drop(&mut self) {
        let name = thread::current().name().map(str::to_owned);
        let _nobody_listens = self.0.send(format!("{name:?}"));
    }
}

#[test]
fn thread_locals_names_and_panics_are_each_threads_own() {
    let seen = twice(1, || {
        thread_local! {
            static NOTE: RefCell<Option<Note>> = const { RefCell::new(None) };
        }
        OWN.with_borrow_mut(|own| own.push(1));
        let (sender, receiver) = mpsc::channel();
        let named = thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || {
                NOTE.set(Some(Note(sender)));
                OWN.with_borrow_mut(|own| own.push(2));
                OWN.with_borrow(Vec::len)
            });
        let length = named.expect("a thread").join().expect("no panic");
        let dropped = receiver.recv().expect("the destructor ran");
        let panicked = thread::spawn(fail_silently).join().is_err();
        (length, dropped, panicked, OWN.with_borrow(Vec::len))
    });
    assert_eq!(seen, (1, "Some(\"worker\")".to_owned(), true, 1));
}

#[test]
fn tasks_and_threads_wake_each_other() {
    let received = twice(4, || {
        let (sender, receiver) = mpsc::channel();
        let ticks = sim_runtime::spawn(async move {
            for n in 0..5 {
                time::sleep(Duration::from_secs(1)).await;
                sender.send(n).expect("the thread receives");
            }
        });
        let thread = thread::spawn(move || receiver.iter().sum::<u32>());
        let sum = thread.join().expect("no panic");
        (sum, ticks.is_finished())
    });
    assert_eq!(received, (10, true));
}

#[test]
fn a_blocking_closure_is_a_task_that_may_wait() {
    let waited = twice(5, || {
        let here = sim_runtime::world().current_node();
        let (sender, receiver) = mpsc::channel();
        let sum = sim_runtime::fiber::spawn_blocking(here, move || receiver.iter().sum::<u32>());
        let fails = sim_runtime::fiber::spawn_blocking(here, || {
            thread::sleep(Duration::from_secs(1));
            std::panic::resume_unwind(Box::new("in a blocking closure"))
        });
        let (out, outcome) = mpsc::channel();
        let _task = sim_runtime::spawn(async move {
            for n in 1..=3 {
                time::sleep(Duration::from_secs(1)).await;
                sender.send(n).expect("it receives");
            }
            drop(sender);
            let failed: Result<(), _> = fails.await;
            let told = (
                sum.await.expect("no panic"),
                failed.expect_err("it panics").is_panic(),
            );
            out.send(told).expect("it is received");
        });
        // The task that runs this blocks its thread: the others run within it.
        outcome.recv().expect("it is sent")
    });
    assert_eq!(waited, (6, true));
}

fn embrace(first: &Mutex<()>, second: &Mutex<()>) {
    let _first = first.lock();
    thread::sleep(Duration::from_secs(1));
    let _second = second.lock();
}

#[test]
fn a_deadlock_tells_both_stacks() {
    let simulation = Simulation::new(Config::new(Seed(1)));
    let stop = simulation.block_on(async {
        let locks = Arc::new((Mutex::new(()), Mutex::new(())));
        let other = Arc::clone(&locks);
        let _one = thread::spawn(move || embrace(&locks.0, &locks.1));
        let _other = thread::spawn(move || embrace(&other.1, &other.0));
        std::future::pending::<()>().await;
    });
    let Err(Stop::Deadlock { tasks }) = stop else {
        panic!("{stop:?}");
    };
    let stacks: Vec<_> = tasks
        .iter()
        .filter(|task| task.contains("embrace"))
        .collect();
    assert_eq!(stacks.len(), 2, "{tasks:#?}");
}

#[test]
fn a_world_whose_fibers_were_killed_is_freed() {
    let simulation = Simulation::new(Config::new(Seed(1)));
    let observer = simulation
        .block_on(async move {
            let world = sim_runtime::world();
            let node = world.create_node("n1", [10, 0, 0, 1].into());
            let main: sim_runtime::NodeMain = Rc::new(|| {
                let _begins = thread::spawn(thread::park);
                Box::pin(async {
                    time::sleep(Duration::from_millis(1)).await;
                    let _never_polled = thread::spawn(thread::park);
                    std::future::pending::<()>().await;
                })
            });
            world.start_node(node, main);
            for _ in 0..20 {
                time::sleep(Duration::from_millis(2)).await;
                world.kill_node(node, Down::Kill);
                world.restart_node(node);
            }
            Rc::downgrade(&world)
        })
        .expect("it ends");
    assert!(observer.upgrade().is_some());
    let _summary = simulation.finish();
    assert!(observer.upgrade().is_none(), "the world is not freed");
}

#[test]
fn killing_a_node_leaves_neither_threads_nor_memory() {
    // In a process of its own, where no other test makes threads.
    if std::env::var_os("FIBERS_ALONE").is_some() {
        return kill_many();
    }
    let exe = std::env::current_exe().expect("a path");
    let name = "fibers::killing_a_node_leaves_neither_threads_nor_memory";
    let mut command = std::process::Command::new(exe);
    let command = command.args(["--exact", name]).env("FIBERS_ALONE", "1");
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

fn kill_many() {
    fn kill_often(times: u32) {
        let simulation = Simulation::new(Config::new(Seed(1)));
        simulation
            .block_on(async move {
                let world = sim_runtime::world();
                let node = world.create_node("n1", [10, 0, 0, 1].into());
                let main: sim_runtime::NodeMain = Rc::new(|| {
                    Box::pin(async {
                        let lock = Arc::new(Mutex::new(()));
                        let other = Arc::clone(&lock);
                        let _held = thread::spawn(move || {
                            let _held = lock.lock();
                            thread::park();
                        });
                        let _waits = thread::spawn(move || drop(other.lock()));
                        std::future::pending::<()>().await;
                    })
                });
                world.start_node(node, main);
                for _ in 0..times {
                    time::sleep(Duration::from_millis(1)).await;
                    world.kill_node(node, Down::Kill);
                    world.restart_node(node);
                }
            })
            .expect("it ends");
        let _summary = simulation.finish();
    }
    thread::spawn(|| {
        kill_often(50);
        let before = (resident_kib(), threads());
        kill_often(10_000);
        let after = (resident_kib(), threads());
        assert!(after.1 <= before.1 + 8, "threads: {before:?} {after:?}");
        // What the frames of a killed thread own on the heap stays: some 700 bytes.
        let grown = after.0.saturating_sub(before.0);
        assert_eq!(sim_runtime::fiber::kept(), 0);
        assert!(grown < 20_000, "{grown} KiB for 20,000 threads");
    })
    .join()
    .expect("no panic");
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let line = status.lines().find(|line| line.starts_with(field));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

fn resident_kib() -> u64 {
    status("VmRSS:")
}

fn threads() -> u64 {
    status("Threads:")
}
