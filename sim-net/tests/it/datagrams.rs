//! UDP.

use std::time::Duration;

use sim_net::NetConfig;
use sim_runtime::{Fd, time};

use crate::lab::*;

fn bind(port: u16) -> Fd {
    net()
        .udp_bind(([0, 0, 0, 0], port).into())
        .expect("the port is free")
}

#[test]
fn datagrams_keep_their_bounds_and_their_sender() {
    run(calm(), || async {
        let server = on(B, async { bind(9) }).await;
        let client = on(A, async { bind(8) }).await;
        on(A, async move {
            for bytes in [&b"one"[..], b"", b"three"] {
                net()
                    .send_to(client, bytes, addr(B, 9))
                    .expect("it never blocks");
            }
        })
        .await;
        on(B, async move {
            let mut into = [0; 4];
            assert_eq!(
                recv_from(server, &mut into).await.expect("one"),
                (3, addr(A, 8))
            );
            assert_eq!(
                recv_from(server, &mut into).await.expect("empty"),
                (0, addr(A, 8))
            );
            assert_eq!(
                recv_from(server, &mut into).await.expect("cut off"),
                (4, addr(A, 8))
            );
            assert_eq!(&into, b"thre");
            assert_eq!(
                code(net().recv_from(server, &mut into, false)),
                libc::EAGAIN
            );
        })
        .await;
    });
}

#[test]
fn datagrams_over_64_kib_are_refused() {
    run(calm(), || async {
        on(A, async {
            let client = bind(8);
            assert_eq!(
                code(net().send_to(client, &[0; 65_508], addr(B, 9))),
                libc::EMSGSIZE
            );
            assert_eq!(
                net().send_to(client, &[0; 65_507], addr(B, 9)).ok(),
                Some(65_507)
            );
            assert_eq!(code(net().send(client, b"x")), libc::EDESTADDRREQ);
        })
        .await;
    });
}

#[test]
fn a_connected_socket_learns_that_nobody_listens() {
    run(calm(), || async {
        on(A, async {
            let client = bind(8);
            net()
                .udp_connect(client, addr(B, 9))
                .expect("any address will do");
            net().send(client, b"x").expect("it never blocks");
            settle().await;
            assert_eq!(code(net().send(client, b"x")), libc::ECONNREFUSED);
            let deaf = bind(18);
            net()
                .send_to(deaf, b"x", addr(B, 9))
                .expect("it never blocks");
            settle().await;
            net()
                .send_to(deaf, b"x", addr(B, 9))
                .expect("an unconnected one never learns");
        })
        .await;
    });
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    run(calm(), || async {
        let server = on(B, async {
            let server = bind(9);
            net()
                .udp_connect(server, addr(A, 8))
                .expect("any address will do");
            server
        })
        .await;
        on(C, async {
            net()
                .send_to(bind(8), b"no", addr(B, 9))
                .expect("it never blocks")
        })
        .await;
        on(A, async {
            net()
                .send_to(bind(8), b"yes", addr(B, 9))
                .expect("it never blocks")
        })
        .await;
        settle().await;
        on(B, async move {
            let mut into = [0; 8];
            assert_eq!(net().recv(server, &mut into, false).expect("one"), 3);
            assert_eq!(code(net().recv(server, &mut into, false)), libc::EAGAIN);
        })
        .await;
    });
}

#[test]
fn a_socket_whose_reader_sleeps_loses_what_does_not_fit() {
    let config = NetConfig {
        datagram_buffer: 8 * 1024,
        ..calm()
    };
    run(config, || async {
        let server = on(B, async { bind(9) }).await;
        on(A, async {
            let client = bind(8);
            for _ in 0..20 {
                net()
                    .send_to(client, &[0; 1_000], addr(B, 9))
                    .expect("it never blocks");
            }
        })
        .await;
        settle().await;
        let read = on(B, async move {
            let mut into = [0; 2_000];
            std::iter::from_fn(|| net().recv_from(server, &mut into, false).ok()).count()
        })
        .await;
        assert_eq!(read, 5);
    });
}

#[test]
fn dropped_datagrams_are_missed_by_whoever_waits_for_them() {
    let summary = run(calm(), || async {
        let server = on(B, async { bind(9) }).await;
        let fault = the_world().ledger().plan("f", "cut");
        the_world().ledger().arm(fault, "a -> b");
        net().cut(fault, &[A], &[B]);
        on(A, async {
            net()
                .send_to(bind(8), &[0; 100], addr(B, 9))
                .expect("nobody tells");
        })
        .await;
        let heard = within(Duration::from_secs(9), async move {
            ready(server, sim_net::Interest::READABLE).await
        });
        assert!(heard.await.is_none());
        let stats = net().link_stats(A, B);
        assert_eq!(
            (stats.offered, stats.dropped, stats.dropped_by[&fault]),
            (1, 1, 1)
        );
        time::sleep(LATENCY).await;
    });
    let row = row(&summary, "f");
    assert_eq!(row.injected["packets-dropped"], 1);
    assert_eq!(row.injected["bytes-dropped"], 100);
    assert_eq!(row.observed["datagrams-missed"], 1);
}
