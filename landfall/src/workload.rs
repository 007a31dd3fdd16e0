//! What clients do: operations drawn from each client's own stream, recorded as they happen.

use std::rc::Rc;
use std::time::Duration;

use checkers::Value;
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::txn::Level;
use plan_compiler::scenario::{Act, OpKind, RATE_DEFAULT, Scenario, Skew, Workload};
use sim_runtime::{SimInstant, Stream, time, with};

use crate::acts::{self, Memory};
use crate::phases::Phase;
use crate::run::RunState;
use crate::script::PinnedOperation;
use crate::system::{Call, Client, Reply, TxnStep};
use crate::transactions::{self, Draws, Shape, TxnKind};

/// Values of different clients never meet.
const VALUES_PER_CLIENT: i64 = 1_000_000;

/// How long a probe or a last read is tried.
const LAST_TRIES_NS: u64 = 60 * 1_000_000_000;

/// Draws one client's operations.
pub(crate) struct Generator {
    stream: Stream,
    workload: Workload,
    /// Weight of each key, running total.
    weights: Vec<u64>,
    /// The value last seen at each key, for compare-and-set.
    seen: Vec<Option<i64>>,
    next_value: i64,
    /// What transactions ask for.
    level: Option<Level>,
    /// Of operations beyond reads and writes.
    memory: Memory,
}

impl Generator {
    pub(crate) fn new(
        workload: &Workload,
        level: Option<Level>,
        model: ModelKind,
        client: u32,
    ) -> Self {
        let mut total = 0;
        let weight = |rank: u64| match workload.skew {
            Skew::Uniform => 1,
            Skew::Zipf => 1_000_000 / rank,
        };
        let weights = (1..=u64::from(workload.keys.max(1)))
            .map(|rank| {
                total += weight(rank);
                total
            })
            .collect::<Vec<_>>();
        Self {
            stream: with(|world| world.stream("workload", u64::from(client))),
            workload: workload.clone(),
            seen: vec![None; weights.len()],
            weights,
            next_value: i64::from(client) * VALUES_PER_CLIENT,
            level,
            memory: Memory::new(client, model),
        }
    }

    /// The pause before the next operation: the plan's rate, with half of it either way.
    fn pause(&mut self) -> Duration {
        let rate = self.workload.rate_per_client.unwrap_or(RATE_DEFAULT).max(1);
        let mean = 1_000_000_000 / u64::from(rate);
        Duration::from_nanos(self.stream.range(mean / 2, mean + mean / 2))
    }

    /// The next operation, so long after the workload began.
    fn next(&mut self, since_ns: u64) -> (usize, Call) {
        let place = self.place();
        let key = key_name(place);
        let percent = u32::try_from(self.stream.below(100)).expect("a percentage");
        let call = match pick(&self.workload.mix, percent) {
            OpKind::Read => Call::Read { key },
            OpKind::Write => Call::Write {
                key,
                value: self.value(),
            },
            OpKind::Append => Call::Append {
                key,
                value: self.value(),
            },
            OpKind::Cas => Call::Cas {
                key,
                from: self.seen[place],
                to: self.value(),
            },
            OpKind::Txn(kind) => self.transaction(kind, since_ns),
            OpKind::Do(act) => {
                let draw = (&mut self.stream, &mut self.next_value);
                return self.memory.next(act, place, &self.workload, draw);
            }
        };
        (place, call)
    }

    fn transaction(&mut self, kind: TxnKind, since_ns: u64) -> Call {
        let keys = keys_at(&self.workload, since_ns);
        let shape = Shape {
            size: self.workload.transactions,
            keys: &keys,
            level: self.level,
        };
        transactions::draw(kind, &shape, self)
    }

    /// What an answer says about the value at a key.
    fn learn(&mut self, place: usize, call: &Call, reply: &Reply) {
        if let Call::Do { name, input, .. } = call {
            if name == "delete" && matches!(reply, Reply::Ok(_)) {
                self.seen[place] = None;
            }
            return self.memory.learn(place, (name, input), reply);
        }
        self.seen[place] = match (call, reply) {
            (Call::Write { value, .. }, Reply::Ok(_)) => Some(*value),
            (Call::Cas { to, .. }, Reply::Ok(Value::Bool(true))) => Some(*to),
            (Call::Read { .. }, Reply::Ok(Value::Int(value))) => Some(*value),
            (Call::Read { .. }, Reply::Ok(Value::Null)) => None,
            _ => return,
        };
    }
}

impl Draws for Generator {
    fn below(&mut self, bound: u64) -> u64 {
        self.stream.below(bound)
    }

    fn place(&mut self) -> usize {
        let total = *self.weights.last().expect("there is at least one key");
        let draw = self.stream.below(total);
        self.weights.partition_point(|weight| *weight <= draw)
    }

    fn value(&mut self) -> i64 {
        self.next_value += 1;
        self.next_value
    }
}

fn key_name(place: usize) -> String {
    format!("k{place}")
}

