//! Datagrams: bounds, peers, and the errors that come back.

use super::{Case, addr, local, peek, recv, udp};

pub(super) const CASES: &[Case] = &[
    ("a datagram is cut off", |k| {
        let (one, other) = (udp(), udp());
        k.say(one.send_to(b"a long one", &addr(&other)));
        k.say(one.send_to(b"b", &addr(&other)));
        k.settle();
        k.say(recv(&other, 4));
        k.say(recv(&other, 4));
    }),
    ("a datagram of nothing", |k| {
        let (one, other) = (udp(), udp());
        k.say(one.send_to(b"", &addr(&other)));
        k.settle();
        k.say(recv(&other, 4));
        k.say(other.set_nonblocking(true));
        k.say(recv(&other, 4));
    }),
    ("the largest datagram and one more byte", |k| {
        let one = udp();
        k.say(one.send_to(&[0; 65_507], &addr(&one)));
        k.say(one.send_to(&[0; 65_508], &addr(&one)));
    }),
    ("send without a peer", |k| k.say(udp().send(b"x"))),
    ("peers of datagram sockets", |k| {
        let (one, other) = (udp(), udp());
        k.say(one.peer_addr().map(|_| ()));
        k.say(one.connect(&addr(&other)));
        let peer = one.peer_addr().expect("it has one");
        k.say_that(peer.as_socket() == addr(&other).as_socket());
    }),
    ("send to port 0", |k| k.say(udp().send_to(b"x", &local(0)))),
    ("a connected socket is told that nobody is there", |k| {
        let one = udp();
        k.say(one.connect(&local(1)));
        k.say(one.send(b"x"));
        k.settle();
        k.say(recv(&one, 1));
        k.say(one.send(b"x"));
        k.settle();
        k.say(one.send(b"x"));
        k.say(one.send(b"x"));
    }),
    ("SO_ERROR that nobody is there, once", |k| {
        let one = udp();
        k.say(one.connect(&local(1)));
        k.say(one.send(b"x"));
        k.settle();
        for _ in 0..2 {
            k.say(
                one.take_error()
                    .map(|error| error.map(|error| error.kind())),
            );
        }
    }),
    ("an unconnected socket is not told", |k| {
        let one = udp();
        k.say(one.send_to(b"x", &local(1)));
        k.settle();
        k.say(one.set_nonblocking(true));
        k.say(recv(&one, 1));
        k.say(one.take_error().map(|error| error.is_some()));
    }),
    ("a connected socket hears its peer only", |k| {
        let (one, peer, other) = (udp(), udp(), udp());
        k.say(one.connect(&addr(&peer)));
        k.say(other.send_to(b"other", &addr(&one)));
        k.say(peer.send_to(b"pe", &addr(&one)));
        k.settle();
        k.say(recv(&one, 8));
        k.say(one.set_nonblocking(true));
        k.say(recv(&one, 8));
    }),
    ("another peer", |k| {
        let (one, first, second) = (udp(), udp(), udp());
        k.say(one.connect(&addr(&first)));
        k.say(one.connect(&addr(&second)));
        k.say(one.send(b"abc"));
        k.settle();
        k.say(recv(&second, 8));
        k.say(first.set_nonblocking(true));
        k.say(recv(&first, 8));
    }),
    ("a connected socket sends elsewhere", |k| {
        let (one, peer, other) = (udp(), udp(), udp());
        k.say(one.connect(&addr(&peer)));
        k.say(one.send_to(b"abc", &addr(&other)));
        k.settle();
        k.say(recv(&other, 8));
    }),
    ("peek at a datagram", |k| {
        let (one, other) = (udp(), udp());
        k.say(one.send_to(b"abc", &addr(&other)));
        k.settle();
        k.say(peek(&other, 2));
        k.say(peek(&other, 8));
        k.say(recv(&other, 8));
    }),
    ("nothing has come", |k| {
        let one = udp();
        k.say(one.set_nonblocking(true));
        k.say(recv(&one, 1));
    }),
    ("listen and accept on a datagram socket", |k| {
        k.say(udp().listen(1));
        k.say(udp().accept().map(|_| ()));
    }),
    ("two datagram sockets on a port", |k| {
        let one = udp();
        let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None);
        k.say(other.expect("a descriptor").bind(&addr(&one)));
    }),
    ("a port is free once its socket is closed", |k| {
        let one = udp();
        let port = addr(&one);
        drop(one);
        let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None);
        k.say(other.expect("a descriptor").bind(&port));
    }),
    ("a port of streams is free for datagrams", |k| {
        let there = super::listener(1);
        let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None);
        k.say(other.expect("a descriptor").bind(&addr(&there)));
    }),
    ("shut down a datagram socket without a peer", |k| {
        k.say(udp().shutdown(std::net::Shutdown::Both));
    }),
    ("shut down a datagram socket that has a peer", |k| {
        let (one, other) = (udp(), udp());
        k.say(one.connect(&addr(&other)));
        k.say(other.send_to(b"abc", &addr(&one)));
        k.settle();
        k.say(one.shutdown(std::net::Shutdown::Write));
        k.say(one.send(b"x"));
        k.say(one.send_to(b"x", &addr(&other)));
        k.say(one.shutdown(std::net::Shutdown::Read));
        k.say(recv(&one, 8));
        k.say(one.set_nonblocking(true));
        k.say(recv(&one, 8));
        k.say(other.send_to(b"de", &addr(&one)));
        k.settle();
        k.say(recv(&one, 8));
    }),
    ("who sent it", |k| {
        let (one, other) = (udp(), udp());
        k.say(one.send_to(b"abc", &addr(&other)));
        k.settle();
        let mut into = [std::mem::MaybeUninit::uninit(); 8];
        let (_, from) = other.recv_from(&mut into).expect("it is there");
        k.say_that(from.as_socket() == addr(&one).as_socket());
    }),
    ("options of a new datagram socket", |k| {
        let one = udp();
        k.say(one.broadcast());
        k.say(one.ttl_v4());
        k.say(one.r#type().map(|kind| kind == socket2::Type::DGRAM));
        k.say(one.set_broadcast(true));
        k.say(one.broadcast());
    }),
];
