//! Full buffers, lingering, and the options that share a port or bear silence.
#![expect(
    clippy::disallowed_types,
    reason = "a guest's clock, which is simulated where the guest is"
)]

use std::time::{Duration, Instant};

use socket2::{SockAddr, Socket, TcpKeepalive};

use super::{Case, Kernel, addr, listener, local, pair, recv, tcp, udp_fresh};

const SECOND: Duration = Duration::from_secs(1);

/// Writes until there is no room, on a socket that does not block any more; how many bytes.
fn fill(k: &mut Kernel, socket: &Socket) -> usize {
    k.say(socket.set_nonblocking(true));
    let chunk = vec![7; 64 * 1024];
    let (mut written, mut refused) = (0, 0);
    while refused < 2 {
        match socket.send(&chunk) {
            Ok(count) => (written, refused) = (written + count, 0),
            Err(error) => {
                refused += 1;
                if refused == 2 {
                    k.say::<()>(Err(error));
                }
                // The kernel may still be moving bytes to the other side.
                k.settle();
            }
        }
    }
    k.say_that(written > 0);
    written
}

/// Reads so many bytes, and says if they came.
fn drain(k: &mut Kernel, socket: &Socket, count: usize) {
    let mut read = 0;
    while read < count {
        match recv(socket, 64 * 1024) {
            Ok(0) | Err(_) => break,
            Ok(more) => read += more,
        }
    }
    k.say_that(read == count);
}

fn bound(k: &mut Kernel, socket: Socket, at: &SockAddr) -> Socket {
    k.say(socket.bind(at));
    socket
}

fn reusing(address: bool, port: bool) -> Socket {
    let socket = tcp();
    socket.set_reuse_address(address).expect("a flag");
    socket.set_reuse_port(port).expect("a flag");
    socket
}

fn reusing_udp(address: bool, port: bool) -> Socket {
    let socket = udp_fresh();
    socket.set_reuse_address(address).expect("a flag");
    socket.set_reuse_port(port).expect("a flag");
    socket
}

/// How many of what waits a listener or socket has.
fn count(take: impl Fn() -> std::io::Result<()>) -> usize {
    std::iter::from_fn(|| take().ok()).count()
}

pub(super) const BUFFERS: &[Case] = &[
    ("full buffers, and room again", |k| {
        let (client, server) = pair();
        let written = fill(k, &client);
        drain(k, &server, written);
        k.settle();
        k.say(client.send(b"x"));
        k.settle();
        k.say(recv(&server, 8));
    }),
    ("full buffers and a limit for writing", |k| {
        let (client, _server) = pair();
        let limit = Some(Duration::from_millis(20));
        k.say(client.set_write_timeout(limit));
        k.say(client.write_timeout());
        let much = vec![7; 16 << 20];
        let sent = client.send(&much);
        k.say_that(sent.is_ok_and(|count| count > 0 && count < much.len()));
        // The kernel may still be moving bytes to the other side.
        let error = loop {
            if let Err(error) = client.send(&much) {
                break error;
            }
        };
        k.say::<()>(Err(error));
    }),
    ("the reader of full buffers leaves", |k| {
        let (client, server) = pair();
        fill(k, &client);
        drop(server);
        k.settle();
        k.say(client.send(b"x"));
        k.say(client.send(b"x"));
        k.say(recv(&client, 8));
    }),
    ("what is in full buffers arrives after a close", |k| {
        let (client, server) = pair();
        let written = fill(k, &client);
        drop(client);
        drain(k, &server, written);
        k.say(recv(&server, 8));
    }),
    ("linger, and everything is acknowledged soon", |k| {
        let (client, server) = pair();
        k.say(client.set_linger(Some(100 * SECOND)));
        k.say(client.linger());
        k.say(client.send(b"abc"));
        let start = Instant::now();
        drop(client);
        k.say_that(start.elapsed() < 50 * SECOND);
        k.say(recv(&server, 8));
        k.say(recv(&server, 8));
    }),
    (
        "linger for a second before a reader that does not read",
        |k| {
            let (client, server) = pair();
            let written = fill(k, &client);
            k.say(client.set_linger(Some(SECOND)));
            let start = Instant::now();
            drop(client);
            k.say_that((SECOND..50 * SECOND).contains(&start.elapsed()));
            drain(k, &server, written);
            k.say(recv(&server, 8));
        },
    ),
    ("linger is of the last descriptor", |k| {
        let (client, server) = pair();
        fill(k, &client);
        k.say(client.set_linger(Some(100 * SECOND)));
        let second = client.try_clone().expect("a descriptor");
        let start = Instant::now();
        drop(client);
        k.say_that(start.elapsed() < 50 * SECOND);
        k.say(second.set_linger(None));
        drop((second, server));
    }),
];

