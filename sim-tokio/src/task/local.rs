//! Sets of tasks that need not be `Send`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use sim_runtime::in_simulation;

use super::JoinHandle;
use crate::runtime::{Id, Runtime};
use crate::state;

/// Tasks of one thread; as `tokio::task::LocalSet`. They run while the set, or a future given to
/// it, is awaited; dropping the set drops them.
pub struct LocalSet(Repr);

enum Repr {
    Sim(SimLocal),
    Real(tokio_real::task::LocalSet),
}

/// A set inside a simulation. Its tasks are tasks of the simulation that wait at a gate, which is
/// open while somebody drives the set.
pub(crate) struct SimLocal(Rc<Shared>);

struct Shared {
    number: u64,
    /// How many futures drive the set.
    drivers: Cell<usize>,
    /// Tasks whose turn came while nobody did, by number.
    at_the_gate: RefCell<BTreeMap<u64, Waker>>,
    spawned: Cell<u64>,
    /// In the order of spawning, with some that are done.
    tasks: RefCell<VecDeque<Task>>,
    alive: Cell<usize>,
    /// Who waits for all of them.
    waiter: Cell<Option<Waker>>,
}

struct Task {
    abort: sim_runtime::AbortHandle,
    future: Rc<dyn DropNow>,
}

/// A task's future, which goes with the set.
struct Slot<F>(RefCell<Option<Pin<Box<F>>>>);

trait DropNow {
    /// Drops the future, unless it is it that drops the set.
    fn drop_now(&self);
}

impl<F> DropNow for Slot<F> {
    fn drop_now(&self) {
        let future = self
            .0
            .try_borrow_mut()
            .ok()
            .and_then(|mut slot| slot.take());
        drop(future);
    }
}

thread_local! {
    /// The set that whoever runs is in.
    static CURRENT: RefCell<Option<Rc<Shared>>> = const { RefCell::new(None) };
}

/// Goes back to the set from which this one was entered.
struct Entered(Option<Rc<Shared>>);

impl Entered {
    fn enter(shared: &Rc<Shared>) -> Self {
        Self(CURRENT.replace(Some(Rc::clone(shared))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        drop(CURRENT.replace(self.0.take()));
    }
}

/// One that is not done.
struct OneAlive(Rc<Shared>);

impl Drop for OneAlive {
    fn drop(&mut self) {
        let left = self.0.alive.get() - 1;
        self.0.alive.set(left);
        if left == 0
            && let Some(waiter) = self.0.waiter.take()
        {
            waiter.wake();
        }
    }
}

/// Somebody who drives the set.
struct Driver(Rc<Shared>);

impl Driver {
    fn new(shared: &Rc<Shared>) -> Self {
        shared.open();
        Self(Rc::clone(shared))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.drivers.set(self.0.drivers.get() - 1);
    }
}

impl Shared {
    /// Somebody drives the set from now on.
    fn open(&self) {
        self.drivers.set(self.drivers.get() + 1);
        let waiting = self.at_the_gate.take();
        waiting.into_values().for_each(Waker::wake);
    }

    fn spawn<F>(self: &Rc<Self>, future: F) -> sim_runtime::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let number = self.spawned.get();
        self.spawned.set(number + 1);
        self.alive.set(self.alive.get() + 1);
        let slot = Rc::new(Slot(RefCell::new(Some(Box::pin(future)))));
        let handle = sim_runtime::spawn(LocalTask {
            number,
            slot: Rc::clone(&slot),
            one: OneAlive(Rc::clone(self)),
        });
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() > 2 * self.alive.get() + 16 {
            tasks.retain(|task| !task.abort.is_finished());
        }
        tasks.push_back(Task {
            abort: handle.abort_handle(),
            future: slot,
        });
        handle
    }
}

/// A task of a set, as the simulation has it.
struct LocalTask<F> {
    number: u64,
    slot: Rc<Slot<F>>,
    one: OneAlive,
}

impl<F: Future> Future for LocalTask<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = &self.one.0;
        if shared.drivers.get() == 0 {
            let waker = cx.waker().clone();
            let old = shared.at_the_gate.borrow_mut().insert(self.number, waker);
            drop(old);
            return Poll::Pending;
        }
        let _entered = Entered::enter(shared);
        let mut slot = self.slot.0.borrow_mut();
        match &mut *slot {
            Some(future) => future.as_mut().poll(cx),
            // The set is gone, and this task is about to be.
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for LocalTask<F> {
    fn drop(&mut self) {
        // In the set, as tokio's are.
        let _entered = Entered::enter(&self.one.0);
        self.slot.drop_now();
    }
}

impl SimLocal {
    fn new() -> Self {
        let number = state::with(|_, state| {
            state.sets.set(state.sets.get() + 1);
            state.sets.get()
        });
        Self(Rc::new(Shared {
            number,
            drivers: Cell::new(0),
            at_the_gate: RefCell::default(),
            spawned: Cell::new(0),
            tasks: RefCell::default(),
            alive: Cell::new(0),
            waiter: Cell::new(None),
        }))
    }

    /// Spawns a task into the set.
    pub(crate) fn spawn<F>(&self, future: F) -> sim_runtime::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.0.spawn(future)
    }
}

impl Drop for SimLocal {
    fn drop(&mut self) {
        let _entered = Entered::enter(&self.0);
        // A destructor may spawn another one, which goes, too.
        while let Some(task) = self.next_task() {
            task.future.drop_now();
            task.abort.abort();
        }
    }
}

impl SimLocal {
    fn next_task(&self) -> Option<Task> {
        self.0.tasks.borrow_mut().pop_front()
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
    let Some(shared) = CURRENT.with_borrow(Clone::clone) else {
        panic!(
            "`spawn_local` called from outside of a `task::LocalSet` or `runtime::LocalRuntime`"
        );
    };
    shared.spawn(future)
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
        shared: &'a Rc<Shared>,
        driver: Option<Driver>,
    }
}

impl<F: Future> Future for RunUntil<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.driver.get_or_insert_with(|| Driver::new(this.shared));
        let _entered = Entered::enter(this.shared);
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
            Self(Repr::Sim(SimLocal::new()))
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
            Repr::Sim(local) => Id::of_set(local.0.number),
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
                    shared: &local.0,
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
        let shared = match &mut self.0 {
            Repr::Sim(local) => &local.0,
            Repr::Real(local) => return Pin::new(local).poll(cx),
        };
        if shared.alive.get() == 0 {
            return Poll::Ready(());
        }
        if shared.drivers.get() == 0 {
            // Driven from now on: nobody says when it is given up.
            shared.open();
        }
        drop(shared.waiter.replace(Some(cx.waker().clone())));
        Poll::Pending
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
