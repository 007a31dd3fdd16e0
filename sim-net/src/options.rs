//! Socket options: remembered for whoever asks, and obeyed where the simulation can tell.

use std::time::Duration;

use crate::config::NetConfig;

/// The options of a socket. `linger`, `reuse_address` and the buffer sizes change what the socket
/// does; the others are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOptions {
    /// `TCP_NODELAY`. Segments never wait for others here.
    pub nodelay: bool,
    /// `IP_TTL`.
    pub ttl: u32,
    /// `SO_LINGER`: zero makes `close` send RST; any other value closes in the background.
    pub linger: Option<Duration>,
    /// `SO_KEEPALIVE`. Probes are not sent.
    pub keepalive: bool,
    /// `SO_REUSEADDR`: a listener may bind to a port on which connections linger.
    pub reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// `SO_BROADCAST`.
    pub broadcast: bool,
    /// `SO_SNDBUF` in bytes, for connections made from now on.
    pub send_buffer: usize,
    /// `SO_RCVBUF` in bytes, for connections made from now on.
    pub receive_buffer: usize,
}

impl SocketOptions {
    /// Those of a new socket.
    pub(crate) fn of(config: &NetConfig) -> Self {
        Self {
            nodelay: false,
            ttl: 64,
            linger: None,
            keepalive: false,
            reuse_address: false,
            reuse_port: false,
            broadcast: false,
            send_buffer: config.send_buffer,
            receive_buffer: config.receive_buffer,
        }
    }
}
