//! A history that is, in its own order, a run of a model.
//!
//! Unlike linearizability nothing is searched: the rows stand in the order in which the system says
//! that they took effect, which is the order of their completion.

use std::collections::{BTreeMap, BTreeSet};

use super::Judged;
use crate::history::{Completion, Operation};
use crate::models::{Builtin, Model};
use crate::report::CheckReport;
use crate::spec::ModelKind;
use crate::value::{Brief, Value};

/// States that are carried along; more are not decided.
const STATES_MAX: usize = 4_096;

pub(super) fn check(judged: &mut Judged<'_>, model: ModelKind) {
    let builtin = Builtin(model);
    for (_, op) in judged.rows() {
        if let Some(field) = crate::models::refuse(model, op) {
            judged.lacks(|| field);
            return;
        }
    }
    run(judged, &builtin);
}

/// Judges whether a history is, in the order of completion, a run of a model: each response is
/// one that the model gives in a state that the rows before it may have left.
///
/// An ambiguous row may have happened at any place from its own on, or not at all. Cost: a step of
/// the model a row and state; more than 4,096 states at once, by which of the ambiguous rows
/// happened, are not decided.
#[must_use]
pub fn refine_with<M: Model>(history: &crate::History, model: &M) -> CheckReport {
    let mut judged = Judged::new(history);
    run(&mut judged, model);
    judged.finish(super::Single::Refinement.row())
}

fn run<M: Model>(judged: &mut Judged<'_>, model: &M) {
    let mut parts: BTreeMap<Option<&Value>, Vec<&Operation>> = BTreeMap::new();
    for (_, op) in judged.rows() {
        if op.is_client() && op.completion() != Completion::Failed {
            parts.entry(model.part(op)).or_default().push(op);
        }
    }
    for (key, mut rows) in parts {
        judged.consume(rows.len());
        // What has no known end may happen from its beginning on.
        rows.sort_by_key(|op| {
            let end = op.complete_ts.filter(|_| op.is_acknowledged());
            end.unwrap_or(op.invoke_ts)
        });
        run_part(judged, model, key, &rows);
    }
}

/// What may be so after the rows before: a state, and which ambiguous rows have not happened yet.
type Possible<M> = BTreeSet<(<M as Model>::State, Vec<u32>)>;

/// Adds every state to which ambiguous rows may lead that have not happened; false when there are
/// too many.
fn happen<M: Model>(model: &M, rows: &[&Operation], possible: &mut Possible<M>) -> bool {
    let mut open: Vec<(M::State, Vec<u32>)> = possible.iter().cloned().collect();
    let mut next = Vec::new();
    while let Some((state, pending)) = open.pop() {
        for at in 0..pending.len() {
            let mut rest = pending.clone();
            let row = rest.remove(at);
            model.step(&state, rows[row as usize], &mut next);
            for after in next.drain(..) {
                let after = (after, rest.clone());
                if !possible.contains(&after) {
                    open.push(after.clone());
                    possible.insert(after);
                }
            }
        }
        if possible.len() > STATES_MAX {
            return false;
        }
    }
    true
}

fn run_part<M: Model>(
    judged: &mut Judged<'_>,
    model: &M,
    key: Option<&Value>,
    rows: &[&Operation],
) {
    let mut possible: Possible<M> = BTreeSet::from([(model.initial(), Vec::new())]);
    let mut next = Vec::new();
    for (place, op) in rows.iter().enumerate() {
        if op.completion() == Completion::Ambiguous {
            if !model.observes(op) {
                let with = |(state, mut pending): (M::State, Vec<u32>)| {
                    pending.push(place as u32);
                    (state, pending)
                };
                possible = possible.into_iter().map(with).collect();
            }
            continue;
        }
        if !happen(model, rows, &mut possible) {
            judged.undecided(format!("more than {STATES_MAX} states at #{}", op.op_id));
            return;
        }
        let mut after: Possible<M> = BTreeSet::new();
        for (state, pending) in &possible {
            model.step(state, op, &mut next);
            after.extend(next.drain(..).map(|state| (state, pending.clone())));
        }
        if after.is_empty() {
            let before = place.checked_sub(1).map(|place| rows[place]);
            let shown: Vec<&Operation> = before.into_iter().chain([*op]).collect();
            let state = possible.first();
            let state = state.map_or(Value::Null, |(state, _)| model.show(state));
            judged.find("no-refinement", key, &shown, || {
                let (id, state) = (op.op_id, Brief(&state));
                format!("in state {state} the model does not answer as #{id} did")
            });
            return;
        }
        possible = after;
    }
}
