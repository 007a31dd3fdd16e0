//! The numbers of the file calls in the kernel.
#![expect(unsafe_code, reason = "passes on what C callers point to")]

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use libc::{mode_t, off64_t};

use super::attributes::{
    serve_advice, serve_chmod, serve_chown, serve_copy_range, serve_fallocate, serve_fchmod,
    serve_fchown, serve_ftruncate, serve_sendfile, serve_splice, serve_sync, serve_sync_all,
    serve_sync_range, serve_syncfs, serve_times,
};
use super::data::{read_from, read_pieces, write_pieces, write_to};
use super::directories::serve_getdents;
use super::file_locks::serve_flock;
use super::files::{close_fd, control, done, error, open_path, serve_dup, serve_dup_onto};
use super::maps::{Asked, serve_map, serve_msync, unmapping};
use super::paths::{
    getcwd_by_number, serve_chdir, serve_fchdir, serve_link, serve_mkdir, serve_readlink,
    serve_rename, serve_symlink, serve_truncate, serve_unlink,
};
use super::status::{
    fstatfs_by_number, serve_access, serve_fstat, serve_fstatat, serve_seek, serve_statx,
    statfs_by_number,
};

/// The directory that a path without one starts from.
const HERE: c_int = libc::AT_FDCWD;

/// An int is the low half of a register.
const fn int(register: usize) -> c_int {
    register as c_uint as c_int
}

const fn path(register: usize) -> *const c_char {
    register as *const c_char
}

const fn offset(register: usize) -> off64_t {
    register.cast_signed() as off64_t
}

/// The answer of a call that gives its error back in C.
fn advised(code: c_int) -> c_long {
    done(match code {
        0 => Ok(()),
        code => Err(error(code)),
    })
}

/// A call by number on a path or a simulated descriptor; `None` where the kernel must answer.
///
/// # Safety
///
/// The arguments are what the system call's manual page asks for.
pub(super) unsafe fn serve(number: c_long, arguments: [usize; 6]) -> Option<c_long> {
    // SAFETY: the caller's promise.
    unsafe { on_descriptor(number, arguments) }
        // SAFETY: the caller's promise.
        .or_else(|| unsafe { on_place(number, arguments) })
        // SAFETY: the caller's promise.
        .or_else(|| unsafe { before_places(number, arguments) })
        // SAFETY: the caller's promise.
        .or_else(|| unsafe { on_memory(number, arguments) })
}

