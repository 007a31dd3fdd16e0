//! Reading and writing through simulated descriptors: files, sockets and what else can be read.
#![expect(unsafe_code, reason = "reads and writes what C callers point to")]

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::ptr;
use std::slice;

use libc::{iovec, off64_t, size_t, ssize_t};

use super::define::hooks;
use super::files::{answer, ask, error, on_file, wait_for_disk};
use super::sockets::{piece, serve_recv, serve_send};
use crate::device::Description;
use crate::files::FileCall;
use crate::world::World;
use crate::{Fd, world};

/// What a descriptor is to a reader or writer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Socket,
    File,
    Other,
}

/// `None` where the kernel must answer.
fn kind_of(fd: c_int) -> Option<io::Result<Kind>> {
    let of = |description: &dyn Description| {
        if description.as_socket().is_some() {
            return Kind::Socket;
        }
        match description.as_file() {
            Some(_) => Kind::File,
            None => Kind::Other,
        }
    };
    ask(fd, |_, description| Ok(of(&*description)))
}

/// The most that one call moves, as the kernel has it.
const MOST: usize = 0x7fff_f000;

/// Reads larger than this land in memory of their own.
const LANDING_BYTES_MAX: usize = 1 << 16;

/// Fills a caller's buffer by way of another: the caller's may be uninitialised, and keeps what it
/// holds beyond what is read.
///
/// # Safety
///
/// `out` is null or valid for a write of `length` bytes.
unsafe fn fill(
    world: &World,
    (out, length): (*mut c_void, size_t),
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let length = length.min(MOST);
    if out.is_null() && length > 0 {
        return Err(error(libc::EFAULT));
    }
    let mut landing = match length {
        ..=LANDING_BYTES_MAX => world.files.landing.take(),
        _ => Vec::new(),
    };
    if landing.len() < length {
        landing.resize(length, 0);
    }
    let result = read(&mut landing[..length]);
    if let Ok(count @ 1..) = result {
        let bytes = &landing[..count];
        // SAFETY: it is not null, and so valid for as many bytes as were asked for; nobody else
        // knows of those that are copied.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), out.cast::<u8>(), bytes.len()) };
    }
    if landing.len() <= LANDING_BYTES_MAX {
        world.files.landing.set(landing);
    }
    result
}

/// Bytes that are to be written.
///
/// # Safety
///
/// `bytes` is null or valid for a read of `length` bytes while the slice lives.
unsafe fn bytes_at<'b>(bytes: *const c_void, length: size_t) -> io::Result<&'b [u8]> {
    let length = length.min(MOST);
    match (bytes.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(error(libc::EFAULT)),
        // SAFETY: not null, and so valid by the contract.
        _ => Ok(unsafe { slice::from_raw_parts(bytes.cast::<u8>(), length) }),
    }
}

/// An offset that a file can have.
pub(super) fn offset_of(offset: off64_t) -> io::Result<u64> {
    u64::try_from(offset).map_err(|_| error(libc::EINVAL))
}

/// Reads at a place of a file, or at its own position; `None` where the kernel must.
///
/// # Safety
///
/// `out` is null or valid for a write of `length` bytes.
pub(super) unsafe fn read_from(
    fd: c_int,
    (out, length): (*mut c_void, size_t),
    at: Option<off64_t>,
) -> Option<c_long> {
    let kind = match kind_of(fd)? {
        Ok(kind) => kind,
        Err(error) => return Some(answer(Err(error))),
    };
    if kind == Kind::Socket {
        if at.is_some() {
            return Some(answer(Err(error(libc::ESPIPE))));
        }
        let (one, nobody) = (
            piece(out, length),
            (std::ptr::null_mut(), std::ptr::null_mut()),
        );
        // SAFETY: the caller's promise.
        return unsafe { serve_recv(fd, (&raw const one, 1), 0, nobody) };
    }
    if kind == Kind::File {
        wait_for_disk(FileCall::Read);
    }
    let read = ask(fd, |world, description| {
        let read = |bytes: &mut [u8]| {
            let Some(file) = description.as_file() else {
                // What has no position is read as by `read`.
                return description.read(world, bytes);
            };
            world.before_reading(file, Fd(fd))?;
            match at {
                None => file.read(Fd(fd), bytes),
                Some(at) => file.pread(Fd(fd), bytes, offset_of(at)?),
            }
        };
        // SAFETY: the caller's promise.
        unsafe { fill(world, (out, length), read) }
    });
    read.map(answer)
}

/// What stands behind a descriptor, and how many pieces there are; inside, the answer to a call
/// that cannot be served. `None` where the kernel must.
fn behind(fd: c_int, count: c_int) -> Option<Result<(Kind, usize), c_long>> {
    let kind = match kind_of(fd)? {
        Ok(kind) => kind,
        Err(error) => return Some(Err(answer(Err(error)))),
    };
    let count = usize::try_from(count).map_err(|_| answer(Err(error(libc::EINVAL))));
    Some(count.map(|count| (kind, count)))
}

/// Reads into pieces, one after the other until one is not filled.
///
/// # Safety
///
/// `pieces` is valid for `count` entries, each valid for a write of its length.
pub(super) unsafe fn read_pieces(
    fd: c_int,
    (pieces, count): (*const iovec, c_int),
    at: Option<off64_t>,
) -> Option<c_long> {
    let (kind, count) = match behind(fd, count)? {
        Ok(behind) => behind,
        Err(answer) => return Some(answer),
    };
    if kind == Kind::Socket && at.is_none() {
        let nobody = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the caller's promise.
        return unsafe { serve_recv(fd, (pieces, count), 0, nobody) };
    }
    let mut read = 0;
    for index in 0..count {
        // SAFETY: the caller's promise.
        let piece = unsafe { pieces.add(index).read() };
        let at = at.map(|at| at.saturating_add(read));
        // SAFETY: the caller's promise.
        let now = unsafe { read_from(fd, (piece.iov_base, piece.iov_len), at) }?;
        if now < 0 {
            return Some(if read > 0 { read } else { now });
        }
        read += now;
        if now.unsigned_abs() < piece.iov_len as u64 {
            break;
        }
    }
    Some(read)
}

