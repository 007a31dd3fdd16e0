//! madsim, as `--cfg madsim` makes it.

#[cfg(not(madsim))]
compile_error!("madsim simulates nothing without `--cfg madsim`: build in this folder");

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use madsim::fs::File;
use madsim::net::{TcpListener, TcpStream, UdpSocket};
use madsim::runtime::Runtime;

use crate::common::{BEAT, NODES, PORT, call, drain, post, pour, receive, serve};

crate::common::executor!(madsim::task, madsim::time);

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 2));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1));

fn run(operation: impl Future<Output = ()>) {
    Runtime::new().block_on(operation);
}

pub fn round_trips(count: u64) {
    let runtime = Runtime::new();
    let server = runtime.create_node().name("server").ip(SERVER).build();
    let client = runtime.create_node().name("client").ip(CLIENT).build();
    runtime.block_on(async move {
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let serving = server.spawn(async move {
            let listener = TcpListener::bind((SERVER, PORT)).await;
            let listener = listener.expect("the port is free");
            ready.send(()).expect("the client waits");
            serve(listener.accept().await.expect("one connection").0).await;
        });
        is_ready.await.expect("the server listens");
        let calling = client.spawn(async move {
            let stream = TcpStream::connect((SERVER, PORT)).await;
            call(stream.expect("the server listens"), count).await;
        });
        calling.await.expect("the client comes to its end");
        serving.await.expect("the server comes to its end");
    });
}

/// A server and a client on nodes of their own; the client begins once the server listens.
fn two_nodes<S, C>(serving: impl FnOnce(TcpListener) -> S + Send + 'static, calling: C)
where
    S: Future<Output = ()> + Send + 'static,
    C: Future<Output = ()> + Send + 'static,
{
    let runtime = Runtime::new();
    let server = runtime.create_node().name("server").ip(SERVER).build();
    let client = runtime.create_node().name("client").ip(CLIENT).build();
    runtime.block_on(async move {
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        drop(server.spawn(async move {
            let listener = TcpListener::bind((SERVER, PORT)).await;
            let listener = listener.expect("the port is free");
            ready.send(()).expect("the client waits");
            serving(listener).await;
        }));
        is_ready.await.expect("the server listens");
        let calling = client.spawn(calling);
        calling.await.expect("the client comes to its end");
    });
}

pub fn stream(mebibytes: u64) {
    let (done, is_done) = tokio::sync::oneshot::channel();
    let serving = move |listener: TcpListener| async move {
        let total = drain(listener.accept().await.expect("one connection").0).await;
        done.send(total).expect("the client waits");
    };
    two_nodes(serving, async move {
        let stream = TcpStream::connect((SERVER, PORT)).await;
        pour(stream.expect("the server listens"), mebibytes).await;
        let total = is_done.await.expect("the server comes to its end");
        assert_eq!(total, mebibytes << 20, "every byte arrives");
    });
}

pub fn messages(count: u64) {
    let serving = move |listener: TcpListener| async move {
        receive(listener.accept().await.expect("one connection").0, count).await;
    };
    two_nodes(serving, async move {
        let stream = TcpStream::connect((SERVER, PORT)).await;
        post(stream.expect("the server listens"), count).await;
    });
}

pub fn connections(count: u64) {
    let serving = |listener: TcpListener| async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            drop(task::spawn(serve(stream)));
        }
    };
    two_nodes(serving, async move {
        let mut streams = Vec::new();
        for _ in 0..count {
            let stream = TcpStream::connect((SERVER, PORT)).await;
            let mut stream = stream.expect("the server listens");
            call(&mut stream, 1).await;
            streams.push(stream);
        }
        time::sleep(Duration::from_secs(60)).await;
    });
}

fn beats_at(number: u8) -> SocketAddr {
    (Ipv4Addr::new(10, 3, 0, number), PORT).into()
}

async fn beat(number: u8) {
    let socket = UdpSocket::bind(beats_at(number)).await;
    let socket = Arc::new(socket.expect("the port is free"));
    let receiver = Arc::clone(&socket);
    drop(task::spawn(async move {
        let mut into = BEAT;
        while receiver.recv_from(&mut into).await.is_ok() {}
    }));
    loop {
        for other in (1..=NODES).filter(|other| *other != number) {
            // Nobody may be bound yet.
            let _sent = socket.send_to(beats_at(other), &BEAT).await;
        }
        time::sleep(Duration::from_secs(1)).await;
    }
}

pub fn heartbeats(seconds: u64) {
    let runtime = Runtime::new();
    for number in 1..=NODES {
        let node = runtime.create_node().ip(beats_at(number).ip()).build();
        drop(node.spawn(beat(number)));
    }
    // Made where it is waited for: outside there is no clock.
    runtime.block_on(async move { time::sleep(Duration::from_secs(seconds)).await });
}

const PAGE: usize = 4096;
const PAGES: u64 = 64;

/// Runs an operation on a node with a file of pages.
fn on_file<F: Future<Output = ()> + Send + 'static>(
    operation: impl FnOnce(File) -> F + Send + 'static,
) {
    let runtime = Runtime::new();
    let node = runtime.create_node().name("client").ip(CLIENT).build();
    runtime.block_on(async move {
        let working = node.spawn(async move {
            let file = File::create("/file").await.expect("a new file");
            for page in 0..PAGES {
                let written = file.write_all_at(&[1; PAGE], page * PAGE as u64).await;
                written.expect("there is room");
            }
            operation(file).await;
        });
        working.await.expect("it comes to its end");
    });
}

async fn write(file: &File, nth: u64) {
    let written = file
        .write_all_at(&[2; PAGE], nth % PAGES * PAGE as u64)
        .await;
    written.expect("there is room");
}

pub fn page_writes(count: u64) {
    on_file(move |file| async move {
        for _ in 0..count / TASKS {
            for nth in 0..TASKS {
                write(&file, nth).await;
            }
            file.sync_all().await.expect("no fault");
        }
    });
}

pub fn page_reads(count: u64) {
    on_file(move |file| async move {
        let mut page = [0; PAGE];
        for nth in 0..count {
            let read = file.read_at(&mut page, nth % PAGES * PAGE as u64).await;
            assert_eq!(read.expect("no fault"), PAGE);
        }
    });
}

pub fn page_syncs(count: u64) {
    on_file(move |file| async move {
        for nth in 0..count {
            write(&file, nth).await;
            file.sync_all().await.expect("no fault");
        }
    });
}

pub fn opens(count: u64) {
    on_file(move |_| async move {
        for _ in 0..count {
            drop(File::open("/file").await.expect("it is there"));
        }
    });
}
