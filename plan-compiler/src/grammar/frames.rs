//! `drop "AppendEntries" messages from node 2 to node 3`: the frames that a fault on links hits.

use std::ops::Range;

use super::faults::put;
use super::targets::{alone, target};
use crate::cursor::Cursor;
use crate::diagnostic::Code;
use crate::scenario::{FaultKind, Frames, NetEffect, Target};
use crate::sink::Sink;
use crate::tokens::Kind;

const FRAMES: &str = "message|messages|frame|frames|packet|packets|rpc|rpcs|request|requests";

/// So many tokens before are looked at.
const NEAR: usize = 32;

/// What one clause says of frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct FramesDraft {
    kind: Option<String>,
    /// Who is at the other end.
    pub(crate) to: Option<Target>,
    /// What comes back from there is meant as well.
    pub(crate) mutual: bool,
}

impl FramesDraft {
    /// `None` where every packet is meant.
    pub(crate) fn said(&self) -> Option<Frames> {
        (self.kind.is_some() || self.to.is_some()).then(|| Frames {
            kind: self.kind.clone(),
            to: self.to,
        })
    }
}

/// Reads a phrase on frames: `Some(true)` when it contradicts what is there.
pub(crate) fn phrase(
    cursor: &mut Cursor<'_>,
    from: Option<Target>,
    draft: &mut FramesDraft,
) -> Option<bool> {
    if let Some(kind) = cursor.attempt(named) {
        return Some(put(&mut draft.kind, kind));
    }
    from?;
    let onward = |c: &mut Cursor<'_>| {
        c.eat("to").then_some(())?;
        c.eat("the");
        target(c)
    };
    if let Some(to) = cursor.attempt(onward) {
        return Some(put(&mut draft.to, to));
    }
    let from = cursor.at;
    let apart = |c: &mut Cursor<'_>| c.eat("from").then(|| alone(c)).flatten();
    let to = cursor.attempt(apart)?;
    // `to node 3 from node 2` goes one way.
    let before = &cursor.tokens[from.saturating_sub(NEAR)..from];
    if before.iter().any(|token| token.spelling() == "to") {
        cursor.at = from;
        return None;
    }
    draft.mutual = true;
    Some(put(&mut draft.to, to))
}

/// `"AppendEntries" messages`, `messages of kind "AppendEntries"`.
fn named(c: &mut Cursor<'_>) -> Option<String> {
    if c.eat(FRAMES) {
        c.eat("of kind|type?");
    }
    let Kind::Quoted(kind) = &c.peek()?.kind else {
        return None;
    };
    c.at += 1;
    c.eat(FRAMES);
    Some(kind.clone())
}

/// Says where a fault hits no frames, or connections as a whole, or an end that is not drawn.
pub(crate) fn check(frames: &Frames, kind: FaultKind, span: &Range<usize>, sink: &mut Sink<'_>) {
    let is_reset = |effect| effect == NetEffect::Reset;
    let hits = match kind {
        FaultKind::Partition { .. } => true,
        FaultKind::Network { effect, .. } => frames.kind.is_none() || !is_reset(effect),
        _ => false,
    };
    if !hits {
        sink.conflict(span, "kind of frame of a fault that hits none");
    }
    let is_known = |to| {
        matches!(
            to,
            Target::Node { .. }
                | Target::Leader
                | Target::Followers
                | Target::Nodes { .. }
                | Target::AllBut { .. }
                | Target::All
        )
    };
    if frames.to.is_some_and(|to| !is_known(to)) {
        let message = "the other end of these links is not drawn by seed";
        let help = "name it: `drop node 2 to node 3`, `isolate a follower from the leader`; or \
                    leave it out, and all links of the target are meant";
        let help = Some(help.to_owned());
        sink.error(Code::NotServed, span, message, "to whom?", help);
    }
}
