//! `8 clients, 70% append / 30% read, 5min, key-skew zipf`.

use std::fmt;

use super::act_words::ACTS;
use super::disk_words::{self, DisksDraft};
use super::workload_words::{
    EACH_DOES, EVERY_FAULT, FILLERS, HEALS, IDLE, IN_TOTAL, OF_EACH, OPERATIONS, SKEWS, TIMEOUT,
    TRANSACTIONS, UNSERVED, WEATHERS,
};
use crate::cursor::Cursor;
use crate::diagnostic::Code;
use crate::human::duration;
use crate::plan::{Field, FieldKind};
use crate::scenario::{Act, Heal, OpKind, Skew, Weather};
use crate::sink::Sink;
use crate::tokens::{Kind, Token};

/// What a workload (and topology) field says; what it leaves open is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkloadDraft {
    pub(crate) clients: Option<Size>,
    pub(crate) nodes: Option<Size>,
    pub(crate) mix: Vec<(OpKind, u32)>,
    pub(crate) duration_ns: Option<u64>,
    pub(crate) keys: Option<u32>,
    pub(crate) skew: Option<Skew>,
    pub(crate) rate: Option<Rate>,
    pub(crate) iterations: Option<Iterations>,
    pub(crate) op_timeout_ns: Option<u64>,
    pub(crate) weather: Option<Weather>,
    pub(crate) disks: DisksDraft,
    pub(crate) every_fault: bool,
    pub(crate) heal: Option<Heal>,
    pub(crate) steps_max: Option<u32>,
    pub(crate) key_lifetime_ns: Option<u64>,
    /// Clients are writers, where no mix says otherwise.
    pub(crate) writers: bool,
    /// Operations of the system's own.
    pub(crate) names: Vec<String>,
}

/// How many there are: of each seed, or the bounds that a seed draws within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) least: u32,
    pub(crate) most: Option<u32>,
}

impl Size {
    pub(crate) const fn of(number: u32) -> Self {
        Self {
            least: number,
            most: None,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.most {
            Some(most) => write!(f, "{} to {most}", self.least),
            None => write!(f, "{}", self.least),
        }
    }
}

/// Operations a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    PerClient(u32),
    Total(u32),
}

const HELP: &str = "write clients, mix, duration, keys, skew, rate, time-out, as in: \
     5 clients, 50% read / 40% write / 10% cas over 3 keys, 30s, 20 ops/s per client; an operation \
     of the system's own stands in quotation marks: 90% \"check\"";

/// How many operations are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Iterations {
    PerClient(u32),
    Total(u32),
}

/// Reads a workload or topology field into the draft.
pub(crate) fn read(field: &Field, draft: &mut WorkloadDraft, sink: &mut Sink<'_>) {
    let tokens = sink.tokens(field);
    let mut cursor = Cursor::new(&tokens);
    while !cursor.done() {
        let from = cursor.at;
        if let Some((said, clash)) = clause(&mut cursor, draft) {
            let span = cursor.span_from(from);
            if clash {
                sink.conflict(&span, "value of the workload");
            }
            sink.explain(field.kind, &span, said);
        } else if let Some(nodes) = cursor.attempt(|c| bare_nodes(field, c)) {
            draft.nodes = Some(nodes);
            sink.explain(
                field.kind,
                &cursor.span_from(from),
                format!("{nodes} nodes"),
            );
        } else if bare_rate(&mut cursor) {
            let span = cursor.span_from(from);
            let message = "this rate is neither per client nor in total";
            let help = Some("write `20 ops/s per client` or `100 ops/s in total`".to_owned());
            sink.error(Code::BadNumber, &span, message, "of each client?", help);
        } else if unserved(&mut cursor) {
            let span = cursor.span_from(from);
            let message = "the workload asks for an operation that is not served yet";
            let help = Some(
                "served: read, write, cas, append, enqueue, dequeue, push, pop, insert, \
                        delete-min, add, remove, contains, inc, dec, acquire, release, renew, \
                        join, leave, put, append, poll, delete, list, one of the system's own \
                        in quotes (`20% \"rebuild\"`), and as transactions list append, \
                        register, read-modify-write, write skew, long fork, bank"
                    .to_owned(),
            );
            sink.error(
                Code::NotServed,
                &span,
                message,
                "known, not served yet",
                help,
            );
        } else if cursor.peek().is_some_and(|t| t.kind == Kind::Break) || cursor.eat_any(FILLERS) {
            cursor.at = cursor.at.max(from + 1);
        } else {
            sink.not_understood(&mut cursor, field.kind, &vocabulary(), HELP);
        }
    }
}

