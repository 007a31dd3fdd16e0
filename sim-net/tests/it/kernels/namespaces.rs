//! Two hosts with a cable between them: network namespaces of the real kernel, and two nodes.
//!
//! A cut is frames that go to a hardware address that nobody has. Where the kernel makes no
//! namespaces (they are for who may do everything), the simulated half alone is held against the
//! table, and a notice says so.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use sim_net::Effect;
use sim_runtime::{FaultId, NodeId, with};
use socket2::{Socket, TcpKeepalive};

use super::{Kernel, addr, recv, simulated, tcp, thread, udp_fresh};
use crate::conformance::namespace;

const CLIENT: NodeId = NodeId(1);
const SERVER: NodeId = NodeId(2);
const REFUSED: NodeId = NodeId(3);

/// What the far host is asked to do.
type Job = Box<dyn FnOnce() + Send>;

/// The two hosts, as a body on the first sees them.
enum Hosts {
    Real { far: Sender<Job> },
    Simulated { cut: FaultId },
}

type Case = (&'static str, fn(&mut Kernel, &Hosts));

/// Runs a script of a shell in the caller's namespace.
fn shell(script: &str) {
    let output = Command::new("sh").args(["-ec", script]).output();
    let output = output.expect("there is a shell");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
}

/// Waits until the kernel has activated a link of the caller's namespace. It does so in a worker
/// of its own after the other end came up, and drops what is sent before.
fn wait_for_link(link: &str) {
    shell(&format!(
        "tries=0
         until ip link show {link} | grep -q 'state UP'; do
             tries=$((tries + 1))
             test $tries -lt 1000
             sleep 0.01
         done"
    ));
}

/// Where frames to the other host go: to it, or to nobody.
fn neighbours(is_cut: bool, is_far: bool) {
    let (other, link) = match is_far {
        true => (1, "far"),
        false => (2, "near"),
    };
    let hardware = if is_cut { 9 } else { other };
    let address = format!("02:00:00:00:00:0{hardware}");
    shell(&format!(
        "ip neigh replace 10.99.0.{other} lladdr {address} dev {link} nud permanent"
    ));
}

impl Hosts {
    /// Does something on the far host.
    fn there<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self {
            Self::Real { far } => {
                let (done, result) = channel();
                let job = move || done.send(work()).expect("it is waited for");
                far.send(Box::new(job)).expect("the host is there");
                result.recv().expect("the host does it")
            }
            Self::Simulated { .. } => with(|world| world.on_node(SERVER, work)),
        }
    }

    fn far_ip(&self) -> [u8; 4] {
        match self {
            Self::Real { .. } => [10, 99, 0, 2],
            Self::Simulated { .. } => [10, 0, 0, 2],
        }
    }

    /// Where nothing answers.
    fn nowhere(&self) -> SocketAddr {
        ([10, 99, 0, 9], 80).into()
    }

    /// Where a router says that there is no way.
    fn refused(&self) -> SocketAddr {
        match self {
            Self::Real { .. } => ([10, 98, 0, 1], 80).into(),
            Self::Simulated { .. } => ([10, 0, 0, 3], 80).into(),
        }
    }

    fn listener(&self) -> Socket {
        let ip = self.far_ip();
        self.there(move || {
            let socket = tcp();
            let at = SocketAddr::from((ip, 0));
            socket.bind(&at.into()).expect("a port is free");
            socket.listen(8).expect("it is bound");
            socket
        })
    }

    fn udp(&self) -> Socket {
        let ip = self.far_ip();
        self.there(move || {
            let socket = udp_fresh();
            let at = SocketAddr::from((ip, 0));
            socket.bind(&at.into()).expect("a port is free");
            socket
        })
    }

    /// This host's end and the far one's.
    fn pair(&self) -> (Socket, Socket) {
        let there = self.listener();
        let client = tcp();
        client.connect(&addr(&there)).expect("it listens");
        let (server, _) = there.accept().expect("one is queued");
        (client, server)
    }

    /// From now on nothing passes, either way.
    fn cut(&self) {
        match self {
            Self::Real { .. } => {
                neighbours(true, false);
                self.there(|| neighbours(true, true));
            }
            Self::Simulated { cut } => {
                let both = [CLIENT, SERVER];
                net().cut(*cut, &both, &both);
            }
        }
    }

    fn heal(&self) {
        match self {
            Self::Real { .. } => {
                neighbours(false, false);
                self.there(|| neighbours(false, true));
            }
            Self::Simulated { cut } => net().heal(*cut),
        }
    }
}

