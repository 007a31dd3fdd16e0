//! Runtimes that guests make inside a simulation: each has the tasks that were spawned in it, and
//! takes them with it.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use sim_runtime::task::TaskId;
use sim_runtime::{Boot, NodeId};

use super::blocking;
use crate::state;
use crate::task::set::{Driver, Set};
use crate::task::{spawn_blocking_on_node, spawn_on_node};

/// What tokio says to who drops a runtime where futures are polled.
const DROPPED: &str = "Cannot drop a runtime in a context where blocking is not allowed. This \
    happens when a runtime is dropped from within an asynchronous context.";

/// A runtime, as its owner and its handles name it.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) number: u64,
    pub(crate) node: NodeId,
    pub(crate) name: Option<Arc<str>>,
    /// Its tasks run whether somebody blocks on it or not.
    pub(crate) is_multi_thread: bool,
}

/// A runtime, as the simulation has it.
pub(crate) struct Kept {
    made: Made,
    boot: Boot,
    set: Rc<Set>,
    blocking: Rc<Blocking>,
}

/// Closures of `spawn_blocking`.
#[derive(Default)]
struct Blocking {
    /// With some that are done.
    tasks: RefCell<Vec<sim_runtime::AbortHandle>>,
    /// How many have begun and are not done.
    running: Cell<usize>,
    /// Who waits for them.
    waiter: Cell<Option<Waker>>,
}

/// Whether there has ever been one in this process: `spawn` looks no further where not.
static ANY: AtomicBool = AtomicBool::new(false);

fn is_any() -> bool {
    ANY.load(Ordering::Relaxed)
}

impl Made {
    /// A runtime of the running node.
    pub(crate) fn new(name: Option<Arc<str>>, is_multi_thread: bool) -> Self {
        ANY.store(true, Ordering::Relaxed);
        let set = Set::new(false);
        if is_multi_thread {
            set.open();
        }
        state::with(|world, state| {
            let made = Self {
                number: set.number(),
                node: world.current_node(),
                name,
                is_multi_thread,
            };
            let kept = Kept {
                made: made.clone(),
                boot: world.current_boot(),
                set,
                blocking: Rc::default(),
            };
            let mut runtimes = state.runtimes.borrow_mut();
            // A process that was killed has dropped nothing.
            runtimes.retain(|_, kept| world.is_alive(kept.made.node, kept.boot));
            runtimes.insert(made.number, kept);
            made
        })
    }

    fn look<R>(&self, look: impl FnOnce(&Kept) -> R) -> Option<R> {
        let looked = state::try_with(|_, state| {
            let runtimes = state.runtimes.borrow();
            runtimes.get(&self.number).map(look)
        });
        looked.flatten()
    }

    /// Spawns a task, which is cancelled where the runtime is no more.
    #[track_caller]
    pub(crate) fn spawn<F>(&self, future: F) -> sim_runtime::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match self.look(|kept| Rc::clone(&kept.set)) {
            Some(set) => set.spawn(Some(self.node), future),
            None => {
                drop(future);
                self.cancelled()
            }
        }
    }

    /// Runs a blocking closure, or drops it where the runtime is no more.
    #[track_caller]
    pub(crate) fn spawn_blocking<F, R>(&self, f: F) -> sim_runtime::JoinHandle<R>
    where
        F: FnOnce() -> R + 'static,
        R: 'static,
    {
        let Some(all) = self.look(|kept| Rc::clone(&kept.blocking)) else {
            drop(f);
            return self.cancelled();
        };
        let (number, running) = (self.number, Rc::clone(&all));
        let handle = spawn_blocking_on_node(self.node, move || {
            let _inside = Inside::enter(Some(number));
            let _running = Running::begin(running);
            f()
        });
        let mut tasks = all.tasks.borrow_mut();
        if tasks.len() > 64 {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(handle.abort_handle());
        handle
    }

    /// What there is to join of a task that a runtime which is no more does not run.
    #[track_caller]
    fn cancelled<R: 'static>(&self) -> sim_runtime::JoinHandle<R> {
        let handle = spawn_on_node(self.node, pending());
        handle.abort();
        handle
    }

    /// Runs a future to its end on this stack, in the runtime. `drives`: so do its tasks, which
    /// stand without on a current-thread runtime.
    #[track_caller]
    pub(crate) fn block_on<F: Future>(&self, drives: bool, future: F) -> F::Output {
        let _inside = Inside::enter(Some(self.number));
        let set = self.look(|kept| Rc::clone(&kept.set));
        let _driver = set
            .filter(|_| drives && !self.is_multi_thread)
            .map(|set| Driver::new(&set));
        blocking::block_on(future)
    }

    /// How many of its tasks are not done.
    pub(crate) fn alive(&self) -> usize {
        self.look(|kept| kept.set.alive()).unwrap_or(0)
    }

    /// Ends the runtime with its tasks, and waits for closures that have begun: as long as they
    /// take if `patience` is `None`.
    ///
    /// # Panics
    /// Where futures are polled, unless nothing is to be waited for. Not where the task that has
    /// it is dropped because its process or the simulation is over.
    #[track_caller]
    pub(crate) fn end(&self, patience: Option<Duration>) {
        let kept = state::try_with(|_, state| state.runtimes.borrow_mut().remove(&self.number));
        let Some(kept) = kept.flatten() else {
            return;
        };
        {
            let _inside = Inside::enter(Some(self.number));
            kept.set.end();
        }
        // One that has begun goes on all the same.
        let closures = kept.blocking.tasks.take();
        closures.iter().for_each(sim_runtime::AbortHandle::abort);
        if patience == Some(Duration::ZERO) {
            return;
        }
        if blocking::may_block() {
            wait_for(&kept.blocking, patience);
            return;
        }
        let is_guests = state::with(|world, _| {
            world.current_task().is_some()
                && !world.is_ending()
                && world.is_alive(world.current_node(), world.current_boot())
        });
        assert!(!is_guests || std::thread::panicking(), "{DROPPED}");
    }
}

