//! What each single-purpose checker claims, needs, reports, and cannot see.

use super::Single;

/// A line of the table of checkers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// How its bounds are written; empty when it takes none.
    pub takes: &'static str,
    /// What holds when it answers *ok*.
    pub claim: &'static str,
    /// The rows and fields without which it answers that the history is too weak.
    pub needs: &'static str,
    /// The anomalies that it reports.
    pub anomalies: &'static [&'static str],
    /// What is wrong and yet not reported.
    pub blind: &'static str,
}

const UNIQUE_IDS: Row = Row {
    name: "unique-ids",
    takes: "",
    claim: "no identifier is given to two callers",
    needs: "acknowledged rows `generate` with an output",
    anomalies: &["duplicate-id"],
    blind: "identifiers that nobody was told",
};

const COUNTER: Row = Row {
    name: "counter-bounds",
    takes: "counter-bounds[=FLOOR:CEILING]",
    claim: "each value told lies between what must have been added and what may have been",
    needs: "`add`, `inc`, `dec` with integers, acknowledged `read`s",
    anomalies: &["impossible-value", "below-floor", "above-ceiling"],
    blind: "values inside that interval which no choice of open changes gives",
};

const MONOTONIC: Row = Row {
    name: "monotonic",
    takes: "",
    claim: "what is read of a key never goes backwards in real time",
    needs: "acknowledged `read`s or `inc`s with integers",
    anomalies: &["went-backwards"],
    blind: "reads that overlap",
};

const SET: Row = Row {
    name: "set-final",
    takes: "",
    claim: "the last read has every element acknowledged before it, once, and no other",
    needs: "`add`s and an acknowledged `read` or `final-read` of a list",
    anomalies: &["lost-element", "duplicate-element", "unexpected-element"],
    blind: "what earlier reads missed",
};

const SET_FULL: Row = Row {
    name: "set-full",
    takes: "set-full[=strict]",
    claim: "no element, once known, is gone for good, or twice in a read; strict: none is \
            missing from a later read",
    needs: "`add`s and acknowledged `read`s of lists",
    anomalies: &[
        "lost-element",
        "stale-read",
        "duplicate-element",
        "unexpected-element",
    ],
    blind: "elements that no read followed",
};

const TOTAL_QUEUE: Row = Row {
    name: "total-queue",
    takes: "",
    claim: "every element put is taken, and once",
    needs: "`enqueue`, `dequeue`, `drain`, and a proof that it was empty at the end",
    anomalies: &["lost-element", "duplicate-element", "unexpected-element"],
    blind: "the order of elements",
};

const EXACTLY_ONCE: Row = Row {
    name: "exactly-once",
    takes: "",
    claim: "what is asked for under one business key takes effect once, and is answered alike",
    needs: "`request`s by key, and `apply` rows by key or a `final-read` of the keys that took \
            effect",
    anomalies: &[
        "duplicate-effect",
        "lost-effect",
        "phantom-effect",
        "effect-of-failed",
        "different-answers",
    ],
    blind: "effects that no `apply` row or final read shows",
};

const BANK: Row = Row {
    name: "bank",
    takes: "bank[=TOTAL][:overdraft]",
    claim: "transfers keep the total, no account is negative, and each read shows whole \
            transfers: all that had ended, none not begun",
    needs: "`transfer` of [from, to, amount], acknowledged `read`s of [account, balance] lists",
    anomalies: &[
        "wrong-total",
        "negative-balance",
        "different-accounts",
        "unexplained-balances",
    ],
    blind: "which of two transfers with the same sums happened",
};

const LEDGER: Row = Row {
    name: "ledger",
    takes: "",
    claim: "entries sum to zero, one key is one entry, and the final balances are what was \
            posted",
    needs: "`post` by entry key with [account, amount] lists, a `final-read` of [account, \
            balance]",
    anomalies: &[
        "unbalanced-entry",
        "conflicting-entry",
        "unbalanced-ledger",
        "wrong-balance",
    ],
    blind: "balances in between",
};

