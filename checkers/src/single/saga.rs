//! Sagas: all of it, or what was done is undone.
//!
//! Rows: `begin` of the saga `key`, with the list of its steps as `input`; `step` and `compensate`
//! of `[saga, step]`; `saga` of `key`, whose `output` is what was told at the end, `done` or
//! `compensated`.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Completion, Operation};
use crate::value::Value;

/// One step of a saga.
#[derive(Default)]
struct Step<'a> {
    done: Option<&'a Operation>,
    /// An attempt whose outcome is not known.
    perhaps: Option<&'a Operation>,
    failed: Option<&'a Operation>,
    compensated: Vec<&'a Operation>,
    compensated_perhaps: bool,
}

/// One saga.
#[derive(Default)]
struct Saga<'a> {
    begun: Option<&'a Operation>,
    steps: BTreeMap<&'a Value, Step<'a>>,
    told: Option<&'a Operation>,
}

pub(super) fn check(judged: &mut Judged<'_>) {
    let mut ids: FxHashMap<&Value, usize> = FxHashMap::default();
    let mut sagas: Vec<(&Value, Saga<'_>)> = Vec::new();
    for (_, op) in judged.named(&["begin", "step", "compensate", "saga"]) {
        let name = op.op_type.name();
        let of_step = matches!(name, "step" | "compensate");
        let key = op.key.as_ref();
        let pair = key.and_then(Value::as_pair).filter(|_| of_step);
        let Some(saga) = (if of_step {
            pair.map(|(saga, _)| saga)
        } else {
            key
        }) else {
            let shape = if of_step { "[saga, step]" } else { "the saga" };
            judged.lacks(|| format!("key ({shape}) of {name} #{}", op.op_id));
            continue;
        };
        judged.consume(1);
        let id = *ids.entry(saga).or_insert(sagas.len());
        if id == sagas.len() {
            sagas.push((saga, Saga::default()));
        }
        let saga = &mut sagas[id].1;
        match (name, pair) {
            ("begin", _) => saga.begun = Some(op),
            ("saga", _) if op.is_acknowledged() => saga.told = Some(op),
            (_, Some((_, step))) => saga.steps.entry(step).or_default().take(op),
            _ => {}
        }
    }
    for (key, saga) in &sagas {
        compensations(judged, key, saga);
        whole(judged, key, saga);
    }
}

impl<'a> Step<'a> {
    fn take(&mut self, op: &'a Operation) {
        let step = op.op_type.name() == "step";
        match (step, op.completion()) {
            (true, Completion::Acknowledged) => self.done = self.done.or(Some(op)),
            (true, Completion::Ambiguous) => self.perhaps = Some(op),
            (true, Completion::Failed) => self.failed = Some(op),
            (false, Completion::Acknowledged) => self.compensated.push(op),
            (false, Completion::Ambiguous) => self.compensated_perhaps = true,
            (false, Completion::Failed) => {}
        }
    }
}

fn compensations(judged: &mut Judged<'_>, key: &Value, saga: &Saga<'_>) {
    let mut undone: Vec<(&Operation, &Operation)> = Vec::new();
    for (name, step) in &saga.steps {
        let Some(first) = step.compensated.first() else {
            continue;
        };
        if let [one, two, ..] = step.compensated[..] {
            judged.find("compensated-twice", Some(key), &[one, two], || {
                format!(
                    "step {name} of {key} was undone by #{} and #{}",
                    one.op_id, two.op_id
                )
            });
        }
        if step.done.is_none() && step.perhaps.is_none() {
            let rows: Vec<&Operation> = step.failed.into_iter().chain([*first]).collect();
            judged.find("compensated-nothing", Some(key), &rows, || {
                format!(
                    "#{} undid step {name} of {key}, which was not done",
                    first.op_id
                )
            });
        }
        if let Some(done) = step.done {
            undone.push((done, first));
        }
    }
    // In the order of the steps, what is undone goes back in time.
    undone.sort_by_key(|(done, _)| done.complete_ts);
    for pair in undone.windows(2) {
        let ((early, early_undo), (late, late_undo)) = (pair[0], pair[1]);
        let steps = early.complete_ts < Some(late.invoke_ts);
        if steps && early_undo.complete_ts < Some(late_undo.invoke_ts) {
            let rows = [early, late, early_undo, late_undo];
            judged.find("wrong-order", Some(key), &rows, || {
                let (first, second) = (early_undo.op_id, late_undo.op_id);
                format!("{key} was undone in the order in which it was done: #{first}, #{second}")
            });
        }
    }
}

fn whole(judged: &mut Judged<'_>, key: &Value, saga: &Saga<'_>) {
    let compensated = saga
        .steps
        .values()
        .flat_map(|step| &step.compensated)
        .next();
    let left = saga.steps.iter().find(|(_, step)| {
        step.done.is_some() && step.compensated.is_empty() && !step.compensated_perhaps
    });
    let planned = saga.begun.and_then(|op| op.input.as_list()).unwrap_or(&[]);
    let possible = |step: &Value| {
        saga.steps
            .get(step)
            .is_some_and(|step| step.done.is_some() || step.perhaps.is_some())
    };
    let missing = planned.iter().find(|step| !possible(step)).or_else(|| {
        let failed = saga.steps.iter();
        let mut failed = failed.filter(|(_, step)| step.failed.is_some());
        failed
            .find(|(name, _)| !possible(name))
            .map(|(name, _)| *name)
    });
    let told = saga.told.and_then(|op| op.observed().as_text());
    if let (Some(undo), Some((name, step))) = (compensated, left) {
        let rows: Vec<&Operation> = step.done.into_iter().chain([*undo]).collect();
        judged.find("half-compensated", Some(key), &rows, || {
            format!(
                "{key} was undone by #{}, and its step {name} was not",
                undo.op_id
            )
        });
    } else if let (None, Some(missing), Some((name, step))) = (compensated, missing, left) {
        let failed = saga.steps.get(missing).and_then(|step| step.failed);
        let rows: Vec<&Operation> = step.done.into_iter().chain(failed).collect();
        judged.find("not-compensated", Some(key), &rows, || {
            format!("{key} did step {name} and not step {missing}, and nothing was undone")
        });
    }
    if told == Some("done")
        && (compensated.is_some() || missing.is_some())
        && let Some(told) = saga.told
    {
        let rows: Vec<&Operation> = compensated.copied().into_iter().chain([told]).collect();
        judged.find("false-done", Some(key), &rows, || {
            format!("#{} says that {key} is done, and it is not", told.op_id)
        });
    }
    if told == Some("compensated")
        && let (None, Some((_, step)), Some(told)) = (compensated, left, saga.told)
    {
        let rows: Vec<&Operation> = step.done.into_iter().chain([told]).collect();
        judged.find("false-compensated", Some(key), &rows, || {
            format!("#{} says that {key} was undone, and it was not", told.op_id)
        });
    }
    if saga.begun.is_none() {
        judged.lacks(|| format!("a `begin` row, with the steps, of saga {key}"));
    }
}
