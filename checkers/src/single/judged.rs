//! What a checker gathers while it judges, and the report made of it.

use std::collections::BTreeSet;

use super::Row;
use crate::history::{History, Operation};
use crate::report::{CheckReport, Finding, Outcome};
use crate::value::Value;

/// Findings, what was consumed, and what was missing.
pub(crate) struct Judged<'a> {
    pub(crate) history: &'a History,
    findings: Vec<Finding>,
    /// How many there are, with those that are not kept.
    found: u64,
    consumed: u64,
    notes: Vec<String>,
    weak: Option<String>,
    undecided: Option<String>,
}

impl<'a> Judged<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        Self {
            history,
            findings: Vec::new(),
            found: 0,
            consumed: 0,
            notes: Vec::new(),
            weak: None,
            undecided: None,
        }
    }

    /// The rows with their places.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (usize, &'a Operation)> + use<'a> {
        self.history.ops.iter().enumerate()
    }

    /// The rows whose type has one of the names.
    pub(crate) fn named(
        &self,
        names: &'static [&'static str],
    ) -> impl Iterator<Item = (usize, &'a Operation)> + use<'a> {
        self.rows()
            .filter(move |(_, op)| names.contains(&op.op_type.name()))
    }

    /// Adds a finding; past what a report carries it is only counted.
    pub(crate) fn find(
        &mut self,
        anomaly: &str,
        key: Option<&Value>,
        rows: &[&Operation],
        message: impl FnOnce() -> String,
    ) {
        self.found += 1;
        // One of each kind is kept, however many of another came before.
        let full = self.findings.len() >= CheckReport::FINDINGS_MAX;
        if full && self.findings.iter().any(|known| known.anomaly == anomaly) {
            return;
        }
        self.findings
            .push(Finding::of_rows(anomaly, message(), key, rows));
    }

    /// Whether anything was found.
    pub(crate) fn is_broken(&self) -> bool {
        self.found > 0
    }

    /// Counts rows that the answer rests on.
    pub(crate) fn consume(&mut self, rows: usize) {
        self.consumed += rows as u64;
    }

    /// Adds to the scope.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds to the scope how many there are, when there are any.
    pub(crate) fn note_count(&mut self, count: usize, what: &str) {
        if count > 0 {
            self.notes.push(format!("{count} {what}"));
        }
    }

    /// The history does not say what is needed; the first that is missing is kept.
    pub(crate) fn lacks(&mut self, field: impl FnOnce() -> String) {
        if self.weak.is_none() {
            self.weak = Some(field());
        }
    }

    /// The budget was spent, or the answer depends on what nobody knows.
    pub(crate) fn undecided(&mut self, why: String) {
        if self.undecided.is_none() {
            self.undecided = Some(why);
        }
    }

    /// The report.
    pub(crate) fn finish(mut self, row: &Row) -> CheckReport {
        let outcome = if self.found > 0 {
            Outcome::Violation
        } else if let Some(why) = self.undecided.take() {
            Outcome::Unknown { why }
        } else if let Some(field) = self.weak.take() {
            Outcome::Weak { field }
        } else if self.consumed == 0 {
            Outcome::Weak {
                field: row.needs.to_owned(),
            }
        } else {
            Outcome::Ok
        };
        let mut report = CheckReport::new(row.name, outcome, self.consumed, self.consumed);
        report.engine = "pass".to_owned();
        report.scope = format!("{}; cannot see {}", row.claim, row.blind);
        let left_out = self.history.ops.len() as u64 - self.consumed;
        if left_out > 0 {
            self.notes
                .push(format!("{left_out} rows say nothing about it"));
        }
        if self.found > self.findings.len() as u64 {
            let kinds: BTreeSet<&str> = self.findings.iter().map(|f| f.anomaly.as_str()).collect();
            let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
            self.notes.push(format!(
                "{} findings of {kinds}, the first are given",
                self.found
            ));
        }
        for note in &self.notes {
            report.scope.push_str("; ");
            report.scope.push_str(note);
        }
        report.findings = self.findings;
        report
    }
}
