//! What `select!` expands to. Not part of the public interface.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;

use sim_runtime::{Device, NodeId, Stream, World};

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

/// The orders of one simulation: a keyed stream for each node.
struct SelectOrder {
    streams: RefCell<Vec<Option<Stream>>>,
}

impl Device for SelectOrder {
    fn name(&self) -> &'static str {
        "select"
    }

    fn on_event(&self, _world: &Rc<World>, _token: u64) {}
}

impl SelectOrder {
    fn draw(&self, world: &World, node: NodeId, branches: u64) -> u64 {
        let mut streams = self.streams.borrow_mut();
        let index = node.0 as usize;
        if streams.len() <= index {
            streams.resize_with(index + 1, || None);
        }
        let stream = streams[index].get_or_insert_with(|| world.stream("select", node));
        stream.below(branches)
    }
}

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
    let drawn = sim_runtime::try_with(|world| {
        let order = world.device::<SelectOrder>().unwrap_or_else(|| {
            world.install(|_| SelectOrder {
                streams: RefCell::new(Vec::new()),
            })
        });
        order.draw(world, world.current_node(), branches)
    });
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
