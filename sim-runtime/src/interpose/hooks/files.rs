//! Descriptors of simulated files through the C library: `open`, `read`, `close` and their kin.
//!
//! A call on a simulated number goes to its description in the world's table; a path goes to the
//! simulation when it is one of those that [`crate::guest_files`] has. All else is the kernel's:
//! above all `statx(fd, "", AT_EMPTY_PATH)` on real descriptors, which backtraces need.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::io;
use std::rc::Rc;
use std::slice;

use libc::{iovec, mode_t, off64_t, size_t, ssize_t};

use super::real::{self, Real};
use super::status;
use crate::device::Description;
use crate::interpose::hatch;
use crate::world::World;
use crate::{Fd, guest_files, world};

type Open = unsafe extern "C" fn(*const c_char, c_int, mode_t) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, mode_t) -> c_int;
type Read = unsafe extern "C" fn(c_int, *mut c_void, size_t) -> ssize_t;
type ReadAt = unsafe extern "C" fn(c_int, *mut c_void, size_t, off64_t) -> ssize_t;
type ReadMany = unsafe extern "C" fn(c_int, *const iovec, c_int) -> ssize_t;
type Control = unsafe extern "C" fn(c_int, c_int, *mut c_void) -> c_int;
type Close = unsafe extern "C" fn(c_int) -> c_int;

// SAFETY: variadic functions are called as if they took their one optional argument: on these
// targets it goes where a fixed one would, and is not looked at unless the flags ask for it.
static OPEN: Real<Open> = unsafe { Real::new(c"open") };
// SAFETY: as above.
static OPEN64: Real<Open> = unsafe { Real::new(c"open64") };
// SAFETY: as above.
static OPENAT: Real<OpenAt> = unsafe { Real::new(c"openat") };
// SAFETY: as above.
static OPENAT64: Real<OpenAt> = unsafe { Real::new(c"openat64") };
// SAFETY: as above.
static FCNTL: Real<Control> = unsafe { Real::new(c"fcntl") };
// SAFETY: as above.
static FCNTL64: Real<Control> = unsafe { Real::new(c"fcntl64") };
// SAFETY: the type is that of the function's manual page.
static READ: Real<Read> = unsafe { Real::new(c"read") };
// SAFETY: as above.
static PREAD: Real<ReadAt> = unsafe { Real::new(c"pread") };
// SAFETY: as above.
static PREAD64: Real<ReadAt> = unsafe { Real::new(c"pread64") };
// SAFETY: as above.
static READV: Real<ReadMany> = unsafe { Real::new(c"readv") };
// SAFETY: as above.
static CLOSE: Real<Close> = unsafe { Real::new(c"close") };

/// Sets errno and gives -1, as every call here does that fails.
pub(super) fn answer(result: io::Result<usize>) -> c_long {
    match result {
        Ok(count) => c_long::try_from(count).unwrap_or(c_long::MAX),
        Err(error) => {
            real::set_errno(error.raw_os_error().unwrap_or(libc::EIO));
            -1
        }
    }
}

/// Asks the description of a simulated descriptor; `None` where the kernel must answer.
pub(super) fn ask<T>(
    fd: c_int,
    ask: impl FnOnce(&Rc<World>, Rc<dyn Description>) -> io::Result<T>,
) -> Option<io::Result<T>> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    let answered = world::try_with(|world| ask(world, world.description(Fd(fd))?));
    Some(answered.unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EBADF))))
}

/// Opens a path of the simulation; `None` where the kernel must.
///
/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn open_path(path: *const c_char) -> Option<c_long> {
    if path.is_null() || hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    // SAFETY: not null, and so a C string by the contract.
    let path = unsafe { CStr::from_ptr(path) };
    let opened = guest_files::open(path.to_bytes())?;
    Some(answer(opened.map(|Fd(number)| number as usize)))
}

