//! Errors on demand: `EIO` and `ENOSPC`, in a window, on a node.
//!
//! May break: the calls named by the mode. May never break: what was synced before.

use std::io;

use sim_runtime::{FaultId, NodeId, World, with};

use super::device::{Disk, event};
use super::namespace::At;
use super::op_kind::OpKind;
use super::open_file::OpenFile;
use crate::errno::errno;

/// How the disk of a node fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailMode {
    /// `EIO` from the kinds of calls named.
    Eio {
        /// read, pread, listing a directory.
        reads: bool,
        /// write, pwrite, ftruncate.
        writes: bool,
        /// fsync and fdatasync. Those of a file mark its dirty pages clean: the next fsync
        /// returns Ok without persisting them (fsync(2), *Rebello et al., ATC 2020*).
        fsync: bool,
    },
    /// `ENOSPC` from whatever needs new space: writes that allocate, and new names.
    Enospc,
}

impl FailMode {
    fn error_for(self, op: OpKind, needs_space: bool) -> Option<i32> {
        let fails = match self {
            FailMode::Eio {
                reads,
                writes,
                fsync,
            } => match op {
                OpKind::Read | OpKind::ReadDir => reads,
                OpKind::Write | OpKind::SetLen => writes,
                OpKind::Sync => fsync,
                _ => false,
            },
            FailMode::Enospc => return needs_space.then_some(libc::ENOSPC),
        };
        fails.then_some(libc::EIO)
    }
}

/// An injected error, with the fault that it belongs to.
pub(crate) struct Injected {
    pub(crate) fault: FaultId,
    pub(crate) error: io::Error,
}

impl Disk {
    /// The disk of `node` fails from now on, beside those that this fault hit before, until
    /// [`heal`](Disk::heal). Each error that a guest gets is entered into the ledger as injected
    /// (`disk-errors`) and observed.
    pub fn fail(&self, fault: FaultId, node: NodeId, mode: FailMode) {
        self.state.borrow_mut().errors.insert((fault, node), mode);
        self.is_failing.set(true);
    }

    /// Ends what [`fail`](Disk::fail) began. Nothing to end is no error.
    pub fn heal(&self, fault: FaultId) {
        let errors = &mut self.state.borrow_mut().errors;
        errors.retain(|(open, _), _| *open != fault);
        self.is_failing.set(!errors.is_empty());
    }

    /// Says which fault the next kill or power loss of `node` belongs to: what it takes is
    /// entered under that fault. Holds until the node goes down.
    pub fn blame_down(&self, node: NodeId, fault: FaultId) {
        self.state.borrow_mut().blame.insert(node, fault);
    }

    /// Does a fault hit this call of `node`? Enters it into the ledger if so.
    pub(crate) fn injected(
        &self,
        world: &World,
        op: OpKind,
        path: &[u8],
        needs_space: impl FnOnce() -> bool,
    ) -> Option<Injected> {
        if !self.is_failing.get() {
            return None;
        }
        let node = world.current_node();
        let needs_space = needs_space();
        let hit = {
            let mut state = self.state.borrow_mut();
            let hit = state.errors.iter().find_map(|(&(fault, on), mode)| {
                let code = mode.error_for(op, needs_space).filter(|_| on == node)?;
                Some((fault, code))
            })?;
            state.stats.entry(node).or_default().errors_injected += 1;
            hit
        };
        let (fault, code) = hit;
        let error = errno(code);
        let path = String::from_utf8_lossy(path);
        let evidence = format!("{op:?} of {path} failed: {error}");
        world
            .ledger()
            .inject(fault, "disk-errors", 1, || evidence.clone());
        world
            .ledger()
            .observe(fault, "errors-returned", || evidence);
        Some(Injected { fault, error })
    }

    /// As [`injected`](Disk::injected), for calls on descriptors.
    #[inline]
    pub(crate) fn check(&self, world: &World, op: OpKind, file: &OpenFile) -> io::Result<()> {
        self.check_space(world, op, file, || false)
    }

    /// As [`check`](Disk::check), for calls that may need space.
    #[inline]
    pub(crate) fn check_space(
        &self,
        world: &World,
        op: OpKind,
        file: &OpenFile,
        needs_space: impl FnOnce() -> bool,
    ) -> io::Result<()> {
        if !self.is_failing.get() {
            return Ok(());
        }
        match self.injected(world, op, &file.path, needs_space) {
            Some(hit) => {
                event(world, op, file.inode.0, u64::MAX);
                Err(hit.error)
            }
            None => Ok(()),
        }
    }

    /// As [`injected`](Disk::injected), for calls on paths.
    pub(crate) fn check_path_fault(
        &self,
        op: OpKind,
        at: At<'_>,
        needs_space: impl FnOnce() -> bool,
    ) -> io::Result<()> {
        if !self.is_failing.get() {
            return Ok(());
        }
        match with(|world| self.injected(world, op, at.bytes(), needs_space)) {
            Some(injected) => Err(injected.error),
            None => Ok(()),
        }
    }
}
