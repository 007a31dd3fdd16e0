//! Pairs of descriptors that belong together: `socketpair(2)`, `pipe(2)`.
#![expect(unsafe_code, reason = "writes what C callers point to")]

use std::ffi::{c_int, c_long};
use std::io;

use super::files::answer;
use super::sockets::{FLAGS, make_nonblocking};
use crate::interpose::hatch;
use crate::{Fd, world};

/// Gives a caller two descriptors.
///
/// # Safety
///
/// `out` is valid for a write of two numbers.
unsafe fn two(opened: io::Result<(Fd, Fd)>, nonblocking: bool, out: *mut c_int) -> c_long {
    answer(opened.map(|(one, other)| {
        for (place, fd) in [one, other].into_iter().enumerate() {
            if nonblocking {
                make_nonblocking(fd.0);
            }
            // SAFETY: by the contract.
            let place = unsafe { out.add(place) };
            // SAFETY: as above.
            unsafe { place.write(fd.0) };
        }
        0
    }))
}

/// `socketpair(2)`; `None` where the kernel must answer: also without a network, whose device Unix
/// sockets are of, and for packets in sequence, by which std talks to the programs it starts.
///
/// # Safety
///
/// `out` is valid for a write of two numbers.
pub(super) unsafe fn serve_pair(
    domain: c_int,
    kind: c_int,
    protocol: c_int,
    out: *mut c_int,
) -> Option<c_long> {
    if domain != libc::AF_UNIX || hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    let (kind, nonblocking) = (kind & !FLAGS, kind & libc::SOCK_NONBLOCK != 0);
    let sockets = world::with(|world| world.sockets()).ok()?;
    if kind == libc::SOCK_SEQPACKET {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { two(sockets.pair(kind, protocol), nonblocking, out) })
}

/// `pipe(2)` and `pipe2(2)`; `None` where the kernel must answer: also where a world has no
/// network, whose device pipes are of.
///
/// # Safety
///
/// `out` is valid for a write of two numbers.
pub(super) unsafe fn serve_pipe(out: *mut c_int, flags: c_int) -> Option<c_long> {
    if hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    let sockets = world::with(|world| world.sockets()).ok()?;
    // SAFETY: the caller's promise.
    Some(unsafe { two(sockets.pipe(), flags & libc::O_NONBLOCK != 0, out) })
}
