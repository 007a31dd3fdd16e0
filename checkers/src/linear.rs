//! Linearizability: every operation took effect at one instant between its call and its return.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::history::{History, OpType, Operation};
use crate::models::{Builtin, Model};
use crate::parallel;
use crate::report::{Budget, CheckReport, Outcome};
use crate::spec::ModelKind;
use crate::value::Value;

mod alike;
mod bag;
mod certificate;
mod defect;
mod entries;
mod explain;
mod fifo;
mod frontier;
mod interned;
mod line;
mod log;
mod machine;
mod memory;
mod monitor;
mod needed;
mod nested;
mod partition;
mod refutation;
mod register;
mod search;
mod sentences;
mod stack;
mod stream;
mod verify;
mod visited;

use bag::Bag;
pub use certificate::{Certificate, certify, verify};
pub(crate) use defect::{Defect, planted};
use explain::explain;
use frontier::{Swept, sweep};
use interned::Interned;
use log::Log;
use machine::Machine;
use monitor::Verdict;
use needed::needed;
use partition::{Partition, partitions_of};
pub use refutation::refute;
use register::Register;
use search::{Ending, Found, search};
use stack::Stack;
pub use stream::Stream;

/// Judges a history against a model of the caller's own, as [`crate::check()`] does against those
/// of this crate. `name` is what the report calls the model.
///
/// A history that contradicts itself is not judged: the answer is [`Outcome::Unknown`].
///
/// Cost: the budget bounds it, to twice as much at most.
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
    let partitions = partitions_of(history, None, 1, |op| model.part(op));
    let mut engines = Engines {
        decide: &mut |part, left| by_search(part, &mut Interned::new(part, model), left),
        sweep: &|part, left| sweep(part, model, left),
        needed: &|part| needed(part, model, budget.memory_bytes_max),
        spare: *budget,
        ahead: &|_, _| Vec::new(),
        threads: 1,
    };
    judge_all(history, partitions, name, budget, &mut engines)
}

/// Judges each object by itself (linearizability is local), the smallest first.
///
/// With more than one thread, objects are decided ahead of their turn; the report is the same.
pub(crate) fn check(
    history: &History,
    kind: ModelKind,
    budget: &Budget,
    threads: usize,
) -> CheckReport {
    let kind = settled(history, kind);
    let partitions = partitions_of(history, Some(kind), threads, |op| Builtin(kind).part(op));
    let decide = |part: &Partition<'_>, left: &mut Budget| {
        by_monitor(part, kind, left).unwrap_or_else(|| by_search_of(part, kind, left))
    };
    let by_frontier = |part: &Partition<'_>, left: &Budget| sweep(part, &Builtin(kind), left);
    let ahead = |parts: &[Partition<'_>], left: &Budget| {
        parallel::map(threads, parts, |part| {
            // At once they have together what one has in turn.
            let mut own = Budget {
                memory_bytes_max: left.memory_bytes_max / threads.max(1) as u64,
                ..*left
            };
            let decision = race(
                part,
                &mut own,
                &mut |part, left| decide(part, left),
                &by_frontier,
            );
            (decision, left.steps_max - own.steps_max)
        })
    };
    let mut engines = Engines {
        decide: &mut |part, left| decide(part, left),
        sweep: &by_frontier,
        needed: &|part| needed(part, &Builtin(kind), budget.memory_bytes_max),
        spare: *budget,
        ahead: &ahead,
        threads,
    };
    judge_all(history, partitions, kind.name(), budget, &mut engines)
}

/// The model that decides what is asked: a map is one of texts or of lists if it is appended to.
fn settled(history: &History, kind: ModelKind) -> ModelKind {
    let appends = |op: &Operation| op.op_type == OpType::Append;
    if kind != ModelKind::Map || !history.ops.iter().any(appends) {
        return kind;
    }
    let mut given = history
        .ops
        .iter()
        .filter(|op| appends(op) || op.op_type.is_write());
    match given.all(|op| op.input.as_text().is_some()) {
        true => ModelKind::Text,
        false => ModelKind::Log,
    }
}

