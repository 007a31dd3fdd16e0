//! Unix listeners, and sockets that are to become one or the other.

use std::future::poll_fn;
use std::io;
use std::os::fd::{IntoRawFd, RawFd};
use std::path::Path;
use std::task::{Context, Poll};

use sim_runtime::in_simulation;
use tokio_real::io::Interest;
use tokio_real::net::unix::SocketAddr;

use super::datagram::UnixDatagram;
use super::descriptor::{Local, local_descriptor, name_of, name_of_addr};
use super::stream::UnixStream;
use crate::net::socket::refused;

/// The backlog that tokio asks for.
const BACKLOG: u32 = 1024;

/// A Unix socket that accepts connections; as `tokio::net::UnixListener`.
pub struct UnixListener(Repr);

enum Repr {
    Sim(Local),
    Real(tokio_real::net::UnixListener),
}

local_descriptor!(UnixListener);

impl UnixListener {
    /// Listens at a path; one that begins with NUL is an abstract name.
    ///
    /// # Errors
    /// `EADDRINUSE`; `EINVAL` where the path is too long; `EMFILE`.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        if !in_simulation() {
            return tokio_real::net::UnixListener::bind(path).map(|real| Self(Repr::Real(real)));
        }
        let local = Local::socket(libc::SOCK_STREAM)?;
        let at = name_of(path.as_ref())?;
        local.call(|socket, fd| socket.bind(fd, at))?;
        Self::listen(local, BACKLOG)
    }

    /// Listens at an address.
    ///
    /// # Errors
    /// As [`UnixListener::bind`].
    ///
    /// # Panics
    /// As [`UnixListener::bind`].
    #[track_caller]
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        if !in_simulation() {
            let real = tokio_real::net::UnixListener::bind_addr(socket_addr);
            return real.map(|real| Self(Repr::Real(real)));
        }
        let local = Local::socket(libc::SOCK_STREAM)?;
        local.call(|socket, fd| socket.bind(fd, name_of_addr(socket_addr)))?;
        Self::listen(local, BACKLOG)
    }

    fn listen(local: Local, backlog: u32) -> io::Result<Self> {
        local.call(|socket, fd| socket.listen(fd, backlog))?;
        Ok(Self(Repr::Sim(local)))
    }

    /// Takes over a listener of std: inside a simulation, one that was opened there.
    ///
    /// # Errors
    /// Inside a simulation, when the listener is a real one.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    #[track_caller]
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        match Local::from_owned(listener) {
            Ok(local) => Ok(Self(Repr::Sim(local))),
            Err(_) if in_simulation() => Err(refused("a real listener")),
            Err(real) => {
                let real = tokio_real::net::UnixListener::from_std(real);
                real.map(|real| Self(Repr::Real(real)))
            }
        }
    }

    /// The listener as std has it, which does not block.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        match self.0 {
            Repr::Sim(local) => local.into_owned().map(Into::into),
            Repr::Real(listener) => listener.into_std(),
        }
    }

    /// Its address.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(local) => local.local_addr(),
            Repr::Real(listener) => listener.local_addr(),
        }
    }

    /// `SO_ERROR`: the pending error, which is cleared.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Repr::Sim(local) => local.take_error(),
            Repr::Real(listener) => listener.take_error(),
        }
    }

    /// Waits for a connection. Cancellation-safe.
    ///
    /// # Errors
    /// `EMFILE`; `EBADF` when the socket's process is gone.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        match &self.0 {
            Repr::Sim(_) => poll_fn(|cx| self.poll_accept(cx)).await,
            Repr::Real(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((UnixStream::from_real(stream), peer))
            }
        }
    }

    /// Polls for a connection.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        match &self.0 {
            Repr::Sim(local) => local.poll(Interest::READABLE, cx, |local| {
                let (accepted, _) = local.call(|socket, fd| socket.accept(fd))?;
                let accepted = Local::new(accepted);
                let peer = accepted.peer_addr()?;
                Ok((UnixStream::from_sim(accepted), peer))
            }),
            Repr::Real(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| (UnixStream::from_real(stream), peer)),
        }
    }
}

impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

/// A Unix socket that is not used yet; as `tokio::net::UnixSocket`.
pub struct UnixSocket(Unused);

enum Unused {
    Sim { local: Local, is_stream: bool },
    Real(tokio_real::net::UnixSocket),
}

