//! Single-purpose checkers: each judges one claim, in time that is near linear.
//!
//! Each says in [`Single::row`] what it claims, which rows and fields it needs, what it reports
//! and what it cannot see. All share these rules. A row that failed had no effect; a row that is
//! ambiguous may have had it, at any time after its invocation, or never: neither is held against
//! the system. A row that lacks what the checker needs makes the answer
//! [`Outcome::Weak`](crate::Outcome::Weak) with the field's name, never *ok*. Rows of a type that
//! a checker does not know are left alone and counted in its scope.

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::report::{Budget, CheckReport};
use crate::spec::ModelKind;

mod bank;
mod boundary;
mod breaker;
mod cache;
mod catalogue;
mod cleanup;
mod clocks;
mod counter;
mod exhaustion;
mod fairness;
mod holders;
mod judged;
mod kafka;
mod ledger;
mod monotonic;
mod once;
mod prefix;
mod queue;
mod refinement;
mod replicas;
mod retry;
mod saga;
mod set_full;
mod sets;
mod text;
mod trace;

pub use catalogue::Row;
pub use refinement::refine_with;
pub use trace::{Relation, validate_trace};

pub(crate) use judged::Judged;

/// What operations are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// The object, `key`.
    Key,
    /// The client, `process_id`.
    Process,
    /// The node, `node_seen`.
    Node,
}

/// A single-purpose checker, with its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Single {
    /// No identifier is given twice.
    UniqueIds,
    /// Every value read of a counter can be explained, and lies between the bounds.
    Counter {
        /// The least value allowed.
        floor: Option<i64>,
        /// The greatest value allowed.
        ceiling: Option<i64>,
    },
    /// What is observed of a key never goes backwards in real time.
    Monotonic,
    /// The last read of a set has what was added, once each, and nothing else.
    Set,
    /// No element of a set, once known, is lost.
    SetFull {
        /// Whether a read that misses a known element is a violation even if a later one has it.
        strict: bool,
    },
    /// Every element enqueued is dequeued, once.
    TotalQueue,
    /// The effects of one business key happen once.
    ExactlyOnce,
    /// Transfers keep the total, no account goes below zero, no read sees half a transfer.
    Bank {
        /// The sum of all accounts; that of the first read without it.
        total: Option<i64>,
        /// Whether accounts may be below zero.
        overdraft: bool,
    },
    /// Double entry: entries sum to zero, the final balances are those of what was posted.
    Ledger,
    /// All reads of a log are prefixes of one log.
    LogPrefix,
    /// A log with offsets, as Kafka's.
    Kafka,
    /// At most one holder of a lock at a time.
    MutualExclusion,
    /// At most one holder of a lease at a time, up to clock differences.
    Leases {
        /// How long a grant or renewal lasts, nanoseconds.
        ttl_ns: u64,
        /// How far clocks may be apart, nanoseconds.
        skew_ns: u64,
    },
    /// Fencing tokens grow, and a write with an old token is refused.
    Fencing,
    /// Replicas hold the same, and what clients were told.
    Reconciliation,
    /// A state rebuilt from the log equals the state that it was.
    ReplayEquivalence,
    /// After each heal a leader is observed in time.
    Election {
        /// The bound, nanoseconds after the heal.
        within_ns: u64,
    },
    /// No group of operations is served much worse than all.
    Fairness {
        /// What operations are grouped by.
        by: Group,
        /// How many hundredths of the whole's 99th percentile a group's may be.
        percent_max: u64,
    },
    /// Nobody sees what belongs to another.
    Boundary,
    /// In its order of completion the history is a run of the scenario's model.
    Refinement,
    /// Each machine moves only as its relation allows.
    Trace,
    /// Retries back off, are capped, and stop.
    Retry {
        /// Attempts of one request.
        attempts_max: u64,
        /// The least wait before the first retry, nanoseconds; it doubles for each further one.
        base_ns: u64,
        /// The longest wait, nanoseconds.
        cap_ns: u64,
        /// How much of a wait may be random, hundredths.
        jitter_percent: u64,
    },
    /// Retries do not multiply the load.
    Amplification {
        /// Attempts for a hundred requests.
        percent_max: u64,
        /// Within any span so long, nanoseconds.
        window_ns: u64,
    },
    /// A circuit breaker moves only as it may, and lets nothing through while it is open.
    CircuitBreaker {
        /// How long it stays open before it tries again, nanoseconds.
        open_ns: u64,
    },
    /// A compartment never has more calls at a time than its limit.
    Bulkhead {
        /// The limit.
        limit: u64,
    },
    /// Every saga is done wholly, or what was done of it is compensated.
    Saga,
    /// What a request that timed out had taken is given back in time.
    TimeoutCleanup {
        /// The bound, nanoseconds after the time-out.
        within_ns: u64,
    },
    /// A cache returns nothing that was overwritten longer ago than the bound.
    Staleness {
        /// The bound, nanoseconds.
        bound_ns: u64,
    },
    /// A key that is missing is loaded by few at a time.
    Stampede {
        /// How many at a time.
        limit: u64,
    },
    /// A resource stays below its limit and is given back at the end.
    Exhaustion {
        /// The limit.
        limit: i64,
    },
    /// Lamport clocks grow along every cause.
    LamportClock,
    /// Vector clocks order exactly what is caused.
    VectorClock,
    /// Hybrid clocks grow along every cause and stay near the physical ones.
    HybridClock {
        /// How far ahead of its node's physical clock a time stamp may be, nanoseconds.
        drift_ns: u64,
    },
}

