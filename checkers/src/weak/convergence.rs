//! At the end all nodes have the same, and it is something that was written.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Completion, History, OpType, Operation};
use crate::report::CheckReport;
use crate::single::{Judged, Row};
use crate::value::{Brief, Value};

/// Who was asked: a node, else a client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Replica<'a> {
    Node(&'a str),
    Process(u64),
}

impl std::fmt::Display for Replica<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Replica::Node(node) => f.write_str(node),
            Replica::Process(process) => write!(f, "process {process}"),
        }
    }
}

pub(super) fn check(history: &History, row: &Row) -> CheckReport {
    let mut judged = Judged::new(history);
    let mut finals: BTreeMap<Option<&Value>, BTreeMap<Replica<'_>, &Operation>> = BTreeMap::new();
    let mut written: BTreeMap<Option<&Value>, BTreeSet<&Value>> = BTreeMap::new();
    for (_, op) in judged.rows() {
        match op.op_type {
            OpType::FinalRead if op.is_acknowledged() => {
                let replica = match &op.node_seen {
                    Some(node) => Replica::Node(node),
                    None => Replica::Process(op.process_id),
                };
                judged.consume(1);
                finals
                    .entry(op.key.as_ref())
                    .or_default()
                    .insert(replica, op);
            }
            OpType::Write if op.completion() != Completion::Failed => {
                judged.consume(1);
                written
                    .entry(op.key.as_ref())
                    .or_default()
                    .insert(&op.input);
            }
            _ => {}
        }
    }
    if !finals.values().any(|replicas| replicas.len() > 1) {
        judged.lacks(|| "final-reads of one key at two nodes".to_owned());
        return judged.finish(row);
    }
    for (key, replicas) in &finals {
        let mut all = replicas.iter();
        let Some((first_replica, first)) = all.next() else {
            continue;
        };
        if replicas.len() < 2 {
            let name = key.map_or("null".to_owned(), ToString::to_string);
            judged.lacks(|| format!("final-reads of key {name} at two nodes"));
        }
        for (replica, op) in all {
            if op.observed() != first.observed() {
                judged.find("diverged", *key, &[first, op], || {
                    let (one, two) = (Brief(first.observed()), Brief(op.observed()));
                    format!("at the end {first_replica} has {one}, and {replica} has {two}")
                });
            }
        }
        let Some(written) = written.get(key) else {
            continue;
        };
        for op in replicas.values() {
            let value = op.observed();
            if *value != Value::Null && !written.contains(value) {
                judged.find("unwritten-value", *key, &[op], || {
                    format!(
                        "#{} has {} at the end, which nobody wrote",
                        op.op_id,
                        Brief(value)
                    )
                });
            }
        }
    }
    judged.finish(row)
}
