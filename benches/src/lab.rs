//! The simulation around each operation.

use std::future::{Future, pending};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use sim_disk::{Disk, DiskConfig};
use sim_net::{Net, NetConfig};
use sim_runtime::{Budget, Config, NodeId, Seed, Simulation, Summary, spawn_on, world};
use sim_tokio::net::{TcpListener, TcpStream, UdpSocket};

/// How many tasks share the work of an executor's operation.
pub(crate) const TASKS: u64 = 100;

/// The clients' node.
pub(crate) const CLIENT: NodeId = NodeId(1);
/// The server's node.
pub(crate) const SERVER: NodeId = NodeId(2);
/// Where the server listens.
pub(crate) const SERVICE: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, 2)), 7);

/// How often each task does its part.
///
/// # Panics
/// When `count` cannot be shared out evenly: it would be another count that is measured.
pub(crate) const fn rounds(count: u64) -> u64 {
    assert!(
        count.is_multiple_of(TASKS),
        "a count is a multiple of the number of tasks"
    );
    count / TASKS
}

/// How long a task sleeps: 1 to 2 ms, differently each time, at no cost worth counting.
pub(crate) const fn nap(task: u64, round: u64) -> Duration {
    Duration::from_nanos(1_000_000 + (task * 104_729 + round * 7_919) % 1_000_000)
}

/// A simulation's configuration without limits.
pub(crate) fn config() -> Config {
    Config {
        budget: Budget {
            polls_max: u64::MAX,
            virtual_ns_max: u64::MAX,
            events_max: u64::MAX,
            polls_without_timer_max: u64::MAX,
        },
        ..Config::new(Seed(1))
    }
}

fn complete(simulation: Simulation, operation: impl Future<Output = ()> + 'static) -> Summary {
    simulation
        .block_on(operation)
        .expect("an operation comes to its end");
    let summary = simulation.finish();
    assert!(summary.panics.is_empty(), "{:?}", summary.panics);
    summary
}

/// Runs `operation` in a world without a network.
pub(crate) fn run(operation: impl Future<Output = ()> + 'static) -> Summary {
    complete(Simulation::new(config()), operation)
}

/// Runs `operation` in a world of two nodes and a network as it is by default: latencies are
/// drawn, and one read or write in 16 moves less than it could.
pub(crate) fn run_networked(operation: impl Future<Output = ()> + 'static) -> Summary {
    let simulation = Simulation::new(config());
    let world = Rc::clone(simulation.world());
    Net::install(&world, NetConfig::default());
    for (name, node, ip) in [
        ("client", CLIENT, IpAddr::from([10, 1, 0, 1])),
        ("server", SERVER, SERVICE.ip()),
    ] {
        assert_eq!(
            world.create_node(name, ip),
            node,
            "nodes are numbered from 1"
        );
        world.start_node(node, Rc::new(|| Box::pin(pending())));
    }
    drop(world);
    complete(simulation, operation)
}

/// Runs `operation` on a node of a world with disks as they are by default: no call takes time.
pub(crate) fn run_stored(operation: impl Future<Output = ()> + 'static) -> Summary {
    let simulation = Simulation::new(config());
    let world = Rc::clone(simulation.world());
    drop(Disk::install(&world, DiskConfig::default()));
    let node = world.create_node("client", IpAddr::from([10, 1, 0, 1]));
    world.start_node(node, Rc::new(|| Box::pin(pending())));
    drop(world);
    complete(simulation, async move {
        let done = spawn_on(node, "client", operation).await;
        done.expect("it does not panic");
    })
}

/// Starts nodes that each have a listener and have been connected to by another once; done when
/// all are idle.
///
/// # Panics
/// When one cannot be reached.
pub(crate) async fn idle_nodes(count: u8) {
    let address = |number: u8| SocketAddr::new(IpAddr::from([10, 2, 0, number]), 7);
    for number in 0..count {
        let name = format!("idle{number}");
        let node = world().create_node(&name, address(number).ip());
        world().start_node(
            node,
            Rc::new(move || {
                Box::pin(async move {
                    let listener = TcpListener::bind(address(number)).await;
                    let listener = listener.expect("a free port");
                    loop {
                        drop(listener.accept().await.expect("a connection"));
                    }
                })
            }),
        );
    }
    sim_runtime::time::sleep(Duration::from_secs(1)).await;
    for from in 0..count {
        for to in 0..count {
            let node = world().node_by_ip(address(from).ip()).expect("it was made");
            let connected = spawn_on(node, "once", async move {
                drop(TcpStream::connect(address(to)).await.expect("a listener"));
            });
            connected.await.expect("it does not panic");
        }
    }
}

/// Starts nodes, each of which sends the server's node one datagram: there are links then, both
/// ways, since nobody is bound to the port.
///
/// # Panics
/// When one cannot send.
pub(crate) async fn acquaint(count: u16) {
    for number in 0..count {
        let [high, low] = number.to_be_bytes();
        let ip = IpAddr::from([10, 4, high, low]);
        let node = world().create_node(&format!("other{number}"), ip);
        world().start_node(node, Rc::new(|| Box::pin(pending())));
        let said = spawn_on(node, "hello", async move {
            let socket = UdpSocket::bind((ip, 7)).await.expect("a free port");
            socket.send_to(&[7; 64], SERVICE).await.expect("it is sent");
        });
        said.await.expect("it does not panic");
    }
}
