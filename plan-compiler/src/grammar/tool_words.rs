//! What fault injectors call their faults.

use super::fault_words::{CLOCK_STEP, PARTITION};
use super::guest_words::{MEMORY, REFUSED, STARVE};
use super::network_words as net;
use super::storage_words::{LATENT, ROT, SLOW_DISK, storage};
use crate::cursor::Cursor;
use crate::scenario::{FaultKind, Span, StorageFault};

/// Each write is acknowledged and none is done.
const ALL_LOST: FaultKind = storage(StorageFault::LostWrites {
    ppm: Span {
        min: 1_000_000,
        max: 1_000_000,
    },
});

/// The faults of tools that are served, by the tools' own names.
pub(super) const TOOL_KINDS: &[(&str, FaultKind)] = &[
    ("toxiproxy? latency toxic", net::LATENCY),
    ("toxiproxy? latency toxic , latency|delay", net::LATENCY),
    ("toxiproxy? bandwidth toxic", net::BANDWIDTH),
    ("toxiproxy? timeout toxic", PARTITION),
    ("toxiproxy down|disabled", net::REJECT),
    ("toxiproxy|networkchaos|netem loss", net::LOSS),
    ("networkchaos|netem corrupt", net::CORRUPT),
    ("podchaos? pod|container kill|failure", FaultKind::Kill),
    ("iochaos latency|delay", SLOW_DISK),
    ("iochaos fault|errno", FaultKind::DiskError),
    ("iochaos fault? errno? enospc", FaultKind::DiskFull),
    ("iochaos mistake|mistakes", ROT),
    ("blockchaos delay|latency", SLOW_DISK),
    ("timechaos offset|timeoffset?", CLOCK_STEP),
    ("stresschaos cpu", STARVE),
    ("stresschaos memory", MEMORY),
    ("dnschaos error|errors", net::UNKNOWN_NAMES),
    ("dnschaos random", net::WRONG_NAMES),
    ("dm flakey device?", FaultKind::DiskError),
    ("dm flakey drop_writes", ALL_LOST),
    ("dm flakey drops|drop|dropping writes", ALL_LOST),
    ("dm error", FaultKind::DiskError),
    ("dm delay", SLOW_DISK),
    ("dm dust", LATENT),
    ("lazyfs", FaultKind::PowerLoss),
    ("lazyfs : clear cache", FaultKind::PowerLoss),
    (
        "lazyfs clear|clears|cleared the? cache",
        FaultKind::PowerLoss,
    ),
    ("lazyfs torn op|seq", FaultKind::PowerLoss),
    (
        "lose|loses|losing|drop|drops unfsynced|unsynced writes|data|pages",
        FaultKind::PowerLoss,
    ),
    (
        "lose|loses|losing|drop|drops un fsynced|synced writes|data|pages",
        FaultKind::PowerLoss,
    ),
    ("charybdefs eio?", FaultKind::DiskError),
    ("charybdefs enospc", FaultKind::DiskFull),
    ("docker|systemctl|container stop", FaultKind::GracefulStop),
    ("systemctl restart", FaultKind::GracefulStop),
    ("kubectl? drain|drains|draining", FaultKind::GracefulStop),
    ("pumba kill", FaultKind::Kill),
    ("pumba pause", FaultKind::Pause),
];

/// The faults of tools that are known and not served, and what comes nearest.
pub(super) const TOOLS_REFUSED: &[(&str, &str)] = &[
    (
        "toxiproxy? slow_close toxic?",
        "a connection's end is not held back by itself; nearest are `latency 500ms on node 2 at \
         T+10s for 20s` and `jam the links of node 2 at T+10s for 20s`",
    ),
    (
        "toxiproxy? slicer toxic?",
        "a drawn network cuts streams anywhere as it is: write `network drawn by seed` into the \
         workload, and here `jitter on node 2 at T+10s for 20s` for the pauses",
    ),
    (
        "toxiproxy? limit_data toxic?",
        "connections are not closed after so many bytes; nearest is `reset all connections of \
         node 2 every 2s`",
    ),
    (
        "toxiproxy? reset_peer toxic?",
        "a reset is of the connections that there are when the window opens, not of every one \
         until it closes; nearest are `reset all connections of node 2 every 1s` and `reject \
         node 2 at T+10s for 20s`",
    ),
    (
        "dm flakey error_writes",
        "writes do not fail without reads; nearest are `disk errors on node 2 at T+10s for 5s`, \
         of both, and `disk full on node 2 at T+10s for 5s`, of writes alone",
    ),
    (
        "dm flakey corrupt_bio_byte",
        "the byte to damage can't be said; nearest is `bit rot of 1% on node 2 at T+10s for 5s`",
    ),
    (
        "dm log writes",
        "writes are not recorded for a later replay; `power loss of node 2 at T+10s` tries crash \
         states as it goes",
    ),
    (
        "iochaos attroverride",
        "attributes of files are not changed; nearest is `read-only disk on node 2 at T+10s for \
         5s`",
    ),
    (
        "stresschaos",
        "say what runs out: `StressChaos cpu` or `StressChaos memory`",
    ),
    (
        "dnschaos",
        "say how look-ups go wrong: `DNSChaos error` or `DNSChaos random`",
    ),
    (
        "kernelchaos|httpchaos|jvmchaos|awschaos|gcpchaos|azurechaos|physicalmachinechaos",
        "nothing here fails inside a kernel, a virtual machine or a provider; say what the \
         service meets of it: `disk errors`, `kill -9`, `reject`, `latency 500ms`",
    ),
    (
        "netem correlation",
        "each packet is drawn by itself: leave the correlation out",
    ),
    (
        "netem distribution",
        "delays are drawn evenly from their range: leave the distribution out",
    ),
    (
        "iptables protocol",
        "packets are cut whatever they carry: leave `-p` out",
    ),
    (
        "flip|flips|flipping one|a|single random? bit|byte",
        "bits flip in a share of the sectors that are read: `bit flips on node 2 at T+30s for \
         10s`, `bit rot of 1% on node 2 at T+30s for 10s`",
    ),
];

/// Why a fault that is known cannot be served, when one comes next.
pub(super) fn refused_at(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    let (mut own, mut tools) = (*cursor, *cursor);
    let (why, tool) = (own.lookup(REFUSED), tools.lookup(TOOLS_REFUSED));
    let longest = if tools.at > own.at { tools } else { own };
    *cursor = longest;
    if tools.at > own.at { tool } else { why }
}