impl Single {
    /// Every checker; the bounds are those that a name alone stands for.
    pub const ALL: [Single; 33] = [
        Single::UniqueIds,
        Single::Counter {
            floor: None,
            ceiling: None,
        },
        Single::Monotonic,
        Single::Set,
        Single::SetFull { strict: false },
        Single::TotalQueue,
        Single::ExactlyOnce,
        Single::Bank {
            total: None,
            overdraft: false,
        },
        Single::Ledger,
        Single::LogPrefix,
        Single::Kafka,
        Single::MutualExclusion,
        Single::Leases {
            ttl_ns: 10_000_000_000,
            skew_ns: 0,
        },
        Single::Fencing,
        Single::Reconciliation,
        Single::ReplayEquivalence,
        Single::Election {
            within_ns: 5_000_000_000,
        },
        Single::Fairness {
            by: Group::Process,
            percent_max: 300,
        },
        Single::Boundary,
        Single::Refinement,
        Single::Trace,
        Single::Retry {
            attempts_max: 5,
            base_ns: 100_000_000,
            cap_ns: 10_000_000_000,
            jitter_percent: 50,
        },
        Single::Amplification {
            percent_max: 200,
            window_ns: 1_000_000_000,
        },
        Single::CircuitBreaker {
            open_ns: 5_000_000_000,
        },
        Single::Bulkhead { limit: 10 },
        Single::Saga,
        Single::TimeoutCleanup {
            within_ns: 5_000_000_000,
        },
        Single::Staleness {
            bound_ns: 1_000_000_000,
        },
        Single::Stampede { limit: 1 },
        Single::Exhaustion { limit: 100 },
        Single::LamportClock,
        Single::VectorClock,
        Single::HybridClock {
            drift_ns: 500_000_000,
        },
    ];

    /// What it claims, needs, reports and cannot see.
    #[must_use]
    pub fn row(&self) -> &'static Row {
        catalogue::row(self)
    }

    /// The name: `unique-ids`, `counter-bounds`, ...
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.row().name
    }
}

/// Judges a history. The model matters to refinement only.
pub(crate) fn check(
    history: &History,
    single: Single,
    model: ModelKind,
    budget: &Budget,
) -> CheckReport {
    let mut judged = Judged::new(history);
    match single {
        Single::UniqueIds => sets::unique_ids(&mut judged),
        Single::Counter { floor, ceiling } => counter::check(&mut judged, floor, ceiling),
        Single::Monotonic => monotonic::check(&mut judged),
        Single::Set => sets::set(&mut judged),
        Single::SetFull { strict } => set_full::check(&mut judged, strict),
        Single::TotalQueue => queue::check(&mut judged),
        Single::ExactlyOnce => once::check(&mut judged),
        Single::Bank { total, overdraft } => bank::check(&mut judged, total, overdraft, budget),
        Single::Ledger => ledger::check(&mut judged),
        Single::LogPrefix => prefix::check(&mut judged),
        Single::Kafka => kafka::check(&mut judged),
        Single::MutualExclusion => holders::mutual_exclusion(&mut judged),
        Single::Leases { ttl_ns, skew_ns } => holders::leases(&mut judged, ttl_ns, skew_ns),
        Single::Fencing => holders::fencing(&mut judged),
        Single::Reconciliation => replicas::reconciliation(&mut judged),
        Single::ReplayEquivalence => replicas::replay(&mut judged),
        Single::Election { within_ns } => fairness::election(&mut judged, within_ns),
        Single::Fairness { by, percent_max } => fairness::check(&mut judged, by, percent_max),
        Single::Boundary => boundary::check(&mut judged),
        Single::Refinement => refinement::check(&mut judged, model),
        Single::Trace => trace::check(&mut judged),
        Single::Retry {
            attempts_max,
            base_ns,
            cap_ns,
            jitter_percent,
        } => {
            let policy = retry::Policy {
                attempts_max,
                base_ns,
                cap_ns,
                jitter_percent,
            };
            retry::check(&mut judged, &policy);
        }
        Single::Amplification {
            percent_max,
            window_ns,
        } => retry::amplification(&mut judged, percent_max, window_ns),
        Single::CircuitBreaker { open_ns } => breaker::check(&mut judged, open_ns),
        Single::Bulkhead { limit } => breaker::bulkhead(&mut judged, limit),
        Single::Saga => saga::check(&mut judged),
        Single::TimeoutCleanup { within_ns } => cleanup::check(&mut judged, within_ns),
        Single::Staleness { bound_ns } => cache::staleness(&mut judged, bound_ns),
        Single::Stampede { limit } => cache::stampede(&mut judged, limit),
        Single::Exhaustion { limit } => exhaustion::check(&mut judged, limit),
        Single::LamportClock => clocks::lamport(&mut judged),
        Single::VectorClock => clocks::vector(&mut judged),
        Single::HybridClock { drift_ns } => clocks::hybrid(&mut judged, drift_ns),
    }
    judged.finish(single.row())
}
