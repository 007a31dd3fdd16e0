//! The fewest rows of a violation: a history of them alone is refused for the same, and without
//! any one of them it is not.

use std::collections::BTreeMap;

use crate::history::{History, Operation};
use crate::report::{CheckReport, Finding};

/// So many rows are judged again to find the fewest of a finding, at most, and of all findings:
/// each is one of a history that was tried. Where that is not enough, there are none.
const ROWS_JUDGED_MAX: usize = 1 << 19;
const ROWS_JUDGED_IN_ALL: usize = 1 << 21;

/// Looks for the fewest rows of each finding, among those that it names or, where these are not
/// refused alone, in the whole history; `judge` is what found it.
pub(crate) fn find(
    report: &mut CheckReport,
    history: &History,
    judge: impl Fn(&History) -> CheckReport,
) {
    let named = report.findings.iter().flat_map(|one| &one.ops);
    let mut rows: BTreeMap<u64, Option<usize>> = named.map(|id| (*id, None)).collect();
    for (place, op) in history.ops.iter().enumerate() {
        if let Some(row) = rows.get_mut(&op.op_id) {
            *row = Some(place);
        }
    }
    let mut in_all = ROWS_JUDGED_IN_ALL;
    for finding in &mut report.findings {
        let mut left = ROWS_JUDGED_MAX.min(in_all);
        let before = left;
        let mut refused = |rows: &[&Operation]| {
            left = left.checked_sub(rows.len() + 1)?;
            let alone = History {
                ops: rows.iter().map(|op| (*op).clone()).collect(),
                windows: history.windows.clone(),
            };
            let same = |one: &Finding| one.anomaly == finding.anomaly && one.key == finding.key;
            Some(judge(&alone).findings.iter().any(same))
        };
        let mut places: Vec<usize> = finding.ops.iter().filter_map(|id| rows[id]).collect();
        places.sort_unstable();
        places.dedup();
        let named: Vec<&Operation> = places.iter().map(|place| &history.ops[*place]).collect();
        let minimal = fewest(named, history, &mut refused);
        in_all -= before - left;
        let Some(minimal) = minimal else {
            continue;
        };
        finding.minimal = minimal.iter().map(|op| op.op_id).collect();
        let shown = minimal.into_iter().take(Finding::ROWS_MAX);
        finding.minimal_rows = shown.cloned().collect();
        finding.minimal_proven = true;
    }
}

/// The fewest rows that are refused, of those that are named or else of all; none if these are not
/// either, or that takes too much.
fn fewest<'a>(
    named: Vec<&'a Operation>,
    history: &'a History,
    refused: &mut impl FnMut(&[&'a Operation]) -> Option<bool>,
) -> Option<Vec<&'a Operation>> {
    if refused(&named)? {
        return shrink(named, refused);
    }
    let all: Vec<&Operation> = history.ops.iter().collect();
    match refused(&all)? {
        true => shrink(all, refused),
        false => None,
    }
}

/// Leaves rows out, many at once and then one by one, until none can go.
fn shrink<'a>(
    mut rows: Vec<&'a Operation>,
    refused: &mut impl FnMut(&[&'a Operation]) -> Option<bool>,
) -> Option<Vec<&'a Operation>> {
    let mut size = rows.len().div_ceil(2).max(1);
    loop {
        let (mut at, mut smaller) = (0, false);
        while at < rows.len() {
            let mut rest = rows.clone();
            rest.drain(at..(at + size).min(rows.len()));
            if refused(&rest)? {
                (rows, smaller) = (rest, true);
            } else {
                at += size;
            }
        }
        match size {
            1 if !smaller => return Some(rows),
            _ => size = size.div_ceil(2),
        }
    }
}
