//! Where one fault of a field ends and the next begins.

use std::ops::Range;

use super::fault_words::DIRECTIONS;
use super::magnitude;
use super::schedule::{self, ScheduleDraft};
use super::storage_words::kind_at;
use super::targets::{groups, set_clock, stops as stops_somebody, target};
use super::tool_words::refused_at;
use crate::cursor::Cursor;
use crate::tokens::{Kind, Token};

/// The tokens cut into a range for each fault. No token is left out but list marks.
pub(super) fn clauses(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut has_kind = false;
    let mut at = 0;
    let mut item = 1;
    while at < tokens.len() {
        if numbered(tokens, at, item) {
            found.push(from..at);
            (has_kind, from, at) = (false, at + 2, at + 2);
            item += 1;
            continue;
        }
        if let Some(after) = enumerator(tokens, at) {
            found.push(from..at);
            (has_kind, from, at) = (false, after, after);
            continue;
        }
        let mut cursor = Cursor { tokens, at };
        if has_kind
            && separator(&mut cursor)
            && (starts_fault(cursor)
                || stops(&tokens[at..cursor.at]) && (has_subject(cursor) || timed(cursor)))
        {
            found.push(from..at);
            (has_kind, from, at) = (false, cursor.at, cursor.at);
            continue;
        }
        let mut cursor = Cursor { tokens, at };
        if named(&mut cursor) {
            has_kind = true;
            at = cursor.at;
        } else {
            at += 1;
        }
    }
    found.push(from..tokens.len());
    let said = |range: &Range<usize>| {
        let separates = |token: &Token| token.separates() || token.spelling() == "and";
        !tokens[range.clone()].iter().all(separates)
    };
    found.retain(said);
    found
}

/// A fault's name, served or not.
fn named(cursor: &mut Cursor<'_>) -> bool {
    if stops_somebody(*cursor) {
        cursor.at += 1;
        return true;
    }
    if cursor.attempt(set_clock).is_some() {
        return true;
    }
    kind_at(cursor).is_some() || refused_at(cursor).is_some() || cursor.attempt(groups).is_some()
}

/// `1.` where the first item begins, `2.` where the second does.
fn numbered(tokens: &[Token], at: usize, item: u64) -> bool {
    let fresh = at == 0 || tokens[at - 1].separates();
    let Some([number, dot, _]) = tokens.get(at..at + 3) else {
        return false;
    };
    let is_item = Cursor::new(&tokens[at..]).count() == Some(item);
    fresh && is_item && dot.is(".") && number.span.end == dot.span.start
}

/// `(a)`, `1.`, `2)` at the start of a clause.
fn enumerator(tokens: &[Token], at: usize) -> Option<usize> {
    let fresh = at == 0 || tokens[at - 1].separates();
    let opened = tokens[at].is("(");
    let mark = at + usize::from(opened);
    let short = tokens.get(mark).is_some_and(|t| match &t.kind {
        Kind::Word(word) => word.len() == 1 || matches!(word.as_str(), "ii" | "iii" | "iv"),
        Kind::Number { digits, .. } => digits.len() == 1 && (fresh || opened),
        _ => false,
    });
    let closed = tokens.get(mark + 1).is_some_and(|t| t.is(")"));
    if let (Kind::Number { digits, .. }, Some(dot)) = (&tokens[at].kind, tokens.get(at + 1))
        && digits.len() == 1
        && dot.is(".")
        && starts_fault(Cursor { tokens, at: at + 2 })
    {
        return Some(at + 2);
    }
    // `a) ... b) ...` on lines that one item holds; no unit of time is such a letter.
    let lettered = matches!(tokens[at].spelling(), "a" | "b" | "c" | "e" | "f" | "g")
        && starts_fault(Cursor {
            tokens,
            at: mark + 2,
        });
    (short && closed && (opened || fresh || lettered)).then_some(mark + 2)
}

fn separator(cursor: &mut Cursor<'_>) -> bool {
    let from = cursor.at;
    while cursor.eat_any(&[
        ",",
        ";",
        ".",
        "and",
        "then",
        "plus",
        "+",
        "&",
        "followed by",
        "after that|this",
        "afterwards",
        "interleaved|together|combined|concurrently|along with a|an|the?",
        "while|during a|an|the?",
    ]) || cursor.peek().is_some_and(|token| token.kind == Kind::Break)
    {
        cursor.at = cursor.at.max(from + 1);
        if cursor.peek().is_some_and(|token| token.kind == Kind::Break) {
            cursor.at += 1;
        }
    }
    cursor.at > from
}

/// Is one of the marks between two faults a stop, and not a comma?
fn stops(between: &[Token]) -> bool {
    let is_stop = |token: &Token| {
        let stop = token.is(";") || token.is(".") || token.kind == Kind::Break;
        stop || token.spelling() == "then"
    };
    between.iter().any(is_stop)
}

/// `node 1 comes back under another address`: who, and then the fault's name.
fn has_subject(mut cursor: Cursor<'_>) -> bool {
    cursor.eat("a|an|the");
    let has_target = target(&mut cursor).is_some();
    cursor.eat("is|are|was|were|gets|get|being");
    has_target && named(&mut cursor)
}

/// `at T+80s kill -9 the leader`: when, and then the fault's name.
fn timed(mut cursor: Cursor<'_>) -> bool {
    let mut said = ScheduleDraft::default();
    if schedule::phrase(&mut cursor, &mut said).is_none() || said.start.is_none() {
        return false;
    }
    cursor.eat(":|,");
    starts_fault(cursor) || has_subject(cursor)
}

/// Whether the words that follow name a fault before anything else.
fn starts_fault(mut cursor: Cursor<'_>) -> bool {
    loop {
        if named(&mut cursor) {
            return true;
        }
        // `5% packet loss`, `100ms latency`.
        let sized = |c: &mut Cursor<'_>| {
            magnitude::leads(c)?;
            c.eat("of");
            named(c).then_some(())
        };
        if cursor.attempt(sized).is_some() {
            return true;
        }
        let shape = cursor.lookup(DIRECTIONS).is_some()
            || cursor.eat_any(&[
                "rolling", "a|an|the", "then", "hard", "random", "network", "-",
            ]);
        if !shape {
            return false;
        }
    }
}
