//! `fopen`: streams of the C library over simulated files.
//!
//! The library makes the stream (`fopencookie(3)`), with its buffer and all that is done to it, and
//! asks here for what it reads, writes and seeks. `fileno` of such a stream is the file's number.
//! Opening and closing one takes the disk's time; what is read and written in between takes none.
#![expect(unsafe_code, reason = "makes streams of the C library")]

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::{io, ptr, slice};

use libc::{FILE, off64_t, size_t, ssize_t};

use super::define::hooks;
use super::files::{answer, ask, close_fd, error, open_path};
use super::refused::refuse;
use crate::files::FileCalls;
use crate::interpose::hatch;
use crate::{Fd, world};

/// `cookie_io_functions_t`.
#[repr(C)]
struct Functions {
    read: unsafe extern "C" fn(*mut c_void, *mut c_char, size_t) -> ssize_t,
    write: unsafe extern "C" fn(*mut c_void, *const c_char, size_t) -> ssize_t,
    seek: unsafe extern "C" fn(*mut c_void, *mut off64_t, c_int) -> c_int,
    close: unsafe extern "C" fn(*mut c_void) -> c_int,
}

// SAFETY: the type is that of the manual page.
unsafe extern "C" {
    fn fopencookie(cookie: *mut c_void, mode: *const c_char, functions: Functions) -> *mut FILE;
}

fn number(cookie: *mut c_void) -> c_int {
    cookie as usize as c_int
}

/// Calls the file behind a stream at once: the C library holds the stream's lock meanwhile, and who
/// waits for that, waits within the library, where nobody else could run.
fn call(cookie: *mut c_void, run: impl FnOnce(&dyn FileCalls, Fd) -> io::Result<usize>) -> c_long {
    let fd = number(cookie);
    let called = ask(fd, |_, description| match description.as_file() {
        Some(file) => run(file, Fd(fd)),
        None => Err(error(libc::EBADF)),
    });
    answer(called.unwrap_or_else(|| Err(error(libc::EBADF))))
}

unsafe extern "C" fn read(cookie: *mut c_void, out: *mut c_char, length: size_t) -> ssize_t {
    // SAFETY: the library gives a buffer of that length.
    unsafe { out.write_bytes(0, length) };
    // SAFETY: as above; initialised now.
    let bytes = unsafe { slice::from_raw_parts_mut(out.cast::<u8>(), length) };
    call(cookie, |file, fd| file.read(fd, bytes)) as ssize_t
}

unsafe extern "C" fn write(cookie: *mut c_void, bytes: *const c_char, length: size_t) -> ssize_t {
    // SAFETY: the library gives a buffer of that length.
    let bytes = unsafe { slice::from_raw_parts(bytes.cast::<u8>(), length) };
    // To a stream, no byte written is an error.
    call(cookie, |file, fd| file.write(fd, bytes)).max(0) as ssize_t
}

unsafe extern "C" fn seek(cookie: *mut c_void, place: *mut off64_t, from: c_int) -> c_int {
    // SAFETY: the library gives a place.
    let to = unsafe { place.read() };
    let sought = call(cookie, |file, fd| {
        let at = file.seek(fd, to, from)?;
        usize::try_from(at).map_err(|_| error(libc::EOVERFLOW))
    });
    if sought < 0 {
        return -1;
    }
    // SAFETY: as above.
    unsafe { place.write(sought) };
    0
}

unsafe extern "C" fn close(cookie: *mut c_void) -> c_int {
    let fd = number(cookie);
    world::try_with(|world| {
        let mut streams = world.files.streams.borrow_mut();
        streams.retain(|_, number| *number != fd);
    });
    close_fd(fd).unwrap_or(-1) as c_int
}

/// The flags of `open(2)` that a mode of `fopen(3)` means.
fn flags_of(mode: &[u8]) -> io::Result<c_int> {
    let has = |letter: u8| mode.contains(&letter);
    let access = match (has(b'+'), mode.first()) {
        (true, _) => libc::O_RDWR,
        (false, Some(b'r')) => libc::O_RDONLY,
        (false, _) => libc::O_WRONLY,
    };
    let making = match mode.first() {
        Some(b'r') => 0,
        Some(b'w') => libc::O_CREAT | libc::O_TRUNC,
        Some(b'a') => libc::O_CREAT | libc::O_APPEND,
        _ => return Err(error(libc::EINVAL)),
    };
    Ok(access | making | if has(b'x') { libc::O_EXCL } else { 0 })
}

