//! Pipes; as `tokio::net::unix::pipe`. Inside a simulation those without a name.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use sim_runtime::in_simulation;
use tokio_real::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use super::descriptor::{Local, local_type};
use super::stream::{recv_buf, recv_vectored};
use crate::net::socket::refused;

pub use receiving::Receiver;
pub use sending::Sender;

/// A new pipe.
///
/// # Errors
/// `EMFILE`.
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    if !in_simulation() {
        let (sender, receiver) = tokio_real::net::unix::pipe::pipe()?;
        return Ok((Sender::from_real(sender), Receiver::from_real(receiver)));
    }
    let (reader, writer) = Local::pipe()?;
    Ok((Sender::from_sim(writer), Receiver::from_sim(reader)))
}

/// How a pipe with a name is opened; as `tokio::net::unix::pipe::OpenOptions`.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions(tokio_real::net::unix::pipe::OpenOptions);

impl OpenOptions {
    /// The usual ones.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is opened for reading and writing.
    pub fn read_write(&mut self, value: bool) -> &mut Self {
        self.0.read_write(value);
        self
    }

    /// Whether it is not looked at what the file is.
    pub fn unchecked(&mut self, value: bool) -> &mut Self {
        self.0.unchecked(value);
        self
    }

    /// Opens the reading end.
    ///
    /// # Errors
    /// Those of open(2). Inside a simulation `Unsupported`: pipes there have no names.
    pub fn open_receiver<P: AsRef<Path>>(&self, path: P) -> io::Result<Receiver> {
        named()?;
        self.0.open_receiver(path).map(Receiver::from_real)
    }

    /// Opens the writing end.
    ///
    /// # Errors
    /// As [`OpenOptions::open_receiver`].
    pub fn open_sender<P: AsRef<Path>>(&self, path: P) -> io::Result<Sender> {
        named()?;
        self.0.open_sender(path).map(Sender::from_real)
    }
}

fn named() -> io::Result<()> {
    match in_simulation() {
        true => Err(refused("a pipe with a name")),
        false => Ok(()),
    }
}

/// What both ends have in common.
macro_rules! end {
    ($end:ident, $real:ty) => {
        impl $end {
            /// Takes an end over that is open as a file.
            ///
            /// # Errors
            /// Where it is no such end; inside a simulation, where it is a real one.
            pub fn from_file(file: File) -> io::Result<Self> {
                Self::from_owned_fd(file.into())
            }

            /// Takes an end over.
            ///
            /// # Errors
            /// As `from_file`.
            pub fn from_owned_fd(owned_fd: OwnedFd) -> io::Result<Self> {
                match Local::from_owned(owned_fd) {
                    Ok(local) => Ok(Self::from_sim(local)),
                    Err(_) if in_simulation() => Err(refused("a real pipe")),
                    Err(fd) => <$real>::from_owned_fd(fd).map(Self::from_real),
                }
            }

            /// Takes an end over that is open as a file, without a look at what it is.
            ///
            /// # Errors
            /// Inside a simulation, where it is a real one.
            pub fn from_file_unchecked(file: File) -> io::Result<Self> {
                Self::from_owned_fd_unchecked(file.into())
            }

            /// Takes an end over without a look at what it is.
            ///
            /// # Errors
            /// As `from_file_unchecked`.
            pub fn from_owned_fd_unchecked(owned_fd: OwnedFd) -> io::Result<Self> {
                match Local::from_owned(owned_fd) {
                    Ok(local) => Ok(Self::from_sim(local)),
                    Err(_) if in_simulation() => Err(refused("a real pipe")),
                    Err(fd) => <$real>::from_owned_fd_unchecked(fd).map(Self::from_real),
                }
            }

            /// The end as a descriptor that blocks.
            ///
            /// # Errors
            /// `EBADF` when its process is gone.
            pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
                match self.0 {
                    Repr::Sim(local) => {
                        let fd = local.fd().get();
                        let owned = local.into_owned()?;
                        sim_runtime::with(|world| {
                            if let Some(calls) = world.description(fd)?.as_socket() {
                                calls.set_nonblocking(false);
                            }
                            Ok(owned)
                        })
                    }
                    Repr::Real(real) => real.into_blocking_fd(),
                }
            }

            /// The end as a descriptor that does not block.
            ///
            /// # Errors
            /// `EBADF` when its process is gone.
            pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
                match self.0 {
                    Repr::Sim(local) => local.into_owned(),
                    Repr::Real(real) => real.into_nonblocking_fd(),
                }
            }

            /// Tries an operation of the caller's own on it.
            ///
            /// # Errors
            /// Those of `f`.
            pub fn try_io<R>(&self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
                match &self.0 {
                    Repr::Sim(_) => f(),
                    Repr::Real(real) => real.try_io(f),
                }
            }
        }
    };
}

