//! The labels of a scenario's fields, and how a line is found to carry one.

use std::ops::Range;

use crate::plan::FieldKind;

/// A label is not longer than this, in bytes.
const LABEL_BYTES_MAX: usize = 64;

/// Labels without case and punctuation, and the fields they name.
pub(crate) const LABELS: &[(&str, FieldKind)] = &[
    ("falsifies if it fails", FieldKind::Falsifies),
    ("falsifies if fails", FieldKind::Falsifies),
    ("falsifies", FieldKind::Falsifies),
    ("claims", FieldKind::Falsifies),
    ("claim", FieldKind::Falsifies),
    ("closes", FieldKind::Closes),
    ("technique", FieldKind::Technique),
    ("techniques", FieldKind::Technique),
    ("topology", FieldKind::Topology),
    ("cluster", FieldKind::Topology),
    ("nodes", FieldKind::Topology),
    ("disk", FieldKind::Disks),
    ("disks", FieldKind::Disks),
    ("disk profile", FieldKind::Disks),
    ("workload", FieldKind::Workload),
    ("load", FieldKind::Workload),
    ("faults", FieldKind::Faults),
    ("fault", FieldKind::Faults),
    ("fault schedule", FieldKind::Faults),
    ("nemesis", FieldKind::Faults),
    ("oracle", FieldKind::Oracle),
    ("oracles", FieldKind::Oracle),
    ("observability required", FieldKind::Observability),
    ("observability", FieldKind::Observability),
    ("exit criteria", FieldKind::ExitCriteria),
    ("exit criterion", FieldKind::ExitCriteria),
    ("allow", FieldKind::Allow),
    ("budgets", FieldKind::Budgets),
    ("budget", FieldKind::Budgets),
    ("budgets smoke hardening release", FieldKind::Budgets),
    ("target test file", FieldKind::TargetFile),
    ("target file", FieldKind::TargetFile),
    ("skeleton language", FieldKind::Language),
    ("language", FieldKind::Language),
    ("skeleton", FieldKind::Skeleton),
    ("notes", FieldKind::Note),
    ("note", FieldKind::Note),
    ("rationale", FieldKind::Note),
    ("why", FieldKind::Note),
    ("comment", FieldKind::Note),
    ("description", FieldKind::Note),
    ("priority", FieldKind::Note),
    ("severity", FieldKind::Note),
    ("owner", FieldKind::Note),
    ("status", FieldKind::Note),
    ("tags", FieldKind::Note),
    ("references", FieldKind::Note),
    ("hypotheses", FieldKind::Note),
    ("7 m", FieldKind::Formal),
    ("7 m formal", FieldKind::Formal),
    ("7 m s", FieldKind::Surfaces),
    ("surfaces and arms", FieldKind::Surfaces),
    ("surfaces", FieldKind::Surfaces),
    ("model under test", FieldKind::Model),
    ("model", FieldKind::Model),
    ("operation history", FieldKind::History),
    ("history", FieldKind::History),
    ("checker", FieldKind::Checker),
    ("checkers", FieldKind::Checker),
    ("nemesis landing evidence", FieldKind::Landing),
    ("nemesis and landing evidence", FieldKind::Landing),
    ("nemesis landing", FieldKind::Landing),
    ("nemesis and landing", FieldKind::Landing),
    ("landing evidence", FieldKind::Landing),
    ("landing", FieldKind::Landing),
    ("ambiguous outcomes", FieldKind::Ambiguity),
    ("ambiguous", FieldKind::Ambiguity),
    ("ambiguity", FieldKind::Ambiguity),
    ("reduction plan", FieldKind::Reduction),
    ("reduction", FieldKind::Reduction),
];

