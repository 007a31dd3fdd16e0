//! Locks, leases and fencing tokens: who holds what, and when for certain.
//!
//! A holder holds for certain from when its acquisition was acknowledged until it asks to release,
//! and no longer than the lease lasts from when it was asked for. What overlaps is wrong whatever
//! the instants between.

use std::collections::BTreeMap;

use super::Judged;
use crate::history::{Completion, OpType, Operation};
use crate::value::Value;

/// Who holds: what `input` names, else the process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holder<'a> {
    Process(u64),
    Named(&'a Value),
}

/// A time during which somebody holds for certain.
struct Hold<'a> {
    holder: Holder<'a>,
    from_ts: u64,
    /// Excluded; none when it never ends.
    until_ts: Option<u64>,
    /// The grant, and the last renewal if there was one.
    grant: &'a Operation,
    renewal: Option<&'a Operation>,
}

/// How long grants last.
#[derive(Clone, Copy)]
struct Terms {
    ttl_ns: u64,
    skew_ns: u64,
}

const LOCKS: &[&str] = &["acquire", "renew", "release"];

pub(super) fn mutual_exclusion(judged: &mut Judged<'_>) {
    for (key, rows) in objects(judged) {
        let holds = holds(judged, key, &rows, None);
        overlaps(judged, key, holds);
    }
}

pub(super) fn leases(judged: &mut Judged<'_>, ttl_ns: u64, skew_ns: u64) {
    for (key, rows) in objects(judged) {
        let holds = holds(judged, key, &rows, Some(Terms { ttl_ns, skew_ns }));
        overlaps(judged, key, holds);
    }
}

/// The rows of each lock, by when they began.
fn objects<'a>(judged: &mut Judged<'a>) -> BTreeMap<Option<&'a Value>, Vec<&'a Operation>> {
    let mut objects: BTreeMap<Option<&Value>, Vec<&Operation>> = BTreeMap::new();
    for (_, op) in judged.named(LOCKS) {
        judged.consume(1);
        objects.entry(op.key.as_ref()).or_default().push(op);
    }
    if !objects.is_empty() {
        let granted = |op: &&Operation| op.op_type == OpType::Acquire && is_granted(op);
        if !objects.values().flatten().any(granted) {
            judged.lacks(|| "acknowledged acquisitions".to_owned());
        }
    }
    for rows in objects.values_mut() {
        rows.sort_by_key(|op| op.invoke_ts);
    }
    objects
}

fn is_granted(op: &Operation) -> bool {
    op.is_acknowledged() && *op.observed() != Value::Bool(false)
}

fn holder(op: &Operation) -> Holder<'_> {
    match &op.input {
        Value::Null => Holder::Process(op.process_id),
        name => Holder::Named(name),
    }
}

/// What one holder does, as far as it is known.
#[derive(Default)]
struct State<'a> {
    hold: Option<Hold<'a>>,
    /// An acquisition of unknown outcome, after which it may hold.
    perhaps: bool,
}

/// The holds of one lock; what single holders do wrong is found on the way.
fn holds<'a>(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    rows: &[&'a Operation],
    terms: Option<Terms>,
) -> Vec<Hold<'a>> {
    let mut states: BTreeMap<Holder<'a>, State<'a>> = BTreeMap::new();
    let mut done = Vec::new();
    for op in rows {
        let holder = holder(op);
        let state = states.entry(holder).or_default();
        let expired = |hold: &Hold<'_>| hold.until_ts.is_some_and(|end| end <= op.invoke_ts);
        match (&op.op_type, op.completion()) {
            (_, Completion::Failed) => {}
            (_, Completion::Acknowledged) if !is_granted(op) => {}
            (OpType::Acquire, Completion::Ambiguous) => state.perhaps = true,
            (OpType::Acquire, Completion::Acknowledged) => {
                let old = state.hold.take();
                if let Some(old) = old
                    .as_ref()
                    .filter(|hold| terms.is_none() && !expired(hold))
                {
                    judged.find("acquired-twice", key, &[old.grant, op], || {
                        let (first, second) = (old.grant.op_id, op.op_id);
                        format!("#{second} was granted while its holder had it from #{first}")
                    });
                }
                done.extend(old);
                state.hold = Some(Hold::granted(holder, op, terms));
            }
            (OpType::Release, completion) => {
                let held = state.hold.take();
                let certain = completion == Completion::Acknowledged;
                if held.is_none() && certain && !state.perhaps && terms.is_none() {
                    judged.find("released-not-held", key, &[op], || {
                        format!("#{} released what its holder did not hold", op.op_id)
                    });
                }
                state.perhaps &= !certain;
                done.extend(held.map(|hold| hold.until(op.invoke_ts)));
            }
            (_, Completion::Acknowledged) => renewed(judged, key, state, op, terms),
            // It may have been prolonged, which is not certain.
            _ => {}
        }
    }
    done.extend(states.into_values().filter_map(|state| state.hold));
    done
}

/// An acknowledged renewal.
fn renewed<'a>(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    state: &mut State<'a>,
    op: &'a Operation,
    terms: Option<Terms>,
) {
    let (Some(terms), Some(hold)) = (terms, &mut state.hold) else {
        return;
    };
    let last = hold.renewal.unwrap_or(hold.grant);
    let granted_ts = last.complete_ts.unwrap_or(last.invoke_ts);
    let latest = granted_ts
        .saturating_add(terms.ttl_ns)
        .saturating_add(terms.skew_ns);
    if op.invoke_ts > latest && !state.perhaps {
        judged.find("renewed-after-expiry", key, &[last, op], || {
            let (first, second) = (last.op_id, op.op_id);
            format!("#{second} renewed what had expired since #{first}, whatever the clocks")
        });
    }
    hold.renewal = Some(op);
    hold.until_ts = Some(terms.certain_until(op));
}

