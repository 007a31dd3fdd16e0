//! Power loss: what is left, and what that took from whom.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::inode::{Body, Inode, InodeId, Kind, Name};
use super::op::{Change, Op, Side, Slot, apply};
use super::order::{Dependencies, dependencies};
use super::pending::OpId;
use super::select::{Below, CrashKind, Selection, select};
use super::volume::Volume;
use crate::hash::scatter;
use sim_runtime::FaultId;

/// Something that was visible before a power loss and is different after it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    /// A range of a file. `doomed`: a failed fsync had given it up before.
    Data {
        inode: InodeId,
        path: String,
        offset: u64,
        len: u64,
        torn: bool,
        doomed: Option<FaultId>,
    },
    /// Directory entries that changed together.
    Names {
        entries: Vec<(InodeId, Name, String)>,
    },
}

/// What a power loss did to a volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) kind: CrashKind,
    pub(crate) pending: usize,
    pub(crate) kept: usize,
    pub(crate) losses: Vec<Loss>,
}

impl Volume {
    /// The pending operations with what they depend on.
    pub(crate) fn pending(&self) -> (Vec<OpId>, Vec<&Op>, Dependencies) {
        let ids = self.ops.ids().collect();
        let ops: Vec<&Op> = self.ops.values().collect();
        let deps = dependencies(&ops, self.rules.profile, self.rules.tear);
        (ids, ops, deps)
    }

    /// The power goes: draws what survives and leaves the volume as the next boot finds it.
    /// `partial`: in the middle of a sync.
    pub(crate) fn power_loss(&mut self, partial: bool, below: Below<'_>) -> Outcome {
        let (_, ops, deps) = self.pending();
        let selection = select(&ops, &deps, self.rules.tear, partial, below);
        self.crash(&selection)
    }

    /// Leaves what `selection` keeps, and nothing else.
    pub(crate) fn crash(&mut self, selection: &Selection) -> Outcome {
        let paths = self.paths();
        let pending = std::mem::take(&mut self.ops);
        self.entangled.clear();
        let mut unlinked = Vec::new();
        let mut lost = Vec::new();
        for (at, op) in pending.values().enumerate() {
            let torn = selection.torn.as_ref().filter(|(torn, _)| *torn == at);
            if selection.kept[at] && self.media.is_idle() {
                apply(&mut self.inodes, Side::Media, op, None, &mut unlinked);
            } else if selection.kept[at] {
                self.write_to_media(op);
            } else if let Some((_, ranges)) = torn {
                apply(
                    &mut self.inodes,
                    Side::Media,
                    op,
                    Some(ranges),
                    &mut unlinked,
                );
                if let Some((range, number)) = &selection.garbage {
                    self.fill_with_garbage(op, range, *number);
                }
                lost.push((op, true));
            } else {
                lost.push((op, false));
            }
        }
        self.trim_media();
        let reachable = self.media_reachable();
        let mut losses = self.doomed_losses(&paths, &reachable);
        losses.extend(self.losses(&lost, &paths, &reachable));
        self.restart_from_media(&reachable);
        Outcome {
            kind: selection.kind,
            pending: pending.len(),
            kept: selection.kept.iter().filter(|&&kept| kept).count(),
            losses,
        }
    }

    fn fill_with_garbage(&mut self, op: &Op, range: &Range<usize>, number: u64) {
        let Change::Write { inode, offset, .. } = &op.change else {
            return;
        };
        let garbage = |at: usize| scatter(number ^ at as u64) as u8;
        let bytes: Vec<u8> = range.clone().map(garbage).collect();
        let inode = self.inodes.get_mut(inode);
        if let Some(Kind::File { pages, .. }) = inode.map(|inode| &mut inode.media.kind) {
            pages.write(offset + range.start as u64, &bytes);
        }
    }

    /// Bytes beyond the end of a file are not part of it.
    fn trim_media(&mut self) {
        for inode in self.inodes.values_mut() {
            if let Kind::File { size, pages } = &mut inode.media.kind {
                pages.truncate(*size);
            }
        }
    }

    /// The path of every inode that the guest could see, one of them if it has several.
    fn paths(&self) -> BTreeMap<InodeId, String> {
        let mut paths = BTreeMap::from([(InodeId::ROOT, String::new())]);
        let mut todo = Vec::from([InodeId::ROOT]);
        while let Some(dir) = todo.pop() {
            let at = paths[&dir].clone();
            for (name, &child) in self.cache(dir).entries().into_iter().flatten() {
                if let Entry::Vacant(vacant) = paths.entry(child) {
                    vacant.insert(format!("{at}/{}", String::from_utf8_lossy(name)));
                    todo.push(child);
                }
            }
        }
        paths
    }

    fn media_reachable(&self) -> BTreeSet<InodeId> {
        let mut reachable = BTreeSet::from([InodeId::ROOT]);
        let mut todo = Vec::from([InodeId::ROOT]);
        while let Some(dir) = todo.pop() {
            let entries = self.inodes[&dir].media.entries();
            todo.extend(entries.into_iter().flatten().filter_map(|(_, &child)| {
                (self.inodes.contains_key(&child) && reachable.insert(child)).then_some(child)
            }));
        }
        reachable
    }