/// What deciding one partition came to.
struct Decision {
    ending: Ending,
    engine: &'static str,
    /// The linearization, in members; without one, the longest that was tried.
    order: Vec<u32>,
    /// The state after the linearization.
    state: Value,
    /// Members that have no order whatever the others are, if the engine names them.
    witness: Vec<u32>,
    /// What the search took.
    steps: u64,
    /// Whether more memory could have changed how it came to this.
    starved: bool,
}

fn by_search<M: Machine>(
    partition: &Partition<'_>,
    machine: &mut M,
    left: &mut Budget,
) -> Decision {
    let found = search(partition, machine, left);
    left.steps_max = left.steps_max.saturating_sub(found.steps);
    Decision {
        ending: found.ending,
        engine: "search",
        order: found.order,
        state: machine.value(found.state),
        witness: Vec::new(),
        steps: found.steps,
        starved: found.ending == Ending::OutOfMemory,
    }
}

fn by_search_of(partition: &Partition<'_>, kind: ModelKind, left: &mut Budget) -> Decision {
    match kind {
        ModelKind::Log => by_search(partition, &mut Log::new(partition), left),
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => {
            by_search(partition, &mut Register::new(partition), left)
        }
        ModelKind::Text => match Log::of_text(partition) {
            Some(mut log) => by_search(partition, &mut log, left),
            None => by_model(partition, kind, left),
        },
        ModelKind::Bag => by_search(partition, &mut Bag::new(partition), left),
        ModelKind::Queue => by_items(partition, kind, left),
        ModelKind::Stack => by_blocks(partition, kind, left),
        _ => by_model(partition, kind, left),
    }
}

fn by_model(partition: &Partition<'_>, kind: ModelKind, left: &mut Budget) -> Decision {
    let model = Builtin(kind);
    by_search(partition, &mut Interned::new(partition, &model), left)
}

/// The search of a queue for the order of its elements; where that is not one of its operations,
/// since several ended at one instant, the search for theirs.
fn by_items(partition: &Partition<'_>, kind: ModelKind, left: &mut Budget) -> Decision {
    let Some(found) = fifo::search(partition, left) else {
        return by_model(partition, kind, left);
    };
    match played(partition, kind, found) {
        Some(decision) => {
            left.steps_max = left.steps_max.saturating_sub(decision.steps);
            decision
        }
        None => by_model(partition, kind, left),
    }
}

/// What a search of its own kind of object found, with the state that its order ends in; none if
/// the order is none.
fn played(partition: &Partition<'_>, kind: ModelKind, found: Found) -> Option<Decision> {
    let state = match found.ending {
        Ending::Legal => verify::play(partition, kind, &found.order).ok()?,
        _ => Value::Null,
    };
    Some(Decision {
        ending: found.ending,
        engine: "search",
        order: found.order,
        state,
        witness: Vec::new(),
        steps: found.steps,
        starved: found.ending == Ending::OutOfMemory,
    })
}

/// Steps for the order of a stack's blocks, and more of them for each operation.
const BLOCK_STEPS: u64 = 1 << 12;
const BLOCK_STEPS_A_MEMBER: u64 = 8;

/// The search of a stack for the order of its blocks; where that takes long, the search for how
/// its operations nest; where that can not tell, the search for their order.
fn by_blocks(partition: &Partition<'_>, kind: ModelKind, left: &mut Budget) -> Decision {
    let Some(mut stack) = Stack::new(partition) else {
        return by_model(partition, kind, left);
    };
    let few = BLOCK_STEPS + BLOCK_STEPS_A_MEMBER * partition.members.len() as u64;
    let mut own = Budget {
        steps_max: few.min(left.steps_max),
        ..*left
    };
    let before = own.steps_max;
    let mut found = by_search(partition, &mut stack, &mut own);
    left.steps_max -= before - own.steps_max;
    // Of two pushes at one instant, what each follows in its process may bind either more.
    let touches = partition.members.iter().any(|one| one.after().is_some());
    let proven = !stack.is_wild() && !touches;
    found.order = stack.order(found.order);
    match found.ending {
        Ending::Legal => {
            if let Ok(state) = verify::play(partition, kind, &found.order) {
                found.state = state;
                return found;
            }
        }
        Ending::Illegal if proven => return found,
        _ => {}
    }
    let nested = by_nesting(partition, kind, left);
    Decision {
        starved: nested.starved || found.starved,
        ..nested
    }
}

