//! `asymmetric partition isolating current leader at T+60s for 30s; kill -9 a follower at T+2s`.

use std::ops::Range;

use super::clauses::clauses;
use super::events::{self, AfterDraft};
use super::fault_words::{CLIENTS, DIRECTIONS, FILLERS, KINDS, NONE, NONE_FILLERS, TARGETS};
use super::frames::{self, FramesDraft};
use super::guest_words::{GUEST_KINDS, METADATA, REFUSED};
use super::magnitude::{self, Amount, MagnitudeDraft};
use super::names;
use super::network_words::NAME_KINDS;
use super::schedule::{self, Length, ScheduleDraft};
use super::sizes::sized;
use super::storage_words::{BEYOND_BUDGET, STORAGE_KINDS, kind_at};
use crate::cursor::Cursor;
use crate::diagnostic::Code;
use crate::plan::{Field, FieldKind};
use crate::scenario::{Direction, FaultKind, FaultSpec, GuestAct, NetEffect, Span, Target, Way};
use crate::sink::Sink;
use crate::tokens::{Kind, Token};

const SECOND: u64 = 1_000_000_000;

const HELP: &str = "a fault is what, whom and when, as in: \
     asymmetric partition isolating current leader at T+60s for 30s";

/// What faults are placed into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage {
    pub(crate) nodes: u32,
    pub(crate) workload_ns: u64,
}

/// What one clause says.
#[derive(Clone, Debug, Default)]
struct Draft {
    kind: Option<FaultKind>,
    target: Option<Target>,
    direction: Option<Direction>,
    clients: Option<bool>,
    frames: FramesDraft,
    magnitude: MagnitudeDraft,
    schedule: ScheduleDraft,
    beyond_budget: bool,
    /// The role of the nodes that are hit.
    role: Option<String>,
    /// What a setting is changed to.
    setting: Option<String>,
    /// What its windows wait for.
    after: Option<AfterDraft>,
}

/// Reads a faults field. A clause that is not understood is an error and yields no fault.
pub(crate) fn read(field: &Field, stage: Stage, faults: &mut Vec<FaultSpec>, sink: &mut Sink<'_>) {
    let tokens = sink.tokens(field);
    if none(&tokens) {
        sink.explain(FieldKind::Faults, &field.span(), "no faults");
        return;
    }
    let mut over = 0;
    let mut before = ScheduleDraft::default();
    for clause in clauses(&tokens) {
        let follows = events::follows(&tokens[over..clause.start]);
        let meets = events::meets(&tokens[over..clause.start]);
        over = clause.end;
        let tokens = &tokens[clause];
        let span = Cursor {
            tokens,
            at: tokens.len(),
        }
        .span_from(0);
        let errors = sink.errors.len();
        let mut draft = draft(tokens, sink);
        if sink.errors.len() > errors {
            continue;
        }
        // `a partition for 5s, then kill -9 the leader`.
        if follows && draft.after.is_none() && draft.schedule.start.is_none() {
            draft.after = faults.last().map(|_| AfterDraft::Before);
        }
        if meets {
            events::check_meeting(&before, &draft.schedule, &span, sink);
        }
        before = draft.schedule;
        let Some(kind) = draft.kind else {
            let message = "this clause of the faults names no fault";
            let help = Some(HELP.to_owned());
            sink.error(Code::NotUnderstood, &span, message, "what happens?", help);
            continue;
        };
        let fault = settle(kind, &draft, stage, faults, &span, sink);
        check(&fault, stage, &span, sink);
        faults.push(fault);
    }
}

/// Whether a field says that nothing goes wrong, by intention.
pub(crate) fn says_none(field: &Field, sink: &Sink<'_>) -> bool {
    none(&sink.tokens(field))
}

fn none(tokens: &[Token]) -> bool {
    let mut cursor = Cursor::new(tokens);
    cursor.eat("-");
    if !cursor.eat_any(NONE) {
        return false;
    }
    while cursor.eat_any(NONE_FILLERS) {}
    tokens[cursor.at..]
        .iter()
        .all(|token| token.kind == Kind::Break)
}

