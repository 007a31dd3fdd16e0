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

use tokio_real::io::Interest;

use crate::fs::File;
use crate::io::unix::{AsyncFd, AsyncFdRegisterError};
use crate::net::unix::Local;
use crate::net::{SimSocket, TcpSocket, UnixSocket};
use crate::process::Command;

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

/// Lends a standard stream's descriptor.
pub(crate) fn borrow_standard(stream: &impl AsRawFd) -> BorrowedFd<'_> {
    // SAFETY: numbers 0 to 2 are open for as long as the process lives.
    unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) }
}

/// Lends the descriptor of what an `AsyncFd` was made of.
pub(crate) fn borrow_inner(inner: &impl AsRawFd) -> BorrowedFd<'_> {
    // SAFETY: whoever registered it has promised that it stays open.
    unsafe { BorrowedFd::borrow_raw(inner.as_raw_fd()) }
}

/// A number that is registered with tokio's reactor.
pub(crate) type Registered = tokio_real::io::unix::AsyncFd<Number>;

/// A descriptor that somebody else owns.
#[derive(Debug)]
pub(crate) struct Number(pub(crate) RawFd);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// Registers a descriptor with tokio's reactor.
///
/// # Errors
/// As epoll_ctl(2).
#[track_caller]
pub(crate) fn register(number: RawFd, interest: Interest) -> io::Result<Arc<Registered>> {
    // SAFETY: whoever made the `AsyncFd` has promised that it stays open for as long as that
    // lives, which drops the registration first.
    let registered = unsafe { Registered::register_with_interest(Number(number), interest) };
    Ok(Arc::new(registered?))
}

/// A registration as an event borrows it, and what the event keeps for as long.
pub(crate) fn extend(registered: &Arc<Registered>) -> (&'static Registered, Arc<Registered>) {
    let kept = Arc::clone(registered);
    // SAFETY: it stays where it is while the clone is kept; both go into one `Event` or one call
    // of its, which keep the clone longer than the reference and give neither away.
    let lent = unsafe { &*Arc::as_ptr(&kept) };
    (lent, kept)
}

impl<T: AsRawFd> AsyncFd<T> {
    /// Watches a descriptor for reading and writing.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    ///
    /// # Safety
    /// The number stays the descriptor's, and open, for as long as the `AsyncFd` lives.
    #[track_caller]
    pub unsafe fn register(inner: T) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::watch(inner, Interest::READABLE | Interest::WRITABLE)
    }

    /// Watches a descriptor.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    ///
    /// # Safety
    /// As [`AsyncFd::register`].
    #[track_caller]
    pub unsafe fn register_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::watch(inner, interest)
    }
}

impl Command {
    /// Has `f` called in the new process before it becomes another program.
    ///
    /// # Safety
    /// `f` runs between fork(2) and execve(2), and does only what is allowed there.
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Self
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.pre_exec(f) };
        self
    }
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

impl FromRawFd for UnixSocket {
    /// # Safety
    /// The number is an open Unix socket that nobody else owns.
    ///
    /// # Panics
    /// Where a simulated number is not open.
    unsafe fn from_raw_fd(fd: RawFd) -> Self {
        if Fd::is_simulated(fd) {
            let taken = Self::from_number(Local::new(Fd(fd)));
            return taken.expect("the caller's promise: it is open");
        }
        // SAFETY: the caller's promise, passed on.
        Self::from_real(unsafe { tokio_real::net::UnixSocket::from_raw_fd(fd) })
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
