//! turmoil: tokio's executor in steps of a millisecond, and a network of its own.
//!
//! It goes through every simulated millisecond, so a round trip costs what its latency is long.
//! Its default, up to 100 ms, would compare latencies: it gets those that sim-net draws.

use std::rc::Rc;
use std::time::Duration;

use turmoil::net::{TcpListener, TcpStream, UdpSocket};

use crate::common::{BEAT, NODES, PORT, call, drain, post, pour, receive, serve};

crate::common::executor!(tokio::task, tokio::time);

fn simulation() -> turmoil::Sim<'static> {
    turmoil::Builder::new()
        .simulation_duration(Duration::from_secs(1_000_000))
        .rng_seed(1)
        .min_message_latency(Duration::from_micros(250))
        .max_message_latency(Duration::from_micros(1_500))
        .build()
}

fn run(operation: impl Future<Output = ()> + 'static) {
    let mut simulation = simulation();
    simulation.client("client", async move {
        operation.await;
        Ok(())
    });
    simulation.run().expect("the operation comes to its end");
}

pub fn round_trips(count: u64) {
    let mut simulation = simulation();
    simulation.host("server", || async {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        serve(listener.accept().await?.0).await;
        Ok(())
    });
    simulation.client("client", async move {
        call(TcpStream::connect(("server", PORT)).await?, count).await;
        Ok(())
    });
    simulation.run().expect("the client comes to its end");
}

pub fn messages(count: u64) {
    let mut simulation = simulation();
    simulation.host("server", move || async move {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        receive(listener.accept().await?.0, count).await;
        Ok(())
    });
    simulation.client("client", async move {
        post(TcpStream::connect(("server", PORT)).await?, count).await;
        Ok(())
    });
    simulation.run().expect("the client comes to its end");
}

pub fn stream(mebibytes: u64) {
    let mut simulation = simulation();
    simulation.client("server", async move {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        let total = drain(listener.accept().await?.0).await;
        assert_eq!(total, mebibytes << 20, "every byte arrives");
        Ok(())
    });
    simulation.client("client", async move {
        time::sleep(Duration::from_millis(10)).await;
        pour(TcpStream::connect(("server", PORT)).await?, mebibytes).await;
        Ok(())
    });
    simulation.run().expect("both come to their end");
}

pub fn connections(count: u64) {
    let mut simulation = simulation();
    simulation.host("server", || async {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            drop(task::spawn(serve(stream)));
        }
    });
    simulation.client("client", async move {
        let mut streams = Vec::new();
        for _ in 0..count {
            let mut stream = TcpStream::connect(("server", PORT)).await?;
            call(&mut stream, 1).await;
            streams.push(stream);
        }
        time::sleep(Duration::from_secs(60)).await;
        Ok(())
    });
    simulation.run().expect("the client comes to its end");
}

async fn beat(number: u8) -> turmoil::Result {
    let socket = Rc::new(UdpSocket::bind(("0.0.0.0", PORT)).await?);
    let receiver = Rc::clone(&socket);
    drop(task::spawn_local(async move {
        let mut into = BEAT;
        while receiver.recv_from(&mut into).await.is_ok() {}
    }));
    loop {
        for other in (1..=NODES).filter(|other| *other != number) {
            socket.send_to(&BEAT, (format!("n{other}"), PORT)).await?;
        }
        time::sleep(Duration::from_secs(1)).await;
    }
}

pub fn heartbeats(seconds: u64) {
    let mut simulation = simulation();
    for number in 1..=NODES {
        simulation.host(format!("n{number}"), move || beat(number));
    }
    simulation.client("clock", async move {
        time::sleep(Duration::from_secs(seconds)).await;
        Ok(())
    });
    simulation.run().expect("the time is over");
}