impl Terms {
    /// Until when a grant or renewal lasts for certain.
    fn certain_until(self, op: &Operation) -> u64 {
        let ttl_ns = self.ttl_ns.saturating_sub(self.skew_ns);
        op.invoke_ts.saturating_add(ttl_ns)
    }
}

impl<'a> Hold<'a> {
    fn granted(holder: Holder<'a>, grant: &'a Operation, terms: Option<Terms>) -> Self {
        Self {
            holder,
            from_ts: grant.complete_ts.unwrap_or(grant.invoke_ts),
            until_ts: terms.map(|terms| terms.certain_until(grant)),
            grant,
            renewal: None,
        }
    }

    fn until(mut self, release_ts: u64) -> Self {
        self.until_ts = Some(self.until_ts.map_or(release_ts, |end| end.min(release_ts)));
        self
    }
}

fn overlaps(judged: &mut Judged<'_>, key: Option<&Value>, mut holds: Vec<Hold<'_>>) {
    holds.retain(|hold| hold.until_ts.is_none_or(|end| end > hold.from_ts));
    holds.sort_by_key(|hold| hold.from_ts);
    // Those that end last, of two holders.
    let end = |hold: &Hold<'_>| hold.until_ts.unwrap_or(u64::MAX);
    let (mut last, mut other): (Option<&Hold<'_>>, Option<&Hold<'_>>) = (None, None);
    for hold in &holds {
        let known = [last, other].into_iter().flatten();
        let overlap =
            |before: &&Hold<'_>| before.holder != hold.holder && end(before) > hold.from_ts;
        if let Some(before) = known.into_iter().find(overlap) {
            let mut rows = vec![before.grant];
            rows.extend(before.renewal);
            rows.push(hold.grant);
            judged.find("two-holders", key, &rows, || {
                let (first, second) = (before.grant.op_id, hold.grant.op_id);
                let until = match before.until_ts {
                    Some(until) => format!("until {} ms at least", crate::history::Millis(until)),
                    None => "and never gave it back".to_owned(),
                };
                format!("#{second} was granted while the holder by #{first} had it, {until}")
            });
        }
        if last.is_none_or(|last| end(hold) >= end(last)) {
            if last.is_some_and(|last| last.holder != hold.holder) {
                other = last;
            }
            last = Some(hold);
        } else if last.is_some_and(|last| last.holder != hold.holder)
            && other.is_none_or(|other| end(hold) > end(other))
        {
            other = Some(hold);
        }
    }
}

pub(super) fn fencing(judged: &mut Judged<'_>) {
    let mut grants: BTreeMap<Option<&Value>, Vec<(i64, &Operation)>> = BTreeMap::new();
    let mut writes: BTreeMap<Option<&Value>, Vec<(i64, &Operation)>> = BTreeMap::new();
    for (_, op) in judged.named(&["acquire", "write"]) {
        if !is_granted(op) {
            continue;
        }
        let (rows, token) = match op.op_type {
            OpType::Acquire => {
                let token = op.observed().as_int();
                if token.is_none() {
                    judged.lacks(|| format!("output (the token) of acquire #{}", op.op_id));
                }
                (&mut grants, token)
            }
            _ => {
                let token = op.input.as_pair().and_then(|(token, _)| token.as_int());
                if token.is_none() {
                    judged.lacks(|| format!("input ([token, value]) of write #{}", op.op_id));
                }
                (&mut writes, token)
            }
        };
        let Some(token) = token else {
            continue;
        };
        judged.consume(1);
        rows.entry(op.key.as_ref()).or_default().push((token, op));
    }
    for (key, rows) in grants {
        reused(judged, key, rows.clone());
        backwards(judged, key, rows, "token-went-back");
    }
    for (key, rows) in writes {
        backwards(judged, key, rows, "stale-token-accepted");
    }
}

fn reused(judged: &mut Judged<'_>, key: Option<&Value>, mut rows: Vec<(i64, &Operation)>) {
    rows.sort_by_key(|(token, op)| (*token, op.invoke_ts));
    for pair in rows.windows(2) {
        let ((token, first), (next, second)) = (pair[0], pair[1]);
        if token == next {
            judged.find("token-reused", key, &[first, second], || {
                let (first, second) = (first.op_id, second.op_id);
                format!("token {token} was given to #{first} and to #{second}")
            });
        }
    }
}

/// A token that is smaller than one of a row that ended before.
fn backwards(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    mut rows: Vec<(i64, &Operation)>,
    anomaly: &str,
) {
    let mut by_end = rows.clone();
    by_end.sort_by_key(|(_, op)| op.complete_ts);
    rows.sort_by_key(|(_, op)| op.invoke_ts);
    let mut ended = by_end.into_iter().peekable();
    let mut most: Option<(i64, &Operation)> = None;
    for (token, op) in rows {
        while let Some(next) = ended.next_if(|(_, early)| early.complete_ts < Some(op.invoke_ts)) {
            if most.is_none_or(|(most, _)| next.0 > most) {
                most = Some(next);
            }
        }
        if let Some((most, early)) = most.filter(|(most, _)| *most > token) {
            judged.find(anomaly, key, &[early, op], || {
                let (first, second) = (early.op_id, op.op_id);
                format!("#{second} has token {token}, and #{first}, before it, {most}")
            });
        }
    }
}
