//! What the simulation costs: operations that run a given number of times inside one simulation.
//!
//! Takes how often an operation is to run; gives back the [`Summary`](sim_runtime::Summary) of
//! the simulation it ran in, with the digest on. The bench `runtime` puts nanoseconds on each, the
//! binary `instructions` counts user-mode instructions.
//!
//! # Invariants, as absences
//! - Nothing is measured in here: these are plain functions, the same for both measurements.
//! - Nothing is written twice: the drop-in and the real tokio run one text ([`mod@guest`]).
//! - No operation runs fewer times than asked for: each checks that its tasks came to their end.
//! - Without the feature `sim` this crate is empty.
//!
//! # Modules, in reading order
//! [`operation`] (the list), `lab` (the simulation around each), `executor` (over sim-runtime),
//! `network` (over sim-net), `disk` (over sim-disk and std) and `map` (the same in memory),
//! [`mod@guest`] (over the drop-in, and over the real tokio), [`reference`](mod@reference)
//! (figures of the design), [`memory`] (what must leave nothing behind), [`heap`] and [`idle`]
//! (what an idle connection holds), [`scale`] (workloads of some size), [`peers`] (the program
//! that does the same elsewhere).

#[cfg(feature = "sim")]
mod disk;
#[cfg(feature = "sim")]
mod executor;
#[cfg(feature = "sim")]
pub mod guest;
#[cfg(feature = "sim")]
pub mod heap;
#[cfg(feature = "sim")]
pub mod idle;
#[cfg(feature = "sim")]
mod lab;
#[cfg(feature = "sim")]
mod map;
#[cfg(feature = "sim")]
pub mod memory;
#[cfg(feature = "sim")]
mod network;
#[cfg(feature = "sim")]
pub mod operation;
#[cfg(feature = "sim")]
pub mod peers;
#[cfg(feature = "sim")]
pub mod reference;
#[cfg(feature = "sim")]
pub mod scale;
