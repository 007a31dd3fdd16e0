//! Calls on files that a simulated disk has no answer to: refused in words, as a kernel or a C
//! library refuses what it was built without.
#![expect(unsafe_code, reason = "defines functions of the C library")]

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::ptr;

use libc::{aiocb, dev_t, mode_t, posix_spawn_file_actions_t, size_t, ssize_t};

use super::define::hooks;
use super::files::{answer, error};
use super::{places, real};
use crate::interpose::hatch;
use crate::{Fd, world};

/// Says who was refused what, and why; `errno` is `EOPNOTSUPP`.
pub(super) fn refuse(name: &str, why: &str) {
    let who = world::try_with(|world| world.who()).unwrap_or_default();
    eprintln!("landfall: {name} is refused to {who}: {why}");
    real::set_errno(libc::EOPNOTSUPP);
}

/// Refuses a call on a path of the node's volume; `None` where the C library must answer.
///
/// # Safety
///
/// `path` is null or ends in NUL.
unsafe fn on_volume(name: &str, why: &str, (at, path): (c_int, *const c_char)) -> Option<c_long> {
    // SAFETY: the caller's promise.
    drop(unsafe { places::of(at, path, true) }?);
    refuse(name, why);
    Some(-1)
}

/// The same, of a call that gives a pointer.
///
/// # Safety
///
/// `path` is null or ends in NUL.
unsafe fn no_pointer(name: &str, why: &str, path: *const c_char) -> Option<*mut c_void> {
    // SAFETY: the caller's promise.
    unsafe { on_volume(name, why, (libc::AT_FDCWD, path)) }.map(|_| ptr::null_mut())
}

/// Refuses a call inside a simulation, whatever it is about.
fn inside(name: &str, why: &str) -> Option<c_long> {
    if hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    refuse(name, why);
    Some(-1)
}

/// Simulated files have no extended attributes, as on a file system without: no word is needed.
///
/// # Safety
///
/// `path` is null or ends in NUL.
unsafe fn no_attributes(path: *const c_char) -> Option<c_long> {
    // SAFETY: the caller's promise.
    drop(unsafe { places::of(libc::AT_FDCWD, path, false) }?);
    Some(answer(Err(error(libc::EOPNOTSUPP))))
}

fn no_attributes_of(fd: c_int) -> Option<c_long> {
    Fd::is_simulated(fd).then(|| answer(Err(error(libc::EOPNOTSUPP))))
}

/// # Safety
///
/// `control` is null or valid for a read.
unsafe fn no_aio(name: &str, control: *const aiocb) -> Option<c_long> {
    if control.is_null() {
        return None;
    }
    // SAFETY: not null, and so valid by the contract.
    let fd = unsafe { (*control).aio_fildes };
    Fd::is_simulated(fd).then(|| {
        refuse(name, "of simulated files: read and write on a thread");
        -1
    })
}

/// # Safety
///
/// `paths` is null or a list of C strings that a null ends.
unsafe fn no_fts(paths: *const *mut c_char) -> Option<*mut c_void> {
    if paths.is_null() {
        return None;
    }
    // SAFETY: the list has a first entry.
    let first = unsafe { paths.read() };
    // SAFETY: the caller's promise.
    unsafe { no_pointer("fts_open", WALK, first) }
}

fn no_name(name: &str) -> Option<*mut c_char> {
    inside(name, NAME).map(|_| ptr::null_mut())
}

/// A child's stream cannot be a simulated descriptor. The answer is an error's number.
fn no_stream(fd: c_int) -> Option<c_long> {
    Fd::is_simulated(fd).then(|| {
        refuse("posix_spawn_file_actions_adddup2", CHILD);
        libc::EOPNOTSUPP.into()
    })
}

/// Why no program of the machine has a simulated pipe.
pub(super) const CHILD: &str = "programs run on the machine, outside the simulation, and have no \
                                simulated pipe or file: let them have this process's streams, or \
                                start them within `interpose::outside`";
const WALK: &str = "it would walk the machine's files: use opendir and readdir";
const NAME: &str = "a name that is free now may not be when it is used: use mkstemp";
const SPECIAL: &str = "simulated disks hold files, directories and symbolic links: \
                       a pipe by pipe(2), a socket by bind(2)";
const ROOT: &str = "what is mounted where is the test's: `Disk::mount`";
const NUMBERS: &str = "it would close what the simulation runs on: close each by close(2)";
const HANDLES: &str = "simulated files have no handles: open them by name";

