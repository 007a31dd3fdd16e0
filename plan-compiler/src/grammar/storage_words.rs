//! The words for faults of disks, and what plans that leave their size open get.

use super::fault_words::KINDS;
use super::guest_words::GUEST_KINDS;
use super::network_words::{LOSS as LOSS_OF_PACKETS, NAME_KINDS};
use super::tool_words::TOOL_KINDS;
use crate::cursor::Cursor;
use crate::scenario::{FaultKind, Span, StorageFault};

/// As the nemesis has it unless a plan says `beyond budget`.
pub(crate) const fn storage(how: StorageFault) -> FaultKind {
    FaultKind::Storage {
        how,
        beyond_budget: false,
    }
}

/// From a disk at the end of its life to one that is worse than none.
const SECTORS: Span = Span {
    min: 1_000,
    max: 200_000,
};

/// From a busy disk to one that retries.
const SLOW: Span = Span {
    min: 5_000_000,
    max: 500_000_000,
};

/// About a tenth of the call sites.
const SITES: Span = Span {
    min: 100_000,
    max: 100_000,
};

pub(super) const ROT: FaultKind = storage(StorageFault::Rot { ppm: SECTORS });
pub(super) const LATENT: FaultKind = storage(StorageFault::LatentErrors { ppm: SECTORS });
pub(super) const SLOW_DISK: FaultKind = storage(StorageFault::Slow { by_ns: SLOW });
const LOST: FaultKind = storage(StorageFault::LostWrites { ppm: SECTORS });
const MISDIRECTED_WRITES: FaultKind = storage(StorageFault::MisdirectedWrites { ppm: SECTORS });
const MISDIRECTED_READS: FaultKind = storage(StorageFault::MisdirectedReads { ppm: SECTORS });
const UNINITIALISED: FaultKind = storage(StorageFault::Uninitialised { ppm: SECTORS });
const SITES_FAIL: FaultKind = storage(StorageFault::CallSites { ppm: SITES });

