//! Operations that must leave nothing behind, however often they are done.

use std::fs;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use sim_runtime::interpose::outside;
use sim_runtime::{spawn, spawn_on, time};
use sim_tokio::net::{TcpListener, TcpStream};

use crate::lab::{self, CLIENT, SERVER, SERVICE};

/// What is done many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A sleep is created, polled once and dropped.
    Sleeps,
    /// A task is spawned, runs and is joined.
    Tasks,
    /// A connection is opened, accepted and closed on both sides.
    Connections,
    /// 100 nodes, each with a listener, are idle for an hour; the others' links are made once.
    IdleNodes,
}

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Resident memory after a tenth.
    pub tenth_bytes: u64,
    /// Resident memory in the end.
    pub end_bytes: u64,
    /// How long it took.
    pub wall: Duration,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Sleeps,
        Self::Tasks,
        Self::Connections,
        Self::IdleNodes,
    ];

    /// For the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sleeps => "sleep polled and dropped",
            Self::Tasks => "task spawned and joined",
            Self::Connections => "connection opened and closed",
            Self::IdleNodes => "second of 100 idle nodes",
        }
    }

    /// How often it is done.
    #[must_use]
    pub const fn times(self) -> u64 {
        match self {
            Self::Sleeps | Self::Tasks => 10_000_000,
            Self::Connections => 1_000_000,
            Self::IdleNodes => 3_600,
        }
    }
}

/// Does an operation its number of times, in a world of its own.
///
/// # Panics
/// When an operation fails.
#[must_use]
pub fn run(operation: Operation) -> Measured {
    let (sender, receiver) = std::sync::mpsc::channel();
    let measured = async move {
        let times = operation.times();
        let server = spawn_on(SERVER, "server", prepare(operation));
        // Of virtual time: whatever is prepared is ready by then.
        time::sleep(Duration::from_secs(3_600)).await;
        let start = wall();
        repeat(operation, times / 10).await;
        let tenth_bytes = resident();
        repeat(operation, times - times / 10).await;
        let measured = Measured {
            tenth_bytes,
            end_bytes: resident(),
            wall: wall() - start,
        };
        server.abort();
        sender.send(measured).expect("it is received below");
    };
    drop(lab::run_networked(async {
        spawn_on(CLIENT, "client", measured)
            .await
            .expect("an operation comes to its end");
    }));
    receiver.recv().expect("it was sent above")
}

async fn prepare(operation: Operation) {
    match operation {
        Operation::Sleeps | Operation::Tasks => {}
        Operation::Connections => {
            let listener = TcpListener::bind(SERVICE).await.expect("a free port");
            loop {
                drop(listener.accept().await.expect("a connection"));
            }
        }
        Operation::IdleNodes => lab::idle_nodes(100).await,
    }
}

async fn repeat(operation: Operation, times: u64) {
    match operation {
        Operation::Sleeps => {
            for _ in 0..times {
                let sleep = pin!(time::sleep(Duration::from_secs(1)));
                let pending = sleep.poll(&mut Context::from_waker(Waker::noop()));
                assert!(pending.is_pending(), "it takes a second");
            }
        }
        Operation::Tasks => {
            for _ in 0..times {
                spawn(async {}).await.expect("a task comes to its end");
            }
        }
        Operation::Connections => {
            for _ in 0..times {
                drop(TcpStream::connect(SERVICE).await.expect("a listener"));
                // A port is in TIME_WAIT for a minute, and there are 28,232.
                time::sleep(Duration::from_millis(2)).await;
            }
        }
        Operation::IdleNodes => time::sleep(Duration::from_secs(times)).await,
    }
}

/// Memory of this process that is resident.
fn resident() -> u64 {
    let statm = outside(|| fs::read_to_string("/proc/self/statm")).expect("Linux has it");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    let pages: u64 = pages.expect("the second number is that of resident pages");
    pages * 4_096
}

fn wall() -> Duration {
    #[expect(clippy::disallowed_types, reason = "real time is what is measured")]
    let now = outside(std::time::SystemTime::now);
    now.duration_since(std::time::UNIX_EPOCH)
        .expect("it is after 1970")
}
