//! Properties by what must not be seen: `no lost messages`, `zero stale reads`, `write skew: 0`.

use checkers::single::Single;
use checkers::spec::CheckerSpec;
use checkers::txn::{Base, Level, Order, Workload};
use checkers::weak::Weak;

use crate::cursor::Cursor;

/// What is not to be seen.
#[derive(Clone, Copy)]
pub(super) enum Absence {
    /// What a checker reports.
    Of(CheckerSpec),
    /// What a level of isolation, and each above it, rules out.
    Below(Base),
    /// The same thing twice.
    Twice,
}

use Absence::{Below, Of, Twice};

const LOST: Absence = Of(CheckerSpec::NoLostAck);
const STALE: Absence = Of(CheckerSpec::Linearizability);
const LEADERS: Absence = Of(CheckerSpec::SingleLeader);
const IDS: Absence = Of(CheckerSpec::Single(Single::UniqueIds));
const HOLDERS: Absence = Of(CheckerSpec::Single(Single::MutualExclusion));
const LEASES: Absence = Of(CheckerSpec::Single(Single::Leases {
    ttl_ns: 10_000_000_000,
    skew_ns: 0,
}));
const TOKENS: Absence = Of(CheckerSpec::Single(Single::Fencing));
const FOREIGN: Absence = Of(CheckerSpec::Single(Single::Boundary));
const SAGAS: Absence = Of(CheckerSpec::Single(Single::Saga));
const MONEY: Absence = Of(CheckerSpec::Single(Single::Bank {
    total: None,
    overdraft: false,
}));
const APART: Absence = Of(CheckerSpec::Weak(Weak::Convergence));

