//! Names of files: making, moving and removing them, and what they lead to.
#![expect(unsafe_code, reason = "reads and writes what C callers point to")]

use std::ffi::{CStr, c_char, c_int, c_long, c_uint};
use std::io;
use std::ptr;

use libc::{mode_t, off64_t, size_t, ssize_t};

use super::data::offset_of;
use super::define::hooks;
use super::files::{answer, done, error, wait_for_disk};
use super::places::{self, Placed};
use crate::files::{FileCall, Files, Place};
use crate::interpose::hatch;
use crate::{Fd, world};

/// Calls the file system with a path that is on it; `None` where the kernel must answer.
///
/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn on_path<T>(
    (at, path): (c_int, *const c_char),
    changes: bool,
    run: impl FnOnce(&dyn Files, Place<'_>) -> io::Result<T>,
) -> Option<io::Result<T>> {
    // SAFETY: the caller's promise.
    let placed = unsafe { places::of(at, path, changes) }?;
    Some(placed.and_then(|Placed { files, place }| {
        wait_for_disk(FileCall::Metadata);
        run(&*files, place)
    }))
}

/// The same with two: one on a volume and one on the machine are on two file systems.
///
/// # Safety
///
/// Both paths are null or end in NUL.
unsafe fn on_paths(
    from: (c_int, *const c_char),
    to: (c_int, *const c_char),
    run: impl FnOnce(&dyn Files, Place<'_>, Place<'_>) -> io::Result<()>,
) -> Option<c_long> {
    // SAFETY: the caller's promise.
    let (old, new) = unsafe {
        (
            places::of(from.0, from.1, true),
            places::of(to.0, to.1, true),
        )
    };
    let result = match (old, new) {
        (None, None) => return None,
        (Some(Err(error)), _) | (_, Some(Err(error))) => Err(error),
        (None, Some(_)) | (Some(_), None) => Err(error(libc::EXDEV)),
        (Some(Ok(old)), Some(Ok(new))) => {
            wait_for_disk(FileCall::Metadata);
            run(&*old.files, old.place, new.place)
        }
    };
    Some(done(result))
}

fn masked(mode: mode_t) -> u32 {
    mode & 0o7777 & !world::with(|world| world.file_mask())
}

/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn serve_mkdir(place: (c_int, *const c_char), mode: mode_t) -> Option<c_long> {
    // SAFETY: the caller's promise.
    unsafe { on_path(place, true, |files, at| files.make_dir(at, masked(mode))) }.map(done)
}

/// `unlinkat(2)`, and so `unlink` and `rmdir`.
///
/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn serve_unlink(place: (c_int, *const c_char), flags: c_int) -> Option<c_long> {
    let unlink = |files: &dyn Files, at: Place<'_>| match flags {
        0 => files.unlink(at),
        libc::AT_REMOVEDIR => files.remove_dir(at),
        _ => Err(error(libc::EINVAL)),
    };
    // SAFETY: the caller's promise.
    unsafe { on_path(place, true, unlink) }.map(done)
}

/// `remove(3)`: a file, or else a directory.
///
/// # Safety
///
/// `path` is null or ends in NUL.
unsafe fn serve_remove(path: *const c_char) -> Option<c_long> {
    let remove = |files: &dyn Files, at: Place<'_>| match files.unlink(at) {
        Err(error) if error.raw_os_error() == Some(libc::EISDIR) => files.remove_dir(at),
        result => result,
    };
    // SAFETY: the caller's promise.
    unsafe { on_path((libc::AT_FDCWD, path), true, remove) }.map(done)
}

/// # Safety
///
/// Both paths are null or end in NUL.
pub(super) unsafe fn serve_rename(
    from: (c_int, *const c_char),
    to: (c_int, *const c_char),
    flags: c_uint,
) -> Option<c_long> {
    // SAFETY: the caller's promise.
    unsafe { on_paths(from, to, |files, old, new| files.rename(old, new, flags)) }
}

/// `linkat(2)`: with `AT_EMPTY_PATH`, of the file behind a descriptor.
///
/// # Safety
///
/// Both paths are null or end in NUL.
pub(super) unsafe fn serve_link(
    from: (c_int, *const c_char),
    to: (c_int, *const c_char),
    flags: c_int,
) -> Option<c_long> {
    let follow = flags & libc::AT_SYMLINK_FOLLOW != 0;
    // SAFETY: the caller's promise.
    if let Some(fd) = unsafe { behind_number(from.1) } {
        // What `/proc/self/fd/N` stands for; such a file may have no name.
        let new = libc::AT_EMPTY_PATH;
        // SAFETY: the caller's promise; the empty path ends in NUL.
        return unsafe { serve_link((fd, c"".as_ptr()), to, new) };
    }
    // SAFETY: the caller's promise.
    let by_number = flags & libc::AT_EMPTY_PATH != 0 && unsafe { is_empty(from.1) };
    if !by_number {
        // SAFETY: the caller's promise.
        return unsafe { on_paths(from, to, |files, old, new| files.link(old, new, follow)) };
    }
    // SAFETY: the caller's promise.
    let placed = unsafe { places::of(to.0, to.1, true) }?;
    let linked = placed.and_then(|Placed { files, place }| {
        wait_for_disk(FileCall::Metadata);
        match Fd::is_simulated(from.0) {
            true => files.link_file(Fd(from.0), place),
            false => Err(error(libc::EXDEV)),
        }
    });
    Some(done(linked))
}

