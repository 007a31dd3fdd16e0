//! Counters and accounts as transactions, against the reference over every way of counting.

use checkers::txn::{Analysis, Base, Level, Order, Verdict, Workload, analyze};
use checkers::{Budget, History, OpType, Operation, Value};

use super::notation::{End, Step, Tx, row_of};
use super::reference::Known;
use super::simulated::{ISOLATIONS, database, kept};
use super::small::{Numbers, consistent, sequential};

/// A step on a counter: which, and by how much it is changed or what it is read as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counts {
    Add(usize, i64),
    Read(usize, i64),
}

/// A transaction: its steps; how it ended and when, with no steps.
pub(crate) type Txn = (Vec<Counts>, Tx);

/// Transactions on one or two counters, whose reads mostly count what some run had left.
pub(crate) fn counters(numbers: &mut Numbers, count: usize) -> Vec<Txn> {
    let keys = 1 + numbers.below(2) as usize;
    let (mut clock, mut now) = (0, [0_i64; 2]);
    let mut ends: Vec<Tx> = Vec::new();
    for _ in 0..count {
        clock += numbers.below(3);
        ends.push(Tx {
            steps: Vec::new(),
            end: match numbers.below(12) {
                0 => End::Fail,
                1 => End::Info,
                _ => End::Ok,
            },
            process: numbers.below(3),
            from: clock,
            to: clock + 1 + numbers.below(4),
        });
    }
    sequential(&mut ends);
    let mut txns = Vec::new();
    for tx in ends {
        let (mut steps, mut then) = (Vec::new(), now);
        for _ in 0..1 + numbers.below(3) {
            let key = numbers.below(keys as u64) as usize;
            if numbers.below(2) == 0 {
                let amount = [1, 1, 2, -1][numbers.below(4) as usize];
                then[key] += amount;
                steps.push(Counts::Add(key, amount));
            } else {
                let off = [0, 0, 0, 1, -1, 2][numbers.below(6) as usize];
                steps.push(Counts::Read(key, then[key] + off));
            }
        }
        if tx.end == End::Ok || tx.end == End::Info && numbers.below(2) == 0 {
            now = then;
        }
        txns.push((steps, tx));
    }
    txns
}

pub(crate) fn history(txns: &[Txn]) -> History {
    let steps = |steps: &[Counts], told: bool| {
        let step = |step: &Counts| {
            let (name, key, value) = match step {
                Counts::Add(key, amount) => ("inc", key, Value::Int(*amount)),
                Counts::Read(key, total) if told => ("r", key, Value::Int(*total)),
                Counts::Read(key, _) => ("r", key, Value::Null),
            };
            Value::List(vec![name.into(), Value::Int(*key as i64), value])
        };
        Value::List(steps.iter().map(step).collect())
    };
    let rows = txns.iter().zip(0..);
    let rows = rows.map(|((all, tx), op_id)| row_of(op_id, tx, |told| steps(all, told)));
    History {
        ops: rows.collect(),
        windows: Vec::new(),
    }
}

/// What a transaction changes a counter by, if it changes it, and in how many steps.
fn change(txn: &Txn, key: usize) -> Option<(i64, i64)> {
    let adds = txn.0.iter().filter_map(|step| match step {
        Counts::Add(of, amount) if *of == key => Some(*amount),
        _ => None,
    });
    let adds: Vec<i64> = adds.collect();
    (!adds.is_empty()).then(|| (adds.iter().sum(), adds.len() as i64))
}

