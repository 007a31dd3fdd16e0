//! The history cut into the parts that can be judged apart: one object each.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Completion, History, OpType, Operation};
use crate::spec::ModelKind;
use crate::value::Value;

/// An operation of a partition.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) op: &'a Operation,
    /// Whether it is in every linearization; the others may be in it.
    pub(super) certain: bool,
    /// An operation of the same process that ended at the instant at which this one began.
    pub(super) after: Option<u32>,
}

/// The operations on one object that the search has to place, by invocation.
pub(super) struct Partition<'a> {
    pub(super) key: Option<&'a Value>,
    pub(super) members: Vec<Member<'a>>,
    /// Client operations on the object, also those that need no place.
    pub(super) total: u64,
    /// Of these, how many were refused by an error, and how many are ambiguous.
    pub(super) failed: u64,
    pub(super) ambiguous: u64,
    /// Whether some response could contradict the model.
    pub(super) observes: bool,
}

impl<'a> Partition<'a> {
    /// The certain members in the order of their ends.
    pub(super) fn ends(&self) -> Vec<u32> {
        let mut ends: Vec<(Option<u64>, u32)> = Vec::with_capacity(self.members.len());
        for (index, member) in self
            .members
            .iter()
            .enumerate()
            .filter(|(_, member)| member.certain)
        {
            ends.push((member.op.complete_ts, index as u32));
        }
        ends.sort_unstable();
        ends.into_iter().map(|(_, member)| member).collect()
    }

    /// The partition as it was known at the last of these ends: what began and did not end by
    /// then may have taken effect or not.
    pub(super) fn until(&self, ends: &[u32]) -> Partition<'a> {
        let mut ended = vec![false; self.members.len()];
        ends.iter()
            .for_each(|member| ended[*member as usize] = true);
        let now = ends
            .last()
            .and_then(|last| self.members[*last as usize].op.complete_ts);
        let mut place = vec![None; self.members.len()];
        let mut members = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            let certain = ended[index];
            // At one instant, what follows an operation that did not end has not begun.
            let begun = member.after.is_none_or(|before| ended[before as usize]);
            let known = begun && Some(member.op.invoke_ts) <= now;
            if !known || (!certain && only_observes(member.op)) {
                continue;
            }
            place[index] = Some(members.len() as u32);
            let after = member.after.and_then(|before| place[before as usize]);
            members.push(Member {
                op: member.op,
                certain,
                after,
            });
        }
        Partition { members, ..*self }
    }
}

/// Whether an operation can not have changed anything.
fn only_observes(op: &Operation) -> bool {
    let refused = op.is_acknowledged() && op.observed().as_bool() == Some(false);
    op.op_type.is_read() || (op.op_type == OpType::Cas && refused)
}

/// Cuts the history by key, or says what the model needs and does not find.
pub(super) fn partitions_of(
    history: &History,
    model: ModelKind,
) -> Result<Vec<Partition<'_>>, String> {
    let mut keys: BTreeMap<Option<&Value>, Vec<&Operation>> = BTreeMap::new();
    for op in history.ops.iter().filter(|op| op.is_client()) {
        understand(op, model)?;
        keys.entry(op.key.as_ref()).or_default().push(op);
    }
    Ok(keys
        .into_iter()
        .map(|(key, ops)| partition_of(key, ops, model))
        .collect())
}

