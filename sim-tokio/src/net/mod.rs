//! Sockets: simulated inside a simulation, tokio's outside.
//!
//! Whether a socket is simulated is decided when it is made. Unix sockets and pipes are tokio's
//! own and are refused inside a simulation by tokio itself: there is no reactor there.

mod addr;
mod listener;
mod owned;
mod socket;
mod split;
mod stream;
mod stream_options;
mod tcp_socket;
mod udp;
mod udp_calls;

pub use addr::{ToSocketAddrs, lookup_host};
pub use listener::TcpListener;
pub(crate) use socket::SimSocket;
pub use stream::TcpStream;
pub use tcp_socket::TcpSocket;
#[doc(no_inline)]
pub use tokio_real::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream, unix};
pub use udp::UdpSocket;

/// Halves of TCP streams.
pub mod tcp {
    pub use super::owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
    pub use super::split::{ReadHalf, WriteHalf};
}
