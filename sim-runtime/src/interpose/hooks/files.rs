//! Simulated descriptors and paths through the C library: what is asked first, `open`, `close`,
//! `fcntl`, `dup`.
//!
//! A call on a simulated number goes to its description in the world's table; a path goes to the
//! simulation when it is one of those that [`crate::guest_files`] has, or is on the node's volume
//! ([`places`]). All else is the kernel's: above all `statx(fd, "", AT_EMPTY_PATH)` on real
//! descriptors, which backtraces need.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use libc::mode_t;

use super::define::hooks;
use super::places::{self, Placed};
use super::refused::{CHILD, refuse};
use super::{file_locks, real, sleep, sockets};
use crate::device::Description;
use crate::files::{FileCall, FileCalls};
use crate::interpose::hatch;
use crate::world::World;
use crate::{Fd, fiber, guest_files, world};

/// An error by its number.
pub(super) fn error(code: c_int) -> io::Error {
    io::Error::from_raw_os_error(code)
}

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

/// The answer of a call that gives nothing but success.
pub(super) fn done(result: io::Result<()>) -> c_long {
    answer(result.map(|()| 0))
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
    Some(answered.unwrap_or_else(|| Err(error(libc::EBADF))))
}

/// Waits as long as the disk takes for a call that begins now.
pub(super) fn wait_for_disk(call: FileCall) {
    let latency = world::try_with(|world| {
        let device = world.files.device()?;
        Some(device.latency(call))
    });
    match latency.flatten() {
        None | Some(Duration::ZERO) => {}
        // The call is never made: who waits for it goes down with its process.
        Some(Duration::MAX) => drop(fiber::wait_for(None, |_| false)),
        Some(latency) => {
            let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
            sleep::sleep_ns(ns);
        }
    }
}

/// Calls the file behind a simulated number, once the disk has taken its time; `None` where the
/// kernel must answer. What is no file answers `otherwise`.
pub(super) fn on_file<T>(
    fd: c_int,
    (call, otherwise): (FileCall, c_int),
    run: impl FnOnce(&dyn FileCalls, Fd) -> io::Result<T>,
) -> Option<io::Result<T>> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    wait_for_disk(call);
    ask(fd, |_, description| match description.as_file() {
        Some(file) => run(file, Fd(fd)),
        None => Err(error(otherwise)),
    })
}

/// Opens a path of the simulation; `None` where the kernel must.
///
/// # Safety
///
/// `path` is null or ends in NUL.
pub(super) unsafe fn open_path(
    at: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> Option<c_long> {
    if path.is_null() || hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    // SAFETY: not null, and so a C string by the contract.
    let text = unsafe { CStr::from_ptr(path) };
    if let Some(opened) = guest_files::open(text.to_bytes()) {
        return Some(answer(opened.map(|Fd(number)| number as usize)));
    }
    let changes = flags & libc::O_ACCMODE != libc::O_RDONLY
        || flags & (libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE) != 0;
    // SAFETY: the caller's promise.
    let placed = unsafe { places::of(at, path, changes) }?;
    Some(answer(placed.and_then(|Placed { files, place }| {
        wait_for_disk(FileCall::Metadata);
        let mask = world::with(|world| world.file_mask());
        let opened = files.open(place, flags, mode & 0o7777 & !mask);
        if flags & libc::O_CREAT == 0 && opened.is_err() {
            places::note_missing(place.path);
        }
        opened.map(|Fd(number)| number as usize)
    })))
}

/// Closes a simulated descriptor; `None` where the kernel must.
pub(super) fn close_fd(fd: c_int) -> Option<c_long> {
    sockets::linger(fd);
    let closed = ask(fd, |world, description| {
        if let Some(file) = description.as_file() {
            file.closing(Fd(fd));
        }
        drop(description);
        world.close(Fd(fd))
    })?;
    Some(done(closed))
}

/// What `F_GETFL` tells of a description.
fn flags_of(description: &dyn Description) -> c_int {
    match (description.as_socket(), description.as_file()) {
        (Some(socket), _) if socket.is_nonblocking() => libc::O_RDWR | libc::O_NONBLOCK,
        (Some(_), _) => libc::O_RDWR,
        (None, Some(file)) => file.flags(),
        (None, None) => libc::O_RDONLY,
    }
}

/// Serves `fcntl` on a simulated descriptor; `None` where the kernel must.
///
/// # Safety
///
/// `argument` is what the command asks for.
pub(super) unsafe fn control(fd: c_int, command: c_int, argument: usize) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    if let Some(asked) = file_locks::Asked::of(command) {
        // SAFETY: these commands ask for a `struct flock`.
        return unsafe { file_locks::serve_range(fd, asked, argument as *mut libc::flock) };
    }
    ask(fd, |world, description| match command {
        libc::F_GETFD => Ok(libc::FD_CLOEXEC as usize),
        libc::F_GETFL => Ok(flags_of(&*description) as usize),
        libc::F_SETFL => {
            let flags = argument as c_int;
            if let Some(socket) = description.as_socket() {
                socket.set_nonblocking(flags & libc::O_NONBLOCK != 0);
            } else if let Some(file) = description.as_file() {
                file.set_flags(flags);
            }
            Ok(0)
        }
        libc::F_SETFD => Ok(0),
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
            world.dup(Fd(fd)).map(|Fd(number)| number as usize)
        }
        _ => Err(error(libc::EINVAL)),
    })
    .map(answer)
}

