//! A clause's fault, with what the clause leaves open.

use std::ops::Range;

use super::faults::{Draft, Stage};
use super::magnitude::Amount;
use super::network_words::LOSS;
use super::schedule::{self, Length};
use super::sizes::sized;
use super::{frames, names};
use crate::diagnostic::Code;
use crate::plan::FieldKind;
use crate::scenario::{Direction, FaultKind, FaultSpec, GuestAct, NetEffect, Span, Target};
use crate::sink::Sink;

const SECOND: u64 = 1_000_000_000;

/// Fills in what the clause leaves open and says so.
pub(super) fn settle(
    kind: FaultKind,
    draft: &Draft,
    stage: Stage,
    before: &[FaultSpec],
    span: &Range<usize>,
    sink: &mut Sink<'_>,
) -> FaultSpec {
    let kind = lossy(kind, draft);
    let is_partition = matches!(kind, FaultKind::Partition { .. });
    let is_split = matches!(kind, FaultKind::Split { .. });
    let on_links = is_partition || matches!(kind, FaultKind::Network { .. });
    let directed = draft.direction.is_some() && !on_links && !is_split;
    if directed || (draft.clients.is_some() && !on_links) {
        sink.conflict(span, "direction of a fault that has none");
    }
    let usual = match kind {
        FaultKind::Partition { .. }
        | FaultKind::Network { .. }
        | FaultKind::Split { .. }
        | FaultKind::ClockStep { .. }
        | FaultKind::ClockDrift { .. } => Span {
            min: 2 * SECOND,
            max: 5 * SECOND,
        },
        _ => Span {
            min: SECOND,
            max: 3 * SECOND,
        },
    };
    let (mut schedule, mut magnitude) = (draft.schedule, draft.magnitude);
    let is_pause = matches!(
        kind,
        FaultKind::Pause | FaultKind::Suspend | FaultKind::Freeze
    );
    // `a pause of 8s` is that long.
    if let (true, None, Some(Amount::Time(length))) =
        (is_pause, schedule.duration, magnitude.amount)
    {
        schedule.duration = Some(Length::For(length));
        magnitude.amount = None;
    }
    let in_turn = matches!(draft.target, Some(Target::Rolling | Target::RollingReverse));
    if in_turn && (schedule.every, schedule.times) == (None, None) {
        // Every node has its turn.
        schedule.times = Some(schedule::Times::Exactly(stage.nodes));
    }
    schedule.settle_throughout(kind);
    let after = draft.after.as_ref().map(|after| after.of(before));
    if after.is_some() && schedule.start.is_none() {
        schedule.start = Some(schedule::Start::At(Span { min: 0, max: 0 }));
    }
    let (when, mut defaults) = schedule::settle(&schedule, usual, stage.workload_ns);
    if is_split && !matches!(draft.target, None | Some(Target::All)) {
        sink.conflict(span, "target of a shape that has none of its own");
    }
    let target = draft.target.unwrap_or_else(|| {
        if !is_split {
            defaults.push("target");
        }
        target_left_open(kind)
    });
    // What goes from one to another goes one way.
    let usual = match draft.frames.to {
        Some(_) if !draft.frames.mutual => Direction::Outbound,
        _ => Direction::Both,
    };
    let kind = shaped(kind, draft, usual);
    let frames = draft.frames.said();
    if let Some(frames) = &frames {
        frames::check(frames, kind, span, sink);
    }
    let kind = sized(kind, magnitude, span, &mut defaults, sink);
    let line = sink.lines.line(span.start);
    let taken: Vec<&str> = before.iter().map(|fault| fault.id.as_str()).collect();
    let fault = FaultSpec {
        id: names::fault(&sink.scenario, kind, target, &taken),
        kind,
        target,
        frames,
        role: draft.role.clone(),
        setting: draft.setting.clone(),
        after: after.flatten(),
        when,
        line,
    };
    let mut said = fault.to_string();
    if !defaults.is_empty() {
        said.push_str(&format!(
            " (left open, so by default: {})",
            defaults.join(", ")
        ));
    }
    sink.explain(FieldKind::Faults, span, said);
    fault
}

