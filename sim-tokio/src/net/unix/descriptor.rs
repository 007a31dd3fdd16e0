//! A simulated Unix socket or an end of a pipe: what all of them have in common.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::SocketAddr as StdAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Context, Poll};

use sim_runtime::{Address, Fd, SocketCalls, Sockets as _, UnixName};
use tokio_real::io::{Interest, Ready};
use tokio_real::net::unix::SocketAddr;

use crate::fd::{self, SimFd};
use crate::net::SimSocket;
use crate::net::socket::{as_tokio, of_interest};

/// A descriptor of the simulated kernel that is no part of the network.
#[derive(Debug)]
pub(crate) struct Local(SimFd);

fn sockets() -> io::Result<Rc<sim_net::Net>> {
    sim_net::net()
}

impl Local {
    pub(crate) fn new(fd: Fd) -> Self {
        Self(SimFd::new(fd))
    }

    /// A new socket.
    pub(crate) fn socket(kind: i32) -> io::Result<Self> {
        Ok(Self::new(sockets()?.open(libc::AF_UNIX, kind, 0)?))
    }

    /// Two sockets that are connected.
    pub(crate) fn pair(kind: i32) -> io::Result<(Self, Self)> {
        let (one, other) = sockets()?.pair(kind, 0)?;
        Ok((Self::new(one), Self::new(other)))
    }

    /// The reading and the writing end of a pipe.
    pub(crate) fn pipe() -> io::Result<(Self, Self)> {
        let (reader, writer) = sockets()?.pipe()?;
        Ok((Self::new(reader), Self::new(writer)))
    }

    /// Takes over a simulated descriptor of std; a real one comes back.
    pub(crate) fn from_owned<T: std::os::fd::AsRawFd + std::os::fd::IntoRawFd>(
        owned: T,
    ) -> Result<Self, T> {
        fd::from_owned(owned).map(|socket| Self::new(Fd(socket.into_raw())))
    }

    /// Itself as std has it, which does not block.
    pub(crate) fn into_owned(self) -> io::Result<OwnedFd> {
        fd::to_owned(SimSocket::new(Fd(self.into_raw())))
    }

    pub(crate) fn into_raw(self) -> RawFd {
        let Self(fd) = self;
        fd.into_raw()
    }

    pub(crate) fn fd(&self) -> &SimFd {
        &self.0
    }

    /// Calls the simulated kernel.
    pub(crate) fn call<R>(
        &self,
        f: impl FnOnce(&dyn SocketCalls, Fd) -> io::Result<R>,
    ) -> io::Result<R> {
        let fd = self.0.get();
        let gone = || io::Error::from_raw_os_error(libc::EBADF);
        let described = sim_runtime::try_with(|world| world.description(fd));
        let description = described.ok_or_else(gone)??;
        f(description.as_socket().ok_or_else(gone)?, fd)
    }

