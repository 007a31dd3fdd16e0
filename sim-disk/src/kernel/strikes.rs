//! Power losses at persistence calls, where the bugs are: just before one, in its middle, just
//! after it.

use std::rc::Rc;

use sim_runtime::{NodeId, World, time, with};

use super::device::{Disk, Timer};
use super::op_kind::OpKind;

/// Where at a persistence call the power goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StrikePoint {
    /// The call was made and nothing of it was done.
    Before,
    /// A part of what was pending reached the media.
    During,
    /// It was done; the guest learns so, and gets as far as its next wait.
    After,
}

/// A power loss that waits for its call.
pub(crate) struct Strike {
    point: StrikePoint,
    strike: Rc<dyn Fn()>,
    /// The call was made: the power goes as soon as the guest waits.
    is_due: bool,
}

impl Disk {
    /// Calls `strike`, which is to take `node` down, at the node's next fsync, fdatasync or
    /// syncfs. Holds until then, until the node goes down by other means, or until
    /// [`disarm`](Disk::disarm). A power loss in the middle of a call leaves a part of what was
    /// pending: a prefix, a subset, or one with a torn write.
    ///
    /// `Before` and `During` need callers that ask for [`latency`](Disk::latency) first, as the
    /// front ends do: the call never comes back.
    pub fn strike_at_sync(&self, node: NodeId, point: StrikePoint, strike: Rc<dyn Fn()>) {
        let waiting = Strike {
            point,
            strike,
            is_due: false,
        };
        self.state.borrow_mut().strikes.insert(node, waiting);
        self.is_failing.set(true);
    }

    /// Ends what [`strike_at_sync`](Disk::strike_at_sync) began. False: nothing was waiting.
    pub fn disarm(&self, node: NodeId) -> bool {
        let state = &mut *self.state.borrow_mut();
        let removed = state.strikes.remove(&node);
        self.is_failing.set(state.is_troubled());
        removed.is_some()
    }

    /// A call begins: does the power go before it comes back?
    pub(crate) fn strikes_before(&self, world: &World, op: OpKind) -> bool {
        let node = world.current_node();
        let state = &mut *self.state.borrow_mut();
        let Some(strike) = state.strikes.get_mut(&node) else {
            return false;
        };
        if strike.is_due {
            // Nothing that begins now comes back.
            return true;
        }
        if op != OpKind::Sync || strike.point == StrikePoint::After {
            return false;
        }
        strike.is_due = true;
        if strike.point == StrikePoint::During {
            state.partial.insert(node);
        }
        self.arm_timer(state, world, Timer::Strike(node), time::now());
        true
    }

    /// A persistence call is done: does the power go now?
    pub(crate) fn strikes_after(&self, world: &World) {
        if !self.is_failing.get() {
            return;
        }
        let node = world.current_node();
        let state = &mut *self.state.borrow_mut();
        if let Some(strike) = state.strikes.get_mut(&node)
            && strike.point == StrikePoint::After
            && !strike.is_due
        {
            strike.is_due = true;
            self.arm_timer(state, world, Timer::Strike(node), time::now());
        }
    }

    /// The moment has come.
    pub(crate) fn strike(&self, node: NodeId) {
        let strike = self.state.borrow_mut().strikes.remove(&node);
        if let Some(strike) = strike {
            (strike.strike)();
        }
        let state = &mut *self.state.borrow_mut();
        state.partial.remove(&node);
        self.is_failing.set(state.is_troubled());
    }

    /// Is a power loss waiting for a call of the node?
    pub fn is_armed(&self, node: NodeId) -> bool {
        with(|_| self.state.borrow().strikes.contains_key(&node))
    }
}
