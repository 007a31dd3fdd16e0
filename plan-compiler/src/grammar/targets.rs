//! Whom a fault hits: `node 2`, `nodes 1 and 3`, `{n1, n2} | {n3}`, `every node except node 1`.

use super::fault_words::{CLOCK_DRIFT, CLOCK_STEP, TARGETS};
use super::faults::quoted;
use super::storage_words::kind_at;
use crate::cursor::{Cursor, alias};
use crate::scenario::{FaultKind, NodeSet, Target, Way};
use crate::tokens::Kind;

/// `restart the leader`, `stop node 2` as a clause's own verb, not what ends a kill.
pub(super) fn taken_down(c: &mut Cursor<'_>) -> Option<()> {
    c.eat_any(&["restart|restarts|restarting|bounce|bounces"])
        .then_some(())
        .or_else(|| stopped(c))?;
    c.eat_any(&["the|a? container|pod|process|service of|on|in?"]);
    let mut next = *c;
    next.eat("the|a|an");
    target(&mut next).map(|_| ())
}

/// `stop node 2`, with somebody behind it who is stopped.
pub(super) fn stops(mut c: Cursor<'_>) -> bool {
    if stopped(&mut c).is_none() {
        return false;
    }
    c.eat("the|a|an");
    target(&mut c).is_some()
}

fn stopped(c: &mut Cursor<'_>) -> Option<()> {
    c.eat("gracefully|cleanly");
    c.eat_any(&["stop|stops|stopping", "shut|shuts|shutting down"])
        .then_some(())
}

/// `slow the leader's clock`, `step node 2's clock`: what is done, which way, and to whose.
pub(super) fn set_clock(c: &mut Cursor<'_>) -> Option<(FaultKind, Option<Way>, Target)> {
    const VERBS: &[(&str, (FaultKind, Option<Way>))] = &[
        ("slow|slows|slowing down?", (CLOCK_DRIFT, Some(Way::Behind))),
        ("speed|speeds|speeding up", (CLOCK_DRIFT, Some(Way::Ahead))),
        (
            "ntp? skew|skews|step|steps|shift|shifts|set|sets|move|moves|jump|jumps|turn|turns",
            (CLOCK_STEP, None),
        ),
    ];
    let (kind, way) = c.lookup(VERBS)?;
    c.eat("the");
    let target = target(c)?;
    c.eat("s");
    c.eat("wall|system");
    c.eat("clock|clocks").then_some((kind, way, target))
}

/// `nodes with the role "router"`, `the role "router"`.
pub(super) fn role(c: &mut Cursor<'_>) -> Option<String> {
    c.eat("a|an|the|any|every|each|all");
    c.eat("node|nodes|server|servers|process|processes|host|hosts");
    c.eat("with|of|in|whose|having");
    c.eat("a|the");
    c.eat("role|roles").then_some(())?;
    c.eat("is|of|:|=");
    quoted(c)
}

pub(super) fn target(cursor: &mut Cursor<'_>) -> Option<Target> {
    let mut kinds = *cursor;
    if kind_at(&mut kinds).is_some() && alias(cursor.tokens[cursor.at].spelling()) == "leader" {
        return None;
    }
    if let Some(target) = cursor.attempt(all_but) {
        return Some(target);
    }
    if let Some(nodes) = cursor.attempt(several) {
        return Some(Target::Nodes { nodes });
    }
    match cursor.attempt(numbered) {
        Some(number) => Some(Target::Node { number }),
        None => cursor.lookup(TARGETS),
    }
}

/// `node 2`, `replica-2`, `n2`.
fn numbered(c: &mut Cursor<'_>) -> Option<u32> {
    if c.eat("node|server|replica|member") {
        c.eat("-");
        return c.small();
    }
    let Kind::Word(word) = &c.peek()?.kind else {
        return None;
    };
    let number = word
        .strip_prefix("node")
        .or_else(|| word.strip_prefix('n'))?;
    c.at += 1;
    number.parse().ok()
}

/// `every node except node 1`, `everyone but the leader`.
fn all_but(c: &mut Cursor<'_>) -> Option<Target> {
    c.eat_any(&[
        "all|every|each of? the? node|nodes|server|servers|replica|replicas|member|members",
        "all|everyone|everybody",
    ])
    .then_some(())?;
    c.eat_any(&[
        "except|but|excluding|save for?",
        "apart|aside from",
        "other than",
    ])
    .then_some(())?;
    match alone(c)? {
        Target::Node { number } => Some(Target::AllBut { number }),
        Target::Leader => Some(Target::Followers),
        _ => None,
    }
}

