//! The disk in the world: a device, its descriptors, its calls, its faults.
//!
//! Reading order: `device`, `file` (calls on descriptors), `path` (calls on names), `trees`
//! (calls made of other calls), `faults`, `report`.

pub(crate) mod device;
pub(crate) mod faults;
pub(crate) mod file;
pub(crate) mod metadata;
mod path;
pub(crate) mod report;
mod trees;

/// Kinds of calls, for latency, faults and the digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpKind {
    /// open(2), with or without creating.
    Open,
    /// read(2), pread(2).
    Read,
    /// write(2), pwrite(2).
    Write,
    /// fsync(2), fdatasync(2).
    Sync,
    /// ftruncate(2).
    SetLen,
    /// stat(2), fstat(2) and what asks without changing.
    Stat,
    /// Listing a directory.
    ReadDir,
    /// chmod(2).
    SetMode,
    /// mkdir(2).
    CreateDir,
    /// rmdir(2).
    RemoveDir,
    /// rename(2).
    Rename,
    /// unlink(2).
    Unlink,
    /// link(2).
    Link,
    /// The power went: what is left of the volume.
    PowerLoss,
}
