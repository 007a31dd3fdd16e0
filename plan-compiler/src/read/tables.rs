//! Sections 5, 6, 6b and 7b, and the plan's mode: what their tables and lists say.

use std::ops::Range;

use super::claims::{ids, is_id};
use crate::outline::trimmed;
use crate::plan::{
    Adequacy, CoverageCell, Item, Node, Plan, PlanMode, Section, SectionKind, Technique, plain,
};

/// Cells that say that there is nothing.
const EMPTY: &[&str] = &["", "-", "--", "–", "—", "n/a", "none", "no", "."];

/// Fills in what the plan's sections say in tables and lists.
pub(crate) fn derive(text: &str, plan: &mut Plan) {
    plan.mode = plan
        .header
        .iter()
        .find(|field| field.label.to_lowercase().contains("mode"))
        .and_then(|field| mode(&field.value.text));
    let mut within: Option<(SectionKind, u8)> = None;
    let sections = std::mem::take(&mut plan.sections);
    for section in &sections {
        match section.kind {
            Some(kind) => within = Some((kind, section.level)),
            None if within.is_some_and(|(_, level)| section.level <= level) => within = None,
            None => {}
        }
        match within.map(|(kind, _)| kind) {
            Some(SectionKind::Coverage) => coverage(text, section, &mut plan.coverage),
            Some(SectionKind::Technique) => techniques(text, section, &mut plan.techniques),
            Some(SectionKind::Environment) => environment(section, &mut plan.environment),
            Some(SectionKind::Adequacy) => adequacy(text, section, &mut plan.adequacy),
            _ => {}
        }
    }
    plan.sections = sections;
}

/// The mode that a header's value begins with.
pub(crate) fn mode(value: &str) -> Option<PlanMode> {
    let words: String = value
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let words: Vec<&str> = words.split_whitespace().collect();
    match words.as_slice() {
        ["change", "scoped" | "scope", ..] | ["change" | "diff" | "pr"] => {
            Some(PlanMode::ChangeScoped)
        }
        ["project", "wide", ..] | ["project" | "full" | "whole", ..] => Some(PlanMode::ProjectWide),
        _ => None,
    }
}

/// Whether a cell has something in it.
fn is_said(node: &Node) -> bool {
    !EMPTY.contains(&node.text.to_lowercase().as_str())
}

fn lower(node: &Node) -> String {
    node.text.to_lowercase()
}

/// The rows of a section, each with the head of its table (empty for a table without).
fn rows(section: &Section) -> impl Iterator<Item = (&[Node], &[Node])> {
    let mut head: &[Node] = &[];
    section.items.iter().filter_map(move |item| match item {
        Item::Row {
            header: true,
            cells,
        } => {
            head = cells;
            None
        }
        Item::Row { cells, .. } => Some((head, cells.as_slice())),
        Item::Text(_) => None,
    })
}

fn texts(section: &Section) -> impl Iterator<Item = &Node> {
    section.items.iter().filter_map(|item| match item {
        Item::Text(node) => Some(node),
        Item::Row { .. } => None,
    })
}

/// The column whose head contains one of the words.
fn column(head: &[Node], words: &[&str]) -> Option<usize> {
    let has = |node: &Node| words.iter().any(|word| lower(node).contains(word));
    head.iter().position(has)
}

/// The ids in a node that begin with a letter.
pub(crate) fn ids_of(text: &str, node: &Node, letter: char) -> Vec<Node> {
    let all = ids(text, &node.span);
    all.into_iter()
        .filter(|id| id.text.starts_with(letter))
        .collect()
}