fn vocabulary() -> Vec<&'static str> {
    let ops = OPERATIONS.iter().chain(TRANSACTIONS).chain(ACTS);
    let ops = ops.map(|(phrase, _)| *phrase);
    let skews = SKEWS.iter().map(|(phrase, _)| *phrase);
    let weathers = WEATHERS.iter().map(|(phrase, _)| *phrase);
    let weathers = weathers.chain(EVERY_FAULT.iter().copied());
    let weathers = weathers.chain(HEALS.iter().map(|(phrase, _)| *phrase));
    let more = [
        "disks", "clients", "nodes", "cluster", "seconds", "minutes", "ops", "timeout", "rate",
    ];
    ops.chain(skews)
        .chain(weathers)
        .chain(FILLERS.iter().copied())
        .chain(more)
        .collect()
}

/// One thing that a workload says, put into the draft: its meaning, and whether it contradicts.
fn clause(cursor: &mut Cursor<'_>, draft: &mut WorkloadDraft) -> Option<(String, bool)> {
    if let Some(writers) = cursor.attempt(writers) {
        draft.writers = true;
        let said = format!("{writers} clients, which write where no mix is said");
        return Some((said, put(&mut draft.clients, writers)));
    }
    if let Some(clients) = cursor.attempt(clients) {
        return Some((
            format!("{clients} clients"),
            put(&mut draft.clients, clients),
        ));
    }
    if let Some(nodes) = cursor.attempt(nodes) {
        return Some((format!("{nodes} nodes"), put(&mut draft.nodes, nodes)));
    }
    if let Some(mix) = cursor.attempt(ratio) {
        let clash = !draft.mix.is_empty();
        let words: Vec<String> = mix.iter().map(|(op, n)| format!("{n} % {op}")).collect();
        draft.mix.extend(mix);
        return Some((words.join(", "), clash));
    }
    if let Some((name, percent)) = cursor.attempt(named_share) {
        let clash = draft.names.contains(&name);
        let place = u8::try_from(draft.names.len()).unwrap_or(u8::MAX);
        draft.mix.push((OpKind::Do(Act::Named(place)), percent));
        let said = format!("{percent} % {name:?}, an operation of the system's own");
        draft.names.push(name);
        return Some((said, clash));
    }
    if let Some((op, percent)) = cursor.attempt(share) {
        let clash = draft.mix.iter().any(|(known, _)| *known == op);
        draft.mix.push((op, percent));
        return Some((format!("{percent} % {op}"), clash));
    }
    if let Some(rate) = cursor.attempt(rate) {
        let said = match rate {
            Rate::PerClient(rate) => format!("{rate} operations a second for each client"),
            Rate::Total(rate) => format!("{rate} operations a second over all clients"),
        };
        return Some((said, put(&mut draft.rate, rate)));
    }
    if let Some(iterations) = cursor.attempt(iterations) {
        let said = match iterations {
            Iterations::PerClient(0) => "idle: clients do nothing".to_owned(),
            Iterations::PerClient(count) => format!("{count} operations of each client"),
            Iterations::Total(count) => format!("{count} operations over all clients"),
        };
        return Some((said, put(&mut draft.iterations, iterations)));
    }
    if let Some(timeout) = cursor.attempt(op_timeout) {
        let said = format!(
            "an operation is given up as unknown after {}",
            duration(timeout)
        );
        return Some((said, put(&mut draft.op_timeout_ns, timeout)));
    }
    if let Some(skew) = cursor.attempt(|c| c.lookup(SKEWS)) {
        return Some((format!("keys drawn {skew}"), put(&mut draft.skew, skew)));
    }
    if let Some(weather) = cursor.attempt(|c| c.lookup(WEATHERS)) {
        return Some((weather.to_string(), put(&mut draft.weather, weather)));
    }
    if let Some(said) = disk_words::clause(cursor, &mut draft.disks) {
        return Some(said);
    }
    if cursor.eat_any(EVERY_FAULT) {
        draft.every_fault = true;
        return Some(("every fault in every seed".to_owned(), false));
    }
    if let Some(heal) = cursor.attempt(|c| c.lookup(HEALS)) {
        return Some((heal.to_string(), put(&mut draft.heal, heal)));
    }
    if let Some(steps) = cursor.attempt(steps) {
        let said = format!("transactions of up to {steps} steps");
        return Some((said, put(&mut draft.steps_max, steps)));
    }
    if let Some(lifetime) = cursor.attempt(lifetime) {
        let said = format!(
            "another key takes the place of each after {}",
            duration(lifetime)
        );
        return Some((said, put(&mut draft.key_lifetime_ns, lifetime)));
    }
    if let Some(keys) = cursor.attempt(keys) {
        let s = if keys == 1 { "" } else { "s" };
        return Some((format!("{keys} key{s}"), put(&mut draft.keys, keys)));
    }
    let length = cursor.attempt(Cursor::duration)?;
    Some((
        format!("for {}", duration(length)),
        put(&mut draft.duration_ns, length),
    ))
}

