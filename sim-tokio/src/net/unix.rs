//! Unix sockets and pipes: simulated inside a simulation, within a node.

mod credentials;
pub(crate) mod datagram;
mod descriptor;
mod halves;
pub(crate) mod listener;
pub mod pipe;
pub(crate) mod stream;

pub use credentials::UCred;
pub(crate) use descriptor::Local;
pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
#[doc(no_inline)]
pub use tokio_real::net::unix::{SocketAddr, gid_t, pid_t, uid_t};
