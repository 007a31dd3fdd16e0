//! Calls on names. Relative paths start at the working directory, which is `/` until changed.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use sim_runtime::{Fd, World, with};

use super::device::{Disk, event};
use super::faults::Asks;
use super::metadata::{DirEntry, FileKind, Metadata, SetTime, VolumeStatus};
use super::namespace::At;
use super::op_kind::OpKind;
use super::open_file::OpenFile;
use crate::config::VolumeId;
use crate::errno::errno;
use crate::hash::{digest_of, scatter};
use crate::state::names::Collision;
use crate::state::op::Attributes;
use crate::state::volume::Volume;
use crate::state::walk::{Point, Walked};

/// The bytes of a path, as the kernel gets them.
pub(crate) fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// The other way.
pub(crate) fn path_from(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}

/// Enters a call on a name into the digest.
fn enter<T>(world: &World, op: OpKind, path: &[u8], result: &io::Result<T>) {
    let error = result.as_ref().err().and_then(io::Error::raw_os_error);
    let code = error.unwrap_or(0) as u64;
    event(world, op, 0, digest_of([code, 0], path));
}

impl Disk {
    /// Runs a call that makes, moves or removes a name, on the volume of its directory; an open
    /// on that of the file that it finds.
    pub(crate) fn call_at<T>(
        &self,
        op: OpKind,
        at: At<'_>,
        follow: bool,
        f: impl FnOnce(&mut Volume, &Walked<'_>, u64) -> io::Result<T>,
    ) -> io::Result<(VolumeId, T)> {
        with(|world| {
            self.own_volume(world)?;
            let now = world.wall_clock();
            let call = || {
                let state = &mut *self.state.borrow_mut();
                let walked = state.walk(world, at, follow)?;
                let id = match walked.found {
                    Some(found) if op == OpKind::Open => found.volume,
                    _ => walked.dir().volume,
                };
                let volume = state.volumes.get_mut(&id).expect("the walk was there");
                Ok((id, f(volume, &walked, now)?))
            };
            let result = call();
            self.call.set(op);
            self.settle(world);
            enter(world, op, at.bytes(), &result);
            result
        })
    }

    /// Runs a call on what a path names.
    pub(crate) fn call_found<T>(
        &self,
        op: OpKind,
        at: At<'_>,
        follow: bool,
        f: impl FnOnce(&mut Volume, Point, u64) -> io::Result<T>,
    ) -> io::Result<(VolumeId, T)> {
        with(|world| {
            self.own_volume(world)?;
            let now = world.wall_clock();
            let call = || {
                let state = &mut *self.state.borrow_mut();
                let found = state.find(world, at, follow)?;
                let volume = state.volumes.get_mut(&found.volume);
                let volume = volume.expect("the walk was there");
                Ok((found.volume, f(volume, found, now)?))
            };
            let result = call();
            self.call.set(op);
            self.settle(world);
            enter(world, op, at.bytes(), &result);
            result
        })
    }

    /// Runs a call on two names of one volume.
    fn call_both<T>(
        &self,
        op: OpKind,
        (from, to): (At<'_>, At<'_>),
        follow: bool,
        f: impl FnOnce(&mut Volume, &Walked<'_>, &Walked<'_>, u64) -> io::Result<T>,
    ) -> io::Result<T> {
        with(|world| {
            self.own_volume(world)?;
            let now = world.wall_clock();
            let call = || {
                let state = &mut *self.state.borrow_mut();
                let id = if op == OpKind::Link {
                    state.find(world, from, follow)?.volume
                } else {
                    state.walk(world, from, false)?.dir().volume
                };
                let old = state.walk(world, from, follow)?;
                let new = state.walk(world, to, false)?;
                if id != new.dir().volume {
                    return Err(errno(libc::EXDEV));
                }
                let volume = state.volumes.get_mut(&id).expect("the walk was there");
                f(volume, &old, &new, now)
            };
            let result = call();
            self.call.set(op);
            self.settle(world);
            let both = [from.bytes(), to.bytes()].join(&0);
            enter(world, op, &both, &result);
            result
        })
    }

    /// Is nothing there? Asked for the disk itself: no guest learns of it, no scar is met.
    pub(crate) fn is_missing(&self, at: At<'_>) -> bool {
        with(|world| {
            if self.own_volume(world).is_err() {
                return false;
            }
            let state = &mut *self.state.borrow_mut();
            let volumes = state.volumes.values_mut();
            let scars: Vec<_> = volumes.map(|v| std::mem::take(&mut v.scars)).collect();
            let found = state.find(world, at, false);
            for (volume, scars) in state.volumes.values_mut().zip(scars) {
                volume.scars = scars;
            }
            found.is_err_and(|error| error.raw_os_error() == Some(libc::ENOENT))
        })
    }

    /// mkdir(2).
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`, injected `ENOSPC`.
    pub fn create_dir<'p>(&self, at: impl Into<At<'p>>, mode: u32) -> io::Result<()> {
        let at = at.into();
        self.check_path(OpKind::CreateDir, at, || Asks::space(self.is_missing(at)))?;
        self.call_at(OpKind::CreateDir, at, false, |volume, walked, now| {
            volume.make_dir_at(walked, mode, now)
        })?;
        Ok(())
    }

    /// rmdir(2).
    ///
    /// # Errors
    /// `ENOTEMPTY`, `ENOENT`, `ENOTDIR`, `EINVAL` for `.`, `EBUSY` for the root.
    pub fn remove_dir<'p>(&self, at: impl Into<At<'p>>) -> io::Result<()> {
        let at = at.into();
        self.check_path(OpKind::RemoveDir, at, || Asks::space(false))?;
        self.call_at(OpKind::RemoveDir, at, false, |volume, walked, now| {
            volume.remove_dir_at(walked, now)
        })?;
        Ok(())
    }

    /// unlink(2). Open descriptors keep what the name stood for.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EISDIR`.
    pub fn remove_file<'p>(&self, at: impl Into<At<'p>>) -> io::Result<()> {
        let at = at.into();
        self.check_path(OpKind::Unlink, at, || Asks::space(false))?;
        self.call_at(OpKind::Unlink, at, false, |volume, walked, now| {
            volume.unlink_at(walked, now)
        })?;
        Ok(())
    }

