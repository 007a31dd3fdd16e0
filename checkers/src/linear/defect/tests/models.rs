//! Each model: a response that is right and one that is wrong, which a defect turns around.

use super::with;
use crate::linear::Stream;
use crate::linear::defect::Defect;
use crate::reference::{Letter, row};
use crate::report::{Budget, Outcome};
use crate::spec::ModelKind;
use crate::value::Value;

/// An operation, and one that another process calls when it is over.
struct Case {
    first: Letter,
    second: Letter,
    wrong: Value,
}

fn ints(numbers: &[i64]) -> Value {
    Value::List(numbers.iter().copied().map(Value::Int).collect())
}

fn case(kind: ModelKind) -> Case {
    let of = |first: &'static str, second: &'static str, right: Value, wrong: Value| Case {
        first: (first, Value::Int(1), None),
        second: (second, Value::Null, Some(right)),
        wrong,
    };
    let one = |first, second| of(first, second, Value::Int(1), Value::Int(2));
    let list = |first, second| of(first, second, ints(&[1]), ints(&[2]));
    let lock = |side: Value| Case {
        first: ("acquire", side.clone(), None),
        second: ("acquire", side, Some(Value::Bool(false))),
        wrong: Value::Bool(true),
    };
    let txn = |step: &str, value: i64| {
        let step = vec![Value::from(step), Value::Int(0), Value::Int(value)];
        Value::List(vec![Value::List(step)])
    };
    match kind {
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => one("write", "read"),
        ModelKind::Log | ModelKind::Offsets => list("append", "read"),
        ModelKind::Text => Case {
            first: ("append", Value::from("a"), None),
            second: ("get", Value::Null, Some(Value::from("a"))),
            wrong: Value::from("b"),
        },
        ModelKind::Counter => one("inc", "read"),
        ModelKind::Set => list("add", "read"),
        ModelKind::Bag => one("add", "remove"),
        ModelKind::Queue => one("enqueue", "dequeue"),
        ModelKind::Stack => one("push", "pop"),
        ModelKind::PriorityQueue => one("insert", "delete-min"),
        ModelKind::Membership => Case {
            first: ("join", Value::Null, None),
            ..of("join", "read", ints(&[0]), ints(&[1]))
        },
        ModelKind::MultiRegister => Case {
            first: ("txn", txn("w", 1), Some(txn("w", 1))),
            second: ("txn", txn("r", 1), Some(txn("r", 1))),
            wrong: txn("r", 2),
        },
        ModelKind::ReadWriteLock => lock(Value::from("write")),
        ModelKind::Mutex
        | ModelKind::OwnedMutex
        | ModelKind::ReentrantMutex
        | ModelKind::Semaphore { .. }
        | ModelKind::Lease { .. } => lock(Value::Null),
    }
}

/// Whether the model takes the response for right.
fn takes(kind: ModelKind, case: &Case, told: &Value) -> bool {
    let mut stream = Stream::new(kind, Budget::default());
    let mut second = case.second.clone();
    second.2 = Some(told.clone());
    for (id, letter) in [&case.first, &second].into_iter().enumerate() {
        let at = id as u64 * 10;
        let row = row(id, letter, (at, at + 5), false);
        stream.row(row).expect("a row");
    }
    let report = stream.finish();
    assert!(
        matches!(report.outcome, Outcome::Ok | Outcome::Violation),
        "{kind:?}: {report}"
    );
    report.outcome == Outcome::Ok
}

#[test]
fn a_defect_in_a_model_is_found() {
    for kind in ModelKind::ALL {
        let case = case(kind);
        let right = case.second.2.clone().expect("a response");
        let (says, wrong) = (|told| takes(kind, &case, told), &case.wrong);
        assert!(says(&right) && !says(wrong), "{kind:?}");
        assert!(
            with(Some(Defect::ModelBelieves), || says(wrong)),
            "{kind:?}"
        );
        assert!(
            !with(Some(Defect::ModelForgets), || says(&right)),
            "{kind:?}"
        );
    }
}
