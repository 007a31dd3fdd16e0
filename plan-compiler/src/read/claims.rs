//! Rows and items that declare claims and hypotheses.

use std::ops::Range;

use crate::outline::{Begins, Line, trimmed};
use crate::plan::{ClaimRow, Hypothesis, Node, plain};
use crate::scenario::Category;

/// The categories by name.
pub(crate) const CATEGORIES: &[(&str, Category)] = &[
    ("safety", Category::Safety),
    ("liveness", Category::Liveness),
    ("durability", Category::Durability),
    ("performance-slo", Category::PerformanceSlo),
    ("operational", Category::Operational),
    ("idempotency", Category::Idempotency),
    ("isolation", Category::Isolation),
    ("ordering", Category::Ordering),
    ("membership", Category::Membership),
    ("boundary", Category::Boundary),
    ("fairness", Category::Fairness),
];

/// The category a cell names.
pub(crate) fn category(text: &str) -> Option<Category> {
    let normal = plain(text).to_lowercase().replace([' ', '_'], "-");
    let normal = match normal.as_str() {
        "performance" | "slo" | "perf" => "performance-slo",
        "idempotence" => "idempotency",
        other => other,
    };
    CATEGORIES
        .iter()
        .find(|(name, _)| *name == normal)
        .map(|(_, category)| *category)
}

fn node(text: &str, span: Range<usize>) -> Node {
    Node {
        text: plain(&text[span.clone()]),
        span,
    }
}

/// The cell under the column whose header contains one of `names`, else the one at `otherwise`.
fn cell(
    text: &str,
    columns: &[String],
    cells: &[Range<usize>],
    names: &[&str],
    otherwise: usize,
) -> Option<Node> {
    let named = |column: &String| names.iter().any(|name| column.contains(name));
    let at = columns.iter().position(named);
    let at = at.or((columns.is_empty() && otherwise < cells.len()).then_some(otherwise))?;
    let found = node(text, cells.get(at)?.clone());
    (!found.text.is_empty()).then_some(found)
}

/// A row of a claims table; an empty id or promise is kept, to be complained about.
pub(crate) fn row(
    text: &str,
    columns: &[String],
    cells: &[Range<usize>],
    missing: bool,
    line: u32,
) -> Option<ClaimRow> {
    let first = cells.first()?.clone();
    let is_id = |column: &String| column == "id" || column == "#" || column == "claim id";
    let id_at = columns.iter().position(is_id).unwrap_or(0);
    let id = node(text, cells.get(id_at).unwrap_or(&first).clone());
    let claim_at = columns
        .iter()
        .position(|c| c == "claim" || c.contains("promise"));
    let claim_at = claim_at.unwrap_or(usize::from(id_at == 0));
    let claim = node(text, cells.get(claim_at).unwrap_or(&first).clone());
    if id.text.is_empty() && claim.text.is_empty() {
        return None;
    }
    let category_cell = cell(text, columns, cells, &["category", "kind", "type"], 2);
    let inferred = cell(text, columns, cells, &["inferred"], 4);
    Some(ClaimRow {
        category: category_cell.and_then(|cell| category(&cell.text)),
        source: cell(text, columns, cells, &["source"], 3),
        inferred: inferred.map(|cell| cell.text.to_lowercase().starts_with('y')),
        id,
        text: claim,
        missing,
        line,
    })
}

/// `C1 (safety): the promise` as a list item.
pub(crate) fn item(text: &str, line: &Line, missing: bool, at: u32) -> Option<ClaimRow> {
    if line.begins != Begins::Item {
        return None;
    }
    let (id, rest) = leading_id(text, &line.span)?;
    let raw = &text[rest.clone()];
    let (category, promise) = match raw
        .strip_prefix(['(', '['])
        .and_then(|r| r.find([')', ']']))
    {
        Some(close) => (
            category(&raw[1..=close]),
            trimmed(text, rest.start + close + 2..rest.end),
        ),
        None => (bracketed(raw), rest.clone()),
    };
    let lead = text[promise.clone()].trim_start_matches([':', '-', '—', '–', '*', ' ']);
    let promise = node(text, promise.end - lead.len()..promise.end);
    Some(ClaimRow {
        id,
        text: promise,
        category,
        source: None,
        inferred: None,
        missing,
        line: at,
    })
}

