//! What the page's pictures are drawn from: a run as numbers.

use std::collections::BTreeMap;

use checkers::{Completion, History};
use landfall::report::SeedReport;
use serde_json::{Value, json};

use super::Told;

/// Log lines that are sent along, those nearest to the end.
const LINES_MAX: usize = 2_000;

/// One test's pictures: its run, and the curve of its failure.
pub(super) fn of(told: &Told) -> Value {
    let Some(report) = &told.evidence.witness else {
        return json!({ "name": told.name(), "seed": null });
    };
    let history = report
        .history
        .as_deref()
        .and_then(|text| checkers::jsonl::read(text.as_bytes()).ok());
    let history = history.unwrap_or_default();
    let marked: Vec<u64> = report
        .checks
        .iter()
        .flat_map(|check| &check.findings)
        .flat_map(|finding| finding.ops.iter().chain(&finding.minimal))
        .copied()
        .collect();
    let prefix: Vec<u64> = report
        .checks
        .iter()
        .flat_map(|check| &check.findings)
        .flat_map(|finding| finding.prefix_tail.iter().map(|op| op.op_id))
        .collect();
    json!({
        "name": told.name(),
        "seed": report.seed,
        "end": report.virtual_ns,
        "ops": operations(&history),
        "leads": leads(&history),
        "windows": windows(report, &history),
        "lines": lines(report),
        "marked": marked,
        "prefix": prefix,
        "curve": curve(told),
    })
}

/// Each operation as `[id, process, from, until, outcome, words, node]`; until is -1 where nothing
/// came back; outcome 0 acknowledged, 1 without effect, 2 unknown.
fn operations(history: &History) -> Vec<Value> {
    let client = history.ops.iter().filter(|op| op.is_client());
    client
        .map(|op| {
            let outcome = match op.completion() {
                Completion::Acknowledged => 0,
                Completion::Failed => 1,
                Completion::Ambiguous => 2,
            };
            let until = op
                .complete_ts
                .map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX));
            json!([
                op.op_id,
                op.process_id,
                op.invoke_ts,
                until,
                outcome,
                op.to_string(),
                op.node_seen.as_deref().unwrap_or_default(),
            ])
        })
        .collect()
}

/// Each report of a leader: `[at, node, term]`.
fn leads(history: &History) -> Vec<Value> {
    let reports = history.ops.iter().filter(|op| !op.is_client());
    reports
        .map(|op| {
            let term = op.key.as_ref().map(ToString::to_string).unwrap_or_default();
            json!([
                op.invoke_ts,
                op.node_seen.as_deref().unwrap_or_default(),
                term
            ])
        })
        .collect()
}

/// Each window: `[fault, from, until, kind, hosts]`.
fn windows(report: &SeedReport, history: &History) -> Vec<Value> {
    let kinds: BTreeMap<&str, &str> = report
        .ledger
        .iter()
        .map(|row| (row.name.as_str(), row.kind.as_str()))
        .collect();
    if let Some(recording) = &report.recording {
        let at = |ns: u64| ns.saturating_add(recording.started_ns);
        let each = recording.windows.iter().map(|window| {
            let kind = kinds
                .get(window.fault.as_str())
                .copied()
                .unwrap_or_default();
            json!([
                window.fault,
                at(window.open_ns),
                at(window.close_ns),
                kind,
                window.targets
            ])
        });
        return each.collect();
    }
    let each = history.windows.iter().map(|window| {
        let kind = kinds
            .get(window.fault.as_str())
            .copied()
            .unwrap_or_default();
        let none: [&str; 0] = [];
        json!([
            window.fault,
            window.start_ts,
            window.end_ts.unwrap_or(report.virtual_ns),
            kind,
            none
        ])
    });
    each.collect()
}

/// Each line of the guests' log: `[at, node, level, text]`.
fn lines(report: &SeedReport) -> Vec<Value> {
    let skipped = report.log_tail.len().saturating_sub(LINES_MAX);
    let kept = report.log_tail.iter().skip(skipped);
    kept.map(|line| json!([line.at, line.node, line.level, line.text]))
        .collect()
}

/// Each moment: `[at, runs, failed, low, high]`, shares in thousandths; and where it jumps.
fn curve(told: &Told) -> Value {
    let found = told.evidence.failure.as_ref();
    let Some(explained) = found.and_then(|failure| failure.explanation.as_ref()) else {
        return Value::Null;
    };
    let points = explained.curve.points().iter().map(|point| {
        let (low, high) = point.band();
        json!([point.at_ns, point.runs, point.failed, low, high])
    });
    let jump = explained.curve.jump().map(|jump| jump.span_ns());
    json!({ "points": points.collect::<Vec<_>>(), "jump": jump })
}