/// A fault that is known and cannot be served, and why.
fn refused(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    cursor.attempt(|c| {
        let mut kinds = *c;
        kind_at(&mut kinds);
        let why = c.lookup(REFUSED)?;
        (c.at > kinds.at).then_some(why)
    })
}

fn draft(tokens: &[Token], sink: &mut Sink<'_>) -> Draft {
    let mut draft = Draft::default();
    let mut rolling = false;
    let mut cursor = Cursor::new(tokens);
    while cursor.eat("-") {}
    if restart(&mut cursor) {
        draft.kind = Some(FaultKind::GracefulStop);
    }
    while !cursor.done() {
        let from = cursor.at;
        if let Some(why) = refused(&mut cursor) {
            let span = cursor.span_from(from);
            let message = "the plan asks for a fault that cannot be served";
            let help = Some(why.to_owned());
            sink.error(Code::NotServed, &span, message, "known, not served", help);
            cursor.at = tokens.len();
        } else if let Some(clash) = slot(&mut cursor, &mut draft) {
            if clash {
                sink.conflict(&cursor.span_from(from), "property of one fault");
            }
        } else if cursor.eat("rolling") {
            rolling = true;
        } else if cursor.peek().is_some_and(|token| token.kind == Kind::Break) {
            cursor.at += 1;
        } else if !cursor.eat_any(FILLERS) {
            sink.not_understood(&mut cursor, FieldKind::Faults, &vocabulary(), HELP);
        }
    }
    if rolling && matches!(draft.target, None | Some(Target::All | Target::Random)) {
        draft.target = Some(Target::Rolling);
    }
    draft
}

/// `restart the leader` as a clause's own verb, not what ends a kill.
fn restart(cursor: &mut Cursor<'_>) -> bool {
    let verb = |c: &mut Cursor<'_>| {
        c.eat("restart|restarts|restarting|bounce|bounces")
            .then_some(())?;
        let mut next = *c;
        next.eat("the|a|an");
        target(&mut next).map(|_| ())
    };
    cursor.attempt(verb).is_some()
}

fn vocabulary() -> Vec<&'static str> {
    let kinds = KINDS.iter().map(|(phrase, _)| *phrase);
    let targets = TARGETS.iter().map(|(phrase, _)| *phrase);
    let directions = DIRECTIONS.iter().map(|(phrase, _)| *phrase);
    let more = [
        "rolling",
        "every",
        "repeat",
        "times",
        "including",
        "clients",
        "restart",
        "heal",
    ];
    kinds
        .chain(targets)
        .chain(STORAGE_KINDS.iter().map(|(phrase, _)| *phrase))
        .chain(NAME_KINDS.iter().map(|(phrase, _)| *phrase))
        .chain(GUEST_KINDS.iter().map(|(phrase, _)| *phrase))
        .chain(directions)
        .chain(more)
        .chain(REFUSED.iter().map(|(phrase, _)| *phrase))
        .collect()
}

