//! The runtime seen from outside, a module a behaviour.

mod executor;
mod nodes;
mod support;
mod tasks;
