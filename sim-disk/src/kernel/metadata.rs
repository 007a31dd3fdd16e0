//! What stat(2) and readdir(3) tell.

use std::ffi::OsString;

use crate::state::inode::{Body, InodeId, Kind};
use crate::state::pages::{PAGE, SECTOR};

/// What stat(2) tells of an inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metadata {
    /// Inode number, unique on its volume for ever.
    pub inode: u64,
    /// A directory, else a file.
    pub is_dir: bool,
    /// Size in bytes; 4096 for a directory, as ext4 has it.
    pub len: u64,
    /// Permission bits; remembered, not enforced.
    pub mode: u32,
    /// Hard links; for a directory 2 and one for each sub-directory.
    pub links: u32,
    /// Space in sectors of 512 bytes; holes take none.
    pub blocks: u64,
    /// What the node's wall clock showed at the last change, in nanoseconds since 1970.
    pub modified_unix_ns: u64,
}

impl Metadata {
    pub(crate) fn of(id: InodeId, body: &Body) -> Metadata {
        let (is_dir, len, links, pages) = match &body.kind {
            Kind::File { size, pages } => (false, *size, body.links, pages.count()),
            Kind::Dir { subdirs, .. } => (true, PAGE, 2 + subdirs, 1),
        };
        Metadata {
            inode: id.0,
            is_dir,
            len,
            mode: body.mode,
            links,
            blocks: pages * (PAGE / SECTOR),
            modified_unix_ns: body.modified_ns,
        }
    }
}

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirEntry {
    /// The name, without the directory.
    pub name: OsString,
    /// What it names is a directory.
    pub is_dir: bool,
    /// The inode that it names.
    pub inode: u64,
}
