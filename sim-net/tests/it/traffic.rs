//! Receipts under random traffic of streams and datagrams with several random faults at once: each
//! seed is run with all of them, and again without each one, and what guests saw is compared.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use sim_net::{Chance, Effect, Latency, NetConfig};
use sim_runtime::{LedgerRow, NodeId, Seed, Stream, time};

use crate::lab::*;

/// What guests saw: when in microseconds, who, and what.
type Seen = Vec<(u64, String)>;

#[derive(Clone, Debug)]
struct Plan {
    name: String,
    effect: Option<Effect>,
    from: NodeId,
    to: NodeId,
    start: Duration,
    length: Duration,
}

/// A fault that the seed draws. `None` for an effect: connections are reset.
fn plan(seed: u64, number: u64) -> Plan {
    let mut draw = Stream::of(Seed(seed), "test.plan", number);
    let chance = Chance {
        num: draw.range(1, 60) as u32,
        den: 100,
    };
    let by = Latency::constant(Duration::from_millis(draw.range(5, 400)));
    let effects = [
        Some(Effect::Cut),
        Some(Effect::Jam),
        Some(Effect::Reject),
        Some(Effect::Loss(chance)),
        Some(Effect::Delay(by)),
        Some(Effect::Reorder { chance, by }),
        Some(Effect::Duplicate(chance)),
        Some(Effect::Corrupt(chance)),
        Some(Effect::Bandwidth {
            bytes_per_second: draw.range(500, 50_000),
            queue: 2_000,
        }),
        None,
    ];
    let ends = [(A, B), (B, A), (A, C), (C, A), (C, B), (B, C)];
    let (from, to) = ends[draw.below(ends.len() as u64) as usize];
    Plan {
        name: format!("f{number}"),
        effect: effects[draw.below(effects.len() as u64) as usize],
        from,
        to,
        start: Duration::from_millis(draw.below(1_500)),
        length: Duration::from_millis(draw.range(1, 600)),
    }
}

/// Takes down what a guest saw.
#[derive(Clone)]
pub(crate) struct Log(pub(crate) Sender<(u64, String)>);

impl Log {
    pub(crate) fn say(&self, what: String) {
        let at = time::now().as_nanos() / 1_000;
        self.0.send((at, what)).expect("the test waits");
    }
}

/// Echoes streams and datagrams on port 7, and takes down what comes.
pub(crate) fn serve(node: NodeId, log: &Log) {
    let streams = log.clone();
    go(node, async move {
        let listener = listen(7);
        loop {
            let stream = accept(listener).await;
            let log = streams.clone();
            drop(sim_runtime::spawn(async move {
                let mut into = [0; 4096];
                loop {
                    match stream.recv(&mut into).await {
                        Ok(0) => break,
                        Ok(count) => {
                            log.say(format!("{node} read {count}"));
                            if stream.send_all(&into[..count]).await.is_err() {
                                break;
                            }
                        }
                        Err(error) => {
                            log.say(format!("{node} failed {:?}", error.kind()));
                            break;
                        }
                    }
                }
                stream.close();
            }));
        }
    });
    let log = log.clone();
    go(node, async move {
        let socket = net().udp_bind(([0, 0, 0, 0], 7).into()).expect("free");
        let mut into = [0; 64];
        loop {
            let (count, from) = recv_from(socket, &mut into).await.expect("no error");
            let text = String::from_utf8_lossy(&into[..count]).into_owned();
            log.say(format!("{node} got {text} of {}", from.ip()));
        }
    });
}

/// A client's stream: sends pieces at times that are drawn, and reads the echo of each.
pub(crate) async fn talk(to: NodeId, mut draw: Stream, log: Log, who: String) {
    let stream = match Tcp::connect(addr(to, 7)).await {
        Ok(stream) => stream,
        Err(error) => return log.say(format!("{who} connect {:?}", error.kind())),
    };
    log.say(format!("{who} connected"));
    for _ in 0..draw.range(1, 12) {
        time::sleep(Duration::from_millis(draw.below(150))).await;
        let piece = vec![7; draw.range(1, 3_000) as usize];
        let exchange = async {
            stream.send_all(&piece).await?;
            stream.recv_exact(piece.len()).await
        };
        match exchange.await {
            Ok(_) => log.say(format!("{who} echoed {}", piece.len())),
            Err(error) => {
                log.say(format!("{who} failed {:?}", error.kind()));
                break;
            }
        }
    }
    stream.close();
}

/// Datagrams to a host at times that are drawn.
pub(crate) async fn mutter(to: NodeId, mut draw: Stream) {
    let socket = net().udp_bind(([0, 0, 0, 0], 0).into()).expect("a port");
    for n in 0..draw.range(1, 20) {
        time::sleep(Duration::from_millis(draw.below(150))).await;
        let text = format!("datagram {n}");
        let sent = net().send_to(socket, text.as_bytes(), addr(to, 7));
        sent.expect("nothing is pending on a socket without a peer");
    }
}

async fn open(plan: Plan) {
    time::sleep(plan.start).await;
    let (from, to) = (plan.from, plan.to);
    let Some(effect) = plan.effect else {
        let fault = disturb(&plan.name, &[], &[from], &[to]);
        net().reset(fault, &[from], &[to]);
        return the_world().ledger().heal(fault);
    };
    let fault = disturb(&plan.name, &[effect], &[from], &[to]);
    time::sleep(plan.length).await;
    heal(fault);
}

