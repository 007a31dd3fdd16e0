//! A violation as a picture: one SVG that needs nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::history::{Completion, History, Millis, Operation};
use crate::report::{CheckReport, Finding};
use crate::value::Brief;

/// The most operations and processes that a picture shows.
const OPS_MAX: usize = 200;
const LANES_MAX: usize = 40;
/// The most letters of one text.
const LETTERS_MAX: usize = 120;

const LANE: usize = 30;
const LEFT: usize = 70;
const STEP: usize = 26;
const TOP: usize = 96;

/// Draws the first finding of a report: processes as lanes, time from left to right, an event a
/// step, fault windows shaded, the operations of the finding lit, with the order of its longest
/// legal prefix in their corners. Around them are the operations on the same object that are next
/// to them. A report without findings is drawn with what the history begins with.
///
/// It is at most 512 KiB. Cost: linear.
#[must_use]
pub fn picture(history: &History, report: &CheckReport) -> String {
    let finding = report.findings.first();
    let shown = Shown::of(history, finding);
    let mut svg = String::new();
    let width = LEFT + shown.events.len() * STEP + 40;
    let height = TOP + shown.lanes.len() * LANE + 40;
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n{STYLE}\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let title = format!("{}: {}", report.checker, report.outcome);
    text(&mut svg, 10, 20, "t", &title);
    if let Some(finding) = finding {
        text(&mut svg, 10, 38, "", &finding.message);
        if let Some(sentence) = finding.explanation.first() {
            text(&mut svg, 10, 54, "", sentence);
        }
    }
    if shown.hidden > 0 {
        let hidden = format!("{} operations are not shown", shown.hidden);
        text(&mut svg, 10, 70, "g", &hidden);
    }
    shown.windows(&mut svg, history, height);
    shown.lanes(&mut svg, width);
    shown.ops(&mut svg, finding);
    svg.push_str("</svg>\n");
    svg
}

const STYLE: &str = "<style>.t{font-weight:bold;font-size:14px}.g{fill:#777}\
    .l{stroke:#ddd}.w{fill:#f6d55c;fill-opacity:.35}.o{fill:#dbe9f6;stroke:#4a78a8}\
    .u{fill:#eee;stroke:#888;stroke-dasharray:4 2}.f{fill:#f3f3f3;stroke:#bbb}\
    .m{fill:#f9c0b8;stroke:#c0392b;stroke-width:2}\
    .b{fill:#e74c3c;stroke:#7b1f14;stroke-width:2}</style>";

/// What fits into a picture.
struct Shown<'a> {
    ops: Vec<&'a Operation>,
    hidden: usize,
    lanes: BTreeMap<u64, usize>,
    /// Every instant at which something begins or ends, in order.
    events: Vec<u64>,
}

impl<'a> Shown<'a> {
    fn of(history: &'a History, finding: Option<&Finding>) -> Self {
        let lit = finding.map(lit).unwrap_or_default();
        let key = finding.and_then(|finding| finding.key.as_ref());
        let rows = || history.ops.iter().enumerate();
        let last = rows().filter(|(_, op)| lit.contains(&op.op_id));
        let middle = last.map(|(row, _)| row).max().unwrap_or(0);
        // What is lit first, then what is on the same object and near.
        let mut near: Vec<(bool, usize, usize)> = rows()
            .filter(|(_, op)| op.is_client() || lit.contains(&op.op_id))
            .filter(|(_, op)| key.is_none() || op.key.as_ref() == key || lit.contains(&op.op_id))
            .map(|(row, op)| (!lit.contains(&op.op_id), row.abs_diff(middle), row))
            .collect();
        let all = near.len();
        if near.len() > OPS_MAX {
            near.select_nth_unstable(OPS_MAX);
            near.truncate(OPS_MAX);
        }
        near.sort_unstable();
        let mut processes = BTreeSet::new();
        near.retain(|(_, _, row)| {
            let process = history.ops[*row].process_id;
            let fits = processes.len() < LANES_MAX || processes.contains(&process);
            if fits {
                processes.insert(process);
            }
            fits
        });
        let mut ops: Vec<&Operation> = near.iter().map(|(.., row)| &history.ops[*row]).collect();
        ops.sort_by_key(|op| (op.invoke_ts, op.op_id));
        let lanes = processes.into_iter().zip(0..).collect();
        let ends = ops.iter().filter_map(|op| op.complete_ts);
        let mut events: Vec<u64> = ops.iter().map(|op| op.invoke_ts).chain(ends).collect();
        events.sort_unstable();
        events.dedup();
        Self {
            hidden: all - ops.len(),
            ops,
            lanes,
            events,
        }
    }

