//! Transactions on sets, counters of one and the like, as transactions on registers.
//!
//! Whether an element is in a set is a register of its own, which is set once: a read of a set
//! reads all of them. So the order of versions is always known, and every level is decided. Adds
//! to one set do not conflict with each other, as they do not in a database that has sets.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::Workload;
use crate::history::{History, OpType, Operation};
use crate::value::Value;

/// A history of sets as one of registers; any other as it is.
///
/// # Errors
/// The field that a row lacks.
pub(super) fn as_registers(
    history: &History,
    workload: Workload,
) -> Result<(Cow<'_, History>, Workload), String> {
    Ok(match workload {
        Workload::Counters => return Err("certificates are not of totals".to_owned()),
        Workload::Sets => (Cow::Owned(registers(history)?), Workload::RwRegister),
        other => (Cow::Borrowed(history), other),
    })
}

/// By object, every element that anybody added or saw.
type Universe<'h> = BTreeMap<&'h Value, BTreeSet<&'h Value>>;

/// What a step does.
enum Step<'h> {
    Add(&'h Value, &'h Value),
    /// None where it was not told.
    Read(&'h Value, Option<&'h [Value]>),
}

/// The history of registers that says the same: the object of `["add", key, element]` is
/// `[key, element]`. Cost: each read, once for each element of its set.
///
/// # Errors
/// The field that a row lacks.
fn registers(history: &History) -> Result<History, String> {
    let mut universe = Universe::new();
    for op in history.ops.iter().filter(|op| op.is_client()) {
        for step in steps(op)? {
            match step {
                Step::Add(key, element) => {
                    universe.entry(key).or_default().insert(element);
                }
                Step::Read(key, elements) => {
                    let of = universe.entry(key).or_default();
                    of.extend(elements.unwrap_or(&[]));
                }
            }
        }
    }
    let mut rewritten = history.clone();
    for (op, old) in rewritten.ops.iter_mut().zip(&history.ops) {
        if !old.is_client() {
            continue;
        }
        let steps = steps(old)?;
        let told = old.is_acknowledged();
        op.op_type = OpType::Other("txn".to_owned());
        op.key = None;
        op.input = micro(&steps, &universe, false);
        op.output = told.then(|| micro(&steps, &universe, true));
    }
    Ok(rewritten)
}

/// The steps of a row.
fn steps(op: &Operation) -> Result<Vec<Step<'_>>, String> {
    static UNKEYED: Value = Value::Null;
    let told = op.is_acknowledged();
    let key = op.key.as_ref().unwrap_or(&UNKEYED);
    let wrong = |what: &str| format!("{what} of {} #{}", op.op_type.name(), op.op_id);
    let elements = |value: &'_ Value| -> Option<usize> {
        match value {
            Value::Null => Some(0),
            other => other.as_list().map(<[Value]>::len),
        }
    };
    match op.op_type.name() {
        "add" => return Ok(vec![Step::Add(key, &op.input)]),
        "read" | "final-read" => {
            elements(op.observed()).ok_or_else(|| wrong("output (elements)"))?;
            let list = op.observed().as_list().unwrap_or(&[]);
            return Ok(vec![Step::Read(key, told.then_some(list))]);
        }
        _ => {}
    }
    let listed = told && op.observed().as_list().is_some();
    let value = if listed { op.observed() } else { &op.input };
    let shape = "input or output (a list of [\"add\", key, element] and [\"r\", key, elements])";
    let list = value.as_list().ok_or_else(|| wrong(shape))?;
    let step = |step| {
        let Some([Value::Text(name), key, value]) = Value::as_list(step) else {
            return Err(wrong(shape));
        };
        match name.trim_start_matches(':') {
            "add" => Ok(Step::Add(key, value)),
            "r" | "read" if !told => Ok(Step::Read(key, None)),
            "r" | "read" if listed && elements(value).is_some() => {
                Ok(Step::Read(key, Some(value.as_list().unwrap_or(&[]))))
            }
            _ => Err(wrong(shape)),
        }
    };
    list.iter().map(step).collect()
}

/// The steps on registers.
fn micro(steps: &[Step<'_>], universe: &Universe<'_>, told: bool) -> Value {
    let step = |name: &str, key: &Value, element: &Value, value: Value| {
        let key = Value::List(vec![key.clone(), element.clone()]);
        Value::List(vec![name.into(), key, value])
    };
    let mut all = Vec::new();
    for one in steps {
        match one {
            Step::Add(key, element) => {
                all.push(step("w", key, element, (*element).clone()));
            }
            Step::Read(key, elements) => {
                let seen: BTreeSet<&Value> = elements.unwrap_or(&[]).iter().collect();
                let of = universe.get(key).into_iter().flatten();
                all.extend(of.map(|element| {
                    let there = told && seen.contains(element);
                    let value = if there {
                        (*element).clone()
                    } else {
                        Value::Null
                    };
                    step("r", key, element, value)
                }));
            }
        }
    }
    Value::List(all)
}
