//! `smoke 10 seeds; hardening 200 seeds` and the exit criteria.

use checkers::txn::Workload as Transactional;

use super::criteria::{self, Asked, Property};
use super::landing::{in_every_seed, refuse_every_seed};
use super::oracle;
use crate::cursor::Cursor;
use crate::diagnostic::Code;
use crate::plan::{Field, FieldKind};
use crate::scenario::{Budget, Budgets, ExitCriteria};
use crate::sink::Sink;
use crate::tokens::Kind;

/// The verdicts that are no PASS, by name.
const VERDICTS: &[(&str, &str)] = &[
    ("inconclusive env", "INCONCLUSIVE-env"),
    (
        "inconclusive oracle too weak",
        "INCONCLUSIVE-oracle-too-weak",
    ),
    (
        "inconclusive fault not proven",
        "INCONCLUSIVE-fault-not-proven",
    ),
    ("partial surface", "PARTIAL-surface"),
    ("partial model", "PARTIAL-model"),
    ("not run", "NOT-RUN"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    Smoke,
    Hardening,
    Release,
}

const TIERS: &[(&str, Tier)] = &[
    ("smoke|ci|quick test|tests|run?", Tier::Smoke),
    ("hardening|nightly run?", Tier::Hardening),
    ("release", Tier::Release),
];

/// What exit criteria and budgets say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExitDraft {
    pub(crate) budgets: Budgets,
    pub(crate) said: [bool; 3],
    pub(crate) allow: Vec<String>,
    pub(crate) landed_seeds_min: Option<u32>,
    pub(crate) criteria: ExitCriteria,
    /// What the oracles must judge.
    pub(crate) asked: Vec<Asked>,
}

impl Default for ExitDraft {
    fn default() -> Self {
        ExitDraft {
            budgets: Budgets {
                smoke: Budget::of_seeds(10),
                hardening: Budget::of_seeds(200),
                release: Budget::of_seeds(2_000),
            },
            said: [false; 3],
            allow: Vec::new(),
            landed_seeds_min: None,
            criteria: ExitCriteria::default(),
            asked: Vec::new(),
        }
    }
}

const FILLERS: &[&str] = &[
    ",",
    ";",
    ".",
    ":",
    "(",
    ")",
    "/",
    "+",
    "and",
    "the",
    "a",
    "an",
    "of",
    "at",
    "in",
    "on",
    "is",
    "are",
    "with",
    "for",
    "each",
    "per",
    "tier",
    "budget",
    "x",
    "=",
    "to",
    "over",
    "or",
    "all",
    "every",
    "seed|seeds",
    "virtual",
    "time",
    "run|runs",
    "by",
];

/// Words of criteria that name no property.
const CRITERIA: &[&str] = &[
    "no|zero|0 violation|violations|counterexample|counterexamples|finding|findings|anomalies",
    "no|zero|0 anomaly|failure|failures",
    "all|every|each checker|checkers|oracle|oracles|seed|seeds pass|passes",
    "pass smoke|hardening?",
    "verdict",
    "checker|checkers|oracle|oracles accept|accepts?",
    "fault|faults landed|land",
    "landed|lands",
    "history|histories",
    "operation|operations|op|ops",
    "failure|failures",
    "claim|claims",
    "hold|holds",
    "no",
    "must",
    "be",
    "reported|found|seen|observed",
    "any",
    "violation|violations|violated",
    "not|never violated",
    "then",
    "preserved|maintained|satisfied|intact",
];

const HELP: &str = "write `smoke 10 seeds; hardening 200 seeds`, `allow: PARTIAL-model`, \
     `landed in at least 3 seeds`, `no violations`";

const CRITERIA_HELP: &str = "write `no violations`, `landed in at least 3 seeds`, `at least 95% of \
     operations acknowledged`, `allow: PARTIAL-model`, or what an oracle of the scenario finds, as \
     in `no lost writes`, `no duplicate deliveries`, `recovered within 10s of heal`";

