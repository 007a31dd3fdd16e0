//! Circuit breakers and bulkheads.

use std::collections::BTreeMap;

use super::Judged;
use crate::history::{Millis, Operation};
use crate::value::Value;

/// Whether a call was turned away and not served.
fn rejected(op: &Operation) -> bool {
    let words = ["reject", "open", "full", "shed"];
    let error = op.error.as_deref().unwrap_or_default();
    words.iter().any(|word| error.contains(word))
}

/// The rows of one breaker.
#[derive(Default)]
struct Breaker<'a> {
    states: Vec<(&'a str, &'a Operation)>,
    calls: Vec<&'a Operation>,
}

pub(super) fn check(judged: &mut Judged<'_>, open_ns: u64) {
    let mut breakers: BTreeMap<Option<&Value>, Breaker<'_>> = BTreeMap::new();
    for (_, op) in judged.named(&["breaker", "call"]) {
        if op.op_type.name() == "call" {
            judged.consume(1);
            breakers.entry(op.key.as_ref()).or_default().calls.push(op);
            continue;
        }
        if !op.is_acknowledged() {
            continue;
        }
        let state = op.observed().as_text();
        match state.filter(|state| matches!(*state, "closed" | "open" | "half-open")) {
            Some(state) => {
                judged.consume(1);
                let breaker = breakers.entry(op.key.as_ref()).or_default();
                breaker.states.push((state, op));
            }
            None => judged.lacks(|| {
                format!(
                    "output (closed, open or half-open) of breaker #{}",
                    op.op_id
                )
            }),
        }
    }
    for (key, breaker) in &mut breakers {
        if breaker.states.is_empty() {
            let name = key.map_or("null".to_owned(), ToString::to_string);
            judged.lacks(|| format!("rows of type `breaker` of key {name}"));
            continue;
        }
        breaker.states.sort_by_key(|(_, op)| op.complete_ts);
        transitions(judged, *key, &breaker.states, open_ns);
        while_open(judged, *key, breaker);
    }
}

fn transitions(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    states: &[(&str, &Operation)],
    open_ns: u64,
) {
    // When the state that holds began.
    let mut since = states[0].1;
    for pair in states.windows(2) {
        let ((from, _), (to, op)) = (pair[0], pair[1]);
        match (from, to) {
            _ if from == to => continue,
            ("open", "half-open") => {
                let opened_ts = since.complete_ts.unwrap_or(since.invoke_ts);
                let held_ns = op
                    .complete_ts
                    .unwrap_or(op.invoke_ts)
                    .saturating_sub(opened_ts);
                if held_ns < open_ns {
                    judged.find("half-open-too-early", key, &[since, op], || {
                        let (held, open) = (Millis(held_ns), Millis(open_ns));
                        format!("the breaker was open for {held} ms, not {open} ms")
                    });
                }
            }
            ("closed", "open") | ("half-open", "open" | "closed") => {}
            _ => judged.find("illegal-transition", key, &[since, op], || {
                format!("the breaker went from {from} to {to}, by #{}", op.op_id)
            }),
        }
        since = op;
    }
}

/// Calls that were served between two rows that say *open*, or after the last one.
fn while_open(judged: &mut Judged<'_>, key: Option<&Value>, breaker: &Breaker<'_>) {
    let states = &breaker.states;
    // From each row on, the next that does not say *open*.
    let mut changes: Vec<Option<&Operation>> = vec![None; states.len() + 1];
    for (place, (state, op)) in states.iter().enumerate().rev() {
        changes[place] = if *state == "open" {
            changes[place + 1]
        } else {
            Some(*op)
        };
    }
    for call in &breaker.calls {
        if rejected(call) {
            continue;
        }
        let next = states.partition_point(|(_, op)| op.complete_ts < Some(call.invoke_ts));
        let Some((state, row)) = next.checked_sub(1).map(|last| states[last]) else {
            continue;
        };
        // It may have been let through when the breaker's next state began.
        let end = call.complete_ts;
        let before = changes[next].is_none_or(|op| end.is_some_and(|end| end < op.invoke_ts));
        if state == "open" && before && end.is_some() {
            judged.find("call-while-open", key, &[row, call], || {
                format!(
                    "#{} was let through, and #{} had opened",
                    call.op_id, row.op_id
                )
            });
        }
    }
}

/// The first moments at which more than so many of the rows run: each with the rows that do.
pub(super) fn crowds<'a>(rows: &[&'a Operation], limit: u64) -> Vec<Vec<&'a Operation>> {
    let mut by_start = rows.to_vec();
    by_start.sort_by_key(|op| op.invoke_ts);
    let mut running: BTreeMap<(u64, u64), &Operation> = BTreeMap::new();
    let (mut crowds, mut over) = (Vec::new(), false);
    for op in by_start {
        let rest = running.split_off(&(op.invoke_ts + 1, 0));
        running = rest;
        if let Some(end) = op.complete_ts.filter(|end| *end > op.invoke_ts) {
            running.insert((end, op.op_id), op);
        }
        let crowded = running.len() as u64 > limit;
        if crowded && !over {
            crowds.push(running.values().copied().collect());
        }
        over = crowded;
    }
    crowds
}

pub(super) fn bulkhead(judged: &mut Judged<'_>, limit: u64) {
    let mut compartments: BTreeMap<Option<&Value>, Vec<&Operation>> = BTreeMap::new();
    for (_, op) in judged.named(&["call"]) {
        judged.consume(1);
        compartments.entry(op.key.as_ref()).or_default().push(op);
    }
    for (key, calls) in compartments {
        let name = key.map_or("null".to_owned(), ToString::to_string);
        let (turned_away, served): (Vec<&Operation>, Vec<&Operation>) =
            calls.into_iter().partition(|op| rejected(op));
        for crowd in crowds(&served, limit) {
            judged.find("over-limit", key, &crowd, || {
                format!("{} calls of {name} run at a time, {limit} may", crowd.len())
            });
        }
        for call in crowdless(&turned_away, &served, limit) {
            judged.find("rejected-below-limit", key, &[call], || {
                let id = call.op_id;
                format!("#{id} of {name} was turned away while fewer than {limit} ran")
            });
        }
    }
}

/// Those that were turned away though at no instant of theirs as many as the limit ran.
fn crowdless<'a>(
    turned_away: &[&'a Operation],
    served: &[&Operation],
    limit: u64,
) -> Vec<&'a Operation> {
    let mut starts: Vec<u64> = served.iter().map(|op| op.invoke_ts).collect();
    let mut ends: Vec<u64> = served.iter().filter_map(|op| op.complete_ts).collect();
    starts.sort_unstable();
    ends.sort_unstable();
    // All that touch the call's time: more than ever run at one instant of it.
    let touching = |op: &Operation| {
        let begun = starts.partition_point(|ts| op.complete_ts.is_none_or(|end| *ts <= end));
        let over = ends.partition_point(|ts| *ts < op.invoke_ts);
        (begun - over) as u64
    };
    turned_away
        .iter()
        .filter(|op| touching(op) < limit)
        .copied()
        .collect()
}
