//! A history judged at one level, as a report.

use std::collections::BTreeSet;

use super::analysis::{Analysis, Verdict, Workload, analyze_with};
use super::levels::Level;
use super::options::Options;
use crate::history::{History, Operation};
use crate::report::{Budget, CheckReport, Finding, Outcome};
use crate::value::Value;

/// Judges a history at a level. The findings are what shows that the level, or a weaker one,
/// fails; the analysis, which is there when the history could be read, tells every level.
///
/// Cost: that of [`super::analyze`]. Every object begins with `initial`, null for nothing.
#[must_use]
pub fn judge(
    history: &History,
    workload: Workload,
    level: Level,
    initial: &Value,
    budget: &Budget,
) -> (CheckReport, Option<Analysis>) {
    let options = Options {
        initial: initial.clone(),
        ..Options::default()
    };
    judge_with(history, workload, level, &options, budget)
}

/// As [`judge`], with what is taken for granted.
#[must_use]
pub fn judge_with(
    history: &History,
    workload: Workload,
    level: Level,
    options: &Options,
    budget: &Budget,
) -> (CheckReport, Option<Analysis>) {
    let total = history.ops.iter().filter(|op| op.is_client()).count() as u64;
    let report = |outcome, consumed| CheckReport::new(workload.name(), outcome, consumed, total);
    if let Err(why) = history.validate() {
        let mut report = report(Outcome::Unknown { why }, 0);
        report.scope = "the history contradicts itself and was not judged".to_owned();
        return (report, None);
    }
    let weak = |field: String| {
        let mut report = report(Outcome::Weak { field }, 0);
        report.scope = "nothing was judged".to_owned();
        (report, None)
    };
    if total == 0 {
        return weak("transactions".to_owned());
    }
    let analysis = match analyze_with(history, workload, options, budget) {
        Ok(analysis) => analysis,
        Err(field) => return weak(field),
    };
    let outcome = match analysis.verdict(level) {
        Verdict::Holds => Outcome::Ok,
        Verdict::Fails { .. } => Outcome::Violation,
        Verdict::Unknown { why } => Outcome::Unknown { why: why.clone() },
    };
    let mut report = report(outcome, total);
    report.engine = "dependencies".to_owned();
    report.scope = scope(&analysis, level);
    report.findings = findings(history, &analysis, level);
    report.cap_findings();
    (report, Some(analysis))
}

fn scope(analysis: &Analysis, level: Level) -> String {
    use std::fmt::Write as _;
    let names = |levels: &[Level]| {
        let names: Vec<String> = levels.iter().map(ToString::to_string).collect();
        match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        }
    };
    let (holds, fails) = (names(&analysis.holds), names(&analysis.fails));
    let mut scope = format!(
        "{level} of {} transactions that took part; holds: {holds}; fails: {fails}",
        analysis.transactions
    );
    if !analysis.counts.is_empty() {
        scope.push_str("; anomalies:");
        for (at, (name, count)) in analysis.counts.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let _ = write!(scope, "{comma} {name} {count}");
        }
    }
    for assumption in &analysis.assumptions {
        let _ = write!(scope, "; assumed: {assumption}");
    }
    scope
}

/// What shows that the level fails, or one that it implies; the level's own witness first.
fn findings(history: &History, analysis: &Analysis, level: Level) -> Vec<Finding> {
    let witness = |verdict: &Verdict| match verdict {
        Verdict::Fails { anomaly } => Some(*anomaly),
        _ => None,
    };
    let below = analysis
        .levels
        .iter()
        .filter(|(other, _)| level.implies(*other));
    let below: BTreeSet<usize> = below.filter_map(|(_, verdict)| witness(verdict)).collect();
    let own = witness(analysis.verdict(level));
    let rest = below.into_iter().filter(|place| Some(*place) != own);
    let mut rows: Vec<(u64, &Operation)> = Vec::new();
    let places: Vec<usize> = own.into_iter().chain(rest).collect();
    if !places.is_empty() {
        rows = history.ops.iter().map(|op| (op.op_id, op)).collect();
        rows.sort_unstable_by_key(|(id, _)| *id);
    }
    let row = |id: &u64| {
        let found = rows.binary_search_by_key(id, |(id, _)| *id);
        found.ok().map(|at| rows[at].1)
    };
    let found = places.into_iter().map(|place| {
        let anomaly = &analysis.anomalies[place];
        let rows: Vec<&Operation> = anomaly.ops.iter().filter_map(row).collect();
        let message = anomaly.message.clone();
        Finding::of_rows(&anomaly.name, message, anomaly.key.as_ref(), &rows)
    });
    found.collect()
}
