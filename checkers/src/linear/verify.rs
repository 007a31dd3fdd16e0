//! Plays a linearization back, apart from all that finds one.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;

use super::defect::{Defect, planted};
use super::partition::{Member, Partition};
use crate::history::Operation;
use crate::models::{Builtin, Model};
use crate::spec::ModelKind;
use crate::value::Value;

/// Plays an order of members back: the state after it, or why it is no linearization of the
/// partition.
pub(super) fn play(
    partition: &Partition<'_>,
    kind: ModelKind,
    order: &[u32],
) -> Result<Value, String> {
    let members = &partition.members;
    let id = |member: u32| members[member as usize].op.op_id;
    let mut placed = vec![false; members.len()];
    for member in order {
        let twice = std::mem::replace(&mut placed[*member as usize], true);
        if twice && !planted(Defect::VerifierTakesOneTwice) {
            return Err(format!("#{} is placed twice", id(*member)));
        }
    }
    let missing = |(member, placed): &(&Member<'_>, bool)| member.certain && !placed;
    if let Some((member, _)) = members.iter().zip(placed).find(missing)
        && !planted(Defect::VerifierSeesNoneMissing)
    {
        return Err(format!("#{} is missing", member.op.op_id));
    }
    if let Some(member) = untimely(partition, order)
        && !planted(Defect::VerifierHasNoTime)
    {
        let id = id(member);
        return Err(format!(
            "#{id} ended before something began that is placed before it"
        ));
    }
    let told = |member: &u32| {
        let member = &members[*member as usize];
        let known = member.certain && !planted(Defect::VerifierHearsNothing);
        (member.op, known.then(|| member.op.observed()))
    };
    let grows = members.iter().all(|member| {
        let bare = *member.op.observed() == Value::Null;
        member.op.op_type.is_read() || (bare && member.op.op_type.name() == "add")
    });
    let played = replay(kind, grows, order.iter().map(told));
    played.map_err(|id| format!("#{id} can not have returned what it did"))
}

/// An operation that ended before another, placed before it, began.
fn untimely(partition: &Partition<'_>, order: &[u32]) -> Option<u32> {
    let mut latest = 0;
    let mut own: FxHashMap<u64, (u64, u32)> = FxHashMap::default();
    for at in order {
        let member = &partition.members[*at as usize];
        if let (true, Some(complete_ts)) = (member.certain, member.op.complete_ts) {
            if complete_ts < latest {
                return Some(*at);
            }
            // Of operations of one process that touch, the later row is the later one; members
            // are in the order of their calls, and of their rows where these are equal.
            if complete_ts == latest {
                let last = own.get(&member.op.process_id);
                if last.is_some_and(|(begun, other)| *begun == complete_ts && *at < *other) {
                    return Some(*at);
                }
            }
        }
        latest = latest.max(member.op.invoke_ts);
        let last = own.entry(member.op.process_id).or_default();
        *last = (*last).max((member.op.invoke_ts, *at));
    }
    None
}

/// The state after operations that take effect in this order, or the first of them whose response
/// is wrong. `told` is none when the response is not known.
fn replay<'a>(
    kind: ModelKind,
    grows: bool,
    steps: impl Iterator<Item = (&'a Operation, Option<&'a Value>)>,
) -> Result<Value, u64> {
    match kind {
        ModelKind::Queue => lists(steps, VecDeque::pop_front),
        ModelKind::Stack => lists(steps, VecDeque::pop_back),
        ModelKind::Bag => bag(steps.collect()),
        ModelKind::PriorityQueue => sorted(steps),
        ModelKind::Text => text(steps),
        ModelKind::Log => log(steps),
        // With anything else than adding and reading it is played like any model.
        ModelKind::Set if grows => set(steps),
        _ => any(kind, steps),
    }
}

fn lists<'a>(
    mut steps: impl Iterator<Item = (&'a Operation, Option<&'a Value>)>,
    take: fn(&mut VecDeque<&'a Value>) -> Option<&'a Value>,
) -> Result<Value, u64> {
    let mut list: VecDeque<&Value> = VecDeque::new();
    let wrong = |(op, told): &(&'a Operation, Option<&'a Value>)| {
        if matches!(op.op_type.name(), "enqueue" | "push") {
            list.push_back(&op.input);
            return false;
        }
        let taken = take(&mut list).unwrap_or(&Value::Null);
        told.is_some_and(|told| told != taken)
    };
    let wrong = steps.find(wrong).map(|(op, _)| op.op_id);
    wrong.map_or_else(|| Ok(Value::List(list.into_iter().cloned().collect())), Err)
}

fn text<'a>(
    mut steps: impl Iterator<Item = (&'a Operation, Option<&'a Value>)>,
) -> Result<Value, u64> {
    let mut text = String::new();
    let wrong = |(op, told): &(&'a Operation, Option<&'a Value>)| {
        let given = op.input.as_text().unwrap_or_default();
        if op.op_type.is_read() {
            return told.is_some_and(|told| told.as_text().unwrap_or_default() != text);
        }
        if op.op_type.is_write() {
            text.clear();
        }
        text.push_str(given);
        false
    };
    let wrong = steps.find(wrong).map(|(op, _)| op.op_id);
    wrong.map_or_else(|| Ok(Value::from(text)), Err)
}

fn log<'a>(
    mut steps: impl Iterator<Item = (&'a Operation, Option<&'a Value>)>,
) -> Result<Value, u64> {
    let mut list: Vec<&Value> = Vec::new();
    let wrong = |(op, told): &(&'a Operation, Option<&'a Value>)| {
        if op.op_type.is_read() {
            let told = told.map(|told| told.as_list().unwrap_or(&[]));
            return told.is_some_and(|told| !told.iter().eq(list.iter().copied()));
        }
        list.push(&op.input);
        let index = told.and_then(|told| told.as_int());
        index.is_some_and(|index| usize::try_from(index) != Ok(list.len() - 1))
    };
    let wrong = steps.find(wrong).map(|(op, _)| op.op_id);
    wrong.map_or_else(|| Ok(Value::List(list.into_iter().cloned().collect())), Err)
}

