//! What is done to an open file beside reading and writing: syncing, sizes, attributes, copies.
#![expect(unsafe_code, reason = "reads and writes what C callers point to")]

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::io;

use libc::{mode_t, off64_t, size_t, ssize_t, timespec};

use super::data::offset_of;
use super::define::hooks;
use super::files::{answer, ask, done, error, on_file, wait_for_disk};
use super::paths::{is_empty, on_path};
use super::sleep::nanoseconds;
use crate::files::{FileCall, Files, Place, SetTime};
use crate::interpose::hatch;
use crate::{Fd, world};

/// `fsync(2)`, `fdatasync(2)`.
pub(super) fn serve_sync(fd: c_int, only_data: bool) -> Option<c_long> {
    let synced = on_file(fd, (FileCall::Sync, libc::EINVAL), |file, fd| {
        world::with(|world| world.before_reading(file, fd))?;
        file.sync(fd, only_data)
    });
    synced.map(done)
}

/// `sync_file_range(2)`: starts or awaits writing, and promises nothing.
pub(super) fn serve_sync_range(
    fd: c_int,
    (offset, length): (off64_t, off64_t),
    flags: c_uint,
) -> Option<c_long> {
    let synced = on_file(fd, (FileCall::Write, libc::ESPIPE), |file, fd| {
        file.sync_range(fd, (offset_of(offset)?, offset_of(length)?), flags)
    });
    synced.map(done)
}

/// `sync(2)`.
pub(super) fn serve_sync_all() -> Option<c_long> {
    if hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    let files = world::try_with(|world| world.files.device())??;
    wait_for_disk(FileCall::Sync);
    files.sync_all();
    Some(0)
}

pub(super) fn serve_syncfs(fd: c_int) -> Option<c_long> {
    let synced = on_file(fd, (FileCall::Sync, libc::EINVAL), |file, fd| {
        file.sync_volume(fd)
    });
    synced.map(done)
}

pub(super) fn serve_ftruncate(fd: c_int, length: off64_t) -> Option<c_long> {
    let set = on_file(fd, (FileCall::Write, libc::EINVAL), |file, fd| {
        let set = || file.set_len(fd, offset_of(length)?);
        world::with(|world| world.while_writing((file, fd), set))
    });
    set.map(done)
}

pub(super) fn serve_fallocate(
    fd: c_int,
    mode: c_int,
    (offset, length): (off64_t, off64_t),
) -> Option<c_long> {
    let set = on_file(fd, (FileCall::Write, libc::ESPIPE), |file, fd| {
        if length == 0 {
            return Err(error(libc::EINVAL));
        }
        let set = || file.allocate(fd, mode, offset_of(offset)?, offset_of(length)?);
        world::with(|world| world.while_writing((file, fd), set))
    });
    set.map(done)
}

/// `posix_fallocate(3)` gives the error's number back.
fn serve_posix_fallocate(fd: c_int, offset: off64_t, length: off64_t) -> Option<c_long> {
    match serve_fallocate(fd, 0, (offset, length))? {
        0 => Some(0),
        _ => Some(super::real::errno().into()),
    }
}

/// `posix_fadvise(2)`: advice changes nothing.
pub(super) fn serve_advice(fd: c_int) -> Option<c_int> {
    let advised = ask(fd, |_, description| match description.as_file() {
        Some(_) => Ok(()),
        None => Err(error(libc::ESPIPE)),
    })?;
    Some(match advised {
        Ok(()) => 0,
        Err(error) => error.raw_os_error().unwrap_or(libc::EBADF),
    })
}

fn serve_readahead(fd: c_int) -> Option<c_long> {
    let code = serve_advice(fd)?;
    Some(done(match code {
        0 => Ok(()),
        _ => Err(error(libc::EINVAL)),
    }))
}

pub(super) fn serve_fchmod(fd: c_int, mode: mode_t) -> Option<c_long> {
    let set = on_file(fd, (FileCall::Metadata, libc::EINVAL), |file, fd| {
        file.set_mode(fd, mode & 0o7777)
    });
    set.map(done)
}

/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn serve_chmod(
    place: (c_int, *const c_char),
    mode: mode_t,
    flags: c_int,
) -> Option<c_long> {
    // Linux changes no link's mode.
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let set = |files: &dyn Files, at: Place<'_>| {
        let is_link =
            || io::Result::Ok(files.status(at, false)?.mode & libc::S_IFMT == libc::S_IFLNK);
        match !follow && is_link()? {
            true => Err(error(libc::EOPNOTSUPP)),
            false => files.set_mode(at, mode & 0o7777),
        }
    };
    // SAFETY: the caller's promise.
    unsafe { on_path(place, true, set) }.map(done)
}

