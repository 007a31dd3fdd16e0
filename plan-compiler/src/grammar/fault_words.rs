//! The words for faults, their targets and their shapes.

use crate::scenario::{Direction, FaultKind, Target};

const PARTITION: FaultKind = FaultKind::Partition {
    direction: Direction::Both,
    clients_too: false,
};

/// What goes wrong. Tools map to what serves here.
pub(crate) const KINDS: &[(&str, FaultKind)] = &[
    (
        "network? partition|partitions|partitioned|partitioning",
        PARTITION,
    ),
    ("net split|splits", PARTITION),
    ("isolate|isolates|isolating|isolated|isolation", PARTITION),
    ("leader isolation", PARTITION),
    ("cut|cuts|cutting off?", PARTITION),
    (
        "drop|drops|dropping|dropped|block|blocked|blocking",
        PARTITION,
    ),
    ("kill|kills|killed|killing - 9", FaultKind::Kill),
    ("kill|kills|killed|killing", FaultKind::Kill),
    ("pkill - 9", FaultKind::Kill),
    ("kill - sigkill|kill", FaultKind::Kill),
    ("hard kill|kills", FaultKind::Kill),
    ("docker kill", FaultKind::Kill),
    ("sigkill|sigkills", FaultKind::Kill),
    ("process? crash|crashes|crashed|crashing", FaultKind::Kill),
    (
        "power loss|losses|failure|failures|outage|outages|cut|cycle|cycled",
        FaultKind::PowerLoss,
    ),
    ("fsync / power loss|failure", FaultKind::PowerLoss),
    ("power off", FaultKind::PowerLoss),
    ("machine|host crash|crashes", FaultKind::PowerLoss),
    ("lose|loses|losing power", FaultKind::PowerLoss),
    ("pull|pulling the plug", FaultKind::PowerLoss),
    (
        "graceful|gracefully stop|stops|stopped|shutdown|shutdowns|restart",
        FaultKind::GracefulStop,
    ),
    ("kill - 15|term|sigterm", FaultKind::GracefulStop),
    ("sigterm", FaultKind::GracefulStop),
    (
        "disk i / o error|errors|failure|failures",
        FaultKind::DiskError,
    ),
    ("i / o error|errors", FaultKind::DiskError),
    ("disk? eio", FaultKind::DiskError),
    (
        "disk|volume|storage io? error|errors|failure|failures",
        FaultKind::DiskError,
    ),
    ("failing disk|disks", FaultKind::DiskError),
    ("disk|volume|storage is? full", FaultKind::DiskFull),
    ("disk? enospc", FaultKind::DiskFull),
    ("full disk|disks|volume", FaultKind::DiskFull),
    ("no space left on device", FaultKind::DiskFull),
    ("disk|volume fills|fill up?", FaultKind::DiskFull),
];

/// Faults of the taxonomy that are not served yet.
pub(crate) const UNSERVED: &[&str] = &[
    "pause|pauses|paused|pausing|sigstop|freeze|freezes|stw",
    "gc pause|pauses",
    "clock skew|skews|jump|jumps|drift|step|steps",
    "slow clock",
    "libfaketime",
    "latency|delay|delays|delayed|jitter",
    "packet loss",
    "network loss",
    "bandwidth",
    "duplicate|duplicates|duplication|duplicated",
    "reorder|reorders|reordering|reordered",
    "slow disk|disks|follower|followers|node|network",
    "bit flip|flips",
    "bitflip|bitflips|bitrot",
    "bit rot",
    "fsync failure|failures|error|errors|fails",
    "corrupt|corrupts|corruption|corrupted",
    "torn write|writes",
    "backup",
    "mixed version",
    "rolling upgrade",
    "config|credential divergence",
    "split brain",
    "container|docker restart|restarts",
    "metadata store? outage",
    "compaction",
    "rebalance|rebalancing",
    "membership change|changes",
    "byzantine",
    "oom",
];