fn by_nesting(partition: &Partition<'_>, kind: ModelKind, left: &mut Budget) -> Decision {
    let Some(found) = nested::search(partition, left) else {
        return by_model(partition, kind, left);
    };
    left.steps_max = left.steps_max.saturating_sub(found.steps);
    played(partition, kind, found).unwrap_or_else(|| by_model(partition, kind, left))
}

/// Steps for judging again what a monitor calls illegal.
const WITNESS_STEPS: u64 = 200_000;

/// What the monitor of the model says, if there is one and it is sure. An order that it gives is
/// played back; what it calls illegal is judged again by the search, without the rest.
fn by_monitor(partition: &Partition<'_>, kind: ModelKind, left: &mut Budget) -> Option<Decision> {
    let (engine, verdict) = monitor::ask(partition, kind)?;
    match verdict {
        Verdict::Legal(order) => {
            let state = verify::play(partition, kind, &order).ok()?;
            Some(Decision {
                ending: Ending::Legal,
                engine,
                order,
                state,
                witness: Vec::new(),
                steps: 0,
                starved: false,
            })
        }
        Verdict::Illegal(mut witness) => {
            witness.sort_unstable();
            witness.dedup();
            let part = partition.only(&witness);
            let mut steps = Budget {
                steps_max: WITNESS_STEPS.min(left.steps_max),
                ..*left
            };
            let again = by_search_of(&part, kind, &mut steps);
            debug_assert!(
                again.ending != Ending::Legal || defect::any(),
                "the {engine} calls legal operations illegal: {:?}",
                part.members
                    .iter()
                    .map(|member| member.op)
                    .collect::<Vec<_>>()
            );
            (again.ending != Ending::Legal).then(|| Decision {
                ending: Ending::Illegal,
                engine,
                order: Vec::new(),
                state: Value::Null,
                witness,
                steps: again.steps,
                starved: false,
            })
        }
        Verdict::Unsure => None,
    }
}

/// Decides one partition.
type Decide<'d> = &'d mut dyn FnMut(&Partition<'_>, &mut Budget) -> Decision;

/// Looks at one partition from return to return.
type Sweep<'d> = &'d dyn Fn(&Partition<'_>, &Budget) -> Swept;

/// Which members of a partition that has no order are needed for that.
type Needed<'d> = &'d dyn Fn(&Partition<'_>) -> Option<Vec<u32>>;

/// A decision, and the steps that it took off the budget.
type Ahead = Vec<(Decision, u64)>;

/// Who decides.
struct Engines<'d> {
    decide: Decide<'d>,
    /// The second opinion on what the first does not decide within its budget.
    sweep: Sweep<'d>,
    needed: Needed<'d>,
    /// What is left for it.
    spare: Budget,
    /// Decides some partitions at once, each as if it had all that is left.
    ahead: &'d dyn Fn(&[Partition<'_>], &Budget) -> Ahead,
    threads: usize,
}

/// Partitions that a thread decides ahead at a time.
const AHEAD: usize = 16;

