//! A process that is killed against a machine that loses power.

use std::time::Duration;

use sim_net::NetConfig;
use sim_runtime::{Down, FaultId, spawn_on, time};

use crate::lab::*;

/// Kills a node as the nemesis does.
fn kill(down: Down) -> FaultId {
    let world = the_world();
    let fault = world.ledger().plan("f", "kill");
    world.ledger().arm(fault, "node b");
    net().blame_down(B, fault);
    assert!(world.kill_node(B, down));
    world
        .ledger()
        .inject(fault, "processes-killed", 1, || "node b".to_owned());
    fault
}

#[test]
fn a_killed_process_says_goodbye() {
    let summary = run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        on(B, async move {
            server.send_all(b"last words").await.expect("it is open")
        })
        .await;
        kill(Down::Kill);
        on(A, async move {
            assert_eq!(client.recv_to_end().await.expect("a FIN"), b"last words");
            let start = time::now();
            assert_eq!(code(Tcp::connect(addr(B, 7)).await), libc::ECONNREFUSED);
            assert_about(time::now() - start, 2 * LATENCY);
        })
        .await;
    });
    let row = row(&summary, "f");
    assert_eq!(row.observed["peers-disconnected"], 1);
    assert_eq!(row.observed["connects-failed"], 1);
}

#[test]
fn a_process_killed_with_unread_data_resets() {
    let summary = run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        on(A, async move {
            client.send_all(b"never read").await.expect("it is open")
        })
        .await;
        settle().await;
        kill(Down::Kill);
        on(A, async move {
            assert_eq!(code(client.recv(&mut [0; 8]).await), libc::ECONNRESET);
        })
        .await;
    });
    assert_eq!(row(&summary, "f").observed["peers-disconnected"], 1);
}

#[test]
fn a_machine_without_power_is_silent() {
    let config = NetConfig {
        send_buffer: 5_000,
        receive_buffer: 5_000,
        ..calm()
    };
    let summary = run(config, || async {
        let (client, _server) = pair(A, B, 7).await;
        kill(Down::PowerLoss);
        on(A, async move {
            let silence = within(Duration::from_secs(60), client.recv(&mut [0; 8])).await;
            assert!(silence.is_none(), "half-open: nothing tells of it");
            let start = time::now();
            let mut written = 0;
            let error = loop {
                match client.send(&[1; 1_000]).await {
                    Ok(count) => written += count,
                    Err(error) => break error,
                }
            };
            assert_eq!(written, 5_000, "until the buffer is full");
            assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
            let seconds = (time::now() - start).as_secs();
            assert!((924..940).contains(&seconds), "gave up after {seconds} s");
        })
        .await;
    });
    let row = row(&summary, "f");
    assert_eq!(row.observed["io-errors"], 1);
    assert_eq!(row.observed["writes-stalled"], 1);
}

#[test]
fn a_machine_that_is_back_knows_nothing_of_old_connections() {
    let summary = run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        kill(Down::PowerLoss);
        settle().await;
        the_world().restart_node(B);
        on(A, async move {
            client
                .send_all(b"still there?")
                .await
                .expect("the kernel takes it");
            assert_eq!(code(client.recv(&mut [0; 8]).await), libc::ECONNRESET);
        })
        .await;
    });
    assert_eq!(row(&summary, "f").observed["peers-disconnected"], 1);
}

#[test]
fn a_connect_outlasts_a_reboot() {
    run(calm(), || async {
        kill(Down::PowerLoss);
        let connect = spawn_on(A, "connect", Tcp::connect(addr(B, 7)));
        time::sleep(Duration::from_secs(20)).await;
        assert!(!connect.is_finished());
        the_world().restart_node(B);
        go(B, echo(7));
        connect
            .await
            .expect("it ends")
            .expect("the retry after 31 s gets through");
        assert!(time::now().as_nanos() > 31_000_000_000);
    });
}

#[test]
fn what_a_dead_machine_had_sent_still_arrives() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        on(B, async move {
            server.send_all(b"on the wire").await.expect("it is open")
        })
        .await;
        kill(Down::PowerLoss);
        let read = on(A, async move { client.recv_exact(11).await }).await;
        assert_eq!(read.expect("it had left already"), b"on the wire");
    });
}

#[test]
fn a_killed_process_sends_what_its_kernel_had_taken() {
    let config = NetConfig {
        send_buffer: 50_000,
        receive_buffer: 5_000,
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        on(B, async move {
            server.send_all(&[9; 50_000]).await.expect("it fits")
        })
        .await;
        kill(Down::Kill);
        let read = on(A, client.recv_to_end()).await.expect("the kernel lives");
        assert_eq!(read.len(), 50_000);
    });
}

#[test]
fn a_process_that_exits_closes_its_sockets() {
    run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        the_world().kill_node(B, Down::Exit);
        assert_eq!(on(A, client.recv_to_end()).await.expect("a FIN"), b"");
    });
}

#[test]
fn a_stale_descriptor_is_nobody_elses() {
    run(calm(), || async {
        let (_client, server) = pair(A, B, 7).await;
        the_world().kill_node(B, Down::Kill);
        the_world().restart_node(B);
        on(B, async move {
            let _other = listen(7);
            assert_eq!(code(server.recv(&mut [0; 8]).await), libc::EBADF);
            assert_eq!(code(server.send(b"x").await), libc::EBADF);
        })
        .await;
    });
}
