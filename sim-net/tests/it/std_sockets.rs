//! std's own sockets in threads of guests: the same calls as outside, blocking in virtual time.
#![expect(
    clippy::disallowed_methods,
    reason = "a guest makes threads as it likes"
)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::Duration;

use sim_net::{Net, NetConfig};
use sim_runtime::{Config, NodeId, Seed, Simulation, time, with};

const MS: Duration = Duration::from_millis(1);
const SERVER: [u8; 4] = [10, 0, 0, 1];

/// Runs a server and a client on threads of two nodes; gives back what the client said, and the
/// digest.
fn between<R: Send + 'static>(
    seed: u64,
    server: impl FnOnce() + Send + 'static,
    client: impl FnOnce() -> R + Send + 'static,
) -> (R, String) {
    thread::spawn(move || {
        let simulation = Simulation::new(Config::new(Seed(seed)));
        let world = std::rc::Rc::clone(simulation.world());
        let net = Net::install(&world, NetConfig::default());
        let nodes: Vec<NodeId> = [("server", SERVER), ("client", [10, 0, 0, 2])]
            .into_iter()
            .map(|(name, ip)| {
                let node = world.create_node(name, IpAddr::from(ip));
                let main = || Box::pin(std::future::pending()) as _;
                world.start_node(node, std::rc::Rc::new(main));
                node
            })
            .collect();
        drop(net);
        let ended = simulation.block_on(async move {
            let serving = with(|world| world.on_node(nodes[0], || thread::spawn(server)));
            let asking = with(|world| world.on_node(nodes[1], || thread::spawn(client)));
            while !(asking.is_finished() && serving.is_finished()) {
                time::sleep(MS).await;
            }
            serving.join().expect("the server does not panic");
            asking.join().expect("the client does not panic")
        });
        let output = ended.expect("it ends");
        (output, simulation.finish().digest.to_string())
    })
    .join()
    .expect("no panic")
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((SERVER, port))
}

fn echo() {
    let listener = TcpListener::bind("0.0.0.0:80").unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    stream.write_all(&bytes).unwrap();
}

/// Connects as soon as somebody listens.
fn connect(port: u16) -> TcpStream {
    loop {
        match TcpStream::connect(at(port)) {
            Ok(stream) => return stream,
            Err(refused) => assert_eq!(refused.kind(), ErrorKind::ConnectionRefused),
        }
        thread::sleep(MS);
    }
}

#[test]
fn a_megabyte_goes_there_and_back_through_blocking_streams() {
    let run = || {
        between(1, echo, || {
            let mut stream = connect(80);
            let peer = stream.peer_addr().unwrap();
            let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n / 7) as u8).collect();
            let mut writer = stream.try_clone().unwrap();
            let copy = sent.clone();
            let writing = thread::spawn(move || {
                writer.write_all(&copy).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            writing.join().unwrap();
            (got == sent, peer, stream.local_addr().unwrap().ip())
        })
    };
    let first = run();
    assert_eq!(first.0, (true, at(80), IpAddr::from([10, 0, 0, 2])));
    assert_eq!(first, run(), "the digests are equal as well");
}

#[test]
fn limits_of_reading_and_of_connecting_are_kept_in_virtual_time() {
    let silent = || {
        let listener = TcpListener::bind("0.0.0.0:80").unwrap();
        let (stream, _) = listener.accept().unwrap();
        thread::sleep(Duration::from_secs(5));
        drop(stream);
    };
    let (seen, _) = between(2, silent, || {
        let mut stream = connect(80);
        stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        assert_eq!(stream.read_timeout().unwrap(), Some(Duration::from_secs(2)));
        let start = time::now();
        let kind = stream.read(&mut [0; 8]).unwrap_err().kind();
        let waited = (time::now() - start).as_secs();
        stream.set_nonblocking(true).unwrap();
        let at_once = stream.read(&mut [0; 8]).unwrap_err().kind();
        // Nobody has this address: nothing answers.
        let nowhere = SocketAddr::from(([10, 9, 9, 9], 80));
        let start = time::now();
        let limit = Duration::from_secs(3);
        let connected = TcpStream::connect_timeout(&nowhere, limit).unwrap_err();
        let gave_up = (time::now() - start).as_secs();
        (kind, waited, at_once, connected.kind(), gave_up)
    });
    assert_eq!(
        seen,
        (
            ErrorKind::WouldBlock,
            2,
            ErrorKind::WouldBlock,
            ErrorKind::TimedOut,
            3
        )
    );
}