impl Engines<'_> {
    /// Gives the decision on each partition, with the same answers for any number of threads:
    /// what was decided ahead counts if it had been the same in turn.
    fn each(
        &mut self,
        partitions: &[Partition<'_>],
        left: &mut Budget,
        mut give: impl FnMut(&mut Self, &Partition<'_>, Decision, &mut Budget),
    ) {
        for some in partitions.chunks(AHEAD * self.threads.max(1)) {
            let before = *left;
            let mut ahead = match self.threads > 1 {
                true => (self.ahead)(some, &before),
                false => Vec::new(),
            }
            .into_iter();
            for partition in some {
                let same = |steps: &u64| {
                    *left == before || (*steps <= left.steps_max && left.steps_max > FULL_STEPS)
                };
                let known = ahead.next();
                let known = known.filter(|(known, steps)| !known.starved && same(steps));
                let decision = match known {
                    Some((decision, steps)) => {
                        left.steps_max = left.steps_max.saturating_sub(steps);
                        decision
                    }
                    None => race(partition, left, self.decide, self.sweep),
                };
                let decision = self.second(partition, decision);
                give(self, partition, decision, left);
            }
        }
    }

    /// Where the search gives up, what needs no memory of the past may still decide.
    fn second(&mut self, partition: &Partition<'_>, first: Decision) -> Decision {
        if !matches!(first.ending, Ending::OutOfSteps | Ending::OutOfMemory) {
            return first;
        }
        let swept = (self.sweep)(partition, &self.spare);
        self.spare.steps_max = self.spare.steps_max.saturating_sub(swept.steps);
        by_sweep(&swept).unwrap_or(first)
    }
}

/// What the frontier found, if it did.
fn by_sweep(swept: &Swept) -> Option<Decision> {
    matches!(swept.ending, Ending::Legal | Ending::Illegal).then(|| Decision {
        ending: swept.ending,
        engine: FRONTIER,
        order: Vec::new(),
        state: Value::Null,
        witness: Vec::new(),
        steps: swept.steps,
        starved: false,
    })
}

/// Steps after which the frontier is let in.
const HEAD_START_STEPS: u64 = 1 << 20;

/// With more steps left, how many there are does not change how an engine begins.
const FULL_STEPS: u64 = if HEAD_START_STEPS > WITNESS_STEPS {
    HEAD_START_STEPS
} else {
    WITNESS_STEPS
};

/// The first answer of two engines. They run in turns that are counted in steps, rather than side
/// by side: so it is the same one on every machine, and costs no more than twice the better.
fn race(
    partition: &Partition<'_>,
    left: &mut Budget,
    decide: &mut dyn FnMut(&Partition<'_>, &mut Budget) -> Decision,
    sweep: Sweep<'_>,
) -> Decision {
    let head_start = Budget {
        steps_max: left.steps_max.min(HEAD_START_STEPS),
        ..*left
    };
    let mut turn = head_start;
    let first = decide(partition, &mut turn);
    let over = first.ending != Ending::OutOfSteps || head_start == *left;
    if over {
        left.steps_max -= head_start.steps_max - turn.steps_max;
        return first;
    }
    drop(first);
    let swept = sweep(partition, &head_start);
    if let Some(decision) = by_sweep(&swept) {
        left.steps_max -= head_start.steps_max;
        return decision;
    }
    let decision = decide(partition, left);
    Decision {
        starved: decision.starved || swept.ending == Ending::OutOfMemory,
        ..decision
    }
}

/// The name of the engine that gives no order.
const FRONTIER: &str = "frontier";

fn judge_all<'a>(
    history: &'a History,
    partitions: Result<Vec<Partition<'a>>, String>,
    name: &str,
    budget: &Budget,
    deciders: &mut Engines<'_>,
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
        // Legal, but no response could have been wrong.
        let mut report =
            weak("acknowledged reads, or other responses that depend on the state".to_owned());
        report.consumed = total;
        report.scope = scope_of(&partitions, name);
        return report;
    }
    partitions.sort_by_key(|partition| partition.members.len());
    let mut report = CheckReport::new("linearizability", Outcome::Ok, 0, total);
    let (mut left, mut unknown) = (*budget, None);
    let mut engines = BTreeSet::new();
    deciders.each(
        &partitions,
        &mut left,
        |deciders, partition, decision, left| {
            engines.insert(decision.engine);
            if let Ending::Legal | Ending::Illegal = decision.ending {
                report.consumed += partition.total;
            }
            if decision.ending == Ending::Illegal {
                let finding = {
                    let (decide, sweep) = (&mut *deciders.decide, deciders.sweep);
                    explain(partition, &decision, decide, sweep, deciders.needed, left)
                };
                report.findings.push(finding);
            }
            if let (None, Some(spent)) = (&unknown, decision.ending.spent(budget)) {
                let of = name_of(partition);
                let why = format!("the search of {of} needs more than the budget of {spent}");
                unknown = Some(why);
                let ids = decision.order.iter();
                let ids = ids.map(|at| partition.members[*at as usize].op.op_id);
                report.deepest = ids.collect();
            }
        },
    );
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
    key_name(partition.key)
}

fn key_name(key: Option<&Value>) -> String {
    let named = |key| format!("key {key}");
    key.map_or_else(|| "the object".to_owned(), named)
}
