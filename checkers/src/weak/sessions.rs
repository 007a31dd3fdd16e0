//! A history as sessions of reads and writes, each read with the write that it read from.

use rustc_hash::FxHashMap;

use crate::history::{Completion, History, OpType, Operation};
use crate::report::Finding;
use crate::value::{Brief, Value};

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// A read or a write.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) op: &'a Operation,
    pub(super) session: u32,
    pub(super) key: u32,
    pub(super) writes: bool,
    /// The write that a read read from; [`NONE`] for the initial value, and for writes.
    pub(super) source: u32,
    /// The last operation of the session before it, or [`NONE`]. A write of unknown outcome may
    /// take effect later than what its session did after it, so that it is before nothing.
    pub(super) last: u32,
    pub(super) last_read: u32,
    pub(super) last_write: u32,
}

/// The nodes of a history, in the order of invocation.
pub(super) struct Sessions<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// By session, its reads in order.
    pub(super) reads_of: Vec<Vec<u32>>,
    pub(super) keys: usize,
    pub(super) reads: usize,
    /// Writes of unknown outcome whose value was never read.
    pub(super) unread: usize,
    /// Reads of what cannot have been read, with what is wrong.
    impossible: Vec<(&'static str, &'a Operation, Option<&'a Operation>)>,
}

impl<'a> Sessions<'a> {
    /// Reads a history, or says what it lacks.
    pub(super) fn of(history: &'a History) -> Result<Self, String> {
        let mut rows: Vec<&Operation> = history.ops.iter().filter(|op| op.is_client()).collect();
        rows.sort_by_key(|op| op.invoke_ts);
        Self::of_rows(&rows)
    }

    /// As [`Sessions::of`], of rows in order of invocation.
    pub(super) fn of_rows(rows: &[&'a Operation]) -> Result<Self, String> {
        let writers = writers_of(rows)?;
        let mut sessions = Self {
            nodes: Vec::with_capacity(rows.len()),
            reads_of: Vec::new(),
            keys: 0,
            reads: 0,
            unread: 0,
            impossible: Vec::new(),
        };
        let mut keys: FxHashMap<Option<&Value>, u32> = FxHashMap::default();
        let mut ids: FxHashMap<u64, u32> = FxHashMap::default();
        let mut tails: Vec<[u32; 3]> = Vec::new();
        // By writer's place among the rows, its node.
        let mut node_of: Vec<u32> = vec![NONE; rows.len()];
        for (place, op) in rows.iter().enumerate() {
            let writes = op.op_type == OpType::Write;
            let completion = op.completion();
            if completion == Completion::Failed || (completion == Completion::Ambiguous && !writes)
            {
                continue;
            }
            if writes && completion == Completion::Ambiguous {
                let writer = writers.get(&(op.key.as_ref(), &op.input));
                if writer.is_none_or(|writer| !writer.read) {
                    sessions.unread += 1;
                    continue;
                }
            }
            let next = keys.len() as u32;
            let key = *keys.entry(op.key.as_ref()).or_insert(next);
            let session = *ids.entry(op.process_id).or_insert(tails.len() as u32);
            if session as usize == tails.len() {
                tails.push([NONE; 3]);
                sessions.reads_of.push(Vec::new());
            }
            let tail = &mut tails[session as usize];
            let node = sessions.nodes.len() as u32;
            node_of[place] = node;
            sessions.nodes.push(Node {
                op,
                session,
                key,
                writes,
                source: NONE,
                last: tail[0],
                last_read: tail[1],
                last_write: tail[2],
            });
            if completion == Completion::Acknowledged {
                tail[0] = node;
                tail[if writes { 2 } else { 1 }] = node;
            }
            if !writes {
                sessions.reads += 1;
                sessions.reads_of[session as usize].push(node);
            }
        }
        sessions.keys = keys.len();
        sessions.sources(&writers, &node_of);
        Ok(sessions)
    }

    /// Gives every read its write, and notes those that have none.
    fn sources(
        &mut self,
        writers: &FxHashMap<(Option<&'a Value>, &'a Value), Writer<'a>>,
        node_of: &[u32],
    ) {
        for node in &mut self.nodes {
            let value = node.op.observed();
            if node.writes || *value == Value::Null {
                continue;
            }
            let read = node.op;
            match writers.get(&(read.key.as_ref(), value)) {
                None => self.impossible.push(("thin-air-read", read, None)),
                Some(writer) if writer.op.completion() == Completion::Failed => {
                    self.impossible
                        .push(("aborted-read", read, Some(writer.op)));
                }
                Some(writer) => {
                    if read
                        .complete_ts
                        .is_some_and(|end| end < writer.op.invoke_ts)
                    {
                        self.impossible.push(("future-read", read, Some(writer.op)));
                    }
                    node.source = node_of[writer.place];
                }
            }
        }
    }

    /// The findings that hold whatever the model.
    pub(super) fn impossible(&self) -> Vec<Finding> {
        let finding = |(anomaly, read, write): &(&str, &Operation, Option<&Operation>)| {
            let (id, value) = (read.op_id, Brief(read.observed()));
            let message = match (*anomaly, write) {
                ("future-read", Some(write)) => {
                    format!(
                        "#{id} read {value} before #{} began to write it",
                        write.op_id
                    )
                }
                (_, Some(write)) => {
                    format!(
                        "#{id} read {value}, and #{} that wrote it failed",
                        write.op_id
                    )
                }
                _ => format!("#{id} read {value}, which nobody wrote"),
            };
            let rows: Vec<&Operation> = write.iter().copied().chain([*read]).collect();
            let mut finding = Finding::of_rows(anomaly, message, read.key.as_ref(), &rows);
            finding.minimal.clone_from(&finding.ops);
            finding.minimal_proven = true;
            finding.minimal_rows.clone_from(&finding.rows);
            finding
        };
        self.impossible.iter().map(finding).collect()
    }

    pub(super) fn node(&self, node: u32) -> &Node<'a> {
        &self.nodes[node as usize]
    }
}

