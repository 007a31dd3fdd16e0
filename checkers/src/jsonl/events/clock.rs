//! Time stamps of events: the times that rows give, in an order that the rows alone decide.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::preflight::Note;

/// The last time stamp that is taken for one, so that what follows it can be told from it.
const LAST: u64 = u64::MAX >> 1;

/// Gives each event its time stamp: its row's time, or the nanosecond after the event before it
/// where that is later, or where the row gives none.
#[derive(Default)]
pub(super) struct Clock {
    last: Option<u64>,
    timed: bool,
}

impl Clock {
    pub(super) fn next(&mut self, time: Option<u64>) -> u64 {
        let time = time.filter(|time| *time <= LAST);
        self.timed |= time.is_some();
        let least = self.last.map_or(0, |last| last + 1);
        let at = time.unwrap_or(0).max(least);
        self.last = Some(at);
        at
    }

    /// What a reader of such a history should know.
    pub(super) fn notes(&self) -> Vec<Note> {
        if self.timed || self.last.is_none() {
            return Vec::new();
        }
        let message = "no row has a time: an event's number stands for its nanosecond".to_owned();
        vec![Note {
            kind: "untimed",
            message,
            ops: Vec::new(),
        }]
    }
}

/// A number of nanoseconds, or none where anything else stands.
pub(super) fn nanos<'d, D: Deserializer<'d>>(input: D) -> Result<Option<u64>, D::Error> {
    input.deserialize_any(Nanos)
}

struct Nanos;

impl<'d> Visitor<'d> for Nanos {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_u64<E>(self, nanos: u64) -> Result<Option<u64>, E> {
        Ok(Some(nanos))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut input: A) -> Result<Option<u64>, A::Error> {
        while input.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'d>>(self, mut input: A) -> Result<Option<u64>, A::Error> {
        while input.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