/// Reads budgets, exit criteria or allowances into the draft.
///
/// `workload` are the transactions of the scenario, if it has any.
pub(crate) fn read(
    field: &Field,
    draft: &mut ExitDraft,
    workload: Option<Transactional>,
    sink: &mut Sink<'_>,
) {
    let tokens = sink.tokens(field);
    let mut cursor = Cursor::new(&tokens);
    let mut allowing = field.kind == FieldKind::Allow;
    while !cursor.done() {
        let from = cursor.at;
        if let Some(verdict) = cursor.attempt(|c| c.lookup(VERDICTS)) {
            let span = cursor.span_from(from);
            if !allowing {
                let message = format!("is {verdict} allowed or forbidden?");
                let help = Some(format!("write `allow: {verdict}` where it may pass"));
                sink.error(Code::NotUnderstood, &span, message, "a verdict", help);
            }
            sink.explain(field.kind, &span, format!("{verdict} is accepted"));
            draft.allow.push(verdict.to_owned());
        } else if cursor.attempt(|c| failing(c, allowing)).is_some() {
            let span = cursor.span_from(from);
            let message = "a failed claim can't be allowed";
            let help = Some("allow PARTIAL-* or INCONCLUSIVE-*; a FAIL is a FAIL".to_owned());
            sink.error(Code::FailureAllowed, &span, message, "a failure", help);
        } else if cursor.eat_any(&["allow|allows|allowed|accept|accepts|accepted"]) {
            allowing = true;
        } else if cursor.attempt(in_every_seed).is_some() {
            refuse_every_seed(&cursor.span_from(from), sink);
        } else if let Some(seeds) = cursor.attempt(landed) {
            draft.landed_seeds_min = Some(seeds);
            let said = format!("every fault must land in at least {seeds} seeds");
            sink.explain(field.kind, &cursor.span_from(from), said);
        } else if let Some(seeds) = cursor.attempt(three) {
            let each = [Tier::Smoke, Tier::Hardening, Tier::Release]
                .into_iter()
                .zip(seeds);
            let said = each.map(|(tier, seeds)| {
                let budget = Draft {
                    seeds: Some(seeds),
                    ..Draft::default()
                };
                set(draft, tier, budget)
            });
            let said: Vec<String> = said.collect();
            sink.explain(field.kind, &cursor.span_from(from), said.join("; "));
        } else if let Some(said) = criterion(&mut cursor, &mut draft.criteria) {
            sink.explain(field.kind, &cursor.span_from(from), said);
        } else if let Some((tier, budget)) = cursor.attempt(tier) {
            let said = set(draft, tier, budget);
            sink.explain(field.kind, &cursor.span_from(from), said);
        } else if let Some(asked) = property(field, &mut cursor, workload) {
            let span = cursor.span_from(from);
            for what in asked {
                let said = format!("an oracle's to find: {}", what.words());
                sink.explain(field.kind, &span, said);
                let span = span.clone();
                draft.asked.push(Asked { what, span });
            }
        } else if cursor.peek().is_some_and(|token| token.kind == Kind::Break) {
            cursor.at += 1;
        } else if !filler(field, &mut cursor) {
            unknown(field, &mut cursor, sink);
        }
    }
}

fn unknown(field: &Field, cursor: &mut Cursor<'_>, sink: &mut Sink<'_>) {
    let tiers = TIERS.iter().map(|(phrase, _)| *phrase);
    let verdicts = VERDICTS.iter().map(|(phrase, _)| *phrase);
    let words = tiers.chain(verdicts).chain(["seeds", "allow", "landed"]);
    if field.kind == FieldKind::ExitCriteria {
        if oracle::is_speed(field, cursor, sink) || is_count_of_seeds(cursor, sink) {
            return;
        }
        let words = words.chain(CRITERIA.iter().copied());
        let words = words.chain(["least", "most", "acknowledged", "succeed", "requests"]);
        let words: Vec<&str> = words.chain(oracle::vocabulary()).collect();
        sink.not_understood(cursor, field.kind, &words, CRITERIA_HELP);
    } else {
        let words: Vec<&str> = words.collect();
        sink.not_understood(cursor, field.kind, &words, HELP);
    }
}

/// `no violation in 200 seeds`.
fn is_count_of_seeds(cursor: &mut Cursor<'_>, sink: &mut Sink<'_>) -> bool {
    let from = cursor.at;
    let Some(seeds) = cursor.attempt(count_of_seeds) else {
        return false;
    };
    let message = "how many seeds are run is the budget's to say";
    let help = Some(format!("write `Budgets: hardening {seeds} seeds`"));
    let span = cursor.span_from(from);
    let label = "not an exit criterion";
    sink.error(Code::NotUnderstood, &span, message, label, help);
    true
}

/// What an exit criterion takes for granted.
fn property(
    field: &Field,
    cursor: &mut Cursor<'_>,
    workload: Option<Transactional>,
) -> Option<Vec<Property>> {
    let stands = field.kind == FieldKind::ExitCriteria;
    stands.then(|| criteria::read(cursor, workload)).flatten()
}

