//! What all simulated sockets have in common: try, and wait where the kernel says `EAGAIN`.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use sim_net::{Net, SocketOptions};
use sim_runtime::Fd;
use tokio_real::io::{Interest, Ready};

use crate::fd::SimFd;
use crate::task::coop;

/// A socket of the simulated kernel.
#[derive(Debug)]
pub(crate) struct SimSocket {
    fd: SimFd,
}

impl SimSocket {
    pub(crate) const fn new(fd: Fd) -> Self {
        Self { fd: SimFd::new(fd) }
    }

    pub(crate) const fn fd(&self) -> &SimFd {
        &self.fd
    }

    pub(crate) fn into_raw(self) -> RawFd {
        let Self { fd } = self;
        fd.into_raw()
    }

    pub(crate) fn call<R>(&self, f: impl FnOnce(&Rc<Net>, Fd) -> io::Result<R>) -> io::Result<R> {
        f(&sim_net::net()?, self.fd.get())
    }

    #[inline]
    pub(crate) fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
        peek: bool,
    ) -> Poll<io::Result<usize>> {
        coop::spend(cx, |cx| sim_net::poll_recv(self.fd.get(), into, peek, cx))
    }

    #[inline]
    pub(crate) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        coop::spend(cx, |cx| sim_net::poll_send(self.fd.get(), pieces, cx))
    }

    /// A server's `select!` asks at each of its turns: mostly there is nobody.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Fd, SocketAddr)>> {
        coop::spend(cx, |cx| {
            match sim_net::poll_accept_waits(self.fd.get(), cx) {
                true => Poll::Pending,
                false => self.poll(sim_net::Interest::READABLE, cx, |net, fd| net.accept(fd)),
            }
        })
    }

    /// Tries `f` until it does not answer `EAGAIN`, waiting for `interest` in between.
    pub(crate) fn poll<R>(
        &self,
        interest: sim_net::Interest,
        cx: &mut Context<'_>,
        mut f: impl FnMut(&Net, Fd) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        coop::spend(cx, |cx| {
            let net = sim_net::net()?;
            loop {
                match f(&net, self.fd.get()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(net.poll_ready(self.fd.get(), interest, cx))?;
                    }
                    result => return Poll::Ready(result),
                }
            }
        })
    }

    pub(crate) fn poll_ready(
        &self,
        interest: Interest,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Ready>> {
        let Some(wanted) = of_interest(interest) else {
            return Poll::Pending;
        };
        let net = sim_net::net()?;
        let ready = ready!(coop::spend(cx, |cx| net.poll_ready(
            self.fd.get(),
            wanted,
            cx
        )))?;
        Poll::Ready(Ok(as_tokio(ready, interest)))
    }

    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        poll_fn(|cx| self.poll_ready(interest, cx)).await
    }

    /// Repeats `f` until it does not answer `WouldBlock`.
    pub(crate) async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            match f() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready(interest).await?;
                }
                result => return result,
            }
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.call(|net, fd| net.local_addr(fd))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.call(|net, fd| net.peer_addr(fd))
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.call(|net, fd| net.take_error(fd))
    }

    pub(crate) fn options(&self) -> io::Result<SocketOptions> {
        self.call(|net, fd| net.options(fd))
    }

    pub(crate) fn set_options(&self, change: impl FnOnce(&mut SocketOptions)) -> io::Result<()> {
        self.call(|net, fd| net.set_options(fd, change))
    }
}

pub(crate) fn of_interest(interest: Interest) -> Option<sim_net::Interest> {
    match (interest.is_readable(), interest.is_writable()) {
        (true, true) => Some(sim_net::Interest::READABLE | sim_net::Interest::WRITABLE),
        (true, false) => Some(sim_net::Interest::READABLE),
        (false, true) => Some(sim_net::Interest::WRITABLE),
        // Priority data and bare errors: nothing simulated sends either.
        (false, false) => None,
    }
}

/// The readiness that tokio would report for `interest`.
pub(crate) fn as_tokio(ready: sim_net::Ready, interest: Interest) -> Ready {
    let mut all = Ready::EMPTY;
    for (is, what, asked) in [
        (ready.readable, Ready::READABLE, interest.is_readable()),
        (
            ready.read_closed,
            Ready::READ_CLOSED,
            interest.is_readable(),
        ),
        (ready.writable, Ready::WRITABLE, interest.is_writable()),
        (
            ready.write_closed,
            Ready::WRITE_CLOSED,
            interest.is_writable(),
        ),
        (ready.error, Ready::ERROR, interest.is_error()),
    ] {
        if is && asked {
            all |= what;
        }
    }
    if all.is_empty() && ready.error {
        // An error ends every wait; reading or writing is how it is learnt.
        let readable = if interest.is_readable() {
            Ready::READABLE
        } else {
            Ready::EMPTY
        };
        let writable = if interest.is_writable() {
            Ready::WRITABLE
        } else {
            Ready::EMPTY
        };
        all = readable | writable;
    }
    all
}

/// What cannot be had inside a simulation, or not across its border.
pub(crate) fn refused(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!("{what} is not simulated"),
    )
}

/// Methods about what nothing simulated has.
macro_rules! real_only {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// Inside a simulation, `Unsupported`: nothing there has it.
        pub fn $name(&self $(, $arg: $type)*) -> io::Result<$out> {
            match &self.0 {
                Repr::Sim(_) => Err(super::socket::refused(stringify!($name))),
                Repr::Real(socket) => socket.$name($($arg),*),
            }
        })*
    };
}

pub(super) use real_only;
