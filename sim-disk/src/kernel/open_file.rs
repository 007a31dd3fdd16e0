//! An open file description, and the flags that it is opened with.

use std::cell::Cell;
use std::io::{self, SeekFrom};
use std::rc::Rc;

use sim_runtime::{Boot, Description, Down, FileCalls, NodeId, Status, World};

use super::device::{disk, event};
use super::metadata::FileKind;
use super::op_kind::OpKind;
use crate::config::VolumeId;
use crate::errno::errno;
use crate::state::inode::InodeId;
use crate::state::names::OpenRequest;
use crate::state::walk::Point;

/// How a file is opened; the fields of `std::fs::OpenOptions`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenFlags {
    /// Reading is allowed.
    pub read: bool,
    /// Writing is allowed.
    pub write: bool,
    /// Every write goes to the end, atomically.
    pub append: bool,
    /// What is there is dropped.
    pub truncate: bool,
    /// The file is made if it is missing.
    pub create: bool,
    /// The file is made, and must be missing.
    pub create_new: bool,
    /// Permission bits of a new file.
    pub mode: u32,
    /// More flags of open(2); those for access are ignored, as std ignores them.
    pub custom: i32,
}

impl Default for OpenFlags {
    /// Nothing allowed yet, mode 0644.
    fn default() -> OpenFlags {
        OpenFlags {
            read: false,
            write: false,
            append: false,
            truncate: false,
            create: false,
            create_new: false,
            mode: 0o644,
            custom: 0,
        }
    }
}

impl OpenFlags {
    /// For reading.
    pub fn reading() -> OpenFlags {
        OpenFlags {
            read: true,
            ..OpenFlags::default()
        }
    }

    /// For writing, new or emptied.
    pub fn creating() -> OpenFlags {
        OpenFlags {
            write: true,
            create: true,
            truncate: true,
            ..OpenFlags::default()
        }
    }

    /// The flags that std gives to open(2).
    ///
    /// # Errors
    /// `EINVAL` for the combinations that std refuses.
    pub fn to_bits(self) -> io::Result<i32> {
        let makes = self.create || self.create_new;
        let is_valid = match (self.read, self.write, self.append) {
            (false, false, false) => false,
            (_, _, true) => !self.truncate || self.create_new,
            (_, true, false) => true,
            (true, false, false) => !self.truncate && !makes,
        };
        if !is_valid {
            return Err(errno(libc::EINVAL));
        }
        let writes = self.write || self.append;
        let access = match (self.read, writes) {
            (true, true) => libc::O_RDWR,
            (false, true) => libc::O_WRONLY,
            _ => libc::O_RDONLY,
        };
        let making = match (self.create, self.truncate, self.create_new) {
            (_, _, true) => libc::O_CREAT | libc::O_EXCL,
            (create, truncate, false) => {
                flag(create, libc::O_CREAT) | flag(truncate, libc::O_TRUNC)
            }
        };
        let append = flag(self.append, libc::O_APPEND);
        Ok(access | making | append | (self.custom & !libc::O_ACCMODE))
    }
}

fn flag(set: bool, bits: i32) -> i32 {
    if set { bits } else { 0 }
}

/// Flags that `fcntl(F_GETFL)` tells beside the access mode.
const STATUS: i32 = libc::O_APPEND
    | libc::O_DIRECT
    | libc::O_SYNC
    | libc::O_DSYNC
    | libc::O_NONBLOCK
    | libc::O_NOATIME
    | libc::O_PATH
    | libc::O_LARGEFILE;

/// Flags that `fcntl(F_SETFL)` changes.
const SETTABLE: i32 = libc::O_APPEND | libc::O_DIRECT | libc::O_NONBLOCK | libc::O_NOATIME;

/// The flags of open(2), understood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) request: OpenRequest,
    pub(crate) follow: bool,
    /// `O_TMPFILE`: the path is that of a directory.
    pub(crate) unnamed: bool,
    pub(crate) access: Access,
    pub(crate) status: i32,
}