    /// rename(2): atomic; replaces a file, or a directory that is empty.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EISDIR`, `ENOTEMPTY`, `EINVAL` into itself, `EBUSY` for `.`, `..`
    /// and the root, `EXDEV`.
    pub fn rename<'p>(&self, from: impl Into<At<'p>>, to: impl Into<At<'p>>) -> io::Result<()> {
        self.rename_with(from, to, 0)
    }

    /// renameat2(2), with `RENAME_NOREPLACE` or `RENAME_EXCHANGE`.
    ///
    /// # Errors
    /// As [`rename`](Disk::rename); `EEXIST`; `EINVAL` for other flags.
    pub fn rename_with<'p>(
        &self,
        from: impl Into<At<'p>>,
        to: impl Into<At<'p>>,
        flags: u32,
    ) -> io::Result<()> {
        let (from, to) = (from.into(), to.into());
        let collision = match flags {
            0 => Collision::Replace,
            libc::RENAME_NOREPLACE => Collision::Refuse,
            libc::RENAME_EXCHANGE => Collision::Exchange,
            _ => return Err(errno(libc::EINVAL)),
        };
        self.check_path(OpKind::Rename, to, || Asks::space(false))?;
        let rename = |volume: &mut Volume, old: &Walked<'_>, new: &Walked<'_>, now| {
            let mut dirty = self.config.lints;
            dirty &= old.inode().is_some_and(|id| volume.has_dirty_data(id));
            volume.rename_at(old, new, collision, now)?;
            Ok((new.dir(), dirty))
        };
        let (dir, dirty) = self.call_both(OpKind::Rename, (from, to), false, rename)?;
        if self.config.lints {
            with(|world| self.lint_rename(world, dir, to.bytes(), dirty));
        }
        Ok(())
    }

    /// link(2): follows no symbolic link.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `ENOTDIR`, `EPERM` for a directory, `EXDEV`, injected `ENOSPC`.
    pub fn hard_link<'p>(&self, from: impl Into<At<'p>>, to: impl Into<At<'p>>) -> io::Result<()> {
        self.hard_link_with(from, to, false)
    }

    /// linkat(2), with or without `AT_SYMLINK_FOLLOW`.
    ///
    /// # Errors
    /// As [`hard_link`](Disk::hard_link).
    pub fn hard_link_with<'p>(
        &self,
        from: impl Into<At<'p>>,
        to: impl Into<At<'p>>,
        follow: bool,
    ) -> io::Result<()> {
        let (from, to) = (from.into(), to.into());
        self.check_path(OpKind::Link, to, || Asks::space(self.is_missing(to)))?;
        let follow = follow || from.bytes().ends_with(b"/");
        self.call_both(OpKind::Link, (from, to), follow, |volume, old, new, now| {
            let id = old.inode().expect("looked up before");
            volume.link_at(id, false, new, now)
        })
    }

    /// linkat(2) with `AT_EMPTY_PATH`: a name for an open file, one of `O_TMPFILE` above all.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT` when the file lost its last name, `EPERM` for a directory, `EXDEV`.
    pub fn link_file<'p>(&self, fd: Fd, to: impl Into<At<'p>>) -> io::Result<()> {
        let to = to.into();
        let file = with(|world| world.description_as::<OpenFile>(fd))?;
        self.check_path(OpKind::Link, to, || Asks::space(self.is_missing(to)))?;
        self.call_at(OpKind::Link, to, false, |volume, walked, now| {
            if walked.dir().volume != file.volume {
                return Err(errno(libc::EXDEV));
            }
            volume.link_at(file.inode, file.unnamed, walked, now)
        })?;
        Ok(())
    }

    /// symlink(2).
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT` also for an empty target, `ENOTDIR`, `ENAMETOOLONG`, injected
    /// `ENOSPC`.
    pub fn symlink<'p>(&self, target: &Path, at: impl Into<At<'p>>) -> io::Result<()> {
        let (at, target) = (at.into(), bytes_of(target));
        if target.contains(&0) {
            return Err(errno(libc::EINVAL));
        }
        if target.is_empty() {
            return Err(errno(libc::ENOENT));
        }
        if target.len() >= libc::PATH_MAX as usize {
            return Err(errno(libc::ENAMETOOLONG));
        }
        self.check_path(OpKind::Link, at, || Asks::space(self.is_missing(at)))?;
        self.call_at(OpKind::Link, at, false, |volume, walked, now| {
            volume.make_symlink_at(walked, target, now)
        })?;
        Ok(())
    }

    /// readlink(2).
    ///
    /// # Errors
    /// `EINVAL` for what is no symbolic link, `ENOENT`, `ENOTDIR`.
    pub fn read_link<'p>(&self, at: impl Into<At<'p>>) -> io::Result<PathBuf> {
        let (_, target) = self.call_found(OpKind::Stat, at.into(), false, |volume, at, _| {
            let target = volume.link_target(at.inode);
            target.ok_or_else(|| errno(libc::EINVAL))
        })?;
        Ok(path_from(target.to_vec()))
    }

    /// stat(2).
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`, `ELOOP`.
    pub fn stat<'p>(&self, at: impl Into<At<'p>>) -> io::Result<Metadata> {
        self.stat_with(at, true)
    }

    /// lstat(2): of a symbolic link itself.
    ///
    /// # Errors
    /// As [`stat`](Disk::stat).
    pub fn symlink_metadata<'p>(&self, at: impl Into<At<'p>>) -> io::Result<Metadata> {
        self.stat_with(at, false)
    }

    fn stat_with<'p>(&self, at: impl Into<At<'p>>, follow: bool) -> io::Result<Metadata> {
        let (_, metadata) = self.call_found(OpKind::Stat, at.into(), follow, |volume, at, _| {
            let size = volume.cache(at.inode).size();
            volume.scars.meet_size(at.inode, size);
            Ok(Metadata::of(at, volume.cache(at.inode)))
        })?;
        Ok(metadata)
    }

    /// access(2), as root: everything may be read and written, and executed if anybody may.
    ///
    /// # Errors
    /// `ENOENT` and the like; `EACCES`; `EINVAL` for other bits than `R_OK`, `W_OK`, `X_OK`.
    pub fn access<'p>(&self, at: impl Into<At<'p>>, mode: i32) -> io::Result<()> {
        if mode & !(libc::R_OK | libc::W_OK | libc::X_OK) != 0 {
            return Err(errno(libc::EINVAL));
        }
        let metadata = self.stat(at)?;
        let executes = mode & libc::X_OK != 0;
        if executes && metadata.kind == FileKind::File && metadata.mode & 0o111 == 0 {
            return Err(errno(libc::EACCES));
        }
        Ok(())
    }

    /// statfs(2): of the volume that a path is on.
    ///
    /// # Errors
    /// As [`stat`](Disk::stat).
    pub fn volume_status<'p>(&self, at: impl Into<At<'p>>) -> io::Result<VolumeStatus> {
        let (_, status) = self.call_found(OpKind::Stat, at.into(), true, |volume, at, _| {
            Ok(VolumeStatus::of(at.volume, volume))
        })?;
        Ok(status)
    }

    /// chmod(2): remembers the permission bits.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    pub fn chmod<'p>(&self, at: impl Into<At<'p>>, mode: u32) -> io::Result<()> {
        let set = Attributes {
            mode: Some(mode),
            ..Attributes::default()
        };
        let at = at.into();
        self.check_path(OpKind::SetMode, at, || Asks::space(false))?;
        self.call_found(OpKind::SetMode, at, true, |volume, at, now| {
            volume.set_attributes(at.inode, set, now);
            Ok(())
        })?;
        Ok(())
    }

    /// utimensat(2).
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    pub fn set_path_times<'p>(
        &self,
        at: impl Into<At<'p>>,
        accessed: SetTime,
        modified: SetTime,
        follow: bool,
    ) -> io::Result<()> {
        self.call_found(OpKind::SetMode, at.into(), follow, |volume, at, now| {
            let set = Attributes {
                mode: None,
                accessed_ns: accessed.resolve(now),
                modified_ns: modified.resolve(now),
            };
            volume.set_attributes(at.inode, set, now);
            Ok(())
        })?;
        Ok(())
    }

    /// truncate(2).
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EISDIR`, `EFBIG`, injected `EIO`.
    pub fn truncate<'p>(&self, at: impl Into<At<'p>>, len: u64) -> io::Result<()> {
        let at = at.into();
        if len > crate::state::volume::SIZE_MAX {
            return Err(errno(libc::EINVAL));
        }
        self.check_path(OpKind::SetLen, at, || Asks::space(false))?;
        self.call_found(OpKind::SetLen, at, true, |volume, at, now| {
            if volume.cache(at.inode).is_dir() {
                return Err(errno(libc::EISDIR));
            }
            volume.resize(at.inode, len, now)
        })?;
        Ok(())
    }

    /// The names in a directory, all at once, without `.` and `..`. The order is that of a hash
    /// of the name keyed by seed and volume: stable in a run, and as arbitrary as a real one.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, injected `EIO`.
    pub fn read_dir<'p>(&self, at: impl Into<At<'p>>) -> io::Result<Vec<DirEntry>> {
        let at = at.into();
        self.check_path(OpKind::ReadDir, at, Asks::default)?;
        let (id, entries) = self.call_found(OpKind::ReadDir, at, true, |volume, at, _| {
            entries_of(volume, at)
        })?;
        Ok(in_order(id, entries))
    }

    /// As [`read_dir`](Disk::read_dir), of an open directory.
    ///
    /// # Errors
    /// `EBADF`, `ENOTDIR`, injected `EIO`.
    pub fn list(&self, fd: Fd) -> io::Result<Vec<DirEntry>> {
        let file = with(|world| world.description_as::<OpenFile>(fd))?;
        file.check_content()?;
        let entries = with(|world| {
            self.check(world, OpKind::ReadDir, &file, Asks::default)?;
            let entries = self.on_volume(world, file.volume, |volume, _| {
                entries_of(volume, file.point())
            });
            enter(world, OpKind::ReadDir, &file.path, &entries);
            entries
        })?;
        Ok(in_order(file.volume, entries))
    }
}

fn entries_of(volume: &mut Volume, at: Point) -> io::Result<Vec<DirEntry>> {
    volume.scars.meet_entries(at.inode);
    let entries = volume.cache(at.inode).entries();
    let entries = entries.ok_or_else(|| errno(libc::ENOTDIR))?;
    let entry = |(name, &child): (&crate::state::inode::Name, &_)| DirEntry {
        name: OsString::from_vec(name.to_vec()),
        kind: FileKind::of(volume.cache(child)),
        inode: child.0,
    };
    Ok(entries.iter().map(entry).collect())
}

fn in_order(volume: VolumeId, mut entries: Vec<DirEntry>) -> Vec<DirEntry> {
    let salt = with(|world| digest_of([world.seed().0, volume.0], b"read_dir"));
    entries.sort_by_cached_key(|entry| scatter(salt ^ digest_of([0, 0], entry.name.as_bytes())));
    entries
}