/// `C1: the promise (durability)`.
fn bracketed(raw: &str) -> Option<Category> {
    let groups = raw.split('(').skip(1);
    let mut closed = groups.filter_map(|group| Some(group.split_once(')')?.0));
    closed.find_map(category)
}

/// An id such as `C1` at the start of a line, and what follows it.
fn leading_id(text: &str, line: &Range<usize>) -> Option<(Node, Range<usize>)> {
    let raw = &text[line.clone()];
    let lead = raw.len() - raw.trim_start_matches(['*', '`', ' ']).len();
    let body = &raw[lead..];
    let end = body
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(body.len());
    if !is_id(&body[..end]) {
        return None;
    }
    let start = line.start + lead;
    let rest = body[end..].trim_start_matches(['*', '`', ' ', ':', '-', '–', '—', '‑']);
    Some((
        node(text, start..start + end),
        line.end - rest.len()..line.end,
    ))
}

/// Whether a word has the shape of a name: capital letters, then digits (`C1`, `MC12`).
pub(crate) fn is_id(word: &str) -> bool {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let letters = letters.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = word.len() - letters.len();
    (1..=3).contains(&letters.len())
        && digits > 0
        && letters.chars().all(|c| c.is_ascii_uppercase())
        && word[letters.len()..].starts_with(|c: char| c.is_ascii_digit())
}

/// A name as it is compared: `S1` of `s01`.
pub(crate) fn id_key(id: &str) -> String {
    let letters = id.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &id[letters.len()..];
    let short = digits.trim_start_matches('0');
    let number = if short.is_empty() && !digits.is_empty() {
        "0"
    } else {
        short
    };
    format!("{}{number}", letters.to_uppercase())
}

/// Whether two names are one.
pub(crate) fn same_id(a: &str, b: &str) -> bool {
    id_key(a) == id_key(b)
}

/// The ids in a text, each with its bytes.
pub(crate) fn ids(text: &str, span: &Range<usize>) -> Vec<Node> {
    let raw = &text[span.clone()];
    let mut found = Vec::new();
    let mut from = 0;
    for (at, c) in raw.char_indices().chain([(raw.len(), ' ')]) {
        if !c.is_ascii_alphanumeric() {
            if is_id(&raw[from..at]) {
                found.push(node(text, span.start + from..span.start + at));
            }
            from = at + c.len_utf8();
        }
    }
    found
}

/// A row of a hypotheses table.
pub(crate) fn hypothesis_row(
    text: &str,
    columns: &[String],
    cells: &[Range<usize>],
) -> Option<Hypothesis> {
    let id = node(text, cells.first()?.clone());
    if id.text.is_empty() {
        return None;
    }
    let falsify = cell(text, columns, cells, &["falsif"], 2);
    Some(Hypothesis {
        text: node(text, cells.get(1).unwrap_or(&id.span).clone()),
        could_falsify: falsify.map_or_else(Vec::new, |cell| ids(text, &cell.span)),
        id,
    })
}

/// `H1: how it may break. Could falsify: C1, C2` as a list item or paragraph.
pub(crate) fn hypothesis_item(text: &str, line: &Line) -> Option<Hypothesis> {
    let (id, rest) = leading_id(text, &line.span).filter(|(id, _)| id.text.starts_with('H'))?;
    Some(Hypothesis {
        id,
        could_falsify: could_falsify(text, &rest),
        text: node(text, rest),
    })
}

/// The claims named after `Could falsify` on a line.
pub(crate) fn could_falsify(text: &str, line: &Range<usize>) -> Vec<Node> {
    let lower = text[line.clone()].to_ascii_lowercase();
    let said = lower.find("falsif").map(|at| line.start + at..line.end);
    said.map_or_else(Vec::new, |span| ids(text, &span))
}