/// Reads one phrase into its slot: `Some(true)` when it contradicts what is there.
fn slot(cursor: &mut Cursor<'_>, draft: &mut Draft) -> Option<bool> {
    if let Some((delay, after)) = cursor.attempt(events::phrase) {
        let start = delay.map(schedule::Start::At);
        let late = start.is_some_and(|start| put(&mut draft.schedule.start, start));
        return Some(put(&mut draft.after, after) || late);
    }
    if let Some(role) = cursor.attempt(role) {
        let clash = put(&mut draft.target, Target::Role);
        return Some(put(&mut draft.role, role) || clash);
    }
    if draft.kind == Some(CONFIGURE)
        && let Some(setting) = cursor.attempt(quoted)
    {
        return Some(put(&mut draft.setting, setting));
    }
    if let Some(clash) = schedule::phrase(cursor, &mut draft.schedule) {
        return Some(clash);
    }
    if let Some(times) = cursor.attempt(counted) {
        return Some(put(
            &mut draft.schedule.times,
            schedule::Times::Exactly(times),
        ));
    }
    if let Some(length) = cursor.attempt(|c| bracketed(c, draft.kind)) {
        return Some(put(&mut draft.schedule.duration, length));
    }
    if cursor.eat_any(BEYOND_BUDGET) {
        draft.beyond_budget = true;
        return Some(false);
    }
    if let Some(clients) = cursor.lookup(CLIENTS) {
        return Some(put(&mut draft.clients, clients));
    }
    if let Some(clash) = frames::phrase(cursor, draft.target, &mut draft.frames) {
        return Some(clash);
    }
    // A backup that is made, not the node that is one.
    let mut named = *cursor;
    let is_made = draft.kind.is_none()
        && (is_at(cursor, "backup") || is_at(cursor, "metadata") && kind_at(&mut named).is_some());
    if !is_made && let Some(target) = target(cursor) {
        if target == Target::Role {
            draft.role = Some(METADATA.to_owned());
        }
        let target = match (draft.target, target) {
            // `rolling restart of the cluster`, `all nodes, in reverse order`.
            (
                Some(turn @ (Target::Rolling | Target::RollingReverse)),
                Target::All | Target::Random,
            ) => turn,
            (Some(Target::All | Target::Rolling), turn @ Target::RollingReverse) => {
                draft.target = None;
                turn
            }
            (_, target) => target,
        };
        return Some(put(&mut draft.target, target));
    }
    if let Some(direction) = cursor.lookup(DIRECTIONS) {
        let old = draft.direction.filter(|old| !refines(direction, *old));
        draft.direction = Some(direction);
        return Some(old.is_some_and(|old| old != direction));
    }
    let at = cursor.at;
    let mut kinds = *cursor;
    let Some(kind) = kind_at(&mut kinds) else {
        return magnitude::phrase(cursor, &mut draft.magnitude);
    };
    cursor.at = kinds.at;
    // So does `slow clock` its way.
    let is_clock = matches!(
        kind,
        FaultKind::ClockStep { .. } | FaultKind::ClockDrift { .. }
    );
    for token in &cursor.tokens[at..cursor.at] {
        match token.spelling() {
            "slow" | "slower" | "slowed" if is_clock => draft.magnitude.way = Some(Way::Behind),
            "fast" | "faster" if is_clock => draft.magnitude.way = Some(Way::Ahead),
            "follower" | "followers" => draft.target = Some(Target::Follower),
            "quorum" | "majority" => draft.target = Some(Target::Majority),
            "change" | "changes" if kind == CONFIGURE => draft.target = Some(Target::All),
            "metadata" if is_partition(kind) => {
                draft.target = Some(Target::Role);
                draft.role = Some(METADATA.to_owned());
                draft.clients = Some(true);
            }
            "half" if is_partition(kind) => draft.direction = Some(Direction::OneWay),
            "rolling" => draft.target = draft.target.or(Some(Target::Rolling)),
            _ => {}
        }
    }
    // `leader isolation` names the target as well.
    if cursor.tokens[at].spelling() == "leader" {
        draft.target = Some(Target::Leader);
    }
    Some(put_kind(&mut draft.kind, kind))
}

const CONFIGURE: FaultKind = FaultKind::Guest {
    act: GuestAct::Configure,
};

fn is_at(cursor: &Cursor<'_>, word: &str) -> bool {
    cursor.peek().is_some_and(|token| token.spelling() == word)
}

/// `nodes with the role "router"`, `the role "router"`.
fn role(c: &mut Cursor<'_>) -> Option<String> {
    c.eat("a|an|the|any|every|each|all");
    c.eat("node|nodes|server|servers|process|processes|host|hosts");
    c.eat("with|of|in|whose|having");
    c.eat("a|the");
    c.eat("role|roles").then_some(())?;
    c.eat("is|of|:|=");
    quoted(c)
}

