//! What sections 4, 5, 7b and the header say against what the scenarios say.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::diagnostic::Code;
use crate::plan::{FieldKind, Node, Plan, PlanMode, PlanScenario, SectionKind};
use crate::read::claims::{id_key, ids, same_id};
use crate::scenario::Scenario;
use crate::sink::Sink;

/// Everything that can be held against each other before a scenario is compiled.
pub(crate) fn check(plan: &Plan, sink: &mut Sink<'_>) {
    mode(plan, sink);
    sections(plan, sink);
    circles(plan, sink);
    hypotheses(plan, sink);
    coverage(plan, sink);
    adequacy(plan, sink);
}

fn mode(plan: &Plan, sink: &mut Sink<'_>) {
    let find = |word: &str| {
        plan.header
            .iter()
            .find(|field| field.label.to_lowercase().contains(word))
    };
    if let Some(field) = find("mode")
        && plan.mode.is_none()
    {
        let message = format!("`{}` is no plan mode", field.value.text);
        let help = Some("write `change-scoped` or `project-wide`".to_owned());
        let span = field.value.span.clone();
        sink.warning(Code::UnknownPlanMode, &span, message, "which mode?", help);
    }
    if plan.mode == Some(PlanMode::ChangeScoped)
        && find("change under test").is_none_or(|field| field.value.text.is_empty())
        && let Some(field) = find("mode")
    {
        let message = "a change-scoped plan does not say which change";
        let help = Some("add `Change under test:` to the header".to_owned());
        let span = field.value.span.clone();
        sink.warning(Code::ChangeNotNamed, &span, message, "which change?", help);
    }
}

/// The sections without which a reader cannot judge a plan; asked of plans that have any.
fn sections(plan: &Plan, sink: &mut Sink<'_>) {
    let has = |kind| {
        plan.sections
            .iter()
            .any(|section| section.kind == Some(kind))
    };
    let wanted = [
        (SectionKind::Claims, "1b Claims under test"),
        (SectionKind::Hypotheses, "4 Failure-mode hypotheses"),
        (SectionKind::Adequacy, "7b Coverage adequacy argument"),
        (SectionKind::Residual, "7c Residual uncertainty"),
        (SectionKind::Confidence, "7d Confidence statement"),
        (SectionKind::NotCovered, "8 What this plan does NOT cover"),
    ];
    let lacking: Vec<&str> = wanted
        .into_iter()
        .filter(|(kind, _)| !has(*kind))
        .map(|(_, name)| name)
        .collect();
    let Some(slug) = &plan.slug else { return };
    if !lacking.is_empty() && lacking.len() < wanted.len() {
        let message = format!("the plan lacks: {}", lacking.join("; "));
        let help = Some("a section that has nothing to say says `None`".to_owned());
        let span = slug.span.clone();
        sink.warning(
            Code::MissingSection,
            &span,
            message,
            "incomplete plan",
            help,
        );
    }
}

/// Claims whose sources are each other: nothing outside the plan promises them.
fn circles(plan: &Plan, sink: &mut Sink<'_>) {
    let source = |id: &str| -> Option<String> {
        let row = plan.claims.iter().find(|row| same_id(&row.id.text, id))?;
        let cell = row.source.as_ref()?;
        let named = ids(sink.text, &cell.span);
        let whole = named
            .first()
            .filter(|first| first.text.len() == cell.text.len())?;
        Some(id_key(&whole.text))
    };
    let mut circles: Vec<(Range<usize>, Vec<String>)> = Vec::new();
    for claim in plan.claims.iter().filter(|row| !row.id.text.is_empty()) {
        let start = id_key(&claim.id.text);
        let mut path = vec![start.clone()];
        while let Some(next) = source(path.last().map_or("", String::as_str)) {
            if next == start {
                circles.push((claim.id.span.clone(), path));
                break;
            }
            if path.contains(&next) {
                break;
            }
            path.push(next);
        }
    }
    for (span, path) in circles {
        let message = format!(
            "the sources of these claims go in a circle: {}",
            path.join(", ")
        );
        let help = Some("a source is a document, code or a person, not another claim".to_owned());
        sink.error(Code::CyclicReference, &span, message, "a circle", help);
    }
}

