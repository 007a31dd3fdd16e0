//! What is said on the wire: a line a request, a line an answer.
//!
//! `begin LEVEL`, `r KEY`, `w KEY NUMBER`, `a KEY ELEMENT`, `commit`; answered by `ok`, by `v` and
//! the value (`v -` for nothing), by `conflict`, or by `error` and why.

use crate::isolation::Isolation;
use crate::store::{Change, Value};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Begin(Isolation),
    Read(String),
    Change(String, Change),
    Commit,
}

impl Request {
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse().map_err(|_| format!("{word} is no number"));
        Ok(match words[..] {
            ["begin", level] => Request::Begin(level.parse()?),
            ["r", key] => Request::Read(key.to_owned()),
            ["w", key, value] => Request::Change(key.to_owned(), Change::Set(number(value)?)),
            ["a", key, value] => Request::Change(key.to_owned(), Change::Append(number(value)?)),
            ["commit"] => Request::Commit,
            _ => return Err(format!("{line:?} is no request")),
        })
    }

    pub(crate) fn line(&self) -> String {
        match self {
            Request::Begin(isolation) => format!("begin {isolation}\n"),
            Request::Read(key) => format!("r {key}\n"),
            Request::Change(key, Change::Set(value)) => format!("w {key} {value}\n"),
            Request::Change(key, Change::Append(value)) => format!("a {key} {value}\n"),
            Request::Commit => "commit\n".to_owned(),
        }
    }
}

/// A value as it is written.
pub(crate) fn value_line(value: Option<&Value>) -> String {
    value.map_or_else(|| "v -\n".to_owned(), |value| format!("v {value}\n"))
}

/// Reads a value; none when it is not one.
pub(crate) fn parse_value(text: &str) -> Option<Option<Value>> {
    let text = text.trim();
    if text == "-" {
        return Some(None);
    }
    let Some(elements) = text.strip_prefix('[') else {
        return text.parse().ok().map(|number| Some(Value::Number(number)));
    };
    let elements = elements.strip_suffix(']')?;
    let elements: Result<Vec<i64>, _> = elements
        .split(',')
        .filter(|element| !element.is_empty())
        .map(str::parse)
        .collect();
    Some(Some(Value::List(elements.ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for request in [
            Request::Begin(Isolation::Snapshot),
            Request::Read("x".to_owned()),
            Request::Change("x".to_owned(), Change::Set(-4)),
            Request::Change("x".to_owned(), Change::Append(4)),
            Request::Commit,
        ] {
            assert_eq!(Request::parse(request.line().trim()), Ok(request));
        }
        for value in [None, Some(Value::Number(-1)), Some(Value::List(vec![1, 2]))] {
            let line = value_line(value.as_ref());
            assert_eq!(line.strip_prefix('v').and_then(parse_value), Some(value));
        }
        for bad in ["", "begin", "begin firm", "r", "w x", "w x y", "commit now"] {
            assert!(Request::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_value("[1,"), None);
    }
}
