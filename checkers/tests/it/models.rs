//! Every model: the engines against all orders, on all small histories and random ones.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{
    Budget, Builtin, Certificate, CheckReport, History, Model, Operation, Outcome, Stream, certify,
    check, verify,
};

use crate::reference::{Letter, alphabet, distinct, each, linearizes, numbers, random};

/// Judges a history both ways; whether it is legal.
pub(crate) fn agree(kind: ModelKind, ops: Vec<Operation>) -> bool {
    let model = Builtin(kind);
    let all: Vec<(usize, &Operation)> = ops.iter().enumerate().collect();
    let expected = linearizes(&model, &model.initial(), &all);
    let windows = Vec::new();
    let history = History {
        ops: ops.clone(),
        windows,
    };
    let spec = CheckerSpec::Linearizability;
    let report = check(&history, &spec, kind, &Budget::default());
    // A positive answer has a proof that holds, a negative one operations that prove it.
    match certify(&history, kind, &Budget::default()) {
        Some(certificates) => {
            verify(&history, kind, &certificates).expect("a proof");
            broken(&history, kind, &certificates);
        }
        None => assert!(!expected, "no proof\n{}", told(&ops)),
    }
    for finding in &report.findings {
        minimal(&model, &ops, &finding.minimal);
    }
    let agrees = match report.outcome {
        Outcome::Ok | Outcome::Weak { .. } => expected,
        Outcome::Violation => !expected,
        Outcome::Unknown { .. } => false,
    };
    assert!(agrees, "expected {expected}\n{report}\n{}", told(&ops));
    let streamed = streamed(kind, &ops);
    let agrees = match streamed.outcome {
        Outcome::Ok | Outcome::Weak { .. } => expected,
        Outcome::Violation => !expected,
        Outcome::Unknown { .. } => false,
    };
    assert!(agrees, "expected {expected}\n{streamed}\n{}", told(&ops));
    assert_eq!(
        matches!(streamed.outcome, Outcome::Weak { .. }),
        matches!(report.outcome, Outcome::Weak { .. })
    );
    expected
}

/// What is said of rows that come one by one.
pub(crate) fn streamed(kind: ModelKind, ops: &[Operation]) -> CheckReport {
    let mut rows = ops.to_vec();
    rows.sort_by_key(|op| op.invoke_ts);
    let mut stream = Stream::new(kind, Budget::default());
    for (op_id, row) in (0..).zip(rows) {
        stream
            .row(Operation { op_id, ..row })
            .expect("rows in order");
    }
    stream.finish()
}

/// Proofs from which an operation is missing, or in which one is twice, do not hold.
fn broken(history: &History, kind: ModelKind, certificates: &[Certificate]) {
    let [certificate] = certificates else {
        return;
    };
    let certain = |id: &u64| history.ops[*id as usize].is_acknowledged();
    if let Some(place) = certificate.order.iter().position(certain) {
        let mut without = certificate.clone();
        let removed = without.order.remove(place);
        assert!(verify(history, kind, &[without]).is_err());
        let mut twice = certificate.clone();
        twice.order.push(removed);
        assert!(verify(history, kind, &[twice]).is_err());
    }
}

/// What is known of these operations is enough to have no order, and any less is not.
fn minimal(model: &Builtin, ops: &[Operation], minimal: &[u64]) {
    let knowing = |but: Option<u64>| {
        let mut known = ops.to_vec();
        for op in &mut known {
            if !minimal.contains(&op.op_id) || Some(op.op_id) == but {
                (op.timeout_marker, op.output) = (true, None);
            }
        }
        let all: Vec<(usize, &Operation)> = known.iter().enumerate().collect();
        linearizes(model, &model.initial(), &all)
    };
    assert!(
        !minimal.is_empty() && !knowing(None),
        "{minimal:?}\n{}",
        told(ops)
    );
    for but in minimal {
        assert!(knowing(Some(*but)), "{but} of {minimal:?}\n{}", told(ops));
    }
}

fn told(ops: &[Operation]) -> String {
    ops.iter().map(|op| format!("{op}\n")).collect()
}

/// Judges every history of so many operations: how many are legal, and how many are not.
pub(crate) fn exhaust(kind: ModelKind, count: usize) -> (u64, u64) {
    let (mut legal, mut illegal) = (0, 0);
    each(kind, count, &mut |ops| {
        if agree(kind, ops) {
            legal += 1;
        } else {
            illegal += 1;
        }
    });
    (legal, illegal)
}

/// A random history; of a collection, in every other case one whose values say which operation
/// they come from.
fn any(
    kind: ModelKind,
    letters: &[Letter],
    count: usize,
    case: u64,
    next: &mut impl FnMut(u64) -> u64,
) -> Vec<Operation> {
    let collection = matches!(
        kind,
        ModelKind::Bag | ModelKind::Queue | ModelKind::Stack | ModelKind::PriorityQueue
    );
    match collection && case % 2 == 1 {
        true => distinct(letters, count, next),
        false => random(letters, count, next),
    }
}

/// Random histories of more operations: how many are legal, and how many are not.
pub(crate) fn sample(kind: ModelKind, count: usize, seed: u64, cases: u64) -> (u64, u64) {
    let mut next = numbers(seed);
    let letters = alphabet(kind);
    let (mut legal, mut illegal) = (0, 0);
    for case in 0..cases {
        if agree(kind, any(kind, &letters, count, case, &mut next)) {
            legal += 1;
        } else {
            illegal += 1;
        }
    }
    (legal, illegal)
}

/// Random histories, longer than all orders of them can be tried: the engines of the whole history
/// (a monitor or the search) against the one of rows. Of those that are short, one in eight is
/// compared with all orders, too.
pub(crate) fn compare(kind: ModelKind, count: usize, seed: u64, cases: u64) -> (u64, u64) {
    let mut next = numbers(seed);
    let letters = alphabet(kind);
    let spec = CheckerSpec::Linearizability;
    let (mut legal, mut illegal) = (0, 0);
    for case in 0..cases {
        let ops = any(kind, &letters, count, case, &mut next);
        if count < 8 && case % 16 < 2 {
            agree(kind, ops.clone());
        }
        let stream = streamed(kind, &ops);
        if matches!(stream.outcome, Outcome::Unknown { .. }) {
            // Among rows nobody can tell which values will not be seen: that can be too much.
            continue;
        }
        let windows = Vec::new();
        let history = History { ops, windows };
        let report = check(&history, &spec, kind, &Budget::default());
        let told = || told(&history.ops);
        let violated = |outcome: &Outcome| *outcome == Outcome::Violation;
        let (one, other) = (&report.outcome, &stream.outcome);
        assert_eq!(violated(one), violated(other), "{kind:?}\n{}", told());
        match report.outcome {
            Outcome::Violation => illegal += 1,
            Outcome::Ok | Outcome::Weak { .. } => legal += 1,
            Outcome::Unknown { .. } => panic!("{kind:?}: {report}\n{}", told()),
        }
    }
    (legal, illegal)
}

#[test]
fn every_model_on_all_small_histories() {
    for kind in ModelKind::ALL {
        let (legal, illegal) = exhaust(kind, 2);
        assert!(legal > 0 && illegal > 0, "{kind:?}: {legal}, {illegal}");
    }
    exhaust(ModelKind::Stack, 3);
}

#[test]
fn every_model_on_random_histories() {
    for kind in ModelKind::ALL {
        for count in [4, 5, 6] {
            sample(kind, count, 7 + count as u64, 100);
        }
        compare(kind, 12, 5, 60);
    }
}
