//! The state machine: keys, and the sessions that make a retried request apply once.

use std::collections::BTreeMap;

use crate::message::{ClientRequest, Command, Op, Outcome, Value};

/// Applied in log order, it is the same on every node.
#[derive(Debug, Default)]
pub(crate) struct Store {
    keys: BTreeMap<String, Value>,
    /// Of each client, its latest request and what came of it.
    sessions: BTreeMap<u64, (u64, Outcome)>,
}

impl Store {
    pub(crate) fn get(&self, key: &str) -> Outcome {
        Outcome::Value(self.keys.get(key).cloned())
    }

    /// Applies one committed entry. A request seen before is answered from the session.
    pub(crate) fn apply(&mut self, command: &Command) -> Outcome {
        let Command::Apply(ClientRequest { client, seq, op }) = command else {
            return Outcome::Written;
        };
        if !cfg!(feature = "bug-no-dedup")
            && let Some((latest, outcome)) = self.sessions.get(client)
        {
            if seq == latest {
                return outcome.clone();
            }
            if seq < latest {
                return Outcome::Superseded;
            }
        }
        let outcome = self.execute(op);
        self.sessions.insert(*client, (*seq, outcome.clone()));
        outcome
    }

    fn execute(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Get { key } => self.get(key),
            Op::Put { key, value } => {
                self.keys.insert(key.clone(), Value::Text(value.clone()));
                Outcome::Written
            }
            Op::Cas { key, from, to } => {
                let matches = match (self.keys.get(key), from) {
                    (None, None) => true,
                    (Some(Value::Text(current)), Some(from)) => current == from,
                    _ => false,
                };
                if matches {
                    self.keys.insert(key.clone(), Value::Text(to.clone()));
                }
                Outcome::Swapped(matches)
            }
            Op::Append { key, element } => {
                let value = self
                    .keys
                    .entry(key.clone())
                    .or_insert_with(|| Value::List(Vec::new()));
                match value {
                    Value::List(elements) => {
                        elements.push(element.clone());
                        Outcome::Written
                    }
                    Value::Text(_) => Outcome::WrongType,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(store: &mut Store, client: u64, seq: u64, op: Op) -> Outcome {
        store.apply(&Command::Apply(ClientRequest { client, seq, op }))
    }

    fn cas(from: Option<&str>, to: &str) -> Op {
        Op::Cas {
            key: "k".into(),
            from: from.map(Into::into),
            to: to.into(),
        }
    }

    fn append(element: &str) -> Op {
        Op::Append {
            key: "l".into(),
            element: element.into(),
        }
    }

    #[test]
    fn compare_and_swap_compares() {
        let mut store = Store::default();
        assert_eq!(
            apply(&mut store, 1, 1, cas(Some("a"), "b")),
            Outcome::Swapped(false)
        );
        assert_eq!(
            apply(&mut store, 1, 2, cas(None, "a")),
            Outcome::Swapped(true)
        );
        assert_eq!(
            apply(&mut store, 1, 3, cas(None, "x")),
            Outcome::Swapped(false)
        );
        assert_eq!(
            apply(&mut store, 1, 4, cas(Some("a"), "b")),
            Outcome::Swapped(true)
        );
        assert_eq!(
            store.get("k"),
            Outcome::Value(Some(Value::Text("b".into())))
        );
        let op = Op::Append {
            key: "k".into(),
            element: "e".into(),
        };
        assert_eq!(apply(&mut store, 1, 5, op), Outcome::WrongType);
    }

    #[test]
    #[cfg_attr(feature = "bug-no-dedup", should_panic)]
    fn a_retried_request_applies_once() {
        let mut store = Store::default();
        assert_eq!(
            apply(&mut store, 1, 1, cas(None, "a")),
            Outcome::Swapped(true)
        );
        assert_eq!(
            apply(&mut store, 1, 1, cas(None, "a")),
            Outcome::Swapped(true)
        );
        apply(&mut store, 1, 2, append("x"));
        apply(&mut store, 2, 2, append("y"));
        apply(&mut store, 1, 2, append("x"));
        assert_eq!(apply(&mut store, 1, 1, cas(None, "z")), Outcome::Superseded);
        let list = Value::List(vec!["x".into(), "y".into()]);
        assert_eq!(store.get("l"), Outcome::Value(Some(list)));
    }
}
