//! Calls that make, move and remove names, at the place where a walk ended; errors in the order
//! in which Linux checks for them. A walk of these calls follows no symbolic link at its end,
//! that of an open excepted.

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
    /// `O_DIRECTORY`.
    pub(crate) only_dir: bool,
    /// `O_PATH`: a place, not its content.
    pub(crate) only_path: bool,
    pub(crate) mode: u32,
}

/// How a rename treats what has the new name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Collision {
    Replace,
    Refuse,
    Exchange,
}

impl Volume {
    /// open(2): the inode, with one more open description. True: the file was made.
    ///
    /// # Errors
    /// Those of open(2) that a path can give.
    pub(crate) fn open_walked(
        &mut self,
        walked: &Walked<'_>,
        request: OpenRequest,
        now_ns: u64,
    ) -> io::Result<(InodeId, bool)> {
        let creates = request.create || request.create_new;
        if creates && walked.slash && matches!(walked.last, Last::Name(_)) {
            return Err(errno(libc::EISDIR));
        }
        let Some(id) = walked.inode() else {
            if !creates {
                return Err(errno(libc::ENOENT));
            }
            self.check_alive(walked)?;
            let id = self.make_file(request.mode, now_ns);
            self.perform(
                now_ns,
                Change::Names(Box::new(Names::one(walked, Some(id)))),
            );
            self.write_back_if_dirty();
            return Ok((id, true));
        };
        if creates && request.create_new {
            return Err(errno(libc::EEXIST));
        }
        let body = self.cache(id);
        if body.link_target().is_some() && !request.only_path {
            return Err(errno(libc::ELOOP));
        }
        if body.is_dir() {
            if request.write || creates {
                return Err(errno(libc::EISDIR));
            }
        } else if walked.slash || request.only_dir {
            return Err(errno(libc::ENOTDIR));
        }
        let truncates = request.truncate && body.is_file() && !request.only_path;
        self.open(id);
        if truncates {
            self.resize(id, 0, now_ns)?;
        }
        Ok((id, false))
    }

    /// A new file without a name, open once: what `O_TMPFILE` makes.
    pub(crate) fn make_file(&mut self, mode: u32, now_ns: u64) -> InodeId {
        let id = self.allocate(Body::file(mode & 0o7777, now_ns));
        self.open(id);
        id
    }

    /// mkdir(2).
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`.
    pub(crate) fn make_dir_at(
        &mut self,
        walked: &Walked<'_>,
        mode: u32,
        now_ns: u64,
    ) -> io::Result<()> {
        if walked.found.is_some() {
            return Err(errno(libc::EEXIST));
        }
        self.make_named(walked, Body::dir(mode & 0o7777, now_ns), now_ns)
    }

    /// symlink(2).
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`.
    pub(crate) fn make_symlink_at(
        &mut self,
        walked: &Walked<'_>,
        target: &[u8],
        now_ns: u64,
    ) -> io::Result<()> {
        self.check_vacant(walked)?;
        self.make_named(walked, Body::symlink(target, now_ns), now_ns)
    }

    fn make_named(&mut self, walked: &Walked<'_>, body: Body, now_ns: u64) -> io::Result<()> {
        self.check_alive(walked)?;
        let id = self.allocate(body);
        self.perform(
            now_ns,
            Change::Names(Box::new(Names::one(walked, Some(id)))),
        );
        self.write_back_if_dirty();
        Ok(())
    }

    /// Nothing has the name, and what takes it may be no directory.
    fn check_vacant(&self, walked: &Walked<'_>) -> io::Result<()> {
        if walked.found.is_some() {
            return Err(errno(libc::EEXIST));
        }
        if walked.slash {
            return Err(errno(libc::ENOENT));
        }
        Ok(())
    }

    /// A directory that was removed takes no names any more.
    fn check_alive(&self, walked: &Walked<'_>) -> io::Result<()> {
        let dir = walked.dir().inode;
        if dir != InodeId::ROOT && self.cache(dir).links == 0 {
            return Err(errno(libc::ENOENT));
        }
        Ok(())
    }

