//! Rows as sends and polls, whatever shape they come in.
//!
//! Plain: `send` (or `append`) of `input` to `key`, whose `output` is the offset or
//! `[offset, value]`; `poll` of `key`, whose `output` is a list of `[offset, value]`. As Jepsen's
//! workload has them, without key: a list of `["send", key, value]`, which come back as
//! `["send", key, [offset, value]]`, and `["poll", [[key, [[offset, value], ..]], ..]]`.
//! `assign`, `subscribe` and `crash` forget where a process was.

use crate::history::{Completion, Operation};
use crate::value::Value;

/// A value that was sent to a partition, and where it went.
pub(super) struct Send<'a> {
    pub(super) key: Option<&'a Value>,
    pub(super) value: &'a Value,
    pub(super) offset: Option<i64>,
}

/// What a partition gave.
pub(super) struct Poll<'a> {
    pub(super) key: Option<&'a Value>,
    pub(super) entries: Vec<(i64, &'a Value)>,
}

/// One step of a row.
pub(super) enum Step<'a> {
    Send(Send<'a>),
    Poll(Poll<'a>),
    /// The process polls from elsewhere from here on.
    Reset,
}

/// The steps of a row; none when it is no row of this kind, and which field is missing.
pub(super) fn steps_of(op: &Operation) -> Result<Option<Vec<Step<'_>>>, String> {
    let name = op.op_type.name();
    match name {
        "assign" | "subscribe" | "crash" => return Ok(Some(vec![Step::Reset])),
        "send" | "append" | "poll" | "txn" => {}
        _ => return Ok(None),
    }
    // What was asked stands in the input, what was told in the output.
    let told = op.output.as_ref().filter(|_| op.is_acknowledged());
    let micro = told
        .unwrap_or(&op.input)
        .as_list()
        .filter(|_| op.key.is_none());
    if let Some(list) = micro.filter(|list| !list.is_empty() && list.iter().all(is_micro)) {
        let steps = list
            .iter()
            .map(|step| micro_steps(step, op.is_acknowledged()));
        let steps: Option<Vec<Vec<Step<'_>>>> = steps.collect();
        let steps = steps.ok_or_else(|| format!("output (its steps) of {name} #{}", op.op_id))?;
        return Ok(Some(steps.into_iter().flatten().collect()));
    }
    let step = match name {
        "send" | "append" => Step::Send(Send {
            key: op.key.as_ref(),
            value: &op.input,
            offset: match told {
                Some(Value::Int(offset)) => Some(*offset),
                Some(pair) => pair.as_pair().and_then(|(offset, _)| offset.as_int()),
                None => None,
            },
        }),
        "poll" if op.completion() != Completion::Acknowledged => return Ok(Some(Vec::new())),
        "poll" => {
            let entries = entries(op.observed());
            let what = "output (a list of [offset, value])";
            let entries = entries.ok_or_else(|| format!("{what} of poll #{}", op.op_id))?;
            Step::Poll(Poll {
                key: op.key.as_ref(),
                entries,
            })
        }
        _ => return Err(format!("input (its steps) of txn #{}", op.op_id)),
    };
    Ok(Some(vec![step]))
}

fn is_micro(step: &Value) -> bool {
    let name = step.as_list().and_then(|step| step.first()?.as_text());
    name.is_some_and(|name| matches!(name.trim_start_matches(':'), "send" | "poll"))
}

fn micro_steps(step: &Value, told: bool) -> Option<Vec<Step<'_>>> {
    match step.as_list()? {
        [_, key, value] => {
            let pair = value.as_pair().filter(|_| told);
            let placed = pair.map(|(offset, value)| (offset.as_int(), value));
            let (offset, value) = placed.unwrap_or((None, value));
            Some(vec![Step::Send(Send {
                key: Some(key),
                value,
                offset,
            })])
        }
        [_] => Some(Vec::new()),
        [_, polled] if told => {
            let partitions = match polled {
                Value::Null => &[],
                list => list.as_list()?,
            };
            let polls = partitions.iter().map(|partition| {
                let (key, list) = partition.as_pair()?;
                let entries = entries(list)?;
                Some(Step::Poll(Poll {
                    key: Some(key),
                    entries,
                }))
            });
            polls.collect()
        }
        [_, _] => Some(Vec::new()),
        _ => None,
    }
}

fn entries(list: &Value) -> Option<Vec<(i64, &Value)>> {
    if *list == Value::Null {
        return Some(Vec::new());
    }
    let entry = |pair: &'_ Value| pair.as_pair().is_some_and(|(at, _)| at.as_int().is_some());
    let list = list.as_list().filter(|list| list.iter().all(entry))?;
    let pairs = list.iter().filter_map(Value::as_pair);
    Some(
        pairs
            .map(|(offset, value)| (offset.as_int().unwrap_or(0), value))
            .collect(),
    )
}
