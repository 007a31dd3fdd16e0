//! Bodies that use tokio's interface only, run on the real tokio and in simulations.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::fs;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{Mutex, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::support::in_both_worlds;

in_both_worlds! {
    echo
    half_close
    owned_halves_reunite
    readiness_by_hand
    peek_leaves_the_bytes
    refused_connection
    datagrams
    datagrams_by_hand
    calls_of_ones_own_are_repeated
    vectored_and_buffered
    many_connections
    file_round_trip
    file_names
    file_errors
    file_clones_share_their_position
    channels
    locks
    timers
    a_sleep_of_nothing_waits_for_no_other_timer
    intervals
    join_macros
    task_locals
    blocking
    ready_handles_and_aborts
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(addr), listener.accept());
    let (server, peer) = accepted.unwrap();
    let client = client.unwrap();
    assert_eq!(client.local_addr().unwrap(), peer);
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
    (client, server)
}

async fn echo() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await
    });
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let sent: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let expected = sent.clone();
    let (mut read, mut write) = stream.split();
    let send = async {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let (_, count) = tokio::join!(send, read.read_to_end(&mut received));
    assert_eq!(count.unwrap(), 200_000);
    assert!(received == expected);
    assert_eq!(server.await.unwrap().unwrap(), 200_000);
}

async fn half_close() {
    let (client, server) = pair().await;
    let (mut client_read, client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    drop(client_write);
    let mut rest = Vec::new();
    assert_eq!(server_read.read_to_end(&mut rest).await.unwrap(), 0);
    server_write.write_all(b"still here").await.unwrap();
    drop(server_write);
    client_read.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"still here");
}

async fn owned_halves_reunite() {
    let (client, mut server) = pair().await;
    let (other, _) = pair().await;
    let (read, write) = client.into_split();
    let (_, other_write) = other.into_split();
    let error = read.reunite(other_write).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tried to reunite halves that are not from the same socket"
    );
    let mut client = error.0.reunite(write).unwrap();
    client.write_all(b"x").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'x');
}