/// The objects that transactions use so long after the workload began.
fn keys_at(workload: &Workload, since_ns: u64) -> Vec<String> {
    let places = 0..workload.keys.max(1) as usize;
    let lifetime_ns = workload.transactions.key_lifetime_ns;
    match lifetime_ns.map_or(0, |lifetime_ns| since_ns / lifetime_ns.max(1)) {
        0 => places.map(key_name).collect(),
        round => places.map(|place| format!("k{place}-{round}")).collect(),
    }
}

/// The isolation that a scenario's checkers ask for first.
fn level_of(scenario: &Scenario) -> Option<Level> {
    let mut levels = scenario.checkers.iter().filter_map(|spec| match spec {
        CheckerSpec::Isolation { level, .. } => Some(*level),
        _ => None,
    });
    levels.next()
}

/// What transactions of a workload are, if it has any.
fn transactional(workload: &Workload) -> Option<TxnKind> {
    workload.mix.iter().find_map(|(kind, _)| match kind {
        OpKind::Txn(kind) => Some(*kind),
        _ => None,
    })
}

fn pick(mix: &[(OpKind, u32)], percent: u32) -> OpKind {
    let mut total = 0;
    for (kind, weight) in mix {
        total += weight;
        if percent < total {
            return *kind;
        }
    }
    mix.last().map_or(OpKind::Read, |(kind, _)| *kind)
}

/// Issues operations until the run says stop.
pub(crate) async fn drive<C: Client>(run: Rc<RunState>, number: u32, mut client: C) {
    if let Some(script) = run.script.operations_of(number) {
        follow(&run, number, &mut client, script).await;
        return;
    }
    let level = level_of(&run.scenario);
    let Scenario {
        workload, model, ..
    } = &run.scenario;
    let mut generator = Generator::new(workload, level, *model, number);
    let mut left = workload.operations_per_client.unwrap_or(u32::MAX);
    while left > 0 && !run.clients_should_stop() {
        time::sleep(generator.pause()).await;
        if run.clients_should_stop() {
            break;
        }
        left = workload.operations_per_client.map_or(left, |_| left - 1);
        let since_ns = time::now().0 - run.workload_start().0;
        let (place, call) = generator.next(since_ns);
        begin(&run, number, &call);
        let reply = perform(&run, number, &mut client, call.clone(), false).await;
        generator.learn(place, &call, &reply);
    }
}

/// Issues the operations that a script gives this client, each when it says or as soon after as
/// the one before is over.
async fn follow<C: Client>(
    run: &RunState,
    number: u32,
    client: &mut C,
    script: Vec<PinnedOperation>,
) {
    for operation in script {
        let at = run.workload_start() + Duration::from_nanos(operation.at_ns);
        time::sleep_until(at).await;
        if run.clients_should_stop() {
            return;
        }
        begin(run, number, &operation.call);
        perform(run, number, client, operation.call, false).await;
    }
}

/// Notes an operation for whoever wants to do the same again.
fn begin(run: &RunState, client: u32, call: &Call) {
    run.begun.borrow_mut().push(PinnedOperation {
        client,
        at_ns: time::now().0 - run.workload_start().0,
        call: call.clone(),
    });
}

/// One operation, recorded, given up after the scenario's time-out.
async fn perform<C: Client>(
    run: &RunState,
    number: u32,
    client: &mut C,
    call: Call,
    last: bool,
) -> Reply {
    let invocation = run.recorder.invoke(u64::from(number), &call, last);
    let limit = Duration::from_nanos(run.scenario.workload.op_timeout_ns);
    let reply = match timeout(limit, client.call(call)).await {
        Some(reply) => reply,
        None => Reply::Unknown("timeout".to_owned()),
    };
    if let Reply::Ok(_) = reply {
        run.acknowledged.set(run.acknowledged.get() + 1);
    }
    run.recorder
        .complete(invocation, &reply, client.node_seen());
    reply
}

/// The future's output, or nothing when the time is over first.
pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut sleep = time::sleep(limit);
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |cx| {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
            return std::task::Poll::Ready(Some(output));
        }
        std::pin::Pin::new(&mut sleep).poll(cx).map(|()| None)
    })
    .await
}

