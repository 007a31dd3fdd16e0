//! One operation a line, and fault windows among them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{ReadError, line_error, parse, validate, write_line};
use crate::history::{FaultWindow, History, Operation};

/// Tells a fault window from an operation.
#[derive(Deserialize)]
struct Probe {
    fault_window: Option<IgnoredAny>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowLine<W> {
    fault_window: W,
}

/// Gathers lines to a history.
#[derive(Default)]
pub(super) struct Reader {
    history: History,
    /// The line of each operation.
    lines: BTreeMap<u64, u64>,
}

impl Reader {
    pub(super) fn line(&mut self, number: u64, line: &str) -> Result<(), ReadError> {
        let Some(op) = self.row(number, line)? else {
            return Ok(());
        };
        if let Some(first) = self.lines.insert(op.op_id, number) {
            let message = format!("operation {} is already on line {first}", op.op_id);
            return Err(line_error(number, message));
        }
        self.history.ops.push(op);
        Ok(())
    }

    /// The operation of a line; none when it has a fault window.
    pub(super) fn row(&mut self, number: u64, line: &str) -> Result<Option<Operation>, ReadError> {
        // An operation may well carry the text in a value; only the shape of the line decides.
        let named = line.contains("\"fault_window\"");
        if named && parse::<Probe>(number, line)?.fault_window.is_some() {
            let window = parse::<WindowLine<FaultWindow>>(number, line)?.fault_window;
            if window.end_ts.is_some_and(|end_ts| end_ts < window.start_ts) {
                let message = format!("the window of {} ends before it starts", window.fault);
                return Err(line_error(number, message));
            }
            self.history.windows.push(window);
            return Ok(None);
        }
        let op: Operation = parse(number, line)?;
        validate(number, &op)?;
        Ok(Some(op))
    }

    pub(super) fn finish(self) -> History {
        self.history
    }
}

/// Writes a history, one operation a line, the fault windows first.
///
/// [`read`](super::read) gives the same history back, but for an `output` of
/// [`Value::Null`](crate::Value::Null), which comes back absent.
///
/// # Errors
/// Those of the output.
pub fn write(history: &History, mut output: impl Write) -> io::Result<()> {
    for fault_window in &history.windows {
        write_line(&mut output, &WindowLine { fault_window })?;
    }
    for op in &history.ops {
        write_line(&mut output, op)?;
    }
    Ok(())
}