fn closing<'p>(plan: &'p Plan, sink: &Sink<'_>) -> Vec<(&'p PlanScenario, Vec<Node>)> {
    let named = |scenario: &'p PlanScenario| {
        let fields = scenario.fields.iter();
        let fields = fields.filter(|field| field.kind == FieldKind::Closes);
        let ids = fields.flat_map(|field| crate::grammar::references::claims_named(field, sink));
        (scenario, ids.collect())
    };
    plan.scenarios.iter().map(named).collect()
}

/// Hypotheses that nobody tries, or that threaten nothing.
fn hypotheses(plan: &Plan, sink: &mut Sink<'_>) {
    let closing = closing(plan, sink);
    let mut tried: BTreeSet<String> = BTreeSet::new();
    for (_, ids) in &closing {
        tried.extend(ids.iter().map(|id| id_key(&id.text)));
    }
    let cells = plan
        .coverage
        .iter()
        .filter(|cell| !cell.scenarios.is_empty());
    let covered = cells.filter_map(|cell| cell.hypothesis.as_ref());
    tried.extend(covered.map(|id| id_key(&id.text)));
    // Plans that close nothing anywhere do not keep this account.
    let kept = !tried.is_empty();
    for row in plan.hypotheses.iter().filter(|row| !row.id.text.is_empty()) {
        let id = &row.id.text;
        if kept && !tried.contains(&id_key(id)) {
            let message = format!("no scenario tries hypothesis {id}");
            let help = Some(format!("write `Closes: {id}` into the scenario that does"));
            let label = "hypothesis without a scenario";
            let span = row.id.span.clone();
            sink.warning(Code::HypothesisWithoutScenario, &span, message, label, help);
        }
        if row.could_falsify.is_empty() {
            let message = format!("hypothesis {id} threatens no claim");
            let help = Some("write `Could falsify: C1`".to_owned());
            let span = row.id.span.clone();
            sink.warning(
                Code::HypothesisWithoutClaim,
                &span,
                message,
                "so what?",
                help,
            );
        }
    }
}

/// Names that a table uses and nobody declares.
fn declared(plan: &Plan, names: &[&Node], sink: &mut Sink<'_>) {
    for name in names {
        let is = |id: &str| same_id(id, &name.text);
        let (known, code, what) = match name.text.chars().next() {
            Some('H') => {
                let known = plan.hypotheses.iter().any(|row| is(&row.id.text));
                (known, Code::UndeclaredHypothesis, "hypothesis")
            }
            Some('S') => {
                let known = plan.scenarios.iter().any(|row| is(&row.id));
                (known, Code::UndeclaredScenario, "scenario")
            }
            _ => {
                let known = plan.claims.iter().any(|row| is(&row.id.text));
                (known, Code::UndeclaredClaim, "claim")
            }
        };
        if !known {
            let message = format!("{what} {} is not declared", name.text);
            let help = Some(format!(
                "declare it, or take it out of the {what}s named here"
            ));
            let label = format!("no such {what}");
            sink.warning(code, &name.span, message, &label, help);
        }
    }
}