/// Writes at a place of a file, or at its own position; `None` where the kernel must.
///
/// # Safety
///
/// `bytes` is null or valid for a read of `length` bytes.
pub(super) unsafe fn write_to(
    fd: c_int,
    (bytes, length): (*const c_void, size_t),
    at: Option<off64_t>,
) -> Option<c_long> {
    let one = piece(bytes, length);
    // SAFETY: the caller's promise.
    unsafe { write_pieces(fd, (&raw const one, 1), at) }
}

/// Writes pieces as one.
///
/// # Safety
///
/// `pieces` is valid for `count` entries, each valid for a read of its length.
pub(super) unsafe fn write_pieces(
    fd: c_int,
    (pieces, count): (*const iovec, c_int),
    at: Option<off64_t>,
) -> Option<c_long> {
    let (kind, count) = match behind(fd, count)? {
        Ok(behind) => behind,
        Err(answer) => return Some(answer),
    };
    match (kind, at) {
        (Kind::Socket, None) => {
            // SAFETY: the caller's promise.
            return unsafe { serve_send(fd, (pieces, count), 0, (std::ptr::null(), 0)) };
        }
        (Kind::Socket, Some(_)) => return Some(answer(Err(error(libc::ESPIPE)))),
        (Kind::Other, _) => return Some(answer(Err(error(libc::EBADF)))),
        (Kind::File, _) => {}
    }
    let mut all: Vec<&[u8]> = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: the caller's promise.
        let piece = unsafe { pieces.add(index).read() };
        // SAFETY: the caller's promise; read before this call returns.
        match unsafe { bytes_at(piece.iov_base, piece.iov_len) } {
            Ok(bytes) => all.push(bytes),
            Err(error) => return Some(answer(Err(error))),
        }
    }
    let joined;
    let bytes = match &all[..] {
        [one] => *one,
        several => {
            joined = several.concat();
            &joined
        }
    };
    let written = on_file(fd, (FileCall::Write, libc::EBADF), |file, fd| {
        let write = || match at {
            None => file.write(fd, bytes),
            Some(at) => file.pwrite(fd, bytes, offset_of(at)?),
        };
        world::with(|world| world.while_writing((file, fd), write))
    });
    written.map(answer)
}

hooks! {
    read = READ: (fd: c_int, out: *mut c_void, length: size_t) -> ssize_t {
        read_from(fd, (out, length), None)
    }
    pread = PREAD: (fd: c_int, out: *mut c_void, length: size_t, at: off64_t) -> ssize_t {
        read_from(fd, (out, length), Some(at))
    }
    pread64 = PREAD64: (fd: c_int, out: *mut c_void, length: size_t, at: off64_t) -> ssize_t {
        read_from(fd, (out, length), Some(at))
    }
    readv = READV: (fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
        read_pieces(fd, (pieces, count), None)
    }
    preadv = PREADV: (fd: c_int, pieces: *const iovec, count: c_int, at: off64_t) -> ssize_t {
        read_pieces(fd, (pieces, count), Some(at))
    }
    preadv64 = PREADV64: (fd: c_int, pieces: *const iovec, count: c_int, at: off64_t) -> ssize_t {
        read_pieces(fd, (pieces, count), Some(at))
    }
    preadv2 = PREADV2: (
        fd: c_int, pieces: *const iovec, count: c_int, at: off64_t, flags: c_int
    ) -> ssize_t {
        read_pieces(fd, (pieces, count), (at != -1).then_some(at))
    }
    preadv64v2 = PREADV64V2: (
        fd: c_int, pieces: *const iovec, count: c_int, at: off64_t, flags: c_int
    ) -> ssize_t {
        read_pieces(fd, (pieces, count), (at != -1).then_some(at))
    }
    write = WRITE: (fd: c_int, bytes: *const c_void, length: size_t) -> ssize_t {
        write_to(fd, (bytes, length), None)
    }
    pwrite = PWRITE: (fd: c_int, bytes: *const c_void, length: size_t, at: off64_t) -> ssize_t {
        write_to(fd, (bytes, length), Some(at))
    }
    pwrite64 = PWRITE64: (
        fd: c_int, bytes: *const c_void, length: size_t, at: off64_t
    ) -> ssize_t {
        write_to(fd, (bytes, length), Some(at))
    }
    writev = WRITEV: (fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
        write_pieces(fd, (pieces, count), None)
    }
    pwritev = PWRITEV: (fd: c_int, pieces: *const iovec, count: c_int, at: off64_t) -> ssize_t {
        write_pieces(fd, (pieces, count), Some(at))
    }
    pwritev64 = PWRITEV64: (
        fd: c_int, pieces: *const iovec, count: c_int, at: off64_t
    ) -> ssize_t {
        write_pieces(fd, (pieces, count), Some(at))
    }
    pwritev2 = PWRITEV2: (
        fd: c_int, pieces: *const iovec, count: c_int, at: off64_t, flags: c_int
    ) -> ssize_t {
        write_pieces(fd, (pieces, count), (at != -1).then_some(at))
    }
    pwritev64v2 = PWRITEV64V2: (
        fd: c_int, pieces: *const iovec, count: c_int, at: off64_t, flags: c_int
    ) -> ssize_t {
        write_pieces(fd, (pieces, count), (at != -1).then_some(at))
    }
}
