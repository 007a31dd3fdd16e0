//! Databases in a few lines, whose isolation is known.

use std::collections::BTreeMap;

use checkers::txn::Workload;
use checkers::{History, OpType, Operation, Value};

#[path = "defects.rs"]
mod defects;
#[path = "forms.rs"]
pub(crate) mod forms;
#[path = "truth.rs"]
pub(crate) mod truth;
#[path = "views.rs"]
mod views;
#[path = "wide.rs"]
pub(crate) mod wide;

pub(crate) use defects::{DEFECTS, Defect};

/// What a database promises, and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Strict serializability.
    Strict,
    /// Serializability: who only reads may see an old state.
    Stale,
    /// Snapshot isolation, the first to commit wins.
    Snapshot,
    /// Every read sees what is committed at the time.
    Committed,
}

/// A database, and how it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Database {
    pub(crate) workload: Workload,
    pub(crate) isolation: Isolation,
    pub(crate) transactions: usize,
    /// What else tells it from others of its kind.
    pub(crate) seed: u64,
    /// Clients at work at once.
    pub(crate) clients: usize,
    /// Objects in use at once, and writes of one before another takes its place.
    pub(crate) keys: u64,
    pub(crate) writes: u64,
}

/// A sequence of numbers that is the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// What a client does: the steps that it asked for, and what it has seen.
struct Open {
    row: usize,
    steps: Vec<(bool, i64)>,
    values: Vec<Value>,
    /// How many commits there were when it began.
    begun: u64,
    reads: bool,
    /// It has committed, and its answer is under way.
    done: bool,
}

/// The versions of an object: how many commits there were, and the value after.
type Versions = Vec<(u64, Value)>;

struct Store {
    workload: Workload,
    versions: BTreeMap<i64, Versions>,
    commits: u64,
}

impl Store {
    /// The value of an object after so many commits.
    fn at(&self, key: i64, commits: u64) -> Value {
        let versions = self.versions.get(&key).map_or(&[][..], |versions| versions);
        let count = versions.partition_point(|(commit, _)| *commit <= commits);
        let last = count.checked_sub(1).map(|at| versions[at].1.clone());
        last.unwrap_or_else(|| self.nothing())
    }

    fn nothing(&self) -> Value {
        match self.workload {
            Workload::ListAppend => Value::List(Vec::new()),
            _ => Value::Null,
        }
    }

    fn last_commit(&self, key: i64) -> u64 {
        let versions = self.versions.get(&key).and_then(|versions| versions.last());
        versions.map_or(0, |(commit, _)| *commit)
    }

    fn apply(&self, value: &mut Value, element: i64) {
        match (self.workload, &mut *value) {
            (Workload::ListAppend, Value::List(list)) => list.push(Value::Int(element)),
            _ => *value = Value::Int(element),
        }
    }
}

/// The history of a database in use.
pub(crate) fn run(database: &Database) -> History {
    run_with(database, None).0
}

/// The history of a database in use that has a defect once, after so many transactions; and the
/// rows of those that show it.
pub(crate) fn run_with(
    database: &Database,
    defect: Option<(&Defect, usize)>,
) -> (History, std::ops::Range<usize>) {
    let mut wrong = 0..0;
    let mut numbers = Numbers(0x5eed + database.seed + database.transactions as u64);
    let mut store = Store {
        workload: database.workload,
        versions: BTreeMap::new(),
        commits: 0,
    };
    let mut keys: Vec<(i64, u64)> = (0..database.keys as i64).map(|key| (key, 0)).collect();
    let (mut next_key, mut element, mut clock) = (database.keys as i64, 0, 0);
    let mut open: Vec<Option<Open>> = (0..database.clients).map(|_| None).collect();
    let mut ops: Vec<Operation> = Vec::with_capacity(database.transactions);
    while ops.len() < database.transactions || open.iter().any(Option::is_some) {
        clock += 1;
        let client = numbers.below(database.clients as u64) as usize;
        if let Some(work) = open[client].take() {
            open[client] = advance(&mut store, database, work, &mut ops, clock, &mut numbers);
            continue;
        }
        if ops.len() >= database.transactions {
            continue;
        }
        if let Some((defect, _)) = defect.filter(|(_, at)| wrong.is_empty() && ops.len() >= *at) {
            let first = ops.len();
            // It is about two objects, which nobody else uses from then on.
            let two = [keys[0].0, keys[1].0];
            clock = defect.inject(&mut store, (two, element), clock, &mut ops);
            wrong = first..ops.len();
            element += 10;
            for slot in &mut keys[..2] {
                *slot = (next_key, 0);
                next_key += 1;
            }
            continue;
        }
        let reads = numbers.below(2) == 0;
        let mut steps = Vec::new();
        for _ in 0..1 + numbers.below(4) {
            let slot = numbers.below(database.keys) as usize;
            let write = !reads && numbers.below(2) == 0;
            steps.push((write, keys[slot].0));
            if write {
                keys[slot].1 += 1;
                if keys[slot].1 == database.writes {
                    keys[slot] = (next_key, 0);
                    next_key += 1;
                }
            }
        }
        let elements = steps.iter().map(|(write, _)| {
            element += i64::from(*write);
            if *write {
                Value::Int(element)
            } else {
                Value::Null
            }
        });
        let values: Vec<Value> = elements.collect();
        let row = ops.len();
        ops.push(operation(
            database.workload,
            row,
            client,
            clock,
            &steps,
            &values,
        ));
        open[client] = Some(Open {
            row,
            steps,
            values,
            begun: store.commits,
            reads,
            done: false,
        });
    }
    let history = History {
        ops,
        windows: Vec::new(),
    };
    (history, wrong)
}