const LOG_PREFIX: Row = Row {
    name: "log-prefix",
    takes: "",
    claim: "all reads are prefixes of one log, in which entries stand once, in real-time order",
    needs: "`append`s and acknowledged `read`s of lists",
    anomalies: &[
        "diverging-reads",
        "duplicate-entry",
        "phantom-entry",
        "missing-entry",
        "reordered-entries",
        "shrunk-log",
    ],
    blind: "entries beyond the longest read, unless a read lacks them",
};

const KAFKA: Row = Row {
    name: "kafka",
    takes: "",
    claim: "each value has one offset and each offset one value; consumers are given all, in \
            order, from the beginning",
    needs: "`send`s with offsets, `poll`s of [offset, value] lists",
    anomalies: &[
        "inconsistent-offset",
        "duplicate",
        "lost-write",
        "phantom-read",
        "aborted-read",
        "future-read",
        "skipped-poll",
        "internal-skipped-poll",
        "nonmonotonic-poll",
        "internal-nonmonotonic-poll",
        "nonmonotonic-send",
        "internal-nonmonotonic-send",
    ],
    blind: "sends beyond what anybody polled; cycles of transactions",
};

const MUTUAL_EXCLUSION: Row = Row {
    name: "mutual-exclusion",
    takes: "",
    claim: "no two hold a lock at a time, none takes it twice, none gives back what it has not",
    needs: "`acquire` and `release`, holders by input or process",
    anomalies: &["two-holders", "acquired-twice", "released-not-held"],
    blind: "overlaps shorter than the calls themselves; what a holder does without asking",
};

const LEASES: Row = Row {
    name: "leases",
    takes: "leases[=TTL[:SKEW]]",
    claim: "no two hold a lease at a time, clocks being no further apart than the bound",
    needs: "`acquire`, `renew` and `release` in virtual time, holders by input or process",
    anomalies: &["two-holders", "renewed-after-expiry"],
    blind: "overlaps within the bound; holders that go on after their lease",
};

const FENCING: Row = Row {
    name: "fencing",
    takes: "",
    claim: "tokens grow with each grant, and no write with an older token follows one with a \
            newer",
    needs: "`acquire` with the token as output, `write` of [token, value]",
    anomalies: &["token-reused", "token-went-back", "stale-token-accepted"],
    blind: "resources that do not record their tokens",
};

const RECONCILIATION: Row = Row {
    name: "reconciliation",
    takes: "",
    claim: "at the end all replicas hold the same: all that was acknowledged, and nothing else",
    needs: "`final-read`s with node_seen at two nodes",
    anomalies: &[
        "replicas-differ",
        "missing-on-replica",
        "lost-on-replica",
        "phantom-on-replica",
    ],
    blind: "replicas that were not read",
};

const REPLAY_EQUIVALENCE: Row = Row {
    name: "replay-equivalence",
    takes: "",
    claim: "a state rebuilt from the log is the state that it was at that place",
    needs: "`state` and `replay` rows by place in the log",
    anomalies: &["different-states", "different-replay"],
    blind: "what the recorded states or digests leave out",
};

const ELECTION: Row = Row {
    name: "election",
    takes: "election[=TIME]",
    claim: "after each heal a leader is observed in time",
    needs: "fault windows with an end, `lead` rows",
    anomalies: &["no-leader"],
    blind: "a leader that stays and is not observed again; whether the leader can do anything",
};

const FAIRNESS: Row = Row {
    name: "fairness",
    takes: "fairness[=key|process|node[:PERCENT]]",
    claim: "no group is starved, has far fewer successes, more errors, or a far longer 99th \
            percentile than all",
    needs: "operations of two groups",
    anomalies: &["starved", "low-throughput", "slow-group", "more-errors"],
    blind: "groups that asked for less on purpose",
};

