//! One event a line: invocations and completions in real-time order.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{ReadError, line_error, parse, write_line};
use crate::history::{Completion, History, OpType, Operation};
use crate::preflight::Note;
use crate::value::Value;

mod clock;

use clock::Clock;

/// Tells an event from an operation.
#[derive(Deserialize)]
struct Probe {
    r#type: Option<IgnoredAny>,
    f: Option<IgnoredAny>,
}

/// Whether a line is of this shape.
pub(super) fn is_event(number: u64, line: &str) -> Result<bool, ReadError> {
    let probe: Probe = parse(number, line)?;
    Ok(probe.r#type.is_some() || probe.f.is_some())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EventType {
    Invoke,
    Ok,
    Fail,
    Info,
}

impl EventType {
    /// By its name with a colon, as EDN has it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            ":invoke" => EventType::Invoke,
            ":ok" => EventType::Ok,
            ":fail" => EventType::Fail,
            ":info" => EventType::Info,
            _ => return None,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    #[serde(default)]
    pub(crate) index: Option<u64>,
    pub(crate) process: u64,
    pub(crate) r#type: EventType,
    pub(crate) f: OpType,
    #[serde(default)]
    pub(crate) key: Option<Value>,
    #[serde(default)]
    pub(crate) value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    /// Nanoseconds; what else stands there is other tools' and is as if it were not there.
    #[serde(
        default,
        deserialize_with = "clock::nanos",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) time: Option<u64>,
}

/// What is not done by a numbered process, such as the nemesis.
#[derive(Deserialize)]
struct Bystander {
    #[expect(dead_code, reason = "that it is a text is what counts")]
    process: String,
    #[expect(dead_code, reason = "an event has it")]
    r#type: EventType,
}

/// Whether an operation is asked for nothing, so that a value is what it returned. Histories that
/// were completed, as Knossos does it, tell it with the invocation, too.
fn only_returns(op_type: &OpType) -> bool {
    let taking = ["dequeue", "pop", "delete-min", "delete-max", "drain"];
    op_type.is_read() || taking.contains(&op_type.name())
}

/// The last operation of a process.
struct Last {
    /// Its place in the history, those given away included.
    row: usize,
    invoke_line: u64,
    complete_line: Option<u64>,
}

/// Pairs completions with invocations.
#[derive(Default)]
pub(crate) struct Reader {
    ops: VecDeque<Operation>,
    /// Operations that were given away.
    given: usize,
    processes: BTreeMap<u64, Last>,
    clock: Clock,
    index: Option<u64>,
}

