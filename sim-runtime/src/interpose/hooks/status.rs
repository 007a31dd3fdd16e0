//! What a simulated file or descriptor is: `stat`, `fstat`, `statx`, `access`, `statfs`, `lseek`.
//!
//! Std's `statx(0, NULL)` only asks whether the call exists, and goes to the kernel.
#![expect(unsafe_code, reason = "reads and writes what C callers point to")]

use std::ffi::{c_char, c_int, c_long, c_uint};
use std::io::{self, SeekFrom};
use std::mem;

use libc::{off64_t, stat64 as Stat, statfs64 as StatFs, statvfs64 as StatVfs};

use super::define::hooks;
use super::files::{answer, ask, done, error, on_file, wait_for_disk};
use super::paths::{is_empty, on_path};
use crate::Fd;
use crate::device::Status;
use crate::files::{FileCall, FileStatus, Space};
use crate::world;

/// The unit that a file is best read in.
const BLOCK: i64 = 4096;
/// The device that a volume is on.
const MAJOR: u32 = 259;
const NS: u64 = 1_000_000_000;

/// The lower part of a device's number: another one in each boot. A library may know open files by
/// device and inode in state that is one for the whole process of a seed, as SQLite does of those
/// that it has locked; what a killed process left there must not be taken for its successor's.
fn minor(volume: u64) -> u32 {
    let starts = world::try_with(|world| world.current_boot().0).unwrap_or(0);
    volume as u32 | starts.saturating_sub(1) << 16
}

/// What a descriptor is. What is no file has a number of its own.
fn of_number(fd: c_int) -> Option<io::Result<FileStatus>> {
    ask(fd, |_, description| match description.as_file() {
        Some(file) => file.status(Fd(fd)),
        None => {
            let Status { mode, size } = description.status();
            Ok(FileStatus {
                inode: u64::try_from(fd - Fd::BASE).unwrap_or(0) + 1,
                mode,
                size,
                links: 1,
                ..FileStatus::default()
            })
        }
    })
}

/// What a path leads to, or, where it is empty and may be, the descriptor.
///
/// # Safety
///
/// `path` is null or ends in NUL.
unsafe fn of_place(
    (at, path): (c_int, *const c_char),
    flags: c_int,
) -> Option<io::Result<FileStatus>> {
    // SAFETY: the caller's promise.
    if flags & libc::AT_EMPTY_PATH != 0 && unsafe { is_empty(path) } {
        return of_number(at);
    }
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    // SAFETY: the caller's promise.
    unsafe { on_path((at, path), false, |files, at| files.status(at, follow)) }
}

fn user() -> u32 {
    // SAFETY: takes nothing and always succeeds.
    unsafe { libc::geteuid() }
}

fn group() -> u32 {
    // SAFETY: takes nothing and always succeeds.
    unsafe { libc::getegid() }
}

/// # Safety
///
/// `out` is null or valid for a write.
unsafe fn give(told: io::Result<FileStatus>, out: *mut Stat) -> c_long {
    done(told.and_then(|told| {
        if out.is_null() {
            return Err(error(libc::EFAULT));
        }
        // SAFETY: the structure is of numbers, which may all be zero.
        let mut status: Stat = unsafe { mem::zeroed() };
        status.st_dev = libc::makedev(MAJOR, minor(told.volume));
        status.st_ino = told.inode;
        status.st_nlink = told.links.into();
        status.st_mode = told.mode;
        status.st_uid = user();
        status.st_gid = group();
        status.st_size = told.size.cast_signed();
        status.st_blocks = told.blocks.cast_signed();
        status.st_blksize = BLOCK;
        let seconds = |ns: u64| ((ns / NS).cast_signed(), (ns % NS).cast_signed());
        (status.st_atime, status.st_atime_nsec) = seconds(told.accessed_unix_ns);
        (status.st_mtime, status.st_mtime_nsec) = seconds(told.modified_unix_ns);
        (status.st_ctime, status.st_ctime_nsec) = seconds(told.changed_unix_ns);
        // SAFETY: not null, and so valid by the contract.
        unsafe { out.write(status) };
        Ok(())
    }))
}

