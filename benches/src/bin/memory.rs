//! Does many times what must leave nothing behind, and prints how much memory it left.
//!
//! Each operation runs in a world of its own; what one has freed the next one takes again, so each
//! is measured from its own first tenth on, when everything has the size that it needs.

use std::process::ExitCode;

use landfall_benches::memory::{self, Operation};

/// How much more than after a tenth may be resident in the end: an allocator is not exact.
const GROWTH_BYTES_MAX: u64 = 2 << 20;

fn main() -> ExitCode {
    println!("| operation | times | resident after a tenth, KiB | in the end, KiB | wall, s |");
    println!("|---|--:|--:|--:|--:|");
    let mut flat = true;
    for operation in Operation::ALL {
        let measured = memory::run(operation);
        println!(
            "| {} | {} | {} | {} | {:.1} |",
            operation.name(),
            operation.times(),
            measured.tenth_bytes >> 10,
            measured.end_bytes >> 10,
            measured.wall.as_secs_f64(),
        );
        flat &= measured.end_bytes <= measured.tenth_bytes + GROWTH_BYTES_MAX;
    }
    if flat {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: memory grew by more than {GROWTH_BYTES_MAX} bytes");
    ExitCode::FAILURE
}
