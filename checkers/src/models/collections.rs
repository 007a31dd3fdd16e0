//! Logs, sets, bags, queues, stacks and priority queues. A state is a list.

use super::builtin::Asked;
use crate::history::OpType;
use crate::value::Value;

fn elements(state: &Value) -> &[Value] {
    state.as_list().unwrap_or(&[])
}

/// The elements, and room for one more: states are many.
fn with_room(state: &Value) -> Vec<Value> {
    let list = elements(state);
    let mut more = Vec::with_capacity(list.len() + 1);
    more.extend_from_slice(list);
    more
}

fn with(state: &Value, element: &Value) -> Value {
    let mut list = with_room(state);
    list.push(element.clone());
    Value::List(list)
}

fn without(state: &Value, place: usize) -> Value {
    let mut list = elements(state).to_vec();
    list.remove(place);
    Value::List(list)
}

/// A sorted list with one more element.
fn sorted_with(state: &Value, element: &Value) -> Value {
    let mut list = with_room(state);
    let place = list.partition_point(|other| other <= element);
    list.insert(place, element.clone());
    Value::List(list)
}

/// An append-only list; `poll` reads some of what follows an offset, nothing only at the end.
pub(super) fn log(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let list = elements(state);
    let told = asked.told.map(|told| told.as_list().unwrap_or(&[]));
    match asked.op.op_type.name() {
        "append" => {
            let index = asked.told.and_then(Value::as_int);
            let fits = index.is_none_or(|index| usize::try_from(index) == Ok(list.len()));
            fits.then(|| with(state, &asked.op.input))
        }
        "poll" => {
            let from = usize::try_from(asked.op.input.as_int().unwrap_or(0)).ok()?;
            let rest = list.get(from..).unwrap_or(&[]);
            let fits = told
                .is_none_or(|told| rest.starts_with(told) && (told.is_empty() == rest.is_empty()));
            fits.then(|| state.clone())
        }
        _ => told.is_none_or(|told| told == list).then(|| state.clone()),
    }
}

/// Distinct elements, kept in order. A member of a group joins by its input, or by its process.
pub(super) fn set(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let list = elements(state);
    let name = asked.op.op_type.name();
    let named = match (&asked.op.input, name) {
        (Value::Null, "join" | "leave") => {
            Value::Int(i64::try_from(asked.op.process_id).unwrap_or(i64::MAX))
        }
        (input, _) => input.clone(),
    };
    let place = list.binary_search(&named);
    match name {
        "add" | "join" => {
            let told = asked.may_be_or_bare(&Value::Bool(place.is_err()));
            let after = || match place {
                Ok(_) => state.clone(),
                Err(_) => sorted_with(state, &named),
            };
            told.then(after)
        }
        "remove" | "leave" => {
            let told = asked.may_be_or_bare(&Value::Bool(place.is_ok()));
            told.then(|| place.map_or_else(|_| state.clone(), |place| without(state, place)))
        }
        "contains" => {
            let told = asked.may_be(&Value::Bool(place.is_ok()));
            told.then(|| state.clone())
        }
        _ => {
            let Some(told) = asked.told else {
                return Some(state.clone());
            };
            // An element twice is never right, so that duplicates stay.
            let mut told = told.as_list().unwrap_or(&[]).to_vec();
            told.sort_unstable();
            (told == list).then(|| state.clone())
        }
    }
}

/// Elements in no order, kept sorted; what an unknown removal took can be any of them.
pub(super) fn bag(state: &Value, asked: &Asked<'_>, next: &mut Vec<Value>) {
    let list = elements(state);
    if matches!(asked.op.op_type, OpType::Add | OpType::Enqueue) {
        next.push(sorted_with(state, &asked.op.input));
        return;
    }
    match asked.told {
        Some(Value::Null) | None if list.is_empty() => next.push(state.clone()),
        Some(Value::Null) => {}
        Some(told) => {
            let place = list.binary_search(told).ok();
            next.extend(place.map(|place| without(state, place)));
        }
        None => next.extend((0..list.len()).map(|place| without(state, place))),
    }
}

/// Takes the element at a place, if the response is that.
fn take(state: &Value, place: Option<usize>, asked: &Asked<'_>) -> Option<Value> {
    match place {
        None => asked.may_be(&Value::Null).then(|| state.clone()),
        Some(place) => {
            let told = asked.may_be(&elements(state)[place]);
            told.then(|| without(state, place))
        }
    }
}

pub(super) fn queue(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    match asked.op.op_type {
        OpType::Enqueue => Some(with(state, &asked.op.input)),
        _ => take(state, (!elements(state).is_empty()).then_some(0), asked),
    }
}

pub(super) fn stack(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    match asked.op.op_type {
        OpType::Push => Some(with(state, &asked.op.input)),
        _ => take(state, elements(state).len().checked_sub(1), asked),
    }
}

/// Kept sorted.
pub(super) fn priority_queue(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let list = elements(state);
    match asked.op.op_type.name() {
        "insert" | "enqueue" => Some(sorted_with(state, &asked.op.input)),
        "delete-max" => take(state, list.len().checked_sub(1), asked),
        _ => take(state, (!list.is_empty()).then_some(0), asked),
    }
}
