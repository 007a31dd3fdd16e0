//! Where there are no fibers: a guest's threads are real ones, outside the simulation.

use std::rc::Rc;

use crate::world::World;

/// The fibers of a world: none.
#[derive(Default)]
pub(crate) struct Fibers;

impl Fibers {
    pub(crate) const fn wake_changed(&self) -> bool {
        false
    }

    pub(crate) fn stacks(&self, _world: &Rc<World>) -> Vec<(u64, String)> {
        Vec::new()
    }
}

/// Killed fibers that keep their stack: none.
pub const fn kept() -> u64 {
    0
}

pub(crate) const fn sleep(_nanos: u64) -> bool {
    false
}
