//! What `select!` expands to. Not part of the public interface.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

use sim_runtime::World;

use crate::state::{self, State};

pub use std::future::{Future, IntoFuture, poll_fn};
pub use std::pin::{Pin, pin};
pub use std::task::Poll;

/// Which branch was first, as a chain: `There(There(Here(output)))` is the third one's.
/// [`Disabled`] at the very end stands for no branch.
#[derive(Debug)]
pub enum Step<H, T> {
    /// This branch.
    Here(H),
    /// One further on.
    There(T),
}

/// No branch is left to wait for.
#[derive(Debug)]
pub struct Disabled;

thread_local! {
    /// State of the generator that serves outside simulations; zero until its first use.
    static OUTSIDE: Cell<u64> = const { Cell::new(0) };
}

/// The branch to poll first: from the node's stream inside a simulation.
#[must_use]
pub fn first_branch(branches: u32) -> u32 {
    if branches <= 1 {
        return 0;
    }
    let branches = u64::from(branches);
    let draw = |world: &World, state: &State| state.order(world, world.current_node(), branches);
    let drawn = state::look(draw).or_else(|| state::try_with(draw));
    let first = drawn.unwrap_or_else(|| outside() % branches);
    u32::try_from(first).expect("a branch's number is as small as their count")
}

/// Marsaglia's xorshift64.
fn outside() -> u64 {
    let mut state = OUTSIDE.get();
    if state == 0 {
        state = RandomState::new().build_hasher().finish() | 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    OUTSIDE.set(state);
    state >> 16
}
