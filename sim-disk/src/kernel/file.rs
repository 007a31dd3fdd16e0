//! Calls on descriptors: opening, reading, writing, the position.

use std::cell::Cell;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use sim_runtime::{Fd, World, with};

use super::device::{Disk, event};
use super::faults::Asks;
use super::namespace::At;
use super::op_kind::OpKind;
use super::open_file::{OpenFile, OpenFlags, Opening};
use crate::content_hash::digest_of_write;
use crate::errno::errno;
use crate::state::pages::SECTOR;
use crate::state::volume::SIZE_MAX;

impl Disk {
    /// open(2) as std calls it. A directory may be opened for reading, to be synced.
    ///
    /// # Errors
    /// As [`open_with`](Disk::open_with); `EINVAL` for flags that std refuses.
    pub fn open<'p>(&self, at: impl Into<At<'p>>, flags: OpenFlags) -> io::Result<Fd> {
        self.open_with(at, flags.to_bits()?, flags.mode)
    }

    /// openat(2), with the flags of Linux. `O_TMPFILE`, `O_PATH`, `O_DIRECT`, `O_SYNC` and
    /// `O_DSYNC` mean what they mean there; those without a meaning here are ignored.
    ///
    /// # Errors
    /// Those of open(2); `EMFILE`.
    pub fn open_with<'p>(&self, at: impl Into<At<'p>>, bits: i32, mode: u32) -> io::Result<Fd> {
        let at = at.into();
        let opening = Opening::of(bits, mode)?;
        let request = opening.request;
        let makes = request.create || opening.unnamed;
        let asks = || {
            let space = makes && (opening.unnamed || self.is_missing(at));
            Asks {
                space,
                changes: space || request.write,
            }
        };
        self.check_path(OpKind::Open, at, asks)?;
        // A slash follows a link at the end, but no file is made with one.
        let follow = match at.bytes().ends_with(b"/") {
            true => !request.create,
            false => opening.follow,
        };
        let (volume, inode) = self.call_at(OpKind::Open, at, follow, |volume, walked, now| {
            if !opening.unnamed {
                return Ok(volume.open_walked(walked, request, now)?.0);
            }
            let dir = walked.inode().ok_or_else(|| errno(libc::ENOENT))?;
            if !volume.cache(dir).is_dir() {
                return Err(errno(libc::ENOTDIR));
            }
            Ok(volume.make_file(mode, now))
        })?;
        with(|world| {
            let file = Rc::new(OpenFile {
                id: self.next_description(),
                process: (world.current_node(), world.current_boot()),
                volume,
                inode,
                access: opening.access,
                status: Cell::new(opening.status),
                unnamed: opening.unnamed && bits & libc::O_EXCL == 0,
                position: Cell::new(0),
                path: at.bytes().into(),
            });
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
            self.read_next(world, &file, buf)
        })
    }

    pub(crate) fn read_next(
        &self,
        world: &World,
        file: &OpenFile,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        let at = file.position.get();
        let read = self.read_at(world, file, at, buf)?;
        file.position.set(at + read as u64);
        Ok(read)
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
        check_range(offset, buf.len())?;
        if file.has(libc::O_DIRECT) {
            check_aligned(offset, buf.len())?;
        }
        self.check(world, OpKind::Read, file, Asks::default)?;
        let len = self.shorten(world, OpKind::Read, file, buf.len());
        let buf = &mut buf[..len];
        let past_cache = file.has(libc::O_DIRECT);
        let read = self.on_volume(world, file.volume, |volume, stats| {
            if volume.cache(file.inode).is_dir() {
                return Err(errno(libc::EISDIR));
            }
            let read = volume.read(file.inode, offset, buf, past_cache)?;
            stats.reads += 1;
            stats.bytes_read += read as u64;
            Ok(read)
        })?;
        self.occupy(world, read as u64);
        self.lint_read(world, file, offset..offset + read as u64);
        event(
            world,
            OpKind::Read,
            file.inode.0,
            digest_of_write(0, [offset, read as u64]),
        );
        Ok(read)
    }

    /// write(2): at the position, which moves; at the end with `O_APPEND`. Short when space
    /// ends. With `O_SYNC` or `O_DSYNC`, durable on return.
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

    /// pwrite(2): as [`write`](Disk::write), at `offset`; the position stays. With `O_APPEND` it
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
        check_range(offset, buf.len())?;
        if file.has(libc::O_DIRECT) {
            check_aligned(offset, buf.len())?;
        }
        let now = world.wall_clock();
        let append = file.has(libc::O_APPEND);
        let asks = || {
            Asks::space(self.on_volume(world, file.volume, |volume, _| {
                let at = match append {
                    true => volume.cache(file.inode).size(),
                    false => offset,
                };
                volume.would_allocate(file.inode, at, buf.len())
            }))
        };
        self.check(world, OpKind::Write, file, asks)?;
        let buf = match self.is_failing.get() {
            true => &buf[..self.shorten(world, OpKind::Write, file, buf.len())],
            false => buf,
        };
        let (at, written, digest) = self.on_volume(world, file.volume, |volume, stats| {
            let at = match append {
                true => volume.cache(file.inode).size(),
                false => offset,
            };
            let (written, digest) = volume.write(file.inode, at, buf, now)?;
            stats.writes += 1;
            stats.bytes_written += written as u64;
            io::Result::Ok((at, written, digest))
        })?;
        let detail = digest_of_write(digest, [at, written as u64]);
        event(world, OpKind::Write, file.inode.0, detail);
        self.lint_write(world, file, at..at + written as u64);
        if file.status.get() & libc::O_DSYNC != 0 && written > 0 {
            self.sync_file(world, file, !file.has(libc::O_SYNC))?;
        }
        Ok((at, written))
    }

    /// lseek(2): moves the position; past the end is allowed.
    ///
    /// # Errors
    /// `EBADF`; `EINVAL` for a place before the start or that no file can have.
    pub fn seek(&self, fd: Fd, to: SeekFrom) -> io::Result<u64> {
        let file = with(|world| world.description_as::<OpenFile>(fd))?;
        self.seek_file(&file, to)
    }

    pub(crate) fn seek_file(&self, file: &OpenFile, to: SeekFrom) -> io::Result<u64> {
        file.check_content()?;
        let from = |start: u64, by: i64| start.checked_add_signed(by);
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => from(file.position.get(), by),
            SeekFrom::End(by) => {
                let size = with(|world| {
                    self.call.set(OpKind::Stat);
                    self.on_volume(world, file.volume, |volume, _| {
                        let size = volume.cache(file.inode).size();
                        volume.scars.meet_size(file.inode, size);
                        size
                    })
                });
                from(size, by)
            }
        };
        let to = to.filter(|&to| to <= SIZE_MAX);
        let to = to.ok_or_else(|| errno(libc::EINVAL))?;
        file.position.set(to);
        Ok(to)
    }

    /// lseek(2) with `SEEK_DATA` (`data`) or `SEEK_HOLE`.
    ///
    /// # Errors
    /// `EBADF`; `ENXIO` at the end and beyond, or when there is no data any more.
    pub fn seek_space(&self, fd: Fd, offset: u64, data: bool) -> io::Result<u64> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            let to = self.on_volume(world, file.volume, |volume, _| {
                volume.seek_space(file.inode, offset, data)
            })?;
            file.position.set(to);
            Ok(to)
        })
    }

    /// fcntl(2) with `F_GETFL`.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn flags(&self, fd: Fd) -> io::Result<i32> {
        with(|world| Ok(world.description_as::<OpenFile>(fd)?.bits()))
    }

    /// fcntl(2) with `F_SETFL`: `O_APPEND`, `O_DIRECT`, `O_NONBLOCK`, `O_NOATIME`; others are
    /// ignored, as Linux does.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn set_flags(&self, fd: Fd, bits: i32) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            file.set_bits(bits);
            Ok(())
        })
    }

    /// The path that a descriptor was opened with; for messages and `/proc/self/fd`.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn opened_as(&self, fd: Fd) -> io::Result<std::path::PathBuf> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            Ok(Path::new(&file.name()).to_owned())
        })
    }

    /// close(2). The world's table does it; here for callers that hold a disk.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn close(&self, fd: Fd) -> io::Result<()> {
        self.closing(fd);
        with(|world| world.close(fd))
    }
}

/// `pread64` and `pwrite64` take a signed offset.
pub(crate) fn check_offset(offset: u64) -> io::Result<()> {
    if offset > SIZE_MAX {
        Err(errno(libc::EINVAL))
    } else {
        Ok(())
    }
}

/// A read or write ends where an offset can be.
fn check_range(offset: u64, len: usize) -> io::Result<()> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= SIZE_MAX => Ok(()),
        _ => Err(errno(libc::EINVAL)),
    }
}

/// `O_DIRECT` moves whole sectors. Where the buffer is in memory, callers must look.
fn check_aligned(offset: u64, len: usize) -> io::Result<()> {
    if offset.is_multiple_of(SECTOR) && (len as u64).is_multiple_of(SECTOR) {
        Ok(())
    } else {
        Err(errno(libc::EINVAL))
    }
}
