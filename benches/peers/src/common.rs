//! What all peers do alike, as in `benches/src/lab.rs` and `guest.rs`.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// How many tasks share an operation's work.
pub const TASKS: u64 = 100;
/// Bytes of a message, one way.
const MESSAGE: usize = 64;
/// Bytes of a message that nobody answers.
const LETTER: usize = 128;
/// The server's port.
pub const PORT: u16 = 7;

/// How long a task sleeps: 1 to 2 ms, differently each time.
pub fn nap(task: u64, round: u64) -> Duration {
    Duration::from_nanos(1_000_000 + (task * 104_729 + round * 7_919) % 1_000_000)
}

/// Sends everything back until the stream ends.
pub async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut message = [0; MESSAGE];
    loop {
        match stream.read_exact(&mut message).await {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return,
            read => read.expect("the stream holds"),
        };
        stream.write_all(&message).await.expect("the stream holds");
        stream.flush().await.expect("the stream holds");
    }
}

/// Sends messages and waits for each to come back.
pub async fn call(mut stream: impl AsyncRead + AsyncWrite + Unpin, count: u64) {
    let mut message = [0; MESSAGE];
    for _ in 0..count {
        stream.write_all(&message).await.expect("the stream holds");
        // madsim sends what is flushed; elsewhere this does nothing.
        stream.flush().await.expect("the stream holds");
        let read = stream.read_exact(&mut message).await;
        read.expect("the server answers");
    }
}

/// Reads letters, and says so when it has them all.
pub async fn receive(mut stream: impl AsyncRead + AsyncWrite + Unpin, count: u64) {
    let mut letter = [0; LETTER];
    for _ in 0..count {
        let read = stream.read_exact(&mut letter).await;
        read.expect("the client writes");
    }
    stream.write_all(&[1]).await.expect("the stream holds");
    stream.flush().await.expect("the stream holds");
}

/// Writes letters, and waits until all are read.
pub async fn post(mut stream: impl AsyncRead + AsyncWrite + Unpin, count: u64) {
    let letter = [0; LETTER];
    for _ in 0..count {
        stream.write_all(&letter).await.expect("the stream holds");
        stream.flush().await.expect("the stream holds");
    }
    let read = stream.read_exact(&mut [0]).await;
    read.expect("the server answers");
}

/// Bytes of a write of a long stream, and of its reader's buffer.
const WRITE: usize = 65_536;
/// Nodes that send heartbeats to each other.
pub const NODES: u8 = 50;
/// A heartbeat.
pub const BEAT: [u8; MESSAGE] = [7; MESSAGE];

/// Reads until the stream ends; how many bytes came.
pub async fn drain(mut stream: impl AsyncRead + Unpin) -> u64 {
    let (mut into, mut total) = (vec![0; WRITE], 0);
    loop {
        match stream.read(&mut into).await.expect("the stream holds") {
            0 => return total,
            count => total += count as u64,
        }
    }
}

/// Writes so many mebibytes.
pub async fn pour(mut stream: impl AsyncWrite + Unpin, mebibytes: u64) {
    let bytes = vec![7; WRITE];
    for _ in 0..mebibytes * 16 {
        stream.write_all(&bytes).await.expect("the stream holds");
        stream.flush().await.expect("the stream holds");
    }
    stream.shutdown().await.expect("the stream holds");
}

/// The operations of an executor, for a peer whose `spawn`, `yield_now`, `sleep` and `timeout`
/// these are; `select!` is tokio's own, as the peers have it.
macro_rules! executor {
    ($task:path, $time:path) => {
        use std::future::{Future, pending, ready};
        use std::hint::black_box;

        use $task as task;
        use $time as time;

        use crate::common::{TASKS, nap};

        async fn join_all<F>(body: impl Fn(u64) -> F)
        where
            F: Future<Output = ()> + Send + 'static,
        {
            let tasks: Vec<_> = (0..TASKS).map(|number| task::spawn(body(number))).collect();
            for task in tasks {
                task.await.expect("a task comes to its end");
            }
        }

        async fn yield_often(count: u64) {
            join_all(|_| async move {
                for _ in 0..count / TASKS {
                    task::yield_now().await;
                }
            })
            .await;
        }

        async fn sleep_often(count: u64) {
            join_all(|number| async move {
                for round in 0..count / TASKS {
                    time::sleep(nap(number, round)).await;
                }
            })
            .await;
        }

        async fn spawn_often(count: u64) {
            join_all(|_| async move {
                for _ in 0..count / TASKS {
                    task::spawn(async {})
                        .await
                        .expect("a task comes to its end");
                }
            })
            .await;
        }

        async fn select_often(count: u64) {
            join_all(|_| async move {
                for round in 0..count / TASKS {
                    let chosen = tokio::select! {
                        chosen = ready(black_box(round)) => chosen,
                        chosen = pending() => chosen,
                        chosen = pending() => chosen,
                    };
                    black_box(chosen);
                }
            })
            .await;
        }

        async fn time_out_often(count: u64) {
            let limit = std::time::Duration::from_secs(1);
            join_all(|_| async move {
                for round in 0..count / TASKS {
                    let limited = time::timeout(limit, ready(black_box(round)));
                    let in_time = limited.await.expect("it is ready");
                    black_box(in_time);
                }
            })
            .await;
        }

        pub fn selects(count: u64) {
            run(select_often(count));
        }

        pub fn timeouts(count: u64) {
            run(time_out_often(count));
        }

        pub fn yields(count: u64) {
            run(yield_often(count));
        }

        pub fn sleeps(count: u64) {
            run(sleep_often(count));
        }

        pub fn spawns(count: u64) {
            run(spawn_often(count));
        }
    };
}
pub(crate) use executor;
