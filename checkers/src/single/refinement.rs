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
/// An ambiguous row may have happened at its place or not at all; when the run breaks after one,
/// the answer is unknown, since it may have happened later. Cost: a step of the model a row and
/// state; more than 4,096 states at once are not decided.
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
        rows.sort_by_key(|op| op.complete_ts.unwrap_or(op.invoke_ts));
        run_part(judged, model, key, &rows);
    }
}

fn run_part<M: Model>(
    judged: &mut Judged<'_>,
    model: &M,
    key: Option<&Value>,
    rows: &[&Operation],
) {
    let mut states: BTreeSet<M::State> = BTreeSet::from([model.initial()]);
    let (mut next, mut unknown) = (Vec::new(), None);
    for (place, op) in rows.iter().enumerate() {
        next.clear();
        for state in &states {
            model.step(state, op, &mut next);
        }
        if op.completion() == Completion::Ambiguous {
            unknown = unknown.or(Some(op));
            states.extend(next.drain(..));
        } else if next.is_empty() {
            if let Some(unknown) = unknown {
                let id = op.op_id;
                judged.undecided(format!(
                    "#{id} may depend on the outcome of #{}",
                    unknown.op_id
                ));
                return;
            }
            let before = place.checked_sub(1).map(|place| rows[place]);
            let shown: Vec<&Operation> = before.into_iter().chain([*op]).collect();
            let state = states
                .first()
                .map_or(Value::Null, |state| model.show(state));
            judged.find("no-refinement", key, &shown, || {
                let (id, state) = (op.op_id, Brief(&state));
                format!("in state {state} the model does not answer as #{id} did")
            });
            return;
        } else {
            states = next.drain(..).collect();
        }
        if states.len() > STATES_MAX {
            judged.undecided(format!("more than {STATES_MAX} states at #{}", op.op_id));
            return;
        }
    }
}
