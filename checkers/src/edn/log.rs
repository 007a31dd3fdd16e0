//! The log of a Jepsen test: lines with an event among other lines.

use std::io::{self, BufRead};

use super::parser::{Form, Parser};
use crate::jsonl::events::EventType;
use crate::jsonl::{LINE_MAX, ReadError};

/// Gives every event of a log as the map that a history in EDN has for it, and says how many lines
/// there were.
pub(super) fn each_map(
    mut input: impl BufRead,
    give: &mut dyn FnMut(Form) -> Result<(), String>,
) -> Result<u64, ReadError> {
    let mut text = Vec::new();
    let mut number = 0;
    loop {
        text.clear();
        number += 1;
        let failed = |message: String, column: u64| ReadError {
            line: number,
            column,
            message,
        };
        let taken = io::Read::take(&mut input, LINE_MAX as u64 + 1)
            .read_until(b'\n', &mut text)
            .map_err(|error| failed(format!("the input can not be read: {error}"), 1))?;
        if taken == 0 {
            return Ok(number);
        }
        if taken > LINE_MAX {
            return Err(failed("the line is too long".to_owned(), 1));
        }
        let line = std::str::from_utf8(&text)
            .map_err(|error| failed("not UTF-8".to_owned(), error.valid_up_to() as u64 + 1))?;
        let Some((_, rest)) = line.split_once(" - ") else {
            continue;
        };
        let offset = (line.len() - rest.len()) as u64;
        let (forms, whole) = forms_of(rest.trim_end_matches(['\n', '\r']));
        if is_event(&forms) {
            whole.map_err(|error| failed(error.message, error.column + offset))?;
            let names = [":process", ":type", ":f", ":value", ":error"];
            let names = names.map(|name| Form::Keyword(name.to_owned()));
            let map = Form::Map(names.into_iter().zip(forms).collect());
            give(map).map_err(|message| failed(message, offset + 1))?;
        }
    }
}

/// The forms of a line, as far as they are forms, and what is wrong with the rest.
fn forms_of(text: &str) -> (Vec<Form>, Result<(), ReadError>) {
    let mut parser = Parser::new(text.as_bytes());
    let mut forms = Vec::new();
    loop {
        let next = parser.at_end().and_then(|end| match end {
            true => Ok(None),
            false => parser.form().map(Some),
        });
        match next {
            Ok(Some(form)) => forms.push(form),
            Ok(None) => return (forms, Ok(())),
            Err(error) => return (forms, Err(error)),
        }
    }
}

/// Whether the line is of an event: a process, its type, what it does.
fn is_event(forms: &[Form]) -> bool {
    matches!(
        forms,
        [_, Form::Keyword(what), Form::Keyword(_), ..] if EventType::named(what).is_some()
    )
}