/// `nodes 1 and 2`, `nodes 1-3`, `n1, n2 and n4`: two at least.
fn several(c: &mut Cursor<'_>) -> Option<NodeSet> {
    let bare = c.eat("nodes|servers|replicas|members");
    let one = |c: &mut Cursor<'_>| match c.attempt(numbered) {
        Some(number) => Some(number),
        None => bare.then(|| c.small())?,
    };
    let first = one(c)?;
    let mut nodes = NodeSet::default().with(first)?;
    let range = |c: &mut Cursor<'_>| {
        c.eat("-|to").then_some(())?;
        one(c).filter(|last| *last > first)
    };
    if let Some(last) = bare.then(|| c.attempt(range)).flatten() {
        return (first..=last).try_fold(nodes, NodeSet::with);
    }
    let next = |c: &mut Cursor<'_>| {
        c.eat_any(&["and|,|&|+", ", and"]).then_some(())?;
        one(c)
    };
    for _ in 1..NodeSet::NUMBER_MAX {
        let Some(number) = c.attempt(next) else {
            break;
        };
        nodes = nodes.with(number)?;
    }
    (nodes.len() > 1).then_some(nodes)
}

/// `{n1, n2} | {n3, n4, n5}`: who no longer reaches whom.
pub(super) fn groups(c: &mut Cursor<'_>) -> Option<(Target, Target)> {
    let inside = group(c)?;
    if is_other(c, '|') {
        c.at += 1;
    }
    c.eat("/|from|and|vs|versus");
    let outside = group(c)?;
    let apart = inside.numbers().all(|number| !outside.contains(number));
    apart.then_some((
        Target::Nodes { nodes: inside },
        Target::Nodes { nodes: outside },
    ))
}

/// `{n1, n2}`, `[n1 n2]`, `(1, 2)`.
fn group(c: &mut Cursor<'_>) -> Option<NodeSet> {
    let braced = is_other(c, '{');
    if braced {
        c.at += 1;
    } else {
        c.eat("(").then_some(())?;
    }
    let mut nodes = NodeSet::default();
    for _ in 0..NodeSet::NUMBER_MAX {
        let number = c.attempt(numbered).or_else(|| c.small())?;
        nodes = nodes.with(number)?;
        c.eat(",");
        if braced && is_other(c, '}') {
            c.at += 1;
            return Some(nodes);
        }
        if !braced && c.eat(")") {
            return Some(nodes);
        }
    }
    None
}

fn is_other(c: &Cursor<'_>, mark: char) -> bool {
    c.peek()
        .is_some_and(|token| token.kind == Kind::Other(mark))
}

/// `between node 1 and node 2`: the links of two, and no others.
pub(super) fn pair(c: &mut Cursor<'_>) -> Option<(Target, Target)> {
    c.eat("between").then_some(())?;
    let one = alone(c)?;
    c.eat("and").then_some(())?;
    let other = alone(c)?;
    (one != other).then_some((one, other))
}

/// Somebody in particular.
pub(super) fn alone(c: &mut Cursor<'_>) -> Option<Target> {
    c.eat("the");
    match c.attempt(numbered) {
        Some(number) => Some(Target::Node { number }),
        None => c.lookup(TARGETS).filter(|found| *found == Target::Leader),
    }
}

/// `leader -> followers blocked`: whose packets no longer reach whom.
pub(super) fn arrow(c: &mut Cursor<'_>) -> Option<(Target, Target)> {
    let (from, to) = ways(c)?;
    c.eat_any(&["is|are? blocked|dropped|cut|lost|severed|down"])
        .then_some((from, to))
}

/// `followers -> leader open`: what is said already by the other way alone being cut.
pub(super) fn open_arrow(c: &mut Cursor<'_>) -> Option<(Target, Target)> {
    c.eat("but|and|while");
    let (from, to) = ways(c)?;
    c.eat_any(&["is|are? still? open|up|intact|ok|fine|healthy|works|work|flows|flow"])
        .then_some((from, to))
}

fn ways(c: &mut Cursor<'_>) -> Option<(Target, Target)> {
    c.eat("the");
    let from = target(c)?;
    c.eat("->").then_some(())?;
    c.eat("the");
    Some((from, target(c)?))
}
