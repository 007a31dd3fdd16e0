//! Which checkers find what a plan takes for granted: a stronger one judges what a weaker claims.

use checkers::single::Single;
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::txn::{Base, Level, Order};
use checkers::weak::Weak;

use crate::grammar::criteria::Property;
use crate::scenario::Category;

/// Whether `have`, of a scenario with this model, finds where the property does not hold.
pub(crate) fn judges(have: CheckerSpec, model: ModelKind, asked: Property) -> bool {
    match asked {
        Property::Once => counts(have, model),
        Property::Claim { of, bounded } => covers(have, model, of, bounded),
    }
}

/// Whether it looks at what claims of this category are about.
pub(crate) fn looks_at(have: CheckerSpec, model: ModelKind, category: Category) -> bool {
    use CheckerSpec::{Isolation, Linearizability, Single as Of, SingleLeader, Weak as Weaker};
    use Single as S;
    match category {
        Category::Durability => {
            covers(have, model, CheckerSpec::NoLostAck, false)
                || have == Weaker(Weak::Convergence)
                || matches!(have, Of(S::ReplayEquivalence))
        }
        Category::Isolation => match have {
            Linearizability | Isolation { .. } | Of(S::Bank { .. } | S::Boundary) => true,
            Weaker(weak) => matches!(weak, Weak::ReadCommitted | Weak::ReadAtomic),
            _ => false,
        },
        Category::Ordering => match have {
            Linearizability | Isolation { .. } => true,
            Weaker(weak) => is_order(weak),
            Of(single) => matches!(
                single,
                S::LogPrefix
                    | S::Kafka
                    | S::Monotonic
                    | S::Fencing
                    | S::Refinement
                    | S::Trace
                    | S::Saga
                    | S::LamportClock
                    | S::VectorClock
                    | S::HybridClock { .. }
            ),
            _ => false,
        },
        Category::Idempotency => {
            counts(have, model)
                || matches!(
                    have,
                    Linearizability | Isolation { .. } | Of(S::Bank { .. })
                )
        }
        Category::Membership => match have {
            Linearizability | SingleLeader => true,
            Weaker(weak) => !is_order(weak),
            Of(single) => matches!(
                single,
                S::Election { .. }
                    | S::Reconciliation
                    | S::MutualExclusion
                    | S::Leases { .. }
                    | S::Fencing
                    | S::Refinement
                    | S::Trace
            ),
            _ => false,
        },
        Category::Boundary => matches!(have, Of(S::Boundary)),
        Category::Fairness => matches!(
            have,
            Of(S::Fairness { .. } | S::Bulkhead { .. } | S::Amplification { .. })
        ),
        Category::Safety
        | Category::Liveness
        | Category::PerformanceSlo
        | Category::Operational => true,
    }
}

/// An oracle that looks at claims of this category.
pub(crate) fn oracle_for(category: Category) -> &'static str {
    match category {
        Category::Durability => "no acknowledged write is lost",
        Category::Isolation => "serializability of list-append transactions",
        Category::Idempotency => "exactly-once delivery",
        Category::Membership => "at most one leader per term",
        Category::Boundary => "boundary",
        Category::Fairness => "fairness by client",
        Category::Ordering
        | Category::Safety
        | Category::Liveness
        | Category::PerformanceSlo
        | Category::Operational => "linearizability",
    }
}

/// Finds what is there twice.
fn counts(have: CheckerSpec, model: ModelKind) -> bool {
    match have {
        CheckerSpec::Linearizability => is_taken_from(model) || is_added_to(model),
        CheckerSpec::Single(single) => matches!(
            single,
            Single::ExactlyOnce
                | Single::UniqueIds
                | Single::Counter { .. }
                | Single::Set
                | Single::SetFull { .. }
                | Single::TotalQueue
                | Single::LogPrefix
                | Single::Kafka
                | Single::Ledger
        ),
        _ => false,
    }
}

/// Objects that show what was done to them twice.
fn is_added_to(model: ModelKind) -> bool {
    matches!(
        model,
        ModelKind::Counter | ModelKind::Log | ModelKind::Text | ModelKind::Offsets
    )
}

/// Objects from which each element can be taken once.
fn is_taken_from(model: ModelKind) -> bool {
    matches!(
        model,
        ModelKind::Queue | ModelKind::Stack | ModelKind::PriorityQueue | ModelKind::Bag
    )
}

