//! What an idle connection holds: both its ends, after a message there and back.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use sim_net::{BACKLOG, Interest, Net};
use sim_runtime::{Fd, spawn, spawn_on, time};
use sim_tokio::net::{TcpListener, TcpStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::guest::MESSAGE;
use crate::heap;
use crate::lab::{self, CLIENT, SERVER, SERVICE};
use crate::network::Socket;

/// Who holds the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// One task on each side holds all descriptors: what is counted is the simulated kernels'.
    ByOneTask,
    /// A task a connection on each side, that waits in a read of the drop-in: the guests' futures
    /// are counted, too.
    ByTasks,
}

/// Heap bytes a connection while `count` of them are idle, the slack of growing lists included;
/// 0 where [`heap::Counted`] is not the program's allocator.
///
/// # Panics
/// When one cannot be made.
#[must_use]
pub fn bytes_each(held: Held, count: u32) -> i64 {
    let each = Rc::new(Cell::new(0));
    let answer = Rc::clone(&each);
    drop(lab::run_networked(async move {
        let server = match held {
            Held::ByOneTask => spawn_on(SERVER, "server", accept_all(count)),
            Held::ByTasks => spawn_on(SERVER, "server", serve_all(count)),
        };
        time::sleep(Duration::from_secs(1)).await;
        let before = heap::held();
        let client = match held {
            Held::ByOneTask => spawn_on(CLIENT, "client", connect_all(count)),
            Held::ByTasks => spawn_on(CLIENT, "client", call_all(count)),
        };
        // All are made by then, have said what they had to say, and are idle.
        time::sleep(Duration::from_secs(3_600)).await;
        answer.set((heap::held() - before) / i64::from(count));
        server.abort();
        client.abort();
    }));
    each.get()
}

async fn exchange(socket: &Socket, is_first: bool) -> io::Result<()> {
    let mut message = [7; MESSAGE];
    if is_first {
        socket.send_all(&message).await?;
    }
    assert!(socket.recv_exact(&mut message).await?, "it is open");
    if !is_first {
        socket.send_all(&message).await?;
    }
    Ok(())
}

async fn accept_all(count: u32) {
    let net = sim_net::net().expect("there is a network");
    let fd = net.tcp_listen(SERVICE, BACKLOG).expect("a free port");
    let listener = Socket::new(&net, fd);
    let mut sockets = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let accepted = listener.retry(Interest::READABLE, |net, fd| net.accept(fd));
        let socket = Socket::new(&net, accepted.await.expect("a connection").0);
        exchange(&socket, false).await.expect("it holds");
        sockets.push(socket);
    }
    std::future::pending::<()>().await;
}

async fn connect_all(count: u32) {
    let net = sim_net::net().expect("there is a network");
    let mut sockets = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let socket = connect(&net).await.expect("there is a listener");
        exchange(&socket, true).await.expect("it holds");
        sockets.push(socket);
    }
    std::future::pending::<()>().await;
}

async fn connect(net: &Rc<Net>) -> io::Result<Socket> {
    let fd: Fd = net.tcp_socket()?;
    let socket = Socket::new(net, fd);
    let _in_progress = net.connect(fd, SERVICE);
    poll_fn(|cx| net.poll_ready(fd, Interest::WRITABLE, cx)).await?;
    match net.take_error(fd)? {
        Some(error) => Err(error),
        None => Ok(socket),
    }
}

async fn serve_all(count: u32) {
    let listener = TcpListener::bind(SERVICE).await.expect("a free port");
    for _ in 0..count {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        drop(spawn(async move {
            let mut message = [0; MESSAGE];
            while stream.read_exact(&mut message).await.is_ok() {
                stream.write_all(&message).await.expect("it holds");
            }
        }));
    }
    std::future::pending::<()>().await;
}

async fn call_all(count: u32) {
    for _ in 0..count {
        let mut stream = TcpStream::connect(SERVICE).await.expect("a listener");
        drop(spawn(async move {
            let mut message = [7; MESSAGE];
            stream.write_all(&message).await.expect("it holds");
            while stream.read_exact(&mut message).await.is_ok() {}
        }));
    }
    std::future::pending::<()>().await;
}