/// Lets a client commit, or go on.
fn advance(
    store: &mut Store,
    database: &Database,
    mut work: Open,
    ops: &mut [Operation],
    clock: u64,
    numbers: &mut Numbers,
) -> Option<Open> {
    let committed = database.isolation == Isolation::Committed;
    let snapshot = match database.isolation {
        Isolation::Strict | Isolation::Committed => store.commits,
        Isolation::Stale if work.reads => store.commits.saturating_sub(numbers.below(20)),
        Isolation::Stale => store.commits,
        Isolation::Snapshot => work.begun,
    };
    let op = &mut ops[work.row];
    if work.done {
        op.complete_ts = Some(clock);
        op.timeout_marker = false;
        return None;
    }
    let written = || work.steps.iter().filter(|(write, _)| *write);
    let conflicts = database.isolation == Isolation::Snapshot
        && written().any(|(_, key)| store.last_commit(*key) > work.begun);
    if conflicts {
        op.complete_ts = Some(clock);
        op.timeout_marker = false;
        op.error = Some("conflict".to_owned());
        return None;
    }
    let mut own: BTreeMap<i64, Value> = BTreeMap::new();
    for ((write, key), value) in work.steps.iter().zip(&mut work.values) {
        // Half of the reads of who reads what is committed were done when it began.
        let early = committed && numbers.below(2) == 0;
        let at = if early { work.begun } else { snapshot };
        match value {
            Value::Int(element) if *write => {
                // Lists grow at their end, whatever the writer has seen.
                let base = own
                    .entry(*key)
                    .or_insert_with(|| store.at(*key, store.commits));
                store.apply(base, *element);
            }
            _ => *value = own.get(key).cloned().unwrap_or_else(|| store.at(*key, at)),
        }
    }
    if !own.is_empty() {
        store.commits += 1;
        for (key, value) in own {
            store
                .versions
                .entry(key)
                .or_default()
                .push((store.commits, value));
        }
    }
    // The answer comes some time after the commit.
    op.output = Some(micro(database.workload, &work.steps, &work.values));
    work.done = true;
    Some(work)
}

fn micro(workload: Workload, steps: &[(bool, i64)], values: &[Value]) -> Value {
    let write = match workload {
        Workload::ListAppend => "append",
        _ => "w",
    };
    let step = |((writes, key), value): (&(bool, i64), &Value)| {
        let name = if *writes { write } else { "r" };
        Value::List(vec![name.into(), Value::Int(*key), value.clone()])
    };
    Value::List(steps.iter().zip(values).map(step).collect())
}

fn operation(
    workload: Workload,
    row: usize,
    client: usize,
    clock: u64,
    steps: &[(bool, i64)],
    values: &[Value],
) -> Operation {
    Operation {
        op_id: row as u64,
        process_id: client as u64,
        invoke_ts: clock,
        complete_ts: None,
        op_type: OpType::Other("txn".to_owned()),
        key: None,
        input: micro(workload, steps, values),
        output: None,
        error: None,
        timeout_marker: true,
        node_seen: None,
        fault_epoch: Vec::new(),
    }
}
