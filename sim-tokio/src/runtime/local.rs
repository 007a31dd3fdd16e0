//! Runtimes whose tasks need not be `Send`.

use std::future::Future;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use tokio_real::runtime::LocalOptions;

use super::made::Made;
use super::{Builder, EnterGuard, Handle, Runtime, RuntimeMetrics};
use crate::task::{JoinHandle, LocalSet};

/// A runtime of one thread; as `tokio::runtime::LocalRuntime`. Inside a simulation it is a runtime
/// with a `LocalSet`, whose tasks run while it blocks on a future.
#[derive(Debug)]
pub struct LocalRuntime {
    handle: Handle,
    repr: Repr,
}

#[derive(Debug)]
enum Repr {
    Sim(LocalSet, Runtime),
    Real(tokio_real::runtime::LocalRuntime),
}

impl LocalRuntime {
    pub(crate) fn from_real(real: tokio_real::runtime::LocalRuntime) -> Self {
        Self {
            handle: Handle::from_real(real.handle().clone()),
            repr: Repr::Real(real),
        }
    }

    pub(crate) fn of_made(made: Made) -> Self {
        let runtime = Runtime::of_made(made);
        Self {
            handle: runtime.handle().clone(),
            repr: Repr::Sim(LocalSet::new(), runtime),
        }
    }

    /// A runtime with everything enabled.
    ///
    /// # Errors
    /// The system gives no descriptors.
    pub fn new() -> io::Result<Self> {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
    }

    /// A reference to it.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Spawns a task that need not be `Send`.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match &self.repr {
            Repr::Sim(set, runtime) => {
                let _entered = runtime.enter();
                set.spawn_local(future)
            }
            Repr::Real(real) => real.spawn_local(future).into(),
        }
    }

    /// Runs a blocking closure as [`spawn_blocking`](crate::task::spawn_blocking) does.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, func: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(func)
    }

    /// Runs a future to its end on this thread, and the tasks meanwhile.
    ///
    /// # Panics
    /// Inside a simulation, where blocking is not allowed; inside a runtime.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.repr {
            Repr::Sim(set, runtime) => runtime.block_on(set.run_until(future)),
            Repr::Real(real) => real.block_on(future),
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
    pub fn shutdown_timeout(self, duration: Duration) {
        match self.repr {
            Repr::Sim(set, runtime) => {
                drop(set);
                runtime.shutdown_timeout(duration);
            }
            Repr::Real(real) => real.shutdown_timeout(duration),
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

impl UnwindSafe for LocalRuntime {}
impl RefUnwindSafe for LocalRuntime {}
