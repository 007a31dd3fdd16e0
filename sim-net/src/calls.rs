//! Sockets of code that opens them by itself: std, `socket2`, C libraries.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::task::{Context, Waker};
use std::time::Duration;

use sim_runtime::{Address, Fd, Readiness, SocketCalls, Sockets, with};

use crate::conn::Phase;
use crate::errno::{error, fail};
use crate::local;
use crate::net::Net;
use crate::numbers;
use crate::ready::Interest;
use crate::socket::Socket;
use crate::state::Kind;

/// What such code says of a socket, and no other does.
#[derive(Debug, Default)]
pub(crate) struct Manner {
    /// Is it of `AF_INET6`? Known of sockets that such code has opened.
    pub(crate) is_v6: Cell<Option<bool>>,
    pub(crate) nonblocking: Cell<bool>,
    pub(crate) receive_timeout: Cell<Option<Duration>>,
    pub(crate) send_timeout: Cell<Option<Duration>>,
    /// Options that are remembered for whoever asks, by level and name.
    pub(crate) others: RefCell<BTreeMap<(i32, i32), Vec<u8>>>,
}

impl Manner {
    /// How long a call may block; without end if there is no limit.
    pub(crate) fn timeout(&self, writing: bool) -> Option<Duration> {
        match writing {
            true => self.send_timeout.get(),
            false => self.receive_timeout.get(),
        }
    }
}

impl Sockets for Net {
    fn open(&self, domain: i32, kind: i32, protocol: i32) -> io::Result<Fd> {
        if domain == libc::AF_UNIX {
            return self.unix_socket(kind, protocol);
        }
        let fd = match (kind, protocol) {
            (libc::SOCK_STREAM, 0 | libc::IPPROTO_TCP) => self.tcp_socket()?,
            (libc::SOCK_DGRAM, 0 | libc::IPPROTO_UDP) => self.udp_socket()?,
            (libc::SOCK_STREAM | libc::SOCK_DGRAM, _) => return fail(libc::EPROTONOSUPPORT),
            // Raw sockets are for who may do everything.
            (libc::SOCK_RAW, _) => return fail(libc::EPERM),
            _ => return fail(libc::ESOCKTNOSUPPORT),
        };
        with(|world| {
            world.read_description(fd, |socket: &Socket| {
                socket.manner.is_v6.set(Some(domain == libc::AF_INET6));
            })
        })?;
        Ok(fd)
    }

    fn pair(&self, kind: i32, protocol: i32) -> io::Result<(Fd, Fd)> {
        self.unix_pair(kind, protocol)
    }

    fn pipe(&self) -> io::Result<(Fd, Fd)> {
        with(|world| local::pipe::pipe(world))
    }

    fn resolve_takes(&self, host: &str) -> Duration {
        self.lookup_takes(host)
    }

    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Net::resolve(self, host)
    }
}

impl Socket {
    /// An address to bind or connect to, which is of the socket's family.
    fn of_family(&self, addr: &Address) -> io::Result<SocketAddr> {
        let addr = addr.inet()?;
        match (self.manner.is_v6.get(), addr.is_ipv6()) {
            (Some(false), true) => fail(libc::EAFNOSUPPORT),
            // It is shorter than the address that is asked for.
            (Some(true), false) => fail(libc::EINVAL),
            _ => Ok(addr),
        }
    }
}

impl SocketCalls for Socket {
    fn bind(&self, fd: Fd, addr: Address) -> io::Result<()> {
        self.net.bind(fd, self.of_family(&addr)?)
    }

    fn listen(&self, fd: Fd, backlog: u32) -> io::Result<()> {
        self.net.listen(fd, backlog)
    }

    fn accept(&self, fd: Fd) -> io::Result<(Fd, Address)> {
        let (fd, peer) = self.net.accept(fd)?;
        with(|world| {
            world.read_description(fd, |socket: &Socket| {
                socket.manner.is_v6.set(self.manner.is_v6.get());
            })
        })?;
        Ok((fd, Address::Inet(peer)))
    }

    fn connect(&self, fd: Fd, addr: Address) -> io::Result<()> {
        self.net.connect(fd, self.of_family(&addr)?)
    }

