//! Which fault a landing condition is about: the one whose effects its counter counts.

use std::ops::Range;

use crate::diagnostic::Code;
use crate::scenario::{
    Evidence, FaultKind, FaultSpec, GuestAct, Landing, NetEffect, StorageFault, Target,
};
use crate::sink::Sink;

/// A condition as read: where it stands, and the faults named beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) span: Range<usize>,
    pub(crate) named: Vec<FaultKind>,
}

/// Whether a fault of this kind can move a counter of the ledger. In doubt it can.
fn moves(counter: &str, kind: FaultKind) -> bool {
    if let Some(moves) = moves_storage(counter, kind) {
        return moves;
    }
    let is_names = matches!(kind, FaultKind::Names { .. });
    if is_names || counter.starts_with("lookups-") {
        return is_names && counter.starts_with("lookups-");
    }
    if let Some(moves) = moves_guest(counter, kind) {
        return moves;
    }
    if kind == FaultKind::Readdress || counter == "hosts-readdressed" {
        let own = ["hosts-readdressed", "processes-killed", "restarts"];
        return kind == FaultKind::Readdress && own.contains(&counter);
    }
    let effect = match kind {
        FaultKind::Network { effect, .. } => Some(effect),
        _ => None,
    };
    let cuts = matches!(
        kind,
        FaultKind::Partition { .. }
            | FaultKind::Split { .. }
            | FaultKind::Suspend
            | FaultKind::Freeze
    );
    let takes_down = matches!(
        kind,
        FaultKind::Kill | FaultKind::PowerLoss | FaultKind::GracefulStop
    );
    let clock = matches!(
        kind,
        FaultKind::ClockStep { .. } | FaultKind::ClockDrift { .. }
    );
    let stands = matches!(
        kind,
        FaultKind::Pause | FaultKind::Suspend | FaultKind::Freeze
    );
    match counter {
        "packets-dropped" | "bytes-dropped" => {
            cuts || !clock && !takes_down && !matches!(kind, FaultKind::Pause) && !is_gentle(effect)
        }
        "packets-rejected" => effect == Some(NetEffect::Reject),
        "packets-held" => effect == Some(NetEffect::Jam) || cuts || stands,
        "packets-duplicated" => matches!(effect, Some(NetEffect::Duplicate { .. })),
        "packets-reordered" => matches!(effect, Some(NetEffect::Reorder { .. })),
        "packets-corrupted" => matches!(effect, Some(NetEffect::Corrupt { .. })),
        "packets-delayed" | "bytes-delayed" => matches!(
            effect,
            Some(
                NetEffect::Latency { .. } | NetEffect::Bandwidth { .. } | NetEffect::Reorder { .. }
            )
        ),
        "connections-reset" => effect == Some(NetEffect::Reset) || takes_down,
        "processes-killed" => kind == FaultKind::Kill,
        "power-losses" => {
            let replaced = matches!(kind, FaultKind::Storage { how, .. } if replaces(how));
            kind == FaultKind::PowerLoss || replaced
        }
        "graceful-stops" => kind == FaultKind::GracefulStop,
        "restarts" => !(cuts || clock || stands || effect.is_some() || is_disk_error(kind)),
        "writes-lost" | "writes-torn" | "writes-lost-or-torn" | "losses-met" => {
            let spares = matches!(kind, FaultKind::Kill | FaultKind::GracefulStop);
            let loses = matches!(kind, FaultKind::Storage { how, .. } if loses_writes(how));
            loses || !(cuts || clock || stands || spares || effect.is_some() || is_disk_error(kind))
        }
        "disk-errors" => !(cuts || clock || stands || effect.is_some() || takes_down),
        "clock-reads-skewed" | "timers-shifted" => clock || stands,
        "clock-steps" => matches!(kind, FaultKind::ClockStep { .. }),
        "clock-drifts" => matches!(kind, FaultKind::ClockDrift { .. }),
        "nodes-paused" | "turns-held" => stands,
        _ => true,
    }
}

