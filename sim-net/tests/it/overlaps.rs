//! How effects overlap, held against a model of a few lines, for random windows: they are judged
//! when a packet arrives, each direction for itself, in whatever order they were laid.

use std::time::Duration;

use sim_net::{Effect, NetConfig};
use sim_runtime::{FaultId, NodeId, Seed, Stream, time};

use crate::lab::*;

/// An effect on the way from A to B, open from one millisecond to another.
#[derive(Clone, Copy, Debug)]
struct Window {
    effect: Effect,
    start: u64,
    end: u64,
}

impl Window {
    fn is_open(&self, at_us: u64) -> bool {
        (self.start * 1_000..self.end * 1_000).contains(&at_us)
    }
}

fn windows(draw: &mut Stream) -> Vec<Window> {
    let count = draw.range(1, 5);
    let one = |n: u64| {
        let effect = match draw.below(4) {
            0 => Effect::Cut,
            1 => Effect::Jam,
            // No two the same: which is the longest is no matter of order.
            _ => Effect::delay(Duration::from_millis(draw.range(1, 60) * 8 + n)),
        };
        let start = draw.below(400);
        Window {
            effect,
            start,
            end: start + draw.range(1, 300),
        }
    };
    (0..count).map(one).collect()
}

/// When a datagram arrives that reaches the far end at an instant, in microseconds: a drop goes
/// over a jam, a jam over delays, and of those the longest counts, once.
fn model(windows: &[Window], mut at: u64) -> Option<u64> {
    let mut is_late = false;
    loop {
        let open: Vec<&Window> = windows.iter().filter(|window| window.is_open(at)).collect();
        if open.iter().any(|window| window.effect == Effect::Cut) {
            return None;
        }
        let jams = open.iter().filter(|window| window.effect == Effect::Jam);
        if let Some(end) = jams.map(|window| window.end * 1_000).max() {
            (at, is_late) = (end, true);
            continue;
        }
        let delays = open.iter().filter_map(|window| match window.effect {
            Effect::Delay(by) => Some(by.min_ns / 1_000),
            _ => None,
        });
        match delays.max() {
            Some(by) if !is_late => (at, is_late) = (at + by, true),
            _ => return Some(at),
        }
    }
}

/// When each datagram reached B and C, of those that A, and B, sent every 7 ms.
struct Arrivals {
    there: Vec<(u64, u64)>,
    back: Vec<(u64, u64)>,
    sent: Vec<u64>,
}

/// Opens windows, laid in the order of `order` where several open at once.
fn run_windows(windows: &[Window], order: &[usize]) -> Arrivals {
    let (there, got_there) = std::sync::mpsc::channel();
    let (back, got_back) = std::sync::mpsc::channel();
    let (sent, times) = std::sync::mpsc::channel();
    let windows: Vec<(usize, Window)> = order.iter().map(|n| (*n, windows[*n])).collect();
    let config: NetConfig = calm();
    run(config, move || async move {
        for (node, log) in [(A, back), (B, there)] {
            go(node, async move {
                let socket = net().udp_bind(([0, 0, 0, 0], 7).into()).expect("free");
                let mut into = [0; 8];
                loop {
                    let (count, _) = recv_from(socket, &mut into).await.expect("no error");
                    assert_eq!(count, 8);
                    let at = time::now().as_nanos() / 1_000;
                    log.send((u64::from_le_bytes(into), at)).expect("open");
                }
            });
        }
        settle().await;
        let start = time::now();
        let mut steps: Vec<(u64, bool, usize, Window)> = Vec::new();
        for (n, window) in windows {
            steps.push((window.end, false, n, window));
            steps.push((window.start, true, n, window));
        }
        // Stable: what opens at one instant does so in the order that was asked for.
        steps.sort_by_key(|(at, opens, ..)| (*at, *opens));
        drop(sim_runtime::spawn(async move {
            let mut open: Vec<(usize, FaultId)> = Vec::new();
            for (at, opens, n, window) in steps {
                time::sleep_until(start + Duration::from_millis(at)).await;
                if opens {
                    let fault = disturb(&format!("f{n}"), &[window.effect], &[A], &[B]);
                    open.push((n, fault));
                } else if let Some(place) = open.iter().position(|(of, _)| *of == n) {
                    heal(open.remove(place).1);
                }
            }
        }));
        let socket = |node: NodeId| on(node, async { net().udp_bind(([0, 0, 0, 0], 0).into()) });
        let (one, other) = (socket(A).await, socket(B).await);
        let (one, other) = (one.expect("a port"), other.expect("a port"));
        for n in 0..90_u64 {
            // Arrivals in the middle of a millisecond: no window opens or closes there.
            let at = start + Duration::from_micros(n * 7_000 + 500);
            time::sleep_until(at).await;
            sent.send((time::now() - start).as_micros() as u64)
                .expect("open");
            net()
                .send_to(one, &n.to_le_bytes(), addr(B, 7))
                .expect("sent");
            net()
                .send_to(other, &n.to_le_bytes(), addr(A, 7))
                .expect("sent");
        }
        time::sleep(Duration::from_secs(3)).await;
        let began = start.as_nanos() / 1_000;
        sent.send(began).expect("open");
    });
    let mut sent: Vec<u64> = times.try_iter().collect();
    let began = sent.pop().expect("the run ended");
    let since = |all: std::sync::mpsc::Receiver<(u64, u64)>| {
        let mut all: Vec<_> = all.try_iter().map(|(n, at)| (n, at - began)).collect();
        all.sort_unstable();
        all
    };
    Arrivals {
        there: since(got_there),
        back: since(got_back),
        sent,
    }
}

const LATENCY_US: u64 = LATENCY.as_micros() as u64;

/// Virtual time creeps with polls.
fn is_about(at: u64, expected: u64) -> bool {
    at >= expected && at < expected + 400
}

#[test]
fn random_windows_do_to_datagrams_what_the_rules_say_one_way_and_in_any_order() {
    let (mut lost, mut late) = (0, 0);
    for seed in 0..80 {
        let mut draw = Stream::of(Seed(seed), "test.windows", 0);
        let windows = windows(&mut draw);
        let mut order: Vec<usize> = (0..windows.len()).collect();
        for round in 0..2 {
            let Arrivals { there, back, sent } = run_windows(&windows, &order);
            for (n, at) in (0..).zip(&sent) {
                let arrived = there.iter().find(|(of, _)| *of == n).map(|(_, at)| *at);
                let expected = model(&windows, at + LATENCY_US);
                let same = match (arrived, expected) {
                    (Some(arrived), Some(expected)) => is_about(arrived, expected),
                    (arrived, expected) => arrived == expected,
                };
                assert!(
                    same,
                    "seed {seed}, round {round}, datagram {n} sent at {at}: it came at \
                     {arrived:?}, not {expected:?}: {windows:?}"
                );
                lost += u64::from(expected.is_none());
                late += u64::from(expected.is_some_and(|came| came > at + LATENCY_US));
                let (_, answer) = back.iter().find(|(of, _)| *of == n).expect("none is lost");
                assert!(
                    is_about(*answer, at + LATENCY_US),
                    "the other way: {windows:?}"
                );
            }
            draw.shuffle(&mut order);
        }
    }
    assert!(lost > 500 && late > 500, "{lost} lost, {late} late");
}
