//! What services do that documentation does not: each body on the real tokio and in simulations.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout};

use crate::support::panic_of;

crate::support::in_both_worlds! {
    a_proxy_copies_both_ways_until_both_have_ended
    a_proxy_says_that_its_client_went_away
    buffers_pipes_and_streams_of_memory
    an_address_list_is_tried_from_the_front
    writing_after_the_end_and_reading_after_a_reset
    a_listener_that_is_dropped_refuses
    a_slow_subscriber_is_told_what_it_missed
    a_watcher_sees_the_last_value_and_the_end
    permits_and_notices_go_round
    a_set_is_collected_and_aborted_by_its_handles
    a_task_aborts_itself_and_one_that_never_ran
    a_blocking_closure_cannot_be_aborted_once_it_runs
    who_selects_in_a_loop_keeps_what_it_awaits
    biased_branches_starve_who_comes_later
    limits_that_are_long_or_nothing
    signals_are_listened_to
    a_local_set_in_a_local_set
    tasks_spawn_tasks_as_they_are_dropped
    a_datagram_to_nobody_is_refused
    a_pair_of_sockets_copies_both_ways
    lines_that_never_end_are_cut_by_a_limit
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(addr), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

async fn a_proxy_copies_both_ways_until_both_have_ended() {
    let ((mut client, mut front), (mut back, mut server)) = tokio::join!(pair(), pair());
    let proxy = tokio::spawn(async move {
        tokio::io::copy_bidirectional_with_sizes(&mut front, &mut back, 100, 7_000).await
    });
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        server.read_to_end(&mut asked).await.unwrap();
        server.write_all(&asked.repeat(3)).await.unwrap();
        server.shutdown().await.unwrap();
        asked.len()
    });
    client.write_all(&[5; 50_000]).await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, [5; 150_000]);
    assert_eq!(served.await.unwrap(), 50_000);
    assert_eq!(proxy.await.unwrap().unwrap(), (50_000, 150_000));
}

async fn a_proxy_says_that_its_client_went_away() {
    let ((client, mut front), (mut back, server)) = tokio::join!(pair(), pair());
    let proxy = tokio::spawn(async move {
        tokio::io::copy_bidirectional(&mut front, &mut back)
            .await
            .map(drop)
    });
    client.set_zero_linger().unwrap();
    drop(client);
    let error = proxy.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    drop(server);
}

async fn buffers_pipes_and_streams_of_memory() {
    let (mut one, two) = tokio::io::duplex(8);
    let writing = tokio::spawn(async move {
        one.write_all(b"first\nsecond, longer than the buffer\n")
            .await
            .unwrap();
    });
    let mut lines = BufReader::new(two).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "first");
    let second = lines.next_line().await.unwrap().unwrap();
    assert_eq!(second, "second, longer than the buffer");
    assert_eq!(lines.next_line().await.unwrap(), None);
    writing.await.unwrap();
    let (mut read, mut write) = tokio::io::simplex(4);
    let (_, text) = tokio::join!(
        async {
            write.write_all(b"one way").await.unwrap();
            write.shutdown().await.unwrap();
        },
        async {
            let mut text = String::new();
            read.read_to_string(&mut text).await.unwrap();
            text
        }
    );
    assert_eq!(text, "one way");
    let (stream, mut peer) = pair().await;
    let (mut reads, mut writes) = tokio::io::split(stream);
    writes.write_u32(0x0102_0304).await.unwrap();
    assert_eq!(peer.read_u32_le().await.unwrap(), 0x0403_0201);
    peer.write_all(b"tail").await.unwrap();
    drop(peer);
    let mut chained = (&b"head "[..]).chain(&mut reads).take(7);
    let mut text = String::new();
    chained.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "head ta");
    drop(reads.unsplit(writes));
}

async fn an_address_list_is_tried_from_the_front() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let somebody = listener.local_addr().unwrap();
    let stream = TcpStream::connect(&[nobody, somebody][..]).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), somebody);
    let none: &[std::net::SocketAddr] = &[];
    let error = TcpStream::connect(none).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "could not resolve to any address");
    let error = TcpListener::bind(none).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let names: Vec<_> = tokio::net::lookup_host("127.0.0.1:9")
        .await
        .unwrap()
        .collect();
    assert_eq!(names, ["127.0.0.1:9".parse().unwrap()]);
}

