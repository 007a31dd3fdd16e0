//! What the nemesis does to disks beyond errors of calls, and power losses at syncs.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use plan_compiler::scenario::{FaultKind, Span, StorageFault};
use sim_disk::{Budget, Chunk, Disk, FailMode, LatencyRange, MediaFault, Snapshot, StrikePoint};
use sim_runtime::{Down, FaultId, NodeId, SimInstant, Stream, spawn, time};

use crate::nemesis::take_down;
use crate::network::magnitude;

/// How long a power loss waits for a sync of its node, at most; and not longer than a quarter of
/// its window.
const STRIKE_WAIT_MAX: Duration = Duration::from_millis(500);

/// What the nemesis keeps of the disks of a run.
pub(crate) struct Storage {
    disk: Rc<Disk>,
    /// All servers hold replicas: a minority of them may be damaged.
    budget: Rc<RefCell<Budget>>,
    servers: Vec<NodeId>,
}

/// What a window keeps until it closes.
#[derive(Default)]
pub(crate) struct Held {
    snapshots: Vec<(NodeId, Snapshot)>,
    /// Nodes whose power went at a sync.
    struck: Rc<RefCell<Vec<NodeId>>>,
}

/// A window of a fault.
pub(crate) struct Opening<'o> {
    pub(crate) fault: FaultId,
    pub(crate) targets: &'o [NodeId],
    pub(crate) length: Duration,
    pub(crate) draw: &'o mut Stream,
}

/// Writes and syncs of the nodes fail with EIO until the fault heals.
pub(crate) fn fail_writes(disk: &Disk, fault: FaultId, nodes: &[NodeId]) {
    let mode = FailMode::Eio {
        reads: false,
        writes: true,
        fsync: true,
    };
    nodes.iter().for_each(|node| disk.fail(fault, *node, mode));
}

/// Nothing more fits on the nodes' disks until the fault heals.
pub(crate) fn fill(disk: &Disk, fault: FaultId, nodes: &[NodeId]) {
    let fail = |node: &NodeId| disk.fail(fault, *node, FailMode::Enospc);
    nodes.iter().for_each(fail);
}

impl Storage {
    pub(crate) fn new(disk: &Rc<Disk>, servers: &[NodeId]) -> Self {
        let minority = servers.len().saturating_sub(1) / 2;
        let budget = Budget::new(servers.iter().copied(), minority, Chunk::Node);
        Self {
            disk: Rc::clone(disk),
            budget: Rc::new(RefCell::new(budget)),
            servers: servers.to_vec(),
        }
    }

    /// Opens a window; gives back what it keeps, and the nodes that it took down.
    pub(crate) fn open(
        &self,
        how: StorageFault,
        beyond_budget: bool,
        window: Opening<'_>,
    ) -> (Held, Vec<NodeId>) {
        let budget = (!beyond_budget).then_some(&self.budget);
        let (fault, targets) = (window.fault, window.targets);
        let mut held = Held::default();
        match how {
            StorageFault::Wipe => {
                let fits = |node: &&NodeId| self.may_replace(**node, budget);
                let chosen: Vec<NodeId> = targets.iter().filter(fits).copied().collect();
                let taken = take_down(fault, &chosen, Down::PowerLoss);
                for node in &taken {
                    let wiped = self.disk.wipe(fault, *node, budget);
                    wiped.expect("it is down, and the budget was asked before");
                }
                return (held, taken);
            }
            StorageFault::Swap => return (held, self.swap(fault, window, budget)),
            StorageFault::StaleRestore => {
                let snapshots = targets
                    .iter()
                    .map(|node| (*node, self.disk.snapshot(*node)));
                held.snapshots.extend(snapshots);
            }
            _ => {
                if let Some(mode) = mode_of(how, window.length, window.draw) {
                    targets
                        .iter()
                        .for_each(|node| self.disk.fail(fault, *node, mode));
                } else if let Some((kind, ppm)) = media_of(how) {
                    let ppm = magnitude(window.draw, ppm).min(1_000_000) as u32;
                    for node in targets {
                        self.disk.damage(fault, *node, (kind, ppm), budget);
                    }
                }
            }
        }
        (held, Vec::new())
    }

