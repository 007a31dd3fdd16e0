//! Runtimes as their owner sees them.

use std::future::Future;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use super::{Builder, EnterGuard, Handle, RuntimeMetrics};
use crate::task::JoinHandle;

/// A runtime; as `tokio::runtime::Runtime`. One built inside a simulation is another name for
/// the simulation: dropping it ends nothing.
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    /// `None` inside a simulation.
    real: Option<tokio_real::runtime::Runtime>,
}

impl Runtime {
    pub(crate) fn from_real(real: tokio_real::runtime::Runtime) -> Self {
        Self {
            handle: Handle::from_real(real.handle().clone()),
            real: Some(real),
        }
    }

    pub(crate) const fn of_node(handle: Handle) -> Self {
        Self { handle, real: None }
    }

    /// A multi-thread runtime with everything enabled.
    ///
    /// # Errors
    /// The system gives no threads or descriptors.
    pub fn new() -> io::Result<Self> {
        Builder::new_multi_thread().enable_all().build()
    }

    /// A reference to it.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Spawns a task.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// Runs a blocking closure as [`spawn_blocking`](crate::task::spawn_blocking) does.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(f)
    }

    /// Runs a future to its end on this thread.
    ///
    /// # Panics
    /// As [`Handle::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.real {
            None => self.handle.block_on(future),
            Some(real) => real.block_on(future),
        }
    }

    /// Makes the runtime this thread's.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Ends the runtime, waiting for blocking work at most this long.
    pub fn shutdown_timeout(self, duration: Duration) {
        if let Some(real) = self.real {
            real.shutdown_timeout(duration);
        }
    }

    /// Ends the runtime without waiting for blocking work.
    pub fn shutdown_background(self) {
        if let Some(real) = self.real {
            real.shutdown_background();
        }
    }

    /// Numbers of the runtime.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle.metrics()
    }
}

impl UnwindSafe for Runtime {}
impl RefUnwindSafe for Runtime {}
