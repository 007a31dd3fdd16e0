//! The transactions of a history, flat.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::predicate::{DEAD, Predicate};
use crate::history::{Completion, History, OpType, Operation};
use crate::value::Value;

/// No transaction, no version.
pub(super) const NONE: u32 = u32::MAX;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It took effect.
    Committed,
    /// It may have.
    Unknown,
    /// It did not.
    Aborted,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads the whole object.
    Read,
    /// Adds an element at its end.
    Append,
    /// Sets it.
    Write,
    /// Takes it away.
    Delete,
    /// Reads all objects that match a predicate, its value; the object is the place among
    /// [`Transactions::found`].
    Predicate,
}

/// A step of a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'h> {
    /// What was read, added or set.
    pub(super) value: &'h Value,
    /// The object.
    pub(super) key: u32,
    pub(super) access: Access,
}

/// A transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Txn {
    /// Its row in the history.
    pub(super) row: u32,
    /// Where its steps begin.
    first: u32,
    /// How many it has.
    len: u32,
    pub(super) status: Status,
}

/// All transactions, in the order of the history. The reads of those that are not acknowledged
/// are left out, since their responses are not known.
#[derive(Debug)]
pub(super) struct Transactions<'h> {
    pub(super) history: &'h History,
    /// The objects, in the order in which they were first met.
    pub(super) keys: Vec<&'h Value>,
    pub(super) txns: Vec<Txn>,
    steps: Vec<Step<'h>>,
    /// What each predicate read shows: objects and their values.
    pub(super) found: Vec<Vec<(u32, &'h Value)>>,
    /// The transaction that made what there was in the beginning, if one did.
    pub(super) universe: Option<u32>,
    /// By object, its versions in their order, where that is given.
    pub(super) given: BTreeMap<u32, &'h [Value]>,
}

static UNKEYED: Value = Value::Null;

impl<'h> Transactions<'h> {
    /// Reads the transactions: rows whose argument is a list of `["r", key, value]`,
    /// `["w", key, value]`, `["append", key, value]`, `["insert", key, value]`, `["delete", key]`
    /// and `["rp", predicate, [[key, value], ...]]`; plain reads, writes and appends, each a
    /// transaction of one step; one `init` of `[[key, value], ...]`; and `versions`, the order of
    /// the versions of its key, or of each of `[[key, [value, ...]], ...]`.
    ///
    /// # Errors
    /// The field that a row lacks.
    pub(super) fn of(history: &'h History) -> Result<Self, String> {
        let mut reader = Reader {
            numbers: FxHashMap::default(),
            all: Transactions {
                history,
                keys: Vec::new(),
                txns: Vec::with_capacity(history.ops.len()),
                steps: Vec::with_capacity(history.ops.len() * 4),
                found: Vec::new(),
                universe: None,
                given: BTreeMap::new(),
            },
        };
        for (row, op) in history.ops.iter().enumerate() {
            if op.is_client() {
                reader.operation(row as u32, op)?;
            }
        }
        Ok(reader.all)
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.txns.len() as u32
    }

    /// The steps of a transaction.
    pub(super) fn steps(&self, txn: u32) -> &[Step<'h>] {
        let Txn { first, len, .. } = self.txns[txn as usize];
        &self.steps[first as usize..(first + len) as usize]
    }

    /// The row of a transaction.
    pub(super) fn op(&self, txn: u32) -> &'h Operation {
        &self.history.ops[self.txns[txn as usize].row as usize]
    }

    /// How a transaction ended.
    pub(super) fn status(&self, txn: u32) -> Status {
        self.txns[txn as usize].status
    }
}

struct Reader<'h> {
    numbers: FxHashMap<&'h Value, u32>,
    all: Transactions<'h>,
}