/// Serves `fstat`; `None` where the kernel must.
///
/// # Safety
///
/// `out` is null or valid for a write.
pub(super) unsafe fn serve_fstat(fd: c_int, out: *mut Stat) -> Option<c_long> {
    let told = of_number(fd)?;
    // SAFETY: the caller's promise.
    Some(unsafe { give(told, out) })
}

/// Serves `fstatat`, and so `stat` and `lstat`; `None` where the kernel must.
///
/// # Safety
///
/// `path` is null or ends in NUL; `out` is null or valid for a write.
pub(super) unsafe fn serve_fstatat(
    place: (c_int, *const c_char),
    out: *mut Stat,
    flags: c_int,
) -> Option<c_long> {
    // SAFETY: the caller's promise.
    let told = unsafe { of_place(place, flags) }?;
    // SAFETY: the caller's promise.
    Some(unsafe { give(told, out) })
}

/// Serves `statx`; `None` where the kernel must.
///
/// # Safety
///
/// `path` is null or ends in NUL; `out` is null or valid for a write.
pub(super) unsafe fn serve_statx(
    place: (c_int, *const c_char),
    flags: c_int,
    out: *mut libc::statx,
) -> Option<c_long> {
    if out.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let told = unsafe { of_place(place, flags) }?;
    Some(done(told.map(|told| {
        // SAFETY: the structure is of numbers, which may all be zero.
        let mut status: libc::statx = unsafe { mem::zeroed() };
        status.stx_mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
        status.stx_blksize = BLOCK as u32;
        status.stx_nlink = told.links;
        status.stx_uid = user();
        status.stx_gid = group();
        status.stx_mode = told.mode as u16;
        status.stx_ino = told.inode;
        status.stx_size = told.size;
        status.stx_blocks = told.blocks;
        (status.stx_dev_major, status.stx_dev_minor) = (MAJOR, minor(told.volume));
        for (time, ns) in [
            (&mut status.stx_atime, told.accessed_unix_ns),
            (&mut status.stx_btime, told.made_unix_ns),
            (&mut status.stx_ctime, told.changed_unix_ns),
            (&mut status.stx_mtime, told.modified_unix_ns),
        ] {
            time.tv_sec = (ns / NS).cast_signed();
            time.tv_nsec = (ns % NS) as u32;
        }
        // SAFETY: not null, and so valid by the contract.
        unsafe { out.write(status) };
    })))
}

/// Serves `faccessat`, and so `access`.
///
/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn serve_access(
    place: (c_int, *const c_char),
    mode: c_int,
    flags: c_int,
) -> Option<c_long> {
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    // SAFETY: the caller's promise.
    unsafe { on_path(place, false, |files, at| files.access(at, mode, follow)) }.map(done)
}

/// Serves `lseek`; `None` where the kernel must.
pub(super) fn serve_seek(fd: c_int, offset: off64_t, from: c_int) -> Option<c_long> {
    let sought = ask(fd, |world, description| {
        if let Some(file) = description.as_file() {
            // A directory is read anew, or from a place that was told before.
            if let Some(listing) = world.files.listings.borrow_mut().get_mut(&fd) {
                listing.position = usize::try_from(offset).unwrap_or(usize::MAX);
                if from == libc::SEEK_SET && offset != 0 {
                    return Ok(offset.unsigned_abs());
                }
            }
            if offset == 0 && from == libc::SEEK_SET {
                world.files.listings.borrow_mut().remove(&fd);
            }
            return file.seek(Fd(fd), offset, from);
        }
        let to = match from {
            libc::SEEK_SET => u64::try_from(offset).ok().map(SeekFrom::Start),
            libc::SEEK_CUR => Some(SeekFrom::Current(offset)),
            libc::SEEK_END => Some(SeekFrom::End(offset)),
            _ => None,
        };
        description.seek(to.ok_or_else(|| error(libc::EINVAL))?)
    })?;
    Some(answer(sought.map(|position| position as usize)))
}

