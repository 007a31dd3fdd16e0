//! A TCP round trip over sim-net's own calls.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::rc::Rc;

use sim_net::{BACKLOG, Interest, Net};
use sim_runtime::{Fd, Summary, spawn_on, world};

use crate::guest::MESSAGE;
use crate::lab::{self, CLIENT, SERVER, SERVICE};

/// The network, and a socket of it.
pub(crate) struct Socket {
    net: Rc<Net>,
    fd: Fd,
}

impl Socket {
    pub(crate) fn new(net: &Rc<Net>, fd: Fd) -> Self {
        let net = Rc::clone(net);
        Self { net, fd }
    }

    /// Repeats `call` until it does not answer `EAGAIN`.
    pub(crate) async fn retry<R>(
        &self,
        interest: Interest,
        mut call: impl FnMut(&Net, Fd) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            match call(&self.net, self.fd) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll_fn(|cx| self.net.poll_ready(self.fd, interest, cx)).await?;
                }
                result => return result,
            }
        }
    }

    pub(crate) async fn send_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let pieces = [IoSlice::new(bytes)];
            let sent = poll_fn(|cx| sim_net::poll_send(self.fd, &pieces, cx)).await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// False: the stream ended before the first byte.
    pub(crate) async fn recv_exact(&self, into: &mut [u8]) -> io::Result<bool> {
        let mut have = 0;
        while have < into.len() {
            let rest = &mut into[have..];
            match poll_fn(|cx| sim_net::poll_recv(self.fd, rest, false, cx)).await? {
                0 if have == 0 => return Ok(false),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => have += count,
            }
        }
        Ok(true)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Stale where its process has been taken down.
        let _closed = world().close(self.fd);
    }
}

fn net() -> Rc<Net> {
    sim_net::net().expect("there is a network")
}

async fn serve() -> io::Result<()> {
    let net = net();
    let listener = Socket {
        fd: net.tcp_listen(SERVICE, BACKLOG)?,
        net,
    };
    let (fd, _) = listener
        .retry(Interest::READABLE, |net, fd| net.accept(fd))
        .await?;
    let stream = Socket {
        net: Rc::clone(&listener.net),
        fd,
    };
    let mut message = [0; MESSAGE];
    while stream.recv_exact(&mut message).await? {
        stream.send_all(&message).await?;
    }
    Ok(())
}

async fn call(count: u64) -> io::Result<()> {
    let net = net();
    let stream = Socket {
        fd: net.tcp_socket()?,
        net,
    };
    match stream.net.connect(stream.fd, SERVICE) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        result => result?,
    }
    poll_fn(|cx| stream.net.poll_ready(stream.fd, Interest::WRITABLE, cx)).await?;
    if let Some(error) = stream.net.take_error(stream.fd)? {
        return Err(error);
    }
    let mut message = [0; MESSAGE];
    for _ in 0..count {
        stream.send_all(&message).await?;
        assert!(stream.recv_exact(&mut message).await?, "the server answers");
    }
    Ok(())
}

/// A message to a server on another node, and back.
pub(crate) fn round_trips(count: u64) -> Summary {
    round_trips_among(0, count)
}

/// The same, once so many other nodes have sent the server's node a datagram.
pub(crate) fn round_trips_among(others: u16, count: u64) -> Summary {
    lab::run_networked(async move {
        lab::acquaint(others).await;
        let server = spawn_on(SERVER, "server", serve());
        let client = spawn_on(CLIENT, "client", call(count));
        client
            .await
            .expect("it does not panic")
            .expect("the client is served");
        server
            .await
            .expect("it does not panic")
            .expect("the server serves");
    })
}
