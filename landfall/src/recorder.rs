//! The operation history of a run, as it happens.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use checkers::{FaultWindow, History, OpType, Operation, Value};
use sim_runtime::{EventKind, with};

use crate::system::{Call, Reply, TxnStep};

#[derive(Default)]
pub(crate) struct Recorder {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    ops: Vec<Operation>,
    /// Operations without a completion yet, by place in `ops`.
    pending: BTreeSet<usize>,
    /// Windows that are open, by fault, with their place in `windows`.
    open: BTreeMap<String, usize>,
    windows: Vec<FaultWindow>,
}

/// An operation that was invoked.
#[derive(Clone, Copy)]
pub(crate) struct Invocation(usize);

/// Virtual nanoseconds, whatever the clocks of the node show that this is called on.
fn now_ns() -> u64 {
    with(|world| world.now().as_nanos())
}

impl Recorder {
    /// An operation begins.
    pub(crate) fn invoke(&self, process_id: u64, call: &Call, last: bool) -> Invocation {
        let (op_type, key, input) = row_of(call, last);
        self.push(
            process_id,
            op_type,
            key.map(|key| Value::from(key.as_str())),
            input,
        )
    }

    fn push(
        &self,
        process_id: u64,
        op_type: OpType,
        key: Option<Value>,
        input: Value,
    ) -> Invocation {
        let mut state = self.state.borrow_mut();
        let place = state.ops.len();
        let op_id = place as u64 + 1;
        with(|world| world.event(EventKind::User, op_id, process_id));
        let fault_epoch = state.open.keys().cloned().collect();
        state.ops.push(Operation {
            op_id,
            process_id,
            invoke_ts: now_ns(),
            complete_ts: None,
            op_type,
            key,
            input,
            output: None,
            error: None,
            timeout_marker: false,
            node_seen: None,
            fault_epoch,
        });
        state.pending.insert(place);
        Invocation(place)
    }

    /// An operation ends.
    pub(crate) fn complete(&self, invocation: Invocation, reply: &Reply, node: Option<String>) {
        let mut state = self.state.borrow_mut();
        state.pending.remove(&invocation.0);
        let op = &mut state.ops[invocation.0];
        op.node_seen = node;
        let code = match reply {
            Reply::Ok(output) => {
                op.complete_ts = Some(now_ns());
                op.output = Some(answer(op, output));
                1
            }
            Reply::Failed(error) => {
                op.complete_ts = Some(now_ns());
                op.error = Some(error.clone());
                2
            }
            Reply::Unknown(error) => {
                op.error = Some(error.clone());
                op.timeout_marker = true;
                3
            }
        };
        let op_id = op.op_id;
        drop(state);
        with(|world| world.event(EventKind::User, op_id, code << 32));
    }

    /// A node says that it leads in a term.
    pub(crate) fn lead(&self, process_id: u64, term: u64, node: &str) {
        let term = i64::try_from(term).expect("terms stay below 2^63");
        let invocation = self.push(
            process_id,
            OpType::Lead,
            Some(Value::Int(term)),
            Value::Null,
        );
        let reply = Reply::Ok(Value::from(node));
        self.complete(invocation, &reply, Some(node.to_owned()));
    }

    /// A fault's window opens: it is in the epoch of every operation under way.
    pub(crate) fn open_window(&self, fault: &str) {
        let mut state = self.state.borrow_mut();
        let place = state.windows.len();
        let start_ts = now_ns();
        state.windows.push(FaultWindow {
            fault: fault.to_owned(),
            start_ts,
            end_ts: None,
        });
        state.open.insert(fault.to_owned(), place);
        let State { ops, pending, .. } = &mut *state;
        for place in pending.iter() {
            let epoch = &mut ops[*place].fault_epoch;
            if !epoch.iter().any(|open| open == fault) {
                epoch.push(fault.to_owned());
            }
        }
    }

    /// It closes.
    pub(crate) fn close_window(&self, fault: &str) {
        let mut state = self.state.borrow_mut();
        if let Some(place) = state.open.remove(fault) {
            state.windows[place].end_ts = Some(now_ns());
        }
    }

    /// The history so far. Operations without a completion stay ambiguous.
    pub(crate) fn take(&self) -> History {
        let State {
            mut ops, windows, ..
        } = self.state.take();
        for op in ops.iter_mut().filter(|op| op.complete_ts.is_none()) {
            op.timeout_marker = true;
        }
        History { ops, windows }
    }
}

/// The answer to an operation, as rows have it: the steps of a transaction with what was read,
/// accounts with what they hold.
fn answer(op: &Operation, output: &Value) -> Value {
    let Some(asked) = op.input.as_list().filter(|_| op.key.is_none()) else {
        return output.clone();
    };
    let given = match output.as_list() {
        Some(given) if given.len() == asked.len() => given,
        // What a client answers that has not understood is told as it is.
        _ => return output.clone(),
    };
    let step = |(asked, given): (&Value, &Value)| match asked.as_list() {
        Some([name, key, Value::Null]) => {
            Value::List(vec![name.clone(), key.clone(), given.clone()])
        }
        Some(_) => asked.clone(),
        None => Value::List(vec![asked.clone(), given.clone()]),
    };
    Value::List(asked.iter().zip(given).map(step).collect())
}

fn row_of(call: &Call, last: bool) -> (OpType, Option<&String>, Value) {
    let maybe = |value: &Option<i64>| value.map_or(Value::Null, Value::Int);
    match call {
        Call::Read { key } if last => (OpType::FinalRead, Some(key), Value::Null),
        Call::Read { key } => (OpType::Read, Some(key), Value::Null),
        Call::Write { key, value } => (OpType::Write, Some(key), Value::Int(*value)),
        Call::Cas { key, from, to } => (
            OpType::Cas,
            Some(key),
            Value::List(vec![maybe(from), Value::Int(*to)]),
        ),
        Call::Append { key, value } => (OpType::Append, Some(key), Value::Int(*value)),
        // A write of nothing.
        Call::Do {
            name,
            key,
            input: Value::Null,
        } if name == "delete" => (OpType::Write, Some(key), Value::Null),
        Call::Do { name, key, input } => {
            let op_type = OpType::try_from(name.clone());
            let op_type = op_type.unwrap_or_else(|_| OpType::Other("unnamed".to_owned()));
            (op_type, Some(key), input.clone())
        }
        Call::Txn { steps, .. } => {
            let steps = steps.iter().map(step_of).collect();
            (OpType::Other("txn".to_owned()), None, Value::List(steps))
        }
        Call::Transfer { from, to, amount } => {
            let input = vec![
                from.as_str().into(),
                to.as_str().into(),
                Value::Int(*amount),
            ];
            (
                OpType::Other("transfer".to_owned()),
                None,
                Value::List(input),
            )
        }
        Call::Balances { accounts } => {
            let accounts = accounts.iter().map(|account| account.as_str().into());
            (OpType::Read, None, Value::List(accounts.collect()))
        }
    }
}

fn step_of(step: &TxnStep) -> Value {
    let (name, key, value) = match step {
        TxnStep::Read { key } => ("r", key, Value::Null),
        TxnStep::Write { key, value } => ("w", key, Value::Int(*value)),
        TxnStep::Append { key, value } => ("append", key, Value::Int(*value)),
    };
    Value::List(vec![name.into(), key.as_str().into(), value])
}
