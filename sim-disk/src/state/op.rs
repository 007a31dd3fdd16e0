//! Pending operations and the one function that gives each its meaning, on the cache when the
//! guest calls, on the media when it becomes durable.

use std::collections::BTreeMap;
use std::ops::Range;

use super::inode::{Body, Inode, InodeId, Kind, Name};
use super::pages::Payload;

/// One step that becomes durable whole (but for a torn write).
#[derive(Clone, Debug)]
pub(crate) struct Op {
    /// Virtual time of the call, in ns.
    pub(crate) time_ns: u64,
    pub(crate) change: Change,
}

/// What an operation does.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Bytes within one page.
    Write {
        inode: InodeId,
        offset: u64,
        bytes: Payload,
    },
    /// The size becomes `size`, having been `from`.
    Resize {
        inode: InodeId,
        from: u64,
        size: u64,
    },
    /// Permission bits and times.
    Attributes { inode: InodeId, set: Attributes },
    /// Directory entries, all or none of them.
    Names(Box<Names>),
}

/// Attributes that change; None leaves one as it is.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Attributes {
    pub(crate) mode: Option<u32>,
    pub(crate) accessed_ns: Option<u64>,
    pub(crate) modified_ns: Option<u64>,
}

/// Directory entries that change together.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) slots: Vec<Slot>,
    /// The directory that loses its only name.
    pub(crate) removed_dir: Option<InodeId>,
    /// The directory that gets another place.
    pub(crate) moved_dir: Option<InodeId>,
    /// Directories whose own names must be there first, so that a rename into a new directory
    /// can't lose the file.
    pub(crate) needs: Vec<InodeId>,
}

/// The new target of one directory entry.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) dir: InodeId,
    pub(crate) name: Name,
    pub(crate) target: Option<InodeId>,
}

impl Names {
    /// Depends on nothing but earlier operations of the same directory.
    pub(crate) fn is_local(&self) -> bool {
        let dir = self.slots[0].dir;
        self.removed_dir.is_none()
            && self.moved_dir.is_none()
            && self.needs.is_empty()
            && self.slots.iter().all(|slot| slot.dir == dir)
    }
}

impl Change {
    /// The inode whose content changes; None for names.
    pub(crate) fn file(&self) -> Option<InodeId> {
        match self {
            Change::Write { inode, .. }
            | Change::Resize { inode, .. }
            | Change::Attributes { inode, .. } => Some(*inode),
            Change::Names(_) => None,
        }
    }

    /// Does it change the metadata of the file system (all but data)?
    pub(crate) fn is_metadata(&self) -> bool {
        !matches!(self, Change::Write { .. })
    }

    /// Bytes it holds in memory.
    pub(crate) fn payload(&self) -> u64 {
        match self {
            Change::Write { bytes, .. } => bytes.len() as u64,
            _ => 0,
        }
    }
}

/// Which version of the inodes an operation is applied to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Cache,
    Media,
}

/// All inodes of a volume.
pub(crate) type Inodes = BTreeMap<InodeId, Inode>;

/// The body of an inode on one side.
pub(crate) fn body_mut(inodes: &mut Inodes, side: Side, id: InodeId) -> Option<&mut Body> {
    let inode = inodes.get_mut(&id)?;
    Some(match side {
        Side::Cache => &mut inode.cache,
        Side::Media => &mut inode.media,
    })
}

/// Applies `op` to one side. With `torn`, only those byte ranges of a write are stored.
/// Inodes that lost a link are appended to `unlinked`.
pub(crate) fn apply(
    inodes: &mut Inodes,
    side: Side,
    op: &Op,
    torn: Option<&[Range<usize>]>,
    unlinked: &mut Vec<InodeId>,
) {
    match &op.change {
        Change::Write {
            inode,
            offset,
            bytes,
        } => {
            let Some(body) = body_mut(inodes, side, *inode) else {
                return;
            };
            body.times.modify(op.time_ns);
            let Kind::File { pages, .. } = &mut body.kind else {
                return;
            };
            match torn {
                None => {
                    pages.store(*offset, bytes);
                }
                Some(ranges) => {
                    for range in ranges {
                        pages.write(offset + range.start as u64, &bytes[range.clone()]);
                    }
                }
            }
        }
        Change::Resize {
            inode, size: new, ..
        } => {
            let Some(body) = body_mut(inodes, side, *inode) else {
                return;
            };
            body.times.modify(op.time_ns);
            let Kind::File { size, pages } = &mut body.kind else {
                return;
            };
            if new < size {
                pages.truncate(*new);
            }
            *size = *new;
        }
        Change::Attributes { inode, set } => {
            if let Some(body) = body_mut(inodes, side, *inode) {
                set.apply(body, op.time_ns);
            }
        }
        Change::Names(names) => {
            for slot in &names.slots {
                apply_slot(inodes, side, slot, op.time_ns, unlinked);
            }
        }
    }
}

impl Attributes {
    fn apply(&self, body: &mut Body, now_ns: u64) {
        body.mode = self.mode.unwrap_or(body.mode);
        let times = &mut body.times;
        times.accessed_ns = self.accessed_ns.unwrap_or(times.accessed_ns);
        times.modified_ns = self.modified_ns.unwrap_or(times.modified_ns);
        times.changed_ns = now_ns;
    }
}

fn apply_slot(
    inodes: &mut Inodes,
    side: Side,
    slot: &Slot,
    time_ns: u64,
    unlinked: &mut Vec<InodeId>,
) {
    let Some(dir) = body_mut(inodes, side, slot.dir) else {
        return;
    };
    let Kind::Dir { entries, .. } = &mut dir.kind else {
        return;
    };
    dir.times.modify(time_ns);
    let old = match slot.target {
        Some(target) => entries.insert(slot.name.clone(), target),
        None => entries.remove(&slot.name),
    };
    let mut subdirs_change = 0i64;
    if let Some(body) = old.and_then(|old| body_mut(inodes, side, old)) {
        body.links -= 1;
        body.times.changed_ns = time_ns;
        subdirs_change -= i64::from(body.is_dir());
        unlinked.extend(old);
    }
    if let Some(body) = slot
        .target
        .and_then(|target| body_mut(inodes, side, target))
    {
        body.links += 1;
        body.times.changed_ns = time_ns;
        subdirs_change += i64::from(body.is_dir());
        if let Kind::Dir { parent, .. } = &mut body.kind {
            *parent = slot.dir;
        }
    }
    let dir = body_mut(inodes, side, slot.dir).expect("looked up above");
    if let Kind::Dir { subdirs, .. } = &mut dir.kind {
        *subdirs = subdirs
            .checked_add_signed(subdirs_change as i32)
            .expect("counted both ways");
    }
}
