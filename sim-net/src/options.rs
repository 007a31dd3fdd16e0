//! Socket options: remembered for whoever asks, and obeyed where the simulation can tell.

use std::time::Duration;

use crate::config::NetConfig;

/// The options of a socket. `linger`, `reuse_address`, the buffer sizes, keepalive and the user's
/// time-out change what the socket does; the others are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOptions {
    /// `TCP_NODELAY`. Segments never wait for others here.
    pub nodelay: bool,
    /// `IP_TTL`.
    pub ttl: u32,
    /// `SO_LINGER`: zero makes `close` send RST. With any other value a `close(2)` of code that
    /// opens sockets by itself waits that long for what was sent to arrive; the descriptor table's
    /// own close, which the drop-in uses, never waits.
    pub linger: Option<Duration>,
    /// `SO_KEEPALIVE`: a peer that is silent is probed, and given up when it stays so.
    pub keepalive: bool,
    /// `TCP_KEEPIDLE`: how long it may be silent before it is probed.
    pub keepalive_idle: Duration,
    /// `TCP_KEEPINTVL`: from probe to probe.
    pub keepalive_interval: Duration,
    /// `TCP_KEEPCNT`: how many probes without an answer are the end (`ETIMEDOUT`).
    pub keepalive_probes: u32,
    /// `TCP_USER_TIMEOUT`: how long data may stay unacknowledged, or unsent because the peer takes
    /// none; also the limit of `connect` and, in the place of a number of probes, of silence.
    pub user_timeout: Option<Duration>,
    /// `SO_REUSEADDR`: it may be bound to a port on which connections linger, or which another has
    /// that says so, too, and does not listen.
    pub reuse_address: bool,
    /// `SO_REUSEPORT`: it may be bound beside others that say so; what comes from one address is
    /// for one of them, which is drawn.
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
            keepalive_idle: Duration::from_secs(7_200),
            keepalive_interval: Duration::from_secs(75),
            keepalive_probes: 9,
            user_timeout: None,
            reuse_address: false,
            reuse_port: false,
            broadcast: false,
            send_buffer: config.send_buffer,
            receive_buffer: config.receive_buffer,
        }
    }
}
