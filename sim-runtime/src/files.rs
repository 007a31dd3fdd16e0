//! What a disk gives to code that opens files by itself: std, C libraries.
//!
//! Numbers, flags and errors are those of Linux. Calls never wait: whoever may block waits first,
//! as long as [`Files::latency`] says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use crate::ids::{Boot, Fd, NodeId};
use crate::world::World;

/// A path, and where it starts if it is relative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'p> {
    /// An open directory; `None`: the process's own.
    pub from: Option<Fd>,
    /// Without its NUL.
    pub path: &'p [u8],
}

/// What `stat(2)` tells of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// The file system's number.
    pub volume: u64,
    /// The file's number in it.
    pub inode: u64,
    /// Its type and who may do what, as in `st_mode`.
    pub mode: u32,
    /// Names that it has.
    pub links: u32,
    /// In bytes.
    pub size: u64,
    /// Space that it takes, in 512 bytes.
    pub blocks: u64,
    /// When it was last read, in nanoseconds since 1970, as all times here.
    pub accessed_unix_ns: u64,
    /// When its content was last changed.
    pub modified_unix_ns: u64,
    /// When anything of it was last changed.
    pub changed_unix_ns: u64,
    /// When it was made.
    pub made_unix_ns: u64,
}

/// What `statfs(2)` tells of a file system, in its blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Bytes in a block.
    pub block_bytes: u64,
    /// All blocks.
    pub blocks: u64,
    /// Those that are free.
    pub blocks_free: u64,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Without the directory.
    pub name: Vec<u8>,
    /// The number of what it names.
    pub inode: u64,
    /// Its type, as in `d_type`.
    pub kind: u8,
}

/// What a time of a file is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// It stays.
    Leave,
    /// The node's wall clock.
    Now,
    /// Nanoseconds since 1970.
    At(u64),
}

/// Calls by how long they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCall {
    /// Reads data or lists a directory.
    Read,
    /// Writes data or changes a size.
    Write,
    /// Makes durable.
    Sync,
    /// Names and attributes.
    Metadata,
}

/// How a lock excludes others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Others may share it.
    Shared,
    /// Nobody else may have it.
    Exclusive,
    /// It is given back.
    Unlock,
}

/// Which of a file's locks is meant, and who owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOwner {
    /// `flock(2)`: of the whole file, owned by the open description.
    Whole,
    /// `fcntl(2)`: of a range, owned by the process.
    Process,
    /// `fcntl(2)`, `F_OFD_SETLK`: of a range, owned by the open description.
    Description,
}

/// A lock that is asked for or held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLock {
    /// What it keeps out.
    pub kind: LockKind,
    /// Whose it is.
    pub owner: LockOwner,
    /// The first byte.
    pub start: u64,
    /// The byte after the last; `u64::MAX`: all that may follow.
    pub end: u64,
}

