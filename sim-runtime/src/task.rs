//! Tasks: spawning, joining, aborting, with tokio's rules.
//!
//! A task inherits node and boot from the task that spawned it and lives in one allocation,
//! async-task's. The executor keeps a waker of each, which is what lets it abort and drop them.

#![expect(
    unsafe_code,
    reason = "tasks that are not Send run on the one thread of their world"
)]

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll};

use async_task::{FallibleTask, Runnable};

use crate::executor;
use crate::ids::{Boot, NodeId, SimInstant};
use crate::report::Waits;
use crate::timers::TimerKey;
use crate::world::{self, World};

thread_local! {
    /// The world that `world::replace` put on this thread, which holds it until it is replaced.
    static HERE: Cell<*const World> = const { Cell::new(ptr::null()) };
    /// How many calls of [`look`] are not over: it is not replaced meanwhile.
    static LOOKS: Cell<u32> = const { Cell::new(0) };
}

/// Called by `world::replace` alone, before it does anything.
pub(crate) fn point_at(world: Option<&Rc<World>>) {
    assert!(
        LOOKS.get() == 0,
        "a simulation is entered or left by what only looks at it"
    );
    HERE.set(world.map_or(ptr::null(), Rc::as_ptr));
}

/// This thread's world for the few things done often, none of which runs code of the guest's or
/// can enter or leave a simulation: no reference is counted.
#[derive(Clone, Copy)]
pub(crate) struct Here(*const World);

/// This thread's world, if there is one. To be used at once.
#[inline]
pub(crate) fn here() -> Option<Here> {
    let world = HERE.get();
    (!world.is_null()).then_some(Here(world))
}

impl Here {
    #[inline]
    const fn world(&self) -> &World {
        // SAFETY: it is not null and was on this thread when `here` gave it. None of the methods
        // below replaces it, and who does is refused while `look` is not over: that is all that
        // happens in between.
        unsafe { &*self.0 }
    }

    #[inline]
    pub(crate) fn world_id(self) -> u64 {
        self.world().id
    }

    #[inline]
    pub(crate) fn push(self, task: Runnable<TaskMeta>) {
        self.world().executor.push(task);
    }

    #[inline]
    pub(crate) fn clock(self) -> SimInstant {
        self.world().clock()
    }

    #[inline]
    pub(crate) fn is_armed(self, timer: TimerKey) -> bool {
        self.world().timer_is_armed(timer)
    }

    #[inline]
    pub(crate) fn waiting(self, waits: Waits) {
        self.world().waiting(waits);
    }

    #[inline]
    fn turn_note_or(self, otherwise: u64) -> u64 {
        self.world().turn_note().unwrap_or(otherwise)
    }

    #[inline]
    fn note_turn(self, note: u64) {
        self.world().note_turn(note);
    }
}

/// [`World::turn_note`] of this thread's world, or `otherwise` where nothing was noted; `None`
/// outside a simulation.
#[inline]
#[must_use]
pub fn turn_note_or(otherwise: u64) -> Option<u64> {
    here().map(|here| here.turn_note_or(otherwise))
}

/// [`World::note_turn`] of this thread's world; nothing outside a simulation.
#[inline]
pub fn note_turn(note: u64) {
    if let Some(here) = here() {
        here.note_turn(note);
    }
}

/// A call of [`look`], until it is over.
struct Looking;

impl Drop for Looking {
    #[inline]
    fn drop(&mut self) {
        LOOKS.with(|looks| looks.set(looks.get() - 1));
    }
}

/// As [`try_with`](crate::try_with), and cheaper: no reference is counted.
///
/// # Panics
/// When `f` enters or leaves a simulation.
#[inline(always)]
pub fn look<R>(f: impl FnOnce(&World) -> R) -> Option<R> {
    let here = here()?;
    // In place: `LocalKey::set` is a call.
    LOOKS.with(|looks| looks.set(looks.get() + 1));
    let looking = Looking;
    // The world stays where it is: it is not replaced while somebody looks.
    let result = f(here.world());
    drop(looking);
    Some(result)
}

