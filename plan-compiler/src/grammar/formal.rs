//! The rest of 7.M: the model, the history's schema, ambiguous outcomes.

use checkers::spec::ModelKind;

use super::{act_words, by_name};
use crate::cursor::Cursor;
use crate::diagnostic::Code;
use crate::plan::{Field, FieldKind};
use crate::scenario::Ambiguity;
use crate::sink::Sink;
use crate::tokens::Kind;

const MODELS: &[(&str, ModelKind)] = &[
    ("cas register|registers", ModelKind::CasRegister),
    (
        "compare and? set|swap register|registers",
        ModelKind::CasRegister,
    ),
    ("register|registers with cas", ModelKind::CasRegister),
    ("register|registers", ModelKind::Register),
    ("map|dictionary|kv", ModelKind::Map),
    (
        "map|store of independent|keyed? cas? registers",
        ModelKind::Map,
    ),
    ("key value|values map|store|stores?", ModelKind::Map),
    ("key / value|values map|store|stores?", ModelKind::Map),
    ("kv map|store", ModelKind::Map),
    ("append only? log|logs|list|lists", ModelKind::Log),
    ("log|logs", ModelKind::Log),
    ("transactions", ModelKind::MultiRegister),
    ("transactional store|map|database", ModelKind::MultiRegister),
    ("multi register|registers", ModelKind::MultiRegister),
];

const MODELS_UNSERVED: &[&str] = &["crdt", "other"];

const MODEL_FILLERS: &[&str] = &[
    ",",
    ";",
    ".",
    ":",
    "(",
    ")",
    "a",
    "an",
    "the",
    "of",
    "per key|account|topic|stream|user|tenant|queue|bucket|object|document|resource|order|job|name",
    "of job|user|order|message|task|event|element|object? ids|names|keys|strings|integers|values",
    "of jobs|users|orders|messages|tasks|events|elements|objects|records|entries|items",
    "by key",
    "independent",
    "each",
    "one",
    "key",
    "single",
    "shared",
    "linearizable",
    "linearisable",
    "replicated",
    "for",
    "and",
    "with",
    "read|reads",
    "write|writes",
    "cas",
    "append|appends",
    "/",
    "sequential",
    "model",
    "put",
    "get",
    "delete free",
    "keyed",
];

const MODEL_HELP: &str = "served: register, cas-register, map (key-value), log, transactions, \
     queue, stack, priority queue, bag, set, counter, lock, read-write lock, reentrant lock, \
     semaphore of N permits, lease of 10s, membership, text, log with offsets, session";

/// The longest name of a model that comes next, with what is said of its size.
fn named(cursor: &mut Cursor<'_>) -> Option<ModelKind> {
    let (mut plain, mut others, mut spelt) = (*cursor, *cursor, *cursor);
    let found = (plain.lookup(MODELS), others.lookup(act_words::MODELS));
    let names = ModelKind::ALL.iter().map(|kind| kind.name());
    let by_name = by_name::read(&mut spelt, names, |name| ModelKind::parse(name).ok());
    if by_name.is_some() && spelt.at > plain.at.max(others.at) {
        *cursor = spelt;
        return by_name;
    }
    let kind = if plain.at >= others.at {
        *cursor = plain;
        found.0?
    } else {
        *cursor = others;
        found.1?
    };
    let mut said = *cursor;
    said.eat("(");
    said.eat("of|with|for|ttl|that");
    said.eat("lasts|ttl|holds");
    let kind = match kind {
        ModelKind::Semaphore { .. } => {
            let Some(permits) = said.small().filter(|permits| *permits > 0) else {
                return Some(kind);
            };
            said.eat("permits|permit|slots");
            ModelKind::Semaphore { permits }
        }
        ModelKind::Lease { skew_ns, .. } => {
            let Some(ttl_ns) = said.duration() else {
                return Some(kind);
            };
            ModelKind::Lease { ttl_ns, skew_ns }
        }
        _ => return Some(kind),
    };
    said.eat(")");
    *cursor = said;
    Some(kind)
}

