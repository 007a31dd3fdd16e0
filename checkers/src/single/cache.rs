//! Caches: how old what they return is, and how many load it at a time.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use super::breaker::crowds;
use crate::history::{Completion, Millis, OpType, Operation};
use crate::value::Value;

/// The rows of one key.
#[derive(Default)]
struct Object<'a> {
    writes: Vec<&'a Operation>,
    reads: Vec<&'a Operation>,
}

pub(super) fn staleness(judged: &mut Judged<'_>, bound_ns: u64) {
    let mut objects: BTreeMap<Option<&Value>, Object<'_>> = BTreeMap::new();
    for (_, op) in judged.named(&["read", "final-read", "write"]) {
        let object = objects.entry(op.key.as_ref()).or_default();
        match op.op_type {
            OpType::Write => object.writes.push(op),
            _ if op.is_acknowledged() => object.reads.push(op),
            _ => continue,
        }
        judged.consume(1);
    }
    if !objects.is_empty() && objects.values().all(|object| object.reads.is_empty()) {
        judged.lacks(|| "acknowledged reads".to_owned());
    }
    for (key, object) in &mut objects {
        stale(judged, *key, object, bound_ns);
    }
}

fn stale(judged: &mut Judged<'_>, key: Option<&Value>, object: &mut Object<'_>, bound_ns: u64) {
    let writes = &mut object.writes;
    writes.sort_by_key(|op| op.invoke_ts);
    // Of the writes from a place on, the acknowledged one that ended first.
    let mut first_end: Vec<Option<&Operation>> = vec![None; writes.len() + 1];
    for place in (0..writes.len()).rev() {
        let (own, next) = (writes[place], first_end[place + 1]);
        let earlier = next.is_none_or(|next| own.complete_ts < next.complete_ts);
        first_end[place] = if own.is_acknowledged() && earlier {
            Some(own)
        } else {
            next
        };
    }
    // By value, its last write that did not fail; none that ever ends when one is ambiguous.
    let mut sources: FxHashMap<&Value, (&Operation, u64)> = FxHashMap::default();
    let mut failed: FxHashMap<&Value, &Operation> = FxHashMap::default();
    for op in writes.iter() {
        let end = match op.completion() {
            Completion::Failed => {
                failed.insert(&op.input, op);
                continue;
            }
            Completion::Ambiguous => u64::MAX,
            Completion::Acknowledged => op.complete_ts.unwrap_or(u64::MAX),
        };
        let source = sources.entry(&op.input).or_insert((op, end));
        if end >= source.1 {
            *source = (op, end);
        }
    }
    for op in &object.reads {
        let source = sources.get(op.observed());
        if source.is_none() && *op.observed() != Value::Null {
            let rows = failed.get(op.observed()).copied().into_iter().chain([*op]);
            let rows: Vec<&Operation> = rows.collect();
            judged.find("phantom-value", key, &rows, || {
                format!(
                    "#{} returned {}, which was not written",
                    op.op_id,
                    op.observed()
                )
            });
            continue;
        }
        // Writes that began after the value's own had ended.
        let later = match source {
            Some((_, end)) => writes.partition_point(|write| write.invoke_ts <= *end),
            None => 0,
        };
        if let Some(newer) = first_end[later]
            && let Some(end) = newer.complete_ts
            && end.saturating_add(bound_ns) < op.invoke_ts
        {
            let rows = source.map(|(source, _)| *source).into_iter();
            let rows: Vec<&Operation> = rows.chain([newer, *op]).collect();
            judged.find("too-stale", key, &rows, || {
                let (age, bound) = (Millis(op.invoke_ts - end), Millis(bound_ns));
                let (id, newer) = (op.op_id, newer.op_id);
                format!(
                    "#{id} returned {}, which #{newer} had overwritten {age} ms before; {bound} \
                     ms are allowed",
                    op.observed()
                )
            });
        }
    }
}

pub(super) fn stampede(judged: &mut Judged<'_>, limit: u64) {
    let mut loads: BTreeMap<Option<&Value>, Vec<&Operation>> = BTreeMap::new();
    for (_, op) in judged.named(&["load"]) {
        judged.consume(1);
        loads.entry(op.key.as_ref()).or_default().push(op);
    }
    for (key, rows) in loads {
        for crowd in crowds(&rows, limit) {
            judged.find("stampede", key, &crowd, || {
                let (count, name) = (
                    crowd.len(),
                    key.map_or("null".to_owned(), ToString::to_string),
                );
                format!("{count} loads of {name} run at a time, {limit} may")
            });
        }
    }
}