async fn writing_after_the_end_and_reading_after_a_reset() {
    let (mut client, mut server) = pair().await;
    client.write_all(b"x").await.unwrap();
    client.shutdown().await.unwrap();
    client.shutdown().await.unwrap();
    let error = client.write_all(b"y").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let mut all = Vec::new();
    assert_eq!(server.read_to_end(&mut all).await.unwrap(), 1);
    // The end stays the end.
    assert_eq!(server.read(&mut [0; 4]).await.unwrap(), 0);
    assert_eq!(server.read(&mut []).await.unwrap(), 0);
    let (client, mut server) = pair().await;
    let addr = client.local_addr().unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    let error = server.read(&mut [0; 4]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let error = server.write(b"z").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let error = server.peer_addr().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    assert_ne!(server.local_addr().unwrap(), addr);
}

async fn a_listener_that_is_dropped_refuses() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    // Bound, but nobody listens.
    let error = TcpStream::connect(addr).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let listener = socket.listen(8).unwrap();
    // Accepted by the kernel alone, and reset as the listener goes.
    let mut early = TcpStream::connect(addr).await.unwrap();
    drop(listener);
    let error = early.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let error = TcpStream::connect(addr).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

async fn a_slow_subscriber_is_told_what_it_missed() {
    let (sender, mut slow) = broadcast::channel(4);
    let mut fast = sender.subscribe();
    for number in 0..10 {
        sender.send(number).unwrap();
        assert_eq!(fast.recv().await.unwrap(), number);
    }
    assert_eq!(
        slow.recv().await,
        Err(broadcast::error::RecvError::Lagged(6))
    );
    for number in 6..10 {
        assert_eq!(slow.recv().await, Ok(number));
    }
    let waiting = tokio::spawn(async move { (slow.recv().await, slow.recv().await) });
    tokio::task::yield_now().await;
    sender.send(10).unwrap();
    drop(sender);
    let closed = Err(broadcast::error::RecvError::Closed);
    assert_eq!(waiting.await.unwrap(), (Ok(10), closed));
}

async fn a_watcher_sees_the_last_value_and_the_end() {
    let (sender, mut watcher) = watch::channel(0);
    let follower = {
        let mut watcher = watcher.clone();
        tokio::spawn(async move {
            watcher
                .wait_for(|value| *value >= 7)
                .await
                .map(|value| *value)
        })
    };
    for number in 1..=3 {
        sender.send(number).unwrap();
    }
    assert!(watcher.has_changed().unwrap());
    watcher.changed().await.unwrap();
    assert_eq!(*watcher.borrow_and_update(), 3);
    assert!(!watcher.has_changed().unwrap());
    assert!(
        timeout(Duration::from_millis(1), watcher.changed())
            .await
            .is_err()
    );
    assert!(!sender.send_if_modified(|_| false));
    sender.send_modify(|value| *value += 4);
    assert_eq!(follower.await.unwrap().unwrap(), 7);
    sender.send_replace(8);
    drop(sender);
    // What was sent last is seen before the end is.
    assert!(watcher.changed().await.is_ok());
    assert!(watcher.changed().await.is_err());
    assert_eq!(*watcher.borrow(), 8);
}

async fn permits_and_notices_go_round() {
    let semaphore = Arc::new(Semaphore::new(2));
    let most = Arc::new(AtomicU32::new(0));
    let now = Arc::new(AtomicU32::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let (semaphore, most, now) = (semaphore.clone(), most.clone(), now.clone());
        tasks.spawn(async move {
            let _permit = semaphore.acquire_owned().await.unwrap();
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(Duration::from_millis(1)).await;
            now.fetch_sub(1, Ordering::SeqCst);
        });
    }
    tasks.join_all().await;
    assert_eq!(most.load(Ordering::SeqCst), 2);
    semaphore.close();
    assert!(semaphore.acquire().await.is_err());
    let notify = Arc::new(Notify::new());
    notify.notify_one();
    notify.notify_one();
    notify.notified().await;
    // Two notices to nobody are one.
    assert!(
        timeout(Duration::from_millis(1), notify.notified())
            .await
            .is_err()
    );
    let waiting = notify.notified();
    notify.notify_waiters();
    waiting.await;
    let (to, mut from) = mpsc::unbounded_channel::<u8>();
    to.send(1).unwrap();
    from.close();
    assert!(to.send(2).is_err());
    assert_eq!((from.recv().await, from.recv().await), (Some(1), None));
}

async fn a_set_is_collected_and_aborted_by_its_handles() {
    let mut set: JoinSet<u32> = (0..5_u32).map(|number| async move { number }).collect();
    let handle = set.spawn(pending());
    assert_eq!(set.len(), 6);
    handle.abort();
    let (mut cancelled, mut sum) = (0, 0);
    while let Some(joined) = set.join_next_with_id().await {
        match joined {
            Ok((_, number)) => sum += number,
            Err(error) => {
                assert!(error.is_cancelled());
                assert_eq!(error.id(), handle.id());
                cancelled += 1;
            }
        }
    }
    assert_eq!((cancelled, sum), (1, 10));
    assert!(handle.is_finished());
    handle.abort();
    assert!(set.is_empty() && set.try_join_next().is_none());
    // An abort of what is done already changes nothing.
    let task = tokio::spawn(async { 3 });
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
    task.abort();
    assert_eq!(task.await.unwrap(), 3);
}

async fn a_task_aborts_itself_and_one_that_never_ran() {
    let (to, from) = tokio::sync::oneshot::channel::<tokio::task::AbortHandle>();
    let steps = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&steps);
    let task = tokio::spawn(async move {
        from.await.unwrap().abort();
        counted.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        counted.fetch_add(1, Ordering::SeqCst);
    });
    assert!(to.send(task.abort_handle()).is_ok());
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(
        steps.load(Ordering::SeqCst),
        1,
        "it runs up to where it waits"
    );
    let counted = Arc::clone(&steps);
    let task = tokio::spawn(async move { counted.fetch_add(10, Ordering::SeqCst) });
    task.abort();
    let error = task.await.unwrap_err();
    assert!(error.is_cancelled());
    assert!(error.to_string().ends_with("was cancelled"), "{error}");
    assert_eq!(steps.load(Ordering::SeqCst), 1, "it never ran");
}