fn quoted(c: &mut Cursor<'_>) -> Option<String> {
    c.eat("to|:|=");
    let Kind::Quoted(said) = &c.peek()?.kind else {
        return None;
    };
    c.at += 1;
    Some(said.trim().to_owned())
}

/// `three kills`: how often, before the fault's name.
fn counted(c: &mut Cursor<'_>) -> Option<u32> {
    let times = c.small().filter(|times| *times > 0)?;
    let mut kinds = *c;
    kinds.lookup(KINDS)?;
    Some(times)
}

/// `pause (10s)`: how long a node stands still.
fn bracketed(c: &mut Cursor<'_>, kind: Option<FaultKind>) -> Option<Length> {
    let stands = matches!(
        kind?,
        FaultKind::Pause | FaultKind::Suspend | FaultKind::Freeze
    );
    c.eat("(").then_some(())?;
    let (min, max) = c.duration_range()?;
    (stands && c.eat(")")).then_some(Length::For(Span { min, max }))
}

const fn is_partition(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Partition { .. })
}

/// `partition with rejects`, `partition into halves`: the second says how.
fn put_kind(slot: &mut Option<FaultKind>, kind: FaultKind) -> bool {
    let says_how = |kind: FaultKind| match kind {
        FaultKind::Split { .. } => true,
        FaultKind::Network { effect, .. } => matches!(effect, NetEffect::Jam | NetEffect::Reject),
        _ => false,
    };
    match *slot {
        Some(old) if is_partition(old) && says_how(kind) => {
            *slot = Some(kind);
            false
        }
        Some(old) if is_partition(kind) && says_how(old) => false,
        _ => put(slot, kind),
    }
}

/// `one-way partition: outbound packets dropped` says the same thing twice, the second better.
fn refines(new: Direction, old: Direction) -> bool {
    old == Direction::OneWay && matches!(new, Direction::Outbound | Direction::Inbound)
}

pub(super) fn target(cursor: &mut Cursor<'_>) -> Option<Target> {
    let mut kinds = *cursor;
    if kind_at(&mut kinds).is_some() && cursor.tokens[cursor.at].spelling() == "leader" {
        return None;
    }
    let number = cursor.attempt(|c| {
        if c.eat_any(&["node|server|replica|member #?"]) {
            return c.small();
        }
        let Kind::Word(word) = &c.peek()?.kind else {
            return None;
        };
        let number = word.strip_prefix('n')?.parse().ok()?;
        c.at += 1;
        Some(number)
    });
    match number {
        Some(number) => Some(Target::Node { number }),
        None => cursor.lookup(TARGETS),
    }
}

pub(super) fn put<T: PartialEq>(slot: &mut Option<T>, value: T) -> bool {
    let clash = slot.as_ref().is_some_and(|old| *old != value);
    *slot = Some(value);
    clash
}

/// Fills in what the clause leaves open and says so.
fn settle(
    kind: FaultKind,
    draft: &Draft,
    stage: Stage,
    before: &[FaultSpec],
    span: &Range<usize>,
    sink: &mut Sink<'_>,
) -> FaultSpec {
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
        Some(_) => Direction::Outbound,
        None => Direction::Both,
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

/// The kind with the ways and the clients that the clause says.
fn shaped(kind: FaultKind, draft: &Draft, usual: Direction) -> FaultKind {
    match kind {
        FaultKind::Partition { .. } => FaultKind::Partition {
            direction: draft.direction.unwrap_or(usual),
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
            direction: draft.direction.unwrap_or(usual),
            clients_too: draft.clients.unwrap_or(clients_too),
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
fn check(fault: &FaultSpec, stage: Stage, span: &Range<usize>, sink: &mut Sink<'_>) {
    if let Target::Node { number } = fault.target
        && !(1..=stage.nodes).contains(&number)
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