    fn send(&self, fd: Fd, pieces: &[IoSlice<'_>], to: Option<&Address>) -> io::Result<usize> {
        match to.map(Address::inet).transpose()? {
            // A stream has its peer already.
            Some(to) if self.net.is_datagram(fd)? => {
                self.net.send_to(fd, &pieces.concat_bytes(), to)
            }
            _ => self.net.send_vectored(fd, pieces),
        }
    }

    fn recv(&self, fd: Fd, into: &mut [u8], peek: bool) -> io::Result<(usize, Option<Address>)> {
        if self.net.is_datagram(fd)? {
            return match self.net.recv_from(fd, into, peek) {
                Ok((count, from)) => Ok((count, Some(Address::Inet(from)))),
                // Who would wait is told that nothing comes; who would not, that nothing is there.
                Err(_) if !self.is_nonblocking() && self.net.is_deaf(fd)? => Ok((0, None)),
                Err(error) => Err(error),
            };
        }
        Ok((self.net.recv(fd, into, peek)?, None))
    }

    fn shutdown(&self, fd: Fd, how: Shutdown) -> io::Result<()> {
        self.net.shutdown(fd, how)
    }

    fn local_addr(&self, fd: Fd) -> io::Result<Address> {
        self.net.local_addr(fd).map(Address::Inet)
    }

    fn peer_addr(&self, fd: Fd) -> io::Result<Address> {
        self.net.peer_addr(fd).map(Address::Inet)
    }

    fn option(&self, fd: Fd, level: i32, name: i32) -> io::Result<Vec<u8>> {
        numbers::get(self, fd, (level, name))
    }

    fn set_option(&self, fd: Fd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        numbers::set(self, fd, (level, name), value)
    }

    fn is_nonblocking(&self) -> bool {
        self.manner.nonblocking.get()
    }

    fn set_nonblocking(&self, nonblocking: bool) {
        self.manner.nonblocking.set(nonblocking);
    }

    fn timeout(&self, writing: bool) -> Option<Duration> {
        self.manner.timeout(writing)
    }

    fn lingers(&self, fd: Fd) -> Option<Duration> {
        self.net.lingers(fd).ok().flatten()
    }

    fn poll_flushed(&self, fd: Fd, waker: &Waker) -> io::Result<bool> {
        self.net.poll_flushed(fd, waker)
    }

    fn ready(&self, fd: Fd) -> io::Result<Readiness> {
        let ready = self.net.ready(fd)?;
        Ok(Readiness {
            readable: ready.readable,
            writable: ready.writable,
            read_closed: ready.read_closed,
            write_closed: ready.write_closed,
            error: ready.error,
        })
    }

    fn poll(&self, fd: Fd, readable: bool, writable: bool, waker: &Waker) -> io::Result<bool> {
        let interest = match (readable, writable) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => return Ok(self.net.ready(fd)?.error),
        };
        let mut context = Context::from_waker(waker);
        match self.net.poll_ready(fd, interest, &mut context) {
            std::task::Poll::Ready(Ok(_)) => Ok(true),
            std::task::Poll::Ready(Err(error)) => Err(error),
            std::task::Poll::Pending => Ok(false),
        }
    }
}

/// Pieces as one datagram.
pub(crate) trait ConcatBytes {
    fn concat_bytes(&self) -> Vec<u8>;
}

impl ConcatBytes for [IoSlice<'_>] {
    fn concat_bytes(&self) -> Vec<u8> {
        self.iter()
            .flat_map(|piece| piece.iter().copied())
            .collect()
    }
}

impl Net {
    /// How long a close waits: a stream that is open, with something else than zero to linger.
    /// One with bytes that nobody read is reset instead.
    fn lingers(&self, fd: Fd) -> io::Result<Option<Duration>> {
        self.on(fd, |state, _, sock| {
            let Kind::Stream { conn, side, .. } = state.socks[sock].kind else {
                return Ok(None);
            };
            let end = &state.conns[conn].ends[side];
            let closes = end.phase == Phase::Open && end.inbox.len() == 0;
            let limit = state.socks[sock].options.linger;
            Ok(limit.filter(|limit| closes && !limit.is_zero()))
        })
    }

    /// Ends what a stream sends, and says whether all of it has arrived.
    fn poll_flushed(&self, fd: Fd, waker: &Waker) -> io::Result<bool> {
        self.on(fd, |state, world, sock| {
            let Kind::Stream { conn, side, .. } = state.socks[sock].kind else {
                return Ok(true);
            };
            state.settle(world, conn, side);
            if state.conns[conn].ends[side].phase != Phase::Open {
                return Ok(true);
            }
            if !state.conns[conn].flows[side].fin {
                state.stream_shutdown(world, (conn, side), Shutdown::Write)?;
            }
            let is_flushed = state.conns[conn].flows[side].is_finished();
            if !is_flushed {
                state.socket_waits(world, sock, Interest::WRITABLE, waker);
            }
            Ok(is_flushed)
        })
    }

    /// Is a datagram socket shut down for receiving, with nothing left to read?
    fn is_deaf(&self, fd: Fd) -> io::Result<bool> {
        self.on(fd, |state, _, sock| {
            let udp = state.udp(sock)?;
            Ok(udp.shut.0 && !udp.ready().readable)
        })
    }

    fn is_datagram(&self, fd: Fd) -> io::Result<bool> {
        Ok(self.type_of(fd)? == libc::SOCK_DGRAM)
    }
}

/// For errors that no call of this crate makes.
pub(crate) fn unknown_option<T>() -> io::Result<T> {
    Err(error(libc::ENOPROTOOPT))
}
