//! Passing histories, broken in the ways that their claim forbids: every mutant is caught.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, History, OpType, Operation, Outcome, Value, check};

use super::random::long;

fn outcome(ops: &[Operation], spec: CheckerSpec, model: ModelKind) -> Outcome {
    let history = History {
        ops: ops.to_vec(),
        windows: Vec::new(),
    };
    check(&history, &spec, model, &Budget::default()).outcome
}

/// A legal log history with a final read of everything.
fn log_with_final_read() -> Vec<Operation> {
    let mut ops = long(120, 5, 0, ModelKind::Log);
    let longest = ops
        .iter()
        .filter_map(|op| op.observed().as_list())
        .max_by_key(|list| list.len())
        .expect("a read")
        .to_vec();
    let missing: Vec<Value> = ops
        .iter()
        .filter(|op| op.op_type == OpType::Append && !longest.contains(&op.input))
        .map(|op| op.input.clone())
        .collect();
    // What nobody read may be in the order of its completion.
    ops.retain(|op| op.op_type != OpType::Append || !missing.contains(&op.input));
    let end_ts = ops
        .iter()
        .filter_map(|op| op.complete_ts)
        .max()
        .expect("an end");
    let mut last = ops[0].clone();
    last.op_id = 1_000_000;
    last.op_type = OpType::FinalRead;
    (last.invoke_ts, last.complete_ts) = (end_ts + 1, Some(end_ts + 2));
    (last.input, last.output) = (Value::Null, Some(Value::List(longest)));
    ops.push(last);
    ops
}

/// The list of the final read.
fn final_list(ops: &mut [Operation]) -> &mut Vec<Value> {
    match &mut ops.last_mut().expect("a final read").output {
        Some(Value::List(list)) => list,
        other => panic!("the final read has {other:?}"),
    }
}

#[test]
fn swapped_reads_are_caught() {
    let ops = long(300, 4, 0, ModelKind::Register);
    let spec = CheckerSpec::Linearizability;
    assert_eq!(outcome(&ops, spec, ModelKind::Register), Outcome::Ok);
    let reads: Vec<usize> = (0..ops.len())
        .filter(|row| ops[*row].op_type.is_read())
        .collect();
    let mut mutants = 0;
    for pair in reads.windows(6) {
        let (first, second) = (pair[0], pair[5]);
        let apart = ops[first].complete_ts < Some(ops[second].invoke_ts);
        // With another write finished between them, the earlier can not have read the later.
        let written = ops.iter().any(|op| {
            op.op_type == OpType::Write
                && Some(&op.input) == ops[second].output.as_ref()
                && Some(op.invoke_ts) > ops[first].complete_ts
        });
        if !apart || !written {
            continue;
        }
        let mut mutant = ops.clone();
        mutant[first].output = ops[second].output.clone();
        mutant[second].output = ops[first].output.clone();
        mutants += 1;
        assert_eq!(
            outcome(&mutant, spec, ModelKind::Register),
            Outcome::Violation
        );
    }
    assert!(mutants > 20, "{mutants} mutants");
}

/// Both by the look at the final read and by the search for an order.
fn is_caught_twice(mutant: &[Operation]) {
    for spec in [CheckerSpec::NoLostAck, CheckerSpec::Linearizability] {
        let said = outcome(mutant, spec, ModelKind::Log);
        assert_eq!(said, Outcome::Violation, "{spec:?}");
    }
}

#[test]
fn every_dropped_acknowledgement_is_caught() {
    let ops = log_with_final_read();
    assert_eq!(
        outcome(&ops, CheckerSpec::NoLostAck, ModelKind::Log),
        Outcome::Ok
    );
    assert_eq!(
        outcome(&ops, CheckerSpec::Linearizability, ModelKind::Log),
        Outcome::Ok
    );
    let length = final_list(&mut ops.clone()).len();
    assert!(length > 20);
    for place in 0..length {
        let mut mutant = ops.clone();
        final_list(&mut mutant).remove(place);
        is_caught_twice(&mutant);
    }
}

#[test]
fn every_duplicated_effect_is_caught() {
    let ops = log_with_final_read();
    let length = final_list(&mut ops.clone()).len();
    for place in 0..length {
        let mut mutant = ops.clone();
        let list = final_list(&mut mutant);
        list.push(list[place].clone());
        is_caught_twice(&mutant);
    }
}

#[test]
fn every_reordered_log_is_caught() {
    let ops = log_with_final_read();
    let length = final_list(&mut ops.clone()).len();
    for place in 1..length {
        let mut mutant = ops.clone();
        final_list(&mut mutant).swap(place - 1, place);
        let read_before = ops[..ops.len() - 1].iter().any(|op| {
            op.observed()
                .as_list()
                .is_some_and(|list| list.len() == place)
        });
        if read_before {
            let spec = CheckerSpec::Linearizability;
            assert_eq!(outcome(&mutant, spec, ModelKind::Log), Outcome::Violation);
        }
    }
}

#[test]
fn every_refused_cas_that_is_turned_is_caught() {
    let ops = long(200, 1, 0, ModelKind::CasRegister);
    let spec = CheckerSpec::Linearizability;
    assert_eq!(outcome(&ops, spec, ModelKind::CasRegister), Outcome::Ok);
    let mut mutants = 0;
    for row in 0..ops.len() {
        if ops[row].op_type == OpType::Cas {
            let mut mutant = ops.clone();
            let done = ops[row].observed().as_bool().expect("a truth value");
            mutant[row].output = Some(Value::Bool(!done));
            mutants += 1;
            assert_eq!(
                outcome(&mutant, spec, ModelKind::CasRegister),
                Outcome::Violation
            );
        }
    }
    assert!(mutants > 20);
}
