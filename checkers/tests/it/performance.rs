//! Long histories stay within few steps; what does not is unknown, not ok.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, History, Operation, Outcome, Value, check};

use super::random::long;

#[path = "../../benches/histories/families.rs"]
pub(super) mod families;

/// Judges with a budget of a few steps an operation.
fn judge(ops: Vec<Operation>, model: ModelKind, steps_an_op: u64) -> checkers::CheckReport {
    let budget = Budget {
        steps_max: ops.len() as u64 * steps_an_op,
        ..Budget::default()
    };
    let history = History {
        ops,
        windows: Vec::new(),
    };
    check(&history, &CheckerSpec::Linearizability, model, &budget)
}

#[test]
fn ten_thousand_operations_of_eight_clients() {
    for model in [ModelKind::Register, ModelKind::CasRegister, ModelKind::Map] {
        let report = judge(long(10_000, 8, 0, model), model, 100);
        assert_eq!(report.outcome, Outcome::Ok, "{model:?}: {report}");
        assert_eq!(report.consumed, report.total);
    }
}

#[test]
fn ambiguous_operations_do_not_multiply() {
    let report = judge(
        long(10_000, 8, 50, ModelKind::Register),
        ModelKind::Register,
        500,
    );
    assert_eq!(report.outcome, Outcome::Ok, "{report}");
}

#[test]
fn logs_of_a_thousand_appends() {
    for unknown_in in [0, 40] {
        let report = judge(
            long(2_000, 8, unknown_in, ModelKind::Log),
            ModelKind::Log,
            500,
        );
        assert_eq!(report.outcome, Outcome::Ok, "{report}");
    }
}

#[test]
fn a_late_violation_is_found() {
    let mut ops = long(10_000, 8, 0, ModelKind::Register);
    let early = ops
        .iter()
        .find(|op| op.op_type == checkers::OpType::Write)
        .expect("a write");
    let stale = early.input.clone();
    let last = ops
        .iter_mut()
        .rev()
        .find(|op| op.op_type.is_read())
        .expect("a read");
    last.output = Some(stale);
    let report = judge(ops, ModelKind::Register, 500);
    assert_eq!(report.outcome, Outcome::Violation, "{report}");
}

/// Concurrent writes, each with a read, and a value that is written once, but read before and after
/// another: every subset of the writes has to be tried.
fn hopeless(writers: u64) -> Vec<Operation> {
    let row = long(9, 1, 0, ModelKind::Register)
        .pop()
        .expect("nine operations");
    let read = |op_id: u64, (begin, end): (u64, u64), output: i64| Operation {
        op_id,
        process_id: op_id,
        invoke_ts: begin,
        complete_ts: Some(end),
        op_type: checkers::OpType::Read,
        input: Value::Null,
        output: Some(Value::Int(output)),
        ..row.clone()
    };
    let write = |op_id: u64, value: i64| Operation {
        op_type: checkers::OpType::Write,
        input: Value::Int(value),
        output: None,
        ..read(op_id, (0, 10), value)
    };
    let mut ops = vec![
        write(0, -1),
        read(1, (0, 4), -1),
        read(2, (5, 5), 1),
        read(3, (6, 10), -1),
    ];
    for writer in 1..=writers {
        // Values twice, so that they do not say which write was read.
        let value = writer as i64 / 2;
        ops.push(read(2 * writer + 2, (0, 10), value));
        ops.push(write(2 * writer + 3, value));
    }
    ops
}

#[test]
fn past_the_budget_the_answer_is_unknown() {
    let judge = |budget: Budget| {
        let history = History {
            ops: hopeless(20),
            windows: Vec::new(),
        };
        check(
            &history,
            &CheckerSpec::Linearizability,
            ModelKind::Register,
            &budget,
        )
    };
    let report = judge(Budget {
        steps_max: 10_000,
        ..Budget::default()
    });
    assert!(matches!(&report.outcome, Outcome::Unknown { why } if why.contains("10000 steps")));
    assert_eq!((report.consumed, report.total), (0, 44));
    let report = judge(Budget {
        memory_bytes_max: 100_000,
        ..Budget::default()
    });
    assert!(matches!(&report.outcome, Outcome::Unknown { why } if why.contains("100000 bytes")));
}

/// Appends of many clients to one text, and reads of it: which came first is what reads say.
fn appended(clients: u64, rounds: u64) -> Vec<Operation> {
    let row = long(9, 1, 0, ModelKind::Register)
        .pop()
        .expect("nine operations");
    let mut ops: Vec<Operation> = Vec::new();
    let mut text = String::new();
    for round in 0..rounds {
        for client in 0..clients {
            // All of a round overlap; they take effect in the order of their numbers, backwards.
            let reads = (round + client) % 3 == 0;
            let piece = format!("<{round}.{client}>");
            ops.push(Operation {
                op_id: round * clients + client,
                process_id: client,
                invoke_ts: round * 100,
                complete_ts: Some(round * 100 + 50),
                op_type: match reads {
                    true => checkers::OpType::Read,
                    false => checkers::OpType::Append,
                },
                input: match reads {
                    true => Value::Null,
                    false => Value::from(piece),
                },
                output: None,
                ..row.clone()
            });
        }
        let first = ops.len() - clients as usize;
        for op in ops[first..].iter_mut().rev() {
            match op.input.as_text() {
                Some(piece) => text.push_str(piece),
                None => op.output = Some(Value::from(text.as_str())),
            }
        }
    }
    ops
}

#[test]
fn texts_of_many_clients_are_as_near_linear_as_registers() {
    let ops = appended(30, 20);
    let report = judge(ops.clone(), ModelKind::Text, 5);
    assert_eq!(report.outcome, Outcome::Ok, "{report}");
    assert_eq!(report.engine, "text-monitor");
    let mut broken = ops;
    let reads = |op: &&mut Operation| op.op_type.is_read();
    let old = broken
        .iter_mut()
        .find(reads)
        .and_then(|op| op.output.take());
    let last = broken.iter_mut().rev().find(reads).expect("a read");
    last.output = old;
    let report = judge(broken, ModelKind::Text, 500);
    assert_eq!(report.outcome, Outcome::Violation, "{report}");
    assert!(report.findings[0].minimal.len() < 5, "{report}");
}

/// A stack of five values, whose pops do not say which push they take from, found long after.
#[test]
fn stacks_of_values_that_come_back_are_decided_by_how_they_nest() {
    let five = |family: &families::Family| {
        let known = family.unknown == 0 && family.clients == 5 && !family.broken;
        family.model == ModelKind::Stack && family.domain == 5 && known
    };
    let family = families::all().into_iter().find(five).expect("a family");
    for seed in 1..=6 {
        let ops = families::generate(&families::Family { seed, ..family });
        let report = judge(ops, ModelKind::Stack, 200);
        assert_eq!(report.outcome, Outcome::Ok, "{seed}: {report}");
    }
}

/// Five values among a thousand operations of 5 and 30 clients, a tenth of them unknown or none.
#[test]
fn values_that_come_back_are_no_reason_to_give_up() {
    let repeats = |family: &families::Family| {
        let wanted = matches!(
            family.model,
            ModelKind::Queue | ModelKind::Log | ModelKind::Text
        );
        wanted && family.domain == 5 && family.ops == 1_000 && !family.broken
    };
    let mut judged = 0;
    for family in families::all().into_iter().filter(repeats) {
        let report = judge(families::generate(&family), family.model, 100);
        assert_eq!(report.outcome, Outcome::Ok, "{}: {report}", family.name());
        judged += 1;
    }
    assert_eq!(judged, 12);
}