/// What guests saw of a seed under these faults, and the receipts by name.
fn run_with(seed: u64, plans: &[Plan]) -> (Seen, BTreeMap<String, LedgerRow>) {
    let (send, receive) = channel();
    let config = NetConfig {
        loss: Chance { num: 1, den: 50 },
        ..NetConfig::default()
    };
    let plans = plans.to_vec();
    let summary = run_seed(seed, config, move || async move {
        let log = Log(send);
        serve(B, &log);
        serve(C, &log);
        settle().await;
        for plan in plans {
            drop(sim_runtime::spawn(open(plan)));
        }
        let draw = |what: &str, n: u64| Stream::of(Seed(seed), &format!("test.{what}"), n);
        let mut wait = draw("starts", 0);
        for n in 0..4 {
            let to = if n % 2 == 0 { B } else { C };
            let start = Duration::from_millis(wait.below(1_000));
            let (log, words) = (log.clone(), draw("stream", n));
            go(A, async move {
                time::sleep(start).await;
                talk(to, words, log, format!("stream {n}")).await;
            });
            let words = draw("datagram", n);
            let from = if n < 2 { A } else { C };
            go(from, mutter(B, words));
        }
        time::sleep(Duration::from_secs(300)).await;
    });
    let rows = summary.ledger.into_iter();
    let rows = rows.map(|row| (row.name.clone(), row)).collect();
    (receive.try_iter().collect(), rows)
}

/// Each guest's own story; times may differ by the polls in between.
fn differ(one: &Seen, other: &Seen) -> bool {
    let stories = |seen: &Seen| {
        let mut stories: BTreeMap<String, Vec<(u64, Rc<str>)>> = BTreeMap::new();
        for (at, what) in seen {
            let who: String = what.split(' ').take(2).collect();
            stories
                .entry(who)
                .or_default()
                .push((*at, what.as_str().into()));
        }
        stories
    };
    let (one, other) = (stories(one), stories(other));
    let close = |a: &[(u64, Rc<str>)], b: &[(u64, Rc<str>)]| {
        let mut pairs = a.iter().zip(b);
        a.len() == b.len() && pairs.all(|(a, b)| a.1 == b.1 && a.0.abs_diff(b.0) < 50)
    };
    let same = one.len() == other.len()
        && one
            .iter()
            .zip(&other)
            .all(|(a, b)| a.0 == b.0 && close(a.1, b.1));
    !same
}

/// Could another fault have done to the same packets what this one did?
fn is_shared(plan: &Plan, others: &[Plan], rows: &BTreeMap<String, LedgerRow>) -> bool {
    let meets = |other: &&Plan| {
        let both = [other.from, other.to];
        // A stream's two directions wait for each other.
        let same_pair = both.contains(&plan.from) && both.contains(&plan.to);
        same_pair && rows[&other.name].is_injected()
    };
    others.iter().any(|other| meets(&other))
}

/// With one fault: the runs differ only where the receipt says injected, always where it says
/// observed, and what is injected and makes no difference is masked.
#[test]
fn a_receipt_of_any_traffic_says_injected_where_the_run_differs_without_it() {
    let (mut vacuous, mut masked, mut landed) = (0, 0, 0);
    for seed in 0..220 {
        let plan = plan(seed, 0);
        let (with, rows) = run_with(seed, std::slice::from_ref(&plan));
        let (without, _) = run_with(seed, &[]);
        let row = &rows["f0"];
        let differs = differ(&with, &without);
        let what = format!("seed {seed}: {plan:?}\n{row:#?}");
        assert!(
            row.is_injected() || !differs,
            "vacuous, and differs: {what}"
        );
        assert!(
            differs || !row.is_observed(),
            "observed, and differs not: {what}"
        );
        match (row.is_injected(), differs) {
            (false, _) => vacuous += 1,
            (true, false) => {
                assert_eq!(row.standing(), "masked", "{what}");
                masked += 1;
            }
            (true, true) => landed += 1,
        }
    }
    let all = format!("{vacuous} vacuous, {masked} masked, {landed} with a difference");
    assert!(vacuous > 10 && masked > 5 && landed > 60, "{all}");
}

/// With four at once: leaving out one that is vacuous changes nothing, leaving out one that is
/// masked is not noticed, and leaving out one that landed is, unless others hit the same pair.
#[test]
fn of_several_faults_each_has_a_receipt_of_its_own() {
    let (mut vacuous, mut decisive, mut hidden) = (0, 0, 0);
    for seed in 0..60 {
        let plans: Vec<Plan> = (0..4).map(|n| plan(seed, n)).collect();
        let (with, rows) = run_with(seed, &plans);
        for plan in &plans {
            let others: Vec<Plan> = plans
                .iter()
                .filter(|other| other.name != plan.name)
                .cloned()
                .collect();
            let (without, others_rows) = run_with(seed, &others);
            let row = &rows[&plan.name];
            let differs = differ(&with, &without);
            let what = format!("seed {seed}: {plan:?} of {plans:#?}\n{row:#?}");
            assert!(
                row.is_injected() || !differs,
                "vacuous, and differs: {what}"
            );
            if !row.is_injected() {
                vacuous += 1;
                for (name, other) in others_rows {
                    let before = (&rows[&name].injected, &rows[&name].observed);
                    let now = (&other.injected, &other.observed);
                    assert_eq!(before, now, "{name} of {what}");
                }
            } else if differs {
                decisive += 1;
            } else {
                let shared = is_shared(plan, &others, &rows);
                assert!(
                    shared || !row.is_observed(),
                    "it made no difference: {what}"
                );
                hidden += 1;
            }
        }
    }
    let all = format!("{vacuous} vacuous, {decisive} with a difference, {hidden} hidden");
    assert!(vacuous > 10 && decisive > 60 && hidden > 3, "{all}");
}
