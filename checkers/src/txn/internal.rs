//! Whether transactions agree with their own earlier steps.

use super::anomaly::{Kind, Plains};
use super::append::elements;
use super::transactions::{Access, NONE, Status, Step, Transactions};
use crate::value::{Brief, Value};

/// What a transaction knows of a list: what it read last, if anything, and what it added since.
#[derive(Clone, Copy)]
struct Known<'h> {
    txn: u32,
    read: Option<&'h [Value]>,
    /// The last of its appends since, by place among its steps; none when there is none.
    since: u32,
}

/// Complains of reads that contradict the transaction's own earlier reads and appends.
pub(super) fn of_lists<'h>(all: &Transactions<'h>, plain: &mut Plains<'h>) {
    let nothing = Known {
        txn: NONE,
        read: None,
        since: NONE,
    };
    let mut known = vec![nothing; all.keys.len()];
    // By append of the transaction, by place among its steps, the one to that list before it.
    let mut before: Vec<u32> = Vec::new();
    for txn in 0..all.len() {
        if all.status(txn) != Status::Committed {
            continue;
        }
        let steps = all.steps(txn);
        before.clear();
        before.resize(steps.len(), NONE);
        for (at, step) in steps.iter().enumerate() {
            let slot = &mut known[step.key as usize];
            if slot.txn != txn {
                *slot = Known { txn, ..nothing };
            }
            match step.access {
                Access::Append => {
                    before[at] = std::mem::replace(&mut slot.since, at as u32);
                }
                _ => {
                    let list = elements(step.value).unwrap_or(&[]);
                    if !agrees(slot, (steps, &before), list) {
                        let name = all.keys[step.key as usize];
                        plain.add(Kind::Internal, Some(name), &[txn], || {
                            let read = Brief(step.value);
                            format!("{name} was read as {read}, against its own earlier steps")
                        });
                    }
                    slot.read = Some(list);
                    slot.since = NONE;
                }
            }
        }
    }
}

/// Whether a read is what was known before, with the transaction's own appends since.
fn agrees(known: &Known<'_>, (steps, before): (&[Step<'_>], &[u32]), list: &[Value]) -> bool {
    let (mut rest, mut at) = (list, known.since);
    while at != NONE {
        match rest.split_last() {
            Some((last, others)) if last == steps[at as usize].value => rest = others,
            _ => return false,
        }
        at = before[at as usize];
    }
    known.read.is_none_or(|read| read == rest)
}
