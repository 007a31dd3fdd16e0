//! What happened between two moments, and where two runs part.

use std::fmt;

use checkers::{History, Operation};
use sim_runtime::SimInstant;

use crate::report::SeedReport;

/// How many lines are shown of an interval.
const LINES_MAX: usize = 24;

/// The first operation that went another way in another run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// As it went in the failing run; none when it has no such operation.
    pub here: Option<String>,
    /// As it went in the other.
    pub there: Option<String>,
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "here {}; there {}",
            or_none(&self.here),
            or_none(&self.there)
        )
    }
}

fn history(report: &SeedReport) -> Option<History> {
    let text = report.history.as_ref()?;
    checkers::jsonl::read(text.as_bytes()).ok()
}

/// Windows that opened or closed, operations that began or ended and lines that were logged, in
/// order.
pub(super) fn between(report: &SeedReport, (from, to): (u64, u64)) -> Vec<String> {
    let is_in = |at: u64| from < at && at <= to;
    let mut lines: Vec<(u64, String)> = Vec::new();
    let logged = report.log_tail.iter().filter(|line| is_in(line.at));
    lines.extend(logged.map(|line| (line.at, line.to_string())));
    let mut add = |at: u64, what: String| {
        if is_in(at) {
            lines.push((at, format!("{} {what}", SimInstant(at))));
        }
    };
    if let Some(recording) = &report.recording {
        for window in &recording.windows {
            let on = window.targets.join(", ");
            let name = &window.fault;
            let kind = crate::nemesis::describe(window.kind);
            add(
                recording.started_ns + window.open_ns,
                format!("{kind} {name} begins on {on}"),
            );
            add(
                recording.started_ns + window.close_ns,
                format!("{kind} {name} ends on {on}"),
            );
        }
    }
    for op in history(report).iter().flat_map(|history| &history.ops) {
        add(op.invoke_ts, format!("begins: {op}"));
        if let Some(at) = op.complete_ts {
            add(at, format!("ends: {op}"));
        }
    }
    lines.sort();
    let count = lines.len();
    let mut shown: Vec<String> = lines
        .into_iter()
        .map(|(_, line)| line)
        .take(LINES_MAX)
        .collect();
    if count > LINES_MAX {
        shown.push(format!("... and {} more", count - LINES_MAX));
    }
    shown
}

/// The first operation, in the order of the failing run's calls, that is another in the other run:
/// it was called at another time or ended another way.
pub(crate) fn parting(here: &SeedReport, there: &SeedReport) -> Option<Parting> {
    let (here, there) = (history(here)?, history(there)?);
    let mut pairs = here.ops.iter().map(Some).zip(there.ops.iter().map(Some));
    let (one, other) = pairs
        .find(|(one, other)| !same(one, other))
        .or_else(|| rest(&here, &there))?;
    Some(Parting {
        here: one.map(ToString::to_string),
        there: other.map(ToString::to_string),
    })
}

/// The first operation that only the longer of two histories has.
fn rest<'a>(
    here: &'a History,
    there: &'a History,
) -> Option<(Option<&'a Operation>, Option<&'a Operation>)> {
    let common = here.ops.len().min(there.ops.len());
    let pair = (here.ops.get(common), there.ops.get(common));
    (pair.0.is_some() || pair.1.is_some()).then_some(pair)
}

/// Equal in all that a client sees; which windows were open meanwhile is not of that kind.
fn same(one: &Option<&Operation>, other: &Option<&Operation>) -> bool {
    let seen = |op: &&Operation| Operation {
        fault_epoch: Vec::new(),
        ..(*op).clone()
    };
    one.as_ref().map(seen) == other.as_ref().map(seen)
}