/// The matrix of section 5 against what each scenario says that it falsifies and closes.
fn coverage(plan: &Plan, sink: &mut Sink<'_>) {
    let closing = closing(plan, sink);
    let mut seen: BTreeSet<(String, usize)> = BTreeSet::new();
    for cell in &plan.coverage {
        let mut names = vec![&cell.claim];
        names.extend(&cell.hypothesis);
        let fresh = |name: &&Node| !seen.contains(&(id_key(&name.text), 0));
        let unread: Vec<&Node> = names.into_iter().filter(fresh).collect();
        declared(plan, &unread, sink);
        seen.extend(unread.iter().map(|name| (id_key(&name.text), 0)));
        declared(plan, &cell.scenarios.iter().collect::<Vec<_>>(), sink);
        for named in &cell.scenarios {
            let found = closing.iter().find(|(s, _)| same_id(&s.id, &named.text));
            let Some((scenario, closes)) = found else {
                continue;
            };
            let falsifies: Vec<Node> = scenario
                .fields
                .iter()
                .filter(|field| field.kind == FieldKind::Falsifies)
                .flat_map(|field| crate::grammar::references::claims_named(field, sink))
                .collect();
            let has =
                |ids: &[Node], wanted: &Node| ids.iter().any(|id| same_id(&id.text, &wanted.text));
            let mut lacking = Vec::new();
            if !has(&falsifies, &cell.claim) {
                lacking.push(format!("falsify {}", cell.claim.text));
            }
            if let Some(hypothesis) = &cell.hypothesis
                && !closes.is_empty()
                && !has(closes, hypothesis)
            {
                lacking.push(format!("close {}", hypothesis.text));
            }
            if !lacking.is_empty() {
                let id = &scenario.id;
                let message = format!("{id} does not say that it would {}", lacking.join(" or "));
                let help = Some(format!("mend the matrix, or the fields of {id}"));
                let label = "matrix and scenario differ";
                sink.warning(Code::CoverageDiffers, &named.span, message, label, help);
            }
        }
    }
}

/// 7b against the claims and scenarios.
fn adequacy(plan: &Plan, sink: &mut Sink<'_>) {
    for row in &plan.adequacy {
        let mut names: Vec<&Node> = row.threats.iter().chain(&row.scenarios).collect();
        if crate::read::claims::is_id(&row.claim.text) {
            names.push(&row.claim);
        }
        declared(plan, &names, sink);
        if row.why.is_none() {
            let message = format!(
                "why the scenarios are enough for {} is left open",
                row.claim.text
            );
            let help = Some("say what they reach that others would not".to_owned());
            let span = row.claim.span.clone();
            sink.warning(Code::AdequacyUnargued, &span, message, "why enough?", help);
        }
    }
    if plan.adequacy.is_empty() {
        return;
    }
    for claim in plan
        .claims
        .iter()
        .filter(|row| !row.missing && !row.id.text.is_empty())
    {
        let id = &claim.id.text;
        let argued = plan
            .adequacy
            .iter()
            .any(|row| ids_in(&row.claim).iter().any(|named| same_id(named, id)));
        if !argued {
            let message = format!("7b does not argue for claim {id}");
            let help = Some("add a row: claim, threats, scenarios, why enough".to_owned());
            let span = claim.id.span.clone();
            sink.warning(
                Code::AdequacyUnargued,
                &span,
                message,
                "not argued for",
                help,
            );
        }
    }
}

/// `C1, C2` of a cell, or its only name.
fn ids_in(node: &Node) -> Vec<String> {
    let words = node.text.split(|c: char| !c.is_alphanumeric());
    words.filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// Plans all of whose scenarios with faults run on one size of cluster.
pub(crate) fn one_topology(plan: &Plan, scenarios: &[Scenario], sink: &mut Sink<'_>) {
    let faulty: Vec<&Scenario> = scenarios.iter().filter(|s| !s.faults.is_empty()).collect();
    let sizes: BTreeSet<u32> = faulty.iter().map(|s| s.topology.nodes).collect();
    let (Some(first), Some(size)) = (faulty.first(), sizes.first()) else {
        return;
    };
    if faulty.len() < 2 || sizes.len() > 1 || *size < 2 {
        return;
    }
    let written = plan.scenarios.iter().find(|s| s.line == first.line);
    let span = written.map_or(0..0, |written| written.heading.clone());
    let message = format!("every scenario runs on {size} nodes");
    let help = Some("majorities of 3, 4 and 5 nodes behave differently; vary them".to_owned());
    sink.warning(Code::OneTopology, &span, message, "one topology", help);
}
