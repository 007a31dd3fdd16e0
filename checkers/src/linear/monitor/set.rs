//! A set that only grows, read as a whole: reads order the elements.

use rustc_hash::FxHashMap;

use super::{Spans, Verdict};
use crate::history::OpType;
use crate::linear::partition::Partition;
use crate::value::Value;

pub(super) fn judge(partition: &Partition<'_>) -> Verdict {
    let members = &partition.members;
    let mut adds: FxHashMap<&Value, u32> = FxHashMap::default();
    let mut reads: Vec<(usize, u32)> = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let bare = !member.certain || *member.op.observed() == Value::Null;
        match member.op.op_type {
            OpType::Add if bare => {
                if adds.insert(&member.op.input, index as u32).is_some() {
                    return Verdict::Unsure;
                }
            }
            OpType::Read | OpType::FinalRead => {
                reads.push((size_of(member.op.observed()), index as u32));
            }
            _ => return Verdict::Unsure,
        }
    }
    let spans = Spans::new(partition);
    reads.sort_by_key(|(size, index)| (*size, spans.call[*index as usize]));
    // By add, the last read that has it, so far.
    let mut last = vec![u32::MAX; members.len()];
    let mut order: Vec<u32> = Vec::with_capacity(members.len());
    // By place in the order, its level: adds between two reads, or reads of one content.
    let mut level: Vec<u32> = Vec::with_capacity(members.len());
    let mut now = 0;
    let mut before: Option<u32> = None;
    for (size, read) in &reads {
        let list = members[*read as usize].op.observed();
        let (mut fresh, mut known) = (Vec::new(), 0);
        for element in list.as_list().unwrap_or(&[]) {
            let Some(add) = adds.get(element) else {
                return Verdict::Illegal(vec![*read]);
            };
            match std::mem::replace(&mut last[*add as usize], *read) {
                u32::MAX => fresh.push(*add),
                // Twice in one read.
                same if same == *read => return Verdict::Illegal(vec![*add, *read]),
                _ => known += 1,
            }
        }
        // It has to have all that a read before it has, which is not larger.
        let all = before.map_or(0, |before| size_of(members[before as usize].op.observed()));
        if known != all {
            return Verdict::Illegal(before.into_iter().chain([*read]).collect());
        }
        if *size != all {
            now += 1;
            fresh.sort_unstable();
            level.extend(fresh.iter().map(|_| now));
            order.append(&mut fresh);
            now += 1;
        }
        level.push(now);
        order.push(*read);
        before = Some(*read);
    }
    let mut unread: Vec<u32> = adds.into_values().collect();
    unread.retain(|add| last[*add as usize] == u32::MAX && members[*add as usize].certain);
    unread.sort_unstable();
    level.extend(unread.iter().map(|_| now + 1));
    order.extend(unread);
    match untimely(&order, &level, &spans) {
        None => Verdict::Legal(order),
        Some((late, early)) => {
            let adds = |at: u32| members[at as usize].op.op_type == OpType::Add;
            let has = |read: &u32| {
                let list = members[*read as usize].op.observed().as_list();
                list.is_some_and(|list| list.contains(&members[late as usize].op.input))
            };
            let mut witness = vec![late, early];
            // That the one was there without the other is what a read says.
            if adds(late) && adds(early) {
                witness.extend(reads.iter().map(|(_, read)| *read).find(has));
            }
            Verdict::Illegal(witness)
        }
    }
}

fn size_of(list: &Value) -> usize {
    list.as_list().map_or(0, <[Value]>::len)
}

/// What is of one level goes by its calls; what returned before something of a lower level was
/// called contradicts time: that something, and what returned before it.
fn untimely(order: &[u32], level: &[u32], spans: &Spans) -> Option<(u32, u32)> {
    // The latest call of the levels below, and the latest so far, with what was called.
    let (mut below, mut latest) = ((0, 0), (0, 0));
    for (at, member) in order.iter().enumerate() {
        if at > 0 && level[at] != level[at - 1] {
            below = latest;
        }
        if spans.ret[*member as usize] < below.0 {
            return Some((below.1, *member));
        }
        latest = latest.max((spans.call[*member as usize], *member));
    }
    None
}