/// What the executor must know of a task without asking it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskMeta {
    pub(crate) world: u64,
    pub(crate) id: TaskId,
    pub(crate) slot: u32,
    pub(crate) node: NodeId,
    pub(crate) boot: Boot,
}

/// A task's number, unique in its simulation, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a task panicked with.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// Owned permission to wait for a task; dropping it lets the task go on by itself.
pub struct JoinHandle<T> {
    task: Option<FallibleTask<Outcome<T>, TaskMeta>>,
    meta: TaskMeta,
}

/// Permission to abort a task, without waiting for it.
#[derive(Clone, Debug)]
pub struct AbortHandle {
    meta: TaskMeta,
}

/// Why a task gave no output.
pub struct JoinError {
    id: TaskId,
    panic: Option<Payload>,
}

/// A panic that nobody has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnjoinedPanic {
    /// Node of the task.
    pub node: NodeId,
    /// Its name, with the place it was spawned at.
    pub task: String,
    /// What it said.
    pub message: String,
}

/// Spawns a task on the node of the running task. One allocation.
///
/// # Panics
/// Outside a simulation.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let location = Location::caller();
    world::with(|world| {
        let (node, boot) = (world.current_node(), world.current_boot());
        spawn_in(world, node, boot, None, location, future)
    })
}

/// Spawns a task on a node's current boot.
///
/// # Panics
/// Outside a simulation.
#[track_caller]
pub fn spawn_on<F>(node: NodeId, name: &str, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let location = Location::caller();
    world::with(|world| {
        let boot = world.boot_of(node);
        spawn_in(world, node, boot, Some(Rc::from(name)), location, future)
    })
}

pub(crate) fn spawn_in<F>(
    world: &Rc<World>,
    node: NodeId,
    boot: Boot,
    name: Option<Rc<str>>,
    location: &'static Location<'static>,
    future: F,
) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let meta = world.executor.reserve(world, node, boot);
    let future = TaskFuture {
        future: ManuallyDrop::new(future),
        is_done: false,
        registration: Registration(meta),
    };
    // SAFETY: the schedule function is Send and Sync and captures nothing; the future is 'static;
    // a Runnable is run and dropped by the executor of its world alone, on the thread that made
    // it: `executor::schedule` hands one that was woken elsewhere to that thread.
    let (runnable, task) = unsafe {
        async_task::Builder::new()
            .metadata(meta)
            .spawn_unchecked(move |_| future, executor::schedule)
    };
    world.executor.register(world, &runnable, name, location);
    world.event(crate::EventKind::Spawn, meta.id.0, u64::from(node.0));
    runnable.schedule();
    JoinHandle {
        task: Some(task.fallible()),
        meta,
    }
}

/// Takes the task off the executor's list when its future is gone, however it went.
struct Registration(TaskMeta);

impl Drop for Registration {
    fn drop(&mut self) {
        world::try_with(|world| world.executor.unregister(&self.0));
    }
}

/// The future of a task: the guest's, then (dropped after it) the registration.
struct TaskFuture<F> {
    future: ManuallyDrop<F>,
    /// It was ready, and is dropped.
    is_done: bool,
    registration: Registration,
}

impl<F> Drop for TaskFuture<F> {
    /// async-task aborts the process when a destructor panics; a guest's panic is a finding.
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let future = &mut self.future;
        // SAFETY: dropped once, in place, as it is not done, and not touched afterwards.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { ManuallyDrop::drop(future) }));
        if let Err(payload) = dropped {
            let meta = &self.registration.0;
            executor::note_panic(meta, message(&*payload));
            executor::keep_payload(meta, payload);
        }
    }
}

impl<F: Future> Future for TaskFuture<F> {
    type Output = Outcome<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let meta = self.registration.0;
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        let (future, is_done) = (&mut this.future, &mut this.is_done);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: `future` is structurally pinned: never moved out of, and dropped in place.
            let pinned = unsafe { Pin::new_unchecked(&mut **future) };
            let polled = pinned.poll(cx);
            if polled.is_ready() {
                *is_done = true;
                // A destructor that panics now is the task's panic, as with tokio.
                // SAFETY: dropped once, in place, as it is done from now on.
                unsafe { ManuallyDrop::drop(future) };
            }
            polled
        }));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Outcome::new(meta, Ok(output))),
            Err(payload) => {
                executor::note_panic(&meta, message(&*payload));
                Poll::Ready(Outcome::new(meta, Err(payload)))
            }
        }
    }
}

