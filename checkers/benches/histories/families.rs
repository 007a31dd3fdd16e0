//! Seeded histories of the kinds on which searches blow up.

use std::collections::{BTreeMap, VecDeque};

use checkers::spec::ModelKind;
use checkers::{OpType, Operation, Value};

/// What is generated.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    pub(crate) model: ModelKind,
    pub(crate) ops: usize,
    pub(crate) clients: u64,
    /// How many of a hundred operations have no known outcome.
    pub(crate) unknown: u64,
    /// How many values there are; zero for a value an operation.
    pub(crate) domain: u64,
    pub(crate) keys: u64,
    /// Whether a response near the end is wrong.
    pub(crate) broken: bool,
    /// Which of its histories.
    pub(crate) seed: u64,
}

impl Family {
    pub(crate) fn name(&self) -> String {
        let mut name = format!("{} {} x{}", self.model.name(), self.ops, self.clients);
        for (count, what) in [(self.unknown, "% unknown"), (self.domain, " values")] {
            if count > 0 {
                name.push_str(&format!(", {count}{what}"));
            }
        }
        if self.keys > 1 {
            name.push_str(&format!(", {} keys", self.keys));
        }
        if self.broken {
            name.push_str(", broken");
        }
        name
    }

    /// One of one key, as its object is.
    pub(crate) fn of(
        model: ModelKind,
        ops: usize,
        clients: u64,
        unknown: u64,
        domain: u64,
    ) -> Self {
        Self {
            model,
            ops,
            clients,
            unknown,
            domain,
            keys: 1,
            broken: false,
            seed: 0,
        }
    }
}

pub(crate) fn all() -> Vec<Family> {
    let family = Family::of;
    let mut all = Vec::new();
    for clients in [5, 10, 15, 20, 30] {
        all.push(family(ModelKind::Register, 1_000, clients, 0, 0));
    }
    for clients in [5, 10, 30] {
        all.push(family(ModelKind::Register, 1_000, clients, 10, 0));
    }
    for clients in [3, 10, 30] {
        all.push(family(ModelKind::Queue, 1_000, clients, 0, 0));
        all.push(family(ModelKind::Queue, 1_000, clients, 10, 0));
    }
    for model in [
        ModelKind::Stack,
        ModelKind::PriorityQueue,
        ModelKind::Bag,
        ModelKind::Counter,
        ModelKind::Set,
        ModelKind::CasRegister,
    ] {
        all.push(family(model, 1_000, 30, 0, 0));
        all.push(family(model, 1_000, 30, 10, 0));
    }
    for clients in [5, 10, 20, 30] {
        all.push(family(ModelKind::CasRegister, 1_000, clients, 0, 5));
        all.push(family(ModelKind::CasRegister, 1_000, clients, 10, 5));
        all.push(family(ModelKind::Mutex, 1_000, clients, 0, 0));
        all.push(family(ModelKind::Log, 1_000, clients, 5, 0));
    }
    // Values that do not say which operation they come from.
    for model in [
        ModelKind::Register,
        ModelKind::Queue,
        ModelKind::Stack,
        ModelKind::PriorityQueue,
        ModelKind::Bag,
        ModelKind::Set,
        ModelKind::Log,
        ModelKind::Text,
        ModelKind::OwnedMutex,
        ModelKind::Semaphore { permits: 3 },
    ] {
        for (clients, unknown) in [(5, 0), (5, 10), (30, 0), (30, 10)] {
            all.push(family(model, 1_000, clients, unknown, 5));
        }
    }
    // As long as the recorded logs of an etcd under load, which has a hundred values.
    for clients in [8, 12, 16, 20] {
        all.push(family(ModelKind::Register, 20_000, clients, 0, 100));
    }
    let more: Vec<Family> = all
        .iter()
        .map(|one| Family {
            broken: true,
            ..*one
        })
        .collect();
    all.extend(more);
    for ops in [10_000, 100_000, 1_000_000] {
        for model in [ModelKind::Register, ModelKind::Queue, ModelKind::Stack] {
            all.push(family(model, ops, 10, 0, 0));
        }
        all.push(family(ModelKind::CasRegister, ops, 5, 0, 5));
    }
    all.push(Family {
        keys: 1_000,
        ..family(ModelKind::Map, 1_000_000, 10, 0, 0)
    });
    all
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// The history of a legal run in which every client is always busy: each operation takes effect
/// at some instant, and the next begins soon after it ends.
pub(crate) fn generate(family: &Family) -> Vec<Operation> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (family.seed << 32));
    let mut ops: Vec<Operation> = Vec::with_capacity(family.ops);
    let mut clients = vec![(0_u64, 0_u64); family.clients as usize];
    let mut effects: Vec<(u64, u32)> = Vec::with_capacity(family.ops);
    for (index, client) in clients.iter_mut().enumerate() {
        *client = (random.below(200), index as u64);
    }
    let mut processes = family.clients;
    for row in 0..family.ops {
        let next = (0..clients.len())
            .min_by_key(|client| clients[*client].0)
            .expect("a client");
        let (begin, process_id) = clients[next];
        let length = 20 + random.below(400);
        let unknown = random.below(100) < family.unknown;
        let applied = !unknown || random.below(2) == 0;
        if applied {
            let late = if unknown { random.below(4_000) } else { 0 };
            effects.push((begin + 1 + random.below(length - 1) + late, row as u32));
        }
        let (op_type, input) = asked(family, row as i64, &mut random);
        ops.push(Operation {
            op_id: row as u64,
            process_id,
            invoke_ts: begin,
            complete_ts: (!unknown).then_some(begin + length),
            op_type,
            key: (family.keys > 1).then(|| Value::Int(random.below(family.keys) as i64)),
            input,
            output: None,
            error: None,
            timeout_marker: unknown,
            node_seen: None,
            fault_epoch: Vec::new(),
        });
        let process = if unknown {
            processes += 1;
            processes - 1
        } else {
            process_id
        };
        clients[next] = (begin + length + 1 + random.below(20), process);
    }
    effects.sort_unstable();
    let mut objects = BTreeMap::new();
    for (_, row) in effects {
        let op = &mut ops[row as usize];
        let object = objects.entry(op.key.clone()).or_default();
        let output = apply(family.model, object, op);
        if !op.timeout_marker {
            op.output = output;
        }
    }
    if family.broken {
        spoil(&mut ops);
    }
    ops
}