/// Fills a slot; says whether something else was in it.
fn put<T: PartialEq>(slot: &mut Option<T>, value: T) -> bool {
    let clash = slot.as_ref().is_some_and(|old| *old != value);
    *slot = Some(value);
    clash
}

/// `3`, `3-5`, `3 to 5`, `between 3 and 5`.
fn size(c: &mut Cursor<'_>) -> Option<Size> {
    let between = c.eat("between");
    let least = c.small().filter(|least| *least > 0)?;
    let link = if between { "and" } else { "-|to" };
    let most = c.attempt(|c| c.eat(link).then(|| c.small())?);
    match most {
        Some(most) if most < least => None,
        Some(most) => Some(Size {
            least,
            most: (most > least).then_some(most),
        }),
        None => (!between).then_some(Size::of(least)),
    }
}

fn clients(c: &mut Cursor<'_>) -> Option<Size> {
    if c.eat("clients|workers|users|threads :|=?") {
        return size(c);
    }
    let clients = size(c)?;
    c.eat("concurrent|parallel");
    let said = c.eat("client|clients|worker|workers|user|users|thread|threads");
    said.then_some(clients)
}

/// `16 concurrent writers`.
fn writers(c: &mut Cursor<'_>) -> Option<Size> {
    let writers = size(c)?;
    c.eat("concurrent|parallel");
    c.eat("writer|writers").then_some(writers)
}

fn nodes(c: &mut Cursor<'_>) -> Option<Size> {
    if c.eat("nodes|servers|replicas :|=?") {
        return size(c);
    }
    if c.eat("cluster of") {
        let nodes = size(c)?;
        c.eat("node|nodes|server|servers|replica|replicas|member|members");
        return Some(nodes);
    }
    let nodes = size(c)?;
    c.eat("-");
    let said = c.eat("node|nodes|server|servers|replica|replicas|voter|voters raft? cluster?");
    said.then_some(nodes)
}

/// `Nodes: 5`.
fn bare_nodes(field: &Field, c: &mut Cursor<'_>) -> Option<Size> {
    (field.kind == FieldKind::Topology).then(|| size(c))?
}

/// `70/30 read/write mix`, `reads and writes (50/50)`.
fn ratio(c: &mut Cursor<'_>) -> Option<Vec<(OpKind, u32)>> {
    let (mut shares, mut ops) = (Vec::new(), Vec::new());
    let mut numbers = |c: &mut Cursor<'_>| {
        loop {
            shares.push(c.small().filter(|share| *share <= 100)?);
            if !c.eat("/|:") {
                return (shares.len() > 1).then_some(());
            }
        }
    };
    let first = c.attempt(&mut numbers).is_some();
    if first {
        c.eat("mix|split of?");
    }
    loop {
        ops.push(operation(c)?);
        if !c.eat("/|and|to") {
            break;
        }
    }
    if !first {
        c.eat("(").then_some(())?;
        shares.clear();
        loop {
            shares.push(c.small()?);
            if !c.eat("/|:") {
                break;
            }
        }
        c.eat(")").then_some(())?;
    }
    c.eat("mix|split|ratio");
    let named = ops.len() > 1 && ops.len() == shares.len();
    named.then(|| ops.into_iter().zip(shares).collect())
}

fn share(c: &mut Cursor<'_>) -> Option<(OpKind, u32)> {
    if c.eat("half of? the?") {
        return Some((operation(c)?, 50));
    }
    if let Some(op) = c.attempt(operation) {
        if c.eat("only") {
            return Some((op, 100));
        }
        c.eat("=|:");
        let percent = c.small()?;
        return c.eat("%|percent").then_some((op, percent));
    }
    let percent = c.small()?;
    c.eat("%|percent").then_some(())?;
    c.eat("of");
    let op = operation(c)?;
    c.eat("operations|ops");
    Some((op, percent))
}

/// `20% "rebuild-index"`.
fn named_share(c: &mut Cursor<'_>) -> Option<(String, u32)> {
    let percent = c.small()?;
    c.eat("%|percent").then_some(())?;
    c.eat("of");
    let Kind::Quoted(name) = &c.peek()?.kind else {
        return None;
    };
    c.at += 1;
    c.eat("calls|operations|ops");
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), percent))
}

