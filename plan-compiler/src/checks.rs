//! What is checked across the plan: names, coverage, and the honesty of its last sections.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::diagnostic::Code;
use crate::grammar::references;
use crate::plan::{ClaimRow, FieldKind, Node, Plan, SectionKind};
use crate::read::claims;
use crate::scenario::{Direction, FaultKind, Scenario};
use crate::sink::Sink;

/// Words that no confidence statement can keep.
const ABSOLUTES: &[&str] = &[
    "cannot",
    "can not",
    "never",
    "impossible",
    "guarantee",
    "proves that",
];

/// Words by which a section is said to be empty.
const EMPTY: &[&str] = &["none", "nothing", "n/a", "no residual", "empty"];

/// Names that occur twice; gives the scenarios (by index) whose name was taken.
pub(crate) fn duplicates(plan: &Plan, sink: &mut Sink<'_>) -> BTreeSet<usize> {
    let mut seen: BTreeSet<(&str, String)> = BTreeSet::new();
    let claims = plan.claims.iter().map(|claim| ("claim", &claim.id));
    let hypotheses = plan.hypotheses.iter().map(|row| ("hypothesis", &row.id));
    for (what, id) in claims
        .chain(hypotheses)
        .filter(|(_, id)| !id.text.is_empty())
    {
        if !seen.insert((what, claims::id_key(&id.text))) {
            duplicate(what, &id.text, &id.span, sink);
        }
    }
    let mut taken = BTreeSet::new();
    for (at, scenario) in plan.scenarios.iter().enumerate() {
        if !seen.insert(("scenario", claims::id_key(&scenario.id))) {
            duplicate("scenario", &scenario.id, &scenario.heading, sink);
            taken.insert(at);
        }
    }
    taken
}

pub(crate) fn duplicate(what: &str, id: &str, span: &Range<usize>, sink: &mut Sink<'_>) {
    let message = format!("{what} {id} is declared twice");
    let help = Some(format!("give each {what} a name of its own"));
    sink.error(Code::DuplicateId, span, message, "second declaration", help);
}

/// Rows that lack what a claim needs.
pub(crate) fn claim_rows(plan: &Plan, sink: &mut Sink<'_>) {
    for claim in &plan.claims {
        if claim.id.text.is_empty() || claim.text.text.is_empty() {
            let what = if claim.id.text.is_empty() {
                "an id"
            } else {
                "a promise"
            };
            let span = row_span(claim);
            let message = format!("this claim lacks {what}");
            let help =
                Some("a row is `| C1 | promise | category | source | inferred? |`".to_owned());
            sink.error(
                Code::IncompleteRow,
                &span,
                message,
                "incomplete claim",
                help,
            );
        } else if claim.category.is_none() {
            let message = format!("claim {} has none of the eleven categories", claim.id.text);
            let names: Vec<&str> = claims::CATEGORIES.iter().map(|(name, _)| *name).collect();
            let help = Some(format!("one of {}; taken as safety", names.join(", ")));
            let label = "which category?";
            sink.warning(Code::UnknownCategory, &claim.id.span, message, label, help);
        }
    }
}

/// The first byte that is no UTF-8, at `good` of the text that it was read as.
pub(crate) fn not_utf8(good: usize, byte: Option<u8>, sink: &mut Sink<'_>) {
    let byte = byte.unwrap_or_default();
    let message = format!("byte {} of the plan, {byte:#04x}, is no UTF-8", good + 1);
    let help = Some("save the plan as UTF-8".to_owned());
    sink.error(
        Code::NotUtf8,
        &(good..good + 1),
        message,
        "read as U+FFFD",
        help,
    );
}

/// NUL characters: no plan has any on purpose.
pub(crate) fn nul(sink: &mut Sink<'_>) {
    let all = sink.text.bytes().filter(|byte| *byte == 0).count();
    let Some(at) = sink.text.find('\0') else {
        return;
    };
    let message = format!("the plan has NUL characters, {all} in all");
    let help = Some("take them out; a file saved as UTF-16 is full of them".to_owned());
    let span = at..at + 1;
    sink.error(Code::NulCharacter, &span, message, "the first", help);
}

fn row_span(claim: &ClaimRow) -> Range<usize> {
    let (a, b) = (&claim.id.span, &claim.text.span);
    a.start.min(b.start)..a.end.max(b.end)
}

