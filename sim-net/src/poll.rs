//! Sending and receiving as a task does: the cheapest calls there are.

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use sim_runtime::{Fd, World};

use crate::errno::{error, fail};
use crate::express::Express;
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
            Express::No => {}
            way => return way.answer(world, fd, Interest::WRITABLE),
        }
        let result = state.socket_send(world, sock, pieces);
        finish(
            state,
            world,
            (fd, sock),
            Interest::WRITABLE,
            context,
            result,
        )
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
        if !peek {
            match state.express_recv(world, sock, into, context.waker()) {
                Express::No => {}
                way => return way.answer(world, fd, Interest::READABLE),
            }
        }
        let result = state.socket_recv(world, sock, into, peek);
        finish(
            state,
            world,
            (fd, sock),
            Interest::READABLE,
            context,
            result,
        )
    })
}

/// Runs `f` on the socket of a descriptor.
#[inline]
fn on<R>(
    fd: Fd,
    f: impl FnOnce(&mut State, &World, usize) -> Poll<io::Result<R>>,
) -> Poll<io::Result<R>> {
    let outcome = sim_runtime::try_with(|world| {
        let find = |socket: &Socket| (Rc::clone(&socket.net), socket.index);
        match world.read_description(fd, find) {
            Ok(Some((net, sock))) => net.run_in(world, |state, world| f(state, world, sock)),
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

/// Registers the task where the answer is `EAGAIN`, in the same look at the socket.
#[inline(never)]
fn finish(
    state: &mut State,
    world: &World,
    (fd, sock): (Fd, usize),
    interest: Interest,
    context: &Context<'_>,
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