    fn may_replace(&self, node: NodeId, budget: Option<&Rc<RefCell<Budget>>>) -> bool {
        budget.is_none_or(|budget| budget.borrow_mut().take_node(node))
    }

    /// The target and another server, drawn, get each other's disk.
    fn swap(
        &self,
        fault: FaultId,
        window: Opening<'_>,
        budget: Option<&Rc<RefCell<Budget>>>,
    ) -> Vec<NodeId> {
        let Some(&one) = window.targets.first() else {
            return Vec::new();
        };
        let others: Vec<NodeId> = match window.targets.get(1) {
            Some(&other) => vec![other],
            None => self
                .servers
                .iter()
                .copied()
                .filter(|node| *node != one)
                .collect(),
        };
        if others.is_empty() {
            return Vec::new();
        }
        let other = *window.draw.pick(&others);
        if !self.may_replace(one, budget) || !self.may_replace(other, budget) {
            return Vec::new();
        }
        let taken = take_down(fault, &[one, other], Down::PowerLoss);
        let swapped = self.disk.swap(fault, (one, other), None);
        // One that was down before stays as it is; both are down here.
        swapped.expect("both are down");
        taken
    }

    /// Closes a window; gives back the nodes that it took down.
    pub(crate) fn close(
        &self,
        fault: FaultId,
        how: StorageFault,
        beyond_budget: bool,
        held: Held,
    ) -> Vec<NodeId> {
        if how != StorageFault::StaleRestore {
            self.disk.heal(fault);
            return Vec::new();
        }
        let budget = (!beyond_budget).then_some(&self.budget);
        let mut taken = Vec::new();
        for (node, snapshot) in held.snapshots {
            if !self.may_replace(node, budget) {
                continue;
            }
            taken.extend(take_down(fault, &[node], Down::PowerLoss));
            let restored = self.disk.restore(fault, node, &snapshot, budget);
            restored.expect("it is down, and the budget was asked before");
        }
        taken
    }

    /// The power of one node goes. Six times of ten it waits for the node's next sync, to go
    /// before, during or after it: there the bugs are.
    pub(crate) fn lose_power(&self, node: NodeId, window: Opening<'_>) -> (Held, Vec<NodeId>) {
        let held = Held::default();
        let fault = window.fault;
        let Some(point) = strike_point(window.draw) else {
            return (held, take_down(fault, &[node], Down::PowerLoss));
        };
        let struck = Rc::clone(&held.struck);
        let strike = move || {
            let taken = take_down(fault, &[node], Down::PowerLoss);
            struck.borrow_mut().extend(taken);
        };
        let strike = Rc::new(strike);
        self.disk
            .strike_at_sync(node, point, Rc::<_>::clone(&strike) as Rc<dyn Fn()>);
        let disk = Rc::clone(&self.disk);
        let wait = STRIKE_WAIT_MAX.min(window.length / 4);
        drop(spawn(async move {
            time::sleep(wait).await;
            if disk.disarm(node) {
                strike();
            }
        }));
        (held, Vec::new())
    }
}

/// Six times of ten, where at a sync the power goes.
fn strike_point(draw: &mut Stream) -> Option<StrikePoint> {
    let points = [StrikePoint::Before, StrikePoint::During, StrikePoint::After];
    draw.chance(6, 10).then(|| *draw.pick(&points))
}

impl Held {
    /// Nodes whose power went since the window opened.
    pub(crate) fn struck(&self) -> Vec<NodeId> {
        self.struck.borrow().clone()
    }
}

/// Whether nodes are down while a window is open.
pub(crate) const fn takes_down(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Kill
            | FaultKind::PowerLoss
            | FaultKind::GracefulStop
            | FaultKind::Readdress
            | FaultKind::Memory { .. }
            | FaultKind::Storage {
                how: StorageFault::Wipe | StorageFault::Swap,
                ..
            }
    )
}

