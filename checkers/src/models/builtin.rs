//! The models of this crate, over plain values.

use super::{Looks, Model, collections, locks, transactions};
use crate::history::{Completion, OpType, Operation};
use crate::linear::{Defect, planted};
use crate::spec::ModelKind;
use crate::value::Value;

/// A model of this crate.
#[derive(Clone, Copy, Debug)]
pub struct Builtin(
    /// Which.
    pub ModelKind,
);

/// What an operation asks and, if it is known, what it was told.
pub(crate) struct Asked<'a> {
    pub(crate) op: &'a Operation,
    /// None for an ambiguous operation.
    pub(crate) told: Option<&'a Value>,
}

impl Asked<'_> {
    /// Whether this response can have been given.
    pub(crate) fn may_be(&self, response: &Value) -> bool {
        self.told.is_none_or(|told| told == response)
    }

    /// As [`Asked::may_be`] for operations whose acknowledgement may be bare.
    pub(crate) fn may_be_or_bare(&self, response: &Value) -> bool {
        self.told
            .is_none_or(|told| *told == Value::Null || told == response)
    }

    /// Whether it was told that it was refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.told == Some(&Value::Bool(false))
    }
}

impl Model for Builtin {
    type State = Value;

    fn initial(&self) -> Value {
        match self.0 {
            ModelKind::Register
            | ModelKind::CasRegister
            | ModelKind::Map
            | ModelKind::Mutex
            | ModelKind::OwnedMutex
            | ModelKind::Lease { .. } => Value::Null,
            ModelKind::Counter | ModelKind::Semaphore { .. } => Value::Int(0),
            ModelKind::Text => Value::from(""),
            _ => Value::List(Vec::new()),
        }
    }

    fn step(&self, state: &Value, op: &Operation, next: &mut Vec<Value>) {
        let told = match op.completion() {
            Completion::Acknowledged => Some(op.observed()),
            Completion::Ambiguous => None,
            Completion::Failed => return,
        };
        let asked = Asked { op, told };
        let before = next.len();
        match self.0 {
            ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => {
                next.extend(register(state, &asked));
            }
            ModelKind::Text => next.extend(text(state, &asked)),
            ModelKind::Counter => next.extend(counter(state, &asked)),
            ModelKind::Log | ModelKind::Offsets => next.extend(collections::log(state, &asked)),
            ModelKind::Set | ModelKind::Membership => next.extend(collections::set(state, &asked)),
            ModelKind::Bag => collections::bag(state, &asked, next),
            ModelKind::Queue => next.extend(collections::queue(state, &asked)),
            ModelKind::Stack => next.extend(collections::stack(state, &asked)),
            ModelKind::PriorityQueue => next.extend(collections::priority_queue(state, &asked)),
            ModelKind::Mutex => next.extend(locks::mutex(state, &asked)),
            ModelKind::OwnedMutex => next.extend(locks::owned(state, &asked)),
            ModelKind::ReentrantMutex => next.extend(locks::reentrant(state, &asked)),
            ModelKind::ReadWriteLock => next.extend(locks::read_write(state, &asked)),
            ModelKind::Semaphore { permits } => {
                next.extend(locks::semaphore(state, permits, &asked));
            }
            ModelKind::Lease { ttl_ns, skew_ns } => {
                locks::lease(state, ttl_ns, skew_ns, &asked, next);
            }
            ModelKind::MultiRegister => next.extend(transactions::registers(state, &asked)),
        }
        let illegal = next.len() == before;
        if (planted(Defect::ModelBelieves) && illegal) || planted(Defect::ModelForgets) {
            next.truncate(before);
            next.extend((!illegal || planted(Defect::ModelBelieves)).then(|| state.clone()));
        }
    }

    fn observes(&self, op: &Operation) -> bool {
        let refused = op.is_acknowledged() && op.observed().as_bool() == Some(false);
        match self.0 {
            ModelKind::Lease { .. } => false,
            ModelKind::MultiRegister => op.op_type.is_read(),
            ModelKind::Bag | ModelKind::Queue | ModelKind::Stack | ModelKind::PriorityQueue => {
                is_taking(op) && op.is_acknowledged() && *op.observed() == Value::Null
            }
            _ => {
                let name = op.op_type.name();
                op.op_type.is_read() || refused || matches!(name, "contains" | "poll")
            }
        }
    }

    fn looks(&self) -> Looks {
        match self.0 {
            ModelKind::OwnedMutex
            | ModelKind::ReentrantMutex
            | ModelKind::ReadWriteLock
            | ModelKind::Membership => Looks::Process,
            ModelKind::Lease { .. } => Looks::Row,
            _ => Looks::Content,
        }
    }

    fn show(&self, state: &Value) -> Value {
        state.clone()
    }

    fn part<'a>(&self, op: &'a Operation) -> Option<&'a Value> {
        match self.0 {
            // A transaction has keys of its own.
            ModelKind::MultiRegister => None,
            _ => op.key.as_ref(),
        }
    }
}

/// Whether an operation takes an element out of a collection.
pub(crate) fn is_taking(op: &Operation) -> bool {
    matches!(
        op.op_type.name(),
        "dequeue" | "pop" | "remove" | "delete-min" | "delete-max" | "poll"
    )
}

