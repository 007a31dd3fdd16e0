//! Changes and totals, and the history of registers that a way of counting comes to.

use std::collections::{BTreeMap, BTreeSet};

use super::super::analysis::Anomaly;
use super::super::levels::Order;
use crate::history::{Completion, History, OpType, Operation};
use crate::value::Value;

/// By read, the changes of others that it counts: their places among [`Counted::changes`].
pub(super) type Seen = Vec<Vec<u32>>;

/// A counter, an account: the key of its rows, if they have one, and its own.
type Object<'h> = (Option<&'h Value>, &'h Value);

/// What a transaction that may have taken part changes an object by, all in all.
pub(super) struct Change<'h> {
    pub(super) row: usize,
    object: Object<'h>,
    pub(super) amount: i128,
}

/// A read of a total.
pub(super) struct Read<'h> {
    pub(super) row: usize,
    object: Object<'h>,
    /// What the changes of others come to that it counts.
    pub(super) rest: i128,
    /// The changes that it may count.
    pub(super) of: Vec<u32>,
}

/// A step of a row.
#[derive(Clone, Copy)]
enum Step<'h> {
    Add(Object<'h>, i128),
    /// None where it was not told.
    Read(Object<'h>, Option<i128>),
}

/// A history of counters.
pub(super) struct Counted<'h> {
    history: &'h History,
    /// By row of a transaction, its steps.
    steps: BTreeMap<usize, Vec<Step<'h>>>,
    pub(super) changes: Vec<Change<'h>>,
    pub(super) reads: Vec<Read<'h>>,
}

/// More sums than these are not told apart.
const SUMS_MAX: usize = 100_000;

impl<'h> Counted<'h> {
    /// Reads rows: `txn` of `["inc", key, amount]` and `["r", key, total]`; `inc` and `read` alone;
    /// `transfer` of `[[account, change], ...]` and `read` of `[[account, balance], ...]`; one
    /// `init` of `[[key, total], ...]`. What is not named there begins with `initial`.
    ///
    /// # Errors
    /// The field that a row lacks.
    pub(super) fn of(history: &'h History, initial: &Value) -> Result<Self, String> {
        let begin = match initial {
            Value::Null => 0,
            value => i128::from(value.as_int().ok_or("an initial value that is a number")?),
        };
        let mut totals: BTreeMap<Object<'h>, i128> = BTreeMap::new();
        let mut counted = Self {
            history,
            steps: BTreeMap::new(),
            changes: Vec::new(),
            reads: Vec::new(),
        };
        for (row, op) in history.ops.iter().enumerate() {
            if !op.is_client() {
                continue;
            }
            if matches!(&op.op_type, OpType::Other(name) if name == "init") {
                let lacks = || format!("input (objects and totals) of init #{}", op.op_id);
                for (key, total) in pairs(&op.input).ok_or_else(lacks)? {
                    totals.insert((op.key.as_ref(), key), total);
                }
                continue;
            }
            counted.steps.insert(row, steps(op)?);
        }
        counted.collect(&totals, begin);
        Ok(counted)
    }

