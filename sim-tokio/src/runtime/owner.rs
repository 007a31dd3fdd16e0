//! Runtimes as their owner sees them.

use std::future::Future;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use super::made::Made;
use super::{Builder, EnterGuard, Handle, RuntimeMetrics};
use crate::task::JoinHandle;

/// A runtime; as `tokio::runtime::Runtime`. One built inside a simulation has its tasks run by the
/// running node, and takes them with it as it is dropped.
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    repr: Repr,
}

#[derive(Debug)]
enum Repr {
    Sim(Made),
    Real(tokio_real::runtime::Runtime),
    /// It has ended.
    Ended,
}

impl Runtime {
    pub(crate) fn from_real(real: tokio_real::runtime::Runtime) -> Self {
        Self {
            handle: Handle::from_real(real.handle().clone()),
            repr: Repr::Real(real),
        }
    }

    pub(crate) fn of_made(made: Made) -> Self {
        Self {
            handle: Handle::of_made(made.clone()),
            repr: Repr::Sim(made),
        }
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
        match &self.repr {
            Repr::Sim(made) => made.block_on(true, future),
            Repr::Real(real) => real.block_on(future),
            Repr::Ended => unreachable!("nobody has what has ended"),
        }
    }

    /// Makes the runtime this thread's.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Ends the runtime, waiting for blocking work at most this long.
    ///
    /// # Panics
    /// Where futures are polled, unless the time is zero.
    pub fn shutdown_timeout(mut self, duration: Duration) {
        match std::mem::replace(&mut self.repr, Repr::Ended) {
            Repr::Sim(made) => made.end(Some(duration)),
            Repr::Real(real) => real.shutdown_timeout(duration),
            Repr::Ended => {}
        }
    }

    /// Ends the runtime without waiting for blocking work.
    pub fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }

    /// Numbers of the runtime.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle.metrics()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Repr::Sim(made) = std::mem::replace(&mut self.repr, Repr::Ended) {
            made.end(None);
        }
    }
}

impl UnwindSafe for Runtime {}
impl RefUnwindSafe for Runtime {}
