//! The history: one row an operation, as design 50 lays it out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::{Brief, Value};

/// What a client (or an observer, for [`OpType::Lead`]) did.
///
/// Serialised as its name: `read`, `write`, `cas`, `append`, `final-read`, `lead`, and any other
/// text for [`OpType::Other`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OpType {
    /// Reads the object; `output` is its value, null for the initial one, a list for a log.
    Read,
    /// Sets the object to `input`.
    Write,
    /// `input` is `[from, to]`; `output` is true when it was set, false when it was refused.
    Cas,
    /// Adds `input` at the end of the log `key`; `output` may be its index in the log, from zero.
    Append,
    /// A read of the final state, after the last fault healed and the last client stopped.
    FinalRead,
    /// An observation, not a client operation: `output` (a node) leads in the term `key`.
    Lead,
    /// Adds `input` at the end of a queue.
    Enqueue,
    /// Takes the head of a queue; `output` is null when it was empty.
    Dequeue,
    /// Puts `input` on a stack.
    Push,
    /// Takes the top of a stack; `output` is null when it was empty.
    Pop,
    /// Adds `input` to a set, a bag or a counter.
    Add,
    /// Removes `input`; from a bag any element, which is the `output`.
    Remove,
    /// Adds `input`, or one, to a counter.
    Increment,
    /// Takes `input`, or one, from a counter.
    Decrement,
    /// Takes a lock, a permit or a lease; `output` false when it was refused.
    Acquire,
    /// Gives it back.
    Release,
    /// Any other, by its name, such as `txn`.
    Other(String),
}

impl OpType {
    /// The name by which histories call it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            OpType::Read => "read",
            OpType::Write => "write",
            OpType::Cas => "cas",
            OpType::Append => "append",
            OpType::FinalRead => "final-read",
            OpType::Lead => "lead",
            OpType::Enqueue => "enqueue",
            OpType::Dequeue => "dequeue",
            OpType::Push => "push",
            OpType::Pop => "pop",
            OpType::Add => "add",
            OpType::Remove => "remove",
            OpType::Increment => "inc",
            OpType::Decrement => "dec",
            OpType::Acquire => "acquire",
            OpType::Release => "release",
            OpType::Other(name) => name,
        }
    }

    /// Whether the operation only observes: a read, or a `get`.
    #[must_use]
    pub fn is_read(&self) -> bool {
        match self {
            OpType::Read | OpType::FinalRead => true,
            OpType::Other(name) => name == "get",
            _ => false,
        }
    }

    /// Whether the operation sets the object to its input: a write, or a `put`.
    #[must_use]
    pub fn is_write(&self) -> bool {
        match self {
            OpType::Write => true,
            OpType::Other(name) => name == "put",
            _ => false,
        }
    }
}

impl TryFrom<String> for OpType {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Ok(match name.as_str() {
            "" => return Err("an operation type is empty"),
            "read" => OpType::Read,
            "write" => OpType::Write,
            "cas" => OpType::Cas,
            "append" => OpType::Append,
            "final-read" => OpType::FinalRead,
            "lead" => OpType::Lead,
            "enqueue" => OpType::Enqueue,
            "dequeue" => OpType::Dequeue,
            "push" => OpType::Push,
            "pop" => OpType::Pop,
            "add" => OpType::Add,
            "remove" => OpType::Remove,
            "inc" => OpType::Increment,
            "dec" => OpType::Decrement,
            "acquire" => OpType::Acquire,
            "release" => OpType::Release,
            _ => OpType::Other(name),
        })
    }
}

impl From<OpType> for String {
    fn from(op_type: OpType) -> Self {
        match op_type {
            OpType::Other(name) => name,
            known => known.name().to_owned(),
        }
    }
}

/// How an operation ended, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It took effect between invocation and completion.
    Acknowledged,
    /// It had no effect and never will.
    Failed,
    /// It takes effect at some time after its invocation, or never.
    Ambiguous,
}

/// One row of a history.
///
/// Every field is present in every JSON line, null when unused. In an acknowledged read, an
/// `output` that is absent and one that is [`Value::Null`] are the same: the initial value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Unique in the run.
    pub op_id: u64,
    /// The client or session that issued it. Its rows, in the order of the history, are its
    /// program order: of two that touch at one instant, the earlier row is the earlier operation.
    pub process_id: u64,
    /// Invocation, virtual monotonic nanoseconds.
    pub invoke_ts: u64,
    /// Response, virtual monotonic nanoseconds; none when no response came. A row with
    /// `timeout_marker` may say here when its client gave up; it stays ambiguous.
    #[serde(deserialize_with = "Option::deserialize")]
    pub complete_ts: Option<u64>,
    /// What was asked.
    pub op_type: OpType,
    /// The object addressed.
    #[serde(deserialize_with = "Option::deserialize")]
    pub key: Option<Value>,
    /// The argument.
    pub input: Value,
    /// The response; excludes `error`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub output: Option<Value>,
    /// Error code. Without `timeout_marker` the operation had no effect and never will.
    #[serde(deserialize_with = "Option::deserialize")]
    pub error: Option<String>,
    /// The outcome is unknown (time-out, lost acknowledgement): it takes effect at any time after
    /// its invocation, or never.
    pub timeout_marker: bool,
    /// The node or leader that the client talked to.
    #[serde(deserialize_with = "Option::deserialize")]
    pub node_seen: Option<String>,
    /// Ids of the faults whose windows were open during the operation.
    pub fault_epoch: Vec<String>,
}

impl Operation {
    /// How it ended. An operation without response and error is ambiguous, marked or not.
    #[must_use]
    pub fn completion(&self) -> Completion {
        if self.timeout_marker {
            Completion::Ambiguous
        } else if self.error.is_some() {
            Completion::Failed
        } else if self.complete_ts.is_none() {
            Completion::Ambiguous
        } else {
            Completion::Acknowledged
        }
    }

