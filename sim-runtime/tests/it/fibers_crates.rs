//! Locks and channels of other crates between fibers.
#![expect(
    clippy::disallowed_methods,
    reason = "a guest makes threads as it likes"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::fibers::{run, twice};

/// Only the results are looked at: two runs in one process differ. Its table of queues, with times
/// of fairness, outlives a run, which is the likely cause.
#[test]
fn parking_lot_locks_and_waits() {
    let guest = || {
        let shared = Arc::new((
            parking_lot::Mutex::new(Vec::new()),
            parking_lot::Condvar::new(),
            parking_lot::RwLock::new(0),
        ));
        let threads: Vec<_> = (0..5)
            .map(|n| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (order, grown, sum) = &*shared;
                    for _ in 0..3 {
                        let mut order = order.lock();
                        thread::sleep(Duration::from_millis(1));
                        order.push(n);
                        *sum.write() += n;
                        grown.notify_all();
                    }
                })
            })
            .collect();
        let mut order = shared.0.lock();
        while order.len() < 15 {
            shared.1.wait(&mut order);
        }
        let order = order.clone();
        for thread in threads {
            thread.join().expect("no panic");
        }
        (order, *shared.2.read())
    };
    for seed in 0..12 {
        let (order, sum) = run(seed, guest).0;
        assert_eq!((order.len(), sum), (15, 30), "seed {seed}");
    }
}

#[test]
fn crossbeam_channels_pass_everything_on() {
    let guest = || {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let senders: Vec<_> = (0..4)
            .map(|n| {
                let sender = sender.clone();
                thread::spawn(move || {
                    for k in 0..5 {
                        sender.send(n * 10 + k).expect("somebody receives");
                    }
                })
            })
            .collect();
        drop(sender);
        let order: Vec<u32> = thread::spawn(move || {
            let tick = crossbeam_channel::after(Duration::from_secs(60));
            let mut order = Vec::new();
            loop {
                crossbeam_channel::select! {
                    recv(receiver) -> got => match got {
                        Ok(n) => order.push(n),
                        Err(_) => return order,
                    },
                    recv(tick) -> _ => return order,
                }
            }
        })
        .join()
        .expect("no panic");
        for sender in senders {
            sender.join().expect("no panic");
        }
        order
    };
    let seen: BTreeSet<_> = (0..12).map(|seed| twice(seed, guest)).collect();
    assert!(seen.iter().all(|order| order.len() == 20));
    assert!(seen.len() > 6, "{} orders of 12 seeds", seen.len());
}

/// What a pool of its own computes, and how its workers shared the work.
fn in_a_pool() -> (u64, Vec<usize>) {
    use rayon::prelude::*;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build();
    let pool = pool.expect("threads are fibers");
    let (sum, who) = pool.install(|| {
        let (sum, who) = rayon::join(
            || (0..1_000_u64).into_par_iter().map(|n| n * n).sum::<u64>(),
            || {
                (0..16)
                    .into_par_iter()
                    .with_max_len(1)
                    .map(|_| {
                        thread::sleep(Duration::from_millis(1));
                        rayon::current_thread_index().unwrap_or(usize::MAX)
                    })
                    .collect::<Vec<_>>()
            },
        );
        rayon::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|_| thread::sleep(Duration::from_millis(1)));
            }
        });
        (sum, who)
    });
    (sum, who)
}

/// Only the results are looked at: its workers draw whom they steal from by a counter that outlives
/// a run. The floor's probes compare processes.
#[test]
fn rayon_computes_and_shares_the_work_as_the_seed_says() {
    let runs: Vec<_> = (0..6).map(|seed| run(seed, in_a_pool).0).collect();
    assert!(
        runs.iter()
            .all(|(sum, who)| (*sum, who.len()) == (332_833_500, 16))
    );
    let shares: BTreeSet<_> = runs.iter().map(|(_, who)| who.clone()).collect();
    assert!(shares.len() > 2, "{} ways of 6 seeds", shares.len());
}

#[test]
fn a_thousand_named_threads_share_what_is_made_once() {
    let guest = || {
        let lazy = Arc::new(std::sync::OnceLock::new());
        let threads: Vec<_> = (0..1_000_u32)
            .map(|n| {
                let lazy = Arc::clone(&lazy);
                let builder = thread::Builder::new().name(format!("worker {n}"));
                let body = move || {
                    let first = *lazy.get_or_init(|| {
                        thread::sleep(Duration::from_millis(2));
                        5_u32
                    });
                    let named = thread::current().name() == Some(format!("worker {n}").as_str());
                    first + u32::from(named)
                };
                builder.spawn(body).expect("a thread")
            })
            .collect();
        let sum: u32 = threads.into_iter().map(|t| t.join().expect("ok")).sum();
        sum
    };
    for seed in 0..2 {
        assert_eq!(twice(seed, guest), 6_000);
    }
}
