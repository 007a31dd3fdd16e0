//! What real crates see of the machine, to tell whether it is reproducible.
//!
//! Takes nothing; gives one [`Probe`](sim_runtime::interpose::floor::Probe) for each source of
//! entropy, time or identity, registered by being linked. `cargo landfall floor` runs them.
//!
//! # Invariants, as absences
//! - No probe judges: it says in words what it saw, and two texts are compared.
//! - No probe mentions the simulation: each is written as a guest would write it.
//!
//! # Modules
//! `entropy`, `hashes`, `clocks` with `counter` (its one instruction), `machine`, `choices`,
//! `threads`.

mod choices;
mod clocks;
mod counter;
mod entropy;
mod hashes;
mod machine;
mod threads;

/// How many probes there are; calling it links them.
#[must_use]
pub fn count() -> usize {
    sim_runtime::interpose::floor::PROBES.len()
}

/// Registers a probe under a name, in the order of the table.
macro_rules! probe {
    ($order:literal, $name:literal, $body:expr) => {
        const _: () = {
            use sim_runtime::interpose::floor::{PROBES, Probe};
            #[linkme::distributed_slice(PROBES)]
            static PROBE: Probe = Probe {
                order: $order,
                name: $name,
                run: || Box::pin(async { $body }),
            };
        };
    };
}
pub(crate) use probe;
