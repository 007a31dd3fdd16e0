//! `packets dropped in the window > 0 AND leader re-elected within 2s`: how a fault is known to
//! have landed.

use std::ops::Range;

use super::evidence::Said;
use super::fault_words::{DIRECTIONS, TARGETS};
use super::storage_words::kind_at;
use crate::cursor::Cursor;
use crate::diagnostic::Code;
use crate::plan::{Field, FieldKind, plain};
use crate::scenario::{Evidence, FaultKind, Landing, Observable};
use crate::sink::Sink;
use crate::tokens::Kind;

/// Ledger counters and how plans call them. Tools map to what serves here.
const COUNTERS: &[(&str, &str)] = &[
    (
        "packets|packet are|were? dropped|drops|lost|blocked",
        "packets-dropped",
    ),
    ("dropped packets|packet", "packets-dropped"),
    ("number|count of dropped packets", "packets-dropped"),
    (
        "iptables|nftables|netem? drop|dropped|drops packet? counter|count",
        "packets-dropped",
    ),
    ("packets|packet are|were? delayed|slowed", "packets-delayed"),
    ("delayed packets|packet", "packets-delayed"),
    (
        "packets|packet are|were? held|jammed|queued",
        "packets-held",
    ),
    (
        "packets|packet are|were? rejected|refused",
        "packets-rejected",
    ),
    ("rejected packets|packet", "packets-rejected"),
    ("packets|packet are|were? duplicated", "packets-duplicated"),
    ("duplicated|duplicate packets|packet", "packets-duplicated"),
    (
        "packets|packet are|were? reordered|overtaken",
        "packets-reordered",
    ),
    ("reordered packets|packet", "packets-reordered"),
    ("packets|packet are|were? corrupted", "packets-corrupted"),
    ("corrupted packets|packet", "packets-corrupted"),
    ("bytes are|were? dropped", "bytes-dropped"),
    ("bytes are|were? delayed", "bytes-delayed"),
    (
        "connections|connection are|were? reset",
        "connections-reset",
    ),
    ("connection resets", "connections-reset"),
    ("lookups|lookup are|were? failed|fail", "lookups-failed"),
    ("failed lookups", "lookups-failed"),
    ("lookups are|were? delayed|late", "lookups-delayed"),
    ("delayed|late|slow lookups", "lookups-delayed"),
    (
        "lookups are|were? misled|misdirected|stale",
        "lookups-misled",
    ),
    ("misdirected|stale|wrong lookups", "lookups-misled"),
    (
        "hosts|host|nodes|node are|is|was|were? readdressed|moved",
        "hosts-readdressed",
    ),
    ("readdressed|moved hosts|nodes", "hosts-readdressed"),
    (
        "un synced|unsynced writes|data|bytes are|were? lost ( or torn )",
        "writes-lost-or-torn",
    ),
    (
        "un synced|unsynced writes|data are|were? lost or torn",
        "writes-lost-or-torn",
    ),
    ("writes are|were? lost or torn", "writes-lost-or-torn"),
    ("writes lost ( or torn )", "writes-lost-or-torn"),
    (
        "un synced|unsynced? write|writes|data is|are|was|were? lost|dropped|discarded",
        "writes-lost",
    ),
    (
        "unsynced|unfsynced write|writes|data is|are|was|were? lost|dropped|discarded",
        "writes-lost",
    ),
    ("lost writes", "writes-lost"),
    ("un synced|unsynced? writes are|were? torn", "writes-torn"),
    ("torn writes", "writes-torn"),
    (
        "losses|loss are|were|is|was? met|read|noticed by? a|the? restart|restarts|guest?",
        "losses-met",
    ),
    (
        "processes|process|node|nodes is|are|was|were? killed",
        "processes-killed",
    ),
    (
        "sigkill|sigkills is|was|were? delivered|sent",
        "processes-killed",
    ),
    ("restarted", "restarts"),
    ("kills|kill count|counter?", "processes-killed"),
    ("killed processes|nodes", "processes-killed"),
    ("power losses|loss|failures count|counter?", "power-losses"),
    (
        "disk|i/o? errors|error returned|injected|count|counter?",
        "disk-errors",
    ),
    ("fsync|sync|write|read errors|error|failures", "disk-errors"),
    ("failed fsync|fsyncs|sync|syncs|writes|reads", "disk-errors"),
    ("i / o errors|error returned|injected?", "disk-errors"),
    ("eio|enospc errors|error|returned|count?", "disk-errors"),
    (
        "disk? calls|operations are|were? delayed|slowed",
        "calls-delayed",
    ),
    ("slow|delayed disk? calls", "calls-delayed"),
    ("disk? calls are|were? stalled", "calls-stalled"),
    ("stalled disk? calls", "calls-stalled"),
    ("calls|reads|writes are|were? shortened", "calls-shortened"),
    ("short counts", "calls-shortened"),
    ("latent sector? errors|error", "latent-errors"),
    (
        "sectors|sector|bits are|were? rotted|flipped|corrupted",
        "sectors-rotted",
    ),
    ("rotted|corrupted sectors|sector", "sectors-rotted"),
    (
        "sectors are|were? uninitialised|uninitialized",
        "sectors-uninitialised",
    ),
    ("writes are|were? misdirected", "writes-misdirected"),
    ("misdirected writes", "writes-misdirected"),
    ("reads are|were? misdirected", "reads-misdirected"),
    ("misdirected reads", "reads-misdirected"),
    ("files are|were? wiped", "files-wiped"),
    ("files are|were? reverted", "files-reverted"),
    ("files are|were? swapped", "files-swapped"),
    ("graceful stops|stop|shutdowns count?", "graceful-stops"),
    ("nodes|processes? stopped gracefully", "graceful-stops"),
    (
        "clock? reads|read are|were|is|was? skewed",
        "clock-reads-skewed",
    ),
    ("skewed clock? reads|read", "clock-reads-skewed"),
    (
        "timers|timer are|were|is|was? shifted|moved",
        "timers-shifted",
    ),
    (
        "clock skew|drift|jump|shift is|was? seen|observed|effective",
        "clock-reads-skewed",
    ),
    ("clock steps|step|jumps", "clock-steps"),
    ("clock drifts|drift", "clock-drifts"),
    (
        "nodes|node|processes|process are|were|is|was? paused|suspended|frozen",
        "nodes-paused",
    ),
    ("pauses", "nodes-paused"),
    ("turns|tasks are|were? held", "turns-held"),
    (
        "nodes|node|servers|processes are|were|is|was? upgraded|downgraded",
        "nodes-upgraded",
    ),
    ("upgraded|downgraded nodes|node|servers", "nodes-upgraded"),
    (
        "config|configuration|setting changes|change|changed are|were? applied|acknowledged?",
        "config-changes",
    ),
    (
        "credentials|certificates|keys|tokens are|were? rotated",
        "credentials-rotated",
    ),
    ("rotated credentials", "credentials-rotated"),
    (
        "compactions|compaction run|ran|done|completed|acknowledged|finished?",
        "compactions",
    ),
    (
        "rebalances|rebalancings run|ran|done|completed|acknowledged|finished?",
        "rebalances",
    ),
    (
        "backups|backup taken|made|completed|acknowledged|finished",
        "backups",
    ),
    ("backups", "backups"),
    (
        "restores|restored completed|acknowledged|finished?",
        "restores",
    ),
    (
        "leadership transfers|transferred acknowledged|completed?",
        "step-downs",
    ),
    ("step downs", "step-downs"),
    (
        "membership changes acknowledged|completed|applied?",
        "membership-changes",
    ),
    ("cpu slices|slice are|were? taken", "cpu-slices-taken"),
    (
        "descriptors|descriptor|opens|sockets are|were? refused|denied",
        "descriptors-refused",
    ),
    ("emfile errors|error|returned|count?", "descriptors-refused"),
    (
        "oom kills|kill|killed|events|event count|counter?",
        "oom-kills",
    ),
    (
        "processes|process|nodes|node are|were|is|was? oom killed",
        "oom-kills",
    ),
    ("oom killer runs|ran|acts|acted|strikes|struck", "oom-kills"),
    ("restarts|restart count|counter?", "restarts"),
    (
        "processes|process|nodes|node are|were|is|was? restarted|rebooted",
        "restarts",
    ),
];