/// # Safety
///
/// As for [`serve`].
unsafe fn on_memory(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> Option<c_long> {
    let at = a as *mut c_void;
    match number {
        libc::SYS_mmap => {
            let asked = Asked {
                at,
                length: b,
                protection: int(c),
                flags: int(d),
                offset: offset(f),
            };
            // SAFETY: the caller's promise.
            unsafe { serve_map(int(e), asked) }.map(|mapped| mapped as c_long)
        }
        libc::SYS_msync => serve_msync(at, b, int(c)),
        libc::SYS_munmap => {
            unmapping(at, b);
            None
        }
        _ => None,
    }
}

/// # Safety
///
/// As for [`serve`].
unsafe fn on_descriptor(number: c_long, [a, b, c, d, e, _]: [usize; 6]) -> Option<c_long> {
    let fd = int(a);
    // SAFETY: the caller's promise, in each arm.
    unsafe {
        match number {
            libc::SYS_read => read_from(fd, (b as *mut _, c), None),
            libc::SYS_pread64 => read_from(fd, (b as *mut _, c), Some(offset(d))),
            libc::SYS_readv => read_pieces(fd, (b as *const _, int(c)), None),
            // On a machine of 64 bits the low half of the offset is all of it.
            libc::SYS_preadv => read_pieces(fd, (b as *const _, int(c)), Some(offset(d))),
            libc::SYS_preadv2 => {
                let at = Some(offset(d)).filter(|at| *at != -1);
                read_pieces(fd, (b as *const _, int(c)), at)
            }
            libc::SYS_write => write_to(fd, (b as *const _, c), None),
            libc::SYS_pwrite64 => write_to(fd, (b as *const _, c), Some(offset(d))),
            libc::SYS_writev => write_pieces(fd, (b as *const _, int(c)), None),
            libc::SYS_pwritev => write_pieces(fd, (b as *const _, int(c)), Some(offset(d))),
            libc::SYS_pwritev2 => {
                let at = Some(offset(d)).filter(|at| *at != -1);
                write_pieces(fd, (b as *const _, int(c)), at)
            }
            libc::SYS_lseek => serve_seek(fd, offset(b), int(c)),
            libc::SYS_close => close_fd(fd),
            libc::SYS_fcntl => control(fd, int(b), c),
            libc::SYS_flock => serve_flock(fd, int(b)),
            libc::SYS_dup => serve_dup(fd),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_dup2 => serve_dup_onto(fd, int(b)),
            libc::SYS_dup3 => serve_dup_onto(fd, int(b)),
            libc::SYS_fsync => serve_sync(fd, false),
            libc::SYS_fdatasync => serve_sync(fd, true),
            libc::SYS_sync_file_range => {
                serve_sync_range(fd, (offset(b), offset(c)), int(d).cast_unsigned())
            }
            libc::SYS_sync => serve_sync_all(),
            libc::SYS_syncfs => serve_syncfs(fd),
            libc::SYS_ftruncate => serve_ftruncate(fd, offset(b)),
            libc::SYS_fallocate => serve_fallocate(fd, int(b), (offset(c), offset(d))),
            libc::SYS_fadvise64 => serve_advice(fd).map(advised),
            libc::SYS_fstat => serve_fstat(fd, b as *mut _),
            libc::SYS_fstatfs => fstatfs_by_number(fd, b as *mut _),
            libc::SYS_fchmod => serve_fchmod(fd, b as mode_t),
            libc::SYS_fchown => serve_fchown(fd),
            libc::SYS_fchdir => serve_fchdir(fd),
            libc::SYS_getdents64 => serve_getdents(fd, b as *mut u8, c),
            libc::SYS_copy_file_range => {
                serve_copy_range((fd, b as *mut _), (int(c), d as *mut _), e)
            }
            libc::SYS_sendfile => serve_sendfile(fd, int(b), c as *mut _, d),
            libc::SYS_splice => serve_splice(fd, int(c)),
            _ => None,
        }
    }
}

/// # Safety
///
/// As for [`serve`].
unsafe fn on_place(number: c_long, [a, b, c, d, e, _]: [usize; 6]) -> Option<c_long> {
    let place = (int(a), path(b));
    // SAFETY: the caller's promise, in each arm.
    unsafe {
        match number {
            libc::SYS_openat => open_path(place.0, place.1, int(c), d as mode_t),
            libc::SYS_newfstatat => serve_fstatat(place, c as *mut _, int(d)),
            libc::SYS_statx => serve_statx(place, int(c), e as *mut _),
            libc::SYS_faccessat => serve_access(place, int(c), 0),
            libc::SYS_faccessat2 => serve_access(place, int(c), int(d)),
            libc::SYS_statfs => statfs_by_number(path(a), b as *mut _),
            libc::SYS_mkdirat => serve_mkdir(place, c as mode_t),
            libc::SYS_unlinkat => serve_unlink(place, int(c)),
            libc::SYS_renameat => serve_rename(place, (int(c), path(d)), 0),
            libc::SYS_renameat2 => serve_rename(place, (int(c), path(d)), e as c_uint),
            libc::SYS_linkat => serve_link(place, (int(c), path(d)), int(e)),
            libc::SYS_symlinkat => serve_symlink(path(a), (int(b), path(c))),
            libc::SYS_readlinkat => serve_readlink(place, c as *mut _, d),
            libc::SYS_fchmodat => serve_chmod(place, c as mode_t, 0),
            libc::SYS_fchownat => serve_chown(place, int(e)),
            libc::SYS_utimensat => serve_times(place, c as *const _, int(d)),
            libc::SYS_truncate => serve_truncate(path(a), offset(b)),
            libc::SYS_getcwd => getcwd_by_number(a as *mut _, b),
            libc::SYS_chdir => serve_chdir(path(a)),
            _ => None,
        }
    }
}

/// Calls from before there were places to start a path from.
///
/// # Safety
///
/// As for [`serve`].
#[cfg(target_arch = "x86_64")]
unsafe fn before_places(number: c_long, [a, b, c, ..]: [usize; 6]) -> Option<c_long> {
    let place = (HERE, path(a));
    // SAFETY: the caller's promise, in each arm.
    unsafe {
        match number {
            libc::SYS_open => open_path(HERE, place.1, int(b), c as mode_t),
            libc::SYS_creat => {
                let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
                open_path(HERE, place.1, flags, b as mode_t)
            }
            libc::SYS_stat => serve_fstatat(place, b as *mut _, 0),
            libc::SYS_lstat => serve_fstatat(place, b as *mut _, libc::AT_SYMLINK_NOFOLLOW),
            libc::SYS_access => serve_access(place, int(b), 0),
            libc::SYS_mkdir => serve_mkdir(place, b as mode_t),
            libc::SYS_rmdir => serve_unlink(place, libc::AT_REMOVEDIR),
            libc::SYS_unlink => serve_unlink(place, 0),
            libc::SYS_rename => serve_rename(place, (HERE, path(b)), 0),
            libc::SYS_link => serve_link(place, (HERE, path(b)), 0),
            libc::SYS_symlink => serve_symlink(path(a), (HERE, path(b))),
            libc::SYS_readlink => serve_readlink(place, b as *mut _, c),
            libc::SYS_chmod => serve_chmod(place, b as mode_t, 0),
            libc::SYS_chown => serve_chown(place, 0),
            libc::SYS_lchown => serve_chown(place, libc::AT_SYMLINK_NOFOLLOW),
            _ => None,
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn before_places(_number: c_long, _arguments: [usize; 6]) -> Option<c_long> {
    None
}