/// What a descriptor is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Access {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Opening {
    /// # Errors
    /// `EINVAL` for flags that do not fit together.
    pub(crate) fn of(bits: i32, mode: u32) -> io::Result<Opening> {
        let has = |flag: i32| bits & flag == flag;
        let only_path = has(libc::O_PATH);
        let unnamed = has(libc::O_TMPFILE) && !only_path;
        let create = has(libc::O_CREAT) && !only_path;
        let access = match bits & libc::O_ACCMODE {
            _ if only_path => (false, false),
            libc::O_RDONLY => (true, false),
            libc::O_WRONLY => (false, true),
            libc::O_RDWR => (true, true),
            _ => (false, false),
        };
        let truncate = has(libc::O_TRUNC) && !only_path;
        if (unnamed && (!access.1 || create)) || (create && has(libc::O_DIRECTORY)) {
            return Err(errno(libc::EINVAL));
        }
        let create_new = create && has(libc::O_EXCL);
        Ok(Opening {
            request: OpenRequest {
                write: access.1 || truncate,
                truncate,
                create,
                create_new,
                only_dir: has(libc::O_DIRECTORY),
                only_path,
                mode,
            },
            follow: !has(libc::O_NOFOLLOW) && !create_new,
            unnamed,
            access: Access {
                read: access.0,
                write: access.1,
            },
            status: bits & STATUS,
        })
    }
}

/// An open file or directory.
pub(crate) struct OpenFile {
    /// Tells descriptions apart.
    pub(crate) id: u64,
    /// Who opened it.
    pub(crate) process: (NodeId, Boot),
    pub(crate) volume: VolumeId,
    pub(crate) inode: InodeId,
    pub(crate) access: Access,
    /// `O_APPEND` and the like.
    pub(crate) status: Cell<i32>,
    /// May get a name by linkat(2): made by `O_TMPFILE`.
    pub(crate) unnamed: bool,
    pub(crate) position: Cell<u64>,
    /// As it was opened; for evidence.
    pub(crate) path: Box<[u8]>,
}

impl OpenFile {
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }

    pub(crate) fn point(&self) -> Point {
        Point {
            volume: self.volume,
            inode: self.inode,
        }
    }

    pub(crate) fn has(&self, flag: i32) -> bool {
        self.status.get() & flag == flag
    }

    /// What `fcntl(F_GETFL)` tells.
    pub(crate) fn bits(&self) -> i32 {
        let access = match (self.access.read, self.access.write) {
            (true, true) => libc::O_RDWR,
            (false, true) => libc::O_WRONLY,
            _ => libc::O_RDONLY,
        };
        access | self.status.get()
    }

    /// `fcntl(F_SETFL)`.
    pub(crate) fn set_bits(&self, bits: i32) {
        let kept = self.status.get() & !SETTABLE;
        self.status.set(kept | bits & SETTABLE);
    }

    /// `O_PATH` descriptors have no content.
    pub(crate) fn check_content(&self) -> io::Result<()> {
        if self.has(libc::O_PATH) {
            return Err(errno(libc::EBADF));
        }
        Ok(())
    }

    pub(crate) fn check_readable(&self) -> io::Result<()> {
        if self.access.read {
            Ok(())
        } else {
            Err(errno(libc::EBADF))
        }
    }

    pub(crate) fn check_writable(&self) -> io::Result<()> {
        if self.access.write {
            Ok(())
        } else {
            Err(errno(libc::EBADF))
        }
    }

    pub(crate) fn release(&self, world: &World) {
        let Ok(disk) = disk() else { return };
        disk.unlock_all(self);
        let mut state = disk.state.borrow_mut();
        if let Some(volume) = state.volumes.get_mut(&self.volume) {
            volume.release(self.inode);
        }
        drop(state);
        event(world, OpKind::Open, self.inode.0, u64::MAX);
    }
}

impl Description for OpenFile {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn describe(&self) -> String {
        format!("file {}", self.name())
    }

    fn as_file(&self) -> Option<&dyn FileCalls> {
        Some(self)
    }

    fn close(&self, world: &Rc<World>) {
        self.release(world);
    }

    fn abandoned(&self, world: &Rc<World>, down: Down) {
        match down {
            Down::Kill | Down::Exit => self.release(world),
            // Its open files went with the rest of the machine's memory.
            Down::PowerLoss => {}
        }
    }

    fn status(&self) -> Status {
        let Ok(disk) = disk() else {
            return Status { mode: 0, size: 0 };
        };
        let state = disk.state.borrow();
        let body = state.volumes[&self.volume].cache(self.inode);
        Status {
            mode: FileKind::of(body).mode_bits() | body.mode,
            size: body.size(),
        }
    }

    fn seek(&self, to: SeekFrom) -> io::Result<u64> {
        disk()?.seek_file(self, to)
    }

    fn read(&self, world: &Rc<World>, out: &mut [u8]) -> io::Result<usize> {
        disk()?.read_next(world, self, out)
    }
}
