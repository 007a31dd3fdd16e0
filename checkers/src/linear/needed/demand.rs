//! How many operations of unknown outcome can be of use from some return on.

use rustc_hash::FxHashMap;

use crate::history::{OpType, Operation};
use crate::linear::partition::Partition;
use crate::models;
use crate::spec::ModelKind;
use crate::value::Value;

/// Who asks for which value.
///
/// What sets a register is of use only right before what needs its value: a read of it, a cas from
/// it, or one that was refused. If that is a cas of unknown outcome, it is of use only in a row of
/// them that leads up to one whose response is known, and in which no value comes twice. What is
/// put into a collection is of use only to a take that is known to have got it: any other take can
/// be left out with it. A take from a bag is of use only right before one that found nothing.
#[derive(Default)]
pub(super) struct Demand {
    values: FxHashMap<Value, u32>,
    /// By value, the returns of those who are known to have got it, in order; or those of anyone
    /// who may need any value.
    asked: Vec<Vec<u32>>,
    any: Vec<u32>,
    /// The returns of all these, in order.
    all: Vec<u32>,
    /// By value, how many of unknown outcome need it.
    unknown: Vec<u32>,
    /// By member, the value that it puts there, if that is all that it does; nothing for what takes
    /// from a bag.
    puts: Vec<Option<u32>>,
    /// By member, whether it takes from a bag.
    empties: Vec<bool>,
    /// Of registers: by member, what it needs. Of values, the pairs of what a cas needs to find
    /// and what it puts there.
    needs: Vec<Needed>,
    pairs: Vec<(u32, u32)>,
}

/// What an operation needs, by number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    Nothing,
    Value(u32),
    Any,
}

/// What an operation needs.
enum Needs<'a> {
    Nothing,
    Value(&'a Value),
    Any,
}

fn is_register(kind: Option<ModelKind>) -> bool {
    matches!(
        kind,
        Some(ModelKind::Register | ModelKind::CasRegister | ModelKind::Map)
    )
}

fn is_collection(kind: Option<ModelKind>) -> bool {
    matches!(
        kind,
        Some(ModelKind::Queue | ModelKind::Stack | ModelKind::PriorityQueue | ModelKind::Bag)
    )
}

fn puts(op: &Operation, kind: Option<ModelKind>) -> Option<&Value> {
    if is_collection(kind) {
        return (!models::is_taking(op)).then_some(&op.input);
    }
    if !is_register(kind) {
        return None;
    }
    match &op.op_type {
        OpType::Cas => op.input.as_pair().map(|(_, to)| to),
        write if write.is_write() => Some(&op.input),
        _ => None,
    }
}

fn needs(op: &Operation, kind: Option<ModelKind>) -> Needs<'_> {
    if is_collection(kind) {
        return match models::is_taking(op) {
            true => Needs::Value(op.observed()),
            false => Needs::Nothing,
        };
    }
    match &op.op_type {
        OpType::Cas if op.observed().as_bool() == Some(false) => Needs::Any,
        OpType::Cas => match op.input.as_pair() {
            Some((from, _)) => Needs::Value(from),
            None => Needs::Any,
        },
        read if read.is_read() => Needs::Value(op.observed()),
        write if write.is_write() => Needs::Nothing,
        _ => Needs::Any,
    }
}

/// The value that a cas needs to find.
fn taken_from(op: &Operation) -> Option<&Value> {
    let pair = op.input.as_pair().filter(|_| op.op_type == OpType::Cas);
    pair.map(|(from, _)| from)
}

impl Demand {
    /// By those members that `due` has a return of.
    pub(super) fn of(partition: &Partition<'_>, due: &[u32], never: u32) -> Self {
        let mut demand = Self::default();
        let is_bag = partition.kind == Some(ModelKind::Bag);
        for member in &partition.members {
            let empties = is_bag && models::is_taking(member.op);
            let value = match empties {
                true => Some(&Value::Null),
                false => puts(member.op, partition.kind),
            };
            let value = value.map(|value| demand.value(value));
            demand.puts.push(value);
            demand.empties.push(empties);
        }
        for (member, due) in partition.members.iter().zip(due) {
            match *due == never {
                true => demand.doubt(member.op),
                false => demand.ask(member.op, partition.kind, *due),
            }
        }
        if is_register(partition.kind) {
            partition.members.iter().for_each(|one| demand.note(one.op));
            demand.pairs.sort_unstable();
            demand.pairs.dedup();
        }
        demand
            .asked
            .iter_mut()
            .for_each(|asked| asked.sort_unstable());
        demand.any.sort_unstable();
        demand.all.sort_unstable();
        demand
    }

