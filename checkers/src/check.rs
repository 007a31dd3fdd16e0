//! The door: one history, one checker, one answer.

use crate::history::History;
use crate::report::{Budget, CheckReport, Outcome};
use crate::spec::{CheckerSpec, ModelKind};
use crate::value::Value;
use crate::{leader, linear, lost, minimal, progress, single, txn, weak};

/// Steps for each of the judgements that make a finding minimal.
const STEPS_MINIMAL: u64 = 100_000;

/// Judges a history by one checker.
///
/// Deterministic: the same history, checker, model and budget give the same report. The model
/// matters to linearizability and to no-lost-ack. A history that contradicts itself (an `op_id`
/// twice, a completion before its invocation) is not judged: the answer is
/// [`Outcome::Unknown`] with the reason.
///
/// Cost: linear, n log n at most, but for linearizability, whose search the budget bounds.
///
/// ```
/// use checkers::spec::{CheckerSpec, ModelKind};
/// use checkers::{Budget, Outcome, check, jsonl};
///
/// let lines = r#"{"index":0,"process":1,"type":"invoke","f":"write","key":0,"value":4}
/// {"index":1,"process":1,"type":"ok","f":"write","key":0,"value":4}
/// {"index":2,"process":2,"type":"invoke","f":"read","key":0,"value":null}
/// {"index":3,"process":2,"type":"ok","f":"read","key":0,"value":4}"#;
/// let history = jsonl::read(lines.as_bytes()).expect("two operations");
/// let spec = CheckerSpec::Linearizability;
/// let report = check(&history, &spec, ModelKind::Register, &Budget::default());
/// assert_eq!(report.outcome, Outcome::Ok);
/// assert_eq!((report.consumed, report.total), (2, 2));
/// ```
#[must_use]
pub fn check(
    history: &History,
    spec: &CheckerSpec,
    model: ModelKind,
    budget: &Budget,
) -> CheckReport {
    check_on(history, spec, model, budget, 1)
}

/// As [`check`], by up to so many threads; the report is the same. Objects are judged for
/// linearizability at the same time, each with what it may remember.
///
/// Not from inside a simulation, which has one thread.
#[must_use]
pub fn check_on(
    history: &History,
    spec: &CheckerSpec,
    model: ModelKind,
    budget: &Budget,
    threads: usize,
) -> CheckReport {
    if let Err(why) = history.validate() {
        let total = history.ops.len() as u64;
        let mut report = CheckReport::new(name_of(spec), Outcome::Unknown { why }, 0, total);
        report.scope = "the history contradicts itself and was not judged".to_owned();
        return report;
    }
    let judge = |history: &History, budget: &Budget| judge(history, spec, model, budget, threads);
    let mut report = judge(history, budget);
    let of_one_claim = matches!(
        spec,
        CheckerSpec::NoLostAck
            | CheckerSpec::SingleLeader
            | CheckerSpec::Progress { .. }
            | CheckerSpec::Single(_)
    );
    if of_one_claim {
        let small = Budget {
            steps_max: budget.steps_max.min(STEPS_MINIMAL),
            ..*budget
        };
        minimal::find(&mut report, history, |history| judge(history, &small));
    }
    if report.engine.is_empty() {
        report.engine = "pass".to_owned();
    }
    report
}

/// The name by which reports call a checker.
#[must_use]
pub fn name_of(spec: &CheckerSpec) -> &'static str {
    match spec {
        CheckerSpec::Linearizability => "linearizability",
        CheckerSpec::NoLostAck => "no-lost-ack",
        CheckerSpec::SingleLeader => "single-leader",
        CheckerSpec::Progress { .. } => "progress",
        CheckerSpec::Single(single) => single.name(),
        CheckerSpec::Isolation { workload, .. } => workload.name(),
        CheckerSpec::Weak(weak) => weak.name(),
    }
}

fn judge(
    history: &History,
    spec: &CheckerSpec,
    model: ModelKind,
    budget: &Budget,
    threads: usize,
) -> CheckReport {
    match *spec {
        CheckerSpec::Linearizability => linear::check(history, model, budget, threads),
        CheckerSpec::NoLostAck => lost::check(history, model),
        CheckerSpec::SingleLeader => leader::check(history),
        CheckerSpec::Progress { within_ns } => progress::check(history, within_ns),
        CheckerSpec::Single(single) => single::check(history, single, model, budget),
        CheckerSpec::Isolation { workload, level } => {
            txn::judge(history, workload, level, &Value::Null, budget).0
        }
        CheckerSpec::Weak(weak) => weak::check(history, weak, budget),
    }
}
