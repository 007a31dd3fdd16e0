//! What a guest does with its disk that is allowed and asks for trouble.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use sim_runtime::{NodeId, SimInstant, World, time};

use super::device::Disk;
use super::op_kind::OpKind;
use super::open_file::OpenFile;
use crate::config::VolumeId;
use crate::state::walk::Point;

/// A habit that loses data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LintKind {
    /// Two writes of one place were under way at once: which stays is chance.
    OverlappingWrites,
    /// A sync failed, and the guest went on with the file: what the sync should have written is
    /// not written by the next.
    IgnoredSyncError,
    /// A file got a name before its data was synced: a crash may leave the name alone.
    RenameBeforeSync,
    /// A rename was not followed by a sync of its directory: a crash may undo it.
    RenameWithoutDirSync,
    /// A range was read that nobody wrote: zeroes, as long as the media play along.
    ReadOfHole,
}

impl LintKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            LintKind::OverlappingWrites => "overlapping-writes",
            LintKind::IgnoredSyncError => "ignored-sync-error",
            LintKind::RenameBeforeSync => "rename-before-sync",
            LintKind::RenameWithoutDirSync => "rename-without-dir-sync",
            LintKind::ReadOfHole => "read-of-hole",
        }
    }
}

/// A lint that was hit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lint {
    /// Which.
    pub kind: LintKind,
    /// Whose.
    pub node: NodeId,
    /// The file.
    pub path: String,
    /// How often.
    pub times: u64,
    /// What happened the first time.
    pub first: String,
    /// When that was.
    pub at: SimInstant,
}

/// How long after a rename its directory should be synced.
const DIR_SYNC_NS: u64 = 1_000_000_000;

/// Writes of a file that are kept to see others overlap them.
const RECENT_WRITES_MAX: usize = 64;

/// Lints that are kept apart; what is like one of them is still counted.
const LINTS_MAX: usize = 1_000;

struct Written {
    range: Range<u64>,
    end_ns: u64,
    task: u64,
}

/// What is watched.
#[derive(Default)]
pub(crate) struct Watch {
    found: BTreeMap<(NodeId, LintKind, String), Lint>,
    /// When the call of a task began.
    begun: BTreeMap<u64, u64>,
    /// In the order of the calls, so by their ends.
    recent: BTreeMap<Point, VecDeque<Written>>,
    failed_syncs: BTreeSet<Point>,
    /// By directory, in the order of the calls.
    renamed: BTreeMap<Point, VecDeque<(NodeId, String, u64)>>,
}

fn now_ns() -> u64 {
    time::now().as_nanos()
}

fn task_of(world: &World) -> u64 {
    world.current_task().map_or(u64::MAX, |task| task.0)
}

impl Watch {
    fn hit(&mut self, kind: LintKind, node: NodeId, path: String, first: String) {
        let key = (node, kind, path.clone());
        if self.found.len() >= LINTS_MAX && !self.found.contains_key(&key) {
            return;
        }
        let lint = self.found.entry(key);
        let lint = lint.or_insert_with(|| Lint {
            kind,
            node,
            path,
            times: 0,
            first,
            at: time::now(),
        });
        lint.times += 1;
    }

    /// A process ended: what it had open cannot be gone on with, and what it renamed a moment ago
    /// it has no time to sync any more.
    pub(crate) fn forget(&mut self, volumes: &[VolumeId]) {
        self.overdue();
        let is_other = |at: &Point| !volumes.contains(&at.volume);
        self.failed_syncs.retain(is_other);
        self.recent.retain(|at, _| is_other(at));
        self.renamed.retain(|at, _| is_other(at));
    }

    /// Renames that should have been followed by a sync by now.
    fn overdue(&mut self) {
        let dirs: Vec<Point> = self.renamed.keys().copied().collect();
        for dir in dirs {
            self.overdue_in(dir);
        }
    }

    fn overdue_in(&mut self, dir: Point) {
        let now = now_ns();
        while let Some(renamed) = self.renamed.get_mut(&dir)
            && let Some((_, _, at)) = renamed.front()
            && now.saturating_sub(*at) >= DIR_SYNC_NS
            && let Some((node, path, _)) = renamed.pop_front()
        {
            let first = format!("rename to {path}, no sync of its directory");
            self.hit(LintKind::RenameWithoutDirSync, node, path, first);
        }
    }
}