/// Who is hit.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("current? leader", Target::Leader),
    ("leader node|process|host|disk", Target::Leader),
    (
        "between the? leader and the|its? followers|rest|others|majority|peers",
        Target::Leader,
    ),
    ("whoever|who leads|is leader?", Target::Leader),
    (
        "random|single|one? follower|followers|replica|backup",
        Target::Follower,
    ),
    ("non leader node?", Target::Follower),
    (
        "random|randomly|single? chosen|picked|selected node|server|member|voter",
        Target::Random,
    ),
    (
        "a|one|any|some|single|random node|server|member|process",
        Target::Random,
    ),
    ("one|any of the? nodes|servers", Target::Random),
    (
        "random minority of? the|all? nodes|servers|cluster?",
        Target::Minority,
    ),
    (
        "minority of? the|all? nodes|servers|cluster|side?",
        Target::Minority,
    ),
    (
        "majority of? the|all? nodes|servers|cluster|side?",
        Target::Majority,
    ),
    (
        "all nodes|servers|members|processes at? once|simultaneously?",
        Target::All,
    ),
    ("all of the nodes|servers", Target::All),
    (
        "all three|five|seven|3|5|7 nodes|servers at? once|simultaneously?",
        Target::All,
    ),
    (
        "every|each node|server|member|process at? once|simultaneously?",
        Target::All,
    ),
    ("whole|entire|full cluster at? once?", Target::All),
    ("cluster wide", Target::All),
    (
        "every|each|all node|nodes|server|servers in turn",
        Target::Rolling,
    ),
    (
        "every|each|all node|nodes|server|servers one after another|the",
        Target::Rolling,
    ),
    (
        "every|each|all node|nodes|server|servers one by one",
        Target::Rolling,
    ),
    ("one node at a time", Target::Rolling),
    ("idle link|links|host|hosts|node|nodes|pair", Target::Idle),
    ("two idle link|links|host|hosts|node|nodes", Target::Idle),
    ("pair of idle hosts|nodes|links", Target::Idle),
    ("idle pair of hosts|nodes", Target::Idle),
];

/// Which way a partition cuts.
pub(crate) const DIRECTIONS: &[(&str, Direction)] = &[
    (
        "symmetric|symmetrical|symmetrically|full|bidirectional|complete",
        Direction::Both,
    ),
    ("two way", Direction::Both),
    ("both ways|directions", Direction::Both),
    ("in both directions", Direction::Both),
    (
        "asymmetric|asymmetrical|asymmetrically|unidirectional",
        Direction::OneWay,
    ),
    ("one|1|single way|direction", Direction::OneWay),
    (
        "outbound|outgoing|egress packets|traffic|messages?",
        Direction::Outbound,
    ),
    (
        "inbound|incoming|ingress packets|traffic|messages?",
        Direction::Inbound,
    ),
];

/// Whether clients are cut off too.
pub(crate) const CLIENTS: &[(&str, bool)] = &[
    (
        "including|incl|with|and its|the? clients|client traffic|links?",
        true,
    ),
    ("from clients too|also|as?", true),
    ("clients included|too|also", true),
    ("excluding|not|without the? clients", false),
    ("but not clients", false),
    ("clients excluded", false),
    (
        "clients still|can|may reach|connect|connected it|to?",
        false,
    ),
];

/// Words that a fault clause may have and that change nothing.
pub(crate) const FILLERS: &[&str] = &[
    ",",
    ";",
    ".",
    ":",
    "(",
    ")",
    "&",
    "/",
    "and",
    "then",
    "the",
    "a",
    "an",
    "of",
    "on",
    "to",
    "in",
    "with",
    "by",
    "from",
    "is",
    "are",
    "its",
    "their",
    "it",
    "them",
    "which",
    "that",
    "against",
    "between",
    "network|networks",
    "links|link",
    "disk",
    "process|processes",
    "hard",
    "current",
    "from? the? rest of? the? cluster|nodes?",
    "from? the? others",
    "from? the other nodes|peers",
    "from the|a? majority of? the? nodes|others|cluster?",
    "from? all? other nodes|peers",
    "from the|its? followers|replicas",
    "s",
    "from its|the? peers",
    "packets|packet|traffic|messages",
    "lost|loses|lose",
    "all packets",
    "via|using|with|by? iptables|nftables|toxiproxy|docker",
    "via|using|with|by? tc netem?",
    "netem",
    "via|using|with|by? dm flakey",
    "j drop",
    "- j drop",
    "virtual time",
    "injected|inject|injects|injecting|injection",
    "nemesis",
    "fault|faults",
    "followed",
    "returned|return|returning|every call",
    "calls|call",
    "plus",
    "+",
    "also",
    "again",
    "restart|restarts|restarted|heal|heals|healed it|them?",
    "un synced|unsynced|unsync writes|data lost|torn|or?",
];

/// Nothing goes wrong, by intention.
pub(crate) const NONE: &[&str] = &[
    "none",
    "no fault|faults",
    "fault free",
    "n / a",
    "without faults",
    "nothing",
];

/// What may stand beside `none`.
pub(crate) const NONE_FILLERS: &[&str] = &[
    "(",
    ")",
    ",",
    ".",
    ":",
    "a",
    "the",
    "baseline",
    "control",
    "run",
    "fault",
    "free",
    "injected",
    "planned",
    "clean",
    "happy path",
    "only",
];
