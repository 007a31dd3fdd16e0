//! `poll(2)` and `ppoll(2)` on simulated sockets.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::cell::Cell;
use std::ffi::{c_int, c_long, c_short, c_void};
use std::slice;
use std::task::Waker;

use libc::{nfds_t, pollfd, timespec};

use super::real::Real;
use super::sleep::nanoseconds;
use super::sockets::on;
use crate::ids::SimInstant;
use crate::{Fd, fiber, world};

type Poll = unsafe extern "C" fn(*mut pollfd, nfds_t, c_int) -> c_int;
type Ppoll = unsafe extern "C" fn(*mut pollfd, nfds_t, *const timespec, *const c_void) -> c_int;

// SAFETY: the type is that of the function's manual page.
static POLL: Real<Poll> = unsafe { Real::new(c"poll") };
// SAFETY: as above.
static PPOLL: Real<Ppoll> = unsafe { Real::new(c"ppoll") };

/// What `poll` says of one descriptor; the waker is called when that may change. Real descriptors
/// among simulated ones are never ready.
fn events_of(entry: &pollfd, waker: &Waker) -> c_short {
    if !Fd::is_simulated(entry.fd) {
        return 0;
    }
    let (readable, writable) = (
        entry.events & libc::POLLIN != 0,
        entry.events & libc::POLLOUT != 0,
    );
    let asked = on(entry.fd, |socket| {
        socket.poll(Fd(entry.fd), readable, writable, waker)?;
        socket.ready(Fd(entry.fd))
    });
    let Some(Ok(ready)) = asked else {
        return libc::POLLNVAL;
    };
    let mut events = 0;
    let mut add = |holds: bool, event: c_short| events |= if holds { event } else { 0 };
    add(
        ready.readable || ready.read_closed,
        entry.events & libc::POLLIN,
    );
    add(
        ready.writable || ready.write_closed,
        entry.events & libc::POLLOUT,
    );
    add(ready.read_closed, entry.events & libc::POLLRDHUP);
    add(ready.read_closed && ready.write_closed, libc::POLLHUP);
    add(ready.error, libc::POLLERR);
    events
}

/// Serves `poll` where at least one descriptor is simulated; `None` where the kernel must.
///
/// # Safety
///
/// `fds` is valid for reads and writes of `count` entries.
pub(super) unsafe fn serve(
    fds: *mut pollfd,
    count: nfds_t,
    limit_ns: Option<u64>,
) -> Option<c_long> {
    if fds.is_null() || count == 0 || !crate::in_simulation() {
        return None;
    }
    // SAFETY: by the contract.
    let entries = unsafe { slice::from_raw_parts_mut(fds, count as usize) };
    if !entries.iter().any(|entry| Fd::is_simulated(entry.fd)) {
        return None;
    }
    let deadline = limit_ns.map(|limit| {
        let now = world::with(|world| world.clock().as_nanos());
        SimInstant(now.saturating_add(limit))
    });
    let cells = Cell::from_mut(&mut *entries).as_slice_of_cells();
    let look = |waker: &Waker| {
        let mut any = false;
        for cell in cells {
            let mut entry = cell.get();
            entry.revents = events_of(&entry, waker);
            any |= entry.revents != 0;
            cell.set(entry);
        }
        any
    };
    if !look(Waker::noop()) && limit_ns != Some(0) {
        fiber::wait_for(deadline, look);
    }
    let ready = cells.iter().filter(|cell| cell.get().revents != 0).count();
    Some(ready as c_long)
}

/// `poll(2)`.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour on real descriptors.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn poll(fds: *mut pollfd, count: nfds_t, limit_ms: c_int) -> c_int {
    let limit = u64::try_from(limit_ms).ok().map(|ms| ms * 1_000_000);
    // SAFETY: the caller's promise.
    if let Some(ready) = unsafe { serve(fds, count, limit) } {
        return ready as c_int;
    }
    match POLL.get() {
        // SAFETY: the caller's promise, passed on.
        Some(poll) => unsafe { poll(fds, count, limit_ms) },
        None => super::unavailable(),
    }
}

/// `ppoll(2)`; the signals are not looked at.
///
/// # Safety
///
/// As for the C function.
// SAFETY: the name and type are the C library's, and so is the behaviour on real descriptors.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ppoll(
    fds: *mut pollfd,
    count: nfds_t,
    limit: *const timespec,
    signals: *const c_void,
) -> c_int {
    // SAFETY: the caller's promise: null or valid.
    let nanos = (!limit.is_null()).then(|| nanoseconds(unsafe { limit.read() }));
    // SAFETY: the caller's promise.
    if let Some(ready) = unsafe { serve(fds, count, nanos.flatten()) } {
        return ready as c_int;
    }
    match PPOLL.get() {
        // SAFETY: the caller's promise, passed on.
        Some(ppoll) => unsafe { ppoll(fds, count, limit, signals) },
        None => super::unavailable(),
    }
}