impl Disk {
    /// What the guests' code does with its disks that asks for trouble, by node, kind and file;
    /// nothing unless the configuration asks for lints. At most 1,000 of them. A rename counts a
    /// second after it, unless its directory was synced or its node went down before.
    pub fn lints(&self) -> Vec<Lint> {
        let watch = &mut self.state.borrow_mut().watch;
        watch.overdue();
        watch.found.values().cloned().collect()
    }

    /// A call begins, to be made later by the same task.
    pub(crate) fn lint_begin(&self, world: &World, op: OpKind) {
        if self.config.lints && op == OpKind::Write {
            let watch = &mut self.state.borrow_mut().watch;
            watch.begun.insert(task_of(world), now_ns());
        }
    }

    pub(crate) fn lint_write(&self, world: &World, file: &OpenFile, range: Range<u64>) {
        if !self.config.lints {
            return;
        }
        let (node, task, now) = (world.current_node(), task_of(world), now_ns());
        let watch = &mut self.state.borrow_mut().watch;
        if watch.failed_syncs.contains(&file.point()) {
            let first = format!("write of {} after its sync failed", file.name());
            watch.hit(LintKind::IgnoredSyncError, node, file.name(), first);
        }
        let start = watch.begun.remove(&task).unwrap_or(now);
        let recent = watch.recent.entry(file.point()).or_default();
        let meanwhile = recent.iter().rev().take_while(|other| other.end_ns > start);
        let overlap = meanwhile.filter(|other| {
            other.task != task && other.range.start < range.end && range.start < other.range.end
        });
        let overlap = overlap.last();
        let first = overlap.map(|other| {
            format!(
                "bytes {}..{} and {}..{} of {} at once",
                other.range.start,
                other.range.end,
                range.start,
                range.end,
                file.name()
            )
        });
        if recent.len() >= RECENT_WRITES_MAX {
            recent.pop_front();
        }
        recent.push_back(Written {
            range,
            end_ns: now,
            task,
        });
        if let Some(first) = first {
            watch.hit(LintKind::OverlappingWrites, node, file.name(), first);
        }
    }

    pub(crate) fn lint_read(&self, world: &World, file: &OpenFile, range: Range<u64>) {
        if !self.config.lints || range.is_empty() {
            return;
        }
        let state = &mut *self.state.borrow_mut();
        let Some(volume) = state.volumes.get(&file.volume) else {
            return;
        };
        let hole = volume.first_hole(file.inode, range);
        if let Some(hole) = hole {
            let first = format!("byte {hole} of {}", file.name());
            let node = world.current_node();
            state
                .watch
                .hit(LintKind::ReadOfHole, node, file.name(), first);
        }
    }

    /// A sync was done, or failed.
    pub(crate) fn lint_sync(&self, world: &World, file: &OpenFile, failed: bool) {
        if !self.config.lints {
            return;
        }
        let watch = &mut self.state.borrow_mut().watch;
        if failed {
            watch.failed_syncs.insert(file.point());
            return;
        }
        watch.renamed.remove(&file.point());
        if watch.failed_syncs.remove(&file.point()) {
            let first = format!("sync of {} after one that failed", file.name());
            let node = world.current_node();
            watch.hit(LintKind::IgnoredSyncError, node, file.name(), first);
        }
    }

    /// A file got a new name in a directory.
    pub(crate) fn lint_rename(&self, world: &World, dir: Point, path: &[u8], has_dirty: bool) {
        let path = String::from_utf8_lossy(path).into_owned();
        let node = world.current_node();
        let watch = &mut self.state.borrow_mut().watch;
        if has_dirty {
            let first = format!("rename to {path} before its data was synced");
            watch.hit(LintKind::RenameBeforeSync, node, path.clone(), first);
        }
        let renamed = watch.renamed.entry(dir).or_default();
        renamed.push_back((node, path, now_ns()));
        watch.overdue_in(dir);
    }
}