fn wait_for(closures: &Blocking, patience: Option<Duration>) {
    let idle = poll_fn(|cx| {
        if closures.running.get() == 0 {
            return Poll::Ready(());
        }
        drop(closures.waiter.replace(Some(cx.waker().clone())));
        Poll::Pending
    });
    match patience {
        None => blocking::block_on(idle),
        Some(limit) => {
            let _is_idle = blocking::block_on(crate::time::timeout(limit, idle)).is_ok();
        }
    }
}

/// A blocking closure that runs.
struct Running(Rc<Blocking>);

impl Running {
    fn begin(all: Rc<Blocking>) -> Self {
        all.running.set(all.running.get() + 1);
        Self(all)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let left = self.0.running.get() - 1;
        self.0.running.set(left);
        if left == 0
            && let Some(waiter) = self.0.waiter.take()
        {
            waiter.wake();
        }
    }
}

/// Goes back to the runtime from which this one was entered.
#[derive(Debug)]
pub(crate) struct Inside {
    task: Option<TaskId>,
    outer: Option<u64>,
}

impl Inside {
    /// Whoever runs is in this runtime, or in the node's own, until this is dropped.
    pub(crate) fn enter(number: Option<u64>) -> Self {
        if !is_any() {
            let (task, outer) = (None, None);
            return Self { task, outer };
        }
        state::with(|world, state| {
            let task = world.current_task();
            let outer = task.and_then(|task| set(&mut state.members.borrow_mut(), task, number));
            Self { task, outer }
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            state::try_with(|_, state| set(&mut state.members.borrow_mut(), task, self.outer));
        }
    }
}

fn set(members: &mut state::Members, task: TaskId, number: Option<u64>) -> Option<u64> {
    match number {
        Some(number) => members.insert(task, number),
        None => members.remove(&task),
    }
}

/// A task that a set has spawned is of the runtime that is the set, or of its spawner's.
pub(crate) fn adopt(task: TaskId, set: u64) {
    if !is_any() {
        return;
    }
    state::with(|world, state| {
        let mut members = state.members.borrow_mut();
        let number = match state.runtimes.borrow().contains_key(&set) {
            true => Some(set),
            false => world
                .current_task()
                .and_then(|task| members.get(&task).copied()),
        };
        if let Some(number) = number {
            members.insert(task, number);
        }
    });
}

/// A task of a set is done.
pub(crate) fn abandon(task: TaskId) {
    if is_any() {
        state::try_with(|_, state| state.members.borrow_mut().remove(&task));
    }
}

/// The runtime that whoever runs is in; `None` for that of its node.
pub(crate) fn current() -> Option<Made> {
    if !is_any() {
        return None;
    }
    state::with(|world, state| {
        let task = world.current_task()?;
        let number = *state.members.borrow().get(&task)?;
        let made = match state.runtimes.borrow().get(&number) {
            Some(kept) => kept.made.clone(),
            // It has ended: what is spawned now is cancelled.
            None => Made {
                number,
                node: world.current_node(),
                name: None,
                is_multi_thread: true,
            },
        };
        Some(made)
    })
}
