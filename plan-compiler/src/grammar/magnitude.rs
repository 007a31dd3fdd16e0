//! `by 5s`, `+300ms`, `200 ppm`, `10 % slower`, `1 Mbit/s`: how far something goes wrong, and
//! which way.

use super::fault_words::WAYS;
use super::storage_words::kind_at;
use crate::cursor::Cursor;
use crate::scenario::{FaultKind, NetEffect, Span, StorageFault, Way};
use crate::tokens::Token;

/// How much, as the plan says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    /// Nanoseconds.
    Time(Span),
    /// Millionths.
    Ppm(Span),
    /// Bytes a second.
    Rate(Span),
    /// Bytes.
    Bytes(Span),
}

/// What a clause says of its size; what it leaves open is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MagnitudeDraft {
    pub(crate) amount: Option<Amount>,
    pub(crate) way: Option<Way>,
}

impl MagnitudeDraft {
    pub(crate) const fn is_said(&self) -> bool {
        self.amount.is_some() || self.way.is_some()
    }
}

/// Reads one phrase into the draft: `Some(true)` when it contradicts what is there.
pub(crate) fn phrase(cursor: &mut Cursor<'_>, draft: &mut MagnitudeDraft) -> Option<bool> {
    if let Some((sign, amount)) = cursor.attempt(amount) {
        let clash = put(&mut draft.amount, amount);
        return Some(sign.is_some_and(|way| put(&mut draft.way, way)) || clash);
    }
    let way = cursor.lookup(WAYS)?;
    Some(put(&mut draft.way, way))
}

fn put<T: PartialEq>(slot: &mut Option<T>, value: T) -> bool {
    let clash = slot.as_ref().is_some_and(|old| *old != value);
    *slot = Some(value);
    clash
}

/// A bare duration is a size only where something says so, before it or after it.
fn amount(c: &mut Cursor<'_>) -> Option<(Option<Way>, Amount)> {
    // `at 5s` is a time of the schedule.
    let at = c.eat("at");
    let said = !at && c.eat_any(&["by", "of", "by|of? up to"]);
    // `latency=200ms`, `rate=100KB/s`.
    c.eat_any(&["latency|jitter|rate =", "="]);
    c.eat_any(&["about|roughly", "at most"]);
    let sign = c.lookup(&[("+", Way::Ahead), ("-", Way::Behind), ("±", Way::Either)]);
    if let Some(ppm) = c.attempt(millionths) {
        return Some((sign, Amount::Ppm(ppm)));
    }
    if let Some(rate) = c.attempt(rate) {
        return Some((sign, Amount::Rate(rate)));
    }
    if let Some(bytes) = c.attempt(bytes) {
        return Some((sign, Amount::Bytes(bytes)));
    }
    let said = said || after_latency(c);
    let (min, max) = c.duration_range()?;
    let (min, max, spread) = match c.attempt(spread) {
        Some(by) if min == max => (min.checked_sub(by)?, max.checked_add(by)?, true),
        Some(_) => return None,
        None => (min, max, false),
    };
    let each = c.eat_any(&["per|each call|operation|op|request", "per|each i / o"]);
    let said = said || sign.is_some() || spread || each || names_what_is_long(*c);
    (said && !at && min > 0).then_some((sign, Amount::Time(Span { min, max })))
}

/// `± 50ms`, `jitter=50ms`, after a latency.
fn spread(c: &mut Cursor<'_>) -> Option<u64> {
    c.eat_any(&[
        "±",
        ", jitter =|of?",
        "with|and jitter =|of?",
        "jitter =|of",
    ])
    .then_some(())?;
    c.duration()
}

/// `latency 100ms`, `latency=100ms`, `back 5s`.
fn after_latency(c: &Cursor<'_>) -> bool {
    let word = |back: usize| {
        let token = c.at.checked_sub(back).and_then(|at| c.tokens.get(at));
        token.map_or("", Token::spelling)
    };
    let back = if matches!(word(1), "=" | "toxic") {
        2
    } else {
        1
    };
    matches!(
        word(back),
        "latency" | "delay" | "jitter" | "back" | "backwards" | "forward" | "ahead" | "behind"
    )
}

fn names_what_is_long(mut next: Cursor<'_>) -> bool {
    next.eat_any(&["of", "additional|added|extra|more"]);
    let is_long = |kind| match kind {
        FaultKind::ClockStep { .. } => true,
        FaultKind::Network { effect, .. } => matches!(effect, NetEffect::Latency { .. }),
        FaultKind::Storage { how, .. } => matches!(how, StorageFault::Slow { .. }),
        _ => false,
    };
    next.lookup(WAYS).is_some() || kind_at(&mut next).is_some_and(is_long)
}

/// `5%`, `100ms`, before the fault that they are the size of.
pub(crate) fn leads(c: &mut Cursor<'_>) -> Option<()> {
    amount(c).map(|_| ())
}

/// `1 Mbit/s`, `100 kbps`, `64 KiB/s`; in bytes a second.
fn rate(c: &mut Cursor<'_>) -> Option<Span> {
    const BITS: &[(&str, u64)] = &[
        ("kbit|kbits / s|sec|second", 1_000),
        ("mbit|mbits / s|sec|second", 1_000_000),
        ("gbit|gbits / s|sec|second", 1_000_000_000),
        ("kbit|kbps|kbits", 1_000),
        ("mbit|mbps|mbits", 1_000_000),
        ("gbit|gbps|gbits", 1_000_000_000),
        ("b|bytes / s|sec|second", 8),
        ("kb / s|sec|second", 8_000),
        ("mb / s|sec|second", 8_000_000),
        ("kib / s|sec|second", 8 * 1_024),
        ("mib / s|sec|second", 8 * 1_024 * 1_024),
    ];
    let milli = c.milli()?;
    let bits = milli.checked_mul(c.lookup(BITS)?)? / 1_000;
    let bytes = bits / 8;
    (bytes > 0).then_some(Span {
        min: bytes,
        max: bytes,
    })
}

/// `64 MiB`, `100 MB`.
fn bytes(c: &mut Cursor<'_>) -> Option<Span> {
    const UNITS: &[(&str, u64)] = &[
        ("b|bytes", 1),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
    ];
    let milli = c.milli()?;
    let bytes = milli.checked_mul(c.lookup(UNITS)?)? / 1_000;
    (bytes > 0).then_some(Span {
        min: bytes,
        max: bytes,
    })
}

/// `200 ppm`, `100-500 ppm`, `10 %`, `0.1%`.
fn millionths(c: &mut Cursor<'_>) -> Option<Span> {
    let number = |c: &mut Cursor<'_>| match c.milli() {
        Some(milli) => Some(milli),
        None => c.count()?.checked_mul(1_000),
    };
    let low = number(c)?;
    let high = c.attempt(|c| {
        c.eat_any(&["-", "to", "%? -|to"]).then_some(())?;
        number(c)
    });
    let unit = c.lookup(&[("ppm", 1), ("parts per million", 1), ("%|percent", 10_000)])?;
    let span = Span {
        min: low.checked_mul(unit)? / 1_000,
        max: high.unwrap_or(low).checked_mul(unit)? / 1_000,
    };
    (0 < span.min && span.min <= span.max).then_some(span)
}
