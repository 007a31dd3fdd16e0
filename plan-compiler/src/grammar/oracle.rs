//! `linearizability per-key, then no-lost-ack against final state`: who judges.

use checkers::single::Single;
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::txn::Workload;
use checkers::weak::Weak;

use super::budgets::succeeding;
use super::{absences, by_name, checker_words};
use crate::compile::Draft;
use crate::cursor::Cursor;
use crate::diagnostic::Code;
use crate::human::duration;
use crate::plan::Field;
use crate::sink::Sink;
use crate::tokens::{Kind, Token};

/// A checker by name; the bound of `Progress` is read apart.
const CHECKERS: &[(&str, CheckerSpec)] = &[
    (
        "linearizability|linearisability|linearizable|linearisable",
        CheckerSpec::Linearizability,
    ),
    (
        "porcupine|knossos|wgl cas? register|registers|search|model?",
        CheckerSpec::Linearizability,
    ),
    (
        "porcupine|knossos cas register|model",
        CheckerSpec::Linearizability,
    ),
    ("no stale read|reads", CheckerSpec::Linearizability),
    (
        "no lost acked|acknowledged write|writes|append|appends",
        CheckerSpec::NoLostAck,
    ),
    ("no data loss", CheckerSpec::NoLostAck),
    (
        "lost acked|acknowledged write|writes|append|appends",
        CheckerSpec::NoLostAck,
    ),
    (
        "final state? read back|check|verification",
        CheckerSpec::NoLostAck,
    ),
    (
        "no lost transfer|transfers|message|messages|job|jobs",
        CheckerSpec::NoLostAck,
    ),
    (
        "all|every acked|acknowledged write|writes|append|appends \
         survive|survives|persist|persists a|the|any? crash|crashes|restart|restarts|failover?",
        CheckerSpec::NoLostAck,
    ),
    (
        "all|every acked|acknowledged write|writes is|are|remain|remains durable|readable \
         afterwards|later|in|at? the? end?",
        CheckerSpec::NoLostAck,
    ),
    ("no split brain", CheckerSpec::SingleLeader),
    (
        "never two leaders in|per the|a|one? same? term?",
        CheckerSpec::SingleLeader,
    ),
    (
        "no lost ack|acks|acknowledgement|acknowledgements",
        CheckerSpec::NoLostAck,
    ),
    (
        "no acked|acknowledged write|writes is|are? lost|loss",
        CheckerSpec::NoLostAck,
    ),
    (
        "no acked|acknowledged append|appends|transfer|transfers|message|messages is|are? \
         lost|loss",
        CheckerSpec::NoLostAck,
    ),
    (
        "no lost write|writes|append|appends|update|updates",
        CheckerSpec::NoLostAck,
    ),
    (
        "is|are readable|present afterwards|later|in|at the? end?",
        CheckerSpec::NoLostAck,
    ),
    (
        "durability of? acknowledged|acked? writes|appends?",
        CheckerSpec::NoLostAck,
    ),
    (
        "no committed write|writes|entry|entries is|are? lost",
        CheckerSpec::NoLostAck,
    ),
    ("single leader per|a term?", CheckerSpec::SingleLeader),
    (
        "exactly|only one leader per|a|each|in|any term",
        CheckerSpec::SingleLeader,
    ),
    (
        "at most one leader per|a|each|in|any? any|each|a? term?",
        CheckerSpec::SingleLeader,
    ),
    ("one leader per|a|each term", CheckerSpec::SingleLeader),
    ("leader uniqueness per? term?", CheckerSpec::SingleLeader),
    ("election safety", CheckerSpec::SingleLeader),
    (
        "no two leaders in|per? the|a? same|one? term?",
        CheckerSpec::SingleLeader,
    ),
];

pub(super) const PROGRESS: &[&str] = &[
    "bounded? progress",
    "bounded? liveness",
    "a|an|some|one client? write|operation|op|append|read|request|put succeeds|completes",
    "client|clients writes|operations|requests? succeed|succeeds",
    "writes|operations|requests|clients succeed|resume|resumes",
    "cluster|service|system recovers|resumes|progresses",
    "requests|clients|calls|traffic|reads|writes|operations is|are served|answered|accepted again?",
    "availability is? restored|recovers|returns",
];

/// The four guarantees of a session, in one word.
pub(super) const SESSION: &[&str] = &["session guarantees|guarantee|consistency|causality"];

/// Judges of transactions, where the workload has none that they could judge; and others that are
/// named by half.
const UNSERVED: &[&str] = &[
    "serializability|serializable|serialisable|serialisability",
    "strict serializability|serializable",
    "snapshot isolation",
    "read committed|uncommitted",
    "repeatable read",
    "causal reverse",
    "monotonic",
    "write skew",
    "long fork",
    "prefix",
];

