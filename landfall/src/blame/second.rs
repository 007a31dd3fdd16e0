//! A second opinion on a linearizability finding: another algorithm, on the plain meaning of the
//! generic calls, that knows nothing of the checker or of the plan's model.

use std::collections::BTreeSet;

use checkers::{Completion, History, OpType, Operation, Value};

/// Configurations after which it gives up.
const VISITED_MAX: usize = 200_000;

/// One operation: its time, what it does, what it answered where that is known.
struct Entry<'a> {
    op: &'a Operation,
    /// None: it may take effect at any later time, or never.
    ends: Option<u64>,
}

/// Whether the operations on `key` have an order that explains every answer, by the plain meaning
/// of reads, writes, cas and appends. None when it is not known: the search is too long, or there
/// are other operations.
pub(super) fn is_explained(history: &History, key: Option<&Value>) -> Option<bool> {
    let mut entries = Vec::new();
    for op in history.ops.iter().filter(|op| op.is_client()) {
        if op.key.as_ref() != key {
            continue;
        }
        match op.op_type {
            OpType::Read | OpType::FinalRead | OpType::Write | OpType::Cas | OpType::Append => {}
            _ => return None,
        }
        let ends = match op.completion() {
            Completion::Failed => continue,
            Completion::Acknowledged => op.complete_ts,
            // A read of which nothing is known says nothing.
            Completion::Ambiguous if op.op_type.is_read() => continue,
            Completion::Ambiguous => None,
        };
        entries.push(Entry { op, ends });
    }
    entries.sort_by_key(|entry| entry.op.invoke_ts);
    search(&entries)
}

/// Which entries have taken effect, and the object after them.
type Configuration = (Vec<u64>, Value);

fn search(entries: &[Entry<'_>]) -> Option<bool> {
    let start: Configuration = (vec![0; entries.len().div_ceil(64)], Value::Null);
    let mut visited = BTreeSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some((done, object)) = open.pop() {
        let is_done = |place: usize| done[place / 64] >> (place % 64) & 1 == 1;
        let left = || (0..entries.len()).filter(|place| !is_done(*place));
        let Some(limit) = left().filter_map(|place| entries[place].ends).min() else {
            return Some(true);
        };
        let mut candidates: Vec<usize> = left()
            .take_while(|place| entries[*place].op.invoke_ts <= limit)
            .collect();
        // The last one is tried first: what is certain, and ends soonest.
        candidates.sort_by_key(|place| std::cmp::Reverse(entries[*place].ends.unwrap_or(u64::MAX)));
        for place in candidates {
            let Some(after) = step(&object, &entries[place]) else {
                continue;
            };
            let mut done = done.clone();
            done[place / 64] |= 1 << (place % 64);
            let next = (done, after);
            if visited.insert(next.clone()) {
                open.push(next);
            }
        }
        if visited.len() > VISITED_MAX {
            return None;
        }
    }
    Some(false)
}

/// The object after the operation; none where it would have answered otherwise.
fn step(object: &Value, entry: &Entry<'_>) -> Option<Value> {
    let op = entry.op;
    let known = entry.ends.is_some();
    match &op.op_type {
        OpType::Read | OpType::FinalRead => {
            let empty = Value::List(Vec::new());
            let seen = op.observed();
            let same = seen == object || (*seen == empty && *object == Value::Null);
            same.then(|| object.clone())
        }
        OpType::Write => Some(op.input.clone()),
        OpType::Cas => {
            let [from, to] = op.input.as_list()? else {
                return None;
            };
            let swaps = from == object;
            if known && *op.observed() != Value::Bool(swaps) {
                return None;
            }
            Some(if swaps { to.clone() } else { object.clone() })
        }
        OpType::Append => {
            let mut elements = match object {
                Value::Null => Vec::new(),
                Value::List(elements) => elements.clone(),
                _ => return None,
            };
            elements.push(op.input.clone());
            Some(Value::List(elements))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(lines: &str) -> Option<bool> {
        let history = checkers::jsonl::read(lines.as_bytes()).expect("a history");
        is_explained(&history, Some(&Value::Int(0)))
    }

    fn event(kind: &str, process: u64, f: &str, value: &str) -> String {
        format!(
            "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":0,\
             \"value\":{value}}}\n"
        )
    }

    fn numbered(events: &[String]) -> String {
        let each = events.iter().enumerate();
        each.map(|(index, event)| event.replacen('{', &format!("{{\"index\":{index},"), 1))
            .collect()
    }

    #[test]
    fn a_stale_read_has_no_order_and_one_that_overlaps_has() {
        let write = |kind| event(kind, 1, "write", "4");
        let read = |kind, value: &str| event(kind, 2, "read", value);
        let stale = [
            write("invoke"),
            write("ok"),
            read("invoke", "null"),
            read("ok", "null"),
        ];
        assert_eq!(explained(&numbered(&stale)), Some(false));
        let overlaps = [
            write("invoke"),
            read("invoke", "null"),
            write("ok"),
            read("ok", "null"),
        ];
        assert_eq!(explained(&numbered(&overlaps)), Some(true));
        let unknown = [
            write("invoke"),
            write("info"),
            read("invoke", "null"),
            read("ok", "null"),
        ];
        assert_eq!(explained(&numbered(&unknown)), Some(true));
    }

    #[test]
    fn what_it_does_not_know_it_does_not_judge() {
        let other = [
            event("invoke", 1, "enqueue", "4"),
            event("ok", 1, "enqueue", "4"),
        ];
        assert_eq!(explained(&numbered(&other)), None);
    }
}
