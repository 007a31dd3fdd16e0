//! The words for operations on queues, sets, counters, locks and groups, and for their models.

use checkers::spec::ModelKind;

use crate::scenario::{Act, OpKind};
use crate::transactions::TxnKind;

const fn act(act: Act) -> OpKind {
    OpKind::Do(act)
}

/// What clients do to objects that are no registers and no logs.
pub(super) const ACTS: &[(&str, OpKind)] = &[
    ("enqueue|enqueues|enqueuing|enqueueing", act(Act::Enqueue)),
    ("publish|publishes|publishing", act(Act::Enqueue)),
    ("produce|produces|producing", act(Act::Enqueue)),
    ("send|sends|sending messages|message?", act(Act::Enqueue)),
    ("dequeue|dequeues|dequeuing", act(Act::Dequeue)),
    ("consume|consumes|consuming", act(Act::Dequeue)),
    (
        "receive|receives|receiving messages|message?",
        act(Act::Dequeue),
    ),
    ("push|pushes|pushing", act(Act::Push)),
    ("pop|pops|popping", act(Act::Pop)),
    ("insert|inserts|inserting", act(Act::Insert)),
    ("delete min", act(Act::DeleteMin)),
    (
        "delete|extract|take the? minimum|smallest",
        act(Act::DeleteMin),
    ),
    ("add|adds|adding of? elements|element?", act(Act::Add)),
    ("set add|adds", act(Act::Add)),
    (
        "remove|removes|removing of? elements|element?",
        act(Act::Remove),
    ),
    ("contains|lookup|lookups checks|check?", act(Act::Contains)),
    ("membership checks|check", act(Act::Contains)),
    ("inc|increment|increments|incrementing", act(Act::Increment)),
    ("dec|decrement|decrements|decrementing", act(Act::Decrement)),
    (
        "acquire|acquires|acquiring of? the? lock|locks?",
        act(Act::Acquire),
    ),
    ("lock|locks|locking", act(Act::Acquire)),
    (
        "release|releases|releasing of? the? lock|locks?",
        act(Act::Release),
    ),
    ("unlock|unlocks|unlocking", act(Act::Release)),
    ("renew|renews|renewing|renewal|renewals", act(Act::Renew)),
    ("keep alive|alives", act(Act::Renew)),
    ("join|joins|joining", act(Act::Join)),
    ("leave|leaves|leaving", act(Act::Leave)),
    ("poll|polls|polling", act(Act::Poll)),
    (
        "delete|deletes|deleting|tombstone|tombstones",
        act(Act::Delete),
    ),
    (
        "list|lists|listing|listings|scan|scans|scanning",
        act(Act::List),
    ),
    (
        "transfer|transfers|transferring of? money?",
        OpKind::Txn(TxnKind::Bank),
    ),
];

/// What a semaphore has where the plan does not say.
const PERMITS: u32 = 1;

/// How long a lease holds where the plan does not say, in nanoseconds.
const TTL_NS: u64 = 10_000_000_000;

/// Models of such objects.
pub(super) const MODELS: &[(&str, ModelKind)] = &[
    ("fifo? queue|queues", ModelKind::Queue),
    ("message|work|job|task queue|queues", ModelKind::Queue),
    ("stack|stacks", ModelKind::Stack),
    ("lifo", ModelKind::Stack),
    ("priority queue|queues", ModelKind::PriorityQueue),
    ("unordered queue|queues", ModelKind::Bag),
    ("bag|bags|multiset|multisets", ModelKind::Bag),
    ("grow only? set|sets", ModelKind::Set),
    ("set|sets", ModelKind::Set),
    ("or|crdt|g set|sets", ModelKind::Set),
    ("pn|g|crdt? counter|counters", ModelKind::Counter),
    ("lock|locks|mutex|mutexes", ModelKind::OwnedMutex),
    ("distributed lock|locks|mutex", ModelKind::OwnedMutex),
    ("owned|owner lock|mutex", ModelKind::OwnedMutex),
    ("ownerless|unowned|plain lock|mutex", ModelKind::Mutex),
    (
        "semaphore|semaphores",
        ModelKind::Semaphore { permits: PERMITS },
    ),
    (
        "lease|leases",
        ModelKind::Lease {
            ttl_ns: TTL_NS,
            skew_ns: 0,
        },
    ),
    ("membership table?", ModelKind::Membership),
    ("group membership?", ModelKind::Membership),
    ("member list", ModelKind::Membership),
    ("ledger|bank|account|accounts", ModelKind::MultiRegister),
    (
        "read|reader|readers write|writer|writers lock|locks",
        ModelKind::ReadWriteLock,
    ),
    ("rw|shared lock|locks", ModelKind::ReadWriteLock),
    ("rwlock|rwlocks", ModelKind::ReadWriteLock),
    (
        "reentrant|recursive lock|locks|mutex|mutexes",
        ModelKind::ReentrantMutex,
    ),
    (
        "text|texts|string|strings document|documents?",
        ModelKind::Text,
    ),
    ("log|logs with|of offsets", ModelKind::Offsets),
    ("offsets log?", ModelKind::Offsets),
    ("offset log|logs", ModelKind::Offsets),
    ("kafka topic|log|partition", ModelKind::Offsets),
    ("session|sessions", ModelKind::Map),
];
