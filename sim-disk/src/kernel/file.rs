//! Calls on descriptors.

use std::cell::Cell;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use sim_runtime::{Fd, World, with};

use super::device::{Disk, event};
use super::hash::digest_of;
use super::metadata::Metadata;
use super::op_kind::OpKind;
use super::open_file::{OpenFile, OpenFlags};
use super::path::bytes_of;
use crate::errno::errno;
use crate::state::volume::SIZE_MAX;

impl Disk {
    /// open(2). A directory may be opened for reading, to be synced.
    ///
    /// # Errors
    /// Those of open(2); `EINVAL` for flags that do not fit together; `EMFILE`.
    pub fn open(&self, path: &Path, flags: OpenFlags) -> io::Result<Fd> {
        let request = flags.check()?;
        let path = bytes_of(path);
        let makes = request.create || request.create_new;
        self.check_path_fault(OpKind::Open, path, || makes && self.is_missing(path))?;
        let (volume, inode) = self.call(OpKind::Open, path, |volume, now| {
            let (inode, _) = volume.open_path(path, request, now)?;
            Ok(inode)
        })?;
        let file = Rc::new(OpenFile {
            volume,
            inode,
            read: flags.read,
            write: request.write,
            append: flags.append,
            position: Cell::new(0),
            path: path.into(),
        });
        with(|world| {
            let opened = world.open(Rc::<OpenFile>::clone(&file));
            if opened.is_err() {
                file.release(world);
            }
            opened
        })
    }