impl<'h> Reader<'h> {
    fn operation(&mut self, row: u32, op: &'h Operation) -> Result<(), String> {
        let status = match op.completion() {
            Completion::Acknowledged => Status::Committed,
            Completion::Failed => Status::Aborted,
            Completion::Ambiguous => Status::Unknown,
        };
        let first = self.all.steps.len() as u32;
        let told = status == Status::Committed;
        if matches!(&op.op_type, OpType::Other(name) if name == "versions") {
            return self.versions(op);
        }
        match &op.op_type {
            OpType::Read | OpType::FinalRead if told => self.step(Access::Read, op, op.observed()),
            OpType::Read | OpType::FinalRead => {}
            OpType::Write => self.step(Access::Write, op, &op.input),
            OpType::Append => self.step(Access::Append, op, &op.input),
            OpType::Other(name) if name == "init" => self.universe(op, status)?,
            _ => {
                let all = match (told, op.observed()) {
                    (true, Value::List(_)) => op.observed(),
                    _ => &op.input,
                };
                self.steps(op, all, told)?;
            }
        }
        self.all.txns.push(Txn {
            row,
            first,
            len: self.all.steps.len() as u32 - first,
            status,
        });
        Ok(())
    }

    /// A plain operation.
    fn step(&mut self, access: Access, op: &'h Operation, value: &'h Value) {
        let key = self.key(op.key.as_ref().unwrap_or(&UNKEYED));
        self.all.steps.push(Step { value, key, access });
    }

    fn steps(&mut self, op: &'h Operation, all: &'h Value, told: bool) -> Result<(), String> {
        let wrong = || {
            format!(
                "input or output (a list of [\"r\", key, value], [\"w\", key, value] and \
                 [\"append\", key, value]) of {} #{}",
                op.op_type.name(),
                op.op_id
            )
        };
        let steps = all.as_list().ok_or_else(wrong)?;
        let silent = told && op.observed() == &Value::Null;
        for step in steps {
            let (name, key, value) = match step.as_list() {
                Some([Value::Text(name), key, value]) => (name, key, value),
                Some([Value::Text(name), key]) => (name, key, &DEAD),
                _ => return Err(wrong()),
            };
            let access = match (
                name.trim_start_matches(':'),
                std::ptr::eq(value, &raw const DEAD),
            ) {
                ("r", false) => Access::Read,
                ("w" | "insert", false) => Access::Write,
                ("append", false) => Access::Append,
                ("rp", false) => Access::Predicate,
                ("delete", true) => Access::Delete,
                _ => return Err(wrong()),
            };
            if matches!(access, Access::Read | Access::Predicate) {
                if silent {
                    return Err(format!("output (what it read) of txn #{}", op.op_id));
                }
                if !told {
                    continue;
                }
            }
            if access == Access::Predicate {
                let found = self.pairs(value).ok_or_else(wrong)?;
                Predicate::parse(key).ok_or_else(wrong)?;
                self.all.steps.push(Step {
                    value: key,
                    key: self.all.found.len() as u32,
                    access,
                });
                self.all.found.push(found);
                continue;
            }
            let key = self.key(key);
            self.all.steps.push(Step { value, key, access });
        }
        Ok(())
    }

    /// What there was in the beginning: objects and their values.
    fn universe(&mut self, op: &'h Operation, status: Status) -> Result<(), String> {
        let given = self.pairs(&op.input);
        let given =
            given.ok_or_else(|| format!("input (objects and values) of init #{}", op.op_id))?;
        for (key, value) in given {
            let access = Access::Write;
            self.all.steps.push(Step { value, key, access });
        }
        if status == Status::Committed && self.all.universe.is_none() {
            self.all.universe = Some(self.all.len());
        }
        Ok(())
    }

    /// The order of versions, as it is given.
    fn versions(&mut self, op: &'h Operation) -> Result<(), String> {
        let wrong = || {
            format!(
                "input (a list of versions, or of objects with theirs) of versions #{}",
                op.op_id
            )
        };
        let given = match &op.key {
            Some(key) => vec![(self.key(key), &op.input)],
            None => self.pairs(&op.input).ok_or_else(wrong)?,
        };
        for (key, versions) in given {
            let versions = versions.as_list().ok_or_else(wrong)?;
            self.all.given.insert(key, versions);
        }
        Ok(())
    }

    /// Objects and their values.
    fn pairs(&mut self, value: &'h Value) -> Option<Vec<(u32, &'h Value)>> {
        let pairs = match value {
            Value::Null => &[][..],
            value => value.as_list()?,
        };
        let pair = |pair: &'h Value| {
            let (key, value) = pair.as_pair()?;
            Some((self.key(key), value))
        };
        pairs.iter().map(pair).collect()
    }

    fn key(&mut self, key: &'h Value) -> u32 {
        let next = self.all.keys.len() as u32;
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.all.keys.push(key);
        }
        number
    }
}
