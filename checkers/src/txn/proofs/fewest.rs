//! A few transactions of a history of which a level fails as it does of all, for proofs: what they
//! did beside, and what the others did, need not be looked at.

use rustc_hash::FxHashMap;

use super::super::analysis::{Workload, facts_of};
use super::super::hidden::Chosen;
use super::super::judged::{Judged, Known};
use super::super::levels::Level;
use super::super::options::Options;
use super::super::transactions::{Access, Status, Transactions};
use crate::history::{History, OpType, Operation};
use crate::report::Budget;
use crate::value::Value;

/// So few transactions need not be fewer; and how many rows are judged at most, beside eight times
/// those of the history.
const FEW: usize = 48;
const ROWS_MAX: usize = 400_000;

struct Fewest<'h> {
    history: &'h History,
    all: &'h Transactions<'h>,
    workload: Workload,
    level: Level,
    options: &'h Options,
    budget: &'h Budget,
    /// By object and value, who may have written it.
    writers: FxHashMap<(&'h Value, &'h Value), Vec<u32>>,
    /// How many rows may still be judged.
    left: usize,
}

/// The history of a few transactions of which a level fails by cycles, none of one by itself;
/// without what they read of others. None if they are few as it is, or no fewer were found.
///
/// Of each part of a history no more is forbidden than of the whole, so they are looked for by
/// leaving out others: what comes late, what comes early, then a half, a quarter, and so on.
pub(super) fn fewest(
    (history, workload): (&History, Workload),
    all: &Transactions<'_>,
    level: Level,
    (options, budget): (&Options, &Budget),
) -> Option<History> {
    let part = (0..all.len()).filter(|txn| all.status(*txn) != Status::Aborted);
    let txns: Vec<u32> = part.filter(|txn| all.universe != Some(*txn)).collect();
    let steps = || (0..all.len()).flat_map(|txn| all.steps(txn));
    // What is not shown of an object is told by all that was written.
    let deletes = steps().any(|step| step.access == Access::Delete);
    if txns.len() <= FEW || deletes || !all.found.is_empty() {
        return None;
    }
    let mut fewest = Fewest {
        history,
        all,
        workload,
        level,
        options,
        budget,
        writers: FxHashMap::default(),
        left: ROWS_MAX + 8 * txns.len(),
    };
    for txn in 0..all.len() {
        for step in all.steps(txn) {
            if matches!(step.access, Access::Write | Access::Append) {
                let of = (all.keys[step.key as usize], step.value);
                fewest.writers.entry(of).or_default().push(txn);
            }
        }
    }
    fewest.find(txns)
}

impl Fewest<'_> {
    fn find(&mut self, mut txns: Vec<u32>) -> Option<History> {
        let count = txns.len();
        let mut size = FEW;
        while !self.fails(&txns[..size]) {
            if size == count {
                return None;
            }
            size = count.min(2 * size);
        }
        txns.truncate(size);
        size = FEW.min(txns.len());
        while size < txns.len() && !self.fails(&txns[txns.len() - size..]) {
            size = txns.len().min(2 * size);
        }
        txns.drain(..txns.len() - size);
        let mut chunk = txns.len().div_ceil(2);
        loop {
            let (before, mut end) = (txns.len(), txns.len());
            while end > 0 && self.left > 0 {
                let begin = end.saturating_sub(chunk);
                let others = [&txns[..begin], &txns[end..]].concat();
                if self.fails(&others) {
                    txns = others;
                }
                end = begin;
            }
            if self.left == 0 || chunk == 1 && txns.len() == before {
                break;
            }
            chunk = chunk.div_ceil(2);
        }
        (txns.len() < count).then(|| self.part(&txns))
    }

    /// Whether the level fails of some transactions, by cycles.
    fn fails(&mut self, txns: &[u32]) -> bool {
        if txns.is_empty() {
            return false;
        }
        self.left = self.left.saturating_sub(txns.len());
        let part = self.part(txns);
        let Ok(all) = Transactions::of(&part) else {
            return false;
        };
        let Ok(facts) = facts_of(&all, self.workload, self.options, &Chosen::new()) else {
            return false;
        };
        let judged = Judged::of(&all, &facts, &[self.level], self.budget);
        let mut levels = judged.levels.iter();
        levels.any(|(level, known)| *level == self.level && matches!(known, Known::Cycle(_)))
    }

    /// The history of some transactions, without what they read of others; with what there was in
    /// the beginning, and orders of versions that are given.
    fn part(&self, txns: &[u32]) -> History {
        let mut kept = vec![false; self.all.txns.len()];
        for txn in txns.iter().chain(&self.all.universe) {
            kept[*txn as usize] = true;
        }
        let row = |txn: &u32| self.all.txns[*txn as usize].row as usize;
        let mut rows: Vec<usize> = txns.iter().chain(&self.all.universe).map(row).collect();
        if !self.all.given.is_empty() {
            let ops = self.history.ops.iter().enumerate();
            let given = ops.filter(|(_, op)| op.op_type.name() == "versions");
            rows.extend(given.map(|(row, _)| row));
        }
        rows.sort_unstable();
        let ops = rows.iter().filter_map(|row| self.stripped(*row, &kept));
        History {
            ops: ops.collect(),
            windows: Vec::new(),
        }
    }

    /// A row without what it read of transactions that are not kept.
    fn stripped(&self, row: usize, kept: &[bool]) -> Option<Operation> {
        let op = &self.history.ops[row];
        let mut stripped = op.clone();
        match (&op.op_type, &op.output) {
            (_, None) => {}
            (OpType::Read | OpType::FinalRead, Some(value)) => {
                let key = op.key.as_ref().unwrap_or(&Value::Null);
                stripped.output = Some(self.shown(key, value, kept)?);
            }
            (OpType::Other(_), Some(Value::List(steps))) => {
                let steps = steps.iter().filter_map(|step| match step.as_list() {
                    Some([Value::Text(name), key, value])
                        if name.trim_start_matches(':') == "r" =>
                    {
                        let shown = self.shown(key, value, kept)?;
                        let read = [Value::Text(name.clone()), key.clone(), shown];
                        Some(Value::List(read.to_vec()))
                    }
                    _ => Some(step.clone()),
                });
                stripped.output = Some(Value::List(steps.collect()));
            }
            _ => {}
        }
        Some(stripped)
    }

    /// What a read shows of transactions that are kept, if that is anything.
    fn shown(&self, key: &Value, value: &Value, kept: &[bool]) -> Option<Value> {
        let left_out = |value: &Value| {
            let writers = self.writers.get(&(key, value)).map_or(&[][..], |all| all);
            !writers.is_empty() && writers.iter().all(|txn| !kept[*txn as usize])
        };
        match (self.workload, value) {
            (Workload::ListAppend, Value::List(list)) => {
                let list = list.iter().filter(|value| !left_out(value));
                Some(Value::List(list.cloned().collect()))
            }
            (_, value) => (!left_out(value)).then(|| value.clone()),
        }
    }
}
