//! `Disk: ext4-ordered, 512-byte tear`: what a power loss may leave of what was not synced.

use crate::cursor::Cursor;
use crate::plan::Field;
use crate::scenario::{DiskOrder, DiskTear};
use crate::sink::Sink;

/// What a plan says of its disks; what it leaves open is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DisksDraft {
    pub(crate) order: Option<DiskOrder>,
    pub(crate) tear: Option<DiskTear>,
}

/// Whole in a field of disks; among other things, with the word disk before or after.
const ORDERS: &[(&str, DiskOrder)] = &[
    ("posix weak|only|strict|minimum?", DiskOrder::PosixWeak),
    ("weak posix|order|ordering", DiskOrder::PosixWeak),
    ("ext4 like? ( ordered )", DiskOrder::Ext4Ordered),
    ("ext4 like? ordered?", DiskOrder::Ext4Ordered),
    ("ext4 data = ordered", DiskOrder::Ext4Ordered),
    ("ext4 ( data = ordered )", DiskOrder::Ext4Ordered),
    ("sequential order|ordering?", DiskOrder::Sequential),
    ("strictly ordered", DiskOrder::Sequential),
];

const TEARS: &[(&str, DiskTear)] = &[
    ("atomic -? 512", DiskTear::Atomic512),
    (
        "512 -? bytes|byte|b? atomic? tear|tears|sector|sectors",
        DiskTear::Atomic512,
    ),
    (
        "tear|tears|torn unit? :|=|of|at|is? 512 -? bytes|byte|b?",
        DiskTear::Atomic512,
    ),
    ("atomic -? 4096", DiskTear::Atomic4096),
    (
        "4096 -? bytes|byte|b? atomic? tear|tears|sector|sectors|page|pages",
        DiskTear::Atomic4096,
    ),
    (
        "4 -? kib|kb atomic? tear|tears|sector|sectors|page|pages",
        DiskTear::Atomic4096,
    ),
    (
        "tear|tears|torn unit? :|=|of|at|is? 4096 -? bytes|byte|b?",
        DiskTear::Atomic4096,
    ),
    (
        "tear|tears|torn unit? :|=|of|at|is? 4 -? kib|kb",
        DiskTear::Atomic4096,
    ),
    (
        "tear|tears|torn unit? :|=|of|at|is? none|anywhere",
        DiskTear::None,
    ),
    ("tear|tears|torn at any byte", DiskTear::None),
    ("no atomic unit|sector|sectors", DiskTear::None),
    ("nothing is? atomic", DiskTear::None),
];

const FILLERS: &[&str] = &[
    ",",
    ";",
    ".",
    "/",
    "(",
    ")",
    "and",
    "with",
    "a",
    "an",
    "the",
    "profile :|=|is?",
    "order :|=|is?",
    "disk|disks|volume|volumes",
    "file systems|system",
];

const HELP: &str = "write an order (posix-weak, ext4-ordered, sequential) and what a device \
     writes whole (512-byte tear, 4096-byte tear, tear none), as in: ext4-ordered, 512-byte tear";

/// Reads a field of disks into the draft.
pub(crate) fn read(field: &Field, draft: &mut DisksDraft, sink: &mut Sink<'_>) {
    let tokens = sink.tokens(field);
    let mut cursor = Cursor::new(&tokens);
    while !cursor.done() {
        let from = cursor.at;
        if let Some((said, clash)) = bare(&mut cursor, draft) {
            let span = cursor.span_from(from);
            if clash {
                sink.conflict(&span, "kind of disk");
            }
            sink.explain(field.kind, &span, said);
        } else if cursor
            .peek()
            .is_some_and(|token| token.kind == crate::tokens::Kind::Break)
            || cursor.eat_any(FILLERS)
        {
            cursor.at = cursor.at.max(from + 1);
        } else {
            let words = ORDERS.iter().map(|(phrase, _)| *phrase);
            let words = words.chain(TEARS.iter().map(|(phrase, _)| *phrase));
            let words: Vec<&str> = words.chain(FILLERS.iter().copied()).collect();
            sink.not_understood(&mut cursor, field.kind, &words, HELP);
        }
    }
}

/// `ext4-ordered disks`, `disks: ext4-ordered`, `disks that tear at 512 bytes`, among the words of
/// a workload.
pub(crate) fn clause(cursor: &mut Cursor<'_>, draft: &mut DisksDraft) -> Option<(String, bool)> {
    let mut said = *draft;
    let meaning = cursor.attempt(|c| {
        let before = c.eat("disk|disks :|=|are|is|that|with?");
        let meaning = bare(c, &mut said)?;
        (before || c.eat("disk|disks")).then_some(meaning)
    })?;
    *draft = said;
    Some(meaning)
}

/// An order or a unit: what it means, and whether it contradicts.
fn bare(cursor: &mut Cursor<'_>, draft: &mut DisksDraft) -> Option<(String, bool)> {
    if let Some(order) = cursor.attempt(|c| c.lookup(ORDERS)) {
        let clash = draft.order.is_some_and(|old| old != order);
        draft.order = Some(order);
        return Some((format!("disks {order}"), clash));
    }
    let tear = cursor.attempt(|c| c.lookup(TEARS))?;
    let clash = draft.tear.is_some_and(|old| old != tear);
    draft.tear = Some(tear);
    Some((tear.to_string(), clash))
}
