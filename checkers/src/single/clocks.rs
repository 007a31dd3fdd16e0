//! Logical clocks, against the causes that the rows show.
//!
//! Rows: `local`, `send` and `recv` events of a process, in its order; `key` is the message;
//! `output` is the time stamp: an integer (Lamport), a list of counts by process or of
//! `[process, count]` (vector), `[physical, logical]` (hybrid).

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Millis, Operation};
use crate::value::Value;

const EVENTS: &[&str] = &["local", "send", "recv"];

/// An event, with what is before it: the last of its process, and the sending of its message.
struct Event<'a> {
    op: &'a Operation,
    last: Option<usize>,
    sent: Option<usize>,
}

/// The events, causes first: each after all that it names.
fn events<'a>(judged: &mut Judged<'a>) -> Vec<Event<'a>> {
    let mut rows: Vec<(usize, &Operation)> = judged.named(EVENTS).collect();
    rows.retain(|(_, op)| op.is_acknowledged());
    // A receipt ends after its sending began.
    rows.sort_by_key(|(row, op)| (op.invoke_ts, op.op_type.name() == "recv", *row));
    let mut last: BTreeMap<u64, usize> = BTreeMap::new();
    let mut sends: FxHashMap<&Value, usize> = FxHashMap::default();
    let mut events: Vec<Event<'_>> = Vec::with_capacity(rows.len());
    for (_, op) in rows {
        judged.consume(1);
        let mut sent = None;
        if op.op_type.name() != "local" {
            match &op.key {
                None => judged.lacks(|| format!("key (the message) of #{}", op.op_id)),
                Some(key) if op.op_type.name() == "send" => {
                    sends.insert(key, events.len());
                }
                Some(key) => {
                    sent = sends.get(key).copied();
                    if sent.is_none() {
                        judged
                            .lacks(|| format!("the `send` row of message {key}, before its recv"));
                    }
                }
            }
        }
        let last = last.insert(op.process_id, events.len());
        events.push(Event { op, last, sent });
    }
    events
}

