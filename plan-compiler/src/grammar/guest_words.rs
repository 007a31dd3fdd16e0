//! The words for what is done to a system through its own hooks, and for resources that run out.

use super::fault_words::PARTITION;
use crate::scenario::{FaultKind, GuestAct, Span};

const fn guest(act: GuestAct) -> FaultKind {
    FaultKind::Guest { act }
}

/// From a quota that is felt to one that leaves next to nothing.
pub(super) const STARVE: FaultKind = FaultKind::Starve {
    ppm: Span {
        min: 500_000,
        max: 950_000,
    },
};

pub(super) const MEMORY: FaultKind = FaultKind::Memory { bytes: None };

const UPGRADE: FaultKind = guest(GuestAct::Upgrade);
const MIXED: FaultKind = guest(GuestAct::MixedVersions);
const CONFIGURE: FaultKind = guest(GuestAct::Configure);
const ROTATE: FaultKind = guest(GuestAct::RotateCredentials);
const DIVERGE: FaultKind = guest(GuestAct::DivergeCredentials);
const COMPACT: FaultKind = guest(GuestAct::Compact);
const REBALANCE: FaultKind = guest(GuestAct::Rebalance);
const BACK_UP: FaultKind = guest(GuestAct::BackUp);
const RESTORE: FaultKind = guest(GuestAct::BackUpAndRestore);
const STEP_DOWN: FaultKind = guest(GuestAct::StepDown);
const MEMBERS: FaultKind = guest(GuestAct::ChangeMembers);

/// The role that a metadata store has.
pub(crate) const METADATA: &str = "metadata-store";

/// What is done through hooks, and what runs out.
pub(crate) const GUEST_KINDS: &[(&str, FaultKind)] = &[
    ("rolling upgrade|upgrades", UPGRADE),
    ("upgrade|upgrades|upgraded|upgrading", UPGRADE),
    (
        "upgrade|upgrades|upgrading to the? new|next? version|release? b?",
        UPGRADE,
    ),
    (
        "rolling upgrade|upgrades to the? new|next? version|release? b?",
        UPGRADE,
    ),
    ("mixed version|versions cluster|clusters?", MIXED),
    ("version skew", MIXED),
    (
        "rolling? upgrade|upgrades and|with|then rollback|downgrade",
        MIXED,
    ),
    ("rolling? upgrade , then? rollback|downgrade", MIXED),
    ("downgrade|downgrades|rollback|rollbacks", MIXED),
    ("roll|rolls|rolled|rolling back", MIXED),
    (
        "config|configuration divergence|drift|drifts|mismatch|skew|change|changes",
        CONFIGURE,
    ),
    (
        "change|changes|set the? config|configuration|setting|settings",
        CONFIGURE,
    ),
    (
        "divergent|different|changed|wrong config|configuration",
        CONFIGURE,
    ),
    (
        "credential|credentials|certificate|certificates|secret|token rotation|rotations",
        ROTATE,
    ),
    (
        "expire|expires|expired the? tls? credentials|certificates|certificate|tokens",
        DIVERGE,
    ),
    (
        "rotate|rotates|rotating|rotated|revoke the? credentials|certificates|tokens|keys|secrets",
        ROTATE,
    ),
    (
        "credential|credentials|certificate|certificates divergence|mismatch|drift|expiry",
        DIVERGE,
    ),
    ("log|snapshot? compaction|compactions", COMPACT),
    (
        "trigger|triggers|force|forces|run a? log|snapshot? compaction|compactions",
        COMPACT,
    ),
    ("compact|compacts|compacting the? log|logs|store?", COMPACT),
    ("compaction|compactions during|under reads", COMPACT),
    (
        "rebalance|rebalances|rebalancing|rebalanced of? the? shards|data|partitions?",
        REBALANCE,
    ),
    ("rebalancing|rebalance during|under writes", REBALANCE),
    (
        "trigger|triggers|force|forces a? rebalance|rebalancing",
        REBALANCE,
    ),
    ("shard|data migration|migrations|rebalancing", REBALANCE),
    ("backup|backups", BACK_UP),
    ("take|takes|taking|run a|the? backup|backups", BACK_UP),
    ("back|backs up", BACK_UP),
    ("backup / restore race|races?", RESTORE),
    ("backup and|then restore|restores race?", RESTORE),
    ("backup , then? restore", RESTORE),
    ("backup restore race|races?", RESTORE),
    (
        "restore|restores|restoring from a|the? backup|snapshot",
        RESTORE,
    ),
    ("restore|restores|restoring a|the backup|snapshot", RESTORE),
    ("leadership|leader transfer|transfers", STEP_DOWN),
    ("transfer|transfers the? leadership", STEP_DOWN),
    ("step down of", STEP_DOWN),
    ("failover|failovers", STEP_DOWN),
    (
        "membership|configuration? change|changes of members",
        MEMBERS,
    ),
    ("membership change|changes", MEMBERS),
    ("cluster? reconfiguration|reconfigurations", MEMBERS),
    (
        "metadata store|service|server outage|outages|unavailable|down",
        PARTITION,
    ),
    (
        "cpu starvation|starved|throttling|throttled|exhaustion|contention|pressure|hog",
        STARVE,
    ),
    ("starve|starves|starving|throttle the? cpu", STARVE),
    (
        "starve|starves|starving the? process|processes|node|nodes? of cpu",
        STARVE,
    ),
    ("starved of cpu", STARVE),
    ("noisy neighbor|neighbour|neighbors|neighbours", STARVE),
    (
        "exhaust|exhausts|exhausting the? file? descriptors|handles|fds|connections|sockets",
        FaultKind::Descriptors,
    ),
    (
        "run|runs|running out of file? descriptors|handles|fds|connections|sockets",
        FaultKind::Descriptors,
    ),
    (
        "fd|fds|descriptors|handle|handles|socket|sockets|connection|connections exhaustion",
        FaultKind::Descriptors,
    ),
    (
        "connection|connections|socket pool exhaustion|exhausted",
        FaultKind::Descriptors,
    ),
    (
        "exhaust|exhausts|exhausting the? connection|socket pool|pools",
        FaultKind::Descriptors,
    ),
    ("memory exhaustion|pressure|limit|limits|budget", MEMORY),
    ("exhaust|exhausts|exhausting the? memory", MEMORY),
    ("limit|limits|limiting the? memory to?", MEMORY),
    ("run|runs|running out of memory", MEMORY),
    ("oom", MEMORY),
];

/// What cannot be served, and why.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    (
        "flapping|flaps|flap network|link|links|connection|partition?",
        "how often and how long is said of the partition itself, as in: partition between node 1 \
         and node 2 at T+10s for 1s, every 2s, repeat 10x",
    ),
    (
        "byzantine",
        "nodes that lie are outside of what is simulated: faults are of machines and networks",
    ),
    (
        "ephemeral? port|ports exhaustion",
        "ports are counted by host, and no host has so few; `exhaust the connections` makes \
         connecting fail",
    ),
];
