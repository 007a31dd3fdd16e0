//! `at T+60s for 30s`, `every 5-8s`, `repeat 10x`: when a fault's window opens and closes.

use crate::cursor::Cursor;
use crate::scenario::{FaultKind, NetEffect, Repeat, Span, StorageFault, When};
use crate::tokens::Token;

/// What a clause says about time; what it leaves open is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScheduleDraft {
    pub(crate) start: Option<Start>,
    pub(crate) duration: Option<Length>,
    pub(crate) every: Option<Span>,
    pub(crate) times: Option<Times>,
    /// From the end of a window to the next opening.
    pub(crate) gap: Option<Span>,
}

impl ScheduleDraft {
    /// Whether the clause says when its windows open, be it that they are always open.
    pub(crate) fn is_timed(&self) -> bool {
        self.start.is_some() || self.every.is_some() || self.is_whole()
    }

    /// Whether a window is open as long as the workload.
    pub(crate) fn is_whole(&self) -> bool {
        self.duration == Some(Length::Whole) || self.times == Some(Times::Throughout)
    }

    /// `packet loss throughout` does not stop; `kill -9 the leader throughout` comes again.
    pub(crate) fn settle_throughout(&mut self, kind: FaultKind) {
        let open = self.every.is_none() && self.duration.is_none() && lasts(kind);
        if self.times == Some(Times::Throughout) && open {
            self.times = None;
            self.duration = Some(Length::Whole);
        }
    }
}

/// Whether a fault goes on for as long as its window is open.
const fn lasts(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Network { effect, .. } => !matches!(effect, NetEffect::Reset),
        FaultKind::Storage { how, .. } => !matches!(
            how,
            StorageFault::Wipe | StorageFault::StaleRestore | StorageFault::Swap
        ),
        FaultKind::Partition { .. }
        | FaultKind::Split { .. }
        | FaultKind::DiskError
        | FaultKind::DiskFull
        | FaultKind::ClockDrift { .. }
        | FaultKind::Starve { .. }
        | FaultKind::Descriptors => true,
        _ => false,
    }
}

/// When a window first opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    At(Span),
    /// With the workload, and to its end where no length is said.
    Onward,
    /// Between these percents of the workload.
    Share(u64, u64),
}

/// How long a window stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    For(Span),
    /// Until this long after the start of the workload.
    Until(u64),
    ToTheEnd,
    /// As long as the workload.
    Whole,
}

/// How often a window opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Exactly(u32),
    ToTheEnd,
    /// Open all the time, or again and again where a fault is over at once.
    Throughout,
}

const LENGTHS: &[&str] = &[
    "for",
    "lasting|lasts|held|hold|holding for?",
    "down for",
    "restart|restarts|restarted|restarting after|in|within",
    "restart|restarts|restarted each? node? after",
    "restart|restarts|restarted it|them|each after",
    "back|up|rejoins|returns after",
    "heal|heals|healed|healing|lifted|restored it|them? after|in",
    "power|powered back? on? after",
    "start|starts|started it|them? again|back? up? after|in",
    "recover|recovers after",
    "bring|brings it|them? back up|online? after|in?",
    "resume|resumes|resumed|continue|continued|sigcont|unpause|unpaused it|them? after|in",
];

const TO_THE_END: &[&str] = &[
    "for the rest of the run|workload|test",
    "until the end of? the? run|workload|test?",
    "never healed|restarted",
    "permanent|permanently",
    "without restart|heal|healing",
];

const NEVER: &[&str] = &[
    "and? never restart|heal it|them?",
    "and? do|does not restart|heal it|them?",
];

const WHOLE: &[&str] = &[
    "for|during|over the? whole|entire|full run|workload|test|duration",
    "for the whole|full? duration of the? run|workload|test",
    "for all of the run|workload|test",
];

const SCENERY: &[&str] = &["into|of|after the? run|workload|test|start", "into it"];

