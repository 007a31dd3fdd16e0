//! A volume: inodes in two versions and the ordered operations between them; file content.

use std::collections::BTreeSet;
use std::io;

use super::inode::{Body, Inode, InodeId, Kind, Name};
use super::media::Media;
use super::op::{Attributes, Change, Inodes, Names, Op, Side, Slot, apply};
use super::pages::{PAGE, Pages, Payload, Spare, split};
use super::pending::{OpId, Pending};
use super::scars::Scars;
use crate::config::{Profile, TearUnit};
use crate::content_hash::digest_of_write;
use crate::errno::errno;

/// Largest file size, as the kernel's `loff_t` has it.
pub(crate) const SIZE_MAX: u64 = i64::MAX as u64;

/// How a volume behaves; the same for all volumes of a simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) profile: Profile,
    pub(crate) tear: TearUnit,
    /// Pages that fit, if there is a limit.
    pub(crate) capacity_pages: Option<u64>,
    /// Pending operations beyond which the older half is written back.
    pub(crate) dirty_ops_max: usize,
    /// Pending bytes beyond which the older half is written back.
    pub(crate) dirty_bytes_max: u64,
}

/// One file system.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) rules: Rules,
    pub(crate) inodes: Inodes,
    /// All pending operations, in the order of the calls.
    pub(crate) ops: Pending,
    /// Those of them that one file's sync may have to take along from elsewhere: changes of names
    /// under `posix-weak`, of any metadata under `ext4-ordered`; nothing is looked up under
    /// `sequential`. So a sync need not look at all that is pending.
    pub(crate) entangled: BTreeSet<OpId>,
    pub(crate) pending_bytes: u64,
    /// Pages that the cache holds; what capacity is counted in.
    pub(crate) pages_used: u64,
    /// What crashes took and no guest has met yet.
    pub(crate) scars: Scars,
    pub(crate) media: Media,
    pub(crate) spare: Spare,
    next_inode: u64,
}

impl Volume {
    /// An empty volume with a durable `/` and `/tmp`.
    pub(crate) fn new(rules: Rules, now_ns: u64) -> Volume {
        let mut volume = Volume {
            rules,
            inodes: Inodes::new(),
            ops: Pending::default(),
            entangled: BTreeSet::new(),
            pending_bytes: 0,
            pages_used: 0,
            scars: Scars::default(),
            media: Media::default(),
            spare: Spare::default(),
            next_inode: InodeId::ROOT.0,
        };
        let root = volume.allocate(Body::dir(0o755, now_ns));
        assert_eq!(root, InodeId::ROOT);
        volume.open(root);
        let tmp = volume.ensure_dir(b"tmp", now_ns);
        volume.set_attributes(
            tmp,
            Attributes {
                mode: Some(0o1777),
                ..Attributes::default()
            },
            now_ns,
        );
        volume.sync_all();
        volume
    }

    /// The directory at a path without dots and links, made durably where it is missing.
    pub(crate) fn ensure_dir(&mut self, path: &[u8], now_ns: u64) -> InodeId {
        let mut at = InodeId::ROOT;
        for part in path
            .split(|&byte| byte == b'/')
            .filter(|part| !part.is_empty())
        {
            let entries = self.cache(at).entries().expect("a directory, or made here");
            if let Some(&child) = entries.get(part) {
                at = child;
                continue;
            }
            let child = self.allocate(Body::dir(0o755, now_ns));
            let names = Names {
                slots: vec![Slot {
                    dir: at,
                    name: Name::from(part),
                    target: Some(child),
                }],
                removed_dir: None,
                moved_dir: None,
                needs: Vec::new(),
            };
            self.perform(now_ns, Change::Names(Box::new(names)));
            self.sync(at);
            at = child;
        }
        at
    }

    /// A new inode without a name.
    pub(crate) fn allocate(&mut self, body: Body) -> InodeId {
        let id = InodeId(self.next_inode);
        self.next_inode += 1;
        self.inodes.insert(id, Inode::new(body));
        id
    }

    /// What the guest sees of an inode.
    pub(crate) fn cache(&self, id: InodeId) -> &Body {
        &self
            .inodes
            .get(&id)
            .expect("an inode with a name or a descriptor exists")
            .cache
    }

    /// The directory that a directory is in.
    pub(crate) fn parent(&self, id: InodeId) -> Option<InodeId> {
        match &self.cache(id).kind {
            Kind::Dir { parent, .. } => Some(*parent),
            Kind::File { .. } | Kind::Symlink { .. } => None,
        }
    }

    /// The name by which a directory has an inode.
    pub(crate) fn name_of(&self, dir: InodeId, id: InodeId) -> Option<Name> {
        let entries = self.cache(dir).entries()?;
        let name = entries.iter().find(|(_, target)| **target == id)?.0;
        Some(Name::clone(name))
    }