const REELECTED: &[&str] = &[
    "a|the? new? leader is|was? re elected",
    "a|the? new? leader is|was? reelected",
    "a|the? new|different|another leader is|was? elected|elects|appears|emerges|takes?",
    "leader changes|changed|change",
    "leader re? election|reelection completes?",
    "leadership changes|changed|moves|moved|transfers",
    "re election completes?",
];

const OBSERVED: &[&str] = &[
    "a|any|some|one? client|clients observe|observes|observed|notice|notices|sees the|a|an? \
     fault|error|errors|failure|failures|timeouts?",
    "at? least? one|a|any|some? client? operation|operations|op|ops|request|requests \
     fail|fails|failed|times|timed|time out? or? times|time|fails|fail? out?",
    "at? least? one|a|any|some? client? operation|operations|op|ops|request|requests , \
     fail|fails|times|time out?",
    "clients|client operation|operations|requests? time|times|fail|fails|timed out?",
    "client timeouts|errors",
    "a|some? client|clients|guest|guests see|sees|saw|hit|hits timeout|timeouts|error|errors",
    "guest notices|noticed|observes|observed",
    "observed by the|a? guest|client|clients?",
];

const LOG: &[&str] = &[
    "raft|guest|server|node|leader? log|logs emits|emit|contains|contain|shows|show|has|line|says",
    "raft|guest|server|node|a? node? logs|log line|lines|message?",
    "log line|message",
];

