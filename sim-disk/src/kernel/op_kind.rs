//! The calls that a guest makes, by kind.

/// Kinds of calls, for latency, faults and the digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpKind {
    /// open(2), with or without creating.
    Open,
    /// read(2), pread(2).
    Read,
    /// write(2), pwrite(2).
    Write,
    /// fsync(2), fdatasync(2), syncfs(2).
    Sync,
    /// truncate(2), ftruncate(2), fallocate(2).
    SetLen,
    /// stat(2), fstat(2) and what asks without changing.
    Stat,
    /// Listing a directory.
    ReadDir,
    /// chmod(2), utimensat(2).
    SetMode,
    /// mkdir(2).
    CreateDir,
    /// rmdir(2).
    RemoveDir,
    /// rename(2).
    Rename,
    /// unlink(2).
    Unlink,
    /// link(2), symlink(2).
    Link,
    /// sync_file_range(2).
    SyncRange,
    /// The power went: what is left of the volume.
    PowerLoss,
}

impl OpKind {
    /// Its name in evidence.
    pub fn name(self) -> &'static str {
        match self {
            OpKind::Open => "open",
            OpKind::Read => "read",
            OpKind::Write => "write",
            OpKind::Sync => "fsync",
            OpKind::SetLen => "truncate",
            OpKind::Stat => "stat",
            OpKind::ReadDir => "readdir",
            OpKind::SetMode => "chmod",
            OpKind::CreateDir => "mkdir",
            OpKind::RemoveDir => "rmdir",
            OpKind::Rename => "rename",
            OpKind::Unlink => "unlink",
            OpKind::Link => "link",
            OpKind::SyncRange => "sync_file_range",
            OpKind::PowerLoss => "power loss",
        }
    }
}
