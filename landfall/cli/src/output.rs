//! What is written: text or JSON on the standard output, everything else on the standard error.

use std::io::{self, IsTerminal as _, Write as _};

use landfall::judge::session::PlanSession;
use landfall::sweep::{Divergence, TestResult};
use serde::Serialize;

use crate::exit;

/// Results as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// `run`, `sweep` or `replay`.
    pub(crate) command: &'a str,
    /// One row a test.
    pub(crate) results: Vec<Row>,
    /// What each plan comes to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sessions: Vec<PlanSession>,
    /// What the command exits with.
    pub(crate) exit_code: u8,
}

/// A test's result as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// The package it is in.
    pub(crate) package: String,
    /// Its name in `cargo test`.
    pub(crate) test: String,
    /// The plan, if any.
    pub(crate) plan: Option<String>,
    /// The scenario's id in the plan.
    pub(crate) scenario: Option<String>,
    /// The scenario's name in the plan.
    pub(crate) name: Option<String>,
    /// The verdict.
    pub(crate) verdict: &'static str,
    /// Whether the plan allows this verdict although it is not a pass.
    pub(crate) allowed: bool,
    /// Why this verdict.
    pub(crate) reason: String,
    /// How many seeds were run.
    pub(crate) seeds: u64,
    /// What the seeds add up to.
    pub(crate) tally: serde_json::Value,
    /// The first failing seeds.
    pub(crate) failures: Vec<FailureRow>,
    /// Two runs that differ.
    pub(crate) divergence: Option<Divergence>,
    /// The command that runs the first failing seed again.
    pub(crate) replay: Option<String>,
}

/// A failing seed as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct FailureRow {
    /// The seed.
    pub(crate) seed: u64,
    /// The digest of its run; none when its process died.
    pub(crate) digest: Option<String>,
    /// What kind of failure.
    pub(crate) signature: Option<String>,
    /// What failed, in words.
    pub(crate) reasons: Vec<String>,
}

impl Row {
    /// The row of a result. Failing runs are left out but for what tells them apart.
    pub(crate) fn new(package: &str, result: &TestResult, replay: Option<String>) -> Self {
        let failures = result.tally.failures.iter().map(|outcome| FailureRow {
            seed: outcome.seed(),
            digest: outcome.digest().map(|digest| digest.to_string()),
            signature: outcome.signature(),
            reasons: outcome.failures(),
        });
        let failures = failures.collect();
        let mut tally = serde_json::to_value(&result.tally).expect("plain data has a JSON form");
        if let Some(fields) = tally.as_object_mut() {
            fields.remove("failures");
        }
        Self {
            package: package.to_owned(),
            test: result.test.test.clone(),
            plan: result.test.plan.clone(),
            scenario: result.test.id.clone(),
            name: result
                .test
                .scenario
                .as_ref()
                .map(|scenario| scenario.name.clone()),
            verdict: result.judgement.verdict.name(),
            allowed: exit::is_allowed(result),
            reason: result.judgement.reason.clone(),
            seeds: result.tally.seeds,
            tally,
            failures,
            divergence: result.divergence.clone(),
            replay,
        }
    }
}

/// Writes text to the standard output, ending in a newline.
pub(crate) fn print(text: &str) {
    let newline = if text.ends_with('\n') || text.is_empty() {
        ""
    } else {
        "\n"
    };
    // A reader that has gone away (`| head`) is no failure, and changes no exit code.
    let mut out = io::stdout().lock();
    let _ = write!(out, "{text}{newline}").and_then(|()| out.flush());
}

/// Writes one JSON value to the standard output.
pub(crate) fn print_json(value: &impl Serialize) {
    print(&serde_json::to_string_pretty(value).expect("plain data has a JSON form"));
}

/// Writes one JSON value to a line of the standard output.
pub(crate) fn print_line(value: &impl Serialize) {
    print(&serde_json::to_string(value).expect("plain data has a JSON form"));
}

/// Writes a line to the standard error.
pub(crate) fn say(line: &str) {
    // As for the standard output.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether a line that is overwritten again and again is of use.
#[expect(
    clippy::disallowed_methods,
    reason = "CI is nobody's but the terminal's"
)]
pub(crate) fn shows_progress() -> bool {
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    io::stderr().is_terminal() && !ci
}
