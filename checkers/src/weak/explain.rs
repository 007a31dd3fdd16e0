//! Findings: the fewest operations, and sentences that say why they have no order.

use super::cycle::Why;
use super::sessions::Sessions;
use super::{Verdict, Violation, Weak};
use crate::history::Operation;
use crate::report::{Budget, Finding};
use crate::value::{Brief, Value};

/// Proofs of more operations than these are given as they are found.
const MINIMAL_MAX: usize = 400;

/// The finding of a violation, made as small as it gets: without any one of its operations, or,
/// where a read would lose its write, without the two, the rest has an order.
pub(super) fn finding(
    sessions: &Sessions<'_>,
    weak: Weak,
    violation: &Violation,
    budget: &Budget,
) -> Finding {
    // What a search could not order has no smaller proof than all of it, as far as it knows.
    let all = weak == Weak::Sequential && violation.anomaly == "not-sequential";
    let nodes: Vec<u32> = if all {
        (0..sessions.nodes.len() as u32).collect()
    } else {
        violation.nodes.clone()
    };
    let rows = rows_of(sessions, &nodes);
    let small = Budget {
        steps_max: budget.steps_max.min(200_000),
        ..*budget
    };
    let Some(minimal) = minimal(rows, weak, &small) else {
        let rows: Vec<&Operation> = violation
            .nodes
            .iter()
            .map(|n| sessions.node(*n).op)
            .collect();
        return Finding::of_rows(
            violation.anomaly,
            sentence(sessions, weak, violation),
            None,
            &rows,
        );
    };
    let Ok(sub) = Sessions::of_rows(&minimal) else {
        return Finding::of_rows(violation.anomaly, String::new(), None, &minimal);
    };
    let message = match weak.decide(&sub, budget) {
        Verdict::Broken(again) => sentence(&sub, weak, &again),
        _ => sentence(sessions, weak, violation),
    };
    let keys = || minimal.iter().map(|op| op.key.as_ref());
    let key = keys().next().flatten();
    let key = key.filter(|key| keys().all(|other| other == Some(*key)));
    let mut finding = Finding::of_rows(violation.anomaly, message, key, &minimal);
    finding.minimal.clone_from(&finding.ops);
    finding.minimal_proven = true;
    finding.minimal_rows.clone_from(&finding.rows);
    finding
}

/// The rows of these nodes and of what they read from, in the order of invocation.
fn rows_of<'a>(sessions: &Sessions<'a>, nodes: &[u32]) -> Vec<&'a Operation> {
    let mut all: Vec<u32> = nodes.to_vec();
    all.extend(nodes.iter().map(|node| sessions.node(*node).source));
    all.retain(|node| (*node as usize) < sessions.nodes.len());
    all.sort_unstable();
    all.dedup();
    all.iter().map(|node| sessions.node(*node).op).collect()
}

/// Whether these rows, by themselves, have no order. What lost its write proves nothing.
fn breaks(rows: &[&Operation], weak: Weak, budget: &Budget) -> bool {
    let Ok(sessions) = Sessions::of_rows(rows) else {
        return false;
    };
    sessions.impossible().is_empty() && matches!(weak.decide(&sessions, budget), Verdict::Broken(_))
}

/// Fewer rows that have no order either; none when these have one, or are too many.
fn minimal<'a>(
    mut rows: Vec<&'a Operation>,
    weak: Weak,
    budget: &Budget,
) -> Option<Vec<&'a Operation>> {
    if rows.len() > MINIMAL_MAX || !breaks(&rows, weak, budget) {
        return None;
    }
    // Larger parts first, then one by one until nothing can go.
    let mut part = rows.len().div_ceil(2).max(1);
    loop {
        let (mut at, mut smaller) = (0, false);
        while at < rows.len() {
            let mut rest: Vec<&Operation> = rows.clone();
            let gone: Vec<&Operation> = rest.drain(at..(at + part).min(rows.len())).collect();
            // A read does not stay without its write.
            let lost = |op: &&Operation| {
                op.op_type.is_read()
                    && *op.observed() != Value::Null
                    && gone
                        .iter()
                        .any(|w| w.key == op.key && w.input == *op.observed())
            };
            rest.retain(|op| !lost(op));
            if breaks(&rest, weak, budget) {
                rows = rest;
                smaller = true;
            } else {
                at += part;
            }
        }
        if part > 1 {
            part = part.div_ceil(2);
        } else if !smaller {
            return Some(rows);
        }
    }
}

/// What is wrong, in words.
fn sentence(sessions: &Sessions<'_>, weak: Weak, violation: &Violation) -> String {
    let op = |node: u32| sessions.node(node).op;
    let id = |node: u32| op(node).op_id;
    let value = |node: u32| {
        let op = op(node);
        let value = if op.op_type.is_read() {
            op.observed()
        } else {
            &op.input
        };
        Brief(value).to_string()
    };
    let nodes = &violation.nodes;
    match (violation.anomaly, &nodes[..]) {
        ("own-write-unseen", [write, read]) => format!(
            "#{} read {}, though its session had written {} before, by #{}",
            id(*read),
            value(*read),
            value(*write),
            id(*write)
        ),
        ("went-back", [.., before, read]) => format!(
            "#{} read {} again, after its session had read {} by #{}",
            id(*read),
            value(*read),
            value(*before),
            id(*before)
        ),
        ("initial-read", [write, .., read]) => format!(
            "#{} read the initial value, and #{} that wrote {} comes before it, by {}",
            id(*read),
            id(*write),
            value(*write),
            weak.order()
        ),
        ("not-sequential", _) => {
            let stuck: Vec<String> = nodes
                .iter()
                .take(8)
                .map(|at| format!("#{}", id(*at)))
                .collect();
            let stuck = stuck.join(", ");
            format!("no one order keeps every session's; the best one ends before {stuck}")
        }
        _ => {
            let cycle = &nodes[..violation.edges.len().min(nodes.len())];
            let steps: Vec<String> = (0..cycle.len())
                .map(|at| {
                    let next = cycle[(at + 1) % cycle.len()];
                    step(sessions, cycle[at], next, violation.edges[at])
                })
                .collect();
            let order = weak.order();
            format!("no order exists by {order}: {}", steps.join("; "))
        }
    }
}

/// Why a node comes before another.
fn step(sessions: &Sessions<'_>, from: u32, to: u32, why: Why) -> String {
    let id = |node: u32| sessions.node(node).op.op_id;
    let (first, second) = (id(from), id(to));
    match why {
        Why::Session => {
            let process = sessions.node(to).op.process_id;
            format!("#{first} is before #{second} in process {process}")
        }
        Why::Read => format!("#{second} read what #{first} wrote"),
        Why::Overwritten(read) => format!(
            "#{first} is before #{second}, since #{} comes after it and read what #{second} wrote",
            id(read)
        ),
    }
}
