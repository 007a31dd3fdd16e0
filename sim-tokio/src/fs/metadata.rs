//! What is known of a file.

#![expect(clippy::disallowed_types, reason = "the interface is std's")]

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sim_disk::FileKind;

/// What stat(2) tells; the methods of `std::fs::Metadata`.
#[derive(Clone, Debug)]
pub struct Metadata(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Sim(sim_disk::Metadata),
    Real(std::fs::Metadata),
}

impl From<sim_disk::Metadata> for Metadata {
    fn from(metadata: sim_disk::Metadata) -> Self {
        Self(Repr::Sim(metadata))
    }
}

impl From<std::fs::Metadata> for Metadata {
    fn from(metadata: std::fs::Metadata) -> Self {
        Self(Repr::Real(metadata))
    }
}

#[expect(clippy::len_without_is_empty, reason = "std's has no is_empty either")]
impl Metadata {
    /// What kind of file it is.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        match &self.0 {
            Repr::Sim(metadata) => FileType::simulated(metadata.kind),
            Repr::Real(metadata) => metadata.file_type().into(),
        }
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    /// Whether it is a symbolic link.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.file_type().is_symlink()
    }

    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Repr::Sim(metadata) => metadata.len,
            Repr::Real(metadata) => metadata.len(),
        }
    }

    /// Permission bits.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        match &self.0 {
            Repr::Sim(metadata) => Permissions::from_mode(metadata.mode),
            Repr::Real(metadata) => metadata.permissions(),
        }
    }

    /// When it was last changed, by the guest's clock.
    ///
    /// # Errors
    /// As `std::fs::Metadata::modified`.
    pub fn modified(&self) -> io::Result<SystemTime> {
        match &self.0 {
            Repr::Sim(metadata) => Ok(UNIX_EPOCH + Duration::from_nanos(metadata.modified_unix_ns)),
            Repr::Real(metadata) => metadata.modified(),
        }
    }

    /// When it was last read; inside a simulation no read changes it (as under `noatime`).
    ///
    /// # Errors
    /// As `std::fs::Metadata::accessed`.
    pub fn accessed(&self) -> io::Result<SystemTime> {
        match &self.0 {
            Repr::Sim(metadata) => Ok(UNIX_EPOCH + Duration::from_nanos(metadata.accessed_unix_ns)),
            Repr::Real(metadata) => metadata.accessed(),
        }
    }

    /// When it was made.
    ///
    /// # Errors
    /// As `std::fs::Metadata::created`.
    pub fn created(&self) -> io::Result<SystemTime> {
        match &self.0 {
            Repr::Sim(metadata) => Ok(UNIX_EPOCH + Duration::from_nanos(metadata.created_unix_ns)),
            Repr::Real(metadata) => metadata.created(),
        }
    }

    /// Type and permission bits, as in `std::os::unix::fs::MetadataExt`.
    #[must_use]
    pub fn mode(&self) -> u32 {
        match &self.0 {
            Repr::Sim(metadata) => metadata.kind.mode_bits() | metadata.mode,
            Repr::Real(metadata) => metadata.mode(),
        }
    }

    /// Inode number.
    #[must_use]
    pub fn ino(&self) -> u64 {
        match &self.0 {
            Repr::Sim(metadata) => metadata.inode,
            Repr::Real(metadata) => metadata.ino(),
        }
    }

    /// Hard links.
    #[must_use]
    pub fn nlink(&self) -> u64 {
        match &self.0 {
            Repr::Sim(metadata) => metadata.links.into(),
            Repr::Real(metadata) => metadata.nlink(),
        }
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.len()
    }

    /// Space in units of 512 bytes.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        match &self.0 {
            Repr::Sim(metadata) => metadata.blocks,
            Repr::Real(metadata) => metadata.blocks(),
        }
    }
}

/// What kind of file it is; the methods of `std::fs::FileType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileType(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Dir,
    File,
    Symlink,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
    Unknown,
}

impl FileType {
    pub(crate) const fn simulated(kind: FileKind) -> Self {
        Self(match kind {
            FileKind::File => Kind::File,
            FileKind::Dir => Kind::Dir,
            FileKind::Symlink => Kind::Symlink,
        })
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.0 == Kind::Dir
    }

    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.0 == Kind::File
    }

    /// Whether it is a symbolic link.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.0 == Kind::Symlink
    }

    /// Whether it is a pipe with a name.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.0 == Kind::Fifo
    }

    /// Whether it is a socket.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.0 == Kind::Socket
    }

    /// Whether it is a character device.
    #[must_use]
    pub fn is_char_device(&self) -> bool {
        self.0 == Kind::CharDevice
    }

    /// Whether it is a block device.
    #[must_use]
    pub fn is_block_device(&self) -> bool {
        self.0 == Kind::BlockDevice
    }
}

impl From<std::fs::FileType> for FileType {
    fn from(file_type: std::fs::FileType) -> Self {
        let kinds = [
            (file_type.is_dir(), Kind::Dir),
            (file_type.is_file(), Kind::File),
            (file_type.is_symlink(), Kind::Symlink),
            (file_type.is_fifo(), Kind::Fifo),
            (file_type.is_socket(), Kind::Socket),
            (file_type.is_char_device(), Kind::CharDevice),
            (file_type.is_block_device(), Kind::BlockDevice),
        ];
        let kind = kinds.into_iter().find_map(|(is, kind)| is.then_some(kind));
        Self(kind.unwrap_or(Kind::Unknown))
    }
}
