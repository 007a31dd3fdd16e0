//! Nanoseconds an operation, for people. `cargo bench -p landfall-benches --features sim`

#![expect(
    clippy::disallowed_types,
    reason = "outside every simulation; the machine's time is what is measured"
)]

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use landfall_benches::operation::{OPERATIONS, Operation};

/// What is shared out between tasks is a multiple of their number.
const GRAIN: u64 = 100;

/// How long `iterations` operations take, from the time of a few more.
fn time(operation: &Operation, iterations: u64) -> Duration {
    let count = iterations.next_multiple_of(GRAIN);
    let start = Instant::now();
    operation.run(count);
    let nanos = start.elapsed().as_nanos() * u128::from(iterations) / u128::from(count);
    Duration::from_nanos(u64::try_from(nanos).expect("a bench takes less than 500 years"))
}

fn runtime(criterion: &mut Criterion) {
    for operation in OPERATIONS {
        criterion.bench_function(&operation.name(), |bencher| {
            bencher.iter_custom(|iterations| time(&operation, iterations));
        });
    }
}

criterion_group!(benches, runtime);
criterion_main!(benches);