/// What a file system is called by who asks for its type: the one that most have.
const EXT4: i64 = 0xef53;
/// The longest name.
const NAME_MAX: i64 = 255;

fn of_space(space: Space) -> StatFs {
    // SAFETY: the structure is of numbers, which may all be zero.
    let mut status: StatFs = unsafe { mem::zeroed() };
    status.f_type = EXT4;
    status.f_bsize = space.block_bytes.cast_signed();
    status.f_frsize = space.block_bytes.cast_signed();
    status.f_blocks = space.blocks;
    status.f_bfree = space.blocks_free;
    status.f_bavail = space.blocks_free;
    status.f_files = space.blocks;
    status.f_ffree = space.blocks_free;
    status.f_namelen = NAME_MAX;
    status
}

fn of_space_posix(space: Space) -> StatVfs {
    // SAFETY: the structure is of numbers, which may all be zero.
    let mut status: StatVfs = unsafe { mem::zeroed() };
    status.f_bsize = space.block_bytes;
    status.f_frsize = space.block_bytes;
    status.f_blocks = space.blocks;
    status.f_bfree = space.blocks_free;
    status.f_bavail = space.blocks_free;
    status.f_files = space.blocks;
    status.f_ffree = space.blocks_free;
    status.f_favail = space.blocks_free;
    status.f_namemax = NAME_MAX.unsigned_abs();
    status
}

/// Serves `statfs` and `statvfs`, which differ in what they fill in.
///
/// # Safety
///
/// `path` is null or ends in NUL; `out` is null or valid for a write.
pub(super) unsafe fn serve_space<T>(
    path: *const c_char,
    of: fn(Space) -> T,
    out: *mut T,
) -> Option<c_long> {
    let place = (libc::AT_FDCWD, path);
    // SAFETY: the caller's promise.
    let space = unsafe { on_path(place, false, |files, at| files.space(at)) }?;
    // SAFETY: the caller's promise.
    Some(unsafe { give_space(space, of, out) })
}

/// The same of a descriptor.
///
/// # Safety
///
/// `out` is null or valid for a write.
pub(super) unsafe fn serve_space_of<T>(
    fd: c_int,
    of: fn(Space) -> T,
    out: *mut T,
) -> Option<c_long> {
    let space = on_file(fd, (FileCall::Metadata, libc::ENOSYS), |file, fd| {
        file.space(fd)
    })?;
    // SAFETY: the caller's promise.
    Some(unsafe { give_space(space, of, out) })
}

/// # Safety
///
/// `out` is null or valid for a write.
unsafe fn give_space<T>(space: io::Result<Space>, of: fn(Space) -> T, out: *mut T) -> c_long {
    wait_for_disk(FileCall::Metadata);
    done(space.and_then(|space| {
        if out.is_null() {
            return Err(error(libc::EFAULT));
        }
        // SAFETY: not null, and so valid by the contract.
        unsafe { out.write(of(space)) };
        Ok(())
    }))
}

/// `statfs` by number.
///
/// # Safety
///
/// As for [`serve_space`].
pub(super) unsafe fn statfs_by_number(path: *const c_char, out: *mut StatFs) -> Option<c_long> {
    // SAFETY: the caller's promise.
    unsafe { serve_space(path, of_space, out) }
}

/// `fstatfs` by number.
///
/// # Safety
///
/// As for [`serve_space_of`].
pub(super) unsafe fn fstatfs_by_number(fd: c_int, out: *mut StatFs) -> Option<c_long> {
    // SAFETY: the caller's promise.
    unsafe { serve_space_of(fd, of_space, out) }
}

