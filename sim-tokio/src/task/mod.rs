//! Tasks: simulated inside a simulation, tokio's outside.

pub mod coop;
mod error;
mod id;
mod join;
mod join_set;
mod local;
mod run;
pub(crate) mod set;

#[doc(hidden)]
pub use coop::{Unconstrained, consume_budget, unconstrained};
pub use error::JoinError;
pub use id::{Id, id, try_id};
pub use join::{AbortHandle, JoinHandle};
pub use join_set::JoinSet;
pub use local::{LocalEnterGuard, LocalSet, spawn_local};
pub use run::{block_in_place, spawn, spawn_blocking, yield_now};
pub(crate) use run::{spawn_blocking_here, spawn_blocking_on_node, spawn_here, spawn_on_node};
#[doc(no_inline)]
pub use tokio_real::task::{LocalKey, futures};