/// The simulated number that a path of `/proc/self/fd` names.
///
/// # Safety
///
/// `path` is null or ends in NUL.
unsafe fn behind_number(path: *const c_char) -> Option<c_int> {
    if path.is_null() || hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    // SAFETY: not null, and so a C string by the contract.
    let path = unsafe { CStr::from_ptr(path) }.to_str().ok()?;
    let fd = path.strip_prefix("/proc/self/fd/")?.parse().ok()?;
    Fd::is_simulated(fd).then_some(fd)
}

/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn is_empty(path: *const c_char) -> bool {
    // Linux 6.11 takes null for an empty path.
    // SAFETY: not null, and so a C string by the contract.
    path.is_null() || unsafe { CStr::from_ptr(path) }.is_empty()
}

/// # Safety
///
/// Both are null or end in NUL.
pub(super) unsafe fn serve_symlink(
    target: *const c_char,
    place: (c_int, *const c_char),
) -> Option<c_long> {
    if target.is_null() {
        return None;
    }
    let make = |files: &dyn Files, at: Place<'_>| {
        // SAFETY: not null, and so a C string by the contract.
        files.symlink(unsafe { CStr::from_ptr(target) }.to_bytes(), at)
    };
    // SAFETY: the caller's promise.
    unsafe { on_path(place, true, make) }.map(done)
}

/// # Safety
///
/// `path` is null or ends in NUL; `out` is valid for a write of `length` bytes.
pub(super) unsafe fn serve_readlink(
    place: (c_int, *const c_char),
    out: *mut c_char,
    length: size_t,
) -> Option<c_long> {
    // SAFETY: the caller's promise.
    let read = unsafe { on_path(place, false, |files, at| files.read_link(at)) }?;
    Some(answer(read.and_then(|target| {
        if length == 0 {
            return Err(error(libc::EINVAL));
        }
        let count = target.len().min(length);
        // SAFETY: not longer than the caller's buffer.
        unsafe { ptr::copy_nonoverlapping(target.as_ptr().cast(), out, count) };
        Ok(count)
    })))
}

/// Gives a C string to a caller who may have brought the memory for it; null where it fails.
///
/// # Safety
///
/// `out` is null or valid for a write of `length` bytes.
unsafe fn give(text: io::Result<Vec<u8>>, out: *mut c_char, length: size_t) -> *mut c_char {
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            answer(Err(error));
            return ptr::null_mut();
        }
    };
    let count = text.len() + 1;
    let place = match out.is_null() {
        // SAFETY: takes any size.
        true => unsafe { libc::calloc(count.max(length), 1) }.cast::<c_char>(),
        false => out,
    };
    if place.is_null() || (length != 0 && count > length) {
        let code = if place.is_null() {
            libc::ENOMEM
        } else {
            libc::ERANGE
        };
        answer(Err(error(code)));
        return ptr::null_mut();
    }
    // SAFETY: there is room for the text and its NUL.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr().cast(), place, text.len()) };
    // SAFETY: as above.
    unsafe { place.add(text.len()).write(0) };
    place
}

/// `realpath(3)`.
///
/// # Safety
///
/// `path` is null or ends in NUL; `out` is null or valid for a write of `PATH_MAX` bytes.
pub(super) unsafe fn serve_realpath(path: *const c_char, out: *mut c_char) -> Option<*mut c_char> {
    let place = (libc::AT_FDCWD, path);
    // SAFETY: the caller's promise.
    let found = unsafe { on_path(place, false, |files, at| files.real_path(at)) }?;
    // SAFETY: the caller's promise.
    Some(unsafe { give(found, out, 0) })
}

/// The running process's directory; `None` where it has none of its own.
fn directory() -> Option<io::Result<Vec<u8>>> {
    if hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    let files = world::try_with(|world| world.files.device())??;
    Some(files.directory())
}

/// # Safety
///
/// `out` is null or valid for a write of `length` bytes.
pub(super) unsafe fn serve_getcwd(out: *mut c_char, length: size_t) -> Option<*mut c_char> {
    let directory = directory()?;
    if !out.is_null() && length == 0 {
        answer(Err(error(libc::EINVAL)));
        return Some(ptr::null_mut());
    }
    // SAFETY: the caller's promise.
    Some(unsafe { give(directory, out, length) })
}

