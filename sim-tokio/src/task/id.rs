//! Numbers of tasks.

use std::fmt;

use sim_runtime::in_simulation;
use sim_runtime::task::TaskId;

/// A task's number, unique among those that are alive; as `tokio::task::Id`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Repr);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// The running task's number.
///
/// # Panics
/// Outside a task.
#[must_use]
#[track_caller]
pub fn id() -> Id {
    try_id().expect("Can't get a task id when not inside a task")
}

/// The running task's number; `None` outside a task.
#[must_use]
pub fn try_id() -> Option<Id> {
    if in_simulation() {
        return sim_runtime::with(|world| world.current_task()).map(Id::from);
    }
    tokio_real::task::try_id().map(Id::from)
}
