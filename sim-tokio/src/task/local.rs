//! Sets of tasks that need not be `Send`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use sim_runtime::in_simulation;
use tokio_real::task::LocalEnterGuard;

use super::JoinHandle;
use crate::runtime::Runtime;

/// Tasks of one thread; as `tokio::task::LocalSet`. Awaiting it waits for all of them, dropping
/// it drops them.
///
/// Inside a simulation every task is local, so its tasks run also while it is not awaited.
pub struct LocalSet(Repr);

enum Repr {
    Sim(SimLocal),
    Real(tokio_real::task::LocalSet),
}

#[derive(Default)]
struct SimLocal {
    tasks: RefCell<Vec<sim_runtime::AbortHandle>>,
    alive: Rc<Alive>,
}

/// How many tasks of a set are not done, and who waits for that to be none.
#[derive(Default)]
struct Alive {
    count: Cell<usize>,
    waiter: Cell<Option<Waker>>,
}

/// One that is not done.
struct OneAlive(Rc<Alive>);

impl OneAlive {
    fn new(alive: &Rc<Alive>) -> Self {
        alive.count.set(alive.count.get() + 1);
        Self(Rc::clone(alive))
    }
}

impl Drop for OneAlive {
    fn drop(&mut self) {
        let left = self.0.count.get() - 1;
        self.0.count.set(left);
        if left == 0
            && let Some(waiter) = self.0.waiter.take()
        {
            waiter.wake();
        }
    }
}

impl SimLocal {
    fn spawn<F>(&self, future: F) -> sim_runtime::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let one = OneAlive::new(&self.alive);
        let handle = sim_runtime::spawn(async move {
            let _one = one;
            future.await
        });
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() > 2 * self.alive.count.get() + 16 {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(handle.abort_handle());
        handle
    }
}

impl Drop for SimLocal {
    fn drop(&mut self) {
        self.tasks
            .get_mut()
            .iter()
            .for_each(sim_runtime::AbortHandle::abort);
    }
}

impl LocalSet {
    /// A set without tasks.
    #[must_use]
    pub fn new() -> Self {
        if in_simulation() {
            Self(Repr::Sim(SimLocal::default()))
        } else {
            Self(Repr::Real(tokio_real::task::LocalSet::new()))
        }
    }

    /// Makes [`spawn_local`](super::spawn_local) spawn into this set. Inside a simulation that
    /// needs none; the guard is then one of an empty set.
    #[must_use]
    pub fn enter(&self) -> LocalEnterGuard {
        match &self.0 {
            Repr::Sim(_) => tokio_real::task::LocalSet::new().enter(),
            Repr::Real(local) => local.enter(),
        }
    }

    /// Spawns a task into the set.
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

    /// Runs a future to its end on this thread, and the set's tasks meanwhile.
    ///
    /// # Panics
    /// Inside a simulation, and inside a runtime.
    #[track_caller]
    pub fn block_on<F: Future>(&self, runtime: &Runtime, future: F) -> F::Output {
        match &self.0 {
            Repr::Sim(_) => runtime.block_on(future),
            Repr::Real(local) => runtime.block_on(local.run_until(future)),
        }
    }

    /// Runs a future to its end, and the set's tasks meanwhile.
    pub async fn run_until<F: Future>(&self, future: F) -> F::Output {
        match &self.0 {
            Repr::Sim(_) => future.await,
            Repr::Real(local) => local.run_until(future).await,
        }
    }
}

impl Future for LocalSet {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Repr::Sim(local) if local.alive.count.get() == 0 => Poll::Ready(()),
            Repr::Sim(local) => {
                drop(local.alive.waiter.replace(Some(cx.waker().clone())));
                Poll::Pending
            }
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
