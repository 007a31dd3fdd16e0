//! Every model: the monitors and the search against all orders, on all small histories.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{
    Budget, Builtin, Certificate, CheckReport, Completion, History, Model, OpType, Operation,
    Outcome, Stream, Value, certify, check, verify,
};

/// What an operation of a small history may be: type, input, response.
type Letter = (&'static str, Value, Option<Value>);

fn int(number: i64) -> Value {
    Value::Int(number)
}

fn ints(numbers: &[i64]) -> Value {
    Value::List(numbers.iter().copied().map(Value::Int).collect())
}

fn put(name: &'static str, number: i64) -> Letter {
    (name, int(number), None)
}

fn take(name: &'static str, numbers: std::ops::RangeInclusive<i64>) -> Vec<Letter> {
    let taken = numbers.map(|number| (name, Value::Null, Some(int(number))));
    let mut letters: Vec<Letter> = taken.collect();
    letters.push((name, Value::Null, None));
    letters
}

/// The operations of which histories of a model are made.
pub(crate) fn alphabet(kind: ModelKind) -> Vec<Letter> {
    let mut letters = Vec::new();
    let yes = |flag: bool| Some(Value::Bool(flag));
    match kind {
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => {
            letters.extend((1..=3).map(|number| put("write", number)));
            letters.extend(take("read", 1..=3));
            if kind != ModelKind::Register {
                for pair in [[1, 2], [2, 3], [1, 3], [3, 1]] {
                    letters.extend([true, false].map(|flag| ("cas", ints(&pair), yes(flag))));
                }
            }
        }
        ModelKind::Log | ModelKind::Offsets => {
            letters.extend([put("append", 1), put("append", 2)]);
            letters.push(("append", int(3), Some(int(1))));
            let lists: [&[i64]; 4] = [&[], &[1], &[1, 2], &[2, 1, 3]];
            letters.extend(lists.map(|list| ("read", Value::Null, Some(ints(list)))));
            if kind == ModelKind::Offsets {
                letters.extend(lists.map(|list| ("poll", int(1), Some(ints(list)))));
            }
        }
        ModelKind::Text => {
            for text in ["a", "b"] {
                letters.extend(["put", "append"].map(|name| (name, Value::from(text), None)));
            }
            letters.push(("append", Value::from("c"), None));
            let texts = ["", "a", "ab", "ba", "bc"];
            letters.extend(texts.map(|text| ("get", Value::Null, Some(Value::from(text)))));
        }
        ModelKind::Counter => {
            letters.extend([("inc", Value::Null, None), put("dec", 1), put("add", 2)]);
            letters.extend(take("read", -1..=3));
        }
        ModelKind::Set => {
            letters.extend([put("add", 1), put("add", 2), put("remove", 1)]);
            letters.push(("add", int(1), yes(false)));
            letters.extend([true, false].map(|flag| ("contains", int(1), yes(flag))));
            let lists: [&[i64]; 4] = [&[], &[1], &[2], &[2, 1]];
            letters.extend(lists.map(|list| ("read", Value::Null, Some(ints(list)))));
        }
        ModelKind::Bag => {
            letters.extend((1..=3).map(|number| put("add", number)));
            letters.extend(take("remove", 1..=3));
        }
        ModelKind::Queue => {
            letters.extend((1..=3).map(|number| put("enqueue", number)));
            letters.extend(take("dequeue", 1..=3));
        }
        ModelKind::Stack => {
            letters.extend((1..=3).map(|number| put("push", number)));
            letters.extend(take("pop", 1..=3));
        }
        ModelKind::PriorityQueue => {
            letters.extend((1..=3).map(|number| put("insert", number)));
            letters.extend(take("delete-min", 1..=3));
        }
        ModelKind::Membership => {
            letters.extend(["join", "leave"].map(|name| (name, Value::Null, None)));
            let lists: [&[i64]; 4] = [&[], &[0], &[1], &[0, 1]];
            letters.extend(lists.map(|list| ("read", Value::Null, Some(ints(list)))));
        }
        ModelKind::MultiRegister => {
            let micro = |name: &str, key: i64, value: i64| {
                Value::List(vec![Value::from(name), int(key), int(value)])
            };
            for steps in [
                vec![micro("w", 0, 1), micro("w", 1, 1)],
                vec![micro("w", 0, 2)],
                vec![micro("r", 0, 1), micro("r", 1, 1)],
                vec![micro("r", 0, 2), micro("r", 1, 1)],
                vec![micro("r", 0, 1), micro("w", 1, 2)],
                vec![micro("r", 1, 2)],
            ] {
                letters.push(("txn", Value::List(steps.clone()), Some(Value::List(steps))));
            }
        }
        ModelKind::ReadWriteLock => {
            for side in ["read", "write"] {
                letters.push(("acquire", Value::from(side), None));
                letters.push(("release", Value::from(side), None));
                letters.push(("acquire", Value::from(side), yes(false)));
            }
        }
        _ => {
            letters.extend([
                ("acquire", Value::Null, None),
                ("release", Value::Null, None),
            ]);
            letters.push(("acquire", Value::Null, yes(false)));
            if matches!(kind, ModelKind::Lease { .. }) {
                letters.push(("renew", Value::Null, None));
                letters.push(("renew", Value::Null, yes(false)));
            }
        }
    }
    letters
}

fn row(id: usize, letter: &Letter, span: (u64, u64), unknown: bool) -> Operation {
    let (name, input, output) = letter.clone();
    Operation {
        op_id: id as u64,
        process_id: id as u64 % 2,
        invoke_ts: span.0,
        complete_ts: (!unknown).then_some(span.1),
        op_type: OpType::try_from(name.to_owned()).expect("a name"),
        key: Some(Value::Int(0)),
        input,
        output: output.filter(|_| !unknown),
        error: None,
        timeout_marker: unknown,
        node_seen: None,
        fault_epoch: Vec::new(),
    }
}

/// Whether `first` ended before `second` began; the numbers are places in the history.
fn precedes(first: (usize, &Operation), second: (usize, &Operation)) -> bool {
    let Some(end) = first.1.complete_ts.filter(|_| first.1.is_acknowledged()) else {
        return false;
    };
    let same = first.1.process_id == second.1.process_id && first.0 < second.0;
    end < second.1.invoke_ts || (same && end == second.1.invoke_ts)
}

/// Tries every order of the rest. Nothing is remembered, nothing is skipped.
fn linearizes(model: &Builtin, state: &Value, rest: &[(usize, &Operation)]) -> bool {
    let optional = |(_, op): &(usize, &Operation)| op.completion() == Completion::Ambiguous;
    if rest.iter().all(optional) {
        return true;
    }
    (0..rest.len()).any(|pick| {
        let chosen = rest[pick];
        if rest.iter().any(|other| precedes(*other, chosen)) {
            return false;
        }
        let mut next = Vec::new();
        model.step(state, chosen.1, &mut next);
        let mut left = rest.to_vec();
        left.remove(pick);
        next.iter().any(|state| linearizes(model, state, &left))
    })
}

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

/// Every way in which operations can overlap, as their spans.
pub(crate) fn spans(count: usize) -> Vec<Vec<(u64, u64)>> {
    // Each begins at the first free instant; its end can be any other.
    fn fill(free: &[u64], so_far: &mut Vec<(u64, u64)>, all: &mut Vec<Vec<(u64, u64)>>) {
        let Some((begin, rest)) = free.split_first() else {
            all.push(so_far.clone());
            return;
        };
        for place in 0..rest.len() {
            let mut left = rest.to_vec();
            let end = left.remove(place);
            so_far.push((*begin, end));
            fill(&left, so_far, all);
            so_far.pop();
        }
    }
    let free: Vec<u64> = (0..2 * count as u64).collect();
    let mut all = Vec::new();
    fill(&free, &mut Vec::new(), &mut all);
    all
}

/// Judges every history of so many operations: how many are legal, and how many are not.
pub(crate) fn exhaust(kind: ModelKind, count: usize) -> (u64, u64) {
    let letters = alphabet(kind);
    let choices = letters.len() * 2;
    let (mut legal, mut illegal) = (0, 0);
    for spans in spans(count) {
        for word in 0..choices.pow(count as u32) {
            let mut rest = word;
            let mut ops = Vec::with_capacity(count);
            let mut doubled = false;
            for (id, span) in spans.iter().enumerate() {
                let (letter, unknown) = (&letters[rest % choices / 2], rest % choices % 2 == 1);
                // The unknown response of a letter is the same for all of its kind.
                doubled |= unknown && letter.2.is_some() && letters[0].0 == letter.0;
                ops.push(row(id, letter, *span, unknown));
                rest /= choices;
            }
            if doubled {
                continue;
            }
            if agree(kind, ops) {
                legal += 1;
            } else {
                illegal += 1;
            }
        }
    }
    (legal, illegal)
}

/// Random histories of more operations: how many are legal, and how many are not.
pub(crate) fn sample(kind: ModelKind, count: usize, seed: u64, cases: u64) -> (u64, u64) {
    let letters = alphabet(kind);
    let mut state = seed | 1;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    };
    let (mut legal, mut illegal) = (0, 0);
    for _ in 0..cases {
        let mut clock = 0;
        let mut busy = [0; 2];
        let unknown_in = 2 + next(8);
        let mut ops = Vec::new();
        for id in 0..count {
            let letter = &letters[next(letters.len() as u64) as usize];
            clock += next(3);
            let begin = clock.max(busy[id % 2]);
            let end = begin + next(7);
            let unknown = next(unknown_in) == 0;
            // Of one process, at most one at a time, but touching.
            busy[id % 2] = end;
            ops.push(row(id, letter, (begin, end), unknown));
        }
        if agree(kind, ops) {
            legal += 1;
        } else {
            illegal += 1;
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
    }
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
        assert!(agree(ModelKind::Bag, ops.clone()));
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
