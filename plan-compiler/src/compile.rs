//! A plan's scenarios to scenarios that run: fields to drafts, drafts and defaults to data.

use checkers::spec::{CheckerSpec, ModelKind};

use crate::diagnostic::Code;
use crate::grammar::budgets::{self, ExitDraft};
use crate::grammar::faults::{self, Stage};
use crate::grammar::landing::{self, LandingDraft};
use crate::grammar::workload::{self, Rate, WorkloadDraft};
use crate::grammar::{formal, oracle, references};
use crate::human::duration;
use crate::plan::{Field, FieldKind, Plan, PlanScenario};
use crate::read::{claims, labels};
use crate::scenario::{
    Ambiguity, Category, Claim, FaultSpec, OpKind, Scenario, Skew, Topology, Workload,
};
use crate::sink::Sink;
use crate::suggest::nearest;

const SECOND: u64 = 1_000_000_000;

/// Categories whose claims need a 7.M.
const GATED: &[Category] = &[
    Category::Safety,
    Category::Durability,
    Category::Idempotency,
    Category::Isolation,
    Category::Ordering,
    Category::Membership,
];

/// Everything the fields of one scenario say.
#[derive(Default)]
struct Draft {
    workload: WorkloadDraft,
    model: Option<ModelKind>,
    checkers: Vec<CheckerSpec>,
    landing: LandingDraft,
    exit: ExitDraft,
    observability: Vec<String>,
}

/// Compiles one scenario; `None` when an error stands against it.
pub(crate) fn scenario(
    plan: &Plan,
    written: &PlanScenario,
    sink: &mut Sink<'_>,
) -> Option<Scenario> {
    strays(written, sink);
    let falsifies = falsified(plan, written, sink);
    let mut ambiguity = Ambiguity {
        timeouts_may_succeed: true,
        retries_separate: true,
    };
    let mut draft = Draft::default();
    for field in &written.fields {
        read(field, &mut draft, &mut ambiguity, sink);
    }
    formal_present(written, &falsifies, sink);
    let (topology, workload, model) = settle(written, &draft, sink);
    let stage = Stage {
        nodes: topology.nodes,
        workload_ns: workload.duration_ns,
    };
    let mut faults: Vec<FaultSpec> = Vec::new();
    for field in fields(written, FieldKind::Faults) {
        faults::read(field, stage, &mut faults, sink);
    }
    complete(written, &draft, &faults, sink);
    if !sink.errors.is_empty() {
        return None;
    }
    Some(Scenario {
        id: written.id.clone(),
        name: written.name.clone(),
        line: written.line,
        falsifies,
        topology,
        workload,
        faults,
        model,
        checkers: draft.checkers,
        landing: draft.landing.conditions,
        ambiguity,
        budgets: draft.exit.budgets,
        landed_seeds_min: draft
            .exit
            .landed_seeds_min
            .or(draft.landing.seeds_min)
            .unwrap_or(3),
        allow: draft.exit.allow,
        observability: draft.observability,
    })
}