pub(super) const SHARING: &[Case] = &[
    ("two listeners share a port", |k| {
        let one = bound(k, reusing(false, true), &local(0));
        k.say(one.listen(64));
        let other = bound(k, reusing(false, true), &addr(&one));
        k.say(other.listen(64));
        k.say(other.reuse_port());
        let clients: Vec<Socket> = (0..40)
            .map(|_| {
                let client = tcp();
                client.connect(&addr(&one)).expect("both listen");
                client
            })
            .collect();
        k.settle();
        let accepted = |socket: &Socket| {
            socket.set_nonblocking(true).expect("a flag");
            count(|| socket.accept().map(|_| ()))
        };
        let (first, second) = (accepted(&one), accepted(&other));
        k.say_that(first > 0 && second > 0);
        k.say_that(first + second == clients.len());
    }),
    ("a port that one shares and the other does not", |k| {
        let one = bound(k, reusing(false, true), &local(0));
        bound(k, reusing(false, false), &addr(&one));
        let alone = bound(k, tcp(), &local(0));
        bound(k, reusing(false, true), &addr(&alone));
    }),
    ("a port whose listener has left to the other", |k| {
        let one = bound(k, reusing(false, true), &local(0));
        k.say(one.listen(8));
        let other = bound(k, reusing(false, true), &addr(&one));
        k.say(other.listen(8));
        drop(one);
        k.say(tcp().connect(&addr(&other)));
        k.say(other.accept().map(|_| ()));
    }),
    ("two sockets reuse an address, and one listens", |k| {
        let one = bound(k, reusing(true, false), &local(0));
        let other = bound(k, reusing(true, false), &addr(&one));
        k.say(one.listen(8));
        k.say(other.listen(8));
        bound(k, reusing(true, false), &addr(&one));
        k.say(tcp().connect(&addr(&one)));
        drop(one);
        k.say(other.listen(8));
    }),
    ("one reuses an address and the other does not", |k| {
        let one = bound(k, reusing(true, false), &local(0));
        bound(k, tcp(), &addr(&one));
    }),
    ("any address beside one of its own", |k| {
        let any = |port| SockAddr::from(std::net::SocketAddr::from(([0, 0, 0, 0], port)));
        let one = bound(k, tcp(), &local(0));
        let port = addr(&one).as_socket().expect("an address").port();
        bound(k, tcp(), &any(port));
        let one = bound(k, reusing(true, false), &local(0));
        let port = addr(&one).as_socket().expect("an address").port();
        bound(k, reusing(true, false), &any(port));
    }),
    (
        "two datagram sockets reuse an address: the later hears",
        |k| {
            let one = bound(k, reusing_udp(true, false), &local(0));
            let other = bound(k, reusing_udp(true, false), &addr(&one));
            k.say(udp_fresh().send_to(b"x", &addr(&one)));
            k.settle();
            for socket in [&one, &other] {
                k.say(socket.set_nonblocking(true));
                k.say(recv(socket, 8));
            }
        },
    ),
    ("two datagram sockets share a port", |k| {
        let one = bound(k, reusing_udp(false, true), &local(0));
        let other = bound(k, reusing_udp(false, true), &addr(&one));
        for _ in 0..40 {
            udp_fresh().send_to(b"x", &addr(&one)).expect("it is sent");
        }
        k.settle();
        let heard = |socket: &Socket| {
            socket.set_nonblocking(true).expect("a flag");
            count(|| recv(socket, 8).map(|_| ()))
        };
        let (first, second) = (heard(&one), heard(&other));
        k.say_that(first > 0 && second > 0);
        k.say_that(first + second == 40);
    }),
    ("a datagram socket with a peer beside one without", |k| {
        let peer = bound(k, udp_fresh(), &local(0));
        let one = bound(k, reusing_udp(true, false), &local(0));
        k.say(one.connect(&addr(&peer)));
        let other = bound(k, reusing_udp(true, false), &addr(&one));
        k.say(peer.send_to(b"abc", &addr(&one)));
        k.say(udp_fresh().send_to(b"x", &addr(&one)));
        k.settle();
        for socket in [&one, &other] {
            k.say(socket.set_nonblocking(true));
            k.say(recv(socket, 8));
            k.say(recv(socket, 8));
        }
    }),
];

