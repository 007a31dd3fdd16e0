//! Runtimes: tokio's outside a simulation.
//!
//! Inside a simulation there is one already. Its [`Handle`] is that of the running node; a
//! [`Runtime`] that is built there is another name for it, spawns on it, and cannot block on
//! anything, as no runtime can inside another.

mod builder;
mod handle;
mod owner;

pub use builder::Builder;
pub use handle::{EnterGuard, Handle};
pub use owner::Runtime;
#[doc(no_inline)]
pub use tokio_real::runtime::{
    LocalOptions, LocalRuntime, RuntimeFlavor, RuntimeMetrics, TryCurrentError, is_rt_shutdown_err,
};
