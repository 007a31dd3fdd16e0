//! Layer 3 of the floor: the time-stamp counter.
#![expect(unsafe_code, reason = "reads the counter")]
#![expect(
    clippy::disallowed_types,
    reason = "what is simulated is what is tested"
)]

use std::arch::x86_64::{__rdtscp, _rdtsc};
use std::time::{Duration, Instant};

use sim_runtime::interpose::outside;

use crate::floor::simulated;

fn rdtsc() -> u64 {
    // SAFETY: every x86-64 processor has it.
    unsafe { _rdtsc() }
}

fn rdtscp() -> (u64, u32) {
    let mut processor = 7;
    // SAFETY: the pointer is to a live integer.
    let value = unsafe { __rdtscp(&mut processor) };
    (value, processor)
}

#[test]
fn the_counter_is_virtual_and_creeps() {
    let read = || (rdtsc(), rdtscp(), rdtsc());
    let first = simulated(5, read);
    assert_eq!(first, simulated(5, read));
    let (start, (middle, processor), end) = first;
    assert!(start < middle && middle < end && end < start + 1_000);
    assert_eq!(processor, 0);
}

#[test]
fn it_counts_the_nanoseconds_of_the_monotonic_clock() {
    let (counted, elapsed) = simulated(5, || {
        let (start, started) = (rdtsc(), Instant::now());
        std::thread::sleep(Duration::from_secs(100));
        let elapsed = started.elapsed();
        (rdtsc() - start, elapsed)
    });
    let counted = Duration::from_nanos(counted);
    assert!(counted.abs_diff(elapsed) < Duration::from_micros(1));
}

#[test]
fn the_hatch_and_other_threads_have_the_true_counter() {
    let before = rdtsc();
    let (inside, real) = simulated(5, || {
        // The true clock of the hatch is read in the kernel's own page, by the same instruction.
        let clock = outside(Instant::now);
        let real = outside(rdtsc);
        assert!(outside(Instant::now) >= clock);
        (rdtsc(), real)
    });
    let after = rdtsc();
    assert!(before < real && real < after, "{before} {real} {after}");
    assert_ne!(inside, real);
}
