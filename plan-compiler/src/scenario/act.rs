//! Operations on queues, sets, counters, locks and groups, and those that only the system knows.

use checkers::spec::ModelKind;
use serde::{Deserialize, Serialize};

use super::OpKind;

/// An operation beyond reads, writes, appends and transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Adds an element at the end of a queue; `publish`, `produce`.
    Enqueue,
    /// Takes the head of a queue, null when it is empty; `consume`.
    Dequeue,
    /// Puts an element on a stack.
    Push,
    /// Takes the top of a stack, null when it is empty.
    Pop,
    /// Puts an element into a priority queue.
    Insert,
    /// Takes the smallest element of a priority queue, null when it is empty.
    DeleteMin,
    /// Adds an element to a set or a bag.
    Add,
    /// Removes an element from a set, by its name, or from a bag, any one.
    Remove,
    /// Whether an element is in a set.
    Contains,
    /// Adds to a counter.
    Increment,
    /// Takes from a counter.
    Decrement,
    /// Takes a lock, a permit or a lease; answers whether it did.
    Acquire,
    /// Gives it back; answers whether it was held.
    Release,
    /// Holds a lease for longer.
    Renew,
    /// Becomes a member of a group.
    Join,
    /// Leaves it.
    Leave,
    /// Replaces a text.
    Put,
    /// Adds to the end of a text, or of a log with offsets.
    Append,
    /// Reads a log from an offset on.
    Poll,
    /// Takes a key out of a map: a write of nothing.
    Delete,
    /// Reads all elements; a read, of the models that can be read as a whole.
    List,
    /// What the workload names at this place of [`names`](super::Workload::names).
    Named(u8),
}

impl Act {
    /// The name that histories have for it; none where the plan names it.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Act::Enqueue => "enqueue",
            Act::Dequeue => "dequeue",
            Act::Push => "push",
            Act::Pop => "pop",
            Act::Insert => "insert",
            Act::DeleteMin => "delete-min",
            Act::Add => "add",
            Act::Remove => "remove",
            Act::Contains => "contains",
            Act::Increment => "inc",
            Act::Decrement => "dec",
            Act::Acquire => "acquire",
            Act::Release => "release",
            Act::Renew => "renew",
            Act::Join => "join",
            Act::Leave => "leave",
            Act::Put => "put",
            Act::Append => "append",
            Act::Poll => "poll",
            Act::Delete => "delete",
            Act::List => "list",
            Act::Named(_) => return None,
        })
    }

    /// Whether its answer says something of the state.
    #[must_use]
    pub const fn observes(self) -> bool {
        matches!(
            self,
            Act::Dequeue
                | Act::Pop
                | Act::DeleteMin
                | Act::Remove
                | Act::Contains
                | Act::Acquire
                | Act::Renew
                | Act::Append
                | Act::Poll
                | Act::List
                | Act::Named(_)
        )
    }

    /// The operations that a model has beside reads, the first of them what adds to it; none for
    /// a model of other operations.
    #[must_use]
    pub const fn of(model: ModelKind) -> &'static [Act] {
        match model {
            ModelKind::Queue => &[Act::Enqueue, Act::Dequeue],
            ModelKind::Stack => &[Act::Push, Act::Pop],
            ModelKind::PriorityQueue => &[Act::Insert, Act::DeleteMin],
            ModelKind::Bag => &[Act::Add, Act::Remove],
            ModelKind::Set => &[Act::Add, Act::Remove, Act::Contains],
            ModelKind::Counter => &[Act::Increment, Act::Decrement],
            ModelKind::Mutex
            | ModelKind::OwnedMutex
            | ModelKind::ReentrantMutex
            | ModelKind::ReadWriteLock
            | ModelKind::Semaphore { .. } => &[Act::Acquire, Act::Release],
            ModelKind::Text => &[Act::Append, Act::Put],
            ModelKind::Offsets => &[Act::Append, Act::Poll],
            ModelKind::Lease { .. } => &[Act::Acquire, Act::Release, Act::Renew],
            ModelKind::Membership => &[Act::Join, Act::Leave],
            _ => &[],
        }
    }

    /// What an operation is called of a model that has it under another name.
    #[must_use]
    pub const fn fitted(op: OpKind, model: ModelKind) -> OpKind {
        match (op, model) {
            (OpKind::Write, ModelKind::Text) => OpKind::Do(Act::Put),
            (OpKind::Append, ModelKind::Text | ModelKind::Offsets)
            | (OpKind::Do(Act::Enqueue), ModelKind::Offsets) => OpKind::Do(Act::Append),
            (OpKind::Do(Act::Dequeue), ModelKind::Offsets) => OpKind::Do(Act::Poll),
            (OpKind::Write, ModelKind::Set) => OpKind::Do(Act::Add),
            (OpKind::Do(Act::Delete), ModelKind::Set) => OpKind::Do(Act::Remove),
            (
                OpKind::Do(Act::Contains),
                ModelKind::Register | ModelKind::CasRegister | ModelKind::Map,
            ) => OpKind::Read,
            (OpKind::Do(Act::List), model) if Act::is_readable(model) => OpKind::Read,
            (op, _) => op,
        }
    }

    /// Whether a model of such operations can be read as a whole.
    #[must_use]
    pub const fn is_readable(model: ModelKind) -> bool {
        matches!(
            model,
            ModelKind::Set
                | ModelKind::Counter
                | ModelKind::Membership
                | ModelKind::Text
                | ModelKind::Offsets
        )
    }

    /// What takes an element out of a model that cannot be read, until it is empty.
    #[must_use]
    pub const fn drains(model: ModelKind) -> Option<Act> {
        match model {
            ModelKind::Queue => Some(Act::Dequeue),
            ModelKind::Stack => Some(Act::Pop),
            ModelKind::PriorityQueue => Some(Act::DeleteMin),
            ModelKind::Bag => Some(Act::Remove),
            _ => None,
        }
    }
}
