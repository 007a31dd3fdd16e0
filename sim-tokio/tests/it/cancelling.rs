//! Waits that are given up: what was not taken is still there, as tokio promises of each call.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Mutex, Notify, Semaphore, broadcast, oneshot, watch};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::support::in_both_worlds;

in_both_worlds! {
    connections_survive_an_accept_that_was_given_up
    bytes_survive_a_read_that_was_given_up
    a_write_that_was_given_up_wrote_nothing
    datagrams_survive_a_receive_that_was_given_up
    lines_survive_a_wait_that_was_given_up
    a_file_read_that_was_given_up_goes_on
    a_task_survives_a_join_that_was_given_up
    a_handle_in_a_timeout_detaches_its_task
    a_sleep_is_taken_up_again
    channels_survive_a_wait_that_was_given_up
    places_in_a_queue_are_left_by_who_gives_up
    a_blocking_call_goes_on_when_nobody_waits
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Polls `future` once and drops it: whether it was ready.
async fn give_up<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn connections_survive_an_accept_that_was_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let clients = tokio::spawn(async move {
        for number in 0..20_u8 {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_u8(number).await.unwrap();
        }
    });
    let mut given_up = 0;
    for number in 0..20 {
        let (mut stream, _) = loop {
            match give_up(listener.accept()).await {
                Some(accepted) => break accepted.unwrap(),
                None => given_up += 1,
            }
            yield_now().await;
        };
        assert_eq!(stream.read_u8().await.unwrap(), number);
    }
    assert!(given_up > 0);
    clients.await.unwrap();
}

/// Two ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(addr), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

/// Reads to the end, so many bytes at a time at most, and says how many reads were given up.
async fn read_all<const SIZE: usize>(from: &mut (impl AsyncRead + Unpin)) -> (Vec<u8>, u32) {
    let (mut received, mut given_up) = (Vec::new(), 0);
    loop {
        let mut buffer = [0; SIZE];
        match give_up(from.read(&mut buffer)).await {
            Some(read) => match read.unwrap() {
                0 => return (received, given_up),
                read => received.extend_from_slice(&buffer[..read]),
            },
            None => given_up += 1,
        }
        yield_now().await;
    }
}

async fn bytes_survive_a_read_that_was_given_up() {
    let (mut client, mut server) = pair().await;
    let writing = tokio::spawn(async move {
        for number in 0..200_u8 {
            client.write_all(&[number]).await.unwrap();
            yield_now().await;
        }
    });
    let (received, given_up) = read_all::<3>(&mut server).await;
    assert_eq!(received, (0..200).collect::<Vec<_>>());
    assert!(given_up > 0);
    writing.await.unwrap();
}

async fn a_write_that_was_given_up_wrote_nothing() {
    let (mut client, mut server) = pair().await;
    let (mut written, mut given_up) = (0, 0);
    while given_up < 3 {
        match give_up(client.write(&[5; 10_000])).await {
            Some(count) => written += count.unwrap(),
            None => {
                given_up += 1;
                sleep(ms(1)).await;
            }
        }
    }
    drop(client);
    let mut all = Vec::new();
    server.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), written);
}

async fn datagrams_survive_a_receive_that_was_given_up() {
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = receiver.local_addr().unwrap();
    for number in 0..10_u8 {
        let (mut buffer, mut given_up) = ([0; 8], 0);
        assert!(give_up(receiver.recv_from(&mut buffer)).await.is_none());
        sender.send_to(&[number; 4], addr).await.unwrap();
        let (length, _) = loop {
            match give_up(receiver.recv_from(&mut buffer)).await {
                Some(received) => break received.unwrap(),
                None => given_up += 1,
            }
            assert!(given_up < 100_000, "it never arrives");
            sleep(ms(1)).await;
        };
        assert_eq!(buffer[..length], [number; 4]);
    }
}

async fn lines_survive_a_wait_that_was_given_up() {
    let (mut client, server) = pair().await;
    let writing = tokio::spawn(async move {
        for piece in ["on", "e\ntw", "o\n", "thr", "ee"] {
            client.write_all(piece.as_bytes()).await.unwrap();
            sleep(ms(2)).await;
        }
    });
    let mut lines = BufReader::new(server).lines();
    let (mut read, mut given_up) = (Vec::new(), 0);
    loop {
        match timeout(ms(1), lines.next_line()).await {
            Ok(line) => match line.unwrap() {
                Some(line) => read.push(line),
                None => break,
            },
            Err(_) => given_up += 1,
        }
    }
    assert_eq!(read, ["one", "two", "three"]);
    assert!(given_up > 0);
    writing.await.unwrap();
}

