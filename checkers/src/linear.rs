//! Linearizability: every operation took effect at one instant between its call and its return.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::history::{History, Operation};
use crate::models::{Builtin, Model};
use crate::report::{Budget, CheckReport, Finding, Outcome};
use crate::spec::ModelKind;
use crate::value::Value;

mod entries;
mod interned;
mod log;
mod machine;
mod partition;
mod register;
mod search;
mod visited;

use interned::Interned;
use log::Log;
use machine::Machine;
use partition::{Partition, partitions_of};
use register::Register;
use search::{Ending, Found, search};

/// Judges a history against a model of the caller's own, as [`crate::check()`] does against those
/// of this crate. `name` is what the report calls the model.
///
/// A history that contradicts itself is not judged: the answer is [`Outcome::Unknown`].
///
/// Cost: the budget bounds it.
#[must_use]
pub fn linearize_with<M: Model>(
    history: &History,
    model: &M,
    name: &str,
    budget: &Budget,
) -> CheckReport {
    if let Err(why) = history.validate() {
        let total = history.ops.len() as u64;
        return CheckReport::new("linearizability", Outcome::Unknown { why }, 0, total);
    }
    let partitions = partitions_of(history, None, |op| model.part(op));
    judge_all(history, partitions, name, budget, |partition, left| {
        judge_as(partition, |part| Interned::new(part, model), left)
    })
}

/// Judges each object by itself (linearizability is local), the smallest first.
pub(crate) fn check(history: &History, kind: ModelKind, budget: &Budget) -> CheckReport {
    let model = Builtin(kind);
    let partitions = partitions_of(history, Some(kind), |op| model.part(op));
    judge_all(
        history,
        partitions,
        kind.name(),
        budget,
        |partition, left| match kind {
            ModelKind::Log => judge_as(partition, Log::new, left),
            ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => {
                judge_as(partition, Register::new, left)
            }
            _ => judge_as(partition, |part| Interned::new(part, &model), left),
        },
    )
}

/// What judging one object came to.
struct Judged {
    ending: Ending,
    engine: &'static str,
    finding: Option<Finding>,
    /// Where it was not decided: the longest order that was tried.
    deepest: Vec<u64>,
}

fn judge_all<'a>(
    history: &'a History,
    partitions: Result<Vec<Partition<'a>>, String>,
    name: &str,
    budget: &Budget,
    mut judge: impl FnMut(&Partition<'a>, &mut Budget) -> Judged,
) -> CheckReport {
    let total = history.ops.iter().filter(|op| op.is_client()).count() as u64;
    let weak = |field: String| {
        let mut report = CheckReport::new("linearizability", Outcome::Weak { field }, 0, total);
        report.scope = "nothing was judged".to_owned();
        report
    };
    if total == 0 {
        return weak("client operations".to_owned());
    }
    let mut partitions = match partitions {
        Ok(partitions) => partitions,
        Err(field) => return weak(field),
    };
    if !partitions.iter().any(|partition| partition.observes) {
        return weak("acknowledged reads, or other responses that depend on the state".to_owned());
    }
    partitions.sort_by_key(|partition| partition.members.len());
    let mut report = CheckReport::new("linearizability", Outcome::Ok, 0, total);
    let (mut left, mut unknown) = (*budget, None);
    let mut engines = BTreeSet::new();
    for partition in &partitions {
        let judged = judge(partition, &mut left);
        engines.insert(judged.engine);
        let spent = match judged.ending {
            Ending::Legal | Ending::Illegal => {
                report.consumed += partition.total;
                report.findings.extend(judged.finding);
                continue;
            }
            Ending::OutOfSteps => format!("{} steps", budget.steps_max),
            Ending::OutOfMemory => format!("{} bytes of memory", budget.memory_bytes_max),
        };
        if unknown.is_none() {
            let of = name_of(partition);
            let why = format!("the search of {of} needs more than the budget of {spent}");
            unknown = Some(why);
            report.deepest = judged.deepest;
        }
    }
    report.engine = engines.into_iter().collect::<Vec<_>>().join(", ");
    report.scope = scope_of(&partitions, name);
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

fn scope_of(partitions: &[Partition<'_>], model: &str) -> String {
    let sum = |count: fn(&Partition<'_>) -> u64| partitions.iter().map(count).sum::<u64>();
    let mut scope = format!(
        "objects judged as {model}, each by itself: {}",
        partitions.len()
    );
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

fn name_of(partition: &Partition<'_>) -> String {
    let named = |key| format!("key {key}");
    partition.key.map_or_else(|| "the object".to_owned(), named)
}

/// Searches one partition, and for a counterexample when there is no linearization. Takes the
/// steps from the budget.
fn judge_as<'a, M: Machine>(
    partition: &Partition<'a>,
    new: impl Fn(&Partition<'a>) -> M,
    left: &mut Budget,
) -> Judged {
    let found = spend(partition, &mut new(partition), left);
    let undecided = matches!(found.ending, Ending::OutOfSteps | Ending::OutOfMemory);
    let ids = found.order.iter();
    let ids = ids.map(|at| partition.members[*at as usize].op.op_id);
    Judged {
        ending: found.ending,
        engine: "search",
        deepest: ids.filter(|_| undecided).collect(),
        finding: (found.ending == Ending::Illegal).then(|| explain(partition, new, left)),
    }
}

/// Searches, and takes the steps from the budget.
fn spend<M: Machine>(partition: &Partition<'_>, model: &mut M, left: &mut Budget) -> Found {
    let found = search(partition, model, left);
    left.steps_max = left.steps_max.saturating_sub(found.steps);
    found
}

/// Finds the first response that makes the history illegal, and a linearization of what ended
/// before it.
///
/// What was known at an earlier time is legal if what was known later is, so that the first
/// illegal end can be found by halving: as many searches as the logarithm of the operations. If
/// one of them goes beyond the budget, the counterexample is of a later response than the first.
fn explain<'a, M: Machine>(
    partition: &Partition<'a>,
    new: impl Fn(&Partition<'a>) -> M,
    left: &mut Budget,
) -> Finding {
    let ends = partition.ends();
    let mut prefix: Vec<&Operation> = Vec::new();
    let mut state = new(partition).value(0);
    let (mut legal, mut illegal) = (0, ends.len());
    while illegal - legal > 1 {
        let middle = legal + (illegal - legal) / 2;
        let known = partition.until(&ends[..middle]);
        let mut model = new(&known);
        let found = spend(&known, &mut model, left);
        match found.ending {
            Ending::Illegal => illegal = middle,
            Ending::Legal => {
                legal = middle;
                prefix = found
                    .order
                    .iter()
                    .map(|at| known.members[*at as usize].op)
                    .collect();
                state = model.value(found.state);
            }
            Ending::OutOfSteps | Ending::OutOfMemory => break,
        }
    }
    let blocked: Vec<&Operation> = ends[legal..illegal]
        .iter()
        .map(|at| partition.members[*at as usize].op)
        .collect();
    finding_of(partition, &prefix, state, &blocked)
}

fn finding_of(
    partition: &Partition<'_>,
    prefix: &[&Operation],
    state: Value,
    blocked: &[&Operation],
) -> Finding {
    let what = match blocked {
        [op] => format!("no order explains the response of #{}", op.op_id),
        _ => format!(
            "no order explains the responses of {} operations",
            blocked.len()
        ),
    };
    let (name, placed, all) = (name_of(partition), prefix.len(), partition.members.len());
    let message = format!("{name}: {what} ({placed} of {all} placed)");
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
