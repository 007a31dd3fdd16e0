//! Sequential objects as the search sees them: operations and states are numbers.

use crate::value::Value;

/// A sequential object over the operations of one partition. State 0 is the initial one.
///
/// `member` is the place of the operation in the partition.
pub(super) trait Machine {
    /// The state after the operation, or none when its response is illegal in `state`.
    fn step(&mut self, state: u32, member: u32) -> Option<u32>;

    /// Whether the operation, which is legal in `state` and leads to `next`, may as well come
    /// next: whether any linearization of what remains can be reordered to one that begins with
    /// it.
    fn may_come_next(&self, state: u32, member: u32, next: u32) -> bool;

    /// Members of one class do the same in every state, if they are not certain.
    fn class(&mut self, member: u32) -> u32;

    /// Members of which this is the same do the same in every state, certain or not; none where
    /// nothing is known of that.
    fn alike(&mut self, member: u32) -> Option<u32> {
        Some(self.class(member))
    }

    /// Takes note of the certain members that can come next, and of the instant of the first
    /// return, before [`Machine::wants`] is asked.
    fn look(&mut self, _: &[u32], _: u64) {}

    /// Whether linearizing a member that may never have taken effect can be of use now, in a state.
    fn wants(&self, _: u32, _: u32) -> bool {
        true
    }

    /// Takes note that the operation was linearized.
    fn linearized(&mut self, _: u32) {}

    /// Takes back [`Machine::linearized`].
    fn undone(&mut self, _: u32) {}

    /// Whether linearizing `member`, which goes from `state` to another, can not be part of any
    /// whole linearization, because what remains needs `state` and can not get it again.
    fn doomed(&self, _: u32, _: u32) -> bool {
        false
    }

    /// Whether [`Machine::guess`] ever has a guess.
    const GUESSES: bool = false;

    /// Which operation to try first: of `open`, each with the instant at which it returns, in the
    /// order of calls. It only decides what is found soon. Cost: at most quadratic.
    fn guess(&self, _: u32, _: &[(u32, u64)]) -> Option<u32> {
        None
    }

    /// The state as a value, for the reader.
    fn value(&self, state: u32) -> Value;

    /// Roughly what the states that the search came to occupy, bytes.
    fn bytes(&self) -> u64;
}
