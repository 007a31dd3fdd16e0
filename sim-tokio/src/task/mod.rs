//! Tasks: simulated inside a simulation, tokio's outside.

mod error;
mod id;
mod join;
mod join_set;
mod local;
mod run;

pub use error::JoinError;
pub use id::Id;
pub use join::{AbortHandle, JoinHandle};
pub use join_set::JoinSet;
pub use local::LocalSet;
pub use run::{block_in_place, spawn, spawn_blocking, spawn_local, yield_now};
pub(crate) use run::{spawn_blocking_on_node, spawn_on_node};
#[doc(no_inline)]
pub use tokio_real::task::{
    LocalEnterGuard, LocalKey, Unconstrained, consume_budget, coop, futures, unconstrained,
};
