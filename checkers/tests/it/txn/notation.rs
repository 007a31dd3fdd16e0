//! Transactions as a line of text.
//!
//! `ax1` appends 1 to x, `wx1` writes it, `rx1,2` reads the list of both (`rx` alone the empty
//! one), `rx=1` reads a register (`rx=` an initial one). Before a colon may stand `fail` or `info`,
//! the process (`p3`) and when it began and ended (`2-7`). Without times transactions overlap.

use checkers::{History, OpType, Operation, Value};

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Ok,
    Fail,
    Info,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Append(char, i64),
    Write(char, i64),
    List(char, Vec<i64>),
    Read(char, Option<i64>),
    /// By a predicate: every object whose number leaves this remainder by this divisor.
    Find((i64, i64), Vec<(char, i64)>),
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tx {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    pub(crate) process: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// Reads one line.
pub(crate) fn parse(line: &str, place: u64) -> Tx {
    let mut tx = Tx {
        steps: Vec::new(),
        end: End::Ok,
        process: place,
        from: 0,
        to: 1_000,
    };
    let (head, body) = line.split_once(':').unwrap_or(("", line));
    for word in head.split_whitespace() {
        match word {
            "fail" => tx.end = End::Fail,
            "info" => tx.end = End::Info,
            _ => match (word.strip_prefix('p'), word.split_once('-')) {
                (Some(process), _) => tx.process = process.parse().expect("a process"),
                (_, Some((from, to))) => {
                    tx.from = from.parse().expect("a time");
                    tx.to = to.parse().expect("a time");
                }
                _ => panic!("{word:?} in {line:?}"),
            },
        }
    }
    tx.steps = body.split_whitespace().map(step).collect();
    tx
}

fn step(word: &str) -> Step {
    let mut letters = word.chars();
    let (what, key) = (
        letters.next().expect("a step"),
        letters.next().expect("a key"),
    );
    let rest = letters.as_str();
    let number = |text: &str| -> i64 { text.parse().unwrap_or_else(|_| panic!("{word:?}")) };
    match (what, rest.strip_prefix('=')) {
        ('a', _) => Step::Append(key, number(rest)),
        ('w', _) => Step::Write(key, number(rest)),
        ('r', Some("")) => Step::Read(key, None),
        ('r', Some(value)) => Step::Read(key, Some(number(value))),
        ('r', None) if rest.is_empty() => Step::List(key, Vec::new()),
        ('r', None) => Step::List(key, rest.split(',').map(number).collect()),
        _ => panic!("{word:?}"),
    }
}

/// A read by a predicate.
fn find((divisor, rest): (i64, i64), found: &[(char, i64)], told: bool) -> Value {
    let asks = ["mod".into(), Value::Int(divisor), Value::Int(rest)];
    let pair =
        |(key, value): &(char, i64)| Value::List(vec![key.to_string().into(), Value::Int(*value)]);
    let found = Value::List(found.iter().map(pair).collect());
    let found = if told { found } else { Value::Null };
    Value::List(vec!["rp".into(), Value::List(asks.to_vec()), found])
}

/// The row of a transaction, given its steps as they were asked for and as they were answered.
pub(crate) fn row_of(op_id: u64, tx: &Tx, steps: impl Fn(bool) -> Value) -> Operation {
    Operation {
        op_id,
        process_id: tx.process,
        invoke_ts: tx.from,
        complete_ts: (tx.end != End::Info).then_some(tx.to),
        op_type: OpType::Other("txn".to_owned()),
        key: None,
        input: steps(false),
        output: (tx.end == End::Ok).then(|| steps(true)),
        error: (tx.end == End::Fail).then(|| "aborted".to_owned()),
        timeout_marker: tx.end == End::Info,
        node_seen: None,
        fault_epoch: Vec::new(),
    }
}

/// The history of some transactions.
pub(crate) fn history(txs: &[Tx]) -> History {
    let steps = |tx: &Tx, told: bool| {
        let one = |step: &Step| {
            let (name, key, value) = match step {
                Step::Find(rest, found) => return find(*rest, found, told),
                Step::Append(key, value) => ("append", key, Value::Int(*value)),
                Step::Write(key, value) => ("w", key, Value::Int(*value)),
                Step::List(key, list) if told => {
                    let list = list.iter().map(|value| Value::Int(*value));
                    ("r", key, Value::List(list.collect()))
                }
                Step::Read(key, Some(value)) if told => ("r", key, Value::Int(*value)),
                Step::List(key, _) | Step::Read(key, _) => ("r", key, Value::Null),
            };
            Value::List(vec![name.into(), key.to_string().into(), value])
        };
        Value::List(tx.steps.iter().map(one).collect())
    };
    let rows = txs.iter().zip(0..);
    let rows = rows.map(|(tx, op_id)| row_of(op_id, tx, |told| steps(tx, told)));
    History {
        ops: rows.collect(),
        windows: Vec::new(),
    }
}
