//! The objects that stand in for a system: queues, sets, counters, locks, texts, logs, groups.

use std::collections::BTreeMap;

use checkers::Value;
use checkers::spec::ModelKind;

use crate::system::Reply;

/// What is asked of an object.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) key: &'a str,
    pub(crate) input: &'a Value,
    /// What the scenario's model is, if there is a scenario.
    pub(crate) model: Option<ModelKind>,
    /// Who asks; 0 where that is not known.
    pub(crate) client: u64,
    /// When, in virtual nanoseconds.
    pub(crate) now_ns: u64,
}

/// Does one call.
pub(crate) fn apply(keys: &mut BTreeMap<String, Value>, asked: Asked<'_>) -> Reply {
    if asked.name == "delete" {
        keys.remove(asked.key);
        return Reply::Ok(Value::Null);
    }
    let held = keys.entry(asked.key.to_owned()).or_default();
    let done = match asked.name {
        "acquire" | "renew" | "release" => Some(lock(held, asked)),
        "put" | "append" | "poll" => sequence(held, asked),
        "inc" | "dec" => Some(count(held, asked)),
        _ => collection(held, asked),
    };
    match done {
        Some((after, answer)) => {
            *held = after;
            Reply::Ok(answer)
        }
        None => Reply::Failed(format!("the stand-in has no {}", asked.name)),
    }
}

fn count(held: &Value, Asked { name, input, .. }: Asked<'_>) -> (Value, Value) {
    let (number, by) = (held.as_int().unwrap_or(0), input.as_int().unwrap_or(1));
    let after = if name == "inc" {
        number + by
    } else {
        number - by
    };
    (Value::Int(after), Value::Null)
}

/// A text, or a log with offsets.
fn sequence(held: &Value, Asked { name, input, .. }: Asked<'_>) -> Option<(Value, Value)> {
    if let Some(given) = input.as_text() {
        let now = held.as_text().unwrap_or_default();
        let after = if name == "put" {
            given.to_owned()
        } else {
            format!("{now}{given}")
        };
        return Some((Value::from(after), Value::Null));
    }
    let mut list = held.as_list().map(<[Value]>::to_vec).unwrap_or_default();
    match name {
        "append" => {
            let offset = i64::try_from(list.len()).ok()?;
            list.push(input.clone());
            Some((Value::List(list), Value::Int(offset)))
        }
        "poll" => {
            let from = usize::try_from(input.as_int().unwrap_or(0)).ok()?;
            let rest = list.get(from..).unwrap_or(&[]).to_vec();
            Some((held.clone(), Value::List(rest)))
        }
        _ => None,
    }
}

fn collection(held: &Value, Asked { name, input, .. }: Asked<'_>) -> Option<(Value, Value)> {
    let mut list = held.as_list().map(<[Value]>::to_vec).unwrap_or_default();
    let answer = match name {
        "enqueue" | "push" | "insert" => {
            list.push(input.clone());
            Value::Null
        }
        "add" | "join" => {
            let is_new = !list.contains(input);
            if is_new {
                list.push(input.clone());
            }
            Value::Bool(is_new)
        }
        "dequeue" | "pop" | "delete-min" => {
            let place = match name {
                "dequeue" => (!list.is_empty()).then_some(0),
                "pop" => list.len().checked_sub(1),
                _ => (0..list.len()).min_by_key(|place| list[*place].clone()),
            };
            place.map_or(Value::Null, |place| list.remove(place))
        }
        "remove" if *input == Value::Null => list.pop().unwrap_or_default(),
        "remove" | "leave" => {
            let place = list.iter().position(|element| element == input);
            Value::Bool(place.map(|place| list.remove(place)).is_some())
        }
        "contains" => Value::Bool(list.contains(input)),
        _ => return None,
    };
    Some((Value::List(list), answer))
}

/// The lock after it was asked for, and whether it did as it was asked.
fn lock(held: &Value, asked: Asked<'_>) -> (Value, Value) {
    let after = match asked.model {
        Some(ModelKind::Semaphore { permits }) => permit(held, permits, asked),
        Some(ModelKind::ReentrantMutex) => again(held, asked),
        Some(ModelKind::ReadWriteLock) => shared(held, asked),
        // Only that lock is taken as something.
        None if asked.input.as_text().is_some() => shared(held, asked),
        Some(ModelKind::Lease { ttl_ns, .. }) => lease(held, ttl_ns, asked),
        _ => plain(held, asked),
    };
    let done = after.is_some();
    (after.unwrap_or_else(|| held.clone()), Value::Bool(done))
}