impl std::fmt::Debug for UnixSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Unused::Sim { local, .. } => local.fmt(f),
            Unused::Real(real) => real.fmt(f),
        }
    }
}

fn wrong(of: &str) -> io::Error {
    let what = format!("{of} cannot be called on a socket of the other kind");
    io::Error::other(what)
}

impl UnixSocket {
    /// A socket for datagrams.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn new_datagram() -> io::Result<Self> {
        Self::make(libc::SOCK_DGRAM, tokio_real::net::UnixSocket::new_datagram)
    }

    /// A socket for a stream or a listener.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn new_stream() -> io::Result<Self> {
        Self::make(libc::SOCK_STREAM, tokio_real::net::UnixSocket::new_stream)
    }

    /// Takes over a number that nobody else owns.
    pub(crate) fn from_number(local: Local) -> io::Result<Self> {
        let kind = local.call(|socket, fd| socket.option(fd, libc::SOL_SOCKET, libc::SO_TYPE))?;
        let is_stream = kind == libc::SOCK_STREAM.to_ne_bytes();
        Ok(Self(Unused::Sim { local, is_stream }))
    }

    pub(crate) const fn from_real(real: tokio_real::net::UnixSocket) -> Self {
        Self(Unused::Real(real))
    }

    fn make(
        kind: i32,
        real: impl FnOnce() -> io::Result<tokio_real::net::UnixSocket>,
    ) -> io::Result<Self> {
        if !in_simulation() {
            return real().map(|real| Self(Unused::Real(real)));
        }
        let local = Local::socket(kind)?;
        let is_stream = kind == libc::SOCK_STREAM;
        Ok(Self(Unused::Sim { local, is_stream }))
    }

    /// Gives it a name.
    ///
    /// # Errors
    /// `EADDRINUSE`; `EINVAL` where it has one.
    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        match &self.0 {
            Unused::Sim { local, .. } => {
                let at = name_of(path.as_ref())?;
                local.call(|socket, fd| socket.bind(fd, at))
            }
            Unused::Real(real) => real.bind(path),
        }
    }

    /// Makes a listener of it.
    ///
    /// # Errors
    /// `EINVAL` without a name; on a socket for datagrams.
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        match self.0 {
            Unused::Sim {
                is_stream: false, ..
            } => Err(wrong("listen")),
            Unused::Sim { local, .. } => UnixListener::listen(local, backlog),
            Unused::Real(real) => real
                .listen(backlog)
                .map(|real| UnixListener(Repr::Real(real))),
        }
    }

    /// Connects it to a listener.
    ///
    /// # Errors
    /// As [`UnixStream::connect`]; on a socket for datagrams.
    pub async fn connect(self, path: impl AsRef<Path>) -> io::Result<UnixStream> {
        match self.0 {
            Unused::Sim {
                is_stream: false, ..
            } => Err(wrong("connect")),
            Unused::Sim { local, .. } => {
                let to = name_of(path.as_ref())?;
                local.call(|socket, fd| socket.connect(fd, to))?;
                Ok(UnixStream::from_sim(local))
            }
            Unused::Real(real) => real.connect(path).await.map(UnixStream::from_real),
        }
    }

    /// Makes a datagram socket of it.
    ///
    /// # Errors
    /// On a socket for a stream.
    pub fn datagram(self) -> io::Result<UnixDatagram> {
        match self.0 {
            Unused::Sim {
                is_stream: true, ..
            } => Err(wrong("datagram")),
            Unused::Sim { local, .. } => Ok(UnixDatagram::from_sim(local)),
            Unused::Real(real) => real.datagram().map(UnixDatagram::from_real),
        }
    }
}

impl std::os::fd::AsRawFd for UnixSocket {
    fn as_raw_fd(&self) -> RawFd {
        match &self.0 {
            Unused::Sim { local, .. } => local.fd().raw(),
            Unused::Real(real) => real.as_raw_fd(),
        }
    }
}

impl std::os::fd::AsFd for UnixSocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match &self.0 {
            Unused::Sim { local, .. } => local.fd().borrow(),
            Unused::Real(real) => real.as_fd(),
        }
    }
}

impl IntoRawFd for UnixSocket {
    fn into_raw_fd(self) -> RawFd {
        match self.0 {
            Unused::Sim { local, .. } => local.into_raw(),
            Unused::Real(real) => real.into_raw_fd(),
        }
    }
}