async fn a_blocking_closure_cannot_be_aborted_once_it_runs() {
    let (to, from) = std::sync::mpsc::channel::<u8>();
    let (began, begins) = tokio::sync::oneshot::channel();
    let task = tokio::task::spawn_blocking(move || {
        began.send(()).unwrap();
        from.recv().unwrap()
    });
    begins.await.unwrap();
    task.abort();
    to.send(9).unwrap();
    assert_eq!(task.await.unwrap(), 9);
}

async fn who_selects_in_a_loop_keeps_what_it_awaits() {
    let (to, mut from) = mpsc::channel(4);
    let sending = tokio::spawn(async move {
        for number in 0..20 {
            to.send(number).await.unwrap();
            if number % 3 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let deadline = sleep(Duration::from_secs(5));
    tokio::pin!(deadline);
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let (mut seen, mut is_open, mut beats) = (Vec::new(), true, 0);
    loop {
        tokio::select! {
            next = from.recv(), if is_open => match next {
                Some(number) => seen.push(number),
                None => is_open = false,
            },
            () = &mut deadline => panic!("it takes no five seconds"),
            _ = ticks.tick(), if is_open => beats += 1,
            else => unreachable!("the deadline is always there"),
        }
        if !is_open {
            break;
        }
    }
    sending.await.unwrap();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    assert!(beats > 0);
}

async fn biased_branches_starve_who_comes_later() {
    let (to, mut from) = mpsc::unbounded_channel();
    (0..100).for_each(|number| to.send(number).unwrap());
    drop(to);
    let mut order = Vec::new();
    let mut other = 0;
    loop {
        tokio::select! {
            biased;
            Some(number) = from.recv() => order.push(number),
            () = std::future::ready(()) => other += 1,
        }
        if other == 3 {
            break;
        }
    }
    assert_eq!(order, (0..100).collect::<Vec<_>>());
    let empty: Option<u8> = tokio::select! {
        Some(number) = from.recv() => Some(number),
        else => None,
    };
    assert_eq!(empty, None);
    let said = panic_of(|| {
        let mut none = std::pin::pin!(async {
            tokio::select! { Some(()) = async { None::<()> } => {} }
        });
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let _polled = std::future::Future::poll(none.as_mut(), &mut cx);
    });
    assert_eq!(
        said,
        "all branches are disabled and there is no else branch"
    );
}

async fn limits_that_are_long_or_nothing() {
    assert_eq!(timeout(Duration::MAX, async { 1 }).await, Ok(1));
    assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
    let elapsed = timeout(Duration::ZERO, pending::<()>()).await.unwrap_err();
    assert_eq!(elapsed.to_string(), "deadline has elapsed");
    assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
    let start = Instant::now();
    assert!(start.checked_add(Duration::MAX).is_none());
    assert_eq!(
        start.saturating_duration_since(start + Duration::from_secs(1)),
        Duration::ZERO
    );
    assert_eq!(
        start.duration_since(start + Duration::from_secs(1)),
        Duration::ZERO
    );
    let long = sleep(Duration::MAX);
    tokio::pin!(long);
    assert!(
        timeout(Duration::from_millis(1), long.as_mut())
            .await
            .is_err()
    );
    assert!(long.deadline() > start + Duration::from_secs(86_400 * 365));
    long.as_mut().reset(start);
    long.as_mut().await;
    assert!(long.is_elapsed());
}

async fn signals_are_listened_to() {
    let mut hangup = signal(SignalKind::hangup()).unwrap();
    assert!(
        timeout(Duration::from_millis(1), hangup.recv())
            .await
            .is_err()
    );
    let mut user = signal(SignalKind::from_raw(libc::SIGUSR1)).unwrap();
    assert!(
        timeout(Duration::from_millis(1), user.recv())
            .await
            .is_err()
    );
    let error = signal(SignalKind::from_raw(libc::SIGKILL)).unwrap_err();
    assert_eq!(error.to_string(), "Refusing to register signal 9");
    let error = signal(SignalKind::from_raw(-3)).unwrap_err();
    assert_eq!(error.to_string(), "Refusing to register signal -3");
    let interrupted = timeout(Duration::from_millis(1), tokio::signal::ctrl_c()).await;
    assert!(interrupted.is_err());
}

async fn a_local_set_in_a_local_set() {
    let outer = LocalSet::new();
    let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let said = std::rc::Rc::clone(&order);
    outer
        .run_until(async move {
            let inner = LocalSet::new();
            let note = std::rc::Rc::clone(&said);
            inner.spawn_local(async move {
                note.borrow_mut().push("inner");
                pending::<()>().await;
            });
            inner.run_until(sleep(Duration::from_millis(2))).await;
            let note = std::rc::Rc::clone(&said);
            // The inner one is left: this is the outer one's again.
            let task = tokio::task::spawn_local(async move { note.borrow_mut().push("outer") });
            drop(inner);
            task.await.unwrap();
        })
        .await;
    assert_eq!(*order.borrow(), ["inner", "outer"]);
}

async fn tasks_spawn_tasks_as_they_are_dropped() {
    struct Spawns(mpsc::UnboundedSender<u8>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let to = self.0.clone();
            tokio::spawn(async move { to.send(1) });
        }
    }
    let (to, mut from) = mpsc::unbounded_channel();
    let guard = Spawns(to);
    let task = tokio::spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    tokio::task::yield_now().await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(from.recv().await, Some(1));
    assert_eq!(from.recv().await, None);
}

async fn a_datagram_to_nobody_is_refused() {
    let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = gone.local_addr().unwrap();
    drop(gone);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let unconnected = socket.send(b"x").await.unwrap_err();
    assert_eq!(unconnected.raw_os_error(), Some(libc::EDESTADDRREQ));
    socket.connect(addr).await.unwrap();
    socket.send(b"x").await.unwrap();
    let error = socket.recv(&mut [0; 4]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

async fn a_pair_of_sockets_copies_both_ways() {
    let (mut one, mut two) = UnixStream::pair().unwrap();
    assert!(one.peer_addr().unwrap().is_unnamed());
    let (mut three, mut four) = UnixStream::pair().unwrap();
    let proxy =
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut two, &mut three).await });
    one.write_all(b"question").await.unwrap();
    one.shutdown().await.unwrap();
    let mut question = String::new();
    four.read_to_string(&mut question).await.unwrap();
    four.write_all(b"answer").await.unwrap();
    drop(four);
    let mut answer = String::new();
    one.read_to_string(&mut answer).await.unwrap();
    assert_eq!((&*question, &*answer), ("question", "answer"));
    assert_eq!(proxy.await.unwrap().unwrap(), (8, 6));
}

async fn lines_that_never_end_are_cut_by_a_limit() {
    let (mut client, server) = pair().await;
    let writing = tokio::spawn(async move {
        loop {
            if let Err(error) = client.write_all(&[b'a'; 4_096]).await {
                return error.kind();
            }
        }
    });
    let mut line = Vec::new();
    let mut limited = BufReader::new(server.take(100_000));
    assert_eq!(limited.read_until(b'\n', &mut line).await.unwrap(), 100_000);
    // Bytes that nobody has read make the end a reset.
    drop(limited);
    let kind = writing.await.unwrap();
    let broken = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    assert!(broken.contains(&kind), "{kind:?}");
}
