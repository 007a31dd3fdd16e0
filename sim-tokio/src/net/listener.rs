//! TCP listeners.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};

use sim_runtime::in_simulation;

use super::addr::{ToSocketAddrs, no_address, resolve};
use super::socket::{SimSocket, refused};
use super::stream::TcpStream;
use crate::fd;

/// The backlog that tokio asks for.
const BACKLOG: u32 = 1024;

/// A TCP socket that accepts connections; as `tokio::net::TcpListener`.
pub struct TcpListener(Repr);

enum Repr {
    Sim(SimSocket),
    Real(tokio_real::net::TcpListener),
}

impl TcpListener {
    /// Listens at the first of the addresses that can be bound.
    ///
    /// # Errors
    /// Those of the last attempt: `EADDRINUSE`, `EADDRNOTAVAIL`, `EMFILE`; of the look-up.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let addrs = resolve(addr).await?;
        if !in_simulation() {
            return tokio_real::net::TcpListener::bind(&addrs[..])
                .await
                .map(Self::from_real);
        }
        let net = sim_net::net()?;
        let mut last = None;
        for addr in addrs {
            match net.tcp_listen(addr, BACKLOG) {
                Ok(fd) => return Ok(Self::from_sim(SimSocket::new(fd))),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    pub(crate) const fn from_sim(socket: SimSocket) -> Self {
        Self(Repr::Sim(socket))
    }

    pub(crate) const fn from_real(listener: tokio_real::net::TcpListener) -> Self {
        Self(Repr::Real(listener))
    }

    /// Waits for a connection. Cancellation-safe.
    ///
    /// # Errors
    /// `EMFILE`; `EBADF` when the socket's process is gone.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.0 {
            Repr::Sim(_) => poll_fn(|cx| self.poll_accept(cx)).await,
            Repr::Real(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((TcpStream::from_real(stream), peer))
            }
        }
    }

    /// Polls for a connection.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        match &self.0 {
            Repr::Sim(socket) => socket
                .poll_accept(cx)
                .map_ok(|(fd, peer)| (TcpStream::from_sim(SimSocket::new(fd)), peer)),
            Repr::Real(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| (TcpStream::from_real(stream), peer)),
        }
    }

    /// Takes over a listener of std: inside a simulation, one that was opened there.
    ///
    /// # Errors
    /// Inside a simulation, when the listener is a real one.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let listener = match fd::from_owned(listener) {
            Ok(socket) => return Ok(Self(Repr::Sim(socket))),
            Err(_) if in_simulation() => return Err(refused("a real listener")),
            Err(listener) => listener,
        };
        tokio_real::net::TcpListener::from_std(listener).map(Self::from_real)
    }

    /// The listener as std has it, which does not block.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        match self.0 {
            Repr::Sim(socket) => fd::to_owned(socket).map(Into::into),
            Repr::Real(listener) => listener.into_std(),
        }
    }

    /// Its address.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(socket) => socket.local_addr(),
            Repr::Real(listener) => listener.local_addr(),
        }
    }

    /// `IP_TTL`.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn ttl(&self) -> io::Result<u32> {
        match &self.0 {
            Repr::Sim(socket) => Ok(socket.options()?.ttl),
            Repr::Real(listener) => listener.ttl(),
        }
    }

    /// Sets `IP_TTL`. Remembered inside a simulation.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(socket) => socket.set_options(|options| options.ttl = ttl),
            Repr::Real(listener) => listener.set_ttl(ttl),
        }
    }
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Sim(socket) => socket.fmt(f),
            Repr::Real(listener) => listener.fmt(f),
        }
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        match &self.0 {
            Repr::Sim(socket) => socket.fd().raw(),
            Repr::Real(listener) => listener.as_raw_fd(),
        }
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Repr::Sim(socket) => socket.fd().borrow(),
            Repr::Real(listener) => listener.as_fd(),
        }
    }
}
