//! Objects that do not begin empty: what they begin with, as operations before all others.

use std::collections::BTreeSet;

use crate::history::{History, OpType, Operation};
use crate::models::{Builtin, Model as _};
use crate::spec::ModelKind;
use crate::value::Value;

/// The history with operations before all others, by a process of their own, that give every
/// object of it this value: a register is set to it, a counter, a set, a bag and a membership are
/// given it, a log, a queue, a stack and a priority queue the elements of it.
///
/// What was there is one nanosecond later. Cost: linear.
///
/// # Errors
/// The model has no such initial value, or no room is left in the times or ids.
pub fn beginning_with(
    mut history: History,
    kind: ModelKind,
    value: &Value,
) -> Result<History, String> {
    let model = Builtin(kind);
    let clients = || history.ops.iter().filter(|op| op.is_client());
    let keys: BTreeSet<Option<Value>> = clients().map(|op| model.part(op).cloned()).collect();
    let steps = match kind {
        ModelKind::MultiRegister => vec![(OpType::Other("txn".to_owned()), all(&history, value))],
        _ => steps(kind, value)?,
    };
    let full = "no room is left before the first operation".to_owned();
    let last_id = history.ops.iter().map(|op| op.op_id).max().unwrap_or(0);
    let process = history.ops.iter().map(|op| op.process_id).max();
    let process_id = process.unwrap_or(0).checked_add(1).ok_or(full.clone())?;
    for op in &mut history.ops {
        op.invoke_ts = op.invoke_ts.checked_add(1).ok_or(full.clone())?;
        let end = op.complete_ts.map(|end| end.checked_add(1));
        op.complete_ts = end.map(|end| end.ok_or(full.clone())).transpose()?;
    }
    for window in &mut history.windows {
        window.start_ts = window.start_ts.saturating_add(1);
        window.end_ts = window.end_ts.map(|end| end.saturating_add(1));
    }
    let mut ops = Vec::with_capacity(history.ops.len() + keys.len() * steps.len());
    for (key, (op_type, input)) in keys
        .iter()
        .flat_map(|key| steps.iter().map(move |step| (key, step)))
    {
        let op_id = last_id.checked_add(ops.len() as u64 + 1);
        ops.push(Operation {
            op_id: op_id.ok_or(full.clone())?,
            process_id,
            invoke_ts: 0,
            complete_ts: Some(0),
            op_type: op_type.clone(),
            key: key.clone(),
            input: input.clone(),
            output: (kind == ModelKind::MultiRegister).then(|| input.clone()),
            error: None,
            timeout_marker: false,
            node_seen: None,
            fault_epoch: Vec::new(),
        });
    }
    ops.append(&mut history.ops);
    history.ops = ops;
    Ok(history)
}

/// The operations that make a value of an empty object.
fn steps(kind: ModelKind, value: &Value) -> Result<Vec<(OpType, Value)>, String> {
    let name = kind.name();
    let each = |op_type: OpType| {
        let list = value.as_list();
        let list = list.ok_or_else(|| format!("a {name} begins with a list of its elements"))?;
        let given = list.iter().cloned();
        Ok(given.map(|element| (op_type.clone(), element)).collect())
    };
    let other = |name: &str| OpType::Other(name.to_owned());
    match kind {
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => {
            Ok(vec![(OpType::Write, value.clone())])
        }
        ModelKind::Text if value.as_text().is_some() => Ok(vec![(other("put"), value.clone())]),
        ModelKind::Text => Err("a text begins with a text".to_owned()),
        ModelKind::Counter if value.as_int().is_some() => Ok(vec![(OpType::Add, value.clone())]),
        ModelKind::Counter => Err("a counter begins with an integer".to_owned()),
        ModelKind::Log | ModelKind::Offsets => each(OpType::Append),
        ModelKind::Set | ModelKind::Bag => each(OpType::Add),
        ModelKind::Membership => each(other("join")),
        ModelKind::Queue => each(OpType::Enqueue),
        ModelKind::Stack => each(OpType::Push),
        ModelKind::PriorityQueue => each(other("insert")),
        _ => Err(format!("a {name} begins free, and with nothing else")),
    }
}

/// A transaction that writes a value to every register that a history names.
fn all(history: &History, value: &Value) -> Value {
    let mut keys: BTreeSet<&Value> = BTreeSet::new();
    for op in &history.ops {
        if op.op_type.name() == "txn" {
            let micros = op.input.as_list().unwrap_or(&[]).iter();
            keys.extend(micros.filter_map(|micro| micro.as_list()?.get(1)));
        } else {
            keys.extend(&op.key);
        }
    }
    let write = |key: &Value| Value::List(vec![Value::from("w"), key.clone(), value.clone()]);
    Value::List(keys.into_iter().map(write).collect())
}
