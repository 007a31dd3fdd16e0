//! Proofs of both kinds, and every way to spoil them.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{
    Budget, Certificate, Finding, History, Operation, Value, certify, check, refute, verify,
};

use super::reference::{alphabet, int, numbers, random, row};

/// Legal and illegal small histories of a model: some of each.
fn some(kind: ModelKind) -> (Vec<History>, Vec<History>) {
    let (letters, mut next) = (alphabet(kind), numbers(97));
    let (mut legal, mut illegal) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        let windows = Vec::new();
        let ops = random(&letters, 5, &mut next);
        let history = History { ops, windows };
        let spec = CheckerSpec::Linearizability;
        let report = check(&history, &spec, kind, &Budget::default());
        let group = match report.findings.is_empty() {
            true => &mut legal,
            false => &mut illegal,
        };
        if group.len() < 12 {
            group.push(history);
        }
    }
    assert!(legal.len() > 3 && illegal.len() > 3, "{kind:?}");
    (legal, illegal)
}

/// A proof of an order with each part of it spoilt.
fn spoilt_orders(history: &History, good: &Certificate) -> Vec<(&'static str, Certificate)> {
    let with = |order: Vec<u64>| Certificate {
        order,
        ..good.clone()
    };
    let certain = |id: &u64| history.ops[*id as usize].is_acknowledged();
    let mut all = Vec::new();
    let other = Certificate {
        key: Some(Value::from("another")),
        ..good.clone()
    };
    all.push(("another key", other));
    let unknown = [good.order.clone(), vec![1_000]].concat();
    all.push(("an unknown operation", with(unknown)));
    for (place, id) in good.order.iter().enumerate() {
        let mut twice = good.order.clone();
        twice.push(*id);
        all.push(("one twice", with(twice)));
        if certain(id) {
            let mut without = good.order.clone();
            without.remove(place);
            all.push(("one missing", with(without)));
        }
        // Before one that ended before it began.
        let ended = |before: &u64| {
            let (before, after) = (&history.ops[*before as usize], &history.ops[*id as usize]);
            before.is_acknowledged() && before.complete_ts < Some(after.invoke_ts)
        };
        if let Some(to) = good.order[..place].iter().position(ended) {
            let mut early = good.order.clone();
            early.remove(place);
            early.insert(to, *id);
            all.push(("one before its time", with(early)));
        }
    }
    all
}

#[test]
fn every_spoilt_proof_of_an_order_is_refused() {
    let mut spoilt = 0;
    for kind in ModelKind::ALL {
        for history in some(kind).0 {
            let proof = certify(&history, kind, &Budget::default()).expect("a proof");
            assert_eq!(verify(&history, kind, &proof), Ok(()), "{kind:?}");
            assert!(verify(&history, kind, &[]).is_err());
            let [good] = &proof[..] else {
                panic!("one object");
            };
            for (what, bad) in spoilt_orders(&history, good) {
                spoilt += 1;
                let verdict = verify(&history, kind, std::slice::from_ref(&bad));
                assert!(
                    verdict.is_err(),
                    "{kind:?}: {what}: {bad:?} of {:#?}",
                    history.ops
                );
            }
        }
    }
    assert!(spoilt > 1_000, "{spoilt}");
}

/// A response that is not what an order gives is refused with the order that was good.
#[test]
fn proofs_hold_for_one_history_and_not_for_another() {
    for kind in ModelKind::ALL {
        let (legal, _) = some(kind);
        let mut refused = 0;
        for history in &legal {
            let proof = certify(history, kind, &Budget::default()).expect("a proof");
            for row in 0..history.ops.len() {
                let mut other = history.clone();
                other.ops[row].output = match &other.ops[row].output {
                    Some(Value::Bool(flag)) => Some(Value::Bool(!flag)),
                    Some(Value::Int(number)) => Some(Value::Int(number + 1)),
                    Some(Value::Text(text)) => Some(Value::from(format!("{text}x"))),
                    _ => continue,
                };
                refused += u64::from(verify(&other, kind, &proof).is_err());
            }
        }
        let plain = matches!(
            kind,
            ModelKind::Log | ModelKind::Offsets | ModelKind::Membership | ModelKind::MultiRegister
        );
        assert!(plain || refused > 0, "{kind:?}");
    }
}

