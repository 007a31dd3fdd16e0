//! What a failure of the system is called: its TaxDC type, tags and a severity, each proposed with
//! the reason for it.

use checkers::spec::CheckerSpec;
use plan_compiler::scenario::{Category, FaultKind, GuestAct, NetEffect, Scenario};
use serde::{Deserialize, Serialize};

/// What a finding is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The type, after the taxonomy of distributed concurrency bugs: `timing`, `ordering`,
    /// `partition`, `crash-recovery`, `upgrade`, `config`, `fault-handling`, `performance`.
    pub kind: String,
    /// Why that.
    pub kind_reason: String,
    /// `safety`, `leadership`, ...
    pub tags: Vec<String>,
    /// `P0` (worst) to `P3`.
    pub severity: String,
    /// Why that.
    pub severity_reason: String,
}

/// What a fault tests, as a type.
const fn kind_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Partition { .. } | FaultKind::Split { .. } => "partition",
        FaultKind::Network { effect, .. } => match effect {
            NetEffect::Latency { .. } | NetEffect::Bandwidth { .. } | NetEffect::Jam => "timing",
            NetEffect::Duplicate { .. } | NetEffect::Reorder { .. } => "ordering",
            NetEffect::Loss { .. } => "partition",
            NetEffect::Corrupt { .. } | NetEffect::Reject | NetEffect::Reset => "fault-handling",
        },
        FaultKind::Kill
        | FaultKind::PowerLoss
        | FaultKind::GracefulStop
        | FaultKind::Memory { .. } => "crash-recovery",
        FaultKind::ClockStep { .. }
        | FaultKind::ClockDrift { .. }
        | FaultKind::Pause
        | FaultKind::Suspend
        | FaultKind::Starve { .. }
        | FaultKind::Freeze => "timing",
        FaultKind::Guest { act } if act.restarts() => "upgrade",
        FaultKind::Guest {
            act: GuestAct::Configure | GuestAct::RotateCredentials | GuestAct::DivergeCredentials,
        } => "config",
        _ => "fault-handling",
    }
}

/// Names a failure of `scenario` that `checker` found, and that needs the faults in `decisive`
/// (by name).
#[must_use]
pub fn classify(scenario: &Scenario, checker: &str, decisive: &[&str]) -> Class {
    let (kind, kind_reason) = kind(scenario, checker, decisive);
    let (severity, severity_reason) = severity(scenario, checker, decisive);
    Class {
        kind: kind.to_owned(),
        kind_reason,
        tags: tags(scenario, checker),
        severity: severity.to_owned(),
        severity_reason,
    }
}

fn kind(scenario: &Scenario, checker: &str, decisive: &[&str]) -> (&'static str, String) {
    let found = scenario
        .faults
        .iter()
        .find(|fault| decisive.contains(&fault.id.as_str()));
    match found {
        Some(fault) => (
            kind_of(fault.kind),
            format!("without {} the same seed does not fail so", fault.id),
        ),
        None if checker == "progress" => (
            "performance",
            "service came back too late, and no single fault decides it".to_owned(),
        ),
        None if scenario.faults.is_empty() => (
            "ordering",
            "no fault is planned: the order of messages and tasks is all that varies".to_owned(),
        ),
        None => (
            "ordering",
            "it fails without any single one of the faults: an order of events does it".to_owned(),
        ),
    }
}

fn tags(scenario: &Scenario, checker: &str) -> Vec<String> {
    let mut tags: Vec<&str> = Vec::new();
    for claim in &scenario.falsifies {
        tags.push(match claim.category {
            Category::Liveness => "liveness",
            Category::Durability => "durability",
            Category::Idempotency => "idempotency",
            Category::Isolation => "isolation",
            Category::Ordering => "ordering",
            Category::Membership => "membership",
            Category::Boundary => "boundary",
            Category::Fairness => "fairness",
            Category::PerformanceSlo => "performance",
            Category::Operational => "operational",
            Category::Safety => "safety",
        });
    }
    match checker {
        "no-lost-ack" => tags.push("durability"),
        "single-leader" => tags.push("leadership"),
        "progress" => tags.push("liveness"),
        _ => tags.push("safety"),
    }
    if scenario.topology.nodes > 1 {
        tags.push("replication");
    }
    tags.sort_unstable();
    tags.dedup();
    tags.into_iter().map(str::to_owned).collect()
}

fn severity(scenario: &Scenario, checker: &str, decisive: &[&str]) -> (&'static str, String) {
    let durable = |category| matches!(category, Category::Durability | Category::Idempotency);
    let loses = checker == "no-lost-ack"
        || scenario
            .falsifies
            .iter()
            .any(|claim| durable(claim.category));
    let only_late = matches!(
        scenario
            .checkers
            .iter()
            .find(|spec| checkers::name_of(spec) == checker),
        Some(CheckerSpec::Progress { .. })
    );
    if only_late {
        return (
            "P2",
            "service is late; nothing that was answered is wrong".to_owned(),
        );
    }
    if loses {
        let reason = "what was acknowledged is lost, or done twice: clients cannot know";
        return ("P0", reason.to_owned());
    }
    match decisive.len() {
        0 => (
            "P0",
            "clients are told what is not so, and no fault is needed".to_owned(),
        ),
        1 => (
            "P1",
            format!(
                "clients are told what is not so, under one fault: {}",
                decisive[0]
            ),
        ),
        many => (
            "P2",
            format!("clients are told what is not so, where {many} faults meet"),
        ),
    }
}
