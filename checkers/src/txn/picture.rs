//! Cycles as pictures: one SVG each, and a page that lists them.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use super::analysis::{Analysis, Anomaly, Link};
use crate::history::{History, Millis, Operation};
use crate::value::Brief;

/// The most transactions that a picture shows.
const TXNS_MAX: usize = 40;
/// The most letters of a line.
const LETTERS_MAX: usize = 160;
/// The most pictures.
const PICTURES_MAX: usize = 100;

/// The files that show an analysis: `index.html`, and a picture of each cycle, by name. The page
/// is at most so long; what does not fit is counted. Each picture needs nothing else and is at
/// most 64 KiB.
#[must_use]
pub fn pictures(
    history: &History,
    analysis: &Analysis,
    index_bytes_max: usize,
) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut rows: Vec<String> = Vec::new();
    for (place, anomaly) in analysis.anomalies.iter().enumerate() {
        let mut row = String::from("<tr><td>");
        if !anomaly.cycle.is_empty() && files.len() < PICTURES_MAX {
            let file = format!("{:03}-{}.svg", place + 1, anomaly.name);
            let _ = write!(row, "<a href=\"{file}\">{}</a>", escaped(&anomaly.name));
            files.push((file, picture(history, anomaly)));
        } else {
            row.push_str(&escaped(&anomaly.name));
        }
        let ops = anomaly.ops.iter().take(TXNS_MAX).map(|id| format!("#{id}"));
        let ops: Vec<String> = ops.collect();
        let message = cut(&anomaly.message, 4 * LETTERS_MAX);
        let _ = writeln!(
            row,
            "</td><td>{}</td><td>{}</td></tr>",
            ops.join(" "),
            escaped(&message)
        );
        rows.push(row);
    }
    files.insert(
        0,
        (
            "index.html".to_owned(),
            index(analysis, &rows, index_bytes_max),
        ),
    );
    files
}

/// The page, no longer than so many bytes, if its head is not.
fn index(analysis: &Analysis, rows: &[String], bytes_max: usize) -> String {
    let names = |levels: &[super::Level]| {
        let names: Vec<String> = levels.iter().map(ToString::to_string).collect();
        match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        }
    };
    let mut page = String::from(
        "<!doctype html><meta charset=\"utf-8\"><title>isolation</title>\n\
         <style>body{font-family:sans-serif}td{border-top:1px solid #ccc;padding:4px;\
         vertical-align:top}</style>\n",
    );
    let _ = write!(
        page,
        "<h1>Isolation of {} transactions</h1>\n<p>Strongest levels that hold: {}</p>\n\
         <p>Weakest that fail: {}</p>\n<p>",
        analysis.transactions,
        names(&analysis.holds),
        names(&analysis.fails)
    );
    for (name, count) in &analysis.counts {
        let _ = write!(page, "{} {count}; ", escaped(name));
    }
    for assumption in &analysis.assumptions {
        let _ = write!(page, "assumed {}; ", escaped(assumption));
    }
    page.push_str("</p>\n<table>\n");
    const END: usize = 80;
    let mut left = rows.len();
    for row in rows {
        if page.len() + row.len() + END > bytes_max {
            break;
        }
        page.push_str(row);
        left -= 1;
    }
    page.push_str("</table>\n");
    if left > 0 {
        let _ = writeln!(page, "<p>{left} more are not listed</p>");
    }
    page
}

/// A cycle: its transactions in a ring, an arrow for each link, and below them the reasons.
fn picture(history: &History, anomaly: &Anomaly) -> String {
    let links = &anomaly.cycle[..anomaly.cycle.len().min(TXNS_MAX)];
    let count = links.len();
    let radius = (count as f64 * 26.0).max(90.0);
    let (middle_x, middle_y) = (radius + 120.0, radius + 70.0);
    let (width, top) = (1_100.0_f64.max(2.0 * middle_x), 2.0 * middle_y);
    let height = top + 18.0 * (2 * count + 4) as f64;
    let at = |place: usize| {
        let angle = TAU * place as f64 / count as f64 - TAU / 4.0;
        (
            middle_x + radius * angle.cos(),
            middle_y + radius * angle.sin(),
        )
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<defs><marker id=\"a\" \
         viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
        escaped(&anomaly.name)
    );
    for (place, link) in links.iter().enumerate() {
        arrow(&mut svg, link, at(place), at((place + 1) % count));
    }
    for place in 0..count {
        let (x, y) = at(place);
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"16\" fill=\"#dbe9f6\" stroke=\"#4a78a8\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">T{}</text>",
            y + 4.0,
            place + 1
        );
    }
    let mut y = top;
    let mut line = |text: &str| {
        let text = escaped(&cut(text, LETTERS_MAX));
        let _ = writeln!(svg, "<text x=\"12\" y=\"{y:.0}\">{text}</text>");
        y += 18.0;
    };
    for (place, link) in links.iter().enumerate() {
        let op = history.ops.iter().find(|op| op.op_id == link.from);
        line(&format!(
            "T{} = {}",
            place + 1,
            op.map_or_else(String::new, told)
        ));
    }
    for (place, link) in links.iter().enumerate() {
        let next = (place + 1) % anomaly.cycle.len() + 1;
        line(&format!(
            "T{} < T{next}, because {}",
            place + 1,
            link.because
        ));
    }
    if count < anomaly.cycle.len() {
        line(&format!(
            "{} more are not shown",
            anomaly.cycle.len() - count
        ));
    }
    svg.push_str("</svg>\n");
    svg
}

fn arrow(svg: &mut String, link: &Link, from: (f64, f64), to: (f64, f64)) {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let length = x.hypot(y).max(1.0);
    let (x, y) = (x / length, y / length);
    // Beside the line between them, so that two arrows between the same two are apart.
    let (aside_x, aside_y) = (-y * 6.0, x * 6.0);
    let begin = (from.0 + x * 17.0 + aside_x, from.1 + y * 17.0 + aside_y);
    let end = (to.0 - x * 18.0 + aside_x, to.1 - y * 18.0 + aside_y);
    let colour = match &*link.kind {
        "rw" | "prw" => "#c0392b",
        "process" | "realtime" => "#888",
        _ => "#333",
    };
    let dashes = match &*link.kind {
        "process" | "realtime" => " stroke-dasharray=\"5 3\"",
        _ => "",
    };
    let label = link.key.as_ref().map_or_else(
        || link.kind.clone(),
        |key| format!("{} {}", link.kind, Brief(key)),
    );
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"{dashes} \
         marker-end=\"url(#a)\"/><text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
        begin.0,
        begin.1,
        end.0,
        end.1,
        (begin.0 + end.0) / 2.0 + aside_x,
        (begin.1 + end.1) / 2.0 + aside_y,
        escaped(&cut(&label, 30))
    );
}

/// A transaction in a line.
fn told(op: &Operation) -> String {
    let from = Millis(op.invoke_ts);
    let to = op
        .complete_ts
        .map_or_else(|| "?".to_owned(), |to| Millis(to).to_string());
    let steps = op.output.as_ref().unwrap_or(&op.input);
    let (id, process) = (op.op_id, op.process_id);
    format!("#{id} p{process} [{from} .. {to} ms] {}", Brief(steps))
}

/// At most so many letters.
fn cut(text: &str, letters_max: usize) -> String {
    match text.char_indices().nth(letters_max) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            '&' => all.push_str("&amp;"),
            '"' => all.push_str("&quot;"),
            control if control.is_control() => all.push(' '),
            other => all.push(other),
        }
    }
    all
}
