//! Small histories of every model, all of them or random ones, and the judgement of trying every
//! order.

use checkers::spec::ModelKind;
use checkers::{Builtin, Completion, Model, OpType, Operation, Value};

/// What an operation of a small history may be: type, input, response.
pub(crate) type Letter = (&'static str, Value, Option<Value>);

pub(crate) fn int(number: i64) -> Value {
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

/// The operation of a letter.
pub(crate) fn row(id: usize, letter: &Letter, span: (u64, u64), unknown: bool) -> Operation {
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
pub(crate) fn linearizes(model: &Builtin, state: &Value, rest: &[(usize, &Operation)]) -> bool {
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

/// Every way in which operations can overlap, as their spans.
fn spans(count: usize) -> Vec<Vec<(u64, u64)>> {
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

/// Gives every history of so many operations.
pub(crate) fn each(kind: ModelKind, count: usize, give: &mut dyn FnMut(Vec<Operation>)) {
    let letters = alphabet(kind);
    let choices = letters.len() * 2;
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
            if !doubled {
                give(ops);
            }
        }
    }
}

/// Numbers below a bound, by a seed.
pub(crate) fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed | 1;
    move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    }
}

/// A random history of so many operations of an alphabet.
pub(crate) fn random(
    letters: &[Letter],
    count: usize,
    next: &mut impl FnMut(u64) -> u64,
) -> Vec<Operation> {
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
    ops
}

/// As [`random`], of a collection, with values that say which operation they come from: each is
/// put once, and taken once for certain at most.
pub(crate) fn distinct(
    letters: &[Letter],
    count: usize,
    next: &mut impl FnMut(u64) -> u64,
) -> Vec<Operation> {
    let mut ops = random(letters, count, next);
    let takes = |op: &Operation| {
        letters
            .iter()
            .any(|one| one.0 == op.op_type.name() && one.2.is_some())
    };
    let mut values: Vec<Value> = Vec::new();
    for op in ops.iter_mut().filter(|op| !takes(op)) {
        // Not in the order of the calls, so that better does not mean sooner.
        let value = Value::Int((values.len() as i64 + 1) * 7 % 31);
        op.input = value.clone();
        values.push(value);
    }
    let empty_in = 2 + next(6);
    for op in ops
        .iter_mut()
        .filter(|op| takes(op) && op.is_acknowledged())
    {
        let place = next(values.len() as u64 + 1) as usize;
        op.output = match values.len() > place && next(empty_in) > 0 {
            true => Some(values.remove(place)),
            false => Some(Value::Null),
        };
    }
    ops
}
