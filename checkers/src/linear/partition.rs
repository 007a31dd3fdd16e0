//! The history cut into the parts that can be judged apart: one object each.

use std::cell::OnceCell;

use rustc_hash::{FxHashMap, FxHashSet};

use super::defect::{Defect, planted};
use crate::history::{Completion, History, OpType, Operation};
use crate::models;
use crate::parallel;
use crate::spec::ModelKind;
use crate::value::Value;

/// An operation of a partition.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) op: &'a Operation,
    /// Whether it is in every linearization; the others may be in it.
    pub(super) certain: bool,
    /// See [`Member::after`]; `NONE` for no such operation. An `Option` would take more room.
    after: u32,
}

const NONE: u32 = u32::MAX;

impl Member<'_> {
    /// An operation of the same process that ended at the instant at which this one began.
    pub(super) fn after(&self) -> Option<u32> {
        (self.after != NONE).then_some(self.after)
    }
}

/// Members of which nothing is known but that they were called, as operations.
pub(super) struct Forgotten(Vec<OnceCell<Operation>>);

impl Forgotten {
    /// Of so many.
    pub(super) fn of(count: usize) -> Self {
        Self(vec![OnceCell::new(); count])
    }

    fn get<'b>(&'b self, index: usize, op: &'b Operation) -> &'b Operation {
        if op.completion() == Completion::Ambiguous && op.output.is_none() {
            return op;
        }
        self.0[index].get_or_init(|| Operation {
            timeout_marker: true,
            output: None,
            ..op.clone()
        })
    }
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
    /// The model, if it is one of this crate.
    pub(super) kind: Option<ModelKind>,
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

