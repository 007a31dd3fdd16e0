//! An open file description, and the flags that it is opened with.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::rc::Rc;

use sim_runtime::{Description, Down, World};

use super::device::{VolumeId, disk, event};
use super::op_kind::OpKind;
use crate::errno::errno;
use crate::state::inode::InodeId;
use crate::state::names::OpenRequest;

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

    /// The same combinations as std refuses, with the same `EINVAL`.
    pub(crate) fn check(self) -> io::Result<OpenRequest> {
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
        Ok(OpenRequest {
            write: self.write || self.append,
            truncate: self.truncate,
            create: self.create,
            create_new: self.create_new,
            mode: self.mode,
        })
    }
}

/// An open file or directory.
pub(crate) struct OpenFile {
    pub(crate) volume: VolumeId,
    pub(crate) inode: InodeId,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) append: bool,
    pub(crate) position: Cell<u64>,
    /// As it was opened; for evidence.
    pub(crate) path: Box<[u8]>,
}

impl OpenFile {
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }

    pub(crate) fn check_readable(&self) -> io::Result<()> {
        if self.read {
            Ok(())
        } else {
            Err(errno(libc::EBADF))
        }
    }

    pub(crate) fn check_writable(&self) -> io::Result<()> {
        if self.write {
            Ok(())
        } else {
            Err(errno(libc::EBADF))
        }
    }

    pub(crate) fn release(&self, world: &World) {
        let Ok(disk) = disk() else { return };
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

    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
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
}