fn fields(written: &PlanScenario, kind: FieldKind) -> impl Iterator<Item = &Field> {
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
            let declared = plan.claims.iter().find(|claim| claim.id.text == id.text);
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
        FieldKind::Oracle | FieldKind::Checker => oracle::read(field, &mut draft.checkers, sink),
        FieldKind::Model => draft.model = formal::model(field, sink).or(draft.model),
        FieldKind::History => formal::history(field, sink),
        FieldKind::Landing => landing::read(field, &mut draft.landing, sink),
        FieldKind::Ambiguity => formal::ambiguity(field, ambiguity, sink),
        FieldKind::Budgets | FieldKind::ExitCriteria | FieldKind::Allow => {
            budgets::read(field, &mut draft.exit, sink);
        }
        FieldKind::Observability => {
            let wording = field.text(sink.text);
            sink.explain(field.kind, &field.span(), "kept, and reported against");
            draft.observability.push(wording);
        }
        FieldKind::Reduction => {
            let said =
                "what every reduction does: fault windows first, seed fixed, then classified";
            sink.explain(field.kind, &field.span(), said);
        }
        FieldKind::Surfaces => {
            let message = "surfaces and arms (7.M.S) are not served yet";
            let help = Some("write one scenario for each surface".to_owned());
            sink.error(
                Code::NotServed,
                &field.span(),
                message,
                "known, not served yet",
                help,
            );
        }
        FieldKind::Formal if !field.parts.is_empty() => formal_remark(field, sink),
        // Faults are read last, when the topology and the workload's length are known.
        _ => {}
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

/// 7.M where a claim needs it.
fn formal_present(written: &PlanScenario, falsifies: &[Claim], sink: &mut Sink<'_>) {
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

fn category_name(category: Category) -> &'static str {
    let found = claims::CATEGORIES
        .iter()
        .find(|(_, known)| *known == category);
    found.map_or("", |(name, _)| name)
}

/// The workload with the defaults for what it leaves open.
fn settle(
    written: &PlanScenario,
    draft: &Draft,
    sink: &mut Sink<'_>,
) -> (Topology, Workload, ModelKind) {
    let said = &draft.workload;
    let appends = said.mix.iter().any(|(op, _)| *op == OpKind::Append);
    let model = draft.model.unwrap_or_else(|| {
        let model = if appends {
            ModelKind::Log
        } else {
            ModelKind::Map
        };
        sink.default(FieldKind::Model, format!("model: {}", formal::words(model)));
        model
    });
    if !fields(written, FieldKind::Workload).any(|field| !field.parts.is_empty()) {
        let message = format!("scenario {} has no workload", written.id);
        let help = Some("add `Workload: 5 clients, 50% read / 50% write, 30s`".to_owned());
        sink.error(
            Code::NoWorkload,
            &written.heading,
            message,
            "nothing is done here",
            help,
        );
    }
    let mut open = |what: &str| sink.default(FieldKind::Workload, what);
    let nodes = said.nodes.unwrap_or_else(|| {
        open("3 nodes");
        3
    });
    let clients = said.clients.unwrap_or_else(|| {
        open("3 clients");
        3
    });
    let duration_ns = said.duration_ns.unwrap_or_else(|| {
        open("for 30s");
        30 * SECOND
    });
    let single = matches!(model, ModelKind::Register | ModelKind::CasRegister);
    let keys = said.keys.unwrap_or_else(|| {
        let keys = if single { 1 } else { 5 };
        open(&format!("{keys} keys"));
        keys
    });
    let skew = said.skew.unwrap_or_else(|| {
        open("keys drawn uniformly");
        Skew::Uniform
    });
    let op_timeout_ns = said.op_timeout_ns.unwrap_or_else(|| {
        open("an operation is given up as unknown after 2s");
        2 * SECOND
    });
    if said.rate.is_none() {
        open("each client at the runner's own think time");
    }
    let mix = mix(written, said, model, sink);
    let rate_per_client = rate(written, said.rate, clients, sink);
    let workload = Workload {
        mix,
        duration_ns,
        keys,
        skew,
        rate_per_client,
        op_timeout_ns,
    };
    (Topology { nodes, clients }, workload, model)
}

/// The operations and their shares; they add up to 100 and the model has them.
fn mix(
    written: &PlanScenario,
    said: &WorkloadDraft,
    model: ModelKind,
    sink: &mut Sink<'_>,
) -> Vec<(OpKind, u32)> {
    let served: &[OpKind] = match model {
        ModelKind::Register => &[OpKind::Read, OpKind::Write],
        ModelKind::CasRegister | ModelKind::Map => &[OpKind::Read, OpKind::Write, OpKind::Cas],
        ModelKind::Log => &[OpKind::Append, OpKind::Read],
    };
    if said.mix.is_empty() {
        let mix = match model {
            ModelKind::Log => vec![(OpKind::Append, 70), (OpKind::Read, 30)],
            _ => vec![(OpKind::Read, 50), (OpKind::Write, 50)],
        };
        let words: Vec<String> = mix
            .iter()
            .map(|(op, share)| format!("{share} % {op}"))
            .collect();
        sink.default(FieldKind::Workload, words.join(", "));
        return mix;
    }
    let field = fields(written, FieldKind::Workload).next();
    let span = field.map_or(written.heading.clone(), Field::span);
    let sum: u64 = said.mix.iter().map(|(_, share)| u64::from(*share)).sum();
    if sum != 100 {
        let message = format!("the workload's shares add up to {sum} %, not 100 %");
        let help = Some("shares are percent of all operations".to_owned());
        sink.error(Code::PercentSum, &span, message, "does not add up", help);
    }
    for (op, _) in said.mix.iter().filter(|(op, _)| !served.contains(op)) {
        let message = format!("a {} has no operation `{op}`", formal::words(model));
        let names: Vec<String> = served.iter().map(OpKind::to_string).collect();
        let help = Some(format!("this model has {}", names.join(", ")));
        sink.error(
            Code::ModelMismatch,
            &span,
            message,
            "model and workload differ",
            help,
        );
    }
    said.mix.clone()
}

fn rate(
    written: &PlanScenario,
    rate: Option<Rate>,
    clients: u32,
    sink: &mut Sink<'_>,
) -> Option<u32> {
    match rate? {
        Rate::PerClient(rate) => Some(rate),
        Rate::Total(total) if total.is_multiple_of(clients) => Some(total / clients),
        Rate::Total(total) => {
            let message = format!("{total} operations a second do not divide by {clients} clients");
            let help = Some("write the rate per client: `20 ops/s per client`".to_owned());
            sink.error(
                Code::BadNumber,
                &written.heading,
                message,
                "uneven rate",
                help,
            );
            None
        }
    }
}

/// What a scenario must have and what weakens it.
fn complete(written: &PlanScenario, draft: &Draft, faults: &[FaultSpec], sink: &mut Sink<'_>) {
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
    let planned = fields(written, FieldKind::Faults).any(|field| !field.parts.is_empty());
    let landing_said = fields(written, FieldKind::Landing).any(|field| !field.parts.is_empty());
    let wanted = !faults.is_empty() || planned && !sink.errors.is_empty();
    if wanted && draft.landing.conditions.is_empty() && (sink.errors.is_empty() || !landing_said) {
        let message = format!("nothing says how the faults of scenario {id} are known to land");
        let help = Some("add `Landing evidence: packets dropped > 0`".to_owned());
        sink.error(Code::NoLanding, span, message, "no landing evidence", help);
    }
    if !planned {
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
