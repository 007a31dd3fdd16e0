//! `asymmetric partition isolating current leader at T+60s for 30s; kill -9 a follower at T+2s`.

use std::ops::Range;

use super::clauses::clauses;
use super::events::{self, AfterDraft};
use super::fault_words::{
    AMONG, CLIENTS, DIRECTIONS, FILLERS, KINDS, NONE, NONE_FILLERS, PARTITION, TARGETS,
};
use super::frames::{self, FramesDraft};
use super::guest_words::{GUEST_KINDS, METADATA, REFUSED};
use super::magnitude::{self, MagnitudeDraft};
use super::network_words::NAME_KINDS;
use super::schedule::{self, Length, ScheduleDraft};
use super::settle::{check, settle};
use super::storage_words::{BEYOND_BUDGET, STORAGE_KINDS, kind_at};
use super::targets::{arrow, groups, open_arrow, pair, role, set_clock, taken_down, target};
use super::tool_words::{TOOL_KINDS, TOOLS_REFUSED, refused_at};
use super::{sharing, tools};
use crate::cursor::{Cursor, alias};
use crate::diagnostic::Code;
use crate::plan::{Field, FieldKind};
use crate::scenario::{
    Direction, FaultKind, FaultSpec, GuestAct, NetEffect, Span, StorageFault, Target, Way,
};
use crate::sink::Sink;
use crate::tokens::{Kind, Token};

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
pub(super) struct Draft {
    pub(super) kind: Option<FaultKind>,
    pub(super) target: Option<Target>,
    pub(super) direction: Option<Direction>,
    pub(super) clients: Option<bool>,
    /// It is between the nodes, by the words that tell them from clients.
    pub(super) among: bool,
    pub(super) frames: FramesDraft,
    pub(super) magnitude: MagnitudeDraft,
    pub(super) schedule: ScheduleDraft,
    pub(super) beyond_budget: bool,
    /// The role of the nodes that are hit.
    pub(super) role: Option<String>,
    /// What a setting is changed to.
    pub(super) setting: Option<String>,
    /// What its windows wait for.
    pub(super) after: Option<AfterDraft>,
}

/// A clause as it was read.
pub(super) struct Clause<'t> {
    pub(super) draft: Draft,
    pub(super) span: Range<usize>,
    pub(super) tokens: &'t [Token],
    /// What stands between it and the clause before it.
    pub(super) before: &'t [Token],
}