/// Reads one schedule phrase into the draft: `Some(true)` when it contradicts what is there.
pub(crate) fn phrase(cursor: &mut Cursor<'_>, draft: &mut ScheduleDraft) -> Option<bool> {
    if cursor.eat_any(&ELECTED) {
        return Some(put(&mut draft.start, Start::At(Span { min: 0, max: 0 })));
    }
    if let Some((start, end)) = cursor.attempt(window) {
        let clash = put(&mut draft.start, Start::At(start));
        return Some(put(&mut draft.duration, Length::Until(end)) || clash);
    }
    if let Some(length) = cursor.attempt(length) {
        return Some(put(&mut draft.duration, length));
    }
    if let Some(gap) = cursor.attempt(gap) {
        return Some(put(&mut draft.gap, gap));
    }
    if let Some(every) = cursor.attempt(every) {
        return Some(put(&mut draft.every, every));
    }
    if let Some((first, every)) = cursor.attempt(both) {
        let clash = put(&mut draft.start, Start::At(first));
        let clash = put(&mut draft.every, every) || clash;
        return Some(put(&mut draft.times, Times::Exactly(2)) || clash);
    }
    if let Some(times) = cursor.attempt(times) {
        return Some(put(&mut draft.times, times));
    }
    if cursor.eat_any(&["from the start|beginning"]) {
        cursor.eat_any(SCENERY);
        cursor.eat("on|onward|onwards");
        return Some(put(&mut draft.start, Start::Onward));
    }
    let start = match cursor.attempt(share) {
        Some((low, high)) => Start::Share(low, high),
        None => Start::At(cursor.attempt(start)?),
    };
    Some(put(&mut draft.start, start))
}

/// `at a random point`, `mid-workload`, `halfway through`, `at 50% of the workload`.
fn share(c: &mut Cursor<'_>) -> Option<(u64, u64)> {
    let anywhere = [
        "at a|any? uniformly? random|arbitrary point|time|moment|instant",
        "at random times|points",
        "randomly during the? run|workload|test",
    ];
    let middle = [
        "mid workload|run|test|way",
        "in|at the middle of the? run|workload|test",
        "at a random point mid workload|run|test",
        "at a random point in the middle of the? run|workload|test",
        "halfway through|into the? run|workload|test?",
        "half way through|into the? run|workload|test?",
    ];
    if c.eat_any(&middle) {
        return Some((40, 60));
    }
    if c.eat_any(&anywhere) {
        c.eat_any(&SHARED);
        return Some((0, 90));
    }
    let halves = [
        "between the? two? phases of? the? run|workload|test?",
        "between the? two? halves of the? run|workload|test",
    ];
    if c.eat_any(&halves) {
        return Some((50, 50));
    }
    c.eat("at|after").then_some(())?;
    let percent = c.count().filter(|percent| *percent < 100)?;
    c.eat("%|percent").then_some(())?;
    c.eat_any(&SHARED).then_some((percent, percent))
}

const SHARED: [&str; 1] = ["of|in|during the? run|workload|test|load|duration"];

/// A run's workload begins when somebody leads.
const ELECTED: [&str; 1] = [
    "once|when|after|as soon|soon? as? the|a? leader is|was|has? been? \
     elected|leads|exists|established",
];

fn put<T: PartialEq>(slot: &mut Option<T>, value: T) -> bool {
    let clash = slot.as_ref().is_some_and(|old| *old != value);
    *slot = Some(value);
    clash
}

fn span(c: &mut Cursor<'_>) -> Option<Span> {
    c.eat_any(&["about", "roughly", "random|randomly"]);
    let article = |c: &mut Cursor<'_>| {
        c.eat("a|an full?").then_some(())?;
        let units = [("second", 1), ("minute", 60), ("hour", 3_600)];
        c.lookup(&units)
    };
    if let Some(seconds) = c.attempt(article) {
        return Some(exactly(seconds * 1_000_000_000));
    }
    if let Some(moment) = c.clock() {
        return Some(exactly(moment));
    }
    c.duration_range().map(|(min, max)| Span { min, max })
}

const fn exactly(at: u64) -> Span {
    Span { min: at, max: at }
}

