//! Whether transactions agree with their own earlier steps.

use super::anomaly::{Kind, Plains};
use super::append::elements;
use super::transactions::{Access, NONE, Status, Step, Transactions};
use crate::value::{Brief, Value};

/// What a transaction knows of a list: what it read last, if anything, and where in its own
/// appends what it added since begins.
#[derive(Clone, Copy)]
struct Known<'h> {
    txn: u32,
    read: Option<&'h [Value]>,
    /// The first of its appends since, by place among its steps; none when there is none.
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
    for txn in 0..all.len() {
        if all.status(txn) != Status::Committed {
            continue;
        }
        let steps = all.steps(txn);
        for (at, step) in steps.iter().enumerate() {
            let slot = &mut known[step.key as usize];
            if slot.txn != txn {
                *slot = Known { txn, ..nothing };
            }
            match step.access {
                Access::Append => {
                    if slot.since == NONE {
                        slot.since = at as u32;
                    }
                }
                _ => {
                    let list = elements(step.value).unwrap_or(&[]);
                    if !agrees(slot, &steps[..at], step.key, list) {
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
fn agrees(known: &Known<'_>, earlier: &[Step<'_>], key: u32, list: &[Value]) -> bool {
    let since = earlier.get(known.since as usize..).unwrap_or(&[]);
    let own = |step: &&Step<'_>| step.key == key && step.access == Access::Append;
    let mut rest = list;
    for step in since.iter().rev().filter(own) {
        match rest.split_last() {
            Some((last, before)) if last == step.value => rest = before,
            _ => return false,
        }
    }
    known.read.is_none_or(|read| read == rest)
}
