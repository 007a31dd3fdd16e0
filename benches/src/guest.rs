//! The same operations as a guest writes them: over the drop-in, and over the real tokio.

/// Bytes of a message, one way.
pub const MESSAGE: usize = 64;

/// Bytes of a message that nobody answers.
pub const LETTER: usize = 128;

/// Operations in the words of tokio; `$tokio` is who answers.
macro_rules! operations {
    ($tokio:ident) => {
        use std::future::{Future, pending, ready};
        use std::hint::black_box;
        use std::time::Duration;

        use $tokio::task::{spawn, yield_now};

        use crate::lab::{TASKS, nap};

        async fn join_all<F>(task: impl Fn(u64) -> F)
        where
            F: Future<Output = ()> + Send + 'static,
        {
            let tasks: Vec<_> = (0..TASKS).map(|number| spawn(task(number))).collect();
            for task in tasks {
                task.await.expect("a task comes to its end");
            }
        }

        async fn yield_often(rounds: u64) {
            join_all(|_| async move {
                for _ in 0..rounds {
                    yield_now().await;
                }
            })
            .await;
        }

        async fn sleep_often(rounds: u64) {
            join_all(|task| async move {
                for round in 0..rounds {
                    $tokio::time::sleep(nap(task, round)).await;
                }
            })
            .await;
        }

        async fn select_often(rounds: u64) {
            join_all(|_| async move {
                for round in 0..rounds {
                    let chosen = $tokio::select! {
                        chosen = ready(black_box(round)) => chosen,
                        chosen = pending() => chosen,
                        chosen = pending() => chosen,
                    };
                    black_box(chosen);
                }
            })
            .await;
        }

        async fn time_out_often(rounds: u64) {
            join_all(|_| async move {
                for round in 0..rounds {
                    let limited = $tokio::time::timeout(LIMIT, ready(black_box(round)));
                    let in_time = limited.await.expect("it is ready");
                    black_box(in_time);
                }
            })
            .await;
        }

        /// Of what is ready.
        const LIMIT: Duration = Duration::from_secs(1);

        async fn spawn_often(rounds: u64) {
            join_all(|_| async move {
                for _ in 0..rounds {
                    spawn(async {}).await.expect("a task comes to its end");
                }
            })
            .await;
        }
    };
}

/// Over sim-tokio, inside a simulation.
pub(crate) mod drop_in {
    operations!(sim_tokio);

    use std::io;

    use sim_runtime::{Summary, spawn_on};
    use sim_tokio::net::{TcpListener, TcpStream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{LETTER, MESSAGE};
    use crate::lab::{self, CLIENT, SERVER, SERVICE, rounds};

    pub(crate) fn yields(count: u64) -> Summary {
        lab::run(yield_often(rounds(count)))
    }

    pub(crate) fn sleeps(count: u64) -> Summary {
        lab::run(sleep_often(rounds(count)))
    }

    pub(crate) fn spawns(count: u64) -> Summary {
        lab::run(spawn_often(rounds(count)))
    }

    pub(crate) fn selects(count: u64) -> Summary {
        lab::run(select_often(rounds(count)))
    }

    pub(crate) fn timeouts(count: u64) -> Summary {
        lab::run(time_out_often(rounds(count)))
    }

    /// Reads letters until there are no more; gives how many.
    async fn receive() -> io::Result<u64> {
        let listener = TcpListener::bind(SERVICE).await?;
        let (mut stream, _) = listener.accept().await?;
        let mut letter = [0; LETTER];
        let mut letters = 0;
        loop {
            match stream.read_exact(&mut letter).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(letters),
                result => result?,
            };
            letters += 1;
        }
    }

    async fn write(count: u64) -> io::Result<()> {
        let mut stream = TcpStream::connect(SERVICE).await?;
        let letter = [0; LETTER];
        for _ in 0..count {
            stream.write_all(&letter).await?;
        }
        Ok(())
    }

    pub(crate) fn messages(count: u64) -> Summary {
        lab::run_networked(async move {
            let server = spawn_on(SERVER, "server", receive());
            let client = spawn_on(CLIENT, "client", write(count));
            let written = client.await.expect("it does not panic");
            written.expect("the server reads");
            let received = server.await.expect("it does not panic");
            assert_eq!(received.expect("the server reads"), count);
        })
    }

    async fn serve() -> io::Result<()> {
        let listener = TcpListener::bind(SERVICE).await?;
        let (mut stream, _) = listener.accept().await?;
        let mut message = [0; MESSAGE];
        loop {
            match stream.read_exact(&mut message).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                result => result?,
            };
            stream.write_all(&message).await?;
        }
    }

    async fn call(count: u64) -> io::Result<()> {
        let mut stream = TcpStream::connect(SERVICE).await?;
        let mut message = [0; MESSAGE];
        for _ in 0..count {
            stream.write_all(&message).await?;
            stream.read_exact(&mut message).await?;
        }
        Ok(())
    }

    pub(crate) fn round_trips(count: u64) -> Summary {
        lab::run_networked(async move {
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
}

/// Over tokio's current-thread runtime with its clock paused, outside any simulation.
pub(crate) mod real {
    operations!(tokio);

    use crate::lab::rounds;

    fn run(operation: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing of the system")
            .block_on(operation);
    }

    pub(crate) fn yields(count: u64) {
        run(yield_often(rounds(count)));
    }

    pub(crate) fn sleeps(count: u64) {
        run(sleep_often(rounds(count)));
    }

    pub(crate) fn spawns(count: u64) {
        run(spawn_often(rounds(count)));
    }

    pub(crate) fn selects(count: u64) {
        run(select_often(rounds(count)));
    }

    pub(crate) fn timeouts(count: u64) {
        run(time_out_often(rounds(count)));
    }
}
