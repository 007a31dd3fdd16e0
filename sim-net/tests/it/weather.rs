//! Weather: pairs that are far apart for good, narrow links, and what seeds draw.

use std::time::Duration;

use sim_net::{Chance, Latency, NetConfig};
use sim_runtime::{NodeId, Seed, spawn_on, time};

use crate::lab::*;

/// How long a round trip between two nodes takes, twice.
async fn round_trips(from: NodeId, to: NodeId, port: u16) -> [Duration; 2] {
    let (client, server) = pair(from, to, port).await;
    go(to, async move {
        while let Ok(byte) = server.recv_exact(1).await {
            server.send_all(&byte).await.expect("it is open");
        }
    });
    on(from, async move {
        let mut took = [Duration::ZERO; 2];
        for took in &mut took {
            let start = time::now();
            client.send_all(b"x").await.expect("it is open");
            client.recv_exact(1).await.expect("it comes back");
            *took = time::now() - start;
        }
        took
    })
    .await
}

#[test]
fn some_pairs_are_far_from_each_other_for_good_and_both_ways() {
    let mut far = 0;
    for seed in 0..40 {
        let (send, receive) = std::sync::mpsc::channel();
        let config = NetConfig {
            far_pair: Chance { num: 1, den: 3 },
            far_factor: 10,
            ..calm()
        };
        run_seed(seed, config, move || async move {
            let there = round_trips(A, B, 7).await;
            let back = round_trips(B, A, 8).await;
            send.send([there, back].concat()).expect("the test waits");
        });
        let took = receive.recv().expect("it ran");
        let factor = if took[0] > 5 * LATENCY { 10 } else { 1 };
        took.iter()
            .for_each(|took| assert_about(*took, 2 * factor * LATENCY));
        far += u32::from(factor == 10);
    }
    assert!((5..25).contains(&far), "{far} of 40");
}

#[test]
fn a_narrow_network_takes_as_long_as_its_bytes() {
    let config = NetConfig {
        bandwidth: Some(10_000),
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        let start = time::now();
        let reader = spawn_on(B, "reader", server.recv_exact(50_000));
        on(A, async move { client.send_all(&[1; 50_000]).await })
            .await
            .expect("open");
        reader.await.expect("it ends").expect("all of it");
        let took = time::now() - start;
        assert!((5_000..5_200).contains(&took.as_millis()), "{took:?}");
    });
}

#[test]
fn streams_are_whole_in_any_weather() {
    for seed in 0..40 {
        run_seed(seed, NetConfig::drawn(Seed(seed)), || async {
            let (client, server) = pair(A, B, 7).await;
            let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 249) as u8).collect();
            let sent = bytes.clone();
            go(A, async move {
                client.send_all(&sent).await.expect("it is open");
                client.close();
            });
            let read = on(B, server.recv_to_end()).await.expect("all of it");
            assert!(read == bytes);
        });
    }
}

#[test]
fn reads_and_writes_move_a_part_of_at_least_one_byte() {
    let config = NetConfig {
        partial_io: Chance { num: 1, den: 2 },
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        let (mut written, mut read) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            let count = client.send(&[7; 1_000]).await.expect("there is room");
            settle().await;
            written.push(count);
            let mut into = [0; 1_000];
            let mut left = count;
            while left > 0 {
                let count = server.recv(&mut into).await.expect("it is there");
                read.push((count, left));
                left -= count;
            }
        }
        let whole = written.iter().filter(|count| **count == 1_000).count();
        assert!(written.iter().all(|count| (1..=1_000).contains(count)));
        assert!(
            (60..140).contains(&whole),
            "{whole} of 200 writes moved all"
        );
        assert!(read.iter().all(|(count, _)| *count > 0));
        let short = read.iter().filter(|(count, left)| count < left).count();
        assert!(
            short * 4 > read.len(),
            "{short} of {} reads were short",
            read.len()
        );
    });
}

