//! Nodes that talk, die and are told to stop.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use sim_runtime::{Down, NodeState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::signal;
use tokio::time::{sleep, timeout};

use crate::support::{ip, simulate_world, start};

/// Doubles every byte it is sent, for any number of clients.
async fn doubling_server() {
    let listener = TcpListener::bind("0.0.0.0:7000").await.unwrap();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            while let Ok(byte) = stream.read_u8().await {
                if stream.write_u8(byte.wrapping_mul(2)).await.is_err() {
                    break;
                }
            }
        });
    }
}

async fn idle() {
    std::future::pending().await
}

#[test]
fn two_nodes_talk_by_name() {
    for seed in 0..10 {
        simulate_world(seed, |world| async move {
            start(&world, "server", 1, doubling_server);
            sleep(Duration::from_millis(1)).await;
            let found: Vec<_> = lookup_host("server:7000").await.unwrap().collect();
            assert_eq!(found, [(ip(1), 7000).into()]);
            let mut stream = TcpStream::connect("server:7000").await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), (ip(1), 7000).into());
            for byte in 0..100 {
                stream.write_u8(byte).await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), byte * 2);
            }
        });
    }
}

#[test]
fn a_killed_process_resets_and_a_dead_machine_is_silent() {
    for seed in 0..10 {
        let outcomes = simulate_world(seed, |world| async move {
            let server = start(&world, "server", 1, doubling_server);
            let mut outcomes = Vec::new();
            for down in [Down::Kill, Down::PowerLoss] {
                sleep(Duration::from_millis(1)).await;
                let mut stream = TcpStream::connect((ip(1), 7000)).await.unwrap();
                stream.write_u8(1).await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), 2);
                world.kill_node(server, down);
                let read = timeout(Duration::from_secs(1), stream.read_u8()).await;
                outcomes.push(read.map(|read| read.is_err()).ok());
                world.restart_node(server);
            }
            outcomes
        });
        assert_eq!(outcomes, [Some(true), None]);
    }
}

#[test]
fn connecting_to_nobody_is_refused_and_to_nowhere_times_out() {
    simulate_world(1, |world| async move {
        start(&world, "idle", 1, idle);
        let refused = TcpStream::connect((ip(1), 1)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let nowhere = TcpStream::connect((ip(77), 1)).await.unwrap_err();
        assert_eq!(nowhere.kind(), io::ErrorKind::TimedOut);
    });
}

thread_local! {
    static STOPPED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn note(what: &'static str) {
    STOPPED.with_borrow_mut(|stopped| stopped.push(what));
}

async fn stops_gracefully() {
    signal::ctrl_c().await.unwrap();
    sleep(Duration::from_millis(5)).await;
    note("ctrl-c");
}

async fn stops_at_sigterm() {
    use signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let mut hangup = signal(SignalKind::hangup()).unwrap();
    loop {
        tokio::select! {
            Some(()) = terminate.recv() => return note("terminate"),
            _ = hangup.recv() => note("hangup"),
        }
    }
}

#[test]
fn a_node_that_is_told_to_stop_stops_in_its_own_way() {
    simulate_world(1, |world| async move {
        STOPPED.take();
        let mains = [
            start(&world, "ctrl-c", 1, stops_gracefully),
            start(&world, "sigterm", 2, stops_at_sigterm),
            start(&world, "deaf", 3, idle),
        ];
        sleep(Duration::from_millis(1)).await;
        for node in mains {
            assert!(world.stop_node(node));
            sleep(Duration::from_millis(10)).await;
        }
        let states = mains.map(|node| world.node(node).state);
        let exited = NodeState::Down(Down::Exit);
        assert_eq!(states, [exited, exited, NodeState::Down(Down::Kill)]);
        assert_eq!(STOPPED.take(), ["ctrl-c", "terminate"]);
    });
}

/// As `hyper-util` and `axum-server` open theirs.
#[test]
fn sockets_of_std_become_tokios_and_back() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

    let (output, _) = crate::support::run(1, || async {
        let listener = std::net::TcpListener::bind("127.0.0.1:80").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            listener.into_std().unwrap().local_addr().unwrap().port()
        });
        let stream = TcpStream::connect("127.0.0.1:80").await.unwrap();
        let mut stream = TcpStream::from_std(stream.into_std().unwrap()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();

        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::from_std(socket).unwrap();
        let port = socket.local_addr().unwrap().port();
        let again = socket.into_std().unwrap().local_addr().unwrap().port();

        let fresh = TcpSocket::new_v4().unwrap();
        assert!(fresh.connect(([127, 0, 0, 1], 9).into()).await.is_err());
        (text, serving.await.unwrap(), port == again)
    });
    assert_eq!(output.unwrap(), ("hello".to_owned(), 80, true));
}
