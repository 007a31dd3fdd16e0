//! Three nodes, and just enough async over `poll_ready` to write a test in.

use std::future::{pending, poll_fn};
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use sim_net::{BACKLOG, Chance, Effect, Interest, Latency, Net, NetConfig, Ready};
use sim_runtime::{
    Config, FaultId, Fd, LedgerRow, NodeId, Seed, Simulation, Summary, World, spawn_on, time, world,
};

pub(crate) const A: NodeId = NodeId(1);
pub(crate) const B: NodeId = NodeId(2);
pub(crate) const C: NodeId = NodeId(3);

pub(crate) const LATENCY: Duration = Duration::from_millis(5);

/// Every packet takes `LATENCY`, every read and write moves all it can.
pub(crate) fn calm() -> NetConfig {
    NetConfig {
        latency: Latency::constant(LATENCY),
        partial_io: Chance::NEVER,
        ..NetConfig::default()
    }
}

fn idle() -> Rc<dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>>> {
    Rc::new(|| Box::pin(pending()))
}

/// Starts three nodes and runs `test` as a task of the harness.
pub(crate) fn run<F>(config: NetConfig, test: impl FnOnce() -> F) -> Summary
where
    F: Future<Output = ()> + 'static,
{
    run_seed(1, config, test)
}

pub(crate) fn run_seed<F>(seed: u64, config: NetConfig, test: impl FnOnce() -> F) -> Summary
where
    F: Future<Output = ()> + 'static,
{
    let simulation = Simulation::new(Config::new(Seed(seed)));
    let world = Rc::clone(simulation.world());
    Net::install(&world, config);
    for (name, host) in [("a", 1), ("b", 2), ("c", 3)] {
        let node = world.create_node(name, IpAddr::from([10, 1, 0, host]));
        world.start_node(node, idle());
    }
    drop(world);
    simulation
        .block_on(test())
        .expect("the test runs to its end");
    let summary = simulation.finish();
    assert!(summary.panics.is_empty(), "{:?}", summary.panics);
    summary
}

/// Runs `task` on a node and waits for it.
pub(crate) async fn on<F>(node: NodeId, task: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_on(node, "test", task)
        .await
        .expect("the task ends by itself")
}

/// Runs `task` on a node and does not wait. Its panics fail the test at the end.
pub(crate) fn go<F>(node: NodeId, task: F)
where
    F: Future<Output = ()> + 'static,
{
    drop(spawn_on(node, "background", task));
}

pub(crate) fn net() -> Rc<Net> {
    sim_net::net().expect("the lab has a network")
}

pub(crate) fn addr(node: NodeId, port: u16) -> SocketAddr {
    SocketAddr::new(world().node(node).ip, port)
}

pub(crate) fn code<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result
        .expect_err("it fails")
        .raw_os_error()
        .expect("with an errno")
}

pub(crate) async fn ready(fd: Fd, interest: Interest) -> io::Result<Ready> {
    poll_fn(|cx| net().poll_ready(fd, interest, cx)).await
}

async fn retry<R>(
    fd: Fd,
    interest: Interest,
    mut attempt: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready(fd, interest).await?;
            }
            other => return other,
        }
    }
}

/// A TCP stream. Closed only by `close`: a test says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tcp(pub(crate) Fd);

impl Tcp {
    pub(crate) async fn connect(to: SocketAddr) -> io::Result<Self> {
        let fd = net().tcp_socket()?;
        let error = net()
            .connect(fd, to)
            .expect_err("connect never answers at once");
        if error.raw_os_error() != Some(libc::EINPROGRESS) {
            return Err(error);
        }
        ready(fd, Interest::WRITABLE).await?;
        match net().take_error(fd)? {
            Some(error) => {
                world().close(fd)?;
                Err(error)
            }
            None => Ok(Self(fd)),
        }
    }

    pub(crate) async fn send(self, bytes: &[u8]) -> io::Result<usize> {
        retry(self.0, Interest::WRITABLE, || net().send(self.0, bytes)).await
    }

