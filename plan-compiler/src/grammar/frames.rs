//! `drop "AppendEntries" messages from node 2 to node 3`: the frames that a fault on links hits.

use std::ops::Range;

use super::faults::{put, target};
use crate::cursor::Cursor;
use crate::scenario::{FaultKind, Frames, NetEffect, Target};
use crate::sink::Sink;
use crate::tokens::Kind;

const FRAMES: &str = "message|messages|frame|frames|packet|packets|rpc|rpcs|request|requests";

/// What one clause says of frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct FramesDraft {
    kind: Option<String>,
    /// To whom they go.
    pub(crate) to: Option<Target>,
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
    let onward = |c: &mut Cursor<'_>| c.eat("to").then(|| target(c)).flatten();
    let to = cursor.attempt(onward)?;
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

/// Says where a fault hits no frames, or connections as a whole.
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
}