const FILLERS: &[&str] = &[
    ",",
    ";",
    ".",
    ":",
    "(",
    ")",
    "/",
    "+",
    "&",
    "and",
    "then",
    "also",
    "with",
    "via",
    "by",
    "using",
    "the",
    "a",
    "an",
    "of",
    "on",
    "for",
    "is",
    "are",
    "be",
    "as",
    "over",
    "in",
    "to",
    "its",
    "per key histories|history?",
    "each keys? history",
    "each key",
    "key",
    "per register|log",
    "against the? final state|read|reads?",
    "in the? final state",
    "final state",
    "primary|secondary|first|second|finally",
    "checker|checkers|check|checks|checked|checking",
    "history|histories|operation|operations",
    "recorded|client|side",
    "whole|full|complete",
    "every|all|each",
    "model",
    "style",
    "must",
    "hold|holds",
    "partitioned",
    "after",
    "elle",
    "independent keys?",
    "keys are independent",
    "( cas register )",
    "per session|client|process",
    "per tenant|account|topic|stream|user|queue|bucket|object|document|resource|order|job|name",
    "oracle|oracles",
    "if|fails|fail",
    "any",
    "afterwards",
];

const HELP: &str = "served: linearizability, no-lost-ack, at most one leader per term, \
     a write succeeds within 5s of heal, causal consistency, mutual exclusion, bank, ...; \
     what only this product promises is an `always!` in its code, which fails the seeds in which \
     it does not hold";

/// How fast answers are.
const SPEED: &[&str] = &[
    "p50|p90|p95|p99|p999|median|mean|average|tail|max|maximum latency|latencies|response?",
    "latency|latencies|throughput|qps|tps|rps",
];

/// Complains where speed is to be judged.
pub(super) fn is_speed(field: &Field, cursor: &mut Cursor<'_>, sink: &mut Sink<'_>) -> bool {
    let from = cursor.at;
    if !cursor.eat_any(SPEED) {
        return false;
    }
    cursor.at = from;
    cursor.skip_clause();
    let name = field.kind.label();
    let message = format!("{name} asks how fast answers are, of which virtual time says nothing");
    let help = "say what can be missed: `a write succeeds within 5s of heal`, `fairness by \
                client`, `Exit criteria: at least 95% of operations acknowledged`";
    let span = cursor.span_from(from);
    let help = Some(help.to_owned());
    sink.error(Code::NotServed, &span, message, "not judged", help);
    true
}

/// Reads an oracle or checker field, once the workload is known; adds the checkers it names, first
/// to last.
pub(crate) fn read(field: &Field, draft: &mut Draft, sink: &mut Sink<'_>) {
    let workload = checker_words::transactional(&draft.workload.mix);
    let checkers = &mut draft.checkers;
    let tokens = sink.tokens(field);
    let mut cursor = Cursor::new(&tokens);
    while !cursor.done() {
        let from = cursor.at;
        let named = match checker(&mut cursor, workload) {
            Some(checker) => vec![of_model(checker, &tokens[from..cursor.at], draft.model)],
            None if cursor.eat_any(SESSION) => checker_words::SESSION.to_vec(),
            None => Vec::new(),
        };
        if !named.is_empty() {
            let bound = named
                .contains(&CONVERGENCE)
                .then(|| cursor.attempt(converged));
            draft.converge_ns = bound.flatten().or(draft.converge_ns);
            let span = cursor.span_from(from);
            for checker in named {
                let mut said = words(checker);
                if let (CONVERGENCE, Some(bound)) = (checker, draft.converge_ns) {
                    said.push_str(&format!(", within {} of the last heal", duration(bound)));
                }
                sink.explain(field.kind, &span, said);
                if !checkers.contains(&checker) {
                    checkers.push(checker);
                }
            }
        } else if let Some(said) = cursor.attempt(succeeding) {
            let span = cursor.span_from(from);
            let message = "a share of operations that succeed is asked of a run, and judges none";
            let help = format!(
                "write `Exit criteria: at least {}% of operations acknowledged`, and name an \
                 oracle: `a write succeeds within 10s of heal`",
                said / 1000
            );
            let label = "an exit criterion";
            sink.error(Code::NotServed, &span, message, label, Some(help));
            cursor.skip_clause();
        } else if cursor.eat_any(PROGRESS) {
            let span = cursor.span_from(from);
            let message = "progress needs a bound that can be missed";
            let help = Some("write `a write succeeds within 5s of heal`".to_owned());
            sink.error(Code::BadNumber, &span, message, "within how long?", help);
        } else if cursor.eat_any(UNSERVED) {
            let span = cursor.span_from(from);
            let message = "the plan asks for a judge of transactions, and its workload has none, \
                           or for half a checker's name";
            let help = "give the workload transactions (`100% list-append transactions`), or say \
                        which: `snapshot isolation of list-append transactions`, `monotonic \
                        reads`, `monotonic values`, `fencing tokens grow`";
            let help = Some(help.to_owned());
            sink.error(Code::NotServed, &span, message, "of what?", help);
            cursor.skip_clause();
        } else if cursor.peek().is_some_and(|token| token.kind == Kind::Break) {
            cursor.at += 1;
        } else if !cursor.eat_any(FILLERS) && !is_speed(field, &mut cursor, sink) {
            unknown(field, &mut cursor, sink);
        }
    }
}

