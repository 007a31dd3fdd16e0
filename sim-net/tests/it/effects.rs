//! Each effect a fault can have, alone: what the guest sees of it, and its receipt.

use std::net::Shutdown;
use std::time::Duration;

use sim_net::{Chance, Effect, Latency};
use sim_runtime::{Summary, spawn_on, time};

use crate::lab::*;

const ALWAYS: Chance = Chance { num: 1, den: 1 };
const HALF: Chance = Chance { num: 1, den: 2 };
const SECOND: Duration = Duration::from_secs(1);

/// Sends `count` datagrams from A to B under an effect; gives back what B reads until nothing
/// has come for a while, and the summary.
fn datagrams(count: u8, effect: Effect) -> (Vec<Vec<u8>>, Summary) {
    let (send, receive) = std::sync::mpsc::channel();
    let summary = run(calm(), move || async move {
        let server = on(B, async { net().udp_bind(([0, 0, 0, 0], 7).into()) }).await;
        let server = server.expect("the port is free");
        disturb("f", &[effect], &[A], &[B]);
        on(A, async move {
            let client = net().udp_bind(([0, 0, 0, 0], 0).into()).expect("a port");
            for n in 0..count {
                let sent = net().send_to(client, &[n; 100], addr(B, 7));
                assert_eq!(sent.expect("it is sent"), 100);
                time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        on(B, async move {
            let mut into = [0; 200];
            while let Some(read) = within(60 * SECOND, recv_from(server, &mut into)).await {
                let (len, _) = read.expect("nothing is wrong");
                send.send(into[..len].to_vec()).expect("the test waits");
            }
        })
        .await;
    });
    (receive.try_iter().collect(), summary)
}

/// Sends 3,000 bytes from A to B under an effect and checks that they arrive whole.
fn stream(effect: Effect) -> (Duration, Summary) {
    let (send, receive) = std::sync::mpsc::channel();
    let summary = run(calm(), move || async move {
        let (client, server) = pair(A, B, 7).await;
        disturb("f", &[effect], &[A], &[B]);
        let bytes: Vec<u8> = (0..3_000_u32).map(|n| (n % 251) as u8).collect();
        let start = time::now();
        let sent = bytes.clone();
        go(A, async move {
            for part in sent.chunks(100) {
                client.send_all(part).await.expect("it is open");
                time::sleep(Duration::from_millis(1)).await;
            }
            client.shutdown(Shutdown::Write).expect("it is open");
        });
        let read = on(B, server.recv_to_end()).await.expect("all of it");
        assert_eq!(read, bytes);
        send.send(time::now() - start).expect("the test waits");
    });
    (receive.recv().expect("it ran"), summary)
}

#[test]
fn lost_datagrams_are_gone() {
    let (read, summary) = datagrams(100, Effect::Loss(HALF));
    let row = row(&summary, "f");
    assert_eq!(read.len() as u64 + row.injected["packets-dropped"], 100);
    assert!((30..70).contains(&read.len()), "{} of 100", read.len());
    assert_eq!(
        row.injected["bytes-dropped"],
        100 * row.injected["packets-dropped"]
    );
    assert_eq!(
        row.observed["datagrams-missed"], row.injected["packets-dropped"],
        "its reader went on waiting for each"
    );
}

#[test]
fn loss_delays_streams_and_takes_nothing_from_them() {
    let (took, summary) = stream(Effect::Loss(HALF));
    let row = row(&summary, "f");
    assert!(
        took > 5 * LATENCY,
        "retransmission takes its time: {took:?}"
    );
    assert!(row.injected["packets-dropped"] > 0);
    assert!(row.observed["reads-late"] > 0);
    assert_eq!(row.standing(), "landed");
}

#[test]
fn loss_that_hits_nothing_is_vacuous() {
    let (read, summary) = datagrams(50, Effect::Loss(Chance { num: 0, den: 1 }));
    assert_eq!(read.len(), 50);
    assert_eq!(row(&summary, "f").standing(), "vacuous");
}

#[test]
fn delay_makes_everything_late_and_keeps_streams_in_order() {
    let latency = Latency {
        min_ns: 0,
        max_ns: 1_000_000_000,
        mean_ns: 0,
        tail: Chance::NEVER,
        tail_min: 1,
        tail_max: 1,
    };
    let (took, summary) = stream(Effect::Delay(latency));
    assert!(took > SECOND / 4 && took < 2 * SECOND, "{took:?}");
    let row = row(&summary, "f");
    assert!(row.injected["packets-delayed"] >= 30, "{row:?}");
    assert!(!row.injected.contains_key("packets-dropped"));
    assert!(row.observed["reads-late"] > 0);
}

#[test]
fn delay_of_the_way_back_holds_the_writer_for_as_long_and_no_longer() {
    let config = sim_net::NetConfig {
        send_buffer: 1_000,
        ..calm()
    };
    let summary = run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        disturb("f", &[Effect::delay(SECOND)], &[B], &[A]);
        let start = time::now();
        go(B, async move {
            let _all = server.recv_to_end().await;
        });
        on(A, async move { client.send_all(&[1; 10_000]).await })
            .await
            .expect("it is open");
        let took = time::now() - start;
        assert!(
            (9..12).contains(&took.as_secs()),
            "a buffer a round trip: {took:?}"
        );
    });
    let row = row(&summary, "f");
    assert!(row.observed["writes-stalled"] > 0, "{row:?}");
}

#[test]
fn a_connect_over_a_slow_link_is_late() {
    let summary = run(calm(), || async {
        go(B, echo(7));
        settle().await;
        disturb("f", &[Effect::delay(SECOND)], &[A], &[B]);
        let start = time::now();
        on(A, Tcp::connect(addr(B, 7))).await.expect("it listens");
        assert_about(time::now() - start, SECOND + 2 * LATENCY);
    });
    assert_eq!(row(&summary, "f").observed["connects-late"], 1);
}

#[test]
fn delay_hits_what_is_in_flight() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        let start = time::now();
        on(A, async move { client.send_all(b"x").await.expect("open") }).await;
        disturb("f", &[Effect::delay(SECOND)], &[A], &[B]);
        on(
            B,
            async move { server.recv_exact(1).await.expect("it comes") },
        )
        .await;
        assert_about(time::now() - start, SECOND + LATENCY);
    });
}