/// What is taken without a word can be anything that nobody takes later: as soon as there is one
/// more of a value than will ever be asked for, it is spare.
fn bag(steps: Vec<(&Operation, Option<&Value>)>) -> Result<Value, u64> {
    let puts = |op: &Operation| matches!(op.op_type.name(), "add" | "enqueue");
    // By value, how many there are in the end, and the fewest from some step on.
    let mut left: FxHashMap<&Value, (i64, i64)> = FxHashMap::default();
    for (op, told) in &steps {
        match told {
            _ if puts(op) => left.entry(&op.input).or_default().0 += 1,
            Some(told) if **told != Value::Null => left.entry(told).or_default().0 -= 1,
            _ => {}
        }
    }
    left.values_mut().for_each(|left| left.1 = left.0);
    // By step, whether it makes one more of its value spare.
    let mut spares = vec![false; steps.len()];
    for (at, (op, told)) in steps.iter().enumerate().rev() {
        let (value, change) = match told {
            _ if puts(op) => (&op.input, -1),
            Some(told) if **told != Value::Null => (*told, 1),
            _ => continue,
        };
        let (now, fewest) = left.entry(value).or_default();
        *now += change;
        spares[at] = now < fewest;
        *fewest = (*fewest).min(*now);
    }
    let mut there: FxHashMap<&Value, u64> = FxHashMap::default();
    let (mut spare, mut total) = (Vec::new(), 0_u64);
    for (at, (op, told)) in steps.iter().enumerate() {
        if puts(op) {
            *there.entry(&op.input).or_default() += 1;
            total += 1;
            spare.extend(spares[at].then_some(&op.input));
            continue;
        }
        let taken = match told {
            Some(told) if **told != Value::Null => Some(*told),
            Some(_) => None,
            None => spare.pop(),
        };
        let count = taken.and_then(|value| there.get_mut(value));
        match count.filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                total -= 1;
            }
            None if taken.is_some() || total > 0 => return Err(op.op_id),
            None => {}
        }
    }
    let mut all: Vec<Value> = Vec::new();
    for (value, count) in there {
        all.extend((0..count).map(|_| value.clone()));
    }
    all.sort_unstable();
    Ok(Value::List(all))
}

fn sorted<'a>(
    mut steps: impl Iterator<Item = (&'a Operation, Option<&'a Value>)>,
) -> Result<Value, u64> {
    let mut counts: BTreeMap<&Value, u64> = BTreeMap::new();
    let wrong = |(op, told): &(&'a Operation, Option<&'a Value>)| {
        let name = op.op_type.name();
        if matches!(name, "insert" | "enqueue" | "add") {
            *counts.entry(&op.input).or_default() += 1;
            return false;
        }
        let taken = match name {
            "delete-max" => counts.keys().next_back().copied(),
            _ => counts.keys().next().copied(),
        };
        if let Some(taken) = taken
            && let Some(count) = counts.get_mut(taken)
        {
            *count -= 1;
            if *count == 0 {
                counts.remove(taken);
            }
        }
        told.is_some_and(|told| told != taken.unwrap_or(&Value::Null))
    };
    let wrong = steps.find(wrong).map(|(op, _)| op.op_id);
    let all = || {
        let many = counts.iter().map(|(value, count)| (*value, *count));
        let many = many.flat_map(|(value, count)| (0..count).map(|_| value.clone()));
        Ok(Value::List(many.collect()))
    };
    wrong.map_or_else(all, Err)
}

/// Of a set that only grows: a read is right if it has as many, all of them there and distinct.
fn set<'a>(
    mut steps: impl Iterator<Item = (&'a Operation, Option<&'a Value>)>,
) -> Result<Value, u64> {
    // By element, the last step that read it.
    let mut there: FxHashMap<&Value, u64> = FxHashMap::default();
    let mut at = 0;
    let wrong = |(op, told): &(&'a Operation, Option<&'a Value>)| {
        at += 1;
        if op.op_type.name() == "add" {
            there.insert(&op.input, 0);
            return false;
        }
        let told = told.and_then(Value::as_list).unwrap_or(&[]);
        let mut unread = |element| {
            let last = there.get_mut(element);
            last.is_some_and(|last| std::mem::replace(last, at) != at)
        };
        !op.op_type.is_read() || !told.iter().all(&mut unread) || told.len() != there.len()
    };
    let wrong = steps.find(wrong).map(|(op, _)| op.op_id);
    let all = || {
        let mut all: Vec<Value> = there.into_keys().cloned().collect();
        all.sort_unstable();
        Ok(Value::List(all))
    };
    wrong.map_or_else(all, Err)
}

fn any<'a>(
    kind: ModelKind,
    mut steps: impl Iterator<Item = (&'a Operation, Option<&'a Value>)>,
) -> Result<Value, u64> {
    let model = Builtin(kind);
    let mut states = vec![model.initial()];
    let mut next = Vec::new();
    let wrong = |(op, _): &(&'a Operation, Option<&'a Value>)| {
        for state in &states {
            model.step(state, op, &mut next);
        }
        next.sort_unstable();
        next.dedup();
        std::mem::swap(&mut states, &mut next);
        next.clear();
        states.is_empty()
    };
    let wrong = steps.find(wrong).map(|(op, _)| op.op_id);
    wrong.map_or_else(|| Ok(states.swap_remove(0)), Err)
}
