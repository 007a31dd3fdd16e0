//! Locks, semaphores and leases.

use super::builtin::Asked;
use crate::history::OpType;
use crate::value::Value;

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Who asks: the input when it names a holder, else the process.
fn holder(asked: &Asked<'_>) -> Value {
    match &asked.op.input {
        Value::Null => int(asked.op.process_id),
        named => named.clone(),
    }
}

/// Gives the state after, when the answer fits whether it could be done.
fn answer(asked: &Asked<'_>, state: &Value, after: Option<Value>) -> Option<Value> {
    match after {
        // What is not known to have been refused was done.
        Some(after) => (!asked.is_refused()).then_some(after),
        None => (asked.is_refused() || asked.told.is_none()).then(|| state.clone()),
    }
}

/// Free or taken, by whomever.
pub(super) fn mutex(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let free = *state == Value::Null;
    let after = match asked.op.op_type {
        OpType::Acquire => free.then_some(Value::Bool(true)),
        _ => (!free).then_some(Value::Null),
    };
    answer(asked, state, after)
}

/// Free, or its holder.
pub(super) fn owned(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let after = match asked.op.op_type {
        OpType::Acquire => (*state == Value::Null).then(|| holder(asked)),
        _ => (*state == holder(asked)).then_some(Value::Null),
    };
    answer(asked, state, after)
}

/// Empty, or the holder and how often it holds.
pub(super) fn reentrant(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let me = holder(asked);
    let held = state.as_pair();
    let mine = held.is_some_and(|(who, _)| *who == me);
    let count = held.and_then(|(_, count)| count.as_int()).unwrap_or(0);
    let holding = |me: Value, count: i64| Value::List(vec![me, Value::Int(count)]);
    let after = match asked.op.op_type {
        OpType::Acquire => (held.is_none() || mine).then(|| holding(me, count + 1)),
        _ if mine && count > 1 => Some(holding(me, count - 1)),
        _ => mine.then(|| Value::List(Vec::new())),
    };
    answer(asked, state, after)
}

/// The processes that read, in order, once for each time; or `["write", process]`.
pub(super) fn read_write(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let me = int(asked.op.process_id);
    let list = state.as_list().unwrap_or(&[]);
    let writes = asked.op.input.as_text() == Some("write");
    let written = list.first() == Some(&Value::from("write"));
    let after = match (&asked.op.op_type, writes) {
        (OpType::Acquire, true) => {
            let taken = vec![Value::from("write"), me];
            list.is_empty().then_some(Value::List(taken))
        }
        (OpType::Acquire, false) => (!written).then(|| {
            let mut readers = list.to_vec();
            let place = readers.partition_point(|reader| *reader <= me);
            readers.insert(place, me);
            Value::List(readers)
        }),
        (_, true) => (written && list.get(1) == Some(&me)).then(|| Value::List(Vec::new())),
        (_, false) => {
            let place = list.binary_search(&me).ok().filter(|_| !written);
            place.map(|place| {
                let mut readers = list.to_vec();
                readers.remove(place);
                Value::List(readers)
            })
        }
    };
    answer(asked, state, after)
}

/// How many permits are taken.
pub(super) fn semaphore(state: &Value, permits: u32, asked: &Asked<'_>) -> Option<Value> {
    let taken = state.as_int().unwrap_or(0);
    let by = asked.op.input.as_int().unwrap_or(1);
    let after = match asked.op.op_type {
        OpType::Acquire => taken
            .checked_add(by)
            .filter(|all| *all <= i64::from(permits)),
        _ => taken.checked_sub(by).filter(|left| *left >= 0),
    };
    answer(asked, state, after.map(Value::Int))
}

/// Free, or the holder, the earliest and the latest instant at which its grant can end.
///
/// A grant takes effect somewhere between invocation and response and holds for the time to live
/// on a clock that is off by at most the skew, so that it can have ended from `invoke + ttl -
/// skew` on, and has by `response + ttl + skew`. Another may be granted what can have ended; the
/// holder may renew what need not have.
pub(super) fn lease(
    state: &Value,
    ttl_ns: u64,
    skew_ns: u64,
    asked: &Asked<'_>,
    next: &mut Vec<Value>,
) {
    let (from, until) = (asked.op.invoke_ts, asked.op.complete_ts);
    let until = until.filter(|_| asked.told.is_some()).unwrap_or(u64::MAX);
    let me = holder(asked);
    let held = state.as_list().filter(|held| held.len() == 3);
    let mine = held.is_some_and(|held| held[0] == me);
    let time = |place: usize| {
        let held = held.and_then(|held| held[place].as_int());
        held.map_or(0, |ns| u64::try_from(ns).unwrap_or(0))
    };
    // Both can be so, when only the clocks' difference decides.
    let may_be_free = held.is_none() || time(1) <= until;
    let may_be_held = held.is_some() && time(2) >= from;
    let granted = Value::List(vec![
        me,
        int(from.saturating_add(ttl_ns).saturating_sub(skew_ns)),
        int(until.saturating_add(ttl_ns).saturating_add(skew_ns)),
    ]);
    let (may_do, may_refuse, after) = match asked.op.op_type.name() {
        "acquire" => (may_be_free || mine, may_be_held && !mine, granted),
        "renew" => (mine && may_be_held, !mine || may_be_free, granted),
        _ => (mine, !mine || may_be_free, Value::Null),
    };
    if may_do && !asked.is_refused() {
        next.push(after);
    }
    if may_refuse && (asked.is_refused() || asked.told.is_none()) {
        next.push(state.clone());
    }
}
