//! A receipt says injected exactly where the fault made a difference: random traffic under random
//! faults of every kind is run with a fault and without, and all that happened is compared, event
//! by event.
//!
//! Left out of the comparison is what a fault's being there adds by itself: its ledger's entries,
//! and the timers by which acknowledgements are looked at. One difference cannot be seen: a bare
//! acknowledgement that was lost or late, where the next one said the same before anybody asked.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use sim_net::{Chance, Effect, Frame, Latency, NameFault, Net, NetConfig};
use sim_runtime::{
    Config, Down, EventKind, FaultId, LedgerRow, NodeId, Seed, Simulation, Stream, time,
};

use crate::lab::*;
use crate::traffic::{Log, mutter, serve, talk};

/// What a fault does.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Lay(Effect),
    /// On the datagrams alone, by their first word.
    OnDatagrams(Effect),
    Reset,
    Names(NameFault),
    Down(Down),
    Moves,
}

#[derive(Clone, Debug)]
struct Plan {
    name: String,
    kind: Kind,
    from: NodeId,
    to: NodeId,
    start: Duration,
    length: Duration,
    /// Nothing is done; everything else is as if it were.
    is_left_out: bool,
}

fn kind(draw: &mut Stream) -> Kind {
    let chance = Chance {
        num: draw.range(1, 60) as u32,
        den: 100,
    };
    let by = Latency::constant(Duration::from_millis(draw.range(5, 400)));
    let bandwidth = Effect::Bandwidth {
        bytes_per_second: draw.range(500, 50_000),
        queue: 2_000,
    };
    let effects = [
        Effect::Cut,
        Effect::Jam,
        Effect::Reject,
        Effect::Loss(chance),
        Effect::Delay(by),
        Effect::Reorder { chance, by },
        Effect::Duplicate(chance),
        Effect::Corrupt(chance),
        bandwidth,
    ];
    let effect = effects[draw.index(effects.len())];
    match draw.below(16) {
        0..8 => Kind::Lay(effect),
        8..10 => Kind::OnDatagrams(effect),
        10 => Kind::Reset,
        11 => Kind::Names(NameFault::Unknown),
        12 => Kind::Names(NameFault::Slow(Duration::from_millis(draw.range(1, 300)))),
        13 => Kind::Down(Down::Kill),
        14 => Kind::Down(Down::PowerLoss),
        _ => Kind::Moves,
    }
}

fn plan(seed: u64, number: u64) -> Plan {
    let mut draw = Stream::of(Seed(seed), "test.exact", number);
    let ends = [(A, B), (B, A), (A, C), (C, A), (A, B), (B, A), (C, B)];
    let (from, to) = ends[draw.index(ends.len())];
    Plan {
        name: format!("f{number}"),
        kind: kind(&mut draw),
        from,
        to,
        start: Duration::from_millis(draw.below(1_500)),
        length: Duration::from_millis(draw.range(1, 600)),
        is_left_out: false,
    }
}

/// Opens a fault, and closes it after its time.
async fn nemesis(plan: Plan) {
    time::sleep(plan.start).await;
    let fault = disturb(&plan.name, &[], &[], &[]);
    if !plan.is_left_out {
        open(fault, &plan);
    }
    time::sleep(plan.length).await;
    if !plan.is_left_out {
        net().heal(fault);
    }
    the_world().ledger().heal(fault);
}

fn open(fault: FaultId, plan: &Plan) {
    let (from, to) = ([plan.from], [plan.to]);
    match plan.kind {
        Kind::Lay(effect) => net().disturb(fault, effect, &from, &to),
        Kind::OnDatagrams(effect) => net().disturb_kind(fault, (effect, "datagram"), &from, &to),
        Kind::Reset => drop(net().reset(fault, &from, &to)),
        Kind::Names(how) => net().disturb_names(fault, how, &from),
        Kind::Down(down) => takes_down(fault, down),
        Kind::Moves => {
            takes_down(fault, Down::Kill);
            net().readdress(fault, C, IpAddr::from([10, 1, 0, 99]));
        }
    }
}

/// C goes down, as the nemesis has it.
fn takes_down(fault: FaultId, down: Down) {
    net().blame_down(C, fault);
    if the_world().kill_node(C, down) {
        let ledger = the_world();
        let ledger = ledger.ledger();
        ledger.inject(fault, "processes-killed", 1, || "c".to_owned());
    }
}

/// Looks a name up now and then.
async fn look_up(log: Log) {
    for n in 0..12 {
        time::sleep(Duration::from_millis(130)).await;
        let takes = net().lookup_takes("b");
        if !takes.is_zero() {
            time::sleep(takes).await;
        }
        let found = net().resolve("b").map(|ips| ips.len()).unwrap_or(0);
        log.say(format!("look-up {n} found {found}"));
    }
}

fn classify(frame: &Frame<'_>) -> Option<String> {
    let text = std::str::from_utf8(frame.bytes).ok()?;
    text.split(' ').next().map(str::to_owned)
}

/// All that happened, and the receipts.
#[derive(Debug)]
struct Run {
    events: Vec<(u64, EventKind, (u64, u64))>,
    said: Vec<(u64, String)>,
    rows: Vec<LedgerRow>,
}

impl Run {
    fn differs(&self, other: &Self) -> bool {
        self.events != other.events || self.said != other.said
    }

    fn row(&self, plan: &Plan) -> &LedgerRow {
        let mut rows = self.rows.iter();
        rows.find(|row| row.name == plan.name)
            .expect("it was planned")
    }
}