/// Whether the model can place the operation; otherwise what it lacks.
fn understand(op: &Operation, model: ModelKind) -> Result<(), String> {
    let id = op.op_id;
    if model == ModelKind::Map && op.key.is_none() {
        return Err(format!("key of {} #{id}", op.op_type.name()));
    }
    let known = op.op_type.is_read()
        || match model {
            ModelKind::Register => op.op_type == OpType::Write,
            ModelKind::CasRegister | ModelKind::Map => {
                matches!(op.op_type, OpType::Write | OpType::Cas)
            }
            ModelKind::Log => op.op_type == OpType::Append,
        };
    if !known {
        return Err(format!(
            "op_type that the model knows: #{id} is `{}`",
            op.op_type.name()
        ));
    }
    let acknowledged = op.is_acknowledged();
    match op.op_type {
        OpType::Cas if op.input.as_pair().is_none() => {
            Err(format!("input [from, to] of cas #{id}"))
        }
        OpType::Cas if acknowledged && op.observed().as_bool().is_none() => {
            Err(format!("output (true or false) of cas #{id}"))
        }
        OpType::Read | OpType::FinalRead
            if model == ModelKind::Log
                && acknowledged
                && *op.observed() != Value::Null
                && op.observed().as_list().is_none() =>
        {
            Err(format!("output (a list) of {} #{id}", op.op_type.name()))
        }
        _ => Ok(()),
    }
}

fn partition_of<'a>(
    key: Option<&'a Value>,
    ops: Vec<&'a Operation>,
    model: ModelKind,
) -> Partition<'a> {
    let count = |completion| {
        ops.iter()
            .filter(|op| op.completion() == completion)
            .count() as u64
    };
    let (failed, ambiguous) = (count(Completion::Failed), count(Completion::Ambiguous));
    let total = ops.len() as u64;
    let observes = ops.iter().any(|op| {
        let indexed = op.op_type == OpType::Append && op.observed().as_int().is_some();
        op.is_acknowledged() && (op.op_type.is_read() || op.op_type == OpType::Cas || indexed)
    });
    let seen = seen_values(&ops, model);
    let mut placed: Vec<&Operation> = ops
        .into_iter()
        .filter(|op| match op.completion() {
            Completion::Acknowledged => true,
            Completion::Failed => false,
            // An ambiguous read tells nothing. An ambiguous write of a value that nobody can have
            // seen can be left out of any linearization that has it.
            Completion::Ambiguous => {
                !op.op_type.is_read() && seen.as_ref().is_none_or(|seen| seen.contains(effect(op)))
            }
        })
        .collect();
    placed.sort_by_key(|op| op.invoke_ts);
    let mut last: BTreeMap<u64, u32> = BTreeMap::new();
    let mut members: Vec<Member<'a>> = Vec::with_capacity(placed.len());
    for op in placed {
        let touches = |before: &u32| {
            let before: &Member<'_> = &members[*before as usize];
            before.certain && before.op.complete_ts == Some(op.invoke_ts)
        };
        let after = last
            .insert(op.process_id, members.len() as u32)
            .filter(touches);
        members.push(Member {
            op,
            certain: op.is_acknowledged(),
            after,
        });
    }
    Partition {
        key,
        members,
        total,
        failed,
        ambiguous,
        observes,
    }
}

/// The value that an operation sets, or the element that it appends.
fn effect(op: &Operation) -> &Value {
    match op.op_type {
        OpType::Cas => op.input.as_pair().map_or(&Value::Null, |(_, to)| to),
        _ => &op.input,
    }
}

/// Every value that an operation may have observed; none when a response could be explained by
/// the mere presence of a value that nobody saw: a refused cas, or the index of an append.
fn seen_values<'a>(ops: &[&'a Operation], model: ModelKind) -> Option<BTreeSet<&'a Value>> {
    let mut seen = BTreeSet::new();
    for op in ops {
        let acknowledged = op.is_acknowledged();
        match op.op_type {
            OpType::Cas => {
                if acknowledged && op.observed().as_bool() == Some(false) {
                    return None;
                }
                seen.extend(op.input.as_pair().map(|(from, _)| from));
            }
            OpType::Append if acknowledged && op.observed().as_int().is_some() => return None,
            OpType::Read | OpType::FinalRead if acknowledged => match model {
                ModelKind::Log => seen.extend(op.observed().as_list().unwrap_or(&[])),
                _ => {
                    seen.insert(op.observed());
                }
            },
            _ => {}
        }
    }
    Some(seen)
}
