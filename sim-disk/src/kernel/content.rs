//! Calls on descriptors about the whole file: durability, space, attributes.

use std::io;

use sim_runtime::{Fd, World, with};

use super::device::{Disk, event};
use super::faults::Asks;
use super::file::check_offset;
use super::metadata::{Metadata, SetTime, VolumeStatus};
use super::op_kind::OpKind;
use super::open_file::OpenFile;
use crate::errno::errno;
use crate::state::op::Attributes;
use crate::state::space::Space;
use crate::state::volume::SIZE_MAX;

/// What `copy_file_range` moves at once.
const COPY_CHUNK: usize = 64 * 1024;

/// fallocate(2): keep the size.
const KEEP_SIZE: i32 = libc::FALLOC_FL_KEEP_SIZE;
const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | KEEP_SIZE;

impl Disk {
    /// fsync(2): of a file, its data, size and attributes are durable on return; of a directory,
    /// its entries. Whether a new file's name is, too, is up to the profile.
    ///
    /// # Errors
    /// `EBADF`; injected `EIO`, after which the dirty pages of a file are clean and lost to the
    /// media.
    pub fn fsync(&self, fd: Fd) -> io::Result<()> {
        self.sync_fd(fd, false)
    }

    /// fdatasync(2): as [`fsync`](Disk::fsync), without attributes.
    ///
    /// # Errors
    /// As [`fsync`](Disk::fsync).
    pub fn fdatasync(&self, fd: Fd) -> io::Result<()> {
        self.sync_fd(fd, true)
    }

