//! Tasks that somebody owns: a `LocalSet` or a runtime. They are tasks of the simulation that wait
//! at a gate, which is open while somebody drives the set, and they go with it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use sim_runtime::NodeId;
use sim_runtime::task::TaskId;

use super::spawn_on_node;
use crate::runtime::made;
use crate::state;

/// A set of tasks.
pub(crate) struct Set {
    number: u64,
    /// Whether its tasks may `spawn_local`.
    is_local: bool,
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
struct Slot<F> {
    future: RefCell<Option<Pin<Box<F>>>>,
    /// What its destructor panicked with, for who joins the task.
    panic: Cell<Option<Box<dyn Any + Send>>>,
    id: Cell<Option<TaskId>>,
}

trait DropNow {
    /// Drops the future, unless it is it that drops the set.
    fn drop_now(&self);
}

impl<F> DropNow for Slot<F> {
    fn drop_now(&self) {
        let future = self.future.try_borrow_mut();
        let future = future.ok().and_then(|mut slot| slot.take());
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
            self.panic.set(Some(payload));
        }
    }
}

/// Goes back to the set from which this one was entered, if a task of it may `spawn_local`.
pub(crate) struct Entered {
    task: Option<TaskId>,
    outer: Option<Rc<Set>>,
}

impl Entered {
    pub(crate) fn enter(set: &Rc<Set>) -> Self {
        let inner = set.is_local.then(|| Rc::clone(set));
        let entered = state::try_with(|world, state| {
            let task = world.current_task();
            let mut sets = state.local_sets.borrow_mut();
            let outer = match inner {
                Some(inner) => sets.insert(task, inner),
                None => sets.remove(&task),
            };
            Self { task, outer }
        });
        entered.unwrap_or(Self {
            task: None,
            outer: None,
        })
    }

    /// The set that whoever runs is in.
    pub(crate) fn current() -> Option<Rc<Set>> {
        state::with(|world, state| {
            let sets = state.local_sets.borrow();
            sets.get(&world.current_task()).cloned()
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let (task, outer) = (self.task, self.outer.take());
        drop(state::try_with(|_, state| {
            let mut sets = state.local_sets.borrow_mut();
            match outer {
                Some(outer) => sets.insert(task, outer),
                None => sets.remove(&task),
            }
        }));
    }
}

/// One that is not done.
struct OneAlive(Rc<Set>);

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
pub(crate) struct Driver(Rc<Set>);

impl Driver {
    pub(crate) fn new(set: &Rc<Set>) -> Self {
        set.open();
        Self(Rc::clone(set))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.drivers.set(self.0.drivers.get() - 1);
    }
}

impl Set {
    /// A set without tasks, driven by nobody. `is_local`: its tasks may `spawn_local`.
    pub(crate) fn new(is_local: bool) -> Rc<Self> {
        let number = state::with(|_, state| {
            state.sets.set(state.sets.get() + 1);
            state.sets.get()
        });
        Rc::new(Self {
            number,
            is_local,
            drivers: Cell::new(0),
            at_the_gate: RefCell::default(),
            spawned: Cell::new(0),
            tasks: RefCell::default(),
            alive: Cell::new(0),
            waiter: Cell::new(None),
        })
    }

    /// Its number, which no other set or runtime has.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// How many tasks are not done.
    pub(crate) const fn alive(&self) -> usize {
        self.alive.get()
    }

    /// Somebody drives the set from now on.
    pub(crate) fn open(&self) {
        self.drivers.set(self.drivers.get() + 1);
        let waiting = self.at_the_gate.take();
        waiting.into_values().for_each(Waker::wake);
    }

    /// Waits until no task is left. The set is driven from now on: nobody says when it is given up.
    pub(crate) fn poll_all(&self, cx: &Context<'_>) -> Poll<()> {
        if self.alive.get() == 0 {
            return Poll::Ready(());
        }
        if self.drivers.get() == 0 {
            self.open();
        }
        drop(self.waiter.replace(Some(cx.waker().clone())));
        Poll::Pending
    }

    /// Spawns a task into the set, on the running node or another; it is of the runtime that is
    /// the set, or that the caller is in.
    #[track_caller]
    pub(crate) fn spawn<F>(
        self: &Rc<Self>,
        node: Option<NodeId>,
        future: F,
    ) -> sim_runtime::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let number = self.spawned.get();
        self.spawned.set(number + 1);
        self.alive.set(self.alive.get() + 1);
        let slot = Rc::new(Slot {
            future: RefCell::new(Some(Box::pin(future))),
            panic: Cell::new(None),
            id: Cell::new(None),
        });
        let task = SetTask {
            number,
            slot: Rc::clone(&slot),
            one: OneAlive(Rc::clone(self)),
        };
        let handle = match node {
            None => sim_runtime::spawn(task),
            Some(node) => spawn_on_node(node, task),
        };
        slot.id.set(Some(handle.id()));
        made::adopt(handle.id(), self.number);
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

    /// Drops every task, the oldest first; one that a destructor spawns goes, too.
    pub(crate) fn end(self: &Rc<Self>) {
        let _entered = Entered::enter(self);
        while let Some(task) = self.next_task() {
            task.future.drop_now();
            task.abort.abort();
        }
    }

    fn next_task(&self) -> Option<Task> {
        self.tasks.borrow_mut().pop_front()
    }
}

/// A task of a set, as the simulation has it.
struct SetTask<F> {
    number: u64,
    slot: Rc<Slot<F>>,
    one: OneAlive,
}

impl<F: Future> Future for SetTask<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let set = &self.one.0;
        if set.drivers.get() == 0 {
            let waker = cx.waker().clone();
            let old = set.at_the_gate.borrow_mut().insert(self.number, waker);
            drop(old);
            return Poll::Pending;
        }
        let _entered = Entered::enter(set);
        let mut slot = self.slot.future.borrow_mut();
        match &mut *slot {
            Some(future) => future.as_mut().poll(cx),
            // The set is gone, and this task is about to be.
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for SetTask<F> {
    fn drop(&mut self) {
        {
            // In the set, as tokio's are.
            let _entered = Entered::enter(&self.one.0);
            self.slot.drop_now();
        }
        if let Some(id) = self.slot.id.take() {
            made::abandon(id);
        }
        if let Some(payload) = self.slot.panic.take()
            && !std::thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}
