//! A counter whose every value can be explained.

use std::collections::BTreeMap;

use super::Judged;
use crate::history::{Completion, OpType, Operation};
use crate::value::Value;

/// A change, with its sums up to it in the order that it is sorted by.
#[derive(Clone, Copy)]
struct Change {
    ts: u64,
    delta: i128,
}

/// The rows of one counter.
#[derive(Default)]
struct Counter<'a> {
    /// Changes that are certain, by when they ended.
    certain: Vec<Change>,
    /// Changes that did not fail, by when they began.
    possible: Vec<Change>,
    /// Rows that tell a value, with their own change.
    told: Vec<(&'a Operation, i128, i64)>,
}

/// Sums over the first changes.
#[derive(Clone, Copy, Default)]
struct Sums {
    positive: i128,
    negative: i128,
}

pub(super) fn check(judged: &mut Judged<'_>, floor: Option<i64>, ceiling: Option<i64>) {
    let mut counters: BTreeMap<Option<&Value>, Counter<'_>> = BTreeMap::new();
    for (_, op) in judged.rows() {
        let sign = match op.op_type {
            OpType::Increment | OpType::Add => 1,
            OpType::Decrement => -1,
            OpType::Read | OpType::FinalRead => 0,
            _ => continue,
        };
        let amount = match &op.input {
            _ if sign == 0 => 0,
            Value::Null => 1,
            Value::Int(amount) => i128::from(*amount),
            _ => {
                judged
                    .lacks(|| format!("input (an integer) of {} #{}", op.op_type.name(), op.op_id));
                continue;
            }
        };
        let delta = amount * sign;
        let counter = counters.entry(op.key.as_ref()).or_default();
        judged.consume(1);
        if delta != 0 && op.completion() != Completion::Failed {
            let ts = op.invoke_ts;
            counter.possible.push(Change { ts, delta });
            if let Some(ts) = op.complete_ts.filter(|_| op.is_acknowledged()) {
                counter.certain.push(Change { ts, delta });
            }
        }
        match op.observed() {
            _ if !op.is_acknowledged() => {}
            Value::Int(value) => counter.told.push((op, delta, *value)),
            Value::Null if sign == 0 => counter.told.push((op, delta, 0)),
            _ if sign != 0 => {}
            _ => judged.lacks(|| format!("output (an integer) of read #{}", op.op_id)),
        }
    }
    if !counters.is_empty() && counters.values().all(|counter| counter.told.is_empty()) {
        judged.lacks(|| "acknowledged reads".to_owned());
    }
    for (key, counter) in &mut counters {
        judge(judged, *key, counter, (floor, ceiling));
    }
}

fn judge(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    counter: &mut Counter<'_>,
    (floor, ceiling): (Option<i64>, Option<i64>),
) {
    counter.certain.sort_by_key(|change| change.ts);
    counter.possible.sort_by_key(|change| change.ts);
    let (certain, possible) = (sums(&counter.certain), sums(&counter.possible));
    for &(op, own, value) in &counter.told {
        let ended = counter
            .certain
            .partition_point(|change| change.ts < op.invoke_ts);
        let end = op.complete_ts.unwrap_or(u64::MAX);
        let begun = counter.possible.partition_point(|change| change.ts <= end);
        let (must, may) = (certain[ended], possible[begun]);
        // Its own change did happen.
        let low = must.positive + may.negative + own.max(0);
        let high = must.negative + may.positive + own.min(0);
        let value_wide = i128::from(value);
        if value_wide < low || value_wide > high {
            judged.find("impossible-value", key, &[op], || {
                format!(
                    "#{} tells {value}; it is {low} at least, {high} at most",
                    op.op_id
                )
            });
        }
        if let Some(floor) = floor.filter(|floor| value < *floor) {
            judged.find("below-floor", key, &[op], || {
                format!("#{} tells {value}, below {floor}", op.op_id)
            });
        }
        if let Some(ceiling) = ceiling.filter(|ceiling| value > *ceiling) {
            judged.find("above-ceiling", key, &[op], || {
                format!("#{} tells {value}, above {ceiling}", op.op_id)
            });
        }
    }
}

fn sums(changes: &[Change]) -> Vec<Sums> {
    let mut sums = Vec::with_capacity(changes.len() + 1);
    let mut sum = Sums::default();
    sums.push(sum);
    for change in changes {
        sum.positive += change.delta.max(0);
        sum.negative += change.delta.min(0);
        sums.push(sum);
    }
    sums
}