/// Whether a counter is the effect that a fault of this kind is planned for.
fn is_meant(counter: &str, kind: FaultKind) -> bool {
    match counter {
        "packets-dropped" | "bytes-dropped" => matches!(
            kind,
            FaultKind::Partition { .. }
                | FaultKind::Split { .. }
                | FaultKind::Network {
                    effect: NetEffect::Loss { .. },
                    ..
                }
        ),
        "packets-held" | "connections-reset" => matches!(kind, FaultKind::Network { .. }),
        "clock-reads-skewed" | "timers-shifted" => matches!(
            kind,
            FaultKind::ClockStep { .. } | FaultKind::ClockDrift { .. }
        ),
        _ => true,
    }
}

/// Effects that lose no packet.
fn is_gentle(effect: Option<NetEffect>) -> bool {
    matches!(
        effect,
        Some(
            NetEffect::Latency { .. }
                | NetEffect::Duplicate { .. }
                | NetEffect::Reorder { .. }
                | NetEffect::Jam
                | NetEffect::Reject
                | NetEffect::Reset
        )
    )
}

fn is_disk_error(kind: FaultKind) -> bool {
    match kind {
        FaultKind::DiskError | FaultKind::DiskFull => true,
        FaultKind::Storage { how, .. } => !replaces(how),
        _ => false,
    }
}

/// A failed sync gives up writes for a power loss to take; lost writes are lost at once.
fn loses_writes(how: StorageFault) -> bool {
    matches!(
        how,
        StorageFault::LostWrites { .. } | StorageFault::SyncError
    )
}

/// Calls fail because they are told to. What media damage is a counter of its own.
fn returns_errors(how: StorageFault) -> bool {
    matches!(
        how,
        StorageFault::SyncError
            | StorageFault::ReadError
            | StorageFault::CallSites { .. }
            | StorageFault::ReadOnly
            | StorageFault::TooManyFiles
            | StorageFault::Crowded
    )
}

/// Disks that are changed while the machine is down.
fn replaces(how: StorageFault) -> bool {
    matches!(
        how,
        StorageFault::Wipe | StorageFault::StaleRestore | StorageFault::Swap
    )
}

/// Whether a fault of a disk moves one of its counters; `None`: it is none of them.
fn moves_storage(counter: &str, kind: FaultKind) -> Option<bool> {
    use StorageFault as S;
    let how = match kind {
        FaultKind::Storage { how, .. } => Some(how),
        _ => None,
    };
    let is = |found: fn(S) -> bool| how.is_some_and(found);
    Some(match counter {
        "disk-errors" if how.is_some() => is(returns_errors),
        "calls-delayed" => is(|how| matches!(how, S::Slow { .. })),
        "calls-stalled" => is(|how| how == S::Stall),
        "calls-shortened" => is(|how| how == S::Short),
        "latent-errors" => is(|how| matches!(how, S::LatentErrors { .. })),
        "sectors-rotted" => is(|how| matches!(how, S::Rot { .. })),
        "sectors-uninitialised" => is(|how| matches!(how, S::Uninitialised { .. })),
        "writes-misdirected" => is(|how| matches!(how, S::MisdirectedWrites { .. })),
        "reads-misdirected" => is(|how| matches!(how, S::MisdirectedReads { .. })),
        "files-wiped" => is(|how| how == S::Wipe),
        "files-reverted" => is(|how| how == S::StaleRestore),
        "files-swapped" => is(|how| how == S::Swap),
        _ => return None,
    })
}