/// Reads a faults field. A clause that is not understood is an error and yields no fault.
pub(crate) fn read(field: &Field, stage: Stage, faults: &mut Vec<FaultSpec>, sink: &mut Sink<'_>) {
    let tokens = tools::spelt(&sink.tokens(field));
    if none(&tokens) {
        sink.explain(FieldKind::Faults, &field.span(), "no faults");
        return;
    }
    let mut read = drafts(&tokens, sink);
    sharing::share(&mut read);
    let mut before = ScheduleDraft::default();
    for clause in read {
        let Clause {
            mut draft, span, ..
        } = clause;
        // `a partition for 5s, then kill -9 the leader`.
        let follows = events::follows(clause.before);
        if follows && draft.after.is_none() && draft.schedule.start.is_none() {
            draft.after = faults.last().map(|_| AfterDraft::Before);
        }
        if events::meets(clause.before) {
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

/// What each clause says; those that are not understood are errors, and left out.
fn drafts<'t>(tokens: &'t [Token], sink: &mut Sink<'_>) -> Vec<Clause<'t>> {
    let mut over = 0;
    let mut found = Vec::new();
    for clause in clauses(tokens) {
        let before = &tokens[over..clause.start];
        over = clause.end;
        let tokens = &tokens[clause];
        let span = Cursor {
            tokens,
            at: tokens.len(),
        }
        .span_from(0);
        if is_ending(tokens) {
            let said = "what every run does when its faults are over";
            sink.explain(FieldKind::Faults, &span, said);
            continue;
        }
        let errors = sink.errors.len();
        let draft = draft(tokens, sink);
        if sink.errors.len() == errors {
            found.push(Clause {
                draft,
                span,
                tokens,
                before,
            });
        }
    }
    found
}

/// `(c) heal and converge`: no fault, and done in any case.
fn is_ending(tokens: &[Token]) -> bool {
    let mut cursor = Cursor::new(tokens);
    let mut heals = false;
    while !cursor.done() {
        if cursor.eat_any(&["heal everything|all?", "converge|verify"]) {
            heals = true;
        } else if !cursor.eat(",|;|.|and|then|finally|wait|to|the|cluster|let|it|all|for") {
            let is_break = cursor.peek().is_some_and(|t| t.kind == Kind::Break);
            if !is_break {
                return false;
            }
            cursor.at += 1;
        }
    }
    heals
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
        let why = refused_at(c)?;
        (c.at > kinds.at).then_some(why)
    })
}

fn draft(tokens: &[Token], sink: &mut Sink<'_>) -> Draft {
    let mut draft = Draft::default();
    let mut rolling = false;
    let mut cursor = Cursor::new(tokens);
    while cursor.eat("-") {}
    if cursor.attempt(taken_down).is_some() {
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
        } else if (rolling || draft.target == Some(Target::Rolling))
            && cursor.eat_any(&["one at a time", "one by one", "in turn"])
        {
            // That it is rolling.
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
        .chain(TOOL_KINDS.iter().map(|(phrase, _)| *phrase))
        .chain(TOOLS_REFUSED.iter().map(|(phrase, _)| *phrase))
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
    if let Some(all) = cursor.lookup(AMONG) {
        draft.among = true;
        return Some(all && put(&mut draft.target, Target::All));
    }
    if let Some(clients) = cursor.lookup(CLIENTS) {
        return Some(put(&mut draft.clients, clients));
    }
    if let Some(clash) = frames::phrase(cursor, draft.target, &mut draft.frames) {
        return Some(clash);
    }
    if let Some(clash) = links(cursor, draft) {
        return Some(clash);
    }
    if let Some((kind, way, target)) = cursor.attempt(set_clock) {
        draft.magnitude.way = way.or(draft.magnitude.way);
        return Some(put(&mut draft.target, target) | put_kind(&mut draft.kind, kind));
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
    name(cursor, draft).or_else(|| magnitude::phrase(cursor, &mut draft.magnitude))
}

/// The fault's name, with what it says of its target, its way and its clients.
fn name(cursor: &mut Cursor<'_>, draft: &mut Draft) -> Option<bool> {
    let at = cursor.at;
    let kind = kind_at(cursor)?;
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
            // So does `unplug the cable`, and clients are at its other end.
            "unplug" | "unplugs" | "unplugging" | "lose" | "loses" | "losing"
                if is_partition(kind) =>
            {
                draft.clients = Some(true);
            }
            "half" if is_partition(kind) => draft.direction = Some(Direction::OneWay),
            "rolling" => draft.target = draft.target.or(Some(Target::Rolling)),
            _ => {}
        }
    }
    // `leader isolation` names the target as well.
    if alias(cursor.tokens[at].spelling()) == "leader" {
        draft.target = Some(Target::Leader);
    }
    Some(put_kind(&mut draft.kind, kind))
}

/// The links between some and others: `{n1} | {n2, n3}`, `leader -> followers blocked`.
fn links(cursor: &mut Cursor<'_>, draft: &mut Draft) -> Option<bool> {
    let here = *cursor;
    if let Some((one, other)) = cursor.attempt(groups).or_else(|| cursor.attempt(pair)) {
        // `between the leader and its followers` is a target of its own.
        let mut whole = here;
        if target(&mut whole).is_some() && whole.at > cursor.at {
            *cursor = here;
            return None;
        }
        draft.frames.mutual = true;
        draft.kind = draft.kind.or(Some(PARTITION));
        return Some(put(&mut draft.target, one) | put(&mut draft.frames.to, other));
    }
    if let Some((from, to)) = cursor.attempt(arrow) {
        draft.kind = draft.kind.or(Some(PARTITION));
        let both = draft.direction == Some(Direction::Both);
        draft.direction = Some(Direction::Outbound);
        return Some(put(&mut draft.target, from) | put(&mut draft.frames.to, to) | both);
    }
    let (from, to) = cursor.attempt(open_arrow)?;
    Some((draft.target, draft.frames.to) != (Some(to), Some(from)))
}

const CONFIGURE: FaultKind = FaultKind::Guest {
    act: GuestAct::Configure,
};

fn is_at(cursor: &Cursor<'_>, word: &str) -> bool {
    cursor.peek().is_some_and(|token| token.spelling() == word)
}

pub(super) fn quoted(c: &mut Cursor<'_>) -> Option<String> {
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
        // `read errors (EIO)`.
        Some(FaultKind::Storage {
            how: StorageFault::ReadError | StorageFault::SyncError,
            ..
        }) if kind == FaultKind::DiskError => false,
        _ => put(slot, kind),
    }
}

/// `one-way partition: outbound packets dropped` says the same thing twice, the second better.
fn refines(new: Direction, old: Direction) -> bool {
    old == Direction::OneWay && matches!(new, Direction::Outbound | Direction::Inbound)
}

pub(super) fn put<T: PartialEq>(slot: &mut Option<T>, value: T) -> bool {
    let clash = slot.as_ref().is_some_and(|old| *old != value);
    *slot = Some(value);
    clash
}
