//! Runtimes: tokio's outside a simulation.
//!
//! Inside a simulation there is one already. Its [`Handle`] is that of the running node. A
//! [`Runtime`] that is built there has the tasks that are spawned in it, which the node's scheduler
//! runs, and takes them with it. It blocks on a future where tokio allows that inside a runtime: on
//! threads, in `spawn_blocking`, in `block_in_place`.

pub(crate) mod blocking;
mod builder;
mod handle;
mod id;
mod local;
pub(crate) mod made;
mod metrics;
mod owner;
mod worker;

pub use builder::Builder;
pub use handle::{EnterGuard, Handle};
pub use id::Id;
pub use local::LocalRuntime;
pub use metrics::RuntimeMetrics;
pub use owner::Runtime;
#[doc(no_inline)]
pub use tokio_real::runtime::{LocalOptions, RuntimeFlavor, TryCurrentError, is_rt_shutdown_err};
pub use worker::worker_index;
