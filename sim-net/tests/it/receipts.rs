//! A receipt says `injected` exactly where the fault made a difference: each of many seeds is run
//! with a fault and without, and what guests saw is compared.

use std::time::Duration;

use sim_net::{Chance, Effect, Latency, NetConfig};
use sim_runtime::{NodeId, Seed, Stream, time};

use crate::lab::*;

/// What guests saw of a run: each datagram and each piece of a stream, with its time.
type Seen = Vec<(u64, String)>;

/// A fault: what, from whom to whom, from when, for how long.
#[derive(Clone, Copy, Debug)]
struct Plan {
    effect: Effect,
    ends: (NodeId, NodeId),
    start: Duration,
    length: Duration,
}

fn plan(seed: u64, number: u64) -> Plan {
    let mut draw = Stream::of(Seed(seed), "test.plan", number);
    let chance = Chance {
        num: draw.range(1, 60) as u32,
        den: 100,
    };
    let by = Latency::constant(Duration::from_millis(draw.range(1, 400)));
    let effects = [
        Effect::Cut,
        Effect::Jam,
        Effect::Loss(chance),
        Effect::Delay(by),
        Effect::Corrupt(chance),
        Effect::Bandwidth {
            bytes_per_second: draw.range(500, 50_000),
            queue: 2_000,
        },
    ];
    let ends = [(A, B), (B, A), (A, C), (C, B)];
    Plan {
        effect: effects[draw.below(effects.len() as u64) as usize],
        ends: ends[draw.below(ends.len() as u64) as usize],
        start: Duration::from_millis(draw.below(1_500)),
        length: Duration::from_millis(draw.range(1, 600)),
    }
}

/// Datagrams from A to B at times that the seed draws, with the fault or without. Whether the
/// receipt says injected, and what B saw.
fn run_with(seed: u64, faults: &[(usize, Plan)]) -> (Vec<bool>, Seen) {
    let (send, receive) = std::sync::mpsc::channel();
    // Weather that draws nothing else, so that only the fault can make a difference.
    let config = NetConfig {
        loss: Chance { num: 1, den: 20 },
        ..NetConfig::default()
    };
    let plans = faults.to_vec();
    let summary = run_seed(seed, config, move || async move {
        let server = on(B, async { net().udp_bind(([0, 0, 0, 0], 7).into()) }).await;
        let server = server.expect("the port is free");
        go(B, async move {
            let mut into = [0; 64];
            loop {
                let read = recv_from(server, &mut into).await;
                let (len, _) = read.expect("nothing is wrong");
                let text = String::from_utf8_lossy(&into[..len]).into_owned();
                send.send((time::now().as_nanos() / 1_000, text))
                    .expect("the test waits");
            }
        });
        for (number, plan) in plans {
            drop(sim_runtime::spawn(async move {
                time::sleep(plan.start).await;
                let (from, to) = plan.ends;
                let name = format!("f{number}");
                let fault = disturb(&name, &[plan.effect], &[from], &[to]);
                time::sleep(plan.length).await;
                heal(fault);
            }));
        }
        on(A, async move {
            let client = net().udp_bind(([0, 0, 0, 0], 0).into()).expect("a port");
            let mut draw = Stream::of(Seed(seed), "test.traffic", 0);
            for n in 0..draw.range(1, 30) {
                time::sleep(Duration::from_millis(draw.below(150))).await;
                let text = format!("datagram {n}");
                net()
                    .send_to(client, text.as_bytes(), addr(B, 7))
                    .expect("it is sent");
            }
        })
        .await;
        time::sleep(Duration::from_secs(10)).await;
    });
    let injected = faults.iter().map(|(number, _)| {
        let name = format!("f{number}");
        let mut rows = summary.ledger.iter();
        rows.any(|row| row.name == name && row.is_injected())
    });
    (injected.collect(), receive.try_iter().collect())
}

/// The times of those that arrive in both runs may differ by the polls in between.
fn differ(one: &Seen, other: &Seen) -> bool {
    let close = |(one, _): &(u64, String), (other, _): &(u64, String)| one.abs_diff(*other) < 500;
    let same = |(a, b): (&(u64, String), &(u64, String))| a.1 == b.1 && close(a, b);
    one.len() != other.len() || !one.iter().zip(other).all(same)
}

#[test]
fn a_run_without_the_fault_differs_exactly_where_the_receipt_says_injected() {
    let mut landed = 0;
    for seed in 0..400 {
        let plan = plan(seed, 0);
        let (injected, with) = run_with(seed, &[(0, plan)]);
        let injected = injected[0];
        let (_, without) = run_with(seed, &[]);
        assert_eq!(
            differ(&with, &without),
            injected,
            "seed {seed}: {plan:?}\n{with:?}\n{without:?}"
        );
        landed += u64::from(injected);
    }
    assert!((50..350).contains(&landed), "{landed} of 400 landed");
}

