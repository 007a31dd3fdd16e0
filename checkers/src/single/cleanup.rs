//! What requests that timed out had taken, and when it was given back.
//!
//! Rows: the requests, with their `key`; `take` and `free` of the resource `key`, whose `input` is
//! the request.

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Completion, Millis, Operation};
use crate::value::Value;

pub(super) fn check(judged: &mut Judged<'_>, within_ns: u64) {
    // By request, when it was given up first.
    let mut given_up: FxHashMap<&Value, (u64, &Operation)> = FxHashMap::default();
    let mut takes: Vec<&Operation> = Vec::new();
    // By resource and request, when it was given back, in order.
    let mut frees: FxHashMap<(Option<&Value>, &Value), Vec<&Operation>> = FxHashMap::default();
    for (_, op) in judged.rows() {
        match op.op_type.name() {
            "take" | "free" if !op.is_acknowledged() => {}
            "take" => takes.push(op),
            "free" => frees
                .entry((op.key.as_ref(), &op.input))
                .or_default()
                .push(op),
            _ if op.completion() != Completion::Ambiguous => {}
            _ => {
                let Some(key) = &op.key else {
                    continue;
                };
                let Some(ts) = op.complete_ts else {
                    judged.lacks(|| {
                        format!("complete_ts (when its client gave up) of #{}", op.op_id)
                    });
                    continue;
                };
                let first = given_up.entry(key).or_insert((ts, op));
                if ts < first.0 {
                    *first = (ts, op);
                }
            }
        }
    }
    for frees in frees.values_mut() {
        frees.sort_by_key(|op| op.invoke_ts);
    }
    if takes.is_empty() {
        judged.lacks(|| "rows of type `take`".to_owned());
    }
    if given_up.is_empty() {
        judged.lacks(|| "requests that timed out".to_owned());
    }
    let end_ts = judged.history.end_ts();
    for take in takes {
        judged.consume(1);
        let Some((given_up_ts, request)) = given_up.get(&take.input).copied() else {
            continue;
        };
        let taken_ts = take.complete_ts.unwrap_or(take.invoke_ts);
        let until_ts = given_up_ts.max(taken_ts).saturating_add(within_ns);
        let own = frees.get(&(take.key.as_ref(), &take.input));
        let free = own.and_then(|own| own.iter().find(|free| free.invoke_ts >= take.invoke_ts));
        let name = take
            .key
            .as_ref()
            .map_or("null".to_owned(), ToString::to_string);
        match free {
            Some(free) if free.complete_ts <= Some(until_ts) => {}
            Some(free) => {
                judged.find(
                    "freed-late",
                    take.key.as_ref(),
                    &[request, take, free],
                    || {
                        let (id, within) = (free.op_id, Millis(within_ns));
                        format!("#{id} gave {name} back later than {within} ms after the time-out")
                    },
                );
            }
            None if end_ts < until_ts => judged.lacks(|| {
                let (end, until) = (Millis(end_ts), Millis(until_ts));
                format!("the time from {end} to {until} ms, until which {name} may be held")
            }),
            None => judged.find("leaked", take.key.as_ref(), &[request, take], || {
                let (request, take) = (request.op_id, take.op_id);
                format!("#{request} timed out, and {name}, taken by #{take}, was never given back")
            }),
        }
    }
}