    /// Whether it took effect for certain.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.completion() == Completion::Acknowledged
    }

    /// Whether a client issued it; rows of type `lead` are observations.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.op_type != OpType::Lead
    }

    /// What an acknowledged row returned; an absent output counts as null.
    #[must_use]
    pub fn observed(&self) -> &Value {
        self.output.as_ref().unwrap_or(&Value::Null)
    }

    /// What is wrong with the row by itself, if anything.
    ///
    /// # Errors
    /// Time runs backwards in it, or it has an output and an error.
    pub fn validate(&self) -> Result<(), String> {
        if let Some(complete_ts) = self.complete_ts
            && complete_ts < self.invoke_ts
        {
            return Err(format!(
                "operation {} completes at {complete_ts} ns, before its invocation at {} ns",
                self.op_id, self.invoke_ts
            ));
        }
        if self.error.is_some() && self.output.is_some() {
            return Err(format!(
                "operation {} has both an output and an error",
                self.op_id
            ));
        }
        Ok(())
    }
}

/// Whether the first of two rows, each with its place in the history, ended before the second
/// began. An ambiguous row never ends.
pub(crate) fn precedes(first: (usize, &Operation), second: (usize, &Operation)) -> bool {
    let ((row, op), (next_row, next)) = (first, second);
    let Some(complete_ts) = op.complete_ts else {
        return false;
    };
    !op.timeout_marker
        && (complete_ts < next.invoke_ts
            || (complete_ts == next.invoke_ts
                && op.process_id == next.process_id
                && row < next_row))
}

/// One line: id, process, times in milliseconds, type, key, input, response, node, faults.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "#{} p{} [{} .. ",
            self.op_id,
            self.process_id,
            Millis(self.invoke_ts)
        )?;
        match self.complete_ts {
            Some(complete_ts) => write!(f, "{}", Millis(complete_ts))?,
            None => f.write_str("?")?,
        }
        write!(f, " ms] {}", self.op_type.name())?;
        if let Some(key) = &self.key {
            write!(f, " {key}")?;
        }
        if self.input != Value::Null || self.op_type.is_write() {
            write!(f, " {}", Brief(&self.input))?;
        }
        match (self.completion(), &self.error) {
            (Completion::Acknowledged, _) if self.op_type.is_read() => {
                write!(f, " -> {}", Brief(self.observed()))?;
            }
            (Completion::Acknowledged, _) => match &self.output {
                Some(output) => write!(f, " -> {}", Brief(output))?,
                None => f.write_str(" -> ok")?,
            },
            (Completion::Failed, error) => {
                write!(f, " -> failed: {}", error.as_deref().unwrap_or("no reason"))?;
            }
            (Completion::Ambiguous, Some(error)) => write!(f, " -> unknown: {error}")?,
            (Completion::Ambiguous, None) => f.write_str(" -> unknown")?,
        }
        if let Some(node) = &self.node_seen {
            write!(f, " via {node}")?;
        }
        if !self.fault_epoch.is_empty() {
            write!(f, " during {}", self.fault_epoch.join(", "))?;
        }
        Ok(())
    }
}

/// Nanoseconds, printed as milliseconds without loss.
pub(crate) struct Millis(pub(crate) u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{rest:06}").trim_end_matches('0'))
    }
}

/// The time during which a fault was armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultWindow {
    /// The fault's id, as in [`Operation::fault_epoch`].
    pub fault: String,
    /// When it armed, virtual nanoseconds.
    pub start_ts: u64,
    /// When it healed, virtual nanoseconds; none when it never did.
    #[serde(deserialize_with = "Option::deserialize")]
    pub end_ts: Option<u64>,
}

/// What a run leaves for the checkers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The operations, in the order in which they were recorded.
    pub ops: Vec<Operation>,
    /// The fault windows.
    pub windows: Vec<FaultWindow>,
}

impl History {
    /// The instants at which fault windows ended, each once, in order.
    pub(crate) fn heals(&self) -> Vec<u64> {
        let ends = self.windows.iter().filter_map(|window| window.end_ts);
        let mut heals: Vec<u64> = ends.collect();
        heals.sort_unstable();
        heals.dedup();
        heals
    }

    /// What makes the history unfit to be judged, if anything. Cost: n log n.
    ///
    /// # Errors
    /// An `op_id` twice, a row that contradicts itself, a window that ends before it starts.
    pub fn validate(&self) -> Result<(), String> {
        let mut sorted = true;
        let mut last = None;
        for op in &self.ops {
            op.validate()?;
            sorted &= last < Some(op.op_id);
            last = Some(op.op_id);
        }
        if !sorted {
            let mut ids: Vec<u64> = self.ops.iter().map(|op| op.op_id).collect();
            ids.sort_unstable();
            if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(format!("operation {} is recorded twice", pair[0]));
            }
        }
        for window in &self.windows {
            if window.end_ts.is_some_and(|end_ts| end_ts < window.start_ts) {
                return Err(format!(
                    "the window of fault {} ends before it starts",
                    window.fault
                ));
            }
        }
        Ok(())
    }

    /// The last instant that the history knows of, virtual nanoseconds; zero when it is empty.
    #[must_use]
    pub fn end_ts(&self) -> u64 {
        let ops = self
            .ops
            .iter()
            .map(|op| op.complete_ts.unwrap_or(op.invoke_ts));
        let windows = self
            .windows
            .iter()
            .map(|window| window.end_ts.unwrap_or(window.start_ts));
        ops.chain(windows).max().unwrap_or(0)
    }
}
