//! What plans that leave the size of a network fault open get: by orders of magnitude, by seed.

use crate::scenario::{Direction, FaultKind, NameFault, NetEffect, Shape, Span};

const fn network(effect: NetEffect) -> FaultKind {
    FaultKind::Network {
        effect,
        direction: Direction::Both,
        clients_too: true,
    }
}

/// Clients still reach everybody, as with other partitions.
const fn partition(effect: NetEffect) -> FaultKind {
    FaultKind::Network {
        effect,
        direction: Direction::Both,
        clients_too: false,
    }
}

const fn split(shape: Shape) -> FaultKind {
    FaultKind::Split {
        shape,
        one_way: false,
    }
}

/// From a cable that is a little bad to a link that is of no use.
const SHARE: Span = Span {
    min: 10_000,
    max: 500_000,
};

pub(crate) const LOSS: FaultKind = network(NetEffect::Loss { ppm: SHARE });
pub(crate) const DUPLICATE: FaultKind = network(NetEffect::Duplicate { ppm: SHARE });
pub(crate) const REORDER: FaultKind = network(NetEffect::Reorder { ppm: SHARE });
pub(crate) const CORRUPT: FaultKind = network(NetEffect::Corrupt { ppm: SHARE });

/// From another continent to beyond what most give up at.
pub(crate) const LATENCY: FaultKind = network(NetEffect::Latency {
    by_ns: Span {
        min: 20_000_000,
        max: 5_000_000_000,
    },
    each: false,
});

/// What a queue that fills and empties does to each packet.
pub(crate) const JITTER: FaultKind = network(NetEffect::Latency {
    by_ns: Span {
        min: 0,
        max: 500_000_000,
    },
    each: true,
});

/// From a modem to a poor office.
pub(crate) const BANDWIDTH: FaultKind = network(NetEffect::Bandwidth {
    rate: Span {
        min: 5_000,
        max: 1_000_000,
    },
});

pub(crate) const JAM: FaultKind = partition(NetEffect::Jam);
pub(crate) const REJECT: FaultKind = partition(NetEffect::Reject);
pub(crate) const RESET: FaultKind = network(NetEffect::Reset);
pub(crate) const HALVES: FaultKind = split(Shape::Halves);
pub(crate) const RING: FaultKind = split(Shape::Ring);
pub(crate) const BRIDGE: FaultKind = split(Shape::Bridge);
pub(crate) const PARTIAL: FaultKind = split(Shape::Partial);
pub(crate) const CLIENTS: FaultKind = split(Shape::Clients);
pub(crate) const SWIZZLE: FaultKind = split(Shape::Swizzle);

const fn names(how: NameFault) -> FaultKind {
    FaultKind::Names { how }
}

pub(super) const UNKNOWN_NAMES: FaultKind = names(NameFault::Unknown);
pub(super) const WRONG_NAMES: FaultKind = names(NameFault::Elsewhere);

/// From a busy resolver to one that asks twice.
const SLOW_NAMES: FaultKind = names(NameFault::Slow {
    by_ns: Span {
        min: 50_000_000,
        max: 5_000_000_000,
    },
});

/// What goes wrong with names and addresses.
pub(crate) const NAME_KINDS: &[(&str, FaultKind)] = &[
    (
        "dns|resolver|name outage|failure|failures|failing|down|unavailable",
        names(NameFault::Silent),
    ),
    (
        "name server|resolution outage|failure|failures|down",
        names(NameFault::Silent),
    ),
    (
        "loss of the? dns|resolver|nameserver",
        names(NameFault::Silent),
    ),
    ("nxdomain answers?", UNKNOWN_NAMES),
    ("dns nxdomain", UNKNOWN_NAMES),
    ("unknown host? names", UNKNOWN_NAMES),
    ("slow|slower|delayed dns|resolver|lookups", SLOW_NAMES),
    ("dns latency|delay|delays|slowdown", SLOW_NAMES),
    ("stale dns|names|records", names(NameFault::Stale)),
    ("dns staleness|caching", names(NameFault::Stale)),
    (
        "wrong|misdirected|poisoned dns|names|records answers?",
        WRONG_NAMES,
    ),
    ("dns hijack|hijacking|poisoning|misdirection", WRONG_NAMES),
    (
        "readdress|readdresses|readdressed|readdressing",
        FaultKind::Readdress,
    ),
    (
        "ip? address change|changes|reassignment",
        FaultKind::Readdress,
    ),
    (
        "comes|come|moves|move|moved back? under|to|at another|new|different ip? address",
        FaultKind::Readdress,
    ),
    (
        "pod reschedule|rescheduled|rescheduling",
        FaultKind::Readdress,
    ),
];
