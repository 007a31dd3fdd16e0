//! Reads of a log that are prefixes of one log.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use super::sets::elements;
use crate::history::{Completion, OpType, Operation};
use crate::value::{Brief, Value};

/// The rows of one log.
#[derive(Default)]
struct Log<'a> {
    appends: Vec<&'a Operation>,
    reads: Vec<(&'a Operation, &'a [Value])>,
}

/// An append whose place is known.
#[derive(Clone, Copy)]
struct Placed<'a> {
    op: &'a Operation,
    place: usize,
}

pub(super) fn check(judged: &mut Judged<'_>) {
    let mut logs: BTreeMap<Option<&Value>, Log<'_>> = BTreeMap::new();
    for (_, op) in judged.rows() {
        let log = match op.op_type {
            OpType::Append => &mut logs.entry(op.key.as_ref()).or_default().appends,
            OpType::Read | OpType::FinalRead if op.is_acknowledged() => {
                match elements(op) {
                    Some(list) => {
                        judged.consume(1);
                        let log = logs.entry(op.key.as_ref()).or_default();
                        log.reads.push((op, list));
                    }
                    None => judged.lacks(|| format!("output (a list) of read #{}", op.op_id)),
                }
                continue;
            }
            _ => continue,
        };
        judged.consume(1);
        log.push(op);
    }
    let unread = logs.iter().find(|(_, log)| log.reads.is_empty());
    if let Some((key, _)) = unread {
        let key = key.map_or("null".to_owned(), ToString::to_string);
        judged.lacks(|| format!("an acknowledged read of key {key}"));
    }
    for (key, log) in &logs {
        judge(judged, *key, log);
    }
}

fn judge(judged: &mut Judged<'_>, key: Option<&Value>, log: &Log<'_>) {
    let Some((longest_read, longest)) = log.reads.iter().rev().max_by_key(|(_, list)| list.len())
    else {
        return;
    };
    for (op, list) in &log.reads {
        let same = list
            .iter()
            .zip(longest.iter())
            .take_while(|(a, b)| a == b)
            .count();
        if same < list.len() {
            judged.find("diverging-reads", key, &[op, longest_read], || {
                let (one, two) = (Brief(&list[same]), Brief(&longest[same]));
                let (first, second) = (op.op_id, longest_read.op_id);
                format!("at place {same} #{first} has {one}, and #{second} has {two}")
            });
        }
    }
    let mut places: FxHashMap<&Value, usize> = FxHashMap::default();
    for (place, element) in longest.iter().enumerate() {
        if let Some(first) = places.get(element) {
            judged.find("duplicate-entry", key, &[longest_read], || {
                let id = longest_read.op_id;
                format!(
                    "{} is in #{id} at places {first} and {place}",
                    Brief(element)
                )
            });
        } else {
            places.insert(element, place);
        }
    }
    phantoms(judged, key, log, longest_read, longest);
    order(judged, key, log, &places);
    shrinking(judged, key, log);
}

/// Entries that nobody appended, or whose append failed.
fn phantoms(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    log: &Log<'_>,
    read: &Operation,
    longest: &[Value],
) {
    let mut sources: FxHashMap<&Value, (&Operation, bool)> = FxHashMap::default();
    for op in &log.appends {
        let possible = op.completion() != Completion::Failed;
        let source = sources.entry(&op.input).or_insert((op, possible));
        if possible && !source.1 {
            *source = (op, true);
        }
    }
    for element in longest {
        match sources.get(element) {
            None => judged.find("phantom-entry", key, &[read], || {
                format!(
                    "{} is in #{}, and nobody appended it",
                    Brief(element),
                    read.op_id
                )
            }),
            Some((op, false)) => judged.find("phantom-entry", key, &[op, read], || {
                let (append, read) = (op.op_id, read.op_id);
                format!(
                    "{} is in #{read}, and its append #{append} failed",
                    Brief(element)
                )
            }),
            Some(_) => {}
        }
    }
}

/// What was acknowledged before another append, or a read, began stands before it.
fn order(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    log: &Log<'_>,
    places: &FxHashMap<&Value, usize>,
) {
    let placed = |op: &&'_ Operation| places.get(&op.input).copied().unwrap_or(usize::MAX);
    let mut ended: Vec<Placed<'_>> = log
        .appends
        .iter()
        .filter(|op| op.is_acknowledged())
        .map(|op| Placed {
            op,
            place: placed(op),
        })
        .collect();
    ended.sort_by_key(|append| append.op.complete_ts);
    // What must follow it: an append at its place, or the end of what a read has.
    let reads = log.reads.iter().map(|(op, list)| (*op, list.len(), true));
    let appends = log
        .appends
        .iter()
        .filter(|op| op.completion() != Completion::Failed);
    let appends = appends.map(|op| (*op, placed(op), false));
    let mut later: Vec<(&Operation, usize, bool)> = reads.chain(appends).collect();
    later.sort_by_key(|(op, ..)| op.invoke_ts);
    let mut ended = ended.into_iter().peekable();
    // The last in the log of those that ended, of all and of those that a read has.
    let (mut all, mut known): (Option<Placed<'_>>, Option<Placed<'_>>) = (None, None);
    for (op, place, reads) in later {
        let over = |append: &Placed<'_>| append.op.complete_ts < Some(op.invoke_ts);
        while let Some(append) = ended.next_if(over) {
            if all.is_none_or(|last| append.place > last.place) {
                all = Some(append);
            }
            let read = append.place < usize::MAX;
            if read && known.is_none_or(|last| append.place > last.place) {
                known = Some(append);
            }
        }
        if let Some(last) = all.filter(|last| reads && last.place >= place) {
            judged.find("missing-entry", key, &[last.op, op], || {
                let (entry, first, second) = (Brief(&last.op.input), last.op.op_id, op.op_id);
                format!("{entry} was appended by #{first}, and #{second}, later, lacks it")
            });
        }
        if let Some(last) = known.filter(|last| !reads && last.place > place) {
            judged.find("reordered-entries", key, &[last.op, op], || {
                let (one, two) = (Brief(&last.op.input), Brief(&op.input));
                format!("{one} was acknowledged before {two} was appended, and stands after it")
            });
        }
    }
}

/// A read that is shorter than one that ended before it began.
fn shrinking(judged: &mut Judged<'_>, key: Option<&Value>, log: &Log<'_>) {
    let mut by_end: Vec<(&Operation, usize)> = log
        .reads
        .iter()
        .map(|(op, list)| (*op, list.len()))
        .collect();
    let mut by_start = by_end.clone();
    by_end.sort_by_key(|(op, _)| op.complete_ts);
    by_start.sort_by_key(|(op, _)| op.invoke_ts);
    let mut ended = by_end.into_iter().peekable();
    let mut most: Option<(&Operation, usize)> = None;
    for (op, length) in by_start {
        while let Some(next) = ended.next_if(|(early, _)| early.complete_ts < Some(op.invoke_ts)) {
            if most.is_none_or(|(_, longest)| next.1 > longest) {
                most = Some(next);
            }
        }
        if let Some((early, longest)) = most.filter(|(_, longest)| *longest > length) {
            judged.find("shrunk-log", key, &[early, op], || {
                let (first, second) = (early.op_id, op.op_id);
                format!("#{first} has {longest} entries, and #{second}, later, {length}")
            });
        }
    }
}
