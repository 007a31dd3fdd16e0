//! Sequential objects: what each operation may return in each state, and the state after it.

use std::hash::Hash;

use crate::history::Operation;
use crate::value::Value;

mod builtin;
mod catalogue;
mod collections;
mod locks;
mod transactions;

pub use builtin::Builtin;
pub(crate) use builtin::{is_taking, refuse};
pub use catalogue::ModelRow;

/// What of an operation a model looks at, beside its type, its input and how it ended. The less,
/// the more operations are the same to the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Nothing else.
    Content,
    /// Its process.
    Process,
    /// Anything, such as its times or its node.
    Row,
}

/// A sequential object that histories can be judged against, by [`crate::linearize_with`].
///
/// A queue that may lose an element has two states after an `enqueue`: what it pushed, and what
/// it had. Models are exact about every such choice.
pub trait Model {
    /// A state.
    type State: Clone + Ord + Hash;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// Pushes every state that the object may be in after `op`; none when its response can not
    /// be given in `state`. Of an operation that is ambiguous the response is not known, and any
    /// is possible.
    ///
    /// Deterministic: it may look at its arguments and nothing else.
    fn step(&self, state: &Self::State, op: &Operation, next: &mut Vec<Self::State>);

    /// Whether the operation, wherever it is legal, leaves the state as it is.
    fn observes(&self, op: &Operation) -> bool {
        op.op_type.is_read()
    }

    /// What [`Model::step`] looks at.
    fn looks(&self) -> Looks {
        Looks::Row
    }

    /// A state as a value, for the reader.
    fn show(&self, state: &Self::State) -> Value;

    /// The object that an operation addresses. Objects are judged apart, so that none may depend
    /// on another.
    fn part<'a>(&self, op: &'a Operation) -> Option<&'a Value> {
        op.key.as_ref()
    }
}

/// A model that is lent.
impl<M: Model> Model for &M {
    type State = M::State;

    fn initial(&self) -> M::State {
        (**self).initial()
    }

    fn step(&self, state: &M::State, op: &Operation, next: &mut Vec<M::State>) {
        (**self).step(state, op, next);
    }

    fn observes(&self, op: &Operation) -> bool {
        (**self).observes(op)
    }

    fn looks(&self) -> Looks {
        (**self).looks()
    }

    fn show(&self, state: &M::State) -> Value {
        (**self).show(state)
    }

    fn part<'a>(&self, op: &'a Operation) -> Option<&'a Value> {
        (**self).part(op)
    }
}
