//! Reading tokens by phrases and quantities.
//!
//! A phrase is words separated by spaces: `a|b` matches either, `a?` may be absent.

use std::ops::Range;

use crate::tokens::{Kind, Token};

/// A place in a list of tokens.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'t> {
    pub(crate) tokens: &'t [Token],
    pub(crate) at: usize,
}

/// Units of time and their nanoseconds.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us|µs|μs|microseconds|microsecond", 1_000),
    ("ms|msec|millis|milliseconds|millisecond", 1_000_000),
    ("s|sec|secs|second|seconds", 1_000_000_000),
    ("m|min|mins|minute|minutes", 60_000_000_000),
    ("h|hr|hrs|hour|hours", 3_600_000_000_000),
];

const NUMBER_WORDS: &[(&str, u64)] = &[
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("fifteen", 15),
    ("sixteen", 16),
    ("twenty", 20),
    ("thirty", 30),
    ("sixty", 60),
];

/// What a word stands for, too: the leader of a pair has other names.
pub(crate) fn alias(word: &str) -> &str {
    match word {
        "primary" | "master" => "leader",
        "primaries" | "masters" => "leaders",
        word => word,
    }
}

/// Whether durations are counted in it.
pub(crate) fn is_unit(word: &str) -> bool {
    UNITS
        .iter()
        .any(|(names, _)| names.split('|').any(|name| name == word))
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(tokens: &'t [Token]) -> Self {
        Cursor { tokens, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    pub(crate) fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The bytes from token `from` up to here.
    pub(crate) fn span_from(&self, from: usize) -> Range<usize> {
        let used = &self.tokens[from.min(self.tokens.len())..self.at.min(self.tokens.len())];
        let start = used.first().map_or(0, |token| token.span.start);
        let end = used.iter().rev().find(|t| t.kind != Kind::Break);
        start..end.map_or(start, |token| token.span.end)
    }

    /// Eats the phrase when it comes next.
    pub(crate) fn eat(&mut self, phrase: &str) -> bool {
        match self.matches(phrase) {
            Some(end) => {
                self.at = end;
                true
            }
            None => false,
        }
    }

    /// Eats the longest of the phrases that comes next.
    pub(crate) fn eat_any(&mut self, phrases: &[&str]) -> bool {
        let longest = phrases
            .iter()
            .filter_map(|phrase| self.matches(phrase))
            .max();
        self.at = longest.unwrap_or(self.at);
        longest.is_some()
    }

    /// Eats the longest of the table's phrases that comes next; gives what it stands for.
    pub(crate) fn lookup<T: Copy>(&mut self, table: &[(&str, T)]) -> Option<T> {
        let mut best: Option<(usize, T)> = None;
        for (phrase, value) in table {
            if let Some(end) = self.matches(phrase)
                && best.is_none_or(|(longest, _)| end > longest)
            {
                best = Some((end, *value));
            }
        }
        let (end, value) = best?;
        self.at = end;
        Some(value)
    }

    /// Where the phrase ends when it comes next.
    fn matches(&self, phrase: &str) -> Option<usize> {
        let mut at = self.at;
        // Most phrases fall here: the token is none of their words.
        let first = self.tokens.get(at)?.spelling();
        if !phrase.contains(first) && !phrase.contains(alias(first)) {
            return None;
        }
        for element in phrase.split(' ') {
            let (element, optional) = match element.strip_suffix('?') {
                Some(element) => (element, true),
                None => (element, false),
            };
            let spelling = self.tokens.get(at).map_or("", Token::spelling);
            let also = alias(spelling);
            let is_said = |word: &str| word == spelling || word == also;
            if !spelling.is_empty() && element.split('|').any(is_said) {
                at += 1;
            } else if !optional {
                return None;
            }
        }
        (at > self.at).then_some(at)
    }

    /// Runs a reader; when it reads nothing, everything is as before.
    pub(crate) fn attempt<T>(
        &mut self,
        read: impl FnOnce(&mut Cursor<'t>) -> Option<T>,
    ) -> Option<T> {
        let mut probe = *self;
        let value = read(&mut probe)?;
        self.at = probe.at;
        Some(value)
    }

    /// A whole number, in digits or as a word.
    pub(crate) fn count(&mut self) -> Option<u64> {
        if let Some(Kind::Number {
            milli: Some(milli), ..
        }) = self.peek().map(|t| &t.kind)
            && milli.is_multiple_of(1000)
        {
            self.at += 1;
            return Some(milli / 1000);
        }
        self.lookup(NUMBER_WORDS)
    }

    /// A whole number that fits where fewer bits are kept.
    pub(crate) fn small(&mut self) -> Option<u32> {
        self.attempt(|c| u32::try_from(c.count()?).ok())
    }

    /// A number in digits, in thousandths.
    pub(crate) fn milli(&mut self) -> Option<u64> {
        match self.peek()?.kind {
            Kind::Number {
                milli: Some(milli), ..
            } => {
                self.at += 1;
                Some(milli)
            }
            _ => None,
        }
    }

    /// A duration with its unit, in nanoseconds.
    pub(crate) fn duration(&mut self) -> Option<u64> {
        self.attempt(|c| {
            let milli = match c.milli() {
                Some(milli) => milli,
                None => c.count()?.checked_mul(1000)?,
            };
            scale(milli, c.lookup(UNITS)?)
        })
    }

    /// `0:30`, `1:02:30`: minutes and seconds, or hours before them; in nanoseconds.
    pub(crate) fn clock(&mut self) -> Option<u64> {
        let part = |c: &mut Self| match &c.peek()?.kind {
            Kind::Number { digits, .. } if digits.len() == 2 => {
                let part = c.count()?;
                (part < 60).then_some(part)
            }
            _ => None,
        };
        self.attempt(|c| {
            let mut seconds = c.count()?;
            let mut parts = 0;
            while parts < 2 && c.eat(":") {
                seconds = seconds.checked_mul(60)?.checked_add(part(c)?)?;
                parts += 1;
            }
            (parts > 0).then_some(())?;
            seconds.checked_mul(1_000_000_000)
        })
    }

    /// A point in time: `30s`, `0:30`.
    pub(crate) fn moment(&mut self) -> Option<u64> {
        self.clock().or_else(|| self.duration())
    }

    /// `5-8s`, `5s to 8s`, `5s-8s`, or one duration; in nanoseconds, ends included.
    pub(crate) fn duration_range(&mut self) -> Option<(u64, u64)> {
        self.attempt(|c| {
            let low = match c.milli() {
                Some(low) => low,
                None => c.count()?.checked_mul(1000)?,
            };
            let unit = c.lookup(UNITS);
            let ranged = c.attempt(|c| {
                c.lookup(&[("-", ()), ("to", ()), ("and", ())])?;
                c.eat("t +");
                let high = c.milli()?;
                let high_unit = c.lookup(UNITS)?;
                scale(high, high_unit).map(|high| (high, high_unit))
            });
            match (ranged, unit) {
                (Some((high, high_unit)), _) => {
                    let low = scale(low, unit.unwrap_or(high_unit))?;
                    (low <= high).then_some((low, high))
                }
                (None, Some(unit)) => scale(low, unit).map(|one| (one, one)),
                (None, None) => None,
            }
        })
    }

    /// Goes to the next place where a clause may end.
    pub(crate) fn skip_clause(&mut self) {
        self.at += 1;
        while self.peek().is_some_and(|token| !token.separates()) {
            self.at += 1;
        }
    }
}

fn scale(milli: u64, unit: u64) -> Option<u64> {
    let nanos = u128::from(milli) * u128::from(unit) / 1000;
    u64::try_from(nanos).ok()
}
