//! Every element of a set through all of its reads.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use super::sets::elements;
use crate::history::{Completion, OpType, Operation};
use crate::value::Value;

/// The rows of one set.
#[derive(Default)]
struct Object<'a> {
    adds: Vec<&'a Operation>,
    /// In order of invocation.
    reads: Vec<&'a Operation>,
}

/// What is known of one element.
struct Element<'a> {
    value: &'a Value,
    /// Its first addition that did not fail, else the first one.
    add: Option<&'a Operation>,
    /// When it was in the set for certain: an addition was acknowledged, or a read returned it.
    known_ts: u64,
    /// By whom.
    known_by: Option<&'a Operation>,
    /// The reads that have it, by their places, in order.
    present: Vec<u32>,
    /// When the last of these ended.
    present_until_ts: u64,
}

pub(super) fn check(judged: &mut Judged<'_>, strict: bool) {
    let mut objects: BTreeMap<Option<&Value>, Object<'_>> = BTreeMap::new();
    for (_, op) in judged.rows() {
        let object = objects.entry(op.key.as_ref()).or_default();
        match op.op_type {
            OpType::Add => object.adds.push(op),
            OpType::Remove => {
                judged.lacks(|| format!("a set that only grows: #{} removes", op.op_id));
            }
            OpType::Read | OpType::FinalRead if op.is_acknowledged() => {
                if elements(op).is_none() {
                    judged.lacks(|| format!("output (a list) of read #{}", op.op_id));
                } else {
                    object.reads.push(op);
                }
            }
            _ => {}
        }
    }
    let mut counts = Counts::default();
    for (key, mut object) in objects {
        if object.adds.is_empty() && object.reads.is_empty() {
            continue;
        }
        if object.reads.is_empty() {
            let name = key.map_or("null".to_owned(), ToString::to_string);
            judged.lacks(|| format!("an acknowledged read of key {name}"));
            continue;
        }
        object.reads.sort_by_key(|op| op.invoke_ts);
        judged.consume(object.adds.len() + object.reads.len());
        judge(judged, key, &object, strict, &mut counts);
    }
    judged.note_count(counts.stable, "elements are stable");
    judged.note_count(counts.never_read, "elements were never read");
    judged.note_count(
        counts.stale,
        "elements were missing from a read and then there again",
    );
    if counts.stable + counts.stale == 0 && counts.never_read > 0 {
        judged.lacks(|| "reads after the additions".to_owned());
    }
}

#[derive(Default)]
struct Counts {
    stable: usize,
    stale: usize,
    never_read: usize,
}

fn judge(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    object: &Object<'_>,
    strict: bool,
    counts: &mut Counts,
) {
    for element in gather(judged, key, object) {
        let Some(known_by) = element.known_by else {
            let open = |op: &Operation| op.completion() == Completion::Ambiguous;
            counts.never_read += usize::from(element.add.is_some_and(open));
            continue;
        };
        let reads = &object.reads;
        let after = reads.partition_point(|read| read.invoke_ts <= element.known_ts);
        let Some(absent) = last_absent(&element.present, reads.len(), after) else {
            let read = after < reads.len() || !element.present.is_empty();
            *(if read {
                &mut counts.stable
            } else {
                &mut counts.never_read
            }) += 1;
            continue;
        };
        let absent = reads[absent];
        let value = element.value;
        if element.present.is_empty() || absent.invoke_ts > element.present_until_ts {
            judged.find("lost-element", key, &[known_by, absent], || {
                let (known, absent) = (known_by.op_id, absent.op_id);
                format!(
                    "{value} was known by #{known}, #{absent} lacks it, and no later read has it"
                )
            });
            continue;
        }
        counts.stale += 1;
        if strict {
            judged.find("stale-read", key, &[known_by, absent], || {
                let (known, absent) = (known_by.op_id, absent.op_id);
                format!("{value} was known by #{known}, and #{absent}, which began later, lacks it")
            });
        }
    }
}

/// The last read from `after` on that is not among `present`.
fn last_absent(present: &[u32], reads: usize, after: usize) -> Option<usize> {
    let mut present = present.iter().rev().peekable();
    let mut places = (after..reads).rev();
    places.find(|place| present.next_if(|read| **read as usize == *place).is_none())
}

/// The elements, in the order in which they are met. What is wrong with single reads is found
/// on the way.
fn gather<'a>(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    object: &Object<'a>,
) -> Vec<Element<'a>> {
    let mut ids: FxHashMap<&'a Value, usize> = FxHashMap::default();
    let mut all: Vec<Element<'a>> = Vec::new();
    for op in &object.adds {
        let id = *ids.entry(&op.input).or_insert(all.len());
        if id == all.len() {
            all.push(Element::new(&op.input, Some(op)));
        }
        let element = &mut all[id];
        if element
            .add
            .is_none_or(|add| add.completion() == Completion::Failed)
        {
            element.add = Some(op);
        }
        if op.is_acknowledged() {
            element.know(op);
        }
    }
    for (place, read) in object.reads.iter().enumerate() {
        for value in elements(read).unwrap_or(&[]) {
            let id = *ids.entry(value).or_insert(all.len());
            if id == all.len() {
                all.push(Element::new(value, None));
                judged.find("unexpected-element", key, &[read], || {
                    format!("#{} has {value}, which nobody added", read.op_id)
                });
            }
            let element = &mut all[id];
            if element.present.last() == Some(&(place as u32)) {
                judged.find("duplicate-element", key, &[read], || {
                    format!("#{} has {value} more than once", read.op_id)
                });
                continue;
            }
            if let Some(add) = element.add
                && (add.completion() == Completion::Failed
                    || read.complete_ts.is_some_and(|end| end < add.invoke_ts))
            {
                judged.find("unexpected-element", key, &[add, read], || {
                    format!("#{} has {value}, which was not added by then", read.op_id)
                });
            }
            element.present.push(place as u32);
            let end = read.complete_ts.unwrap_or(read.invoke_ts);
            element.present_until_ts = element.present_until_ts.max(end);
            element.know(read);
        }
    }
    all
}

impl<'a> Element<'a> {
    fn new(value: &'a Value, add: Option<&'a Operation>) -> Self {
        Self {
            value,
            add,
            known_ts: u64::MAX,
            known_by: None,
            present: Vec::new(),
            present_until_ts: 0,
        }
    }

    fn know(&mut self, op: &'a Operation) {
        let end = op.complete_ts.unwrap_or(u64::MAX);
        if self.known_by.is_none() || end < self.known_ts {
            (self.known_ts, self.known_by) = (end, Some(op));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::last_absent;

    #[test]
    fn the_last_read_without_an_element() {
        assert_eq!(last_absent(&[], 3, 0), Some(2));
        assert_eq!(last_absent(&[2], 3, 0), Some(1));
        assert_eq!(last_absent(&[1, 2], 3, 0), Some(0));
        assert_eq!(last_absent(&[1, 2], 3, 1), None);
        assert_eq!(last_absent(&[0, 2], 4, 0), Some(3));
        assert_eq!(last_absent(&[0], 1, 1), None);
    }
}
