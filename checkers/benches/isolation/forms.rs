//! What a database did, as each workload records it.

use checkers::txn::{Options, Workload};
use checkers::{History, OpType, Operation, Value};

use super::wide::{End, Row, Run, Step};

/// How objects are written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lists that grow.
    Lists,
    /// Registers that are set.
    Registers,
    /// Registers whose order of versions is told.
    Given,
    /// Registers, all of which are read by a predicate, and some of which are deleted.
    Predicates,
    /// Sets that grow.
    Sets,
    /// Counters that are added to.
    Counters,
    /// Accounts between which money is moved.
    Bank,
}

impl Form {
    /// All.
    pub(crate) const ALL: [Form; 7] = [
        Form::Lists,
        Form::Registers,
        Form::Given,
        Form::Predicates,
        Form::Sets,
        Form::Counters,
        Form::Bank,
    ];

    /// What is judged.
    pub(crate) const fn workload(self) -> Workload {
        match self {
            Form::Lists => Workload::ListAppend,
            Form::Registers | Form::Given | Form::Predicates => Workload::RwRegister,
            Form::Sets => Workload::Sets,
            Form::Counters | Form::Bank => Workload::Counters,
        }
    }

    fn counts(self) -> bool {
        matches!(self, Form::Counters | Form::Bank)
    }
}

/// How objects and elements are called, and what objects begin with: each of these says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Numbers,
    Texts,
    Nested,
}

impl Names {
    /// All.
    pub(crate) const ALL: [Names; 3] = [Names::Numbers, Names::Texts, Names::Nested];

    fn key(self, key: i64) -> Value {
        match self {
            Names::Numbers => Value::Int(key),
            Names::Texts => format!("k{key}").into(),
            Names::Nested => Value::List(vec!["k".into(), Value::List(vec![Value::Int(key)])]),
        }
    }

    fn element(self, element: i64) -> Value {
        match self {
            Names::Numbers => Value::Int(element),
            Names::Texts => format!("e{element}").into(),
            Names::Nested => Value::List(vec![Value::Null, Value::Int(element)]),
        }
    }
}

/// A history as a workload records it.
pub(crate) struct Recorded {
    pub(crate) history: History,
    pub(crate) workload: Workload,
    pub(crate) options: Options,
}

/// How steps are recorded.
#[derive(Clone, Copy)]
struct Recorder {
    form: Form,
    names: Names,
}

/// The history of a database in a form.
pub(crate) fn recorded(run: &Run, form: Form, names: Names) -> Recorded {
    // Predicates ask for numbers, and counters add them.
    let names = match form {
        Form::Predicates => Names::Numbers,
        _ => names,
    };
    let recorder = Recorder { form, names };
    let mut ops: Vec<Operation> = Vec::with_capacity(run.rows.len() + 1);
    for (at, row) in run.rows.iter().enumerate() {
        let steps = |told: bool| recorder.steps(at, row, told);
        ops.push(Operation {
            op_id: at as u64,
            process_id: row.process,
            invoke_ts: row.from,
            complete_ts: (row.end != End::Info).then_some(row.to),
            op_type: OpType::Other("txn".to_owned()),
            key: None,
            input: steps(false),
            output: (row.end == End::Ok).then(|| steps(true)),
            error: (row.end == End::Fail).then(|| "aborted".to_owned()),
            timeout_marker: row.end == End::Info,
            node_seen: None,
            fault_epoch: Vec::new(),
        });
    }
    if form == Form::Given {
        ops.push(recorder.given(run));
    }
    Recorded {
        history: History {
            ops,
            windows: Vec::new(),
        },
        workload: form.workload(),
        options: Options {
            initial: recorder.initial(),
            ..Options::default()
        },
    }
}

impl Recorder {
    /// What objects begin with.
    fn initial(self) -> Value {
        match (self.form, self.names) {
            (Form::Sets | Form::Predicates, _) | (_, Names::Numbers) => Value::Null,
            (Form::Counters | Form::Bank, _) => Value::Int(100),
            (Form::Lists, _) => Value::List(vec!["first".into(), Value::Int(-1)]),
            _ => "first".into(),
        }
    }