/// Evidence of each window by itself.
const EACH_WINDOW: &[&str] = &[
    "in|over|during|for|per each|every fault? window|windows|partition|outage|kill|crash",
    "per window|partition|outage|kill|crash",
    "each time",
];

/// What a bound is not counted from.
const AFTER_RESTART: &[&str] =
    &["of|after the|each|every|its? node? restart|restarts|reboot|heal|heals|healing|recovery"];

const PROBE: &[&str] = &["a|the? probe", "sometimes|reachable probe?"];

const METRIC: &[&str] = &[
    "a|the? guest|server|node|application? metric|gauge|histogram",
    "a|the? guest|server|node|application metric? counter",
];

const FILLERS: &[&str] = &[
    ",",
    ";",
    ".",
    ":",
    "(",
    ")",
    "/",
    "and",
    "+",
    "&",
    "the",
    "a",
    "an",
    "of",
    "in",
    "on",
    "is",
    "are",
    "with",
    "by",
    "from",
    "to",
    "at",
    "during|over the? fault? window|partition|run",
    "in the? fault? window",
    "network",
    "nemesis",
    "landing",
    "evidence",
    "landed|lands|proven",
    "when|if|iff",
    "counter|count|counters",
    "each|every",
    "fault|faults",
    "seed|seeds",
    "process",
    "generator",
    "->",
    "per",
    "window",
    "must",
    "be",
    "show|shows",
    "ledger",
    "goes",
    "rolling",
    "= true",
    "injected",
    "leaders|leader",
    "proof",
    "confirmed",
    "plus",
    "also",
    "iptables|nftables - l counters|counter? show|shows?",
];

const HELP: &str = "evidence is a counter (`packets dropped > 0`, `un-synced writes lost > 0`, \
     `processes killed >= 3`, `restarts`, `disk errors`), `leader re-elected within 2s`, \
     `guest log line \"...\"`, `metric \"...\" >= 3`, `probe \"...\" holds`, or `a client \
     operation fails`";

/// What a landing field says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LandingDraft {
    pub(crate) conditions: Vec<(Landing, Said)>,
    pub(crate) seeds_min: Option<u32>,
}

