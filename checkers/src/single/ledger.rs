//! Double entry: what is posted sums to zero, and the balances are what was posted.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use super::bank::{Balances, OPEN_MAX, Posting, apply, explains, pairs};
use crate::history::{Completion, OpType, Operation};
use crate::value::Value;

/// Steps for one final read.
const STEPS_MAX: u64 = 1_000_000;

/// What is known of one entry, by its key.
struct Entry<'a> {
    posting: Posting<'a>,
    /// Whether some attempt at it was acknowledged, and when the first of them ended.
    acknowledged_ts: Option<u64>,
}

pub(super) fn check(judged: &mut Judged<'_>) {
    let mut ids: FxHashMap<&Value, usize> = FxHashMap::default();
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut finals: Vec<(&Operation, Vec<(&Value, i128)>)> = Vec::new();
    for (_, op) in judged.rows() {
        if op.op_type == OpType::FinalRead && op.is_acknowledged() {
            judged.consume(1);
            match pairs(op.observed()) {
                Some(balances) => finals.push((op, balances)),
                None => judged.lacks(|| {
                    format!(
                        "output ([account, balance] each) of final-read #{}",
                        op.op_id
                    )
                }),
            }
        } else if op.op_type.name() == "post" {
            judged.consume(1);
            if op.completion() != Completion::Failed {
                post(judged, &mut ids, &mut entries, op);
            }
        }
    }
    if finals.is_empty() && !entries.is_empty() {
        judged.lacks(|| "a final-read of the balances".to_owned());
    }
    for (op, balances) in &finals {
        judge(judged, &entries, op, balances);
    }
}

fn post<'a>(
    judged: &mut Judged<'a>,
    ids: &mut FxHashMap<&'a Value, usize>,
    entries: &mut Vec<Entry<'a>>,
    op: &'a Operation,
) {
    let Some(key) = &op.key else {
        judged.lacks(|| format!("key (of the entry) of post #{}", op.op_id));
        return;
    };
    let Some(changes) = pairs(&op.input) else {
        judged.lacks(|| format!("input ([account, amount] each) of post #{}", op.op_id));
        return;
    };
    let ended_ts = op.complete_ts.filter(|_| op.is_acknowledged());
    let sum: i128 = changes.iter().map(|(_, amount)| amount).sum();
    if ended_ts.is_some() && sum != 0 {
        judged.find("unbalanced-entry", Some(key), &[op], || {
            format!("entry {key} was accepted, and sums to {sum}")
        });
    }
    let id = *ids.entry(key).or_insert(entries.len());
    if id == entries.len() {
        entries.push(Entry {
            posting: Posting { op, changes },
            acknowledged_ts: ended_ts,
        });
        return;
    }
    let entry = &mut entries[id];
    let differs = entry.posting.op.input != op.input;
    if differs && ended_ts.is_some() && entry.acknowledged_ts.is_some() {
        judged.find(
            "conflicting-entry",
            Some(key),
            &[entry.posting.op, op],
            || {
                let (one, two) = (entry.posting.op.op_id, op.op_id);
                format!("entry {key} was accepted twice, by #{one} and #{two}, with other amounts")
            },
        );
    }
    if differs && ended_ts.is_some() && entry.acknowledged_ts.is_none() {
        entry.posting = Posting { op, changes };
    }
    entry.acknowledged_ts = match (entry.acknowledged_ts, ended_ts) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    };
}

fn judge(
    judged: &mut Judged<'_>,
    entries: &[Entry<'_>],
    op: &Operation,
    balances: &[(&Value, i128)],
) {
    let sum: i128 = balances.iter().map(|(_, balance)| balance).sum();
    if sum != 0 {
        judged.find("unbalanced-ledger", op.key.as_ref(), &[op], || {
            format!("all balances of #{} sum to {sum}, not zero", op.op_id)
        });
    }
    let mut difference = Balances::new();
    apply(&mut difference, balances, 1);
    let mut open: Vec<&Posting<'_>> = Vec::new();
    for entry in entries {
        if entry.acknowledged_ts.is_some_and(|end| end < op.invoke_ts) {
            apply(&mut difference, &entry.posting.changes, -1);
        } else if op
            .complete_ts
            .is_none_or(|end| entry.posting.op.invoke_ts <= end)
        {
            open.push(&entry.posting);
        }
    }
    if open.len() > OPEN_MAX {
        let count = open.len();
        judged.undecided(format!(
            "{count} entries have no known outcome at #{}",
            op.op_id
        ));
        return;
    }
    let mut steps = STEPS_MAX;
    match explains(&difference, &open, &mut steps) {
        Some(true) => {}
        None => judged.undecided(format!(
            "{STEPS_MAX} steps were not enough for #{}",
            op.op_id
        )),
        Some(false) => {
            let by: BTreeMap<&Value, i128> = difference;
            let off: Vec<String> = by
                .iter()
                .map(|(of, sum)| format!("{of} by {sum}"))
                .collect();
            let mut rows = vec![op];
            let touched = |entry: &&Entry<'_>| {
                entry
                    .posting
                    .changes
                    .iter()
                    .any(|(of, _)| by.contains_key(of))
            };
            rows.extend(entries.iter().filter(touched).map(|entry| entry.posting.op));
            judged.find("wrong-balance", op.key.as_ref(), &rows, || {
                let off = off.join(", ");
                format!(
                    "the balances of #{} are off what was posted: {off}",
                    op.op_id
                )
            });
        }
    }
}
