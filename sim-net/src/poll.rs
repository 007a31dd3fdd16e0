//! Sending and receiving as a task does: the cheapest calls there are.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use sim_runtime::{Fd, World};

use crate::errno::{error, fail};
use crate::express::Express;
use crate::net::net;
use crate::ready::Interest;
use crate::socket::Socket;
use crate::state::State;

/// [`crate::Net::send_vectored`] on a socket of the current world; where it would answer `EAGAIN`
/// the task is registered. The cheapest way to send.
///
/// # Errors
/// As [`crate::Net::send_vectored`], but for `EAGAIN`.
pub fn poll_send(
    fd: Fd,
    pieces: &[IoSlice<'_>],
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut has_woken = false;
    let way = express(fd, |state, world, sock| {
        let way = state.express_send(world, sock, pieces);
        has_woken = !state.woken.is_empty();
        way
    });
    if has_woken {
        wake();
    }
    match way {
        Express::Moved(count) => Poll::Ready(Ok(count)),
        Express::Waits | Express::No => send_long(fd, pieces, context),
    }
}

/// [`crate::Net::recv`] on a socket of the current world; where it would answer `EAGAIN` the task
/// is registered. The cheapest way to receive.
///
/// # Errors
/// As [`crate::Net::recv`], but for `EAGAIN`.
pub fn poll_recv(
    fd: Fd,
    into: &mut [u8],
    peek: bool,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if peek {
        return recv_long(fd, into, peek, context);
    }
    // Nobody is woken by what is read on the short way.
    let way = express(fd, |state, world, sock| {
        let way = state.express_recv(world, sock, into, context.waker());
        if way == Express::Waits {
            world.waiting(Interest::READABLE.waits(fd));
        }
        way
    });
    match way {
        Express::Moved(count) => Poll::Ready(Ok(count)),
        Express::Waits => Poll::Pending,
        Express::No => recv_long(fd, into, peek, context),
    }
}

/// Whether the listener has nobody to accept; the task is registered then. The cheapest way to find
/// out what [`crate::Net::accept`] would answer most of the time.
pub fn poll_accept_waits(fd: Fd, context: &Context<'_>) -> bool {
    let way = express(fd, |state, world, sock| {
        let way = state.express_accept(sock, context.waker());
        if way == Express::Waits {
            world.waiting(Interest::READABLE.waits(fd));
        }
        way
    });
    way == Express::Waits
}

/// Tries the short way on the socket of a descriptor; [`Express::No`] where it is none.
#[inline(always)]
fn express(fd: Fd, f: impl FnOnce(&mut State, &World, usize) -> Express) -> Express {
    let way = sim_runtime::look(|world| {
        // In place: nothing that `f` does opens or closes a descriptor.
        let found = world.read_description(fd, |socket: &Socket| {
            f(&mut socket.net.state(), world, socket.index)
        });
        match found {
            Ok(Some(way)) => way,
            _ => Express::No,
        }
    });
    way.unwrap_or(Express::No)
}

/// Wakes whoever was found to be woken.
#[cold]
#[inline(never)]
fn wake() {
    if let Ok(net) = net() {
        net.wake();
    }
}

/// Runs `f` on the socket of a descriptor, then wakes whoever it found to wake.
fn on<R>(
    fd: Fd,
    f: impl FnOnce(&mut State, &World, usize) -> Poll<io::Result<R>>,
) -> Poll<io::Result<R>> {
    let outcome = sim_runtime::try_with(|world| {
        let mut has_woken = false;
        let found = world.read_description(fd, |socket: &Socket| {
            let mut state = socket.net.state();
            let answer = f(&mut state, world, socket.index);
            has_woken = !state.woken.is_empty();
            answer
        });
        if has_woken {
            wake();
        }
        match found {
            Ok(Some(answer)) => answer,
            Ok(None) => Poll::Ready(fail(libc::ENOTSOCK)),
            Err(error) => Poll::Ready(Err(error)),
        }
    });
    outcome.unwrap_or_else(|| Poll::Ready(Err(error(libc::ENETDOWN))))
}

/// [`poll_send`] the long way.
#[inline(never)]
fn send_long(fd: Fd, pieces: &[IoSlice<'_>], context: &mut Context<'_>) -> Poll<io::Result<usize>> {
    on(fd, |state, world, sock| {
        let result = state.socket_send(world, sock, pieces);
        let waits = (Interest::WRITABLE, context);
        finish(state, world, (fd, sock), waits, result)
    })
}

/// [`poll_recv`] the long way.
#[inline(never)]
fn recv_long(
    fd: Fd,
    into: &mut [u8],
    peek: bool,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    on(fd, |state, world, sock| {
        let result = state.socket_recv(world, sock, into, peek);
        let waits = (Interest::READABLE, context);
        finish(state, world, (fd, sock), waits, result)
    })
}

/// Registers the task where the answer is `EAGAIN`, in the same look at the socket.
fn finish(
    state: &mut State,
    world: &World,
    (fd, sock): (Fd, usize),
    (interest, context): (Interest, &mut Context<'_>),
    result: io::Result<usize>,
) -> Poll<io::Result<usize>> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
            state.socket_waits(world, sock, interest, context.waker());
            world.waiting(interest.waits(fd));
            Poll::Pending
        }
        result => Poll::Ready(result),
    }
}