/// Reads the model under test.
pub(crate) fn model(field: &Field, sink: &mut Sink<'_>) -> Option<ModelKind> {
    let tokens = sink.tokens(field);
    let mut cursor = Cursor::new(&tokens);
    let mut found = None;
    while !cursor.done() {
        let from = cursor.at;
        if let Some(kind) = named(&mut cursor) {
            let span = cursor.span_from(from);
            if found.is_some_and(|old| old != kind) {
                sink.conflict(&span, "model");
            }
            sink.explain(FieldKind::Model, &span, format!("{} model", words(kind)));
            found = Some(kind);
        } else if cursor.eat_any(MODELS_UNSERVED) {
            let span = cursor.span_from(from);
            let message = "the plan asks for a model that is not served yet";
            let label = "known, not served yet";
            sink.error(
                Code::NotServed,
                &span,
                message,
                label,
                Some(MODEL_HELP.to_owned()),
            );
            cursor.skip_clause();
        } else if cursor.peek().is_some_and(|token| token.kind == Kind::Break) {
            cursor.at += 1;
        } else if !cursor.eat_any(MODEL_FILLERS) {
            let all = MODELS.iter().chain(act_words::MODELS);
            let vocabulary: Vec<&str> = all.map(|(phrase, _)| *phrase).collect();
            sink.not_understood(&mut cursor, FieldKind::Model, &vocabulary, MODEL_HELP);
        }
    }
    if found.is_none() && sink.errors.is_empty() {
        let message = "the model under test names no model";
        let help = Some(MODEL_HELP.to_owned());
        sink.error(
            Code::UnknownModel,
            &field.span(),
            message,
            "which model?",
            help,
        );
    }
    found
}

/// The model in words.
pub(crate) fn words(model: ModelKind) -> &'static str {
    match model {
        ModelKind::Register => "register",
        ModelKind::CasRegister => "cas-register",
        ModelKind::Map => "key-value map",
        ModelKind::Log => "append-only log",
        ModelKind::MultiRegister => "transactional store",
        other => other.name(),
    }
}

const HISTORY: &[&str] = &[
    "the? default schema",
    "default|standard|full|complete|all|twelve|12|column|columns|field|fields|schema|history",
    "op_id|process_id|invoke_ts|complete_ts|op_type|key|input|output|error|timeout_marker",
    "node_seen|fault_epoch|type|node|process|invoke|complete|op|ops|operation|operations",
    ",",
    ";",
    ".",
    ":",
    "(",
    ")",
    "/",
    "+",
    "and",
    "the",
    "of",
    "per",
    "with",
    "each",
    "client",
    "side",
    "recorded",
    "recorder",
    "row|rows",
    "one",
    "a",
    "is",
    "are",
    "at",
    "as",
    "jsonl",
    "json lines",
    "design",
    "every",
    "attempt|attempts",
    "virtual",
    "timestamps|timestamp",
    "monotonic",
    "own",
    "its",
    "in",
];

/// Reads the operation history: the default schema is what is recorded.
pub(crate) fn history(field: &Field, sink: &mut Sink<'_>) {
    let help = "the default schema is recorded; write `default schema`";
    if all_of(field, HISTORY, help, sink) {
        let said = "the default schema, one row an attempt";
        sink.explain(FieldKind::History, &field.span(), said);
    }
}

fn all_of(field: &Field, known: &[&str], help: &str, sink: &mut Sink<'_>) -> bool {
    let tokens = sink.tokens(field);
    let errors = sink.errors.len();
    let mut cursor = Cursor::new(&tokens);
    while !cursor.done() {
        if cursor.peek().is_some_and(|token| token.kind == Kind::Break) {
            cursor.at += 1;
        } else if !cursor.eat_any(known) {
            sink.not_understood(&mut cursor, field.kind, known, help);
        }
    }
    sink.errors.len() == errors
}

/// What a sentence about ambiguous outcomes decides.
#[derive(Clone, Copy)]
enum Rule {
    MayHaveHappened(bool),
    RetriesSeparate,
    RetriesMerged,
}

