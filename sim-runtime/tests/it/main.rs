//! The runtime seen from outside, a module a behaviour.

mod executor;
mod floor;
mod nodes;
mod process;
mod support;
mod tasks;
