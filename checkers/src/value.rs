//! What operations carry: keys, arguments, responses.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// How deep lists may nest in a value read from bytes; deeper input is an error.
pub const DEPTH_MAX: usize = 128;

/// A value of a history.
///
/// In JSON it is plain JSON: `null`, `true`, `4`, `"x"`, `[1, 2]`. There are no floats and no
/// objects: a float or an object in the input is an error, since equality, on which every checker
/// rests, has to be exact. The order is `Null < Bool < Int < Text < List`, then by content.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing: the initial value of a register.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A text; boxed, so that a value is three words.
    Text(Box<str>),
    /// A sequence of values.
    List(Vec<Value>),
}

impl Value {
    /// The elements, if this is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The two elements, if this is a list of two: the argument of a `cas`.
    #[must_use]
    pub fn as_pair(&self) -> Option<(&Value, &Value)> {
        match self {
            Value::List(elements) => match elements.as_slice() {
                [first, second] => Some((first, second)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The integer, if this is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Roughly what it occupies, bytes.
    pub(crate) fn size(&self) -> u64 {
        let (mut size, mut rest) = (0, vec![self]);
        while let Some(value) = rest.pop() {
            size += size_of::<Value>() as u64;
            match value {
                Value::Text(text) => size += text.len() as u64,
                Value::List(elements) => rest.extend(elements),
                _ => {}
            }
        }
        size
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text.into_boxed_str())
    }
}

impl From<Vec<Value>> for Value {
    fn from(elements: Vec<Value>) -> Self {
        Value::List(elements)
    }
}

/// Prints the value as JSON, on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// A value for a reader: of a long list its ends, and how many elements lie between them.
pub(crate) struct Brief<'a>(pub(crate) &'a Value);

/// Lists up to this length are written whole.
const BRIEF_MAX: usize = 12;
/// How many elements of each end of a longer one are written.
const BRIEF_HEAD: usize = 3;
const BRIEF_TAIL: usize = 6;

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements = match self.0 {
            Value::List(elements) if elements.len() > BRIEF_MAX => elements,
            value => return value.fmt(f),
        };
        let (head, rest) = elements.split_at(BRIEF_HEAD);
        let (hidden, tail) = rest.split_at(rest.len() - BRIEF_TAIL);
        f.write_str("[")?;
        for element in head {
            write!(f, "{},", Brief(element))?;
        }
        write!(f, " {} more ", hidden.len())?;
        for element in tail {
            write!(f, ",{}", Brief(element))?;
        }
        f.write_str("]")
    }
}

/// The binary shape of a value: its nodes in pre-order, so that reading needs no recursion.
#[derive(serde::Serialize, serde::Deserialize)]
enum Token {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(u32),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return tokens_of(self).serialize(serializer);
        }
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(elements) => {
                let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    sequence.serialize_element(element)?;
                }
                sequence.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(PlainVisitor);
        }
        let tokens = Vec::<Token>::deserialize(deserializer)?;
        value_of(tokens).map_err(de::Error::custom)
    }
}

fn tokens_of(value: &Value) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = vec![value];
    while let Some(next) = rest.pop() {
        tokens.push(match next {
            Value::Null => Token::Null,
            Value::Bool(flag) => Token::Bool(*flag),
            Value::Int(number) => Token::Int(*number),
            Value::Text(text) => Token::Text(text.to_string()),
            Value::List(elements) => {
                rest.extend(elements.iter().rev());
                Token::List(u32::try_from(elements.len()).expect("a list of at most 2^32 elements"))
            }
        });
    }
    tokens
}

fn value_of(tokens: Vec<Token>) -> Result<Value, &'static str> {
    // Lists that are not yet complete: how many elements are still to come, and those that came.
    let mut open: Vec<(u32, Vec<Value>)> = Vec::new();
    let mut whole = None;
    for token in tokens {
        if whole.is_some() {
            return Err("a value goes on after its end");
        }
        let mut value = match token {
            Token::Null => Value::Null,
            Token::Bool(flag) => Value::Bool(flag),
            Token::Int(number) => Value::Int(number),
            Token::Text(text) => Value::from(text),
            Token::List(0) => Value::List(Vec::new()),
            Token::List(_) if open.len() == DEPTH_MAX => return Err("a value nests too deep"),
            Token::List(length) => {
                open.push((length, Vec::new()));
                continue;
            }
        };
        loop {
            let Some((missing, elements)) = open.last_mut() else {
                whole = Some(value);
                break;
            };
            elements.push(value);
            *missing -= 1;
            if *missing > 0 {
                break;
            }
            let (_, elements) = open.pop().expect("the list that was just completed");
            value = Value::List(elements);
        }
    }
    whole.ok_or("a value ends before its last element")
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a truth value, an integer of 64 bits, a text or a list of these")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Int)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            elements.push(element);
        }
        elements.shrink_to_fit();
        Ok(Value::List(elements))
    }
}

#[cfg(test)]
mod tests {
    use super::{Brief, DEPTH_MAX, Token, Value, tokens_of, value_of};

    #[test]
    fn a_long_list_is_written_by_its_ends() {
        let list = |len| Value::List((0..len).map(Value::Int).collect());
        assert_eq!(Brief(&list(3)).to_string(), "[0,1,2]");
        let text = Brief(&list(100)).to_string();
        assert_eq!(text, "[0,1,2, 91 more ,94,95,96,97,98,99]");
    }

    fn read(json: &str) -> Result<Value, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn json_is_plain() {
        let json = r#"[null,true,-4,"x",[],[[1]]]"#;
        let value = read(json).expect("plain JSON");
        assert_eq!(value.to_string(), json);
    }

    #[test]
    fn floats_objects_and_wide_integers_are_refused() {
        for json in ["1.5", "1e2", "{}", "9223372036854775808", "[1, [2.0]]"] {
            let error = read(json).expect_err(json);
            assert!(
                error.contains("expected null, a truth value"),
                "{json}: {error}"
            );
        }
        assert_eq!(read("9223372036854775807"), Ok(Value::Int(i64::MAX)));
    }

    #[test]
    fn tokens_give_the_value_back() {
        for json in ["null", "[]", "[[],[1,[2,\"x\"]],false]", "[[[[]]],0]"] {
            let value = read(json).expect(json);
            assert_eq!(value_of(tokens_of(&value)), Ok(value));
        }
    }

    #[test]
    fn broken_tokens_are_refused() {
        assert!(value_of(Vec::new()).is_err());
        assert!(value_of(vec![Token::List(2), Token::Null]).is_err());
        assert!(value_of(vec![Token::Null, Token::Null]).is_err());
        let deep = |depth: usize| {
            let mut tokens: Vec<Token> = (0..depth).map(|_| Token::List(1)).collect();
            tokens.push(Token::Null);
            value_of(tokens)
        };
        assert!(deep(DEPTH_MAX).is_ok());
        assert!(deep(DEPTH_MAX + 1).is_err());
    }
}
