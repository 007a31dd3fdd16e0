//! A server whose process is killed: `kill -9` of a real process that holds the sockets, and the
//! nemesis's kill of a node.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use sim_runtime::{Down, NodeId, with};
use socket2::{SockAddr, Socket};

use super::{Case, Kernel, addr, listener, recv, tcp, thread, udp, udp_fresh};

const SERVER: NodeId = NodeId(2);

/// A server in a process of its own.
struct Victim {
    at: SockAddr,
    /// What the process is given, where it is a real one.
    holds: Vec<Socket>,
    accepts: bool,
}

impl Victim {
    /// Listens; accepts what comes, or leaves it in the queue.
    fn listens(k: &Kernel, accepts: bool) -> Self {
        if !k.simulated {
            let there = listener(8);
            let (at, holds) = (addr(&there), vec![there]);
            return Self { at, holds, accepts };
        }
        Self::simulated(k, 80, move || {
            let there = tcp();
            there.bind(&any(80)).expect("the port is free");
            there.listen(8).expect("it is bound");
            let mut accepted = Vec::new();
            if !accepts {
                return thread::park();
            }
            loop {
                accepted.push(there.accept().expect("somebody comes"));
            }
        })
    }

    /// Has a datagram socket.
    fn hears(k: &Kernel) -> Self {
        if !k.simulated {
            let there = udp();
            let (at, holds) = (addr(&there), vec![there]);
            return Self {
                at,
                holds,
                accepts: false,
            };
        }
        Self::simulated(k, 53, || {
            let there = udp_fresh();
            there.bind(&any(53)).expect("the port is free");
            thread::park();
        })
    }

    fn simulated(k: &Kernel, port: u16, serve: impl FnOnce() + Send + 'static) -> Self {
        with(|world| world.on_node(SERVER, || drop(thread::spawn(serve))));
        k.settle();
        let at = std::net::SocketAddr::from(([10, 0, 0, 2], port)).into();
        Self {
            at,
            holds: Vec::new(),
            accepts: false,
        }
    }

    /// Kills the process that has all its sockets.
    fn dies(mut self, k: &Kernel) {
        k.settle();
        if k.simulated {
            assert!(with(|world| world.kill_node(SERVER, Down::Kill)));
            return k.settle();
        }
        if self.accepts {
            let (server, _) = self.holds[0].accept().expect("one is queued");
            self.holds.push(server);
        }
        let mut given = self
            .holds
            .into_iter()
            .map(|socket| OwnedFd::from(socket).into());
        let mut give = || given.next().unwrap_or_else(Stdio::null);
        let mut process = Command::new("sleep");
        process.arg("600").stdin(give()).stdout(give());
        let mut child = process.spawn().expect("it is installed");
        // The command holds the sockets as long as it is there.
        drop(process);
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
        k.settle();
    }
}

fn any(port: u16) -> SockAddr {
    std::net::SocketAddr::from(([0, 0, 0, 0], port)).into()
}

pub(super) const CASES: &[Case] = &[
    ("connect to a process that was killed", |k| {
        let there = Victim::listens(k, false);
        let at = there.at.clone();
        there.dies(k);
        k.say(tcp().connect(&at));
    }),
    ("the process at the other end is killed", |k| {
        let there = Victim::listens(k, true);
        let client = tcp();
        k.say(client.connect(&there.at));
        there.dies(k);
        k.say(recv(&client, 8));
        k.say(recv(&client, 8));
        k.say(client.send(b"x"));
        k.settle();
        k.say(client.send(b"x"));
        k.say(recv(&client, 8));
    }),
    ("a process is killed that has not read everything", |k| {
        let there = Victim::listens(k, true);
        let client = tcp();
        k.say(client.connect(&there.at));
        k.say(client.send(b"never read"));
        there.dies(k);
        k.say(recv(&client, 8));
        k.say(recv(&client, 8));
        k.say(client.send(b"x"));
    }),
    ("a process is killed that has not accepted yet", |k| {
        let there = Victim::listens(k, false);
        let client = tcp();
        k.say(client.connect(&there.at));
        there.dies(k);
        k.say(recv(&client, 8));
        k.say(client.send(b"x"));
    }),
    ("a process is killed whose client has no room left", |k| {
        let there = Victim::listens(k, true);
        let client = tcp();
        k.say(client.connect(&there.at));
        k.say(client.set_nonblocking(true));
        let chunk = vec![7; 64 * 1024];
        while client.send(&chunk).is_ok() {}
        there.dies(k);
        k.say(client.send(b"x"));
        k.say(client.send(b"x"));
    }),
    (
        "half of a connection is closed, and the process killed",
        |k| {
            let there = Victim::listens(k, true);
            let client = tcp();
            k.say(client.connect(&there.at));
            k.say(client.shutdown(std::net::Shutdown::Write));
            there.dies(k);
            k.say(recv(&client, 8));
            k.say(client.peer_addr().map(|_| ()));
        },
    ),
    ("datagrams to a process that was killed", |k| {
        let there = Victim::hears(k);
        let client = udp_fresh();
        k.say(client.connect(&there.at));
        k.say(client.send(b"heard"));
        there.dies(k);
        k.say(client.send(b"x"));
        k.settle();
        k.say(client.send(b"x"));
        k.say(client.send(b"x"));
    }),
];
