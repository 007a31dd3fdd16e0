//! JSON Lines, in two shapes that the first line tells apart.
//!
//! One *operation* a line (broken here to fit), every field of [`Operation`] present:
//!
//! ```json
//! {"op_id":0,"process_id":1,"invoke_ts":5,"complete_ts":9,"op_type":"write","key":"x","input":4,
//!  "output":null,"error":null,"timeout_marker":false,"node_seen":null,"fault_epoch":[]}
//! ```
//!
//! and among them, at any place, the fault windows:
//!
//! ```json
//! {"fault_window":{"fault":"cut-1","start_ts":3,"end_ts":null}}
//! ```
//!
//! Or one *event* a line, with `type` one of `invoke`, `ok`, `fail` (no effect) and `info`
//! (unknown); line order is real-time order:
//!
//! ```json
//! {"index":0,"process":3,"type":"invoke","f":"write","key":0,"value":4}
//! ```
//!
//! An `ok` with `"result":false` is refused; the `result` of an `ok` `append` is its index; the
//! `value` of an `ok` `read` is what was read. `node` and `error` may be given, and `time`, in
//! nanoseconds: an event has it for its time stamp, or the nanosecond after that of the event
//! before it, where that is later or no number is given. Events of a process that
//! is a text, such as `nemesis`, are skipped. An invocation without completion is ambiguous.
//!
//! Blank lines are skipped. Anything else that is not understood is a [`ReadError`].

use std::fmt;
use std::io::{self, BufRead, Write};

use serde::de::DeserializeOwned;

use crate::history::{History, Operation};
use crate::preflight::Note;

pub(crate) mod events;
mod lines;
mod operations;

pub use events::write as write_events;
pub use operations::write;

/// The longest line that is read, bytes. A longer one is an error and is not buffered.
pub const LINE_MAX: usize = 16 << 20;

/// Where and why a history could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The line, from 1.
    pub line: u64,
    /// The byte in the line, from 1.
    pub column: u64,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}

impl std::error::Error for ReadError {}

/// Reads a history of either shape. Holds one line and the history in memory.
///
/// An input without lines is an empty history.
///
/// # Errors
/// The first thing that is wrong: a truncated or oversized line, invalid UTF-8, a float, an
/// unknown field or event type, a missing field, an `op_id` twice, a completion without
/// invocation, a second completion, a failed read of the input.
pub fn read(input: impl BufRead) -> Result<History, ReadError> {
    read_noted(input).map(|(history, _)| history)
}

/// [`read`], with what is odd in the history and is read all the same.
///
/// # Errors
/// As [`read`].
pub fn read_noted(input: impl BufRead) -> Result<(History, Vec<Note>), ReadError> {
    read_noted_limited(input, LINE_MAX)
}

/// [`read`] with another bound on the length of a line, bytes.
///
/// # Errors
/// As [`read`].
pub fn read_limited(input: impl BufRead, line_max: usize) -> Result<History, ReadError> {
    read_noted_limited(input, line_max).map(|(history, _)| history)
}

fn read_noted_limited(
    input: impl BufRead,
    line_max: usize,
) -> Result<(History, Vec<Note>), ReadError> {
    let mut lines = lines::Lines::new(input, line_max);
    let Some((number, first)) = lines.next_line()? else {
        return Ok(Default::default());
    };
    if events::is_event(number, first)? {
        let mut reader = events::Reader::default();
        reader.line(number, first)?;
        while let Some((number, line)) = lines.next_line()? {
            reader.line(number, line)?;
        }
        let notes = reader.notes();
        Ok((reader.finish(), notes))
    } else {
        let mut reader = operations::Reader::default();
        reader.line(number, first)?;
        while let Some((number, line)) = lines.next_line()? {
            reader.line(number, line)?;
        }
        Ok((reader.finish(), Vec::new()))
    }
}

/// Reads a history of either shape row by row, in the order of the invocations, and holds no more
/// than the rows that are not over. What gives none of its operations back is an invocation without
/// any completion: what follows it is held back to the end of the input, up to `held_max` rows.
///
/// Rows of the first shape are given as they come; fault windows are left out.
///
/// # Errors
/// As [`read`], but for an `op_id` twice, which is the receiver's to see; too many rows that are
/// held back; whatever the receiver answers, with the line that was read last.
pub fn stream(
    input: impl BufRead,
    held_max: usize,
    give: &mut dyn FnMut(Operation) -> Result<(), String>,
) -> Result<(), ReadError> {
    let mut lines = lines::Lines::new(input, LINE_MAX);
    let Some((number, first)) = lines.next_line()? else {
        return Ok(());
    };
    if !events::is_event(number, first)? {
        let mut reader = operations::Reader::default();
        let mut op = reader.row(number, first)?;
        let mut last = number;
        loop {
            let given = op.map_or(Ok(()), &mut *give);
            given.map_err(|message| line_error(last, message))?;
            let Some((number, line)) = lines.next_line()? else {
                return Ok(());
            };
            (op, last) = (reader.row(number, line)?, number);
        }
    }
    let mut reader = events::Reader::default();
    reader.line(number, first)?;
    while let Some((number, line)) = lines.next_line()? {
        reader.line(number, line)?;
        settle(&mut reader, held_max, give).map_err(|message| line_error(number, message))?;
    }
    let rest = reader.finish().ops;
    let mut rest = rest.into_iter();
    rest.try_for_each(give)
        .map_err(|message| line_error(lines.number(), message))
}

/// Gives what is over.
pub(crate) fn settle(
    reader: &mut events::Reader,
    held_max: usize,
    give: &mut dyn FnMut(Operation) -> Result<(), String>,
) -> Result<(), String> {
    while let Some(op) = reader.settled() {
        give(op)?;
    }
    match reader.held() > held_max {
        true => Err(format!(
            "more than {held_max} operations follow one that has no completion: complete it as \
             `info`, or read the whole history"
        )),
        false => Ok(()),
    }
}

/// One JSON value that fills a line.
fn parse<T: DeserializeOwned>(number: u64, line: &str) -> Result<T, ReadError> {
    serde_json::from_str(line).map_err(|error| {
        let whole = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let message = whole.strip_suffix(&place).unwrap_or(&whole);
        let message = if error.is_eof() {
            format!("truncated line: {message}")
        } else {
            message.to_owned()
        };
        ReadError {
            line: number,
            column: error.column().max(1) as u64,
            message,
        }
    })
}

fn write_line<T: serde::Serialize>(output: &mut impl Write, value: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")
}

/// An error about a line as a whole.
fn line_error(line: u64, message: String) -> ReadError {
    ReadError {
        line,
        column: 1,
        message,
    }
}

/// The row's own contradictions, as an error of its line.
fn validate(line: u64, op: &Operation) -> Result<(), ReadError> {
    op.validate().map_err(|message| line_error(line, message))
}
