//! Memory that runs out: a process that holds more than it may is killed, as by the kernel.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use sim_runtime::{Down, FaultId, NodeId, spawn, time, world};

use crate::nemesis::take_down;

/// How often it is looked at what a process has held.
const LOOK: Duration = Duration::from_millis(1);

/// The processes of a window that limits their memory.
#[derive(Clone, Default)]
pub(crate) struct Limited {
    is_over: Rc<Cell<bool>>,
    killed: Rc<RefCell<Vec<NodeId>>>,
}

/// From now on the present processes of `targets` may hold so many bytes, or what they hold now;
/// the first moment that one is seen to have held more is its last.
pub(crate) fn limit_memory(id: FaultId, bytes: Option<u64>, targets: &[NodeId]) -> Limited {
    let limited = Limited::default();
    for node in targets.iter().copied() {
        let Some(held) = world().memory(node) else {
            continue;
        };
        let limit = bytes.unwrap_or(held.now);
        let limited = limited.clone();
        drop(spawn(async move {
            // What it had before there was a limit does not count.
            let mut before = held.peak;
            while !limited.is_over.get() {
                let used = world().memory(node).unwrap_or_default();
                before = before.min(used.peak);
                let most = if used.peak > before {
                    used.peak
                } else {
                    used.now
                };
                if most > limit {
                    limited.killed.borrow_mut().extend(kill(id, node, limit));
                    return;
                }
                time::sleep(LOOK).await;
            }
        }));
    }
    limited
}

fn kill(id: FaultId, node: NodeId, limit: u64) -> Vec<NodeId> {
    let killed = take_down(id, &[node], Down::Kill);
    let world = world();
    for node in &killed {
        let what = || format!("{} held more than {limit} bytes", world.node(*node).name);
        world.ledger().inject(id, "oom-kills", 1, what);
    }
    killed
}

impl Limited {
    /// There is enough again. Whom it killed.
    pub(crate) fn end(&self) -> Vec<NodeId> {
        self.is_over.set(true);
        self.killed.take()
    }
}
