//! Seeded histories that pass.

use checkers::{OpType, Operation, Value};

/// A checker and what makes about so many operations for it.
type Family = (&'static str, fn(usize) -> Vec<Operation>);

pub(crate) const FAMILIES: &[Family] = &[
    ("sequential", registers),
    ("causal", registers),
    ("causal-convergence", registers),
    ("pram", registers),
    ("read-your-writes", registers),
    ("monotonic-reads", registers),
    ("monotonic-writes", registers),
    ("writes-follow-reads", registers),
    ("read-committed", registers),
    ("read-atomic", registers),
    ("staleness=10s", registers),
    ("unique-ids", ids),
    ("monotonic", ids_read),
    ("counter-bounds", counter),
    ("set-final", set),
    ("set-full=strict", set),
    ("log-prefix", log),
    ("total-queue", queue),
    ("exactly-once", once),
    ("bank", bank),
    ("kafka", kafka),
    ("mutual-exclusion", locks),
    ("leases=10s:1ms", locks),
    ("fencing", fencing),
    ("retry=3:1ms:1ms:50%", retries),
    ("amplification=200%:1s", retries),
    ("circuit-breaker=1ns", breaker),
    ("bulkhead=16", calls),
    ("saga", sagas),
    ("lamport-clock", lamport),
    ("vector-clock", vector),
];

const CLIENTS: u64 = 10;

/// A generator of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % end
    }
}

/// Rows so far.
#[derive(Default)]
struct Rows(Vec<Operation>);

fn int(number: usize) -> Value {
    Value::Int(number as i64)
}

impl Rows {
    /// Adds an acknowledged row: one client after another begins, each runs until its next turn.
    fn push(&mut self, name: &str, key: Value, input: Value, output: Value) -> &mut Operation {
        let at = self.0.len() as u64;
        self.0.push(Operation {
            op_id: at,
            process_id: at % CLIENTS,
            invoke_ts: at * 1_000,
            complete_ts: Some((at + CLIENTS - 1) * 1_000),
            op_type: OpType::try_from(name.to_owned()).expect("a type"),
            key: Some(key),
            input,
            output: Some(output).filter(|output| *output != Value::Null),
            error: None,
            timeout_marker: false,
            node_seen: None,
            fault_epoch: Vec::new(),
        });
        self.0.last_mut().expect("it was just added")
    }

    /// As [`Rows::push`], over at once.
    fn instant(&mut self, name: &str, key: Value, input: Value, output: Value) -> &mut Operation {
        let op = self.push(name, key, input, output);
        op.complete_ts = Some(op.invoke_ts + 1);
        op
    }
}

/// Writes and reads of a hundred registers, which take effect as they begin.
fn registers(count: usize) -> Vec<Operation> {
    let (mut rows, mut numbers) = (Rows::default(), Numbers(1));
    let mut now = vec![Value::Null; 100];
    for at in 0..count {
        let key = numbers.below(100) as usize;
        if numbers.below(2) == 0 {
            now[key] = int(at + 1);
            rows.push("write", int(key), int(at + 1), Value::Null);
        } else {
            rows.push("read", int(key), Value::Null, now[key].clone());
        }
    }
    rows.0
}

fn ids(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    for at in 0..count {
        rows.push("generate", Value::Null, Value::Null, int(at * 7_919));
    }
    rows.0
}

fn ids_read(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    for at in 0..count {
        rows.push("read", int(at % 100), Value::Null, int(at));
    }
    rows.0
}

fn counter(count: usize) -> Vec<Operation> {
    let (mut rows, mut numbers, mut sum) = (Rows::default(), Numbers(2), 0);
    for _ in 0..count {
        match numbers.below(3) {
            0 => {
                sum += 5;
                rows.push("inc", Value::Null, int(5), Value::Null);
            }
            1 => {
                sum -= 3;
                rows.push("dec", Value::Null, int(3), Value::Null);
            }
            _ => {
                rows.push("read", Value::Null, Value::Null, Value::Int(sum));
            }
        }
    }
    rows.0
}

/// One name for additions, and ten reads of all.
fn growing(count: usize, name: &str) -> Vec<Operation> {
    let (mut rows, mut all) = (Rows::default(), Vec::new());
    for at in 0..count {
        rows.push(name, Value::Null, int(at), Value::Null);
        all.push(int(at));
        if at % (count / 10) == count / 10 - 1 {
            rows.push("read", Value::Null, Value::Null, Value::List(all.clone()));
        }
    }
    rows.0
}

fn set(count: usize) -> Vec<Operation> {
    growing(count, "add")
}

fn log(count: usize) -> Vec<Operation> {
    growing(count, "append")
}

fn queue(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    for at in 0..count / 2 {
        rows.push("enqueue", Value::Null, int(at), Value::Null);
        rows.push("dequeue", Value::Null, Value::Null, int(at));
    }
    rows.0
}

fn once(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    for at in 0..count / 2 {
        rows.push("request", int(at), Value::Null, Value::Null);
        rows.push("apply", int(at), Value::Null, Value::Null);
    }
    rows.0
}