/// Who asks, where the object knows its holder.
fn holder(asked: Asked<'_>) -> Value {
    match asked.input {
        Value::Null => Value::Bool(true),
        named => named.clone(),
    }
}

/// Free, or its holder.
fn plain(held: &Value, asked: Asked<'_>) -> Option<Value> {
    let me = holder(asked);
    let (free, mine) = (*held == Value::Null, *held == me);
    match asked.name {
        "acquire" => free.then_some(me),
        "renew" => mine.then_some(me),
        _ => mine.then_some(Value::Null),
    }
}

/// How many permits are taken.
fn permit(held: &Value, permits: u32, asked: Asked<'_>) -> Option<Value> {
    let taken = held.as_int().unwrap_or(0);
    let after = match asked.name {
        "acquire" => taken + 1,
        _ => taken - 1,
    };
    (0..=i64::from(permits))
        .contains(&after)
        .then_some(Value::Int(after))
}

/// The holder, once for each time that it holds.
fn again(held: &Value, asked: Asked<'_>) -> Option<Value> {
    let me = holder(asked);
    let mut held = held.as_list().map(<[Value]>::to_vec).unwrap_or_default();
    let (free, mine) = (held.is_empty(), held.first() == Some(&me));
    if asked.name == "acquire" {
        (free || mine).then(|| held.push(me))?;
    } else {
        mine.then(|| held.pop())?;
    }
    Some(Value::List(held))
}

/// The readers, or the one writer, each as `[mode, client]`.
fn shared(held: &Value, asked: Asked<'_>) -> Option<Value> {
    let client = Value::Int(i64::try_from(asked.client).unwrap_or(0));
    let me = Value::List(vec![asked.input.clone(), client]);
    let mut held = held.as_list().map(<[Value]>::to_vec).unwrap_or_default();
    if asked.name == "acquire" {
        let reads = |one: &Value| {
            one.as_pair()
                .is_some_and(|(mode, _)| *mode == "read".into())
        };
        let is_free = match asked.input.as_text() {
            Some("read") => held.iter().all(reads),
            _ => held.is_empty(),
        };
        is_free.then(|| held.push(me))?;
    } else {
        let place = held.iter().position(|one| *one == me)?;
        held.remove(place);
    }
    Some(Value::List(held))
}

