//! Weather: pairs that are far apart for good, narrow links, and what seeds draw.

use std::time::Duration;

use sim_net::{Chance, NetConfig};
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
