//! Replicas that hold the same, and states that a log gives back.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Completion, OpType, Operation};
use crate::value::{Brief, Value};

/// The rows of one object.
#[derive(Default)]
struct Object<'a> {
    /// The last final read of each node.
    replicas: BTreeMap<&'a str, &'a Operation>,
    adds: Vec<&'a Operation>,
    /// Whether order counts, and whether elements may go again.
    ordered: bool,
    removes: bool,
}

pub(super) fn reconciliation(judged: &mut Judged<'_>) {
    let mut objects: BTreeMap<Option<&Value>, Object<'_>> = BTreeMap::new();
    for (_, op) in judged.rows() {
        match &op.op_type {
            OpType::FinalRead if op.is_acknowledged() => {
                let Some(node) = &op.node_seen else {
                    judged.lacks(|| format!("node_seen of final-read #{}", op.op_id));
                    continue;
                };
                let object = objects.entry(op.key.as_ref()).or_default();
                object.replicas.insert(node, op);
            }
            OpType::Add | OpType::Append | OpType::Remove => {
                let object = objects.entry(op.key.as_ref()).or_default();
                object.ordered |= op.op_type == OpType::Append;
                object.removes |= op.op_type == OpType::Remove;
                object.adds.push(op);
            }
            _ => continue,
        }
        judged.consume(1);
    }
    let read = |object: &Object<'_>| object.replicas.len() > 1;
    if !objects.is_empty() && !objects.values().any(read) {
        judged.lacks(|| "final-reads of one key at two nodes".to_owned());
        return;
    }
    for (key, object) in &objects {
        let one = object.replicas.len() < 2;
        if one {
            let name = key.map_or("null".to_owned(), ToString::to_string);
            judged.lacks(|| format!("final-reads of key {name} at two nodes"));
        } else {
            replicas(judged, *key, object);
        }
    }
}

fn replicas(judged: &mut Judged<'_>, key: Option<&Value>, object: &Object<'_>) {
    let mut nodes = object.replicas.iter();
    let Some((first_node, first)) = nodes.next() else {
        return;
    };
    for (node, op) in nodes {
        if op.observed() == first.observed() {
            continue;
        }
        let lists = (list(first), list(op));
        let (Some(ours), Some(theirs)) = lists else {
            judged.find("replicas-differ", key, &[first, op], || {
                let (one, two) = (Brief(first.observed()), Brief(op.observed()));
                format!("{first_node} has {one}, and {node} has {two}")
            });
            continue;
        };
        let (counts, others) = (counts(ours), self::counts(theirs));
        let mut differ = false;
        for (have, lack, by, from) in [
            (&counts, &others, first_node, node),
            (&others, &counts, node, first_node),
        ] {
            let missing = have
                .iter()
                .find(|(of, n)| lack.get(*of).is_none_or(|m| m < n));
            if let Some((element, _)) = missing {
                differ = true;
                judged.find("missing-on-replica", key, &[first, op], || {
                    format!("{by} has {}, and {from} lacks it", Brief(element))
                });
            }
        }
        if !differ && object.ordered {
            judged.find("replicas-differ", key, &[first, op], || {
                format!("{first_node} and {node} have the same entries in another order")
            });
        }
    }
    told(judged, key, object);
}

/// A list, or nothing, which is the empty one.
fn list(op: &Operation) -> Option<&[Value]> {
    super::sets::elements(op)
}

fn counts(list: &[Value]) -> BTreeMap<&Value, u32> {
    let mut counts = BTreeMap::new();
    for element in list {
        *counts.entry(element).or_insert(0) += 1;
    }
    counts
}

/// What clients were told, on each replica.
fn told(judged: &mut Judged<'_>, key: Option<&Value>, object: &Object<'_>) {
    if object.adds.is_empty() || object.removes {
        return;
    }
    for (node, read) in &object.replicas {
        let Some(list) = list(read) else {
            judged.lacks(|| format!("output (a list) of final-read #{}", read.op_id));
            continue;
        };
        // By element, whether it is there, and whether it may be.
        let mut known: FxHashMap<&Value, bool> = FxHashMap::default();
        list.iter().for_each(|element| {
            known.insert(element, false);
        });
        for op in &object.adds {
            let due = op.complete_ts.is_some_and(|end| end < read.invoke_ts);
            if op.is_acknowledged() && due && !known.contains_key(&op.input) {
                judged.find("lost-on-replica", key, &[op, read], || {
                    let element = Brief(&op.input);
                    format!(
                        "#{} put {element}, and {node} lacks it at the end",
                        op.op_id
                    )
                });
            }
            if op.completion() != Completion::Failed
                && let Some(may) = known.get_mut(&op.input)
            {
                *may = true;
            }
        }
        for element in list {
            if known.get(element) == Some(&false) {
                judged.find("phantom-on-replica", key, &[read], || {
                    format!("{node} has {}, which nobody put there", Brief(element))
                });
            }
        }
    }
}

pub(super) fn replay(judged: &mut Judged<'_>) {
    let mut states: BTreeMap<&Value, &Operation> = BTreeMap::new();
    let mut replays: Vec<(&Value, &Operation)> = Vec::new();
    for (_, op) in judged.named(&["state", "replay"]) {
        if !op.is_acknowledged() {
            continue;
        }
        let Some(key) = &op.key else {
            judged.lacks(|| format!("key (the place in the log) of #{}", op.op_id));
            continue;
        };
        judged.consume(1);
        if op.op_type.name() == "replay" {
            replays.push((key, op));
            continue;
        }
        let first = *states.entry(key).or_insert(op);
        if first.observed() != op.observed() {
            judged.find("different-states", Some(key), &[first, op], || {
                let (one, two) = (Brief(first.observed()), Brief(op.observed()));
                format!("at {key} the state is {one} by #{}, and {two}", first.op_id)
            });
        }
    }
    if replays.is_empty() && !states.is_empty() {
        judged.lacks(|| "rows of type `replay`".to_owned());
    }
    for (key, op) in replays {
        let Some(state) = states.get(key) else {
            judged.lacks(|| format!("a `state` row of {key}, which #{} replays", op.op_id));
            continue;
        };
        if state.observed() != op.observed() {
            judged.find("different-replay", Some(key), &[state, op], || {
                let (one, two) = (Brief(state.observed()), Brief(op.observed()));
                format!("at {key} the state was {one}, and a replay gives {two}")
            });
        }
    }
}
