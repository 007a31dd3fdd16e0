//! *Observability required*, held against what a run left behind: logs, metrics and correlation
//! ids by node, histories, elections, and the counters of faults.

use std::collections::BTreeMap;

use checkers::History;
use plan_compiler::scenario::{CAPTURED, Observable, Scenario};
use serde::{Deserialize, Serialize};

use crate::metrics;
use crate::report::{LogLine, SeedReport};

/// Fields, of events or of the spans around them, that tell one request from another.
const CORRELATIONS: [&str; 8] = [
    " correlation_id=",
    " correlation.id=",
    " request_id=",
    " request.id=",
    " trace_id=",
    " trace.id=",
    " span_id=",
    " req_id=",
];

/// One thing that a plan requires to be observable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Required {
    /// The plan's words.
    pub text: String,
    /// Whether the run has it; none where nobody captures such a thing.
    pub is_there: Option<bool>,
    /// What there is, or why it is not judged.
    pub seen: String,
}

/// Judges each thing that a scenario requires by a run that was made with its history and log.
#[must_use]
pub fn judge(scenario: &Scenario, report: &SeedReport) -> Vec<Required> {
    let history = report.history.as_ref();
    let history = history.and_then(|text| checkers::jsonl::read(text.as_bytes()).ok());
    let run = Run {
        report,
        history: history.unwrap_or_default(),
    };
    let said = scenario.observability.iter();
    let items = said.flat_map(|text| Observable::items(text));
    items
        .map(|item| {
            let (is_there, seen) = run.look_for(item);
            Required {
                text: item.to_owned(),
                is_there,
                seen,
            }
        })
        .collect()
}

struct Run<'a> {
    report: &'a SeedReport,
    history: History,
}

impl Run<'_> {
    fn look_for(&self, item: &str) -> (Option<bool>, String) {
        let what = Observable::of(item);
        match &what {
            Some(Observable::Line(wanted)) => {
                let says = |line: &LogLine| line.text.to_lowercase().contains(wanted);
                return self.lines(&says, "say so");
            }
            Some(Observable::Histories { with_node }) => return self.operations(*with_node),
            Some(Observable::Correlation) => {
                return self.lines(&|line| contains_any(line, &CORRELATIONS), "carry an id");
            }
            Some(Observable::Metrics) => {
                return self.lines(&|line| metrics::is_told(&line.text), "carry a metric");
            }
            _ => {}
        }
        if let Some(found) = self.counters(item) {
            return found;
        }
        match what {
            Some(Observable::Logs) => self.lines(&|_| true, "were captured"),
            Some(Observable::Elections) => {
                let leads = self.history.ops.iter().filter(|op| !op.is_client()).count();
                (Some(leads > 0), format!("{leads} reports of who leads"))
            }
            Some(Observable::Faults) => {
                let all = self.report.ledger.iter();
                let all: usize = all.map(|row| row.injected.len() + row.observed.len()).sum();
                (Some(all > 0), format!("{all} counters of faults"))
            }
            _ => (None, CAPTURED.to_owned()),
        }
    }

    /// How many lines of each node are such.
    fn lines(&self, is_such: &dyn Fn(&LogLine) -> bool, what: &str) -> (Option<bool>, String) {
        let mut nodes: BTreeMap<&str, u64> = BTreeMap::new();
        for line in self.report.log_tail.iter().filter(|line| is_such(line)) {
            *nodes.entry(&line.node).or_default() += 1;
        }
        let by_node: Vec<String> = nodes
            .iter()
            .map(|(node, n)| format!("{node} {n}"))
            .collect();
        let seen = match by_node.is_empty() {
            true => format!("no lines of the guests' logs {what}"),
            false => format!("lines that {what}: {}", by_node.join(", ")),
        };
        (Some(!by_node.is_empty()), seen)
    }

    fn operations(&self, with_node: bool) -> (Option<bool>, String) {
        let clients = self.history.ops.iter().filter(|op| op.is_client());
        let (mut all, mut named) = (0_u64, 0_u64);
        for op in clients {
            all += 1;
            named += u64::from(op.node_seen.is_some());
        }
        let there = all > 0 && (!with_node || named > 0);
        let seen = format!("{all} operations of clients, {named} with the node that answered");
        (Some(there), seen)
    }

    /// Counters of faults whose words are in the item: `packets dropped by fault`.
    fn counters(&self, item: &str) -> Option<(Option<bool>, String)> {
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        for row in &self.report.ledger {
            for (counter, n) in row.injected.iter().chain(&row.observed) {
                if Observable::names(item, counter) {
                    *found.entry(counter).or_default() += n;
                }
            }
        }
        let said: Vec<String> = found
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        (!said.is_empty()).then(|| (Some(true), said.join(", ")))
    }
}

fn contains_any(line: &LogLine, fields: &[&str]) -> bool {
    fields.iter().any(|field| line.text.contains(field))
}