/// Reads a nemesis and landing field into the draft.
pub(crate) fn read(field: &Field, draft: &mut LandingDraft, sink: &mut Sink<'_>) {
    let tokens = sink.tokens(field);
    let mut cursor = Cursor::new(&tokens);
    // The faults named since the last condition, or before it: what it is evidence of.
    let mut named: Vec<FaultKind> = Vec::new();
    let mut used = false;
    while !cursor.done() {
        let from = cursor.at;
        if cursor.attempt(in_every_seed).is_some() {
            refuse_every_seed(&cursor.span_from(from), sink);
        } else if let Some(seeds) = cursor.attempt(seeds) {
            draft.seeds_min = Some(seeds);
            let said = format!("every fault must land in at least {seeds} seeds");
            sink.explain(FieldKind::Landing, &cursor.span_from(from), said);
        } else if let Some((what, within_ns)) = cursor.attempt(condition) {
            let span = cursor.span_from(from);
            let text = plain(&sink.text[sink.lines.snap(&span)]);
            let landing = Landing {
                what,
                within_ns,
                faults: Vec::new(),
                text,
            };
            sink.explain(FieldKind::Landing, &span, landing.to_string());
            used = true;
            match draft.conditions.iter_mut().find(|c| c.0 == landing) {
                // Said of one fault and of another: it is about both.
                Some((_, said)) if !said.named.is_empty() => said.named.extend(&named),
                Some(_) => {}
                None => {
                    let named = named.clone();
                    draft.conditions.push((landing, Said { span, named }));
                }
            }
        } else if cursor.eat_any(EACH_WINDOW) {
            let message = "a fault's windows are judged together, not one by one";
            let help = "write what all of them come to, as in: packets dropped > 0, processes \
                        killed >= 3";
            let help = Some(help.to_owned());
            let span = cursor.span_from(from);
            sink.error(Code::NotServed, &span, message, "in each of them?", help);
        } else if cursor.eat_any(AFTER_RESTART) {
            let message = "how soon is counted from the injection, not from what comes after it";
            let help = "write `within 10s of the injection`, with the length of the window in it";
            let help = Some(help.to_owned());
            let span = cursor.span_from(from);
            sink.error(Code::NotServed, &span, message, "from when?", help);
        } else if cursor.peek().is_some_and(|token| token.kind == Kind::Break) {
            cursor.at += 1;
        } else if let Some(kind) = nemesis(&mut cursor) {
            if std::mem::take(&mut used) {
                named.clear();
            }
            named.extend(kind);
        } else if !cursor.eat_any(FILLERS) {
            sink.not_understood(&mut cursor, FieldKind::Landing, &vocabulary(), HELP);
        }
    }
}

/// Whether an item of *Observability required* names a counter.
pub(crate) fn counters(item: &str) -> bool {
    let mut all = COUNTERS.iter();
    all.any(|(_, counter)| Observable::names(item, counter))
}

fn vocabulary() -> Vec<&'static str> {
    let counters = COUNTERS.iter().map(|(phrase, _)| *phrase);
    let rest = REELECTED.iter().chain(OBSERVED).chain(LOG);
    let rest = rest.chain(PROBE).chain(METRIC).copied();
    counters
        .chain(rest)
        .chain(["within", "asymmetric", "partition", "least"])
        .collect()
}

/// The fault's name, repeated where its evidence is said; or a word about it.
fn nemesis(cursor: &mut Cursor<'_>) -> Option<Option<FaultKind>> {
    if let Some(kind) = kind_at(cursor) {
        return Some(Some(kind));
    }
    let word = cursor.lookup(DIRECTIONS).is_some() || cursor.lookup(TARGETS).is_some();
    word.then_some(None)
}

/// `landed in every seed`, `fault landed in all seeds`.
pub(super) fn in_every_seed(c: &mut Cursor<'_>) -> Option<()> {
    c.eat("fault|faults|injection|injections");
    c.eat("must");
    c.eat("landed|lands|land").then_some(())?;
    c.eat("in|on|for|over|across all|every|each of? the? seed|seeds|run|runs")
        .then_some(())
}

/// How many seeds there are is the budget's to say, and differs by tier.
pub(super) fn refuse_every_seed(span: &Range<usize>, sink: &mut Sink<'_>) {
    let message = "landing is asked of a number of seeds, not of every seed";
    let help = "write that number, as in: landed in at least 10 seeds; only seeds in which every \
                fault landed count toward hardening";
    let help = Some(help.to_owned());
    sink.error(Code::NotUnderstood, span, message, "of how many?", help);
}

fn seeds(c: &mut Cursor<'_>) -> Option<u32> {
    c.eat("landed|lands|in").then_some(())?;
    c.eat("in");
    c.eat_any(&["at least", ">="]);
    let seeds = c.small().filter(|seeds| *seeds > 0)?;
    c.eat("seeds|seed").then_some(seeds)
}

fn condition(c: &mut Cursor<'_>) -> Option<(Evidence, Option<u64>)> {
    let what = log(c).or_else(|| told(c)).or_else(|| counter(c));
    let what = what.or_else(|| {
        if c.eat_any(REELECTED) {
            return Some(Evidence::LeaderReelected);
        }
        c.eat_any(OBSERVED).then_some(Evidence::Observed)
    })?;
    let within = c.attempt(within);
    c.eat_any(&["over|in|during the? fault? window|partition|outage"]);
    c.eat_any(&["at least once", "is|was seen", "appears|appear|appeared"]);
    // Nothing counts that was seen before the injection.
    c.eat_any(&["after the|a? kill|fault|partition|injection|crash|outage"]);
    Some((what, within))
}