fn rate(c: &mut Cursor<'_>) -> Option<Rate> {
    let led = c.eat_any(&["each issuing|doing|sending|at|with?"]);
    let from = c.at;
    let rate = per_second(c)?;
    if led {
        return Some(Rate::PerClient(rate));
    }
    if c.eat_any(OF_EACH) {
        return Some(Rate::PerClient(rate));
    }
    // What a system is asked for in a second is said of all its clients.
    let of_system = c.tokens[from..c.at].iter().any(|token| {
        let unit = token.spelling();
        matches!(unit, "rps" | "qps" | "tps")
    });
    (c.eat_any(IN_TOTAL) || of_system).then_some(Rate::Total(rate))
}

/// So many tokens before and after are looked at.
const NEAR: usize = 32;

/// `500 operations each`, `10,000 operations in total`, `idle`.
fn iterations(c: &mut Cursor<'_>) -> Option<Iterations> {
    if c.eat_any(IDLE) {
        // A workload is not idle for a while only.
        let parts = ["then", "first", "initially", "before", "after", "until"];
        let is_part = |token: &Token| parts.contains(&token.spelling());
        let near = &c.tokens[c.at.saturating_sub(NEAR)..];
        let whole = !near.iter().take(2 * NEAR).any(is_part);
        return whole.then_some(Iterations::PerClient(0));
    }
    let led = c.eat_any(EACH_DOES);
    let count = c.small().filter(|count| *count > 0)?;
    let iterates = c.eat("iteration|iterations");
    (iterates || c.eat("operations|ops|requests|calls")).then_some(())?;
    if c.eat_any(IN_TOTAL) {
        return (!led).then_some(Iterations::Total(count));
    }
    let each = c.eat_any(OF_EACH);
    (led || each || iterates).then_some(Iterations::PerClient(count))
}

fn per_second(c: &mut Cursor<'_>) -> Option<u32> {
    c.eat("rate :|=?");
    let rate = c.small().filter(|rate| *rate > 0)?;
    let rate = rate.checked_mul(if c.eat("k") { 1_000 } else { 1 })?;
    let unit = c.eat_any(&[
        "op|ops|operation|operations|request|requests|req / s|sec|second",
        "op|ops|operation|operations|request|requests|req per|a second",
        "transfer|transfers|message|messages|event|events / s|sec|second",
        "rps|qps|tps",
    ]);
    unit.then_some(rate)
}

/// A rate that could be each client's or everybody's.
fn bare_rate(cursor: &mut Cursor<'_>) -> bool {
    cursor.attempt(per_second).is_some()
}

fn op_timeout(c: &mut Cursor<'_>) -> Option<u64> {
    if c.eat_any(TIMEOUT) || c.eat("timeout of|=|:?") {
        let timeout = c.duration();
        c.eat("per|for|an|each operation|op|request");
        return timeout;
    }
    let timeout = c.duration()?;
    let said = c.eat("operation|op|request|client|per? time? timeout|timeouts|out");
    said.then_some(timeout)
}

fn keys(c: &mut Cursor<'_>) -> Option<u32> {
    if c.eat_any(&["single|one hot? key|register|log|object"]) {
        return Some(1);
    }
    if c.eat("keys :|=?") {
        return c.small().filter(|keys| *keys > 0);
    }
    c.eat("over|on|across");
    let keys = c.small().filter(|keys| *keys > 0)?;
    c.eat(
        "distinct|hot|different|unique? \
         key|keys|register|registers|log|logs|account|accounts|object|objects|queue|queues",
    )
    .then_some(keys)
}

/// `transactions of up to 4 steps`.
fn steps(c: &mut Cursor<'_>) -> Option<u32> {
    c.eat("txns|transactions? of? up? to?");
    let steps = c.small().filter(|steps| *steps > 0)?;
    let said = c.eat_any(&["steps|step per|a|each txn|transaction", "steps|step"]);
    said.then_some(steps)
}

/// `keys replaced every 2s`.
fn lifetime(c: &mut Cursor<'_>) -> Option<u64> {
    c.eat("keys? are? replaced|retired|renewed every|after")
        .then_some(())?;
    c.duration().filter(|lifetime| *lifetime > 0)
}

/// An operation, or a transaction.
fn operation(c: &mut Cursor<'_>) -> Option<OpKind> {
    let (mut plain, mut act, mut whole) = (*c, *c, *c);
    let (op, done) = (plain.lookup(OPERATIONS), act.lookup(ACTS));
    let txn = whole.lookup(TRANSACTIONS);
    let (longest, found) = match done {
        Some(_) if act.at > plain.at => (act, done),
        _ => (plain, op),
    };
    *c = if txn.is_some() { whole } else { longest };
    txn.or(found)
}

fn unserved(cursor: &mut Cursor<'_>) -> bool {
    let share = |c: &mut Cursor<'_>| {
        let _ = c.small().is_some() && c.eat("%|percent");
        c.eat_any(UNSERVED).then_some(())
    };
    cursor.attempt(share).is_some()
}
