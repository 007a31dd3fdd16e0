//! Cuts: what they drop, what survives them, and their receipts.

use std::time::Duration;

use sim_net::NetConfig;
use sim_runtime::{FaultId, NodeId, spawn_on, time};

use crate::lab::*;

/// Opens a cut as the nemesis does.
fn cut(name: &str, pairs: &[(&[NodeId], &[NodeId])]) -> FaultId {
    let world = the_world();
    let fault = world.ledger().plan(name, "cut");
    world.ledger().arm(fault, "test");
    for (from, to) in pairs {
        net().cut(fault, from, to);
    }
    fault
}

#[test]
fn a_connect_into_a_cut_hangs_for_127_seconds() {
    let summary = run(calm(), || async {
        go(B, echo(7));
        settle().await;
        cut("f", &[(&[A], &[B])]);
        on(A, async {
            let start = time::now();
            assert_eq!(code(Tcp::connect(addr(B, 7)).await), libc::ETIMEDOUT);
            assert_eq!((time::now() - start).as_secs(), 127);
        })
        .await;
        assert_eq!(net().link_stats(A, B).dropped, 7, "one SYN and six retries");
    });
    let row = row(&summary, "f");
    assert_eq!(row.injected["packets-dropped"], 7);
    assert_eq!(row.observed["connects-failed"], 1);
    assert_eq!(row.standing(), "landed");
}

#[test]
fn a_connect_gets_through_once_the_cut_heals() {
    let summary = run(calm(), || async {
        go(B, echo(7));
        settle().await;
        // The way back is cut: the SYN arrives, the SYN-ACK does not.
        let fault = cut("f", &[(&[B], &[A])]);
        let connect = spawn_on(A, "connect", Tcp::connect(addr(B, 7)));
        time::sleep(Duration::from_secs(10)).await;
        assert!(!connect.is_finished());
        heal(fault);
        let start = time::now();
        connect
            .await
            .expect("it ends")
            .expect("a retry gets through");
        assert!(
            time::now() - start < Duration::from_secs(6),
            "the retry after 15 s"
        );
    });
    assert_eq!(row(&summary, "f").observed["connects-late"], 1);
}

#[test]
fn a_guest_that_gives_up_on_a_connect_has_noticed() {
    let summary = run(calm(), || async {
        cut("f", &[(&[A], &[B])]);
        on(A, async {
            let fd = net().tcp_socket().expect("a descriptor");
            net()
                .connect(fd, addr(B, 7))
                .expect_err("it is in progress");
            time::sleep(Duration::from_millis(300)).await;
            Tcp(fd).close();
        })
        .await;
    });
    assert_eq!(row(&summary, "f").observed["connections-abandoned"], 1);
}

#[test]
fn nothing_inside_a_stream_is_lost_and_the_reader_is_late() {
    let summary = run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        // Cut while the data is in flight: faults are judged at delivery.
        on(A, async move {
            client.send_all(b"in flight").await.expect("it is open")
        })
        .await;
        let fault = cut("f", &[(&[A], &[B])]);
        on(A, async move {
            client.send_all(b" and behind").await.expect("it is open")
        })
        .await;
        time::sleep(Duration::from_secs(3)).await;
        heal(fault);
        let start = time::now();
        let read = on(
            B,
            async move { server.recv_exact(20).await.expect("all of it") },
        )
        .await;
        assert_eq!(read, b"in flight and behind");
        assert!(
            time::now() - start < Duration::from_secs(4),
            "the back-off doubled"
        );
    });
    let row = row(&summary, "f");
    assert!(row.injected["packets-dropped"] >= 4, "{row:?}");
    assert!(row.observed["reads-late"] >= 1, "{row:?}");
    assert_eq!(row.standing(), "landed");
}