    fn collect(&mut self, totals: &BTreeMap<Object<'h>, i128>, begin: i128) {
        let mut by_object: BTreeMap<Object<'h>, Vec<u32>> = BTreeMap::new();
        for (row, steps) in &self.steps {
            let op = &self.history.ops[*row];
            let mut own: BTreeMap<Object<'h>, i128> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Add(object, amount) => *own.entry(*object).or_default() += amount,
                    Step::Read(object, Some(total)) => {
                        let first = totals.get(object).copied().unwrap_or(begin);
                        let own = own.get(object).copied().unwrap_or(0);
                        self.reads.push(Read {
                            row: *row,
                            object: *object,
                            rest: total - first - own,
                            of: Vec::new(),
                        });
                    }
                    Step::Read(_, None) => {}
                }
            }
            if op.completion() == Completion::Failed {
                continue;
            }
            for (object, amount) in own {
                by_object
                    .entry(object)
                    .or_default()
                    .push(self.changes.len() as u32);
                self.changes.push(Change {
                    row: *row,
                    object,
                    amount,
                });
            }
        }
        for read in &mut self.reads {
            let of = by_object.get(&read.object).into_iter().flatten();
            let others = of.filter(|change| self.changes[**change as usize].row != read.row);
            read.of = others.copied().collect();
        }
    }

    /// The rows of transactions.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.steps.keys().copied()
    }

    /// How many transactions took part for certain.
    pub(super) fn transactions(&self) -> u64 {
        let rows = self.steps.keys();
        rows.filter(|row| self.history.ops[**row].is_acknowledged())
            .count() as u64
    }

    /// A read that shows what no changes come to: `garbage-read`; or `G1a`, if those of aborted
    /// transactions, and parts of what one changes, do.
    pub(super) fn impossible(&self) -> Option<Anomaly> {
        let amounts = |read: &Read<'_>| {
            let of = read
                .of
                .iter()
                .map(|change| self.changes[*change as usize].amount);
            of.collect::<Vec<_>>()
        };
        let mut bad = self
            .reads
            .iter()
            .filter(|read| !sums(&amounts(read), read.rest));
        let first = bad.next()?;
        let garbage = |read: &&Read<'_>| !sums(&self.parts(read), read.rest);
        let worst = std::iter::once(first).chain(bad).find(garbage);
        let name = if worst.is_some() {
            "garbage-read"
        } else {
            "G1a"
        };
        let bad = worst.unwrap_or(first);
        let (_, key) = bad.object;
        let id = self.history.ops[bad.row].op_id;
        Some(Anomaly {
            name: name.to_owned(),
            message: format!(
                "#{id} read a total of {key} that no changes that took effect come to"
            ),
            key: Some(key.clone()),
            ops: vec![id],
            cycle: Vec::new(),
            guessed: false,
        })
    }

    /// What other rows change the object of a read by, whether or not they took effect.
    pub(super) fn parts(&self, read: &Read<'_>) -> Vec<i128> {
        let others = self.steps.iter().filter(|(row, _)| **row != read.row);
        let changes = others
            .flat_map(|(_, steps)| steps)
            .filter_map(|step| match step {
                Step::Add(object, amount) if *object == read.object => Some(*amount),
                _ => None,
            });
        changes.collect()
    }

    /// The transactions that were acknowledged, in an order of sessions and real time.
    pub(super) fn in_time(&self) -> Vec<u64> {
        let ops = self.steps.keys().map(|row| (&self.history.ops[*row], *row));
        let known = ops.filter(|(op, _)| op.completion() == Completion::Acknowledged);
        let mut rows: Vec<(u64, usize)> = known.map(|(op, row)| (op.invoke_ts, row)).collect();
        rows.sort_unstable();
        rows.iter()
            .map(|(_, row)| self.history.ops[*row].op_id)
            .collect()
    }

    /// Whether transactions are all that were acknowledged, in an order that a level asks for.
    pub(super) fn is_in_time(&self, ids: &[u64], order: Order) -> bool {
        let known = self.in_time();
        let (all, given): (BTreeSet<u64>, BTreeSet<u64>) = (
            known.iter().copied().collect(),
            ids.iter().copied().collect(),
        );
        if all != given || given.len() != ids.len() {
            return false;
        }
        let ops = self.history.ops.iter().enumerate();
        let rows: BTreeMap<u64, (usize, &Operation)> =
            ops.map(|(row, op)| (op.op_id, (row, op))).collect();
        let mut latest: BTreeMap<u64, usize> = BTreeMap::new();
        let mut begun = 0;
        ids.iter().map(|id| rows[id]).all(|(row, op)| {
            let last = latest.insert(op.process_id, row);
            let session = last.is_none_or(|last| last < row);
            let real = op.complete_ts.is_none_or(|to| to >= begun);
            begun = begun.max(op.invoke_ts);
            match order {
                Order::None => true,
                Order::Process => session,
                Order::Realtime => session && real,
            }
        })
    }

    /// The id of the transaction of a change.
    pub(super) fn by(&self, change: u32) -> u64 {
        self.history.ops[self.changes[change as usize].row].op_id
    }

    /// Whether a read is one of an object by a row.
    pub(super) fn is_of(&self, read: &Read<'_>, id: u64, key: &Value) -> bool {
        self.history.ops[read.row].op_id == id && read.object.1 == key
    }

    /// Every way of counting, if there are so many at most.
    pub(super) fn ways(&self, most: u64) -> Option<Vec<Seen>> {
        let mut all: Vec<Seen> = vec![Vec::new()];
        for read in &self.reads {
            let sets = self.sets(read, most)?;
            if sets.len() as u64 * all.len() as u64 > most {
                return None;
            }
            let longer = |way: &Seen| {
                let one = |set: &Vec<u32>| [&way[..], std::slice::from_ref(set)].concat();
                sets.iter().map(one).collect::<Vec<_>>()
            };
            all = all.iter().flat_map(longer).collect();
        }
        Some(all)
    }

    /// The sets of changes that come to what a read shows.
    fn sets(&self, read: &Read<'_>, most: u64) -> Option<Vec<Vec<u32>>> {
        let count = read.of.len() as u32;
        if 1_u64.checked_shl(count).filter(|_| count < 63)? > 64 * most {
            return None;
        }
        let set = |bits: u64| {
            let of = read.of.iter().enumerate();
            let of = of.filter(move |(at, _)| bits >> at & 1 == 1);
            of.map(|(_, change)| *change).collect::<Vec<u32>>()
        };
        let total = |set: &[u32]| -> i128 {
            set.iter()
                .map(|change| self.changes[*change as usize].amount)
                .sum()
        };
        let sets = (0..1_u64 << count)
            .map(set)
            .filter(|set| total(set) == read.rest);
        Some(sets.collect())
    }

    /// The history in which each change of an object is a register, and each read reads them all.
    pub(super) fn registers(&self, seen: &Seen) -> History {
        let mut of_row: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, read) in self.reads.iter().enumerate() {
            of_row.entry(read.row).or_default().push(number);
        }
        let mut ops = Vec::with_capacity(self.steps.len());
        for (row, steps) in &self.steps {
            let old = &self.history.ops[*row];
            let mut reads = of_row.get(row).into_iter().flatten();
            let mut own: BTreeMap<Object<'h>, i64> = BTreeMap::new();
            let mut all = Vec::new();
            for step in steps {
                match step {
                    Step::Add(object, _) => {
                        let count = own.entry(*object).or_default();
                        *count += 1;
                        all.push(micro("w", register(*object, old.op_id), Value::Int(*count)));
                    }
                    Step::Read(_, None) => {}
                    Step::Read(object, Some(_)) => {
                        let number = reads.next().expect("each read has its number");
                        let (read, seen) = (&self.reads[*number], &seen[*number]);
                        all.extend(read.of.iter().map(|change| {
                            let by = self.history.ops[self.changes[*change as usize].row].op_id;
                            let there = seen.contains(change);
                            let last = self.writes(*change);
                            let value = if there { Value::Int(last) } else { Value::Null };
                            micro("r", register(*object, by), value)
                        }));
                        if let Some(count) = own.get(object) {
                            all.push(micro("r", register(*object, old.op_id), Value::Int(*count)));
                        }
                    }
                }
            }
            let told = old.is_acknowledged();
            ops.push(Operation {
                op_type: OpType::Other("txn".to_owned()),
                key: None,
                output: told.then(|| Value::List(all.clone())),
                input: Value::List(all),
                ..old.clone()
            });
        }
        History {
            ops,
            windows: Vec::new(),
        }
    }

    /// How often the transaction of a change adds to its object.
    fn writes(&self, change: u32) -> i64 {
        let Change { row, object, .. } = &self.changes[change as usize];
        let adds = |step: &&Step<'_>| matches!(step, Step::Add(of, _) if of == object);
        self.steps[row].iter().filter(adds).count() as i64
    }
}