/// Every way in which reads can have counted, as transactions on registers.
pub(crate) fn ways(txns: &[Txn]) -> Vec<Vec<Tx>> {
    let register = |key: usize, by: usize| char::from(b'A' + (key * 8 + by) as u8);
    let mut all: Vec<Vec<Tx>> = vec![Vec::new()];
    for (at, txn) in txns.iter().enumerate() {
        let mut steps: Vec<Vec<Step>> = vec![Vec::new()];
        let mut own = [(0, 0); 2];
        for step in &txn.0 {
            let more: Vec<Vec<Step>> = match *step {
                Counts::Add(key, amount) => {
                    own[key] = (own[key].0 + amount, own[key].1 + 1);
                    vec![vec![Step::Write(register(key, at), own[key].1)]]
                }
                Counts::Read(..) if txn.1.end != End::Ok => vec![Vec::new()],
                Counts::Read(key, total) => {
                    let others = (0..txns.len()).filter(|by| *by != at);
                    let others = others.filter(|by| txns[*by].1.end != End::Fail);
                    let others = others.filter_map(|by| Some((by, change(&txns[by], key)?)));
                    let others: Vec<_> = others.collect();
                    let counted = |bits: usize| {
                        let of = others.iter().enumerate();
                        let sum = of.clone().filter(|(n, _)| bits >> n & 1 == 1);
                        let sum: i64 = sum.map(|(_, (_, (amount, _)))| amount).sum();
                        let read = of.map(|(n, (by, (_, count)))| {
                            Step::Read(register(key, *by), (bits >> n & 1 == 1).then_some(*count))
                        });
                        (sum + own[key].0 == total).then(|| read.collect::<Vec<_>>())
                    };
                    (0..1 << others.len()).filter_map(counted).collect()
                }
            };
            let longer = |so_far: &Vec<Step>| {
                let one = |more: &Vec<Step>| [&so_far[..], more].concat();
                more.iter().map(one).collect::<Vec<_>>()
            };
            steps = steps.iter().flat_map(longer).collect();
        }
        let longer = |so_far: &Vec<Tx>| {
            let one = |steps: &Vec<Step>| {
                let steps = steps.clone();
                let tx = Tx {
                    steps,
                    ..txn.1.clone()
                };
                [&so_far[..], &[tx]].concat()
            };
            steps.iter().map(one).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

fn judged(history: &History) -> Analysis {
    analyze(history, Workload::Counters, &Budget::default()).expect("transactions")
}

#[test]
fn random_counters_agree_with_every_way_of_counting() {
    let mut numbers = Numbers(0xc0de);
    let (mut held, mut failed, mut impossible) = (0, 0, 0);
    for _ in 0..400 {
        let count = 2 + numbers.below(3) as usize;
        let txns = counters(&mut numbers, count);
        let all = ways(&txns);
        let known: Vec<Known<'_>> = all.iter().map(|txs| Known::of(txs)).collect();
        let told = judged(&history(&txns));
        if all.is_empty() {
            impossible += 1;
            let (base, order) = (Base::ReadCommitted, Order::None);
            let fails = matches!(told.verdict(Level { base, order }), Verdict::Fails { .. });
            assert!(fails, "{txns:#?}");
            continue;
        }
        consistent(&told);
        for level in Level::all() {
            let expected = known.iter().any(|known| known.satisfies(level));
            let agrees = match told.verdict(level) {
                Verdict::Holds => expected,
                Verdict::Fails { .. } => !expected,
                Verdict::Unknown { .. } => false,
            };
            let verdict = told.verdict(level);
            assert!(agrees, "{level}: {verdict:?}, but {expected}\n{txns:#?}");
            held += usize::from(expected);
            failed += usize::from(!expected);
        }
    }
    assert!(
        held > 2_000 && failed > 500 && impossible > 20,
        "{held} {failed} {impossible}"
    );
}

/// What a database does with lists, done with counters: each element is an amount.
fn counted(lists: &History) -> History {
    let amount = |element: &Value| 1 + element.as_int().expect("a number") % 3;
    let steps = |value: &Value| {
        let step = |step: &Value| {
            let [name, key, value] = step.as_list().expect("a step") else {
                panic!("{step}")
            };
            let (name, value) = match name.as_text() {
                Some("append") => ("inc", Value::Int(amount(value))),
                _ => match value.as_list() {
                    Some(list) => ("r", Value::Int(list.iter().map(amount).sum())),
                    None => ("r", Value::Null),
                },
            };
            Value::List(vec![name.into(), key.clone(), value])
        };
        Value::List(value.as_list().expect("steps").iter().map(step).collect())
    };
    let row = |op: &Operation| Operation {
        input: steps(&op.input),
        output: op.output.as_ref().map(steps),
        ..op.clone()
    };
    History {
        ops: lists.ops.iter().map(row).collect(),
        windows: Vec::new(),
    }
}

/// Totals tell less than lists: what holds of a database with lists holds of the same one with
/// counters.
#[test]
fn databases_of_counters_keep_what_they_promise() {
    for isolation in ISOLATIONS {
        let (lists, history) = {
            let history = database(isolation, 150);
            let lists = analyze(&history, Workload::ListAppend, &Budget::default());
            (lists.expect("transactions"), counted(&history))
        };
        let told = judged(&history);
        for (level, verdict) in &told.levels {
            let fails = matches!(verdict, Verdict::Fails { .. });
            let holds = *lists.verdict(*level) == Verdict::Holds;
            assert!(!(fails && holds), "{isolation:?} {level} {verdict:?}");
        }
        let verdict = told.verdict(kept(isolation));
        assert_eq!(*verdict, Verdict::Holds, "{isolation:?}: {:?}", told.fails);
    }
}

fn row(op_id: u64, name: &str, from: u64, (input, output): (Value, Value)) -> Operation {
    Operation {
        op_id,
        process_id: op_id,
        invoke_ts: from,
        complete_ts: Some(from + 1),
        op_type: match name {
            "read" => OpType::Read,
            other => OpType::Other(other.to_owned()),
        },
        key: None,
        input,
        output: Some(output),
        error: None,
        timeout_marker: false,
        node_seen: None,
        fault_epoch: Vec::new(),
    }
}

#[test]
fn a_bank_that_shows_half_a_transfer_is_not_atomic() {
    let pairs = |all: &[(&str, i64)]| {
        let pair = |(key, sum): &(&str, i64)| Value::List(vec![(*key).into(), Value::Int(*sum)]);
        Value::List(all.iter().map(pair).collect())
    };
    let bank = |seen: &[(&str, i64)]| {
        let begin = row(0, "init", 0, (pairs(&[("a", 10), ("b", 10)]), Value::Null));
        let transfer = row(
            1,
            "transfer",
            2,
            (pairs(&[("a", -3), ("b", 3)]), Value::Null),
        );
        let read = row(2, "read", 2, (Value::Null, pairs(seen)));
        judged(&History {
            ops: vec![begin, transfer, read],
            windows: Vec::new(),
        })
    };
    for seen in [[("a", 10), ("b", 10)], [("a", 7), ("b", 13)]] {
        assert_eq!(bank(&seen).holds, [Level::STRICT_SERIALIZABLE]);
    }
    let half = bank(&[("a", 7), ("b", 10)]);
    let fails: Vec<String> = half.fails.iter().map(ToString::to_string).collect();
    assert_eq!(fails, ["monotonic-atomic-view"]);
    assert!(
        half.counts.contains_key("fractured-read"),
        "{:?}",
        half.counts
    );
    let never = bank(&[("a", 9), ("b", 11)]);
    assert!(
        never.counts.contains_key("garbage-read"),
        "{:?}",
        never.counts
    );
}
