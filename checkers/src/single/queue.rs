//! A queue in which everything that was put is taken, once.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Completion, Operation};
use crate::value::Value;

/// The rows about one element.
#[derive(Default)]
struct Element<'a> {
    acknowledged: Vec<&'a Operation>,
    /// Additions of unknown outcome.
    unknown: usize,
    failed: Option<&'a Operation>,
    /// The earliest addition that did not fail began then.
    earliest_ts: Option<u64>,
    taken: Vec<&'a Operation>,
}

/// The rows of one queue.
#[derive(Default)]
struct Queue<'a> {
    ids: FxHashMap<&'a Value, usize>,
    elements: Vec<(&'a Value, Element<'a>)>,
    /// The last row that began when it was empty, or that emptied it.
    emptied: Option<&'a Operation>,
    /// Rows of unknown outcome that may have taken one element.
    takers: usize,
    /// Whether one that may have taken any number did.
    drained_unknown: bool,
}

impl<'a> Queue<'a> {
    fn element(&mut self, value: &'a Value) -> &mut Element<'a> {
        let next = self.elements.len();
        let id = *self.ids.entry(value).or_insert(next);
        if id == next {
            self.elements.push((value, Element::default()));
        }
        &mut self.elements[id].1
    }

    fn emptied_by(&mut self, op: &'a Operation) {
        if self
            .emptied
            .is_none_or(|last| last.invoke_ts <= op.invoke_ts)
        {
            self.emptied = Some(op);
        }
    }
}

pub(super) fn check(judged: &mut Judged<'_>) {
    let mut queues: BTreeMap<Option<&Value>, Queue<'_>> = BTreeMap::new();
    for (_, op) in judged.named(&["enqueue", "dequeue", "drain"]) {
        judged.consume(1);
        let queue = queues.entry(op.key.as_ref()).or_default();
        match (op.op_type.name(), op.completion()) {
            ("enqueue", completion) => put(queue.element(&op.input), op, completion),
            (_, Completion::Failed) => {}
            ("dequeue", Completion::Ambiguous) => queue.takers += 1,
            (_, Completion::Ambiguous) => queue.drained_unknown = true,
            ("dequeue", _) if *op.observed() == Value::Null => queue.emptied_by(op),
            ("dequeue", _) => queue.element(op.observed()).taken.push(op),
            _ => {
                queue.emptied_by(op);
                match super::sets::elements(op) {
                    Some(list) => list.iter().for_each(|value| {
                        queue.element(value).taken.push(op);
                    }),
                    None => judged.lacks(|| format!("output (a list) of drain #{}", op.op_id)),
                }
            }
        }
    }
    for (key, queue) in &queues {
        judge(judged, *key, queue);
    }
}

fn put<'a>(element: &mut Element<'a>, op: &'a Operation, completion: Completion) {
    match completion {
        Completion::Failed => {
            element.failed = Some(op);
            return;
        }
        Completion::Ambiguous => element.unknown += 1,
        Completion::Acknowledged => element.acknowledged.push(op),
    }
    let earliest = element.earliest_ts.get_or_insert(op.invoke_ts);
    *earliest = op.invoke_ts.min(*earliest);
}

fn judge(judged: &mut Judged<'_>, key: Option<&Value>, queue: &Queue<'_>) {
    let mut missing: Vec<(&Value, &Operation)> = Vec::new();
    let mut recovered = 0;
    for (value, element) in &queue.elements {
        let (put, taken) = (element.acknowledged.len(), element.taken.len());
        if let Some(take) = element.taken.first() {
            unexpected(judged, key, value, element, take);
        }
        if element.earliest_ts.is_some() && taken > put + element.unknown {
            judged.find("duplicate-element", key, &element.taken, || {
                let put = put + element.unknown;
                format!("{value} was put {put} times at most and taken {taken} times")
            });
        }
        recovered += taken.saturating_sub(put).min(element.unknown);
        let left = put.saturating_sub(taken);
        missing.extend(
            element.acknowledged[put - left..]
                .iter()
                .map(|op| (*value, *op)),
        );
    }
    judged.note_count(recovered, "elements of unknown outcome were taken");
    if missing.is_empty() {
        return;
    }
    let emptied_ts = queue.emptied.map_or(0, |op| op.invoke_ts);
    let before = |op: &Operation| op.complete_ts.is_some_and(|end| end < emptied_ts);
    if !missing.iter().any(|(_, op)| before(op)) {
        judged.lacks(|| {
            let count = missing.len();
            format!("a drain, or a dequeue that found nothing, after {count} elements were put")
        });
        return;
    }
    missing.retain(|(_, op)| before(op));
    if queue.drained_unknown || missing.len() <= queue.takers {
        judged.lacks(|| {
            let count = missing.len();
            format!("the outcome of the dequeues that may have taken {count} elements")
        });
        return;
    }
    for (value, op) in missing {
        let rows: Vec<&Operation> = [Some(op), queue.emptied].into_iter().flatten().collect();
        judged.find("lost-element", key, &rows, || {
            format!(
                "{value} was put by #{}, the queue was empty later, nobody took it",
                op.op_id
            )
        });
    }
}

fn unexpected(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    value: &Value,
    element: &Element<'_>,
    take: &Operation,
) {
    let Some(earliest_ts) = element.earliest_ts else {
        let rows: Vec<&Operation> = [element.failed, Some(take)].into_iter().flatten().collect();
        judged.find("unexpected-element", key, &rows, || match element.failed {
            Some(put) => format!("{value} was taken, and #{} that put it failed", put.op_id),
            None => format!("{value} was taken and never put"),
        });
        return;
    };
    let early = |take: &&&Operation| take.complete_ts.is_some_and(|end| end < earliest_ts);
    if let Some(take) = element.taken.iter().find(early) {
        let rows: Vec<&Operation> = element.acknowledged.iter().copied().take(1).collect();
        let rows: Vec<&Operation> = rows.into_iter().chain([*take]).collect();
        judged.find("unexpected-element", key, &rows, || {
            format!("#{} took {value} before it was put", take.op_id)
        });
    }
}