/// Reads from a simulated descriptor at its own position; `None` where the kernel must.
///
/// # Safety
///
/// `out` is null or valid for a write of `length` bytes.
pub(super) unsafe fn read_from(fd: c_int, out: *mut c_void, length: size_t) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    if super::sockets::is_socket(fd) {
        // SAFETY: the caller's promise.
        return unsafe { super::sockets::serve_read(fd, out, length) };
    }
    if out.is_null() && length > 0 {
        return Some(answer(Err(io::Error::from_raw_os_error(libc::EFAULT))));
    }
    // The caller's buffer may be uninitialised, and a `&mut [u8]` must not be.
    if length > 0 {
        // SAFETY: not null, and so valid for `length` bytes.
        unsafe { out.write_bytes(0, length) };
    }
    let bytes = match length {
        0 => &mut [],
        // SAFETY: as above; initialised now, and nobody else's for the length of this call.
        _ => unsafe { slice::from_raw_parts_mut(out.cast::<u8>(), length) },
    };
    ask(fd, |world, description| description.read(world, bytes)).map(answer)
}

/// Closes a simulated descriptor; `None` where the kernel must.
pub(super) fn close_fd(fd: c_int) -> Option<c_long> {
    let closed = ask(fd, |world, description| {
        drop(description);
        world.close(Fd(fd))
    })?;
    Some(answer(closed.map(|()| 0)))
}

/// Serves `fcntl` on a simulated descriptor; `None` where the kernel must.
fn control(fd: c_int, command: c_int, argument: usize) -> Option<c_long> {
    ask(fd, |world, description| match command {
        libc::F_GETFD => Ok(libc::FD_CLOEXEC as usize),
        libc::F_GETFL => match description.as_socket() {
            Some(socket) if socket.is_nonblocking() => {
                Ok((libc::O_RDWR | libc::O_NONBLOCK) as usize)
            }
            Some(_) => Ok(libc::O_RDWR as usize),
            None => Ok(0),
        },
        libc::F_SETFL => {
            if let Some(socket) = description.as_socket() {
                socket.set_nonblocking(argument as c_int & libc::O_NONBLOCK != 0);
            }
            Ok(0)
        }
        libc::F_SETFD => Ok(0),
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
            world.dup(Fd(fd)).map(|Fd(number)| number as usize)
        }
        _ => Err(io::Error::from_raw_os_error(libc::EINVAL)),
    })
    .map(answer)
}

macro_rules! controls {
    ($($name:ident = $real:ident;)*) => {$(
        /// `fcntl(2)`: what a simulated descriptor is asked for by std, and copies of it.
        ///
        /// # Safety
        ///
        /// As for the C function.
        // SAFETY: the name is the C library's, the type compatible with its callers as said
        // above, and so is the behaviour on real descriptors.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(
            fd: c_int,
            command: c_int,
            argument: *mut c_void,
        ) -> c_int {
            if let Some(answer) = control(fd, command, argument as usize) {
                return answer as c_int;
            }
            match $real.get() {
                // SAFETY: the caller's promise, passed on.
                Some(fcntl) => unsafe { fcntl(fd, command, argument) },
                None => super::unavailable(),
            }
        }
    )*};
}

controls! {
    fcntl = FCNTL;
    fcntl64 = FCNTL64;
}

macro_rules! opens {
    ($($name:ident($($at:ident: c_int)?) = $real:ident;)*) => {$(
        #[doc = concat!("`", stringify!($name), "(2)`.")]
        ///
        /// # Safety
        ///
        /// As for the C function: `path` ends in NUL.
        // SAFETY: the name is the C library's, the type compatible with its callers as said
        // above, and so is the behaviour outside a simulation.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(
            $($at: c_int,)?
            path: *const c_char,
            flags: c_int,
            mode: mode_t,
        ) -> c_int {
            // SAFETY: the caller's promise.
            if let Some(fd) = unsafe { open_path(path) } {
                return fd as c_int;
            }
            match $real.get() {
                // SAFETY: the caller's promise, passed on.
                Some(open) => unsafe { open($($at,)? path, flags, mode) },
                None => super::unavailable(),
            }
        }
    )*};
}

opens! {
    open() = OPEN;
    open64() = OPEN64;
    openat(directory: c_int) = OPENAT;
    openat64(directory: c_int) = OPENAT64;
}

/// `read(2)`.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write of `length` bytes.
// SAFETY: the name and type are the C library's, and so is the behaviour on real descriptors.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn read(fd: c_int, out: *mut c_void, length: size_t) -> ssize_t {
    // SAFETY: the caller's promise.
    if let Some(count) = unsafe { read_from(fd, out, length) } {
        return count as ssize_t;
    }
    match READ.get() {
        // SAFETY: the caller's promise, passed on.
        Some(read) => unsafe { read(fd, out, length) },
        None => super::unavailable() as ssize_t,
    }
}

