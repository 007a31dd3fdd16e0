//! What plans call the weaker models and the checkers of one claim, and how they say the bounds.

use checkers::single::{Group, Single};
use checkers::spec::CheckerSpec;
use checkers::txn::{Base, Level, Order, Workload};
use checkers::weak::Weak;

use crate::cursor::Cursor;
use crate::scenario::OpKind;
use crate::transactions::TxnKind;

const fn weak(weak: Weak) -> CheckerSpec {
    CheckerSpec::Weak(weak)
}

/// Models weaker than linearizability.
pub(super) const WEAKER: &[(&str, CheckerSpec)] = &[
    ("sequential consistency|consistent?", weak(Weak::Sequential)),
    ("sequentially consistent", weak(Weak::Sequential)),
    ("causal consistency|memory", weak(Weak::Causal)),
    ("causally consistent", weak(Weak::Causal)),
    ("causal convergence", weak(Weak::CausalConvergence)),
    ("pram consistency?", weak(Weak::Pram)),
    ("read your writes", weak(Weak::ReadYourWrites)),
    ("read your own writes", weak(Weak::ReadYourWrites)),
    ("monotonic reads", weak(Weak::MonotonicReads)),
    ("monotonic writes", weak(Weak::MonotonicWrites)),
    ("writes follow reads", weak(Weak::WritesFollowReads)),
    ("read committed registers", weak(Weak::ReadCommitted)),
    ("read atomic registers", weak(Weak::ReadAtomic)),
    ("convergence", weak(Weak::Convergence)),
    ("replicas converge", weak(Weak::Convergence)),
    ("all? nodes converge", weak(Weak::Convergence)),
    ("eventual consistency", weak(Weak::Convergence)),
];

/// Checkers of one claim, before their bounds.
const SINGLE: &[(&str, usize)] = &[
    ("unique ids|identifiers", 0),
    ("no duplicate ids|identifiers", 0),
    ("counter bounds", 1),
    ("monotonic values|counter|versions", 2),
    ("never goes|go backwards", 2),
    (
        "values|versions|counters|epochs|terms only|always grow|increase",
        2,
    ),
    (
        "values|versions|counters|epochs|terms never decrease|shrink|go back|backwards?",
        2,
    ),
    (
        "serial|sequence|version numbers only|always grow|increase",
        2,
    ),
    (
        "serial|sequence|version numbers never decrease|shrink|go back|backwards?",
        2,
    ),
    ("set", 3),
    ("set final", 3),
    ("final set", 3),
    ("set full checker?", 4),
    ("no lost elements|element", 4),
    ("total queue", 5),
    (
        "every|each acked|acknowledged? enqueue|message|element \
         comes|is out|dequeued|delivered|consumed exactly? once",
        5,
    ),
    (
        "every|each element|message is dequeued|delivered exactly? once",
        5,
    ),
    (
        "exactly once effects|delivery|processing|execution|executions|semantics?",
        6,
    ),
    ("at most once delivery|processing|execution|executions", 6),
    (
        "each|every transfer|request|operation|message|job is? applied|executed|processed exactly \
         once",
        6,
    ),
    (
        "all transfers|requests|operations|messages|jobs are? applied|executed|processed exactly \
         once",
        6,
    ),
    ("idempotency|idempotence", 6),
    ("bank", 7),
    ("bank invariant|invariants|accounts|balance|balances?", 7),
    ("conservation of money|value|the? total", 7),
    (
        "bank checker? :? the? total|sum is|stays|remains constant|conserved|unchanged",
        7,
    ),
    (
        "the? total|sum of? balances? is|stays|remains constant|conserved|unchanged",
        7,
    ),
    (
        "the? total balance? is|stays|remains|always? constant|conserved|unchanged",
        7,
    ),
    ("no negative balance|balances|account|accounts", 7),
    ("bank total constant|conserved|unchanged", 7),
    ("ledger", 8),
    ("double entry", 8),
    ("log prefix", 9),
    ("prefix consistency|property?", 9),
    ("kafka log|anomalies?", 10),
    ("log offsets", 10),
    ("mutual exclusion", 11),
    ("mutex safety", 11),
    (
        "at most one lock? holder|owner at|of? a|any|one|the? time|moment|lock?",
        11,
    ),
    (
        "at most one lease holder|owner at? a|any|one? time|moment?",
        12,
    ),
    (
        "at most one client|process|node|worker holds the|a? lock at? a|any|one? time?",
        11,
    ),
    (
        "at most one client|process|node|worker holds the|a? lease at? a|any|one? time?",
        12,
    ),
    ("lease|leases safety|exclusivity?", 12),
    ("fencing tokens|token? monotonic|grow?", 13),
    (
        "fencing tokens|token are|is|only|always|must? monotonic|monotone|grow|grows|increase",
        13,
    ),
    ("reconciliation of? replicas?", 14),
    ("replay equivalence", 15),
    ("leader is? elected|election", 16),
    ("a|the? new|next? leader is? re? elected|reelected", 16),
    ("election", 16),
    ("fairness", 17),
    ("boundary", 18),
    ("tenant isolation", 18),
    (
        "no cross tenant read|reads|access|leak|leaks|row|rows|data?",
        18,
    ),
    (
        "each|every tenant sees|reads only its own rows|data|keys?",
        18,
    ),
    ("negative control|controls", 18),
    ("refinement of? model?", 19),
    ("trace validation", 20),
    ("retry|retries policy", 21),
    ("retry|load amplification", 22),
    ("no? retry storm|storms", 22),
    ("circuit breaker transitions?", 23),
    ("bulkhead|bulkheads isolation?", 24),
    ("saga|sagas compensation|atomicity?", 25),
    ("timeout clean up", 26),
    ("timeout cleanup", 26),
    ("bounded? staleness", 27),
    ("no? cache? stampede|stampedes", 28),
    ("resource exhaustion|leak|leaks", 29),
    ("lamport clock|clocks", 30),
    ("vector clock|clocks", 31),
    ("hybrid logical? clock|clocks", 32),
    ("hlc", 32),
];

