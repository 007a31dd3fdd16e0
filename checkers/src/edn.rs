//! EDN, as Jepsen, Knossos and Elle write histories, and Jepsen's log of a test.
//!
//! A history is a sequence of maps, bare or in one vector or list, tagged (`#jepsen.history.Op`)
//! or not:
//!
//! ```edn
//! {:process 0, :type :invoke, :f :cas, :value [0 3], :time 12, :index 4}
//! ```
//!
//! Order is real-time order, and `:time` is in nanoseconds, as in [`crate::jsonl`]. `:key` may
//! be given; without it, a `:value` of `[key value]` is a value of `key` (Jepsen's
//! independent keys) when a `read` is invoked with `[key nil]`, a `write` with a
//! pair, or a `cas` with a pair whose second is one. Keywords are read as texts with their
//! colon; sets are read as lists. Whatever is not done by a numbered process, such as the nemesis,
//! is skipped. A log has lines like `INFO  jepsen.util - 0 :invoke :read nil`, separated by tabs;
//! other lines are skipped.
//!
//! Others' histories have gaps, which are read: a completion without invocation is an operation of
//! no length, unless it says again what ended before; a map without `:process` is of a process of
//! its own; one without `:f` is a `txn` when its value is made of micro-operations, or else of a
//! type that no model knows. [`read_noted`] says where.
//!
//! A `fail` did not happen, unless [`Fails::Refused`] says that a failed `cas` found another
//! value, which is more than Jepsen promises, and what its client for etcd, for one, means.

use std::io::BufRead;

use crate::history::{History, OpType, Operation};
use crate::jsonl::events::{Event, EventType, Reader};
use crate::jsonl::{ReadError, settle};
use crate::preflight::Note;
use crate::value::Value;

mod log;
mod parser;
mod write;

use parser::{Form, Parser};

pub use write::write;

/// What a failed `cas` is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fails {
    /// It did not happen, and nothing is known of the value that it found.
    #[default]
    DidNotHappen,
    /// It was refused, since it found another value.
    Refused,
}

/// Reads a history in EDN. Holds one map and the history in memory.
///
/// # Errors
/// The first thing that is wrong, with its place: what is not EDN, a map without `:type`, a float
/// as a value, a second completion.
pub fn read(input: impl BufRead, fails: Fails) -> Result<History, ReadError> {
    read_noted(input, fails).map(|(history, _)| history)
}

/// [`read`], with what is odd in the history and is read all the same.
///
/// # Errors
/// As [`read`].
pub fn read_noted(input: impl BufRead, fails: Fails) -> Result<(History, Vec<Note>), ReadError> {
    let mut rows = Rows::new(fails);
    each_form(input, &mut |form| rows.form(form))?;
    let notes = rows.notes();
    Ok((rows.finish(), notes))
}

/// Reads a history in EDN row by row, as [`jsonl::stream`](crate::jsonl::stream) does.
///
/// # Errors
/// As [`read`]; too many rows that are held back; whatever the receiver answers.
pub fn stream(
    input: impl BufRead,
    fails: Fails,
    held_max: usize,
    give: &mut dyn FnMut(Operation) -> Result<(), String>,
) -> Result<(), ReadError> {
    let mut rows = Rows::new(fails);
    let mut place = (1, 1);
    each_form(input, &mut |form| {
        rows.form(form)?;
        place = (rows.number, 1);
        settle(&mut rows.reader, held_max, give)
    })?;
    give_rest(rows, place, give)
}

/// Gives the operations that nothing answered, at the place of the last row.
fn give_rest(
    rows: Rows,
    (line, column): (u64, u64),
    give: &mut dyn FnMut(Operation) -> Result<(), String>,
) -> Result<(), ReadError> {
    let mut rest = rows.finish().ops.into_iter();
    rest.try_for_each(give).map_err(|message| ReadError {
        line,
        column,
        message,
    })
}