fn register(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    match &asked.op.op_type {
        write if write.is_write() => Some(asked.op.input.clone()),
        OpType::Cas => {
            let (from, to) = asked.op.input.as_pair()?;
            let done = state == from;
            match asked.told.and_then(Value::as_bool) {
                Some(told) if told != done => None,
                _ if done => Some(to.clone()),
                _ => Some(state.clone()),
            }
        }
        _ => asked.may_be(state).then(|| state.clone()),
    }
}

fn text(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let now = state.as_text().unwrap_or_default();
    let given = asked.op.input.as_text().unwrap_or_default();
    match asked.op.op_type.name() {
        "put" | "write" => Some(Value::from(given)),
        "append" => Some(Value::from(format!("{now}{given}"))),
        _ => {
            let told = asked.told.map(|told| told.as_text().unwrap_or_default());
            told.is_none_or(|told| told == now).then(|| state.clone())
        }
    }
}

fn counter(state: &Value, asked: &Asked<'_>) -> Option<Value> {
    let now = state.as_int().unwrap_or(0);
    let by = asked.op.input.as_int().unwrap_or(1);
    let after = match asked.op.op_type {
        OpType::Increment | OpType::Add => now.checked_add(by)?,
        OpType::Decrement => now.checked_sub(by)?,
        _ => {
            let told = asked.told.map(|told| told.as_int().unwrap_or(0));
            return told.is_none_or(|told| told == now).then(|| state.clone());
        }
    };
    let after = Value::Int(after);
    asked.may_be_or_bare(&after).then_some(after)
}

/// Why the model can not judge the operation: the field that it lacks, if any.
pub(crate) fn refuse(kind: ModelKind, op: &Operation) -> Option<String> {
    let (id, name) = (op.op_id, op.op_type.name());
    let (known, readable): (&[&str], bool) = match kind {
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => {
            (&["write", "put", "cas"], true)
        }
        ModelKind::Log => (&["append"], true),
        ModelKind::Text => (&["put", "write", "append"], true),
        ModelKind::Counter => (&["add", "inc", "dec"], true),
        ModelKind::Set => (&["add", "remove", "contains"], true),
        ModelKind::Bag => (&["add", "remove", "enqueue", "dequeue"], false),
        ModelKind::Queue => (&["enqueue", "dequeue"], false),
        ModelKind::Stack => (&["push", "pop"], false),
        ModelKind::PriorityQueue => {
            let taking = &[
                "insert",
                "enqueue",
                "dequeue",
                "delete-min",
                "delete-max",
                "poll",
            ];
            (taking, false)
        }
        ModelKind::Offsets => (&["append", "poll"], true),
        ModelKind::Lease { .. } => (&["acquire", "release", "renew"], false),
        ModelKind::Membership => (&["join", "leave", "contains"], true),
        ModelKind::MultiRegister => (&["txn", "write"], true),
        ModelKind::Mutex
        | ModelKind::OwnedMutex
        | ModelKind::ReentrantMutex
        | ModelKind::ReadWriteLock
        | ModelKind::Semaphore { .. } => (&["acquire", "release"], false),
    };
    if !(known.contains(&name) || (op.op_type.is_read() && readable)) {
        return Some(format!("op_type that the model knows: #{id} is `{name}`"));
    }
    if kind == ModelKind::Map && op.key.is_none() {
        return Some(format!("key of {name} #{id}"));
    }
    shape(kind, op)
}

/// What is wrong with the input or the output, if anything.
fn shape(kind: ModelKind, op: &Operation) -> Option<String> {
    let (id, name) = (op.op_id, op.op_type.name());
    let told = op.is_acknowledged().then(|| op.observed());
    let told = told.filter(|told| **told != Value::Null);
    let reads = op.op_type.is_read();
    let input = |what: &str| Some(format!("input ({what}) of {name} #{id}"));
    let output = |what: &str| Some(format!("output ({what}) of {name} #{id}"));
    match kind {
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map
            if op.op_type == OpType::Cas =>
        {
            if op.input.as_pair().is_none() {
                return Some(format!("input [from, to] of cas #{id}"));
            }
            let mute = op.is_acknowledged() && op.observed().as_bool().is_none();
            mute.then(|| output("true or false")).flatten()
        }
        ModelKind::Log | ModelKind::Set | ModelKind::Membership | ModelKind::Offsets
            if (reads || name == "poll") && told.is_some_and(|told| told.as_list().is_none()) =>
        {
            output("a list")
        }
        ModelKind::Counter if reads && told.is_some_and(|told| told.as_int().is_none()) => {
            output("an integer")
        }
        ModelKind::Counter | ModelKind::Semaphore { .. }
            if op.input != Value::Null && op.input.as_int().is_none() && !reads =>
        {
            input("an integer")
        }
        ModelKind::Text if reads => {
            let odd = told.is_some_and(|told| told.as_text().is_none());
            odd.then(|| output("a text")).flatten()
        }
        ModelKind::Text if op.input.as_text().is_none() => input("a text"),
        ModelKind::Set if name == "contains" && op.is_acknowledged() && told.is_none() => {
            output("true or false")
        }
        ModelKind::MultiRegister if name == "txn" => transactions::shape(op),
        ModelKind::ReadWriteLock if !matches!(op.input.as_text(), Some("read" | "write")) => {
            input("\"read\" or \"write\"")
        }
        _ => None,
    }
}
