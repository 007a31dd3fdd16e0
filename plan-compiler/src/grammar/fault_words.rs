//! The words for faults, their targets and their shapes.

use super::network_words as net;
use crate::scenario::{Direction, FaultKind, Span, Target, Way};

pub(crate) const PARTITION: FaultKind = FaultKind::Partition {
    direction: Direction::Both,
    clients_too: false,
};

/// A clock set wrong by what a plan leaves open: noticed by whoever compares clocks.
pub(crate) const CLOCK_STEP: FaultKind = FaultKind::ClockStep {
    way: Way::Either,
    by_ns: Span {
        min: 100_000_000,
        max: 10_000_000_000,
    },
};

/// From a poor crystal to a virtual machine that is starved.
pub(crate) const CLOCK_DRIFT: FaultKind = FaultKind::ClockDrift {
    way: Way::Either,
    ppm: Span {
        min: 100,
        max: 100_000,
    },
};

/// What goes wrong. Tools map to what serves here.
pub(crate) const KINDS: &[(&str, FaultKind)] = &[
    (
        "network? partition|partitions|partitioned|partitioning",
        PARTITION,
    ),
    ("net split|splits", PARTITION),
    ("netsplit|netsplits", PARTITION),
    ("half open link|links|connection|connections", PARTITION),
    ("blackhole|blackholes|blackholed|blackholing", PARTITION),
    ("black hole|holes", PARTITION),
    ("sever|severs|severed|severing all? links?", PARTITION),
    (
        "unplug|unplugs|unplugging the? network? cable|link|nic",
        PARTITION,
    ),
    (
        "lose|loses|losing the|its? network connectivity|connection?",
        PARTITION,
    ),
    ("quorum loss", PARTITION),
    ("loss of the? quorum|majority", PARTITION),
    ("split brain attempt|attempts|scenario?", net::HALVES),
    ("flaky network|networks|link|links", net::LOSS),
    ("network flakiness", net::LOSS),
    ("throttle|throttles|throttling", net::BANDWIDTH),
    ("isolate|isolates|isolating|isolated|isolation", PARTITION),
    ("leader isolation", PARTITION),
    ("cut|cuts|cutting off?", PARTITION),
    (
        "drop|drops|dropping|dropped|block|blocked|blocking",
        PARTITION,
    ),
    ("packet|network|message loss", net::LOSS),
    ("lose|loses|losing packets|messages", net::LOSS),
    ("lossy network|link|links", net::LOSS),
    (
        "network? latency|latencies|delay|delays|delayed|delaying",
        net::LATENCY,
    ),
    ("added|extra|high latency|delay", net::LATENCY),
    (
        "slow|slower|slowed network|networks|link|links|follower|followers|node|nodes",
        net::LATENCY,
    ),
    (
        "duplicate|duplicates|duplication|duplicated|duplicating of? packets|messages?",
        net::DUPLICATE,
    ),
    ("packet|message duplication", net::DUPLICATE),
    (
        "reorder|reorders|reordering|reordered of? packets|messages?",
        net::REORDER,
    ),
    ("packet|message reordering", net::REORDER),
    ("packet|message corruption", net::CORRUPT),
    (
        "corrupt|corrupts|corrupting|corrupted packets|messages|datagrams",
        net::CORRUPT,
    ),
    (
        "limited|low? bandwidth limit|limited|cap|capped?",
        net::BANDWIDTH,
    ),
    (
        "limit|limits|limiting|throttle|throttles|throttling bandwidth|network|links",
        net::BANDWIDTH,
    ),
    (
        "jam|jams|jammed|jamming|clog|clogs|clogged|clogging network|link|links?",
        net::JAM,
    ),
    ("network stall|stalls|stalled", net::JAM),
    ("reject|rejects|rejected|rejecting", net::REJECT),
    ("partition with|by reject|rst", net::REJECT),
    ("- j reject", net::REJECT),
    ("network? jitter", net::JITTER),
    ("connection|tcp reset|resets", net::RESET),
    (
        "reset|resets|resetting all|the? tcp? connections",
        net::RESET,
    ),
    ("in|into two? equal? halves", net::HALVES),
    ("random? halves", net::HALVES),
    ("half / half|half", net::HALVES),
    (
        "split in|into|the? cluster? in|into? two? equal? halves",
        net::HALVES,
    ),
    ("majorities ring partition?", net::RING),
    ("ring partition", net::RING),
    ("ring of majorities", net::RING),
    ("overlapping majorities", net::RING),
    ("bridge partition?", net::BRIDGE),
    ("partial network? partition|partitions", net::PARTIAL),
    ("partial partition|partitions of some? links?", net::PARTIAL),
    ("client|clients side partition?", net::CLIENTS),
    (
        "partition|partitions|partitioning all? clients from all? servers|nodes",
        net::CLIENTS,
    ),
    (
        "swizzle|swizzles|swizzled|swizzling clog|clogging|partition?",
        net::SWIZZLE,
    ),
    ("kill|kills|killed|killing - 9", FaultKind::Kill),
    ("kill|kills|killed|killing", FaultKind::Kill),
    ("pkill - 9", FaultKind::Kill),
    ("kill - sigkill|kill", FaultKind::Kill),
    ("hard kill|kills", FaultKind::Kill),
    ("oom kill|kills|killed|killer", FaultKind::Kill),
    ("crash loop|loops|looping", FaultKind::Kill),
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
    ("torn write|writes", FaultKind::PowerLoss),
    ("pull|pulling the plug", FaultKind::PowerLoss),
    (
        "graceful|gracefully stop|stops|stopped|shutdown|shutdowns|restart",
        FaultKind::GracefulStop,
    ),
    ("kill - 15|term|sigterm", FaultKind::GracefulStop),
    (
        "container|docker|pod|node|process|service restart|restarts",
        FaultKind::GracefulStop,
    ),
    ("rolling restart|restarts", FaultKind::GracefulStop),
    ("drain and stop|restart|shutdown", FaultKind::GracefulStop),
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
    (
        "fill|fills|filling up? the? disk|volume",
        FaultKind::DiskFull,
    ),
    ("wall? clock|clocks skew|skews|skewed|offset", CLOCK_STEP),
    (
        "wall|system? clock|clocks jump|jumps|jumped|step|steps|stepped",
        CLOCK_STEP,
    ),
    (
        "skew|jump|step|shift|set the? wall|system? clock|clocks",
        CLOCK_STEP,
    ),
    ("time jump|jumps|shift", CLOCK_STEP),
    ("ntp step|steps|jump|jumps|adjustment", CLOCK_STEP),
    ("libfaketime|faketime", CLOCK_STEP),
    (
        "clock|clocks drift|drifts|drifting|drifted|rate",
        CLOCK_DRIFT,
    ),
    ("clock|clocks runs|run|running", CLOCK_DRIFT),
    ("clock|clocks is|are", CLOCK_STEP),
    ("slow|slower|slowed clock|clocks", CLOCK_DRIFT),
    ("fast|faster clock|clocks", CLOCK_DRIFT),
    (
        "pause|pauses|paused|pausing|sigstop|stw|freeze|freezes",
        FaultKind::Pause,
    ),
    ("process pause|pauses|freeze|freezes", FaultKind::Pause),
    (
        "long? gc|garbage collection? pause|pauses",
        FaultKind::Pause,
    ),
    ("long pause|pauses", FaultKind::Pause),
    ("stop the world pause|pauses?", FaultKind::Pause),
    ("kill - 19|stop|sigstop", FaultKind::Pause),
    ("docker|container pause|pauses", FaultKind::Pause),
    (
        "vm|machine|host|hypervisor pause|pauses|paused|freeze|freezes|frozen|stall|stalls",
        FaultKind::Freeze,
    ),
    (
        "pause|freeze|stall the|a vm|machine|host|hypervisor",
        FaultKind::Freeze,
    ),
    ("vm? live migration stall|pause?", FaultKind::Freeze),
    (
        "suspend|suspends|suspended|suspending|hibernate|hibernates",
        FaultKind::Suspend,
    ),
    (
        "vm|machine|host|laptop suspend|suspends|suspended|sleep|sleeps",
        FaultKind::Suspend,
    ),
];

