//! Many operations at once that do the same, with few instants, against all orders.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, History, Operation, Outcome, Value, check};

use crate::models::agree;
use crate::reference::{Letter, alphabet, numbers, row};

/// Operations of as many processes, most of them at once, with few instants and few values, so
/// that many do the same and many are due at the same time.
fn crowd(letters: &[Letter], count: usize, next: &mut impl FnMut(u64) -> u64) -> Vec<Operation> {
    let unknown_in = 2 + next(6);
    let mut begins: Vec<u64> = (0..count).map(|_| next(7)).collect();
    begins.sort_unstable();
    let each = begins.into_iter().enumerate().map(|(id, begin)| {
        let letter = &letters[next(letters.len() as u64) as usize];
        let span = (begin, begin + next(6));
        Operation {
            process_id: id as u64,
            ..row(id, letter, span, next(unknown_in) == 0)
        }
    });
    each.collect()
}

#[test]
fn crowds_agree_with_all_orders() {
    let mut next = numbers(99);
    for kind in ModelKind::ALL {
        // Of values, most often the first two.
        let few = |letter: &Letter| {
            let three = Some(&Value::Int(3));
            Some(&letter.1) != three && letter.2.as_ref() != three
        };
        let letters: Vec<Letter> = alphabet(kind).into_iter().filter(few).collect();
        let repeats = matches!(
            kind,
            ModelKind::CasRegister
                | ModelKind::Queue
                | ModelKind::Bag
                | ModelKind::Stack
                | ModelKind::Log
                | ModelKind::Text
        );
        let cases = if repeats { 250 } else { 40 };
        let (mut legal, mut illegal) = (0, 0);
        for case in 0..cases {
            let count = 4 + case % 3;
            match agree(kind, crowd(&letters, count, &mut next)) {
                true => legal += 1,
                false => illegal += 1,
            }
        }
        assert!(legal > 0 && illegal > 0, "{kind:?}: {legal}, {illegal}");
    }
}

/// What a read saw can only come from a chain of cas, since the write of the value follows it in
/// its process: with less known, too.
#[test]
fn a_write_that_follows_a_read_does_not_explain_it() {
    let cas = |from, to| {
        let pair = Value::List(vec![Value::Int(from), Value::Int(to)]);
        ("cas", pair, Some(Value::Bool(false)))
    };
    let write = |value| ("write", Value::Int(value), None);
    let ops = vec![
        row(0, &cas(3, 1), (1, 5), false),
        row(1, &cas(2, 3), (3, 3), false),
        row(
            2,
            &("read", Value::Null, Some(Value::Int(1))),
            (5, 7),
            false,
        ),
        row(3, &write(2), (4, 6), false),
        row(4, &write(1), (7, 10), false),
        row(5, &("read", Value::Null, None), (6, 11), false),
    ];
    assert!(!agree(ModelKind::CasRegister, ops));
}

/// The read of nothing overlaps the first read, which another read follows at one instant.
#[test]
fn what_is_called_as_another_returns_saw_nothing_of_it() {
    let read = |told| ("read", Value::Null, Some(told));
    let write = |value| ("write", Value::Int(value), None);
    let ops = [
        (0, row(0, &write(2), (2, 3), true)),
        (1, row(1, &read(Value::Int(2)), (4, 10), false)),
        (0, row(2, &write(1), (5, 6), true)),
        (1, row(3, &read(Value::Int(1)), (10, 15), false)),
        (0, row(4, &read(Value::Null), (10, 16), false)),
        (1, row(5, &write(2), (15, 20), false)),
    ];
    let ops = ops
        .into_iter()
        .map(|(process_id, op)| Operation { process_id, ..op });
    assert!(agree(ModelKind::Register, ops.collect()));
}

/// Of a cas that is refused later it may be unknown whether it was, and then it helps another.
#[test]
fn what_is_called_later_may_help_what_was_called_before() {
    let cas = |from, to, told| {
        let pair = Value::List(vec![Value::Int(from), Value::Int(to)]);
        ("cas", pair, Some(Value::Bool(told)))
    };
    let read = ("read", Value::Null, Some(Value::Int(3)));
    let ops = [
        (0, row(0, &cas(1, 3, true), (2, 8), false)),
        (1, row(1, &read, (3, 4), false)),
        (1, row(2, &("write", Value::Int(3), None), (4, 8), false)),
        (1, row(3, &cas(3, 1, false), (8, 13), false)),
    ];
    let ops = ops.map(|(process_id, op)| Operation { process_id, ..op });
    assert!(!agree(ModelKind::CasRegister, ops.to_vec()));
}

/// Of a process each operation begins as the one before ends: the first push is not needed.
#[test]
fn what_begins_as_another_ends_follows_it_with_less_known_too() {
    let push = |value| ("push", Value::Int(value), None);
    let pop = |told: Option<i64>| ("pop", Value::Null, told.map(Value::Int));
    let ops = [
        (0, row(0, &pop(None), (2, 8), false)),
        (1, row(1, &push(1), (3, 8), false)),
        (0, row(2, &push(3), (8, 11), false)),
        (1, row(3, &push(2), (8, 9), false)),
        (0, row(4, &pop(Some(2)), (11, 16), false)),
        (1, row(5, &push(3), (9, 10), false)),
        (0, row(6, &pop(Some(3)), (16, 21), false)),
    ];
    let ops = ops.map(|(process_id, op)| Operation { process_id, ..op });
    assert!(!agree(ModelKind::Stack, ops.to_vec()));
}

/// The first element went to the dequeue of unknown outcome, before nothing was found: the dequeue
/// that is due first was called too late for it.
#[test]
fn a_dequeue_called_late_may_have_to_come_later() {
    let put = |value| ("enqueue", Value::Int(value), None);
    let take = |told: Option<i64>| ("dequeue", Value::Null, told.map(Value::Int));
    let ops = vec![
        row(0, &take(None), (0, 1), true),
        row(1, &put(1), (1, 1), false),
        row(2, &put(3), (4, 4), true),
        row(3, &put(1), (4, 4), true),
        row(4, &take(None), (4, 10), false),
        row(5, &put(3), (6, 6), false),
        row(6, &take(Some(1)), (10, 10), false),
        row(7, &put(2), (6, 9), false),
        row(8, &put(3), (10, 10), true),
        row(9, &put(3), (9, 15), false),
    ];
    let history = History {
        ops,
        windows: Vec::new(),
    };
    let spec = CheckerSpec::Linearizability;
    let report = check(&history, &spec, ModelKind::Queue, &Budget::default());
    assert_eq!(report.outcome, Outcome::Ok, "{report}");
}

/// One push of 2 follows that of 3 in its process, the other does not: it can lie below.
#[test]
fn of_pushes_at_one_instant_either_may_lie_below() {
    let push = |value| ("push", Value::Int(value), None);
    let pop = |value| ("pop", Value::Null, Some(Value::Int(value)));
    let ops = vec![
        row(0, &push(3), (3, 7), false),
        row(1, &push(1), (4, 6), false),
        row(2, &push(2), (7, 10), false),
        row(3, &push(2), (7, 9), false),
        row(4, &pop(2), (11, 12), false),
        row(6, &pop(3), (13, 14), false),
    ];
    let ops = (0..).zip(ops).map(|(op_id, op)| Operation { op_id, ..op });
    assert!(agree(ModelKind::Stack, ops.collect()));
}