#[test]
fn datagrams_that_wait_are_overtaken_and_counted_only_then() {
    let by = Latency::constant(Duration::from_millis(20));
    let (read, summary) = datagrams(60, Effect::Reorder { chance: HALF, by });
    assert_eq!(read.len(), 60, "nothing is lost");
    let sorted = read.windows(2).all(|two| two[0] <= two[1]);
    assert!(!sorted, "some were overtaken");
    let row = row(&summary, "f");
    let overtaken = row.injected["packets-reordered"];
    assert!(overtaken > 0 && overtaken <= row.injected["packets-delayed"]);
    assert_eq!(row.observed["datagrams-read-out-of-order"], overtaken);

    let (_, summary) = datagrams(1, Effect::Reorder { chance: ALWAYS, by });
    let row = crate::lab::row(&summary, "f");
    assert!(
        !row.injected.contains_key("packets-reordered"),
        "nobody was there to overtake"
    );
    assert_eq!(row.observed["datagrams-late"], 1);
}

#[test]
fn duplicates_arrive_twice_as_datagrams_and_once_in_streams() {
    let (read, summary) = datagrams(10, Effect::Duplicate(ALWAYS));
    assert_eq!(read.len(), 20);
    let one = row(&summary, "f");
    assert_eq!(one.injected["packets-duplicated"], 10);
    assert_eq!(one.observed["datagrams-read-twice"], 10);

    let (_, summary) = stream(Effect::Duplicate(ALWAYS));
    let row = row(&summary, "f");
    assert!(row.injected["packets-duplicated"] >= 30);
    assert_eq!(row.standing(), "masked", "TCP hides it");
}

#[test]
fn corruption_changes_a_byte_of_datagrams_and_costs_streams_time() {
    let (read, summary) = datagrams(20, Effect::Corrupt(ALWAYS));
    assert_eq!(read.len(), 20);
    for (n, bytes) in read.iter().enumerate() {
        let wrong = bytes.iter().filter(|byte| **byte != n as u8);
        assert_eq!(wrong.count(), 1);
    }
    assert_eq!(row(&summary, "f").observed["datagrams-read-corrupt"], 20);

    let (_, summary) = stream(Effect::Corrupt(Chance { num: 1, den: 5 }));
    let row = row(&summary, "f");
    assert_eq!(
        row.injected["packets-corrupted"],
        row.injected["packets-dropped"]
    );
    assert_eq!(row.standing(), "landed");
}

#[test]
fn a_narrow_link_takes_as_long_as_its_bytes() {
    let narrow = |queue| Effect::Bandwidth {
        bytes_per_second: 1_400,
        queue,
    };
    // Thirty segments of 100 bytes and a header each, and the FIN.
    let (took, summary) = stream(narrow(0));
    assert!((2_900..3_200).contains(&took.as_millis()), "{took:?}");
    assert_eq!(row(&summary, "f").standing(), "landed");

    let (read, summary) = datagrams(30, narrow(700));
    assert!(
        (6..9).contains(&read.len()),
        "five fit into the queue: {}",
        read.len()
    );
    let row = row(&summary, "f");
    assert_eq!(row.injected["packets-dropped"] + read.len() as u64, 30);
}

#[test]
fn a_jam_lets_go_of_everything_at_once_and_in_order() {
    let summary = run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        let jam = disturb("f", &[Effect::Jam], &[A, B], &[A, B]);
        on(A, async move {
            for n in 0..10 {
                client.send_all(&[n; 10]).await.expect("it is open");
                time::sleep(Duration::from_millis(3)).await;
            }
        })
        .await;
        time::sleep(10 * SECOND).await;
        let early = on(B, async move {
            within(SECOND, server.recv_exact(1)).await.is_some()
        });
        assert!(!early.await, "nothing passes");
        heal(jam);
        let start = time::now();
        let read = on(B, server.recv_exact(100)).await.expect("all of it");
        assert!(read.is_sorted(), "{read:?}");
        assert!(time::now() - start < LATENCY, "no retransmission is needed");
        on(B, async move { server.send_all(b"ok").await })
            .await
            .expect("open");
        on(A, client.recv_exact(2))
            .await
            .expect("the way back is open again");
    });
    let row = row(&summary, "f");
    assert!(row.injected["packets-held"] >= 10);
    assert!(!row.injected.contains_key("packets-dropped"));
    assert_eq!(row.standing(), "landed");
}

