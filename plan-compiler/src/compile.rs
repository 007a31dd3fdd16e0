//! A plan's scenarios to scenarios that run: fields to drafts, drafts and defaults to data.

use checkers::spec::{CheckerSpec, ModelKind};

use crate::diagnostic::Code;
use crate::grammar::budgets::{self, ExitDraft};
use crate::grammar::faults::{self, Stage};
use crate::grammar::landing::{self, LandingDraft};
use crate::grammar::workload::{self, WorkloadDraft};
use crate::grammar::{checker_words, disk_words, evidence, formal, oracle, references};
use crate::plan::{Field, FieldKind, Plan, PlanScenario};
use crate::read::claims::same_id;
use crate::read::labels;
use crate::scenario::{Ambiguity, Arm, CAPTURED, Category, Claim, FaultSpec, Observable, Scenario};
use crate::sink::Sink;
use crate::suggest::nearest;
use crate::weakness::{self, Made};
use crate::{defaults, obligations};

/// Everything the fields of one scenario say.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) workload: WorkloadDraft,
    pub(crate) model: Option<ModelKind>,
    pub(crate) checkers: Vec<CheckerSpec>,
    pub(crate) converge_ns: Option<u64>,
    pub(crate) landing: LandingDraft,
    pub(crate) exit: ExitDraft,
    pub(crate) observability: Vec<String>,
}

/// Compiles one scenario, or one arm of it; `None` when an error stands against it.
pub(crate) fn scenario(
    plan: &Plan,
    written: &PlanScenario,
    arm: Option<Arm>,
    sink: &mut Sink<'_>,
) -> Option<Scenario> {
    strays(written, sink);
    let falsifies = falsified(plan, written, sink);
    let closes = closed(plan, written, sink);
    let mut ambiguity = Ambiguity {
        timeouts_may_succeed: true,
        retries_separate: true,
    };
    let mut draft = Draft::default();
    // What an oracle judges can depend on what clients do, and to what, wherever that is said.
    let is_first = |field: &&Field| {
        let kind = field.kind;
        matches!(
            kind,
            FieldKind::Workload | FieldKind::Topology | FieldKind::Model
        )
    };
    let (first, then): (Vec<_>, Vec<_>) = written.fields.iter().partition(is_first);
    for field in first.into_iter().chain(then) {
        read(field, &mut draft, &mut ambiguity, sink);
    }
    obligations::formal(written, &falsifies, sink);
    let ((topology, weather, disks), workload, model) = defaults::settle(written, &draft, sink);
    let stage = Stage {
        nodes: topology.nodes,
        workload_ns: workload.duration_ns,
    };
    let mut faults: Vec<FaultSpec> = Vec::new();
    let errors = sink.errors.len();
    for field in fields(written, FieldKind::Faults) {
        faults::read(field, stage, &mut faults, sink);
    }
    let all_read = sink.errors.len() == errors;
    obligations::surfaces(written, &falsifies, arm.as_ref(), sink);
    obligations::complete(written, &draft, &faults, model, sink);
    let mut conditions = std::mem::take(&mut draft.landing.conditions);
    if all_read {
        evidence::tie(&mut conditions, &faults, sink);
    }
    let made = Made {
        falsifies: &falsifies,
        workload: &workload,
        topology,
        model,
        faults: &faults,
        draft: &draft,
    };
    weakness::check(written, &made, sink);
    if !sink.errors.is_empty() {
        return None;
    }
    Some(Scenario {
        id: written.id.clone(),
        name: written.name.clone(),
        line: written.line,
        arm,
        falsifies,
        closes,
        topology,
        weather,
        disks,
        every_fault: draft.workload.every_fault,
        heal: draft.workload.heal.unwrap_or_default(),
        converge_ns: draft.converge_ns,
        workload,
        faults,
        model,
        checkers: draft.checkers,
        landing: conditions.into_iter().map(|(landing, _)| landing).collect(),
        ambiguity,
        budgets: draft.exit.budgets,
        exit: draft.exit.criteria,
        landed_seeds_min: draft
            .exit
            .landed_seeds_min
            .or(draft.landing.seeds_min)
            .unwrap_or(3),
        allow: draft.exit.allow,
        observability: draft.observability,
    })
}

pub(crate) fn fields(written: &PlanScenario, kind: FieldKind) -> impl Iterator<Item = &Field> {
    written
        .fields
        .iter()
        .filter(move |field| field.kind == kind)
}

