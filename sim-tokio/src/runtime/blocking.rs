//! Blocking on a future, where that is allowed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use sim_runtime::task::TaskId;

use crate::state::{self, State};

/// What `block_on` says where it is not possible: tokio's words.
const NESTED: &str = "Cannot start a runtime from within a runtime. This happens \
    because a function (like `block_on`) attempted to block the current thread while the thread \
    is being used to drive asynchronous tasks.";

/// A task's place in a set, taken back when this is dropped.
pub(crate) struct Mark {
    task: Option<TaskId>,
    set: fn(&State) -> &Tasks,
}

type Tasks = RefCell<BTreeSet<TaskId>>;

impl Mark {
    fn running(set: fn(&State) -> &Tasks) -> Self {
        let task = state::with(|world, state| {
            let task = world.current_task()?;
            set(state).borrow_mut().insert(task).then_some(task)
        });
        Self { task, set }
    }

    /// The running task may block until this is dropped.
    pub(crate) fn may_block() -> Self {
        Self::running(|state| &state.blocking)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            state::try_with(|_, state| (self.set)(state).borrow_mut().remove(&task));
        }
    }
}

/// Whether whoever runs is on a stack that may block, and does not poll a future on it.
pub(super) fn may_block() -> bool {
    state::with(|world, state| {
        let Some(task) = world.current_task() else {
            return false;
        };
        let polls = state.polling.borrow().contains(&task);
        !polls && (sim_runtime::fiber::is_here() || state.blocking.borrow().contains(&task))
    })
}

/// Wakes a stack that waits.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_one();
    }
}

impl Bell {
    fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let rung = self.heard.wait_while(rung, |rung| !*rung);
        *rung.unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// Runs a future to its end on this stack; other tasks run meanwhile.
///
/// # Panics
/// On a stack that runs futures: outside `spawn_blocking` and `block_in_place`.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    assert!(may_block(), "{NESTED}");
    let _polls = Mark::running(|state| &state.polling);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        bell.wait();
    }
}