const BOUNDARY: Row = Row {
    name: "boundary",
    takes: "",
    claim: "nobody is served, or sees, what belongs to another, while its own is served",
    needs: "keys [actor, object] and, for negative controls, [actor, owner, object]",
    anomalies: &["leak", "foreign-read", "foreign-effect"],
    blind: "surfaces without a control; leaks by timing",
};

const REFINEMENT: Row = Row {
    name: "refinement",
    takes: "",
    claim: "in its order of completion the history is a run of the model",
    needs: "the model's operations, recorded in the order of their effects",
    anomalies: &["no-refinement"],
    blind: "effects that come in another order than completions (use linearizability)",
};

const TRACE: Row = Row {
    name: "trace",
    takes: "",
    claim: "each machine begins and moves only as its relation allows",
    needs: "`step` rows with the state as output, and `relation` rows of [from, action, to]",
    anomalies: &["illegal-start", "illegal-step"],
    blind: "steps that were not recorded; progress",
};

const RETRY: Row = Row {
    name: "retry",
    takes: "retry[=ATTEMPTS:BASE:CAP:JITTER%]",
    claim: "retries back off, are random as the policy says, end at its cap, and stop at \
            success or a final error",
    needs: "`attempt`s by request key; `policy` non-retryable, a list of errors",
    anomalies: &[
        "too-many-attempts",
        "retried-too-early",
        "retried-too-late",
        "retried-success",
        "retried-non-retryable",
        "concurrent-attempts",
        "no-jitter",
    ],
    blind: "attempts that other layers make",
};

const AMPLIFICATION: Row = Row {
    name: "amplification",
    takes: "amplification[=PERCENT:WINDOW]",
    claim: "attempts do not outnumber requests by more than the bound, on the whole or in any \
            window",
    needs: "`attempt`s by request key",
    anomalies: &["amplification", "retry-storm"],
    blind: "load that does not come from attempts",
};

const CIRCUIT_BREAKER: Row = Row {
    name: "circuit-breaker",
    takes: "circuit-breaker[=OPEN-TIME]",
    claim: "the breaker goes closed, open, half-open, and back; open, it lets nothing through, \
            and long enough",
    needs: "`breaker` rows with the state as output, `call` rows by breaker",
    anomalies: &[
        "illegal-transition",
        "half-open-too-early",
        "call-while-open",
    ],
    blind: "whether it opens when it should",
};

const BULKHEAD: Row = Row {
    name: "bulkhead",
    takes: "bulkhead[=LIMIT]",
    claim: "a compartment never runs more calls at a time than its limit, and turns none away \
            below it",
    needs: "`call` rows by compartment, recorded where they run",
    anomalies: &["over-limit", "rejected-below-limit"],
    blind: "resources shared below the compartments",
};

const SAGA: Row = Row {
    name: "saga",
    takes: "",
    claim: "a saga is done wholly, or all that was done is undone once, last first",
    needs: "`begin` with the list of steps, `step` and `compensate` of [saga, step]",
    anomalies: &[
        "half-compensated",
        "not-compensated",
        "compensated-nothing",
        "compensated-twice",
        "wrong-order",
        "false-done",
        "false-compensated",
    ],
    blind: "whether a compensation undoes what its step did",
};

const TIMEOUT_CLEANUP: Row = Row {
    name: "timeout-cleanup",
    takes: "timeout-cleanup[=TIME]",
    claim: "what a request that timed out had taken is given back in time",
    needs: "requests by key, `take` and `free` by resource with the request as input",
    anomalies: &["leaked", "freed-late"],
    blind: "resources that are not recorded",
};

const STALENESS: Row = Row {
    name: "staleness",
    takes: "staleness[=TIME]",
    claim: "nothing is returned that was overwritten longer ago than the bound",
    needs: "`write`s and acknowledged `read`s",
    anomalies: &["too-stale", "phantom-value"],
    blind: "the order of writes that overlap; values of unknown outcome",
};