fn net() -> std::rc::Rc<sim_net::Net> {
    sim_net::net().expect("there is a network")
}

fn brief() -> Option<Duration> {
    Some(Duration::from_millis(300))
}

const CASES: &[Case] = &[
    ("connect to where nothing answers", |k, hosts| {
        let client = tcp();
        k.say(client.set_tcp_user_timeout(brief()));
        k.say(client.connect(&hosts.nowhere().into()));
        k.say(client.peer_addr().map(|_| ()));
    }),
    ("connect to where a router says no", |k, hosts| {
        k.say(tcp().connect(&hosts.refused().into()));
    }),
    (
        "connect to another host where nobody listens",
        |k, hosts| {
            let there = hosts.listener();
            let at = addr(&there);
            drop(there);
            k.say(tcp().connect(&at));
        },
    ),
    ("a cut is not noticed by who sends nothing", |k, hosts| {
        let (client, server) = hosts.pair();
        hosts.cut();
        k.say(client.set_nonblocking(true));
        k.say(recv(&client, 8));
        hosts.heal();
        k.say(server.send(b"abc"));
        k.say(client.set_nonblocking(false));
        k.say(recv(&client, 8));
    }),
    ("what is sent into a cut arrives after it", |k, hosts| {
        let (client, server) = hosts.pair();
        hosts.cut();
        k.say(client.send(b"abc"));
        k.say(server.set_nonblocking(true));
        k.settle();
        k.say(recv(&server, 8));
        hosts.heal();
        k.say(server.set_nonblocking(false));
        k.say(recv(&server, 8));
    }),
    ("data that nobody acknowledges in time", |k, hosts| {
        let (client, _server) = hosts.pair();
        k.say(client.set_tcp_user_timeout(brief()));
        hosts.cut();
        k.say(client.send(b"abc"));
        k.say(recv(&client, 8));
        k.say(recv(&client, 8));
        k.say(client.send(b"x"));
        hosts.heal();
    }),
    ("a peer that is silent, and keepalive", |k, hosts| {
        let (client, _server) = hosts.pair();
        let second = Duration::from_secs(1);
        let told = TcpKeepalive::new().with_time(second).with_interval(second);
        k.say(client.set_tcp_keepalive(&told.with_retries(1)));
        hosts.cut();
        k.say(recv(&client, 8));
        k.say(client.send(b"x"));
        hosts.heal();
    }),
    (
        "an end that is sent into a cut arrives after it",
        |k, hosts| {
            let (client, server) = hosts.pair();
            hosts.cut();
            k.say(client.send(b"abc"));
            drop(client);
            hosts.heal();
            k.say(recv(&server, 8));
            k.say(recv(&server, 8));
        },
    ),
    ("full buffers before a cut", |k, hosts| {
        let (client, server) = hosts.pair();
        hosts.cut();
        k.say(client.set_nonblocking(true));
        let chunk = vec![7; 64 * 1024];
        let mut written = 0;
        let error = loop {
            match client.send(&chunk) {
                Ok(count) => written += count,
                Err(error) => break error,
            }
        };
        k.say::<()>(Err(error));
        hosts.heal();
        drop(client);
        let mut read = 0;
        while let Ok(count @ 1..) = recv(&server, 64 * 1024) {
            read += count;
        }
        k.say_that(written > 0 && read == written);
    }),
    ("a reset that a cut swallowed", |k, hosts| {
        let (client, server) = hosts.pair();
        hosts.cut();
        k.say(server.set_linger(Some(Duration::ZERO)));
        drop(server);
        k.settle();
        hosts.heal();
        k.say(client.send(b"x"));
        k.settle_far();
        k.say(client.send(b"x"));
        k.say(client.send(b"x"));
    }),
    ("datagrams into a cut", |k, hosts| {
        let there = hosts.udp();
        let client = udp_fresh();
        k.say(client.connect(&addr(&there)));
        hosts.cut();
        k.say(client.send(b"lost"));
        k.settle();
        hosts.heal();
        k.say(client.send(b"x"));
        k.say(recv(&there, 8));
        k.say(client.send(b"x"));
    }),
    ("datagrams to another host where nobody is", |k, hosts| {
        let there = hosts.udp();
        let client = udp_fresh();
        k.say(client.connect(&addr(&there)));
        drop(there);
        k.say(client.send(b"x"));
        k.say(client.set_read_timeout(Some(Duration::from_secs(5))));
        k.say(recv(&client, 8));
    }),
    ("datagrams to where a router says no", |k, hosts| {
        let client = udp_fresh();
        let there = hosts.refused().into();
        let sent = client.connect(&there).and_then(|()| {
            client.send(b"x")?;
            client.set_read_timeout(Some(Duration::from_secs(5)))?;
            recv(&client, 8)
        });
        k.say(sent);
    }),
];