pub(super) const SILENCE: &[Case] = &[
    ("what a new socket bears of silence", |k| {
        let socket = tcp();
        k.say(socket.keepalive());
        k.say(socket.tcp_keepalive_time());
        k.say(socket.tcp_keepalive_interval());
        k.say(socket.tcp_keepalive_retries());
        k.say(socket.tcp_user_timeout());
    }),
    ("what a socket is told to bear of silence", |k| {
        let socket = tcp();
        let told = TcpKeepalive::new()
            .with_time(10 * SECOND)
            .with_interval(3 * SECOND)
            .with_retries(4);
        k.say(socket.set_tcp_keepalive(&told));
        k.say(socket.keepalive());
        k.say(socket.tcp_keepalive_time());
        k.say(socket.tcp_keepalive_interval());
        k.say(socket.tcp_keepalive_retries());
        k.say(socket.set_tcp_user_timeout(Some(2 * SECOND)));
        k.say(socket.tcp_user_timeout());
        k.say(socket.set_keepalive(false));
        k.say(socket.keepalive());
    }),
    ("silence out of bounds", |k| {
        let socket = tcp();
        for time in [0, 32_767, 32_768] {
            let told = TcpKeepalive::new().with_time(time * SECOND);
            k.say(socket.set_tcp_keepalive(&told));
            let told = TcpKeepalive::new().with_interval(time * SECOND);
            k.say(socket.set_tcp_keepalive(&told));
        }
        for retries in [0, 127, 128] {
            let told = TcpKeepalive::new().with_retries(retries);
            k.say(socket.set_tcp_keepalive(&told));
        }
    }),
    ("what is accepted bears what its listener does", |k| {
        let there = listener(8);
        let told = TcpKeepalive::new().with_time(10 * SECOND).with_retries(4);
        k.say(there.set_tcp_keepalive(&told));
        k.say(there.set_tcp_user_timeout(Some(2 * SECOND)));
        k.say(tcp().connect(&addr(&there)));
        let (server, _) = there.accept().expect("one is queued");
        k.say(server.keepalive());
        k.say(server.tcp_keepalive_time());
        k.say(server.tcp_keepalive_retries());
        k.say(server.tcp_user_timeout());
    }),
    ("urgent data where there is none", |k| {
        let (client, _server) = pair();
        let mut into = [std::mem::MaybeUninit::uninit(); 8];
        k.say(client.recv_out_of_band(&mut into));
    }),
    ("urgent data in a datagram", |k| {
        let (one, other) = (super::udp(), super::udp());
        k.say(one.connect(&addr(&other)));
        k.say(one.send_out_of_band(b"x"));
    }),
];
