//! How far a sweep is: one line, overwritten, on a terminal; elsewhere nothing.

#![expect(
    clippy::disallowed_types,
    reason = "how fast seeds run is told in real time"
)]

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use landfall::render::{counted, grouped};
use landfall::report::SeedOutcome;

use crate::output;

/// How often the line is written at most.
const PERIOD: Duration = Duration::from_millis(100);

/// The progress of one scenario's seeds.
#[derive(Debug)]
pub(crate) struct Progress {
    title: String,
    total: u64,
    counts: Counts,
    /// Kinds of failures.
    kinds: BTreeSet<String>,
    line: Line,
    started: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    done: u64,
    failed: u64,
    landed: u64,
    virtual_ns: u64,
    events: u64,
}

impl Progress {
    /// Begins to count `total` seeds.
    pub(crate) fn new(title: &str, total: u64) -> Self {
        Self {
            title: title.to_owned(),
            total,
            counts: Counts::default(),
            kinds: BTreeSet::new(),
            line: Line::new(),
            started: Instant::now(),
        }
    }

    /// Counts a seed.
    pub(crate) fn seed(&mut self, outcome: &SeedOutcome) {
        self.counts.done += 1;
        self.counts.failed += u64::from(outcome.failed());
        let landed = outcome
            .report()
            .is_some_and(landfall::report::SeedReport::landed);
        self.counts.landed += u64::from(landed);
        if let Some(report) = outcome.report() {
            self.counts.virtual_ns += report.virtual_ns;
            self.counts.events += report.events;
        }
        self.kinds.extend(outcome.signature());
        let elapsed = self.started.elapsed();
        self.line.show(|| {
            let kinds = self.kinds.len();
            line(&self.title, self.total, self.counts, kinds, elapsed)
        });
    }

    /// Takes the line away.
    pub(crate) fn finish(self) {
        self.line.finish();
    }
}

/// A line that says how far something is, overwritten on a terminal; elsewhere nothing.
#[derive(Debug)]
pub(crate) struct Line {
    shown: bool,
    written: Option<Instant>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self {
            shown: output::shows_progress(),
            written: None,
        }
    }

    /// Writes the line, unless it was written a moment ago.
    pub(crate) fn show(&mut self, line: impl FnOnce() -> String) {
        let is_due = self
            .written
            .is_none_or(|written| written.elapsed() >= PERIOD);
        if self.shown && is_due {
            self.written = Some(Instant::now());
            erase_and_write(&line());
        }
    }

    /// Takes the line away.
    pub(crate) fn finish(self) {
        if self.written.is_some() {
            erase_and_write("");
        }
    }
}

fn erase_and_write(line: &str) {
    // A terminal that has gone away needs no progress.
    let mut err = io::stderr().lock();
    let _ = write!(err, "\r\x1b[K{line}").and_then(|()| err.flush());
}

fn line(title: &str, total: u64, counts: Counts, kinds: usize, elapsed: Duration) -> String {
    let Counts {
        done,
        failed,
        landed,
        virtual_ns,
        events,
    } = counts;
    let elapsed_ms = u64::try_from(elapsed.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    let rate = |n: u64| grouped(n.saturating_mul(1_000) / elapsed_ms);
    let (seeds, simulated) = (rate(done), rate(virtual_ns / 1_000_000_000));
    let events = rate(events);
    let (done, total) = (grouped(done), grouped(total));
    let (failed, landed) = (grouped(failed), grouped(landed));
    let kinds = counted(kinds as u64, "way");
    format!(
        "{title}: {done}/{total} seeds, {landed} landed, {failed} failed in {kinds}; \
         a second {seeds} seeds, {simulated} simulated s, {events} events"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_rate_and_counts() {
        let counts = Counts {
            done: 1_200,
            failed: 2,
            landed: 1_199,
            virtual_ns: 40_000_000_000,
            events: 8_000_000,
        };
        let said = line("S1", 2_000, counts, 1, Duration::from_secs(4));
        assert_eq!(
            said,
            "S1: 1,200/2,000 seeds, 1,199 landed, 2 failed in 1 way; \
             a second 300 seeds, 10 simulated s, 2,000,000 events"
        );
        let said = line("S1", 2_000, Counts::default(), 0, Duration::ZERO);
        assert!(said.starts_with("S1: 0/2,000 seeds, 0 landed, 0 failed"));
    }
}