    /// Where an instant is; one between two events is where the next is.
    fn x(&self, instant: u64) -> usize {
        LEFT + self.events.partition_point(|event| *event < instant) * STEP
    }

    fn windows(&self, svg: &mut String, history: &History, height: usize) {
        let (Some(first), Some(last)) = (self.events.first(), self.events.last()) else {
            return;
        };
        let seen = history.windows.iter().filter(|window| {
            window.start_ts <= *last && window.end_ts.is_none_or(|end| end >= *first)
        });
        for (place, window) in seen.take(LANES_MAX).enumerate() {
            let from = self.x(window.start_ts);
            let to = window.end_ts.map_or(self.x(u64::MAX), |end| self.x(end));
            let (y, width) = (TOP - 20, to.saturating_sub(from).max(3));
            let name = brief(&window.fault);
            let _ = writeln!(
                svg,
                "<rect class=\"w\" x=\"{from}\" y=\"{y}\" width=\"{width}\" height=\"{}\">\
                 <title>{name}</title></rect>",
                height - y - 20
            );
            text(svg, from + 2, y + 10 + place % 2 * 10, "g", &window.fault);
        }
    }

    fn lanes(&self, svg: &mut String, width: usize) {
        for (process, lane) in &self.lanes {
            let y = TOP + lane * LANE + LANE / 2;
            let _ = writeln!(
                svg,
                "<line class=\"l\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>",
                width - 10
            );
            text(svg, 6, y + 4, "", &format!("p{process}"));
        }
    }

    fn ops(&self, svg: &mut String, finding: Option<&Finding>) {
        let lit = finding.map(lit).unwrap_or_default();
        let blocked: BTreeSet<u64> = finding.iter().flat_map(|one| &one.ops).copied().collect();
        let prefix = finding.iter().flat_map(|finding| &finding.legal_prefix);
        let order: BTreeMap<u64, usize> = prefix.copied().zip(1..).collect();
        for op in &self.ops {
            let class = match op.completion() {
                _ if blocked.contains(&op.op_id) => "b",
                _ if lit.contains(&op.op_id) => "m",
                Completion::Acknowledged => "o",
                Completion::Failed => "f",
                Completion::Ambiguous => "u",
            };
            let from = self.x(op.invoke_ts);
            let end = op.complete_ts.filter(|_| !op.timeout_marker);
            let to = end.map_or(self.x(u64::MAX) + STEP / 2, |end| self.x(end));
            let width = to.saturating_sub(from).max(8);
            let y = TOP + self.lanes[&op.process_id] * LANE + 4;
            let _ = writeln!(
                svg,
                "<g><title>{}</title><rect class=\"{class}\" x=\"{from}\" y=\"{y}\" \
                 width=\"{width}\" height=\"{}\" rx=\"3\"/>",
                brief(&op.to_string()),
                LANE - 8
            );
            let label: String = label(op).chars().take(width / 6).collect();
            text(svg, from + 3, y + 14, "", &label);
            if let Some(place) = order.get(&op.op_id) {
                text(svg, from + 2, y - 1, "g", &place.to_string());
            }
            svg.push_str("</g>\n");
        }
        for (at, event) in self.events.iter().enumerate().step_by(6) {
            let y = TOP + self.lanes.len() * LANE + 16;
            text(
                svg,
                LEFT + at * STEP,
                y,
                "g",
                &format!("{} ms", Millis(*event)),
            );
        }
    }
}

/// Ids of the operations that prove a finding.
fn lit(finding: &Finding) -> BTreeSet<u64> {
    finding
        .ops
        .iter()
        .chain(&finding.minimal)
        .copied()
        .collect()
}

/// An operation in a few letters.
fn label(op: &Operation) -> String {
    let mut label = op.op_type.name().to_owned();
    if op.input != crate::Value::Null {
        let _ = write!(label, " {}", Brief(&op.input));
    }
    if op.is_acknowledged() && (op.output.is_some() || op.op_type.is_read()) {
        let _ = write!(label, "={}", Brief(op.observed()));
    }
    label
}

fn text(svg: &mut String, x: usize, y: usize, class: &str, words: &str) {
    let words = brief(words);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{words}</text>"
    );
}

/// A text for XML, cut to a length.
fn brief(words: &str) -> String {
    let mut safe = String::with_capacity(words.len().min(LETTERS_MAX));
    for (place, letter) in words.chars().enumerate() {
        if place == LETTERS_MAX {
            safe.push('…');
            break;
        }
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(' '),
            // XML has no other control letters, nor these two.
            _ if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => safe.push('?'),
            _ => safe.push(letter),
        }
    }
    safe
}
