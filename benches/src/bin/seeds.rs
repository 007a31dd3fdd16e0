//! What a seed costs before it does anything, and what a simulated hour of nothing costs: wall
//! time, as a Markdown table of medians with their spread.
//!
//! The program is its own worker: a command of no bytes is answered at once, and what remains is
//! the fork, the thread, the pipe and the end of the process.
#![expect(
    clippy::disallowed_types,
    reason = "the wall clock is what is measured with"
)]

use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sim_net::{Net, NetConfig};
use sim_runtime::process::{Reply, WORKER_HANDLERS, Worker, WorkerCommand, WorkerError};
use sim_runtime::{Budget, Config, NodeMain, Seed, Simulation, time};
use sim_tokio::net::TcpListener;

#[linkme::distributed_slice(WORKER_HANDLERS)]
static HANDLER: fn(&[u8], &mut Reply) = handle;

/// An empty command is a seed that does nothing; any other enters a simulation and leaves it.
fn handle(command: &[u8], reply: &mut Reply) {
    if !command.is_empty() {
        let simulation = Simulation::new(Config::new(Seed(1)));
        simulation.block_on(async {}).expect("it ends at once");
        drop(simulation.finish());
    }
    reply.result(b"");
}

/// How often each is done before it is measured, and then measured.
const WARM_UPS: usize = 50;
const SEEDS: usize = 1_000;
const HOURS: usize = 9;
const NODES: u8 = 100;
const HOUR: Duration = Duration::from_secs(3_600);

fn main() -> ExitCode {
    match table() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn table() -> Result<(), WorkerError> {
    println!("| what | median | one in ten under | one in ten over |");
    println!("|---|--:|--:|--:|");
    row(
        "a seed that does nothing (fork, thread, pipe, end)",
        seeds(b"")?,
    );
    row(
        "a seed that enters a simulation and leaves it",
        seeds(b"enter")?,
    );
    let hours = |main: fn() -> NodeMain| (0..HOURS).map(|_| hour(main)).collect();
    row("100 nodes for an hour, each in accept()", hours(listening));
    row(
        "100 nodes for an hour, each waking every second",
        hours(ticking),
    );
    Ok(())
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |tenths: usize| {
        let time = times[(times.len() - 1) * tenths / 10];
        match time.as_micros() {
            micros @ ..10_000 => format!("{micros} us"),
            micros => format!("{} ms", micros / 1_000),
        }
    };
    println!("| {what} | {} | {} | {} |", at(5), at(1), at(9));
}

fn seeds(command: &[u8]) -> Result<Vec<Duration>, WorkerError> {
    let here = |path: std::io::Result<_>| path.map_err(WorkerError::Io);
    let mut worker = Worker::spawn(&WorkerCommand {
        exe: here(std::env::current_exe())?,
        cwd: here(std::env::current_dir())?,
        extra_env: Vec::new(),
    })?;
    let mut times = Vec::new();
    for number in 0..WARM_UPS + SEEDS {
        let started = Instant::now();
        let exit = worker.run(command, HOUR, &mut |_| {})?;
        let took = started.elapsed();
        assert!(exit.result.is_some(), "{exit:?}");
        if number >= WARM_UPS {
            times.push(took);
        }
    }
    Ok(times)
}

/// A simulated hour of [`NODES`] nodes, its setting up and its end included.
fn hour(main: fn() -> NodeMain) -> Duration {
    let started = Instant::now();
    let simulation = Simulation::new(Config {
        budget: Budget {
            virtual_ns_max: u64::MAX,
            ..Budget::default()
        },
        ..Config::new(Seed(1))
    });
    Net::install(simulation.world(), NetConfig::default());
    for number in 1..=NODES {
        let node = format!("node{number}");
        let node = simulation.world().create_node(&node, ip(number));
        simulation.world().start_node(node, main());
    }
    let slept = simulation.block_on(async {
        let before = time::now();
        time::sleep(HOUR).await;
        time::now() - before
    });
    assert!(slept.expect("nothing fails") >= HOUR);
    let summary = simulation.finish();
    assert!(summary.panics.is_empty(), "{:?}", summary.panics);
    started.elapsed()
}

fn ip(number: u8) -> IpAddr {
    IpAddr::from([10, 1, 0, number])
}

fn listening() -> NodeMain {
    Rc::new(|| {
        Box::pin(async {
            let everywhere = SocketAddr::from(([0, 0, 0, 0], 7));
            let listener = TcpListener::bind(everywhere).await;
            let listener = listener.expect("the port is free");
            let _nobody_calls = listener.accept().await;
            pending::<()>().await;
        })
    })
}

fn ticking() -> NodeMain {
    Rc::new(|| {
        Box::pin(async {
            loop {
                time::sleep(Duration::from_secs(1)).await;
            }
        })
    })
}