#[test]
fn options_are_remembered_and_errors_are_the_kernels() {
    let (seen, _) = between(
        3,
        || (),
        || {
            let listener = TcpListener::bind("0.0.0.0:80").unwrap();
            let again = TcpListener::bind("0.0.0.0:80").unwrap_err().kind();
            let elsewhere = TcpListener::bind(at(81)).unwrap_err().kind();
            listener.set_nonblocking(true).unwrap();
            let empty = listener.accept().unwrap_err().kind();
            let mut stream = TcpStream::connect(("client", 80)).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_ttl(9).unwrap();
            let refused = TcpStream::connect(at(9)).unwrap_err().kind();
            drop(listener);
            thread::sleep(Duration::from_secs(1));
            let ended = stream.read(&mut [0; 1]).map_err(|e| e.kind());
            let options = (stream.nodelay().unwrap(), stream.ttl().unwrap());
            (again, elsewhere, empty, options, refused, ended)
        },
    );
    assert_eq!(
        seen,
        (
            ErrorKind::AddrInUse,
            ErrorKind::AddrNotAvailable,
            ErrorKind::WouldBlock,
            (true, 9),
            ErrorKind::ConnectionRefused,
            Err(ErrorKind::ConnectionReset),
        )
    );
}

#[test]
fn names_are_those_of_the_simulation() {
    let look =
        |host: &str| -> io::Result<Vec<SocketAddr>> { Ok((host, 80).to_socket_addrs()?.collect()) };
    let (seen, _) = between(
        4,
        || (),
        move || {
            let unknown = look("example.com").is_err();
            (look("server").unwrap(), look("localhost").unwrap(), unknown)
        },
    );
    let here = SocketAddr::from(([127, 0, 0, 1], 80));
    assert_eq!(seen, (vec![at(80)], vec![here], true));
}

#[test]
fn datagrams_go_between_blocking_sockets() {
    let answer = || {
        let socket = UdpSocket::bind("0.0.0.0:53").unwrap();
        let mut bytes = [0; 64];
        let (count, from) = socket.recv_from(&mut bytes).unwrap();
        bytes[..count].reverse();
        socket.send_to(&bytes[..count], from).unwrap();
    };
    let (seen, _) = between(5, answer, || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect(at(53)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        thread::sleep(MS);
        socket.send(b"abc").unwrap();
        let mut bytes = [0; 2];
        let peeked = socket.peek(&mut bytes).unwrap();
        let count = socket.recv(&mut bytes).unwrap();
        let none = socket.recv(&mut bytes).unwrap_err().kind();
        (peeked, count, bytes, none)
    });
    assert_eq!(seen, (2, 2, *b"cb", ErrorKind::WouldBlock));
}

/// As between two nodes, but on a pool for blocking calls, which are tasks of a runtime.
#[test]
fn blocking_sockets_of_std_run_in_a_pool_beside_tasks_that_do_not_block() {
    let run = || {
        let simulation = Simulation::new(Config::new(Seed(6)));
        let world = std::rc::Rc::clone(simulation.world());
        drop(Net::install(&world, NetConfig::default()));
        let nodes = [("server", SERVER), ("client", [10, 0, 0, 2])].map(|(name, ip)| {
            let node = world.create_node(name, IpAddr::from(ip));
            let main = || Box::pin(std::future::pending()) as _;
            world.start_node(node, std::rc::Rc::new(main));
            node
        });
        drop(world);
        let ended = simulation.block_on(async move {
            let serves = sim_runtime::fiber::spawn_blocking(nodes[0], || {
                let socket = UdpSocket::bind("0.0.0.0:53").unwrap();
                echo();
                let mut bytes = [0; 8];
                let (count, from) = socket.recv_from(&mut bytes).unwrap();
                socket.send_to(&bytes[..count], from).unwrap();
            });
            let asks = sim_runtime::fiber::spawn_blocking(nodes[1], || {
                let mut stream = connect(80);
                stream.write_all(&[7; 100_000]).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut all = Vec::new();
                stream.read_to_end(&mut all).unwrap();
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                socket.send_to(b"abc", at(53)).unwrap();
                let mut bytes = [0; 8];
                let (count, from) = socket.recv_from(&mut bytes).unwrap();
                (all.len(), count, from)
            });
            let mut ticks = 0;
            while !asks.is_finished() {
                time::sleep(MS / 10).await;
                ticks += 1;
            }
            serves.await.expect("the server does not panic");
            (asks.await.expect("the client does not panic"), ticks)
        });
        let output = ended.expect("it ends");
        (output, simulation.finish().digest.to_string())
    };
    let first = run();
    let ((seen, ticks), _) = &first;
    assert_eq!(*seen, (100_000, 3, at(53)));
    assert!(*ticks > 10, "others run meanwhile: {ticks} ticks");
    assert_eq!(first, run(), "the digests are equal as well");
}

#[test]
fn sockets_outside_a_simulation_are_the_machines() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"hello").unwrap();
    let mut bytes = [0; 5];
    server.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
    assert!(
        ("localhost", 80)
            .to_socket_addrs()
            .unwrap()
            .next()
            .is_some()
    );
}