/// What goes wrong with disks beyond `EIO` and `ENOSPC`.
pub(crate) const STORAGE_KINDS: &[(&str, FaultKind)] = &[
    (
        "slow|slower|degraded disk|disks|storage|fsync|volume",
        SLOW_DISK,
    ),
    ("disk|storage|fsync|io latency|delay|slowdown", SLOW_DISK),
    (
        "disk|storage|io|fsync stall|stalls|stalled|hang|hangs|freeze|freezes",
        storage(StorageFault::Stall),
    ),
    (
        "stalled|hanging|hung disk|disks|fsync|io",
        storage(StorageFault::Stall),
    ),
    (
        "fsync|sync|fdatasync failure|failures|error|errors|fails",
        storage(StorageFault::SyncError),
    ),
    (
        "failed|failing fsync|fsyncs|sync",
        storage(StorageFault::SyncError),
    ),
    ("fsync eio", storage(StorageFault::SyncError)),
    (
        "fsync|fdatasync returns|return|returning|failing with? eio",
        storage(StorageFault::SyncError),
    ),
    (
        "fsync|fdatasync fails|fail with eio",
        storage(StorageFault::SyncError),
    ),
    (
        "disk? read error|errors|failure|failures",
        storage(StorageFault::ReadError),
    ),
    ("failing call sites", SITES_FAIL),
    ("call site failures|errors|swarm", SITES_FAIL),
    (
        "read only remount|file|filesystem|disk|volume system?",
        storage(StorageFault::ReadOnly),
    ),
    (
        "remount|remounts|remounted read only",
        storage(StorageFault::ReadOnly),
    ),
    ("disk? erofs", storage(StorageFault::ReadOnly)),
    ("too many open? files", storage(StorageFault::TooManyFiles)),
    (
        "file? descriptor exhaustion",
        storage(StorageFault::TooManyFiles),
    ),
    ("emfile", storage(StorageFault::TooManyFiles)),
    ("short reads|writes|counts", storage(StorageFault::Short)),
    ("short reads and writes", storage(StorageFault::Short)),
    ("short writes and reads", storage(StorageFault::Short)),
    (
        "disk|volume space drifts|drift|fluctuates|pressure",
        storage(StorageFault::Crowded),
    ),
    (
        "nearly|almost full disk|volume",
        storage(StorageFault::Crowded),
    ),
    (
        "disk|volume nearly|almost full",
        storage(StorageFault::Crowded),
    ),
    ("latent sector? errors|error", LATENT),
    ("bad|unreadable sector|sectors|blocks", LATENT),
    ("bit flip|flips|rot", ROT),
    ("bitflip|bitflips|bitrot", ROT),
    ("disk|data|sector|media|silent data? corruption", ROT),
    (
        "corrupt|corrupts|corrupted|corrupting disk|data|sectors|blocks|files",
        ROT,
    ),
    (
        "corrupt|corrupts|corrupting|corrupted|corruption of? the? \
         log|logs|wal|journal|snapshot|snapshots?",
        ROT,
    ),
    (
        "corrupt|corrupts|corrupting|corrupted|corruption of? the? \
         index|manifest|metadata|records|checksums?",
        ROT,
    ),
    (
        "typed corruption of the? log|logs|wal|journal|snapshot|snapshots",
        ROT,
    ),
    (
        "typed corruption of the? index|manifest|metadata|records|checksums",
        ROT,
    ),
    ("flip|flips|flipping random? bits", ROT),
    (
        "typed|log|wal|journal|snapshot|index|manifest|metadata|record|checksum corruption",
        ROT,
    ),
    ("lost|dropped|phantom disk writes|write", LOST),
    ("phantom|lying writes|fsync|disk", LOST),
    ("misdirected|misplaced writes|write", MISDIRECTED_WRITES),
    ("misdirected|misplaced reads|read", MISDIRECTED_READS),
    (
        "uninitialised|uninitialized reads|sectors|blocks",
        UNINITIALISED,
    ),
    (
        "wipe|wipes|wiped|wiping|lose|loses|erase the? disk|disks|volume|data",
        storage(StorageFault::Wipe),
    ),
    (
        "disk|data wipe|wiped|loss|replacement",
        storage(StorageFault::Wipe),
    ),
    (
        "empty|new|replaced|replace the? disk",
        storage(StorageFault::Wipe),
    ),
    (
        "stale restore|backup|disk|snapshot|image",
        storage(StorageFault::StaleRestore),
    ),
    (
        "restore|restores|restored from? a|an|the? old|older|stale snapshot|backup|disk|image",
        storage(StorageFault::StaleRestore),
    ),
    (
        "disk|vm|volume snapshot? rollback|rolled",
        storage(StorageFault::StaleRestore),
    ),
    (
        "swap|swaps|swapped|exchange the? disks",
        storage(StorageFault::Swap),
    ),
    ("disk|disks swap|swaps|swapped", storage(StorageFault::Swap)),
];

/// That no budget of replicas limits the damage.
pub(crate) const BEYOND_BUDGET: &[&str] = &[
    "beyond the? budget",
    "beyond - budget",
    "without a? budget",
    "on every replica too?",
];

/// The longest name of a fault that comes next.
pub(crate) fn kind_at(cursor: &mut Cursor<'_>) -> Option<FaultKind> {
    let tables = [KINDS, STORAGE_KINDS, NAME_KINDS, GUEST_KINDS, TOOL_KINDS];
    let found = tables.into_iter().filter_map(|table| {
        let mut at = *cursor;
        at.lookup(table).map(|kind| (at.at, kind))
    });
    // Of those that are as long as each other the first.
    let longest = found.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let (at, kind) = longest.or_else(|| loses(*cursor))?;
    cursor.at = at;
    Some(kind)
}

/// `lose 30% of the packets`: the name stands around its size.
fn loses(mut c: Cursor<'_>) -> Option<(usize, FaultKind)> {
    c.eat("lose|loses|losing").then_some(())?;
    let named = c.at;
    c.milli()?;
    c.eat("%|percent").then_some(())?;
    let packets = ["of? all? the|its? packets|messages|traffic"];
    c.eat_any(&packets).then_some((named, LOSS_OF_PACKETS))
}
