//! What exit criteria take for granted: `no lost writes`, `0 duplicates`, `recovered within 15s`.

use std::ops::Range;

use checkers::single::Single;
use checkers::spec::CheckerSpec;
use checkers::txn::Workload;

use super::absences::{self, Absence};
use super::{checker_words, oracle};
use crate::cursor::Cursor;
use crate::human::duration;

/// What an exit criterion says, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) what: Property,
    pub(crate) span: Range<usize>,
}

/// What is said to hold, which an oracle must judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property {
    /// What a checker claims; its bounds count where the criterion says them.
    Claim { of: CheckerSpec, bounded: bool },
    /// Nothing happens twice, whatever it is.
    Once,
}

/// Somebody is served again; a bound follows.
const RECOVERED: &[&str] = &[
    "recovered|recovers|recover|recovery|recovery time within|under|in|<|<=",
    "the? cluster|system|service|node|nodes? recovers|recovered|recover within|under|in",
    "writes|reads|requests|operations|clients resume|resumed|succeed|succeeded within|under|in",
    "nodes|servers|cluster|service? serve|serves requests|traffic|clients again? within|under|in",
    "time to recover|recovery under|<|<=|is|: at? most?",
];

const ELECTED: &[&str] = &["a|the? new? leader is|was? re? elected|reelected within|under|in"];

const AFTER: &[&str] =
    &["of|after the|each|every|a? last? heal|heals|healing|fault|partition|crash|restart"];

const LOST_OR_TWICE: &[&str] = &[
    "no|zero|0? lost or|and|nor|/ duplicate|duplicated|duplicates",
    "no|zero|0? loss or|and|nor|/ duplication|duplicates of?",
    "no|zero|0? duplicate|duplicated or|and|nor|/ lost",
    "no|zero|0? duplicates or|and|nor|/ losses|loss of?",
];

const THINGS: &[&str] = &[
    "acked|acknowledged|committed? write|writes|message|messages|event|events|job|jobs|task|tasks",
    "acked|acknowledged|committed? record|records|entry|entries|order|orders|element|elements",
    "acked|acknowledged|committed? transfer|transfers|append|appends|row|rows|item|items",
];

/// Only here: what it is that would be there twice is not said.
const TWICE: &[&str] = &["no|zero|0|without|any? duplicates|duplicate|duplication"];

/// Reads what a criterion takes for granted; `workload` are the transactions of the scenario.
pub(super) fn read(c: &mut Cursor<'_>, workload: Option<Workload>) -> Option<Vec<Property>> {
    type Reader = fn(&mut Cursor<'_>, Option<Workload>) -> Option<Vec<Property>>;
    let readers: [Reader; 6] = [
        |c, _| lost_or_twice(c),
        |c, _| bounded(c).map(one),
        |c, workload| absent(c, workload).map(one),
        |c, workload| claim(c, workload).map(one),
        |c, _| c.eat_any(TWICE).then(|| vec![Property::Once]),
        |c, _| c.eat_any(oracle::SESSION).then(session),
    ];
    let mut best: Option<(usize, Vec<Property>)> = None;
    for read in readers {
        let mut probe = *c;
        if let Some(found) = read(&mut probe, workload)
            && best.as_ref().is_none_or(|(at, _)| probe.at > *at)
        {
            best = Some((probe.at, found));
        }
    }
    let (at, found) = best?;
    c.at = at;
    c.eat_any(absences::NONE);
    Some(found)
}

fn one(property: Property) -> Vec<Property> {
    vec![property]
}

fn plainly(of: CheckerSpec) -> Property {
    Property::Claim { of, bounded: false }
}

fn session() -> Vec<Property> {
    checker_words::SESSION.into_iter().map(plainly).collect()
}

fn lost_or_twice(c: &mut Cursor<'_>) -> Option<Vec<Property>> {
    c.eat_any(LOST_OR_TWICE).then_some(())?;
    c.eat_any(THINGS);
    Some(vec![plainly(CheckerSpec::NoLostAck), Property::Once])
}

/// `recovered within 15s of heal`, `a new leader is elected within 5s`, `availability restored`.
fn bounded(c: &mut Cursor<'_>) -> Option<Property> {
    let elected = c.attempt(|c| {
        c.eat_any(ELECTED).then_some(())?;
        c.duration()
    });
    let of = match elected {
        Some(within_ns) => CheckerSpec::Single(Single::Election { within_ns }),
        None => {
            let recovered = c.attempt(|c| {
                c.eat_any(RECOVERED).then_some(())?;
                c.duration()
            });
            let within_ns = match recovered {
                Some(bound) => bound,
                None => c.eat_any(oracle::PROGRESS).then_some(u64::MAX)?,
            };
            CheckerSpec::Progress { within_ns }
        }
    };
    c.eat_any(AFTER);
    Some(Property::Claim { of, bounded: true })
}

fn claim(c: &mut Cursor<'_>, workload: Option<Workload>) -> Option<Property> {
    let mut name = *c;
    // The level alone is meant where there are no transactions that it could be of.
    let of =
        oracle::checker(c, workload).or_else(|| oracle::checker(c, Some(Workload::ListAppend)))?;
    let bounded = match of {
        CheckerSpec::Progress { .. } => true,
        CheckerSpec::Single(_) => checker_words::is_single(&mut name) && name.at < c.at,
        _ => false,
    };
    Some(Property::Claim { of, bounded })
}

fn absent(c: &mut Cursor<'_>, workload: Option<Workload>) -> Option<Property> {
    c.eat("no|zero|0|without|any|never");
    let found = absences::what(c)?;
    Some(match found {
        Absence::Of(of) => plainly(of),
        Absence::Below(base) => {
            let workload = workload.unwrap_or(Workload::ListAppend);
            plainly(absences::level(base, workload))
        }
        Absence::Twice => Property::Once,
    })
}

impl Property {
    /// What is taken for granted, in words.
    pub(crate) fn words(self) -> String {
        match self {
            Property::Once => "nothing happens twice".to_owned(),
            Property::Claim {
                of:
                    CheckerSpec::Progress {
                        within_ns: u64::MAX,
                    },
                ..
            } => "after each heal an operation succeeds in time".to_owned(),
            Property::Claim {
                of: CheckerSpec::Isolation { level, .. },
                ..
            } => format!("the isolation of transactions is {level}"),
            Property::Claim { of, .. } => oracle::words(of),
        }
    }

    /// The oracle that judges it, as a plan writes it.
    pub(crate) fn remedy(self) -> String {
        let of = match self {
            Property::Once => return "exactly-once delivery".to_owned(),
            Property::Claim { of, .. } => of,
        };
        match of {
            CheckerSpec::Linearizability => "linearizability".to_owned(),
            CheckerSpec::NoLostAck => "no acknowledged write is lost".to_owned(),
            CheckerSpec::SingleLeader => "at most one leader per term".to_owned(),
            CheckerSpec::Progress { within_ns } => {
                let bound = match within_ns {
                    u64::MAX => "10s".to_owned(),
                    bound => duration(bound),
                };
                format!("a write succeeds within {bound} of heal")
            }
            CheckerSpec::Isolation { workload, level } => {
                format!("{level} of {} transactions", workload.name())
            }
            CheckerSpec::Single(single) => format!("{single}"),
            CheckerSpec::Weak(weak) => weak.name().to_owned(),
        }
    }
}