/// # Safety
///
/// Both are null or end in NUL.
unsafe fn serve_fopen(path: *const c_char, mode: *const c_char) -> Option<*mut FILE> {
    if path.is_null() || mode.is_null() || hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    // SAFETY: not null, and so a C string by the contract.
    let flags = flags_of(unsafe { CStr::from_ptr(mode) }.to_bytes()).ok()?;
    // SAFETY: the caller's promise.
    let fd = unsafe { open_path(libc::AT_FDCWD, path, flags, 0o666) }? as c_int;
    if fd < 0 {
        return Some(ptr::null_mut());
    }
    if !Fd::is_simulated(fd) {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { stream(fd, mode) })
}

/// # Safety
///
/// `mode` ends in NUL.
unsafe fn serve_fdopen(fd: c_int, mode: *const c_char) -> Option<*mut FILE> {
    if !Fd::is_simulated(fd) || mode.is_null() {
        return None;
    }
    let is_file = ask(fd, |_, description| Ok(description.as_file().is_some()))?;
    if is_file.is_ok_and(|is_file| !is_file) {
        // A read would have to wait while the C library holds the stream's lock.
        refuse(
            "fdopen",
            "of sockets and pipes: read and write them by their number",
        );
        return Some(ptr::null_mut());
    }
    // SAFETY: the caller's promise.
    Some(unsafe { stream(fd, mode) })
}

/// `tmpfile(3)`: a file that no name leads to.
fn serve_tmpfile() -> Option<*mut FILE> {
    let flags = libc::O_TMPFILE | libc::O_RDWR;
    // SAFETY: it ends in NUL.
    let fd = unsafe { open_path(libc::AT_FDCWD, c"/tmp".as_ptr(), flags, 0o600) }? as c_int;
    if fd < 0 {
        return Some(ptr::null_mut());
    }
    // SAFETY: as above.
    Some(unsafe { stream(fd, c"w+".as_ptr()) })
}

/// A stream over a simulated descriptor, which it closes.
///
/// # Safety
///
/// `mode` ends in NUL.
unsafe fn stream(fd: c_int, mode: *const c_char) -> *mut FILE {
    let functions = Functions {
        read,
        write,
        seek,
        close,
    };
    let cookie = fd as usize as *mut c_void;
    // SAFETY: the functions are those of this module, and take a number for a cookie.
    let stream = unsafe { fopencookie(cookie, mode, functions) };
    match stream.is_null() {
        true => drop(close_fd(fd)),
        false => drop(world::try_with(|world| {
            world.files.streams.borrow_mut().insert(stream as usize, fd)
        })),
    }
    stream
}

/// The number of a stream that was made here.
fn serve_fileno(stream: *mut FILE) -> Option<c_int> {
    if !crate::in_simulation() {
        return None;
    }
    let place = stream as usize;
    world::try_with(|world| world.files.streams.borrow().get(&place).copied())?
}

/// `freopen(3)` keeps the stream where it is, which a stream of ours cannot.
///
/// # Safety
///
/// `path` is null or ends in NUL.
unsafe fn serve_freopen(path: *const c_char, stream: *mut FILE) -> Option<*mut FILE> {
    // SAFETY: the caller's promise.
    let placed = unsafe { super::places::of(libc::AT_FDCWD, path, false) };
    if placed.is_none() && serve_fileno(stream).is_none() {
        return None;
    }
    refuse(
        "freopen",
        "of simulated files: close the stream and open another",
    );
    Some(ptr::null_mut())
}

hooks! {
    fopen = FOPEN: (path: *const c_char, mode: *const c_char) -> *mut FILE {
        serve_fopen(path, mode)
    }
    fopen64 = FOPEN64: (path: *const c_char, mode: *const c_char) -> *mut FILE {
        serve_fopen(path, mode)
    }
    fdopen = FDOPEN: (fd: c_int, mode: *const c_char) -> *mut FILE { serve_fdopen(fd, mode) }
    tmpfile = TMPFILE: () -> *mut FILE { safe serve_tmpfile() }
    tmpfile64 = TMPFILE64: () -> *mut FILE { safe serve_tmpfile() }
    fileno = FILENO: (stream: *mut FILE) -> c_int { safe serve_fileno(stream) }
    freopen = FREOPEN: (path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE {
        serve_freopen(path, stream)
    }
    freopen64 = FREOPEN64: (
        path: *const c_char, mode: *const c_char, stream: *mut FILE
    ) -> *mut FILE {
        serve_freopen(path, stream)
    }
}
