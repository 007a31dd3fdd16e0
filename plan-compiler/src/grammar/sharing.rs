//! `A and B at T+5s for 20s`: what is said once of several faults holds for each of them.

use super::faults::{Clause, Draft};
use super::schedule::{self, ScheduleDraft};
use crate::cursor::Cursor;
use crate::scenario::FaultKind;
use crate::tokens::Token;

/// So many clauses before are looked at.
const NEAR: usize = 32;

/// Words that make one of two faults.
const JOINTS: &[&str] = &[
    "and|plus|+|&",
    "together|combined|along with",
    "simultaneously|concurrently with?",
];

/// `slow the leader's clock during the partition`: the partition of before, and as long as it.
fn refer(clauses: &mut Vec<Clause<'_>>) {
    let mut gone = vec![false; clauses.len()];
    for (at, gone) in gone.iter_mut().enumerate().skip(2) {
        let (head, tail) = clauses.split_at_mut(at);
        let (older, one) = head.split_at_mut(at - 1);
        let (meant, one) = (&tail[0], &mut one[0].draft);
        let refers = meant
            .before
            .iter()
            .any(|token| token.spelling() == "during");
        let names_alone = is_untimed(&meant.draft) && meant.draft.target.is_none();
        if !(refers && names_alone && is_untimed(one)) {
            continue;
        }
        let mut known = older.iter().rev().take(NEAR);
        if let Some(known) = known.find(|known| known.draft.kind == meant.draft.kind) {
            one.schedule = known.draft.schedule;
            one.after.clone_from(&known.draft.after);
            *gone = true;
        }
    }
    let mut gone = gone.into_iter();
    clauses.retain(|_| gone.next() == Some(false));
}

/// Gives clauses that say no time, or no target, those of the clause that they are joined to.
pub(super) fn share(clauses: &mut Vec<Clause<'_>>) {
    refer(clauses);
    // Backwards, so that of `A, B and C at T+5s` B has its time when A asks for it.
    let mut shared = false;
    for at in (1..clauses.len()).rev() {
        let (head, tail) = clauses.split_at_mut(at);
        let (Some(one), Some(next)) = (head.last_mut(), tail.first()) else {
            continue;
        };
        let joint = is_joint(next.before) || shared && is_comma(next.before);
        shared = joint && is_untimed(&one.draft) && next.draft.schedule.is_timed();
        if shared {
            take(&mut one.draft, next);
        }
    }
    // `At T+5s for 20s, A and B`.
    for at in 1..clauses.len() {
        let (head, tail) = clauses.split_at_mut(at);
        let (Some(one), Some(next)) = (head.last(), tail.first_mut()) else {
            continue;
        };
        let told = leads_with_time(one.tokens) || meets(next.before);
        if is_joint(next.before) && is_untimed(&next.draft) && told {
            take(&mut next.draft, one);
        }
    }
}

fn take(draft: &mut Draft, next: &Clause<'_>) {
    let mut said = next.draft.schedule;
    // How long a process is down is said of that process alone.
    let comes_back = |token: &Token| {
        let words = [
            "restart",
            "restarts",
            "restarted",
            "back",
            "up",
            "rejoins",
            "down",
        ];
        words.contains(&token.spelling())
    };
    if next.tokens.iter().any(comes_back) {
        said.duration = None;
    }
    draft.schedule = said;
    let on_links = |kind| {
        matches!(
            kind,
            Some(FaultKind::Network { .. } | FaultKind::Partition { .. })
        )
    };
    let on_disks = |kind| {
        matches!(
            kind,
            Some(FaultKind::Storage { .. } | FaultKind::DiskError | FaultKind::DiskFull)
        )
    };
    let kinds = (draft.kind, next.draft.kind);
    let alike = on_links(kinds.0) && on_links(kinds.1) || on_disks(kinds.0) && on_disks(kinds.1);
    if draft.target.is_none() && alike {
        draft.target = next.draft.target;
        draft.role.clone_from(&next.draft.role);
        draft.frames.to = draft.frames.to.or(next.draft.frames.to);
        draft.frames.mutual |= next.draft.frames.mutual;
    }
}

fn is_untimed(draft: &Draft) -> bool {
    draft.schedule == ScheduleDraft::default() && draft.after.is_none()
}

/// `and`, `together with`, among commas and articles; a full stop parts.
fn is_joint(between: &[Token]) -> bool {
    let mut cursor = Cursor::new(between);
    let mut joins = false;
    while !cursor.done() {
        if cursor.eat_any(JOINTS) {
            joins = true;
        } else if !cursor.eat(",|a|an|the") {
            return false;
        }
    }
    joins
}

/// `together with`: at a time, whichever of the two says when.
fn meets(between: &[Token]) -> bool {
    let said = |token: &Token| {
        let words = ["together", "simultaneously", "concurrently"];
        words.contains(&token.spelling())
    };
    between.iter().any(said)
}

fn is_comma(between: &[Token]) -> bool {
    !between.is_empty() && between.iter().all(|token| token.is(","))
}

fn leads_with_time(tokens: &[Token]) -> bool {
    let mut cursor = Cursor::new(tokens);
    while cursor.eat(",|-") {}
    schedule::phrase(&mut cursor, &mut ScheduleDraft::default()).is_some()
}
