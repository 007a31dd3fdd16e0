//! Histories judged row by row, and objects by several threads: the answers are those of the
//! whole history and of one thread.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{
    Budget, CheckReport, History, OpType, Operation, Outcome, Stream, Value, check, check_on, jsonl,
};

use super::random::long;

fn streamed(ops: &[Operation], kind: ModelKind, budget: Budget) -> CheckReport {
    let mut stream = Stream::new(kind, budget);
    for op in sorted(ops) {
        stream.row(op).expect("rows in order");
    }
    stream.finish()
}

fn sorted(ops: &[Operation]) -> Vec<Operation> {
    let mut ops = ops.to_vec();
    ops.sort_by_key(|op| op.invoke_ts);
    (0..).zip(&mut ops).for_each(|(id, op)| op.op_id = id);
    ops
}

/// Many objects, of some clients each.
fn objects(count: i64, ops: usize, model: ModelKind) -> Vec<Operation> {
    let mut all = Vec::new();
    for key in 0..count {
        for mut op in long(ops + key as usize, 3, 20, model) {
            op.key = Some(Value::Int(key));
            all.push(op);
        }
    }
    sorted(&all)
}

#[test]
fn a_long_stream_is_judged_as_the_whole_history() {
    for model in [ModelKind::Register, ModelKind::CasRegister, ModelKind::Log] {
        let ops = long(500, 4, 0, model);
        let report = streamed(&ops, model, Budget::default());
        assert_eq!(report.outcome, Outcome::Ok, "{report}");
        assert_eq!(
            (report.consumed, report.total),
            (ops.len() as u64, ops.len() as u64)
        );
        assert_eq!(report.engine, "frontier");
    }
}

#[test]
fn a_late_violation_in_a_stream_names_the_response() {
    let mut ops = sorted(&long(800, 4, 0, ModelKind::Register));
    let late = ops
        .iter_mut()
        .rev()
        .find(|op| op.op_type.is_read())
        .expect("a read");
    late.output = Some(Value::Int(1));
    let (id, end) = (late.op_id, late.complete_ts);
    let mut stream = Stream::new(ModelKind::Register, Budget::default());
    for op in &ops {
        stream.row(op.clone()).expect("in order");
    }
    let report = stream.finish();
    assert_eq!(report.outcome, Outcome::Violation);
    let [finding] = &report.findings[..] else {
        panic!("{report}");
    };
    assert_eq!(
        (&finding.ops[..], finding.rows[0].complete_ts),
        (&[id][..], end)
    );
    let windows = Vec::new();
    let spec = CheckerSpec::Linearizability;
    let whole = check(
        &History { ops, windows },
        &spec,
        ModelKind::Register,
        &Budget::default(),
    );
    assert_eq!(whole.findings[0].ops, finding.ops);
}

#[test]
fn a_stream_refuses_rows_out_of_order_and_what_it_can_not_judge() {
    let ops = sorted(&long(20, 2, 0, ModelKind::Register));
    let mut stream = Stream::new(ModelKind::Register, Budget::default());
    stream.row(ops[1].clone()).expect("the first");
    assert!(
        stream
            .row(ops[0].clone())
            .is_err_and(|why| why.contains("go up"))
    );
    assert!(stream.row(ops[1].clone()).is_err());
    let appends = Operation {
        op_type: OpType::Append,
        ..ops[2].clone()
    };
    let mut map = Stream::new(ModelKind::Map, Budget::default());
    assert!(
        map.row(appends.clone())
            .is_err_and(|why| why.contains("as a log"))
    );
    let mut register = Stream::new(ModelKind::Register, Budget::default());
    register.row(appends).expect("a row");
    assert!(matches!(register.finish().outcome, Outcome::Weak { .. }));
    let nothing = Stream::new(ModelKind::Register, Budget::default());
    assert!(matches!(nothing.finish().outcome, Outcome::Weak { .. }));
}

#[test]
fn past_its_budget_a_stream_does_not_know() {
    let ops = long(600, 12, 0, ModelKind::Register);
    for budget in [
        Budget {
            steps_max: 50,
            ..Budget::default()
        },
        Budget {
            memory_bytes_max: 2_000,
            ..Budget::default()
        },
    ] {
        let report = streamed(&ops, ModelKind::Register, budget);
        let Outcome::Unknown { why } = &report.outcome else {
            panic!("{report}");
        };
        assert!(why.contains("needs more than the budget"), "{why}");
        assert!(report.consumed < report.total);
    }
}

#[test]
fn lines_are_streamed_as_they_are_read() {
    let ops = sorted(&objects(3, 40, ModelKind::Register));
    let windows = Vec::new();
    let history = History { ops, windows };
    let mut lines = Vec::new();
    jsonl::write(&history, &mut lines).expect("lines");
    let mut events = Vec::new();
    jsonl::write_events(&history, &mut events).expect("events");
    for (text, whole) in [(&lines, true), (&events, false)] {
        let expected = jsonl::read(&text[..]).expect("a history");
        let mut rows = Vec::new();
        let mut take = |row| {
            rows.push(row);
            Ok(())
        };
        jsonl::stream(&text[..], 1_000, &mut take).expect("a stream");
        assert_eq!(rows, expected.ops);
        assert!(!whole || rows == history.ops);
    }
    let broken = &lines[..lines.len() - 9];
    let error = jsonl::stream(broken, 1_000, &mut |_| Ok(())).expect_err("truncated");
    assert!(error.message.contains("truncated"), "{error}");
}

#[test]
fn any_number_of_threads_gives_one_report() {
    let mut ops = objects(70, 40, ModelKind::CasRegister);
    for key in [3, 40, 41] {
        let of = |op: &&mut Operation| op.key == Some(Value::Int(key)) && op.op_type.is_read();
        let late = ops.iter_mut().rev().find(of).expect("a read");
        late.output = Some(Value::Int(-5));
    }
    let windows = Vec::new();
    let history = History { ops, windows };
    let (spec, model) = (CheckerSpec::Linearizability, ModelKind::CasRegister);
    for steps_max in [20_000_000, 300_000, 201_000, 20_000, 1_000, 10] {
        let budget = Budget {
            steps_max,
            ..Budget::default()
        };
        let alone = check(&history, &spec, model, &budget);
        for threads in [2, 3, 16] {
            let report = check_on(&history, &spec, model, &budget, threads);
            assert_eq!(report, alone, "{threads} threads, {steps_max} steps");
        }
    }
}

/// The second opinion is bound by the budget as well.
#[test]
fn no_engine_decides_beyond_its_steps() {
    let mut ops = sorted(&long(30, 2, 0, ModelKind::CasRegister));
    // Values twice, so that no monitor is sure.
    ops.iter_mut()
        .filter(|op| op.op_type.is_write())
        .for_each(|op| op.input = Value::Null);
    ops.retain(|op| op.op_type.is_write());
    let read = Operation {
        op_id: 1_000,
        op_type: OpType::Read,
        output: None,
        ..ops[ops.len() - 1].clone()
    };
    ops.push(read);
    let windows = Vec::new();
    let history = History { ops, windows };
    let (spec, model) = (CheckerSpec::Linearizability, ModelKind::CasRegister);
    let none = Budget {
        steps_max: 0,
        ..Budget::default()
    };
    let report = check(&history, &spec, model, &none);
    assert!(
        matches!(report.outcome, Outcome::Unknown { .. }),
        "{report}"
    );
    let report = check(&history, &spec, model, &Budget::default());
    assert_eq!(report.outcome, Outcome::Ok, "{report}");
}