const STAMPEDE: Row = Row {
    name: "stampede",
    takes: "stampede[=LIMIT]",
    claim: "a key is loaded by no more at a time than the limit",
    needs: "`load` rows by key, recorded where they run",
    anomalies: &["stampede"],
    blind: "loads of different keys together",
};

const EXHAUSTION: Row = Row {
    name: "exhaustion",
    takes: "exhaustion[=LIMIT]",
    claim: "a resource stays within its limit, and after all work is where it began",
    needs: "`gauge` rows with the level as output, the last after all work",
    anomalies: &["over-limit", "not-given-back"],
    blind: "peaks between two gauges",
};

const LAMPORT_CLOCK: Row = Row {
    name: "lamport-clock",
    takes: "",
    claim: "a stamp is greater than those of all that caused it",
    needs: "`local`, `send`, `recv` rows with an integer as output, key the message",
    anomalies: &["went-backwards", "received-before-sent"],
    blind: "causes outside the recorded messages",
};

const VECTOR_CLOCK: Row = Row {
    name: "vector-clock",
    takes: "",
    claim: "stamps order two events exactly when one caused the other",
    needs: "`local`, `send`, `recv` rows with counts by process as output, key the message",
    anomalies: &["went-backwards", "knows-too-little", "knows-too-much"],
    blind: "causes outside the recorded messages",
};

const HYBRID_CLOCK: Row = Row {
    name: "hybrid-clock",
    takes: "hybrid-clock[=DRIFT]",
    claim: "a stamp is greater than those of all that caused it, and near the physical clock",
    needs: "`local`, `send`, `recv` rows with [physical, logical] as output, key the message",
    anomalies: &[
        "went-backwards",
        "received-before-sent",
        "drifted",
        "behind-physical",
    ],
    blind: "causes outside the recorded messages",
};

/// The line of a checker.
pub(super) fn row(single: &Single) -> &'static Row {
    match single {
        Single::UniqueIds => &UNIQUE_IDS,
        Single::Counter { .. } => &COUNTER,
        Single::Monotonic => &MONOTONIC,
        Single::Set => &SET,
        Single::SetFull { .. } => &SET_FULL,
        Single::TotalQueue => &TOTAL_QUEUE,
        Single::ExactlyOnce => &EXACTLY_ONCE,
        Single::Bank { .. } => &BANK,
        Single::Ledger => &LEDGER,
        Single::LogPrefix => &LOG_PREFIX,
        Single::Kafka => &KAFKA,
        Single::MutualExclusion => &MUTUAL_EXCLUSION,
        Single::Leases { .. } => &LEASES,
        Single::Fencing => &FENCING,
        Single::Reconciliation => &RECONCILIATION,
        Single::ReplayEquivalence => &REPLAY_EQUIVALENCE,
        Single::Election { .. } => &ELECTION,
        Single::Fairness { .. } => &FAIRNESS,
        Single::Boundary => &BOUNDARY,
        Single::Refinement => &REFINEMENT,
        Single::Trace => &TRACE,
        Single::Retry { .. } => &RETRY,
        Single::Amplification { .. } => &AMPLIFICATION,
        Single::CircuitBreaker { .. } => &CIRCUIT_BREAKER,
        Single::Bulkhead { .. } => &BULKHEAD,
        Single::Saga => &SAGA,
        Single::TimeoutCleanup { .. } => &TIMEOUT_CLEANUP,
        Single::Staleness { .. } => &STALENESS,
        Single::Stampede { .. } => &STAMPEDE,
        Single::Exhaustion { .. } => &EXHAUSTION,
        Single::LamportClock => &LAMPORT_CLOCK,
        Single::VectorClock => &VECTOR_CLOCK,
        Single::HybridClock { .. } => &HYBRID_CLOCK,
    }
}
