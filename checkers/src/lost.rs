//! No acknowledged write is lost, judged against the final reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Completion, History, OpType, Operation, precedes};
use crate::report::{CheckReport, Finding, Outcome};
use crate::spec::ModelKind;
use crate::value::Value;

/// The rows of one object.
#[derive(Default)]
struct Object<'a> {
    writes: Vec<Write<'a>>,
    finals: Vec<(usize, &'a Operation)>,
}

/// An operation that may have changed the object.
#[derive(Clone, Copy)]
struct Write<'a> {
    /// Its place in the history.
    row: usize,
    op: &'a Operation,
    /// What the object holds, or the log gains, once it took effect.
    value: &'a Value,
    completion: Completion,
}

/// What the scope has to confess.
#[derive(Default)]
struct Notes {
    objects: u64,
    concurrent: u64,
    repeated: u64,
}

/// Judges every object that has acknowledged writes against each of its final reads.
pub(crate) fn check(history: &History, model: ModelKind) -> CheckReport {
    let weak = |field: &str, consumed, total| {
        let outcome = Outcome::Weak {
            field: field.to_owned(),
        };
        let mut report = CheckReport::new("no-lost-ack", outcome, consumed, total);
        report.scope = "nothing was judged".to_owned();
        report
    };
    let objects = match objects_of(history, model) {
        Ok(objects) => objects,
        Err(field) => return weak(&field, 0, 0),
    };
    let total: usize = objects.values().map(acknowledged).sum();
    let total = total as u64;
    if objects.values().all(|object| object.finals.is_empty()) {
        return weak("rows of type `final-read`", 0, total);
    }
    if total == 0 {
        return weak("acknowledged writes", 0, 0);
    }
    let mut report = CheckReport::new("no-lost-ack", Outcome::Ok, 0, total);
    let mut notes = Notes::default();
    let mut unread = None;
    for (key, object) in &objects {
        if object.finals.is_empty() {
            if acknowledged(object) > 0 {
                unread = unread.or(Some(key));
            }
            continue;
        }
        notes.objects += 1;
        report.consumed += judge(*key, object, model, &mut notes, &mut report.findings);
    }
    report.scope = scope_of(&notes, model);
    report.outcome = if !report.findings.is_empty() {
        Outcome::Violation
    } else if let Some(key) = unread {
        let key = key.map_or("null".to_owned(), ToString::to_string);
        Outcome::Weak {
            field: format!("an acknowledged `final-read` of key {key}"),
        }
    } else if report.consumed == 0 {
        Outcome::Weak {
            field: "writes acknowledged before the final read".to_owned(),
        }
    } else {
        Outcome::Ok
    };
    report.cap_findings();
    report
}

fn scope_of(notes: &Notes, model: ModelKind) -> String {
    let mut scope = format!("objects with a final read: {}", notes.objects);
    if notes.concurrent > 0 {
        scope.push_str(&format!(
            "; {} writes ran into the final read and are not required of it",
            notes.concurrent
        ));
    }
    if notes.repeated > 0 {
        let how = match model {
            ModelKind::Log => "they are counted, not told apart",
            _ => "any write of the value explains it",
        };
        scope.push_str(&format!(
            "; {} values were written more than once: {how}",
            notes.repeated
        ));
    }
    scope
}

