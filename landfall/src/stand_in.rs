//! Stand-ins: a perfect object in the place of the system, for the experiments that tell whose
//! fault a failure is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use checkers::Value;
use checkers::spec::ModelKind;
use serde::{Deserialize, Serialize};
use sim_runtime::time;

use crate::objects::{self, Asked};
use crate::system::{Call, Client, Reply, TxnStep};

/// How long the object takes to hear, and to answer: calls of clients overlap.
const HOP: Duration = Duration::from_millis(1);

/// Why a run with [`StandIn::Servers`] ends where the system offers none.
pub(crate) const MISSING: &str = "the system offers no stand-in";

/// What stands in for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandIn {
    /// Every node runs the system's [`reference`](crate::System::reference); clients, their
    /// protocol and all faults stay as they are.
    Servers,
    /// Clients are gone too: the workload calls the object itself, over nothing.
    Object,
}

/// The model's own reference implementation: keys that hold a value or a list, one for a whole
/// run, changed by one call at a time, and lost by no fault.
#[derive(Clone, Debug, Default)]
pub struct Reference(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<String, Value>,
    /// What the calls are of.
    model: Option<ModelKind>,
    /// Of each client, its last request and the answer.
    answered: BTreeMap<u64, (u64, Reply)>,
}

impl Reference {
    /// Does one call, at once. What the call does not fit, such as an append to a number, fails.
    #[must_use]
    pub fn call(&self, call: &Call) -> Reply {
        let state = &mut *self.state();
        apply(&mut state.keys, call, (state.model, 0))
    }

    /// The object of a scenario with this model: what a lock is, and how long a lease holds, is
    /// the model's to say.
    #[must_use]
    pub fn of(model: ModelKind) -> Self {
        let state = State {
            model: Some(model),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Does a request that a client may send again: its last one is not done twice, and is
    /// answered as it was. `request` grows with each request of the client.
    #[must_use]
    pub fn call_once(&self, client: u64, request: u64, call: &Call) -> Reply {
        let state = &mut *self.state();
        match state.answered.get(&client) {
            Some((last, reply)) if request == *last => return reply.clone(),
            Some((last, _)) if request < *last => {
                return Reply::Unknown("a later request was answered".to_owned());
            }
            _ => {}
        }
        let reply = apply(&mut state.keys, call, (state.model, client));
        state.answered.insert(client, (request, reply.clone()));
        reply
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A guest may have panicked with the lock; nothing is half done then.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn apply(
    keys: &mut BTreeMap<String, Value>,
    call: &Call,
    (model, client): (Option<ModelKind>, u64),
) -> Reply {
    match call {
        Call::Read { key } => Reply::Ok(keys.get(key).cloned().unwrap_or_default()),
        Call::Write { key, value } => {
            keys.insert(key.clone(), Value::Int(*value));
            Reply::Ok(Value::Null)
        }
        Call::Cas { key, from, to } => {
            let found = keys.get(key).cloned().unwrap_or_default();
            let swaps = found == from.map_or(Value::Null, Value::Int);
            if swaps {
                keys.insert(key.clone(), Value::Int(*to));
            }
            Reply::Ok(Value::Bool(swaps))
        }
        Call::Append { key, value } => append(keys, key, *value),
        Call::Do { name, key, input } => {
            let now_ns = sim_runtime::try_with(|world| world.now().as_nanos());
            let asked = Asked {
                name,
                key,
                input,
                model,
                client,
                now_ns: now_ns.unwrap_or(0),
            };
            objects::apply(keys, asked)
        }
        Call::Txn { steps, .. } => transaction(keys, steps),
        Call::Transfer { from, to, amount } => {
            for (account, change) in [(from, -amount), (to, *amount)] {
                let holds = balance(keys, account) + change;
                keys.insert(account.clone(), Value::Int(holds));
            }
            Reply::Ok(Value::Null)
        }
        Call::Balances { accounts } => {
            let each = accounts.iter();
            let holds = each.map(|account| Value::Int(balance(keys, account)));
            Reply::Ok(Value::List(holds.collect()))
        }
    }
}

fn append(keys: &mut BTreeMap<String, Value>, key: &str, value: i64) -> Reply {
    let held = keys
        .entry(key.to_owned())
        .or_insert(Value::List(Vec::new()));
    match held {
        Value::List(elements) => {
            elements.push(Value::Int(value));
            Reply::Ok(Value::Null)
        }
        _ => Reply::Failed(format!("{key} is no list")),
    }
}

/// All steps or none of them.
fn transaction(keys: &mut BTreeMap<String, Value>, steps: &[TxnStep]) -> Reply {
    let mut after = keys.clone();
    let mut values = Vec::new();
    for step in steps {
        let reply = match step {
            TxnStep::Read { key } => Reply::Ok(after.get(key).cloned().unwrap_or_default()),
            TxnStep::Write { key, value } => {
                after.insert(key.clone(), Value::Int(*value));
                Reply::Ok(Value::Null)
            }
            TxnStep::Append { key, value } => append(&mut after, key, *value),
        };
        match reply {
            Reply::Ok(value) => values.push(value),
            other => return other,
        }
    }
    *keys = after;
    Reply::Ok(Value::List(values))
}

/// An account that was never used holds nothing.
fn balance(keys: &BTreeMap<String, Value>, account: &str) -> i64 {
    match keys.get(account) {
        Some(Value::Int(holds)) => *holds,
        _ => 0,
    }
}

/// A client of a run: the system's own, or none but the object.
pub(crate) enum Played<C> {
    System(C),
    Object(Reference),
}

impl<C: Client> Client for Played<C> {
    async fn call(&mut self, call: Call) -> Reply {
        match self {
            Self::System(client) => client.call(call).await,
            Self::Object(object) => {
                time::sleep(HOP).await;
                let reply = object.call(&call);
                time::sleep(HOP).await;
                reply
            }
        }
    }

    fn node_seen(&self) -> Option<String> {
        match self {
            Self::System(client) => client.node_seen(),
            Self::Object(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_comes_again_is_answered_and_not_done_again() {
        let object = Reference::default();
        let append = |value| Call::Append {
            key: "k".to_owned(),
            value,
        };
        let read = || {
            object.call(&Call::Read {
                key: "k".to_owned(),
            })
        };
        assert_eq!(read(), Reply::Ok(Value::Null));
        for _ in 0..2 {
            let reply = object.call_once(1, 7, &append(5));
            assert_eq!(reply, Reply::Ok(Value::Null));
        }
        let _done = object.call_once(2, 7, &append(6));
        let both = Value::List(vec![Value::Int(5), Value::Int(6)]);
        assert_eq!(read(), Reply::Ok(both));
        let old = object.call_once(1, 6, &append(9));
        assert!(matches!(old, Reply::Unknown(_)), "{old:?}");
        let cas = |from, to| {
            let key = "c".to_owned();
            object.call(&Call::Cas { key, from, to })
        };
        assert_eq!(cas(None, 1), Reply::Ok(Value::Bool(true)));
        assert_eq!(cas(None, 2), Reply::Ok(Value::Bool(false)));
        assert_eq!(cas(Some(1), 2), Reply::Ok(Value::Bool(true)));
        let wrong = object.call(&Call::Append {
            key: "c".to_owned(),
            value: 1,
        });
        assert!(matches!(wrong, Reply::Failed(_)), "{wrong:?}");
    }
}