    fn sync_fd(&self, fd: Fd, only_data: bool) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            self.sync_file(world, &file, only_data)
        })
    }

    pub(crate) fn sync_file(
        &self,
        world: &World,
        file: &OpenFile,
        only_data: bool,
    ) -> io::Result<()> {
        self.call.set(OpKind::Sync);
        if let Some(hit) = self.injected(world, OpKind::Sync, &file.path, Asks::default) {
            let given_up = self.on_volume(world, file.volume, |volume, _| {
                volume.sync_failed(file.inode, hit.fault)
            });
            event(world, OpKind::Sync, file.inode.0, !(given_up as u64));
            self.lint_sync(world, file, true);
            return Err(hit.error);
        }
        if self.is_watching.get() {
            self.look_at_crashes(world, false);
        }
        let (durable, bytes) = self.on_volume(world, file.volume, |volume, stats| {
            stats.syncs += 1;
            let before = volume.pending_bytes;
            let durable = match only_data {
                true => volume.sync_data(file.inode),
                false => volume.sync(file.inode),
            };
            (durable, before - volume.pending_bytes)
        });
        self.occupy(world, bytes);
        event(world, OpKind::Sync, file.inode.0, durable as u64);
        self.lint_sync(world, file, false);
        if self.is_watching.get() {
            self.look_at_crashes(world, true);
        }
        self.strikes_after(world);
        Ok(())
    }

    /// sync_file_range(2): starts or awaits write-back of a range. It empties no device cache
    /// and commits no metadata, so nothing is more durable than before.
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` for flags or ranges that cannot be, `ESPIPE` for a directory.
    pub fn sync_file_range(&self, fd: Fd, offset: u64, len: u64, flags: u32) -> io::Result<()> {
        let known = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            let end = offset.checked_add(len).filter(|&end| end <= SIZE_MAX);
            if flags & !known != 0 || end.is_none() {
                return Err(errno(libc::EINVAL));
            }
            event(world, OpKind::SyncRange, file.inode.0, offset);
            Ok(())
        })
    }

    /// syncfs(2): all of the volume that the descriptor is on.
    ///
    /// # Errors
    /// `EBADF`; injected `EIO`.
    pub fn sync_volume(&self, fd: Fd) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            self.check(world, OpKind::Sync, &file, Asks::default)?;
            if self.is_watching.get() {
                self.look_at_crashes(world, false);
            }
            let durable = self.on_volume(world, file.volume, |volume, stats| {
                stats.syncs += 1;
                volume.sync_all()
            });
            if self.is_watching.get() {
                self.look_at_crashes(world, true);
            }
            event(world, OpKind::Sync, 0, durable as u64);
            self.strikes_after(world);
            Ok(())
        })
    }

    /// sync(2): every volume of the running node.
    pub fn sync_everything(&self) {
        with(|world| {
            let Ok(root) = self.own_volume(world) else {
                return;
            };
            let volumes = self.state.borrow().mounts.below(root);
            if self.is_watching.get() {
                self.look_at_crashes(world, false);
            }
            for id in volumes {
                let durable = self.on_volume(world, id, |volume, _| volume.sync_all());
                event(world, OpKind::Sync, 0, durable as u64);
            }
            if self.is_watching.get() {
                self.look_at_crashes(world, true);
            }
        });
    }

    /// ftruncate(2): makes the file `len` bytes long; what is new reads as zero.
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` when not open for writing, `EFBIG`, injected `EIO`.
    pub fn set_len(&self, fd: Fd, len: u64) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            if !file.access.write || len > SIZE_MAX {
                return Err(errno(libc::EINVAL));
            }
            self.check(world, OpKind::SetLen, &file, || Asks::space(false))?;
            let now = world.wall_clock();
            event(world, OpKind::SetLen, file.inode.0, len);
            self.on_volume(world, file.volume, |volume, _| {
                volume.resize(file.inode, len, now)
            })
        })
    }

    /// fallocate(2): mode 0, `FALLOC_FL_KEEP_SIZE`, `FALLOC_FL_PUNCH_HOLE` (with keep size) and
    /// `FALLOC_FL_ZERO_RANGE`.
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` for an empty range, `EFBIG`, `ENOSPC`, `EOPNOTSUPP` for other modes.
    pub fn allocate(&self, fd: Fd, mode: i32, offset: u64, len: u64) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            if len == 0 || len > SIZE_MAX || offset > SIZE_MAX {
                return Err(errno(libc::EINVAL));
            }
            let space = match mode {
                0 | KEEP_SIZE => Space::Reserve,
                PUNCH => Space::Punch,
                _ if mode & !KEEP_SIZE == libc::FALLOC_FL_ZERO_RANGE => Space::Zero,
                _ => return Err(errno(libc::EOPNOTSUPP)),
            };
            file.check_writable()?;
            let range = offset..offset + len;
            let asks = || Asks::space(space != Space::Punch);
            self.check(world, OpKind::SetLen, &file, asks)?;
            let now = world.wall_clock();
            let keeps_size = mode & KEEP_SIZE != 0;
            event(world, OpKind::SetLen, file.inode.0, !range.end);
            self.on_volume(world, file.volume, |volume, _| {
                volume.allocate_range(file.inode, space, keeps_size, range, now)
            })
        })
    }

    /// copy_file_range(2), with both positions given or kept; returns the bytes copied, 0 at the
    /// end.
    ///
    /// # Errors
    /// `EBADF` also for an output with `O_APPEND`, `EISDIR`, `EINVAL` for ranges of one file
    /// that overlap, and those of reading and writing.
    pub fn copy_file_range(
        &self,
        (from, from_at): (Fd, Option<u64>),
        (to, to_at): (Fd, Option<u64>),
        len: usize,
    ) -> io::Result<usize> {
        let file = |fd| with(|world| world.description_as::<OpenFile>(fd));
        let (source, sink) = (file(from)?, file(to)?);
        source.check_content()?;
        sink.check_content()?;
        let is_dir = |file: &OpenFile| {
            let state = self.state.borrow();
            state.volumes[&file.volume].cache(file.inode).is_dir()
        };
        if is_dir(&source) || is_dir(&sink) {
            return Err(errno(libc::EISDIR));
        }
        source.check_readable()?;
        sink.check_writable()?;
        if sink.has(libc::O_APPEND) {
            return Err(errno(libc::EBADF));
        }
        let mut read_at = from_at.unwrap_or(source.position.get());
        let mut write_at = to_at.unwrap_or(sink.position.get());
        check_offset(read_at)?;
        check_offset(write_at)?;
        let size = self.metadata(from)?.len;
        let len = (len as u64).min(size.saturating_sub(read_at)) as usize;
        let apart = read_at.abs_diff(write_at) >= len as u64;
        if source.point() == sink.point() && !apart {
            return Err(errno(libc::EINVAL));
        }
        let mut copied = 0;
        let mut chunk = vec![0; len.min(COPY_CHUNK)];
        while copied < len {
            let want = (len - copied).min(COPY_CHUNK);
            let moved = self.pread(from, &mut chunk[..want], read_at);
            let moved = moved.and_then(|read| match read {
                0 => Ok(0),
                _ => self.pwrite(to, &chunk[..read], write_at),
            });
            match moved {
                Ok(0) => break,
                Ok(moved) => {
                    copied += moved;
                    read_at += moved as u64;
                    write_at += moved as u64;
                }
                Err(error) if copied == 0 => return Err(error),
                Err(_) => break,
            }
        }
        if from_at.is_none() {
            source.position.set(read_at);
        }
        if to_at.is_none() {
            sink.position.set(write_at);
        }
        Ok(copied)
    }

    /// fstat(2).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn metadata(&self, fd: Fd) -> io::Result<Metadata> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            self.call.set(OpKind::Stat);
            Ok(self.on_volume(world, file.volume, |volume, _| {
                let size = volume.cache(file.inode).size();
                volume.scars.meet_size(file.inode, size);
                Metadata::of(file.point(), volume.cache(file.inode))
            }))
        })
    }

    /// fstatfs(2).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn volume_status_of(&self, fd: Fd) -> io::Result<VolumeStatus> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            Ok(self.on_volume(world, file.volume, |volume, _| {
                VolumeStatus::of(file.volume, volume)
            }))
        })
    }

    /// fchmod(2): remembers the permission bits.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_mode(&self, fd: Fd, mode: u32) -> io::Result<()> {
        self.set_attributes(fd, |_| Attributes {
            mode: Some(mode),
            ..Attributes::default()
        })
    }

    /// futimens(2).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_times(&self, fd: Fd, accessed: SetTime, modified: SetTime) -> io::Result<()> {
        self.set_attributes(fd, |now| Attributes {
            mode: None,
            accessed_ns: accessed.resolve(now),
            modified_ns: modified.resolve(now),
        })
    }

    fn set_attributes(&self, fd: Fd, set: impl FnOnce(u64) -> Attributes) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            self.check(world, OpKind::SetMode, &file, || Asks::space(false))?;
            let now = world.wall_clock();
            let set = set(now);
            let detail = u64::from(set.mode.unwrap_or(u32::MAX));
            event(world, OpKind::SetMode, file.inode.0, detail);
            self.on_volume(world, file.volume, |volume, _| {
                volume.set_attributes(file.inode, set, now);
            });
            Ok(())
        })
    }
}