/// The one that wrote a value.
struct Writer<'a> {
    op: &'a Operation,
    place: usize,
    /// Whether a read returned it.
    read: bool,
}

/// Who wrote each value of each key; a write that failed only when no other did.
fn writers_of<'a>(
    rows: &[&'a Operation],
) -> Result<FxHashMap<(Option<&'a Value>, &'a Value), Writer<'a>>, String> {
    let mut writers: FxHashMap<(Option<&Value>, &Value), Writer<'_>> = FxHashMap::default();
    for (place, op) in rows.iter().enumerate() {
        match op.op_type {
            OpType::Read | OpType::FinalRead => continue,
            OpType::Write => {}
            _ => {
                let name = op.op_type.name();
                return Err(format!("reads and writes alone, not {name} #{}", op.op_id));
            }
        }
        if op.input == Value::Null {
            return Err(format!(
                "input (a value that is not the initial one) of #{}",
                op.op_id
            ));
        }
        let writer = Writer {
            op,
            place,
            read: false,
        };
        let failed = op.completion() == Completion::Failed;
        let known = writers.get(&(op.key.as_ref(), &op.input));
        match known.map(|known| (known.op.completion() == Completion::Failed, known.op)) {
            Some((false, _)) if failed => continue,
            Some((false, other)) => {
                let (one, two) = (other.op_id, op.op_id);
                let value = Brief(&op.input);
                return Err(format!(
                    "unique values: #{one} and #{two} both write {value}"
                ));
            }
            _ => {}
        }
        writers.insert((op.key.as_ref(), &op.input), writer);
    }
    for op in rows {
        if op.op_type.is_read()
            && op.is_acknowledged()
            && let Some(writer) = writers.get_mut(&(op.key.as_ref(), op.observed()))
        {
            writer.read = true;
        }
    }
    Ok(writers)
}