    /// What an object is read as.
    fn value(self, elements: &[i64]) -> Value {
        let mut all = elements.iter().map(|element| self.names.element(*element));
        match self.form {
            Form::Lists => match self.initial() {
                Value::List(initial) => Value::List(initial.into_iter().chain(all).collect()),
                _ => Value::List(all.collect()),
            },
            Form::Sets => Value::List(all.collect()),
            Form::Counters | Form::Bank => {
                let first = self.initial().as_int().unwrap_or(0);
                Value::Int(first + elements.iter().map(|element| amount(*element)).sum::<i64>())
            }
            Form::Predicates if elements.last().is_some_and(|last| deletes(*last)) => Value::Null,
            _ => all.next_back().unwrap_or_else(|| self.initial()),
        }
    }

    fn steps(self, row_at: usize, row: &Row, told: bool) -> Value {
        let mut all = Vec::new();
        for step in &row.steps {
            match step {
                Step::Write(key, element) => self.write(*key, *element, &mut all),
                Step::Read(key, elements) => self.read(*key, elements, told, &mut all),
                Step::Scan(found) if self.form == Form::Predicates => {
                    all.push(self.find(row_at, found, told));
                }
                Step::Scan(found) => {
                    for (key, elements) in found {
                        self.read(*key, elements, told, &mut all);
                    }
                }
            }
        }
        Value::List(all)
    }

    fn write(self, key: i64, element: i64, all: &mut Vec<Value>) {
        let object = self.names.key(key);
        let name = match self.form {
            Form::Lists => "append",
            Form::Sets => "add",
            Form::Counters | Form::Bank => "inc",
            Form::Predicates if deletes(element) => {
                return all.push(Value::List(vec!["delete".into(), object]));
            }
            _ => "w",
        };
        let value = match self.form.counts() {
            true => Value::Int(amount(element)),
            false => self.names.element(element),
        };
        if self.form == Form::Bank {
            all.push(step("inc", self.other(key), Value::Int(-amount(element))));
        }
        all.push(step(name, object, value));
    }

    fn read(self, key: i64, elements: &[i64], told: bool, all: &mut Vec<Value>) {
        let seen = |value: Value| if told { value } else { Value::Null };
        if self.form == Form::Bank {
            let moved: i64 = elements.iter().map(|element| amount(*element)).sum();
            let first = self.initial().as_int().unwrap_or(0);
            all.push(step("r", self.other(key), seen(Value::Int(first - moved))));
        }
        all.push(step("r", self.names.key(key), seen(self.value(elements))));
    }

    /// The account from which money comes.
    fn other(self, key: i64) -> Value {
        Value::List(vec!["from".into(), self.names.key(key)])
    }

    /// A read by a predicate, which differs from row to row.
    fn find(self, row_at: usize, found: &[(i64, Vec<i64>)], told: bool) -> Value {
        let modulo =
            |divisor, rest| Value::List(vec!["mod".into(), Value::Int(divisor), Value::Int(rest)]);
        let (asks, matches): (Value, fn(i64) -> bool) = match row_at % 3 {
            0 => ("true".into(), |_| true),
            1 => (modulo(2, 0), |value| value % 2 == 0),
            _ => (modulo(3, 1), |value| value % 3 == 1),
        };
        let there = found.iter().filter_map(|(key, elements)| {
            let value = self.value(elements).as_int()?;
            matches(value).then(|| Value::List(vec![self.names.key(*key), Value::Int(value)]))
        });
        let shown = if told {
            Value::List(there.collect())
        } else {
            Value::Null
        };
        step("rp", asks, shown)
    }

    /// The order of versions.
    fn given(self, run: &Run) -> Operation {
        let last = run.rows.iter().map(|row| row.to.max(row.from)).max();
        let of = |(key, elements): (&i64, &Vec<i64>)| {
            let elements = elements.iter().map(|element| self.names.element(*element));
            Value::List(vec![self.names.key(*key), Value::List(elements.collect())])
        };
        Operation {
            op_id: run.rows.len() as u64,
            process_id: u64::MAX >> 1,
            invoke_ts: last.unwrap_or(0),
            complete_ts: Some(last.unwrap_or(0) + 1),
            op_type: OpType::Other("versions".to_owned()),
            key: None,
            input: Value::List(run.versions.iter().map(of).collect()),
            output: Some(Value::Null),
            error: None,
            timeout_marker: false,
            node_seen: None,
            fault_epoch: Vec::new(),
        }
    }
}

fn step(name: &str, key: Value, value: Value) -> Value {
    Value::List(vec![name.into(), key, value])
}

/// What an element adds to a counter.
fn amount(element: i64) -> i64 {
    1 + element % 3
}

/// Whether an element stands for a deletion.
fn deletes(element: i64) -> bool {
    element % 11 == 0
}