    pub(crate) fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        let (count, _) = self.call(|socket, fd| socket.recv(fd, into, false))?;
        Ok(count)
    }

    pub(crate) fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (count, from) = self.call(|socket, fd| socket.recv(fd, into, false))?;
        let unnamed = Address::Unix(UnixName::default());
        Ok((count, of_name(&from.unwrap_or(unnamed))?))
    }

    pub(crate) fn send(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.call(|socket, fd| socket.send(fd, pieces, None))
    }

    pub(crate) fn send_to(&self, bytes: &[u8], to: &Path) -> io::Result<usize> {
        let to = path_of(to)?;
        self.call(|socket, fd| socket.send(fd, &[IoSlice::new(bytes)], Some(&to)))
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.call(|socket, fd| socket.shutdown(fd, how))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        of_name(&self.call(|socket, fd| socket.local_addr(fd))?)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        of_name(&self.call(|socket, fd| socket.peer_addr(fd))?)
    }

    /// `SO_ERROR`.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let value = self.call(|socket, fd| socket.option(fd, libc::SOL_SOCKET, libc::SO_ERROR))?;
        let code = value
            .first_chunk()
            .map_or(0, |code| i32::from_ne_bytes(*code));
        Ok((code != 0).then(|| io::Error::from_raw_os_error(code)))
    }

    /// Polls until one of `interest` is possible.
    pub(crate) fn poll_ready(
        &self,
        interest: Interest,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Ready>> {
        let Some(wanted) = of_interest(interest) else {
            return Poll::Pending;
        };
        let polled = self.call(|socket, fd| {
            let (readable, writable) = (wanted.is_readable(), wanted.is_writable());
            if !socket.poll(fd, readable, writable, cx.waker())? {
                sim_runtime::with(|world| world.waiting(wanted.waits(fd)));
                return Ok(None);
            }
            socket.ready(fd).map(Some)
        });
        match polled {
            Ok(Some(ready)) => Poll::Ready(Ok(as_tokio(
                sim_net::Ready {
                    readable: ready.readable,
                    writable: ready.writable,
                    read_closed: ready.read_closed,
                    write_closed: ready.write_closed,
                    error: ready.error,
                },
                interest,
            ))),
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        poll_fn(|cx| self.poll_ready(interest, cx)).await
    }

    /// Tries `f` until it does not answer `EAGAIN`, waiting for `interest` in between.
    pub(crate) fn poll<R>(
        &self,
        interest: Interest,
        cx: &mut Context<'_>,
        mut f: impl FnMut(&Self) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            match f(self) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::task::ready!(self.poll_ready(interest, cx))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

/// A path as an address; one that begins with NUL is an abstract name, as tokio has it.
///
/// # Errors
/// `EINVAL` where it is longer than `sun_path`, or has a NUL within.
pub(crate) fn name_of(path: &Path) -> io::Result<Address> {
    let bytes = path.as_os_str().as_bytes();
    let address = match bytes.split_first() {
        Some((0, rest)) => StdAddr::from_abstract_name(rest)?,
        _ => StdAddr::from_pathname(path)?,
    };
    Ok(name_of_addr(&address.into()))
}

/// A path as an address, as tokio's datagram sockets have it: there are no abstract names.
///
/// # Errors
/// `EINVAL` where it is too long, or has a NUL.
pub(crate) fn path_of(path: &Path) -> io::Result<Address> {
    Ok(name_of_addr(&StdAddr::from_pathname(path)?.into()))
}

/// An address of tokio's as the simulated kernel has it.
pub(crate) fn name_of_addr(address: &SocketAddr) -> Address {
    let name = match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => path.as_os_str().as_bytes().to_vec(),
        (None, Some(name)) => [&[0], name].concat(),
        (None, None) => Vec::new(),
    };
    Address::Unix(UnixName(name))
}

fn of_name(address: &Address) -> io::Result<SocketAddr> {
    let Address::Unix(UnixName(name)) = address else {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    };
    let address = match name.split_first() {
        None => StdAddr::from_pathname("")?,
        Some((0, name)) => StdAddr::from_abstract_name(name)?,
        Some(_) => {
            StdAddr::from_pathname(PathBuf::from(std::ffi::OsString::from_vec(name.clone())))?
        }
    };
    Ok(address.into())
}

/// The methods that every type made of a `Repr` of a [`Local`] and tokio's own has.
macro_rules! local_type {
    ($type:ident, $real:ty, [$($interest:ident: $method:ident, $poll:ident);*]) => {
        impl $type {
            pub(crate) const fn from_sim(local: Local) -> Self {
                Self(Repr::Sim(local))
            }

            pub(crate) const fn from_real(real: $real) -> Self {
                Self(Repr::Real(real))
            }

            /// Waits until one of `interest` is possible.
            ///
            /// # Errors
            /// `EBADF` when its process is gone.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                match &self.0 {
                    Repr::Sim(local) => local.ready(interest).await,
                    Repr::Real(real) => real.ready(interest).await,
                }
            }

            $(
                #[doc = concat!("Waits until it is ", stringify!($method), ".")]
                ///
                /// # Errors
                /// `EBADF` when its process is gone.
                pub async fn $method(&self) -> io::Result<()> {
                    self.ready(Interest::$interest).await.map(drop)
                }

                #[doc = concat!("Polls until it is ", stringify!($method), ".")]
                pub fn $poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                    match &self.0 {
                        Repr::Sim(local) => local.poll_ready(Interest::$interest, cx).map_ok(drop),
                        Repr::Real(real) => real.$poll(cx),
                    }
                }
            )*
        }

        $crate::net::unix::descriptor::local_descriptor!($type);
    };
}

/// Its number, and itself in words.
macro_rules! local_descriptor {
    ($type:ident) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match &self.0 {
                    Repr::Sim(local) => local.fmt(f),
                    Repr::Real(real) => real.fmt(f),
                }
            }
        }

        impl std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                match &self.0 {
                    Repr::Sim(local) => local.fd().raw(),
                    Repr::Real(real) => real.as_raw_fd(),
                }
            }
        }

        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                match &self.0 {
                    Repr::Sim(local) => local.fd().borrow(),
                    Repr::Real(real) => real.as_fd(),
                }
            }
        }
    };
}

/// Operations of the caller's own.
macro_rules! local_io {
    ($type:ident) => {
        impl $type {
            /// Tries an operation of the caller's own on it.
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
                    Repr::Real(real) => real.try_io(interest, f),
                }
            }

            /// Repeats an operation of the caller's own until it does not answer `WouldBlock`.
            ///
            /// # Errors
            /// Those of `f`.
            pub async fn async_io<R>(
                &self,
                interest: Interest,
                mut f: impl FnMut() -> io::Result<R>,
            ) -> io::Result<R> {
                let local = match &self.0 {
                    Repr::Sim(local) => local,
                    Repr::Real(real) => return real.async_io(interest, f).await,
                };
                loop {
                    match f() {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            local.ready(interest).await?;
                        }
                        result => return result,
                    }
                }
            }
        }
    };
}

pub(crate) use {local_descriptor, local_io, local_type};