/// A matrix of claims and hypotheses in either direction, or a list of claim, hypothesis, scenario.
fn coverage(text: &str, section: &Section, cells: &mut Vec<CoverageCell>) {
    for (head, row) in rows(section) {
        let Some((first, rest)) = row.split_first() else {
            continue;
        };
        let across = head.iter().skip(1).any(|cell| is_id(&cell.text));
        if across {
            for (cell, by) in rest.iter().zip(head.iter().skip(1)) {
                if is_id(&by.text) && is_said(cell) {
                    let (claim, hypothesis) = if first.text.starts_with('H') {
                        (by, first)
                    } else {
                        (first, by)
                    };
                    cells.push(CoverageCell {
                        claim: claim.clone(),
                        hypothesis: Some(hypothesis.clone()),
                        scenarios: ids_of(text, cell, 'S'),
                        cell: cell.clone(),
                    });
                }
            }
            continue;
        }
        let claim = column(head, &["claim"]).unwrap_or(0);
        let Some(claim) = row.get(claim).filter(|node| is_said(node)) else {
            continue;
        };
        let cell = |words: &[&str]| column(head, words).and_then(|at| row.get(at));
        let scenarios = cell(&["scenario", "covered by", "test"]);
        let hypotheses = cell(&["hypothes", "failure mode", "threat"]);
        let hypotheses = hypotheses.map_or_else(Vec::new, |node| ids_of(text, node, 'H'));
        let named = scenarios.map_or_else(Vec::new, |node| ids_of(text, node, 'S'));
        let whole = Node {
            span: claim.span.start..row.last().map_or(claim.span.end, |c| c.span.end),
            text: claim.text.clone(),
        };
        let each = hypotheses.into_iter().map(Some);
        let none = [None];
        let hypotheses: Vec<Option<Node>> = match each.len() {
            0 => none.into_iter().collect(),
            _ => each.collect(),
        };
        for hypothesis in hypotheses {
            cells.push(CoverageCell {
                claim: claim.clone(),
                hypothesis,
                scenarios: named.clone(),
                cell: whole.clone(),
            });
        }
    }
}

fn techniques(text: &str, section: &Section, found: &mut Vec<Technique>) {
    for (head, row) in rows(section) {
        let name = column(head, &["technique", "method", "approach"]).unwrap_or(0);
        let why = column(head, &["why", "reason", "rationale", "because", "decision"]);
        let why = why.or((row.len() > 1 && name == 0).then_some(1));
        if let Some(name) = row.get(name).filter(|node| is_said(node)) {
            found.push(Technique {
                name: name.clone(),
                why: why.and_then(|at| row.get(at)).cloned(),
            });
        }
    }
    for node in texts(section) {
        let (name, why) = halves(text, &node.span);
        found.push(Technique { name, why });
    }
}

/// `name: why`, cut at the first colon or dash.
fn halves(text: &str, span: &Range<usize>) -> (Node, Option<Node>) {
    let raw = &text[span.clone()];
    let cut = raw.find([':', '—', '–']).filter(|at| *at < 60);
    let node = |span: Range<usize>| Node {
        text: plain(&text[span.clone()]),
        span,
    };
    match cut {
        Some(at) => {
            let rest = raw[at..].trim_start_matches([':', '—', '–', '*', ' ']);
            let name = trimmed(text, span.start..span.start + at);
            (node(name), Some(node(span.end - rest.len()..span.end)))
        }
        None => (node(span.clone()), None),
    }
}

fn environment(section: &Section, found: &mut Vec<Node>) {
    for (_, row) in rows(section) {
        if let (Some(first), Some(last)) = (row.first(), row.last()) {
            let text: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
            found.push(Node {
                span: first.span.start..last.span.end.max(first.span.start),
                text: text.join(": "),
            });
        }
    }
    found.extend(texts(section).cloned());
}

fn adequacy(text: &str, section: &Section, found: &mut Vec<Adequacy>) {
    for (head, row) in rows(section) {
        let claim = column(head, &["claim"]).unwrap_or(0);
        let Some(claim) = row.get(claim).filter(|node| is_said(node)) else {
            continue;
        };
        let cell = |words: &[&str], otherwise| {
            let at = column(head, words).or(head.is_empty().then_some(otherwise));
            at.and_then(|at| row.get(at))
        };
        let named = |node: Option<&Node>, letter| {
            node.map_or_else(Vec::new, |node| ids_of(text, node, letter))
        };
        found.push(Adequacy {
            claim: claim.clone(),
            threats: named(cell(&["threat", "hypothes", "failure"], 1), 'H'),
            scenarios: named(cell(&["scenario", "covered"], 2), 'S'),
            why: cell(&["why", "enough", "argument", "reason", "rationale"], 3)
                .filter(|node| is_said(node))
                .cloned(),
        });
    }
    for node in texts(section) {
        let Some(claim) = ids_of(text, node, 'C').into_iter().next() else {
            continue;
        };
        // `C1: H1 and H2 by S1, S3, because ...`.
        if claim.span.start.saturating_sub(node.span.start) <= 4 {
            found.push(Adequacy {
                threats: ids_of(text, node, 'H'),
                scenarios: ids_of(text, node, 'S'),
                why: Some(node.clone()),
                claim,
            });
        }
    }
}
