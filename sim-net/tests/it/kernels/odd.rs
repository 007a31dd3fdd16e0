//! Sockets used as hardly anybody means to: ends in odd orders, sockets after failures, the same
//! addresses twice, many ports.

use std::net::{Ipv6Addr, Shutdown, SocketAddr};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::{Case, Kernel, addr, listener, local, pair, peek, recv, tcp};

fn reset(socket: Socket) {
    socket.set_linger(Some(Duration::ZERO)).expect("a time");
    drop(socket);
}

/// A socket that is bound to a port and lets others be so, too.
fn reusing(k: &mut Kernel, port: &SockAddr) -> Socket {
    let socket = tcp();
    socket.set_reuse_address(true).expect("a flag");
    k.say(socket.bind(port));
    socket
}

fn port_of(at: &SockAddr) -> u16 {
    at.as_socket().expect("an internet address").port()
}

pub(super) const CASES: &[Case] = &[
    ("sent and received after a refusal", |k| {
        let socket = tcp();
        k.say(socket.connect(&local(1)));
        k.say(socket.send(b"x"));
        k.say(recv(&socket, 1));
        k.say(socket.shutdown(Shutdown::Both));
        k.say(socket.take_error().map(|error| error.is_some()));
    }),
    ("asked after SO_ERROR has told of a refusal", |k| {
        let (socket, there) = (tcp(), listener(1));
        k.say(socket.set_nonblocking(true));
        k.say(socket.connect(&local(1)));
        k.settle();
        k.say(recv(&socket, 1));
        k.say(socket.take_error().map(|error| error.is_some()));
        k.say(recv(&socket, 1));
        k.say(socket.send(b"x"));
        k.say(socket.connect(&local(1)));
        k.say(recv(&socket, 1));
        k.say(socket.connect(&addr(&there)));
        k.settle();
        k.say(socket.connect(&addr(&there)));
    }),
    ("asked again without SO_ERROR, after a refusal", |k| {
        let socket = tcp();
        k.say(socket.set_nonblocking(true));
        k.say(socket.connect(&local(1)));
        k.settle();
        k.say(socket.connect(&local(1)));
        k.say(socket.take_error().map(|error| error.is_some()));
    }),
    ("listen after a refusal", |k| {
        let socket = tcp();
        k.say(socket.connect(&local(1)));
        k.say(socket.listen(1));
        let client = tcp();
        k.say(client.connect(&addr(&socket)));
    }),
    ("half is closed, and the rest reset", |k| {
        let (client, server) = pair();
        k.say(client.shutdown(Shutdown::Write));
        k.settle();
        k.say(recv(&server, 1));
        reset(client);
        k.settle();
        k.say(server.send(b"x"));
        k.say(server.send(b"x"));
        k.say(recv(&server, 1));
    }),
    ("a reset after the other's end", |k| {
        let (client, server) = pair();
        let port = addr(&server);
        drop(server);
        k.settle();
        reset(client);
        k.settle();
        k.say(tcp().bind(&port));
    }),
    ("both end, and one of them resets", |k| {
        let (client, server) = pair();
        k.say(client.shutdown(Shutdown::Write));
        k.say(server.shutdown(Shutdown::Write));
        k.settle();
        k.say(recv(&client, 1));
        reset(client);
        k.settle();
        k.say(recv(&server, 1));
        k.say(server.send(b"x"));
        k.say(server.take_error().map(|error| error.is_some()));
    }),
    (
        "reading is shut down, and then closed with unread bytes",
        |k| {
            let (client, server) = pair();
            k.say(client.send(b"unread"));
            k.settle();
            k.say(server.shutdown(Shutdown::Read));
            drop(server);
            k.settle();
            k.say(recv(&client, 1));
            k.say(recv(&client, 1));
        },
    ),
    ("bytes for who has shut reading down and closes", |k| {
        let (client, server) = pair();
        k.say(server.shutdown(Shutdown::Read));
        k.say(client.send(b"late"));
        k.settle();
        drop(server);
        k.settle();
        k.say(recv(&client, 1));
    }),
    ("nothing is sent to who has closed", |k| {
        let (client, server) = pair();
        drop(server);
        k.settle();
        k.say(client.send(b""));
        k.say(client.send(b"x"));
        k.settle();
        k.say(client.send(b""));
        k.say(recv(&client, 0));
        k.say(recv(&client, 1));
    }),
    ("peek at a reset", |k| {
        let (client, server) = pair();
        k.say(server.send(b"abc"));
        k.settle();
        reset(server);
        k.settle();
        k.say(peek(&client, 8));
        k.say(recv(&client, 8));
        k.say(peek(&client, 8));
        k.say(peek(&client, 8));
    }),
    ("an end before it is accepted", |k| {
        let there = listener(8);
        let client = tcp();
        k.say(client.connect(&addr(&there)));
        k.say(client.shutdown(Shutdown::Write));
        k.settle();
        let (server, _) = there.accept().expect("one is queued");
        k.say(recv(&server, 1));
        k.say(server.send(b"still"));
        k.settle();
        k.say(recv(&client, 8));
    }),
    ("what was reset before it is accepted", |k| {
        let there = listener(8);
        let client = tcp();
        k.say(client.connect(&addr(&there)));
        k.say(client.send(b"abc"));
        k.settle();
        reset(client);
        k.settle();
        let (server, _) = there.accept().expect("it is still queued");
        k.say(server.peer_addr().map(|_| ()));
        k.say(recv(&server, 8));
        k.say(recv(&server, 8));
        k.say(server.send(b"x"));
    }),
    ("a full queue, and all of it reset", |k| {
        let there = listener(1);
        for _ in 0..2 {
            let client = tcp();
            k.say(client.connect(&addr(&there)));
            reset(client);
        }
        k.settle();
        let late = tcp();
        k.say(late.set_nonblocking(true));
        k.say(late.connect(&addr(&there)));
        k.settle();
        k.say(late.peer_addr().map(|_| ()));
    }),
    ("the same two addresses twice", |k| {
        let there = listener(8);
        let first = reusing(k, &local(0));
        k.say(first.connect(&addr(&there)));
        let port = addr(&first);
        let second = reusing(k, &port);
        k.say(second.connect(&addr(&there)));
        k.say(second.peer_addr().map(|_| ()));
    }),
    ("one port, and two to talk to", |k| {
        let (one, other) = (listener(8), listener(8));
        let first = reusing(k, &local(0));
        k.say(first.connect(&addr(&one)));
        let port = addr(&first);
        let second = reusing(k, &port);
        k.say(second.connect(&addr(&other)));
        k.say_that(port_of(&addr(&second)) == port_of(&port));
        k.say(second.send(b"abc"));
        let (server, from) = other.accept().expect("one is queued");
        k.say_that(port_of(&from) == port_of(&port));
        k.settle();
        k.say(recv(&server, 8));
    }),
    ("two thousand connections from two thousand ports", |k| {
        let there = listener(4_096);
        let mut clients = Vec::new();
        let mut ports = std::collections::BTreeSet::new();
        for _ in 0..2_000 {
            let client = tcp();
            client.connect(&addr(&there)).expect("there is room");
            ports.insert(port_of(&addr(&client)));
            clients.push((client, there.accept().expect("one is queued").0));
        }
        k.say_that(ports.len() == 2_000);
        let mut heard = 0;
        for (client, server) in &clients {
            client.send(b"x").expect("it is open");
            heard += recv(server, 8).expect("it comes");
        }
        k.say::<usize>(Ok(heard));
    }),
    ("a stream of the other family", |k| {
        let tcp = || Socket::new(Domain::IPV6, Type::STREAM, None).expect("a descriptor");
        let any: SocketAddr = (Ipv6Addr::LOCALHOST, 0).into();
        let there = tcp();
        k.say(there.bind(&any.into()));
        k.say(there.listen(1));
        let client = tcp();
        k.say(client.connect(&addr(&there)));
        let (server, from) = there.accept().expect("one is queued");
        k.say_that(from.is_ipv6() && port_of(&from) == port_of(&addr(&client)));
        k.say(client.send(b"abc"));
        k.say(recv(&server, 8));
    }),
    ("a socket of one family and an address of the other", |k| {
        let there: SocketAddr = (Ipv6Addr::LOCALHOST, 9).into();
        k.say(tcp().connect(&there.into()));
        k.say(tcp().bind(&there.into()));
        let six = || Socket::new(Domain::IPV6, Type::STREAM, None).expect("a descriptor");
        k.say(six().connect(&local(9)));
        k.say(six().bind(&local(0)));
    }),
    ("a descriptor twice, and one of them closed", |k| {
        let (client, server) = pair();
        let again = client.try_clone().expect("a descriptor");
        drop(client);
        k.settle();
        k.say(server.set_nonblocking(true));
        k.say(recv(&server, 1));
        k.say(again.send(b"x"));
        k.settle();
        k.say(recv(&server, 8));
        drop(again);
        k.settle();
        k.say(recv(&server, 8));
    }),
    (
        "shut down through one descriptor, seen through the other",
        |k| {
            let (client, server) = pair();
            let again = client.try_clone().expect("a descriptor");
            k.say(again.shutdown(Shutdown::Write));
            k.say(client.send(b"x"));
            k.settle();
            k.say(recv(&server, 1));
        },
    ),
];
