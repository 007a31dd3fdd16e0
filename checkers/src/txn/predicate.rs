//! Predicates, and which versions a read by one must have selected.

use rustc_hash::FxHashMap;

use super::facts::Facts;
use super::transactions::NONE;
use crate::value::Value;

/// What a read asks for. Objects that do not exist match nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Predicate<'h> {
    /// Every object.
    All,
    /// Those of this value.
    Is(&'h Value),
    /// Integers that leave this remainder.
    Modulo(i64, i64),
}

impl<'h> Predicate<'h> {
    /// Reads `true`, `["=", value]`, `["mod", divisor, remainder]`.
    pub(super) fn parse(value: &'h Value) -> Option<Self> {
        let name = |value: &'h Value| value.as_text().map(|name| name.trim_start_matches(':'));
        if *value == Value::Bool(true) || name(value) == Some("true") {
            return Some(Predicate::All);
        }
        match value.as_list()? {
            [op, value] if name(op) == Some("=") => Some(Predicate::Is(value)),
            [op, Value::Int(divisor), Value::Int(rest)] if name(op) == Some("mod") => {
                (*divisor > 0).then_some(Predicate::Modulo(*divisor, *rest))
            }
            _ => None,
        }
    }

    /// Whether an object that exists matches.
    pub(super) fn matches(self, value: &Value) -> bool {
        match self {
            Predicate::All => true,
            Predicate::Is(wanted) => value == wanted,
            Predicate::Modulo(divisor, rest) => value
                .as_int()
                .is_some_and(|number| number.rem_euclid(divisor) == rest),
        }
    }
}

/// What is known of objects beside their versions.
#[derive(Debug)]
pub(super) struct Universe<'h> {
    /// By object, whether it existed before all transactions but the one that made it.
    pub(super) exists: Vec<bool>,
    /// By object, the transactions that may or may not have taken part and what each would leave
    /// it at, none for nothing.
    pub(super) perhaps: Vec<Vec<(u32, Option<&'h Value>)>>,
    known: FxHashMap<&'h Value, Vec<Vec<u32>>>,
}

impl<'h> Universe<'h> {
    /// Of so many objects, none of which exists.
    pub(super) fn new(keys: usize) -> Self {
        Self {
            exists: vec![false; keys],
            perhaps: vec![Vec::new(); keys],
            known: FxHashMap::default(),
        }
    }

    /// By object, who can have kept it from a read by a predicate: transactions that left it at
    /// what does not match, [`NONE`] for the initial version. Cost: the versions, once a
    /// predicate.
    pub(super) fn hidden(&mut self, facts: &Facts<'h>, text: &'h Value) -> &[Vec<u32>] {
        if !self.known.contains_key(text) {
            let hidden = self.hide(facts, text);
            self.known.insert(text, hidden);
        }
        &self.known[text]
    }

    fn hide(&self, facts: &Facts<'h>, text: &'h Value) -> Vec<Vec<u32>> {
        let Some(predicate) = Predicate::parse(text) else {
            return vec![Vec::new(); self.exists.len()];
        };
        let of = |key: usize| {
            let (first, end) = (facts.first[key], facts.first[key + 1]);
            let begin = first + u32::from(self.exists[key]);
            let left = (begin..end).filter(|version| !facts.matches(*version, predicate));
            // A value that nobody wrote hides nothing for certain, nor does it hide for nobody.
            let writer = |version: u32| (version, facts.writer[version as usize]);
            let told = left
                .map(writer)
                .filter(|(v, by)| *v == first || *by != NONE);
            let perhaps = self.perhaps[key].iter();
            let missed = |value: &Option<&Value>| value.is_none_or(|v| !predicate.matches(v));
            let perhaps = perhaps.filter(|(_, value)| missed(value));
            told.map(|(_, by)| by)
                .chain(perhaps.map(|(txn, _)| *txn))
                .collect()
        };
        (0..self.exists.len()).map(of).collect()
    }
}

/// A deletion's value: this one, not another null.
pub(super) static DEAD: Value = Value::Null;

impl Facts<'_> {
    /// Whether a version is what a deletion left.
    pub(super) fn is_dead(&self, version: u32) -> bool {
        std::ptr::eq(self.value[version as usize], &raw const DEAD)
    }

    /// Whether a version matches a predicate: not the initial one of an object that did not exist,
    /// nor what a deletion left.
    pub(super) fn matches(&self, version: u32, predicate: Predicate<'_>) -> bool {
        let value = self.value[version as usize];
        let first = self.first[self.key[version as usize] as usize];
        let none = version == first && *value == Value::Null || self.is_dead(version);
        !none && predicate.matches(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_are_read_and_match() {
        let mod3 = Value::List(vec!["mod".into(), Value::Int(3), Value::Int(2)]);
        let is5 = Value::List(vec![":=".into(), Value::Int(5)]);
        let all = Value::from(":true");
        let cases = [
            (&mod3, 5, true),
            (&mod3, 4, false),
            (&mod3, -1, true),
            (&is5, 5, true),
            (&is5, 4, false),
            (&all, 4, true),
        ];
        for (text, number, expected) in cases {
            let predicate = Predicate::parse(text).expect("a predicate");
            assert_eq!(
                predicate.matches(&Value::Int(number)),
                expected,
                "{text} {number}"
            );
        }
        assert_eq!(Predicate::parse(&Value::Int(4)), None);
        let zero = Value::List(vec!["mod".into(), Value::Int(0), Value::Int(0)]);
        assert_eq!(Predicate::parse(&zero), None);
    }
}
