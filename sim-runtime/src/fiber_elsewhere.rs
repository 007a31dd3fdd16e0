//! Where there are no fibers: a guest that makes threads is refused, by the floor's symbols where
//! they exist, and else gets real ones, outside the simulation.

use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use crate::ids::{NodeId, SimInstant};
use crate::task::{JoinHandle, spawn_in};
use crate::world::{self, World};

/// The fibers of a world: none.
#[derive(Default)]
pub(crate) struct Fibers {}

impl Fibers {
    pub(crate) const fn any(&self) -> bool {
        false
    }

    pub(crate) const fn wake_changed(&self) -> bool {
        false
    }

    pub(crate) const fn wait_for_outside(&self, _has_other_threads: bool) -> bool {
        false
    }

    pub(crate) fn stacks(&self, _world: &Rc<World>) -> Vec<(u64, String)> {
        Vec::new()
    }
}

/// Runs `f` in one poll of a task, on the thread of the simulation: nothing else runs meanwhile,
/// and if it waits for another task it waits for ever.
#[track_caller]
pub fn spawn_blocking<F, R>(node: NodeId, f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + 'static,
    R: 'static,
{
    let location = Location::caller();
    world::with(|world| {
        let boot = world.boot_of(node);
        spawn_in(world, node, boot, None, location, async move { f() })
    })
}

/// Killed fibers that keep their stack: none.
pub const fn kept() -> u64 {
    0
}

/// Whether the caller is on a fiber: never.
pub const fn is_here() -> bool {
    false
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Woken,
    NotHere,
}

/// Nothing can wait: what is not there at once is not there.
pub(crate) fn wait_for(_deadline: Option<SimInstant>, poll: impl Fn(&Waker) -> bool) -> Waited {
    match poll(Waker::noop()) {
        true => Waited::Woken,
        false => Waited::NotHere,
    }
}

pub(crate) const fn sleep(_nanos: u64) -> bool {
    false
}
