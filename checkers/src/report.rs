//! What a checker answers: outcome, findings, how much it consumed, what it cannot see.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::history::Operation;
use crate::value::{Brief, Value};

/// What a checker may spend. Past it the answer is [`Outcome::Unknown`], never [`Outcome::Ok`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Steps of the search: one try of one operation in one state.
    pub steps_max: u64,
    /// Bytes of what the search remembers: visited configurations and states. What the history
    /// itself needs, a small multiple of its size, comes on top.
    pub memory_bytes_max: u64,
}

/// Twenty million steps (a few seconds) and 512 MiB.
impl Default for Budget {
    fn default() -> Self {
        Self {
            steps_max: 20_000_000,
            memory_bytes_max: 512 << 20,
        }
    }
}

/// A checker's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The claim holds on this history, within the report's scope.
    Ok,
    /// The claim is broken; the findings prove it.
    Violation,
    /// The checker did not decide.
    Unknown {
        /// What stopped it.
        why: String,
    },
    /// The history does not say what the checker needs to know.
    Weak {
        /// The field, or the kind of row, that is missing.
        field: String,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Ok => f.write_str("ok"),
            Outcome::Violation => f.write_str("violation"),
            Outcome::Unknown { why } => write!(f, "unknown: {why}"),
            Outcome::Weak { field } => write!(f, "too weak, the history lacks: {field}"),
        }
    }
}

/// A broken claim, with the operations that prove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind of anomaly: `not-linearizable`, `lost-ack`, `duplicate-effect`, `two-leaders`...
    pub anomaly: String,
    /// One sentence that says what is wrong.
    pub message: String,
    /// Ids of the operations that prove it. For linearizability: the first whose response fits no
    /// order of what was invoked before it ended.
    pub ops: Vec<u64>,
    /// Ids of the longest legal prefix: a linearization, in its order, of all that ended before
    /// the operation in `ops` did. Empty for other checkers.
    pub legal_prefix: Vec<u64>,
    /// The object concerned.
    pub key: Option<Value>,
    /// The object's state after the legal prefix.
    pub state: Option<Value>,
    /// The rows of `ops`, for the reader; at most [`Finding::ROWS_MAX`] of them.
    pub rows: Vec<Operation>,
    /// The last rows of `legal_prefix`; at most [`Finding::ROWS_MAX`] of them.
    pub prefix_tail: Vec<Operation>,
    /// Ids of operations whose responses can not be explained together, while those of all but
    /// any one of them can: when one is forgotten, that is, when nothing is known of it but that
    /// it was called, some order explains the rest. For other checkers, rows that as a history
    /// of their own are refused for the same, while without any one of them they are not; those
    /// of `ops` that are not among them bear witness. Empty where there are none such, or that
    /// was not looked for.
    #[serde(default)]
    pub minimal: Vec<u64>,
    /// Whether each of `minimal` is known to be needed. If that took too long, they have no order,
    /// and some of them may be left out.
    #[serde(default)]
    pub minimal_proven: bool,
    /// The rows of `minimal`; at most [`Finding::ROWS_MAX`] of them.
    #[serde(default)]
    pub minimal_rows: Vec<Operation>,
    /// Why, in sentences, from the times and values of `minimal`. Empty for other checkers,
    /// and where `minimal` is not proven.
    #[serde(default)]
    pub explanation: Vec<String>,
}

impl Finding {
    /// How many rows a finding carries for each of its two lists.
    pub const ROWS_MAX: usize = 12;

    /// How wide sentences are written.
    const COLUMNS: usize = 80;

    /// What is said of `minimal`, after "these operations alone".
    #[must_use]
    pub const fn minimal_words(&self) -> &'static str {
        match (self.minimal_proven, self.state.is_some()) {
            (true, false) => "are refused, and without any one of them they are not",
            (true, true) => "have no order, whatever the others did, and each of them is needed",
            (false, _) => "have no order, whatever the others did, though not all may be needed",
        }
    }

    /// A finding of a checker that searches nothing.
    pub(crate) fn of_rows(
        anomaly: &str,
        message: String,
        key: Option<&Value>,
        rows: &[&Operation],
    ) -> Self {
        Self {
            anomaly: anomaly.to_owned(),
            message,
            ops: rows.iter().map(|op| op.op_id).collect(),
            legal_prefix: Vec::new(),
            key: key.cloned(),
            state: None,
            rows: rows
                .iter()
                .take(Self::ROWS_MAX)
                .map(|op| (*op).clone())
                .collect(),
            prefix_tail: Vec::new(),
            minimal: Vec::new(),
            minimal_proven: false,
            minimal_rows: Vec::new(),
            explanation: Vec::new(),
        }
    }
}

