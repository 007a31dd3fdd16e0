//! Commands of outside tools, put into the words that stand for them here:
//! `tc qdisc add dev eth0 root netem delay 100ms 20ms`, `iptables -A INPUT -s n1 -j DROP`.

use super::targets::target;
use crate::cursor::Cursor;
use crate::tokens::{Kind, Token};

/// What people say at length, and what it comes to.
const SAYINGS: &[(&str, &[&str])] = &[
    (
        "cannot receive|hear but|and|, can still? send|speak|talk|transmit",
        &["partition", "inbound"],
    ),
    (
        "cannot send|speak|talk|transmit but|and|, can still? receive|hear|listen",
        &["partition", "outbound"],
    ),
    (
        "can? still? send|sends|speak|speaks|talk|transmit but|and|, cannot receive|hear|listen",
        &["partition", "inbound"],
    ),
    (
        "can? still? send|sends|speak|speaks|talk|transmit but|and|, can? not|t \
         receive|hear|listen",
        &["partition", "inbound"],
    ),
    (
        "can? still? receive|receives|hear|hears|listen but|and|, cannot send|speak|talk|transmit",
        &["partition", "outbound"],
    ),
    (
        "can? still? receive|receives|hear|hears|listen but|and|, can? not|t \
         send|speak|talk|transmit",
        &["partition", "outbound"],
    ),
];

/// The tokens with commands and sayings put into the words of the grammar; each new token has the
/// bytes of what it stands for.
pub(super) fn spelt(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::new();
    let mut cursor = Cursor::new(tokens);
    while let Some(token) = cursor.peek() {
        let from = cursor.at;
        let words = said(&mut cursor)
            .or_else(|| cursor.attempt(netem))
            .or_else(|| cursor.attempt(iptables))
            .or_else(|| cursor.attempt(kubectl));
        match words {
            Some(words) if cursor.at > from => out.extend(words),
            _ => {
                out.push(token.clone());
                cursor.at = from + 1;
            }
        }
    }
    out
}

fn word(word: &str, like: &Token) -> Token {
    Token {
        kind: Kind::Word(word.to_owned()),
        span: like.span.clone(),
    }
}

fn mark(mark: &'static str, like: &Token) -> Token {
    Token {
        kind: Kind::Mark(mark),
        span: like.span.clone(),
    }
}

fn said(c: &mut Cursor<'_>) -> Option<Vec<Token>> {
    let from = c.at;
    let words = c.lookup(SAYINGS)?;
    let (first, last) = (&c.tokens[from], &c.tokens[c.at - 1]);
    let whole = Token {
        kind: Kind::Break,
        span: first.span.start..last.span.end,
    };
    Some(words.iter().map(|one| word(one, &whole)).collect())
}

/// What netem does to what leaves a device.
const EFFECTS: &[(&str, &[&str])] = &[
    ("delay|latency", &["latency"]),
    ("loss random?", &["packet", "loss", "of"]),
    ("duplicate|duplication", &["duplication", "of"]),
    ("reorder|reordering", &["reordering", "of"]),
    ("corrupt|corruption", &["packet", "corruption", "of"]),
    ("rate", &["bandwidth", "of"]),
];