/// What a task came to, until somebody takes it.
struct Outcome<T> {
    meta: TaskMeta,
    result: Option<Result<T, Payload>>,
}

impl<T> Outcome<T> {
    const fn new(meta: TaskMeta, result: Result<T, Payload>) -> Self {
        Self {
            meta,
            result: Some(result),
        }
    }

    fn take(mut self) -> Result<T, Payload> {
        self.result.take().expect("a result is taken once")
    }
}

impl<T> Drop for Outcome<T> {
    /// As with futures: async-task aborts the process when an output's destructor panics.
    fn drop(&mut self) {
        let Some(result) = self.result.take() else {
            return;
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(result))) {
            executor::note_panic(&self.meta, message(&*payload));
            // A payload that panics when it is dropped would go on for ever.
            std::mem::forget(payload);
        }
    }
}

/// What a panic said.
#[must_use]
pub fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

impl<T> JoinHandle<T> {
    /// Asks for the task to be dropped at its next turn; harmless when it is done.
    pub fn abort(&self) {
        executor::abort(&self.meta);
    }

    /// A handle that can abort and nothing else.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { meta: self.meta }
    }

    /// Whether the task is done or dropped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(|task| task.is_finished())
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.meta.id
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.meta.id;
        let task = self
            .task
            .as_mut()
            .expect("JoinHandle polled after completion");
        let Poll::Ready(output) = Pin::new(task).poll(cx) else {
            if let Some(here) = here() {
                here.waiting(Waits::Task(id));
            }
            return Poll::Pending;
        };
        if let Some(task) = self.task.take() {
            task.detach(); // It is done: there is nothing to cancel.
        }
        Poll::Ready(match output.map(Outcome::take) {
            Some(Ok(output)) => Ok(output),
            Some(Err(payload)) => {
                executor::panic_was_joined(&self.meta);
                Err(JoinError {
                    id,
                    panic: Some(payload),
                })
            }
            // A destructor may have panicked as the task was dropped.
            None => {
                let panic = executor::take_payload(&self.meta);
                if panic.is_some() {
                    executor::panic_was_joined(&self.meta);
                }
                Err(JoinError { id, panic })
            }
        })
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.detach();
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.meta.id)
            .finish()
    }
}

impl AbortHandle {
    /// Asks for the task to be dropped at its next turn; harmless when it is done.
    pub fn abort(&self) {
        executor::abort(&self.meta);
    }

    /// Whether the task is done or dropped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        executor::is_finished(&self.meta)
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.meta.id
    }
}

impl JoinError {
    /// The task was aborted, or its node went down.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.panic.is_none()
    }

    /// The task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// The panic's payload, or itself when there was no panic.
    ///
    /// # Errors
    /// The task was cancelled.
    pub fn try_into_panic(self) -> Result<Payload, Self> {
        match self.panic {
            Some(payload) => Ok(payload),
            None => Err(self),
        }
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.panic {
            None => write!(f, "task {} was cancelled", self.id),
            Some(payload) => {
                write!(
                    f,
                    "task {} panicked with message {:?}",
                    self.id,
                    message(&**payload)
                )
            }
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.panic {
            None => write!(f, "JoinError::Cancelled({:?})", self.id),
            Some(payload) => write!(
                f,
                "JoinError::Panic({:?}, {:?})",
                self.id,
                message(&**payload)
            ),
        }
    }
}

impl std::error::Error for JoinError {}

// `Box<dyn Any + Send>` is not Sync; nothing of it is reachable through a shared reference but
// the message that Display reads.
// SAFETY: the payload is only read as `&str` or `String`, both Sync, through `&JoinError`.
unsafe impl Sync for JoinError {}

#[expect(dead_code, reason = "a compile-time check")]
fn handles_are_send(task: Runnable<TaskMeta>, handle: JoinHandle<u8>, error: JoinError) {
    fn send_sync<T: Send + Sync>(_: T) {}
    send_sync(task);
    send_sync(handle);
    send_sync(error);
}
