//! What a scenario cannot show, or not as much as its author may believe.

use std::ops::Range;

use checkers::spec::{CheckerSpec, ModelKind};

use crate::compile::Draft;
use crate::diagnostic::Code;
use crate::judges::{looks_at, oracle_for};
use crate::obligations::category_name;
use crate::plan::{FieldKind, PlanScenario};
use crate::scenario::{
    Category, Claim, FaultKind, FaultSpec, OpKind, Shape, Target, Topology, Workload,
};
use crate::sink::Sink;

/// Hosts of a kind that a simulated network has addresses for.
const NODES_MAX: u32 = 254;
/// One address is kept for the client that reads at the end.
const CLIENTS_MAX: u32 = 253;

/// What was compiled so far.
pub(crate) struct Made<'a> {
    pub(crate) falsifies: &'a [Claim],
    pub(crate) workload: &'a Workload,
    pub(crate) topology: Topology,
    pub(crate) model: ModelKind,
    pub(crate) faults: &'a [FaultSpec],
    pub(crate) draft: &'a Draft,
}

/// Says what weakens a scenario whose clauses are understood.
pub(crate) fn check(written: &PlanScenario, made: &Made<'_>, sink: &mut Sink<'_>) {
    let span = written.heading.clone();
    sizes(written, made.topology, sink);
    few_nodes(written, made, sink);
    if !sink.errors.is_empty() {
        return;
    }
    claims(made, &span, sink);
    unwatched(written, made, sink);
    operations(written, made, sink);
    budgets(written, made, sink);
}

/// The field that a remark about it points at.
fn place(written: &PlanScenario, kind: FieldKind) -> Range<usize> {
    let field = written.fields.iter().find(|field| field.kind == kind);
    field.map_or(written.heading.clone(), |field| field.label.clone())
}

fn sizes(written: &PlanScenario, topology: Topology, sink: &mut Sink<'_>) {
    let limits = [
        (
            "nodes",
            topology.nodes_max.unwrap_or(topology.nodes),
            NODES_MAX,
        ),
        (
            "clients",
            topology.clients_max.unwrap_or(topology.clients),
            CLIENTS_MAX,
        ),
    ];
    for (what, asked, most) in limits {
        if asked > most {
            let message = format!("{asked} {what} are more than the {most} that a run can have");
            let help = Some(format!(
                "each of {what} is a host of its own; raise the rate instead"
            ));
            let span = place(written, FieldKind::Workload);
            sink.error(Code::TopologyTooLarge, &span, message, "too many", help);
        }
    }
}

/// Parts of a cluster that is too small to have them.
fn few_nodes(written: &PlanScenario, made: &Made<'_>, sink: &mut Sink<'_>) {
    let nodes = made.topology.nodes;
    for fault in made.faults {
        let least = match (fault.target, fault.kind) {
            (Target::Minority, _) => 3,
            (Target::MinorityThird, _) => 4,
            (Target::Follower | Target::Followers | Target::AllBut { .. }, _) => 2,
            (Target::Nodes { nodes }, FaultKind::Partition { .. }) => nodes.len() + 1,
            (Target::Several { count }, FaultKind::Partition { .. }) => count + 1,
            (Target::Several { count }, _) => count,
            (_, FaultKind::Split { shape, .. }) => match shape {
                Shape::Ring | Shape::Bridge => 3,
                _ => 2,
            },
            (Target::Idle | Target::All | Target::Role, _) => 0,
            (_, FaultKind::Partition { clients_too, .. }) => 2 - u32::from(clients_too),
            _ => 0,
        };
        if nodes < least {
            let message = format!("{} needs {least} nodes, and there are {nodes}", fault.id);
            let help = Some(format!("write `{least} nodes` into the workload"));
            let span = place(written, FieldKind::Faults);
            sink.error(
                Code::TooFewNodes,
                &span,
                message,
                "nobody to tell apart",
                help,
            );
        }
    }
}

fn claims(made: &Made<'_>, span: &Range<usize>, sink: &mut Sink<'_>) {
    let of = |category| made.falsifies.iter().find(|c| c.category == category);
    if let Some(claim) = of(Category::Durability)
        && !made.faults.iter().any(|fault| breaks_storage(fault.kind))
        && !made.faults.is_empty()
    {
        let message = format!("{} is about durability, and nothing crashes", claim.id);
        let help = Some("add a kill -9, a power loss or a disk fault".to_owned());
        let label = "durability without a crash";
        sink.warning(Code::DurabilityWithoutCrash, span, message, label, help);
    }
    let bounded = made.draft.checkers.iter().any(is_bounded);
    if let Some(claim) = of(Category::Liveness)
        && !bounded
    {
        let message = format!(
            "{} is about liveness, and no oracle has a deadline",
            claim.id
        );
        let help = Some("add `Oracle: a write succeeds within 5s of heal`".to_owned());
        let label = "liveness without a deadline";
        sink.warning(Code::LivenessWithoutBound, span, message, label, help);
    }
    if made.faults.is_empty()
        && let Some(claim) = made
            .falsifies
            .iter()
            .find(|c| c.category == Category::Safety)
    {
        let message = format!("{} is tried on a sunny day only", claim.id);
        let help = Some("plan a fault; without one a scenario is never PASS-hardening".to_owned());
        sink.warning(Code::NothingGoesWrong, span, message, "no fault", help);
    }
}