    /// rmdir(2).
    ///
    /// # Errors
    /// `EINVAL` for `.`, `ENOTEMPTY` (also for `..`), `EBUSY` for the root and mount points,
    /// `ENOENT`, `ENOTDIR`.
    pub(crate) fn remove_dir_at(&mut self, walked: &Walked<'_>, now_ns: u64) -> io::Result<()> {
        match walked.last {
            Last::Name(_) => {}
            Last::Dot => return Err(errno(libc::EINVAL)),
            Last::DotDot => return Err(errno(libc::ENOTEMPTY)),
            Last::Root => return Err(errno(libc::EBUSY)),
        }
        if walked.is_mount_point() {
            return Err(errno(libc::EBUSY));
        }
        let id = walked.inode().ok_or_else(|| errno(libc::ENOENT))?;
        self.check_empty_dir(id)?;
        let mut names = Names::one(walked, None);
        names.removed_dir = Some(id);
        self.perform(now_ns, Change::Names(Box::new(names)));
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
    pub(crate) fn unlink_at(&mut self, walked: &Walked<'_>, now_ns: u64) -> io::Result<()> {
        if !matches!(walked.last, Last::Name(_)) || walked.is_mount_point() {
            return Err(errno(libc::EISDIR));
        }
        let id = walked.inode().ok_or_else(|| errno(libc::ENOENT))?;
        if self.cache(id).is_dir() {
            return Err(errno(libc::EISDIR));
        }
        if walked.slash {
            return Err(errno(libc::ENOTDIR));
        }
        self.perform(now_ns, Change::Names(Box::new(Names::one(walked, None))));
        self.write_back_if_dirty();
        Ok(())
    }

    /// link(2) to an inode of this volume. `revives`: a file that `O_TMPFILE` made may get a
    /// name, one that lost its last may not.
    ///
    /// # Errors
    /// `EPERM` for a directory, `EEXIST`, `ENOENT`.
    pub(crate) fn link_at(
        &mut self,
        id: InodeId,
        revives: bool,
        walked: &Walked<'_>,
        now_ns: u64,
    ) -> io::Result<()> {
        self.check_vacant(walked)?;
        self.check_alive(walked)?;
        if self.cache(id).is_dir() {
            return Err(errno(libc::EPERM));
        }
        if self.cache(id).links == 0 && !revives {
            return Err(errno(libc::ENOENT));
        }
        self.perform(
            now_ns,
            Change::Names(Box::new(Names::one(walked, Some(id)))),
        );
        self.write_back_if_dirty();
        Ok(())
    }

    /// renameat2(2) within the volume: atomic, replaces a file or an empty directory.
    ///
    /// # Errors
    /// Those of rename(2), but for `EXDEV` and permissions.
    pub(crate) fn rename_at(
        &mut self,
        old: &Walked<'_>,
        new: &Walked<'_>,
        collision: Collision,
        now_ns: u64,
    ) -> io::Result<()> {
        let Some((source, target)) = self.check_rename(old, new, collision)? else {
            return Ok(());
        };
        let is_dir = |id: &InodeId| self.cache(*id).is_dir();
        let moved_dir = Some(source).filter(is_dir);
        let slot = |at: &Walked<'_>, target| Slot {
            dir: at.dir().inode,
            name: Name::from(at.name()),
            target,
        };
        let exchanges = collision == Collision::Exchange;
        let back = target.filter(|_| exchanges);
        let mut needs: Vec<InodeId> = Vec::new();
        if old.dir() != new.dir() {
            let chains = [Some(new), exchanges.then_some(old)];
            let on_volume = chains
                .into_iter()
                .flatten()
                .flat_map(|walked| &walked.chain);
            let volume = old.dir().volume;
            needs.extend(
                on_volume
                    .filter(|at| at.volume == volume)
                    .map(|at| at.inode),
            );
        }
        let names = Names {
            slots: vec![slot(old, back), slot(new, Some(source))],
            removed_dir: target.filter(|_| !exchanges && moved_dir.is_some()),
            moved_dir: moved_dir.or(back.filter(is_dir)),
            needs,
        };
        self.perform(now_ns, Change::Names(Box::new(names)));
        self.write_back_if_dirty();
        Ok(())
    }

    /// What moves, and what has the new name; None when they are the same.
    fn check_rename(
        &self,
        old: &Walked<'_>,
        new: &Walked<'_>,
        collision: Collision,
    ) -> io::Result<Option<(InodeId, Option<InodeId>)>> {
        if !matches!(old.last, Last::Name(_)) {
            return Err(errno(libc::EBUSY));
        }
        if !matches!(new.last, Last::Name(_)) {
            let refuses = collision == Collision::Refuse;
            return Err(errno(if refuses { libc::EEXIST } else { libc::EBUSY }));
        }
        let source = old.inode().ok_or_else(|| errno(libc::ENOENT))?;
        let is_dir = old.is_mount_point() || self.cache(source).is_dir();
        let target_is_dir = new.is_mount_point()
            || new
                .inode()
                .is_some_and(|target| self.cache(target).is_dir());
        match collision {
            Collision::Refuse if new.found.is_some() => return Err(errno(libc::EEXIST)),
            Collision::Exchange if new.found.is_none() => return Err(errno(libc::ENOENT)),
            Collision::Exchange if !target_is_dir && new.slash => {
                return Err(errno(libc::ENOTDIR));
            }
            _ => {}
        }
        let new_slash = new.slash && collision != Collision::Exchange;
        if !is_dir && (old.slash || new_slash) {
            return Err(errno(libc::ENOTDIR));
        }
        if new.chain.iter().any(|at| Some(*at) == old.found) {
            return Err(errno(libc::EINVAL));
        }
        if new.found.is_some_and(|target| old.chain.contains(&target)) {
            let exchanges = collision == Collision::Exchange;
            return Err(errno(if exchanges {
                libc::EINVAL
            } else {
                libc::ENOTEMPTY
            }));
        }
        if new.found == old.found {
            return Ok(None);
        }
        self.check_alive(new)?;
        if old.is_mount_point() || new.is_mount_point() {
            return Err(errno(libc::EBUSY));
        }
        if let Some(target) = new.inode()
            && collision == Collision::Replace
        {
            match (is_dir, target_is_dir) {
                (true, _) => self.check_empty_dir(target)?,
                (false, true) => return Err(errno(libc::EISDIR)),
                (false, false) => {}
            }
        }
        Ok(Some((source, new.inode())))
    }
}

impl Names {
    /// One entry, at the place where a walk ended.
    fn one(walked: &Walked<'_>, target: Option<InodeId>) -> Names {
        Names {
            slots: vec![Slot {
                dir: walked.dir().inode,
                name: Name::from(walked.name()),
                target,
            }],
            removed_dir: None,
            moved_dir: None,
            needs: Vec::new(),
        }
    }
}
