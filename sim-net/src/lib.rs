//! The simulated network: TCP that fails like TCP, UDP, names, faults with receipts.
//!
//! Takes calls of a guest's sockets (`Net`, errno-true and non-blocking) and faults of a
//! nemesis; gives readiness, bytes, errors, and entries in the fault ledger. One event queue, the
//! world's: every packet is an event at its far end, and faults are judged there.
//!
//! No IP-level TCP is written; what a guest can *observe* of it is: ordered streams with bounded
//! windows, half-close, RST, SYN retries, retransmission with back-off, TIME_WAIT of a port.
//!
//! ```
//! use std::net::IpAddr;
//! use sim_net::{Interest, Net, NetConfig};
//! use sim_runtime::{Config, Seed, Simulation};
//!
//! let simulation = Simulation::new(Config::new(Seed(1)));
//! let net = Net::install(simulation.world(), NetConfig::default());
//! simulation.world().create_node("db", IpAddr::from([10, 0, 0, 1]));
//! let refused = simulation.block_on(async move {
//!     let fd = net.tcp_socket()?;
//!     let ip = net.resolve("db")?[0];
//!     let _in_progress = net.connect(fd, (ip, 5432).into());
//!     std::future::poll_fn(|cx| net.poll_ready(fd, Interest::WRITABLE, cx)).await?;
//!     net.take_error(fd)
//! });
//! let error = refused.unwrap().unwrap().expect("nobody listens");
//! assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
//! ```
//!
//! # Invariants, as absences
//! - No byte of a stream is lost, doubled or reordered, whatever packets are dropped.
//! - No state is per pair of nodes until they talk; idle connections cost no events.
//! - No waker is woken, and nothing of a guest is dropped, while the state is borrowed.
//! - No draw depends on another link's traffic: streams are keyed by (purpose, link).
//! - Nothing but data that was read frees a window; nothing but an acknowledgement that arrived
//!   frees a send buffer.
//! - Without sim-runtime's feature `sim` this crate is empty.
//!
//! # Modules, in reading order
//! `config`, `weather`, `bytes`, `flow` and `inbox` (the halves of a direction, pure), `conn`,
//! `link`, `ports`, `packet`, `wire`, `state`, `handshake`, `stream`, `transfer`, `care` (of peers
//! that are silent), `udp`, `effect`, `judge`, `deliver` and `detain` (where faults bite),
//! `express` (the short way for streams that are well), `faults` (the nemesis's calls), `frames`
//! (kinds of messages), `dns`, `readdress`, `evidence` (receipts), `net` (the calls) and `poll`,
//! `netstat`, `inspect`; `calls` with `numbers` (sockets of code that opens them by itself);
//! `local` (Unix sockets and pipes, which are no part of the network).

sim_runtime::if_sim! {
    sim {
        mod bytes;
        mod calls;
        mod care;
        mod config;
        mod conn;
        mod deliver;
        mod detain;
        mod dns;
        mod effect;
        mod errno;
        mod evidence;
        mod express;
        mod faults;
        mod flow;
        mod frames;
        mod handshake;
        mod inbox;
        mod inspect;
        mod judge;
        mod link;
        mod local;
        mod net;
        mod netstat;
        mod numbers;
        mod options;
        mod packet;
        mod poll;
        mod ports;
        mod readdress;
        mod ready;
        mod socket;
        mod state;
        mod stream;
        mod transfer;
        mod udp;
        mod weather;
        mod wire;

        pub use config::{BACKLOG, Chance, Latency, NetConfig};
        pub use dns::NameFault;
        pub use effect::Effect;
        pub use frames::{Classifier, Frame};
        pub use inspect::{Flying, Whereabouts};
        pub use link::LinkStats;
        pub use net::{Net, net};
        pub use netstat::SocketInfo;
        pub use options::SocketOptions;
        pub use poll::{poll_accept_waits, poll_recv, poll_send};
        pub use ready::{Interest, Ready};
        pub use socket::Socket;
    }
    real {}
}