/// Gives the forms that a history is made of.
fn each_form(
    input: impl BufRead,
    give: &mut dyn FnMut(Form) -> Result<(), String>,
) -> Result<(), ReadError> {
    let mut parser = Parser::new(input);
    let mut wrapped = false;
    loop {
        if parser.at_end()? {
            break;
        }
        let (line, column) = parser.place();
        if !wrapped && parser.enter()? {
            wrapped = true;
            continue;
        }
        if wrapped && parser.leave()? {
            if parser.at_end()? {
                return Ok(());
            }
            return Err(parser.error("something follows the history"));
        }
        let form = parser.form()?;
        give(form).map_err(|message| ReadError {
            line,
            column,
            message,
        })?;
    }
    match wrapped {
        true => Err(parser.error("truncated: the history is not closed")),
        false => Ok(()),
    }
}

/// Reads the log of a Jepsen test.
///
/// # Errors
/// As [`read`].
pub fn read_log(input: impl BufRead, fails: Fails) -> Result<History, ReadError> {
    read_log_noted(input, fails).map(|(history, _)| history)
}

/// [`read_log`], with what is odd in the history and is read all the same.
///
/// # Errors
/// As [`read`].
pub fn read_log_noted(
    input: impl BufRead,
    fails: Fails,
) -> Result<(History, Vec<Note>), ReadError> {
    let mut rows = Rows::new(fails);
    log::each_map(input, &mut |form| rows.form(form))?;
    let notes = rows.notes();
    Ok((rows.finish(), notes))
}

/// Reads the log of a Jepsen test row by row, as [`jsonl::stream`](crate::jsonl::stream) does.
///
/// # Errors
/// As [`stream`].
pub fn stream_log(
    input: impl BufRead,
    fails: Fails,
    held_max: usize,
    give: &mut dyn FnMut(Operation) -> Result<(), String>,
) -> Result<(), ReadError> {
    let mut rows = Rows::new(fails);
    let last = log::each_map(input, &mut |form| {
        rows.form(form)?;
        settle(&mut rows.reader, held_max, give)
    })?;
    give_rest(rows, (last, 1), give)
}

/// Makes events of maps, and a history of these.
struct Rows {
    reader: Reader,
    fails: Fails,
    number: u64,
    /// Maps without `:process`, without `:f`, and completions without invocation: how many, and
    /// the number of the first.
    gaps: [(u64, u64); 3],
}

/// What each gap is called.
const GAPS: [&str; 3] = [
    "no :process, and are taken for those of one more process",
    "no :f, and are taken for txn if they look like it",
    "no invocation, and are taken for operations of no length",
];

/// Who does what nobody does.
const NOBODY: u64 = u64::MAX;

impl Rows {
    fn new(fails: Fails) -> Self {
        Self {
            reader: Reader::default(),
            fails,
            number: 0,
            gaps: Default::default(),
        }
    }

    fn gap(&mut self, kind: usize) {
        let (count, first) = &mut self.gaps[kind];
        if *count == 0 {
            *first = self.number;
        }
        *count += 1;
    }

    fn notes(&self) -> Vec<Note> {
        let gaps = GAPS
            .iter()
            .zip(&self.gaps)
            .filter(|(_, (count, _))| *count > 0);
        let gaps = gaps.map(|(what, (count, first))| Note {
            kind: "malformed",
            message: format!("{count} maps, the first of them map {first}, have {what}"),
            ops: Vec::new(),
        });
        gaps.chain(self.reader.notes()).collect()
    }

    fn finish(self) -> History {
        self.reader.finish()
    }