/// `from T+10s to T+20s`.
fn window(c: &mut Cursor<'_>) -> Option<(Span, u64)> {
    c.eat("from t +").then_some(())?;
    let start = c.moment()?;
    c.eat("to|until|till|-").then_some(())?;
    c.eat("t +");
    let end = c.moment().filter(|end| *end > start)?;
    Some((exactly(start), end))
}

fn length(c: &mut Cursor<'_>) -> Option<Length> {
    let later = |c: &mut Cursor<'_>| {
        c.eat("t +").then_some(())?;
        let end = c.duration()?;
        c.eat(":");
        c.eat("restart|restarts|heal|heals|healed|resume|recover|recovers")
            .then_some(Length::Until(end))
    };
    if let Some(length) = c.attempt(later) {
        return Some(length);
    }
    // `do not restart after 1s` says something else.
    let never = |c: &mut Cursor<'_>| {
        c.eat_any(NEVER).then_some(())?;
        let ends = c
            .peek()
            .is_none_or(|t| t.separates() || t.spelling() == "and");
        ends.then_some(Length::ToTheEnd)
    };
    if let Some(length) = c.attempt(never) {
        return Some(length);
    }
    if c.eat_any(WHOLE) {
        return Some(Length::Whole);
    }
    if c.eat_any(TO_THE_END) {
        return Some(Length::ToTheEnd);
    }
    if c.eat_any(&[
        "until|till t +",
        "heal|heals|healed|restart|restarts|restarted at t +",
        "rejoin|rejoins|resume|resumes at t +",
        "start|starts|started it|them? again|back? up? at t +",
    ]) {
        return c.moment().map(Length::Until);
    }
    if c.eat_any(LENGTHS) {
        let length = span(c)?;
        c.eat_any(&["each time?", "at a time", "window", "later"]);
        return Some(Length::For(length));
    }
    if c.eat_any(&[
        "restart|restarts|restarted|heal|heals|healed|back|back it|them? up?",
        "comes|come|brought|bring it|them? back up|online?",
        "start|starts|started it|them? again|back? up?",
    ]) {
        let length = span(c)?;
        return c.eat("later").then_some(Length::For(length));
    }
    None
}

fn every(c: &mut Cursor<'_>) -> Option<Span> {
    let apart = |c: &mut Cursor<'_>| {
        let every = span(c)?;
        c.eat("apart").then_some(every)
    };
    if let Some(every) = c.attempt(apart) {
        return Some(every);
    }
    c.eat("repeat|repeats|repeated|repeating");
    c.eat("every").then_some(())?;
    span(c)
}

/// `with 15s in between`, `15s of rest between them`.
fn gap(c: &mut Cursor<'_>) -> Option<Span> {
    c.eat(",");
    c.eat("with");
    let gap = span(c)?;
    c.eat("of");
    c.eat_any(&[
        "rest|pause|break|recovery? in? between them|each|partitions|kills|faults|rounds|runs?",
    ])
    .then_some(gap)
}

fn times(c: &mut Cursor<'_>) -> Option<Times> {
    let to_the_end = [
        "repeat|repeats|repeated until the end of? the? run|workload?",
        "repeatedly",
        "continuously",
    ];
    if c.eat_any(&to_the_end) {
        return Some(Times::ToTheEnd);
    }
    if c.eat("throughout the? whole|entire? run|workload|test?") {
        return Some(Times::Throughout);
    }
    if let Some(times) = c.lookup(&[("once", 1), ("twice", 2), ("thrice", 3)]) {
        return Some(Times::Exactly(times));
    }
    let said = c.eat("repeat|repeats|repeated|repeating :?");
    c.eat("x");
    let times = c.small().filter(|times| *times > 0)?;
    let counted = c.eat_any(&[
        "x",
        "times in? all|total?",
        "cycles|rounds|repetitions|iterations",
    ]);
    (said || counted).then_some(Times::Exactly(times))
}

/// `at T+10s and T+30s`: two openings, not one somewhere between.
fn both(c: &mut Cursor<'_>) -> Option<(Span, Span)> {
    c.eat("at").then_some(())?;
    c.eat_any(&["t +", "t ="]);
    let first = c.duration()?;
    c.eat("and again? at?").then_some(())?;
    c.eat_any(&["t +", "t ="]);
    let second = c.duration().filter(|second| *second > first)?;
    if c.eat("later|after|apart") {
        return None;
    }
    c.eat_any(SCENERY);
    Some((exactly(first), exactly(second - first)))
}

