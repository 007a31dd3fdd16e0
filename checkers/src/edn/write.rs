//! Writes histories as Jepsen does: one map a line.

use std::io::{self, Write};

use crate::history::History;
use crate::jsonl::events::{EventType, each_event};
use crate::value::Value;

/// Writes a history in EDN, one event a line, as [`crate::jsonl::write_events`] does in JSON: with
/// `:key` and `:result` where they are needed.
///
/// # Errors
/// Those of the output.
pub fn write(history: &History, mut output: impl Write) -> io::Result<()> {
    each_event(history, |event| {
        let name = match event.r#type {
            EventType::Invoke => "invoke",
            EventType::Ok => "ok",
            EventType::Fail => "fail",
            EventType::Info => "info",
        };
        let (index, process, f) = (event.index.unwrap_or(0), event.process, event.f.name());
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_*+!?.".contains(letter);
        write!(
            output,
            "{{:index {index}, :process {process}, :type :{name}, :f "
        )?;
        if f.chars().all(plain) && f.starts_with(|first: char| first.is_ascii_alphabetic()) {
            write!(output, ":{f}")?;
        } else {
            text(f, &mut output)?;
        }
        if let Some(key) = &event.key {
            output.write_all(b", :key ")?;
            value(key, &mut output)?;
        }
        output.write_all(b", :value ")?;
        value(&event.value, &mut output)?;
        if let Some(result) = &event.result {
            output.write_all(b", :result ")?;
            value(result, &mut output)?;
        }
        for (name, said) in [("error", &event.error), ("node", &event.node)] {
            if let Some(said) = said {
                write!(output, ", :{name} ")?;
                text(said, &mut output)?;
            }
        }
        if let Some(time) = event.time {
            write!(output, ", :time {time}")?;
        }
        output.write_all(b"}\n")
    })
}

fn value(value: &Value, output: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Null => output.write_all(b"nil"),
        Value::Bool(flag) => write!(output, "{flag}"),
        Value::Int(number) => write!(output, "{number}"),
        Value::Text(letters) => text(letters, output),
        Value::List(elements) => {
            output.write_all(b"[")?;
            for (place, element) in elements.iter().enumerate() {
                if place > 0 {
                    output.write_all(b" ")?;
                }
                self::value(element, output)?;
            }
            output.write_all(b"]")
        }
    }
}

fn text(text: &str, output: &mut impl Write) -> io::Result<()> {
    output.write_all(b"\"")?;
    for letter in text.chars() {
        match letter {
            '"' | '\\' => write!(output, "\\{letter}")?,
            '\n' => output.write_all(b"\\n")?,
            '\r' => output.write_all(b"\\r")?,
            '\t' => output.write_all(b"\\t")?,
            _ if letter.is_control() => write!(output, "\\u{:04x}", letter as u32)?,
            _ => write!(output, "{letter}")?,
        }
    }
    output.write_all(b"\"")
}
