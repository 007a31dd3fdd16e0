//! Sets of tasks that need not be `Send`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use sim_runtime::in_simulation;

use super::JoinHandle;
use super::set::{Driver, Entered, Set};
use crate::runtime::{Id, Runtime};

/// Tasks of one thread; as `tokio::task::LocalSet`. They run while the set, or a future given to
/// it, is awaited; dropping the set drops them.
pub struct LocalSet(Repr);

enum Repr {
    Sim(SimLocal),
    Real(tokio_real::task::LocalSet),
}

/// A set inside a simulation.
pub(crate) struct SimLocal(Rc<Set>);

impl SimLocal {
    /// Spawns a task into the set.
    #[track_caller]
    pub(crate) fn spawn<F>(&self, future: F) -> sim_runtime::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.0.spawn(None, future)
    }
}

impl Drop for SimLocal {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Spawns a task that need not be `Send` into the set that the caller runs in.
///
/// # Panics
/// Outside a `LocalSet`.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    if in_simulation() {
        spawn_here(future).into()
    } else {
        tokio_real::task::spawn_local(future).into()
    }
}

/// [`spawn_local`] inside a simulation.
#[track_caller]
pub(crate) fn spawn_here<F>(future: F) -> sim_runtime::JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let Some(set) = Entered::current() else {
        panic!(
            "`spawn_local` called from outside of a `task::LocalSet` or `runtime::LocalRuntime`"
        );
    };
    set.spawn(None, future)
}

/// [`spawn_local`] is into the set that was entered until this is dropped; as
/// `tokio::task::LocalEnterGuard`.
pub struct LocalEnterGuard {
    _entered: GuardRepr,
}

enum GuardRepr {
    Sim {
        _entered: Entered,
    },
    Real {
        _guard: tokio_real::task::LocalEnterGuard,
    },
}

impl fmt::Debug for LocalEnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEnterGuard").finish()
    }
}

pin_project! {
    /// A future that drives a set while it is alive.
    struct RunUntil<'a, F> {
        #[pin]
        future: F,
        set: &'a Rc<Set>,
        driver: Option<Driver>,
    }
}

impl<F: Future> Future for RunUntil<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.driver.get_or_insert_with(|| Driver::new(this.set));
        let _entered = Entered::enter(this.set);
        let polled = this.future.poll(cx);
        if polled.is_ready() {
            *this.driver = None;
        }
        polled
    }
}

impl LocalSet {
    /// A set without tasks.
    #[must_use]
    pub fn new() -> Self {
        if in_simulation() {
            Self(Repr::Sim(SimLocal(Set::new(true))))
        } else {
            Self(Repr::Real(tokio_real::task::LocalSet::new()))
        }
    }

    /// Makes [`spawn_local`] spawn into this set.
    #[must_use]
    pub fn enter(&self) -> LocalEnterGuard {
        let entered = match &self.0 {
            Repr::Sim(local) => GuardRepr::Sim {
                _entered: Entered::enter(&local.0),
            },
            Repr::Real(local) => GuardRepr::Real {
                _guard: local.enter(),
            },
        };
        LocalEnterGuard { _entered: entered }
    }

    /// Spawns a task into the set. It runs when the set is awaited.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match &self.0 {
            Repr::Sim(local) => local.spawn(future).into(),
            Repr::Real(local) => local.spawn_local(future).into(),
        }
    }

    /// The set of the real tokio.
    ///
    /// # Panics
    /// When it is a simulation's.
    #[track_caller]
    pub(crate) fn real(&self) -> &tokio_real::task::LocalSet {
        match &self.0 {
            Repr::Real(local) => local,
            Repr::Sim(_) => panic!("a real runtime cannot spawn in a simulation"),
        }
    }

    /// The set of the simulation.
    ///
    /// # Panics
    /// When it is a real one.
    #[track_caller]
    pub(crate) fn sim(&self) -> &SimLocal {
        match &self.0 {
            Repr::Sim(local) => local,
            Repr::Real(_) => panic!("a simulation cannot spawn on a real runtime"),
        }
    }

    /// The set's number.
    #[must_use]
    pub fn id(&self) -> Id {
        match &self.0 {
            Repr::Sim(local) => Id::of_set(local.0.number()),
            Repr::Real(local) => Id::of_real(local.id()),
        }
    }

    /// Runs a future to its end on this thread, and the set's tasks meanwhile.
    ///
    /// # Panics
    /// As [`Runtime::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, runtime: &Runtime, future: F) -> F::Output {
        runtime.block_on(self.run_until(future))
    }

    /// Runs a future to its end, and the set's tasks meanwhile.
    pub async fn run_until<F: Future>(&self, future: F) -> F::Output {
        match &self.0 {
            Repr::Sim(local) => {
                let run_until = RunUntil {
                    future,
                    set: &local.0,
                    driver: None,
                };
                run_until.await
            }
            Repr::Real(local) => local.run_until(future).await,
        }
    }
}

/// Completes when every task is done. Inside a simulation the tasks go on where the set is
/// dropped from a `select!` and kept, while tokio's would stand until it is polled again.
impl Future for LocalSet {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Repr::Sim(local) => local.0.poll_all(cx),
            Repr::Real(local) => Pin::new(local).poll(cx),
        }
    }
}

impl Default for LocalSet {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSet").finish_non_exhaustive()
    }
}