fn netem(c: &mut Cursor<'_>) -> Option<Vec<Token>> {
    c.eat("tc");
    let device = c.eat("qdisc add|change|replace dev");
    if device {
        // The device's name.
        c.at += 1;
        c.eat("root").then_some(())?;
    }
    c.eat("netem").then_some(())?;
    let mut out: Vec<Token> = Vec::new();
    loop {
        let keyword = c.peek();
        let Some(words) = c.lookup(EFFECTS) else {
            break;
        };
        let keyword = keyword?;
        if !out.is_empty() {
            out.push(word("and", keyword));
        }
        // What a device sends passes through its queue, not what it receives.
        if device {
            out.push(word("outbound", keyword));
        }
        out.extend(words.iter().map(|one| word(one, keyword)));
        let is_delay = words == ["latency"];
        let size = quantity(c, is_delay)?;
        out.extend_from_slice(size);
        if is_delay && let Some(jitter) = quantity(c, true) {
            out.push(mark("±", &jitter[0]));
            out.extend_from_slice(jitter);
        }
        let unserved = [c.attempt(correlated), c.attempt(distributed)];
        for (token, name) in unserved.into_iter().flatten() {
            out.extend([word("netem", token), word(name, token)]);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// `100ms`, `5%`, `1mbit`: the tokens of one size.
fn quantity<'t>(c: &mut Cursor<'t>, is_time: bool) -> Option<&'t [Token]> {
    let from = c.at;
    let tokens = c.tokens;
    c.attempt(|c| {
        if is_time {
            return c.duration().map(|_| ());
        }
        c.milli()?;
        let unit = c.eat("%|percent") || c.eat("kbit|mbit|gbit|kbps|mbps|gbps");
        unit.then_some(())
    })?;
    Some(&tokens[from..c.at])
}

/// `delay 100ms 20ms 25%`, `loss 5% 25%`: how much each packet follows the one before it.
fn correlated<'t>(c: &mut Cursor<'t>) -> Option<(&'t Token, &'static str)> {
    let token = c.peek()?;
    c.milli()?;
    c.eat("%").then_some((token, "correlation"))
}

fn distributed<'t>(c: &mut Cursor<'t>) -> Option<(&'t Token, &'static str)> {
    let token = c.peek()?;
    c.eat("distribution normal|pareto|paretonormal|uniform")
        .then_some((token, "distribution"))
}

fn iptables(c: &mut Cursor<'_>) -> Option<Vec<Token>> {
    let tool = c.peek()?;
    c.eat("iptables|ip6tables").then_some(())?;
    c.eat("- a|i").then_some(())?;
    let inbound = c.lookup(&[("input", true), ("output", false)])?;
    let (mut source, mut sink) = (None, None);
    let mut out = Vec::new();
    let what = loop {
        if let Some(what) = c.lookup(&[("- j drop", "drop"), ("- j reject", "reject")]) {
            break what;
        }
        c.eat("-").then_some(())?;
        if c.eat("s") {
            source = Some(host(c)?);
        } else if c.eat("d") {
            sink = Some(host(c)?);
        } else if c.eat("p tcp|udp|icmp") {
            out.extend([word("iptables", tool), word("protocol", tool)]);
        } else {
            c.eat("i|o").then_some(())?;
            c.at += 1;
        }
    };
    let other = match (inbound, source, sink) {
        (_, None, None) => {
            let way = if inbound { "inbound" } else { "outbound" };
            // A node's packets are those of clients, too.
            let words = [way, what, "including", "clients"];
            out.extend(words.map(|one| word(one, tool)));
            return Some(out);
        }
        (true, Some(other), None) | (false, None, Some(other)) => other,
        _ => return None,
    };
    c.eat("on|at").then_some(())?;
    c.eat("the");
    let own = host(c)?;
    let (from, to) = if inbound { (other, own) } else { (own, other) };
    out.push(word(what, tool));
    out.extend_from_slice(from);
    out.push(word("to", tool));
    out.extend_from_slice(to);
    Some(out)
}

/// The tokens of a node's name.
fn host<'t>(c: &mut Cursor<'t>) -> Option<&'t [Token]> {
    let from = c.at;
    let tokens = c.tokens;
    target(c)?;
    Some(&tokens[from..c.at])
}

/// `kubectl delete pod node-2 --grace-period=0`: at once, or as it would stop by itself.
fn kubectl(c: &mut Cursor<'_>) -> Option<Vec<Token>> {
    let tool = c.peek()?;
    c.eat_any(&["kubectl delete pod|pods"]).then_some(())?;
    let own = host(c)?;
    let mut at_once = false;
    while c.eat_any(&["- - force", "- - now", "- - grace period =? 0"]) {
        at_once = true;
    }
    let words: &[&str] = if at_once {
        &["kill"]
    } else {
        &["graceful", "stop"]
    };
    let mut out: Vec<Token> = words.iter().map(|one| word(one, tool)).collect();
    out.extend_from_slice(own);
    Some(out)
}
