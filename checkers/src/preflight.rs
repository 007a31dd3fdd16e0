//! What can be said of a history before anything is searched: in one pass, and never by failing.

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::history::{Completion, History, Millis, OpType, Operation};
use crate::models::{Builtin, Model as _, is_taking};
use crate::spec::ModelKind;
use crate::value::{Brief, Value};

/// Something about a history that its reader should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// `malformed`, `untimed`, `phantom-value` (nothing put there what was returned), `early-read`
    /// (it was returned before anything put it there) or `duplicate-value` (it was put there twice,
    /// so that it does not say by what).
    pub kind: &'static str,
    /// One sentence.
    pub message: String,
    /// Ids of the operations.
    pub ops: Vec<u64>,
}

/// How many notes of each kind are given; the last says how many more there are.
const NOTES_MAX: usize = 8;

/// What puts a value there.
struct Put<'a> {
    first: &'a Operation,
    /// When the first of them was invoked.
    invoke_ts: u64,
    count: u64,
}

/// Looks at a history without judging it. The phantom and the early are violations, which
/// [`crate::check()`] finds as well; the duplicate are none, but may make it search.
///
/// Cost: linear in the history and the values in it.
#[must_use]
pub fn preflight(history: &History, kind: ModelKind) -> Vec<Note> {
    if let Err(message) = history.validate() {
        let (kind, ops) = ("malformed", Vec::new());
        return vec![Note { kind, message, ops }];
    }
    let model = Builtin(kind);
    let mut puts: FxHashMap<(Option<&Value>, &Value), Put<'_>> = FxHashMap::default();
    let may_have = |op: &&Operation| op.is_client() && op.completion() != Completion::Failed;
    for op in history.ops.iter().filter(may_have) {
        if let Some(value) = put(op) {
            let known = puts.entry((model.part(op), value)).or_insert(Put {
                first: op,
                invoke_ts: op.invoke_ts,
                count: 0,
            });
            known.invoke_ts = known.invoke_ts.min(op.invoke_ts);
            known.count += 1;
        }
    }
    let mut notes = Notes::default();
    let doubled = |op: &&Operation| {
        let known = put(op).and_then(|value| puts.get(&(model.part(op), value)));
        known.is_some_and(|put| put.count > 1 && put.first.op_id == op.op_id)
    };
    for op in history.ops.iter().filter(may_have).filter(doubled) {
        let value = Brief(put(op).unwrap_or(&Value::Null));
        let message = format!(
            "{value} is put there more than once, first by #{}",
            op.op_id
        );
        notes.add("duplicate-value", message, op);
    }
    for op in history.ops.iter().filter(|op| op.is_client()) {
        let Some(end) = op.complete_ts.filter(|_| op.is_acknowledged()) else {
            continue;
        };
        for value in told(kind, op) {
            match puts.get(&(model.part(op), value)) {
                None => {
                    let value = Brief(value);
                    let message =
                        format!("#{} returned {value}, which nothing put there", op.op_id);
                    notes.add("phantom-value", message, op);
                }
                Some(put) if put.invoke_ts > end => {
                    let (value, begun) = (Brief(value), Millis(put.invoke_ts));
                    let message = format!(
                        "#{} returned {value} before anything put it there, at {begun} ms",
                        op.op_id
                    );
                    notes.add("early-read", message, op);
                }
                Some(_) => {}
            }
        }
    }
    notes.finish()
}

/// The value that an operation puts there, if any.
fn put(op: &Operation) -> Option<&Value> {
    match &op.op_type {
        OpType::Cas if op.observed().as_bool() == Some(false) => None,
        OpType::Cas => op.input.as_pair().map(|(_, to)| to),
        OpType::Append | OpType::Enqueue | OpType::Push | OpType::Add => Some(&op.input),
        write if write.is_write() || write.name() == "insert" => Some(&op.input),
        _ => None,
    }
}