/// The far host: a thread in a namespace of its own, which does what it is asked for.
fn far_host(jobs: Receiver<Job>, ready: Sender<Option<String>>) {
    let entered = namespace::enter().is_ok().then(namespace::thread_id);
    let is_there = entered.is_some();
    ready.send(entered).expect("it is waited for");
    if is_there {
        jobs.iter().for_each(|job| job());
    }
}

/// Two hosts of the real kernel, as a thread on the first has them; none where it makes none.
fn real_hosts() -> Option<(Hosts, JoinHandle<()>)> {
    let has_ip = Command::new("ip").arg("-V").output().is_ok();
    if !has_ip || namespace::enter().is_err() {
        return None;
    }
    let ((far, jobs), (ready, is_ready)) = (channel::<Job>(), channel());
    let host = thread::spawn(move || far_host(jobs, ready));
    let there = is_ready.recv().expect("the thread says so")?;
    let hosts = Hosts::Real { far };
    shell(&format!(
        "ip link set lo up
         ip link add near address 02:00:00:00:00:01 type veth \
             peer name far address 02:00:00:00:00:02 netns {there}
         ip addr add 10.99.0.1/24 dev near
         ip link set near up
         ip neigh replace 10.99.0.9 lladdr 02:00:00:00:00:09 dev near nud permanent
         ip route add unreachable 10.98.0.0/24"
    ));
    hosts.there(|| {
        shell("ip addr add 10.99.0.2/24 dev far; ip link set lo up; ip link set far up");
        wait_for_link("far");
        neighbours(false, true);
    });
    wait_for_link("near");
    neighbours(false, false);
    Some((hosts, host))
}

/// What a body says between hosts of the real kernel.
fn real(body: fn(&mut Kernel, &Hosts), patience: Duration) -> Option<Vec<String>> {
    let said = thread::spawn(move || {
        let (hosts, host) = real_hosts()?;
        let said = super::real(patience, |k| body(k, &hosts));
        drop(hosts);
        host.join().expect("the far host does not panic");
        Some(said)
    });
    said.join().expect("the body does not panic")
}

fn between_nodes(name: &'static str, body: fn(&mut Kernel, &Hosts)) -> Vec<String> {
    let said = thread::spawn(move || {
        simulated(name, move |k| {
            let [cut, refuses] = ["cut", "reject"].map(|name| {
                with(|world| {
                    let fault = world.ledger().plan(name, "fault");
                    world.ledger().arm(fault, "test");
                    fault
                })
            });
            net().disturb(refuses, Effect::Reject, &[CLIENT], &[REFUSED]);
            body(k, &Hosts::Simulated { cut });
        })
    });
    said.join().expect("no panic")
}

/// The part of the table that is about two hosts.
pub(super) fn table() -> String {
    let mut table = String::from(
        "\n# Between two hosts\n\n\
         Network namespaces of the real kernel, nodes of the simulated one.\n\n\
         | case | both say |\n|---|---|\n",
    );
    let reals: Vec<_> = CASES
        .iter()
        .map(|(_, body)| thread::spawn(|| real(*body, Duration::ZERO)))
        .collect();
    let mut unequal = Vec::new();
    for ((name, body), asked) in CASES.iter().zip(reals) {
        let simulated = between_nodes(name, *body);
        let mut first = asked.join().expect("no panic");
        let expected = Some(simulated.clone());
        let said = super::expecting(&expected, |patience| match first.take() {
            Some(said) => Some(said),
            None => real(*body, patience),
        });
        match said {
            None => {
                eprintln!("{name}: no network namespaces here, so the real kernel is not asked")
            }
            Some(real) if real != simulated => unequal.push((name, real, simulated.clone())),
            Some(_) => {}
        }
        table.push_str(&format!("| {name} | {} |\n", simulated.join(", ")));
    }
    assert!(unequal.is_empty(), "real, then simulated: {unequal:#?}");
    table
}