impl Reader {
    pub(super) fn line(&mut self, number: u64, line: &str) -> Result<(), ReadError> {
        match parse(number, line) {
            Ok(event) => self.event(number, event),
            Err(_) if parse::<Bystander>(number, line).is_ok() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The key of the last operation of a process.
    pub(crate) fn key_of(&self, process: u64) -> Option<&Value> {
        let last = self.processes.get(&process)?;
        let op = self.ops.get(last.row.checked_sub(self.given)?)?;
        op.key.as_ref()
    }

    /// Whether a completion can be that of an operation that was invoked, or is a second one of the
    /// last, which is an error.
    pub(crate) fn expects(&self, event: &Event) -> bool {
        let Some(last) = self.processes.get(&event.process) else {
            return false;
        };
        let Some(complete_line) = last.complete_line else {
            return true;
        };
        let place = last.row.checked_sub(self.given);
        let op = place.and_then(|place| self.ops.get(place));
        complete_line != last.invoke_line && op.is_none_or(|op| op.op_type == event.f)
    }

    /// Takes a completion without invocation: an operation of no length.
    pub(crate) fn lone(&mut self, number: u64, event: Event) -> Result<(), ReadError> {
        let invocation = Event {
            index: None,
            process: event.process,
            r#type: EventType::Invoke,
            f: event.f.clone(),
            key: event.key.clone(),
            value: event.value.clone(),
            result: None,
            error: None,
            node: None,
            time: event.time,
        };
        let at = self.clock.next(event.time);
        self.invoke(number, invocation, at)?;
        self.complete(number, event, at)
    }

    /// Gives away, in the order of their invocations, the operations that can not change any more
    /// and follow none that can.
    pub(crate) fn settled(&mut self) -> Option<Operation> {
        self.ops.front().filter(|op| op.complete_ts.is_some())?;
        self.given += 1;
        self.ops.pop_front()
    }

    /// What is held back behind an operation that may still end.
    pub(crate) fn held(&self) -> usize {
        self.ops.len()
    }

    /// Takes an event, whose line is given for complaints.
    pub(crate) fn event(&mut self, number: u64, event: Event) -> Result<(), ReadError> {
        if event.index.is_some() && event.index <= self.index {
            let message = format!(
                "index {} does not follow index {}",
                event.index.unwrap_or(0),
                self.index.unwrap_or(0)
            );
            return Err(line_error(number, message));
        }
        self.index = event.index.or(self.index);
        let at = self.clock.next(event.time);
        match event.r#type {
            EventType::Invoke => self.invoke(number, event, at),
            _ => self.complete(number, event, at),
        }
    }

    fn invoke(&mut self, number: u64, event: Event, at: u64) -> Result<(), ReadError> {
        let row = self.given + self.ops.len();
        let last = Last {
            row,
            invoke_line: number,
            complete_line: None,
        };
        if let Some(open) = self.processes.insert(event.process, last)
            && open.complete_line.is_none()
        {
            let message = format!(
                "process {} invokes while its operation of line {} is open",
                event.process, open.invoke_line
            );
            return Err(line_error(number, message));
        }
        if event.result.is_some() || event.error.is_some() {
            let message = "an invocation has neither result nor error".to_owned();
            return Err(line_error(number, message));
        }
        self.ops.push_back(Operation {
            op_id: row as u64,
            process_id: event.process,
            invoke_ts: at,
            complete_ts: None,
            input: if only_returns(&event.f) {
                Value::Null
            } else {
                event.value
            },
            op_type: event.f,
            key: event.key,
            output: None,
            error: None,
            timeout_marker: true,
            node_seen: event.node,
            fault_epoch: Vec::new(),
        });
        Ok(())
    }

    fn complete(&mut self, number: u64, event: Event, at: u64) -> Result<(), ReadError> {
        let process = event.process;
        let Some(last) = self.processes.get_mut(&process) else {
            let message = format!("process {process} completes an operation that it never invoked");
            return Err(line_error(number, message));
        };
        if let Some(complete_line) = last.complete_line {
            let message = format!(
                "process {process} completes its operation of line {} again, after line \
                 {complete_line}",
                last.invoke_line
            );
            return Err(line_error(number, message));
        }
        let op = &mut self.ops[last.row - self.given];
        let differs = |what: &str| {
            let place = last.invoke_line;
            Err(line_error(
                number,
                format!("{what} is not that of the invocation on line {place}"),
            ))
        };
        if event.f != op.op_type {
            return differs("`f`");
        }
        if event.key.is_some() && event.key != op.key {
            return differs("`key`");
        }
        if event.r#type != EventType::Ok && event.result.is_some() {
            return Err(line_error(number, "only an `ok` has a result".to_owned()));
        }
        if event.r#type == EventType::Ok && event.error.is_some() {
            return Err(line_error(number, "an `ok` has no error".to_owned()));
        }
        last.complete_line = Some(number);
        op.node_seen = event.node.or(op.node_seen.take());
        op.complete_ts = Some(at);
        op.timeout_marker = event.r#type == EventType::Info;
        op.error = event.error;
        match event.r#type {
            EventType::Ok => {
                op.output = match op.op_type {
                    OpType::Cas => Some(event.result.unwrap_or(Value::Bool(true))),
                    OpType::Write | OpType::Append => event.result,
                    // What is only said again is no response.
                    OpType::Lead => event.result.or(Some(event.value)),
                    _ if only_returns(&op.op_type) => event.result.or(Some(event.value)),
                    _ if event.value == op.input && op.op_type.name() != "txn" => event.result,
                    _ => event.result.or(Some(event.value)),
                }
                .filter(|output| *output != Value::Null);
            }
            EventType::Fail => {
                op.error.get_or_insert_with(|| "fail".to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    /// What is odd in what was read.
    pub(crate) fn notes(&self) -> Vec<Note> {
        self.clock.notes()
    }

    pub(crate) fn finish(self) -> History {
        History {
            ops: self.ops.into(),
            windows: Vec::new(),
        }
    }
}

/// Writes a history, one event a line.
///
/// This shape knows no fault windows and no ids: they are left out. What is read back is ordered as
/// this history is, and of events of one instant each is a nanosecond after the one before it. It
/// also knows no process with two open operations: an
/// operation that begins while another of its process is open, or at the instant at which that
/// ends, is written under a process id of its own.
///
/// # Errors
/// Those of the output.
pub fn write(history: &History, mut output: impl Write) -> io::Result<()> {
    each_event(history, |event| write_line(&mut output, event))
}

/// Gives every event of a history, in order, as [`write`] says.
pub(crate) fn each_event(
    history: &History,
    mut give: impl FnMut(&Event) -> io::Result<()>,
) -> io::Result<()> {
    let mut free = history
        .ops
        .iter()
        .map(|op| op.process_id)
        .max()
        .map_or(0, |max| max + 1);
    // By process, the row that is open; by row, the process under which it is written.
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    let mut process_of = vec![0; history.ops.len()];
    let mut index = 0;
    let mut emit = |row: usize, process: u64, r#type: EventType, at: u64| {
        let mut event = event_of(&history.ops[row], process, index, r#type);
        event.time = Some(at);
        index += 1;
        give(&event)
    };
    for (at, completes, row) in moments_of(history) {
        let op = &history.ops[row];
        if completes {
            let r#type = match op.completion() {
                Completion::Failed => EventType::Fail,
                _ => EventType::Ok,
            };
            emit(row, process_of[row], r#type, at)?;
            open.remove(&process_of[row]);
            continue;
        }
        let mut process = op.process_id;
        if let Some(last) = open.get(&process).copied() {
            if history.ops[last].completion() == Completion::Ambiguous {
                emit(last, process, EventType::Info, at)?;
            } else {
                process = free;
                free += 1;
            }
        }
        emit(row, process, EventType::Invoke, at)?;
        process_of[row] = process;
        open.insert(process, row);
    }
    Ok(())
}

/// The invocations and completions in real-time order. Of equal instants, invocations go first,
/// since the operations are concurrent.
fn moments_of(history: &History) -> Vec<(u64, bool, usize)> {
    let mut moments = Vec::new();
    for (row, op) in history.ops.iter().enumerate() {
        moments.push((op.invoke_ts, false, row));
        match op.completion() {
            Completion::Ambiguous => {}
            _ => moments.push((op.complete_ts.unwrap_or(op.invoke_ts), true, row)),
        }
    }
    moments.sort_unstable();
    moments
}

fn event_of(op: &Operation, process: u64, index: u64, r#type: EventType) -> Event {
    let mut event = Event {
        index: Some(index),
        process,
        r#type,
        f: op.op_type.clone(),
        key: op.key.clone(),
        value: op.input.clone(),
        result: None,
        error: None,
        node: op.node_seen.clone(),
        time: None,
    };
    if r#type != EventType::Invoke {
        event.error.clone_from(&op.error);
    }
    if r#type == EventType::Ok {
        match op.op_type {
            OpType::Lead => event.value = op.observed().clone(),
            _ if only_returns(&op.op_type) => event.value = op.observed().clone(),
            OpType::Cas | OpType::Write | OpType::Append => event.result.clone_from(&op.output),
            _ if op.op_type.name() == "txn" => event.value = op.observed().clone(),
            _ => event.result.clone_from(&op.output),
        }
    }
    event
}