fn failing(c: &mut Cursor<'_>, allowing: bool) -> Option<()> {
    let fails = ["fail reproducible|nondeterministic?", "fail - reproducible"];
    (allowing && c.eat_any(&fails)).then_some(())
}

fn filler(field: &Field, cursor: &mut Cursor<'_>) -> bool {
    let criteria = field.kind == FieldKind::ExitCriteria && cursor.eat_any(CRITERIA);
    criteria || cursor.eat_any(FILLERS)
}

fn landed(c: &mut Cursor<'_>) -> Option<u32> {
    c.eat_any(&[
        "fault|faults|landing? landed|land|lands|proven?",
        "landed|lands",
    ])
    .then_some(())?;
    c.eat("in");
    c.eat_any(&["at least", ">="]);
    let seeds = c.small().filter(|seeds| *seeds > 0)?;
    c.eat("seeds|seed").then_some(seeds)
}

/// `smoke: 10 seeds x 30s`, `hardening 5min`, `200 seeds hardening`.
fn tier(c: &mut Cursor<'_>) -> Option<(Tier, Draft)> {
    let named = c.lookup(TIERS);
    c.eat_any(&["( ci|nightly|smoke|pr|weekly )"]);
    // A dash of any length; the longest is read as a comma.
    c.eat(":|=|(|-|,");
    let mut draft = Draft::default();
    loop {
        c.eat_any(&[">=", "at least", "x", "of", "for", "each"]);
        if draft.seeds.is_none()
            && let Some(seeds) = c.attempt(count_of_seeds)
        {
            draft.seeds = Some(seeds);
        } else if draft.duration_ns.is_none()
            && let Some(length) = c.attempt(of_a_seed)
        {
            draft.duration_ns = Some(length);
        } else if draft.faults.is_none()
            && let Some(faults) = c.attempt(count_of_faults)
        {
            draft.faults = Some(faults);
        } else {
            break;
        }
        let more = c.attempt(|c| {
            c.eat_any(&[",", "x", "of", "for", "/", "(", "and", "with"]);
            c.eat_any(&[">=", "at least"]);
            let (mut seeds, mut length, mut faults) = (*c, *c, *c);
            let seeds = count_of_seeds(&mut seeds).is_some();
            let faults = count_of_faults(&mut faults).is_some();
            (seeds || faults || length.duration().is_some()).then_some(())
        });
        if more.is_none() {
            break;
        }
    }
    c.eat("each|per seed?");
    if named.is_some() && draft == Draft::default() {
        draft.seeds = Some(bare_seeds(c)?);
    }
    // `500 nightly`.
    if named.is_none() && draft == Draft::default() {
        draft.seeds = c.small().filter(|seeds| *seeds > 0);
    }
    c.eat("in|on|for");
    let tier = named.or_else(|| c.lookup(TIERS))?;
    // No verdict is drawn from the faults of another tier.
    let counts_faults = draft.faults.is_none() || matches!(tier, Tier::Hardening);
    (draft != Draft::default() && counts_faults).then_some((tier, draft))
}