impl Finding {
    /// Where the list that a row returned first differs from the state's.
    fn difference(&self, op: &Operation) -> Option<String> {
        let state = self.state.as_ref()?.as_list()?;
        let returned = op.output.as_ref()?.as_list()?;
        let pairs = state.iter().zip(returned);
        let place = pairs.take_while(|(a, b)| a == b).count();
        match (returned.get(place), state.get(place)) {
            (None, None) => None,
            (Some(theirs), Some(ours)) => Some(format!(
                "at position {place} it has {theirs}, where the state has {ours}"
            )),
            (Some(theirs), None) => Some(format!("beyond the state it has {theirs}")),
            (None, Some(ours)) => Some(format!(
                "it ends at position {place}, where the state has {ours}"
            )),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.anomaly, self.message)?;
        if !self.prefix_tail.is_empty() {
            let hidden = self
                .legal_prefix
                .len()
                .saturating_sub(self.prefix_tail.len());
            write!(
                f,
                "\n  longest legal prefix, {} operations",
                self.legal_prefix.len()
            )?;
            if hidden > 0 {
                write!(f, " (the first {hidden} are not shown)")?;
            }
            for op in &self.prefix_tail {
                write!(f, "\n    {op}")?;
            }
        }
        if let Some(state) = &self.state {
            write!(f, "\n  state after it: {}", Brief(state))?;
        }
        if !self.rows.is_empty() {
            let searched = self.state.is_some();
            f.write_str(if searched {
                "\n  can not follow, nor come earlier:"
            } else {
                "\n  operations:"
            })?;
            for op in &self.rows {
                write!(f, "\n    {op}")?;
                if let Some(difference) = self.difference(op) {
                    write!(f, "\n      {difference}")?;
                }
            }
            if self.ops.len() > self.rows.len() {
                write!(f, "\n    and {} more", self.ops.len() - self.rows.len())?;
            }
        }
        let searched = self.state.is_some();
        let known = self.minimal.iter().all(|id| self.ops.contains(id));
        let same = known && self.minimal.len() == self.ops.len();
        if !self.minimal_rows.is_empty() && (searched || !same) {
            write!(f, "\n  these alone {}:", self.minimal_words())?;
            for op in &self.minimal_rows {
                write!(f, "\n    {op}")?;
            }
            let hidden = self.minimal.len() - self.minimal_rows.len();
            if hidden > 0 {
                write!(f, "\n    and {hidden} more")?;
            }
        }
        for sentence in &self.explanation {
            let mut column = usize::MAX;
            for word in sentence.split(' ') {
                let length = word.chars().count();
                if column.saturating_add(length) > Self::COLUMNS {
                    let indent = if column == usize::MAX { "  " } else { "    " };
                    write!(f, "\n{indent}{word}")?;
                    column = indent.len() + length;
                } else {
                    write!(f, " {word}")?;
                    column += 1 + length;
                }
            }
        }
        Ok(())
    }
}

/// What a checker says of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The checker: `linearizability`, `no-lost-ack`, `single-leader`, `progress`.
    pub checker: String,
    /// Its answer.
    pub outcome: Outcome,
    /// The proofs of a violation, by key; at most [`CheckReport::FINDINGS_MAX`] of them.
    pub findings: Vec<Finding>,
    /// Operations that the answer rests on.
    pub consumed: u64,
    /// Operations that it would rest on in a complete history.
    pub total: u64,
    /// What was judged, and what the checker cannot see.
    pub scope: String,
    /// Which engines gave the answer: `search`, or the names of monitors.
    #[serde(default)]
    pub engine: String,
    /// When a search was not decided, ids of the longest legal order that it tried.
    #[serde(default)]
    pub deepest: Vec<u64>,
}

impl CheckReport {
    /// How many findings a report carries; `scope` says when there were more.
    pub const FINDINGS_MAX: usize = 16;

    /// A report without findings.
    pub(crate) fn new(checker: &str, outcome: Outcome, consumed: u64, total: u64) -> Self {
        let (checker, findings) = (checker.to_owned(), Vec::new());
        Self {
            checker,
            outcome,
            findings,
            consumed,
            total,
            scope: String::new(),
            engine: String::new(),
            deepest: Vec::new(),
        }
    }

    /// Cuts the findings to the number that a report carries and says so in the scope.
    pub(crate) fn cap_findings(&mut self) {
        let count = self.findings.len();
        if count > Self::FINDINGS_MAX {
            self.findings.truncate(Self::FINDINGS_MAX);
            self.scope
                .push_str(&format!("; {count} findings, the first are given"));
        }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.checker, self.outcome)?;
        write!(f, " ({} of {} operations)", self.consumed, self.total)?;
        write!(
            f,
            "
  scope: {}",
            self.scope
        )?;
        for finding in &self.findings {
            write!(f, "\n{finding}")?;
        }
        Ok(())
    }
}