fn covers(have: CheckerSpec, model: ModelKind, asked: CheckerSpec, bounded: bool) -> bool {
    use CheckerSpec::{Isolation, Linearizability, NoLostAck, Progress, Single, Weak};
    const SESSIONS: Level = Level {
        base: Base::Serializable,
        order: Order::Process,
    };
    match (have, asked) {
        (Progress { within_ns }, Progress { within_ns: least }) => within_ns <= least,
        (Isolation { level, .. }, Isolation { level: least, .. }) => level.implies(least),
        (Isolation { level, .. }, Linearizability | NoLostAck) => {
            level.implies(Level::STRICT_SERIALIZABLE)
        }
        (Isolation { level, .. }, Weak(weak)) => is_order(weak) && level.implies(SESSIONS),
        (Linearizability, Isolation { .. }) => model == ModelKind::MultiRegister,
        (Linearizability, NoLostAck) => true,
        (Linearizability, Weak(weak)) => is_order(weak),
        (Linearizability, Single(single)) => !bounded && of_model(model, single),
        (Weak(have), Weak(asked)) => have == asked || implied(have).contains(&asked),
        (Single(have), NoLostAck) => keeps(have),
        (Single(have), Single(asked)) => {
            let same = std::mem::discriminant(&have) == std::mem::discriminant(&asked);
            if same {
                !bounded || is_as_strict(have, asked)
            } else {
                !bounded && is_part(asked, have)
            }
        }
        (have, asked) => have == asked,
    }
}

/// Whether the model says something of the order of operations.
fn is_order(weak: Weak) -> bool {
    weak != Weak::Convergence
}

/// Finds what was acknowledged and is gone.
fn keeps(single: Single) -> bool {
    matches!(
        single,
        Single::Set
            | Single::SetFull { .. }
            | Single::TotalQueue
            | Single::ExactlyOnce
            | Single::Counter { .. }
            | Single::Ledger
            | Single::Bank { .. }
            | Single::Kafka
            | Single::Reconciliation
    )
}

/// Whether every history that a model of this kind allows has what the checker claims.
fn of_model(model: ModelKind, asked: Single) -> bool {
    match asked {
        Single::MutualExclusion => matches!(
            model,
            ModelKind::Mutex
                | ModelKind::OwnedMutex
                | ModelKind::ReentrantMutex
                | ModelKind::Lease { .. }
        ),
        Single::Leases { .. } => matches!(model, ModelKind::Lease { .. }),
        Single::TotalQueue | Single::ExactlyOnce => is_taken_from(model),
        Single::Set | Single::SetFull { .. } => model == ModelKind::Set,
        Single::Counter { .. } => model == ModelKind::Counter,
        Single::LogPrefix => matches!(model, ModelKind::Log | ModelKind::Offsets),
        Single::Kafka => model == ModelKind::Offsets,
        _ => false,
    }
}

/// Whether a checker of another name claims this, too.
fn is_part(asked: Single, of: Single) -> bool {
    matches!(
        (asked, of),
        (Single::Set, Single::SetFull { .. })
            | (Single::MutualExclusion, Single::Leases { .. })
            | (Single::Leases { .. }, Single::MutualExclusion)
            | (Single::ExactlyOnce, Single::TotalQueue)
            | (Single::LogPrefix, Single::Kafka)
    )
}

/// Of two checkers of one name, whether the first leaves no more room than the second.
fn is_as_strict(have: Single, asked: Single) -> bool {
    match (have, asked) {
        (Single::Election { within_ns: have }, Single::Election { within_ns: asked })
        | (
            Single::TimeoutCleanup { within_ns: have },
            Single::TimeoutCleanup { within_ns: asked },
        )
        | (Single::Staleness { bound_ns: have }, Single::Staleness { bound_ns: asked })
        | (Single::HybridClock { drift_ns: have }, Single::HybridClock { drift_ns: asked })
        | (Single::Bulkhead { limit: have }, Single::Bulkhead { limit: asked })
        | (Single::Stampede { limit: have }, Single::Stampede { limit: asked }) => have <= asked,
        (Single::Exhaustion { limit: have }, Single::Exhaustion { limit: asked }) => have <= asked,
        (Single::SetFull { strict: have }, Single::SetFull { strict: asked }) => have || !asked,
        (have, asked) => have == asked,
    }
}

/// What a model of registers implies of those that are weaker.
fn implied(weak: Weak) -> &'static [Weak] {
    const SESSIONS: &[Weak] = &[
        Weak::ReadYourWrites,
        Weak::MonotonicReads,
        Weak::MonotonicWrites,
    ];
    const CAUSAL: &[Weak] = &[
        Weak::Pram,
        Weak::WritesFollowReads,
        Weak::ReadYourWrites,
        Weak::MonotonicReads,
        Weak::MonotonicWrites,
    ];
    const CONVERGENT: &[Weak] = &[Weak::ReadAtomic, Weak::ReadCommitted];
    const SEQUENTIAL: &[Weak] = &[
        Weak::Causal,
        Weak::CausalConvergence,
        Weak::Pram,
        Weak::WritesFollowReads,
        Weak::ReadYourWrites,
        Weak::MonotonicReads,
        Weak::MonotonicWrites,
        Weak::ReadAtomic,
        Weak::ReadCommitted,
    ];
    match weak {
        Weak::Sequential => SEQUENTIAL,
        Weak::Causal => CAUSAL,
        Weak::CausalConvergence => CONVERGENT,
        Weak::Pram => SESSIONS,
        Weak::ReadAtomic => &[Weak::ReadCommitted],
        _ => &[],
    }
}