/// `fchown(2)`: there is one user, and its files are its own.
pub(super) fn serve_fchown(fd: c_int) -> Option<c_long> {
    on_file(fd, (FileCall::Metadata, libc::EINVAL), |file, fd| {
        file.status(fd).map(|_| ())
    })
    .map(done)
}

/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn serve_chown(place: (c_int, *const c_char), flags: c_int) -> Option<c_long> {
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let ask = |files: &dyn Files, at: Place<'_>| files.status(at, follow).map(|_| ());
    // SAFETY: the caller's promise.
    unsafe { on_path(place, true, ask) }.map(done)
}

/// # Safety
///
/// `times` is null or valid for a read of two.
unsafe fn times_of(times: *const timespec) -> io::Result<[SetTime; 2]> {
    if times.is_null() {
        return Ok([SetTime::Now; 2]);
    }
    let one = |time: timespec| match time.tv_nsec {
        libc::UTIME_NOW => Ok(SetTime::Now),
        libc::UTIME_OMIT => Ok(SetTime::Leave),
        // Times before 1970 are taken for its beginning.
        _ if time.tv_sec < 0 => Ok(SetTime::At(0)),
        _ => match nanoseconds(time) {
            Some(ns) => Ok(SetTime::At(ns)),
            None => Err(error(libc::EINVAL)),
        },
    };
    // SAFETY: not null, and so valid by the contract.
    let (accessed, modified) = unsafe { (times.read(), times.add(1).read()) };
    Ok([one(accessed)?, one(modified)?])
}

/// `utimensat(2)`: without a path, of the descriptor.
///
/// # Safety
///
/// `path` is null or ends in NUL; `times` is null or valid for a read of two.
pub(super) unsafe fn serve_times(
    (at, path): (c_int, *const c_char),
    times: *const timespec,
    flags: c_int,
) -> Option<c_long> {
    // SAFETY: the caller's promise.
    let times = unsafe { times_of(times) };
    // SAFETY: the caller's promise.
    let by_number = path.is_null() || flags & libc::AT_EMPTY_PATH != 0 && unsafe { is_empty(path) };
    if by_number {
        let set = on_file(at, (FileCall::Metadata, libc::EINVAL), |file, fd| {
            file.set_times(fd, times?)
        });
        return set.map(done);
    }
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let set = |files: &dyn Files, at: Place<'_>| files.set_times(at, times?, follow);
    // SAFETY: the caller's promise.
    unsafe { on_path((at, path), true, set) }.map(done)
}

/// `utimes(2)`: microseconds.
///
/// # Safety
///
/// `path` is null or ends in NUL; `times` is null or valid for a read of two.
pub(super) unsafe fn serve_utimes(
    path: *const c_char,
    times: *const libc::timeval,
) -> Option<c_long> {
    let place = (libc::AT_FDCWD, path);
    if path.is_null() || times.is_null() {
        // SAFETY: the caller's promise.
        return unsafe { serve_times(place, std::ptr::null(), 0) };
    }
    let fine = |time: libc::timeval| timespec {
        tv_sec: time.tv_sec,
        tv_nsec: time.tv_usec.saturating_mul(1_000),
    };
    // SAFETY: not null, and so valid by the contract.
    let both = unsafe { [fine(times.read()), fine(times.add(1).read())] };
    // SAFETY: the caller's promise; the array lives until the call returns.
    unsafe { serve_times(place, both.as_ptr(), 0) }
}

/// What a copy moves at once.
const CHUNK: usize = 64 << 10;

/// Copies from a simulated file to any descriptor.
fn send(from: c_int, mut at: Option<off64_t>, to: c_int, length: size_t) -> io::Result<usize> {
    let mut chunk = vec![0; length.min(CHUNK)];
    let mut sent = 0;
    while sent < length {
        let want = chunk.len().min(length - sent);
        let part = &mut chunk[..want];
        let read = on_file(from, (FileCall::Read, libc::EINVAL), |file, fd| match at {
            Some(at) => file.pread(fd, part, offset_of(at)?),
            None => file.pread(fd, part, file.seek(fd, 0, libc::SEEK_CUR)?),
        });
        let count = match read.unwrap_or_else(|| Err(error(libc::EBADF))) {
            Ok(0) => break,
            Ok(count) => count,
            Err(_) if sent > 0 => break,
            Err(error) => return Err(error),
        };
        let written = write_any(to, &chunk[..count]);
        let Ok(written) = usize::try_from(written) else {
            match sent {
                0 => return Err(io::Error::from_raw_os_error(super::real::errno())),
                _ => break,
            }
        };
        let by = written as i64;
        match &mut at {
            Some(at) => *at += by,
            None => drop(on_file(
                from,
                (FileCall::Metadata, libc::EINVAL),
                |file, fd| file.seek(fd, by, libc::SEEK_CUR),
            )),
        }
        sent += written;
        if written < count {
            break;
        }
    }
    Ok(sent)
}

