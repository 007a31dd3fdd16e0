//! The runtime seen from outside, a module a behaviour.

mod executor;
mod nodes;
mod policies;
mod probes;
mod reports;
mod support;
mod tasks;

#[cfg(floor_symbols)]
mod clocks;
#[cfg(floor_traps)]
mod fibers;
#[cfg(floor_traps)]
mod fibers_c;
#[cfg(floor_traps)]
mod fibers_crates;
#[cfg(floor_traps)]
mod fibers_ends;
#[cfg(floor_traps)]
mod fibers_nasty;
#[cfg(floor_symbols)]
mod floor;
#[cfg(floor_symbols)]
mod floor_identity;
#[cfg(floor_traps)]
mod floor_inline;
#[cfg(not(floor_traps))]
mod floor_portable;
#[cfg(floor_symbols)]
mod floor_seldom;
#[cfg(floor_traps)]
mod floor_signals;
#[cfg(floor_traps)]
mod floor_tsc;
#[cfg(floor_symbols)]
mod process;
#[cfg(floor_traps)]
mod symbols;
