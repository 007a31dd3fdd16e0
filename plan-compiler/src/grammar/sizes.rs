//! How large a fault is, put into the fault.

use std::ops::Range;

use super::magnitude::{Amount, MagnitudeDraft};
use crate::scenario::{FaultKind, NameFault, NetEffect, StorageFault, Way};
use crate::sink::Sink;

/// Puts what the clause says of its size into the fault.
pub(crate) fn sized(
    kind: FaultKind,
    magnitude: MagnitudeDraft,
    span: &Range<usize>,
    defaults: &mut Vec<&'static str>,
    sink: &mut Sink<'_>,
) -> FaultKind {
    let way = magnitude.way.unwrap_or(Way::Either);
    let sized = match (kind, magnitude.amount) {
        (FaultKind::ClockStep { by_ns, .. }, None) => FaultKind::ClockStep { way, by_ns },
        (FaultKind::ClockDrift { ppm, .. }, None) => FaultKind::ClockDrift { way, ppm },
        (FaultKind::ClockStep { .. }, Some(Amount::Time(by_ns))) => {
            FaultKind::ClockStep { way, by_ns }
        }
        (FaultKind::ClockStep { .. } | FaultKind::ClockDrift { .. }, Some(Amount::Ppm(ppm))) => {
            FaultKind::ClockDrift { way, ppm }
        }
        (FaultKind::ClockDrift { .. }, Some(Amount::Time(_))) => {
            sink.conflict(span, "size of a drift, which is said in ppm or percent");
            kind
        }
        (
            FaultKind::Network {
                effect,
                direction,
                clients_too,
            },
            amount,
        ) => {
            let Some(effect) = effect_sized(effect, amount, defaults) else {
                sink.conflict(span, "size of a fault that has another, or none");
                return kind;
            };
            if magnitude.way.is_some_and(|way| way != Way::Ahead) {
                sink.conflict(span, "way of a fault that has none");
            }
            return FaultKind::Network {
                effect,
                direction,
                clients_too,
            };
        }
        (
            FaultKind::Names {
                how: NameFault::Slow { .. },
            },
            Some(Amount::Time(by_ns)),
        ) => {
            return FaultKind::Names {
                how: NameFault::Slow { by_ns },
            };
        }
        (FaultKind::Starve { .. }, Some(Amount::Ppm(ppm))) if magnitude.way.is_none() => {
            return FaultKind::Starve { ppm };
        }
        (FaultKind::Memory { .. }, Some(Amount::Bytes(bytes))) if magnitude.way.is_none() => {
            return FaultKind::Memory { bytes: Some(bytes) };
        }
        (FaultKind::Storage { how, beyond_budget }, amount) => {
            let Some(how) = storage_sized(how, amount, defaults) else {
                sink.conflict(span, "size of a fault that has another, or none");
                return kind;
            };
            return FaultKind::Storage { how, beyond_budget };
        }
        (_, _) => {
            if magnitude.is_said() {
                sink.conflict(span, "size of a fault that has none");
            } else if let FaultKind::Names {
                how: NameFault::Slow { .. },
            } = kind
            {
                defaults.push("size");
            }
            return kind;
        }
    };
    if magnitude.amount.is_none() {
        defaults.push("size");
    }
    if magnitude.way.is_none() {
        defaults.push("way");
    }
    sized
}

/// `None` where the amount is no size of the fault.
fn storage_sized(
    how: StorageFault,
    amount: Option<Amount>,
    defaults: &mut Vec<&'static str>,
) -> Option<StorageFault> {
    use StorageFault as S;
    let share = match amount {
        Some(Amount::Ppm(ppm)) => Some(ppm),
        _ => None,
    };
    let sized = match (how, amount) {
        (S::LostWrites { ppm }, None) if ppm.min == ppm.max => how,
        (S::Slow { .. }, Some(Amount::Time(by_ns))) => return Some(S::Slow { by_ns }),
        (
            S::Slow { .. }
            | S::CallSites { .. }
            | S::LatentErrors { .. }
            | S::Rot { .. }
            | S::LostWrites { .. }
            | S::MisdirectedWrites { .. }
            | S::MisdirectedReads { .. }
            | S::Uninitialised { .. },
            None,
        ) => {
            defaults.push("size");
            how
        }
        (_, None) => how,
        (S::CallSites { .. }, _) => S::CallSites { ppm: share? },
        (S::LatentErrors { .. }, _) => S::LatentErrors { ppm: share? },
        (S::Rot { .. }, _) => S::Rot { ppm: share? },
        (S::LostWrites { .. }, _) => S::LostWrites { ppm: share? },
        (S::MisdirectedWrites { .. }, _) => S::MisdirectedWrites { ppm: share? },
        (S::MisdirectedReads { .. }, _) => S::MisdirectedReads { ppm: share? },
        (S::Uninitialised { .. }, _) => S::Uninitialised { ppm: share? },
        _ => return None,
    };
    Some(sized)
}

/// `None` where the amount is no size of the effect.
fn effect_sized(
    effect: NetEffect,
    amount: Option<Amount>,
    defaults: &mut Vec<&'static str>,
) -> Option<NetEffect> {
    let Some(amount) = amount else {
        if !matches!(
            effect,
            NetEffect::Jam | NetEffect::Reject | NetEffect::Reset
        ) {
            defaults.push("size");
        }
        return Some(effect);
    };
    Some(match (effect, amount) {
        (NetEffect::Loss { .. }, Amount::Ppm(ppm)) => NetEffect::Loss { ppm },
        (NetEffect::Duplicate { .. }, Amount::Ppm(ppm)) => NetEffect::Duplicate { ppm },
        (NetEffect::Reorder { .. }, Amount::Ppm(ppm)) => NetEffect::Reorder { ppm },
        (NetEffect::Corrupt { .. }, Amount::Ppm(ppm)) => NetEffect::Corrupt { ppm },
        // A range is what packets take, each its own.
        (NetEffect::Latency { .. }, Amount::Time(by_ns)) => NetEffect::Latency {
            by_ns,
            each: by_ns.min != by_ns.max,
        },
        (NetEffect::Bandwidth { .. }, Amount::Rate(rate)) => NetEffect::Bandwidth { rate },
        _ => return None,
    })
}
