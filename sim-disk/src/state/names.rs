//! Calls that make, move and remove names; errors in the order in which Linux checks for them.

use std::io;

use super::inode::{Body, InodeId, Name};
use super::op::{Change, Names, Slot};
use super::volume::Volume;
use super::walk::{Last, Walked};
use crate::errno::errno;

/// How a path is opened; the flags of open(2) that have been checked to fit together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenRequest {
    pub(crate) write: bool,
    pub(crate) truncate: bool,
    pub(crate) create: bool,
    pub(crate) create_new: bool,
    pub(crate) mode: u32,
}

impl Volume {
    /// open(2): the inode, with one more open description. True: the file was made.
    ///
    /// # Errors
    /// Those of open(2) that a path can give.
    pub(crate) fn open_path(
        &mut self,
        path: &[u8],
        request: OpenRequest,
        now_ns: u64,
    ) -> io::Result<(InodeId, bool)> {
        let walked = self.walk(path)?;
        let creates = request.create || request.create_new;
        if creates && walked.slash && matches!(walked.last, Last::Name(_)) {
            return Err(errno(libc::EISDIR));
        }
        let Some(id) = walked.inode else {
            if !creates {
                return Err(errno(libc::ENOENT));
            }
            let id = self.allocate(Body::file(request.mode & 0o7777, now_ns));
            self.open(id);
            self.perform(now_ns, Change::Names(Names::one(&walked, Some(id))));
            self.write_back_if_dirty();
            return Ok((id, true));
        };
        if creates && request.create_new {
            return Err(errno(libc::EEXIST));
        }
        if self.cache(id).is_dir() {
            if request.write || creates {
                return Err(errno(libc::EISDIR));
            }
        } else if walked.slash {
            return Err(errno(libc::ENOTDIR));
        }
        self.open(id);
        if request.truncate && !self.cache(id).is_dir() {
            self.resize(id, 0, now_ns)?;
        }
        Ok((id, false))
    }

    /// mkdir(2).
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`.
    pub(crate) fn make_dir(&mut self, path: &[u8], mode: u32, now_ns: u64) -> io::Result<()> {
        let walked = self.walk(path)?;
        if walked.inode.is_some() {
            return Err(errno(libc::EEXIST));
        }
        let id = self.allocate(Body::dir(mode & 0o7777, now_ns));
        self.perform(now_ns, Change::Names(Names::one(&walked, Some(id))));
        self.write_back_if_dirty();
        Ok(())
    }

    /// rmdir(2).
    ///
    /// # Errors
    /// `EINVAL` for `.`, `ENOTEMPTY` (also for `..`), `EBUSY` for the root, `ENOENT`, `ENOTDIR`.
    pub(crate) fn remove_dir(&mut self, path: &[u8], now_ns: u64) -> io::Result<()> {
        let walked = self.walk(path)?;
        match walked.last {
            Last::Name(_) => {}
            Last::Dot => return Err(errno(libc::EINVAL)),
            Last::DotDot => return Err(errno(libc::ENOTEMPTY)),
            Last::Root => return Err(errno(libc::EBUSY)),
        }
        let id = walked.inode.ok_or_else(|| errno(libc::ENOENT))?;
        self.check_empty_dir(id)?;
        let mut names = Names::one(&walked, None);
        names.removed_dir = Some(id);
        self.perform(now_ns, Change::Names(names));
        self.write_back_if_dirty();
        Ok(())
    }

    fn check_empty_dir(&self, id: InodeId) -> io::Result<()> {
        match self.cache(id).entries() {
            None => Err(errno(libc::ENOTDIR)),
            Some(entries) if !entries.is_empty() => Err(errno(libc::ENOTEMPTY)),
            Some(_) => Ok(()),
        }
    }

    /// unlink(2).
    ///
    /// # Errors
    /// `EISDIR`, `ENOENT`, `ENOTDIR`.
    pub(crate) fn unlink(&mut self, path: &[u8], now_ns: u64) -> io::Result<()> {
        let walked = self.walk(path)?;
        if !matches!(walked.last, Last::Name(_)) {
            return Err(errno(libc::EISDIR));
        }
        let id = walked.inode.ok_or_else(|| errno(libc::ENOENT))?;
        if self.cache(id).is_dir() {
            return Err(errno(libc::EISDIR));
        }
        if walked.slash {
            return Err(errno(libc::ENOTDIR));
        }
        self.perform(now_ns, Change::Names(Names::one(&walked, None)));
        self.write_back_if_dirty();
        Ok(())
    }

    /// link(2).
    ///
    /// # Errors
    /// `EPERM` for a directory, `EEXIST`, `ENOENT`, `ENOTDIR`.
    pub(crate) fn link(&mut self, from: &[u8], to: &[u8], now_ns: u64) -> io::Result<()> {
        let id = self.find(from)?;
        let walked = self.walk(to)?;
        if walked.inode.is_some() {
            return Err(errno(libc::EEXIST));
        }
        if walked.slash {
            return Err(errno(libc::ENOENT));
        }
        if self.cache(id).is_dir() {
            return Err(errno(libc::EPERM));
        }
        self.perform(now_ns, Change::Names(Names::one(&walked, Some(id))));
        self.write_back_if_dirty();
        Ok(())
    }

    /// rename(2): atomic, replaces a file or an empty directory.
    ///
    /// # Errors
    /// Those of rename(2), but for `EXDEV` and permissions.
    pub(crate) fn rename(&mut self, from: &[u8], to: &[u8], now_ns: u64) -> io::Result<()> {
        let old = self.walk(from)?;
        let new = self.walk(to)?;
        let (Last::Name(old_name), Last::Name(new_name)) = (old.last, new.last) else {
            return Err(errno(libc::EBUSY));
        };
        let source = old.inode.ok_or_else(|| errno(libc::ENOENT))?;
        let is_dir = self.cache(source).is_dir();
        if !is_dir && (old.slash || new.slash) {
            return Err(errno(libc::ENOTDIR));
        }
        if new.chain.contains(&source) {
            return Err(errno(libc::EINVAL));
        }
        if new.inode.is_some_and(|target| old.chain.contains(&target)) {
            return Err(errno(libc::ENOTEMPTY));
        }
        if new.inode == Some(source) {
            return Ok(());
        }
        if let Some(target) = new.inode {
            match (is_dir, self.cache(target).is_dir()) {
                (true, _) => self.check_empty_dir(target)?,
                (false, true) => return Err(errno(libc::EISDIR)),
                (false, false) => {}
            }
        }
        let slot = |dir, name: &[u8], target| Slot {
            dir,
            name: Name::from(name),
            target,
        };
        let crosses = old.dir() != new.dir();
        let names = Names {
            slots: vec![
                slot(old.dir(), old_name, None),
                slot(new.dir(), new_name, Some(source)),
            ],
            removed_dir: new.inode.filter(|_| is_dir),
            moved_dir: is_dir.then_some(source),
            needs: if crosses {
                new.chain.clone()
            } else {
                Vec::new()
            },
        };
        self.perform(now_ns, Change::Names(names));
        self.write_back_if_dirty();
        Ok(())
    }
}

impl Names {
    /// One entry, at the place where a walk ended.
    fn one(walked: &Walked<'_>, target: Option<InodeId>) -> Names {
        let Last::Name(name) = walked.last else {
            panic!("`.`, `..` and the root exist and were refused before")
        };
        Names {
            slots: vec![Slot {
                dir: walked.dir(),
                name: Name::from(name),
                target,
            }],
            removed_dir: None,
            moved_dir: None,
            needs: Vec::new(),
        }
    }
}
