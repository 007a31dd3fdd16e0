//! What a scenario must have before it may run, and what weakens it.

use checkers::spec::{CheckerSpec, ModelKind};

use crate::compile::{Draft, fields};
use crate::diagnostic::Code;
use crate::grammar::faults;
use crate::human::duration;
use crate::judges::judges;
use crate::plan::{FieldKind, PlanScenario};
use crate::read::claims;
use crate::scenario::{Arm, Category, Claim, FaultSpec};
use crate::sink::Sink;

/// Categories whose claims need a 7.M.
const GATED: &[Category] = &[
    Category::Safety,
    Category::Durability,
    Category::Idempotency,
    Category::Isolation,
    Category::Ordering,
    Category::Membership,
];

/// 7.M where a claim needs it.
pub(crate) fn formal(written: &PlanScenario, falsifies: &[Claim], sink: &mut Sink<'_>) {
    let Some(claim) = falsifies
        .iter()
        .find(|claim| GATED.contains(&claim.category))
    else {
        return;
    };
    let has = |kind| fields(written, kind).any(|field| !field.parts.is_empty());
    let no_faults = fields(written, FieldKind::Faults).count() > 0 && has(FieldKind::Oracle);
    let checker = has(FieldKind::Checker) || no_faults;
    let mut lacking: Vec<&str> = Vec::new();
    if !has(FieldKind::Model) {
        lacking.push("Model under test");
    }
    if !checker {
        lacking.push("Checker");
    }
    let whole = [
        FieldKind::Model,
        FieldKind::History,
        FieldKind::Checker,
        FieldKind::Landing,
        FieldKind::Ambiguity,
        FieldKind::Reduction,
    ];
    let span = written.heading.clone();
    let (id, category) = (&claim.id, category_name(claim.category));
    if !whole.into_iter().any(has) {
        let message = format!(
            "scenario {} falsifies {id} ({category}) and has no 7.M",
            written.id
        );
        let help = Some(
            "add `7.M Model: ...; history: default schema; checker: ...; nemesis + landing: ...; \
             ambiguous: ...; reduction: ...`"
                .to_owned(),
        );
        sink.error(
            Code::MissingFormal,
            &span,
            message,
            "7.M is mandatory here",
            help,
        );
    } else if !lacking.is_empty() {
        let message = format!(
            "the 7.M of scenario {} lacks {}",
            written.id,
            lacking.join(", ")
        );
        let help = Some(format!(
            "{id} is a {category} claim, which makes all of 7.M mandatory"
        ));
        sink.error(Code::MissingFormal, &span, message, "incomplete 7.M", help);
    } else {
        let open = [
            FieldKind::History,
            FieldKind::Ambiguity,
            FieldKind::Reduction,
        ];
        let open: Vec<&str> = open
            .into_iter()
            .filter(|k| !has(*k))
            .map(FieldKind::label)
            .collect();
        if !open.is_empty() {
            let message = format!("7.M leaves open: {}", open.join(", "));
            let help = Some("the defaults hold; say so to be understood by readers".to_owned());
            sink.warning(Code::MissingFormal, &span, message, "incomplete 7.M", help);
        }
    }
}

/// 7.M.S where a claim is about surfaces or groups.
pub(crate) fn surfaces(
    written: &PlanScenario,
    falsifies: &[Claim],
    arm: Option<&Arm>,
    sink: &mut Sink<'_>,
) {
    if let Some(arm) = arm {
        let said = format!("arm {}: {}", arm.name, arm.surface);
        sink.explain(FieldKind::Surfaces, &written.heading, said);
        return;
    }
    let split = [Category::Boundary, Category::Fairness];
    let claim = falsifies.iter().find(|c| split.contains(&c.category));
    let said = fields(written, FieldKind::Surfaces).count() > 0;
    if let Some(claim) = claim
        && !said
    {
        let (id, category) = (&claim.id, category_name(claim.category));
        let message = format!("{id} is a {category} claim, and the scenario has no 7.M.S");
        let help = Some(format!(
            "list the surfaces, an arm each: `7.M.S: {0}/api: ...; {0}/export: ...`; or `none` \
             when there is one only",
            written.id
        ));
        let span = written.heading.clone();
        sink.error(
            Code::MissingSurfaces,
            &span,
            message,
            "which surfaces?",
            help,
        );
    }
}