fn bank(count: usize) -> Vec<Operation> {
    let (mut rows, mut numbers) = (Rows::default(), Numbers(3));
    let mut balances = [100_i64; 8];
    let all = |balances: &[i64]| {
        let pairs = balances.iter().enumerate();
        let pairs = pairs.map(|(of, sum)| Value::List(vec![int(of), Value::Int(*sum)]));
        Value::List(pairs.collect())
    };
    let mut opening = rows.push("read", Value::Null, Value::Null, all(&balances));
    opening.complete_ts = Some(opening.invoke_ts);
    for at in 1..count {
        let (from, to) = (numbers.below(8) as usize, numbers.below(8) as usize);
        if at % 4 == 0 {
            opening = rows.push("read", Value::Null, Value::Null, all(&balances));
            opening.complete_ts = Some(opening.invoke_ts + 1);
        } else {
            let amount = balances[from].min(3);
            balances[from] -= amount;
            balances[to] += amount;
            let input = vec![int(from), int(to), Value::Int(amount)];
            rows.push("transfer", Value::Null, Value::List(input), Value::Null);
        }
    }
    rows.0
}

fn kafka(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    let mut entries = Vec::new();
    for at in 0..count {
        if entries.len() == 10 {
            let polled = Value::List(std::mem::take(&mut entries));
            rows.push("poll", int(0), Value::Null, polled).process_id = CLIENTS;
        } else {
            entries.push(Value::List(vec![int(at), int(at)]));
            rows.push("send", int(0), int(at), int(at));
        }
    }
    rows.0
}

fn locks(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    for at in 0..count / 2 {
        rows.instant("acquire", int(at % 10), int(at), Value::Null);
        rows.instant("release", int(at % 10), int(at), Value::Null);
    }
    rows.0
}

fn fencing(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    for at in 0..count / 2 {
        rows.instant("acquire", int(at % 10), Value::Null, int(at));
        let input = Value::List(vec![int(at), int(at)]);
        rows.instant("write", int(at % 10), input, Value::Null);
    }
    rows.0
}

/// Every second request is attempted twice.
fn retries(count: usize) -> Vec<Operation> {
    let (mut rows, mut numbers) = (Rows::default(), Numbers(4));
    for at in 0..count * 2 / 3 {
        if at % 2 == 0 {
            let wait = 600_000 + numbers.below(800_000);
            let op = rows.instant("attempt", int(at), Value::Null, Value::Null);
            op.error = Some("busy".to_owned());
            op.invoke_ts -= op.invoke_ts.min(wait);
            op.complete_ts = Some(op.invoke_ts);
            let until = op.invoke_ts + wait;
            let op = rows.instant("attempt", int(at), Value::Null, Value::Null);
            (op.invoke_ts, op.complete_ts) = (until, Some(until + 1));
        } else {
            rows.instant("attempt", int(at), Value::Null, Value::Null);
        }
    }
    rows.0
}

fn breaker(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    let states = ["closed", "open", "half-open"];
    for at in 0..count {
        if at % 10 == 0 {
            let state = Value::from(states[at / 10 % 3]);
            rows.instant("breaker", int(0), Value::Null, state);
        } else {
            let op = rows.instant("call", int(0), Value::Null, Value::Null);
            op.error = Some("rejected: open".to_owned());
        }
    }
    rows.0
}

fn calls(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    for at in 0..count {
        rows.push("call", int(at % 3), Value::Null, Value::Null);
    }
    rows.0
}

fn sagas(count: usize) -> Vec<Operation> {
    let mut rows = Rows::default();
    for at in 0..count / 4 {
        let step = |step: usize| Value::List(vec![int(at), int(step)]);
        let steps = Value::List(vec![int(1), int(2)]);
        rows.instant("begin", int(at), steps, Value::Null);
        rows.instant("step", step(1), Value::Null, Value::Null);
        rows.instant("step", step(2), Value::Null, Value::Null);
        rows.instant("saga", int(at), Value::Null, Value::from("done"));
    }
    rows.0
}

/// Every event sends to the process that is next, which receives it.
fn events(
    count: usize,
    stamp: impl Fn(&mut [Vec<i64>], usize, Option<usize>) -> Value,
) -> Vec<Operation> {
    let mut rows = Rows::default();
    let mut clocks = vec![vec![0_i64; CLIENTS as usize]; CLIENTS as usize];
    for at in 0..count / 2 {
        let (from, to) = (at % CLIENTS as usize, (at + 1) % CLIENTS as usize);
        let sent = stamp(&mut clocks, from, None);
        rows.instant("send", int(at), Value::Null, sent).process_id = from as u64;
        let received = stamp(&mut clocks, to, Some(from));
        rows.instant("recv", int(at), Value::Null, received)
            .process_id = to as u64;
    }
    rows.0
}

fn lamport(count: usize) -> Vec<Operation> {
    events(count, |clocks, own, from| {
        let sent = from.map_or(0, |from| clocks[from][0]);
        clocks[own][0] = clocks[own][0].max(sent) + 1;
        Value::Int(clocks[own][0])
    })
}

fn vector(count: usize) -> Vec<Operation> {
    events(count, |clocks, own, from| {
        if let Some(from) = from {
            let theirs = clocks[from].clone();
            for (count, known) in clocks[own].iter_mut().zip(theirs) {
                *count = known.max(*count);
            }
        }
        clocks[own][own] += 1;
        Value::List(clocks[own].iter().copied().map(Value::Int).collect())
    })
}
