//! The same test body against the real kernel, over loopback, and against the simulation.
//!
//! A body speaks to [`Kernel`] alone, so it can't tell which it talks to; what it returns must be
//! equal. The real side polls `std`'s non-blocking sockets.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use sim_net::{Chance, NetConfig};

use crate::lab::{self, A, calm, on};

/// What a test body needs of a kernel. Calls wait until they would not answer `EAGAIN`.
trait Kernel: Clone + 'static {
    type Listener: 'static;
    type Stream: 'static;
    type Udp: 'static;

    fn listen(&self, addr: SocketAddr) -> io::Result<Self::Listener>;
    fn listener_addr(&self, listener: &Self::Listener) -> SocketAddr;
    async fn accept(&self, listener: &Self::Listener) -> io::Result<Self::Stream>;
    async fn connect(&self, to: SocketAddr) -> io::Result<Self::Stream>;
    async fn send(&self, stream: &Self::Stream, bytes: &[u8]) -> io::Result<usize>;
    fn try_send(&self, stream: &Self::Stream, bytes: &[u8]) -> io::Result<usize>;
    async fn recv(&self, stream: &Self::Stream, into: &mut [u8]) -> io::Result<usize>;
    fn try_recv(&self, stream: &Self::Stream, into: &mut [u8]) -> io::Result<usize>;
    async fn peek(&self, stream: &Self::Stream, into: &mut [u8]) -> io::Result<usize>;
    fn shutdown(&self, stream: &Self::Stream, how: Shutdown) -> io::Result<()>;
    fn take_error(&self, stream: &Self::Stream) -> io::Result<Option<io::Error>>;
    fn peer(&self, stream: &Self::Stream) -> io::Result<SocketAddr>;
    fn reset(&self, stream: Self::Stream);
    fn close(&self, stream: Self::Stream);
    fn close_listener(&self, listener: Self::Listener);
    fn udp(&self, addr: SocketAddr) -> io::Result<Self::Udp>;
    fn udp_addr(&self, udp: &Self::Udp) -> SocketAddr;
    fn udp_connect(&self, udp: &Self::Udp, to: SocketAddr) -> io::Result<()>;
    fn udp_send(&self, udp: &Self::Udp, bytes: &[u8]) -> io::Result<usize>;
    fn send_to(&self, udp: &Self::Udp, bytes: &[u8], to: SocketAddr) -> io::Result<usize>;
    async fn recv_from(&self, udp: &Self::Udp, into: &mut [u8]) -> io::Result<usize>;
    /// Lets what is in flight arrive.
    async fn settle(&self);
}

pub(crate) mod namespace;
mod real;
mod simulated;

use real::Real;
use simulated::Simulated;

/// A result in a form that compares: a count, or an errno.
fn fact(result: io::Result<usize>) -> Result<usize, i32> {
    result.map_err(|error| error.raw_os_error().unwrap_or(-1))
}