const LEVELS: &[(&str, Base)] = &[
    ("read uncommitted", Base::ReadUncommitted),
    ("read committed", Base::ReadCommitted),
    ("cursor stability", Base::CursorStability),
    ("monotonic atomic view", Base::MonotonicAtomicView),
    ("monotonic view", Base::MonotonicView),
    ("monotonic snapshot read", Base::MonotonicSnapshotRead),
    ("read atomic|atomicity", Base::ReadAtomic),
    ("update atomic", Base::UpdateAtomic),
    ("causal consistency?", Base::Causal),
    (
        "parallel snapshot isolation",
        Base::ParallelSnapshotIsolation,
    ),
    ("prefix consistency?", Base::Prefix),
    ("consistent view", Base::ConsistentView),
    ("forward consistent view", Base::ForwardConsistentView),
    ("snapshot isolation|isolated?", Base::SnapshotIsolation),
    ("repeatable read", Base::RepeatableRead),
    (
        "update serializable|serializability",
        Base::UpdateSerializable,
    ),
    (
        "serializable|serializability|serialisable|serialisability",
        Base::Serializable,
    ),
];

/// The guarantees of a session.
pub(super) const SESSION: [CheckerSpec; 4] = [
    weak(Weak::ReadYourWrites),
    weak(Weak::MonotonicReads),
    weak(Weak::MonotonicWrites),
    weak(Weak::WritesFollowReads),
];

const WORKLOADS: &[(&str, Workload)] = &[
    (
        "list append txns|transactions|histories?",
        Workload::ListAppend,
    ),
    (
        "rw? register txns|transactions|histories?",
        Workload::RwRegister,
    ),
    ("txn? sets txns|transactions|histories", Workload::Sets),
    (
        "txn? counters|counter txns|transactions|histories",
        Workload::Counters,
    ),
    ("txn sets", Workload::Sets),
    ("txn counters", Workload::Counters),
];

/// What the transactions among these operations can be judged as.
pub(crate) fn transactional(mix: &[(OpKind, u32)]) -> Option<Workload> {
    mix.iter().find_map(|(op, _)| match op {
        OpKind::Txn(TxnKind::ListAppend | TxnKind::WriteSkew) => Some(Workload::ListAppend),
        OpKind::Txn(TxnKind::Registers | TxnKind::ReadModifyWrite | TxnKind::LongFork) => {
            Some(Workload::RwRegister)
        }
        _ => None,
    })
}

/// Reads the isolation of transactions: `strict serializability of list-append transactions`;
/// `workload` are those meant where it does not say.
pub(super) fn isolation(c: &mut Cursor<'_>, workload: Option<Workload>) -> Option<CheckerSpec> {
    let by_elle = c.eat("elle");
    let bracket = by_elle && c.eat("(");
    let ahead = c.lookup(WORKLOADS);
    if by_elle {
        c.eat(")").then_some(()).or((!bracket).then_some(()))?;
        c.eat(":");
    }
    let order = [
        ("strict", Order::Realtime),
        ("strong session", Order::Process),
        ("strong", Order::Realtime),
    ];
    let order = c.lookup(&order).unwrap_or(Order::None);
    let Some(base) = c.lookup(LEVELS) else {
        // What Elle judges where it is told nothing else.
        let level = Level::STRICT_SERIALIZABLE;
        let workload = ahead.filter(|_| by_elle && order == Order::None)?;
        return Some(CheckerSpec::Isolation { workload, level });
    };
    let behind = c.attempt(|c| {
        c.eat("of|over|for|on|by|( all?");
        let workload = c.lookup(WORKLOADS)?;
        c.eat(")");
        Some(workload)
    });
    let workload = behind.or(ahead).or(workload)?;
    let level = Level { base, order };
    Some(CheckerSpec::Isolation { workload, level })
}