/// Whether what is done through hooks, and what runs out, moves a counter; `None`: it is neither
/// such a fault nor one of their counters.
fn moves_guest(counter: &str, kind: FaultKind) -> Option<bool> {
    let is_own = |own: &[&str]| Some(own.contains(&counter));
    match kind {
        FaultKind::Guest { act } if act.restarts() => {
            let taken = ["graceful-stops", "restarts", "connections-reset"];
            Some(counter == act.counter() || taken.contains(&counter))
        }
        FaultKind::Guest {
            act: GuestAct::BackUpAndRestore,
        } => is_own(&["backups", "restores"]),
        FaultKind::Guest { act } => is_own(&[act.counter()]),
        FaultKind::Starve { .. } => is_own(&["cpu-slices-taken", "nodes-paused", "turns-held"]),
        FaultKind::Descriptors => is_own(&["descriptors-refused"]),
        FaultKind::Memory { .. } => is_own(&[
            "oom-kills",
            "processes-killed",
            "restarts",
            "connections-reset",
        ]),
        _ => {
            let theirs = [
                "restores",
                "cpu-slices-taken",
                "descriptors-refused",
                "oom-kills",
            ];
            let of_hooks = GuestAct::ALL.iter().any(|act| act.counter() == counter);
            (of_hooks || theirs.contains(&counter)).then_some(false)
        }
    }
}

/// Faults of disks are as many as there are ways to fail: what is said of rot is not said of fsync.
/// So are those that hooks make, but that every restore begins with a backup.
fn is_same(a: FaultKind, b: FaultKind) -> bool {
    if let (FaultKind::Storage { how: a, .. }, FaultKind::Storage { how: b, .. }) = (a, b) {
        return std::mem::discriminant(&a) == std::mem::discriminant(&b);
    }
    if let (FaultKind::Guest { act: a }, FaultKind::Guest { act: b }) = (a, b) {
        let saves = |act| matches!(act, GuestAct::BackUp | GuestAct::BackUpAndRestore);
        return a == b || saves(a) && saves(b);
    }
    let is_cut = |kind| matches!(kind, FaultKind::Partition { .. } | FaultKind::Split { .. });
    std::mem::discriminant(&a) == std::mem::discriminant(&b) || is_cut(a) && is_cut(b)
}

/// Ties each condition to the faults it is about.
pub(crate) fn tie(conditions: &mut [(Landing, Said)], faults: &[FaultSpec], sink: &mut Sink<'_>) {
    if faults.is_empty() {
        return;
    }
    for (landing, said) in conditions {
        let named = |fault: &&FaultSpec| said.named.iter().any(|kind| is_same(*kind, fault.kind));
        let ids = |chosen: Vec<&FaultSpec>| -> Vec<String> {
            chosen.into_iter().map(|fault| fault.id.clone()).collect()
        };
        landing.faults = match &landing.what {
            Evidence::Counter { counter, .. } => {
                let able: Vec<&FaultSpec> = faults
                    .iter()
                    .filter(|fault| moves(counter, fault.kind))
                    .collect();
                if able.is_empty() {
                    cannot_hold(counter, &said.span, sink);
                }
                let chosen: Vec<&FaultSpec> = able.iter().copied().filter(named).collect();
                let able = if chosen.is_empty() { able } else { chosen };
                // What always moves it is what is meant, not what may.
                let sure = able.iter().copied();
                let sure: Vec<&FaultSpec> =
                    sure.filter(|fault| is_meant(counter, fault.kind)).collect();
                ids(if sure.is_empty() { able } else { sure })
            }
            Evidence::LeaderReelected => {
                let leads = |fault: &&FaultSpec| fault.target == Target::Leader;
                let both = faults
                    .iter()
                    .filter(named)
                    .filter(leads)
                    .collect::<Vec<_>>();
                let leading = faults.iter().filter(leads).collect::<Vec<_>>();
                ids(if both.is_empty() { leading } else { both })
            }
            Evidence::GuestLog { .. }
            | Evidence::Probe { .. }
            | Evidence::Metric { .. }
            | Evidence::Observed => ids(faults.iter().filter(named).collect()),
        };
    }
}

fn cannot_hold(counter: &str, span: &Range<usize>, sink: &mut Sink<'_>) {
    let message = format!("no fault of this scenario ever moves {counter}");
    let help = Some("name evidence of a fault that is planned, or plan that fault".to_owned());
    sink.error(
        Code::LandingCannotHold,
        span,
        message,
        "can never hold",
        help,
    );
}
