//! What a simulated descriptor is: `fstat`, `statx`, `lseek`, `dup`.
//!
//! Anything but a simulated number goes to the kernel: a path, a real descriptor, std's
//! `statx(0, NULL)`, which only asks whether the call exists.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{CStr, c_char, c_int, c_long, c_uint};
use std::io::{self, SeekFrom};
use std::mem;

use libc::{off64_t, stat64, statx};

use super::files::{answer, ask};
use super::real::Real;
use crate::Fd;
use crate::device::Status;

type Fstat = unsafe extern "C" fn(c_int, *mut stat64) -> c_int;
type FstatAt = unsafe extern "C" fn(c_int, *const c_char, *mut stat64, c_int) -> c_int;
type Statx = unsafe extern "C" fn(c_int, *const c_char, c_int, c_uint, *mut statx) -> c_int;
type Seek = unsafe extern "C" fn(c_int, off64_t, c_int) -> off64_t;

// SAFETY: the type is that of the function's manual page; on these targets `struct stat` and
// `struct stat64` are one.
static FSTAT: Real<Fstat> = unsafe { Real::new(c"fstat") };
// SAFETY: as above.
static FSTAT64: Real<Fstat> = unsafe { Real::new(c"fstat64") };
// SAFETY: as above.
static FSTATAT: Real<FstatAt> = unsafe { Real::new(c"fstatat") };
// SAFETY: as above.
static FSTATAT64: Real<FstatAt> = unsafe { Real::new(c"fstatat64") };
// SAFETY: as above.
static STATX: Real<Statx> = unsafe { Real::new(c"statx") };
// SAFETY: as above.
static LSEEK: Real<Seek> = unsafe { Real::new(c"lseek") };
// SAFETY: as above.
static LSEEK64: Real<Seek> = unsafe { Real::new(c"lseek64") };
// SAFETY: as above.
static DUP: Real<unsafe extern "C" fn(c_int) -> c_int> = unsafe { Real::new(c"dup") };

fn error<T>(number: c_int) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(number))
}

/// # Safety
///
/// `path` is null or ends in NUL.
unsafe fn is_empty(path: *const c_char) -> bool {
    // Linux 6.11 takes null for an empty path.
    // SAFETY: not null, and so a C string by the contract.
    path.is_null() || unsafe { CStr::from_ptr(path) }.is_empty()
}

/// Serves `fstat`; `None` where the kernel must.
///
/// # Safety
///
/// `out` is null or valid for a write.
pub(super) unsafe fn serve_fstat(fd: c_int, out: *mut stat64) -> Option<c_long> {
    let told = ask(fd, |_, description| Ok(description.status()))?;
    let told = told.and_then(|told| match out.is_null() {
        true => error(libc::EFAULT),
        false => Ok(told),
    });
    Some(answer(told.map(|Status { mode, size }| {
        // SAFETY: the structure is of numbers, which may all be zero.
        let mut status: stat64 = unsafe { mem::zeroed() };
        status.st_ino = number_of(fd);
        status.st_nlink = 1;
        status.st_mode = mode;
        status.st_size = size.cast_signed();
        status.st_blksize = BLOCK;
        // SAFETY: not null, and so valid by the contract.
        unsafe { out.write(status) };
        0
    })))
}

/// The unit that a file is best read in.
const BLOCK: i64 = 4096;

/// A file's number: no two descriptors are known to share one.
fn number_of(fd: c_int) -> u64 {
    u64::try_from(fd - Fd::BASE).unwrap_or(0) + 1
}

/// Serves `fstatat`; `None` where the kernel must.
///
/// # Safety
///
/// `path` is null or ends in NUL; `out` is null or valid for a write.
pub(super) unsafe fn serve_fstatat(
    fd: c_int,
    path: *const c_char,
    out: *mut stat64,
    flags: c_int,
) -> Option<c_long> {
    if !Fd::is_simulated(fd) || flags & libc::AT_EMPTY_PATH == 0 {
        return None;
    }
    // SAFETY: the caller's promise.
    match unsafe { is_empty(path) } {
        // SAFETY: the caller's promise.
        true => unsafe { serve_fstat(fd, out) },
        false => None,
    }
}