async fn readiness_by_hand() {
    let (client, server) = pair().await;
    let mut buf = [0; 16];
    let error = server.try_read(&mut buf).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    client.writable().await.unwrap();
    // Either side may move less than it could.
    let sent = client.try_write(b"hello").unwrap();
    assert!((1..=5).contains(&sent));
    let mut arrived = 0;
    while arrived < sent {
        server.readable().await.unwrap();
        match server.try_read(&mut buf[arrived..]) {
            Ok(n) => {
                assert!(n >= 1);
                arrived += n;
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    assert_eq!(buf[..arrived], b"hello"[..sent]);
    let ready = client.ready(Interest::WRITABLE).await.unwrap();
    assert!(ready.is_writable() && !ready.is_readable());
    client.set_nodelay(true).unwrap();
    assert!(client.nodelay().unwrap());
    assert!(client.take_error().unwrap().is_none());
}

async fn peek_leaves_the_bytes() {
    let (mut client, mut server) = pair().await;
    client.write_all(b"twice").await.unwrap();
    let mut buf = [0; 5];
    let n = server.peek(&mut buf).await.unwrap();
    assert!(n > 0);
    assert_eq!(server.read_exact(&mut buf).await.unwrap(), 5);
    assert_eq!(&buf, b"twice");
}

async fn refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let taken = TcpListener::bind(addr).await.unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    drop(listener);
    let error = TcpStream::connect(addr).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let wrong = TcpStream::connect("no port").await.unwrap_err();
    assert_eq!(wrong.kind(), io::ErrorKind::InvalidInput);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(addr).unwrap();
    let listener = socket.listen(16).unwrap();
    assert_eq!(listener.local_addr().unwrap(), addr);
}

async fn datagrams() {
    let one = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let two = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    one.connect(two.local_addr().unwrap()).await.unwrap();
    one.send(b"ping").await.unwrap();
    let mut buf = [0; 64];
    let (n, from) = two.recv_from(&mut buf).await.unwrap();
    assert_eq!((&buf[..n], from), (&b"ping"[..], one.local_addr().unwrap()));
    two.send_to(b"pong", from).await.unwrap();
    assert_eq!(one.recv(&mut buf).await.unwrap(), 4);
}

async fn datagrams_by_hand() {
    let one = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let two = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut buf = [0; 4];
    let nothing = two.try_recv(&mut buf).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    let (from, to) = (one.local_addr().unwrap(), two.local_addr().unwrap());
    one.writable().await.unwrap();
    assert_eq!(one.try_send_to(b"longer", to).unwrap(), 6);
    two.readable().await.unwrap();
    assert_eq!(two.peek_sender().await.unwrap(), from);
    assert_eq!(two.peek_from(&mut buf).await.unwrap(), (4, from));
    // What does not fit is cut off.
    assert_eq!(two.try_recv_from(&mut buf).unwrap(), (4, from));
    assert_eq!(&buf, b"long");
    one.send_to(b"next", to).await.unwrap();
    let mut bytes = Vec::with_capacity(64);
    assert_eq!(two.recv_buf_from(&mut bytes).await.unwrap(), (4, from));
    assert_eq!(bytes, b"next");
    two.set_broadcast(true).unwrap();
    assert!(two.broadcast().unwrap());
    two.set_ttl(7).unwrap();
    assert_eq!(two.ttl().unwrap(), 7);
}

async fn calls_of_ones_own_are_repeated() {
    let one = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let two = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = one.local_addr().unwrap();
    let mut calls = 0;
    let receive = one.async_io(Interest::READABLE, || {
        calls += 1;
        let mut bytes = [0; 8];
        let (length, from) = one.try_recv_from(&mut bytes)?;
        Ok((bytes[..length].to_vec(), from))
    });
    let send = two.async_io(Interest::WRITABLE, || two.try_send_to(b"late", to));
    let (received, sent) = tokio::join!(receive, async {
        sleep(Duration::from_millis(10)).await;
        send.await
    });
    assert_eq!(sent.unwrap(), 4);
    assert_eq!(
        received.unwrap(),
        (b"late".to_vec(), two.local_addr().unwrap())
    );
    assert!(calls > 0);
    let refused = two.async_io(Interest::WRITABLE, || {
        Err::<(), _>(io::ErrorKind::Other.into())
    });
    assert_eq!(refused.await.unwrap_err().kind(), io::ErrorKind::Other);
}

async fn vectored_and_buffered() {
    let (mut client, server) = pair().await;
    let parts = [io::IoSlice::new(b"one"), io::IoSlice::new(b"two")];
    assert!(tokio::io::AsyncWrite::is_write_vectored(&client));
    let sent = client.write_vectored(&parts).await.unwrap();
    client.write_all(&b"onetwo"[sent..]).await.unwrap();
    let mut bytes = Vec::with_capacity(64);
    while bytes.len() < 6 {
        server.readable().await.unwrap();
        match server.try_read_buf(&mut bytes) {
            Ok(n) => assert!(n > 0),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    assert_eq!(bytes, b"onetwo");
    client.set_zero_linger().unwrap();
    assert_eq!(client.linger().unwrap(), Some(Duration::ZERO));
    drop(client);
    let mut server = server;
    let reset = server.read_u8().await.unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
}

async fn many_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut served = JoinSet::new();
        for _ in 0..20 {
            let (stream, _) = listener.accept().await.unwrap();
            served.spawn(async move {
                let mut lines = BufReader::new(stream);
                let mut line = String::new();
                lines.read_line(&mut line).await.unwrap();
                lines
                    .write_all(line.to_uppercase().as_bytes())
                    .await
                    .unwrap();
            });
        }
        served.join_all().await.len()
    });
    for number in 0..20 {
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream
                .write_all(format!("client {number}\n").as_bytes())
                .await
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, format!("CLIENT {number}\n"));
            1
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<usize>(), 40);
}

/// A folder of the test's own, empty.
async fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sim-tokio-{}-{name}", std::process::id()));
    drop(fs::remove_dir_all(&path).await);
    fs::create_dir_all(&path).await.unwrap();
    path
}

async fn file_round_trip() {
    let folder = folder("round-trip").await;
    let path = folder.join("file");
    let mut file = fs::File::create(&path).await.unwrap();
    file.write_all(b"0123456789").await.unwrap();
    file.flush().await.unwrap();
    file.sync_all().await.unwrap();
    assert_eq!(file.metadata().await.unwrap().len(), 10);
    file.set_len(8).await.unwrap();
    drop(file);
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open(&path)
        .await
        .unwrap();
    let mut two = [0; 2];
    file.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"01");
    file.write_all(b"ab").await.unwrap();
    assert_eq!(file.seek(io::SeekFrom::Current(0)).await.unwrap(), 4);
    file.rewind().await.unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "01ab4567");
    assert_eq!(file.seek(io::SeekFrom::End(-2)).await.unwrap(), 6);
    file.sync_data().await.unwrap();
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .await
        .unwrap();
    file.write_all(b"!").await.unwrap();
    file.flush().await.unwrap();
    assert_eq!(fs::read(&path).await.unwrap(), b"01ab4567!");
    fs::remove_dir_all(&folder).await.unwrap();
}

