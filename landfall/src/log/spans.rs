//! The spans that a line stands in: their fields go behind its own, so that what tells one request
//! from another is in every line of it.
//!
//! Nothing is allocated once capturing has begun: the guest's memory is laid out as without.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};

/// How many spans are remembered: the last ones.
const SPANS: usize = 4_096;

/// How much of a span's fields is kept, in bytes.
const FIELDS_MAX: usize = 240;

/// How deep spans are nested at most, to be seen.
const DEPTH_MAX: usize = 64;

#[derive(Clone, Copy)]
struct Span {
    id: u64,
    length: usize,
}

/// Spans by their number, each in a place that a later one takes over.
pub(super) struct Spans {
    places: Vec<Span>,
    fields: Vec<u8>,
    /// Those that are entered, the innermost last.
    entered: Vec<u64>,
}

impl Spans {
    pub(super) fn new() -> Self {
        let none = Span { id: 0, length: 0 };
        Self {
            places: vec![none; SPANS],
            fields: vec![0; SPANS * FIELDS_MAX],
            entered: Vec::with_capacity(DEPTH_MAX),
        }
    }

    pub(super) fn begin(&mut self, id: u64, attributes: &Attributes<'_>) {
        self.places[place(id)] = Span { id, length: 0 };
        attributes.record(&mut Fields { spans: self, id });
    }

    pub(super) fn record(&mut self, id: u64, values: &Record<'_>) {
        values.record(&mut Fields { spans: self, id });
    }

    pub(super) fn enter(&mut self, id: u64) {
        if self.entered.len() < DEPTH_MAX {
            self.entered.push(id);
        }
    }

    pub(super) fn exit(&mut self, id: u64) {
        if let Some(at) = self.entered.iter().rposition(|entered| *entered == id) {
            self.entered.remove(at);
        }
    }

    /// The fields of the spans that are entered, the outermost first.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let known = self
            .entered
            .iter()
            .map(move |id| (*id, self.places[place(*id)]));
        known
            .filter(|(id, span)| *id == span.id)
            .map(move |(id, span)| {
                let start = place(id) * FIELDS_MAX;
                &self.fields[start..start + span.length]
            })
    }
}

fn place(id: u64) -> usize {
    (id % SPANS as u64) as usize
}

/// Writes fields into a span's place, as far as there is room.
struct Fields<'a> {
    spans: &'a mut Spans,
    id: u64,
}

impl fmt::Write for Fields<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let at = place(self.id);
        let span = &mut self.spans.places[at];
        if span.id == self.id {
            let room = FIELDS_MAX - span.length;
            let text = &text.as_bytes()[..text.len().min(room)];
            let start = at * FIELDS_MAX + span.length;
            self.spans.fields[start..start + text.len()].copy_from_slice(text);
            span.length += text.len();
        }
        Ok(())
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // What a value's own formatting refuses is left out.
        let _as_much_as_there_is = write!(self, " {}={value:?}", field.name());
    }
}
