//! TCP streams: options.

use std::io;
use std::time::Duration;

use super::socket::real_only;
use super::stream::{Repr, TcpStream};

impl TcpStream {
    /// `TCP_NODELAY`.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn nodelay(&self) -> io::Result<bool> {
        match &self.0 {
            Repr::Sim(socket) => Ok(socket.options()?.nodelay),
            Repr::Real(stream) => stream.nodelay(),
        }
    }

    /// Sets `TCP_NODELAY`. Remembered inside a simulation.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(socket) => socket.set_options(|options| options.nodelay = nodelay),
            Repr::Real(stream) => stream.set_nodelay(nodelay),
        }
    }

    /// `SO_LINGER`.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        match &self.0 {
            Repr::Sim(socket) => Ok(socket.options()?.linger),
            Repr::Real(stream) => stream.linger(),
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
            Repr::Real(stream) => stream.set_linger(linger),
        }
    }

    /// Makes closing the stream reset the connection (`SO_LINGER` of zero).
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(socket) => {
                socket.set_options(|options| options.linger = Some(Duration::ZERO))
            }
            Repr::Real(stream) => stream.set_zero_linger(),
        }
    }

    /// `IP_TTL`.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn ttl(&self) -> io::Result<u32> {
        match &self.0 {
            Repr::Sim(socket) => Ok(socket.options()?.ttl),
            Repr::Real(stream) => stream.ttl(),
        }
    }

    /// Sets `IP_TTL`. Remembered inside a simulation.
    ///
    /// # Errors
    /// `EBADF` when its process is gone.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(socket) => socket.set_options(|options| options.ttl = ttl),
            Repr::Real(stream) => stream.set_ttl(ttl),
        }
    }

    real_only! {
        /// `TCP_QUICKACK`.
        quickack() -> bool;
        /// Sets `TCP_QUICKACK`.
        set_quickack(on: bool) -> ();
    }
}
