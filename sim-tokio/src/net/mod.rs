//! Sockets: simulated inside a simulation, tokio's outside.
//!
//! Whether a socket is simulated is decided when it is made.

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
pub mod unix;

pub use addr::{ToSocketAddrs, lookup_host};
pub use listener::TcpListener;
pub(crate) use socket::SimSocket;
pub use stream::TcpStream;
pub use tcp_socket::TcpSocket;
pub use udp::UdpSocket;
pub use unix::datagram::UnixDatagram;
pub use unix::listener::{UnixListener, UnixSocket};
pub use unix::stream::UnixStream;

/// Halves of TCP streams.
pub mod tcp {
    pub use super::owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
    pub use super::split::{ReadHalf, WriteHalf};
}
