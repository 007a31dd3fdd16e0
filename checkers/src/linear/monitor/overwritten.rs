//! A register whose values do not say who set them: what was overwritten for certain.
//!
//! Who observes a value, but began only after everything that could have set it had ended, and
//! after something that ended before it showed another value in between, can not have an order;
//! nor can who observes what nothing can have set.
//! That is one reason of many, so that nothing is ever called legal.

use rustc_hash::FxHashMap;

use super::{NEVER, Spans, Verdict};
use crate::history::OpType;
use crate::linear::defect::{Defect, planted};
use crate::linear::partition::{Member, Partition};
use crate::value::Value;

/// What is known of a value.
#[derive(Default)]
struct Setters {
    /// Calls and members, in the order of calls.
    all: Vec<(u32, u32)>,
    /// The last return of each and of those before it; of the initial value, one more at first.
    returned: Vec<u32>,
}

/// Someone who shows, between its call and its return, that not all values are there.
#[derive(Clone, Copy)]
struct Shows<'a> {
    call: u32,
    ret: u32,
    member: u32,
    /// The one value that may be there throughout.
    but: Option<&'a Value>,
}

/// Calls illegal what observes an overwritten value.
pub(super) fn judge(partition: &Partition<'_>) -> Verdict {
    let spans = Spans::new(partition);
    let mut setters: FxHashMap<&Value, Setters> = FxHashMap::default();
    setters.entry(&Value::Null).or_default().returned.push(0);
    let (mut shows, mut observers) = (Vec::new(), Vec::new());
    // At one instant members are in another order than their calls.
    let mut order: Vec<usize> = (0..partition.members.len()).collect();
    order.sort_unstable_by_key(|at| spans.call[*at]);
    for at in order {
        let member = &partition.members[at];
        let (call, ret) = (spans.call[at], spans.ret[at]);
        let Some((observed, set)) = effect(member) else {
            return Verdict::Unsure;
        };
        if let Some(value) = set {
            let setters = setters.entry(value).or_default();
            setters.all.push((call, at as u32));
            let last = setters.returned.last().copied().unwrap_or(0);
            let forgotten = ret == NEVER && planted(Defect::OverwrittenForgetsTheUnknown);
            let ret = if forgotten { call } else { ret };
            setters.returned.push(last.max(ret));
        }
        if !member.certain {
            continue;
        }
        // Both before and after: no value is there throughout.
        let both = observed.is_some() && set.is_some() && observed != set;
        if observed.is_some() || set.is_some() {
            shows.push(Shows {
                call,
                ret,
                member: at as u32,
                but: observed.or(set).filter(|_| !both),
            });
        }
        observers.extend(observed.map(|value| (call, ret, at as u32, value)));
    }
    shows.sort_unstable_by_key(|one| one.ret);
    let mut shows = shows.into_iter().peekable();
    // The last called of those that returned, and the last that shows something else.
    let (mut last, mut other): (Option<Shows<'_>>, Option<Shows<'_>>) = (None, None);
    for (call, ret, member, value) in observers {
        while let Some(next) = shows.next_if(|one| one.ret < call) {
            (last, other) = later(last, other, next);
        }
        let none = Setters::default();
        let setters = setters.get(value).unwrap_or(&none);
        let called = setters.all.partition_point(|(other, _)| *other < ret);
        let initial = setters.returned.len() - setters.all.len();
        let Some(returned) = setters.returned[..called + initial].last() else {
            return Verdict::Illegal(vec![member]);
        };
        let mut shown = [last, other].into_iter().flatten();
        let between = shown.find(|one| one.but != Some(value));
        let between = between.filter(|one| *returned != NEVER && *returned < one.call);
        if let Some(between) = between {
            let setters = setters.all[..called].iter().map(|(_, at)| *at);
            let witness = setters.chain([between.member, member]);
            return Verdict::Illegal(witness.collect());
        }
    }
    Verdict::Unsure
}

/// The last called, and the last called that shows another value than that one.
fn later<'a>(
    last: Option<Shows<'a>>,
    other: Option<Shows<'a>>,
    next: Shows<'a>,
) -> (Option<Shows<'a>>, Option<Shows<'a>>) {
    let Some(first) = last else {
        return (Some(next), None);
    };
    let apart = |one: &Shows<'a>, than: &Shows<'a>| one.but != than.but || one.but.is_none();
    if next.call > first.call {
        let other = if apart(&first, &next) {
            Some(first)
        } else {
            other
        };
        (Some(next), other)
    } else {
        let better = apart(&next, &first) && other.is_none_or(|other| other.call < next.call);
        (last, if better { Some(next) } else { other })
    }
}

/// The value that an operation observed, and the one that it set; none for what is not known.
fn effect<'a>(member: &Member<'a>) -> Option<(Option<&'a Value>, Option<&'a Value>)> {
    let op = member.op;
    Some(match &op.op_type {
        write if write.is_write() => (None, Some(&op.input)),
        OpType::Cas => {
            let (from, to) = op.input.as_pair()?;
            match member.certain && op.observed().as_bool() == Some(false) {
                true => (None, None),
                false => (Some(from), Some(to)),
            }
        }
        _ => (Some(op.observed()), None),
    })
}