/// Who is hit.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("current? leader|primary", Target::Leader),
    ("leader node|process|host|disk", Target::Leader),
    (
        "between the? leader and the|its? followers|rest|others|majority|peers",
        Target::Leader,
    ),
    ("whoever|who leads|is leader?", Target::Leader),
    (
        "random|single|one|a? random? follower|replica|backup|secondary|standby",
        Target::Follower,
    ),
    (
        "all|every|each|both? of? the|its? followers|secondaries|standbys",
        Target::Followers,
    ),
    ("every|each follower|secondary|standby", Target::Followers),
    ("all of? the? replicas", Target::All),
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
        "random? minority third of? the|all? nodes|servers|cluster?",
        Target::MinorityThird,
    ),
    (
        "less|fewer than a|one third of? the|all? nodes|servers|cluster?",
        Target::MinorityThird,
    ),
    (
        "majority of? the|all? nodes|servers|cluster|side?",
        Target::Majority,
    ),
    ("all nodes|servers|members|processes", Target::All),
    ("all of the nodes|servers", Target::All),
    ("all three|five|seven|3|5|7 nodes|servers", Target::All),
    ("every|each node|server|member|process", Target::All),
    ("whole|entire|full cluster", Target::All),
    ("cluster wide", Target::All),
    ("all|every link|links", Target::All),
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
    (
        "every|each|all node|nodes|server|servers|member|members one at a time",
        Target::Rolling,
    ),
    ("in the? reverse|wrong order", Target::RollingReverse),
    (
        "every|each|all node|nodes|server|servers in turn , in reverse order",
        Target::RollingReverse,
    ),
    ("cluster", Target::All),
    (
        "metadata store|service|server node|nodes|process|host?",
        Target::Role,
    ),
    ("two|2 random? nodes|servers", Target::Several { count: 2 }),
    (
        "three|3 random? nodes|servers",
        Target::Several { count: 3 },
    ),
    ("four|4 random? nodes|servers", Target::Several { count: 4 }),
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