/// The file system of the running process.
#[expect(missing_docs, reason = "each is the system call of its name")]
#[expect(clippy::missing_errors_doc, reason = "those of the system call")]
pub trait Files {
    /// Flags are `O_*`; the mode is masked already.
    fn open(&self, at: Place<'_>, flags: i32, mode: u32) -> io::Result<Fd>;
    fn status(&self, at: Place<'_>, follow: bool) -> io::Result<FileStatus>;
    /// The mode is that of `access(2)`.
    fn access(&self, at: Place<'_>, mode: i32, follow: bool) -> io::Result<()>;
    fn make_dir(&self, at: Place<'_>, mode: u32) -> io::Result<()>;
    fn remove_dir(&self, at: Place<'_>) -> io::Result<()>;
    fn unlink(&self, at: Place<'_>) -> io::Result<()>;
    /// Flags are `RENAME_*`.
    fn rename(&self, from: Place<'_>, to: Place<'_>, flags: u32) -> io::Result<()>;
    fn link(&self, from: Place<'_>, to: Place<'_>, follow: bool) -> io::Result<()>;
    /// `linkat(2)` with `AT_EMPTY_PATH`.
    fn link_file(&self, from: Fd, to: Place<'_>) -> io::Result<()>;
    fn symlink(&self, target: &[u8], at: Place<'_>) -> io::Result<()>;
    fn read_link(&self, at: Place<'_>) -> io::Result<Vec<u8>>;
    /// `realpath(3)`.
    fn real_path(&self, at: Place<'_>) -> io::Result<Vec<u8>>;
    fn set_mode(&self, at: Place<'_>, mode: u32) -> io::Result<()>;
    /// The times of access and of modification.
    fn set_times(&self, at: Place<'_>, times: [SetTime; 2], follow: bool) -> io::Result<()>;
    fn truncate(&self, at: Place<'_>, length: u64) -> io::Result<()>;
    fn space(&self, at: Place<'_>) -> io::Result<Space>;
    /// `getcwd(2)`.
    fn directory(&self) -> io::Result<Vec<u8>>;
    /// `chdir(2)`.
    fn set_directory(&self, to: Place<'_>) -> io::Result<()>;
    /// `sync(2)`.
    fn sync_all(&self);
    /// `copy_file_range(2)`, from and to a place or the file's position.
    fn copy_range(
        &self,
        from: (Fd, Option<u64>),
        to: (Fd, Option<u64>),
        length: usize,
    ) -> io::Result<usize>;
    /// How long a call that begins now takes. [`Duration::MAX`]: for ever.
    fn latency(&self, call: FileCall) -> Duration;
}

/// A file or directory behind a descriptor. `fd` is the number that the guest named.
#[expect(missing_docs, reason = "each is the system call of its name")]
#[expect(clippy::missing_errors_doc, reason = "those of the system call")]
pub trait FileCalls {
    fn read(&self, fd: Fd, into: &mut [u8]) -> io::Result<usize>;
    fn pread(&self, fd: Fd, into: &mut [u8], offset: u64) -> io::Result<usize>;
    fn write(&self, fd: Fd, bytes: &[u8]) -> io::Result<usize>;
    fn pwrite(&self, fd: Fd, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// `whence` is `SEEK_*`.
    fn seek(&self, fd: Fd, offset: i64, whence: i32) -> io::Result<u64>;
    /// `fdatasync(2)`, or else `fsync(2)`.
    fn sync(&self, fd: Fd, only_data: bool) -> io::Result<()>;
    /// Flags are `SYNC_FILE_RANGE_*`.
    fn sync_range(&self, fd: Fd, range: (u64, u64), flags: u32) -> io::Result<()>;
    /// `syncfs(2)`.
    fn sync_volume(&self, fd: Fd) -> io::Result<()>;
    fn set_len(&self, fd: Fd, length: u64) -> io::Result<()>;
    /// The mode is `FALLOC_FL_*`.
    fn allocate(&self, fd: Fd, mode: i32, offset: u64, length: u64) -> io::Result<()>;
    fn status(&self, fd: Fd) -> io::Result<FileStatus>;
    fn set_mode(&self, fd: Fd, mode: u32) -> io::Result<()>;
    fn set_times(&self, fd: Fd, times: [SetTime; 2]) -> io::Result<()>;
    fn space(&self, fd: Fd) -> io::Result<Space>;
    /// The names in a directory, all at once, without `.` and `..`.
    fn entries(&self, fd: Fd) -> io::Result<Vec<FileEntry>>;
    /// `F_GETFL`.
    fn flags(&self) -> i32;
    /// `F_SETFL`.
    fn set_flags(&self, flags: i32);
    /// Takes a lock or gives it back: `EAGAIN` where another has it.
    fn lock(&self, fd: Fd, lock: FileLock) -> io::Result<()>;
    /// Who keeps a lock from being taken.
    fn lock_holder(&self, fd: Fd, lock: FileLock) -> io::Result<Option<FileLock>>;
    /// Calls the waker when a lock of this file is given back.
    fn lock_wait(&self, fd: Fd, waker: &Waker) -> io::Result<()>;
    /// The guest closes `fd`, which may not be the last: its process's locks of ranges go.
    fn closing(&self, fd: Fd);
}

/// The permission bits that new files do without, until a process says otherwise.
const MASK: u32 = 0o022;

/// Names of a directory that is being read.
pub(crate) struct Listing {
    /// The process that reads it.
    pub(crate) owner: (NodeId, Boot),
    pub(crate) entries: Vec<FileEntry>,
    pub(crate) position: usize,
}

/// The files of a world, as the C library's hooks see them.
#[derive(Default)]
pub(crate) struct WorldFiles {
    /// Where what is read lands before it is the guest's.
    pub(crate) landing: Cell<Vec<u8>>,
    device: RefCell<Option<Rc<dyn Files>>>,
    /// `umask(2)` of each process that set it.
    masks: RefCell<BTreeMap<(NodeId, Boot), u32>>,
    /// Directories that are being read, by descriptor.
    pub(crate) listings: RefCell<BTreeMap<i32, Listing>>,
    /// The descriptors of the C library's streams, by their addresses.
    pub(crate) streams: RefCell<BTreeMap<usize, i32>>,
    /// Paths of the machine that may be used, with how often they were.
    allowed: RefCell<BTreeMap<Vec<u8>, u64>>,
}

impl WorldFiles {
    pub(crate) fn device(&self) -> Option<Rc<dyn Files>> {
        self.device.borrow().clone()
    }

    /// Whether the machine answers for a path, because a test allowed it; counts it.
    pub(crate) fn is_allowed(&self, path: &[u8]) -> bool {
        let mut allowed = self.allowed.borrow_mut();
        let found = allowed.iter_mut().find(|(root, _)| is_below(path, root));
        found.is_some_and(|(_, count)| {
            *count += 1;
            true
        })
    }

    /// A process is gone.
    pub(crate) fn forget(&self, node: NodeId, boot: Boot) {
        self.masks.borrow_mut().remove(&(node, boot));
        let mut listings = self.listings.borrow_mut();
        listings.retain(|_, listing| listing.owner != (node, boot));
    }
}

/// Whether a path is `root` or below it.
pub(crate) fn is_below(path: &[u8], root: &[u8]) -> bool {
    let root = root.strip_suffix(b"/").unwrap_or(root);
    path.strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

impl World {
    /// Has `files` answer whoever opens files by himself.
    pub fn serve_files(&self, files: Rc<dyn Files>) {
        *self.files.device.borrow_mut() = Some(files);
    }

    /// Lets guests reach files of the machine at and below `root`, by std and C: an escape from
    /// the simulation, which is counted ([`real_files`](World::real_files)). Relative paths start
    /// at the node's `/`, so `root` is absolute.
    ///
    /// ```
    /// use sim_runtime::{Config, Seed, Simulation};
    ///
    /// let simulation = Simulation::new(Config::new(Seed(1)));
    /// simulation.world().allow_real_files(env!("CARGO_MANIFEST_DIR"));
    /// assert!(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).exists());
    /// ```
    pub fn allow_real_files(&self, root: impl AsRef<std::path::Path>) {
        let root = root.as_ref().as_os_str().as_encoded_bytes().to_vec();
        self.files.allowed.borrow_mut().insert(root, 0);
    }

    /// The roots that were allowed, with how many calls went to the machine below each.
    pub fn real_files(&self) -> Vec<(String, u64)> {
        let allowed = self.files.allowed.borrow();
        let text = |root: &[u8]| String::from_utf8_lossy(root).into_owned();
        allowed.iter().map(|(root, n)| (text(root), *n)).collect()
    }

    /// The permission bits that the running process's new files do without.
    pub(crate) fn file_mask(&self) -> u32 {
        let process = (self.current_node(), self.current_boot());
        let masks = self.files.masks.borrow();
        masks.get(&process).copied().unwrap_or(MASK)
    }

    /// `umask(2)`: sets them; those before.
    pub(crate) fn set_file_mask(&self, mask: u32) -> u32 {
        let process = (self.current_node(), self.current_boot());
        let before = self.files.masks.borrow_mut().insert(process, mask);
        before.unwrap_or(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn a_root_holds_itself_and_what_is_below_it_alone() {
        assert!(is_below(b"/a/b", b"/a"));
        assert!(is_below(b"/a", b"/a/"));
        assert!(is_below(b"/anything", b"/"));
        assert!(!is_below(b"/ab", b"/a"));
        assert!(!is_below(b"/", b"/a"));
    }
}
