//! Many registers, read and written at once.

use super::builtin::Asked;
use crate::history::Operation;
use crate::value::Value;

/// A micro-operation: whether it writes, its key, its value.
fn micro(step: &Value) -> Option<(bool, &Value, &Value)> {
    match step.as_list()? {
        [name, key, value] => match name.as_text()? {
            "r" | "read" => Some((false, key, value)),
            "w" | "write" => Some((true, key, value)),
            _ => None,
        },
        _ => None,
    }
}

/// What is wrong with a transaction, if anything.
pub(super) fn shape(op: &Operation) -> Option<String> {
    let steps = |value: &Value| {
        let list = value.as_list()?;
        list.iter()
            .all(|step| micro(step).is_some())
            .then_some(list.len())
    };
    let Some(asked) = steps(&op.input) else {
        let what = "a list of [\"r\", key, value] and [\"w\", key, value]";
        return Some(format!("input ({what}) of txn #{}", op.op_id));
    };
    let told = op.is_acknowledged().then(|| steps(op.observed()));
    let odd = told.is_some_and(|told| told != Some(asked));
    odd.then(|| format!("output (its steps with values) of txn #{}", op.op_id))
}

/// The state is a list of `[key, value]` by key.
pub(super) fn registers(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let mut now: Vec<Value> = state.as_list().unwrap_or(&[]).to_vec();
    let reads = asked.op.op_type.is_read();
    let single;
    let steps = if asked.op.op_type.name() == "txn" {
        let steps = asked.told.unwrap_or(&asked.op.input);
        steps.as_list().unwrap_or(&[])
    } else {
        let value = asked.told.filter(|_| reads).unwrap_or(&asked.op.input);
        let name = Value::from(if reads { "r" } else { "w" });
        let key = asked.op.key.clone().unwrap_or_default();
        single = [Value::List(vec![name, key, value.clone()])];
        &single
    };
    for step in steps {
        let (writes, key, value) = micro(step)?;
        let place = now.binary_search_by(|pair| {
            let of = pair.as_pair().map_or(key, |(of, _)| of);
            of.cmp(key)
        });
        let pair = || Value::List(vec![key.clone(), value.clone()]);
        match (writes, place) {
            (true, Ok(place)) => now[place] = pair(),
            (true, Err(place)) => now.insert(place, pair()),
            (_, place) => {
                let read = place.ok().and_then(|place| now[place].as_pair());
                let read = read.map_or(&Value::Null, |(_, value)| value);
                if asked.told.is_some() && read != value {
                    return None;
                }
            }
        }
    }
    Some(Value::List(now))
}
