//! The search against every permutation, on tiny histories.

use std::cell::Cell;
use std::collections::BTreeMap;

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, Completion, Finding, History, Operation, Outcome, Value, check};
use proptest::test_runner::TestCaseError;

use super::random::{apply, drafts, execute, runner};

/// Whether `first` ended before `second` began; the numbers are places in the history.
fn precedes(first: (usize, &Operation), second: (usize, &Operation)) -> bool {
    if first.1.completion() == Completion::Ambiguous {
        return false;
    }
    let end = first.1.complete_ts.expect("an acknowledged operation ends");
    let same = first.1.process_id == second.1.process_id && first.0 < second.0;
    end < second.1.invoke_ts || (same && end == second.1.invoke_ts)
}

/// Tries every order of the remaining operations, with every choice of ambiguous ones, over all
/// keys at once. Nothing is remembered, nothing is skipped.
fn linearizes(state: &BTreeMap<Value, Value>, rest: &[(usize, &Operation)]) -> bool {
    if rest
        .iter()
        .all(|(_, op)| op.completion() == Completion::Ambiguous)
    {
        return true;
    }
    (0..rest.len()).any(|pick| {
        let chosen = rest[pick];
        if rest.iter().any(|other| precedes(*other, chosen)) {
            return false;
        }
        let mut next = state.clone();
        let response = apply(&mut next, chosen.1);
        if chosen.1.completion() == Completion::Acknowledged && !fits(chosen.1, response) {
            return false;
        }
        let mut left = rest.to_vec();
        left.remove(pick);
        linearizes(&next, &left)
    })
}

fn fits(op: &Operation, response: Option<Value>) -> bool {
    match &op.op_type {
        checkers::OpType::Write => true,
        // Half of the appends say nothing of their index, and those that do may be spoilt.
        checkers::OpType::Append => match (op.output.as_ref(), response) {
            (None, _) => true,
            (Some(told), Some(index)) => *told == index,
            (Some(_), None) => unreachable!("indexes are normalised before"),
        },
        _ => {
            let null = Value::Null;
            let list = |value: Value| {
                if value == Value::List(vec![]) {
                    null.clone()
                } else {
                    value
                }
            };
            list(op.observed().clone()) == list(response.unwrap_or_default())
        }
    }
}

/// Whether a counterexample is what it says: the prefix is legal in its order, respects real time,
/// and holds all that ended before the blocked operation did.
fn holds(ops: &[Operation], finding: &Finding) -> bool {
    let row_of = |id: &u64| {
        ops.iter()
            .position(|op| op.op_id == *id)
            .expect("an operation")
    };
    let prefix: Vec<usize> = finding.legal_prefix.iter().map(row_of).collect();
    let [blocked] = finding.ops[..] else {
        return false;
    };
    let blocked = &ops[row_of(&blocked)];
    let mut state = BTreeMap::new();
    let legal = prefix.iter().all(|row| {
        let response = apply(&mut state, &ops[*row]);
        !ops[*row].is_acknowledged() || fits(&ops[*row], response)
    });
    let ordered = prefix.iter().enumerate().all(|(place, row)| {
        let later = &prefix[place + 1..];
        later
            .iter()
            .all(|other| !precedes((*other, &ops[*other]), (*row, &ops[*row])))
    });
    let complete = ops.iter().enumerate().all(|(row, op)| {
        let required =
            op.is_acknowledged() && op.key == finding.key && op.complete_ts < blocked.complete_ts;
        !required || prefix.contains(&row)
    });
    let reached = state
        .get(finding.key.as_ref().expect("a key"))
        .cloned()
        .unwrap_or_default();
    let told = finding.state.clone().expect("a state");
    let same = reached == told || told == Value::List(vec![]) && reached == Value::Null;
    legal && ordered && complete && same
}

fn compare(model: ModelKind) {
    let (legal, illegal) = (Cell::new(0_u32), Cell::new(0_u32));
    let result = runner(4_000).run(&drafts(7), |drafts| {
        let mut ops = execute(&drafts, model);
        for op in &mut ops {
            // The reference tells indexes of even elements only; a log's reads are lists.
            let log = model == ModelKind::Log;
            if log && op.op_type == checkers::OpType::Append {
                let odd = op.input.as_int().is_some_and(|element| element % 2 == 1);
                op.output = op.output.take().filter(|_| !odd);
            } else if log && op.observed().as_int().is_some() {
                op.output = Some(Value::List(vec![op.observed().clone()]));
            }
        }
        let certain: Vec<(usize, &Operation)> = ops
            .iter()
            .enumerate()
            .filter(|(_, op)| op.completion() != Completion::Failed)
            .collect();
        let expected = linearizes(&BTreeMap::new(), &certain);
        let history = History {
            ops: ops.clone(),
            windows: Vec::new(),
        };
        let spec = CheckerSpec::Linearizability;
        let report = check(&history, &spec, model, &Budget::default());
        let agrees = match report.outcome {
            Outcome::Ok => expected,
            Outcome::Violation => {
                !expected && report.findings.iter().all(|finding| holds(&ops, finding))
            }
            Outcome::Weak { .. } => expected,
            Outcome::Unknown { .. } => false,
        };
        let counter = if expected { &legal } else { &illegal };
        counter.set(counter.get() + 1);
        let told = format!("{report}\nexpected {expected} of {ops:#?}");
        if agrees {
            Ok(())
        } else {
            Err(TestCaseError::fail(told))
        }
    });
    if let Err(error) = result {
        panic!("{model:?}: {error}");
    }
    let (legal, illegal) = (legal.get(), illegal.get());
    assert!(
        legal > 400 && illegal > 400,
        "{model:?}: {legal} legal, {illegal} illegal"
    );
}

#[test]
fn registers_agree_with_every_permutation() {
    compare(ModelKind::Register);
}

#[test]
fn cas_registers_agree_with_every_permutation() {
    compare(ModelKind::CasRegister);
}

#[test]
fn maps_agree_with_every_permutation() {
    compare(ModelKind::Map);
}

#[test]
fn logs_agree_with_every_permutation() {
    compare(ModelKind::Log);
}