mod sending {
    use super::*;

    /// The writing end of a pipe.
    pub struct Sender(pub(super) Repr);

    pub(super) enum Repr {
        Sim(Local),
        Real(tokio_real::net::unix::pipe::Sender),
    }

    local_type!(Sender, tokio_real::net::unix::pipe::Sender, [
        WRITABLE: writable, poll_write_ready
    ]);
    end!(Sender, tokio_real::net::unix::pipe::Sender);

    impl Sender {
        /// Writes what there is room for.
        ///
        /// # Errors
        /// `WouldBlock` when there is no room; `EPIPE` when nobody reads.
        pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
            match &self.0 {
                Repr::Sim(local) => local.send(&[IoSlice::new(buf)]),
                Repr::Real(real) => real.try_write(buf),
            }
        }

        /// Writes what there is room for from several buffers.
        ///
        /// # Errors
        /// As [`Sender::try_write`].
        pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            match &self.0 {
                Repr::Sim(local) => local.send(bufs),
                Repr::Real(real) => real.try_write_vectored(bufs),
            }
        }
    }

    impl AsyncWrite for Sender {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(buf)])
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            match &mut self.get_mut().0 {
                Repr::Sim(local) => local.poll(Interest::WRITABLE, cx, |local| local.send(bufs)),
                Repr::Real(real) => Pin::new(real).poll_write_vectored(cx, bufs),
            }
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
}

mod receiving {
    use super::*;

    /// The reading end of a pipe.
    pub struct Receiver(pub(super) Repr);

    pub(super) enum Repr {
        Sim(Local),
        Real(tokio_real::net::unix::pipe::Receiver),
    }

    local_type!(Receiver, tokio_real::net::unix::pipe::Receiver, [
        READABLE: readable, poll_read_ready
    ]);
    end!(Receiver, tokio_real::net::unix::pipe::Receiver);

    impl Receiver {
        /// Reads what is there.
        ///
        /// # Errors
        /// `WouldBlock` when nothing is.
        pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
            match &self.0 {
                Repr::Sim(local) => local.recv(buf),
                Repr::Real(real) => real.try_read(buf),
            }
        }

        /// Reads what is there into several buffers.
        ///
        /// # Errors
        /// As [`Receiver::try_read`].
        pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            match &self.0 {
                Repr::Sim(local) => recv_vectored(local, bufs),
                Repr::Real(real) => real.try_read_vectored(bufs),
            }
        }

        /// Reads what is there to the end of `buf`.
        ///
        /// # Errors
        /// As [`Receiver::try_read`].
        pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
            match &self.0 {
                Repr::Sim(local) => recv_buf(local, buf),
                Repr::Real(real) => real.try_read_buf(buf),
            }
        }
    }

    impl AsyncRead for Receiver {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match &mut self.get_mut().0 {
                Repr::Sim(local) => {
                    let into = buf.initialize_unfilled();
                    let n = ready!(local.poll(Interest::READABLE, cx, |local| local.recv(into)))?;
                    buf.advance(n);
                    Poll::Ready(Ok(()))
                }
                Repr::Real(real) => Pin::new(real).poll_read(cx, buf),
            }
        }
    }
}
