//! TCP streams.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use sim_runtime::in_simulation;
use tokio_real::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use super::addr::{ToSocketAddrs, no_address, resolve};
use super::owned::{OwnedReadHalf, OwnedWriteHalf};
use super::socket::{SimSocket, refused};
use super::split::{ReadHalf, WriteHalf};
use crate::fd;

/// A TCP connection; as `tokio::net::TcpStream`.
pub struct TcpStream(pub(super) Repr);

pub(super) enum Repr {
    Sim(SimSocket),
    Real(tokio_real::net::TcpStream),
}

impl TcpStream {
    /// Connects to the first of the addresses that answers.
    ///
    /// # Errors
    /// Those of the last attempt: `ECONNREFUSED`, `ETIMEDOUT`, `EMFILE`; of the look-up.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let addrs = resolve(addr).await?;
        if !in_simulation() {
            return tokio_real::net::TcpStream::connect(&addrs[..])
                .await
                .map(Self::from_real);
        }
        let mut last = None;
        for addr in addrs {
            let socket = SimSocket::new(sim_net::net()?.tcp_socket()?);
            match connect(socket, addr).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    pub(crate) const fn from_sim(socket: SimSocket) -> Self {
        Self(Repr::Sim(socket))
    }

    pub(crate) const fn from_real(stream: tokio_real::net::TcpStream) -> Self {
        Self(Repr::Real(stream))
    }

    /// Takes over a stream of std: inside a simulation, one that was opened there.
    ///
    /// # Errors
    /// Inside a simulation, when the stream is a real one.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        let stream = match fd::from_owned(stream) {
            Ok(socket) => return Ok(Self(Repr::Sim(socket))),
            Err(_) if in_simulation() => return Err(refused("a real stream")),
            Err(stream) => stream,
        };
        tokio_real::net::TcpStream::from_std(stream).map(Self::from_real)
    }

    /// The stream as std has it, which does not block.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        match self.0 {
            Repr::Sim(socket) => fd::to_owned(socket).map(Into::into),
            Repr::Real(stream) => stream.into_std(),
        }
    }

    /// Its own address.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(socket) => socket.local_addr(),
            Repr::Real(stream) => stream.local_addr(),
        }
    }

    /// The other end's address.
    ///
    /// # Errors
    /// `ENOTCONN` when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(socket) => socket.peer_addr(),
            Repr::Real(stream) => stream.peer_addr(),
        }
    }

    /// `SO_ERROR`: the pending error, which is cleared.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Repr::Sim(socket) => socket.take_error(),
            Repr::Real(stream) => stream.take_error(),
        }
    }

    /// Reads without taking.
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        match &self.0 {
            Repr::Sim(socket) => {
                let bytes = buf.initialize_unfilled();
                let n = ready!(socket.poll_recv(cx, bytes, true))?;
                buf.advance(n);
                Poll::Ready(Ok(n))
            }
            Repr::Real(stream) => stream.poll_peek(cx, buf),
        }
    }

    /// Reads without taking. Cancellation-safe.
    ///
    /// # Errors
    /// As reading.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => poll_fn(|cx| socket.poll_recv(cx, buf, true)).await,
            Repr::Real(stream) => stream.peek(buf).await,
        }
    }

    /// Waits until one of `interest` is possible.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match &self.0 {
            Repr::Sim(socket) => socket.ready(interest).await,
            Repr::Real(stream) => stream.ready(interest).await,
        }
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// As [`TcpStream::ready`].
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to write.
    ///
    /// # Errors
    /// As [`TcpStream::ready`].
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls until there is something to read.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Repr::Sim(socket) => socket.poll_ready(Interest::READABLE, cx).map_ok(drop),
            Repr::Real(stream) => stream.poll_read_ready(cx),
        }
    }

    /// Polls until there is room to write.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Repr::Sim(socket) => socket.poll_ready(Interest::WRITABLE, cx).map_ok(drop),
            Repr::Real(stream) => stream.poll_write_ready(cx),
        }
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is; else as reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.recv(fd, buf, false)),
            Repr::Real(stream) => stream.try_read(buf),
        }
    }

    /// Reads what is there into several buffers.
    ///
    /// # Errors
    /// As [`TcpStream::try_read`].
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| {
                let mut total = 0;
                for buf in bufs.iter_mut().filter(|buf| !buf.is_empty()) {
                    match net.recv(fd, buf, false) {
                        Ok(n) => total += n,
                        // What was read is given first; the error comes again, or was `EAGAIN`.
                        Err(_) if total > 0 => break,
                        Err(error) => return Err(error),
                    }
                    if total == 0 || net.ready(fd).is_ok_and(|ready| !ready.readable) {
                        break;
                    }
                }
                Ok(total)
            }),
            Repr::Real(stream) => stream.try_read_vectored(bufs),
        }
    }

    /// Reads what is there to the end of `buf`.
    ///
    /// # Errors
    /// As [`TcpStream::try_read`].
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(_) => {
                let mut bytes = vec![0; buf.chunk_mut().len()];
                let n = self.try_read(&mut bytes)?;
                buf.put_slice(&bytes[..n]);
                Ok(n)
            }
            Repr::Real(stream) => stream.try_read_buf(buf),
        }
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; else as writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.send(fd, buf)),
            Repr::Real(stream) => stream.try_write(buf),
        }
    }

    /// Writes what there is room for from several buffers.
    ///
    /// # Errors
    /// As [`TcpStream::try_write`].
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.send_vectored(fd, bufs)),
            Repr::Real(stream) => stream.try_write_vectored(bufs),
        }
    }

    /// Tries an operation of the caller's own on the socket.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        match &self.0 {
            Repr::Sim(_) => f(),
            Repr::Real(stream) => stream.try_io(interest, f),
        }
    }

    /// Repeats an operation of the caller's own until it does not answer `WouldBlock`.
    ///
    /// # Errors
    /// Those of `f`.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        f: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        match &self.0 {
            Repr::Sim(socket) => socket.async_io(interest, f).await,
            Repr::Real(stream) => stream.async_io(interest, f).await,
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

    // What the halves share: reading and writing through a shared reference.

    #[inline]
    pub(crate) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Repr::Sim(socket) = &self.0 {
            let count = ready!(socket.poll_recv(cx, buf.initialize_unfilled(), false))?;
            buf.advance(count);
            return Poll::Ready(Ok(()));
        }
        self.poll_read_real(cx, buf)
    }

    // Asked first whether it is ready: that is what spends the budget.
    #[inline(never)]
    fn poll_read_real(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_read_ready(cx))?;
            match self.try_read(buf.initialize_unfilled()) {
                Ok(n) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    #[inline]
    pub(crate) fn poll_write_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Repr::Sim(socket) = &self.0 {
            return socket.poll_send(cx, bufs);
        }
        self.poll_write_real(cx, bufs)
    }

    #[inline(never)]
    fn poll_write_real(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            match self.try_write_vectored(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        let shut = match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.shutdown(fd, Shutdown::Write)),
            // Shutting down through a duplicate shuts the one connection down.
            Repr::Real(stream) => {
                let duplicate = stream.as_fd().try_clone_to_owned()?;
                std::net::TcpStream::from(duplicate).shutdown(Shutdown::Write)
            }
        };
        match shut {
            // The peer was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

/// Connects a simulated socket.
pub(crate) async fn connect(socket: SimSocket, addr: SocketAddr) -> io::Result<TcpStream> {
    match socket.call(|net, fd| net.connect(fd, addr)) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        result => {
            result?;
            return Ok(TcpStream::from_sim(socket));
        }
    }
    socket.ready(Interest::WRITABLE).await?;
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(TcpStream::from_sim(socket)),
    }
}

impl AsyncRead for TcpStream {
    #[inline]
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

impl AsyncWrite for TcpStream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match &mut this.0 {
            Repr::Sim(_) => this.poll_write_shared(cx, &[IoSlice::new(buf)]),
            Repr::Real(stream) => Pin::new(stream).poll_write(cx, buf),
        }
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

impl AsRef<TcpStream> for TcpStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: std::net::TcpStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Sim(socket) => socket.fmt(f),
            Repr::Real(stream) => stream.fmt(f),
        }
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        match &self.0 {
            Repr::Sim(socket) => socket.fd().raw(),
            Repr::Real(stream) => stream.as_raw_fd(),
        }
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Repr::Sim(socket) => socket.fd().borrow(),
            Repr::Real(stream) => stream.as_fd(),
        }
    }
}