/// Calls that fail, come up short or take long.
fn mode_of(how: StorageFault, length: Duration, draw: &mut Stream) -> Option<FailMode> {
    let eio = |reads, fsync| FailMode::Eio {
        reads,
        writes: false,
        fsync,
    };
    Some(match how {
        StorageFault::Slow { by_ns } => FailMode::Slow { by: slower(by_ns) },
        StorageFault::Stall => FailMode::Stall {
            until: Some(SimInstant(
                time::now().as_nanos() + u64::try_from(length.as_nanos()).unwrap_or(u64::MAX),
            )),
        },
        StorageFault::SyncError => eio(false, true),
        StorageFault::ReadError => eio(true, false),
        StorageFault::CallSites { ppm } => FailMode::Sites {
            ppm: magnitude(draw, ppm).min(1_000_000) as u32,
        },
        StorageFault::ReadOnly => FailMode::ReadOnly,
        StorageFault::TooManyFiles => FailMode::Emfile,
        StorageFault::Short => FailMode::Short,
        StorageFault::Crowded => FailMode::Crowded {
            free_bytes_max: CROWDED_FREE_BYTES_MAX,
        },
        _ => return None,
    })
}

/// What is left of a disk that others fill, at most.
const CROWDED_FREE_BYTES_MAX: u64 = 256 * 1024;

const fn slower(by_ns: Span) -> LatencyRange {
    LatencyRange {
        lo: Duration::from_nanos(by_ns.min),
        hi: Duration::from_nanos(by_ns.max),
    }
}

fn media_of(how: StorageFault) -> Option<(MediaFault, Span)> {
    Some(match how {
        StorageFault::LatentErrors { ppm } => (MediaFault::LatentError, ppm),
        StorageFault::Rot { ppm } => (MediaFault::Rot, ppm),
        StorageFault::LostWrites { ppm } => (MediaFault::LostWrite, ppm),
        StorageFault::MisdirectedWrites { ppm } => (MediaFault::MisdirectedWrite, ppm),
        StorageFault::MisdirectedReads { ppm } => (MediaFault::MisdirectedRead, ppm),
        StorageFault::Uninitialised { ppm } => (MediaFault::Uninitialised, ppm),
        _ => return None,
    })
}

/// A fault of a disk in the words of reports.
pub(crate) const fn describe(how: StorageFault) -> &'static str {
    match how {
        StorageFault::Slow { .. } => "slow disk",
        StorageFault::Stall => "disk stall",
        StorageFault::SyncError => "fsync errors",
        StorageFault::ReadError => "disk read errors",
        StorageFault::CallSites { .. } => "failing disk calls",
        StorageFault::ReadOnly => "read-only disk",
        StorageFault::TooManyFiles => "too many open files",
        StorageFault::Short => "short reads and writes",
        StorageFault::Crowded => "disk nearly full",
        StorageFault::LatentErrors { .. } => "latent errors",
        StorageFault::Rot { .. } => "disk rot",
        StorageFault::LostWrites { .. } => "lost disk writes",
        StorageFault::MisdirectedWrites { .. } => "misdirected writes",
        StorageFault::MisdirectedReads { .. } => "misdirected reads",
        StorageFault::Uninitialised { .. } => "uninitialised disk",
        StorageFault::Wipe => "disk wipe",
        StorageFault::StaleRestore => "stale disk restored",
        StorageFault::Swap => "disk swap",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sim_runtime::Seed;

    use super::*;

    #[test]
    fn six_power_losses_of_ten_wait_for_a_sync() {
        let mut points: BTreeMap<Option<StrikePoint>, u32> = BTreeMap::new();
        for seed in 0..10_000 {
            let mut draw = Stream::of(Seed(seed), "window", 1);
            *points.entry(strike_point(&mut draw)).or_default() += 1;
        }
        let at_once = points.remove(&None).unwrap_or_default();
        assert!((3_800..4_200).contains(&at_once), "{at_once} at once");
        assert_eq!(points.len(), 3);
        let even = |count: &u32| (1_800..2_200).contains(count);
        assert!(points.values().all(even), "{points:?}");
    }
}