async fn file_names() {
    let folder = folder("names").await;
    fs::write(folder.join("b"), "two").await.unwrap();
    fs::write(folder.join("a"), b"one").await.unwrap();
    fs::create_dir(folder.join("c")).await.unwrap();
    let mut names = Vec::new();
    let mut entries = fs::read_dir(&folder).await.unwrap();
    while let Some(entry) = entries.next_entry().await.unwrap() {
        let is_dir = entry.file_type().await.unwrap().is_dir();
        assert_eq!(is_dir, entry.metadata().await.unwrap().is_dir());
        names.push((entry.file_name().into_string().unwrap(), is_dir));
    }
    names.sort();
    let expected = [("a", false), ("b", false), ("c", true)];
    assert_eq!(
        names,
        expected.map(|(name, is_dir)| (name.to_owned(), is_dir))
    );
    fs::rename(folder.join("a"), folder.join("b"))
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(folder.join("b")).await.unwrap(), "one");
    assert_eq!(
        fs::copy(folder.join("b"), folder.join("d")).await.unwrap(),
        3
    );
    fs::hard_link(folder.join("d"), folder.join("e"))
        .await
        .unwrap();
    assert_eq!(fs::metadata(folder.join("e")).await.unwrap().nlink(), 2);
    fs::remove_file(folder.join("e")).await.unwrap();
    assert!(!fs::try_exists(folder.join("e")).await.unwrap());
    assert_eq!(
        fs::canonicalize(folder.join("c/.."))
            .await
            .unwrap()
            .file_name(),
        folder.file_name()
    );
    fs::remove_dir(folder.join("c")).await.unwrap();
    fs::remove_dir_all(&folder).await.unwrap();
    assert!(!fs::try_exists(&folder).await.unwrap());
}

async fn file_errors() {
    let folder = folder("errors").await;
    let kind = |result: io::Result<fs::File>| result.unwrap_err().kind();
    assert_eq!(
        kind(fs::File::open(folder.join("none")).await),
        io::ErrorKind::NotFound
    );
    fs::write(folder.join("one"), "").await.unwrap();
    assert_eq!(
        kind(fs::File::create_new(folder.join("one")).await),
        io::ErrorKind::AlreadyExists
    );
    let full = fs::remove_dir(&folder).await.unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::DirectoryNotEmpty);
    // A write is reported as done; its error comes with the next operation.
    let mut file = fs::File::open(folder.join("one")).await.unwrap();
    assert_eq!(file.write(b"not open for writing").await.unwrap(), 20);
    let _told_later = file.flush().await.unwrap_err();
    fs::write(folder.join("one"), [0xff]).await.unwrap();
    let text = fs::read_to_string(folder.join("one")).await.unwrap_err();
    assert_eq!(text.kind(), io::ErrorKind::InvalidData);
    fs::remove_dir_all(&folder).await.unwrap();
}

async fn file_clones_share_their_position() {
    let folder = folder("clones").await;
    let mut one = fs::File::create(folder.join("file")).await.unwrap();
    let mut two = one.try_clone().await.unwrap();
    one.write_all(b"one").await.unwrap();
    one.flush().await.unwrap();
    two.write_all(b"two").await.unwrap();
    two.flush().await.unwrap();
    assert_eq!(fs::read(folder.join("file")).await.unwrap(), b"onetwo");
    fs::remove_dir_all(&folder).await.unwrap();
}

async fn channels() {
    let (numbers_in, mut numbers) = mpsc::channel(2);
    let (done_in, done) = oneshot::channel();
    let (level_in, mut level) = watch::channel(0);
    let (all_in, mut all) = broadcast::channel(16);
    let task = tokio::spawn(async move {
        for number in 0..10 {
            numbers_in.send(number).await.unwrap();
            level_in.send(number).unwrap();
            all_in.send(number).unwrap();
        }
        done_in.send("done").unwrap();
        level_in.closed().await;
    });
    let mut sum = 0;
    while let Some(number) = numbers.recv().await {
        sum += number;
        if number == 9 {
            break;
        }
    }
    assert_eq!(sum, 45);
    assert_eq!(done.await.unwrap(), "done");
    assert_eq!(*level.wait_for(|level| *level == 9).await.unwrap(), 9);
    drop(level);
    for number in 0..10 {
        assert_eq!(all.recv().await.unwrap(), number);
    }
    task.await.unwrap();
}

async fn locks() {
    let counter = Arc::new(Mutex::new(0));
    let permits = Arc::new(Semaphore::new(2));
    let mut tasks: JoinSet<()> = (0..10)
        .map(|_| {
            let (counter, permits) = (Arc::clone(&counter), Arc::clone(&permits));
            async move {
                let _permit = permits.acquire().await.unwrap();
                let mut counter = counter.lock().await;
                let before = *counter;
                tokio::task::yield_now().await;
                *counter = before + 1;
            }
        })
        .collect();
    while let Some(joined) = tasks.join_next().await {
        joined.unwrap();
    }
    assert_eq!(*counter.lock().await, 10);
}

