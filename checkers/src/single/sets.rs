//! Identifiers that are unique, and a set as its last read shows it.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Completion, OpType, Operation, precedes};
use crate::value::Value;

/// Rows that give an identifier out.
const GIVES: &[&str] = &["generate", "unique-id"];

pub(super) fn unique_ids(judged: &mut Judged<'_>) {
    let mut first: FxHashMap<&Value, &Operation> = FxHashMap::default();
    for (_, op) in judged.named(GIVES) {
        if !op.is_acknowledged() {
            continue;
        }
        if *op.observed() == Value::Null {
            judged.lacks(|| {
                format!(
                    "output (the identifier) of {} #{}",
                    op.op_type.name(),
                    op.op_id
                )
            });
            continue;
        }
        judged.consume(1);
        if let Some(before) = first.get(op.observed()) {
            judged.find("duplicate-id", op.key.as_ref(), &[before, op], || {
                let id = op.observed();
                format!("{id} was given to #{} and to #{}", before.op_id, op.op_id)
            });
        } else {
            first.insert(op.observed(), op);
        }
    }
}

/// The rows of one set.
#[derive(Default)]
struct Object<'a> {
    adds: Vec<(usize, &'a Operation)>,
    /// The read that shows its end.
    last: Option<(usize, &'a Operation)>,
}

pub(super) fn set(judged: &mut Judged<'_>) {
    let mut objects: BTreeMap<Option<&Value>, Object<'_>> = BTreeMap::new();
    for (row, op) in judged.rows() {
        let object = objects.entry(op.key.as_ref()).or_default();
        match op.op_type {
            OpType::Add => object.adds.push((row, op)),
            OpType::Remove => {
                judged.lacks(|| format!("a set that only grows: #{} removes", op.op_id));
            }
            OpType::Read | OpType::FinalRead if op.is_acknowledged() => {
                let rank = |op: &Operation| (op.op_type == OpType::FinalRead, op.invoke_ts);
                if object.last.is_none_or(|(_, last)| rank(op) >= rank(last)) {
                    object.last = Some((row, op));
                }
            }
            _ => {}
        }
    }
    for (key, object) in objects {
        let Some((row, read)) = object.last else {
            if !object.adds.is_empty() {
                let name = key.map_or("null".to_owned(), ToString::to_string);
                judged.lacks(|| format!("an acknowledged read of key {name}"));
            }
            continue;
        };
        let Some(list) = elements(read) else {
            judged.lacks(|| format!("output (a list) of read #{}", read.op_id));
            continue;
        };
        judge(judged, key, &object.adds, (row, read), list);
    }
}

/// The list that a read returned; nothing is the empty list.
pub(super) fn elements(read: &Operation) -> Option<&[Value]> {
    match read.observed() {
        Value::Null => Some(&[]),
        value => value.as_list(),
    }
}

/// How an element came into the set.
#[derive(Clone, Copy)]
struct Source<'a> {
    op: &'a Operation,
    /// Whether it could be there: some addition did not fail and began before the read ended.
    possible: bool,
    seen: u32,
}

fn judge(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    adds: &[(usize, &Operation)],
    (row, read): (usize, &Operation),
    list: &[Value],
) {
    judged.consume(1);
    let mut sources: FxHashMap<&Value, Source<'_>> = FxHashMap::default();
    for (_, op) in adds {
        let began = read.complete_ts.is_none_or(|end| op.invoke_ts <= end);
        let possible = op.completion() != Completion::Failed && began;
        let source = sources.entry(&op.input).or_insert(Source {
            op,
            possible,
            seen: 0,
        });
        if possible && !source.possible {
            (source.op, source.possible) = (op, possible);
        }
    }
    for element in list {
        match sources.get_mut(element) {
            None => judged.find("unexpected-element", key, &[read], || {
                format!("{element} is in the set that nobody added")
            }),
            Some(source) => {
                source.seen += 1;
                if !source.possible && source.seen == 1 {
                    judged.find("unexpected-element", key, &[source.op, read], || {
                        format!("{element} is in the set, and its addition had no effect")
                    });
                }
                if source.seen == 2 {
                    judged.find("duplicate-element", key, &[source.op, read], || {
                        format!("{element} is in the set more than once")
                    });
                }
            }
        }
    }
    let (mut recovered, mut concurrent) = (0, 0);
    for &(add_row, op) in adds {
        let seen = sources.get(&op.input).is_some_and(|source| source.seen > 0);
        match op.completion() {
            Completion::Failed => {}
            Completion::Ambiguous => recovered += usize::from(seen),
            Completion::Acknowledged if precedes((add_row, op), (row, read)) => {
                judged.consume(1);
                if !seen {
                    judged.find("lost-element", key, &[op, read], || {
                        let (add, read) = (op.op_id, read.op_id);
                        format!("{} was added by #{add} and is not in #{read}", op.input)
                    });
                }
            }
            Completion::Acknowledged => concurrent += 1,
        }
    }
    judged.note_count(recovered, "additions of unknown outcome are in the set");
    judged.note_count(concurrent, "additions ended after the read began");
}