/// Claims that no scenario can falsify, and hypotheses about claims that nobody made.
pub(crate) fn coverage(plan: &Plan, sink: &mut Sink<'_>) {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for scenario in &plan.scenarios {
        let falsifies = scenario
            .fields
            .iter()
            .filter(|f| f.kind == FieldKind::Falsifies);
        for field in falsifies {
            used.extend(
                references::claims_named(field, sink)
                    .into_iter()
                    .map(|id| claims::id_key(&id.text)),
            );
        }
    }
    for claim in plan
        .claims
        .iter()
        .filter(|claim| !claim.missing && !claim.id.text.is_empty())
    {
        if !used.contains(&claims::id_key(&claim.id.text)) {
            let message = format!("no scenario can falsify claim {}", claim.id.text);
            let help = Some("write a scenario for it, or say in section 8 why not".to_owned());
            let label = "claim without a scenario";
            sink.warning(
                Code::ClaimWithoutScenario,
                &claim.id.span,
                message,
                label,
                help,
            );
        }
    }
    let keys = plan.claims.iter().map(|c| claims::id_key(&c.id.text));
    let declared: BTreeSet<String> = keys.collect();
    let named = plan.hypotheses.iter().flat_map(|row| &row.could_falsify);
    let unknown: Vec<&Node> = named
        .filter(|id| !declared.contains(&claims::id_key(&id.text)))
        .collect();
    for id in unknown.into_iter().filter(|id| !id.text.starts_with('H')) {
        let message = format!("claim {} is not declared", id.text);
        let help = Some("add it to the table of section 1b".to_owned());
        sink.error(
            Code::UndeclaredClaim,
            &id.span,
            message,
            "no such claim",
            help,
        );
    }
}

/// Plans whose partitions are all symmetric, scenario by scenario.
pub(crate) fn symmetric_only(plan: &Plan, scenarios: &[Scenario], sink: &mut Sink<'_>) {
    let cuts = |scenario: &Scenario| -> Vec<Direction> {
        let direction = scenario.faults.iter().map(|fault| match fault.kind {
            FaultKind::Partition { direction, .. } => Some(direction),
            FaultKind::Split { one_way, .. } => Some(match one_way {
                true => Direction::OneWay,
                false => Direction::Both,
            }),
            _ => None,
        });
        direction.flatten().collect()
    };
    let all: Vec<Direction> = scenarios.iter().flat_map(cuts).collect();
    if all.is_empty() || all.iter().any(|direction| *direction != Direction::Both) {
        return;
    }
    let first = scenarios.iter().find(|scenario| !cuts(scenario).is_empty());
    let written = first.and_then(|s| plan.scenarios.iter().find(|written| written.line == s.line));
    let Some(written) = written else { return };
    let message = "every partition of the plan cuts both ways";
    let help = Some("add an asymmetric partition: half-open links break what these do not".into());
    let label = "symmetric partitions only";
    sink.warning(Code::SymmetricOnly, &written.heading, message, label, help);
}

/// 7c must not be silently empty; 7d must not promise the absolute.
pub(crate) fn honesty(plan: &Plan, sink: &mut Sink<'_>) {
    for section in &plan.sections {
        let body = sink.text[sink.lines.snap(&(section.title.span.end..section.span.end))].trim();
        let lower = body.to_lowercase();
        match section.kind {
            Some(SectionKind::Residual) if section.blocks == 0 => {
                let heading = section.title.text.to_lowercase();
                if !EMPTY.iter().any(|word| heading.contains(word)) {
                    let message = "the residual uncertainty is empty";
                    let help = Some("list what stays unknown, or write `None`".to_owned());
                    let span = section.title.span.clone();
                    sink.warning(
                        Code::EmptyResidual,
                        &span,
                        message,
                        "said to be empty?",
                        help,
                    );
                }
            }
            Some(SectionKind::Confidence) => {
                let Some(word) = ABSOLUTES.iter().find(|word| lower.contains(**word)) else {
                    continue;
                };
                let raw = &sink.text[section.title.span.end.min(sink.text.len())..];
                let at = raw.to_ascii_lowercase().find(*word);
                let start = at.map_or(section.title.span.start, |at| section.title.span.end + at);
                let message = format!("`{word}` is more than tests can show");
                let help = Some("say what was tried, and what was not found".to_owned());
                let span = start..start + word.len();
                sink.warning(
                    Code::AbsoluteConfidence,
                    &span,
                    message,
                    "an absolute",
                    help,
                );
            }
            _ => {}
        }
    }
}
