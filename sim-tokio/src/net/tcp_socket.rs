//! TCP sockets before they connect or listen.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, RawFd};
use std::time::Duration;

use sim_net::SocketOptions;
use sim_runtime::in_simulation;

use super::listener::TcpListener;
use super::socket::{SimSocket, real_only};
use super::stream::{TcpStream, connect};
use crate::fd;

/// A TCP socket that neither connects nor listens yet; as `tokio::net::TcpSocket`.
pub struct TcpSocket(Repr);

enum Repr {
    Sim(SimSocket),
    Real(tokio_real::net::TcpSocket),
}

/// A pair of methods that read and write one option.
macro_rules! option {
    ($(#[$doc:meta])* $get:ident $set:ident $field:ident: $type:ty,
        $from:expr, $into:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// `EBADF` when its process is gone.
        pub fn $get(&self) -> io::Result<$type> {
            match &self.0 {
                Repr::Sim(socket) => Ok($from(socket.options()?.$field)),
                Repr::Real(socket) => socket.$get(),
            }
        }

        /// Sets it.
        ///
        /// # Errors
        /// `EBADF` when its process is gone.
        pub fn $set(&self, value: $type) -> io::Result<()> {
            match &self.0 {
                Repr::Sim(socket) => {
                    let set = |options: &mut SocketOptions| options.$field = $into(value);
                    socket.set_options(set)
                }
                Repr::Real(socket) => socket.$set(value),
            }
        }
    };
}

fn same<T>(value: T) -> T {
    value
}

fn bytes(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl TcpSocket {
    pub(crate) const fn from_sim(socket: SimSocket) -> Self {
        Self(Repr::Sim(socket))
    }

    pub(crate) const fn from_real(socket: tokio_real::net::TcpSocket) -> Self {
        Self(Repr::Real(socket))
    }

    fn new(real: fn() -> io::Result<tokio_real::net::TcpSocket>) -> io::Result<Self> {
        if in_simulation() {
            let fd = sim_net::net()?.tcp_socket()?;
            return Ok(Self(Repr::Sim(SimSocket::new(fd))));
        }
        Ok(Self(Repr::Real(real()?)))
    }

    /// A socket for IPv4.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(tokio_real::net::TcpSocket::new_v4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(tokio_real::net::TcpSocket::new_v6)
    }

    option! {
        /// `SO_KEEPALIVE`. Remembered inside a simulation.
        keepalive set_keepalive keepalive: bool, same, same
    }
    option! {
        /// `SO_REUSEADDR`.
        reuseaddr set_reuseaddr reuse_address: bool, same, same
    }
    option! {
        /// `SO_REUSEPORT`. Remembered inside a simulation.
        reuseport set_reuseport reuse_port: bool, same, same
    }
    option! {
        /// `SO_SNDBUF` in bytes.
        send_buffer_size set_send_buffer_size send_buffer: u32, size, bytes
    }
    option! {
        /// `SO_RCVBUF` in bytes.
        recv_buffer_size set_recv_buffer_size receive_buffer: u32, size, bytes
    }
    option! {
        /// `TCP_NODELAY`. Remembered inside a simulation.
        nodelay set_nodelay nodelay: bool, same, same
    }

    /// `SO_LINGER`.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        match &self.0 {
            Repr::Sim(socket) => Ok(socket.options()?.linger),
            Repr::Real(socket) => socket.linger(),
        }
    }

    /// Sets `SO_LINGER`. Inside a simulation zero resets at closing, and any other value closes
    /// in the background.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    #[expect(
        deprecated,
        reason = "tokio warns of the blocking close, but has the method"
    )]
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(socket) => socket.set_options(|options| options.linger = linger),
            Repr::Real(socket) => socket.set_linger(linger),
        }
    }

    /// Makes closing the stream reset the connection (`SO_LINGER` of zero).
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(_) => self.set_linger(Some(Duration::ZERO)),
            Repr::Real(socket) => socket.set_zero_linger(),
        }
    }

    real_only! {
        /// `IP_TOS`.
        tos_v4() -> u32;
        /// Sets `IP_TOS`.
        set_tos_v4(tos: u32) -> ();
        /// `IPV6_TCLASS`.
        tclass_v6() -> u32;
        /// Sets `IPV6_TCLASS`.
        set_tclass_v6(class: u32) -> ();
        /// `SO_BINDTODEVICE`.
        device() -> Option<Vec<u8>>;
        /// Sets `SO_BINDTODEVICE`.
        bind_device(interface: Option<&[u8]>) -> ();
    }

    /// Its address.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(socket) => socket.local_addr(),
            Repr::Real(socket) => socket.local_addr(),
        }
    }

    /// `SO_ERROR`: the pending error, which is cleared.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.0 {
            Repr::Sim(socket) => socket.take_error(),
            Repr::Real(socket) => socket.take_error(),
        }
    }

    /// Gives it an address.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`, `EINVAL` when it has one.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.bind(fd, addr)),
            Repr::Real(socket) => socket.bind(addr),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`TcpStream::connect`].
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        match self.0 {
            Repr::Sim(socket) => connect(socket, addr).await,
            Repr::Real(socket) => socket.connect(addr).await.map(TcpStream::from_real),
        }
    }

    /// Listens.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EINVAL`.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        match self.0 {
            Repr::Sim(socket) => {
                socket.call(|net, fd| net.listen(fd, backlog))?;
                Ok(TcpListener::from_sim(socket))
            }
            Repr::Real(socket) => socket.listen(backlog).map(TcpListener::from_real),
        }
    }

    /// Takes over a stream of std.
    #[must_use]
    pub fn from_std_stream(stream: std::net::TcpStream) -> Self {
        match fd::from_owned(stream) {
            Ok(socket) => Self(Repr::Sim(socket)),
            Err(stream) => Self(Repr::Real(tokio_real::net::TcpSocket::from_std_stream(
                stream,
            ))),
        }
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Sim(socket) => socket.fmt(f),
            Repr::Real(socket) => socket.fmt(f),
        }
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        match &self.0 {
            Repr::Sim(socket) => socket.fd().raw(),
            Repr::Real(socket) => socket.as_raw_fd(),
        }
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Repr::Sim(socket) => socket.fd().borrow(),
            Repr::Real(socket) => socket.as_fd(),
        }
    }
}

impl IntoRawFd for TcpSocket {
    fn into_raw_fd(self) -> RawFd {
        match self.0 {
            Repr::Sim(socket) => socket.into_raw(),
            Repr::Real(socket) => socket.into_raw_fd(),
        }
    }
}
