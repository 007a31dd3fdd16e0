//! `by 5s`, `+300ms`, `200 ppm`, `10 % slower`: how far a clock goes wrong, and which way.

use super::fault_words::{KINDS, WAYS};
use crate::cursor::Cursor;
use crate::scenario::{FaultKind, Span, Way};

/// How much, as the plan says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    /// Nanoseconds.
    Time(Span),
    /// Millionths.
    Ppm(Span),
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
    c.eat_any(&["about|roughly", "at most"]);
    let sign = c.lookup(&[("+", Way::Ahead), ("-", Way::Behind), ("±", Way::Either)]);
    if let Some(ppm) = c.attempt(millionths) {
        return Some((sign, Amount::Ppm(ppm)));
    }
    let (min, max) = c.duration_range()?;
    let said = said || sign.is_some() || names_a_clock(*c);
    (said && !at && min > 0).then_some((sign, Amount::Time(Span { min, max })))
}

fn names_a_clock(mut next: Cursor<'_>) -> bool {
    next.eat("of");
    let is_clock = |kind| matches!(kind, FaultKind::ClockStep { .. });
    next.lookup(WAYS).is_some() || next.lookup(KINDS).is_some_and(is_clock)
}

/// `200 ppm`, `100-500 ppm`, `10 %`.
fn millionths(c: &mut Cursor<'_>) -> Option<Span> {
    let low = c.count()?;
    let high = c.attempt(|c| {
        c.eat_any(&["-", "to", "%? -|to"]).then_some(())?;
        c.count()
    });
    let unit = c.lookup(&[("ppm", 1), ("parts per million", 1), ("%|percent", 10_000)])?;
    let span = Span {
        min: low.checked_mul(unit)?,
        max: high.unwrap_or(low).checked_mul(unit)?,
    };
    (0 < span.min && span.min <= span.max).then_some(span)
}
