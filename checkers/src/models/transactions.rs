//! Many registers, counters and sets, read and changed at once.

use super::builtin::Asked;
use crate::history::Operation;
use crate::value::Value;

/// What a micro-operation does with its object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Micro {
    Read,
    Write,
    /// Adds to a number: a counter, a balance.
    Increment,
    /// Puts an element into a set.
    Add,
}

impl Micro {
    /// What the object holds after it; none when it is not such an object.
    fn apply(self, old: &Value, value: &Value) -> Option<Value> {
        let mut list = match (self, old) {
            (Micro::Read, _) => return Some(old.clone()),
            (Micro::Write, _) => return Some(value.clone()),
            (Micro::Increment, old) => {
                let old = if *old == Value::Null {
                    0
                } else {
                    old.as_int()?
                };
                return Some(Value::Int(old.checked_add(value.as_int()?)?));
            }
            (_, Value::Null) => Vec::new(),
            (_, old) => old.as_list()?.to_vec(),
        };
        if let Err(place) = list.binary_search(value) {
            list.insert(place, value.clone());
        }
        Some(Value::List(list))
    }
}

/// Whether a read may show what an object holds: the elements of a set come in any order.
fn shows(held: &Value, read: &Value) -> bool {
    let same = |held: &[Value]| {
        read.as_list().is_some_and(|read| {
            let mut read = read.to_vec();
            read.sort_unstable();
            read == held
        })
    };
    held == read || held.as_list().is_some_and(same)
}

/// A micro-operation: what it does, its key, its value.
fn micro(step: &Value) -> Option<(Micro, &Value, &Value)> {
    match step.as_list()? {
        [name, key, value] => match name.as_text()?.trim_start_matches(':') {
            "r" | "read" => Some((Micro::Read, key, value)),
            "w" | "write" => Some((Micro::Write, key, value)),
            "inc" if value.as_int().is_some() => Some((Micro::Increment, key, value)),
            "add" => Some((Micro::Add, key, value)),
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
        let what = "a list of [\"r\", key, value], and \"w\", \"inc\", \"add\" alike";
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
        let (micro, key, value) = micro(step)?;
        let place = now.binary_search_by(|pair| {
            let of = pair.as_pair().map_or(key, |(of, _)| of);
            of.cmp(key)
        });
        let held = place.ok().and_then(|place| now[place].as_pair());
        let held = held.map_or(&Value::Null, |(_, value)| value);
        if micro == Micro::Read {
            if asked.told.is_some() && !shows(held, value) {
                return None;
            }
            continue;
        }
        let new = micro.apply(held, value)?;
        let pair = Value::List(vec![key.clone(), new]);
        match place {
            Ok(place) => now[place] = pair,
            Err(place) => now.insert(place, pair),
        }
    }
    Some(Value::List(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_sets_are_added_to() {
        let number = Value::Int;
        let apply = |micro: Micro, old: &Value, value| micro.apply(old, &number(value));
        assert_eq!(apply(Micro::Increment, &Value::Null, -2), Some(number(-2)));
        assert_eq!(apply(Micro::Increment, &number(i64::MAX), 1), None);
        assert_eq!(apply(Micro::Increment, &Value::Bool(true), 1), None);
        let set = apply(Micro::Add, &Value::Null, 2).expect("a set");
        let set = apply(Micro::Add, &set, 1).expect("a set");
        assert_eq!(apply(Micro::Add, &set, 2), Some(set.clone()));
        let list = |elements: &[i64]| Value::List(elements.iter().copied().map(number).collect());
        assert!(shows(&set, &list(&[2, 1])) && shows(&set, &list(&[1, 2])));
        assert!(!shows(&set, &list(&[1])) && !shows(&set, &Value::Null));
        assert!(shows(&Value::Null, &Value::Null) && !shows(&Value::Null, &number(0)));
    }
}
