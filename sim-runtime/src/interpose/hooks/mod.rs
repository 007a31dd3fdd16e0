//! The hooks themselves, and the functions that they shadow.

mod addresses;
pub(crate) mod attributes;
#[cfg(floor_traps)]
pub(crate) mod barriers;
pub(crate) mod clock;
pub(crate) mod data;
mod define;
pub(crate) mod directories;
pub(crate) mod entropy;
pub(crate) mod file_locks;
mod file_numbers;
pub(crate) mod files;
pub(crate) mod fortified;
pub(crate) mod identity;
pub(crate) mod listings;
#[cfg(floor_traps)]
pub(crate) mod locks;
pub(crate) mod maps;
pub(crate) mod more_clocks;
pub(crate) mod names;
pub(crate) mod paths;
mod places;
pub(crate) mod polls;
pub(crate) mod real;
pub(crate) mod refused;
#[cfg(floor_traps)]
pub(crate) mod rwlocks;
pub(crate) mod sleep;
mod socket_numbers;
mod socket_pairs;
pub(crate) mod socket_symbols;
pub(crate) mod sockets;
pub(crate) mod start;
mod state;
pub(crate) mod status;
pub(crate) mod streams;
pub(crate) mod syscall;
pub(crate) mod temporary;
#[cfg(floor_traps)]
pub(crate) mod thread_ends;
#[cfg(floor_traps)]
pub(crate) mod threads;
#[cfg(not(floor_traps))]
mod threads_refused;
mod watches;

pub(crate) use real::unavailable;
pub(crate) use state::state;