#[test]
fn a_connect_into_a_jam_gives_up_like_any_other() {
    let summary = run(calm(), || async {
        go(B, echo(7));
        settle().await;
        disturb("f", &[Effect::Jam], &[A], &[B]);
        let start = time::now();
        let error = on(A, Tcp::connect(addr(B, 7))).await;
        assert_eq!(code(error), libc::ETIMEDOUT);
        assert_eq!((time::now() - start).as_secs(), 127);
    });
    assert_eq!(row(&summary, "f").observed["connects-failed"], 1);
}

#[test]
fn a_jam_of_acknowledgements_stalls_the_writer_until_it_heals() {
    let config = sim_net::NetConfig {
        send_buffer: 1_000,
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        let jam = disturb("f", &[Effect::Jam], &[B], &[A]);
        go(B, async move {
            let _all = server.recv_to_end().await;
        });
        let writer = spawn_on(
            A,
            "writer",
            async move { client.send_all(&[1; 5_000]).await },
        );
        time::sleep(20 * SECOND).await;
        assert!(!writer.is_finished());
        heal(jam);
        let start = time::now();
        writer.await.expect("it ends").expect("all of it");
        assert!(time::now() - start < SECOND);
    });
}

#[test]
fn who_is_rejected_is_told_at_once() {
    let summary = run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        go(B, echo(8));
        let udp = on(A, async {
            let udp = net().udp_bind(([0, 0, 0, 0], 0).into()).expect("a port");
            net().udp_connect(udp, addr(B, 9)).expect("any address");
            udp
        })
        .await;
        settle().await;
        let fault = disturb("f", &[Effect::Reject], &[A, B], &[A, B]);
        let start = time::now();
        assert_eq!(
            code(on(A, Tcp::connect(addr(B, 8))).await),
            libc::EHOSTUNREACH
        );
        assert_about(time::now() - start, LATENCY);
        on(A, async move {
            client.send_all(b"x").await.expect("it leaves");
            settle().await;
            assert_eq!(code(client.recv(&mut [0; 1]).await), libc::ECONNRESET);
            net().send(udp, b"x").expect("it leaves");
            let read = recv_from(udp, &mut [0; 1]).await;
            assert_eq!(code(read), libc::EHOSTUNREACH);
        })
        .await;
        heal(fault);
        // The other end has heard nothing; its kernel learns when it sends.
        on(B, async move {
            server.send_all(b"x").await.expect("it leaves");
            settle().await;
            assert_eq!(code(server.recv(&mut [0; 1]).await), libc::ECONNRESET);
        })
        .await;
    });
    let row = row(&summary, "f");
    assert!(row.injected["packets-rejected"] >= 3, "{row:?}");
    assert_eq!(row.observed["connects-failed"], 1);
    assert!(row.observed["io-errors"] >= 2, "{row:?}");
}

#[test]
fn a_reset_is_seen_at_once_or_with_the_next_operation() {
    let mut at_once = 0;
    let mut ends = 0;
    for seed in 0..60 {
        let (send, receive) = std::sync::mpsc::channel();
        let summary = run_seed(seed, calm(), move || async move {
            let (client, server) = pair(A, B, 7).await;
            let ends = [(A, client), (B, server)];
            let reads = ends.map(|(node, end)| {
                let read = async move { end.recv(&mut [0; 1]).await.is_err() };
                sim_runtime::spawn_on(node, "read", read)
            });
            settle().await;
            let fault = disturb("f", &[], &[], &[]);
            assert_eq!(net().reset(fault, &[A, C], &[B]), 1);
            settle().await;
            let told = reads.each_ref().map(|read| read.is_finished());
            for ((node, end), told) in ends.into_iter().zip(told) {
                // Whoever was not told learns when it uses the connection.
                let uses = async move {
                    for _ in 0..3 {
                        if end.send(b"x").await.is_err() {
                            return true;
                        }
                        settle().await;
                    }
                    false
                };
                let failed = told || on(node, uses).await;
                assert!(failed, "seed {seed}: the connection is dead");
                send.send(told).expect("the test waits");
            }
        });
        let row = row(&summary, "f");
        assert_eq!(row.injected["connections-reset"], 1);
        assert!(row.observed["io-errors"] >= 1, "{row:?}");
        let told: Vec<bool> = receive.try_iter().collect();
        ends += told.len();
        at_once += told.iter().filter(|told| **told).count();
    }
    // Of three cases one is both ends, and each end that is reset learns at once in 3 of 10.
    assert_eq!(ends, 120);
    assert!((10..40).contains(&at_once), "{at_once} of {ends} at once");
}