const ABSENT: &[(&str, Absence)] = &[
    (
        "lost acked|acknowledged|committed|confirmed? write|writes|update|updates|append|appends",
        LOST,
    ),
    (
        "lost acked|acknowledged|committed|confirmed? message|messages|event|events|job|jobs",
        LOST,
    ),
    (
        "lost acked|acknowledged|committed|confirmed? task|tasks|order|orders|record|records",
        LOST,
    ),
    (
        "lost acked|acknowledged|committed|confirmed? entry|entries|item|items|key|keys|data",
        LOST,
    ),
    (
        "acked|acknowledged|committed|confirmed? write|writes|update|updates|append|appends \
         is|are|was|were|gets|get|goes|go? lost|missing",
        LOST,
    ),
    (
        "acked|acknowledged|committed|confirmed? message|messages|event|events|job|jobs \
         is|are|was|were|gets|get|goes|go? lost|missing",
        LOST,
    ),
    (
        "acked|acknowledged|committed|confirmed? task|tasks|order|orders|record|records \
         is|are|was|were|gets|get|goes|go? lost|missing",
        LOST,
    ),
    (
        "acked|acknowledged|committed|confirmed? entry|entries|item|items|key|keys|data \
         is|are|was|were|gets|get|goes|go? lost|missing",
        LOST,
    ),
    ("data|message|messages|write|event|job loss", LOST),
    ("none|nothing is? lost|missing", LOST),
    (
        "lost acked|acknowledged|committed|confirmed? registration|registrations|change|changes",
        LOST,
    ),
    (
        "lease|leases overlap|overlaps|overlapped|overlapping",
        LEASES,
    ),
    ("overlapping|concurrent lease|leases", LEASES),
    ("stale read|reads|value|values|answer|answers", STALE),
    (
        "non linearizable|linearisable key|keys|history|histories|read|reads?",
        STALE,
    ),
    (
        "two|2|dual|double|concurrent|multiple leader|leaders in|per? the|a? same|one? term?",
        LEADERS,
    ),
    ("split brain|brains", LEADERS),
    ("duplicate|duplicated|repeated|reused id|ids", IDS),
    (
        "duplicate|duplicated|repeated|reused identifier|identifiers",
        IDS,
    ),
    (
        "duplicate|duplicated|double|repeated delivery|deliveries|message|messages|event|events",
        Twice,
    ),
    (
        "duplicate|duplicated|double|repeated execution|executions|effect|effects|run|runs",
        Twice,
    ),
    (
        "duplicate|duplicated|double|repeated charge|charges|payment|payments|order|orders",
        Twice,
    ),
    (
        "duplicate|duplicated|double|repeated booking|bookings|spend|spends|spending|transfer",
        Twice,
    ),
    (
        "duplicate|duplicated|double|repeated transfers|job|jobs|task|tasks|element|elements",
        Twice,
    ),
    (
        "duplicate|duplicated|double|repeated entry|entries|record|records|row|rows|item|items",
        Twice,
    ),
    (
        "duplicate|duplicated|double|repeated application|applications|processing|apply|write",
        Twice,
    ),
    (
        "message|messages|event|events|job|jobs|task|tasks|transfer|transfers is|are|was|were? \
         delivered|executed|applied|processed|charged|run|runs twice",
        Twice,
    ),
    (
        "message|messages|event|events|job|jobs|task|tasks|transfer|transfers is|are|was|were? \
         delivered|executed|applied|processed|charged|run|runs more than once",
        Twice,
    ),
    (
        "two|2|double|concurrent|overlapping|simultaneous lock? holder|holders|owner|owners",
        HOLDERS,
    ),
    (
        "two|2 clients|processes|nodes|workers hold|holding|own the|a? same? lock|lease at? once?",
        HOLDERS,
    ),
    (
        "double|concurrent acquisition|acquisitions|locking",
        HOLDERS,
    ),
    ("stale|old fencing? token|tokens is|are? accepted?", TOKENS),
    ("negative balance|balances|account|accounts", MONEY),
    (
        "money|value is? lost|created|destroyed or? lost|created|destroyed?",
        MONEY,
    ),
    (
        "lost|created|destroyed or? lost|created|destroyed? money",
        MONEY,
    ),
    (
        "cross tenant read|reads|access|leak|leaks|row|rows|data",
        FOREIGN,
    ),
    ("leak|leaks|leakage between|across tenants", FOREIGN),
    ("partial|half|incomplete done? saga|sagas", SAGAS),
    ("divergence of|between? replicas|nodes?", APART),
    (
        "diverged|diverging|divergent replica|replicas|node|nodes",
        APART,
    ),
    (
        "replica|replicas|node|nodes divergence|diverge|diverges|diverged",
        APART,
    ),
    ("dirty write|writes", Below(Base::ReadUncommitted)),
    (
        "dirty|aborted|intermediate read|reads",
        Below(Base::ReadCommitted),
    ),
    ("fractured read|reads", Below(Base::ReadAtomic)),
    ("long fork|forks", Below(Base::SnapshotIsolation)),
    ("read skew|skews", Below(Base::SnapshotIsolation)),
    ("non repeatable read|reads", Below(Base::RepeatableRead)),
    ("unrepeatable read|reads", Below(Base::RepeatableRead)),
    ("write skew|skews", Below(Base::Serializable)),
    ("phantom|phantoms read|reads?", Below(Base::Serializable)),
];

/// `lost writes = 0`.
pub(super) const NONE: &[&str] = &["=|:|is|are|stays|remains 0|zero|none", "<= 0"];

/// What comes next among that which must not be seen.
pub(super) fn what(c: &mut Cursor<'_>) -> Option<Absence> {
    c.lookup(ABSENT)
}

/// The level of isolation of these transactions, in no order but their own.
pub(super) const fn level(base: Base, workload: Workload) -> CheckerSpec {
    let order = Order::None;
    CheckerSpec::Isolation {
        workload,
        level: Level { base, order },
    }
}

/// Reads a checker by what it must not find: `no stale reads`, `lost writes: 0`.
pub(super) fn checker(c: &mut Cursor<'_>, workload: Option<Workload>) -> Option<CheckerSpec> {
    let before = c.eat("no|zero|0|without|never");
    let found = what(c)?;
    let after = c.eat_any(NONE);
    (before || after).then_some(())?;
    match found {
        Of(checker) => Some(checker),
        Below(base) => Some(level(base, workload?)),
        Twice => Some(CheckerSpec::Single(Single::ExactlyOnce)),
    }
}

/// Every phrase, for those who ask what is known.
pub(super) fn phrases() -> impl Iterator<Item = &'static str> {
    ABSENT.iter().map(|(phrase, _)| *phrase)
}
