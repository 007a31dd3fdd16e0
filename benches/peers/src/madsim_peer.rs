//! madsim, as `--cfg madsim` makes it.

#[cfg(not(madsim))]
compile_error!("madsim simulates nothing without `--cfg madsim`: build in this folder");

use std::net::{IpAddr, Ipv4Addr};

use madsim::net::{TcpListener, TcpStream};
use madsim::runtime::Runtime;

use crate::common::{PORT, call, serve};

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
