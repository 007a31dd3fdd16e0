//! `C1 (every acknowledged append is durable), C5`: which claims a field names.

use crate::plan::{Field, Node};
use crate::read::claims::is_id;
use crate::sink::Sink;
use crate::tokens::{Kind, Token};

/// A range of claims is not longer than this.
const RANGE_MAX: u32 = 100;

/// The claims a field names, `C1-C3` spelt out; what stands in brackets or beside them is prose.
pub(crate) fn claims_named(field: &Field, sink: &Sink<'_>) -> Vec<Node> {
    let tokens = sink.tokens(field);
    let mut named: Vec<Node> = Vec::new();
    let mut depth = 0_usize;
    let mut previous: Option<&Token> = None;
    for token in &tokens {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        }
        let text = sink.text.get(token.span.clone()).unwrap_or("");
        let last = named.last().map(|id| (id.span.end, id.text.clone()));
        let ranged = last.filter(|(end, _)| {
            let between = sink.text.get(*end..token.span.start).unwrap_or("?").trim();
            matches!(between, "-" | "–" | ".." | "to" | "‑")
        });
        if depth == 0 && is_id(text) && (ranged.is_some() || previous.is_none_or(introduces)) {
            if let Some((_, first)) = ranged {
                between(&first, text, token, &mut named);
            }
            named.push(Node {
                span: token.span.clone(),
                text: text.to_owned(),
            });
        }
        previous = Some(token);
    }
    named
}

/// Whether a claim may be named after this token.
fn introduces(token: &Token) -> bool {
    match &token.kind {
        Kind::Break => true,
        Kind::Mark(mark) => matches!(*mark, "," | ";" | ")" | "/" | "&" | "+" | ":"),
        Kind::Word(word) => matches!(word.as_str(), "and" | "or" | "claim" | "claims"),
        _ => false,
    }
}

/// The claims strictly between the ends of a range.
fn between(first: &str, last: &str, token: &Token, named: &mut Vec<Node>) {
    let split = |id: &str| -> Option<(String, u32)> {
        let letters = id.trim_end_matches(|c: char| c.is_ascii_digit());
        Some((letters.to_owned(), id[letters.len()..].parse().ok()?))
    };
    let (Some((prefix, low)), Some((other, high))) = (split(first), split(last)) else {
        return;
    };
    if prefix != other || high.saturating_sub(low) > RANGE_MAX {
        return;
    }
    for number in low.saturating_add(1)..high {
        named.push(Node {
            span: token.span.clone(),
            text: format!("{prefix}{number}"),
        });
    }
}
