//! What must be durable before what, by profile. Dependencies are computed from the order of the
//! operations when somebody asks (a crash, a directory sync); a write pays nothing for them.

use std::collections::BTreeMap;

use super::inode::{InodeId, Name};
use super::op::{Change, Names, Op};
use super::pages::{PAGE, SECTOR};
use crate::config::{Profile, TearUnit};

/// For each operation, by position, the positions of those that it needs.
pub(crate) type Dependencies = Vec<Vec<usize>>;

/// The dependencies of `ops`, which are all pending operations of a volume in order.
pub(crate) fn dependencies(ops: &[&Op], profile: Profile, tear: TearUnit) -> Dependencies {
    let mut graph = Graph {
        ordered: profile == Profile::Ext4Ordered,
        ..Graph::default()
    };
    graph.unit = if tear == TearUnit::Atomic4096 {
        PAGE
    } else {
        SECTOR
    };
    ops.iter()
        .enumerate()
        .map(|(at, op)| {
            let mut needs = match profile {
                Profile::Sequential => Vec::from_iter(at.checked_sub(1)),
                Profile::PosixWeak | Profile::Ext4Ordered => graph.add(at, &op.change),
            };
            needs.sort_unstable();
            needs.dedup();
            needs
        })
        .collect()
}

/// The smallest closed set that holds `roots`.
pub(crate) fn closure(deps: &Dependencies, roots: impl IntoIterator<Item = usize>) -> Vec<bool> {
    let mut kept = vec![false; deps.len()];
    for root in roots {
        kept[root] = true;
    }
    for at in (0..deps.len()).rev() {
        if kept[at] {
            for &need in &deps[at] {
                kept[need] = true;
            }
        }
    }
    kept
}

/// Is everything that a kept operation needs kept, too?
#[cfg(test)]
pub(crate) fn is_closed(deps: &Dependencies, kept: &[bool]) -> bool {
    deps.iter()
        .zip(kept)
        .all(|(needs, &kept_one)| !kept_one || needs.iter().all(|&at| kept[at]))
}

/// The last operations that touched what later ones may touch.
#[derive(Default)]
struct Graph {
    /// Metadata is journalled in order, data goes before the size that reveals it.
    ordered: bool,
    /// What a write replaces whole, in bytes.
    unit: u64,
    writers: BTreeMap<(InodeId, u64), usize>,
    extending: BTreeMap<InodeId, Vec<(usize, u64)>>,
    resized: BTreeMap<InodeId, usize>,
    shrunk: BTreeMap<InodeId, usize>,
    attributes: BTreeMap<InodeId, usize>,
    slots: BTreeMap<(InodeId, Name), usize>,
    in_dir: BTreeMap<InodeId, Vec<usize>>,
    naming: BTreeMap<InodeId, usize>,
    dir_moved: Option<usize>,
    metadata: Option<usize>,
}

impl Graph {
    fn add(&mut self, at: usize, change: &Change) -> Vec<usize> {
        let mut needs = match change {
            Change::Write {
                inode,
                offset,
                bytes,
            } => self.write(at, *inode, *offset, bytes.len() as u64),
            Change::Resize { inode, from, size } => self.resize(at, *inode, *from, *size),
            Change::Attributes { inode, .. } => Vec::from_iter(self.attributes.insert(*inode, at)),
            Change::Names(names) => self.names(at, names),
        };
        if self.ordered && change.is_metadata() {
            needs.extend(self.metadata.replace(at));
        }
        needs
    }

    /// After the writes that it overlaps, and after a truncation that would undo it.
    fn write(&mut self, at: usize, inode: InodeId, offset: u64, len: u64) -> Vec<usize> {
        let mut needs = Vec::from_iter(self.shrunk.get(&inode).copied());
        for unit in offset / self.unit..=(offset + len - 1) / self.unit {
            needs.extend(self.writers.insert((inode, unit), at));
        }
        self.extending
            .entry(inode)
            .or_default()
            .push((at, offset + len));
        needs
    }

    /// After the resize before it; a truncation after the writes that it cuts; with ordered
    /// data, a growth after the writes that it reveals.
    fn resize(&mut self, at: usize, inode: InodeId, from: u64, size: u64) -> Vec<usize> {
        let mut needs = Vec::from_iter(self.resized.insert(inode, at));
        let shrinks = size < from;
        let writes = self.extending.entry(inode).or_default();
        if shrinks || self.ordered {
            let bound = from.min(size);
            needs.extend(
                writes
                    .iter()
                    .filter(|(_, end)| *end > bound)
                    .map(|(at, _)| *at),
            );
            writes.retain(|(_, end)| *end <= bound);
        }
        if shrinks {
            self.shrunk.insert(inode, at);
        }
        needs
    }

    /// After what last touched the same entries. The rest keeps renames from losing a file:
    /// removing a directory waits for all that happened in it, directories move one after the
    /// other, and a rename waits for the names of the directories that it goes into.
    fn names(&mut self, at: usize, names: &Names) -> Vec<usize> {
        let mut needs = Vec::new();
        if let Some(dir) = names.removed_dir {
            needs.extend(self.in_dir.get(&dir).into_iter().flatten());
            needs.extend(self.naming.get(&dir));
        }
        if names.moved_dir.is_some() {
            needs.extend(self.dir_moved.replace(at));
        }
        needs.extend(names.needs.iter().filter_map(|dir| self.naming.get(dir)));
        for slot in &names.slots {
            needs.extend(self.slots.insert((slot.dir, slot.name.clone()), at));
            self.in_dir.entry(slot.dir).or_default().push(at);
        }
        for target in names.slots.iter().filter_map(|slot| slot.target) {
            self.naming.insert(target, at);
        }
        needs.retain(|&need| need != at);
        needs
    }
}
