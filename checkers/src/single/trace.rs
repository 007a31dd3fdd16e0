//! Traces of machines, against the relation that says which steps they may take.
//!
//! A row of type `step` says that the machine `key` did `input` and is in the state `output`. The
//! relation is code, a [`Relation`], or stands in the history itself: rows of type `relation`,
//! whose `input` is `[from, action, to]`, with null for any action, and null as `from` for a state
//! in which a machine may begin.

use std::collections::{BTreeMap, BTreeSet};

use super::Judged;
use crate::history::{History, Operation};
use crate::report::CheckReport;
use crate::value::{Brief, Value};

/// Which steps a machine may take.
pub trait Relation {
    /// Whether a machine may be in a state when nothing is known of what was before it.
    fn begins(&self, step: &Operation, state: &Value) -> bool;

    /// Whether a machine may go from a state to another by a step. Deterministic: it may look at
    /// its arguments and nothing else.
    fn allows(&self, from: &Value, step: &Operation, to: &Value) -> bool;
}

/// A relation as the history has it.
struct Table<'a>(BTreeSet<(&'a Value, &'a Value, &'a Value)>);

impl Relation for Table<'_> {
    fn begins(&self, step: &Operation, state: &Value) -> bool {
        self.allows(&Value::Null, step, state)
    }

    fn allows(&self, from: &Value, step: &Operation, to: &Value) -> bool {
        let has = |action| self.0.contains(&(from, action, to));
        has(&step.input) || has(&Value::Null)
    }
}

pub(super) fn check(judged: &mut Judged<'_>) {
    let mut table = BTreeSet::new();
    for (_, op) in judged.named(&["relation"]) {
        judged.consume(1);
        match op.input.as_list() {
            Some([from, action, to]) => {
                table.insert((from, action, to));
            }
            _ => judged.lacks(|| format!("input ([from, action, to]) of relation #{}", op.op_id)),
        }
    }
    if table.is_empty() {
        judged.lacks(|| "rows of type `relation`".to_owned());
        return;
    }
    run(judged, &Table(table));
}

/// Judges the steps of each machine by a relation given as code. Rows of type `relation` are left
/// alone. Cost: one question to the relation a row.
#[must_use]
pub fn validate_trace(history: &History, relation: &impl Relation) -> CheckReport {
    let mut judged = Judged::new(history);
    run(&mut judged, relation);
    judged.finish(super::Single::Trace.row())
}

fn run(judged: &mut Judged<'_>, relation: &impl Relation) {
    let mut machines: BTreeMap<Option<&Value>, Vec<&Operation>> = BTreeMap::new();
    for (_, op) in judged.named(&["step"]) {
        if !op.is_acknowledged() {
            continue;
        }
        if op.output.is_none() {
            judged.lacks(|| format!("output (the state) of step #{}", op.op_id));
            continue;
        }
        judged.consume(1);
        machines.entry(op.key.as_ref()).or_default().push(op);
    }
    if machines.is_empty() {
        judged.lacks(|| "rows of type `step`".to_owned());
    }
    for (key, mut steps) in machines {
        steps.sort_by_key(|op| op.complete_ts);
        let mut last: Option<&Operation> = None;
        for op in steps {
            let to = op.observed();
            match last {
                None if !relation.begins(op, to) => {
                    judged.find("illegal-start", key, &[op], || {
                        format!("the machine begins in {}, by #{}", Brief(to), op.op_id)
                    });
                }
                Some(before) if !relation.allows(before.observed(), op, to) => {
                    judged.find("illegal-step", key, &[before, op], || {
                        let (from, to) = (Brief(before.observed()), Brief(to));
                        let (id, action) = (op.op_id, Brief(&op.input));
                        format!("#{id} goes from {from} to {to} by {action}")
                    });
                }
                _ => {}
            }
            last = Some(op);
        }
    }
}
