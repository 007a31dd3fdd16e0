//! Workloads of some size, which peers do as well: a long stream, all-to-all heartbeats, and many
//! connections at a time. Over the drop-in.

use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use sim_net::{Net, NetConfig};
use sim_runtime::{Simulation, spawn_on, time, world};
use sim_tokio::net::{TcpListener, TcpStream, UdpSocket};
use sim_tokio::task::spawn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::guest::MESSAGE;
use crate::lab::{self, CLIENT, SERVER, SERVICE};

/// Bytes of a write, and of the reader's buffer.
const WRITE: usize = 65_536;
/// Nodes that send heartbeats to each other.
const NODES: u8 = 50;

/// A workload, by what its amount counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Mebibytes over one connection, in writes of 64 KiB.
    Stream,
    /// Simulated seconds of 50 nodes, each of which sends a datagram of 64 bytes to every other
    /// once a second.
    Heartbeats,
    /// Connections to one server, each open to the end, with 64 bytes there and back.
    Connections,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stream, Self::Heartbeats, Self::Connections];

    /// Its name on a command line, the peers' as well.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Heartbeats => "heartbeats",
            Self::Connections => "connections",
        }
    }

    /// Runs it.
    ///
    /// # Panics
    /// When it does not come to its end.
    pub fn run(self, amount: u64) {
        match self {
            Self::Stream => stream(amount),
            Self::Heartbeats => heartbeats(amount),
            Self::Connections => connections(amount),
        }
    }
}

fn stream(mebibytes: u64) {
    drop(lab::run_networked(async move {
        let server = spawn_on(SERVER, "server", async {
            let listener = TcpListener::bind(SERVICE).await.expect("a free port");
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let (mut into, mut total) = (vec![0; WRITE], 0);
            loop {
                match stream.read(&mut into).await.expect("it holds") {
                    0 => return total,
                    count => total += count as u64,
                }
            }
        });
        let client = spawn_on(CLIENT, "client", async move {
            let mut stream = TcpStream::connect(SERVICE).await.expect("a listener");
            let bytes = vec![7; WRITE];
            for _ in 0..mebibytes * 16 {
                stream.write_all(&bytes).await.expect("it holds");
            }
        });
        client.await.expect("it does not panic");
        let total = server.await.expect("it does not panic");
        assert_eq!(total, mebibytes << 20, "every byte arrives");
    }));
}

fn connections(count: u64) {
    drop(lab::run_networked(async move {
        let server = spawn_on(SERVER, "server", async {
            let listener = TcpListener::bind(SERVICE).await.expect("a free port");
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                drop(spawn(async move {
                    let mut message = [0; MESSAGE];
                    while stream.read_exact(&mut message).await.is_ok() {
                        stream.write_all(&message).await.expect("it holds");
                    }
                }));
            }
        });
        let client = spawn_on(CLIENT, "client", async move {
            let mut streams = Vec::new();
            for _ in 0..count {
                let mut stream = TcpStream::connect(SERVICE).await.expect("a listener");
                let mut message = [7; MESSAGE];
                stream.write_all(&message).await.expect("it holds");
                stream.read_exact(&mut message).await.expect("it holds");
                streams.push(stream);
            }
            time::sleep(Duration::from_secs(60)).await;
        });
        client.await.expect("it does not panic");
        server.abort();
    }));
}

const fn beats_at(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 3, 0, number)), 7)
}

/// One node's part: sends for ever, and counts nothing that it need not.
async fn beat(number: u8) {
    let socket = UdpSocket::bind(beats_at(number)).await;
    let socket = Rc::new(socket.expect("a free port"));
    let receiver = Rc::clone(&socket);
    drop(sim_runtime::spawn(async move {
        let mut into = [0; MESSAGE];
        while receiver.recv_from(&mut into).await.is_ok() {}
    }));
    loop {
        for other in (1..=NODES).filter(|other| *other != number) {
            let sent = socket.send_to(&[7; MESSAGE], beats_at(other)).await;
            assert_eq!(sent.expect("the network is there"), MESSAGE);
        }
        time::sleep(Duration::from_secs(1)).await;
    }
}

fn heartbeats(seconds: u64) {
    let simulation = Simulation::new(lab::config());
    let net = Net::install(simulation.world(), NetConfig::default());
    let ended = simulation.block_on(async move {
        for number in 1..=NODES {
            let node = world().create_node(&format!("n{number}"), beats_at(number).ip());
            world().start_node(
                node,
                Rc::new(move || {
                    Box::pin(async move {
                        beat(number).await;
                        pending::<()>().await;
                    })
                }),
            );
        }
        time::sleep(Duration::from_secs(seconds)).await;
    });
    ended.expect("nothing fails");
    let delivered: u64 = net.stats().iter().map(|(_, link)| link.delivered).sum();
    let least = (seconds.saturating_sub(2)) * u64::from(NODES) * u64::from(NODES - 1);
    assert!(delivered >= least, "{delivered} delivered of {least}");
    drop(simulation.finish());
}
