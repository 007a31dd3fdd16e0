//! At most one leader a term.

use std::collections::BTreeMap;

use crate::history::{Completion, History, OpType, Operation};
use crate::report::{CheckReport, Finding, Outcome};
use crate::value::Value;

/// Judges the rows of type `lead`: two nodes must not lead in one term.
pub(crate) fn check(history: &History) -> CheckReport {
    let rows: Vec<&Operation> = history
        .ops
        .iter()
        .filter(|op| op.op_type == OpType::Lead && op.completion() == Completion::Acknowledged)
        .collect();
    let total = rows.len() as u64;
    let weak = |field: &str| {
        let outcome = Outcome::Weak {
            field: field.to_owned(),
        };
        let mut report = CheckReport::new("single-leader", outcome, 0, total);
        report.scope = "nothing was judged".to_owned();
        report
    };
    if rows.is_empty() {
        return weak("rows of type `lead`");
    }
    let mut terms: BTreeMap<i64, BTreeMap<&Value, &Operation>> = BTreeMap::new();
    for op in rows {
        let Some(term) = op.key.as_ref().and_then(Value::as_int) else {
            return weak("key (the term) of a `lead` row");
        };
        let Some(node) = op.output.as_ref().filter(|node| **node != Value::Null) else {
            return weak("output (the node) of a `lead` row");
        };
        terms.entry(term).or_default().entry(node).or_insert(op);
    }
    let mut report = CheckReport::new("single-leader", Outcome::Ok, total, total);
    report.scope = format!("{} terms; only observed leaders are seen", terms.len());
    for (term, leaders) in &terms {
        if leaders.len() > 1 {
            let names: Vec<String> = leaders.keys().map(ToString::to_string).collect();
            let message = format!(
                "term {term} has {} leaders: {}",
                names.len(),
                names.join(", ")
            );
            // Any two prove it; the first two seen are shown.
            let mut rows: Vec<&Operation> = leaders.values().copied().collect();
            rows.sort_by_key(|op| (op.invoke_ts, op.op_id));
            rows.truncate(2);
            let key = Value::Int(*term);
            report
                .findings
                .push(Finding::of_rows("two-leaders", message, Some(&key), &rows));
        }
    }
    if !report.findings.is_empty() {
        report.outcome = Outcome::Violation;
    }
    report.cap_findings();
    report
}