/// Complains of every event whose stamp is not above those of its causes.
fn grows<'a, S: Ord>(
    judged: &mut Judged<'_>,
    events: &[Event<'a>],
    stamp: impl Fn(&'a Operation) -> Option<S>,
) {
    for event in events {
        let causes = [
            (event.last, "went-backwards"),
            (event.sent, "received-before-sent"),
        ];
        for (cause, anomaly) in causes {
            let Some(cause) = cause.map(|cause| events[cause].op) else {
                continue;
            };
            let (Some(before), Some(after)) = (stamp(cause), stamp(event.op)) else {
                continue;
            };
            if after <= before {
                judged.find(anomaly, None, &[cause, event.op], || {
                    let (first, second) = (cause.op_id, event.op.op_id);
                    let (was, now) = (cause.observed(), event.op.observed());
                    format!("#{second} has {now}, and #{first}, which caused it, {was}")
                });
            }
        }
    }
}

pub(super) fn lamport(judged: &mut Judged<'_>) {
    let events = events(judged);
    for event in &events {
        if event.op.observed().as_int().is_none() {
            judged.lacks(|| format!("output (an integer) of #{}", event.op.op_id));
        }
    }
    grows(judged, &events, |op| op.observed().as_int());
}

pub(super) fn hybrid(judged: &mut Judged<'_>, drift_ns: u64) {
    let events = events(judged);
    let stamp = |op: &Operation| {
        let (physical, logical) = op.observed().as_pair()?;
        Some((physical.as_int()?, logical.as_int()?))
    };
    for event in &events {
        let op = event.op;
        let Some((physical, _)) = stamp(op) else {
            judged.lacks(|| format!("output ([physical, logical]) of #{}", op.op_id));
            continue;
        };
        let read = op.input.as_int();
        let clock = read.unwrap_or_else(|| {
            i64::try_from(op.complete_ts.unwrap_or(op.invoke_ts)).unwrap_or(i64::MAX)
        });
        let ahead = i128::from(physical) - i128::from(clock);
        if ahead > i128::from(drift_ns) {
            judged.find("drifted", None, &[op], || {
                let drift = Millis(drift_ns);
                format!(
                    "#{} is {ahead} ns ahead of the clock, more than {drift} ms",
                    op.op_id
                )
            });
        }
        if read.is_some_and(|read| physical < read) {
            judged.find("behind-physical", None, &[op], || {
                format!(
                    "#{} is at {physical}, behind its own clock at {clock}",
                    op.op_id
                )
            });
        }
    }
    grows(judged, &events, stamp);
}

/// The counts of a vector by process.
fn vector_of(op: &Operation) -> Option<BTreeMap<u64, i64>> {
    let list = op.observed().as_list()?;
    let counts = (0..).zip(list).map(|(place, count)| match count.as_pair() {
        Some((process, count)) => {
            let process = u64::try_from(process.as_int()?).ok()?;
            Some((process, count.as_int()?))
        }
        None => Some((place, count.as_int()?)),
    });
    let counts: Option<BTreeMap<u64, i64>> = counts.collect();
    Some(
        counts?
            .into_iter()
            .filter(|(_, count)| *count != 0)
            .collect(),
    )
}

pub(super) fn vector(judged: &mut Judged<'_>) {
    let events = events(judged);
    // What each event knows for certain, by the rows: the last event of each process.
    let mut truth: Vec<BTreeMap<u64, usize>> = Vec::with_capacity(events.len());
    let mut stamps: Vec<Option<BTreeMap<u64, i64>>> = Vec::with_capacity(events.len());
    for (place, event) in events.iter().enumerate() {
        let op = event.op;
        let mut known: BTreeMap<u64, usize> = BTreeMap::new();
        for cause in [event.last, event.sent].into_iter().flatten() {
            for (process, last) in &truth[cause] {
                let known = known.entry(*process).or_insert(*last);
                *known = *last.max(known);
            }
        }
        known.insert(op.process_id, place);
        let stamp = vector_of(op);
        if stamp.is_none() {
            judged.lacks(|| format!("output (counts by process) of #{}", op.op_id));
        }
        let own = |stamp: &Option<BTreeMap<u64, i64>>| {
            let stamp = stamp.as_ref()?;
            Some(stamp.get(&op.process_id).copied().unwrap_or(0))
        };
        if let (Some(now), Some(last)) = (own(&stamp), event.last)
            && let Some(was) = own(&stamps[last])
            && now <= was
        {
            judged.find("went-backwards", None, &[events[last].op, op], || {
                format!("#{} counts {now} of its own events, after {was}", op.op_id)
            });
        }
        stamps.push(stamp);
        if let Some(stamp) = &stamps[place] {
            compare(judged, op, stamp, &known, &events, &stamps);
        }
        truth.push(known);
    }
}

/// Each count is that which the last known event of the process has of itself.
fn compare(
    judged: &mut Judged<'_>,
    op: &Operation,
    stamp: &BTreeMap<u64, i64>,
    known: &BTreeMap<u64, usize>,
    events: &[Event<'_>],
    stamps: &[Option<BTreeMap<u64, i64>>],
) {
    for (process, last) in known {
        let theirs = stamps[*last].as_ref().and_then(|stamp| stamp.get(process));
        let (Some(theirs), own) = (theirs, stamp.get(process).copied().unwrap_or(0)) else {
            continue;
        };
        let anomaly = if own < *theirs {
            "knows-too-little"
        } else {
            "knows-too-much"
        };
        if own != *theirs {
            judged.find(anomaly, None, &[events[*last].op, op], || {
                let (id, last) = (op.op_id, events[*last].op.op_id);
                format!(
                    "#{id} counts {own} of process {process}, and #{last} caused it with {theirs}"
                )
            });
        }
    }
    let more = stamp
        .iter()
        .find(|(process, _)| !known.contains_key(process));
    if let Some((process, count)) = more {
        judged.find("knows-too-much", None, &[op], || {
            format!(
                "#{} counts {count} of process {process}, and nothing came from it",
                op.op_id
            )
        });
    }
}
