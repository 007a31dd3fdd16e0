//! Tasks: simulated inside a simulation, tokio's outside.
//!
//! Refused or different inside a simulation: a [`LocalSet`] may be awaited, but what is spawned
//! through its own methods stays on the real one; [`spawn_local`] needs none, as every simulated
//! task is local to its world.

mod error;
mod id;
mod join;
mod join_set;
mod run;

pub use error::JoinError;
pub use id::Id;
pub use join::{AbortHandle, JoinHandle};
pub use join_set::JoinSet;
pub use run::{block_in_place, spawn, spawn_blocking, spawn_local, yield_now};
pub(crate) use run::{spawn_blocking_on_node, spawn_on_node};
#[doc(no_inline)]
pub use tokio_real::task::{
    LocalEnterGuard, LocalKey, LocalSet, Unconstrained, consume_budget, coop, futures,
    unconstrained,
};
