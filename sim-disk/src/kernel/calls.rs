//! Files of code that opens them by itself: std, C libraries.

use std::ffi::OsStr;
use std::io::{self, SeekFrom};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::task::Waker;
use std::time::Duration;

use sim_runtime as seam;
use sim_runtime::{Fd, FileCall, FileCalls, FileEntry, FileLock, FileStatus, Files, Place, Space};

use super::device::{Disk, disk};
use super::locks::{LockKind, LockOwner, RangeLock};
use super::metadata::{DirEntry, Metadata, SetTime, VolumeStatus};
use super::namespace::At;
use super::op_kind::OpKind;
use super::open_file::OpenFile;
use crate::errno::errno;

fn at(place: Place<'_>) -> At<'_> {
    At {
        dir: place.from,
        path: Path::new(OsStr::from_bytes(place.path)),
    }
}

fn bytes(path: PathBuf) -> Vec<u8> {
    path.into_os_string().into_vec()
}

fn status(told: Metadata) -> FileStatus {
    FileStatus {
        volume: told.volume.0,
        inode: told.inode,
        mode: told.kind.mode_bits() | told.mode,
        links: told.links,
        size: told.len,
        blocks: told.blocks,
        accessed_unix_ns: told.accessed_unix_ns,
        modified_unix_ns: told.modified_unix_ns,
        changed_unix_ns: told.changed_unix_ns,
        made_unix_ns: told.created_unix_ns,
    }
}

fn space(told: VolumeStatus) -> Space {
    Space {
        block_bytes: told.block_bytes,
        blocks: told.blocks,
        blocks_free: told.blocks_free,
    }
}

fn entry(entry: DirEntry) -> FileEntry {
    FileEntry {
        kind: entry.kind.entry_type(),
        inode: entry.inode,
        name: entry.name.into_vec(),
    }
}

fn time(time: seam::SetTime) -> SetTime {
    match time {
        seam::SetTime::Leave => SetTime::Keep,
        seam::SetTime::Now => SetTime::Now,
        seam::SetTime::At(ns) => SetTime::At(ns),
    }
}

fn kind(kind: seam::LockKind) -> LockKind {
    match kind {
        seam::LockKind::Shared => LockKind::Shared,
        seam::LockKind::Exclusive => LockKind::Exclusive,
        seam::LockKind::Unlock => LockKind::Unlocked,
    }
}

/// Who owns a lock of a range; `None`: it is of the whole file.
fn owner(owner: seam::LockOwner) -> Option<LockOwner> {
    match owner {
        seam::LockOwner::Whole => None,
        seam::LockOwner::Process => Some(LockOwner::Process),
        seam::LockOwner::Description => Some(LockOwner::Description),
    }
}

fn range(lock: FileLock) -> RangeLock {
    RangeLock {
        kind: kind(lock.kind),
        start: lock.start,
        end: lock.end,
    }
}

impl Files for Disk {
    fn open(&self, place: Place<'_>, flags: i32, mode: u32) -> io::Result<Fd> {
        self.open_with(at(place), flags, mode)
    }

    fn status(&self, place: Place<'_>, follow: bool) -> io::Result<FileStatus> {
        let told = match follow {
            true => self.stat(at(place)),
            false => self.symlink_metadata(at(place)),
        };
        told.map(status)
    }

    fn access(&self, place: Place<'_>, mode: i32, follow: bool) -> io::Result<()> {
        match follow {
            true => Disk::access(self, at(place), mode),
            // A link itself may be read, written and executed by anybody.
            false => self.symlink_metadata(at(place)).map(|_| ()),
        }
    }

    fn make_dir(&self, place: Place<'_>, mode: u32) -> io::Result<()> {
        self.create_dir(at(place), mode)
    }

    fn remove_dir(&self, place: Place<'_>) -> io::Result<()> {
        Disk::remove_dir(self, at(place))
    }

    fn unlink(&self, place: Place<'_>) -> io::Result<()> {
        self.remove_file(at(place))
    }

    fn rename(&self, from: Place<'_>, to: Place<'_>, flags: u32) -> io::Result<()> {
        self.rename_with(at(from), at(to), flags)
    }

    fn link(&self, from: Place<'_>, to: Place<'_>, follow: bool) -> io::Result<()> {
        self.hard_link_with(at(from), at(to), follow)
    }

    fn link_file(&self, from: Fd, to: Place<'_>) -> io::Result<()> {
        Disk::link_file(self, from, at(to))
    }

    fn symlink(&self, target: &[u8], place: Place<'_>) -> io::Result<()> {
        Disk::symlink(self, Path::new(OsStr::from_bytes(target)), at(place))
    }

    fn read_link(&self, place: Place<'_>) -> io::Result<Vec<u8>> {
        Disk::read_link(self, at(place)).map(bytes)
    }

    fn real_path(&self, place: Place<'_>) -> io::Result<Vec<u8>> {
        self.canonicalize(at(place)).map(bytes)
    }

    fn set_mode(&self, place: Place<'_>, mode: u32) -> io::Result<()> {
        self.chmod(at(place), mode)
    }

    fn set_times(
        &self,
        place: Place<'_>,
        [accessed, modified]: [seam::SetTime; 2],
        follow: bool,
    ) -> io::Result<()> {
        self.set_path_times(at(place), time(accessed), time(modified), follow)
    }

    fn truncate(&self, place: Place<'_>, length: u64) -> io::Result<()> {
        Disk::truncate(self, at(place), length)
    }

    fn space(&self, place: Place<'_>) -> io::Result<Space> {
        self.volume_status(at(place)).map(space)
    }

    fn directory(&self) -> io::Result<Vec<u8>> {
        self.current_dir().map(bytes)
    }

    fn set_directory(&self, to: Place<'_>) -> io::Result<()> {
        self.change_dir(at(to))
    }

    fn sync_all(&self) {
        self.sync_everything();
    }

    fn copy_range(
        &self,
        from: (Fd, Option<u64>),
        to: (Fd, Option<u64>),
        length: usize,
    ) -> io::Result<usize> {
        self.copy_file_range(from, to, length)
    }

    fn latency(&self, call: FileCall) -> Duration {
        Disk::latency(
            self,
            match call {
                FileCall::Read => OpKind::Read,
                FileCall::Write => OpKind::Write,
                FileCall::Sync => OpKind::Sync,
                FileCall::Metadata => OpKind::Stat,
            },
        )
    }
}

impl FileCalls for OpenFile {
    fn read(&self, fd: Fd, into: &mut [u8]) -> io::Result<usize> {
        disk()?.read(fd, into)
    }

    fn pread(&self, fd: Fd, into: &mut [u8], offset: u64) -> io::Result<usize> {
        disk()?.pread(fd, into, offset)
    }

    fn write(&self, fd: Fd, bytes: &[u8]) -> io::Result<usize> {
        disk()?.write(fd, bytes)
    }

    fn pwrite(&self, fd: Fd, bytes: &[u8], offset: u64) -> io::Result<usize> {
        disk()?.pwrite(fd, bytes, offset)
    }

    fn seek(&self, fd: Fd, offset: i64, whence: i32) -> io::Result<u64> {
        let start = u64::try_from(offset).map_err(|_| errno(libc::EINVAL));
        // What is before the start has no data and no hole.
        let within = || u64::try_from(offset).map_err(|_| errno(libc::ENXIO));
        match whence {
            libc::SEEK_SET => disk()?.seek(fd, SeekFrom::Start(start?)),
            libc::SEEK_CUR => disk()?.seek(fd, SeekFrom::Current(offset)),
            libc::SEEK_END => disk()?.seek(fd, SeekFrom::End(offset)),
            libc::SEEK_DATA => disk()?.seek_space(fd, within()?, true),
            libc::SEEK_HOLE => disk()?.seek_space(fd, within()?, false),
            _ => Err(errno(libc::EINVAL)),
        }
    }

    fn sync(&self, fd: Fd, only_data: bool) -> io::Result<()> {
        match only_data {
            true => disk()?.fdatasync(fd),
            false => disk()?.fsync(fd),
        }
    }

    fn sync_range(&self, fd: Fd, (offset, length): (u64, u64), flags: u32) -> io::Result<()> {
        disk()?.sync_file_range(fd, offset, length, flags)
    }

    fn sync_volume(&self, fd: Fd) -> io::Result<()> {
        disk()?.sync_volume(fd)
    }

    fn set_len(&self, fd: Fd, length: u64) -> io::Result<()> {
        disk()?.set_len(fd, length)
    }

    fn allocate(&self, fd: Fd, mode: i32, offset: u64, length: u64) -> io::Result<()> {
        disk()?.allocate(fd, mode, offset, length)
    }

    fn status(&self, fd: Fd) -> io::Result<FileStatus> {
        disk()?.metadata(fd).map(status)
    }

    fn set_mode(&self, fd: Fd, mode: u32) -> io::Result<()> {
        disk()?.set_mode(fd, mode)
    }

    fn set_times(&self, fd: Fd, [accessed, modified]: [seam::SetTime; 2]) -> io::Result<()> {
        disk()?.set_times(fd, time(accessed), time(modified))
    }

    fn space(&self, fd: Fd) -> io::Result<Space> {
        disk()?.volume_status_of(fd).map(space)
    }

    fn entries(&self, fd: Fd) -> io::Result<Vec<FileEntry>> {
        Ok(disk()?.list(fd)?.into_iter().map(entry).collect())
    }

    fn flags(&self) -> i32 {
        self.bits()
    }

    fn set_flags(&self, flags: i32) {
        self.set_bits(flags);
    }

    fn lock(&self, fd: Fd, lock: FileLock) -> io::Result<()> {
        match owner(lock.owner) {
            None => disk()?.lock_file(fd, kind(lock.kind)),
            Some(owner) => disk()?.lock_range(fd, owner, range(lock)),
        }
    }

    fn lock_holder(&self, fd: Fd, lock: FileLock) -> io::Result<Option<FileLock>> {
        let Some(asked) = owner(lock.owner) else {
            return Err(errno(libc::EINVAL));
        };
        let holder = disk()?.test_lock(fd, asked, range(lock))?;
        Ok(holder.map(|(by, held)| FileLock {
            kind: match held.kind {
                LockKind::Shared => seam::LockKind::Shared,
                LockKind::Exclusive | LockKind::Unlocked => seam::LockKind::Exclusive,
            },
            owner: match by {
                LockOwner::Process => seam::LockOwner::Process,
                LockOwner::Description => seam::LockOwner::Description,
            },
            start: held.start,
            end: held.end,
        }))
    }

    fn lock_wait(&self, fd: Fd, waker: &Waker) -> io::Result<()> {
        disk()?.wait_for_lock(fd, waker)
    }

    fn closing(&self, fd: Fd) {
        if let Ok(disk) = disk() {
            disk.closing(fd);
        }
    }
}