/// Of several faults, one whose receipt says nothing can be left out, and nothing changes. (The
/// other way does not hold: what two faults drop is gone without either of them.)
#[test]
fn of_several_faults_one_without_a_receipt_makes_no_difference() {
    let (mut vacuous, mut decisive) = (0, 0);
    for seed in 0..120 {
        let plans: Vec<(usize, Plan)> = (0..3).map(|n| (n, plan(seed, n as u64))).collect();
        let (injected, with) = run_with(seed, &plans);
        for (number, injected) in injected.into_iter().enumerate() {
            let others: Vec<_> = plans
                .iter()
                .copied()
                .filter(|(n, _)| *n != number)
                .collect();
            let (_, without) = run_with(seed, &others);
            let differs = differ(&with, &without);
            assert!(injected || !differs, "seed {seed}, f{number}: {plans:?}");
            vacuous += u64::from(!injected);
            decisive += u64::from(differs);
        }
    }
    assert!(
        vacuous > 20 && decisive > 20,
        "{vacuous} vacuous, {decisive} decisive"
    );
}

/// Sends datagrams to B under a cut, each `times` times; whether B has a socket is `heard`.
fn cut_datagrams(times: u64, heard: bool) -> sim_runtime::LedgerRow {
    let summary = run(calm(), move || async move {
        let bind = |port| net().udp_bind(([0, 0, 0, 0], port).into()).expect("a port");
        if heard {
            on(B, async move { bind(7) }).await;
        }
        let fault = disturb("f", &[Effect::Cut], &[A], &[B]);
        on(A, async move {
            let socket = bind(8);
            for text in ["one", "another"] {
                for _ in 0..times {
                    let sent = net().send_to(socket, text.as_bytes(), addr(B, 7));
                    sent.expect("nobody tells");
                    settle().await;
                }
            }
        })
        .await;
        heal(fault);
    });
    row(&summary, "f")
}

#[test]
fn a_receipt_counts_packets_and_bytes_and_names_the_first_with_its_link_time_and_size() {
    let row = cut_datagrams(1, false);
    assert_eq!(row.injected["packets-dropped"], 2);
    assert_eq!(row.injected["bytes-dropped"], 10);
    let [first, second] = &row.injected_evidence[..] else {
        panic!("one sighting a packet: {row:?}");
    };
    assert!(first.at < second.at && first.at >= row.armed[0]);
    let what = "a to b: 10.1.0.1:8 -> 10.1.0.2:7 datagram 3 bytes, sent ";
    assert!(first.what.starts_with(what), "{}", first.what);
    assert!(first.what.ends_with(", dropped"), "{}", first.what);
}

#[test]
fn a_datagram_that_nobody_would_have_read_and_nobody_sends_again_is_masked() {
    let row = cut_datagrams(1, false);
    assert_eq!(row.standing(), "masked", "{row:?}");
}

#[test]
fn a_datagram_that_is_sent_again_is_a_retry() {
    let row = cut_datagrams(3, false);
    assert_eq!(row.observed["datagrams-sent-again"], 4, "{row:?}");
    assert_eq!(row.standing(), "landed");
}

#[test]
fn a_reader_that_never_asks_misses_nothing() {
    let row = cut_datagrams(1, true);
    assert_eq!(row.standing(), "masked", "{row:?}");
}

/// The table of `sim-net/src/evidence.rs`: each way of an operation to fail, stall or be retried.
#[test]
fn operations_that_failed_stalled_or_were_retried_are_counted_apart() {
    let summary = run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        // Cut for three seconds: a read comes late, a connect is retried.
        let short = disturb("short", &[Effect::Cut], &[A, B], &[A, B]);
        client.send_all(b"late").await.expect("there is room");
        let connect = sim_runtime::spawn_on(A, "connect", Tcp::connect(addr(B, 7)));
        time::sleep(Duration::from_secs(3)).await;
        heal(short);
        on(B, server.recv_exact(4)).await.expect("it comes");
        let second = connect.await.expect("it ends").expect("it connects");
        // Cut for good: a write stalls, and fails.
        let long = disturb("long", &[Effect::Cut], &[A], &[B]);
        on(A, async move {
            while second.send(&[1; 10_000]).await.is_ok() {}
        })
        .await;
        heal(long);
    });
    let short = row(&summary, "short");
    let counters: Vec<&str> = short.observed.keys().map(String::as_str).collect();
    assert_eq!(counters, ["connects-late", "reads-late"], "{short:?}");
    let long = row(&summary, "long");
    let counters: Vec<&str> = long.observed.keys().map(String::as_str).collect();
    assert_eq!(counters, ["io-errors", "writes-stalled"], "{long:?}");
}