    fn doomed_losses(
        &self,
        paths: &BTreeMap<InodeId, String>,
        reachable: &BTreeSet<InodeId>,
    ) -> Vec<Loss> {
        let mut losses = Vec::new();
        for (&id, inode) in &self.inodes {
            let Some(path) = paths.get(&id) else { continue };
            for doomed in &inode.doomed {
                if differs(inode, reachable.contains(&id), doomed.offset, doomed.len) {
                    losses.push(Loss::Data {
                        inode: id,
                        path: path.clone(),
                        offset: doomed.offset,
                        len: doomed.len,
                        torn: false,
                        doomed: Some(doomed.fault),
                    });
                }
            }
        }
        losses
    }

    /// What the guest can tell from the operations that did not survive.
    fn losses(
        &self,
        lost: &[(&Op, bool)],
        paths: &BTreeMap<InodeId, String>,
        reachable: &BTreeSet<InodeId>,
    ) -> Vec<Loss> {
        let mut losses = Vec::new();
        let mut with_data = BTreeSet::new();
        let mut resized = BTreeSet::new();
        for (op, torn) in lost {
            match &op.change {
                Change::Write {
                    inode,
                    offset,
                    bytes,
                } => {
                    let Some(path) = paths.get(inode) else {
                        continue;
                    };
                    let len = bytes.len() as u64;
                    if differs(&self.inodes[inode], reachable.contains(inode), *offset, len) {
                        with_data.insert(*inode);
                        losses.push(Loss::Data {
                            inode: *inode,
                            path: path.clone(),
                            offset: *offset,
                            len,
                            torn: *torn,
                            doomed: None,
                        });
                    }
                }
                Change::Resize { inode, .. } => {
                    resized.insert(*inode);
                }
                Change::Attributes { .. } => {}
                Change::Names(names) => {
                    let changed = |slot: &&Slot| {
                        paths.contains_key(&slot.dir) && self.entry_differs(slot.dir, &slot.name)
                    };
                    let entry = |slot: &Slot| {
                        let name = String::from_utf8_lossy(&slot.name);
                        let path = format!("{}/{name}", paths[&slot.dir]);
                        (slot.dir, slot.name.clone(), path)
                    };
                    let entries: Vec<_> = names.slots.iter().filter(changed).map(entry).collect();
                    if !entries.is_empty() {
                        losses.push(Loss::Names { entries });
                    }
                }
            }
        }
        for id in resized.difference(&with_data) {
            losses.extend(self.size_loss(*id, paths, reachable));
        }
        losses
    }

    /// The size alone was lost: data that survived is not part of the file any more, or data
    /// that was cut off is back.
    fn size_loss(
        &self,
        id: InodeId,
        paths: &BTreeMap<InodeId, String>,
        reachable: &BTreeSet<InodeId>,
    ) -> Option<Loss> {
        let path = paths.get(&id)?.clone();
        let inode = &self.inodes[&id];
        let (was, is) = (inode.cache.size(), inode.media.size());
        if was == is || !reachable.contains(&id) {
            return None;
        }
        let (offset, len) = (was.min(is), was.abs_diff(is));
        Some(Loss::Data {
            inode: id,
            path,
            offset,
            len,
            torn: false,
            doomed: None,
        })
    }

    fn entry_differs(&self, dir: InodeId, name: &Name) -> bool {
        let inode = &self.inodes[&dir];
        let of = |body: &Body| body.entries().and_then(|all| all.get(name).copied());
        of(&inode.cache) != of(&inode.media)
    }

    /// The next boot finds the media, and nothing in the cache.
    fn restart_from_media(&mut self, reachable: &BTreeSet<InodeId>) {
        self.inodes.retain(|id, _| reachable.contains(id));
        self.recount_media_links();
        self.pending_bytes = 0;
        self.pages_used = 0;
        for inode in self.inodes.values_mut() {
            inode.pending.clear();
            inode.naming.clear();
            inode.doomed.clear();
            inode.opens = 0;
            inode.cache = inode.media.clone();
            if let Kind::File { pages, .. } = &inode.cache.kind {
                self.pages_used += pages.count();
            }
        }
        self.open(InodeId::ROOT);
        let inodes = &self.inodes;
        self.scars.retain_inodes(|id| inodes.contains_key(&id));
        self.media.retain_inodes(|id| inodes.contains_key(&id));
    }
}

impl Volume {
    /// Names in directories that nothing reaches count no more.
    fn recount_media_links(&mut self) {
        let mut links: BTreeMap<InodeId, u32> = BTreeMap::new();
        let mut dirs: BTreeMap<InodeId, u32> = BTreeMap::new();
        let mut parents: BTreeMap<InodeId, InodeId> = BTreeMap::new();
        for (&id, inode) in &self.inodes {
            for child in inode
                .media
                .entries()
                .into_iter()
                .flatten()
                .map(|(_, child)| *child)
            {
                *links.entry(child).or_default() += 1;
                parents.insert(child, id);
                *dirs.entry(id).or_default() += u32::from(self.inodes[&child].media.is_dir());
            }
        }
        for (id, inode) in &mut self.inodes {
            inode.media.links = links.get(id).copied().unwrap_or_default();
            if let Kind::Dir {
                subdirs, parent, ..
            } = &mut inode.media.kind
            {
                *subdirs = dirs.get(id).copied().unwrap_or_default();
                *parent = parents.get(id).copied().unwrap_or(InodeId::ROOT);
            }
        }
    }
}

/// Does a range of a file read differently from the media than from the cache?
fn differs(inode: &Inode, is_reachable: bool, offset: u64, len: u64) -> bool {
    if !is_reachable {
        return true;
    }
    let read = |body: &Body| {
        let mut bytes = vec![0; len as usize];
        let read = body.read(offset, &mut bytes);
        bytes.truncate(read);
        bytes
    };
    read(&inode.cache) != read(&inode.media)
}