/// A length that is not one of the machine's time, or of all seeds together.
fn of_a_seed(c: &mut Cursor<'_>) -> Option<u64> {
    let length = c.duration()?;
    let mut next = *c;
    let other = next.eat("wall|wallclock|real|cpu|total|overall|in total?");
    (!other).then_some(length)
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Draft {
    seeds: Option<u32>,
    duration_ns: Option<u64>,
    faults: Option<u64>,
}

/// `smoke: 10`: a number alone is one of seeds.
fn bare_seeds(c: &mut Cursor<'_>) -> Option<u32> {
    let seeds = c.small().filter(|seeds| *seeds > 0)?;
    let ends = c.peek().is_none_or(|token| {
        token.separates() || token.is("/") || token.is(")") || token.spelling() == "and"
    });
    ends.then_some(seeds)
}

/// `10 / 200 / 2000 seeds`, in the order that the field's label has them.
fn three(c: &mut Cursor<'_>) -> Option<[u32; 3]> {
    let mut next = |last: bool| {
        let seeds = c.small().filter(|seeds| *seeds > 0)?;
        c.eat("seeds");
        (last || c.eat("/|,")).then_some(seeds)
    };
    Some([next(false)?, next(false)?, next(true)?])
}

fn count_of_seeds(c: &mut Cursor<'_>) -> Option<u32> {
    let seeds = c.small().filter(|seeds| *seeds > 0)?;
    c.eat("seed|seeds").then_some(seeds)
}

/// `500 faults`, `1,000 fault windows`.
fn count_of_faults(c: &mut Cursor<'_>) -> Option<u64> {
    let faults = c.small().filter(|faults| *faults > 0)?;
    let counted = c.eat_any(&[
        "fault|faults window|windows|injection|injections?",
        "faults",
    ]);
    counted.then_some(u64::from(faults))
}

fn set(draft: &mut ExitDraft, tier: Tier, said: Draft) -> String {
    let budgets = &mut draft.budgets;
    let (name, at, slot) = match tier {
        Tier::Smoke => ("smoke", 0, &mut budgets.smoke),
        Tier::Hardening => ("hardening", 1, &mut budgets.hardening),
        Tier::Release => ("release", 2, &mut budgets.release),
    };
    slot.seeds = said.seeds.unwrap_or(slot.seeds);
    slot.duration_ns = said.duration_ns.or(slot.duration_ns);
    slot.faults = said.faults.or(slot.faults);
    draft.said[at] |= said.seeds.is_some();
    format!("{name}: {slot}")
}

/// `at least 1,000 acknowledged operations`, `95% of operations acknowledged`, `10 min of load`.
fn criterion(c: &mut Cursor<'_>, criteria: &mut ExitCriteria) -> Option<String> {
    if let Some(percent) = c.attempt(acknowledged_share) {
        criteria.acknowledged_percent_min = Some(percent);
        return Some(format!("at least {percent} % of operations acknowledged"));
    }
    if let Some(count) = c.attempt(acknowledged) {
        criteria.acknowledged_min = Some(count);
        return Some(format!(
            "at least {count} operations acknowledged, over all seeds"
        ));
    }
    let length = c.attempt(load)?;
    criteria.virtual_ns_min = Some(length);
    let length = crate::human::duration(length);
    Some(format!("at least {length} of virtual time, over all seeds"))
}

const ALL_SUCCEED: &[&str] = &[
    "all|every client? operation|operations|ops|request|requests|call|calls succeed|succeeds",
    "all|every client? operation|operations|ops|request|requests is|are acknowledged|acked",
    "no|zero|0 failed operation|operations|request|requests|call|calls",
    "no|zero|0 operation|operations|request|requests|call|calls fail|fails|failed",
];

fn least(c: &mut Cursor<'_>) -> bool {
    c.eat_any(&[">=", "at least", ">", "more than", "minimum|min of?"])
}

fn acknowledged_share(c: &mut Cursor<'_>) -> Option<u32> {
    if c.eat_any(ALL_SUCCEED) {
        return Some(100);
    }
    let milli = succeeding(c).filter(|milli| milli.is_multiple_of(1000))?;
    u32::try_from(milli / 1000).ok()
}

/// `at least 99.9% of operations succeed`, in thousandths of a percent.
pub(super) fn succeeding(c: &mut Cursor<'_>) -> Option<u64> {
    least(c);
    let milli = c.milli().filter(|milli| *milli <= 100_000)?;
    c.eat("%|percent").then_some(())?;
    c.eat("of all? the? client? operations|ops|requests|calls")
        .then_some(())?;
    c.eat_any(&[
        "are|were? acknowledged|acked|succeed|succeeded",
        "succeed|succeeds",
    ])
    .then_some(milli)
}

fn acknowledged(c: &mut Cursor<'_>) -> Option<u64> {
    least(c);
    let count = c.count()?;
    let before = c.eat("acknowledged|acked|successful|completed");
    c.eat("client");
    c.eat("operations|ops|requests").then_some(())?;
    let after = c.eat_any(&[
        "are|were? acknowledged|acked|completed",
        "succeed|succeeded",
    ]);
    (before || after).then_some(count)
}

fn load(c: &mut Cursor<'_>) -> Option<u64> {
    least(c);
    let length = c.duration()?;
    c.eat("of virtual? time|load|traffic");
    let said = c.eat_any(&[
        "of chaos|faults|simulated in? total?",
        "without a|any? violation|violations|failure|anomaly",
        "in total",
    ]);
    let before = c.at.checked_sub(1).and_then(|at| c.tokens.get(at));
    let said = said || before.is_some_and(|t| matches!(t.spelling(), "load" | "traffic"));
    said.then_some(length)
}