/// Lines that look like fields of no known name are errors; other prose is a warning.
fn strays(written: &PlanScenario, sink: &mut Sink<'_>) {
    let known: Vec<&str> = labels::LABELS.iter().map(|(label, _)| *label).collect();
    for stray in &written.strays {
        let label = labels::normal(stray.text.split(':').next().unwrap_or(""));
        let near = nearest(&label, known.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "remarks can stand under `Notes:`".to_owned(),
        };
        let message = format!("`{}` is no field of a scenario", short(&stray.text));
        let label = "not a known field";
        sink.error(Code::UnknownField, &stray.span, message, label, Some(help));
    }
    if let Some(first) = written.prose.iter().chain(&written.rows).next() {
        let message = "this text belongs to no field and is not compiled";
        let help = Some("move it under `Notes:`, or into the field it belongs to".to_owned());
        sink.warning(
            Code::ProseNotCompiled,
            &first.span,
            message,
            "not compiled",
            help,
        );
    }
}

fn short(text: &str) -> String {
    let cut: String = text.chars().take(40).collect();
    if cut.len() < text.len() {
        format!("{cut}...")
    } else {
        cut
    }
}

/// The claims a scenario falsifies, each looked up in the plan's tables.
fn falsified(plan: &Plan, written: &PlanScenario, sink: &mut Sink<'_>) -> Vec<Claim> {
    let mut found: Vec<Claim> = Vec::new();
    let mut said = false;
    for field in fields(written, FieldKind::Falsifies) {
        for id in references::claims_named(field, sink) {
            said = true;
            let declared = plan
                .claims
                .iter()
                .find(|claim| same_id(&claim.id.text, &id.text));
            match declared {
                Some(row) if found.iter().all(|claim| claim.id != row.id.text) => {
                    sink.explain(FieldKind::Falsifies, &id.span, row.text.text.clone());
                    found.push(Claim {
                        id: row.id.text.clone(),
                        text: row.text.text.clone(),
                        category: row.category.unwrap_or(Category::Safety),
                        line: row.line,
                    });
                }
                Some(_) => {}
                None => undeclared(plan, &id, sink),
            }
        }
    }
    if !said {
        no_claim(written, sink);
    }
    found
}

/// The hypotheses that a scenario tries; each must be one of section 4, where there is one.
fn closed(plan: &Plan, written: &PlanScenario, sink: &mut Sink<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for field in fields(written, FieldKind::Closes) {
        for id in references::claims_named(field, sink) {
            let declared = plan
                .hypotheses
                .iter()
                .find(|row| same_id(&row.id.text, &id.text));
            match declared {
                Some(row) => {
                    sink.explain(FieldKind::Closes, &id.span, row.text.text.clone());
                    if !found.contains(&row.id.text) {
                        found.push(row.id.text.clone());
                    }
                }
                None if !id.text.starts_with('H') => {}
                None => {
                    let message = format!("hypothesis {} is not declared", id.text);
                    let help = Some("add it to section 4".to_owned());
                    let label = "no such hypothesis";
                    sink.warning(Code::UndeclaredHypothesis, &id.span, message, label, help);
                }
            }
        }
    }
    found
}

/// A scenario that names no claim: a control is only warned about, words are not understood.
fn no_claim(written: &PlanScenario, sink: &mut Sink<'_>) {
    let field = fields(written, FieldKind::Falsifies).find(|field| !field.parts.is_empty());
    let text = field
        .map(|field| field.text(sink.text).to_lowercase())
        .unwrap_or_default();
    let none = text.is_empty() || text.starts_with("none") || text.starts_with("n/a");
    let span = field.map_or(written.heading.clone(), Field::span);
    let help = Some("write the ids of section 1b: `Falsifies if it FAILs: C1`".to_owned());
    if none {
        let message = format!("scenario {} falsifies no claim", written.id);
        let label = "what does a FAIL mean?";
        sink.warning(Code::ScenarioWithoutClaim, &span, message, label, help);
    } else {
        let message = "no claim is named here";
        sink.error(Code::NotUnderstood, &span, message, "which claim?", help);
    }
}

fn undeclared(plan: &Plan, id: &crate::plan::Node, sink: &mut Sink<'_>) {
    let declared: Vec<&str> = plan
        .claims
        .iter()
        .map(|claim| claim.id.text.as_str())
        .collect();
    let help = match declared.as_slice() {
        [] => "the plan declares no claims: add a table under `## 1b. Claims under test`".into(),
        some => format!("declared: {}", some.join(", ")),
    };
    let message = format!("claim {} is not declared", id.text);
    sink.error(
        Code::UndeclaredClaim,
        &id.span,
        message,
        "no such claim",
        Some(help),
    );
}

