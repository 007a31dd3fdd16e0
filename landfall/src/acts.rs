//! Operations on queues, sets, counters, locks and groups: what clients ask, what they remember,
//! and the object that stands in for the system.

use std::collections::BTreeMap;

use checkers::Value;
use checkers::spec::ModelKind;
use plan_compiler::scenario::{Act, Workload};
use sim_runtime::Stream;

use crate::system::{Call, Reply};

/// What one client remembers of its operations.
pub(crate) struct Memory {
    client: u32,
    model: ModelKind,
    /// The lock that it holds, as far as it knows, by place.
    holds: Option<usize>,
    /// Elements that it added.
    added: Vec<i64>,
}

impl Memory {
    pub(crate) const fn new(client: u32, model: ModelKind) -> Self {
        Self {
            client,
            model,
            holds: None,
            added: Vec::new(),
        }
    }

    /// The next operation. A client that holds a lock gives it back before it takes another.
    pub(crate) fn next(
        &mut self,
        act: Act,
        place: usize,
        workload: &Workload,
        draw: (&mut Stream, &mut i64),
    ) -> (usize, Call) {
        let (stream, last_value) = draw;
        let (place, act) = match (act, self.holds) {
            (Act::Renew, Some(held)) => (held, Act::Renew),
            (Act::Acquire | Act::Release, Some(held)) => (held, Act::Release),
            (Act::Acquire | Act::Release | Act::Renew, None) => (place, Act::Acquire),
            _ => (place, act),
        };
        let mut value = || {
            *last_value += 1;
            *last_value
        };
        let input = match act {
            Act::Enqueue | Act::Push | Act::Insert | Act::Named(_) => Value::Int(value()),
            Act::Add => {
                let value = value();
                self.added.push(value);
                Value::Int(value)
            }
            Act::Remove if self.model == ModelKind::Bag => Value::Null,
            Act::Remove | Act::Contains => match self.added.is_empty() {
                true => Value::Int(value()),
                false => Value::Int(*stream.pick(&self.added)),
            },
            Act::Increment | Act::Decrement => {
                Value::Int(i64::try_from(stream.below(5)).unwrap_or(0) + 1)
            }
            Act::Join | Act::Leave => Value::Int(i64::from(self.client)),
            Act::Acquire | Act::Release | Act::Renew if self.has_owner() => {
                Value::Int(i64::from(self.client))
            }
            _ => Value::Null,
        };
        let call = Call::Do {
            name: name_of(act, workload),
            key: format!("k{place}"),
            input,
        };
        (place, call)
    }

    const fn has_owner(&self) -> bool {
        matches!(self.model, ModelKind::OwnedMutex | ModelKind::Lease { .. })
    }

    /// What an answer says about the lock. Of one without an owner, what was not granted for
    /// certain is not given back: it may be another's by now.
    pub(crate) fn learn(&mut self, place: usize, name: &str, reply: &Reply) {
        let refused = matches!(reply, Reply::Ok(Value::Bool(false)) | Reply::Failed(_));
        let is_open = matches!(reply, Reply::Unknown(_));
        match name {
            "acquire" if !refused && (!is_open || self.has_owner()) => self.holds = Some(place),
            "release" if !is_open || !self.has_owner() => self.holds = None,
            "renew" if refused => self.holds = None,
            _ => {}
        }
    }
}

/// What an operation is called.
fn name_of(act: Act, workload: &Workload) -> String {
    match act {
        Act::Named(place) => workload.names.get(usize::from(place)).cloned(),
        known => known.name().map(str::to_owned),
    }
    .unwrap_or_default()
}

/// An operation that the model of a scenario has, for those who are no ordinary client: adds, or
/// takes out.
pub(crate) fn one(act: Act, key: String, value: i64) -> Call {
    let input = match act {
        Act::Enqueue | Act::Push | Act::Insert | Act::Add => Value::Int(value),
        Act::Increment => Value::Int(1),
        // Who joins.
        Act::Join => Value::Int(value),
        _ => Value::Null,
    };
    Call::Do {
        name: act.name().unwrap_or_default().to_owned(),
        key,
        input,
    }
}