/// Which way a clock goes wrong.
pub(crate) const WAYS: &[(&str, Way)] = &[
    ("forward|forwards|ahead", Way::Ahead),
    ("into|in|to the future", Way::Ahead),
    ("too? fast|faster|early", Way::Ahead),
    ("backward|backwards|behind|back", Way::Behind),
    ("into|in|to the past", Way::Behind),
    ("too? slow|slower|slowly|late", Way::Behind),
    (
        "forward|forwards|ahead or|and|/ backward|backwards|behind|back",
        Way::Either,
    ),
    (
        "backward|backwards|behind|back or|and|/ forward|forwards|ahead",
        Way::Either,
    ),
    ("fast|faster or|and|/ slow|slower", Way::Either),
    ("slow|slower or|and|/ fast|faster", Way::Either),
    ("either way|direction", Way::Either),
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
    ("it? can|may still? talk|speak|reach to? clients", false),
    (
        "clients still|can|may reach|connect|connected it|to?",
        false,
    ),
];

/// Clients are no part of it, unless the clause says so; and whether these are all nodes.
pub(crate) const AMONG: &[(&str, bool)] = &[
    ("between|among the? nodes|servers|replicas|peers", false),
    ("between|among all the? nodes|servers|replicas|peers", true),
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
    "machine|vm",
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
    "away",
    "cleanly",
    "all links of",
    "using|with|via|by? toxiproxy|pumba|chaos mesh?",
    "chaos",
    "packets|packet|traffic|messages",
    "lost|loses|lose",
    "all packets",
    "via|using|with|by? iptables|nftables|toxiproxy|docker",
    "via|using|with|by? tc netem?",
    "netem",
    "via|using|with|by dm flakey",
    "( dm flakey )",
    "via|using|with|by lazyfs|charybdefs",
    "( lazyfs|charybdefs )",
    "podchaos|networkchaos|iochaos|timechaos",
    "gracefully|normally",
    "gray|grey failure",
    "toxic",
    "from all|both? of? the|its? followers|replicas|secondaries|standbys",
    "from everyone|everybody|everything else?",
    "at the same time",
    "all? simultaneously",
    "all? at once",
    "az|zone|rack|site|datacenter outage|failure|loss :",
    "starting|beginning",
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
    "via|using|with|by? libfaketime|faketime|chrony|ntp|ntpd|adjtime|adjtimex|settimeofday",
    "via|using|with|by sigstop|sigcont / sigcont?",
    "whose",
    "version|release b|v2?",
    "during|under heavy? reads|writes|load|traffic",
    "clock|clocks",
    "wall|system|monotonic",
    "kill - cont",
    "so",
    "resume|resumes|resumed|sigcont|continue|continued",
    "unsynced|unfsynced writes|data is|are? lost|torn|or?",
    "un synced|unsynced|unsync writes|data is|are? lost|torn|or?",
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
    ";",
    "-",
    "steady state|load",
];
