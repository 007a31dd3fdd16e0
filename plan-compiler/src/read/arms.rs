//! 7.M.S: the surfaces of a scenario, an arm each, from a list or a table.

use std::ops::Range;

use super::fields::pieces;
use super::labels::{known, labelled};
use crate::outline::trimmed;
use crate::plan::{Arm, Field, Node, PlanScenario, plain};

/// Words by which a scenario says that it has one surface only.
const NONE: &[&str] = &["none", "n/a", "one surface", "single surface", "no arms"];

fn node(text: &str, span: Range<usize>) -> Node {
    Node {
        text: plain(&text[span.clone()]),
        span,
    }
}

/// Takes the arms out of the parts of a 7.M.S field; what is no arm stays for a complaint.
pub(crate) fn from_field(text: &str, field: &mut Field, scenario: &mut PlanScenario) {
    let mut left = Vec::new();
    for part in std::mem::take(&mut field.parts) {
        let mut fresh = true;
        let mut unread = Vec::new();
        for line in part {
            for piece in pieces(text, &line) {
                if piece.is_empty() {
                    continue;
                }
                if let Some(names) = listed(text, &piece).filter(|_| fresh) {
                    for name in names {
                        declare(name, scenario);
                    }
                } else if let Some((name, surface)) = begins_arm(text, &piece, fresh) {
                    let fields = Vec::new();
                    scenario.arms.push(Arm {
                        name,
                        surface,
                        fields,
                    });
                } else if !goes_on(text, &piece, scenario) {
                    unread.push(piece);
                }
                fresh = false;
            }
        }
        if !unread.is_empty() {
            left.push(unread);
        }
    }
    left.retain(|part| !says_none(text, part));
    field.parts = left;
}

/// `Arms: api, export`: their names alone.
fn listed(text: &str, piece: &Range<usize>) -> Option<Vec<Node>> {
    let raw = &text[piece.clone()];
    let (label, _) = raw.split_once(':')?;
    let word = label.trim_matches(['*', '`', ' ', '_']).to_lowercase();
    let is_list = matches!(word.as_str(), "arm" | "arms" | "surface" | "surfaces");
    is_list.then_some(())?;
    let mut names = Vec::new();
    let mut from = piece.start + label.len() + 1;
    for part in text[from..piece.end].split([',', ';']) {
        let whole = trimmed(text, from..from + part.len());
        from += part.len() + 1;
        let own = text[whole.clone()].find('/').map_or(0, |at| at + 1);
        let span = trimmed(text, whole.start + own..whole.end);
        if !span.is_empty() {
            names.push(node(text, span));
        }
    }
    let is_name = |name: &Node| !name.text.contains(char::is_whitespace);
    (!names.is_empty() && names.iter().all(is_name)).then_some(names)
}

/// An arm of which nothing is said but its name, where there is none of it yet.
fn declare(name: Node, scenario: &mut PlanScenario) {
    if scenario.arms.iter().all(|arm| arm.name.text != name.text) {
        scenario.arms.push(Arm {
            surface: name.clone(),
            name,
            fields: Vec::new(),
        });
    }
}

fn says_none(text: &str, part: &[Range<usize>]) -> bool {
    part.first().is_some_and(|line| {
        let said = plain(&text[line.clone()]).to_lowercase();
        NONE.iter().any(|none| said.starts_with(none))
    })
}

/// `S5/api: the public API`; without the scenario's id only where an item begins, with a colon.
fn begins_arm(text: &str, piece: &Range<usize>, fresh: bool) -> Option<(Node, Node)> {
    let raw = &text[piece.clone()];
    let lead = raw.len() - raw.trim_start_matches(['*', '`', ' ', '(']).len();
    let body = &raw[lead..];
    let end = body
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | '.')))
        .unwrap_or(body.len());
    let word = &body[..end];
    let rest = &body[end..];
    let after = rest.trim_start_matches(['*', '`', ')', ' ']);
    let (skip, is_arm) = match word.split_once('/') {
        Some((id, name)) => {
            let is_id = super::claims::is_id(id) && !name.is_empty();
            (id.len() + 1, is_id)
        }
        None => (0, fresh && after.starts_with(':') && known(word).is_none()),
    };
    if !is_arm || word.is_empty() {
        return None;
    }
    let start = piece.start + lead;
    let surface = after.trim_start_matches([':', '—', '–', '-', '=', '*', ' ']);
    let surface = trimmed(text, piece.end - surface.len()..piece.end);
    Some((node(text, start + skip..start + end), node(text, surface)))
}

/// A field of the arm being read, or more words on its surface.
fn goes_on(text: &str, piece: &Range<usize>, scenario: &mut PlanScenario) -> bool {
    let Some(arm) = scenario.arms.last_mut() else {
        return false;
    };
    if let Some(found) = labelled(text, piece)
        && let Some(kind) = found.kind
    {
        let value = trimmed(text, found.value);
        arm.fields.push(Field {
            kind,
            label: found.label,
            parts: vec![vec![value]],
        });
        return true;
    }
    match arm.fields.last_mut() {
        Some(field) => field.parts.push(vec![piece.clone()]),
        None => {
            arm.surface.text = format!("{} {}", arm.surface.text, plain(&text[piece.clone()]));
            arm.surface.text = arm.surface.text.trim().to_owned();
            arm.surface.span.end = piece.end;
        }
    }
    true
}

/// An arm from a row of a table; columns with a field's name are that field's value.
pub(crate) fn from_row(text: &str, head: &[String], cells: &[Range<usize>]) -> Option<Arm> {
    let first = cells.first()?;
    let raw = node(text, first.clone());
    let (skip, name) = match raw.text.split_once('/') {
        Some((id, name)) if super::claims::is_id(id) => (true, name.trim().to_owned()),
        _ => (false, raw.text.clone()),
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    let from = match text[first.clone()].find('/') {
        Some(at) if skip => first.start + at + 1,
        _ => first.start,
    };
    let name = Node {
        span: from..first.end,
        text: name,
    };
    let mut surface: Option<Node> = None;
    let mut fields = Vec::new();
    for (at, cell) in cells.iter().enumerate().skip(1) {
        if cell.is_empty() {
            continue;
        }
        let title = head.get(at).map_or("", String::as_str);
        match known(title) {
            Some(kind) => fields.push(Field {
                kind,
                label: cell.start..cell.start,
                parts: vec![vec![cell.clone()]],
            }),
            None => match &mut surface {
                None => surface = Some(node(text, cell.clone())),
                Some(words) => {
                    words.text = format!("{}; {}", words.text, plain(&text[cell.clone()]));
                    words.span.end = cell.end;
                }
            },
        }
    }
    let surface = surface.unwrap_or_else(|| name.clone());
    Some(Arm {
        name,
        surface,
        fields,
    })
}