const RULES: &[(&str, Rule)] = &[
    ("could have succeeded|happened", Rule::MayHaveHappened(true)),
    (
        "may|might|can|could have been? succeeded|happened|executed|applied|committed|taken \
         effect?",
        Rule::MayHaveHappened(true),
    ),
    (
        "may|might|can|could take effect",
        Rule::MayHaveHappened(true),
    ),
    (
        "may|might|can|could succeed|apply|commit later?",
        Rule::MayHaveHappened(true),
    ),
    ("timeout_marker = true", Rule::MayHaveHappened(true)),
    (
        "may|might or may|might not have happened|succeeded|applied|committed|taken effect?",
        Rule::MayHaveHappened(true),
    ),
    (
        "may|might be? present|there or absent|missing|not",
        Rule::MayHaveHappened(true),
    ),
    (
        "may|might or may|might not exist|have",
        Rule::MayHaveHappened(true),
    ),
    ("default", Rule::MayHaveHappened(true)),
    (
        "possibly applied|committed|executed|succeeded",
        Rule::MayHaveHappened(true),
    ),
    ("complete_ts = null", Rule::MayHaveHappened(true)),
    (
        "outcome? is|are|remain|remains|as? unknown|ambiguous|indeterminate",
        Rule::MayHaveHappened(true),
    ),
    (
        "timeouts|timed out? are|count|treated as? failures|failed|fail",
        Rule::MayHaveHappened(false),
    ),
    (
        "retries|retry are|is? recorded|logged|kept|counted? as? separate|own \
         ops|operations|rows|op|row?",
        Rule::RetriesSeparate,
    ),
    (
        "each|every retry is? a|as? separate|own op|operation|row?",
        Rule::RetriesSeparate,
    ),
    (
        "retries|retry are|is? merged|collapsed|joined",
        Rule::RetriesMerged,
    ),
];

const AMBIGUITY_FILLERS: &[&str] = &[
    ",",
    ";",
    ".",
    ":",
    "(",
    ")",
    "/",
    "+",
    "->",
    "=",
    "and",
    "the",
    "a",
    "an",
    "of",
    "is",
    "are",
    "as",
    "with",
    "timeouts|timeout|timed|time",
    "out",
    "operation|operations|op|ops|request",
    "requests",
    "any",
    "all",
    "every|each",
    "no|lost response|responses|ack|acks|reply|replies|answer|answers",
    "lost",
    "recorded|treated|kept|marked|counted",
    "later|ever",
    "or never?",
    "at any later? time",
    "they",
    "it",
    "their",
    "own",
    "them",
    "client",
    "unknown commit|outcome|outcomes?",
    "outcome|outcomes",
    "connection errors|error|resets|reset",
    "on",
    "by",
    "checker",
    "if",
    "have",
    "been",
    "so",
    "e",
    "i",
    "g",
    "when",
    "null",
    "complete_ts",
    "timeout_marker",
    "where",
    "without",
    "writes|write|appends|append|cas|reads|read",
    "in",
];

/// Reads how ambiguous outcomes are treated.
pub(crate) fn ambiguity(field: &Field, rules: &mut Ambiguity, sink: &mut Sink<'_>) {
    let tokens = sink.tokens(field);
    let mut cursor = Cursor::new(&tokens);
    while !cursor.done() {
        let from = cursor.at;
        if let Some(rule) = cursor.lookup(RULES) {
            let span = cursor.span_from(from);
            match rule {
                Rule::MayHaveHappened(may) => {
                    rules.timeouts_may_succeed = may;
                    let said = match may {
                        true => "an operation that timed out may take effect later, or never",
                        false => "an operation that timed out has failed",
                    };
                    sink.explain(FieldKind::Ambiguity, &span, said);
                }
                Rule::RetriesSeparate => {
                    rules.retries_separate = true;
                    sink.explain(
                        FieldKind::Ambiguity,
                        &span,
                        "each retry is a row of its own",
                    );
                }
                Rule::RetriesMerged => {
                    let message = "retries cannot be merged: every attempt is a row of its own";
                    let help = Some("write `retries are separate ops`".to_owned());
                    sink.error(Code::NotServed, &span, message, "not served", help);
                }
            }
        } else if cursor.peek().is_some_and(|token| token.kind == Kind::Break) {
            cursor.at += 1;
        } else if !cursor.eat_any(AMBIGUITY_FILLERS) {
            let vocabulary: Vec<&str> = RULES.iter().map(|(phrase, _)| *phrase).collect();
            let help = "write `timeouts could have succeeded, retries are separate ops`; why can \
                        stand under `Notes:`";
            sink.not_understood(&mut cursor, FieldKind::Ambiguity, &vocabulary, help);
        }
    }
}
