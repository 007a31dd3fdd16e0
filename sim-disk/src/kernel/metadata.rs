//! What stat(2), readdir(3) and statfs(2) tell.

use std::ffi::OsString;

use crate::config::VolumeId;
use crate::state::inode::{Body, InodeId, Kind};
use crate::state::pages::{PAGE, SECTOR};
use crate::state::volume::Volume;
use crate::state::walk::Point;

/// What an inode is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
}

impl FileKind {
    pub(crate) fn of(body: &Body) -> FileKind {
        match &body.kind {
            Kind::File { .. } => FileKind::File,
            Kind::Dir { .. } => FileKind::Dir,
            Kind::Symlink { .. } => FileKind::Symlink,
        }
    }

    /// The type in `st_mode`.
    pub fn mode_bits(self) -> u32 {
        match self {
            FileKind::File => libc::S_IFREG,
            FileKind::Dir => libc::S_IFDIR,
            FileKind::Symlink => libc::S_IFLNK,
        }
    }

    /// The type in `d_type`.
    pub fn entry_type(self) -> u8 {
        match self {
            FileKind::File => libc::DT_REG,
            FileKind::Dir => libc::DT_DIR,
            FileKind::Symlink => libc::DT_LNK,
        }
    }
}

/// What stat(2) tells of an inode. Times are what the node's wall clock showed, in nanoseconds
/// since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metadata {
    /// The volume that it is on; `st_dev`.
    pub volume: VolumeId,
    /// Inode number, unique on its volume for ever.
    pub inode: u64,
    /// What it is.
    pub kind: FileKind,
    /// Size in bytes; 4096 for a directory, as ext4 has it; for a link, of its target.
    pub len: u64,
    /// Permission bits; remembered, not enforced.
    pub mode: u32,
    /// Hard links; for a directory 2 and one for each sub-directory, 0 once it is removed.
    pub links: u32,
    /// Space in sectors of 512 bytes; holes take none.
    pub blocks: u64,
    /// When it was made.
    pub created_unix_ns: u64,
    /// Set by utimensat(2) alone, as under `noatime`.
    pub accessed_unix_ns: u64,
    /// The last change of content.
    pub modified_unix_ns: u64,
    /// The last change of anything.
    pub changed_unix_ns: u64,
}

impl Metadata {
    pub(crate) fn of(at: Point, body: &Body) -> Metadata {
        let (len, links, pages) = match &body.kind {
            Kind::File { size, pages } => (*size, body.links, pages.count()),
            Kind::Dir { .. } if body.links == 0 && at.inode != InodeId::ROOT => (PAGE, 0, 1),
            Kind::Dir { subdirs, .. } => (PAGE, 2 + subdirs, 1),
            Kind::Symlink { target } => (target.len() as u64, body.links, 0),
        };
        Metadata {
            volume: at.volume,
            inode: at.inode.0,
            kind: FileKind::of(body),
            len,
            mode: body.mode,
            links,
            blocks: pages * (PAGE / SECTOR),
            created_unix_ns: body.times.created_ns,
            accessed_unix_ns: body.times.accessed_ns,
            modified_unix_ns: body.times.modified_ns,
            changed_unix_ns: body.times.changed_ns,
        }
    }

    /// A directory?
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Dir
    }
}

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirEntry {
    /// The name, without the directory.
    pub name: OsString,
    /// What it names.
    pub kind: FileKind,
    /// The inode that it names.
    pub inode: u64,
}

impl DirEntry {
    /// Does it name a directory?
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Dir
    }
}

/// What statfs(2) tells of a volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VolumeStatus {
    /// The volume.
    pub volume: VolumeId,
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Blocks in all; a volume without a limit says 16 TiB.
    pub blocks: u64,
    /// Blocks that are free.
    pub blocks_free: u64,
    /// Inodes in use.
    pub inodes: u64,
    /// Longest name in bytes.
    pub name_bytes_max: u64,
}

/// What a volume without a limit says that it has.
const UNLIMITED_PAGES: u64 = (16 << 40) / PAGE;

impl VolumeStatus {
    pub(crate) fn of(id: VolumeId, volume: &Volume) -> VolumeStatus {
        let blocks = volume.rules.capacity_pages.unwrap_or(UNLIMITED_PAGES);
        VolumeStatus {
            volume: id,
            block_bytes: PAGE,
            blocks,
            blocks_free: blocks.saturating_sub(volume.pages_used),
            inodes: volume.inodes.len() as u64,
            name_bytes_max: 255,
        }
    }
}

/// A time for utimensat(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetTime {
    /// `UTIME_OMIT`.
    Keep,
    /// `UTIME_NOW`.
    Now,
    /// Nanoseconds since 1970.
    At(u64),
}

impl SetTime {
    pub(crate) fn resolve(self, now_ns: u64) -> Option<u64> {
        match self {
            SetTime::Keep => None,
            SetTime::Now => Some(now_ns),
            SetTime::At(at) => Some(at),
        }
    }
}