    /// read(2): up to `buf.len()` bytes from the position on, which moves. 0 at the end.
    ///
    /// # Errors
    /// `EBADF` when closed or not open for reading, `EISDIR`, injected `EIO`.
    pub fn read(&self, fd: Fd, buf: &mut [u8]) -> io::Result<usize> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            let at = file.position.get();
            let read = self.read_at(world, &file, at, buf)?;
            file.position.set(at + read as u64);
            Ok(read)
        })
    }

    /// pread(2): as [`read`](Disk::read), from `offset`; the position stays.
    ///
    /// # Errors
    /// As [`read`](Disk::read); `EINVAL` for an offset that no file can have.
    pub fn pread(&self, fd: Fd, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            check_offset(offset)?;
            self.read_at(world, &file, offset, buf)
        })
    }

    fn read_at(
        &self,
        world: &World,
        file: &OpenFile,
        offset: u64,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        file.check_readable()?;
        if let Some(hit) = self.injected(world, OpKind::Read, || false, || file.name()) {
            event(world, OpKind::Read, file.inode.0, u64::MAX);
            return Err(hit.error);
        }
        let read = self.on_volume(world, file.volume, |volume, stats| {
            if volume.cache(file.inode).is_dir() {
                return Err(errno(libc::EISDIR));
            }
            let read = volume.read(file.inode, offset, buf);
            stats.reads += 1;
            stats.bytes_read += read as u64;
            Ok(read)
        })?;
        event(
            world,
            OpKind::Read,
            file.inode.0,
            digest_of([offset, read as u64], &[]),
        );
        Ok(read)
    }

    /// write(2): at the position, which moves; at the end with `append`. Short when space ends.
    ///
    /// # Errors
    /// `EBADF` when closed or not open for writing, `ENOSPC`, `EFBIG`, injected errors.
    pub fn write(&self, fd: Fd, buf: &[u8]) -> io::Result<usize> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            let (at, written) = self.write_at(world, &file, file.position.get(), buf)?;
            file.position.set(at + written as u64);
            Ok(written)
        })
    }

    /// pwrite(2): as [`write`](Disk::write), at `offset`; the position stays. With `append` it
    /// appends all the same, as Linux does (pwrite(2), *Bugs*).
    ///
    /// # Errors
    /// As [`write`](Disk::write); `EINVAL` for an offset that no file can have.
    pub fn pwrite(&self, fd: Fd, buf: &[u8], offset: u64) -> io::Result<usize> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            check_offset(offset)?;
            Ok(self.write_at(world, &file, offset, buf)?.1)
        })
    }

    /// Returns where it wrote, and how much.
    fn write_at(
        &self,
        world: &World,
        file: &OpenFile,
        offset: u64,
        buf: &[u8],
    ) -> io::Result<(u64, usize)> {
        file.check_writable()?;
        let now = world.wall_clock();
        let place = |size: u64| if file.append { size } else { offset };
        let needs_space = || {
            self.on_volume(world, file.volume, |volume, _| {
                let at = place(volume.cache(file.inode).size());
                volume.would_allocate(file.inode, at, buf.len())
            })
        };
        if let Some(hit) = self.injected(world, OpKind::Write, needs_space, || file.name()) {
            event(world, OpKind::Write, file.inode.0, u64::MAX);
            return Err(hit.error);
        }
        let (at, written) = self.on_volume(world, file.volume, |volume, stats| {
            let at = place(volume.cache(file.inode).size());
            let written = volume.write(file.inode, at, buf, now)?;
            stats.writes += 1;
            stats.bytes_written += written as u64;
            io::Result::Ok((at, written))
        })?;
        let detail = digest_of([at, written as u64], &buf[..written]);
        event(world, OpKind::Write, file.inode.0, detail);
        Ok((at, written))
    }

    /// lseek(2): moves the position; past the end is allowed.
    ///
    /// # Errors
    /// `EBADF`; `EINVAL` for a place before the start or that no file can have.
    pub fn seek(&self, fd: Fd, to: SeekFrom) -> io::Result<u64> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            let from = |start: u64, by: i64| start.checked_add_signed(by);
            let to = match to {
                SeekFrom::Start(at) => Some(at),
                SeekFrom::Current(by) => from(file.position.get(), by),
                SeekFrom::End(by) => {
                    let size = self.on_volume(world, file.volume, |volume, _| {
                        let size = volume.cache(file.inode).size();
                        volume.scars.meet_size(file.inode, size);
                        size
                    });
                    from(size, by)
                }
            };
            let to = to
                .filter(|&to| to <= SIZE_MAX)
                .ok_or_else(|| errno(libc::EINVAL))?;
            file.position.set(to);
            Ok(to)
        })
    }

    /// fsync(2): of a file, its data, size and attributes are durable on return; of a directory,
    /// its entries. Whether a new file's name is, too, is up to the profile.
    ///
    /// # Errors
    /// `EBADF`; injected `EIO`, after which the dirty pages of a file are clean and lost to the
    /// media.
    pub fn fsync(&self, fd: Fd) -> io::Result<()> {
        self.sync(fd, false)
    }

    /// fdatasync(2): as [`fsync`](Disk::fsync), without attributes.
    ///
    /// # Errors
    /// As [`fsync`](Disk::fsync).
    pub fn fdatasync(&self, fd: Fd) -> io::Result<()> {
        self.sync(fd, true)
    }

    fn sync(&self, fd: Fd, only_data: bool) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            if let Some(hit) = self.injected(world, OpKind::Sync, || false, || file.name()) {
                let given_up = self.on_volume(world, file.volume, |volume, _| {
                    volume.sync_failed(file.inode, hit.fault)
                });
                event(world, OpKind::Sync, file.inode.0, !(given_up as u64));
                return Err(hit.error);
            }
            let durable = self.on_volume(world, file.volume, |volume, stats| {
                stats.syncs += 1;
                if only_data {
                    volume.sync_data(file.inode)
                } else {
                    volume.sync(file.inode)
                }
            });
            event(world, OpKind::Sync, file.inode.0, durable as u64);
            Ok(())
        })
    }

    /// ftruncate(2): makes the file `len` bytes long; what is new reads as zero.
    ///
    /// # Errors
    /// `EBADF`, `EINVAL` when not open for writing, `EFBIG`, injected `EIO`.
    pub fn set_len(&self, fd: Fd, len: u64) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            if !file.write || len > SIZE_MAX {
                return Err(errno(libc::EINVAL));
            }
            if let Some(hit) = self.injected(world, OpKind::SetLen, || false, || file.name()) {
                return Err(hit.error);
            }
            let now = world.wall_clock();
            event(world, OpKind::SetLen, file.inode.0, len);
            self.on_volume(world, file.volume, |volume, _| {
                volume.resize(file.inode, len, now)
            })
        })
    }

    /// fstat(2).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn metadata(&self, fd: Fd) -> io::Result<Metadata> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            Ok(self.on_volume(world, file.volume, |volume, _| {
                volume
                    .scars
                    .meet_size(file.inode, volume.cache(file.inode).size());
                Metadata::of(file.inode, volume.cache(file.inode))
            }))
        })
    }

    /// fchmod(2): remembers the permission bits.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_mode(&self, fd: Fd, mode: u32) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            let now = world.wall_clock();
            event(world, OpKind::SetMode, file.inode.0, u64::from(mode));
            self.on_volume(world, file.volume, |volume, _| {
                volume.set_mode(file.inode, mode, now);
            });
            Ok(())
        })
    }
}

/// `pread64` and `pwrite64` take a signed offset.
fn check_offset(offset: u64) -> io::Result<()> {
    if offset > SIZE_MAX {
        Err(errno(libc::EINVAL))
    } else {
        Ok(())
    }
}
