//! Unix streams.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use sim_runtime::in_simulation;
use tokio_real::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio_real::net::unix::SocketAddr;

use super::credentials::UCred;
use super::descriptor::{Local, local_io, local_type, name_of, name_of_addr};
use super::halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::net::socket::refused;

/// A connection between two sockets of a machine; as `tokio::net::UnixStream`.
pub struct UnixStream(pub(super) Repr);

pub(super) enum Repr {
    Sim(Local),
    Real(tokio_real::net::UnixStream),
}

local_type!(UnixStream, tokio_real::net::UnixStream, [
    READABLE: readable, poll_read_ready;
    WRITABLE: writable, poll_write_ready
]);
local_io!(UnixStream);

impl UnixStream {
    /// Connects to a listener by its path; one that begins with NUL is an abstract name.
    ///
    /// # Errors
    /// `ENOENT`, `ECONNREFUSED`; `EAGAIN` where the listener has no room.
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        if !in_simulation() {
            let real = tokio_real::net::UnixStream::connect(path).await;
            return real.map(Self::from_real);
        }
        let local = Local::socket(libc::SOCK_STREAM)?;
        let to = name_of(path.as_ref())?;
        local.call(|socket, fd| socket.connect(fd, to))?;
        Ok(Self::from_sim(local))
    }

    /// Connects to a listener by its address.
    ///
    /// # Errors
    /// As [`UnixStream::connect`].
    pub async fn connect_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        if !in_simulation() {
            let real = tokio_real::net::UnixStream::connect_addr(socket_addr).await;
            return real.map(Self::from_real);
        }
        let local = Local::socket(libc::SOCK_STREAM)?;
        local.call(|socket, fd| socket.connect(fd, name_of_addr(socket_addr)))?;
        Ok(Self::from_sim(local))
    }

    /// Two ends of a new connection.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn pair() -> io::Result<(Self, Self)> {
        if !in_simulation() {
            let (one, other) = tokio_real::net::UnixStream::pair()?;
            return Ok((Self::from_real(one), Self::from_real(other)));
        }
        let (one, other) = Local::pair(libc::SOCK_STREAM)?;
        Ok((Self::from_sim(one), Self::from_sim(other)))
    }

    /// Takes over a stream of std: inside a simulation, one that was opened there.
    ///
    /// # Errors
    /// Inside a simulation, when the stream is a real one.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    #[track_caller]
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        match Local::from_owned(stream) {
            Ok(local) => Ok(Self::from_sim(local)),
            Err(_) if in_simulation() => Err(refused("a real stream")),
            Err(stream) => tokio_real::net::UnixStream::from_std(stream).map(Self::from_real),
        }
    }

    /// The stream as std has it, which does not block.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixStream> {
        match self.0 {
            Repr::Sim(local) => local.into_owned().map(Into::into),
            Repr::Real(stream) => stream.into_std(),
        }
    }

    /// Its own address.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(local) => local.local_addr(),
            Repr::Real(stream) => stream.local_addr(),
        }
    }

    /// The other end's address.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(local) => local.peer_addr(),
            Repr::Real(stream) => stream.peer_addr(),
        }
    }

    /// Who the other end's process is.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        match &self.0 {
            Repr::Sim(local) => UCred::of(local),
            Repr::Real(stream) => stream.peer_cred().map(UCred::from_real),
        }
    }

    /// `SO_ERROR`: the pending error, which is cleared.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Repr::Sim(local) => local.take_error(),
            Repr::Real(stream) => stream.take_error(),
        }
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is; else as reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(local) => local.recv(buf),
            Repr::Real(stream) => stream.try_read(buf),
        }
    }

    /// Reads what is there into several buffers.
    ///
    /// # Errors
    /// As [`UnixStream::try_read`].
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(local) => recv_vectored(local, bufs),
            Repr::Real(stream) => stream.try_read_vectored(bufs),
        }
    }

    /// Reads what is there to the end of `buf`.
    ///
    /// # Errors
    /// As [`UnixStream::try_read`].
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(local) => recv_buf(local, buf),
            Repr::Real(stream) => stream.try_read_buf(buf),
        }
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; else as writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(local) => local.send(&[IoSlice::new(buf)]),
            Repr::Real(stream) => stream.try_write(buf),
        }
    }

    /// Writes what there is room for from several buffers.
    ///
    /// # Errors
    /// As [`UnixStream::try_write`].
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(local) => local.send(bufs),
            Repr::Real(stream) => stream.try_write_vectored(bufs),
        }
    }

    /// Two halves that borrow the stream.
    pub fn split<'a>(&'a mut self) -> (ReadHalf<'a>, WriteHalf<'a>) {
        (ReadHalf::new(self), WriteHalf::new(self))
    }

    /// Two halves that own the stream together; dropping the writing one ends the stream.
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let stream = Arc::new(self);
        (
            OwnedReadHalf::new(Arc::clone(&stream)),
            OwnedWriteHalf::new(stream),
        )
    }

    pub(crate) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.try_read(buf.initialize_unfilled()) {
                Ok(n) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_read_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    pub(crate) fn poll_write_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_write_vectored(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_write_ready(cx))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }

    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(local) => local.shutdown(Shutdown::Write),
            // Shutting down through a duplicate shuts the one connection down.
            Repr::Real(stream) => {
                let duplicate = stream.as_fd().try_clone_to_owned()?;
                std::os::unix::net::UnixStream::from(duplicate).shutdown(Shutdown::Write)
            }
        }
    }
}

/// Reads into several buffers what is there.
pub(super) fn recv_vectored(local: &Local, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    let room = bufs.iter().map(|buf| buf.len()).sum();
    let mut bytes = vec![0; room];
    let count = local.recv(&mut bytes)?;
    let mut rest = &bytes[..count];
    for buf in bufs {
        let (now, later) = rest.split_at(buf.len().min(rest.len()));
        buf[..now.len()].copy_from_slice(now);
        rest = later;
    }
    Ok(count)
}

/// Reads to the end of a buffer what is there.
pub(super) fn recv_buf<B: BufMut>(local: &Local, buf: &mut B) -> io::Result<usize> {
    let mut bytes = vec![0; buf.chunk_mut().len()];
    let count = local.recv(&mut bytes)?;
    buf.put_slice(&bytes[..count]);
    Ok(count)
}

impl AsyncRead for UnixStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.0 {
            Repr::Sim(_) => this.poll_read_shared(cx, buf),
            Repr::Real(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for UnixStream {
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
        let this = self.get_mut();
        match &mut this.0 {
            Repr::Sim(_) => this.poll_write_shared(cx, bufs),
            Repr::Real(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is buffered on this side of the kernel.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.0 {
            Repr::Sim(_) => Poll::Ready(this.shutdown_write()),
            Repr::Real(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsRef<UnixStream> for UnixStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl TryFrom<std::os::unix::net::UnixStream> for UnixStream {
    type Error = io::Error;

    fn try_from(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}