    fn form(&mut self, form: Form) -> Result<(), String> {
        self.number += 1;
        let Form::Map(pairs) = form else {
            return Err("a history is made of maps".to_owned());
        };
        let mut fields: [Option<Form>; 9] = Default::default();
        const NAMES: [&str; 9] = [
            ":process", ":type", ":f", ":value", ":key", ":error", ":node", ":result", ":time",
        ];
        for (name, value) in pairs {
            let Form::Keyword(name) = name else {
                continue;
            };
            if let Some(place) = NAMES.iter().position(|known| *known == name) {
                fields[place] = Some(value);
            }
        }
        let [process, r#type, f, value, key, error, node, result, time] = fields;
        let process = match process {
            Some(Form::Int(process)) => {
                u64::try_from(process).map_err(|_| "a process is negative".to_owned())?
            }
            Some(_) => return Ok(()),
            None => {
                self.gap(0);
                NOBODY
            }
        };
        let r#type = match &r#type {
            Some(Form::Keyword(name)) => EventType::named(name),
            _ => None,
        };
        let r#type = r#type.ok_or(":type is not :invoke, :ok, :fail or :info")?;
        let mut reason = false;
        let value = match value {
            // What a completion without a response says is the reason, if anything.
            Some(Form::Keyword(_)) if matches!(r#type, EventType::Info | EventType::Fail) => {
                reason = true;
                Value::Null
            }
            Some(value) => value.into_value()?,
            None => Value::Null,
        };
        let f = match f {
            Some(Form::Keyword(name)) => name.trim_start_matches(':').to_owned(),
            Some(Form::Text(name)) => name,
            _ => {
                self.gap(1);
                let txn = is_txn(&value);
                (if txn { "txn" } else { "unnamed" }).to_owned()
            }
        };
        let mut event = Event {
            index: None,
            process,
            r#type,
            f: OpType::try_from(f)?,
            key: key.map(Form::into_value).transpose()?,
            value,
            result: result.map(Form::into_value).transpose()?,
            error: None,
            node: node
                .and_then(|node| node.into_value().ok())
                .map(|node| match node {
                    Value::Text(name) => name.into_string(),
                    other => other.to_string(),
                }),
            time: match time {
                Some(Form::Int(nanos)) => u64::try_from(nanos).ok(),
                _ => None,
            },
        };
        if matches!(r#type, EventType::Info | EventType::Fail) {
            event.error = error.map(|error| error.to_string());
        }
        if event.key.is_none() {
            self.independent(&mut event);
        }
        // One that failed for a reason, such as a time-out, was not refused.
        let refused = r#type == EventType::Fail && event.f == OpType::Cas && !reason;
        if self.fails == Fails::Refused && refused {
            event.r#type = EventType::Ok;
            (event.result, event.error) = (Some(Value::Bool(false)), None);
        }
        if event.r#type != EventType::Invoke && !self.reader.expects(&event) {
            self.gap(2);
            let lone = self.reader.lone(self.number, event);
            return lone.map_err(|error| error.message);
        }
        self.reader
            .event(self.number, event)
            .map_err(|error| error.message)
    }

    /// Takes the key out of the value, if it is there.
    fn independent(&self, event: &mut Event) {
        let keyed = match event.r#type {
            EventType::Invoke => {
                let pair = event.value.as_pair();
                pair.is_some_and(|(_, value)| match event.f {
                    OpType::Read => *value == Value::Null,
                    OpType::Write => true,
                    OpType::Cas => value.as_pair().is_some(),
                    _ => false,
                })
            }
            _ => self.reader.key_of(event.process).is_some(),
        };
        if !keyed {
            return;
        }
        if let Value::List(pair) = &mut event.value
            && pair.len() == 2
        {
            let value = pair.pop();
            event.key = pair.pop();
            event.value = value.unwrap_or_default();
        }
    }
}

/// Whether a value is a list of micro-operations.
fn is_txn(value: &Value) -> bool {
    let micro = |one: &Value| {
        let parts = one.as_list().unwrap_or(&[]);
        parts.len() == 3 && matches!(parts[0].as_text(), Some("r" | "w" | "append"))
    };
    let all = value.as_list().unwrap_or(&[]);
    !all.is_empty() && all.iter().all(micro)
}
