//! Nodes that stand still for a while.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::course::{Ahead, Course, Effect};
use crate::digest::EventKind;
use crate::ids::{FaultId, NodeId};
use crate::nodes::NodeState;
use crate::world::World;

/// How a node stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pause {
    /// The process is stopped, as by `SIGSTOP` or a long collection of garbage: kernel and clocks
    /// go on.
    Process,
    /// The machine sleeps: its monotonic clock stands, its wall clock and `CLOCK_BOOTTIME` are
    /// right again when it wakes.
    Suspend,
    /// The virtual machine is stopped, as for a migration: when it goes on, all its clocks are
    /// late by the length of the pause, and nothing has told it.
    Freeze,
}

impl World {
    /// No task of a node runs until [`resume_node`](Self::resume_node); timers that come due wake
    /// them then. What reaches the node meanwhile is the devices' matter. Paused by several faults
    /// it goes on when the last of them is over. False: it was not running.
    pub fn pause_node(self: &Rc<Self>, fault: FaultId, node: NodeId, how: Pause) -> bool {
        if self.node(node).state != NodeState::Running {
            return false;
        }
        self.event(EventKind::Node, u64::from(node.0), 0xfe);
        self.executor.pause(node);
        let course = match how {
            Pause::Process => None,
            Pause::Suspend => Some(Course::Suspended),
            Pause::Freeze => Some(Course::Frozen),
        };
        if let Some(course) = course {
            let now = self.now().as_nanos();
            let effect = Effect::new(fault, course, Ahead::default());
            self.change_clock(node, |clock| clock.begin(now, effect));
        }
        let say = || format!("{} paused", self.node(node).name);
        self.ledger().inject(fault, "nodes-paused", 1, say);
        true
    }

    /// A paused node goes on. False: it was not paused, or went down meanwhile.
    pub fn resume_node(self: &Rc<Self>, fault: FaultId, node: NodeId) -> bool {
        if !self.executor.is_paused(node) {
            return false;
        }
        self.event(EventKind::Node, u64::from(node.0), 0xfd);
        let now = self.now().as_nanos();
        if !self.clocks.are_right() {
            self.change_clock(node, |clock| _ = clock.end(now, fault));
        }
        let held = self.executor.resume(node);
        if held > 0 {
            let say = || format!("{held} tasks of {} were held", self.node(node).name);
            self.ledger().inject(fault, "turns-held", held, say);
            self.ledger().observe(fault, "turns-held", say);
        }
        true
    }

    /// The node's process is gone, and with it every pause.
    pub(crate) fn end_pauses(&self, node: NodeId) {
        if !self.executor.is_paused(node) {
            return;
        }
        self.executor.release(node);
        if !self.clocks.are_right() {
            let now = self.now().as_nanos();
            self.change_clock(node, |clock| clock.end_stops(now));
        }
    }
}
