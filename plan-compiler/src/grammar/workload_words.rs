//! The words of workloads.

use crate::scenario::{Heal, OpKind, Skew, Weather};
use crate::transactions::TxnKind;

pub(super) const OPERATIONS: &[(&str, OpKind)] = &[
    ("read|reads|get|gets|reading", OpKind::Read),
    (
        "write|writes|put|puts|set|sets|update|updates|writing",
        OpKind::Write,
    ),
    ("cas", OpKind::Cas),
    ("compare and? swap|set", OpKind::Cas),
    ("append|appends|appending", OpKind::Append),
];

pub(super) const TRANSACTIONS: &[(&str, OpKind)] = &[
    (
        "list append txn|txns|transaction|transactions",
        OpKind::Txn(TxnKind::ListAppend),
    ),
    (
        "rw? register txn|txns|transaction|transactions",
        OpKind::Txn(TxnKind::Registers),
    ),
    (
        "read modify write txn|txns|transaction|transactions",
        OpKind::Txn(TxnKind::ReadModifyWrite),
    ),
    (
        "write skew txn|txns|transaction|transactions",
        OpKind::Txn(TxnKind::WriteSkew),
    ),
    (
        "long fork txn|txns|transaction|transactions",
        OpKind::Txn(TxnKind::LongFork),
    ),
    (
        "bank txn|txns|transaction|transactions|transfers",
        OpKind::Txn(TxnKind::Bank),
    ),
];

pub(super) const UNSERVED: &[&str] = &["txn|txns|transaction|transactions"];

pub(super) const WEATHERS: &[(&str, Weather)] = &[
    ("calm network|weather", Weather::Calm),
    ("network|weather :|=|is? calm", Weather::Calm),
    ("usual network|weather", Weather::Usual),
    ("network|weather :|=|is? usual", Weather::Usual),
    ("drawn|random network|weather", Weather::Drawn),
    ("network|weather :|=|is? drawn by? seed?", Weather::Drawn),
];

pub(super) const EVERY_FAULT: &[&str] =
    &["every|all fault|faults in every|each seed|run", "no swarm"];

pub(super) const HEALS: &[(&str, Heal)] = &[
    (
        "only? a majority only? heals|recovers|returns",
        Heal::Majority,
    ),
    ("heal only? a? majority only?", Heal::Majority),
    ("a? minority is? lost|gone for good|ever", Heal::Majority),
    (
        "all|every|each node|nodes|server|servers heal|heals|recover|recovers|return|returns",
        Heal::All,
    ),
    ("heal all|everything|everybody", Heal::All),
];

pub(super) const SKEWS: &[(&str, Skew)] = &[
    (
        "key|keys? skew? :|=? zipf|zipfian keys|distribution|skew?",
        Skew::Zipf,
    ),
    (
        "zipf|zipfian distributed? keys|key? skew|distribution?",
        Skew::Zipf,
    ),
    ("skewed keys", Skew::Zipf),
    ("hot keys ( zipf|zipfian )", Skew::Zipf),
    ("hot keys", Skew::Zipf),
    (
        "key|keys? skew? :|=? uniform|uniformly keys|distribution|skew|distributed?",
        Skew::Uniform,
    ),
    (
        "uniform|uniformly distributed? keys|key? skew|distribution?",
        Skew::Uniform,
    ),
    ("no key? skew", Skew::Uniform),
];

pub(super) const TIMEOUT: &[&str] = &[
    "operation|op|request|client|per time? out|timeout of|is|=|:?",
    "operation|op|request|client|each? timeout|timeouts of|is|=|:?",
    "per operation|op|request timeout|timeouts of|is|=|:?",
];

pub(super) const FILLERS: &[&str] = &[
    ",",
    ";",
    ".",
    "/",
    "+",
    "&",
    "(",
    ")",
    ":",
    "and",
    "with",
    "the",
    "a",
    "an",
    "of",
    "over",
    "on",
    "for",
    "in",
    "against",
    "each",
    "by",
    "at",
    "from",
    "mixed",
    "mix",
    "workload",
    "load",
    "concurrent",
    "issue|issuing|run|runs|running|doing|do",
    "closed loop",
    "as fast as possible",
    "operation|operations|ops",
    "cluster",
    "duration|lasting",
    "generic",
    "random|randomly",
    "picked|chosen|drawn",
    "client side",
    "virtual",
    "time",
    "steady|constant|sustained load|traffic",
    "parallel",
    "read|write heavy :",
    "then",
    "hitting|calling|against the? api|service|cluster|endpoint|frontend",
];

pub(super) const OF_EACH: &[&str] = &[
    "per|by|each|every client",
    "for? each|every client",
    "each",
    "/ client",
    "( per client )",
];

pub(super) const IN_TOTAL: &[&str] = &[
    "in total",
    "total",
    "overall",
    "aggregate",
    "over all clients",
    "( total )",
];

pub(super) const EACH_DOES: &[&str] =
    &["each client? does|doing|issues|issuing|performs|performing|runs|running|sends|sending"];

/// Nobody asks for anything.
pub(super) const IDLE: &[&str] = &[
    "idle cluster|clients|workload|load|system|run?",
    "clients are? idle",
    "no load|traffic|operations|client operations|traffic?",
];
