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