/// `drop 30% of packets` is a loss of packets, and no partition.
fn lossy(kind: FaultKind, draft: &Draft) -> FaultKind {
    match (kind, draft.magnitude.amount) {
        (FaultKind::Partition { .. }, Some(Amount::Ppm(_))) => LOSS,
        (kind, _) => kind,
    }
}

/// The kind with the ways and the clients that the clause says.
fn shaped(kind: FaultKind, draft: &Draft, usual: Direction) -> FaultKind {
    let to_somebody = draft.frames.to.is_some() && !draft.frames.mutual;
    let direction = match draft.direction {
        Some(Direction::OneWay) if to_somebody => Direction::Outbound,
        said => said.unwrap_or(usual),
    };
    match kind {
        FaultKind::Partition { .. } => FaultKind::Partition {
            direction,
            clients_too: draft.clients.unwrap_or(false),
        },
        FaultKind::Split { shape, .. } => FaultKind::Split {
            shape,
            one_way: draft.direction.is_some_and(|way| way != Direction::Both),
        },
        FaultKind::Network {
            effect,
            clients_too,
            ..
        } => FaultKind::Network {
            effect,
            direction,
            clients_too: draft.clients.unwrap_or(clients_too && !draft.among),
        },
        FaultKind::Storage { how, .. } => FaultKind::Storage {
            how,
            beyond_budget: draft.beyond_budget,
        },
        other => other,
    }
}

/// Who is hit when the clause does not say.
fn target_left_open(kind: FaultKind) -> Target {
    match kind {
        FaultKind::Partition { .. } => Target::Minority,
        FaultKind::Network {
            effect: NetEffect::Jam | NetEffect::Reject,
            ..
        } => Target::Minority,
        FaultKind::Network { .. } | FaultKind::Split { .. } | FaultKind::Names { .. } => {
            Target::All
        }
        FaultKind::Guest { act } => match act {
            GuestAct::StepDown => Target::Leader,
            GuestAct::MixedVersions | GuestAct::DivergeCredentials => Target::Minority,
            GuestAct::Upgrade | GuestAct::RotateCredentials | GuestAct::Rebalance => Target::All,
            _ => Target::Random,
        },
        _ => Target::Random,
    }
}

/// What no run of this fault could make good.
pub(super) fn check(fault: &FaultSpec, stage: Stage, span: &Range<usize>, sink: &mut Sink<'_>) {
    let end = fault.frames.as_ref().and_then(|frames| frames.to);
    let named = [Some(fault.target), end].into_iter().flatten();
    if let Some(number) = named
        .flat_map(numbers)
        .find(|n| !(1..=stage.nodes).contains(n))
    {
        let message = format!(
            "there is no node {number}: the cluster has {} nodes",
            stage.nodes
        );
        let help = Some(format!("nodes are numbered from 1 to {}", stage.nodes));
        sink.error(Code::NodeOutOfRange, span, message, "no such node", help);
    }
    if fault.after.is_some() {
        return;
    }
    let length = crate::human::duration(stage.workload_ns);
    if fault.when.start_ns.max >= stage.workload_ns {
        let message = format!("the fault opens when the workload of {length} may be over");
        let help = Some("a fault that opens after the workload can never land".to_owned());
        sink.warning(
            Code::FaultOutsideWorkload,
            span,
            message,
            "opens too late",
            help,
        );
    } else if let Some(repeat) = fault.when.repeat
        && let Some(times) = repeat.times
    {
        let last = u64::from(times - 1)
            .saturating_mul(repeat.every_ns.min)
            .saturating_add(fault.when.start_ns.min);
        if last >= stage.workload_ns {
            let message = format!("not all {times} openings fit into the workload of {length}");
            let help = Some("lengthen the workload, or repeat less often".to_owned());
            sink.warning(
                Code::FaultOutsideWorkload,
                span,
                message,
                "does not fit",
                help,
            );
        }
    }
}

/// The nodes that a target names.
fn numbers(target: Target) -> Vec<u32> {
    match target {
        Target::Node { number } | Target::AllBut { number } => vec![number],
        Target::Nodes { nodes } => nodes.numbers().collect(),
        _ => Vec::new(),
    }
}
