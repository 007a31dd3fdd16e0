//! Sending and receiving as a task does: the cheapest calls there are.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use sim_runtime::{Fd, World};

use crate::errno::{error, fail};
use crate::express::Express;
use crate::net::Net;
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
    on(fd, |state, world, sock| {
        match state.express_send(world, sock, pieces) {
            Express::No => send_long(state, world, (fd, sock), pieces, context),
            way => way.answer(world, fd, Interest::WRITABLE),
        }
    })
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
    on(fd, |state, world, sock| {
        let way = match peek {
            true => Express::No,
            false => state.express_recv(world, sock, into, context.waker()),
        };
        match way {
            Express::No => recv_long(state, world, (fd, sock), (into, peek), context),
            way => way.answer(world, fd, Interest::READABLE),
        }
    })
}

/// Runs `f` on the socket of a descriptor, then wakes whoever it found to wake.
#[inline]
fn on<R>(
    fd: Fd,
    f: impl FnOnce(&mut State, &World, usize) -> Poll<io::Result<R>>,
) -> Poll<io::Result<R>> {
    let outcome = sim_runtime::try_with(|world| {
        let mut has_woken = false;
        // In place: nothing that `f` does opens or closes a descriptor.
        let found = world.read_description(fd, |socket: &Socket| {
            let mut state = socket.net.state();
            let answer = f(&mut state, world, socket.index);
            has_woken = !state.woken.is_empty();
            answer
        });
        if has_woken && let Some(net) = world.device::<Net>() {
            net.wake();
        }
        match found {
            Ok(Some(answer)) => answer,
            Ok(None) => Poll::Ready(fail(libc::ENOTSOCK)),
            Err(error) => Poll::Ready(Err(error)),
        }
    });
    outcome.unwrap_or_else(|| Poll::Ready(Err(error(libc::ENETDOWN))))
}

impl Express {
    /// What the caller is told.
    #[inline]
    fn answer(self, world: &World, fd: Fd, interest: Interest) -> Poll<io::Result<usize>> {
        match self {
            Self::Moved(count) => Poll::Ready(Ok(count)),
            Self::Waits | Self::No => {
                world.waiting(interest.waits(fd));
                Poll::Pending
            }
        }
    }
}

/// [`poll_send`] the long way.
#[inline(never)]
fn send_long(
    state: &mut State,
    world: &World,
    (fd, sock): (Fd, usize),
    pieces: &[IoSlice<'_>],
    context: &Context<'_>,
) -> Poll<io::Result<usize>> {
    let result = state.socket_send(world, sock, pieces);
    let waits = (Interest::WRITABLE, context);
    finish(state, world, (fd, sock), waits, result)
}

/// [`poll_recv`] the long way.
#[inline(never)]
fn recv_long(
    state: &mut State,
    world: &World,
    (fd, sock): (Fd, usize),
    (into, peek): (&mut [u8], bool),
    context: &Context<'_>,
) -> Poll<io::Result<usize>> {
    let result = state.socket_recv(world, sock, into, peek);
    let waits = (Interest::READABLE, context);
    finish(state, world, (fd, sock), waits, result)
}

/// Registers the task where the answer is `EAGAIN`, in the same look at the socket.
fn finish(
    state: &mut State,
    world: &World,
    (fd, sock): (Fd, usize),
    (interest, context): (Interest, &Context<'_>),
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
