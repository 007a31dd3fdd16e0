//! The same code over `socket2` on the real kernel's loopback and on the simulation's, call by
//! call, and the table of what both said: `testdata/conformance.md`.
//!
//! A body can't tell where it runs, but for how it lets packets arrive. What it says must be
//! equal, unless its difference is listed with the reason.
#![expect(
    clippy::disallowed_methods,
    reason = "a guest makes threads as it likes"
)]

use std::fmt::Debug;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use expect_test::expect_file;
use sim_net::{Chance, Net, NetConfig};
use sim_runtime::{Config, Seed, Simulation, time, with};
use socket2::{Domain, SockAddr, Socket, Type};

mod datagrams;
mod differences;
mod killed;
mod namespaces;
mod odd;
mod options;
mod streams;
mod unix;

/// Where a body runs, and what it has said so far.
struct Kernel {
    simulated: bool,
    /// How long the real kernel is given, beyond its turns, for what it does in threads of its
    /// own.
    patience: Duration,
    said: Vec<String>,
}

/// A body: its name, and what it does.
type Case = (&'static str, fn(&mut Kernel));

impl Kernel {
    /// Lets what is in flight arrive. Loopback is synchronous on Linux, up to the last softirq.
    fn settle(&self) {
        if self.simulated {
            // Longer than any packet takes, and shorter than any time-out.
            thread::sleep(Duration::from_millis(50));
        } else {
            (0..64).for_each(|_| thread::yield_now());
            if !self.patience.is_zero() {
                thread::sleep(self.patience);
            }
        }
    }

    /// Lets what went to another host be answered.
    fn settle_far(&self) {
        self.settle();
        if !self.simulated {
            (0..2_000).for_each(|_| thread::yield_now());
        }
    }

    /// Takes down what a call answered.
    fn say<T: Debug>(&mut self, result: io::Result<T>) {
        self.said.push(match result {
            Ok(value) => format!("{value:?}"),
            Err(error) => errno(error.raw_os_error().unwrap_or(0)),
        });
    }

    fn say_that(&mut self, fact: bool) {
        self.said.push(fact.to_string());
    }
}

fn errno(code: i32) -> String {
    const NAMES: &[(i32, &str)] = &[
        (libc::EPIPE, "EPIPE"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::EINVAL, "EINVAL"),
        (libc::EADDRINUSE, "EADDRINUSE"),
        (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
        (libc::ECONNREFUSED, "ECONNREFUSED"),
        (libc::ECONNRESET, "ECONNRESET"),
        (libc::ENOTCONN, "ENOTCONN"),
        (libc::EISCONN, "EISCONN"),
        (libc::ECONNABORTED, "ECONNABORTED"),
        (libc::EALREADY, "EALREADY"),
        (libc::EINPROGRESS, "EINPROGRESS"),
        (libc::EDESTADDRREQ, "EDESTADDRREQ"),
        (libc::EMSGSIZE, "EMSGSIZE"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (libc::ENOTSOCK, "ENOTSOCK"),
        (libc::ENOENT, "ENOENT"),
        (libc::EPERM, "EPERM"),
        (libc::EPROTOTYPE, "EPROTOTYPE"),
        (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
        (libc::EBADF, "EBADF"),
        (libc::EPROTONOSUPPORT, "EPROTONOSUPPORT"),
        (libc::ETIMEDOUT, "ETIMEDOUT"),
        (libc::EHOSTUNREACH, "EHOSTUNREACH"),
        (libc::ENETUNREACH, "ENETUNREACH"),
    ];
    let name = NAMES.iter().find(|(number, _)| *number == code);
    name.map_or_else(|| format!("errno {code}"), |(_, name)| (*name).to_owned())
}

fn local(port: u16) -> SockAddr {
    SocketAddr::from(([127, 0, 0, 1], port)).into()
}

fn tcp() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor")
}

fn udp_fresh() -> Socket {
    Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a descriptor")
}

fn udp() -> Socket {
    let udp = udp_fresh();
    udp.bind(&local(0)).expect("a port is free");
    udp
}

fn addr(socket: &Socket) -> SockAddr {
    socket.local_addr().expect("it is bound")
}

fn listener(backlog: i32) -> Socket {
    let listener = tcp();
    listener.bind(&local(0)).expect("a port is free");
    listener.listen(backlog).expect("it is bound");
    listener
}

/// The client's end and the server's.
fn pair() -> (Socket, Socket) {
    let listener = listener(8);
    let client = tcp();
    client.connect(&addr(&listener)).expect("it listens");
    let (server, _) = listener.accept().expect("one is queued");
    (client, server)
}

fn recv(socket: &Socket, most: usize) -> io::Result<usize> {
    socket.recv(&mut vec![MaybeUninit::uninit(); most])
}

fn peek(socket: &Socket, most: usize) -> io::Result<usize> {
    socket.peek(&mut vec![MaybeUninit::uninit(); most])
}

fn real(patience: Duration, body: impl FnOnce(&mut Kernel)) -> Vec<String> {
    let mut kernel = Kernel {
        simulated: false,
        patience,
        said: Vec::new(),
    };
    body(&mut kernel);
    kernel.said
}

fn simulated(name: &str, body: impl FnOnce(&mut Kernel) + Send + 'static) -> Vec<String> {
    let mut config = Config::new(Seed(1));
    // A body that waits for ever is to say so soon.
    config.budget.virtual_ns_max = 300 * 1_000_000_000;
    config.budget.polls_max = 400_000;
    let simulation = Simulation::new(config);
    let world = Rc::clone(simulation.world());
    let config = NetConfig {
        partial_io: Chance::NEVER,
        ..NetConfig::default()
    };
    drop(Net::install(&world, config));
    let [node, ..] = ["a", "b", "c"].map(|name| {
        let host = name.as_bytes()[0] - b'`';
        let node = world.create_node(name, IpAddr::from([10, 0, 0, host]));
        let main = || Box::pin(std::future::pending()) as _;
        world.start_node(node, Rc::new(main));
        node
    });
    drop(world);
    let said = simulation.block_on(async move {
        let guest = move || {
            let mut kernel = Kernel {
                simulated: true,
                patience: Duration::ZERO,
                said: Vec::new(),
            };
            body(&mut kernel);
            kernel.said
        };
        let guest = with(|world| world.on_node(node, || thread::spawn(guest)));
        while !guest.is_finished() {
            time::sleep(Duration::from_millis(1)).await;
        }
        guest.join().expect("the body does not panic")
    });
    let said = said.unwrap_or_else(|stop| panic!("{name}: {stop:?}"));
    drop(simulation.finish());
    said
}

/// What a body says on both kernels, each in a thread of its own.
fn both(name: &'static str, body: fn(&mut Kernel)) -> (Vec<String>, Vec<String>) {
    let simulated = thread::spawn(move || simulated(name, body));
    let simulated = simulated.join().expect("no panic");
    let said = expecting(&simulated, |patience| real(patience, body));
    (said, simulated)
}

/// What the real kernel says: asked again with more patience for as long as it is not what is
/// expected, since on a busy machine it may finish a packet only after the next call. A true
/// difference stays one.
fn expecting<T: PartialEq>(expected: &T, mut ask: impl FnMut(Duration) -> T) -> T {
    let patience = [0, 1, 20, 300].map(Duration::from_millis);
    let mut asked = patience.into_iter().map(&mut ask);
    let is_equal = |said: &T| said == expected;
    let first = asked.next().expect("it is asked");
    if is_equal(&first) {
        return first;
    }
    asked.find(is_equal).unwrap_or(first)
}

#[test]
fn both_kernels_say_the_same_and_the_table_says_what() {
    let mut table = String::from(
        "# What the real kernel and the simulated one say\n\n\
         Made by `sim-net/tests/it/kernels.rs`; `UPDATE_EXPECT=1` makes it again.\n\n\
         | case | both say |\n|---|---|\n",
    );
    let cases = streams::CASES.iter();
    let cases = cases.chain(options::BUFFERS).chain(options::SHARING);
    let cases = cases.chain(options::SILENCE).chain(killed::CASES);
    let cases = cases.chain(odd::CASES);
    let cases = cases.chain(datagrams::CASES).chain(unix::CASES);
    let mut count = 0;
    let mut unequal = Vec::new();
    for (name, body) in cases {
        let (real, simulated) = both(name, *body);
        assert!(!real.is_empty(), "{name} says nothing");
        if real != simulated {
            unequal.push((name, real.clone(), simulated));
        }
        table.push_str(&format!("| {name} | {} |\n", real.join(", ")));
        count += 1;
    }
    assert!(unequal.is_empty(), "real, then simulated: {unequal:#?}");
    assert!(count >= 60, "{count} cases");
    table.push_str(&namespaces::table());
    table.push_str(
        "\n# Where they differ, and why\n\n\
         | case | real | simulated | because |\n|---|---|---|---|\n",
    );
    for (name, body, why) in differences::CASES {
        let (real, simulated) = both(name, *body);
        assert_ne!(real, simulated, "{name} differs no more: list it as equal");
        let (real, simulated) = (real.join(", "), simulated.join(", "));
        table.push_str(&format!("| {name} | {real} | {simulated} | {why} |\n"));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/conformance.md");
    expect_file![path].assert_eq(&table);
}
