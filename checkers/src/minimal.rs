//! The fewest rows of a violation: a history of them alone is refused for the same, and without
//! any one of them it is not.

use std::collections::BTreeMap;

use crate::history::{History, Operation};
use crate::report::{CheckReport, Finding};

/// Of so many rows fewer are looked for, at most; where those that a finding names are not refused
/// alone, of the whole history if it has no more.
const ROWS_MAX: usize = 256;

/// Looks for the fewest rows of each finding; `judge` is what found it.
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
    for finding in &mut report.findings {
        let refused = |rows: &[&Operation]| {
            let alone = History {
                ops: rows.iter().map(|op| (*op).clone()).collect(),
                windows: history.windows.clone(),
            };
            let same = |one: &Finding| one.anomaly == finding.anomaly && one.key == finding.key;
            judge(&alone).findings.iter().any(same)
        };
        let mut places: Vec<usize> = finding.ops.iter().filter_map(|id| rows[id]).collect();
        places.sort_unstable();
        places.dedup();
        let named: Vec<&Operation> = places.iter().map(|place| &history.ops[*place]).collect();
        let all = || history.ops.iter().collect();
        let begin = match refused(&named) {
            true => Some(named),
            false => Some(all()).filter(|all: &Vec<_>| all.len() <= ROWS_MAX && refused(all)),
        };
        let Some(begin) = begin.filter(|begin| begin.len() <= ROWS_MAX) else {
            continue;
        };
        let minimal = shrink(begin, refused);
        finding.minimal = minimal.iter().map(|op| op.op_id).collect();
        let shown = minimal.into_iter().take(Finding::ROWS_MAX);
        finding.minimal_rows = shown.cloned().collect();
        finding.minimal_proven = true;
    }
}

/// Leaves rows out, many at once and then one by one, until none can go.
fn shrink<'a>(
    mut rows: Vec<&'a Operation>,
    refused: impl Fn(&[&'a Operation]) -> bool,
) -> Vec<&'a Operation> {
    let mut size = rows.len().div_ceil(2).max(1);
    loop {
        let (mut at, mut smaller) = (0, false);
        while at < rows.len() {
            let mut rest = rows.clone();
            rest.drain(at..(at + size).min(rows.len()));
            if refused(&rest) {
                (rows, smaller) = (rest, true);
            } else {
                at += size;
            }
        }
        match size {
            1 if !smaller => return rows,
            _ => size = size.div_ceil(2),
        }
    }
}
