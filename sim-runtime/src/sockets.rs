//! What a network device gives to code that opens sockets by itself: std, `socket2`, C libraries.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use crate::ids::Fd;
use crate::world::World;

/// What of a socket is looked at or waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// A read would not answer `EAGAIN`.
    pub readable: bool,
    /// A write would not answer `EAGAIN`.
    pub writable: bool,
    /// Nothing more will arrive.
    pub read_closed: bool,
    /// Nothing more can be sent.
    pub write_closed: bool,
    /// An error is pending.
    pub error: bool,
}

/// The name of a Unix socket, as `sun_path` has it: empty where it has none; from a NUL on it is
/// abstract; else a path, without a NUL at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixName(pub Vec<u8>);

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Inet(SocketAddr),
    /// A name on its own machine.
    Unix(UnixName),
}

impl Address {
    /// The host and port.
    ///
    /// # Errors
    /// `EAFNOSUPPORT` where it is a name.
    pub fn inet(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Inet(address) => Ok(*address),
            Self::Unix(_) => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        }
    }
}

/// The network, as `socket(2)` and the resolver see it.
pub trait Sockets {
    /// `socket(2)`, of the running process. Numbers are those of Linux.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`, `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`, `EMFILE`.
    fn open(&self, domain: i32, kind: i32, protocol: i32) -> io::Result<Fd>;

    /// `socketpair(AF_UNIX)`.
    ///
    /// # Errors
    /// As [`open`](Sockets::open).
    fn pair(&self, kind: i32, protocol: i32) -> io::Result<(Fd, Fd)>;

    /// `pipe(2)`: the reading end and the writing end.
    ///
    /// # Errors
    /// `EMFILE`.
    fn pipe(&self) -> io::Result<(Fd, Fd)>;

    /// How long the look-up of a host takes.
    fn resolve_takes(&self, host: &str) -> Duration;

    /// The addresses of a host.
    ///
    /// # Errors
    /// `TimedOut` where nobody answers; of any other kind, where there is none by that name.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// A socket behind a descriptor. Calls never block: they answer `EAGAIN`, and whoever may block
/// waits with [`poll`](SocketCalls::poll). Errors carry the kernel's numbers. `fd` is the
/// descriptor that the guest named.
#[expect(missing_docs, reason = "each is the system call of its name")]
#[expect(clippy::missing_errors_doc, reason = "those of the system call")]
pub trait SocketCalls {
    fn bind(&self, fd: Fd, addr: Address) -> io::Result<()>;
    fn listen(&self, fd: Fd, backlog: u32) -> io::Result<()>;
    fn accept(&self, fd: Fd) -> io::Result<(Fd, Address)>;
    /// `EINPROGRESS` where it has begun.
    fn connect(&self, fd: Fd, addr: Address) -> io::Result<()>;
    fn send(&self, fd: Fd, pieces: &[IoSlice<'_>], to: Option<&Address>) -> io::Result<usize>;
    /// With the sender, of a datagram; a datagram that does not fit is cut off.
    fn recv(&self, fd: Fd, into: &mut [u8], peek: bool) -> io::Result<(usize, Option<Address>)>;
    fn shutdown(&self, fd: Fd, how: Shutdown) -> io::Result<()>;
    fn local_addr(&self, fd: Fd) -> io::Result<Address>;
    fn peer_addr(&self, fd: Fd) -> io::Result<Address>;
    /// `getsockopt(2)`, as bytes in the machine's order.
    fn option(&self, fd: Fd, level: i32, name: i32) -> io::Result<Vec<u8>>;
    fn set_option(&self, fd: Fd, level: i32, name: i32, value: &[u8]) -> io::Result<()>;
    /// `O_NONBLOCK`.
    fn is_nonblocking(&self) -> bool;
    fn set_nonblocking(&self, nonblocking: bool);
    /// `SO_SNDTIMEO`, or else `SO_RCVTIMEO`.
    fn timeout(&self, writing: bool) -> Option<Duration>;
    /// How long the close of its last descriptor waits until the peer has everything, if it does
    /// (`SO_LINGER`): for no time where nothing has to be waited for.
    fn lingers(&self, _fd: Fd) -> Option<Duration> {
        None
    }
    /// Whether everything that was sent has arrived, the end included, which is sent now; the waker
    /// is called when that may change.
    fn poll_flushed(&self, _fd: Fd, _waker: &Waker) -> io::Result<bool> {
        Ok(true)
    }
    fn ready(&self, fd: Fd) -> io::Result<Readiness>;
    /// Whether it is ready to be read or to be written; the waker is called when that may change.
    fn poll(&self, fd: Fd, readable: bool, writable: bool, waker: &Waker) -> io::Result<bool>;
}

impl World {
    /// Has `sockets` answer whoever opens sockets by himself.
    pub fn serve_sockets(&self, sockets: Rc<dyn Sockets>) {
        *self.sockets.borrow_mut() = Some(sockets);
    }

    pub(crate) fn sockets(&self) -> io::Result<Rc<dyn Sockets>> {
        let sockets = self.sockets.borrow().clone();
        sockets.ok_or_else(|| io::Error::from_raw_os_error(libc::ENETDOWN))
    }
}