/// `getcwd` by number gives the length, its NUL included.
///
/// # Safety
///
/// `out` is valid for a write of `length` bytes.
pub(super) unsafe fn getcwd_by_number(out: *mut c_char, length: size_t) -> Option<c_long> {
    let directory = directory()?;
    let count = directory.as_ref().map_or(0, Vec::len) + 1;
    // SAFETY: the caller's promise.
    let given = unsafe { give(directory, out, length.max(1)) };
    Some(if given.is_null() { -1 } else { count as c_long })
}

/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn serve_chdir(path: *const c_char) -> Option<c_long> {
    let place = (libc::AT_FDCWD, path);
    // SAFETY: the caller's promise.
    unsafe { on_path(place, false, |files, at| files.set_directory(at)) }.map(done)
}

pub(super) fn serve_fchdir(fd: c_int) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    // SAFETY: the path ends in NUL.
    let gone = unsafe {
        on_path((fd, c".".as_ptr()), false, |files, at| {
            files.set_directory(at)
        })
    };
    Some(done(gone.unwrap_or_else(|| Err(error(libc::EBADF)))))
}

/// `umask(2)`.
fn serve_umask(mask: mode_t) -> Option<c_long> {
    if hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    world::try_with(|world| {
        world.files.device()?;
        Some(world.set_file_mask(mask & 0o777).into())
    })?
}

/// `truncate(2)`.
///
/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn serve_truncate(path: *const c_char, length: off64_t) -> Option<c_long> {
    let cut = |files: &dyn Files, at: Place<'_>| files.truncate(at, offset_of(length)?);
    // SAFETY: the caller's promise.
    unsafe { on_path((libc::AT_FDCWD, path), true, cut) }.map(done)
}

/// The directory that a path without one starts from.
const HERE: c_int = libc::AT_FDCWD;

hooks! {
    mkdir = MKDIR: (path: *const c_char, mode: mode_t) -> c_int { serve_mkdir((HERE, path), mode) }
    mkdirat = MKDIRAT: (at: c_int, path: *const c_char, mode: mode_t) -> c_int {
        serve_mkdir((at, path), mode)
    }
    rmdir = RMDIR: (path: *const c_char) -> c_int {
        serve_unlink((HERE, path), libc::AT_REMOVEDIR)
    }
    unlink = UNLINK: (path: *const c_char) -> c_int { serve_unlink((HERE, path), 0) }
    unlinkat = UNLINKAT: (at: c_int, path: *const c_char, flags: c_int) -> c_int {
        serve_unlink((at, path), flags)
    }
    remove = REMOVE: (path: *const c_char) -> c_int { serve_remove(path) }
    rename = RENAME: (from: *const c_char, to: *const c_char) -> c_int {
        serve_rename((HERE, from), (HERE, to), 0)
    }
    renameat = RENAMEAT: (
        at: c_int, from: *const c_char, to_at: c_int, to: *const c_char
    ) -> c_int {
        serve_rename((at, from), (to_at, to), 0)
    }
    renameat2 = RENAMEAT2: (
        at: c_int, from: *const c_char, to_at: c_int, to: *const c_char, flags: c_uint
    ) -> c_int {
        serve_rename((at, from), (to_at, to), flags)
    }
    link = LINK: (from: *const c_char, to: *const c_char) -> c_int {
        serve_link((HERE, from), (HERE, to), 0)
    }
    linkat = LINKAT: (
        at: c_int, from: *const c_char, to_at: c_int, to: *const c_char, flags: c_int
    ) -> c_int {
        serve_link((at, from), (to_at, to), flags)
    }
    symlink = SYMLINK: (target: *const c_char, path: *const c_char) -> c_int {
        serve_symlink(target, (HERE, path))
    }
    symlinkat = SYMLINKAT: (target: *const c_char, at: c_int, path: *const c_char) -> c_int {
        serve_symlink(target, (at, path))
    }
    readlink = READLINK: (path: *const c_char, out: *mut c_char, length: size_t) -> ssize_t {
        serve_readlink((HERE, path), out, length)
    }
    readlinkat = READLINKAT: (
        at: c_int, path: *const c_char, out: *mut c_char, length: size_t
    ) -> ssize_t {
        serve_readlink((at, path), out, length)
    }
    realpath = REALPATH: (path: *const c_char, out: *mut c_char) -> *mut c_char {
        serve_realpath(path, out)
    }
    getcwd = GETCWD: (out: *mut c_char, length: size_t) -> *mut c_char {
        serve_getcwd(out, length)
    }
    chdir = CHDIR: (path: *const c_char) -> c_int { serve_chdir(path) }
    fchdir = FCHDIR: (fd: c_int) -> c_int { safe serve_fchdir(fd) }
    umask = UMASK: (mask: mode_t) -> mode_t { safe serve_umask(mask) }
    truncate = TRUNCATE: (path: *const c_char, length: off64_t) -> c_int {
        serve_truncate(path, length)
    }
    truncate64 = TRUNCATE64: (path: *const c_char, length: off64_t) -> c_int {
        serve_truncate(path, length)
    }
}
