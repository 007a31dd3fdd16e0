//! Power loss: which pending operations survive, what is torn, and what that took from whom.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::inode::{Inode, InodeId, Kind, Name};
use super::op::{Change, Op, OpId, Side, apply};
use super::order::{Dependencies, dependencies};
use super::pages::SECTOR;
use super::volume::Volume;
use crate::config::TearUnit;
use sim_runtime::FaultId;

/// How a power loss chose what survives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CrashKind {
    /// Nothing was pending.
    Clean,
    /// Everything reached the media just in time.
    All,
    /// Nothing did.
    Nothing,
    /// The first so many operations, in the order of the calls.
    Prefix,
    /// A random set, closed under what the profile orders.
    Subset,
    /// A closed set, and part of one more write.
    Torn,
}

/// The operations that survive, by position in the pending order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Selection {
    pub(crate) kind: CrashKind,
    pub(crate) kept: Vec<bool>,
    /// A write of which only these byte ranges survive.
    pub(crate) torn: Option<(usize, Vec<Range<usize>>)>,
}

/// Draws a number below its argument.
pub(crate) type Below<'a> = &'a mut dyn FnMut(u64) -> u64;

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

/// Chooses what survives. Draws nothing when nothing is pending.
pub(crate) fn select(
    ops: &[&Op],
    deps: &Dependencies,
    tear: TearUnit,
    below: Below<'_>,
) -> Selection {
    let n = ops.len();
    let selection = |kind, kept| Selection {
        kind,
        kept,
        torn: None,
    };
    if n == 0 {
        return selection(CrashKind::Clean, Vec::new());
    }
    match below(20) {
        0..2 => selection(CrashKind::All, vec![true; n]),
        2..5 => selection(CrashKind::Nothing, vec![false; n]),
        5..10 => {
            let len = if n > 1 {
                1 + below(n as u64 - 1)
            } else {
                below(2)
            };
            selection(
                CrashKind::Prefix,
                (0..n as u64).map(|at| at < len).collect(),
            )
        }
        10..15 => selection(CrashKind::Subset, random_closed(deps, below)),
        _ => {
            let kept = random_closed(deps, below);
            let torn = tear_frontier(ops, deps, &kept, tear, below);
            let kind = if torn.is_some() {
                CrashKind::Torn
            } else {
                CrashKind::Subset
            };
            Selection { kind, kept, torn }
        }
    }
}

/// Each operation whose needs are kept is kept with a probability drawn once.
fn random_closed(deps: &Dependencies, below: Below<'_>) -> Vec<bool> {
    let eighths = [1, 4, 6, 7][below(4) as usize];
    let mut kept = Vec::with_capacity(deps.len());
    for needs in deps {
        let possible = needs.iter().all(|&at| kept[at]);
        kept.push(possible && below(8) < eighths);
    }
    kept
}

/// Tears one write that did not survive whole, though all that it needs did.
fn tear_frontier(
    ops: &[&Op],
    deps: &Dependencies,
    kept: &[bool],
    tear: TearUnit,
    below: Below<'_>,
) -> Option<(usize, Vec<Range<usize>>)> {
    let candidates: Vec<(usize, Vec<Range<usize>>)> = (0..ops.len())
        .filter(|&at| !kept[at] && deps[at].iter().all(|&need| kept[need]))
        .filter_map(|at| Some((at, pieces(&ops[at].change, tear)?)))
        .collect();
    if candidates.is_empty() {
        return None;
    }
    let (at, units) = &candidates[below(candidates.len() as u64) as usize];
    if tear == TearUnit::None {
        let cut = 1 + below(units[0].end as u64 - 1) as usize;
        return Some((*at, Vec::from([0..cut])));
    }
    let all = (1u64 << units.len()) - 1;
    let mask = 1 + below(all - 1);
    let survives = |unit: &usize| mask >> unit & 1 == 1;
    Some((
        *at,
        (0..units.len())
            .filter(survives)
            .map(|unit| units[unit].clone())
            .collect(),
    ))
}

