//! Unix datagrams.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::path::Path;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use sim_runtime::in_simulation;
use tokio_real::io::{Interest, ReadBuf, Ready};
use tokio_real::net::unix::SocketAddr;

use super::descriptor::{Local, local_io, local_type, name_of, path_of};
use super::stream::recv_buf;
use crate::net::socket::refused;

/// A Unix socket for datagrams, which are never lost; as `tokio::net::UnixDatagram`.
pub struct UnixDatagram(Repr);

enum Repr {
    Sim(Local),
    Real(tokio_real::net::UnixDatagram),
}

local_type!(UnixDatagram, tokio_real::net::UnixDatagram, [
    READABLE: readable, poll_recv_ready;
    WRITABLE: writable, poll_send_ready
]);
local_io!(UnixDatagram);

impl UnixDatagram {
    /// A socket with a name.
    ///
    /// # Errors
    /// `EADDRINUSE`; `EINVAL` where the path is too long; `EMFILE`.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        if !in_simulation() {
            return tokio_real::net::UnixDatagram::bind(path).map(Self::from_real);
        }
        let local = Local::socket(libc::SOCK_DGRAM)?;
        let at = name_of(path.as_ref())?;
        local.call(|socket, fd| socket.bind(fd, at))?;
        Ok(Self::from_sim(local))
    }

    /// Two sockets that are each other's peers.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn pair() -> io::Result<(Self, Self)> {
        if !in_simulation() {
            let (one, other) = tokio_real::net::UnixDatagram::pair()?;
            return Ok((Self::from_real(one), Self::from_real(other)));
        }
        let (one, other) = Local::pair(libc::SOCK_DGRAM)?;
        Ok((Self::from_sim(one), Self::from_sim(other)))
    }

    /// A socket without a name.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn unbound() -> io::Result<Self> {
        if !in_simulation() {
            return tokio_real::net::UnixDatagram::unbound().map(Self::from_real);
        }
        Local::socket(libc::SOCK_DGRAM).map(Self::from_sim)
    }

    /// Takes over a socket of std: inside a simulation, one that was opened there.
    ///
    /// # Errors
    /// Inside a simulation, when the socket is a real one.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    #[track_caller]
    pub fn from_std(datagram: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        match Local::from_owned(datagram) {
            Ok(local) => Ok(Self::from_sim(local)),
            Err(_) if in_simulation() => Err(refused("a real socket")),
            Err(real) => tokio_real::net::UnixDatagram::from_std(real).map(Self::from_real),
        }
    }

    /// The socket as std has it, which does not block.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixDatagram> {
        match self.0 {
            Repr::Sim(local) => local.into_owned().map(Into::into),
            Repr::Real(real) => real.into_std(),
        }
    }

    /// Fixes the peer.
    ///
    /// # Errors
    /// `ENOENT`, `ECONNREFUSED`; `EPERM` where that has another peer.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(local) => {
                let to = path_of(path.as_ref())?;
                local.call(|socket, fd| socket.connect(fd, to))
            }
            Repr::Real(real) => real.connect(path),
        }
    }

    /// Sends to the peer.
    ///
    /// # Errors
    /// `ENOTCONN`; `ECONNREFUSED` where the peer has left; `EMSGSIZE`.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, buf)).await
    }

    /// Polls until it is sent to the peer.
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Repr::Sim(local) => local.poll(Interest::WRITABLE, cx, |local| {
                local.send(&[IoSlice::new(buf)])
            }),
            Repr::Real(real) => real.poll_send(cx, buf),
        }
    }

    /// Sends to the peer if it has room.
    ///
    /// # Errors
    /// `WouldBlock` if not; else as [`UnixDatagram::send`].
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(local) => local.send(&[IoSlice::new(buf)]),
            Repr::Real(real) => real.try_send(buf),
        }
    }

    /// Sends to whoever has a name.
    ///
    /// # Errors
    /// As [`UnixDatagram::connect`] and [`UnixDatagram::send`].
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        let target = target.as_ref();
        poll_fn(|cx| self.poll_send_to(cx, buf, target)).await
    }

    /// Polls until it is sent.
    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: P,
    ) -> Poll<io::Result<usize>> {
        let target = target.as_ref();
        match &self.0 {
            Repr::Sim(local) => {
                local.poll(Interest::WRITABLE, cx, |local| local.send_to(buf, target))
            }
            Repr::Real(real) => real.poll_send_to(cx, buf, target),
        }
    }

    /// Sends if the receiver has room.
    ///
    /// # Errors
    /// `WouldBlock` if not; else as [`UnixDatagram::send_to`].
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(local) => local.send_to(buf, target.as_ref()),
            Repr::Real(real) => real.try_send_to(buf, target),
        }
    }

    /// Receives; what does not fit is cut off.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        poll_fn(|cx| self.poll_recv(cx, &mut buf)).await?;
        Ok(buf.filled().len())
    }

    /// Polls until something is received.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Repr::Sim(local) => {
                let into = buf.initialize_unfilled();
                let n = ready!(local.poll(Interest::READABLE, cx, |local| local.recv(into)))?;
                buf.advance(n);
                Poll::Ready(Ok(()))
            }
            Repr::Real(real) => real.poll_recv(cx, buf),
        }
    }

    /// Receives what is there.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(local) => local.recv(buf),
            Repr::Real(real) => real.try_recv(buf),
        }
    }

    /// Receives to the end of `buf` what is there.
    ///
    /// # Errors
    /// As [`UnixDatagram::try_recv`].
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(local) => recv_buf(local, buf),
            Repr::Real(real) => real.try_recv_buf(buf),
        }
    }

    /// Receives to the end of `buf`.
    ///
    /// # Errors
    /// As [`UnixDatagram::recv`].
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let local = match &self.0 {
            Repr::Sim(local) => local,
            Repr::Real(real) => return real.recv_buf(buf).await,
        };
        poll_fn(|cx| local.poll(Interest::READABLE, cx, |local| recv_buf(local, buf))).await
    }

    /// Receives, and who sent it.
    ///
    /// # Errors
    /// As [`UnixDatagram::recv`].
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut buf = ReadBuf::new(buf);
        let from = poll_fn(|cx| self.poll_recv_from(cx, &mut buf)).await?;
        Ok((buf.filled().len(), from))
    }

    /// Polls until something is received, and who sent it.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        match &self.0 {
            Repr::Sim(local) => {
                let into = buf.initialize_unfilled();
                let polled = local.poll(Interest::READABLE, cx, |local| local.recv_from(into));
                let (n, from) = ready!(polled)?;
                buf.advance(n);
                Poll::Ready(Ok(from))
            }
            Repr::Real(real) => real.poll_recv_from(cx, buf),
        }
    }

    /// Receives what is there, and who sent it.
    ///
    /// # Errors
    /// As [`UnixDatagram::try_recv`].
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Repr::Sim(local) => local.recv_from(buf),
            Repr::Real(real) => real.try_recv_from(buf),
        }
    }

    /// Receives to the end of `buf` what is there, and who sent it.
    ///
    /// # Errors
    /// As [`UnixDatagram::try_recv`].
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Repr::Sim(local) => recv_buf_from(local, buf),
            Repr::Real(real) => real.try_recv_buf_from(buf),
        }
    }

    /// Receives to the end of `buf`, and who sent it.
    ///
    /// # Errors
    /// As [`UnixDatagram::recv`].
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let local = match &self.0 {
            Repr::Sim(local) => local,
            Repr::Real(real) => return real.recv_buf_from(buf).await,
        };
        poll_fn(|cx| local.poll(Interest::READABLE, cx, |local| recv_buf_from(local, buf))).await
    }

    /// Its own address.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(local) => local.local_addr(),
            Repr::Real(real) => real.local_addr(),
        }
    }

    /// The peer's address.
    ///
    /// # Errors
    /// `ENOTCONN` without one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(local) => local.peer_addr(),
            Repr::Real(real) => real.peer_addr(),
        }
    }

    /// `SO_ERROR`: the pending error, which is cleared.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Repr::Sim(local) => local.take_error(),
            Repr::Real(real) => real.take_error(),
        }
    }

    /// Ends sending, receiving or both.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(local) => local.shutdown(how),
            Repr::Real(real) => real.shutdown(how),
        }
    }
}

fn recv_buf_from<B: BufMut>(local: &Local, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
    let mut bytes = vec![0; buf.chunk_mut().len()];
    let (count, from) = local.recv_from(&mut bytes)?;
    buf.put_slice(&bytes[..count]);
    Ok((count, from))
}

impl TryFrom<std::os::unix::net::UnixDatagram> for UnixDatagram {
    type Error = io::Error;

    fn try_from(datagram: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        Self::from_std(datagram)
    }
}
