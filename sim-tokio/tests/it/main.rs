//! The drop-in, inside a simulation and outside of one, in the same build.
//!
//! A body in [`both`] uses tokio's interface only and is run in both worlds: what passes on the
//! real tokio must pass on the simulated one.

extern crate sim_tokio as tokio;

mod both;
mod cancelling;
mod clocks;
mod ending;
mod files;
mod joins;
mod nodes;
mod odd;
mod panicking;
mod runtimes;
mod selecting;
mod semantics;
mod side_by_side;
mod support;
mod surface;
mod three;
mod times;
mod types;
mod unix;