async fn traffic(seed: u64, plans: Vec<Plan>, said: Sender<(u64, String)>) {
    net().classify(classify);
    let log = Log(said);
    serve(B, &log);
    serve(C, &log);
    settle().await;
    for plan in plans {
        drop(sim_runtime::spawn(nemesis(plan)));
    }
    let draw = |what: &str, n: u64| Stream::of(Seed(seed), &format!("test.{what}"), n);
    let mut wait = draw("starts", 0);
    for n in 0..3 {
        let to = if n % 2 == 0 { B } else { C };
        let start = Duration::from_millis(wait.below(1_000));
        let (log, words) = (log.clone(), draw("stream", n));
        go(A, async move {
            time::sleep(start).await;
            talk(to, words, log, format!("stream {n}")).await;
        });
        go(A, mutter(B, draw("datagram", n)));
    }
    go(A, look_up(log));
    time::sleep(Duration::from_secs(60)).await;
}

fn run_with(seed: u64, plans: &[Plan]) -> Run {
    let (said, heard) = channel();
    let config = Config {
        trace: 0..u64::MAX,
        ..Config::new(Seed(seed))
    };
    let simulation = Simulation::new(config);
    let world = Rc::clone(simulation.world());
    let loss = Chance { num: 1, den: 50 };
    let config = NetConfig {
        loss,
        ..NetConfig::default()
    };
    drop(Net::install(&world, config));
    for (name, host) in [("a", 1), ("b", 2), ("c", 3)] {
        let node = world.create_node(name, IpAddr::from([10, 1, 0, host]));
        world.start_node(node, Rc::new(|| Box::pin(std::future::pending())));
    }
    drop(world);
    let ended = simulation.block_on(traffic(seed, plans.to_vec(), said));
    ended.expect("time ends it");
    let summary = simulation.finish();
    assert!(summary.panics.is_empty(), "{:?}", summary.panics);
    let counts = |kind: &EventKind| matches!(kind, EventKind::Poll | EventKind::Net);
    let events = summary
        .trace
        .into_iter()
        .filter(|event| counts(&event.kind));
    Run {
        events: events
            .map(|event| (event.at, event.kind, event.arguments))
            .collect(),
        said: heard.try_iter().collect(),
        rows: summary.ledger,
    }
}

/// Did it hurt nothing but acknowledgements that carry nothing?
fn is_of_bare_acks(row: &LedgerRow) -> bool {
    row.injected_evidence
        .iter()
        .all(|seen| seen.what.contains(" ACK 0 bytes"))
}

/// Did another fault touch the same pair of nodes, so that it may have done the same?
fn is_shared(plan: &Plan, plans: &[Plan], run: &Run) -> bool {
    plans.iter().any(|other| {
        let pair = [other.from, other.to];
        let takes_down = matches!(other.kind, Kind::Down(_) | Kind::Moves);
        let meets = pair.contains(&plan.from) && pair.contains(&plan.to);
        other.name != plan.name && run.row(other).is_injected() && (meets || takes_down)
    })
}

#[test]
fn a_run_differs_without_a_fault_exactly_where_its_receipt_says_injected() {
    let (mut vacuous, mut landed, mut bare) = (0, 0, 0);
    for seed in 0..150 {
        let mut plans = [plan(seed, 0)];
        let with = run_with(seed, &plans);
        let row = with.row(&plans[0]).clone();
        plans[0].is_left_out = true;
        let differs = with.differs(&run_with(seed, &plans));
        let what = format!("seed {seed}: {:?}\n{row:#?}", plans[0]);
        match (row.is_injected(), differs) {
            (true, true) => landed += 1,
            (false, false) => {
                assert_eq!(row.standing(), "vacuous", "{what}");
                vacuous += 1;
            }
            (true, false) if is_of_bare_acks(&row) => bare += 1,
            (injected, differs) => panic!("injected: {injected}, differs: {differs}, {what}"),
        }
    }
    let all = format!("{vacuous} vacuous, {landed} landed, {bare} on bare acknowledgements");
    assert!(vacuous > 10 && landed > 50 && bare < 10, "{all}");
}

#[test]
fn of_three_faults_at_once_each_makes_a_difference_exactly_where_it_alone_did_something() {
    let (mut vacuous, mut landed, mut shared) = (0, 0, 0);
    for seed in 1_000..1_040 {
        let plans: Vec<Plan> = (0..3).map(|number| plan(seed, number)).collect();
        let with = run_with(seed, &plans);
        for left_out in 0..plans.len() {
            let mut others = plans.clone();
            others[left_out].is_left_out = true;
            let plan = &plans[left_out];
            let row = with.row(plan);
            let differs = with.differs(&run_with(seed, &others));
            let what = || format!("seed {seed}: {plan:?} of {plans:#?}\n{row:#?}");
            match (row.is_injected(), differs) {
                (true, true) => landed += 1,
                (false, false) => vacuous += 1,
                (true, false) => {
                    let is_excused = is_of_bare_acks(row) || is_shared(plan, &plans, &with);
                    assert!(is_excused, "injected, and no difference: {}", what());
                    shared += 1;
                }
                (false, true) => panic!("vacuous, and a difference: {}", what()),
            }
        }
    }
    let all = format!("{vacuous} vacuous, {landed} landed, {shared} shared");
    assert!(vacuous > 10 && landed > 35 && shared > 0, "{all}");
}