/// Whether some of the amounts come to a sum; where there are too many sums, they may.
fn sums(amounts: &[i128], wanted: i128) -> bool {
    let mut all = BTreeSet::from([0_i128]);
    for amount in amounts {
        let more: Vec<i128> = all.iter().map(|sum| sum + amount).collect();
        all.extend(more);
        if all.len() > SUMS_MAX {
            return true;
        }
    }
    all.contains(&wanted)
}

fn register((of, key): Object<'_>, op_id: u64) -> Value {
    let id = Value::Int(i64::try_from(op_id).unwrap_or(i64::MAX));
    match of {
        None => Value::List(vec![key.clone(), id]),
        Some(of) => Value::List(vec![of.clone(), key.clone(), id]),
    }
}

fn micro(name: &str, key: Value, value: Value) -> Value {
    Value::List(vec![name.into(), key, value])
}

/// Pairs of an object and a number.
fn pairs(value: &Value) -> Option<Vec<(&Value, i128)>> {
    match value {
        Value::Null => Some(Vec::new()),
        value => value.as_list()?.iter().map(pair).collect(),
    }
}

/// An object and a number; nothing is zero.
fn pair(pair: &Value) -> Option<(&Value, i128)> {
    let (key, number) = pair.as_pair()?;
    let number = match number {
        Value::Null => 0,
        number => number.as_int()?,
    };
    Some((key, i128::from(number)))
}