/// Gathers the objects, or says which field is missing.
fn objects_of(
    history: &History,
    model: ModelKind,
) -> Result<BTreeMap<Option<&Value>, Object<'_>>, String> {
    let mut objects: BTreeMap<Option<&Value>, Object<'_>> = BTreeMap::new();
    for (row, op) in history.ops.iter().enumerate() {
        let value = match (&op.op_type, model) {
            (OpType::FinalRead, _) => {
                if op.is_acknowledged() {
                    if model == ModelKind::Log
                        && *op.observed() != Value::Null
                        && op.observed().as_list().is_none()
                    {
                        return Err(format!("output (a list) of final-read #{}", op.op_id));
                    }
                    objects
                        .entry(op.key.as_ref())
                        .or_default()
                        .finals
                        .push((row, op));
                }
                continue;
            }
            (OpType::Append, ModelKind::Log) => &op.input,
            (write, ModelKind::Register | ModelKind::CasRegister | ModelKind::Map)
                if write.is_write() =>
            {
                &op.input
            }
            (OpType::Cas, ModelKind::Register | ModelKind::CasRegister | ModelKind::Map) => {
                let Some((_, to)) = op.input.as_pair() else {
                    return Err(format!("input ([from, to]) of cas #{}", op.op_id));
                };
                match (op.completion(), op.observed().as_bool()) {
                    (Completion::Acknowledged, Some(false)) => continue,
                    (Completion::Acknowledged, None) => {
                        return Err(format!("output (true or false) of cas #{}", op.op_id));
                    }
                    _ => to,
                }
            }
            (OpType::Lead, _) => continue,
            (read, _) if read.is_read() => continue,
            (other, _) => {
                return Err(format!(
                    "op_type that the model knows, not {}",
                    other.name()
                ));
            }
        };
        let write = Write {
            row,
            op,
            value,
            completion: op.completion(),
        };
        objects
            .entry(op.key.as_ref())
            .or_default()
            .writes
            .push(write);
    }
    Ok(objects)
}

fn acknowledged(object: &Object<'_>) -> usize {
    object
        .writes
        .iter()
        .filter(|write| write.completion == Completion::Acknowledged)
        .count()
}

/// Judges one object, adds what is wrong, and returns how many acknowledged writes were consumed.
fn judge(
    key: Option<&Value>,
    object: &Object<'_>,
    model: ModelKind,
    notes: &mut Notes,
    findings: &mut Vec<Finding>,
) -> u64 {
    let mut consumed = BTreeSet::new();
    for (index, &(row, read)) in object.finals.iter().enumerate() {
        // Required of this read: the writes acknowledged before it began.
        let required: Vec<Write<'_>> = object
            .writes
            .iter()
            .filter(|write| write.completion == Completion::Acknowledged)
            .filter(|write| precedes((write.row, write.op), (row, read)))
            .copied()
            .collect();
        consumed.extend(required.iter().map(|write| write.op.op_id));
        let counts = Counts::of(object, &required);
        if index == 0 {
            notes.repeated += counts.repeated(model);
        }
        if model == ModelKind::Log {
            judge_log(key, read, &required, &counts, findings);
        } else {
            findings.extend(judge_register(key, object, read, &required, &counts));
        }
    }
    let consumed = consumed.len() as u64;
    notes.concurrent += acknowledged(object) as u64 - consumed;
    consumed
}

/// How often each value was written, by how the writes ended.
#[derive(Default)]
struct Count<'a> {
    required: usize,
    /// Acknowledged, whether or not before the final read.
    acknowledged: usize,
    /// Acknowledged or ambiguous.
    possible: usize,
    rows: Vec<&'a Operation>,
}

struct Counts<'a>(BTreeMap<&'a Value, Count<'a>>);

impl<'a> Counts<'a> {
    fn of(object: &Object<'a>, required: &[Write<'a>]) -> Self {
        let mut counts: BTreeMap<&Value, Count<'_>> = BTreeMap::new();
        for write in &object.writes {
            let count = counts.entry(write.value).or_default();
            count.acknowledged += usize::from(write.completion == Completion::Acknowledged);
            count.possible += usize::from(write.completion != Completion::Failed);
            count.rows.push(write.op);
        }
        for write in required {
            counts.entry(write.value).or_default().required += 1;
        }
        Self(counts)
    }

    /// Values of which the writes can not be told apart.
    fn repeated(&self, model: ModelKind) -> u64 {
        let repeated = |count: &&Count<'_>| match model {
            ModelKind::Log => count.acknowledged > 1,
            _ => count.possible > 1,
        };
        self.0.values().filter(repeated).count() as u64
    }
}

