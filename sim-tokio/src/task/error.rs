//! Why a task gave no output.

use std::any::Any;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Mutex;

use super::Id;

type Payload = Box<dyn Any + Send + 'static>;

/// A task was cancelled or panicked; as `tokio::task::JoinError`, word for word.
pub struct JoinError {
    id: Id,
    repr: Repr,
    /// Not unwind-safe, as what a task panicked with may be anything.
    _payload: PhantomData<Box<dyn Any + Send + Sync>>,
}

enum Repr {
    Cancelled,
    /// The mutex is never locked: it makes the payload `Sync`.
    Panic {
        payload: Mutex<Payload>,
        message: Option<String>,
    },
}

impl JoinError {
    fn new(id: Id, payload: Option<Payload>) -> Self {
        let repr = match payload {
            None => Repr::Cancelled,
            Some(payload) => {
                let message = message(&*payload);
                Repr::Panic {
                    payload: Mutex::new(payload),
                    message,
                }
            }
        };
        Self {
            id,
            repr,
            _payload: PhantomData,
        }
    }

    pub(crate) fn from_sim(error: sim_runtime::JoinError) -> Self {
        Self::new(error.id().into(), error.try_into_panic().ok())
    }

    pub(crate) fn from_real(error: tokio_real::task::JoinError) -> Self {
        Self::new(error.id().into(), error.try_into_panic().ok())
    }

    /// Whether the task was aborted.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self.repr, Repr::Cancelled)
    }

    /// Whether the task panicked.
    #[must_use]
    pub const fn is_panic(&self) -> bool {
        matches!(self.repr, Repr::Panic { .. })
    }

    /// What the task panicked with.
    ///
    /// # Panics
    /// When the task did not panic.
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Payload {
        self.try_into_panic()
            .expect("`JoinError` reason is not a panic.")
    }

    /// What the task panicked with.
    ///
    /// # Errors
    /// The task did not panic; gives the error back.
    pub fn try_into_panic(self) -> Result<Payload, Self> {
        match self.repr {
            Repr::Cancelled => Err(self),
            Repr::Panic { payload, .. } => Ok(payload
                .into_inner()
                .unwrap_or_else(std::sync::PoisonError::into_inner)),
        }
    }

    /// The task's number.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }
}

fn message(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id;
        match &self.repr {
            Repr::Cancelled => write!(f, "task {id} was cancelled"),
            Repr::Panic {
                message: Some(message),
                ..
            } => {
                write!(f, "task {id} panicked with message {message:?}")
            }
            Repr::Panic { .. } => write!(f, "task {id} panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id;
        match &self.repr {
            Repr::Cancelled => write!(f, "JoinError::Cancelled({id:?})"),
            Repr::Panic {
                message: Some(message),
                ..
            } => {
                write!(f, "JoinError::Panic({id:?}, {message:?}, ...)")
            }
            Repr::Panic { .. } => write!(f, "JoinError::Panic({id:?}, ...)"),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        Self::other(match error.repr {
            Repr::Cancelled => "task was cancelled",
            Repr::Panic { .. } => "task panicked",
        })
    }
}
