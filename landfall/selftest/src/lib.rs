//! A small system and a plan for it, with a bug to plant for each family of claims.
//!
//! Takes nothing; registers the plan's scenarios once without a bug and once with each, by being
//! linked. `cargo landfall selftest` sweeps them: what an installation is to find, it finds here.
//!
//! # Invariants, as absences
//! - The system does not mention the simulation, but for one bug: the clock of the machine, which
//!   only the simulation can be asked for.
//!
//! # Modules
//! `notes`: the system; `cases`: what is planted, and what must be found.

mod cases;
mod notes;

pub use cases::{CASES, Case, Expected};