/// Writes to a simulated descriptor or to one of the kernel's.
fn write_any(to: c_int, bytes: &[u8]) -> c_long {
    let piece = (bytes.as_ptr().cast::<c_void>(), bytes.len());
    // SAFETY: the pointer and length are a slice's.
    let written = unsafe { super::data::write(to, piece.0, piece.1) };
    written as c_long
}

/// `copy_file_range(2)`: within the simulation; across its border is another file system.
///
/// # Safety
///
/// Both offsets are null or valid for a read and a write.
pub(super) unsafe fn serve_copy_range(
    from: (c_int, *mut off64_t),
    to: (c_int, *mut off64_t),
    length: size_t,
) -> Option<c_long> {
    match (Fd::is_simulated(from.0), Fd::is_simulated(to.0)) {
        (false, false) => None,
        // SAFETY: the caller's promise.
        (true, true) => Some(answer(unsafe { copy_within(from, to, length) })),
        _ => Some(done(Err(error(libc::EXDEV)))),
    }
}

/// # Safety
///
/// Both offsets are null or valid for a read and a write.
unsafe fn copy_within(
    (from, from_at): (c_int, *mut off64_t),
    (to, to_at): (c_int, *mut off64_t),
    length: size_t,
) -> io::Result<usize> {
    let files = world::try_with(|world| world.files.device()).flatten();
    let files = files.ok_or_else(|| error(libc::EBADF))?;
    let place = |at: *mut off64_t| match at.is_null() {
        true => Ok(None),
        // SAFETY: not null, and so valid by the contract.
        false => offset_of(unsafe { at.read() }).map(Some),
    };
    let (read_at, write_at) = (place(from_at)?, place(to_at)?);
    wait_for_disk(FileCall::Write);
    let copied = files.copy_range((Fd(from), read_at), (Fd(to), write_at), length)?;
    for (at, place) in [(from_at, read_at), (to_at, write_at)] {
        if let Some(place) = place {
            // SAFETY: there is a place only where the pointer is not null.
            unsafe { at.write((place + copied as u64).cast_signed()) };
        }
    }
    Ok(copied)
}

/// `sendfile(2)`: from a simulated file; from one of the kernel's to a simulated descriptor it is
/// refused, and callers read and write instead.
///
/// # Safety
///
/// `offset` is null or valid for a read and a write.
pub(super) unsafe fn serve_sendfile(
    to: c_int,
    from: c_int,
    offset: *mut off64_t,
    length: size_t,
) -> Option<c_long> {
    match (Fd::is_simulated(from), Fd::is_simulated(to)) {
        (false, false) => None,
        // SAFETY: the caller's promise.
        (true, _) => Some(answer(unsafe { send_from(from, offset, to, length) })),
        (false, true) => Some(done(Err(error(libc::EINVAL)))),
    }
}

/// # Safety
///
/// `offset` is null or valid for a read and a write.
unsafe fn send_from(
    from: c_int,
    offset: *mut off64_t,
    to: c_int,
    length: size_t,
) -> io::Result<usize> {
    if offset.is_null() {
        return send(from, None, to, length);
    }
    // SAFETY: not null, and so valid by the contract.
    let start = unsafe { offset.read() };
    let sent = send(from, Some(start), to, length)?;
    // SAFETY: as above.
    unsafe { offset.write(start + sent as i64) };
    Ok(sent)
}

/// `splice(2)`, which is for pipes: callers read and write instead.
pub(super) fn serve_splice(from: c_int, to: c_int) -> Option<c_long> {
    let any = Fd::is_simulated(from) || Fd::is_simulated(to);
    any.then(|| done(Err(error(libc::EINVAL))))
}

/// What has no path of its own.
const NOWHERE: *const c_char = std::ptr::null();
const HERE: c_int = libc::AT_FDCWD;
const LINK: c_int = libc::AT_SYMLINK_NOFOLLOW;

