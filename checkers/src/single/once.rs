//! The effects of one business key happen once.

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Completion, OpType, Operation};
use crate::value::Value;

/// What is known of one business key.
#[derive(Default)]
struct Request<'a> {
    attempts: Vec<&'a Operation>,
    effects: Vec<&'a Operation>,
}

pub(super) fn check(judged: &mut Judged<'_>) {
    let mut ids: FxHashMap<&Value, usize> = FxHashMap::default();
    let mut requests: Vec<(&Value, Request<'_>)> = Vec::new();
    let mut at = |key, requests: &mut Vec<(_, _)>| {
        let id = *ids.entry(key).or_insert(requests.len());
        if id == requests.len() {
            requests.push((key, Request::default()));
        }
        id
    };
    let audited = judged.named(&["apply"]).any(|(_, op)| op.is_acknowledged());
    let mut last_read = None;
    for (_, op) in judged.rows() {
        match op.op_type.name() {
            "request" | "apply" => {
                let Some(key) = &op.key else {
                    judged.lacks(|| {
                        let name = op.op_type.name();
                        format!("key (the business key) of {name} #{}", op.op_id)
                    });
                    continue;
                };
                judged.consume(1);
                let id = at(key, &mut requests);
                if op.op_type.name() == "request" {
                    requests[id].1.attempts.push(op);
                } else if op.is_acknowledged() {
                    requests[id].1.effects.push(op);
                }
            }
            _ if op.op_type == OpType::FinalRead && op.is_acknowledged() => {
                let Some(list) = super::sets::elements(op) else {
                    judged.lacks(|| format!("output (a list) of final-read #{}", op.op_id));
                    continue;
                };
                judged.consume(1);
                last_read = Some(op);
                for key in list {
                    let id = at(key, &mut requests);
                    // A stream of effects and a final read tell the same effect.
                    if !audited {
                        requests[id].1.effects.push(op);
                    }
                }
            }
            _ => {}
        }
    }
    if !requests.is_empty() && !audited && last_read.is_none() {
        judged.lacks(|| "rows of type `apply`, or a final-read of the effects".to_owned());
        return;
    }
    let shown_until = match last_read {
        Some(read) if !audited => read.invoke_ts,
        _ => u64::MAX,
    };
    for (key, request) in &requests {
        judge(judged, key, request, shown_until);
    }
}

/// Effects are looked for in what was acknowledged before `shown_until`.
fn judge(judged: &mut Judged<'_>, key: &Value, request: &Request<'_>, shown_until: u64) {
    let effects = &request.effects;
    let acknowledged = || request.attempts.iter().filter(|op| op.is_acknowledged());
    if effects.len() > 1 {
        let rows: Vec<&Operation> = request.attempts.iter().chain(effects).copied().collect();
        judged.find("duplicate-effect", Some(key), &rows, || {
            format!("{key} took effect {} times", effects.len())
        });
    }
    let due = |op: &&&Operation| op.complete_ts.is_some_and(|end| end < shown_until);
    if effects.is_empty()
        && let Some(op) = acknowledged().find(due)
    {
        judged.find("lost-effect", Some(key), &[op], || {
            format!("{key} was acknowledged by #{} and took no effect", op.op_id)
        });
    }
    if let Some(effect) = effects.first() {
        let failed = |op: &&Operation| op.completion() == Completion::Failed;
        if request.attempts.is_empty() {
            judged.find("phantom-effect", Some(key), &[effect], || {
                format!("{key} took effect, and nobody asked for it")
            });
        } else if request.attempts.iter().all(failed) {
            let rows: Vec<&Operation> = request.attempts.iter().chain([effect]).copied().collect();
            judged.find("effect-of-failed", Some(key), &rows, || {
                format!("{key} took effect, and every attempt at it failed")
            });
        }
    }
    let mut answers = acknowledged();
    if let Some(first) = answers.next()
        && let Some(other) = answers.find(|op| op.observed() != first.observed())
    {
        judged.find("different-answers", Some(key), &[first, other], || {
            let (one, two) = (first.observed(), other.observed());
            format!("attempts at {key} were answered {one} and {two}")
        });
    }
}
