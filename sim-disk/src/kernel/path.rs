//! Calls on names. Relative paths start at `/`; there are no symbolic links.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sim_runtime::with;

use super::device::{Disk, VolumeId, event};
use super::hash::digest_of;
use super::metadata::{DirEntry, Metadata};
use super::op_kind::OpKind;
use crate::errno::errno;
use crate::state::volume::Volume;

/// The bytes of a path, as the kernel gets them.
pub(crate) fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

impl Disk {
    /// Runs a call of the current process on its volume and enters it into the digest.
    pub(crate) fn call<T>(
        &self,
        op: OpKind,
        path: &[u8],
        f: impl FnOnce(&mut Volume, u64) -> io::Result<T>,
    ) -> io::Result<(VolumeId, T)> {
        with(|world| {
            let id = self.own_volume(world)?;
            let now = world.wall_clock();
            let result = self.on_volume(world, id, |volume, _| f(volume, now));
            let code = result
                .as_ref()
                .err()
                .and_then(io::Error::raw_os_error)
                .unwrap_or(0);
            event(world, op, 0, digest_of([code as u64, 0], path));
            result.map(|value| (id, value))
        })
    }

    /// Is nothing there? Asked for the disk itself: no guest learns of it, no scar is met.
    pub(crate) fn is_missing(&self, path: &[u8]) -> bool {
        with(|world| {
            let Ok(id) = self.own_volume(world) else {
                return false;
            };
            let mut state = self.state.borrow_mut();
            let Some(volume) = state.volumes.get_mut(&id) else {
                return true;
            };
            let scars = std::mem::take(&mut volume.scars);
            let found = volume.find(path);
            volume.scars = scars;
            found.is_err_and(|error| error.raw_os_error() == Some(libc::ENOENT))
        })
    }

    /// mkdir(2).
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`, injected `ENOSPC`.
    pub fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let path = bytes_of(path);
        self.check_path_fault(OpKind::CreateDir, path, || self.is_missing(path))?;
        self.call(OpKind::CreateDir, path, |volume, now| {
            volume.make_dir(path, mode, now)
        })?;
        Ok(())
    }

    /// rmdir(2).
    ///
    /// # Errors
    /// `ENOTEMPTY`, `ENOENT`, `ENOTDIR`, `EINVAL` for `.`, `EBUSY` for the root.
    pub fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let path = bytes_of(path);
        self.call(OpKind::RemoveDir, path, |volume, now| {
            volume.remove_dir(path, now)
        })?;
        Ok(())
    }

    /// unlink(2). Open descriptors keep what the name stood for.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EISDIR`.
    pub fn remove_file(&self, path: &Path) -> io::Result<()> {
        let path = bytes_of(path);
        self.call(OpKind::Unlink, path, |volume, now| volume.unlink(path, now))?;
        Ok(())
    }

    /// rename(2): atomic; replaces a file, or a directory that is empty.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EISDIR`, `ENOTEMPTY`, `EINVAL` into itself, `EBUSY` for `.`, `..`
    /// and the root.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (bytes_of(from), bytes_of(to));
        let both = [from, to].join(&0);
        self.call(OpKind::Rename, &both, |volume, now| {
            volume.rename(from, to, now)
        })?;
        Ok(())
    }

    /// link(2).
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `ENOTDIR`, `EPERM` for a directory, injected `ENOSPC`.
    pub fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (bytes_of(from), bytes_of(to));
        self.check_path_fault(OpKind::Link, to, || self.is_missing(to))?;
        let both = [from, to].join(&0);
        self.call(OpKind::Link, &both, |volume, now| {
            volume.link(from, to, now)
        })?;
        Ok(())
    }

    /// symlink(2), which a file system may refuse, as this one does until it has them.
    ///
    /// # Errors
    /// `EPERM`, as symlink(2) says of file systems without symbolic links.
    pub fn symlink(&self, _to: &Path, _path: &Path) -> io::Result<()> {
        Err(errno(libc::EPERM))
    }

    /// stat(2).
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`.
    pub fn stat(&self, path: &Path) -> io::Result<Metadata> {
        let path = bytes_of(path);
        let (_, metadata) = self.call(OpKind::Stat, path, |volume, _| {
            let id = volume.find(path)?;
            volume.scars.meet_size(id, volume.cache(id).size());
            Ok(Metadata::of(id, volume.cache(id)))
        })?;
        Ok(metadata)
    }

    /// chmod(2): remembers the permission bits.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    pub fn chmod(&self, path: &Path, mode: u32) -> io::Result<()> {
        let path = bytes_of(path);
        self.call(OpKind::SetMode, path, |volume, now| {
            let id = volume.find(path)?;
            volume.set_mode(id, mode, now);
            Ok(())
        })?;
        Ok(())
    }

    /// The names in a directory, all at once, without `.` and `..`. The order is that of a hash
    /// of the name keyed by seed and volume: stable in a run, and as arbitrary as a real one.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, injected `EIO`.
    pub fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let path = bytes_of(path);
        self.check_path_fault(OpKind::ReadDir, path, || false)?;
        let (volume, mut entries) = self.call(OpKind::ReadDir, path, |volume, _| {
            let id = volume.find(path)?;
            volume.scars.meet_entries(id);
            let entries = volume
                .cache(id)
                .entries()
                .ok_or_else(|| errno(libc::ENOTDIR))?;
            let entry = |(name, &child): (&crate::state::inode::Name, &_)| DirEntry {
                name: std::ffi::OsStr::from_bytes(name).to_owned(),
                is_dir: volume.cache(child).is_dir(),
                inode: child.0,
            };
            Ok(entries.iter().map(entry).collect::<Vec<_>>())
        })?;
        let salt = with(|world| digest_of([world.seed().0, volume.0], b"read_dir"));
        entries
            .sort_by_cached_key(|entry| scatter(salt ^ digest_of([0, 0], entry.name.as_bytes())));
        Ok(entries)
    }
}

/// A bijection in which every input bit moves about half of the output's (splitmix64).
const fn scatter(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
