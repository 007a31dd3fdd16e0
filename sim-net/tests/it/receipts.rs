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