/// Every required element is in the list, and none more often than it was appended.
///
/// Rows with the same element of which at most one was acknowledged are attempts of one append:
/// the element may be there once.
fn judge_log(
    key: Option<&Value>,
    read: &Operation,
    required: &[Write<'_>],
    counts: &Counts<'_>,
    findings: &mut Vec<Finding>,
) {
    let mut found: BTreeMap<&Value, usize> = BTreeMap::new();
    for element in read.observed().as_list().unwrap_or(&[]) {
        *found.entry(element).or_default() += 1;
    }
    let lost: Vec<Write<'_>> = required
        .iter()
        .filter(|write| {
            found.get(write.value).copied().unwrap_or(0) < counts.0[write.value].required
        })
        .copied()
        .collect();
    if !lost.is_empty() {
        let names: Vec<String> = lost
            .iter()
            .take(Finding::ROWS_MAX)
            .map(|write| write.value.to_string())
            .collect();
        let message = format!(
            "{} of {} acknowledged appends are missing from final read #{}: {}",
            lost.len(),
            required.len(),
            read.op_id,
            names.join(", ")
        );
        let mut rows: Vec<&Operation> = lost.iter().map(|write| write.op).collect();
        rows.insert(0, read);
        findings.push(Finding::of_rows("lost-ack", message, key, &rows));
    }
    for (element, times) in found {
        let Some(count) = counts.0.get(element) else {
            findings.push(unwritten(key, read, element, &[]));
            continue;
        };
        let most = if count.acknowledged > 1 {
            count.possible
        } else {
            count.possible.min(1)
        };
        if most == 0 {
            findings.push(unwritten(key, read, element, &count.rows));
        } else if times > most {
            let message = format!(
                "element {element} is in final read #{} {times} times and was appended {most} \
                 times at most",
                read.op_id
            );
            let mut rows = vec![read];
            rows.extend(&count.rows);
            findings.push(Finding::of_rows("duplicate-effect", message, key, &rows));
        }
    }
}

/// The final value comes from a write that no required write strictly follows.
fn judge_register(
    key: Option<&Value>,
    object: &Object<'_>,
    read: &Operation,
    required: &[Write<'_>],
    counts: &Counts<'_>,
) -> Option<Finding> {
    let value = read.observed();
    let written = counts.0.get(value);
    let possible = object
        .writes
        .iter()
        .filter(|write| write.value == value && write.completion != Completion::Failed);
    // The required write that overwrote a write for certain, if any.
    let over = |write: &Write<'_>| {
        let follows = |other: &&Write<'_>| precedes((write.row, write.op), (other.row, other.op));
        required.iter().rev().find(follows).copied()
    };
    let mut last = if *value == Value::Null {
        required.last().copied()
    } else {
        None
    };
    if *value == Value::Null && last.is_none() {
        return None;
    }
    for write in possible.clone() {
        last = Some(over(write)?);
    }
    if *value != Value::Null && written.is_none_or(|count| count.possible == 0) {
        let rows = written.map_or(&[][..], |count| &count.rows);
        return Some(unwritten(key, read, value, rows));
    }
    let last = last.expect("a value that was written, or null, was overwritten");
    let message = format!(
        "final read #{} is {value}, which the acknowledged write #{} of {} had overwritten",
        read.op_id, last.op.op_id, last.value
    );
    let mut rows = vec![read, last.op];
    rows.extend(possible.map(|write| write.op));
    Some(Finding::of_rows("lost-ack", message, key, &rows))
}

fn unwritten(
    key: Option<&Value>,
    read: &Operation,
    value: &Value,
    failed: &[&Operation],
) -> Finding {
    let mut rows = vec![read];
    rows.extend(failed);
    if failed.is_empty() {
        let message = format!("final read #{} has {value}, which nobody wrote", read.op_id);
        return Finding::of_rows("unwritten-value", message, key, &rows);
    }
    let message = format!(
        "final read #{} has {value}, of which every write failed",
        read.op_id
    );
    Finding::of_rows("failed-write-visible", message, key, &rows)
}
