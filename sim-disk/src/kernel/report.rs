//! Numbers for tests and reports, and the evidence that a power loss leaves in the ledger.

use sim_runtime::{FaultId, NodeId, World};

use crate::state::crash::{Loss, Outcome};
use crate::state::op::Change;
use crate::state::scars::Met;
use crate::state::select::CrashKind;
use crate::state::volume::Volume;

/// What the guests of one node did to their disk, and what was done to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiskStats {
    /// Calls of read(2) and pread(2).
    pub reads: u64,
    /// Calls of write(2) and pwrite(2).
    pub writes: u64,
    /// Calls of fsync(2) and fdatasync(2).
    pub syncs: u64,
    /// Bytes that reads returned.
    pub bytes_read: u64,
    /// Bytes that writes took.
    pub bytes_written: u64,
    /// Calls that failed by an injected fault.
    pub errors_injected: u64,
    /// Times that the power went.
    pub power_losses: u64,
    /// Operations that became durable without a sync: the kernel wrote them back by itself, some
    /// time after the call.
    pub written_back: u64,
}

/// The figures of every node, by its number: nodes are numbered from 0 on.
#[derive(Default)]
pub(crate) struct Stats(Vec<DiskStats>);

impl Stats {
    pub(crate) fn get(&self, node: NodeId) -> DiskStats {
        self.0.get(node.0 as usize).copied().unwrap_or_default()
    }

    #[inline]
    pub(crate) fn of(&mut self, node: NodeId) -> &mut DiskStats {
        let at = node.0 as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, DiskStats::default());
        }
        &mut self.0[at]
    }
}

/// What is visible on a node's volumes and not yet durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PendingSummary {
    /// Operations in all.
    pub operations: usize,
    /// Writes of data.
    pub writes: usize,
    /// Changes of names.
    pub names: usize,
    /// Bytes of the pending writes.
    pub bytes: u64,
}

impl PendingSummary {
    pub(crate) fn plus(self, other: PendingSummary) -> PendingSummary {
        PendingSummary {
            operations: self.operations + other.operations,
            writes: self.writes + other.writes,
            names: self.names + other.names,
            bytes: self.bytes + other.bytes,
        }
    }

    pub(crate) fn of(volume: &Volume) -> PendingSummary {
        let count =
            |is: fn(&Change) -> bool| volume.ops.values().filter(|op| is(&op.change)).count();
        PendingSummary {
            operations: volume.ops.len(),
            writes: count(|change| matches!(change, Change::Write { .. })),
            names: count(|change| matches!(change, Change::Names(_))),
            bytes: volume.pending_bytes,
        }
    }
}

/// What the last power loss did to a node's volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CrashReport {
    /// How it chose what survived.
    pub kind: CrashKind,
    /// Operations that were pending.
    pub pending: usize,
    /// Operations that survived whole.
    pub kept: usize,
    /// Writes whose bytes read differently now, torn ones not counted.
    pub writes_lost: u64,
    /// Writes of which a part survived.
    pub writes_torn: u64,
    /// Changes of names that are undone.
    pub names_lost: u64,
}

impl CrashReport {
    pub(crate) fn of(outcome: &Outcome) -> CrashReport {
        let count =
            |is: fn(&Loss) -> bool| outcome.losses.iter().filter(|loss| is(loss)).count() as u64;
        CrashReport {
            kind: outcome.kind,
            pending: outcome.pending,
            kept: outcome.kept,
            writes_lost: count(|loss| matches!(loss, Loss::Data { torn: false, .. })),
            writes_torn: count(|loss| matches!(loss, Loss::Data { torn: true, .. })),
            names_lost: count(|loss| matches!(loss, Loss::Names { .. })),
        }
    }
}

/// How many losses one piece of evidence spells out.
const SPELLED_OUT_MAX: usize = 8;

/// Enters the losses of a power loss into the ledger: those of the power loss itself under
/// `blame`, those that a failed fsync had prepared under that fault. Leaves scars for the guest
/// to meet.
pub(crate) fn enter_losses(
    world: &World,
    volume: &mut Volume,
    losses: &[Loss],
    blame: Option<FaultId>,
) {
    let mut rows: Vec<(FaultId, &'static str, Vec<String>)> = Vec::new();
    for loss in losses {
        let Some(fault) = loss.culprit(blame) else {
            continue;
        };
        let counter = loss.counter();
        match rows
            .iter_mut()
            .find(|row| (row.0, row.1) == (fault, counter))
        {
            Some((_, _, list)) => list.push(loss.describe()),
            None => rows.push((fault, counter, Vec::from([loss.describe()]))),
        }
        leave_scars(volume, loss, fault);
    }
    for (fault, counter, list) in rows {
        world
            .ledger()
            .inject(fault, counter, list.len() as u64, || spell_out(&list));
    }
}

fn spell_out(list: &[String]) -> String {
    let mut text = list[..list.len().min(SPELLED_OUT_MAX)].join(", ");
    if list.len() > SPELLED_OUT_MAX {
        text += &format!(" and {} more", list.len() - SPELLED_OUT_MAX);
    }
    text
}

fn leave_scars(volume: &mut Volume, loss: &Loss, fault: FaultId) {
    let met = Met {
        fault,
        counter: "crash-state-read",
        what: loss.describe(),
    };
    match loss {
        Loss::Data {
            inode, offset, len, ..
        } => {
            if volume.exists(*inode) {
                volume.scars.add_range(*inode, *offset, *len, met);
            }
        }
        Loss::Names { entries } => {
            for (dir, name, _) in entries {
                if volume.exists(*dir) {
                    volume.scars.add_name(*dir, name.clone(), met.clone());
                }
            }
        }
    }
}

impl Loss {
    fn culprit(&self, blame: Option<FaultId>) -> Option<FaultId> {
        match self {
            Loss::Data {
                doomed: Some(fault),
                ..
            } => Some(*fault),
            Loss::Data { .. } | Loss::Names { .. } => blame,
        }
    }

    fn counter(&self) -> &'static str {
        match self {
            Loss::Data { torn: true, .. } => "writes-torn",
            Loss::Data { .. } => "writes-lost",
            Loss::Names { .. } => "names-lost",
        }
    }

    fn describe(&self) -> String {
        match self {
            Loss::Data {
                path,
                offset,
                len,
                torn,
                ..
            } => {
                let how = if *torn { "torn" } else { "lost" };
                format!("{path} bytes {offset}..{} {how}", offset + len)
            }
            Loss::Names { entries } => {
                let paths: Vec<&str> = entries.iter().map(|(_, _, path)| path.as_str()).collect();
                format!("change of {} lost", paths.join(" and "))
            }
        }
    }
}