const HERE: c_int = libc::AT_FDCWD;
const LINK: c_int = libc::AT_SYMLINK_NOFOLLOW;

// On these targets `struct stat` and `struct stat64` are one, and so are the others.
hooks! {
    stat = STAT: (path: *const c_char, out: *mut Stat) -> c_int {
        serve_fstatat((HERE, path), out, 0)
    }
    stat64 = STAT64: (path: *const c_char, out: *mut Stat) -> c_int {
        serve_fstatat((HERE, path), out, 0)
    }
    lstat = LSTAT: (path: *const c_char, out: *mut Stat) -> c_int {
        serve_fstatat((HERE, path), out, LINK)
    }
    lstat64 = LSTAT64: (path: *const c_char, out: *mut Stat) -> c_int {
        serve_fstatat((HERE, path), out, LINK)
    }
    fstat = FSTAT: (fd: c_int, out: *mut Stat) -> c_int { serve_fstat(fd, out) }
    fstat64 = FSTAT64: (fd: c_int, out: *mut Stat) -> c_int { serve_fstat(fd, out) }
    fstatat = FSTATAT: (
        at: c_int, path: *const c_char, out: *mut Stat, flags: c_int
    ) -> c_int {
        serve_fstatat((at, path), out, flags)
    }
    fstatat64 = FSTATAT64: (
        at: c_int, path: *const c_char, out: *mut Stat, flags: c_int
    ) -> c_int {
        serve_fstatat((at, path), out, flags)
    }
    statx = STATX: (
        at: c_int, path: *const c_char, flags: c_int, mask: c_uint, out: *mut libc::statx
    ) -> c_int {
        serve_statx((at, path), flags, out)
    }
    access = ACCESS: (path: *const c_char, mode: c_int) -> c_int {
        serve_access((HERE, path), mode, 0)
    }
    euidaccess = EUIDACCESS: (path: *const c_char, mode: c_int) -> c_int {
        serve_access((HERE, path), mode, 0)
    }
    eaccess = EACCESS: (path: *const c_char, mode: c_int) -> c_int {
        serve_access((HERE, path), mode, 0)
    }
    faccessat = FACCESSAT: (
        at: c_int, path: *const c_char, mode: c_int, flags: c_int
    ) -> c_int {
        serve_access((at, path), mode, flags)
    }
    lseek = LSEEK: (fd: c_int, offset: off64_t, from: c_int) -> off64_t {
        safe serve_seek(fd, offset, from)
    }
    lseek64 = LSEEK64: (fd: c_int, offset: off64_t, from: c_int) -> off64_t {
        safe serve_seek(fd, offset, from)
    }
    statfs = STATFS: (path: *const c_char, out: *mut StatFs) -> c_int {
        serve_space(path, of_space, out)
    }
    statfs64 = STATFS64: (path: *const c_char, out: *mut StatFs) -> c_int {
        serve_space(path, of_space, out)
    }
    statvfs = STATVFS: (path: *const c_char, out: *mut StatVfs) -> c_int {
        serve_space(path, of_space_posix, out)
    }
    statvfs64 = STATVFS64: (path: *const c_char, out: *mut StatVfs) -> c_int {
        serve_space(path, of_space_posix, out)
    }
    fstatfs = FSTATFS: (fd: c_int, out: *mut StatFs) -> c_int {
        serve_space_of(fd, of_space, out)
    }
    fstatfs64 = FSTATFS64: (fd: c_int, out: *mut StatFs) -> c_int {
        serve_space_of(fd, of_space, out)
    }
    fstatvfs = FSTATVFS: (fd: c_int, out: *mut StatVfs) -> c_int {
        serve_space_of(fd, of_space_posix, out)
    }
    fstatvfs64 = FSTATVFS64: (fd: c_int, out: *mut StatVfs) -> c_int {
        serve_space_of(fd, of_space_posix, out)
    }
}