    pub(crate) async fn send_all(self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.send(bytes).await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    pub(crate) async fn recv(self, into: &mut [u8]) -> io::Result<usize> {
        retry(self.0, Interest::READABLE, || {
            net().recv(self.0, into, false)
        })
        .await
    }

    pub(crate) async fn recv_exact(self, count: usize) -> io::Result<Vec<u8>> {
        let mut all = vec![0; count];
        let mut have = 0;
        while have < count {
            match self.recv(&mut all[have..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => have += n,
            }
        }
        Ok(all)
    }

    pub(crate) async fn recv_to_end(self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut part = [0; 4096];
        loop {
            match self.recv(&mut part).await? {
                0 => return Ok(all),
                n => all.extend(&part[..n]),
            }
        }
    }

    pub(crate) fn shutdown(self, how: Shutdown) -> io::Result<()> {
        net().shutdown(self.0, how)
    }

    pub(crate) fn close(self) {
        world().close(self.0).expect("it is open");
    }
}

pub(crate) fn listen(port: u16) -> Fd {
    net()
        .tcp_listen(([0, 0, 0, 0], port).into(), BACKLOG)
        .expect("the port is free")
}

pub(crate) async fn accept(fd: Fd) -> Tcp {
    let (stream, _) = retry(fd, Interest::READABLE, || net().accept(fd))
        .await
        .expect("accept succeeds");
    Tcp(stream)
}

pub(crate) async fn recv_from(fd: Fd, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    retry(fd, Interest::READABLE, || net().recv_from(fd, into, false)).await
}

/// A connection from `from` to `to`: the client's end and the server's.
pub(crate) async fn pair(from: NodeId, to: NodeId, port: u16) -> (Tcp, Tcp) {
    let listener = on(to, async move { listen(port) }).await;
    let server = spawn_on(to, "accept", accept(listener));
    let peer = addr(to, port);
    let client = on(from, Tcp::connect(peer))
        .await
        .expect("the listener is there");
    (client, server.await.expect("accept ends"))
}

/// Echoes every connection to a port, until the node dies.
pub(crate) async fn echo(port: u16) {
    let listener = listen(port);
    loop {
        let stream = accept(listener).await;
        drop(sim_runtime::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stream.recv(&mut buffer).await {
                if stream.send_all(&buffer[..count]).await.is_err() {
                    break;
                }
            }
            stream.close();
        }));
    }
}

/// Virtual time creeps a little with each poll.
#[track_caller]
pub(crate) fn assert_about(took: Duration, expected: Duration) {
    let most = expected + Duration::from_micros(100);
    assert!(
        took >= expected && took < most,
        "took {took:?}, not {expected:?}"
    );
}

pub(crate) const fn settle_time() -> Duration {
    Duration::from_millis(10 * LATENCY.as_millis() as u64)
}

pub(crate) async fn settle() {
    time::sleep(settle_time()).await;
}

/// Waits no longer than `limit` for `future`.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut sleep = Box::pin(time::sleep(limit));
    poll_fn(|cx| {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
            return std::task::Poll::Ready(Some(output));
        }
        sleep.as_mut().poll(cx).map(|()| None)
    })
    .await
}

pub(crate) fn row(summary: &Summary, name: &str) -> LedgerRow {
    summary
        .ledger
        .iter()
        .find(|row| row.name == name)
        .expect("the fault was planned")
        .clone()
}

pub(crate) fn the_world() -> Rc<World> {
    world()
}

/// Lays effects in one direction as the nemesis does.
pub(crate) fn disturb(name: &str, effects: &[Effect], from: &[NodeId], to: &[NodeId]) -> FaultId {
    let world = world();
    let fault = world.ledger().plan(name, "fault");
    world.ledger().arm(fault, "test");
    for effect in effects {
        net().disturb(fault, *effect, from, to);
    }
    fault
}

pub(crate) fn heal(fault: FaultId) {
    net().heal(fault);
    world().ledger().heal(fault);
}