#[test]
fn a_cut_of_the_way_back_stalls_the_writer_though_its_data_arrives() {
    let config = NetConfig {
        send_buffer: 1_000,
        receive_buffer: 100_000,
        ..calm()
    };
    let summary = run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        cut("f", &[(&[B], &[A])]);
        let writer = spawn_on(A, "writer", async move {
            let start = time::now();
            loop {
                if let Err(error) = client.send(&[1; 600]).await {
                    return (error.raw_os_error(), (time::now() - start).as_secs());
                }
            }
        });
        let read = on(B, async move { server.recv_exact(1_000).await }).await;
        assert_eq!(read.expect("this way is open").len(), 1_000);
        time::sleep(Duration::from_secs(60)).await;
        assert!(
            !writer.is_finished(),
            "nothing is acknowledged, and nothing fails yet"
        );
        let (error, seconds) = writer.await.expect("it ends");
        assert_eq!(error, Some(libc::ETIMEDOUT));
        assert!((924..940).contains(&seconds), "gave up after {seconds} s");
    });
    let row = row(&summary, "f");
    assert_eq!(row.observed["writes-stalled"], 1);
    assert_eq!(row.observed["io-errors"], 1);
}

#[test]
fn a_window_that_opens_during_a_cut_is_found_open_after_it() {
    let config = NetConfig {
        send_buffer: 1_000,
        receive_buffer: 1_000,
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        let writer = spawn_on(
            A,
            "writer",
            async move { client.send_all(&[1; 4_000]).await },
        );
        settle().await;
        let fault = cut("f", &[(&[A, B], &[A, B])]);
        let reader = spawn_on(B, "reader", async move { server.recv_exact(4_000).await });
        time::sleep(Duration::from_secs(30)).await;
        heal(fault);
        reader.await.expect("it ends").expect("all of it");
        writer.await.expect("it ends").expect("all of it");
    });
}

#[test]
fn overlapping_cuts_compose() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        let one = cut("one", &[(&[A], &[B])]);
        let two = cut("two", &[(&[A], &[B, C]), (&[B], &[A])]);
        on(A, async move {
            client.send_all(b"x").await.expect("it is open")
        })
        .await;
        time::sleep(Duration::from_secs(1)).await;
        heal(one);
        let blocked = on(B, async move {
            within(Duration::from_secs(20), server.recv(&mut [0; 1])).await
        });
        assert!(blocked.await.is_none(), "the other cut still stands");
        heal(two);
        on(B, async move {
            server.recv_exact(1).await.expect("it arrives now")
        })
        .await;
        let stats = net().link_stats(A, B);
        assert!(stats.dropped_by[&two] > stats.dropped_by[&one], "{stats:?}");
    });
}

#[test]
fn isolation_leaves_the_others_alone_and_loopback_too() {
    run(calm(), || async {
        go(A, echo(7));
        go(B, echo(7));
        settle().await;
        cut("f", &[(&[A], &[B, C]), (&[B, C], &[A])]);
        on(C, async {
            Tcp::connect(addr(B, 7)).await.expect("not isolated")
        })
        .await;
        on(A, async {
            Tcp::connect(addr(A, 7)).await.expect("loopback")
        })
        .await;
        let outside = within(Duration::from_secs(9), on(C, Tcp::connect(addr(A, 7)))).await;
        assert!(outside.is_none(), "it hangs");
    });
}

#[test]
fn a_cut_over_idle_links_is_vacuous_and_changes_nothing_else() {
    let with = |faulty: bool| {
        run(NetConfig::default(), move || async move {
            let (client, server) = pair(A, B, 7).await;
            settle().await;
            if faulty {
                let fault = the_world().ledger().plan("f", "cut");
                net().cut(fault, &[A, B], &[C]);
            }
            on(A, async move {
                client.send_all(&[5; 3_000]).await.expect("open")
            })
            .await;
            on(B, async move {
                server.recv_exact(3_000).await.expect("all of it")
            })
            .await;
        })
    };
    let (quiet, faulty) = (with(false), with(true));
    assert_eq!(quiet.digest, faulty.digest);
    assert!(!row(&faulty, "f").is_injected());
}
