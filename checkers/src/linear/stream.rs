//! Linearizability of a history that is longer than memory: rows in, and soon forgotten.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rustc_hash::FxHashMap;

use super::frontier::Frontier;
use super::partition::tells;
use super::{Ending, key_name};
use crate::history::{Completion, OpType, Operation};
use crate::models::{self, Builtin, Model as _};
use crate::report::{Budget, CheckReport, Finding, Outcome};
use crate::spec::ModelKind;
use crate::value::Value;

/// Judges rows as they come, in the order of their invocations, and keeps of each object what is
/// open and the states that it can be in.
///
/// It answers as [`crate::check()`] does by linearizability, but with findings that have neither
/// a legal prefix nor a minimal set, which need the rows that were forgotten: the first response
/// of an object that has no order is named, and rows up to it, judged by [`crate::check()`],
/// give them.
///
/// Memory: for each object its open operations, its configurations (at most
/// [`Budget::memory_bytes_max`]) and one operation for each kind of pending ones, which may take
/// effect at any later time. [`Budget::steps_max`] bounds the steps of each object from one
/// instant at which nothing is open to the next.
pub struct Stream {
    kind: ModelKind,
    budget: Budget,
    objects: BTreeMap<Option<Value>, Object>,
    total: u64,
    failed: u64,
    ambiguous: u64,
    observes: bool,
    /// The last row's invocation and id.
    last: Option<(u64, u64)>,
    lacks: Option<String>,
    findings: Vec<Finding>,
    unknown: Option<String>,
}

/// One object.
struct Object {
    frontier: Frontier<Operation, Builtin>,
    /// Returns to come: instant, number of the call, slot, process.
    returns: BinaryHeap<Reverse<(u64, u64, u32, u64)>>,
    /// By process, what may be followed at one instant: the instant and the slot.
    touches: FxHashMap<u64, (u64, u32)>,
    calls: u64,
    /// Operations that were judged.
    consumed: u64,
    /// Times at which nothing was open.
    quiet: u64,
    ended: bool,
}

impl Stream {
    /// Judges nothing yet.
    #[must_use]
    pub fn new(kind: ModelKind, budget: Budget) -> Self {
        Self {
            kind,
            budget,
            objects: BTreeMap::new(),
            total: 0,
            failed: 0,
            ambiguous: 0,
            observes: false,
            last: None,
            lacks: None,
            findings: Vec::new(),
            unknown: None,
        }
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// The row contradicts itself, comes before the last one, has an id that is not higher, or
    /// appends to a map, whose values are texts or lists: judge those as `text` or `log`.
    pub fn row(&mut self, op: Operation) -> Result<(), String> {
        op.validate()?;
        let place = (op.invoke_ts, op.op_id);
        if let Some((invoke_ts, op_id)) = self.last
            && (place.0 < invoke_ts || place.1 <= op_id)
        {
            return Err(format!(
                "operation {} does not follow operation {op_id}: a history is streamed by ids and \
                 invocations that go up",
                op.op_id
            ));
        }
        self.last = Some(place);
        if !op.is_client() {
            return Ok(());
        }
        if self.kind == ModelKind::Map && op.op_type == OpType::Append {
            return Err(format!(
                "operation {} appends to a map: stream it as a log or a text",
                op.op_id
            ));
        }
        self.total += 1;
        if self.lacks.is_some() {
            return Ok(());
        }
        self.lacks = models::refuse(self.kind, &op);
        self.observes |= tells(&op, Some(self.kind));
        self.failed += u64::from(op.completion() == Completion::Failed);
        self.ambiguous += u64::from(op.completion() == Completion::Ambiguous);
        let key = Builtin(self.kind).part(&op).cloned();
        let (kind, budget) = (self.kind, self.budget);
        let object = self.objects.entry(key.clone()).or_insert_with(|| Object {
            frontier: Frontier::new(Builtin(kind), Some(kind), budget),
            returns: BinaryHeap::new(),
            touches: FxHashMap::default(),
            calls: 0,
            consumed: 0,
            quiet: 0,
            ended: false,
        });
        let (found, past) = object.take(op);
        if let Some((ending, blocked)) = found {
            self.ended(key.as_ref(), ending, &blocked, past);
        }
        Ok(())
    }

    /// The objects that have no order, so far, each with the last instant that it takes to see it,
    /// virtual nanoseconds.
    #[must_use]
    pub fn broken(&self) -> Vec<(Option<Value>, u64)> {
        let until = |finding: &Finding| finding.rows.first().and_then(|op| op.complete_ts);
        let findings = self.findings.iter();
        findings
            .map(|finding| (finding.key.clone(), until(finding).unwrap_or(u64::MAX)))
            .collect()
    }

    /// Judges what is still open, and answers.
    #[must_use]
    pub fn finish(mut self) -> CheckReport {
        let mut objects = std::mem::take(&mut self.objects);
        let (mut consumed, mut quiet, mut widest) = (0, 0, 1);
        for (key, object) in &mut objects {
            if let Some((ending, blocked)) = object.returns_before(u64::MAX, true) {
                self.ended(key.as_ref(), ending, &blocked, object.past());
            }
            consumed += object.consumed;
            quiet += object.quiet;
            widest = widest.max(object.frontier.widest);
        }
        let mut report = CheckReport::new("linearizability", Outcome::Ok, consumed, self.total);
        report.engine = "frontier".to_owned();
        report.scope = format!(
            "objects judged as {}, each by itself, as a stream: {}; nothing was open at {quiet} \
             instants; at most {widest} configurations; {} failed and {} ambiguous operations",
            self.kind.name(),
            objects.len(),
            self.failed,
            self.ambiguous
        );
        report.findings = self.findings;
        report
            .findings
            .sort_by(|one, other| one.key.cmp(&other.key));
        let weak = |field: &str| Outcome::Weak {
            field: field.to_owned(),
        };
        report.outcome = match (self.lacks, self.unknown) {
            (Some(field), _) => {
                (report.consumed, report.findings) = (0, Vec::new());
                Outcome::Weak { field }
            }
            _ if !report.findings.is_empty() => Outcome::Violation,
            (None, Some(why)) => Outcome::Unknown { why },
            _ if self.total == 0 => weak("client operations"),
            _ if !self.observes => {
                weak("acknowledged reads, or other responses that depend on the state")
            }
            _ => Outcome::Ok,
        };
        report.cap_findings();
        report
    }

    fn ended(&mut self, key: Option<&Value>, ending: Ending, blocked: &Operation, past: Past) {
        let (name, id) = (key_name(key), blocked.op_id);
        if ending == Ending::Illegal {
            let message = format!(
                "{name}: no order explains the response of #{id}, whatever took effect since \
                 nothing was open for the {}. time",
                past.quiet
            );
            let finding = Finding::of_rows("not-linearizable", message, key, &[blocked]);
            self.findings.push(finding);
        }
        let Some(spent) = ending.spent(&self.budget) else {
            return;
        };
        self.unknown.get_or_insert_with(|| {
            format!(
                "{name}, from the return of #{id} on, needs more than the budget of {spent}; the \
                 {} operations of it that were over before have an order",
                past.explained
            )
        });
    }
}

/// What is known of an object's past.
#[derive(Clone, Copy)]
struct Past {
    /// Times at which nothing was open.
    quiet: u64,
    /// Operations that were over, and have an order.
    explained: u64,
}

/// How an object's search ended, and at whose return.
type Ended = Option<(Ending, Operation)>;

impl Object {
    /// Takes a row; also what is known of the past.
    fn take(&mut self, op: Operation) -> (Ended, Past) {
        if self.ended {
            return (None, self.past());
        }
        let found = self.returns_before(op.invoke_ts, false);
        let past = self.past();
        if found.is_none() {
            self.call(op);
        }
        (found, past)
    }