/// The pieces of a write that the media writes on its own; None when it can't be torn.
pub(crate) fn pieces(change: &Change, tear: TearUnit) -> Option<Vec<Range<usize>>> {
    let Change::Write { offset, bytes, .. } = change else {
        return None;
    };
    match tear {
        TearUnit::Atomic4096 => None,
        TearUnit::None => (bytes.len() > 1).then(|| Vec::from([0..bytes.len()])),
        TearUnit::Atomic512 => {
            let mut units = Vec::new();
            let mut start = 0;
            while start < bytes.len() {
                let within = (offset + start as u64) % SECTOR;
                let end = (start + (SECTOR - within) as usize).min(bytes.len());
                units.push(start..end);
                start = end;
            }
            (units.len() > 1).then_some(units)
        }
    }
}

impl Volume {
    /// The pending operations with what they depend on.
    pub(crate) fn pending(&self) -> (Vec<OpId>, Vec<&Op>, Dependencies) {
        let ids = self.ops.keys().copied().collect();
        let ops: Vec<&Op> = self.ops.values().collect();
        let deps = dependencies(&ops, self.rules.profile, self.rules.tear);
        (ids, ops, deps)
    }

    /// The power goes: draws what survives and leaves the volume as the next boot finds it.
    pub(crate) fn power_loss(&mut self, below: Below<'_>) -> Outcome {
        let (_, ops, deps) = self.pending();
        let selection = select(&ops, &deps, self.rules.tear, below);
        self.crash(&selection)
    }

    /// Leaves what `selection` keeps, and nothing else.
    pub(crate) fn crash(&mut self, selection: &Selection) -> Outcome {
        let paths = self.paths();
        let pending = std::mem::take(&mut self.ops);
        let mut unlinked = Vec::new();
        let mut lost = Vec::new();
        for (at, op) in pending.values().enumerate() {
            let torn = selection.torn.as_ref().filter(|(torn, _)| *torn == at);
            if selection.kept[at] {
                apply(&mut self.inodes, Side::Media, op, None, &mut unlinked);
            } else if let Some((_, ranges)) = torn {
                apply(
                    &mut self.inodes,
                    Side::Media,
                    op,
                    Some(ranges),
                    &mut unlinked,
                );
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
                if !paths.contains_key(&child) {
                    paths.insert(child, format!("{at}/{}", String::from_utf8_lossy(name)));
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
                    let changed = |slot: &&super::op::Slot| {
                        paths.contains_key(&slot.dir) && self.entry_differs(slot.dir, &slot.name)
                    };
                    let entry = |slot: &super::op::Slot| {
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
        let of = |body: &super::inode::Body| body.entries().and_then(|all| all.get(name).copied());
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
    }
}

impl Volume {
    /// Names in directories that nothing reaches count no more.
    fn recount_media_links(&mut self) {
        let mut links: BTreeMap<InodeId, u32> = BTreeMap::new();
        let mut dirs: BTreeMap<InodeId, u32> = BTreeMap::new();
        for (&id, inode) in &self.inodes {
            for child in inode
                .media
                .entries()
                .into_iter()
                .flatten()
                .map(|(_, child)| *child)
            {
                *links.entry(child).or_default() += 1;
                *dirs.entry(id).or_default() += u32::from(self.inodes[&child].media.is_dir());
            }
        }
        for (id, inode) in &mut self.inodes {
            inode.media.links = links.get(id).copied().unwrap_or_default();
            if let Kind::Dir { subdirs, .. } = &mut inode.media.kind {
                *subdirs = dirs.get(id).copied().unwrap_or_default();
            }
        }
    }
}

/// Does a range of a file read differently from the media than from the cache?
fn differs(inode: &Inode, is_reachable: bool, offset: u64, len: u64) -> bool {
    if !is_reachable {
        return true;
    }
    let read = |body: &super::inode::Body| {
        let mut bytes = vec![0; len as usize];
        let read = body.read(offset, &mut bytes);
        bytes.truncate(read);
        bytes
    };
    read(&inode.cache) != read(&inode.media)
}