async fn timers() {
    let start = Instant::now();
    sleep(Duration::from_millis(3)).await;
    assert!(start.elapsed() >= Duration::from_millis(3));
    sleep(Duration::ZERO).await;
    tokio::time::sleep_until(start).await;
    assert_eq!(timeout(Duration::ZERO, async { 1 }).await.unwrap(), 1);
    let never = std::future::pending::<()>();
    let elapsed = timeout(Duration::from_millis(1), never).await.unwrap_err();
    assert_eq!(elapsed.to_string(), "deadline has elapsed");
    assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
    let far = sleep(Duration::MAX);
    assert!(far.deadline() > Instant::now() + Duration::from_secs(86_400 * 365));
    assert!(timeout(Duration::from_millis(1), far).await.is_err());
    let moved = sleep(Duration::from_secs(3_600));
    tokio::pin!(moved);
    moved
        .as_mut()
        .reset(Instant::now() + Duration::from_millis(1));
    moved.as_mut().await;
    assert!(moved.is_elapsed());
    assert!(moved.deadline() <= Instant::now());
}

/// tokio's is due with the millisecond that has begun, ours at once: neither waits for longer.
async fn a_sleep_of_nothing_waits_for_no_other_timer() {
    let other = tokio::spawn(sleep(Duration::from_secs(3_600)));
    let start = Instant::now();
    for _ in 0..5 {
        sleep(Duration::ZERO).await;
        tokio::time::sleep_until(start).await;
    }
    assert!(start.elapsed() < Duration::from_secs(60) && !other.is_finished());
    other.abort();
}

async fn intervals() {
    let start = Instant::now();
    let mut ticks = interval(Duration::from_millis(2));
    let first = ticks.tick().await;
    assert!(first >= start);
    let second = ticks.tick().await;
    assert_eq!(second - first, Duration::from_millis(2));
    ticks.reset_immediately();
    assert!(ticks.tick().await <= Instant::now());
    let zero = std::panic::catch_unwind(|| drop(interval(Duration::ZERO))).unwrap_err();
    assert_eq!(
        *zero.downcast_ref::<&str>().unwrap(),
        "`period` must be non-zero."
    );
}

async fn join_macros() {
    let (one, two) = tokio::join!(async { 1 }, async {
        tokio::task::yield_now().await;
        2
    });
    assert_eq!(one + two, 3);
    let waits = std::future::pending::<Result<(), &str>>();
    let failed = tokio::try_join!(waits, async { Err::<u8, _>("no") });
    assert_eq!(failed.unwrap_err(), "no");
}

tokio::task_local! {
    static NAME: &'static str;
}

async fn task_locals() {
    let read = NAME.scope("here", async {
        tokio::task::yield_now().await;
        NAME.with(|name| *name)
    });
    assert_eq!(tokio::spawn(read).await.unwrap(), "here");
    assert!(NAME.try_with(|name| *name).is_err());
}

async fn blocking() {
    assert_eq!(tokio::task::spawn_blocking(|| 2 + 2).await.unwrap(), 4);
    let handle = tokio::runtime::Handle::current();
    assert_eq!(handle.spawn_blocking(|| 3).await.unwrap(), 3);
    assert_eq!(handle.spawn(async { 5 }).await.unwrap(), 5);
    let _entered = handle.enter();
    assert_eq!(tokio::spawn(async { 6 }).await.unwrap(), 6);
}

async fn ready_handles_and_aborts() {
    let task = tokio::spawn(async { 7 });
    let id = task.id();
    assert_eq!(id, task.abort_handle().id());
    assert_eq!(format!("{id:?}"), format!("Id({id})"));
    assert_eq!(task.await.unwrap(), 7);
    let task = tokio::spawn(std::future::pending::<()>());
    task.abort();
    let error = task.await.unwrap_err();
    assert!(error.is_cancelled());
    let id = error.id();
    assert_eq!(error.to_string(), format!("task {id} was cancelled"));
    assert_eq!(
        format!("{error:?}"),
        format!("JoinError::Cancelled({id:?})")
    );
    assert_eq!(io::Error::from(error).to_string(), "task was cancelled");
    let what = std::hint::black_box("reason");
    // Not printed: a backtrace takes a lock of the whole process.
    let panics = async move { std::panic::resume_unwind(Box::new(format!("the {what}"))) };
    let error = tokio::spawn(panics).await.unwrap_err();
    let id = error.id();
    assert_eq!(
        error.to_string(),
        format!("task {id} panicked with message \"the reason\"")
    );
    assert_eq!(
        format!("{error:?}"),
        format!("JoinError::Panic({id:?}, \"the reason\", ...)")
    );
    assert_eq!(
        error.into_panic().downcast_ref::<String>().unwrap(),
        "the reason"
    );
}