    /// Where a symbolic link leads; None for anything else.
    pub(crate) fn link_target(&self, id: InodeId) -> Option<Name> {
        self.cache(id).link_target().cloned()
    }

    /// Is there such an inode?
    pub(crate) fn exists(&self, id: InodeId) -> bool {
        self.inodes.contains_key(&id)
    }

    pub(crate) fn inode_mut(&mut self, id: InodeId) -> &mut Inode {
        self.inodes
            .get_mut(&id)
            .expect("an inode with a name or a descriptor exists")
    }

    /// One more open description.
    pub(crate) fn open(&mut self, id: InodeId) {
        self.inode_mut(id).opens += 1;
    }

    /// One open description less; an inode without names goes with the last.
    pub(crate) fn release(&mut self, id: InodeId) {
        self.inode_mut(id).opens -= 1;
        self.forget_if_invisible(id);
    }

    /// Records an operation that the cache already shows.
    pub(crate) fn record(&mut self, time_ns: u64, change: Change) {
        let id = self.ops.next_id();
        match &change {
            Change::Names(names) => {
                for (at, slot) in names.slots.iter().enumerate() {
                    if names.slots[..at]
                        .iter()
                        .all(|earlier| earlier.dir != slot.dir)
                    {
                        self.inode_mut(slot.dir).pending.push(id);
                    }
                    if let Some(target) = slot.target {
                        self.inode_mut(target).naming.push(id);
                    }
                }
            }
            Change::Write { inode, .. }
            | Change::Resize { inode, .. }
            | Change::Attributes { inode, .. } => self.inode_mut(*inode).pending.push(id),
        }
        self.pending_bytes += change.payload();
        let entangled = match self.rules.profile {
            Profile::PosixWeak => matches!(change, Change::Names(_)),
            Profile::Ext4Ordered => change.is_metadata(),
            Profile::Sequential => false,
        };
        if entangled {
            self.entangled.insert(id);
        }
        self.ops.push(Op { time_ns, change });
    }

    /// An operation is pending no more.
    ///
    /// # Panics
    /// When it was not.
    pub(crate) fn take_op(&mut self, id: OpId) -> Op {
        let op = self.ops.remove(&id).expect("only what is pending is taken");
        self.pending_bytes -= op.change.payload();
        if op.change.is_metadata() {
            self.entangled.remove(&id);
        }
        op
    }

    /// Applies an operation to the cache and records it.
    pub(crate) fn perform(&mut self, time_ns: u64, change: Change) {
        let op = Op { time_ns, change };
        let mut unlinked = Vec::new();
        apply(&mut self.inodes, Side::Cache, &op, None, &mut unlinked);
        self.record(time_ns, op.change);
        for id in unlinked {
            self.forget_if_invisible(id);
        }
    }

    /// Reads from a file; notes the scars that the read meets.
    ///
    /// # Errors
    /// `EIO` where the media have a latent error, with `past_cache` (`O_DIRECT`) also below what
    /// is dirty.
    pub(crate) fn read(
        &mut self,
        id: InodeId,
        offset: u64,
        buf: &mut [u8],
        past_cache: bool,
    ) -> io::Result<usize> {
        if self.scars.is_empty() && self.media.is_idle() {
            return Ok(self.cache(id).read(offset, buf));
        }
        let readable = self.meet_media(id, offset, buf.len() as u64, past_cache);
        let readable = readable.ok_or_else(|| errno(libc::EIO))?;
        let buf = &mut buf[..readable as usize];
        self.scars.meet_range(id, offset, readable);
        let read = self.cache(id).read(offset, buf);
        self.misread(id, offset, &mut buf[..read]);
        Ok(read)
    }