/// After the chaos: writes until one is acknowledged, then reads every key a last time.
pub(crate) async fn settle<C: Client>(run: Rc<RunState>, number: u32, mut client: C) {
    let start = time::now();
    let end = start + Duration::from_nanos(LAST_TRIES_NS);
    let mut value = i64::from(number) * VALUES_PER_CLIENT;
    while time::now() < end {
        value += 1;
        let call = probe(&run.scenario, value);
        if let Reply::Ok(_) = perform(&run, number, &mut client, call, false).await {
            run.served_again();
            break;
        }
        time::sleep(Duration::from_millis(100)).await;
    }
    // A write that runs into the last read is not required of it; there shall be none.
    while run.other_clients_are_busy() {
        time::sleep(Duration::from_millis(10)).await;
    }
    if let Some(converge_ns) = run.scenario.converge_ns {
        time::sleep_until(start + Duration::from_nanos(converge_ns)).await;
    }
    run.begin(Phase::Verify);
    let end = time::now() + Duration::from_nanos(LAST_TRIES_NS);
    drain(&run, number, &mut client, end).await;
    for call in last_reads(&run.scenario) {
        while time::now() < end {
            let call = call.clone();
            if let Reply::Ok(_) = perform(&run, number, &mut client, call, true).await {
                break;
            }
            time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Takes out what cannot be read as a whole, until nothing is left.
async fn drain<C: Client>(run: &RunState, number: u32, client: &mut C, end: SimInstant) {
    let Some(act) = Act::drains(run.scenario.model) else {
        return;
    };
    for place in 0..run.scenario.workload.keys.max(1) as usize {
        let call = acts::one(run.scenario.model, act, key_name(place), 0);
        while time::now() < end {
            match perform(run, number, client, call.clone(), false).await {
                Reply::Ok(Value::Null) => break,
                Reply::Ok(_) => {}
                _ => time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// The reads after which nothing is done: every object that was in use at the end.
fn last_reads(scenario: &Scenario) -> Vec<Call> {
    let workload = &scenario.workload;
    if !Act::of(scenario.model).is_empty() && !Act::is_readable(scenario.model) {
        return Vec::new();
    }
    let accounts = keys_at(workload, workload.duration_ns);
    let read = |key: String| match transactional(workload) {
        Some(_) => Call::Txn {
            level: level_of(scenario),
            steps: vec![TxnStep::Read { key }],
        },
        None => Call::Read { key },
    };
    match transactional(workload) {
        Some(TxnKind::Bank) => vec![Call::Balances { accounts }],
        _ => accounts.into_iter().map(read).collect(),
    }
}

fn probe(scenario: &Scenario, value: i64) -> Call {
    let key = key_name(0);
    let txn = |step: TxnStep| Call::Txn {
        level: level_of(scenario),
        steps: vec![step],
    };
    match transactional(&scenario.workload) {
        None => {}
        Some(TxnKind::Bank) => {
            let accounts = keys_at(&scenario.workload, 0);
            return Call::Balances { accounts };
        }
        Some(TxnKind::ListAppend | TxnKind::WriteSkew) => {
            return txn(TxnStep::Append { key, value });
        }
        Some(_) => return txn(TxnStep::Write { key, value }),
    }
    if let Some(act) = Act::of(scenario.model).first() {
        return acts::one(scenario.model, *act, key, value);
    }
    match scenario.model {
        ModelKind::Log => Call::Append { key, value },
        _ => Call::Write { key, value },
    }
}

#[cfg(test)]
mod tests {
    use sim_runtime::{Config, Seed, Simulation};

    use super::*;

    fn workload(skew: Skew) -> Workload {
        Workload {
            mix: vec![(OpKind::Read, 50), (OpKind::Write, 30), (OpKind::Cas, 20)],
            duration_ns: 1,
            keys: 4,
            skew,
            rate_per_client: Some(10),
            operations_per_client: None,
            op_timeout_ns: 1,
            names: Vec::new(),
            transactions: Default::default(),
        }
    }

    fn draw(skew: Skew, client: u32) -> Vec<(usize, Call)> {
        let simulation = Simulation::new(Config::new(Seed(1)));
        let drawn = simulation.block_on(async move {
            let mut generator = Generator::new(&workload(skew), None, ModelKind::Map, client);
            (0..4_000).map(|_| generator.next(0)).collect()
        });
        drop(simulation.finish());
        drawn.unwrap()
    }

    #[test]
    fn the_mix_and_the_skew_are_the_plans() {
        let drawn = draw(Skew::Uniform, 1);
        let reads = drawn
            .iter()
            .filter(|(_, call)| matches!(call, Call::Read { .. }))
            .count();
        assert!((1_850..2_150).contains(&reads), "{reads}");
        let at = |drawn: &[(usize, Call)], key| drawn.iter().filter(|(k, _)| *k == key).count();
        assert!((850..1_150).contains(&at(&drawn, 3)), "{}", at(&drawn, 3));
        let skewed = draw(Skew::Zipf, 1);
        // 1/(1 + 1/2 + 1/3 + 1/4) = 48 %
        assert!(
            (1_750..2_050).contains(&at(&skewed, 0)),
            "{}",
            at(&skewed, 0)
        );
    }

    #[test]
    fn clients_draw_apart_and_never_the_same_value() {
        let mut values: Vec<i64> = [draw(Skew::Uniform, 1), draw(Skew::Uniform, 2)]
            .into_iter()
            .flatten()
            .filter_map(|(_, call)| match call {
                Call::Write { value, .. } | Call::Append { value, .. } => Some(value),
                Call::Cas { to, .. } => Some(to),
                _ => None,
            })
            .collect();
        let count = values.len();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), count);
    }
}
