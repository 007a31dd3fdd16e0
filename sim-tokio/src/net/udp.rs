//! UDP sockets: making, readiness, options. Sending and receiving are in `udp_calls`.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};

use sim_runtime::in_simulation;
use tokio_real::io::{Interest, Ready};

use super::addr::{ToSocketAddrs, no_address, resolve};
use super::socket::{SimSocket, real_only, refused};
use crate::fd;

/// A UDP socket; as `tokio::net::UdpSocket`.
pub struct UdpSocket(pub(super) Repr);

pub(super) enum Repr {
    Sim(SimSocket),
    Real(tokio_real::net::UdpSocket),
}

impl UdpSocket {
    /// A socket at the first of the addresses that can be bound.
    ///
    /// # Errors
    /// Those of the last attempt: `EADDRINUSE`, `EADDRNOTAVAIL`, `EMFILE`; of the look-up.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let addrs = resolve(addr).await?;
        if !in_simulation() {
            let socket = tokio_real::net::UdpSocket::bind(&addrs[..]).await?;
            return Ok(Self(Repr::Real(socket)));
        }
        let net = sim_net::net()?;
        let mut last = None;
        for addr in addrs {
            match net.udp_bind(addr) {
                Ok(fd) => return Ok(Self(Repr::Sim(SimSocket::new(fd)))),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// Takes over a socket of std: inside a simulation, one that was opened there.
    ///
    /// # Errors
    /// Inside a simulation, when the socket is a real one.
    ///
    /// # Panics
    /// Outside a simulation, when there is no runtime with I/O.
    #[track_caller]
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        let socket = match fd::from_owned(socket) {
            Ok(socket) => return Ok(Self(Repr::Sim(socket))),
            Err(_) if in_simulation() => return Err(refused("a real socket")),
            Err(socket) => socket,
        };
        tokio_real::net::UdpSocket::from_std(socket).map(|socket| Self(Repr::Real(socket)))
    }

    /// The socket as std has it, which does not block.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        match self.0 {
            Repr::Sim(socket) => fd::to_owned(socket).map(Into::into),
            Repr::Real(socket) => socket.into_std(),
        }
    }

    /// Makes the first of the addresses the peer.
    ///
    /// # Errors
    /// Those of the last attempt; of the look-up.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let addrs = resolve(addr).await?;
        let socket = match &self.0 {
            Repr::Sim(socket) => socket,
            Repr::Real(socket) => return socket.connect(&addrs[..]).await,
        };
        let mut last = None;
        for addr in addrs {
            match socket.call(|net, fd| net.udp_connect(fd, addr)) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
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

    /// Its peer's address.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(socket) => socket.peer_addr(),
            Repr::Real(socket) => socket.peer_addr(),
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

    /// Waits until one of `interest` is possible.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match &self.0 {
            Repr::Sim(socket) => socket.ready(interest).await,
            Repr::Real(socket) => socket.ready(interest).await,
        }
    }

    /// Waits until there is something to receive.
    ///
    /// # Errors
    /// As [`UdpSocket::ready`].
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to send.
    ///
    /// # Errors
    /// As [`UdpSocket::ready`].
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls until there is something to receive.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Repr::Sim(socket) => socket.poll_ready(Interest::READABLE, cx).map_ok(drop),
            Repr::Real(socket) => socket.poll_recv_ready(cx),
        }
    }

    /// Polls until there is room to send.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Repr::Sim(socket) => socket.poll_ready(Interest::WRITABLE, cx).map_ok(drop),
            Repr::Real(socket) => socket.poll_send_ready(cx),
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
            Repr::Real(socket) => socket.try_io(interest, f),
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
            Repr::Real(socket) => socket.async_io(interest, f).await,
        }
    }

    /// `SO_BROADCAST`.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn broadcast(&self) -> io::Result<bool> {
        match &self.0 {
            Repr::Sim(socket) => Ok(socket.options()?.broadcast),
            Repr::Real(socket) => socket.broadcast(),
        }
    }

    /// Sets `SO_BROADCAST`.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(socket) => socket.set_options(|options| options.broadcast = on),
            Repr::Real(socket) => socket.set_broadcast(on),
        }
    }

    /// `IP_TTL`.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn ttl(&self) -> io::Result<u32> {
        match &self.0 {
            Repr::Sim(socket) => Ok(socket.options()?.ttl),
            Repr::Real(socket) => socket.ttl(),
        }
    }

    /// Sets `IP_TTL`. Remembered inside a simulation.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(socket) => socket.set_options(|options| options.ttl = ttl),
            Repr::Real(socket) => socket.set_ttl(ttl),
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
        /// `IP_MULTICAST_LOOP`.
        multicast_loop_v4() -> bool;
        /// Sets `IP_MULTICAST_LOOP`.
        set_multicast_loop_v4(on: bool) -> ();
        /// `IP_MULTICAST_TTL`.
        multicast_ttl_v4() -> u32;
        /// Sets `IP_MULTICAST_TTL`.
        set_multicast_ttl_v4(ttl: u32) -> ();
        /// `IPV6_MULTICAST_LOOP`.
        multicast_loop_v6() -> bool;
        /// Sets `IPV6_MULTICAST_LOOP`.
        set_multicast_loop_v6(on: bool) -> ();
        /// `IP_ADD_MEMBERSHIP`.
        join_multicast_v4(address: Ipv4Addr, interface: Ipv4Addr) -> ();
        /// `IPV6_ADD_MEMBERSHIP`.
        join_multicast_v6(address: &Ipv6Addr, interface: u32) -> ();
        /// `IP_DROP_MEMBERSHIP`.
        leave_multicast_v4(address: Ipv4Addr, interface: Ipv4Addr) -> ();
        /// `IPV6_DROP_MEMBERSHIP`.
        leave_multicast_v6(address: &Ipv6Addr, interface: u32) -> ();
    }
}

impl TryFrom<std::net::UdpSocket> for UdpSocket {
    type Error = io::Error;

    fn try_from(socket: std::net::UdpSocket) -> io::Result<Self> {
        Self::from_std(socket)
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Sim(socket) => socket.fmt(f),
            Repr::Real(socket) => socket.fmt(f),
        }
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        match &self.0 {
            Repr::Sim(socket) => socket.fd().raw(),
            Repr::Real(socket) => socket.as_raw_fd(),
        }
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Repr::Sim(socket) => socket.fd().borrow(),
            Repr::Real(socket) => socket.as_fd(),
        }
    }
}
