//! What each model is asked, which monitors know it, and what it can not see.

use crate::spec::ModelKind;

/// A line of the table of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelRow {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// How its bounds are written; empty when it takes none.
    pub takes: &'static str,
    /// The operations that it knows.
    pub operations: &'static str,
    /// The monitors that answer where values say enough; the search and the frontier know every
    /// model.
    pub monitors: &'static str,
    /// What is wrong and yet not reported.
    pub blind: &'static str,
}

impl ModelKind {
    /// The line of the table.
    #[must_use]
    pub const fn row(self) -> ModelRow {
        match self {
            ModelKind::Register => REGISTER,
            ModelKind::CasRegister => CAS_REGISTER,
            ModelKind::Map => MAP,
            ModelKind::Log => LOG,
            ModelKind::Text => TEXT,
            ModelKind::Counter => COUNTER,
            ModelKind::Set => SET,
            ModelKind::Bag => BAG,
            ModelKind::Queue => QUEUE,
            ModelKind::Stack => STACK,
            ModelKind::PriorityQueue => PRIORITY,
            ModelKind::Offsets => OFFSETS,
            ModelKind::Mutex => MUTEX,
            ModelKind::OwnedMutex => OWNED,
            ModelKind::ReentrantMutex => REENTRANT,
            ModelKind::ReadWriteLock => READ_WRITE,
            ModelKind::Semaphore { .. } => SEMAPHORE,
            ModelKind::Lease { .. } => LEASE,
            ModelKind::Membership => MEMBERSHIP,
            ModelKind::MultiRegister => MULTI,
        }
    }
}

const REGISTER: ModelRow = ModelRow {
    name: "register",
    takes: "",
    operations: "`read` and `get`, `write` and `put`; `cas` of [from, to], if there is any",
    monitors: "register-monitor",
    blind: "the order of writes between which nobody read",
};

const CAS_REGISTER: ModelRow = ModelRow {
    name: "cas-register",
    takes: "",
    operations: "as register; a `cas` is true, or false when it was refused",
    monitors: "register-monitor",
    blind: "what a cas found that failed, unless it is recorded as refused",
};

const MAP: ModelRow = ModelRow {
    name: "map",
    takes: "",
    operations: "as register, by key; with `append` as text or log",
    monitors: "register-monitor, text-monitor",
    blind: "anything across keys",
};

const LOG: ModelRow = ModelRow {
    name: "log",
    takes: "",
    operations: "`append`, with its index or without, and `read` of the whole list",
    monitors: "text-monitor",
    blind: "the order of elements that no read shows",
};

const TEXT: ModelRow = ModelRow {
    name: "text",
    takes: "",
    operations: "`put`, `append` at the end, and `get`",
    monitors: "text-monitor",
    blind: "what was replaced before anybody read it",
};

const COUNTER: ModelRow = ModelRow {
    name: "counter",
    takes: "",
    operations: "`inc`, `dec` and `add` of a number, and `read`",
    monitors: "counter-monitor",
    blind: "which of two equal changes was counted",
};

const SET: ModelRow = ModelRow {
    name: "set",
    takes: "",
    operations: "`add`, `remove`, `contains`, and `read` of all elements",
    monitors: "set-monitor",
    blind: "how often an element was added",
};

const BAG: ModelRow = ModelRow {
    name: "bag",
    takes: "",
    operations: "`add` or `enqueue`, and `remove` or `dequeue` of any element, null when there is \
                 none",
    monitors: "bag-monitor",
    blind: "elements that nobody took",
};

const QUEUE: ModelRow = ModelRow {
    name: "queue",
    takes: "",
    operations: "`enqueue`, and `dequeue`, null when it is empty",
    monitors: "queue-monitor",
    blind: "elements that nobody took",
};

const STACK: ModelRow = ModelRow {
    name: "stack",
    takes: "",
    operations: "`push`, and `pop`, null when it is empty",
    monitors: "stack-monitor",
    blind: "elements that nobody took",
};

const PRIORITY: ModelRow = ModelRow {
    name: "priority-queue",
    takes: "",
    operations: "`insert`, and `delete-min` or `delete-max`, null when it is empty",
    monitors: "priority-queue-monitor",
    blind: "elements that nobody took, and the order of equal ones",
};

const OFFSETS: ModelRow = ModelRow {
    name: "offsets",
    takes: "",
    operations: "`append`, which gives the offset, `poll` from an offset, and `read`",
    monitors: "",
    blind: "the order of entries that no answer shows",
};

const MUTEX: ModelRow = ModelRow {
    name: "mutex",
    takes: "",
    operations: "`acquire` and `release`, by anybody; false when it was refused",
    monitors: "",
    blind: "who holds it",
};

const OWNED: ModelRow = ModelRow {
    name: "owned-mutex",
    takes: "",
    operations: "`acquire` and `release`, by the process that holds it",
    monitors: "",
    blind: "what a holder does without asking",
};

const REENTRANT: ModelRow = ModelRow {
    name: "reentrant-mutex",
    takes: "",
    operations: "as owned-mutex; the holder may take it again",
    monitors: "",
    blind: "what a holder does without asking",
};

const READ_WRITE: ModelRow = ModelRow {
    name: "read-write-lock",
    takes: "",
    operations: "`acquire` and `release` of `read` or `write`",
    monitors: "",
    blind: "what a holder does without asking, and who waits",
};

const SEMAPHORE: ModelRow = ModelRow {
    name: "semaphore",
    takes: "semaphore[=PERMITS]",
    operations: "`acquire` and `release` of so many permits, one without an input",
    monitors: "",
    blind: "who gives a permit back",
};

const LEASE: ModelRow = ModelRow {
    name: "lease",
    takes: "lease[=TTL[:SKEW]]",
    operations: "`acquire`, `renew` and `release`, in the times of the history",
    monitors: "",
    blind: "overlaps within the bound on clocks",
};

const MEMBERSHIP: ModelRow = ModelRow {
    name: "membership",
    takes: "",
    operations: "`join` and `leave` of a process, `contains`, and `read` of all",
    monitors: "",
    blind: "a member that left and came back between two reads",
};

const MULTI: ModelRow = ModelRow {
    name: "multi-register",
    takes: "",
    operations: "`txn` of [\"r\", key, value], \"w\", \"inc\" and \"add\"",
    monitors: "",
    blind: "nothing; but it is not cut by key, so that what is concurrent takes long",
};