/// The category as plans write it.
pub(crate) fn category_name(category: Category) -> &'static str {
    let found = claims::CATEGORIES
        .iter()
        .find(|(_, known)| *known == category);
    found.map_or("", |(name, _)| name)
}

/// What a scenario must have and what weakens it.
pub(crate) fn complete(
    written: &PlanScenario,
    draft: &Draft,
    specs: &[FaultSpec],
    model: ModelKind,
    sink: &mut Sink<'_>,
) {
    let span = &written.heading;
    let id = &written.id;
    let judged = [FieldKind::Oracle, FieldKind::Checker];
    let oracle_said = judged.iter().flat_map(|kind| fields(written, *kind));
    let oracle_said = oracle_said.filter(|field| !field.parts.is_empty()).count() > 0;
    if draft.checkers.is_empty() && (sink.errors.is_empty() || !oracle_said) {
        let message = format!("nobody judges scenario {id}");
        let help = Some("add `Oracle: linearizability` or another checker".to_owned());
        sink.error(Code::NoOracle, span, message, "no oracle", help);
    }
    let planned = fields(written, FieldKind::Faults)
        .any(|field| !field.parts.is_empty() && !faults::says_none(field, sink));
    let landing_said = fields(written, FieldKind::Landing).any(|field| !field.parts.is_empty());
    let wanted = !specs.is_empty() || planned && !sink.errors.is_empty();
    if wanted && draft.landing.conditions.is_empty() && (sink.errors.is_empty() || !landing_said) {
        let message = format!("nothing says how the faults of scenario {id} are known to land");
        let help = Some("add `Landing evidence: packets dropped > 0`".to_owned());
        sink.error(Code::NoLanding, span, message, "no landing evidence", help);
    }
    unjudged(draft, model, sink);
    if fields(written, FieldKind::Faults).all(|field| field.parts.is_empty()) {
        sink.default(FieldKind::Faults, "no faults");
    }
    if draft.checkers == [CheckerSpec::NoLostAck] {
        let message = format!("scenario {id} judges the final state only");
        let help = Some("add linearizability, which judges every operation".to_owned());
        sink.warning(Code::FinalStateOnly, span, message, "weak oracle", help);
    }
    let budgets = draft.exit.budgets;
    for (name, budget) in [("smoke", budgets.smoke), ("hardening", budgets.hardening)] {
        if budget.seeds == 1 {
            let message = format!("one seed of {name} is never more than PARTIAL-model");
            let help = Some("give it three seeds at least".to_owned());
            sink.warning(Code::OneSeed, span, message, "one seed", help);
        }
    }
    for (name, said, budget) in [
        ("smoke", draft.exit.said[0], budgets.smoke),
        ("hardening", draft.exit.said[1], budgets.hardening),
        ("release", draft.exit.said[2], budgets.release),
    ] {
        if !said {
            let length = budget
                .duration_ns
                .map_or(String::new(), |ns| format!(" of {}", duration(ns)));
            sink.default(
                FieldKind::Budgets,
                format!("{name}: {} seeds{length}", budget.seeds),
            );
        }
    }
}

/// Exit criteria that no oracle of the scenario could find unmet.
fn unjudged(draft: &Draft, model: ModelKind, sink: &mut Sink<'_>) {
    if draft.checkers.is_empty() {
        return;
    }
    for asked in &draft.exit.asked {
        let mut have = draft.checkers.iter();
        if have.any(|have| judges(*have, model, asked.what)) {
            continue;
        }
        let words = asked.what.words();
        let message = format!("the exit criteria take for granted that: {words}");
        let remedy = asked.what.remedy();
        let help = Some(format!(
            "name an oracle that finds it, as in `Oracle: {remedy}`"
        ));
        let span = &asked.span;
        sink.error(Code::NoOracle, span, message, "nobody judges this", help);
    }
}
