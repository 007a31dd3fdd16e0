//! Operations on queues, sets, counters, locks, texts, logs and groups: what clients ask, and what
//! they remember.

use checkers::Value;
use checkers::spec::ModelKind;
use plan_compiler::scenario::{Act, Workload};
use sim_runtime::Stream;

use crate::system::{Call, Reply};

/// How often a client takes a lock that it holds already.
const DEPTH_MAX: u32 = 3;

/// What one client remembers of its operations.
pub(crate) struct Memory {
    client: u32,
    model: ModelKind,
    /// The lock that it holds, as far as it knows.
    holds: Option<Held>,
    /// Elements that it added.
    added: Vec<i64>,
    /// The end of the log, as far as it knows.
    end: i64,
}

struct Held {
    place: usize,
    /// As what: a reader or a writer, where there are such.
    input: Value,
    depth: u32,
}

impl Memory {
    pub(crate) const fn new(client: u32, model: ModelKind) -> Self {
        Self {
            client,
            model,
            holds: None,
            added: Vec::new(),
            end: 0,
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
        let again = self.model == ModelKind::ReentrantMutex;
        let (place, act) = match (act, &self.holds) {
            (Act::Renew, Some(held)) => (held.place, Act::Renew),
            (Act::Acquire, Some(held)) if again && held.depth < DEPTH_MAX => {
                (held.place, Act::Acquire)
            }
            (Act::Acquire | Act::Release, Some(held)) => (held.place, Act::Release),
            (Act::Acquire | Act::Release | Act::Renew, None) => (place, Act::Acquire),
            _ => (place, act),
        };
        let mut value = || {
            *last_value += 1;
            *last_value
        };
        let input = match act {
            Act::Put | Act::Append => element(self.model, value()),
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
            Act::Poll => {
                let end = u64::try_from(self.end).unwrap_or(0);
                Value::Int(i64::try_from(stream.below(end + 1)).unwrap_or(0))
            }
            Act::Join | Act::Leave => Value::Int(i64::from(self.client)),
            Act::Acquire | Act::Release | Act::Renew => self.holder(stream),
            Act::Dequeue | Act::Pop | Act::DeleteMin | Act::Delete | Act::List => Value::Null,
        };
        let call = Call::Do {
            name: name_of(act, workload),
            key: format!("k{place}"),
            input,
        };
        (place, call)
    }

    /// As what a lock is taken or given back.
    fn holder(&self, stream: &mut Stream) -> Value {
        match (self.model, &self.holds) {
            (ModelKind::ReadWriteLock, Some(held)) => held.input.clone(),
            (ModelKind::ReadWriteLock, None) if stream.below(3) == 0 => Value::from("write"),
            (ModelKind::ReadWriteLock, None) => Value::from("read"),
            (ModelKind::Mutex | ModelKind::Semaphore { .. }, _) => Value::Null,
            _ => Value::Int(i64::from(self.client)),
        }
    }

    /// Whether the lock knows who holds it.
    const fn has_owner(&self) -> bool {
        !matches!(self.model, ModelKind::Mutex | ModelKind::Semaphore { .. })
    }

    /// What an answer says about the lock, or the log. Of a lock without an owner, what was not
    /// granted for certain is not given back: it may be another's by now.
    pub(crate) fn learn(&mut self, place: usize, (name, input): (&str, &Value), reply: &Reply) {
        let refused = matches!(reply, Reply::Ok(Value::Bool(false)) | Reply::Failed(_));
        let is_open = matches!(reply, Reply::Unknown(_));
        match name {
            "acquire" if !refused && (!is_open || self.has_owner()) => {
                let depth = self.holds.as_ref().map_or(0, |held| held.depth);
                self.holds = Some(Held {
                    place,
                    input: input.clone(),
                    depth: depth + 1,
                });
            }
            "release" if !is_open || !self.has_owner() => {
                let left = self.holds.take().filter(|held| held.depth > 1 && !refused);
                self.holds = left.map(|held| Held {
                    depth: held.depth - 1,
                    ..held
                });
            }
            "renew" if refused => self.holds = None,
            "append" => {
                if let Reply::Ok(Value::Int(offset)) = reply {
                    self.end = self.end.max(offset + 1);
                }
            }
            _ => {}
        }
    }
}

/// What is added to a text, or to a log.
fn element(model: ModelKind, value: i64) -> Value {
    match model {
        ModelKind::Text => Value::from(format!("{value};")),
        _ => Value::Int(value),
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
pub(crate) fn one(model: ModelKind, act: Act, key: String, value: i64) -> Call {
    let input = match act {
        Act::Put | Act::Append => element(model, value),
        Act::Enqueue | Act::Push | Act::Insert | Act::Add => Value::Int(value),
        Act::Increment => Value::Int(1),
        // Who joins.
        Act::Join => Value::Int(value),
        Act::Acquire if model == ModelKind::ReadWriteLock => Value::from("read"),
        _ => Value::Null,
    };
    Call::Do {
        name: act.name().unwrap_or_default().to_owned(),
        key,
        input,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(memory: &Memory) -> Option<usize> {
        memory.holds.as_ref().map(|held| held.place)
    }

    #[test]
    fn a_lock_is_given_back_by_who_may_hold_it() {
        let unknown = Reply::Unknown("timeout".to_owned());
        let (acquire, release) = (("acquire", &Value::Null), ("release", &Value::Null));
        let mut owner = Memory::new(1, ModelKind::OwnedMutex);
        owner.learn(2, acquire, &unknown);
        assert_eq!(place_of(&owner), Some(2));
        owner.learn(2, release, &unknown);
        assert_eq!(place_of(&owner), Some(2));
        owner.learn(2, release, &Reply::Ok(Value::Bool(false)));
        assert_eq!(place_of(&owner), None);
        let mut anyone = Memory::new(1, ModelKind::Mutex);
        anyone.learn(2, acquire, &unknown);
        assert_eq!(place_of(&anyone), None);
        anyone.learn(2, acquire, &Reply::Ok(Value::Bool(true)));
        anyone.learn(2, release, &unknown);
        assert_eq!(place_of(&anyone), None);
    }

    #[test]
    fn what_was_taken_twice_is_given_back_twice() {
        let granted = Reply::Ok(Value::Bool(true));
        let mut memory = Memory::new(1, ModelKind::ReentrantMutex);
        for _ in 0..2 {
            memory.learn(0, ("acquire", &Value::Int(1)), &granted);
        }
        memory.learn(0, ("release", &Value::Int(1)), &granted);
        assert_eq!(place_of(&memory), Some(0));
        memory.learn(0, ("release", &Value::Int(1)), &granted);
        assert_eq!(place_of(&memory), None);
        memory.learn(0, ("append", &Value::Int(7)), &Reply::Ok(Value::Int(4)));
        assert_eq!(memory.end, 5);
    }
}