/// The holder, and until when.
fn lease(held: &Value, ttl_ns: u64, asked: Asked<'_>) -> Option<Value> {
    let me = holder(asked);
    let until = |ns: u64| Value::Int(i64::try_from(ns).unwrap_or(i64::MAX));
    let now = until(asked.now_ns);
    let (is_over, mine) = match held.as_pair() {
        Some((who, end)) => (*end <= now, *who == me),
        None => (true, false),
    };
    let granted = Value::List(vec![me, until(asked.now_ns.saturating_add(ttl_ns))]);
    match asked.name {
        "acquire" => (is_over || mine).then_some(granted),
        "renew" => (mine && !is_over).then_some(granted),
        _ => (mine && !is_over).then_some(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One object, asked by clients at times.
    struct Object {
        keys: BTreeMap<String, Value>,
        model: Option<ModelKind>,
    }

    impl Object {
        fn new(model: Option<ModelKind>) -> Self {
            let keys = BTreeMap::new();
            Self { keys, model }
        }

        fn ask(&mut self, name: &str, input: Value) -> Value {
            self.ask_by(1, 0, name, &input)
        }

        fn ask_by(&mut self, client: u64, now_ns: u64, name: &str, input: &Value) -> Value {
            let asked = Asked {
                name,
                key: "k",
                input,
                model: self.model,
                client,
                now_ns,
            };
            match apply(&mut self.keys, asked) {
                Reply::Ok(value) => value,
                other => panic!("{other:?}"),
            }
        }
    }

    const YES: Value = Value::Bool(true);
    const NO: Value = Value::Bool(false);

    #[test]
    fn the_stand_in_is_each_of_the_collections() {
        let int = Value::Int;
        let mut queue = Object::new(None);
        for n in [3, 1, 2] {
            queue.ask("enqueue", int(n));
        }
        assert_eq!(queue.ask("dequeue", Value::Null), int(3));
        assert_eq!(queue.ask("delete-min", Value::Null), int(1));
        assert_eq!(queue.ask("pop", Value::Null), int(2));
        assert_eq!(queue.ask("dequeue", Value::Null), Value::Null);
        let mut set = Object::new(None);
        assert_eq!(set.ask("add", int(7)), YES);
        assert_eq!(set.ask("add", int(7)), NO);
        assert_eq!(set.ask("contains", int(7)), YES);
        assert_eq!(set.ask("remove", int(7)), YES);
        assert_eq!(set.ask("contains", int(7)), NO);
        let unknown = Asked {
            name: "dance",
            key: "k",
            input: &Value::Null,
            model: None,
            client: 1,
            now_ns: 0,
        };
        assert!(matches!(apply(&mut set.keys, unknown), Reply::Failed(_)));
    }

    #[test]
    fn the_stand_in_is_each_of_the_locks() {
        let (one, two) = (Value::Int(1), Value::Int(2));
        let mut lock = Object::new(Some(ModelKind::OwnedMutex));
        assert_eq!(lock.ask("acquire", one.clone()), YES);
        assert_eq!(lock.ask("acquire", two.clone()), NO);
        assert_eq!(lock.ask("release", two.clone()), NO);
        assert_eq!(lock.ask("release", one.clone()), YES);
        let mut permits = Object::new(Some(ModelKind::Semaphore { permits: 2 }));
        let asked = ["acquire", "acquire", "acquire", "release", "acquire"];
        let told = asked.map(|name| permits.ask(name, Value::Null));
        assert_eq!(told, [YES, YES, NO, YES, YES]);
        let mut again = Object::new(Some(ModelKind::ReentrantMutex));
        assert_eq!(again.ask("acquire", one.clone()), YES);
        assert_eq!(again.ask("acquire", one.clone()), YES);
        assert_eq!(again.ask("release", one.clone()), YES);
        assert_eq!(again.ask("acquire", two.clone()), NO);
        assert_eq!(again.ask("release", one.clone()), YES);
        assert_eq!(again.ask("acquire", two), YES);
        let mut shared = Object::new(Some(ModelKind::ReadWriteLock));
        let (read, write) = (Value::from("read"), Value::from("write"));
        assert_eq!(shared.ask_by(1, 0, "acquire", &read), YES);
        assert_eq!(shared.ask_by(2, 0, "acquire", &read), YES);
        assert_eq!(shared.ask_by(3, 0, "acquire", &write), NO);
        assert_eq!(shared.ask_by(3, 0, "release", &read), NO);
        assert_eq!(shared.ask_by(1, 0, "release", &read), YES);
        assert_eq!(shared.ask_by(2, 0, "release", &read), YES);
        assert_eq!(shared.ask_by(3, 0, "acquire", &write), YES);
        assert_eq!(shared.ask_by(1, 0, "acquire", &read), NO);
    }

    #[test]
    fn a_lease_of_the_stand_in_ends() {
        let (one, two) = (Value::Int(1), Value::Int(2));
        let mut lease = Object::new(Some(ModelKind::Lease {
            ttl_ns: 10,
            skew_ns: 0,
        }));
        assert_eq!(lease.ask_by(1, 100, "acquire", &one), YES);
        assert_eq!(lease.ask_by(2, 105, "acquire", &two), NO);
        assert_eq!(lease.ask_by(1, 109, "renew", &one), YES);
        assert_eq!(lease.ask_by(2, 110, "acquire", &two), NO);
        assert_eq!(lease.ask_by(2, 119, "acquire", &two), YES);
        assert_eq!(lease.ask_by(1, 120, "renew", &one), NO);
        assert_eq!(lease.ask_by(1, 120, "release", &one), NO);
    }

    #[test]
    fn the_stand_in_is_a_text_a_log_and_a_map_that_forgets() {
        let mut text = Object::new(Some(ModelKind::Text));
        text.ask("append", Value::from("a"));
        text.ask("append", Value::from("b"));
        assert_eq!(text.keys["k"], Value::from("ab"));
        text.ask("put", Value::from("c"));
        assert_eq!(text.keys["k"], Value::from("c"));
        let mut log = Object::new(Some(ModelKind::Offsets));
        assert_eq!(log.ask("append", Value::Int(7)), Value::Int(0));
        assert_eq!(log.ask("append", Value::Int(8)), Value::Int(1));
        let rest = Value::List(vec![Value::Int(8)]);
        assert_eq!(log.ask("poll", Value::Int(1)), rest);
        assert_eq!(log.ask("poll", Value::Int(9)), Value::List(Vec::new()));
        log.ask("delete", Value::Null);
        assert!(log.keys.is_empty());
    }
}