fn start(c: &mut Cursor<'_>) -> Option<Span> {
    if c.eat_any(&["at the start", "at t = 0", "immediately"]) {
        c.eat_any(SCENERY);
        return Some(Span { min: 0, max: 0 });
    }
    let from = c.at;
    let lead = c.eat_any(&[
        "at|from|after|starting|start|starts|between|around|first? at|from|after?",
        "first opening|one at?",
    ]);
    let from_start = c.eat_any(&["t + -", "t +", "t ="]);
    let start = if lead || from_start {
        span(c)?
    } else {
        c.attempt(into_run)?
    };
    // `at 10s and 30s` is no stretch of time.
    let said = |word: &str| c.tokens[from..c.at].iter().any(|t| t.spelling() == word);
    if said("and") && !said("between") {
        return None;
    }
    c.eat_any(SCENERY);
    // `starting 20s in`.
    c.attempt(|c| {
        c.eat("in").then_some(())?;
        c.peek().is_none_or(Token::separates).then_some(())
    });
    Some(start)
}

/// `10s into the run`.
fn into_run(c: &mut Cursor<'_>) -> Option<Span> {
    let start = span(c)?;
    c.eat("into the? run|workload|test").then_some(start)
}

/// What holds where the clause is silent; each default is named.
pub(crate) fn settle(
    draft: &ScheduleDraft,
    usual: Span,
    workload_ns: u64,
) -> (When, Vec<&'static str>) {
    let mut defaults = Vec::new();
    let percent = |share: u64| workload_ns / 100 * share;
    let is_whole = draft.duration == Some(Length::Whole);
    let is_onward = draft.start == Some(Start::Onward);
    let once = draft.every.is_none() && draft.times.is_none();
    let start_ns = match (draft.start, draft.every) {
        (Some(Start::At(start)), _) => start,
        (Some(Start::Onward), _) => Span { min: 0, max: 0 },
        (Some(Start::Share(low, high)), _) => Span {
            min: percent(low),
            max: percent(high),
        },
        (None, _) if is_whole => Span { min: 0, max: 0 },
        (None, every) => {
            defaults.push("first opening");
            every.unwrap_or(Span {
                min: percent(10),
                max: percent(50),
            })
        }
    };
    let duration_ns = match draft.duration {
        Some(Length::For(span)) => span,
        Some(Length::Until(end)) => {
            let length = end.saturating_sub(start_ns.min).max(1);
            Span {
                min: length,
                max: length,
            }
        }
        Some(Length::ToTheEnd | Length::Whole) => {
            let length = workload_ns.saturating_sub(start_ns.min).max(1);
            Span {
                min: length,
                max: length,
            }
        }
        None if is_onward && once => Span {
            min: workload_ns,
            max: workload_ns,
        },
        None => {
            defaults.push("length");
            usual
        }
    };
    let apart = |gap: Span| Span {
        min: gap.min.saturating_add(duration_ns.max),
        max: gap.max.saturating_add(duration_ns.max),
    };
    let repeat = match (draft.every.or(draft.gap.map(apart)), draft.times) {
        (None, None) => None,
        (None, Some(Times::Exactly(1))) => None,
        (Some(every_ns), Some(Times::Exactly(times))) => Some(Repeat {
            every_ns,
            times: Some(times),
        }),
        (Some(every_ns), _) => Some(Repeat {
            every_ns,
            times: None,
        }),
        (None, Some(times)) => {
            defaults.push("distance from opening to opening");
            let every = duration_ns.max.saturating_mul(2).max(1_000_000_000);
            let times = match times {
                Times::Exactly(times) => Some(times),
                Times::ToTheEnd | Times::Throughout => None,
            };
            Some(Repeat {
                every_ns: Span {
                    min: every,
                    max: every,
                },
                times,
            })
        }
    };
    (
        When {
            start_ns,
            duration_ns,
            repeat,
        },
        defaults,
    )
}