    /// Some members alone.
    pub(super) fn only(&self, wanted: &[u32]) -> Partition<'a> {
        let mut place = vec![None; self.members.len()];
        let mut members = Vec::with_capacity(wanted.len());
        for index in wanted {
            let member = self.members[*index as usize];
            let (op, certain) = (member.op, member.certain);
            place[*index as usize] = Some(members.len() as u32);
            let mut before = member.after();
            while let Some(at) = before
                && place[at as usize].is_none()
            {
                before = self.members[at as usize].after();
            }
            let after = before.and_then(|before| place[before as usize]);
            let after = after.unwrap_or(NONE);
            members.push(Member { op, certain, after });
        }
        Partition { members, ..*self }
    }

    /// The members that are left when of those that are not kept nothing is known but that they
    /// were called.
    pub(super) fn known(&self, kept: &[bool]) -> Vec<u32> {
        let certain = |at: usize| self.members[at].certain && kept[at];
        let known = self.members.iter().enumerate();
        let known = known.map(|(at, member)| (member.op, certain(at)));
        let seen = seen_values(known, self.kind);
        let is_left = |at: &u32| {
            let op = self.members[*at as usize].op;
            certain(*at as usize) || !is_vain(op, self.kind, seen.as_ref())
        };
        (0..self.members.len() as u32).filter(is_left).collect()
    }

    /// The partition when of some members nothing is known but that they were called: reads are
    /// left out, the rest may have taken effect or not, with any response.
    pub(super) fn knowing<'b>(&'b self, kept: &[bool], forgotten: &'b Forgotten) -> Partition<'b> {
        let mut place = vec![None; self.members.len()];
        let mut members = Vec::new();
        for index in self.known(kept) {
            let index = index as usize;
            let member = self.members[index];
            let certain = member.certain && kept[index];
            place[index] = Some(members.len() as u32);
            let mut before = member.after();
            while let Some(at) = before
                && !kept[at as usize]
            {
                before = self.members[at as usize].after();
            }
            let after = before.and_then(|before| place[before as usize]);
            members.push(Member {
                op: match certain {
                    true => member.op,
                    false => forgotten.get(index, member.op),
                },
                certain,
                after: after.unwrap_or(NONE),
            });
        }
        Partition { members, ..*self }
    }

    /// Each member, and then each once more, as one of which nothing is known but that it was
    /// called.
    pub(super) fn twice<'b>(&'b self, forgotten: &'b Forgotten) -> Partition<'b> {
        let known = self.members.iter().copied();
        let unknown = self.members.iter().enumerate();
        let unknown = unknown.map(|(index, member)| Member {
            op: forgotten.get(index, member.op),
            certain: false,
            after: member.after,
        });
        Partition {
            members: known.chain(unknown).collect(),
            ..*self
        }
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
            let begun = member.after().is_none_or(|before| ended[before as usize]);
            let known = begun && Some(member.op.invoke_ts) <= now;
            if !known || (!certain && only_observes(member.op)) {
                continue;
            }
            place[index] = Some(members.len() as u32);
            let after = member.after().and_then(|before| place[before as usize]);
            members.push(Member {
                op: member.op,
                certain,
                after: after.unwrap_or(NONE),
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

/// Cuts the history by object, or says what the model needs and does not find. `kind` is none for
/// a model of the caller's own, of which nothing is known but where its objects are.
pub(super) fn partitions_of<'a>(
    history: &'a History,
    kind: Option<ModelKind>,
    threads: usize,
    part: impl Fn(&'a Operation) -> Option<&'a Value>,
) -> Result<Vec<Partition<'a>>, String> {
    let mut places: FxHashMap<Option<&Value>, usize> = FxHashMap::default();
    let mut objects: Vec<(Option<&'a Value>, Vec<&'a Operation>)> = Vec::new();
    for op in history.ops.iter().filter(|op| op.is_client()) {
        if let Some(field) = kind.and_then(|kind| models::refuse(kind, op)) {
            return Err(field);
        }
        let key = part(op);
        let place = *places.entry(key).or_insert(objects.len());
        if place == objects.len() {
            objects.push((key, Vec::new()));
        }
        objects[place].1.push(op);
    }
    objects.sort_unstable_by_key(|(key, _)| *key);
    Ok(parallel::map(threads, &objects, |(key, ops)| {
        partition_of(*key, ops, kind)
    }))
}

/// Whether a response could contradict the model.
pub(super) fn tells(op: &Operation, kind: Option<ModelKind>) -> bool {
    let indexed = op.op_type == OpType::Append && op.observed().as_int().is_some();
    let told = match kind {
        Some(ModelKind::Register | ModelKind::CasRegister | ModelKind::Map | ModelKind::Log) => {
            op.op_type == OpType::Cas || indexed
        }
        Some(ModelKind::Text) => false,
        Some(ModelKind::Counter | ModelKind::Set | ModelKind::Offsets | ModelKind::Membership) => {
            *op.observed() != Value::Null
        }
        Some(ModelKind::Queue | ModelKind::Stack | ModelKind::PriorityQueue | ModelKind::Bag) => {
            models::is_taking(op)
        }
        _ => true,
    };
    op.is_acknowledged() && (op.op_type.is_read() || told)
}

fn partition_of<'a>(
    key: Option<&'a Value>,
    ops: &[&'a Operation],
    kind: Option<ModelKind>,
) -> Partition<'a> {
    let count = |completion| {
        ops.iter()
            .filter(|op| op.completion() == completion)
            .count() as u64
    };
    let (failed, ambiguous) = (count(Completion::Failed), count(Completion::Ambiguous));
    let total = ops.len() as u64;
    let observes = ops.iter().any(|op| tells(op, kind));
    let seen = (ambiguous > 0).then(|| {
        let ended = ops
            .iter()
            .filter(|op| op.completion() != Completion::Failed);
        seen_values(ended.map(|op| (*op, op.is_acknowledged())), kind)
    });
    let seen = seen.flatten();
    let is_placed = |op: &&Operation| match op.completion() {
        Completion::Acknowledged => true,
        Completion::Failed => false,
        Completion::Ambiguous if planted(Defect::ReaderForgetsAmbiguous) => false,
        Completion::Ambiguous => !is_vain(op, kind, seen.as_ref()),
    };
    let mut placed: Vec<&Operation> = ops.iter().copied().filter(is_placed).collect();
    placed.sort_by_key(|op| op.invoke_ts);
    let mut last: FxHashMap<u64, u32> = FxHashMap::default();
    let mut members: Vec<Member<'a>> = Vec::with_capacity(placed.len());
    for op in placed {
        let mut before = last.insert(op.process_id, members.len() as u32);
        // What may never have happened hands on what it follows itself.
        while let Some(at) = before.map(|before| members[before as usize])
            && !at.certain
            && at.op.invoke_ts == op.invoke_ts
        {
            before = at.after();
        }
        let touches = |before: &u32| {
            let before: &Member<'_> = &members[*before as usize];
            let touches = before.op.complete_ts == Some(op.invoke_ts);
            before.certain && touches && !planted(Defect::ReaderForgetsProgramOrder)
        };
        let after = before.filter(touches).unwrap_or(NONE);
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
        kind,
    }
}

/// The value that an operation sets, or the element that it appends.
fn effect(op: &Operation) -> &Value {
    match op.op_type {
        OpType::Cas => op.input.as_pair().map_or(&Value::Null, |(_, to)| to),
        _ => &op.input,
    }
}

/// Whether an operation does nothing but put one value there.
fn puts(op: &Operation, kind: Option<ModelKind>) -> bool {
    match kind {
        Some(ModelKind::Register | ModelKind::CasRegister | ModelKind::Map | ModelKind::Log) => {
            true
        }
        _ => !models::is_taking(op),
    }
}

/// Whether an operation that may never have taken effect need not be looked at: a read tells
/// nothing, and what puts a value there that nobody can have seen can be left out of any
/// linearization that has it.
fn is_vain(op: &Operation, kind: Option<ModelKind>, seen: Option<&FxHashSet<&Value>>) -> bool {
    let reads = kind.is_some() && op.op_type.is_read();
    let unseen = |seen: &FxHashSet<&Value>| puts(op, kind) && !seen.contains(effect(op));
    reads || seen.is_some_and(unseen)
}

/// Every value that an operation may have observed; none when a response could be explained by
/// the mere presence of a value that nobody saw: a refused cas, or the index of an append. Given
/// are operations, and whether each is known to have ended as it did.
fn seen_values<'a>(
    ops: impl Iterator<Item = (&'a Operation, bool)>,
    kind: Option<ModelKind>,
) -> Option<FxHashSet<&'a Value>> {
    let mut seen = FxHashSet::default();
    let kind = kind?;
    for (op, certain) in ops {
        match kind {
            ModelKind::Register | ModelKind::CasRegister | ModelKind::Map | ModelKind::Log => {
                see(op, certain, kind, &mut seen)?;
            }
            // An element that nobody is known to have taken can stay away, with its taking.
            ModelKind::Queue | ModelKind::Stack | ModelKind::PriorityQueue | ModelKind::Bag => {
                let takes = certain && models::is_taking(op);
                seen.extend(takes.then(|| op.observed()));
            }
            ModelKind::Set => {
                let bare = !certain || *op.observed() == Value::Null;
                match op.op_type {
                    OpType::Add if bare => {}
                    _ if !op.op_type.is_read() => {
                        seen.insert(&op.input);
                    }
                    _ if certain => seen.extend(op.observed().as_list().unwrap_or(&[])),
                    _ => {}
                }
            }
            _ => return None,
        }
    }
    Some(seen)
}

/// Takes note of what an operation on a register or a log observed; none as for [`seen_values`].
fn see<'a>(
    op: &'a Operation,
    certain: bool,
    kind: ModelKind,
    seen: &mut FxHashSet<&'a Value>,
) -> Option<()> {
    match &op.op_type {
        OpType::Cas => {
            if certain && op.observed().as_bool() == Some(false) {
                return None;
            }
            seen.extend(op.input.as_pair().map(|(from, _)| from));
        }
        OpType::Append if certain && op.observed().as_int().is_some() => return None,
        read if certain && read.is_read() => match kind {
            ModelKind::Log => seen.extend(op.observed().as_list().unwrap_or(&[])),
            _ => {
                seen.insert(op.observed());
            }
        },
        _ => {}
    }
    Some(())
}