/// Serves `dup`; `None` where the kernel must.
pub(super) fn serve_dup(fd: c_int) -> Option<c_long> {
    let copied = ask(fd, |world, _| world.dup(Fd(fd)))?;
    Some(answer(copied.map(|Fd(number)| number as usize)))
}

/// Serves `dup2` and `dup3`, `None` where the kernel must: a simulated number can stand for another
/// simulated file, and not for one of the kernel's. That a standard stream can't be one is said in
/// words, since it is a child's after `fork`.
pub(super) fn serve_dup_onto(from: c_int, to: c_int) -> Option<c_long> {
    if !Fd::is_simulated(from) && !Fd::is_simulated(to) {
        return None;
    }
    if Fd::is_simulated(from) && (0..=libc::STDERR_FILENO).contains(&to) {
        refuse("dup2", CHILD);
        return Some(-1);
    }
    if !Fd::is_simulated(from) || !Fd::is_simulated(to) {
        return Some(done(Err(error(libc::EBADF))));
    }
    let copied = world::try_with(|world| world.dup_onto(Fd(from), Fd(to)));
    let copied = copied.unwrap_or_else(|| Err(error(libc::EBADF)));
    Some(answer(copied.map(|()| to as usize)))
}

hooks! {
    open = OPEN: (path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        open_path(libc::AT_FDCWD, path, flags, mode)
    }
    open64 = OPEN64: (path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        open_path(libc::AT_FDCWD, path, flags, mode)
    }
    openat = OPENAT: (at: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        open_path(at, path, flags, mode)
    }
    openat64 = OPENAT64: (at: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        open_path(at, path, flags, mode)
    }
    creat = CREAT: (path: *const c_char, mode: mode_t) -> c_int {
        open_path(libc::AT_FDCWD, path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode)
    }
    creat64 = CREAT64: (path: *const c_char, mode: mode_t) -> c_int {
        open_path(libc::AT_FDCWD, path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode)
    }
    fcntl = FCNTL: (fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
        control(fd, command, argument as usize)
    }
    fcntl64 = FCNTL64: (fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
        control(fd, command, argument as usize)
    }
    close = CLOSE: (fd: c_int) -> c_int { safe close_fd(fd) }
    dup = DUP: (fd: c_int) -> c_int { safe serve_dup(fd) }
    dup2 = DUP2: (from: c_int, to: c_int) -> c_int { safe serve_dup_onto(from, to) }
    dup3 = DUP3: (from: c_int, to: c_int, flags: c_uint) -> c_int {
        safe serve_dup_onto(from, to)
    }
}
