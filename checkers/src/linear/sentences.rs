//! A violation in sentences: what was returned, and what had happened by then.

use crate::history::{Millis, Operation};
use crate::models;
use crate::value::{Brief, Value};

/// The most sentences of one finding.
const SENTENCES_MAX: usize = 12;

/// Says why operations that can not be explained together can not, from their times and values.
/// `minimal` are all of them; `blocked` is the first response that does not fit.
pub(super) fn explain(minimal: &[&Operation], blocked: Option<&Operation>) -> Vec<String> {
    let mut sentences = Vec::new();
    let reads = |op: &&Operation| op.op_type.is_read() || models::is_taking(op);
    let told = blocked.filter(|op| minimal.iter().any(|other| other.op_id == op.op_id));
    let told = told.filter(|op| reads(op));
    if let Some(op) = told.or_else(|| minimal.iter().rev().copied().find(reads)) {
        sentences.extend(of_read(op, minimal));
    }
    for (first, second) in orders(minimal) {
        if sentences.len() == SENTENCES_MAX {
            sentences.push("More orders follow from times in the same way.".to_owned());
            break;
        }
        sentences.push(format!(
            "{} ended at {} ms, before {} was invoked at {} ms.",
            capital(&called(first)),
            Millis(first.complete_ts.unwrap_or(0)),
            called(second),
            Millis(second.invoke_ts)
        ));
    }
    sentences
}

/// An operation as the subject of a sentence.
fn called(op: &Operation) -> String {
    let name = op.op_type.name();
    let what = match (&op.input, op.op_type.is_write()) {
        (Value::Null, false) => name.to_owned(),
        (input, _) => format!("{name} {}", Brief(input)),
    };
    let told = match op.observed() {
        Value::Null if !op.op_type.is_read() => String::new(),
        told => format!(" -> {}", Brief(told)),
    };
    format!("{what}{told} (#{}, process {})", op.op_id, op.process_id)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn ended_before(first: &Operation, second: &Operation) -> bool {
    first.is_acknowledged() && first.complete_ts.is_some_and(|end| end < second.invoke_ts)
}

/// The value that an operation puts there, if it puts one.
fn put(op: &Operation) -> Option<&Value> {
    if op.op_type.is_read() || models::is_taking(op) {
        return None;
    }
    match op.op_type.name() {
        "cas" if op.observed().as_bool() == Some(false) => None,
        "cas" => op.input.as_pair().map(|(_, to)| to),
        "acquire" | "release" | "renew" | "txn" => None,
        _ => Some(&op.input),
    }
}

/// What an operation returned, and why it can not have.
fn of_read(read: &Operation, minimal: &[&Operation]) -> Option<String> {
    let value = read.observed();
    let mut sentence = format!("{} returned {}", capital(&asked(read)), Brief(value));
    if let Some(end) = read.complete_ts {
        sentence.push_str(&format!(" at {} ms", Millis(end)));
    }
    let others = || minimal.iter().filter(|op| op.op_id != read.op_id);
    let setter = others().find(|op| put(op) == Some(value));
    let Some(setter) = setter else {
        if minimal.len() == 1 {
            let nothing = match value {
                Value::Null => "although something has to be there",
                _ => "which nothing that was invoked by then can have put there",
            };
            return Some(format!("{sentence}, {nothing}."));
        }
        // Something that ended before it and changed what is there.
        let newer = others()
            .rev()
            .find(|op| put(op).is_some() && ended_before(op, read))?;
        let end = Millis(newer.complete_ts.unwrap_or(0));
        return Some(format!(
            "{sentence}, but {} had been acknowledged at {end} ms.",
            called(newer)
        ));
    };
    if ended_before(read, setter) {
        return Some(format!(
            "{sentence}, before {} was invoked at {} ms.",
            called(setter),
            Millis(setter.invoke_ts)
        ));
    }
    // Of what came after the setter, what the reader has missed.
    let newer = others().rev().find(|op| {
        let changes = put(op).is_some_and(|other| other != value);
        changes && ended_before(setter, op) && ended_before(op, read)
    });
    if let Some(newer) = newer {
        return Some(format!(
            "{sentence}, but {} had been acknowledged at {} ms, when {} was over.",
            called(newer),
            Millis(newer.complete_ts.unwrap_or(0)),
            called(setter)
        ));
    }
    let same = others()
        .find(|op| op.op_type == read.op_type && op.observed() == value && models::is_taking(op));
    if let Some(same) = same {
        return Some(format!("{sentence}, and so did {}.", called(same)));
    }
    let seen = others().rev().find(|op| {
        let reads = op.op_type.is_read() && op.is_acknowledged() && op.observed() != value;
        reads && ended_before(op, read)
    });
    let seen = seen?;
    Some(format!(
        "{sentence}, but {} had already returned {} at {} ms.",
        asked(seen),
        Brief(seen.observed()),
        Millis(seen.complete_ts.unwrap_or(0))
    ))
}

/// An operation as the subject of a sentence that says what it returned.
fn asked(op: &Operation) -> String {
    let name = op.op_type.name();
    let of = op.key.as_ref().map(|key| format!(" of {}", Brief(key)));
    let of = of.unwrap_or_default();
    format!("{name} #{}{of} by process {}", op.op_id, op.process_id)
}

/// Which of some operations ended before which began, without what follows from others.
fn orders<'a>(ops: &[&'a Operation]) -> Vec<(&'a Operation, &'a Operation)> {
    let mut orders = Vec::new();
    // Few are told, and few are looked at.
    let ops = &ops[..ops.len().min(64)];
    for first in ops {
        for second in ops {
            let between =
                |other: &&Operation| ended_before(first, other) && ended_before(other, second);
            if ended_before(first, second) && !ops.iter().copied().any(|op| between(&op)) {
                orders.push((*first, *second));
            }
        }
    }
    orders
}
