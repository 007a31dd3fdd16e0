//! Unix sockets as descriptors: what the floor and the drop-in call.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use sim_runtime::{Address, EventKind, Fd, Readiness, SocketCalls, UnixName, with};

use crate::errno::{error, fail};
use crate::local::unix::{End, Role, UnixSocket};
use crate::net::Net;

impl Net {
    fn itself(&self) -> Rc<Self> {
        self.this.borrow().upgrade().expect("it is being called")
    }

    /// `socket(AF_UNIX)`.
    pub(crate) fn unix_socket(&self, kind: i32, protocol: i32) -> io::Result<Fd> {
        let role = role_of(kind, protocol)?;
        Ok(with(|world| UnixSocket::open(&self.itself(), world, role))?.0)
    }

    /// `socketpair(AF_UNIX)`.
    pub(crate) fn unix_pair(&self, kind: i32, protocol: i32) -> io::Result<(Fd, Fd)> {
        let roles = match role_of(kind, protocol)? {
            Role::Fresh => {
                let (one, other) = End::pair((UnixName::default(), UnixName::default()));
                (Role::Stream(one), Role::Stream(other))
            }
            role => (role, UnixSocket::datagram()),
        };
        let net = self.itself();
        with(|world| {
            let (one, first) = UnixSocket::open(&net, world, roles.0)?;
            let opened = UnixSocket::open(&net, world, roles.1);
            let (other, second) = opened.inspect_err(|_| {
                world.close(one).expect("it was opened by this call");
            })?;
            first.join(&second);
            Ok((one, other))
        })
    }
}

fn role_of(kind: i32, protocol: i32) -> io::Result<Role> {
    if !matches!(protocol, 0 | libc::AF_UNIX) {
        return fail(libc::EPROTONOSUPPORT);
    }
    match kind {
        libc::SOCK_STREAM => Ok(Role::Fresh),
        // As Linux does.
        libc::SOCK_DGRAM | libc::SOCK_RAW => Ok(UnixSocket::datagram()),
        _ => fail(libc::ESOCKTNOSUPPORT),
    }
}

fn unix(address: Address) -> io::Result<UnixName> {
    match address {
        Address::Unix(name) => Ok(name),
        Address::Inet(_) => fail(libc::EINVAL),
    }
}

impl UnixSocket {
    /// The stream's end.
    fn end(&self) -> io::Result<End> {
        match &*self.role.borrow() {
            Role::Stream(end) => Ok(end.clone()),
            _ => fail(libc::ENOTCONN),
        }
    }

    /// Registers a task for what [`SocketCalls::poll`] was asked for.
    fn waits(&self, readable: bool, writable: bool, waker: &Waker) {
        if let Ok(end) = self.end() {
            if readable {
                end.rx.reader_waits(waker);
            }
            if writable {
                end.tx.writer_waits(waker);
            }
            return;
        }
        if readable {
            self.reader_waits(waker);
        }
        if writable && let Some(full) = self.full_receiver() {
            full.waits_for_room(waker);
        }
    }
}

impl SocketCalls for UnixSocket {
    fn bind(&self, _fd: Fd, addr: Address) -> io::Result<()> {
        self.bind_to(unix(addr)?)
    }

    fn listen(&self, _fd: Fd, backlog: u32) -> io::Result<()> {
        self.listen_on(backlog)
    }

    fn accept(&self, _fd: Fd) -> io::Result<(Fd, Address)> {
        let (fd, peer) = self.accept_one()?;
        Ok((fd, Address::Unix(peer)))
    }

    fn connect(&self, _fd: Fd, addr: Address) -> io::Result<()> {
        let to = unix(addr)?;
        match self.is_stream {
            true => self.connect_stream(&to),
            false => self.connect_datagram(&to),
        }
    }

    fn send(&self, _fd: Fd, pieces: &[IoSlice<'_>], to: Option<&Address>) -> io::Result<usize> {
        let to = match to {
            Some(Address::Unix(name)) => Some(name),
            Some(Address::Inet(_)) => return fail(libc::EINVAL),
            None => None,
        };
        if !self.is_stream {
            return self.send_datagram(pieces, to);
        }
        let end = self.end()?;
        if to.is_some() {
            return fail(libc::EISCONN);
        }
        let count = end.tx.write(pieces)?;
        with(|world| world.event(EventKind::Net, 23 << 48, count as u64));
        Ok(count)
    }

    fn recv(&self, _fd: Fd, into: &mut [u8], peek: bool) -> io::Result<(usize, Option<Address>)> {
        if !self.is_stream {
            let (count, from) = self.recv_datagram(into, peek)?;
            return Ok((count, Some(Address::Unix(from))));
        }
        // As Linux: a stream that was never connected is invalid to read.
        let end = self.end().map_err(|_| error(libc::EINVAL))?;
        Ok((end.rx.read(into, peek)?, None))
    }

    fn shutdown(&self, _fd: Fd, how: Shutdown) -> io::Result<()> {
        self.shut(how);
        Ok(())
    }

    fn local_addr(&self, _fd: Fd) -> io::Result<Address> {
        let own = self.name.borrow();
        let name = match own.0.is_empty() {
            true => self.goes_by.borrow().clone(),
            false => own.clone(),
        };
        Ok(Address::Unix(name))
    }

    fn peer_addr(&self, _fd: Fd) -> io::Result<Address> {
        if self.is_stream {
            return Ok(Address::Unix(self.end()?.peer));
        }
        let peer = match &*self.role.borrow() {
            Role::Datagram { peer, .. } => peer.clone(),
            _ => None,
        };
        let peer = peer.and_then(|peer| peer.upgrade());
        let peer = peer.ok_or_else(|| error(libc::ENOTCONN))?;
        let name = peer.name.borrow().clone();
        Ok(Address::Unix(name))
    }

    fn option(&self, _fd: Fd, level: i32, name: i32) -> io::Result<Vec<u8>> {
        self.get_option((level, name))
    }

    fn set_option(&self, _fd: Fd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        self.put_option((level, name), value)
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

    fn ready(&self, _fd: Fd) -> io::Result<Readiness> {
        if let Ok(end) = self.end() {
            let (rx, tx) = (end.rx.sight(), end.tx.sight());
            return Ok(Readiness {
                readable: rx.readable,
                writable: tx.writable,
                read_closed: rx.ended,
                write_closed: tx.ended,
                error: false,
            });
        }
        let (readable, read_closed) = match &*self.role.borrow() {
            Role::Listener { queue, .. } => (!queue.is_empty(), false),
            Role::Datagram { queue, shut, .. } => (!queue.is_empty(), shut.0),
            _ => (false, false),
        };
        Ok(Readiness {
            readable,
            writable: self.full_receiver().is_none(),
            read_closed,
            write_closed: false,
            error: false,
        })
    }

    fn poll(&self, fd: Fd, readable: bool, writable: bool, waker: &Waker) -> io::Result<bool> {
        let ready = self.ready(fd)?;
        let is_ready = (readable && (ready.readable || ready.read_closed))
            || (writable && (ready.writable || ready.write_closed))
            || ready.error;
        if !is_ready {
            self.waits(readable, writable, waker);
        }
        Ok(is_ready)
    }
}