    fn past(&self) -> Past {
        Past {
            quiet: self.quiet,
            explained: self.consumed,
        }
    }

    fn call(&mut self, op: Operation) {
        let vain = op.completion() == Completion::Ambiguous && op.op_type.is_read();
        if op.completion() == Completion::Failed || vain {
            self.consumed += 1;
            return;
        }
        let (process, invoke_ts) = (op.process_id, op.invoke_ts);
        let touched = self.touches.get(&process).copied();
        let after = touched
            .filter(|(at, _)| *at == invoke_ts)
            .map(|(_, slot)| slot);
        self.calls += 1;
        if !op.is_acknowledged() {
            // What may never happen hands on what it follows itself.
            if after.is_none() {
                self.touches.remove(&process);
            }
            self.consumed += 1;
            self.frontier.called(op, false, after);
            return;
        }
        let complete_ts = op.complete_ts.unwrap_or(invoke_ts);
        if let Some(slot) = self.frontier.called(op, true, after) {
            self.touches.insert(process, (complete_ts, slot));
            let returns = (complete_ts, self.calls, slot, process);
            self.returns.push(Reverse(returns));
        }
    }

    /// Takes the returns before an instant, or all.
    fn returns_before(&mut self, now: u64, all: bool) -> Ended {
        while !self.ended
            && let Some(Reverse((at, _, slot, process))) = self.returns.peek().copied()
            && (all || at < now)
        {
            self.returns.pop();
            if self.touches.get(&process) == Some(&(at, slot)) {
                self.touches.remove(&process);
            }
            let op = self.frontier.at(slot).cloned();
            if let Some(ending) = self.frontier.returned(slot) {
                self.ended = true;
                self.consumed += u64::from(ending == Ending::Illegal);
                // Nothing of it is needed any more.
                self.returns.clear();
                self.touches.clear();
                return op.map(|op| (ending, op));
            }
            self.consumed += 1;
            if self.frontier.is_quiet() {
                self.quiet += 1;
                self.frontier.steps = 0;
            }
        }
        None
    }
}
