//! Numbers of tasks.

use std::fmt;

use sim_runtime::task::TaskId;

/// A task's number, unique among those that are alive; as `tokio::task::Id`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(Repr);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Repr {
    Sim(TaskId),
    Real(tokio_real::task::Id),
}

impl From<TaskId> for Id {
    fn from(id: TaskId) -> Self {
        Self(Repr::Sim(id))
    }
}

impl From<tokio_real::task::Id> for Id {
    fn from(id: tokio_real::task::Id) -> Self {
        Self(Repr::Real(id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Sim(id) => id.fmt(f),
            Repr::Real(id) => id.fmt(f),
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}
