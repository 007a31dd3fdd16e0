//! `once a new leader is elected`, `after the log shows "...", then`: what a fault waits for.

use std::ops::Range;

use super::schedule::ScheduleDraft;
use crate::cursor::Cursor;
use crate::diagnostic::Code;
use crate::scenario::{After, FaultSpec, Span};
use crate::sink::Sink;
use crate::tokens::{Kind, Token};

/// What a clause says that its fault waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AfterDraft {
    /// The end of the fault before it.
    Before,
    /// Something else.
    Event(After),
}

impl AfterDraft {
    /// What it is, behind these faults.
    pub(crate) fn of(&self, before: &[FaultSpec]) -> Option<After> {
        match self {
            AfterDraft::Event(after) => Some(after.clone()),
            AfterDraft::Before => before.last().map(|fault| After::Fault {
                id: fault.id.clone(),
            }),
        }
    }
}

const ELECTED: &[&str] = &[
    "once|when|after|as soon? as? a|the? new|another|different|next leader \
     is|was|has|appears|emerges been? elected|established?",
    "once|when|after|as soon? as? a|the? new|another|different leader leads|takes over?",
    "after|once|when|on|upon a|the|each|every? leader|leadership change|changes",
    "after|once|when|on|upon a|the|each|every? failover|re election|elections?",
    "after|on|upon a|the|each|every? re? election|reelection",
    "after|once|when|as soon? as? it|they|the|a|any? node|leader? wins|won \
     an|the|its? election",
    "after|once|when|as soon? as? it|a|the|any? node? becomes|became|is leader",
];

const LOGS: &[&str] = &[
    "after|once|when|as soon? as? a|the|any? raft|guest|server|node|leader|replica? log|logs \
     line? shows|show|emits|emit|contains|contain|says|say|has|is?",
    "after|once|when|as soon? as? a|the|any? node|server|guest logs|emits|says|log line?",
    "after|on|upon the? log line|message",
];

const OVER: &[&str] = &[
    "after|once|when the|that|this? first|previous|last|preceding? \
     partition|kill|fault|outage|pause \
     heals|healed|ends|ended|closes|closed|is|has over|healed|ended?",
    "after|once|when it|that heals|healed|ends|closes|is|has over|healed|ended?",
    "after|upon the? heal|healing of? the|that? partition|fault?",
    "afterwards",
    "after that",
];

/// Reads what a fault waits for, with how long after it: `2s after a leader change`.
pub(crate) fn phrase(c: &mut Cursor<'_>) -> Option<(Option<Span>, AfterDraft)> {
    let delay = c.attempt(|c| {
        c.eat("at");
        c.eat_any(&["about", "roughly"]);
        let (min, max) = c.duration_range()?;
        c.eat("later");
        Some(Span { min, max })
    });
    Some((delay, event(c)?))
}

fn event(c: &mut Cursor<'_>) -> Option<AfterDraft> {
    if let Some(contains) = c.attempt(logged) {
        return Some(AfterDraft::Event(After::Log { contains }));
    }
    if let Some(count) = c.attempt(acknowledged) {
        return Some(AfterDraft::Event(After::Acknowledged { count }));
    }
    if c.eat_any(OVER) {
        return Some(AfterDraft::Before);
    }
    c.eat_any(ELECTED)
        .then_some(AfterDraft::Event(After::LeaderChange))
}

fn logged(c: &mut Cursor<'_>) -> Option<String> {
    c.eat_any(LOGS).then_some(())?;
    c.eat(":");
    let Kind::Quoted(said) = &c.peek()?.kind else {
        return None;
    };
    let said = said.trim();
    c.at += 1;
    (!said.is_empty()).then(|| said.to_owned())
}

/// `after 1,000 acknowledged operations`.
fn acknowledged(c: &mut Cursor<'_>) -> Option<u64> {
    c.eat("after|once|when|and").then_some(())?;
    c.eat_any(&["at least", "the? first", "another"]);
    let count = c.count().filter(|count| *count > 0)?;
    c.eat("acknowledged|acked|successful|completed");
    c.eat("operation|operations|ops|write|writes|request|requests|append|appends")
        .then_some(())?;
    c.eat_any(&[
        "have been acknowledged|acked|done|completed",
        "are|were|have? been? acknowledged|acked|done|completed|ok|succeeded",
        "succeed|complete",
    ]);
    Some(count)
}

/// Whether what stands between two clauses puts the second after the first.
pub(crate) fn follows(between: &[Token]) -> bool {
    let words = between.iter().map(Token::spelling);
    let mut said =
        words.filter(|word| matches!(*word, "then" | "followed" | "after" | "afterwards"));
    said.next().is_some()
}

/// Whether what stands between two clauses says that both faults are open at a time.
pub(crate) fn meets(between: &[Token]) -> bool {
    let is_said = |token: &Token| matches!(token.spelling(), "while" | "during" | "concurrently");
    between.iter().any(is_said)
}

/// Of two faults that must meet, a window that is left open would mostly miss the other.
pub(crate) fn check_meeting(
    one: &ScheduleDraft,
    other: &ScheduleDraft,
    span: &Range<usize>,
    sink: &mut Sink<'_>,
) {
    if one.is_whole() || other.is_whole() || one.is_timed() && other.is_timed() {
        return;
    }
    let message = "these two faults are to be open at a time, and one of them does not say when";
    let help = "say when each opens, as in: partition isolating a follower at T+8s for 10s; \
                kill -9 the leader at T+10s";
    let help = Some(help.to_owned());
    sink.error(Code::NotUnderstood, span, message, "when?", help);
}
