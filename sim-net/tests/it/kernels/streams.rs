//! Streams: connecting, sending, ending, and their errors.

use std::io::IoSlice;
use std::net::Shutdown;

use super::{Case, addr, listener, local, pair, peek, recv, tcp};

pub(super) const CASES: &[Case] = &[
    ("connect where nobody listens", |k| {
        k.say(tcp().connect(&local(1)))
    }),
    ("connect without blocking where nobody listens", |k| {
        let socket = tcp();
        k.say(socket.set_nonblocking(true));
        k.say(socket.connect(&local(1)));
        k.settle();
        let error = socket
            .take_error()
            .map(|error| error.map(|error| error.kind()));
        k.say(error);
        k.say(socket.peer_addr().map(|_| ()));
    }),
    ("connect again after a refusal", |k| {
        let socket = tcp();
        k.say(socket.connect(&local(1)));
        let there = listener(1);
        k.say(socket.connect(&addr(&there)));
    }),
    ("connect twice", |k| {
        let there = listener(8);
        let socket = tcp();
        k.say(socket.connect(&addr(&there)));
        k.say(socket.connect(&addr(&there)));
    }),
    ("connect without blocking, asked three times", |k| {
        let there = listener(8);
        let socket = tcp();
        k.say(socket.set_nonblocking(true));
        k.say(socket.connect(&addr(&there)));
        k.settle();
        k.say(socket.connect(&addr(&there)));
        k.say(socket.connect(&addr(&there)));
    }),
    ("connect from a port that was bound", |k| {
        let there = listener(8);
        let socket = tcp();
        k.say(socket.bind(&local(0)));
        let port = addr(&socket);
        k.say(socket.connect(&addr(&there)));
        k.say_that(addr(&socket).as_socket() == port.as_socket());
        let (_, peer) = there.accept().expect("one is queued");
        k.say_that(peer.as_socket() == port.as_socket());
    }),
    ("both ends know each other", |k| {
        let (client, server) = pair();
        let peer = client.peer_addr().expect("it is connected");
        k.say_that(peer.as_socket() == addr(&server).as_socket());
        let peer = server.peer_addr().expect("it is connected");
        k.say_that(peer.as_socket() == addr(&client).as_socket());
    }),
    ("the name of a socket that is not bound", |k| {
        k.say(tcp().local_addr().map(|addr| addr.as_socket()));
        k.say(tcp().peer_addr().map(|_| ()));
    }),
    ("bind twice", |k| {
        let socket = tcp();
        k.say(socket.bind(&local(0)));
        k.say(socket.bind(&local(0)));
    }),
    (
        "bind to a port whose connection has just been closed",
        |k| {
            let there = listener(8);
            let port = addr(&there);
            let client = tcp();
            k.say(client.connect(&port));
            let (server, _) = there.accept().expect("one is queued");
            drop(server);
            k.settle();
            drop(client);
            k.settle();
            drop(there);
            k.say(tcp().bind(&port));
            let reusing = tcp();
            k.say(reusing.set_reuse_address(true));
            k.say(reusing.bind(&port));
        },
    ),
    (
        "bind to a port whose connection the other side has closed",
        |k| {
            let there = listener(8);
            let port = addr(&there);
            let client = tcp();
            k.say(client.connect(&port));
            let (server, _) = there.accept().expect("one is queued");
            drop(client);
            k.settle();
            drop(server);
            k.settle();
            drop(there);
            k.say(tcp().bind(&port));
        },
    ),
    (
        "bind again to the port of a connection that has just been closed",
        |k| {
            let there = listener(8);
            let at = addr(&there);
            let client = tcp();
            k.say(client.connect(&at));
            let port = addr(&client);
            let (server, _) = there.accept().expect("one is queued");
            drop(client);
            k.settle();
            drop(server);
            k.settle();
            let again = tcp();
            k.say(again.set_reuse_address(true));
            k.say(again.bind(&port));
            k.say(again.connect(&at));
        },
    ),
    ("bind after connect", |k| {
        let (client, _server) = pair();
        k.say(client.bind(&local(0)));
    }),
    ("bind where another listens", |k| {
        let there = listener(8);
        k.say(tcp().bind(&addr(&there)));
    }),
    ("bind with SO_REUSEADDR where another listens", |k| {
        let there = listener(8);
        let socket = tcp();
        k.say(socket.set_reuse_address(true));
        k.say(socket.bind(&addr(&there)));
    }),
    ("bind to an address of another host", |k| {
        let far = std::net::SocketAddr::from(([192, 0, 2, 1], 80));
        k.say(tcp().bind(&far.into()));
    }),
    ("two ephemeral ports differ", |k| {
        let (one, other) = (listener(8), listener(8));
        k.say_that(addr(&one).as_socket() != addr(&other).as_socket());
    }),
    ("bind again after the listener is closed", |k| {
        let there = listener(8);
        let port = addr(&there);
        drop(there);
        k.say(tcp().bind(&port));
    }),
    ("listen twice", |k| {
        let there = listener(8);
        k.say(there.listen(4));
    }),
    ("listen without bind", |k| {
        let there = tcp();
        k.say(there.listen(4));
        let port = there.local_addr().expect("it listens").as_socket();
        k.say_that(port.is_some_and(|addr| addr.port() != 0));
    }),
    ("listen on a connected socket", |k| {
        let (client, _server) = pair();
        k.say(client.listen(4));
    }),
    ("connect on a listener", |k| {
        let (one, other) = (listener(8), listener(8));
        k.say(one.connect(&addr(&other)));
    }),
    ("accept on a socket that does not listen", |k| {
        k.say(tcp().accept().map(|_| ()))
    }),
    ("accept with nobody there", |k| {
        let there = listener(8);
        k.say(there.set_nonblocking(true));
        k.say(there.accept().map(|_| ()));
    }),
    ("send and receive on a listener", |k| {
        let there = listener(8);
        k.say(there.send(b"x"));
        k.say(recv(&there, 1));
    }),
    ("send and receive without a connection", |k| {
        let socket = tcp();
        k.say(socket.send(b"x"));
        k.say(recv(&socket, 1));
    }),
    ("shut down without a connection", |k| {
        for how in [Shutdown::Read, Shutdown::Write, Shutdown::Both] {
            k.say(tcp().shutdown(how));
        }
    }),
    ("a backlog of none holds one", |k| {
        let there = listener(0);
        let first = tcp();
        k.say(first.connect(&addr(&there)));
        let second = tcp();
        k.say(second.set_nonblocking(true));
        k.say(second.connect(&addr(&there)));
        k.settle();
        k.say(second.peer_addr().map(|_| ()));
    }),
    ("bytes are a stream", |k| {
        let (client, server) = pair();
        k.say(client.send(b"abc"));
        k.say(client.send(b"def"));
        k.settle();
        k.say(recv(&server, 4));
        k.say(recv(&server, 4));
    }),
    ("nothing is sent and nothing read", |k| {
        let (client, server) = pair();
        k.say(client.send(b""));
        k.say(server.set_nonblocking(true));
        k.say(recv(&server, 8));
        k.say(client.send(b"abc"));
        k.settle();
        k.say(recv(&server, 0));
        k.say(recv(&server, 8));
    }),
    ("many pieces at once", |k| {
        let (client, server) = pair();
        let pieces = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        k.say(client.send_vectored(&pieces));
        k.settle();
        k.say(recv(&server, 8));
    }),
    ("peek leaves the bytes there", |k| {
        let (client, server) = pair();
        k.say(client.send(b"abc"));
        k.settle();
        k.say(peek(&server, 2));
        k.say(peek(&server, 8));
        k.say(recv(&server, 8));
    }),
    ("peek at the end", |k| {
        let (client, server) = pair();
        drop(client);
        k.settle();
        k.say(peek(&server, 1));
        k.say(recv(&server, 1));
    }),
    ("close is the end for the other", |k| {
        let (client, server) = pair();
        k.say(client.send(b"abc"));
        drop(client);
        k.settle();
        k.say(recv(&server, 8));
        k.say(recv(&server, 8));
        k.say(recv(&server, 8));
    }),
    ("one half is closed, the other stays open", |k| {
        let (client, server) = pair();
        k.say(client.shutdown(Shutdown::Write));
        k.settle();
        k.say(recv(&server, 8));
        k.say(server.send(b"still"));
        k.settle();
        k.say(recv(&client, 8));
        k.say(client.send(b"x"));
    }),
    ("shut down twice, and both", |k| {
        let (client, _server) = pair();
        k.say(client.shutdown(Shutdown::Write));
        k.say(client.shutdown(Shutdown::Write));
        k.say(client.shutdown(Shutdown::Both));
    }),
    ("reading is shut down", |k| {
        let (client, server) = pair();
        k.say(client.shutdown(Shutdown::Read));
        k.say(recv(&client, 1));
        k.say(server.send(b"late"));
        k.settle();
        k.say(recv(&client, 8));
        k.say(recv(&client, 8));
    }),
    ("both directions are shut down by one", |k| {
        let (client, server) = pair();
        k.say(client.shutdown(Shutdown::Both));
        k.settle();
        k.say(recv(&server, 8));
        k.say(recv(&client, 8));
        k.say(client.send(b"x"));
        k.say(client.peer_addr().map(|_| ()));
    }),
    ("both close, one after the other", |k| {
        let (client, server) = pair();
        k.say(client.shutdown(Shutdown::Write));
        k.settle();
        k.say(server.shutdown(Shutdown::Write));
        k.settle();
        k.say(recv(&client, 1));
        k.say(recv(&server, 1));
        k.say(client.shutdown(Shutdown::Write));
        k.say(client.peer_addr().map(|_| ()));
    }),
    ("write to who has closed", |k| {
        let (client, server) = pair();
        drop(server);
        k.settle();
        k.say(client.send(b"x"));
        k.settle();
        k.say(client.send(b"x"));
        k.say(client.send(b"x"));
        k.say(recv(&client, 1));
    }),
    ("close with unread bytes", |k| {
        let (client, server) = pair();
        k.say(client.send(b"never read"));
        k.settle();
        drop(server);
        k.settle();
        k.say(recv(&client, 1));
        k.say(recv(&client, 1));
        k.say(client.send(b"x"));
    }),
    ("linger of nothing resets", |k| {
        let (client, server) = pair();
        k.say(server.set_linger(Some(std::time::Duration::ZERO)));
        drop(server);
        k.settle();
        k.say(recv(&client, 1));
        k.say(recv(&client, 1));
    }),
    ("a reset after bytes", |k| {
        let (client, server) = pair();
        k.say(server.send(b"abc"));
        k.say(server.set_linger(Some(std::time::Duration::ZERO)));
        k.settle();
        drop(server);
        k.settle();
        k.say(recv(&client, 2));
        k.say(recv(&client, 2));
        k.say(recv(&client, 2));
    }),
    ("SO_ERROR after a reset, once", |k| {
        let (client, server) = pair();
        k.say(server.set_linger(Some(std::time::Duration::ZERO)));
        drop(server);
        k.settle();
        for _ in 0..2 {
            k.say(
                client
                    .take_error()
                    .map(|error| error.map(|error| error.kind())),
            );
        }
        k.say(client.send(b"x"));
    }),
    ("sent and closed before it is accepted", |k| {
        let there = listener(8);
        let client = tcp();
        k.say(client.connect(&addr(&there)));
        k.say(client.send(b"early"));
        drop(client);
        k.settle();
        let (server, _) = there.accept().expect("it is queued");
        k.say(recv(&server, 8));
        k.say(recv(&server, 8));
    }),
    ("reset before it is accepted", |k| {
        let there = listener(8);
        let client = tcp();
        k.say(client.connect(&addr(&there)));
        k.say(client.set_linger(Some(std::time::Duration::ZERO)));
        k.settle();
        drop(client);
        k.settle();
        let (server, _) = there.accept().expect("it is still queued");
        k.say(recv(&server, 8));
    }),
    ("the listener is closed with a connection queued", |k| {
        let there = listener(8);
        let client = tcp();
        k.say(client.connect(&addr(&there)));
        drop(there);
        k.settle();
        k.say(recv(&client, 1));
        k.say(recv(&client, 1));
    }),
    ("options of a new stream", |k| {
        let socket = tcp();
        k.say(socket.tcp_nodelay());
        k.say(socket.keepalive());
        k.say(socket.reuse_address());
        k.say(socket.linger());
        k.say(socket.is_listener());
        k.say(socket.take_error().map(|error| error.is_some()));
        k.say(socket.r#type().map(|kind| kind == socket2::Type::STREAM));
        k.say(socket.read_timeout());
    }),
    ("options that were set", |k| {
        let socket = tcp();
        k.say(socket.set_tcp_nodelay(true));
        k.say(socket.tcp_nodelay());
        k.say(socket.set_keepalive(true));
        k.say(socket.keepalive());
        k.say(socket.set_linger(Some(std::time::Duration::from_secs(3))));
        k.say(socket.linger());
        k.say(socket.set_ttl_v4(9));
        k.say(socket.ttl_v4());
        k.say(socket.set_read_timeout(Some(std::time::Duration::from_secs(2))));
        k.say(socket.read_timeout());
    }),
    ("a send buffer of a size", |k| {
        let (client, _server) = pair();
        k.say(client.set_send_buffer_size(10_000));
        k.say(client.send_buffer_size());
    }),
    ("a listener says that it is one", |k| {
        k.say(listener(1).is_listener())
    }),
    ("what is accepted has the listener's options", |k| {
        let there = listener(8);
        k.say(there.set_tcp_nodelay(true));
        k.say(there.set_keepalive(true));
        let client = tcp();
        k.say(client.connect(&addr(&there)));
        let (server, _) = there.accept().expect("one is queued");
        k.say(server.tcp_nodelay());
        k.say(server.keepalive());
    }),
];
