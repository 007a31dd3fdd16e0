//! Whom blocking crates let go on.
#![expect(
    clippy::disallowed_methods,
    reason = "a guest makes threads as it likes"
)]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rayon::prelude::*;

use crate::probe;

/// Who took which piece of work.
fn shares() -> Vec<Option<usize>> {
    let pieces = (0..24).into_par_iter().with_max_len(1);
    pieces
        .map(|_| {
            thread::sleep(Duration::from_millis(1));
            rayon::current_thread_index()
        })
        .collect()
}

probe!(64, "parking_lot", {
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..6)
        .map(|n| {
            let order = Arc::clone(&order);
            thread::spawn(move || {
                for _ in 0..4 {
                    let mut order = order.lock();
                    thread::sleep(Duration::from_millis(1));
                    order.push(n);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("it only looks at itself");
    }
    format!("{:?}", order.lock())
});
probe!(65, "rayon", {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build();
    let shares = pool.expect("threads are given").install(shares);
    format!("{shares:?}")
});
