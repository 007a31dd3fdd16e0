//! What the drop-in keeps of a simulation beside descriptors and timers: one device a world.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sim_runtime::task::TaskId;
use sim_runtime::{Boot, Device, NodeId, Stream, World};

use crate::runtime::made::Kept;
use crate::task::set::Set;

/// Tasks that are in a runtime which a guest made, and its number.
pub(crate) type Members = BTreeMap<TaskId, u64>;

/// The state of one simulation.
#[derive(Default)]
pub(crate) struct State {
    /// For the order in which `select!` polls, a node each.
    orders: RefCell<Vec<Option<Stream>>>,
    /// Processes that have paused their clock.
    pub(crate) paused: RefCell<BTreeSet<(NodeId, Boot)>>,
    /// Tasks that are where blocking is allowed.
    pub(crate) blocking: RefCell<BTreeSet<TaskId>>,
    /// Tasks that block on a future, which must not block in turn.
    pub(crate) polling: RefCell<BTreeSet<TaskId>>,
    /// How many local sets and runtimes there have been.
    pub(crate) sets: Cell<u64>,
    /// The local set that a task is in; without one, whoever runs outside tasks.
    pub(crate) local_sets: RefCell<BTreeMap<Option<TaskId>, Rc<Set>>>,
    /// Runtimes that guests made and have not dropped, by number.
    pub(crate) runtimes: RefCell<BTreeMap<u64, Kept>>,
    pub(crate) members: RefCell<Members>,
}

impl Device for State {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn on_event(&self, _world: &Rc<World>, _token: u64) {}
}

/// Looks at the simulation's state; `None` outside a simulation.
pub(crate) fn try_with<R>(look: impl FnOnce(&World, &State) -> R) -> Option<R> {
    sim_runtime::try_with(|world| {
        let state = world
            .device::<State>()
            .unwrap_or_else(|| world.install(|_| State::default()));
        look(world, &state)
    })
}

/// As [`try_with`], and cheaper, for what is done often; `None` until there is a state, too.
#[inline]
pub(crate) fn look<R>(look: impl FnOnce(&World, &State) -> R) -> Option<R> {
    sim_runtime::look(|world| world.device::<State>().map(|state| look(world, &state)))?
}

/// Looks at the simulation's state.
///
/// # Panics
/// Outside a simulation.
pub(crate) fn with<R>(look: impl FnOnce(&World, &State) -> R) -> R {
    try_with(look).expect("this is only possible inside a simulation")
}

impl State {
    /// A number below `below`, from the node's stream.
    pub(crate) fn order(&self, world: &World, node: NodeId, below: u64) -> u64 {
        let mut streams = self.orders.borrow_mut();
        let index = node.0 as usize;
        if streams.len() <= index {
            streams.resize_with(index + 1, || None);
        }
        let stream = streams[index].get_or_insert_with(|| world.stream("select", node));
        stream.below(below)
    }
}
