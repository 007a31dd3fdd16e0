//! What a crash took, remembered until a guest meets it. A scar is met once: then it is evidence.

use std::collections::BTreeMap;

use super::inode::{InodeId, Name};
use sim_runtime::FaultId;

/// A loss that a guest met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Met {
    pub(crate) fault: FaultId,
    /// What the ledger counts it as.
    pub(crate) counter: &'static str,
    pub(crate) what: String,
}

/// A lost range of a file that is still there.
#[derive(Clone, Debug)]
struct Range {
    offset: u64,
    len: u64,
    met: Met,
}

/// All scars of a volume that nobody has met.
#[derive(Clone, Default, Debug)]
pub(crate) struct Scars {
    files: BTreeMap<InodeId, Vec<Range>>,
    names: BTreeMap<(InodeId, Name), Met>,
    met: Vec<Met>,
}

impl Scars {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.names.is_empty() && self.met.is_empty()
    }

    /// A range of a file differs from what was written.
    pub(crate) fn add_range(&mut self, id: InodeId, offset: u64, len: u64, met: Met) {
        self.files
            .entry(id)
            .or_default()
            .push(Range { offset, len, met });
    }

    /// A directory entry differs from what it was.
    pub(crate) fn add_name(&mut self, dir: InodeId, name: Name, met: Met) {
        self.names.insert((dir, name), met);
    }

    /// The guest meets something that left no scar.
    pub(crate) fn meet(&mut self, met: Met) {
        self.met.push(met);
    }

    /// The guest reads this range.
    pub(crate) fn meet_range(&mut self, id: InodeId, offset: u64, len: u64) {
        let end = offset.saturating_add(len);
        self.meet_file(id, |range| {
            range.offset < end && offset < range.offset + range.len
        });
    }

    /// The guest asks for the size: it meets what was lost at or beyond it.
    pub(crate) fn meet_size(&mut self, id: InodeId, size: u64) {
        self.meet_file(id, |range| range.offset + range.len > size);
    }

    fn meet_file(&mut self, id: InodeId, is_met: impl Fn(&Range) -> bool) {
        let Some(ranges) = self.files.get_mut(&id) else {
            return;
        };
        let met = ranges
            .extract_if(.., |range| is_met(range))
            .map(|range| range.met);
        self.met.extend(met);
        if ranges.is_empty() {
            self.files.remove(&id);
        }
    }

    /// The guest looks up an entry.
    pub(crate) fn meet_name(&mut self, dir: InodeId, name: &[u8]) {
        if !self.names.is_empty() {
            self.met.extend(self.names.remove(&(dir, name.into())));
        }
    }

    /// The guest lists a directory.
    pub(crate) fn meet_entries(&mut self, dir: InodeId) {
        let names = self.names.extract_if(.., |(of, _), _| *of == dir);
        self.met.extend(names.map(|(_, met)| met));
    }

    /// The guest wrote over a range without having read it.
    pub(crate) fn overwritten(&mut self, id: InodeId, offset: u64, len: u64) {
        let end = offset + len;
        self.heal(id, |range| {
            range.offset < end && offset < range.offset + range.len
        });
    }

    /// The guest changed the size: what lay beyond is gone by its own will.
    pub(crate) fn resized(&mut self, id: InodeId, size: u64) {
        self.heal(id, |range| range.offset + range.len > size);
    }

    fn heal(&mut self, id: InodeId, is_healed: impl Fn(&Range) -> bool) {
        let Some(ranges) = self.files.get_mut(&id) else {
            return;
        };
        ranges.retain(|range| !is_healed(range));
        if ranges.is_empty() {
            self.files.remove(&id);
        }
    }

    /// The inode is gone.
    pub(crate) fn forget(&mut self, id: InodeId) {
        self.files.remove(&id);
        self.names.retain(|(dir, _), _| *dir != id);
    }

    /// Forgets the scars of inodes that are gone.
    pub(crate) fn retain_inodes(&mut self, exists: impl Fn(InodeId) -> bool) {
        self.files.retain(|id, _| exists(*id));
        self.names.retain(|(dir, _), _| exists(*dir));
    }

    /// What was met since the last call.
    pub(crate) fn take_met(&mut self) -> Vec<Met> {
        std::mem::take(&mut self.met)
    }
}
