//! Linearizability: every operation took effect at one instant between its call and its return.

use std::fmt::Write as _;

use crate::history::{History, Operation};
use crate::report::{Budget, CheckReport, Finding, Outcome};
use crate::spec::ModelKind;

mod entries;
mod model;
mod partition;
mod search;
mod visited;

use model::{Log, Model, Register};
use partition::{Partition, partitions_of};
use search::{Ending, Found, search};

/// Steps spent on a better counterexample once the verdict is known.
const EXPLAIN_STEPS_MAX: u64 = 200_000;

/// Judges each object by itself (linearizability is local), the smallest first.
pub(crate) fn check(history: &History, model: ModelKind, budget: &Budget) -> CheckReport {
    let total = history.ops.iter().filter(|op| op.is_client()).count() as u64;
    let weak = |field: String| {
        let mut report = CheckReport::new("linearizability", Outcome::Weak { field }, 0, total);
        report.scope = "nothing was judged".to_owned();
        report
    };
    if total == 0 {
        return weak("client operations".to_owned());
    }
    let mut partitions = match partitions_of(history, model) {
        Ok(partitions) => partitions,
        Err(field) => return weak(field),
    };
    if !partitions.iter().any(|partition| partition.observes) {
        return weak("acknowledged reads, or other responses that depend on the state".to_owned());
    }
    partitions.sort_by_key(|partition| partition.members.len());
    let mut report = CheckReport::new("linearizability", Outcome::Ok, 0, total);
    let (mut left, mut unknown) = (*budget, None);
    for partition in &partitions {
        let (found, finding) = judge(partition, model, &left);
        left.steps_max = left.steps_max.saturating_sub(found.steps);
        let name = || {
            partition
                .key
                .map_or("the object".to_owned(), |key| format!("key {key}"))
        };
        let spent = match found.ending {
            Ending::Legal | Ending::Illegal => {
                report.consumed += partition.total;
                report.findings.extend(finding);
                continue;
            }
            Ending::OutOfSteps => format!("{} steps", budget.steps_max),
            Ending::OutOfMemory => format!("{} bytes of memory", budget.memory_bytes_max),
        };
        unknown.get_or_insert_with(|| {
            format!(
                "the search of {} needs more than the budget of {spent}",
                name()
            )
        });
    }
    report.scope = scope_of(&partitions, model);
    report
        .findings
        .sort_by(|one, other| one.key.cmp(&other.key));
    report.outcome = match unknown {
        _ if !report.findings.is_empty() => Outcome::Violation,
        Some(why) => Outcome::Unknown { why },
        None => Outcome::Ok,
    };
    report.cap_findings();
    report
}

fn scope_of(partitions: &[Partition<'_>], model: ModelKind) -> String {
    let sum = |count: fn(&Partition<'_>) -> u64| partitions.iter().map(count).sum::<u64>();
    let model = match model {
        ModelKind::Register => "register",
        ModelKind::CasRegister => "cas-register",
        ModelKind::Map => "map",
        ModelKind::Log => "log",
    };
    let mut scope = format!("{} objects as {model}, each by itself", partitions.len());
    let (failed, ambiguous) = (sum(|part| part.failed), sum(|part| part.ambiguous));
    if failed > 0 {
        let _ = write!(scope, "; {failed} failed operations must have no effect");
    }
    if ambiguous > 0 {
        let _ = write!(
            scope,
            "; {ambiguous} ambiguous operations may have any later effect or none"
        );
    }
    let unseen = partitions
        .iter()
        .filter(|partition| !partition.observes)
        .count();
    if unseen > 0 {
        let _ = write!(scope, "; {unseen} objects were never read");
    }
    scope
}

/// Searches one partition, and once more for a counterexample when there is no linearization.
fn judge(partition: &Partition<'_>, model: ModelKind, budget: &Budget) -> (Found, Option<Finding>) {
    match model {
        ModelKind::Log => judge_as(partition, || Log::new(partition), budget),
        _ => judge_as(partition, || Register::new(partition), budget),
    }
}

fn judge_as<M: Model>(
    partition: &Partition<'_>,
    new: impl Fn() -> M,
    budget: &Budget,
) -> (Found, Option<Finding>) {
    let found = search(partition, &mut new(), true, budget);
    if found.ending != Ending::Illegal {
        return (found, None);
    }
    let explain_steps = EXPLAIN_STEPS_MAX.min(budget.steps_max);
    let explain = Budget {
        steps_max: explain_steps,
        ..*budget
    };
    let mut explain_model = new();
    let told = search(partition, &mut explain_model, false, &explain);
    let finding = finding_of(partition, &told, &explain_model);
    (found, Some(finding))
}

fn finding_of<M: Model>(partition: &Partition<'_>, told: &Found, model: &M) -> Finding {
    let op_of = |member: &u32| partition.members[*member as usize].op;
    let prefix: Vec<&Operation> = told.prefix.iter().map(op_of).collect();
    let blocked: Vec<&Operation> = told.blocked.iter().map(op_of).collect();
    let state = model.value(told.state);
    let name = partition
        .key
        .map_or("the object".to_owned(), |key| format!("key {key}"));
    let message = format!(
        "{name} has no linearization: after the longest legal prefix, {} of {} operations, it \
         holds {state}, and no operation that could come next is legal",
        prefix.len(),
        partition.members.len()
    );
    let rows_max = Finding::ROWS_MAX;
    let tail = prefix.len().saturating_sub(rows_max);
    Finding {
        anomaly: "not-linearizable".to_owned(),
        message,
        ops: blocked.iter().map(|op| op.op_id).collect(),
        legal_prefix: prefix.iter().map(|op| op.op_id).collect(),
        key: partition.key.cloned(),
        state: Some(state),
        rows: blocked
            .iter()
            .take(rows_max)
            .map(|op| (*op).clone())
            .collect(),
        prefix_tail: prefix[tail..].iter().map(|op| (*op).clone()).collect(),
    }
}