    fn value(&mut self, value: &Value) -> u32 {
        if let Some(known) = self.values.get(value) {
            return *known;
        }
        let next = self.asked.len() as u32;
        self.values.insert(value.clone(), next);
        self.asked.push(Vec::new());
        self.unknown.push(0);
        next
    }

    /// Takes note of what an operation on a register needs.
    fn note(&mut self, op: &Operation) {
        let needed = match needs(op, None) {
            Needs::Nothing => Needed::Nothing,
            Needs::Value(value) => Needed::Value(self.value(value)),
            Needs::Any => Needed::Any,
        };
        self.needs.push(needed);
        if let Some((from, to)) = op.input.as_pair().filter(|_| op.op_type == OpType::Cas) {
            let pair = (self.value(from), self.value(to));
            self.pairs.push(pair);
        }
    }

    /// The values of use right before one of these members, on a register; none if any can be, or
    /// if it may be of use long before.
    pub(super) fn wanted<'m>(&self, members: impl Iterator<Item = &'m u32>) -> Option<Vec<u32>> {
        if self.needs.is_empty() {
            return None;
        }
        let mut wanted = Vec::new();
        for member in members {
            match self.needs[*member as usize] {
                Needed::Nothing => {}
                Needed::Value(value) if wanted.contains(&value) => {}
                Needed::Value(value) => wanted.push(value),
                Needed::Any => return None,
            }
        }
        let mut head = 0;
        while let Some(value) = wanted.get(head).copied() {
            for (from, _) in self.pairs.iter().filter(|(_, to)| *to == value) {
                if !wanted.contains(from) {
                    wanted.push(*from);
                }
            }
            head += 1;
        }
        Some(wanted)
    }

    /// Whether what a member puts there is wanted.
    pub(super) fn is_wanted(&self, member: u32, wanted: Option<&[u32]>) -> bool {
        let Some((wanted, value)) = wanted.zip(self.puts[member as usize]) else {
            return true;
        };
        wanted.contains(&value)
    }

    fn ask(&mut self, op: &Operation, kind: Option<ModelKind>, due: u32) {
        match needs(op, kind) {
            Needs::Nothing => return,
            Needs::Value(value) => {
                let value = self.value(value);
                self.asked[value as usize].push(due);
            }
            Needs::Any => self.any.push(due),
        }
        self.all.push(due);
    }

    /// The outcome of an operation may be unknown from now on: a cas may have been done.
    pub(super) fn doubt(&mut self, op: &Operation) {
        if let Some(from) = taken_from(op) {
            let from = self.value(from);
            self.unknown[from as usize] += 1;
        }
    }

    /// Takes [`Demand::doubt`] back.
    pub(super) fn trust(&mut self, op: &Operation) {
        if let Some(from) = taken_from(op) {
            let from = self.value(from);
            self.unknown[from as usize] -= 1;
        }
    }

    /// What an operation that was to return got is not known any more.
    pub(super) fn drop(&mut self, op: &Operation, kind: Option<ModelKind>, due: u32) {
        let asked = match needs(op, kind) {
            Needs::Nothing => return,
            Needs::Value(value) => {
                let value = self.value(value);
                &mut self.asked[value as usize]
            }
            Needs::Any => &mut self.any,
        };
        asked.retain(|other| *other != due);
        self.all.retain(|other| *other != due);
    }

    /// The most that can be of use of those that do what a member does, from a return on.
    pub(super) fn most(&self, member: u32, from: u32) -> u32 {
        let Some(value) = self.puts[member as usize] else {
            return u32::MAX;
        };
        let left = |dues: &[u32]| (dues.len() - dues.partition_point(|due| *due < from)) as u32;
        if self.empties[member as usize] {
            return match left(&self.asked[value as usize]) {
                0 => 0,
                _ => u32::MAX,
            };
        }
        let direct = left(&self.asked[value as usize]) + left(&self.any);
        (direct + self.unknown[value as usize]).min(left(&self.all))
    }
}