fn within(c: &mut Cursor<'_>) -> Option<u64> {
    c.eat(",");
    c.eat("within|in").then_some(())?;
    let bound = c.duration()?;
    c.eat_any(&["of|after the|each|every? injection|fault|kill|partition|crash|arming|cut"]);
    Some(bound)
}

fn log(c: &mut Cursor<'_>) -> Option<Evidence> {
    c.attempt(|c| {
        c.eat_any(LOG).then_some(())?;
        c.eat_any(&[":", "containing|contains", "line|message"]);
        let Kind::Quoted(said) = &c.peek()?.kind else {
            return None;
        };
        if said.trim().is_empty() {
            return None;
        }
        c.at += 1;
        Some(Evidence::GuestLog {
            contains: said.trim().to_owned(),
        })
    })
}

/// `probe "x" holds`, `metric "x" >= 3`.
fn told(c: &mut Cursor<'_>) -> Option<Evidence> {
    c.attempt(|c| {
        let is_probe = c.eat_any(PROBE);
        (is_probe || c.eat_any(METRIC)).then_some(())?;
        c.eat_any(&[":", "named|called"]);
        let Kind::Quoted(name) = &c.peek()?.kind else {
            return None;
        };
        let name = name.trim().to_owned();
        (!name.is_empty()).then_some(())?;
        c.at += 1;
        c.eat_any(&[
            "is|was? reached|hit|held|true|seen",
            "holds|fires|fired",
            "goes up",
        ]);
        let min = c.attempt(least).or_else(|| c.attempt(growth)).unwrap_or(1);
        c.eat_any(&["times|time"]);
        Some(if is_probe {
            Evidence::Probe { name, min }
        } else {
            Evidence::Metric { name, min }
        })
    })
}

/// A counter with its bound on either side; without one, at least 1.
fn counter(c: &mut Cursor<'_>) -> Option<Evidence> {
    c.attempt(|c| {
        let before = c.attempt(least).or_else(|| c.attempt(so_many));
        let mut fault = *c;
        let named = kind_at(&mut fault).is_some();
        let counter = c.lookup(COUNTERS)?;
        // `SIGKILL delivered` says more than the fault's name.
        let named = named && fault.at >= c.at;
        c.eat_any(&[
            "in|over|during the? fault? window|run|partition",
            "in|over|during each run",
            "per run|seed",
        ]);
        let after = c.attempt(least).or_else(|| c.attempt(growth));
        if before.is_some() && after.is_some() {
            return None;
        }
        if c.peek()
            .is_some_and(|t| t.is("<") || t.is("<=") || t.is("="))
        {
            return None;
        }
        c.eat("times|time");
        c.attempt(period);
        if named && before.is_none() && after.is_none() {
            // The fault's own name (`power loss`) says what should land, not that it did.
            return None;
        }
        let min = before.or(after).unwrap_or(1);
        Some(Evidence::Counter {
            counter: counter.to_owned(),
            min,
        })
    })
}

/// `> 0`, `>= 3`, `at least 3`, `more than 2`.
fn least(c: &mut Cursor<'_>) -> Option<u64> {
    c.eat("is|are|=|rises|grows|climbs|goes");
    if c.eat_any(&[">", "more than", "greater than", "above"]) {
        return c.count()?.checked_add(1);
    }
    c.eat_any(&[">=", "at least"]).then(|| c.count())?
}

/// `2 kills`: as many as that.
fn so_many(c: &mut Cursor<'_>) -> Option<u64> {
    let count = c.count().filter(|count| *count > 0)?;
    let mut counted = *c;
    counted.lookup(COUNTERS).map(|_| count)
}

/// `goes 0 -> 14,712`: it grew, whatever the figure of the day.
fn growth(c: &mut Cursor<'_>) -> Option<u64> {
    c.eat_any(&["goes|grows|rises|increases|increments|moves"])
        .then_some(())?;
    c.eat("from");
    let Some(low) = c.count() else { return Some(1) };
    c.eat("->|to").then_some(())?;
    let high = c.count()?;
    (high > low).then_some(1)
}

/// `over the 30s window`.
fn period(c: &mut Cursor<'_>) -> Option<()> {
    c.eat("over|in|during the?").then_some(())?;
    c.duration()?;
    c.eat("window|partition|fault").then_some(())
}
