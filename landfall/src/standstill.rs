//! What the nemesis does to clocks, and to nodes that are to stand still, be it now and then.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use plan_compiler::scenario::{FaultKind, Span, Way};
use sim_runtime::{ClockFault, FaultId, NodeId, Pause, Stream, spawn, time, world};

use crate::run::RunState;

/// Sets the targets' clocks wrong, each by as much as is drawn for it.
pub(crate) fn skew(id: FaultId, kind: FaultKind, targets: &[NodeId], draw: &mut Stream) {
    let world = world();
    for node in targets {
        let what = match kind {
            FaultKind::ClockStep { way, by_ns } => ClockFault::Step {
                wall_ns: drawn(way, by_ns, draw),
            },
            FaultKind::ClockDrift { way, ppm } => ClockFault::Drift {
                ppm: i32::try_from(drawn(way, ppm, draw)).unwrap_or(i32::MAX),
            },
            _ => return,
        };
        world.skew_clock(id, *node, what);
    }
}

/// Negative: behind. Draws only what the plan leaves open.
fn drawn(way: Way, by: Span, draw: &mut Stream) -> i64 {
    let by = match by.min == by.max {
        true => by.min,
        false => draw.range(by.min, by.max),
    };
    let by = i64::try_from(by).unwrap_or(i64::MAX);
    match way {
        Way::Ahead => by,
        Way::Behind => -by,
        Way::Either if draw.chance(1, 2) => by,
        Way::Either => -by,
    }
}

/// Makes targets that are up stand still; gives back which. The network goes on delivering to a
/// process that is stopped; a machine that is not there is cut off.
pub(crate) fn pause(
    run: &RunState,
    id: FaultId,
    kind: FaultKind,
    targets: &[NodeId],
) -> Vec<NodeId> {
    let how = match kind {
        FaultKind::Suspend => Pause::Suspend,
        FaultKind::Freeze => Pause::Freeze,
        _ => Pause::Process,
    };
    let world = world();
    let is_paused = |node: &NodeId| world.pause_node(id, *node, how);
    let paused: Vec<NodeId> = targets.iter().copied().filter(is_paused).collect();
    if how != Pause::Process {
        let all = run.servers.iter().chain(&run.clients);
        let others: Vec<NodeId> = all.copied().filter(|node| !paused.contains(node)).collect();
        run.net.cut(id, &paused, &others);
        run.net.cut(id, &others, &paused);
        for (place, one) in paused.iter().enumerate() {
            run.net.cut(id, &[*one], &paused[..place]);
            run.net.cut(id, &paused[..place], &[*one]);
        }
    }
    paused
}

/// How often a quota of the processor is given anew, as by the kernel's.
const QUOTA_PERIOD: Duration = Duration::from_millis(100);

/// Nodes that get a part of their processor.
#[derive(Clone, Default)]
pub(crate) struct Starved {
    is_over: Rc<Cell<bool>>,
    /// Those that stand still at this moment.
    still: Rc<RefCell<BTreeSet<NodeId>>>,
}

/// Makes targets stand still for so many millionths of each tenth of a second.
pub(crate) fn starve(id: FaultId, ppm: u64, targets: &[NodeId]) -> Starved {
    let starved = Starved::default();
    let off = QUOTA_PERIOD * u32::try_from(ppm.min(999_000)).unwrap_or(0) / 1_000_000;
    for node in targets.iter().copied() {
        let Starved { is_over, still } = starved.clone();
        drop(spawn(async move {
            while !is_over.get() {
                if world().pause_node(id, node, Pause::Process) {
                    still.borrow_mut().insert(node);
                    world().ledger().inject_more(id, "cpu-slices-taken", 1);
                }
                time::sleep(off).await;
                if still.borrow_mut().remove(&node) {
                    world().resume_node(id, node);
                }
                time::sleep(QUOTA_PERIOD - off).await;
            }
        }));
    }
    starved
}

impl Starved {
    /// The processor is theirs again.
    pub(crate) fn end(&self, id: FaultId) {
        self.is_over.set(true);
        for node in std::mem::take(&mut *self.still.borrow_mut()) {
            world().resume_node(id, node);
        }
    }
}

/// Those that were paused, and were not killed meanwhile, go on.
pub(crate) fn resume(run: &RunState, id: FaultId, kind: FaultKind, paused: &[NodeId]) {
    let world = world();
    if kind != FaultKind::Pause {
        run.net.heal(id);
    }
    for node in paused {
        world.resume_node(id, *node);
    }
}