/// Reads a checker of one claim, with its bounds.
pub(super) fn single(c: &mut Cursor<'_>) -> Option<CheckerSpec> {
    let place = c.lookup(SINGLE)?;
    let mut single = *Single::ALL.get(place)?;
    bounds(c, &mut single);
    Some(CheckerSpec::Single(single))
}

/// Whether a checker of one claim is named next; eats the name, not the bounds.
pub(super) fn is_single(c: &mut Cursor<'_>) -> bool {
    c.lookup(SINGLE).is_some()
}

/// Every phrase, for those who ask what is known.
pub(super) fn phrases() -> impl Iterator<Item = &'static str> {
    let weaker = WEAKER.iter().map(|(phrase, _)| *phrase);
    let levels = LEVELS.iter().map(|(phrase, _)| *phrase);
    weaker
        .chain(levels)
        .chain(SINGLE.iter().map(|(phrase, _)| *phrase))
}

/// What is said of a bound; without it the checker's own stands.
fn bounds(c: &mut Cursor<'_>, single: &mut Single) {
    const TIME: &str = "with? a? within|under|for|of|up|ttl|bound|after to|of?";
    const COUNT: &str = "of|at|limit|up most|to|of?";
    let time = |c: &mut Cursor<'_>| {
        c.attempt(|c| {
            let bracket = c.eat("(");
            c.eat(TIME);
            let bound = c.duration()?;
            (!bracket || c.eat(")")).then_some(bound)
        })
    };
    let count = |c: &mut Cursor<'_>| {
        c.attempt(|c| {
            c.eat(COUNT);
            c.count()
        })
    };
    match single {
        Single::Leases { ttl_ns, skew_ns } => {
            *ttl_ns = time(c).unwrap_or(*ttl_ns);
            let skew = c.attempt(|c| {
                c.eat(",");
                c.eat("with|and");
                let skew = c.attempt(|c| {
                    c.eat_any(&["clock? skew of?"]).then_some(())?;
                    c.duration()
                });
                skew.or_else(|| {
                    let skew = c.duration()?;
                    c.eat_any(&["of? clock? skew"]).then_some(skew)
                })
            });
            *skew_ns = skew.unwrap_or(*skew_ns);
        }
        Single::Election {
            within_ns: bound_ns,
        }
        | Single::TimeoutCleanup {
            within_ns: bound_ns,
        }
        | Single::Staleness { bound_ns }
        | Single::CircuitBreaker { open_ns: bound_ns }
        | Single::HybridClock { drift_ns: bound_ns } => {
            *bound_ns = time(c).unwrap_or(*bound_ns);
            if matches!(single, Single::Election { .. }) {
                c.eat_any(&["of|after every|each|the|a? heal|heals|healing|recovery|last? fault?"]);
            }
        }
        Single::Bulkhead { limit } | Single::Stampede { limit } => {
            *limit = count(c).unwrap_or(*limit);
        }
        Single::Exhaustion { limit } => {
            let bound = count(c).and_then(|bound| i64::try_from(bound).ok());
            *limit = bound.unwrap_or(*limit);
        }
        Single::SetFull { strict } => *strict |= c.eat("strict|strictly"),
        Single::Bank { overdraft, .. } => {
            *overdraft |= c.eat_any(&["with|and|, overdraft|overdrafts|debts allowed?"]);
        }
        Single::Fairness { by, .. } => {
            let groups = [
                (
                    "by|per|across|between|over clients|client|process|processes",
                    Group::Process,
                ),
                (
                    "by|per|across|between|over keys|key|tenant|tenants",
                    Group::Key,
                ),
                (
                    "by|per|across|between|over nodes|node|replicas",
                    Group::Node,
                ),
            ];
            *by = c.lookup(&groups).unwrap_or(*by);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{SINGLE, Single};

    #[test]
    fn every_checker_has_a_phrase() {
        for place in 0..Single::ALL.len() {
            let named = SINGLE.iter().any(|(_, of)| *of == place);
            assert!(named, "{} has no phrase", Single::ALL[place].name());
        }
        assert!(SINGLE.iter().all(|(_, of)| *of < Single::ALL.len()));
    }
}
