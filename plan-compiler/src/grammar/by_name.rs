//! Models and checkers as command lines write them: `set-full=strict`, `semaphore=3`.

use crate::cursor::Cursor;
use crate::tokens::{Kind, Token};

/// Reads the longest of the names that comes next, with its value behind `=`; a name that is
/// given as `name=value` must have one.
pub(super) fn read<T>(
    c: &mut Cursor<'_>,
    names: impl Iterator<Item = &'static str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let mut best: Option<(usize, &str, bool)> = None;
    for shape in names {
        let (name, needs) = match shape.split_once('=') {
            Some((name, _)) => (name, true),
            None => (shape, false),
        };
        let mut probe = *c;
        let longest = best.map_or(0, |(at, ..)| at);
        if probe.eat(&name.replace('-', " ")) && probe.at > longest {
            best = Some((probe.at, name, needs));
        }
    }
    let (at, name, needs) = best?;
    let mut after = Cursor { at, ..*c };
    let (at, found) = if after.eat("=") {
        let read = |(at, value)| Some((at, parse(&format!("{name}={value}"))?));
        values(after).into_iter().rev().find_map(read)?
    } else {
        (at, parse(name).filter(|_| !needs)?)
    };
    c.at = at;
    Some(found)
}

/// What may be the value that begins here, each with its end, the shortest first.
fn values(c: Cursor<'_>) -> Vec<(usize, String)> {
    let is_word = |token: &Token| matches!(token.kind, Kind::Word(_));
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut before: Option<&Token> = None;
    for (place, token) in c.tokens.iter().enumerate().skip(c.at) {
        if token.separates() || token.spelling().is_empty() {
            break;
        }
        let gap = before.map_or(0, |last| token.span.start.saturating_sub(last.span.end));
        let joint = match gap {
            0 => "",
            1 if is_word(token) && before.is_some_and(is_word) => "-",
            _ => break,
        };
        let said = found.last().map_or("", |(_, value)| value.as_str());
        found.push((place + 1, format!("{said}{joint}{}", token.spelling())));
        before = Some(token);
    }
    found
}