/// The values that an acknowledged operation returned and that something has to have put there.
fn told(kind: ModelKind, op: &Operation) -> Vec<&Value> {
    let (told, reads) = (op.observed(), op.op_type.is_read());
    let mut all = match kind {
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map if reads => vec![told],
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => match &op.op_type {
            OpType::Cas if told.as_bool() == Some(true) => op
                .input
                .as_pair()
                .map(|(from, _)| from)
                .into_iter()
                .collect(),
            _ => Vec::new(),
        },
        ModelKind::Queue | ModelKind::Stack | ModelKind::Bag | ModelKind::PriorityQueue
            if is_taking(op) =>
        {
            vec![told]
        }
        ModelKind::Set | ModelKind::Log | ModelKind::Offsets if reads => {
            told.as_list().unwrap_or(&[]).iter().collect()
        }
        _ => Vec::new(),
    };
    all.retain(|value| **value != Value::Null);
    all
}

/// Notes, few of each kind.
#[derive(Default)]
struct Notes {
    notes: Vec<Note>,
    counts: FxHashMap<&'static str, usize>,
}

impl Notes {
    fn add(&mut self, kind: &'static str, message: String, op: &Operation) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= NOTES_MAX {
            let ops = vec![op.op_id];
            self.notes.push(Note { kind, message, ops });
        }
    }

    fn finish(mut self) -> Vec<Note> {
        for kind in ["duplicate-value", "phantom-value", "early-read"] {
            let count = self.counts.get(kind).copied().unwrap_or(0);
            if count > NOTES_MAX {
                let message = format!("{} more of these", count - NOTES_MAX);
                let ops = Vec::new();
                self.notes.push(Note { kind, message, ops });
            }
        }
        self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(lines: &[(&str, &str)], kind: ModelKind) -> Vec<&'static str> {
        let mut text = String::new();
        for (process, line) in lines.iter().zip(0..).map(|(line, at)| (at / 2, line)) {
            let (r#type, rest) = *line;
            text.push_str(&format!(
                "{{\"process\":{process},\"type\":\"{type}\",{rest}}}\n"
            ));
        }
        let history = crate::jsonl::read(text.as_bytes()).expect("a history");
        preflight(&history, kind)
            .into_iter()
            .map(|note| note.kind)
            .collect()
    }

    #[test]
    fn each_kind_is_noted_once_and_a_good_history_is_not() {
        let write = r#""f":"write","value":1"#;
        let read = r#""f":"read","value":1"#;
        let (begun, ended) = ("invoke", "ok");
        let register = ModelKind::Register;
        let good = [(begun, write), (ended, write), (begun, read), (ended, read)];
        assert!(kinds(&good, register).is_empty());
        let early = [(begun, read), (ended, read), (begun, write), (ended, write)];
        assert_eq!(kinds(&early, register), ["early-read"]);
        assert_eq!(kinds(&early[..2], register), ["phantom-value"]);
        let twice = [
            (begun, write),
            (ended, write),
            (begun, write),
            (ended, write),
        ];
        assert_eq!(kinds(&twice, register), ["duplicate-value"]);
        let failed = [
            (begun, write),
            ("fail", write),
            (begun, read),
            (ended, read),
        ];
        assert_eq!(kinds(&failed, register), ["phantom-value"]);
    }

    #[test]
    fn what_contradicts_itself_is_told_and_many_notes_are_counted() {
        let line = r#"{"index":0,"process":1,"type":"invoke","f":"read","value":1}
{"index":1,"process":1,"type":"ok","f":"read","value":1}"#;
        let mut history = crate::jsonl::read(line.as_bytes()).expect("a history");
        let row = history.ops[0].clone();
        history.ops.push(row.clone());
        let notes = preflight(&history, ModelKind::Register);
        assert!(notes[0].kind == "malformed" && notes[0].message.contains("twice"));
        history.ops = (0..20)
            .map(|op_id| Operation {
                op_id,
                ..row.clone()
            })
            .collect();
        let notes = preflight(&history, ModelKind::Register);
        assert_eq!(notes.len(), NOTES_MAX + 1);
        assert_eq!(notes[NOTES_MAX].message, "12 more of these");
    }
}