/// One-way times of many datagrams over a link of this latency, in nanoseconds, sorted.
fn times(latency: Latency) -> Vec<u64> {
    let (log, logged) = std::sync::mpsc::channel();
    let config = NetConfig { latency, ..calm() };
    run(config, move || async move {
        let bind = |node| on(node, async { net().udp_bind(([0, 0, 0, 0], 7).into()) });
        let (one, other) = (bind(A).await, bind(B).await);
        let (one, other) = (one.expect("a port"), other.expect("a port"));
        for _ in 0..400 {
            let start = time::now();
            net().send_to(one, b"x", addr(B, 7)).expect("it is sent");
            recv_from(other, &mut [0; 8])
                .await
                .expect("nothing is wrong");
            log.send((time::now() - start).as_nanos() as u64)
                .expect("the test waits");
        }
    });
    let mut times: Vec<u64> = logged.try_iter().collect();
    times.sort_unstable();
    times
}

#[test]
fn latencies_are_constant_uniform_exponential_or_have_a_heavy_tail() {
    const MS: u64 = 1_000_000;
    let constant = times(Latency::constant(Duration::from_millis(3)));
    assert!(constant[0] >= 3 * MS && constant[399] < 3 * MS + MS / 10);
    let uniform = Latency {
        max_ns: 9 * MS,
        ..Latency::constant(Duration::from_millis(1))
    };
    let uniform = times(uniform);
    assert!(uniform[0] >= MS && uniform[399] < 9 * MS + MS / 10);
    assert!(
        (4 * MS..6 * MS).contains(&uniform[200]),
        "half lie above the middle"
    );
    let exponential = Latency::exponential(Duration::from_millis(1), Duration::from_millis(4));
    let exponential = times(exponential);
    let mean = exponential.iter().sum::<u64>() / 400;
    assert!(
        (43 * MS / 10..57 * MS / 10).contains(&mean),
        "1 ms and 4 on average: {mean}"
    );
    assert!(
        exponential[0] >= MS && exponential[399] > 15 * MS,
        "it has no end"
    );
    let median = exponential[200];
    assert!(
        (3 * MS..45 * MS / 10).contains(&median),
        "1 ms and 4 ln 2: {median}"
    );
    let tail = times(NetConfig::default().latency);
    assert!(
        tail[300] < 2 * MS && tail[399] > 3 * MS,
        "few take many times as long"
    );
}

#[test]
fn a_path_holds_so_many_datagrams_and_any_of_them_may_be_the_victim() {
    let mut victims = [0; 8];
    for seed in 0..60 {
        let config = NetConfig {
            path_capacity: Some(7),
            ..calm()
        };
        let (log, logged) = std::sync::mpsc::channel();
        run_seed(seed, config, move || async move {
            let bind = |node| on(node, async { net().udp_bind(([0, 0, 0, 0], 7).into()) });
            let (one, other) = (bind(A).await, bind(B).await);
            let (one, other) = (one.expect("a port"), other.expect("a port"));
            for burst in 0..2_u8 {
                for number in 0..8 {
                    net()
                        .send_to(one, &[burst, number], addr(B, 7))
                        .expect("it is sent");
                }
                settle().await;
            }
            let mut into = [0; 8];
            while let Some(read) = within(settle_time(), recv_from(other, &mut into)).await {
                read.expect("nothing is wrong");
                log.send((into[0], into[1])).expect("the test waits");
            }
            let stats = net().link_stats(A, B);
            assert_eq!((stats.offered, stats.delivered, stats.dropped), (16, 14, 2));
        });
        let heard: Vec<(u8, u8)> = logged.try_iter().collect();
        for burst in 0..2 {
            let missing: Vec<u8> = (0..8).filter(|n| !heard.contains(&(burst, *n))).collect();
            let [victim] = missing[..] else {
                panic!("seed {seed}, burst {burst}: {missing:?} are missing");
            };
            victims[usize::from(victim)] += 1;
        }
    }
    assert!(
        victims.iter().all(|count| (4..28).contains(count)),
        "{victims:?}"
    );
}
