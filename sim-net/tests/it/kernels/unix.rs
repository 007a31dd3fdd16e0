//! Unix sockets and pipes: names, both kinds, and what a peer that leaves does.

use std::io::{Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::Shutdown;

use socket2::{Domain, SockAddr, Socket, Type};

use super::{Case, Kernel, peek, recv};

pub(super) fn stream() -> Socket {
    Socket::new(Domain::UNIX, Type::STREAM, None).expect("a descriptor")
}

fn datagram() -> Socket {
    Socket::new(Domain::UNIX, Type::DGRAM, None).expect("a descriptor")
}

fn streams() -> (Socket, Socket) {
    Socket::pair(Domain::UNIX, Type::STREAM, None).expect("descriptors")
}

fn datagrams() -> (Socket, Socket) {
    Socket::pair(Domain::UNIX, Type::DGRAM, None).expect("descriptors")
}

/// An abstract name, of this process and of one side alone.
fn hidden(k: &Kernel, name: &str) -> SockAddr {
    let (process, side) = (std::process::id(), k.simulated);
    SockAddr::unix(format!("\0landfall-{process}-{side}-{name}")).expect("a short name")
}

/// A path that nobody has.
pub(super) fn path(k: &Kernel, name: &str) -> SockAddr {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let path = format!("{folder}/{}-{name}", std::process::id());
    if !k.simulated {
        // It is not there, unless a process of the same number has left it.
        drop(std::fs::remove_file(&path));
    }
    SockAddr::unix(path).expect("a short name")
}

pub(super) fn listener(at: &SockAddr, backlog: i32) -> Socket {
    let listener = stream();
    listener.bind(at).expect("the name is free");
    listener.listen(backlog).expect("it is bound");
    listener
}

fn from(socket: &Socket, most: usize) -> std::io::Result<(usize, Option<Vec<u8>>)> {
    let mut into = vec![MaybeUninit::uninit(); most];
    let (count, from) = socket.recv_from(&mut into)?;
    let name = from
        .as_abstract_namespace()
        .map(|name| name[name.len() - 1..].to_vec());
    Ok((count, name))
}

pub(super) const CASES: &[Case] = &[
    ("a pair of Unix streams", |k| {
        let (one, other) = streams();
        k.say(one.send(b"abc"));
        k.say(other.send(b"de"));
        k.say(peek(&other, 2));
        k.say(recv(&other, 2));
        k.say(recv(&other, 2));
        k.say(recv(&one, 8));
        k.say(one.send(b""));
        k.say(one.set_nonblocking(true));
        k.say(recv(&one, 0));
        k.say(recv(&one, 8));
    }),
    ("the end of a Unix stream", |k| {
        let (one, other) = streams();
        k.say(one.send(b"abc"));
        drop(one);
        k.say(recv(&other, 8));
        k.say(recv(&other, 8));
        k.say(other.send(b"x"));
        k.say(other.send(b"x"));
    }),
    ("a Unix stream closed with unread bytes", |k| {
        let (one, other) = streams();
        k.say(one.send(b"abc"));
        k.say(other.send(b"def"));
        drop(other);
        k.say(recv(&one, 8));
        k.say(recv(&one, 8));
        k.say(one.send(b"x"));
    }),
    (
        "SO_ERROR of a Unix stream whose peer left bytes unread",
        |k| {
            let (one, other) = streams();
            k.say(one.send(b"abc"));
            drop(other);
            for _ in 0..2 {
                let error = one.take_error();
                k.say(error.map(|error| error.map(|error| error.kind())));
            }
            k.say(recv(&one, 8));
        },
    ),
    ("a Unix stream is shut down for writing", |k| {
        let (one, other) = streams();
        k.say(one.shutdown(Shutdown::Write));
        k.say(one.send(b"x"));
        k.say(recv(&other, 8));
        k.say(other.send(b"abc"));
        k.say(recv(&one, 8));
    }),
    ("a Unix stream is shut down for reading", |k| {
        let (one, other) = streams();
        k.say(other.send(b"abc"));
        k.say(one.shutdown(Shutdown::Read));
        k.say(recv(&one, 8));
        k.say(recv(&one, 8));
        k.say(other.send(b"x"));
        k.say(one.send(b"ab"));
        k.say(recv(&other, 8));
    }),
    ("a Unix stream without a connection", |k| {
        let one = stream();
        k.say(one.send(b"x"));
        k.say(recv(&one, 8));
        k.say(one.shutdown(Shutdown::Both));
        k.say(one.peer_addr().map(|_| ()));
        k.say(one.local_addr().map(|name| name.is_unnamed()));
    }),
    ("connect to a name that nobody has", |k| {
        k.say(stream().connect(&hidden(k, "none")));
        k.say(stream().connect(&path(k, "none")));
        k.say(datagram().connect(&hidden(k, "none")));
        k.say(datagram().send_to(b"x", &path(k, "none")));
    }),
    ("connect to a name where nobody listens", |k| {
        let there = stream();
        k.say(there.bind(&hidden(k, "deaf")));
        k.say(stream().connect(&hidden(k, "deaf")));
        k.say(datagram().connect(&hidden(k, "deaf")));
    }),
    ("bind a name twice, and another", |k| {
        let one = stream();
        k.say(one.bind(&hidden(k, "one")));
        k.say(stream().bind(&hidden(k, "one")));
        k.say(datagram().bind(&hidden(k, "one")));
        k.say(one.bind(&hidden(k, "two")));
        drop(one);
        k.say(stream().bind(&hidden(k, "one")));
    }),
    ("a path while its socket is open", |k| {
        let at = path(k, "path");
        let one = listener(&at, 1);
        k.say(stream().bind(&at));
        k.say(stream().connect(&at));
        drop(one);
    }),
    (
        "listen and accept on a Unix socket that is not ready for it",
        |k| {
            k.say(stream().listen(1));
            k.say(stream().accept().map(|_| ()));
            let (one, _other) = streams();
            k.say(one.listen(1));
            k.say(one.accept().map(|_| ()));
            k.say(datagram().listen(1));
            k.say(datagram().accept().map(|_| ()));
        },
    ),
    ("accept a Unix stream", |k| {
        let there = listener(&hidden(k, "s"), 8);
        let client = stream();
        k.say(client.bind(&hidden(k, "c")));
        k.say(client.connect(&hidden(k, "s")));
        k.say(client.send(b"abc"));
        let (server, peer) = there.accept().expect("one is queued");
        let last = |name: SockAddr| {
            name.as_abstract_namespace()
                .map(|name| name.last().copied())
        };
        k.say(Ok(last(peer)));
        k.say(server.local_addr().map(last));
        k.say(client.peer_addr().map(last));
        k.say(recv(&server, 8));
        k.say(client.connect(&hidden(k, "s")));
        k.say(there.connect(&hidden(k, "s")));
        k.say(there.set_nonblocking(true));
        k.say(there.accept().map(|_| ()));
    }),
    ("a Unix listener's backlog of one", |k| {
        let there = listener(&hidden(k, "full"), 1);
        let clients: Vec<Socket> = (0..4).map(|_| stream()).collect();
        for client in &clients {
            k.say(client.set_nonblocking(true));
            k.say(client.connect(&hidden(k, "full")));
        }
        k.say(there.accept().map(|_| ()));
        k.say(clients[3].connect(&hidden(k, "full")));
    }),
    ("a Unix listener is closed with a connection queued", |k| {
        let there = listener(&hidden(k, "gone"), 8);
        let client = stream();
        k.say(client.connect(&hidden(k, "gone")));
        drop(there);
        k.say(recv(&client, 8));
        k.say(recv(&client, 8));
        k.say(client.send(b"x"));
        k.say(stream().connect(&hidden(k, "gone")));
    }),
    ("a pair of Unix datagrams", |k| {
        let (one, other) = datagrams();
        k.say(one.send(b"a long one"));
        k.say(one.send(b"b"));
        k.say(one.send(b""));
        k.say(peek(&other, 4));
        k.say(recv(&other, 4));
        k.say(recv(&other, 4));
        k.say(recv(&other, 4));
        k.say(other.set_nonblocking(true));
        k.say(recv(&other, 4));
    }),
    ("Unix datagrams by name", |k| {
        let (one, other) = (datagram(), datagram());
        k.say(one.bind(&hidden(k, "1")));
        k.say(other.bind(&hidden(k, "2")));
        k.say(one.send_to(b"abc", &hidden(k, "2")));
        k.say(from(&other, 8));
        k.say(datagram().send_to(b"x", &hidden(k, "2")));
        k.say(from(&other, 8));
        k.say(one.send(b"x"));
        k.say(one.connect(&hidden(k, "2")));
        k.say(one.send(b"de"));
        k.say(from(&other, 8));
        k.say(other.send_to(b"x", &hidden(k, "1")));
        k.say(datagram().send_to(b"x", &hidden(k, "1")));
        k.say(datagram().connect(&hidden(k, "1")));
    }),
    ("the peer of a Unix datagram socket leaves", |k| {
        let (one, other) = datagrams();
        k.say(other.send(b"abc"));
        k.say(other.send(b"de"));
        drop(other);
        k.say(one.set_nonblocking(true));
        k.say(recv(&one, 8));
        k.say(one.send(b"x"));
        k.say(one.send(b"x"));
        k.say(recv(&one, 8));
    }),
    (
        "the peer of a Unix datagram socket leaves with datagrams unread",
        |k| {
            let (one, other) = datagrams();
            k.say(one.send(b"abc"));
            drop(other);
            k.say(one.set_nonblocking(true));
            k.say(recv(&one, 8));
            k.say(recv(&one, 8));
            k.say(one.send(b"x"));
        },
    ),
    (
        "Unix datagrams that nobody reads, until one would wait",
        |k| {
            let (one, other) = datagrams();
            k.say(one.set_nonblocking(true));
            let sent = (0..64).take_while(|_| one.send(b"x").is_ok());
            k.say(Ok(sent.count()));
            k.say(one.send(b"x"));
            k.say(recv(&other, 8));
            k.say(one.send(b"x"));
            k.say(one.send(b"x"));
        },
    ),
    ("a Unix datagram that is too large", |k| {
        let (one, _other) = datagrams();
        k.say(one.send(&vec![0; 300_000]));
    }),
    ("Unix datagram sockets are shut down", |k| {
        let (one, other) = datagrams();
        k.say(one.shutdown(Shutdown::Write));
        k.say(one.send(b"x"));
        k.say(other.shutdown(Shutdown::Read));
        k.say(recv(&other, 8));
    }),
    ("what a Unix socket says of itself", |k| {
        let one = stream();
        k.say(one.domain().map(|domain| domain == Domain::UNIX));
        k.say(one.r#type().map(|kind| kind == Type::STREAM));
        k.say(one.is_listener());
        k.say(datagram().r#type().map(|kind| kind == Type::DGRAM));
        k.say(one.take_error().map(|error| error.is_some()));
    }),
    ("a Unix socket and an internet address", |k| {
        k.say(stream().connect(&super::local(1)));
        k.say(stream().bind(&super::local(1)));
        k.say(super::tcp().connect(&hidden(k, "x")));
    }),
    ("a pipe and its end", |k| {
        let (mut reader, mut writer) = std::io::pipe().expect("descriptors");
        let mut into = [0; 8];
        k.say(writer.write(b"abc"));
        k.say(reader.read(&mut into[..2]));
        k.say(reader.read(&mut into));
        drop(writer);
        k.say(reader.read(&mut into));
    }),
    ("a pipe that nobody reads", |k| {
        let (reader, mut writer) = std::io::pipe().expect("descriptors");
        drop(reader);
        k.say(writer.write(b"abc"));
    }),
    ("a pipe that is full", |k| {
        let (mut reader, writer) = std::io::pipe().expect("descriptors");
        let mut writer = writer;
        k.say(socket2::SockRef::from(&writer).set_nonblocking(true));
        k.say(writer.write(&vec![0; 100_000]));
        k.say(writer.write(b"x"));
        k.say(reader.read(&mut vec![0; 4_096]));
        k.say(writer.write(&vec![0; 5_000]));
        k.say(socket2::SockRef::from(&reader).r#type().map(|_| ()));
    }),
];
