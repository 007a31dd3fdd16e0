//! turmoil: tokio's executor in steps of a millisecond, and a network of its own.
//!
//! It goes through every simulated millisecond, so a round trip costs what its latency is long.
//! Its default, up to 100 ms, would compare latencies: it gets those that sim-net draws.

use std::time::Duration;

use turmoil::net::{TcpListener, TcpStream};

use crate::common::{PORT, call, serve};

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
