//! Clocks of nodes: wall, monotonic, boot-time and raw, and the faults that make them differ from
//! virtual time.
//!
//! A node whose clocks were never touched shows virtual time, and pays one comparison for it.

mod course;
mod fault;
mod node;
mod pause;
mod reads;

pub(crate) use course::GuestClock;
pub use fault::ClockFault;
pub use pause::Pause;
pub(crate) use reads::Clocks;
