//! Real and simulated runtimes at once, on different threads of one process.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use sim_runtime::in_simulation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::support::run;

const SIMULATED: u32 = 3;
const REAL: u32 = 2;

/// Connections, tasks, channels, timers and blocking code; the same sum in every world.
async fn work() -> u32 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let number = stream.read_u32().await.unwrap();
                tokio::time::sleep(Duration::from_micros(u64::from(number))).await;
                stream.write_u32(number * 2).await.unwrap();
            });
        }
    });
    let (send, mut receive) = mpsc::channel(2);
    let mut clients = JoinSet::new();
    for number in 0..16 {
        let send = send.clone();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_u32(number).await.unwrap();
            let doubled = stream.read_u32().await.unwrap();
            let tripled = tokio::task::spawn_blocking(move || doubled + number);
            send.send(tripled.await.unwrap()).await.unwrap();
        });
    }
    drop(send);
    let mut sum = 0;
    while let Some(tripled) = receive.recv().await {
        sum += tripled;
    }
    clients.join_all().await;
    server.abort();
    sum
}

const SUM: u32 = 3 * (15 * 16 / 2);

/// An hour, which in a real runtime would be noticed.
async fn work_and_wait() -> u32 {
    tokio::time::sleep(Duration::from_hours(1)).await;
    work().await
}

fn real_runtime(number: u32) -> Runtime {
    let mut builder = match number {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn real_and_simulated_runtimes_run_side_by_side() {
    let digest_of = |seed| {
        let (sum, summary) = run(seed, work_and_wait);
        assert_eq!(sum.unwrap(), SUM);
        summary.digest
    };
    let alone: Vec<_> = (0..u64::from(SIMULATED)).map(digest_of).collect();
    let start = Barrier::new((SIMULATED + REAL) as usize);
    let (is_over, rounds) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for number in 0..REAL {
            let (start, is_over, rounds) = (&start, &is_over, &rounds);
            scope.spawn(move || {
                let runtime = real_runtime(number);
                start.wait();
                while !is_over.load(Ordering::Relaxed) {
                    assert!(!in_simulation());
                    assert_eq!(runtime.block_on(work()), SUM);
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let simulated: Vec<_> = (0..SIMULATED)
            .map(|number| {
                let (start, alone) = (&start, &alone);
                scope.spawn(move || {
                    start.wait();
                    for _ in 0..4 {
                        assert_eq!(digest_of(u64::from(number)), alone[number as usize]);
                    }
                })
            })
            .collect();
        let joined: Vec<_> = simulated.into_iter().map(|thread| thread.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(
            joined.iter().all(Result::is_ok),
            "a simulation differs in company"
        );
    });
    assert!(
        rounds.load(Ordering::Relaxed) > 0,
        "nothing real ran beside them"
    );
}