/// Does one call on the stand-in's own object.
pub(crate) fn apply(
    keys: &mut BTreeMap<String, Value>,
    (name, key, input): (&str, &str, &Value),
) -> Reply {
    let held = keys.entry(key.to_owned()).or_default();
    let mut list = held.as_list().map(<[Value]>::to_vec).unwrap_or_default();
    let number = held.as_int().unwrap_or(0);
    let by = input.as_int().unwrap_or(1);
    let (after, answer) = match name {
        "enqueue" | "push" | "insert" => {
            list.push(input.clone());
            (Value::List(list), Value::Null)
        }
        "add" | "join" => {
            let is_new = !list.contains(input);
            if is_new {
                list.push(input.clone());
            }
            (Value::List(list), Value::Bool(is_new))
        }
        "dequeue" | "pop" | "delete-min" => {
            let place = match name {
                "dequeue" => (!list.is_empty()).then_some(0),
                "pop" => list.len().checked_sub(1),
                _ => (0..list.len()).min_by_key(|place| list[*place].clone()),
            };
            let taken = place.map_or(Value::Null, |place| list.remove(place));
            (Value::List(list), taken)
        }
        "remove" if *input == Value::Null => {
            let taken = list.pop().unwrap_or_default();
            (Value::List(list), taken)
        }
        "remove" | "leave" => {
            let place = list.iter().position(|element| element == input);
            let there = place.map(|place| list.remove(place)).is_some();
            (Value::List(list), Value::Bool(there))
        }
        "contains" => {
            let there = list.contains(input);
            (Value::List(list), Value::Bool(there))
        }
        "inc" => (Value::Int(number + by), Value::Null),
        "dec" => (Value::Int(number - by), Value::Null),
        "acquire" | "renew" | "release" => {
            let me = if *input == Value::Null {
                Value::Bool(true)
            } else {
                input.clone()
            };
            let (free, mine) = (*held == Value::Null, *held == me);
            match name {
                "acquire" if free => (me, Value::Bool(true)),
                "release" if mine => (Value::Null, Value::Bool(true)),
                "renew" if mine => (me, Value::Bool(true)),
                _ => (held.clone(), Value::Bool(false)),
            }
        }
        other => return Reply::Failed(format!("the stand-in has no {other}")),
    };
    *held = after;
    Reply::Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(keys: &mut BTreeMap<String, Value>, name: &str, input: Value) -> Value {
        match apply(keys, (name, "k", &input)) {
            Reply::Ok(value) => value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_stand_in_is_each_of_the_objects() {
        let int = Value::Int;
        let mut queue = BTreeMap::new();
        for n in [3, 1, 2] {
            ask(&mut queue, "enqueue", int(n));
        }
        assert_eq!(ask(&mut queue, "dequeue", Value::Null), int(3));
        assert_eq!(ask(&mut queue, "delete-min", Value::Null), int(1));
        assert_eq!(ask(&mut queue, "pop", Value::Null), int(2));
        assert_eq!(ask(&mut queue, "dequeue", Value::Null), Value::Null);
        let mut set = BTreeMap::new();
        assert_eq!(ask(&mut set, "add", int(7)), Value::Bool(true));
        assert_eq!(ask(&mut set, "add", int(7)), Value::Bool(false));
        assert_eq!(ask(&mut set, "contains", int(7)), Value::Bool(true));
        assert_eq!(ask(&mut set, "remove", int(7)), Value::Bool(true));
        assert_eq!(ask(&mut set, "contains", int(7)), Value::Bool(false));
        let mut lock = BTreeMap::new();
        assert_eq!(ask(&mut lock, "acquire", int(1)), Value::Bool(true));
        assert_eq!(ask(&mut lock, "acquire", int(2)), Value::Bool(false));
        assert_eq!(ask(&mut lock, "release", int(2)), Value::Bool(false));
        assert_eq!(ask(&mut lock, "release", int(1)), Value::Bool(true));
        assert!(matches!(
            apply(&mut lock, ("dance", "k", &Value::Null)),
            Reply::Failed(_)
        ));
    }

    #[test]
    fn a_lock_is_given_back_by_who_may_hold_it() {
        let unknown = Reply::Unknown("timeout".to_owned());
        let mut owner = Memory::new(1, ModelKind::OwnedMutex);
        owner.learn(2, "acquire", &unknown);
        assert_eq!(owner.holds, Some(2));
        owner.learn(2, "release", &unknown);
        assert_eq!(owner.holds, Some(2));
        owner.learn(2, "release", &Reply::Ok(Value::Bool(false)));
        assert_eq!(owner.holds, None);
        let mut anyone = Memory::new(1, ModelKind::Mutex);
        anyone.learn(2, "acquire", &unknown);
        assert_eq!(anyone.holds, None);
        anyone.learn(2, "acquire", &Reply::Ok(Value::Bool(true)));
        anyone.learn(2, "release", &unknown);
        assert_eq!(anyone.holds, None);
    }
}
