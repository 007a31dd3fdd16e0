//! Scheduling policies: which of the tasks that can run runs next.
//!
//! A policy is a [`Scheduler`]: it is told of every task that is spawned, ready or over, and gives
//! back one that is ready. Its draws come from keyed streams of its own, so a seed and a policy fix
//! the order.
//!
//! Timers break ties by first in, first out under every policy: those of one deadline fire in the
//! order they were armed, all before the next poll. What they wake is then picked by the policy,
//! so a policy that draws runs the woken tasks in any order, and `fifo` in the order of arming.
//!
//! - `choice`: [`Policy`], the value that a configuration holds; `queue`: what a policy is to the
//!   executor; `fifo`, `random`, `pct`, `urw`: the policies; `script`: a schedule as data.

mod choice;
mod fifo;
mod pct;
mod queue;
mod random;
mod script;
mod urw;

#[cfg(test)]
mod tests;

pub use choice::{BadPolicy, Policy};
pub(crate) use queue::{Ready, ReadyQueue, Site};
pub use script::{Deviation, Overtaking, Schedule};