/// A finding with each of its fields spoilt; the sentences are nobody's proof.
fn spoilt_findings(good: &Finding, ops: &[Operation]) -> Vec<(&'static str, Finding)> {
    let mut all = Vec::new();
    let mut spoil = |what: &'static str, change: &dyn Fn(&mut Finding)| {
        let mut bad = good.clone();
        change(&mut bad);
        // Rows follow the ids, so that it is the ids that are refused.
        let rows = |ids: &[u64]| -> Vec<Operation> {
            let known = ids.iter().filter_map(|id| ops.get(*id as usize));
            known.cloned().collect()
        };
        (bad.minimal_rows, bad.prefix_tail) = (rows(&bad.minimal), rows(&bad.legal_prefix));
        bad.rows = rows(&bad.ops);
        all.push((what, bad));
    };
    spoil("anomaly", &|bad| bad.anomaly.push('x'));
    spoil("key", &|bad| bad.key = Some(Value::from("another")));
    spoil("state", &|bad| bad.state = Some(Value::from("another")));
    spoil("no state", &|bad| bad.state = None);
    spoil("no operation is blocked", &|bad| bad.ops.clear());
    spoil("an unknown operation is blocked", &|bad| {
        bad.ops = vec![1_000]
    });
    spoil("an unknown minimal operation", &|bad| {
        bad.minimal.push(1_000)
    });
    spoil("no minimal set", &|bad| bad.minimal.clear());
    spoil("an unknown operation in the prefix", &|bad| {
        bad.legal_prefix.push(1_000);
    });
    for place in 0..good.minimal.len() {
        spoil("a smaller minimal set", &|bad| {
            bad.minimal.remove(place);
        });
        spoil("one twice in the minimal set", &|bad| {
            bad.minimal.push(good.minimal[place]);
        });
    }
    for op in ops.iter().filter(|op| op.is_acknowledged()) {
        if !good.minimal.contains(&op.op_id) {
            spoil("a larger minimal set", &|bad| bad.minimal.push(op.op_id));
        }
        if good.legal_prefix.contains(&op.op_id) {
            spoil("blocked though legal", &|bad| bad.ops = vec![op.op_id]);
            spoil("one twice in the prefix", &|bad| {
                bad.legal_prefix.push(op.op_id);
            });
        }
    }
    for (what, change) in [
        ("rows", (|bad| bad.rows.clear()) as fn(&mut Finding)),
        ("minimal rows", |bad| bad.minimal_rows.clear()),
        ("a row", |bad| bad.rows[0].process_id += 7),
        ("a minimal row", |bad| bad.minimal_rows[0].invoke_ts += 1),
    ] {
        let mut bad = good.clone();
        change(&mut bad);
        all.push((what, bad));
    }
    all
}

#[test]
fn every_spoilt_proof_of_a_violation_is_refused() {
    let mut spoilt = 0;
    for kind in ModelKind::ALL {
        for history in some(kind).1 {
            let spec = CheckerSpec::Linearizability;
            let budget = Budget::default();
            let report = check(&history, &spec, kind, &budget);
            let [good] = &report.findings[..] else {
                panic!("one object");
            };
            assert_eq!(
                refute(&history, kind, good, &budget),
                Ok(()),
                "{kind:?} {good:?}"
            );
            for (what, bad) in spoilt_findings(good, &history.ops) {
                spoilt += 1;
                let verdict = refute(&history, kind, &bad, &budget);
                assert!(
                    verdict.is_err(),
                    "{kind:?}: {what}: {bad:#?}\nof {:#?}",
                    history.ops
                );
            }
        }
    }
    assert!(spoilt > 1_000, "{spoilt}");
}

/// What was taken without a word is what nobody asks for later, whatever its value.
#[test]
fn a_proof_may_have_takes_of_unknown_elements() {
    let of = |id: usize, name: &'static str, value: Option<i64>, unknown: bool| {
        let letter = match name {
            "add" => (name, int(value.unwrap_or(0)), None),
            _ => (name, Value::Null, value.map(int)),
        };
        row(id, &letter, (10 * id as u64, 10 * id as u64 + 5), unknown)
    };
    for (kept, gone) in [(1, 2), (2, 1)] {
        let ops = vec![
            of(0, "add", Some(1), false),
            of(1, "add", Some(2), false),
            of(2, "remove", None, true),
            of(3, "remove", Some(kept), false),
            of(4, "remove", None, false),
        ];
        assert!(super::models::agree(ModelKind::Bag, ops.clone()));
        let history = History {
            ops,
            windows: Vec::new(),
        };
        let proof = |order: &[u64]| {
            let order = order.to_vec();
            let key = Some(int(0));
            verify(&history, ModelKind::Bag, &[Certificate { key, order }])
        };
        assert_eq!(proof(&[0, 1, 2, 3, 4]), Ok(()), "{gone} was taken");
        assert!(proof(&[0, 1, 3, 4]).is_err(), "{gone} is still there");
    }
}
