//! Waiting for a task, and aborting it.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Id, JoinError, coop};

/// Owned permission to wait for a task; dropping it detaches the task.
pub struct JoinHandle<T>(Repr<T>);

enum Repr<T> {
    Sim(sim_runtime::JoinHandle<T>),
    Real(tokio_real::task::JoinHandle<T>),
}

impl<T> From<sim_runtime::JoinHandle<T>> for JoinHandle<T> {
    fn from(handle: sim_runtime::JoinHandle<T>) -> Self {
        Self(Repr::Sim(handle))
    }
}

impl<T> From<tokio_real::task::JoinHandle<T>> for JoinHandle<T> {
    fn from(handle: tokio_real::task::JoinHandle<T>) -> Self {
        Self(Repr::Real(handle))
    }
}

impl<T> JoinHandle<T> {
    /// Cancels the task at its next yield; harmless when it is done.
    pub fn abort(&self) {
        match &self.0 {
            Repr::Sim(handle) => handle.abort(),
            Repr::Real(handle) => handle.abort(),
        }
    }

    /// Whether the task is done or was dropped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Repr::Sim(handle) => handle.is_finished(),
            Repr::Real(handle) => handle.is_finished(),
        }
    }

    /// A handle that can abort the task and nothing else.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        match &self.0 {
            Repr::Sim(handle) => handle.abort_handle().into(),
            Repr::Real(handle) => handle.abort_handle().into(),
        }
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> Id {
        match &self.0 {
            Repr::Sim(handle) => handle.id().into(),
            Repr::Real(handle) => handle.id().into(),
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Repr::Sim(handle) => {
                let polled = coop::spend(cx, |cx| Pin::new(handle).poll(cx));
                polled.map_err(JoinError::from_sim)
            }
            Repr::Real(handle) => Pin::new(handle).poll(cx).map_err(JoinError::from_real),
        }
    }
}

impl<T> Unpin for JoinHandle<T> {}
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .finish()
    }
}

/// Permission to abort a task.
#[derive(Clone)]
pub struct AbortHandle(AbortRepr);

#[derive(Clone)]
enum AbortRepr {
    Sim(sim_runtime::AbortHandle),
    Real(tokio_real::task::AbortHandle),
}

impl From<sim_runtime::AbortHandle> for AbortHandle {
    fn from(handle: sim_runtime::AbortHandle) -> Self {
        Self(AbortRepr::Sim(handle))
    }
}

impl From<tokio_real::task::AbortHandle> for AbortHandle {
    fn from(handle: tokio_real::task::AbortHandle) -> Self {
        Self(AbortRepr::Real(handle))
    }
}

impl AbortHandle {
    /// Cancels the task at its next yield; harmless when it is done.
    pub fn abort(&self) {
        match &self.0 {
            AbortRepr::Sim(handle) => handle.abort(),
            AbortRepr::Real(handle) => handle.abort(),
        }
    }

    /// Whether the task is done or was dropped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            AbortRepr::Sim(handle) => handle.is_finished(),
            AbortRepr::Real(handle) => handle.is_finished(),
        }
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> Id {
        match &self.0 {
            AbortRepr::Sim(handle) => handle.id().into(),
            AbortRepr::Real(handle) => handle.id().into(),
        }
    }
}

impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id())
            .finish()
    }
}