    /// Is there anything for the ledger?
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        !self.scars.is_empty() || self.media.has_receipts()
    }

    /// One of the paths of an inode; `?` when it has none.
    pub(crate) fn path_to(&self, id: InodeId) -> String {
        let mut path = String::new();
        let mut at = id;
        while at != InodeId::ROOT {
            let found = self.inodes.iter().find_map(|(&dir, inode)| {
                let mut entries = inode.cache.entries()?.iter();
                let name = entries.find(|(_, target)| **target == at)?.0;
                Some((dir, String::from_utf8_lossy(name).into_owned()))
            });
            let Some((dir, name)) = found else {
                return "?".to_owned();
            };
            path = format!("/{name}{path}");
            at = dir;
        }
        path
    }

    /// Writes to a file, as far as space lasts. Returns how many bytes that were, and a digest of
    /// them.
    ///
    /// # Errors
    /// `ENOSPC` when not one byte fits, `EFBIG` beyond the largest offset.
    pub(crate) fn write(
        &mut self,
        id: InodeId,
        offset: u64,
        bytes: &[u8],
        now_ns: u64,
    ) -> io::Result<(usize, u64)> {
        if bytes.is_empty() {
            return Ok((0, 0));
        }
        if offset
            .checked_add(bytes.len() as u64)
            .is_none_or(|end| end > SIZE_MAX)
        {
            return Err(errno(libc::EFBIG));
        }
        if !self.scars.is_empty() {
            self.scars.overwritten(id, offset, bytes.len() as u64);
        }
        let (mut written, mut digest) = (0, 0);
        for (page, within, done, take) in split(offset, bytes.len()) {
            let piece = &bytes[done..done + take];
            let Some(of_piece) = self.write_piece(id, page, within, piece, now_ns) else {
                break;
            };
            digest = match done {
                0 => of_piece,
                _ => digest_of_write(digest, [of_piece, done as u64]),
            };
            written = done + take;
        }
        if written == 0 {
            return Err(errno(libc::ENOSPC));
        }
        self.write_back_if_dirty();
        Ok((written, digest))
    }

    /// Writes within one page, and returns a digest of the bytes; None when there is no room for
    /// them.
    fn write_piece(
        &mut self,
        id: InodeId,
        page: u64,
        within: usize,
        piece: &[u8],
        now_ns: u64,
    ) -> Option<u64> {
        let full = self.rules.capacity_pages;
        let full = full.is_some_and(|capacity| self.pages_used >= capacity);
        let inode = self.inodes.get_mut(&id);
        let inode = inode.expect("an inode with a descriptor exists");
        let Kind::File { size, pages } = &mut inode.cache.kind else {
            panic!("only files can be opened for writing")
        };
        if full && !pages.has(page) {
            return None;
        }
        let from = *size;
        let offset = page * PAGE + within as u64;
        let end = offset + piece.len() as u64;
        *size = from.max(end);
        let (bytes, digest) = Payload::with_digest(piece, &mut self.spare);
        let taken = pages.store(offset, &bytes);
        inode.cache.times.modify(now_ns);
        inode.pending.push(self.ops.push(Op {
            time_ns: now_ns,
            change: Change::Write {
                inode: id,
                offset,
                bytes,
            },
        }));
        self.pending_bytes += piece.len() as u64;
        self.take_pages(taken);
        if end > from {
            self.record(
                now_ns,
                Change::Resize {
                    inode: id,
                    from,
                    size: end,
                },
            );
        }
        Some(digest)
    }

    /// Makes a file `size` bytes long.
    ///
    /// # Errors
    /// `EFBIG` beyond the largest offset.
    pub(crate) fn resize(&mut self, id: InodeId, size: u64, now_ns: u64) -> io::Result<()> {
        if size > SIZE_MAX {
            return Err(errno(libc::EFBIG));
        }
        self.scars.resized(id, size);
        let body = &mut self.inode_mut(id).cache;
        let Kind::File {
            size: current,
            pages,
        } = &mut body.kind
        else {
            return Err(errno(libc::EINVAL));
        };
        body.times.modify(now_ns);
        let from = std::mem::replace(current, size);
        let freed = if size < from { pages.truncate(size) } else { 0 };
        self.pages_used -= freed;
        if from != size {
            self.record(
                now_ns,
                Change::Resize {
                    inode: id,
                    from,
                    size,
                },
            );
        }
        self.write_back_if_dirty();
        Ok(())
    }

    /// Sets permission bits and times.
    pub(crate) fn set_attributes(&mut self, id: InodeId, set: Attributes, now_ns: u64) {
        let mode = set.mode.map(|mode| mode & 0o7777);
        let set = Attributes { mode, ..set };
        self.perform(now_ns, Change::Attributes { inode: id, set });
    }

    /// The cache holds so many pages more.
    pub(crate) fn take_pages(&mut self, pages: i64) {
        self.pages_used = self
            .pages_used
            .checked_add_signed(pages)
            .expect("pages are counted both ways");
    }

    /// Frees what nothing reaches any more; the media side goes when no crash can bring it back.
    pub(crate) fn forget_if_invisible(&mut self, id: InodeId) {
        let Some(inode) = self.inodes.get_mut(&id) else {
            return;
        };
        if !inode.is_invisible() {
            return;
        }
        if let Kind::File { size, pages } = &mut inode.cache.kind {
            *size = 0;
            self.pages_used -= std::mem::take::<Pages>(pages).count();
        }
        if inode.media.links > 0 || !inode.naming.is_empty() {
            return;
        }
        let inode = self.inodes.remove(&id).expect("looked up above");
        for op in inode.pending {
            assert!(
                self.take_op(op).change.file().is_some(),
                "rmdir waits for all names in the directory"
            );
        }
        self.scars.forget(id);
    }
}
