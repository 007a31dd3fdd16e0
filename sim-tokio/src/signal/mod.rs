//! Signals: the node's stop signal inside a simulation, the system's outside.

mod ctrl_c;
pub mod unix;

pub use ctrl_c::ctrl_c;