fn read(field: &Field, draft: &mut Draft, ambiguity: &mut Ambiguity, sink: &mut Sink<'_>) {
    match field.kind {
        FieldKind::Workload | FieldKind::Topology => {
            workload::read(field, &mut draft.workload, sink);
        }
        FieldKind::Disks => disk_words::read(field, &mut draft.workload.disks, sink),
        FieldKind::Oracle | FieldKind::Checker => {
            oracle::read(field, draft, sink);
        }
        FieldKind::Model => draft.model = formal::model(field, sink).or(draft.model),
        FieldKind::History => formal::history(field, sink),
        FieldKind::Landing => landing::read(field, &mut draft.landing, sink),
        FieldKind::Ambiguity => formal::ambiguity(field, ambiguity, sink),
        FieldKind::Budgets | FieldKind::ExitCriteria | FieldKind::Allow => {
            let workload = checker_words::transactional(&draft.workload.mix);
            budgets::read(field, &mut draft.exit, workload, sink);
        }
        FieldKind::Observability => {
            draft.observability.push(observable(field, sink));
        }
        FieldKind::Reduction => {
            let said =
                "what every reduction does: fault windows first, seed fixed, then classified";
            sink.explain(field.kind, &field.span(), said);
        }
        FieldKind::Surfaces if !field.parts.is_empty() => {
            let message = "this part of 7.M.S names no arm";
            let help = Some("an arm is `S5/api: what clients do there`, or a table row".to_owned());
            let span = field.span();
            sink.error(Code::NotUnderstood, &span, message, "not an arm", help);
        }
        FieldKind::TargetFile => target_file(field, sink),
        FieldKind::Language => language(field, sink),
        FieldKind::Formal if !field.parts.is_empty() => formal_remark(field, sink),
        // Faults are read last, when the topology and the workload's length are known.
        _ => {}
    }
}

/// What must be observable, as the plan says it.
fn observable(field: &Field, sink: &mut Sink<'_>) -> String {
    let wording = field.text(sink.text);
    let span = field.span();
    sink.explain(field.kind, &span, "kept, and reported against");
    for item in Observable::items(&wording) {
        if Observable::of(item).is_none() && !landing::counters(item) {
            let message = format!("`{}` is nothing that a run leaves behind", short(item));
            let help = Some(CAPTURED.to_owned());
            sink.warning(Code::NotCaptured, &span, message, "never found", help);
        }
    }
    wording
}

/// The path of a scenario's test, from its package: the first word of the field.
pub(crate) fn target_path(text: &str) -> &str {
    let first = text.split_whitespace().next().unwrap_or("");
    first
        .trim_end_matches([',', ';'])
        .split("::")
        .next()
        .unwrap_or("")
}

fn target_file(field: &Field, sink: &mut Sink<'_>) {
    let text = field.text(sink.text);
    let path = target_path(&text);
    let outside = path.starts_with(['/', '\\', '~']) || path.split('/').any(|part| part == "..");
    if path.is_empty() || matches!(path.to_lowercase().as_str(), "none" | "n/a" | "tbd" | "-") {
        return;
    }
    if outside || !path.ends_with(".rs") {
        let message = format!("`{path}` is no Rust file of the package");
        let help = Some("write a path such as `tests/partition.rs`".to_owned());
        let span = field.span();
        sink.warning(Code::BadTargetFile, &span, message, "not generated", help);
    }
}

fn language(field: &Field, sink: &mut Sink<'_>) {
    let text = field.text(sink.text);
    if !text.is_empty() && !text.to_lowercase().contains("rust") {
        let message = format!("tests are generated in Rust, not in {text}");
        let help = Some("write `Skeleton language: Rust`".to_owned());
        let span = field.span();
        sink.warning(Code::BadTargetFile, &span, message, "not generated", help);
    }
}

/// Words that stand in 7.M and in none of its fields.
fn formal_remark(field: &Field, sink: &mut Sink<'_>) {
    let message = "this part of 7.M belongs to none of its fields";
    let help = Some("7.M has Model, History, Checker, Landing, Ambiguous, Reduction".to_owned());
    sink.error(
        Code::NotUnderstood,
        &field.span(),
        message,
        "not understood",
        help,
    );
}