hooks! {
    fsync = FSYNC: (fd: c_int) -> c_int { safe serve_sync(fd, false) }
    fdatasync = FDATASYNC: (fd: c_int) -> c_int { safe serve_sync(fd, true) }
    sync_file_range = SYNC_FILE_RANGE: (
        fd: c_int, offset: off64_t, length: off64_t, flags: c_uint
    ) -> c_int {
        safe serve_sync_range(fd, (offset, length), flags)
    }
    syncfs = SYNCFS: (fd: c_int) -> c_int { safe serve_syncfs(fd) }
    ftruncate = FTRUNCATE: (fd: c_int, length: off64_t) -> c_int {
        safe serve_ftruncate(fd, length)
    }
    ftruncate64 = FTRUNCATE64: (fd: c_int, length: off64_t) -> c_int {
        safe serve_ftruncate(fd, length)
    }
    fallocate = FALLOCATE: (fd: c_int, mode: c_int, at: off64_t, length: off64_t) -> c_int {
        safe serve_fallocate(fd, mode, (at, length))
    }
    fallocate64 = FALLOCATE64: (fd: c_int, mode: c_int, at: off64_t, length: off64_t) -> c_int {
        safe serve_fallocate(fd, mode, (at, length))
    }
    posix_fallocate = POSIX_FALLOCATE: (fd: c_int, at: off64_t, length: off64_t) -> c_int {
        safe serve_posix_fallocate(fd, at, length)
    }
    posix_fallocate64 = POSIX_FALLOCATE64: (fd: c_int, at: off64_t, length: off64_t) -> c_int {
        safe serve_posix_fallocate(fd, at, length)
    }
    posix_fadvise = POSIX_FADVISE: (
        fd: c_int, at: off64_t, length: off64_t, advice: c_int
    ) -> c_int {
        safe serve_advice(fd)
    }
    posix_fadvise64 = POSIX_FADVISE64: (
        fd: c_int, at: off64_t, length: off64_t, advice: c_int
    ) -> c_int {
        safe serve_advice(fd)
    }
    readahead = READAHEAD: (fd: c_int, at: off64_t, length: size_t) -> ssize_t {
        safe serve_readahead(fd)
    }
    fchmod = FCHMOD: (fd: c_int, mode: mode_t) -> c_int { safe serve_fchmod(fd, mode) }
    chmod = CHMOD: (path: *const c_char, mode: mode_t) -> c_int {
        serve_chmod((HERE, path), mode, 0)
    }
    fchmodat = FCHMODAT: (at: c_int, path: *const c_char, mode: mode_t, flags: c_int) -> c_int {
        serve_chmod((at, path), mode, flags)
    }
    fchown = FCHOWN: (fd: c_int, user: c_uint, group: c_uint) -> c_int { safe serve_fchown(fd) }
    chown = CHOWN: (path: *const c_char, user: c_uint, group: c_uint) -> c_int {
        serve_chown((HERE, path), 0)
    }
    lchown = LCHOWN: (path: *const c_char, user: c_uint, group: c_uint) -> c_int {
        serve_chown((HERE, path), LINK)
    }
    fchownat = FCHOWNAT: (
        at: c_int, path: *const c_char, user: c_uint, group: c_uint, flags: c_int
    ) -> c_int {
        serve_chown((at, path), flags)
    }
    futimens = FUTIMENS: (fd: c_int, times: *const timespec) -> c_int {
        serve_times((fd, NOWHERE), times, 0)
    }
    utimensat = UTIMENSAT: (
        at: c_int, path: *const c_char, times: *const timespec, flags: c_int
    ) -> c_int {
        serve_times((at, path), times, flags)
    }
    utimes = UTIMES: (path: *const c_char, times: *const libc::timeval) -> c_int {
        serve_utimes(path, times)
    }
    copy_file_range = COPY_FILE_RANGE: (
        from: c_int, from_at: *mut off64_t, to: c_int, to_at: *mut off64_t,
        length: size_t, flags: c_uint
    ) -> ssize_t {
        serve_copy_range((from, from_at), (to, to_at), length)
    }
    sendfile = SENDFILE: (to: c_int, from: c_int, at: *mut off64_t, length: size_t) -> ssize_t {
        serve_sendfile(to, from, at, length)
    }
    sendfile64 = SENDFILE64: (
        to: c_int, from: c_int, at: *mut off64_t, length: size_t
    ) -> ssize_t {
        serve_sendfile(to, from, at, length)
    }
    splice = SPLICE: (
        from: c_int, from_at: *mut off64_t, to: c_int, to_at: *mut off64_t,
        length: size_t, flags: c_uint
    ) -> ssize_t {
        safe serve_splice(from, to)
    }
}
