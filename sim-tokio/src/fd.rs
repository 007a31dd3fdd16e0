//! An owned descriptor of the simulated kernel, and what is made of numbers. All of this crate's
//! unsafe code is here: std and tokio ask for it where a number becomes a descriptor.

#![expect(
    unsafe_code,
    reason = "std has no safe way from a number to a descriptor"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use sim_runtime::Fd;

use crate::fs::File;
use crate::net::{SimSocket, TcpSocket};

/// Closes its descriptor when it is dropped. A plain number, hence `Send` and `Sync`.
///
/// A number whose process is gone is stale: closing it answers `EBADF` and harms nothing, since
/// numbers are never reused in a simulation.
#[derive(Debug)]
pub(crate) struct SimFd(Fd);

impl SimFd {
    pub(crate) const fn new(fd: Fd) -> Self {
        Self(fd)
    }

    pub(crate) const fn get(&self) -> Fd {
        self.0
    }

    /// The number, which nobody closes any more.
    pub(crate) const fn into_raw(self) -> RawFd {
        let number = self.0.0;
        std::mem::forget(self);
        number
    }

    pub(crate) const fn raw(&self) -> RawFd {
        self.0.0
    }

    #[expect(
        unsafe_code,
        reason = "std has no safe way to lend a number as a descriptor"
    )]
    pub(crate) const fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: the number is not -1, and stays this descriptor's own for as long as `self`
        // lives: the table never gives it out again. To the real kernel it is not open.
        unsafe { BorrowedFd::borrow_raw(self.0.0) }
    }
}

/// A simulated socket that code outside this crate has opened, if it is one; else it comes back.
///
/// # Errors
/// The socket, when it is a real one.
pub(crate) fn from_owned<T: AsRawFd + IntoRawFd>(socket: T) -> Result<SimSocket, T> {
    match Fd::is_simulated(socket.as_raw_fd()) {
        true => Ok(SimSocket::new(Fd(socket.into_raw_fd()))),
        false => Err(socket),
    }
}

/// A simulated socket as std has it, which does not block.
///
/// # Errors
/// `EBADF` when its process is gone.
pub(crate) fn to_owned(socket: SimSocket) -> io::Result<OwnedFd> {
    let fd = socket.fd().get();
    sim_runtime::with(|world| {
        if let Some(calls) = world.description(fd)?.as_socket() {
            calls.set_nonblocking(true);
        }
        Ok::<(), io::Error>(())
    })?;
    // SAFETY: the number was this socket's own, and is given up. Closing it is the simulation's.
    Ok(unsafe { OwnedFd::from_raw_fd(socket.into_raw()) })
}

impl Drop for SimFd {
    fn drop(&mut self) {
        let fd = self.0;
        let closed = sim_runtime::try_with(|world| world.close(fd));
        // A stale descriptor was closed with its process; outside there is nothing to close.
        drop(closed);
    }
}

impl FromRawFd for TcpSocket {
    /// # Safety
    /// The number is an open socket that nobody else owns.
    unsafe fn from_raw_fd(fd: RawFd) -> Self {
        if Fd::is_simulated(fd) {
            return Self::from_sim(SimSocket::new(Fd(fd)));
        }
        // SAFETY: the caller's promise, passed on.
        Self::from_real(unsafe { tokio_real::net::TcpSocket::from_raw_fd(fd) })
    }
}

impl FromRawFd for File {
    /// # Safety
    /// The number is an open file that nobody else owns.
    unsafe fn from_raw_fd(fd: RawFd) -> Self {
        if Fd::is_simulated(fd) {
            return Self::from_sim(Arc::new(SimFd::new(Fd(fd))));
        }
        // SAFETY: the caller's promise, passed on.
        Self::from_real(unsafe { tokio_real::fs::File::from_raw_fd(fd) })
    }
}
