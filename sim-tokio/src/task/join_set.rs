//! A set of tasks that are joined in the order in which they finish.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use sim_runtime::in_simulation;

use super::{AbortHandle, Id, JoinError, LocalSet, local};
use crate::runtime::Handle;

/// A set of tasks; as `tokio::task::JoinSet`. Dropping it aborts every task in it.
pub struct JoinSet<T>(Repr<T>);

enum Repr<T> {
    Sim(SimSet<T>),
    Real(tokio_real::task::JoinSet<T>),
}

/// Tasks of a simulation, by order of joining the set.
struct SimSet<T> {
    added: u64,
    tasks: BTreeMap<u64, Entry<T>>,
    finished: Arc<Finished>,
}

struct Entry<T> {
    handle: sim_runtime::JoinHandle<T>,
    waker: Waker,
}

/// Which tasks have woken the set, and who waits for that.
#[derive(Default)]
struct Finished(Mutex<FinishedState>);

#[derive(Default)]
struct FinishedState {
    woken: VecDeque<u64>,
    waiter: Option<Waker>,
}

impl Finished {
    fn lock(&self) -> MutexGuard<'_, FinishedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a task of the set wakes when it is done.
struct EntryWaker {
    number: u64,
    finished: Arc<Finished>,
}

impl Wake for EntryWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut finished = self.finished.lock();
        finished.woken.push_back(self.number);
        let waiter = finished.waiter.take();
        drop(finished);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

impl<T> SimSet<T> {
    fn new() -> Self {
        Self {
            added: 0,
            tasks: BTreeMap::new(),
            finished: Arc::default(),
        }
    }

    fn add(&mut self, mut handle: sim_runtime::JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let number = self.added;
        self.added += 1;
        let waker = Waker::from(Arc::new(EntryWaker {
            number,
            finished: Arc::clone(&self.finished),
        }));
        let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
        assert!(
            polled.is_pending(),
            "a task does not run before its spawner yields"
        );
        self.tasks.insert(number, Entry { handle, waker });
        abort.into()
    }

    /// The next task that is done, if any is.
    fn try_join(&mut self) -> Option<Result<(Id, T), JoinError>> {
        loop {
            let number = self.finished.lock().woken.pop_front()?;
            // A task may wake the set after it was joined or detached.
            let Some(entry) = self.tasks.get_mut(&number) else {
                continue;
            };
            let mut cx = Context::from_waker(&entry.waker);
            let Poll::Ready(result) = Pin::new(&mut entry.handle).poll(&mut cx) else {
                continue;
            };
            let id = entry.handle.id();
            self.tasks.remove(&number);
            return Some(
                result
                    .map(|output| (id.into(), output))
                    .map_err(JoinError::from_sim),
            );
        }
    }

    fn poll_join(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if self.tasks.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(result) = self.try_join() {
            return Poll::Ready(Some(result));
        }
        let old = self.finished.lock().waiter.replace(cx.waker().clone());
        drop(old);
        Poll::Pending
    }

    fn abort_all(&self) {
        self.tasks.values().for_each(|entry| entry.handle.abort());
    }
}

impl<T> Drop for SimSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        if in_simulation() {
            Self(Repr::Sim(SimSet::new()))
        } else {
            Self(Repr::Real(tokio_real::task::JoinSet::new()))
        }
    }

    /// How many tasks are in it, done or not.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Sim(set) => set.tasks.len(),
            Repr::Real(set) => set.len(),
        }
    }

    /// Whether no task is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task into the set.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        match &mut self.0 {
            Repr::Sim(set) => set.add(super::spawn_here(task)),
            Repr::Real(set) => set.spawn(task).into(),
        }
    }

    /// Spawns a task into the set, on the runtime of `handle`.
    ///
    /// # Panics
    /// When one of set and handle is simulated and the other is not.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        match &mut self.0 {
            Repr::Sim(set) => set.add(handle.spawn_in_simulation(task)),
            Repr::Real(set) => set.spawn_on(task, handle.real()).into(),
        }
    }

    /// Spawns a task that need not be `Send` into the set.
    ///
    /// # Panics
    /// Outside a `LocalSet`.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        match &mut self.0 {
            Repr::Sim(set) => set.add(local::spawn_here(task)),
            Repr::Real(set) => set.spawn_local(task).into(),
        }
    }

    /// Spawns a task into the set, on `local`.
    ///
    /// # Panics
    /// When one of the two sets is simulated and the other is not.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, task: F, local: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        match &mut self.0 {
            Repr::Sim(set) => set.add(local.sim().spawn(task)),
            Repr::Real(set) => set.spawn_local_on(task, local.real()).into(),
        }
    }

    /// Runs a blocking closure as [`spawn_blocking`](super::spawn_blocking) does.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        match &mut self.0 {
            Repr::Sim(set) => set.add(super::spawn_blocking_here(f)),
            Repr::Real(set) => set.spawn_blocking(f).into(),
        }
    }

    /// Runs a blocking closure on the runtime of `handle`.
    ///
    /// # Panics
    /// When one of set and handle is simulated and the other is not.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        match &mut self.0 {
            Repr::Sim(set) => set.add(handle.block_in_simulation(f)),
            Repr::Real(set) => set.spawn_blocking_on(f, handle.real()).into(),
        }
    }

    /// Waits for the next task to finish; `None` when the set is empty. Cancellation-safe.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`JoinSet::join_next`], with the task's number.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// The next task that is done, without waiting.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id()
            .map(|result| result.map(|(_, output)| output))
    }

    /// As [`JoinSet::try_join_next`], with the task's number.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        match &mut self.0 {
            Repr::Sim(set) => set.try_join(),
            Repr::Real(set) => set.try_join_next_with_id().map(from_real),
        }
    }

    /// Polls for the next task to finish.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx)
            .map(|next| next.map(|result| result.map(|(_, output)| output)))
    }

    /// As [`JoinSet::poll_join_next`], with the task's number.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        match &mut self.0 {
            Repr::Sim(set) => set.poll_join(cx),
            Repr::Real(set) => set
                .poll_join_next_with_id(cx)
                .map(|next| next.map(from_real)),
        }
    }

    /// Aborts every task and waits for the end of each. Panics of tasks are ignored.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for every task; outputs in the order of finishing.
    ///
    /// # Panics
    /// When a task panicked (with its payload) or was cancelled. The others are aborted then.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next().await {
            match result {
                Ok(output) => outputs.push(output),
                Err(error) => match error.try_into_panic() {
                    Ok(payload) => std::panic::resume_unwind(payload),
                    Err(cancelled) => panic!("{cancelled}"),
                },
            }
        }
        outputs
    }

    /// Aborts every task; each is still to be joined.
    pub fn abort_all(&mut self) {
        match &mut self.0 {
            Repr::Sim(set) => set.abort_all(),
            Repr::Real(set) => set.abort_all(),
        }
    }

    /// Lets every task go on by itself.
    pub fn detach_all(&mut self) {
        match &mut self.0 {
            Repr::Sim(set) => set.tasks.clear(),
            Repr::Real(set) => set.detach_all(),
        }
    }
}

fn from_real<T>(
    result: Result<(tokio_real::task::Id, T), tokio_real::task::JoinError>,
) -> Result<(Id, T), JoinError> {
    result
        .map(|(id, output)| (id.into(), output))
        .map_err(JoinError::from_real)
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

/// Spawns every future, in order.
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

/// Spawns every future, in order.
impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        futures
            .into_iter()
            .for_each(|future| drop(self.spawn(future)));
    }
}
