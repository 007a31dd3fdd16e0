//! Effects that overlap: drop over jam over the largest delay, whatever they are and whoever
//! laid them first.

use std::time::Duration;

use sim_net::{Chance, Effect, NetConfig};
use sim_runtime::{Stream, Summary, spawn_on, time};

use crate::lab::*;

const SECOND: Duration = Duration::from_secs(1);

/// When one byte sent from A arrives at B, with faults laid before and one healed 10 s later.
fn arrival(effects: &[Effect], healed: usize) -> (Option<Duration>, Summary) {
    let (send, receive) = std::sync::mpsc::channel();
    let effects = effects.to_vec();
    let summary = run(calm(), move || async move {
        let (client, server) = pair(A, B, 7).await;
        let faults: Vec<_> = effects
            .iter()
            .enumerate()
            .map(|(n, effect)| disturb(&format!("f{n}"), &[*effect], &[A], &[B]))
            .collect();
        let start = time::now();
        let reader = spawn_on(B, "reader", async move {
            server.recv_exact(1).await.expect("it is open");
            time::now()
        });
        on(A, async move { client.send_all(b"x").await.expect("open") }).await;
        time::sleep(10 * SECOND).await;
        heal(faults[healed]);
        time::sleep(40 * SECOND).await;
        let came = reader.is_finished();
        if came {
            let at = reader.await.expect("it ends");
            send.send(Some(at - start)).expect("the test waits");
        } else {
            send.send(None).expect("the test waits");
        }
    });
    (receive.recv().expect("it ran"), summary)
}

#[test]
fn the_largest_delay_counts_and_only_it() {
    let (slow, slower) = (Effect::delay(SECOND), Effect::delay(3 * SECOND));
    for (effects, longest) in [([slow, slower], "f1"), ([slower, slow], "f0")] {
        let (at, summary) = arrival(&effects, 0);
        assert_about(at.expect("it comes"), 3 * SECOND + LATENCY);
        for name in ["f0", "f1"] {
            assert_eq!(row(&summary, name).is_injected(), name == longest);
        }
    }
}

#[test]
fn a_jam_goes_over_a_delay() {
    for effects in [
        [Effect::Jam, Effect::delay(SECOND)],
        [Effect::delay(SECOND), Effect::Jam],
    ] {
        let jam = usize::from(effects[1] == Effect::Jam);
        let (at, summary) = arrival(&effects, jam);
        let at = at.expect("it comes with the burst");
        assert_eq!(at.as_secs(), 10, "{at:?}");
        let delayed = row(&summary, if jam == 0 { "f1" } else { "f0" });
        assert!(
            !delayed.injected.contains_key("packets-held"),
            "{delayed:?}"
        );
    }
}

#[test]
fn a_drop_goes_over_a_jam() {
    let (at, summary) = arrival(&[Effect::Jam, Effect::Cut], 0);
    assert_eq!(at, None, "dropped, jam or no jam");
    assert!(
        !row(&summary, "f0").is_injected(),
        "nothing was left to hold"
    );
    let (at, _) = arrival(&[Effect::Jam, Effect::Cut], 1);
    assert_eq!(at, None, "retransmissions are held by now");
}

#[test]
fn a_drop_goes_over_a_refusal() {
    let (at, summary) = arrival(&[Effect::Reject, Effect::Cut], 0);
    assert_eq!(at, None);
    assert!(row(&summary, "f0").observed.is_empty(), "nobody is told");
}

/// Any mix of effects, in any order of laying and healing, loses and reorders nothing in streams.
#[test]
fn random_effects_that_come_and_go_leave_streams_whole() {
    for seed in 0..60 {
        let config = NetConfig {
            loss: Chance { num: 1, den: 50 },
            ..NetConfig::default()
        };
        run_seed(seed, config, move || async move {
            let mut draw = Stream::of(sim_runtime::Seed(seed), "test", 0);
            let (client, server) = pair(A, B, 7).await;
            let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 241) as u8).collect();
            let sent = bytes.clone();
            go(A, async move {
                for part in sent.chunks(1_000) {
                    client.send_all(part).await.expect("it is open");
                    time::sleep(Duration::from_millis(5)).await;
                }
                client.close();
            });
            go(A, async move {
                let mut open = Vec::new();
                for n in 0..40 {
                    time::sleep(Duration::from_millis(draw.below(100))).await;
                    if !open.is_empty() && draw.chance(1, 2) {
                        heal(open.swap_remove(draw.below(open.len() as u64) as usize));
                        continue;
                    }
                    let effect = random(&mut draw);
                    let ways = [(A, B), (B, A)];
                    let (from, to) = ways[draw.below(2) as usize];
                    open.push(disturb(&format!("f{n}"), &[effect], &[from], &[to]));
                }
                open.into_iter().for_each(heal);
            });
            let read = on(B, within(900 * SECOND, server.recv_to_end())).await;
            let read = read.unwrap_or_else(|| panic!("seed {seed}: the stream is stuck"));
            assert!(read.expect("it is whole") == bytes, "seed {seed}");
        });
    }
}

fn random(draw: &mut Stream) -> Effect {
    let chance = Chance {
        num: draw.range(1, 40) as u32,
        den: 100,
    };
    let by = NetConfig::default().latency;
    match draw.below(8) {
        0 => Effect::Cut,
        1 => Effect::Jam,
        2 => Effect::Loss(chance),
        3 => Effect::delay(Duration::from_millis(draw.below(300))),
        4 => Effect::Reorder { chance, by },
        5 => Effect::Duplicate(chance),
        6 => Effect::Corrupt(chance),
        _ => Effect::Bandwidth {
            bytes_per_second: draw.range(10_000, 1_000_000),
            queue: 10_000,
        },
    }
}
