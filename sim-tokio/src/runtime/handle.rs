//! Handles of runtimes.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, MutexGuard};

use sim_runtime::{NodeId, in_simulation};
use tokio_real::runtime::{RuntimeFlavor, TryCurrentError};

use super::{Id, RuntimeMetrics, blocking};
use crate::task::{JoinHandle, spawn_blocking_on_node, spawn_on_node};

/// A reference to a runtime; as `tokio::runtime::Handle`. Inside a simulation it stands for a
/// node: what is spawned through it belongs to the node's present boot.
#[derive(Clone, Debug)]
pub struct Handle(Repr);

#[derive(Clone, Debug)]
enum Repr {
    /// The node, and what the runtime was named.
    Sim(NodeId, Option<Arc<str>>),
    Real(tokio_real::runtime::Handle),
}

impl Handle {
    pub(crate) const fn from_real(handle: tokio_real::runtime::Handle) -> Self {
        Self(Repr::Real(handle))
    }

    pub(crate) fn of_running_node(name: Option<Arc<str>>) -> Self {
        let node = sim_runtime::with(|world| world.current_node());
        Self(Repr::Sim(node, name))
    }

    /// Its node.
    ///
    /// # Panics
    /// When it is a real runtime's.
    #[track_caller]
    pub(crate) fn node(&self) -> NodeId {
        match &self.0 {
            Repr::Sim(node, _) => *node,
            Repr::Real(_) => panic!("a simulation cannot spawn on a real runtime"),
        }
    }

    /// Its runtime.
    ///
    /// # Panics
    /// When it is a simulation's.
    #[track_caller]
    pub(crate) fn real(&self) -> &tokio_real::runtime::Handle {
        match &self.0 {
            Repr::Real(handle) => handle,
            Repr::Sim(..) => panic!("a real runtime cannot spawn in a simulation"),
        }
    }

    /// The runtime of the running task.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime.
    #[must_use]
    #[track_caller]
    pub fn current() -> Self {
        if in_simulation() {
            Self::of_running_node(None)
        } else {
            Self::from_real(tokio_real::runtime::Handle::current())
        }
    }

    /// The runtime of the running task.
    ///
    /// # Errors
    /// Outside a simulation, when there is no runtime.
    pub fn try_current() -> Result<Self, TryCurrentError> {
        if in_simulation() {
            return Ok(Self::of_running_node(None));
        }
        tokio_real::runtime::Handle::try_current().map(Self::from_real)
    }

    /// Makes the runtime this thread's. Inside a simulation the node is the running task's
    /// already, and stays that.
    pub fn enter(&self) -> EnterGuard<'_> {
        let real = match &self.0 {
            Repr::Sim(..) => None,
            Repr::Real(handle) => Some(handle.enter()),
        };
        EnterGuard {
            _real: real,
            _not_send: PhantomData,
        }
    }

    /// Spawns a task.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match &self.0 {
            Repr::Sim(node, _) => spawn_on_node(*node, future).into(),
            Repr::Real(handle) => handle.spawn(future).into(),
        }
    }

    /// Runs a blocking closure as [`spawn_blocking`](crate::task::spawn_blocking) does.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        match &self.0 {
            Repr::Sim(node, _) => spawn_blocking_on_node(*node, f).into(),
            Repr::Real(handle) => handle.spawn_blocking(f).into(),
        }
    }

    /// Runs a future to its end on this thread.
    ///
    /// # Panics
    /// Inside a runtime or a simulation, but for where blocking is allowed: `spawn_blocking`,
    /// `block_in_place` and threads.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.0 {
            Repr::Sim(..) => blocking::block_on(future),
            Repr::Real(handle) => handle.block_on(future),
        }
    }

    /// Whether there are several threads; a simulation has one.
    #[must_use]
    pub fn runtime_flavor(&self) -> RuntimeFlavor {
        match &self.0 {
            Repr::Sim(..) => RuntimeFlavor::CurrentThread,
            Repr::Real(handle) => handle.runtime_flavor(),
        }
    }

    /// The runtime's number.
    #[must_use]
    pub fn id(&self) -> Id {
        match &self.0 {
            Repr::Sim(node, _) => Id::of_node(*node),
            Repr::Real(handle) => Id::of_real(handle.id()),
        }
    }

    /// The runtime's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Repr::Sim(_, name) => name.as_deref(),
            Repr::Real(handle) => handle.name(),
        }
    }

    /// Numbers of the runtime.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        match &self.0 {
            Repr::Sim(node, _) => RuntimeMetrics::of_node(*node),
            Repr::Real(handle) => RuntimeMetrics::from_real(handle.metrics()),
        }
    }
}

impl UnwindSafe for Handle {}
impl RefUnwindSafe for Handle {}

/// Leaves the runtime when it is dropped; as `tokio::runtime::EnterGuard`.
#[derive(Debug)]
#[must_use = "creating and dropping a guard does nothing"]
pub struct EnterGuard<'a> {
    _real: Option<tokio_real::runtime::EnterGuard<'a>>,
    /// A guard belongs to its thread.
    _not_send: PhantomData<MutexGuard<'static, ()>>,
}