/// Every phrase, for those who ask what is known.
pub(super) fn vocabulary() -> impl Iterator<Item = &'static str> {
    let names = CHECKERS.iter().map(|(phrase, _)| *phrase);
    let more = PROGRESS.iter().chain(UNSERVED).copied();
    let names = names.chain(more).chain(checker_words::phrases());
    names.chain(absences::phrases())
}

fn unknown(field: &Field, cursor: &mut Cursor<'_>, sink: &mut Sink<'_>) {
    let before = sink.diagnostics.len();
    let vocabulary: Vec<&str> = vocabulary().collect();
    sink.not_understood(cursor, field.kind, &vocabulary, HELP);
    for diagnostic in &mut sink.diagnostics[before..] {
        if diagnostic.code == Code::NotUnderstood {
            diagnostic.code = Code::UnknownChecker;
        }
    }
    if let Some((code, _)) = sink.errors.last_mut()
        && *code == Code::NotUnderstood
    {
        *code = Code::UnknownChecker;
    }
}

/// Reads the checker that comes next; `workload` are the transactions that it can judge.
pub(super) fn checker(cursor: &mut Cursor<'_>, workload: Option<Workload>) -> Option<CheckerSpec> {
    type Reader = fn(&mut Cursor<'_>, Option<Workload>) -> Option<CheckerSpec>;
    let readers: [Reader; 7] = [
        checker_words::isolation,
        |c, _| c.lookup(CHECKERS),
        |c, _| c.lookup(checker_words::WEAKER),
        |c, _| checker_words::single(c),
        |c, _| progress(c),
        absences::checker,
        |c, _| spelt(c),
    ];
    // What reads most is meant; of equals the first.
    let mut best: Option<(usize, CheckerSpec)> = None;
    for read in readers {
        let mut probe = *cursor;
        if let Some(checker) = read(&mut probe, workload)
            && best.is_none_or(|(at, _)| probe.at > at)
        {
            best = Some((probe.at, checker));
        }
    }
    let (at, checker) = best?;
    cursor.at = at;
    Some(checker)
}

/// A checker by its own name, unless half of another's is meant.
fn spelt(c: &mut Cursor<'_>) -> Option<CheckerSpec> {
    let (mut probe, mut half) = (*c, *c);
    let parse = |name: &str| CheckerSpec::parse(name).ok();
    let found = by_name::read(&mut probe, CheckerSpec::names().into_iter(), parse)?;
    if half.eat_any(UNSERVED) && half.at >= probe.at {
        return None;
    }
    c.at = probe.at;
    Some(found)
}

/// A lease lasts as long as the model says, where the oracle does not.
fn of_model(checker: CheckerSpec, said: &[Token], model: Option<ModelKind>) -> CheckerSpec {
    let is_bound = |token: &Token| matches!(token.kind, Kind::Number { .. });
    match (checker, model) {
        (
            CheckerSpec::Single(Single::Leases { .. }),
            Some(ModelKind::Lease { ttl_ns, skew_ns }),
        ) if !said.iter().any(is_bound) => CheckerSpec::Single(Single::Leases { ttl_ns, skew_ns }),
        _ => checker,
    }
}

fn progress(c: &mut Cursor<'_>) -> Option<CheckerSpec> {
    c.eat_any(PROGRESS).then_some(())?;
    c.eat(":");
    c.eat_any(PROGRESS);
    let bound = within(c)?;
    c.eat_any(&[
        "of|after every|each|the|a? heal|heals|healing|recovery|restart|last? fault?",
        "of|after every|each|the|a? partition|network|fault|cluster heals|healed|ends|clears",
    ]);
    Some(CheckerSpec::Progress { within_ns: bound })
}

const CONVERGENCE: CheckerSpec = CheckerSpec::Weak(Weak::Convergence);

/// `within 30s of the heal`.
fn converged(c: &mut Cursor<'_>) -> Option<u64> {
    let bound = within(c)?;
    c.eat_any(&["of|after every|each|the|a? heal|heals|healing|recovery|last? fault?"]);
    Some(bound)
}

fn within(c: &mut Cursor<'_>) -> Option<u64> {
    c.eat_any(&["after|of the|each|every? heal|healing|restart ,?", ","]);
    c.eat("within|in less? than?").then_some(())?;
    c.duration()
}

/// The checker in words.
pub(crate) fn words(checker: CheckerSpec) -> String {
    match checker {
        CheckerSpec::Linearizability => "linearizability of each key's history".to_owned(),
        CheckerSpec::NoLostAck => "no acknowledged write is lost".to_owned(),
        CheckerSpec::SingleLeader => "at most one leader a term".to_owned(),
        CheckerSpec::Isolation { workload, level } => {
            format!("{level} of {} transactions", workload.name())
        }
        CheckerSpec::Progress { within_ns } => {
            format!(
                "after each heal an operation succeeds within {}",
                duration(within_ns)
            )
        }
        CheckerSpec::Single(single) => format!("{single}: {}", single.row().claim),
        CheckerSpec::Weak(weak) => format!("{}: {}", weak.name(), weak.row().claim),
    }
}