fn asked(family: &Family, row: i64, random: &mut Random) -> (OpType, Value) {
    let value = match family.domain {
        0 => Value::Int(row + 1),
        domain => Value::Int(random.below(domain) as i64),
    };
    let half = random.below(2) == 0;
    match family.model {
        ModelKind::Queue if half => (OpType::Enqueue, value),
        ModelKind::Queue => (OpType::Dequeue, Value::Null),
        ModelKind::Stack if half => (OpType::Push, value),
        ModelKind::Stack => (OpType::Pop, Value::Null),
        ModelKind::PriorityQueue if half => {
            let scrambled = (row + 1).wrapping_mul(7_919) % 1_000_003;
            (OpType::Other("insert".to_owned()), Value::Int(scrambled))
        }
        ModelKind::PriorityQueue => (OpType::Other("delete-min".to_owned()), Value::Null),
        ModelKind::Bag if half => (OpType::Add, value),
        ModelKind::Bag => (OpType::Remove, Value::Null),
        ModelKind::Counter if half => (OpType::Increment, Value::Null),
        ModelKind::Set if half => (OpType::Add, value),
        ModelKind::Log if half => (OpType::Append, value),
        ModelKind::Text if half => {
            let text = Value::from(format!("{};", row % 7));
            (OpType::Append, text)
        }
        ModelKind::Mutex | ModelKind::OwnedMutex | ModelKind::Semaphore { .. } if half => {
            (OpType::Acquire, Value::Null)
        }
        ModelKind::Mutex | ModelKind::OwnedMutex | ModelKind::Semaphore { .. } => {
            (OpType::Release, Value::Null)
        }
        ModelKind::CasRegister if random.below(3) == 0 => {
            let from = match family.domain {
                0 => Value::Int((row - random.below(4) as i64).max(1)),
                domain => Value::Int(random.below(domain) as i64),
            };
            (OpType::Cas, Value::List(vec![from, value]))
        }
        _ if half => (OpType::Write, value),
        _ => (OpType::Read, Value::Null),
    }
}

/// Takes an operation's effect and gives its response.
fn apply(model: ModelKind, list: &mut VecDeque<Value>, op: &Operation) -> Option<Value> {
    match op.op_type.name() {
        "write" => {
            list.clear();
            list.push_back(op.input.clone());
            None
        }
        "cas" => {
            let (from, to) = op.input.as_pair().expect("a pair");
            let done = list.front() == Some(from);
            if done {
                list[0] = to.clone();
            }
            Some(Value::Bool(done))
        }
        "add" if model == ModelKind::Set => {
            if !list.contains(&op.input) {
                list.push_back(op.input.clone());
            }
            None
        }
        "enqueue" | "push" | "add" | "append" => {
            list.push_back(op.input.clone());
            None
        }
        "inc" => {
            let count = list
                .pop_front()
                .and_then(|count| count.as_int())
                .unwrap_or(0);
            list.push_front(Value::Int(count + 1));
            None
        }
        "insert" => {
            let place = list.partition_point(|other| *other < op.input);
            list.insert(place, op.input.clone());
            None
        }
        "dequeue" | "delete-min" | "remove" => list.pop_front(),
        "pop" => list.pop_back(),
        "acquire" => {
            let permits = match model {
                ModelKind::Semaphore { permits } => permits as usize,
                _ => 1,
            };
            let free = list.len() < permits;
            if free {
                list.push_back(Value::Int(op.process_id as i64));
            }
            Some(Value::Bool(free))
        }
        "release" => {
            let own = Value::Int(op.process_id as i64);
            let held = match model {
                ModelKind::OwnedMutex => list.front() == Some(&own),
                _ => !list.is_empty(),
            };
            if held {
                list.pop_front();
            }
            Some(Value::Bool(held))
        }
        _ if model == ModelKind::Text => {
            let texts = list.iter().filter_map(Value::as_text);
            Some(Value::from(texts.collect::<String>()))
        }
        _ if matches!(model, ModelKind::Log | ModelKind::Set) => {
            Some(Value::List(list.iter().cloned().collect()))
        }
        _ => list.front().cloned(),
    }
}

/// Makes one of the last responses that of an operation long before.
fn spoil(ops: &mut [Operation]) {
    let last = ops.len() * 9 / 10;
    let tells = |op: &Operation| op.is_acknowledged() && op.output.is_some();
    let old = ops[ops.len() / 10..].iter().find(|op| tells(op)).cloned();
    let late = ops[last..].iter_mut().find(|op| {
        let old = old.as_ref();
        tells(op) && old.is_some_and(|old| old.op_type == op.op_type)
    });
    if let (Some(old), Some(late)) = (old, late) {
        late.output = match old.output {
            Some(Value::Bool(_)) => late.output.take().map(|told| match told {
                Value::Bool(flag) => Value::Bool(!flag),
                other => other,
            }),
            output => output,
        };
    }
}