async fn a_file_read_that_was_given_up_goes_on() {
    let folder = std::env::temp_dir();
    tokio::fs::create_dir_all(&folder).await.unwrap();
    let path = folder.join(format!("sim-tokio-{}-given-up", std::process::id()));
    tokio::fs::write(&path, b"abcdef").await.unwrap();
    // A real pool may be quick enough for a read to have ended before it is given up.
    let mut given_up = 0;
    for _ in 0..1_000 {
        let mut file = tokio::fs::File::open(&path).await.unwrap();
        let (said, times) = read_all::<2>(&mut file).await;
        given_up = times;
        assert_eq!(said, b"abcdef");
        if given_up > 0 {
            break;
        }
    }
    assert!(given_up > 0);
    tokio::fs::remove_file(&path).await.unwrap();
}

async fn a_task_survives_a_join_that_was_given_up() {
    let (go, wait) = oneshot::channel();
    let mut task = tokio::spawn(async move { wait.await.unwrap() });
    assert!(timeout(ms(1), &mut task).await.is_err());
    go.send(4).unwrap();
    assert_eq!((&mut task).await.unwrap(), 4);
}

async fn a_handle_in_a_timeout_detaches_its_task() {
    let (done, wait) = oneshot::channel();
    let task = tokio::spawn(async move {
        sleep(ms(5)).await;
        done.send(7).unwrap();
    });
    assert!(timeout(ms(1), task).await.is_err());
    assert_eq!(wait.await.unwrap(), 7);
}

async fn a_sleep_is_taken_up_again() {
    let start = tokio::time::Instant::now();
    let mut due = pin!(sleep(ms(20)));
    let mut given_up = 0;
    loop {
        tokio::select! {
            () = &mut due => break,
            () = sleep(ms(3)) => given_up += 1,
        }
    }
    assert!(given_up > 0 && start.elapsed() >= ms(20));
}

async fn channels_survive_a_wait_that_was_given_up() {
    let (to_one, mut one) = oneshot::channel();
    assert!(give_up(&mut one).await.is_none());
    to_one.send(1).unwrap();
    assert_eq!(one.await.unwrap(), 1);
    let (to_all, mut all) = broadcast::channel(4);
    assert!(give_up(all.recv()).await.is_none());
    to_all.send(2).unwrap();
    to_all.send(3).unwrap();
    assert_eq!((all.recv().await, all.recv().await), (Ok(2), Ok(3)));
    let (to_watch, mut watched) = watch::channel(0);
    assert!(give_up(watched.changed()).await.is_none());
    to_watch.send(4).unwrap();
    assert!(give_up(watched.changed()).await.unwrap().is_ok());
    assert_eq!(*watched.borrow(), 4);
    // One that was woken, and gives up before it takes what it was woken for.
    let notify = Notify::new();
    {
        let mut first = pin!(notify.notified());
        assert!(give_up(first.as_mut()).await.is_none());
        notify.notify_one();
    }
    assert!(give_up(notify.notified()).await.is_some());
}

async fn places_in_a_queue_are_left_by_who_gives_up() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock().await;
    let other = Arc::clone(&mutex);
    let mut first = Box::pin(Arc::clone(&mutex).lock_owned());
    assert!(give_up(first.as_mut()).await.is_none());
    let second = tokio::spawn(async move { *other.lock().await += 1 });
    yield_now().await;
    drop(held);
    // It has the lock now, and does not know it.
    drop(first);
    timeout(ms(1_000), second).await.unwrap().unwrap();
    assert_eq!(*mutex.lock().await, 1);
    let semaphore = Semaphore::new(2);
    let one = semaphore.acquire().await.unwrap();
    assert!(give_up(semaphore.acquire_many(2)).await.is_none());
    assert!(give_up(semaphore.acquire()).await.is_some());
    drop(one);
    assert_eq!(semaphore.available_permits(), 2);
}

async fn a_blocking_call_goes_on_when_nobody_waits() {
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let started = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&started);
    let task = tokio::task::spawn_blocking(move || {
        count.store(1, Ordering::SeqCst);
        wait.recv().unwrap();
        flag.store(true, Ordering::SeqCst);
    });
    while started.load(Ordering::SeqCst) == 0 {
        sleep(ms(1)).await;
    }
    // One that has begun cannot be aborted.
    task.abort();
    go.send(()).unwrap();
    assert!(task.await.is_ok());
    assert!(done.load(Ordering::SeqCst));
}