fn errno<T>(result: io::Result<T>) -> i32 {
    result
        .err()
        .and_then(|error| error.raw_os_error())
        .unwrap_or(0)
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Where nobody listens: port 1 is in nobody's ephemeral range.
fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

async fn pair<K: Kernel>(kernel: &K) -> (K::Stream, K::Stream) {
    let listener = kernel.listen(local()).expect("a port is free");
    let client = kernel
        .connect(kernel.listener_addr(&listener))
        .await
        .expect("it listens");
    let server = kernel.accept(&listener).await.expect("one is queued");
    kernel.close_listener(listener);
    (client, server)
}

/// Runs one body against both and compares.
macro_rules! conforms {
    ($($name:ident($kernel:ident) -> $facts:ty $body:block)*) => {$(
        #[test]
        fn $name() {
            async fn body<K: Kernel>($kernel: K) -> $facts $body
            let real = real::block_on(body(Real));
            let config = NetConfig { partial_io: Chance::NEVER, ..calm() };
            let (send, receive) = std::sync::mpsc::channel();
            lab::run(config, move || async move {
                let facts = on(A, body(Simulated)).await;
                send.send(facts).expect("the test waits for it");
            });
            assert_eq!(real, receive.recv().expect("the body ran"), "real, then simulated");
        }
    )*};
}

conforms! {
    refused(kernel) -> i32 {
        errno(kernel.connect(nobody()).await)
    }

    address_in_use(kernel) -> i32 {
        let listener = kernel.listen(local()).expect("a port is free");
        errno(kernel.listen(kernel.listener_addr(&listener)))
    }

    address_of_another_host(kernel) -> i32 {
        errno(kernel.listen("192.0.2.1:80".parse().expect("an address")))
    }

    end_of_stream(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        fact(kernel.send(&client, b"abc").await).expect("it is open");
        kernel.close(client);
        kernel.settle().await;
        let mut into = [0; 8];
        let mut facts = Vec::new();
        for _ in 0..3 {
            facts.push(fact(kernel.recv(&server, &mut into).await));
        }
        facts
    }

    nothing_to_read_yet(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        let facts = vec![
            fact(kernel.try_recv(&server, &mut [0; 8])),
            fact(kernel.try_recv(&server, &mut [])),
            fact(kernel.try_send(&client, b"")),
        ];
        kernel.close(client);
        facts
    }

    half_close(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        let mut into = [0; 8];
        kernel.shutdown(&client, Shutdown::Write).expect("it is open");
        let mut facts = vec![fact(kernel.send(&client, b"x").await)];
        facts.push(fact(kernel.recv(&server, &mut into).await));
        facts.push(fact(kernel.send(&server, b"answer").await));
        facts.push(fact(kernel.recv(&client, &mut into).await));
        kernel.close(server);
        facts.push(fact(kernel.recv(&client, &mut into).await));
        facts
    }

    shutdown_of_reading(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        let mut into = [0; 8];
        kernel.shutdown(&client, Shutdown::Read).expect("it is open");
        let mut facts = vec![fact(kernel.recv(&client, &mut into).await)];
        facts.push(fact(kernel.send(&server, b"late").await));
        kernel.settle().await;
        facts.push(fact(kernel.recv(&client, &mut into).await));
        facts.push(fact(kernel.recv(&client, &mut into).await));
        facts.push(fact(kernel.send(&client, b"still").await));
        facts
    }

    shutdown_twice_and_unconnected(kernel) -> Vec<i32> {
        let (client, server) = pair(&kernel).await;
        let mut facts = vec![errno(kernel.shutdown(&client, Shutdown::Both))];
        facts.push(errno(kernel.shutdown(&client, Shutdown::Write)));
        kernel.reset(server);
        kernel.settle().await;
        facts.push(errno(kernel.shutdown(&client, Shutdown::Write)));
        facts.push(errno(kernel.peer(&client)));
        facts
    }

    reset_then_read(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        kernel.reset(server);
        kernel.settle().await;
        let mut into = [0; 8];
        vec![
            fact(kernel.recv(&client, &mut into).await),
            fact(kernel.recv(&client, &mut into).await),
            fact(kernel.send(&client, b"x").await),
        ]
    }

    reset_then_write(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        kernel.reset(server);
        kernel.settle().await;
        vec![
            fact(kernel.send(&client, b"x").await),
            fact(kernel.send(&client, b"x").await),
            fact(kernel.recv(&client, &mut [0; 8]).await),
        ]
    }

    reset_then_so_error(kernel) -> Vec<i32> {
        let (client, server) = pair(&kernel).await;
        kernel.reset(server);
        kernel.settle().await;
        let mut facts = Vec::new();
        for _ in 0..2 {
            let error = kernel.take_error(&client).expect("the descriptor is good");
            facts.push(error.and_then(|error| error.raw_os_error()).unwrap_or(0));
        }
        facts.push(errno(kernel.send(&client, b"x").await));
        facts
    }

    data_before_a_reset(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        fact(kernel.send(&server, b"abc").await).expect("it is open");
        kernel.settle().await;
        kernel.reset(server);
        kernel.settle().await;
        let mut into = [0; 8];
        let mut facts = Vec::new();
        for _ in 0..3 {
            facts.push(fact(kernel.recv(&client, &mut into).await));
        }
        facts
    }

    drop_with_unread_data(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        fact(kernel.send(&client, b"never read").await).expect("it is open");
        kernel.settle().await;
        kernel.close(server);
        kernel.settle().await;
        vec![
            fact(kernel.recv(&client, &mut [0; 8]).await),
            fact(kernel.recv(&client, &mut [0; 8]).await),
        ]
    }

    write_to_a_closed_peer(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        kernel.close(server);
        kernel.settle().await;
        let mut facts = vec![fact(kernel.send(&client, b"x").await)];
        kernel.settle().await;
        facts.push(fact(kernel.send(&client, b"x").await));
        facts.push(fact(kernel.send(&client, b"x").await));
        facts.push(fact(kernel.recv(&client, &mut [0; 8]).await));
        facts
    }

    peeking(kernel) -> Vec<Result<usize, i32>> {
        let (client, server) = pair(&kernel).await;
        fact(kernel.send(&client, b"abc").await).expect("it is open");
        let mut into = [0; 2];
        let mut facts = vec![fact(kernel.peek(&server, &mut into).await)];
        facts.push(fact(kernel.recv(&server, &mut into).await));
        facts.push(fact(kernel.recv(&server, &mut into).await));
        kernel.close(client);
        facts.push(fact(kernel.peek(&server, &mut into).await));
        facts
    }

    full_buffers_and_a_drain(kernel) -> (bool, i32, bool) {
        let (client, server) = pair(&kernel).await;
        let chunk = vec![7; 64 * 1024];
        let mut written = 0;
        let full = loop {
            match kernel.try_send(&client, &chunk) {
                Ok(count) => written += count,
                Err(error) => {
                    // The kernel may still be moving bytes to the other side.
                    kernel.settle().await;
                    if let Ok(count) = kernel.try_send(&client, &chunk) {
                        written += count;
                        continue;
                    }
                    break error.raw_os_error().unwrap_or(0);
                }
            }
        };
        kernel.close(client);
        let mut into = vec![0; 64 * 1024];
        let mut read = 0;
        loop {
            match kernel.recv(&server, &mut into).await.expect("nothing is wrong") {
                0 => break,
                count => read += count,
            }
        }
        (written > 0, full, read == written)
    }

    queued_before_accept(kernel) -> Vec<Result<usize, i32>> {
        let listener = kernel.listen(local()).expect("a port is free");
        let client = kernel.connect(kernel.listener_addr(&listener)).await.expect("it listens");
        let mut facts = vec![fact(kernel.send(&client, b"early").await)];
        kernel.close(client);
        kernel.settle().await;
        let server = kernel.accept(&listener).await.expect("it is queued");
        facts.push(fact(kernel.recv(&server, &mut [0; 8]).await));
        facts.push(fact(kernel.recv(&server, &mut [0; 8]).await));
        facts
    }

    reset_before_accept(kernel) -> Vec<Result<usize, i32>> {
        let listener = kernel.listen(local()).expect("a port is free");
        let client = kernel.connect(kernel.listener_addr(&listener)).await.expect("it listens");
        kernel.settle().await;
        kernel.reset(client);
        kernel.settle().await;
        let server = kernel.accept(&listener).await.expect("it is still queued");
        vec![fact(kernel.recv(&server, &mut [0; 8]).await)]
    }

    listener_closed_with_a_queue(kernel) -> Vec<Result<usize, i32>> {
        let listener = kernel.listen(local()).expect("a port is free");
        let client = kernel.connect(kernel.listener_addr(&listener)).await.expect("it listens");
        kernel.close_listener(listener);
        kernel.settle().await;
        vec![
            fact(kernel.recv(&client, &mut [0; 8]).await),
            fact(kernel.recv(&client, &mut [0; 8]).await),
        ]
    }

    rebinding_while_connections_linger(kernel) -> i32 {
        let listener = kernel.listen(local()).expect("a port is free");
        let addr = kernel.listener_addr(&listener);
        let client = kernel.connect(addr).await.expect("it listens");
        let server = kernel.accept(&listener).await.expect("it is queued");
        kernel.close(server);
        kernel.close_listener(listener);
        let rebound = errno(kernel.listen(addr));
        kernel.close(client);
        rebound
    }

    datagrams_are_cut_off(kernel) -> Vec<Result<usize, i32>> {
        let server = kernel.udp(local()).expect("a port is free");
        let client = kernel.udp(local()).expect("a port is free");
        let to = kernel.udp_addr(&server);
        let mut facts = vec![fact(kernel.send_to(&client, b"a long one", to))];
        facts.push(fact(kernel.send_to(&client, b"", to)));
        facts.push(fact(kernel.recv_from(&server, &mut [0; 4]).await));
        facts.push(fact(kernel.recv_from(&server, &mut [0; 4]).await));
        facts
    }

    datagrams_that_are_too_long(kernel) -> Vec<Result<usize, i32>> {
        let client = kernel.udp(local()).expect("a port is free");
        let to = kernel.udp_addr(&client);
        vec![
            fact(kernel.send_to(&client, &[0; 65_507], to)),
            fact(kernel.send_to(&client, &[0; 65_508], to)),
            fact(kernel.udp_send(&client, b"no peer")),
        ]
    }

    a_connected_datagram_socket_is_told(kernel) -> Vec<Result<usize, i32>> {
        let client = kernel.udp(local()).expect("a port is free");
        kernel.udp_connect(&client, nobody()).expect("any address will do");
        let mut facts = vec![fact(kernel.udp_send(&client, b"x"))];
        kernel.settle().await;
        facts.push(fact(kernel.recv_from(&client, &mut [0; 4]).await));
        facts.push(fact(kernel.udp_send(&client, b"x")));
        facts
    }

    two_datagram_sockets_on_a_port(kernel) -> i32 {
        let first = kernel.udp(local()).expect("a port is free");
        errno(kernel.udp(kernel.udp_addr(&first)))
    }
}
