//! Handles of runtimes.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::MutexGuard;

use sim_runtime::{NodeId, in_simulation};
use tokio_real::runtime::{RuntimeFlavor, TryCurrentError};

use super::made::{self, Inside, Made};
use super::{Id, RuntimeMetrics, blocking};
use crate::task::{JoinHandle, spawn_blocking_on_node, spawn_on_node};

/// A reference to a runtime; as `tokio::runtime::Handle`. Inside a simulation it stands for a
/// node, unless it is of a runtime that was built there: what is spawned through it belongs to the
/// node's present boot.
#[derive(Clone, Debug)]
pub struct Handle(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Node(NodeId),
    Made(Made),
    Real(tokio_real::runtime::Handle),
}

impl Handle {
    pub(crate) const fn from_real(handle: tokio_real::runtime::Handle) -> Self {
        Self(Repr::Real(handle))
    }

    pub(crate) const fn of_made(made: Made) -> Self {
        Self(Repr::Made(made))
    }

    /// The runtime that the running task is in.
    fn of_whoever_runs() -> Self {
        match made::current() {
            Some(made) => Self::of_made(made),
            None => Self(Repr::Node(sim_runtime::with(|world| world.current_node()))),
        }
    }

    /// [`spawn`](Self::spawn) inside a simulation.
    ///
    /// # Panics
    /// When it is a real runtime's.
    #[track_caller]
    pub(crate) fn spawn_in_simulation<F>(&self, future: F) -> sim_runtime::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match &self.0 {
            Repr::Node(node) => spawn_on_node(*node, future),
            Repr::Made(made) => made.spawn(future),
            Repr::Real(_) => panic!("a simulation cannot spawn on a real runtime"),
        }
    }

    /// [`spawn_blocking`](Self::spawn_blocking) inside a simulation.
    ///
    /// # Panics
    /// When it is a real runtime's.
    #[track_caller]
    pub(crate) fn block_in_simulation<F, R>(&self, f: F) -> sim_runtime::JoinHandle<R>
    where
        F: FnOnce() -> R + 'static,
        R: 'static,
    {
        match &self.0 {
            Repr::Node(node) => spawn_blocking_on_node(*node, f),
            Repr::Made(made) => made.spawn_blocking(f),
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
            Repr::Node(_) | Repr::Made(_) => {
                panic!("a real runtime cannot spawn in a simulation")
            }
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
            Self::of_whoever_runs()
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
            return Ok(Self::of_whoever_runs());
        }
        tokio_real::runtime::Handle::try_current().map(Self::from_real)
    }

    /// Makes the runtime this thread's. Inside a simulation the node is the running task's
    /// already, and stays that.
    pub fn enter(&self) -> EnterGuard<'_> {
        let (inside, real) = match &self.0 {
            Repr::Node(_) => (Some(Inside::enter(None)), None),
            Repr::Made(made) => (Some(Inside::enter(Some(made.number))), None),
            Repr::Real(handle) => (None, Some(handle.enter())),
        };
        EnterGuard {
            _inside: inside,
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
            Repr::Real(handle) => handle.spawn(future).into(),
            Repr::Node(_) | Repr::Made(_) => self.spawn_in_simulation(future).into(),
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
            Repr::Real(handle) => handle.spawn_blocking(f).into(),
            Repr::Node(_) | Repr::Made(_) => self.block_in_simulation(f).into(),
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
            Repr::Node(_) => blocking::block_on(future),
            Repr::Made(made) => made.block_on(false, future),
            Repr::Real(handle) => handle.block_on(future),
        }
    }

    /// Whether there are several threads: a simulated node has one, a runtime that was built there
    /// what it was built with.
    #[must_use]
    pub fn runtime_flavor(&self) -> RuntimeFlavor {
        match &self.0 {
            Repr::Made(made) if made.is_multi_thread => RuntimeFlavor::MultiThread,
            Repr::Node(_) | Repr::Made(_) => RuntimeFlavor::CurrentThread,
            Repr::Real(handle) => handle.runtime_flavor(),
        }
    }

    /// The runtime's number.
    #[must_use]
    pub fn id(&self) -> Id {
        match &self.0 {
            Repr::Node(node) => Id::of_node(*node),
            Repr::Made(made) => Id::of_set(made.number),
            Repr::Real(handle) => Id::of_real(handle.id()),
        }
    }

    /// The runtime's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Repr::Node(_) => None,
            Repr::Made(made) => made.name.as_deref(),
            Repr::Real(handle) => handle.name(),
        }
    }

    /// Numbers of the runtime.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        match &self.0 {
            Repr::Node(node) => RuntimeMetrics::of_node(*node),
            Repr::Made(made) => RuntimeMetrics::of_made(made.clone()),
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
    _inside: Option<Inside>,
    _real: Option<tokio_real::runtime::EnterGuard<'a>>,
    /// A guard belongs to its thread.
    _not_send: PhantomData<MutexGuard<'static, ()>>,
}