/// Serves `statx`; `None` where the kernel must.
///
/// # Safety
///
/// `path` is null or ends in NUL; `out` is null or valid for a write.
pub(super) unsafe fn serve_statx(
    fd: c_int,
    path: *const c_char,
    flags: c_int,
    out: *mut statx,
) -> Option<c_long> {
    if !Fd::is_simulated(fd) || flags & libc::AT_EMPTY_PATH == 0 {
        return None;
    }
    // SAFETY: the caller's promise.
    if out.is_null() || !unsafe { is_empty(path) } {
        return None;
    }
    let told = ask(fd, |_, description| Ok(description.status()))?;
    Some(answer(told.map(|Status { mode, size }| {
        // SAFETY: the structure is of numbers, which may all be zero.
        let mut status: statx = unsafe { mem::zeroed() };
        status.stx_mask = libc::STATX_BASIC_STATS;
        status.stx_blksize = BLOCK as u32;
        status.stx_nlink = 1;
        status.stx_mode = mode as u16;
        status.stx_ino = number_of(fd);
        status.stx_size = size;
        // SAFETY: not null, and so valid by the contract.
        unsafe { out.write(status) };
        0
    })))
}

/// Serves `lseek`; `None` where the kernel must.
pub(super) fn serve_seek(fd: c_int, offset: off64_t, from: c_int) -> Option<c_long> {
    let sought = ask(fd, |_, description| {
        let to = match from {
            libc::SEEK_SET => u64::try_from(offset).ok().map(SeekFrom::Start),
            libc::SEEK_CUR => Some(SeekFrom::Current(offset)),
            libc::SEEK_END => Some(SeekFrom::End(offset)),
            _ => None,
        };
        match to {
            Some(to) => description.seek(to),
            None => error(libc::EINVAL),
        }
    })?;
    Some(answer(sought.map(|position| position as usize)))
}

/// Serves `dup`; `None` where the kernel must.
pub(super) fn serve_dup(fd: c_int) -> Option<c_long> {
    let copied = ask(fd, |world, _| world.dup(Fd(fd)))?;
    Some(answer(copied.map(|Fd(number)| number as usize)))
}

macro_rules! hooks {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty = $served:expr, $real:ident;)*)
    => {$(
        #[doc = concat!("`", stringify!($name), "(2)`.")]
        ///
        /// # Safety
        ///
        /// As for the C function.
        // SAFETY: the name and type are the C library's, and so is the behaviour on real
        // descriptors.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> $answer {
            if let Some(answer) = $served {
                return answer as $answer;
            }
            match $real.get() {
                // SAFETY: the caller's promise, passed on.
                Some(real) => unsafe { real($($argument),*) },
                None => crate::interpose::hooks::unavailable() as $answer,
            }
        }
    )*};
}

/// The hooks; their names are also those of the structures that they fill in.
pub(crate) mod exported {
    use super::{
        DUP, FSTAT, FSTAT64, FSTATAT, FSTATAT64, LSEEK, LSEEK64, STATX, serve_dup, serve_fstat,
        serve_fstatat, serve_seek, serve_statx,
    };
    use std::ffi::{c_char, c_int, c_uint};

    use libc::{off64_t, stat64};

    hooks! {
        // SAFETY: the caller's promise.
        fstat(fd: c_int, out: *mut stat64) -> c_int = unsafe { serve_fstat(fd, out) }, FSTAT;
        // SAFETY: the caller's promise.
        fstat64(fd: c_int, out: *mut stat64) -> c_int = unsafe { serve_fstat(fd, out) }, FSTAT64;
        fstatat(fd: c_int, path: *const c_char, out: *mut stat64, flags: c_int) -> c_int =
            // SAFETY: the caller's promise.
            unsafe { serve_fstatat(fd, path, out, flags) }, FSTATAT;
        fstatat64(fd: c_int, path: *const c_char, out: *mut stat64, flags: c_int) -> c_int =
            // SAFETY: the caller's promise.
            unsafe { serve_fstatat(fd, path, out, flags) }, FSTATAT64;
        statx(
            fd: c_int,
            path: *const c_char,
            flags: c_int,
            mask: c_uint,
            out: *mut libc::statx
        ) -> c_int =
            // SAFETY: the caller's promise.
            unsafe { serve_statx(fd, path, flags, out) }, STATX;
        lseek(fd: c_int, offset: off64_t, from: c_int) -> off64_t =
            serve_seek(fd, offset, from), LSEEK;
        lseek64(fd: c_int, offset: off64_t, from: c_int) -> off64_t =
            serve_seek(fd, offset, from), LSEEK64;
        dup(fd: c_int) -> c_int = serve_dup(fd), DUP;
    }
}