macro_rules! reads_at {
    ($($name:ident = $real:ident;)*) => {$(
        /// `pread(2)`: what has no position is read as by `read`.
        ///
        /// # Safety
        ///
        /// As for the C function: `out` is valid for a write of `length` bytes.
        // SAFETY: the name and type are the C library's, and so is the behaviour on real
        // descriptors.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(
            fd: c_int,
            out: *mut c_void,
            length: size_t,
            offset: off64_t,
        ) -> ssize_t {
            // SAFETY: the caller's promise.
            if let Some(count) = unsafe { read_from(fd, out, length) } {
                return count as ssize_t;
            }
            match $real.get() {
                // SAFETY: the caller's promise, passed on.
                Some(pread) => unsafe { pread(fd, out, length, offset) },
                None => super::unavailable() as ssize_t,
            }
        }
    )*};
}

reads_at! {
    pread = PREAD;
    pread64 = PREAD64;
}

/// `readv(2)`: a simulated descriptor fills the first buffer that is not empty.
///
/// # Safety
///
/// As for the C function: `buffers` has `count` entries, each valid for its length.
// SAFETY: the name and type are the C library's, and so is the behaviour on real descriptors.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn readv(fd: c_int, buffers: *const iovec, count: c_int) -> ssize_t {
    if Fd::is_simulated(fd) {
        let count = usize::try_from(count).unwrap_or(0);
        for index in 0..count {
            // SAFETY: the caller's promise.
            let buffer = unsafe { *buffers.add(index) };
            if buffer.iov_len > 0 {
                // SAFETY: the caller's promise.
                let read = unsafe { read_from(fd, buffer.iov_base, buffer.iov_len) };
                return read.unwrap_or(0) as ssize_t;
            }
        }
        return 0;
    }
    match READV.get() {
        // SAFETY: the caller's promise, passed on.
        Some(readv) => unsafe { readv(fd, buffers, count) },
        None => super::unavailable() as ssize_t,
    }
}

/// `close(2)`.
///
/// # Safety
///
/// None is needed; the C function has none to ask for either.
// SAFETY: the name and type are the C library's, and so is the behaviour on real descriptors.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn close(fd: c_int) -> c_int {
    if let Some(answer) = close_fd(fd) {
        return answer as c_int;
    }
    match CLOSE.get() {
        // SAFETY: takes any number.
        Some(close) => unsafe { close(fd) },
        None => super::unavailable(),
    }
}

/// A call by number on a path or a simulated descriptor; `None` where the kernel must answer.
///
/// # Safety
///
/// The arguments are what the system call's manual page asks for.
pub(super) unsafe fn serve(number: c_long, [a, b, c, d, e, _]: [usize; 6]) -> Option<c_long> {
    // A register is as wide as a pointer; an int is its low half.
    let int = |register: usize| register as c_uint as c_int;
    match number {
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open => {
            // SAFETY: the caller's promise.
            unsafe { open_path(a as *const c_char) }
        }
        libc::SYS_openat => {
            // SAFETY: the caller's promise.
            unsafe { open_path(b as *const c_char) }
        }
        libc::SYS_read | libc::SYS_pread64 => {
            // SAFETY: the caller's promise.
            unsafe { read_from(int(a), b as *mut c_void, c) }
        }
        libc::SYS_fcntl => control(int(a), int(b), c),
        libc::SYS_close => close_fd(int(a)),
        libc::SYS_dup => status::serve_dup(int(a)),
        libc::SYS_lseek => status::serve_seek(int(a), b.cast_signed() as off64_t, int(c)),
        libc::SYS_fstat => {
            // SAFETY: the caller's promise.
            unsafe { status::serve_fstat(int(a), b as *mut _) }
        }
        libc::SYS_newfstatat => {
            // SAFETY: the caller's promise.
            unsafe { status::serve_fstatat(int(a), b as *const c_char, c as *mut _, int(d)) }
        }
        libc::SYS_statx => {
            // SAFETY: the caller's promise.
            unsafe { status::serve_statx(int(a), b as *const c_char, int(c), e as *mut _) }
        }
        _ => None,
    }
}
