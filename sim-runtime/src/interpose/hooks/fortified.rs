//! Names that C code has where it was compiled to be checked (`_FORTIFY_SOURCE`) or long ago, and
//! those that few have: each is another by a longer way, which the C library goes within itself.
#![expect(unsafe_code, reason = "reads and writes what C callers point to")]

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use libc::{off64_t, size_t, ssize_t, stat64 as Stat, timeval, utimbuf};

use super::attributes::{serve_sync_all, serve_times, serve_utimes};
use super::data::read_from;
use super::define::hooks;
use super::directories::serve_getdents;
use super::files::{answer, error, open_path};
use super::paths::{serve_getcwd, serve_readlink, serve_realpath};
use super::status::{serve_fstat, serve_fstatat};
use crate::Fd;

type Times = *const libc::timespec;

/// `utime(2)`: seconds.
///
/// # Safety
///
/// `path` is null or ends in NUL; `times` is null or valid for a read.
unsafe fn serve_utime(path: *const c_char, times: *const utimbuf) -> Option<c_long> {
    if times.is_null() {
        // SAFETY: the caller's promise.
        return unsafe { serve_times((libc::AT_FDCWD, path), Times::default(), 0) };
    }
    // SAFETY: not null, and so valid by the contract.
    let utimbuf { actime, modtime } = unsafe { times.read() };
    let both = [actime, modtime].map(|tv_sec| timeval { tv_sec, tv_usec: 0 });
    // SAFETY: the caller's promise; the array lives until the call returns.
    unsafe { serve_utimes(path, both.as_ptr()) }
}

/// `lutimes(3)` and `futimes(3)`: microseconds.
///
/// # Safety
///
/// `path` is null or ends in NUL; `times` is null or valid for a read of two.
unsafe fn serve_fine(
    place: (c_int, *const c_char),
    times: *const timeval,
    flags: c_int,
) -> Option<c_long> {
    if times.is_null() {
        // SAFETY: the caller's promise.
        return unsafe { serve_times(place, Times::default(), flags) };
    }
    // SAFETY: not null, and so valid by the contract.
    let both = unsafe { [times.read(), times.add(1).read()] };
    let both = both.map(|time| libc::timespec {
        tv_sec: time.tv_sec,
        tv_nsec: time.tv_usec.saturating_mul(1_000),
    });
    // SAFETY: the caller's promise; the array lives until the call returns.
    unsafe { serve_times(place, both.as_ptr(), flags) }
}

/// Pipes of the kernel take no simulated file.
fn no_pipe(one: c_int, other: c_int) -> Option<c_long> {
    let is_simulated = Fd::is_simulated(one) || Fd::is_simulated(other);
    is_simulated.then(|| answer(Err(error(libc::EINVAL))))
}

const NOW: c_int = libc::AT_FDCWD;
const LINK: c_int = libc::AT_SYMLINK_NOFOLLOW;

hooks! {
    __open_2 = OPEN_2: (path: *const c_char, flags: c_int) -> c_int {
        open_path(NOW, path, flags, 0)
    }
    __open64_2 = OPEN64_2: (path: *const c_char, flags: c_int) -> c_int {
        open_path(NOW, path, flags, 0)
    }
    __openat_2 = OPENAT_2: (at: c_int, path: *const c_char, flags: c_int) -> c_int {
        open_path(at, path, flags, 0)
    }
    __openat64_2 = OPENAT64_2: (at: c_int, path: *const c_char, flags: c_int) -> c_int {
        open_path(at, path, flags, 0)
    }
    __read_chk = READ_CHK: (
        fd: c_int, out: *mut c_void, length: size_t, room: size_t
    ) -> ssize_t {
        read_from(fd, (out, length.min(room)), None)
    }
    __pread_chk = PREAD_CHK: (
        fd: c_int, out: *mut c_void, length: size_t, at: off64_t, room: size_t
    ) -> ssize_t {
        read_from(fd, (out, length.min(room)), Some(at))
    }
    __pread64_chk = PREAD64_CHK: (
        fd: c_int, out: *mut c_void, length: size_t, at: off64_t, room: size_t
    ) -> ssize_t {
        read_from(fd, (out, length.min(room)), Some(at))
    }
    __readlink_chk = READLINK_CHK: (
        path: *const c_char, out: *mut c_char, length: size_t, room: size_t
    ) -> ssize_t {
        serve_readlink((NOW, path), out, length.min(room))
    }
    __realpath_chk = REALPATH_CHK: (
        path: *const c_char, out: *mut c_char, room: size_t
    ) -> *mut c_char {
        serve_realpath(path, out)
    }
    __getcwd_chk = GETCWD_CHK: (out: *mut c_char, length: size_t, room: size_t) -> *mut c_char {
        serve_getcwd(out, length.min(room))
    }
    __xstat = XSTAT: (version: c_int, path: *const c_char, out: *mut Stat) -> c_int {
        serve_fstatat((NOW, path), out, 0)
    }
    __xstat64 = XSTAT64: (version: c_int, path: *const c_char, out: *mut Stat) -> c_int {
        serve_fstatat((NOW, path), out, 0)
    }
    __lxstat = LXSTAT: (version: c_int, path: *const c_char, out: *mut Stat) -> c_int {
        serve_fstatat((NOW, path), out, LINK)
    }
    __lxstat64 = LXSTAT64: (version: c_int, path: *const c_char, out: *mut Stat) -> c_int {
        serve_fstatat((NOW, path), out, LINK)
    }
    __fxstat = FXSTAT: (version: c_int, fd: c_int, out: *mut Stat) -> c_int {
        serve_fstat(fd, out)
    }
    __fxstat64 = FXSTAT64: (version: c_int, fd: c_int, out: *mut Stat) -> c_int {
        serve_fstat(fd, out)
    }
    __fxstatat = FXSTATAT: (
        version: c_int, at: c_int, path: *const c_char, out: *mut Stat, flags: c_int
    ) -> c_int {
        serve_fstatat((at, path), out, flags)
    }
    __fxstatat64 = FXSTATAT64: (
        version: c_int, at: c_int, path: *const c_char, out: *mut Stat, flags: c_int
    ) -> c_int {
        serve_fstatat((at, path), out, flags)
    }
    utime = UTIME: (path: *const c_char, times: *const utimbuf) -> c_int {
        serve_utime(path, times)
    }
    lutimes = LUTIMES: (path: *const c_char, times: *const timeval) -> c_int {
        serve_fine((NOW, path), times, LINK)
    }
    futimes = FUTIMES: (fd: c_int, times: *const timeval) -> c_int {
        serve_fine((fd, std::ptr::null()), times, 0)
    }
    canonicalize_file_name = CANONICALIZE_FILE_NAME: (path: *const c_char) -> *mut c_char {
        serve_realpath(path, std::ptr::null_mut())
    }
    get_current_dir_name = GET_CURRENT_DIR_NAME: () -> *mut c_char {
        serve_getcwd(std::ptr::null_mut(), 0)
    }
    getdents64 = GETDENTS64: (fd: c_int, out: *mut c_void, length: size_t) -> ssize_t {
        serve_getdents(fd, out.cast(), length)
    }
    // It gives nothing: nobody looks at the answer.
    sync = SYNC: () -> c_int { safe serve_sync_all() }
    tee = TEE: (from: c_int, to: c_int, length: size_t, flags: c_uint) -> ssize_t {
        safe no_pipe(from, to)
    }
    vmsplice = VMSPLICE: (
        fd: c_int, pieces: *const libc::iovec, count: size_t, flags: c_uint
    ) -> ssize_t {
        safe no_pipe(fd, fd)
    }
}