/// Claims of kinds that no oracle looks at.
fn unwatched(written: &PlanScenario, made: &Made<'_>, sink: &mut Sink<'_>) {
    let span = place(written, FieldKind::Falsifies);
    for (at, claim) in made.falsifies.iter().enumerate() {
        let category = claim.category;
        let told = made.falsifies[..at].iter().any(|c| c.category == category);
        let mut have = made.draft.checkers.iter();
        if told || have.any(|have| looks_at(*have, made.model, category)) {
            continue;
        }
        let name = category_name(category);
        let message = format!("{} is about {name}, which no oracle looks at", claim.id);
        let help = format!(
            "add one that does, as in `Oracle: {}`",
            oracle_for(category)
        );
        let label = "a FAIL of it is never seen";
        sink.warning(Code::OracleMissesClaim, &span, message, label, Some(help));
    }
}

fn breaks_storage(kind: FaultKind) -> bool {
    let words = kind.to_string();
    matches!(
        kind,
        FaultKind::Kill | FaultKind::PowerLoss | FaultKind::GracefulStop
    ) || ["disk", "power", "fsync", "volume", "write"]
        .iter()
        .any(|word| words.contains(word))
}

fn is_bounded(checker: &CheckerSpec) -> bool {
    let name = checkers::name_of(checker);
    matches!(checker, CheckerSpec::Progress { .. })
        || ["elect", "within", "retry", "timeout", "fairness"]
            .iter()
            .any(|word| name.contains(word))
}

fn operations(written: &PlanScenario, made: &Made<'_>, sink: &mut Sink<'_>) {
    let span = place(written, FieldKind::Workload);
    let judged = made.draft.checkers.contains(&CheckerSpec::Linearizability);
    if judged && made.topology.clients == 1 {
        let message = "one client: no two operations ever overlap";
        let help = Some("linearizability is about concurrency; have three clients".to_owned());
        sink.warning(Code::OneClient, &span, message, "nothing concurrent", help);
    }
    let mix = &made.workload.mix;
    let share = |wanted: &dyn Fn(OpKind) -> bool| -> u32 {
        let chosen = mix.iter().filter(|(op, _)| wanted(*op));
        chosen.map(|(_, share)| *share).sum()
    };
    if judged && share(&OpKind::observes) == 0 {
        let message = "no operation looks at what the others wrote";
        let help = Some("add reads: what nobody observes, nobody can judge".to_owned());
        sink.warning(
            Code::NothingObserved,
            &span,
            message,
            "nothing is read",
            help,
        );
    }
    if share(&OpKind::changes) == 0 {
        let message = "no operation changes anything";
        let help = Some("add writes: what never changes is always consistent".to_owned());
        sink.warning(Code::NothingChanges, &span, message, "reads only", help);
    }
}

fn budgets(written: &PlanScenario, made: &Made<'_>, sink: &mut Sink<'_>) {
    let budgets = made.draft.exit.budgets;
    let span = place(written, FieldKind::Budgets);
    if budgets.hardening.seeds < budgets.smoke.seeds {
        let (hardening, smoke) = (budgets.hardening.seeds, budgets.smoke.seeds);
        let message = format!("hardening has {hardening} seeds and smoke has {smoke}");
        let help = Some("hardening is what is run when there is time: give it more".to_owned());
        sink.warning(
            Code::HardeningNotLarger,
            &span,
            message,
            "fewer than smoke",
            help,
        );
    }
    let landed = made.draft.exit.landed_seeds_min;
    let landed = landed.or(made.draft.landing.seeds_min).unwrap_or(0);
    if landed > budgets.hardening.seeds {
        let seeds = budgets.hardening.seeds;
        let message = format!("faults must land in {landed} seeds, and hardening runs {seeds}");
        let help = Some("raise the budget, or ask for fewer".to_owned());
        sink.error(
            Code::LandedSeedsExceedBudget,
            &span,
            message,
            "can't be met",
            help,
        );
    }
}