hooks! {
    ftw = FTW: (path: *const c_char, visit: *mut c_void, most: c_int) -> c_int {
        on_volume("ftw", WALK, (libc::AT_FDCWD, path))
    }
    ftw64 = FTW64: (path: *const c_char, visit: *mut c_void, most: c_int) -> c_int {
        on_volume("ftw", WALK, (libc::AT_FDCWD, path))
    }
    nftw = NFTW: (path: *const c_char, visit: *mut c_void, most: c_int, flags: c_int) -> c_int {
        on_volume("nftw", WALK, (libc::AT_FDCWD, path))
    }
    nftw64 = NFTW64: (path: *const c_char, visit: *mut c_void, most: c_int, flags: c_int) -> c_int {
        on_volume("nftw", WALK, (libc::AT_FDCWD, path))
    }
    fts_open = FTS_OPEN: (
        paths: *const *mut c_char, options: c_int, order: *const c_void
    ) -> *mut c_void {
        no_fts(paths)
    }
    tmpnam = TMPNAM: (out: *mut c_char) -> *mut c_char { safe no_name("tmpnam") }
    tempnam = TEMPNAM: (directory: *const c_char, prefix: *const c_char) -> *mut c_char {
        safe no_name("tempnam")
    }
    mktemp = MKTEMP: (template: *mut c_char) -> *mut c_char {
        no_pointer("mktemp", NAME, template)
    }
    mkfifo = MKFIFO: (path: *const c_char, mode: mode_t) -> c_int {
        on_volume("mkfifo", SPECIAL, (libc::AT_FDCWD, path))
    }
    mkfifoat = MKFIFOAT: (at: c_int, path: *const c_char, mode: mode_t) -> c_int {
        on_volume("mkfifoat", SPECIAL, (at, path))
    }
    mknod = MKNOD: (path: *const c_char, mode: mode_t, device: dev_t) -> c_int {
        on_volume("mknod", SPECIAL, (libc::AT_FDCWD, path))
    }
    mknodat = MKNODAT: (at: c_int, path: *const c_char, mode: mode_t, device: dev_t) -> c_int {
        on_volume("mknodat", SPECIAL, (at, path))
    }
    posix_spawn_file_actions_adddup2 = POSIX_SPAWN_FILE_ACTIONS_ADDDUP2: (
        actions: *mut posix_spawn_file_actions_t, from: c_int, to: c_int
    ) -> c_int {
        safe no_stream(from)
    }
    chroot = CHROOT: (path: *const c_char) -> c_int { safe inside("chroot", ROOT) }
    pivot_root = PIVOT_ROOT: (new: *const c_char, old: *const c_char) -> c_int {
        safe inside("pivot_root", ROOT)
    }
    mount = MOUNT: (
        from: *const c_char, to: *const c_char, kind: *const c_char, flags: usize,
        data: *const c_void
    ) -> c_int {
        safe inside("mount", ROOT)
    }
    umount = UMOUNT: (path: *const c_char) -> c_int { safe inside("umount", ROOT) }
    umount2 = UMOUNT2: (path: *const c_char, flags: c_int) -> c_int { safe inside("umount2", ROOT) }
    close_range = CLOSE_RANGE: (first: c_uint, last: c_uint, flags: c_int) -> c_int {
        safe inside("close_range", NUMBERS)
    }
    name_to_handle_at = NAME_TO_HANDLE_AT: (
        at: c_int, path: *const c_char, handle: *mut c_void, mount: *mut c_int, flags: c_int
    ) -> c_int {
        on_volume("name_to_handle_at", HANDLES, (at, path))
    }
    aio_read = AIO_READ: (control: *mut aiocb) -> c_int { no_aio("aio_read", control) }
    aio_write = AIO_WRITE: (control: *mut aiocb) -> c_int { no_aio("aio_write", control) }
    getxattr = GETXATTR: (
        path: *const c_char, name: *const c_char, value: *mut c_void, size: size_t
    ) -> ssize_t {
        no_attributes(path)
    }
    lgetxattr = LGETXATTR: (
        path: *const c_char, name: *const c_char, value: *mut c_void, size: size_t
    ) -> ssize_t {
        no_attributes(path)
    }
    fgetxattr = FGETXATTR: (
        fd: c_int, name: *const c_char, value: *mut c_void, size: size_t
    ) -> ssize_t {
        safe no_attributes_of(fd)
    }
    setxattr = SETXATTR: (
        path: *const c_char, name: *const c_char, value: *const c_void, size: size_t, flags: c_int
    ) -> c_int {
        no_attributes(path)
    }
    lsetxattr = LSETXATTR: (
        path: *const c_char, name: *const c_char, value: *const c_void, size: size_t, flags: c_int
    ) -> c_int {
        no_attributes(path)
    }
    fsetxattr = FSETXATTR: (
        fd: c_int, name: *const c_char, value: *const c_void, size: size_t, flags: c_int
    ) -> c_int {
        safe no_attributes_of(fd)
    }
    listxattr = LISTXATTR: (path: *const c_char, out: *mut c_char, size: size_t) -> ssize_t {
        no_attributes(path)
    }
    llistxattr = LLISTXATTR: (path: *const c_char, out: *mut c_char, size: size_t) -> ssize_t {
        no_attributes(path)
    }
    flistxattr = FLISTXATTR: (fd: c_int, out: *mut c_char, size: size_t) -> ssize_t {
        safe no_attributes_of(fd)
    }
    removexattr = REMOVEXATTR: (path: *const c_char, name: *const c_char) -> c_int {
        no_attributes(path)
    }
    lremovexattr = LREMOVEXATTR: (path: *const c_char, name: *const c_char) -> c_int {
        no_attributes(path)
    }
    fremovexattr = FREMOVEXATTR: (fd: c_int, name: *const c_char) -> c_int {
        safe no_attributes_of(fd)
    }
}