/// The steps of a row.
fn steps(op: &Operation) -> Result<Vec<Step<'_>>, String> {
    static UNKEYED: Value = Value::Null;
    let told = op.is_acknowledged();
    let lacks = |what: &str| format!("{what} of {} #{}", op.op_type.name(), op.op_id);
    let number = |value: &Value| match value {
        Value::Null => Some(0),
        value => value.as_int().map(i128::from),
    };
    let own = (None, op.key.as_ref().unwrap_or(&UNKEYED));
    let bank = op.key.as_ref();
    match op.op_type.name() {
        "inc" | "add" => {
            let amount = op
                .input
                .as_int()
                .ok_or_else(|| lacks("input (an amount)"))?;
            return Ok(vec![Step::Add(own, i128::from(amount))]);
        }
        "transfer" => {
            let changes = pairs(&op.input).ok_or_else(|| lacks("input (accounts and changes)"))?;
            let step = |(key, amount)| Step::Add((bank, key), amount);
            return Ok(changes.into_iter().map(step).collect());
        }
        "read" | "final-read" | "balances" if !told => return Ok(Vec::new()),
        "read" | "final-read" | "balances" => {
            if let Some(total) = number(op.observed()) {
                return Ok(vec![Step::Read(own, Some(total))]);
            }
            let totals = pairs(op.observed());
            let totals = totals.ok_or_else(|| lacks("output (accounts and balances)"))?;
            let step = |(key, total)| Step::Read((bank, key), Some(total));
            return Ok(totals.into_iter().map(step).collect());
        }
        _ => {}
    }
    let shape = "input or output (a list of [\"inc\", key, amount] and [\"r\", key, total])";
    let listed = told && op.observed().as_list().is_some();
    let value = if listed { op.observed() } else { &op.input };
    let step = |step| {
        let Some([Value::Text(name), key, value]) = Value::as_list(step) else {
            return Err(lacks(shape));
        };
        let object = (None, key);
        match (name.trim_start_matches(':'), number(value)) {
            ("inc" | "add", Some(amount)) => Ok(Step::Add(object, amount)),
            ("r" | "read", _) if !told => Ok(Step::Read(object, None)),
            ("r" | "read", Some(total)) if listed => Ok(Step::Read(object, Some(total))),
            _ => Err(lacks(shape)),
        }
    };
    value
        .as_list()
        .ok_or_else(|| lacks(shape))?
        .iter()
        .map(step)
        .collect()
}