impl FieldKind {
    /// The field's name in a plan.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            FieldKind::Falsifies => "Falsifies if it FAILs",
            FieldKind::Closes => "Closes",
            FieldKind::Technique => "Technique",
            FieldKind::Topology => "Topology",
            FieldKind::Disks => "Disk",
            FieldKind::Workload => "Workload",
            FieldKind::Faults => "Faults",
            FieldKind::Oracle => "Oracle",
            FieldKind::Observability => "Observability required",
            FieldKind::ExitCriteria => "Exit criteria",
            FieldKind::Allow => "Allow",
            FieldKind::Budgets => "Budgets",
            FieldKind::TargetFile => "Target test file",
            FieldKind::Language => "Skeleton language",
            FieldKind::Skeleton => "Skeleton",
            FieldKind::Note => "Notes",
            FieldKind::Formal => "7.M",
            FieldKind::Surfaces => "7.M.S",
            FieldKind::Model => "Model under test",
            FieldKind::History => "Operation history",
            FieldKind::Checker => "Checker",
            FieldKind::Landing => "Nemesis + landing evidence",
            FieldKind::Ambiguity => "Ambiguous outcomes",
            FieldKind::Reduction => "Reduction plan",
        }
    }

    /// Whether the field is one of 7.M, whose fields may share a line.
    #[must_use]
    pub fn is_formal(self) -> bool {
        self >= FieldKind::Formal && self != FieldKind::Surfaces
    }
}

/// A label at the start of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labelled {
    /// The field, when the label is known.
    pub(crate) kind: Option<FieldKind>,
    /// The label's bytes, without markup and colon.
    pub(crate) label: Range<usize>,
    /// The bytes after it.
    pub(crate) value: Range<usize>,
}

/// Reads `label: value` at the start of a line; `None` when nothing looks like a label.
pub(crate) fn labelled(text: &str, line: &Range<usize>) -> Option<Labelled> {
    let raw = &text[line.clone()];
    let lead = raw.len() - raw.trim_start_matches(['*', '_', '`', ' ', '#']).len();
    let body = &raw[lead..];
    let (label_end, value_at) = match body.find(':') {
        Some(colon) if colon <= LABEL_BYTES_MAX => (colon, colon + 1),
        _ => bare_section(body)?,
    };
    let label = body[..label_end].trim_end_matches(['*', '_', '`', ' ']);
    if label.is_empty() || label.contains([';', '"', '.']) && !label.starts_with("7.") {
        return None;
    }
    let value = body[value_at..].trim_start_matches(['*', '_', ' ', '\t', ':']);
    let start = line.start + lead;
    Some(Labelled {
        kind: known(label),
        label: start..start + label.len(),
        value: line.end - value.len()..line.end,
    })
}

/// `7.M` or `7.M.S` standing alone, with nothing after it or a remark in words.
fn bare_section(body: &str) -> Option<(usize, usize)> {
    let word = body
        .split_whitespace()
        .next()?
        .trim_end_matches(['*', '_', '`']);
    let is_section = word.eq_ignore_ascii_case("7.M") || word.eq_ignore_ascii_case("7.M.S");
    is_section.then_some((word.len(), body.len()))
}

/// The field a label names.
pub(crate) fn known(label: &str) -> Option<FieldKind> {
    let normal = normal(label);
    let find = |wanted: &str| {
        LABELS
            .iter()
            .find(|(l, _)| *l == wanted)
            .map(|(_, kind)| *kind)
    };
    if let Some(kind) = find(&normal) {
        return Some(kind);
    }
    let rest = normal
        .strip_prefix("7 m s ")
        .or_else(|| normal.strip_prefix("7 m "))?;
    Some(find(rest).unwrap_or(FieldKind::Formal))
        .filter(|kind| *kind != FieldKind::Formal || normal.starts_with("7 m formal"))
}

/// A label without case, punctuation and what stands in brackets.
pub(crate) fn normal(label: &str) -> String {
    let outside = label.split('(').next().unwrap_or("");
    let spaced: String = outside
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    words.join(" ").to_lowercase()
}
