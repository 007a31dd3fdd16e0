//! The runtime seen from outside, a module a behaviour.

mod executor;
mod fibers;
mod floor;
mod floor_identity;
mod floor_inline;
mod floor_signals;
mod floor_tsc;
mod nodes;
mod policies;
mod process;
mod support;
mod tasks;
