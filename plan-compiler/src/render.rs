//! Diagnostics as a terminal shows them: the line of the plan with the words underlined.

use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Severity};

/// Longest stretch of a plan's line that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 160;

/// A diagnostic with the lines it is about, in the manner of rustc, without colour.
///
/// `text` is the plan that was compiled. Ends in a newline.
#[must_use]
pub fn render(diagnostic: &Diagnostic, file_name: &str, text: &str) -> String {
    let start = text.floor_char_boundary(diagnostic.span.start);
    let span = start..text.ceil_char_boundary(diagnostic.span.end).max(start);
    let (line, column) = (diagnostic.line, diagnostic.column);
    let width = line.to_string().len();
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut out = String::new();
    let (code, message) = (diagnostic.code, &diagnostic.message);
    // Writing to a String does not fail.
    let _ = writeln!(out, "{severity}[{code}]: {message}");
    let _ = writeln!(out, "{:width$}--> {file_name}:{line}:{column}", "");
    let _ = writeln!(out, "{:width$} |", "");
    let marked = text[span.clone()].trim_end_matches(['\n', '\r']);
    let (source, before, marks) = excerpt(text, span.start, marked);
    let _ = writeln!(out, "{line} | {source}");
    let more = if marked.contains('\n') {
        " (and the lines that follow)"
    } else {
        ""
    };
    let under = format!("{:before$}{:^<marks$} {}{more}", "", "^", diagnostic.label);
    let _ = writeln!(out, "{:width$} | {}", "", under.trim_end());
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "{:width$} |", "");
        for (at, part) in help.lines().enumerate() {
            let lead = if at == 0 { "= help:" } else { "       " };
            let _ = writeln!(out, "{:width$} {lead} {part}", "");
        }
    }
    out
}

/// A diagnostic as a workflow command of GitHub Actions, which marks the line in a pull request.
///
/// One line without its newline. `file_name` is the path from the repository's root.
#[must_use]
pub fn annotation(diagnostic: &Diagnostic, file_name: &str) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let (code, line, column) = (diagnostic.code, diagnostic.line, diagnostic.column);
    let mut message = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    let (file, message) = (property(file_name), escaped(&message));
    format!("::{severity} file={file},line={line},col={column},title={code}::{message}")
}

fn escaped(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

/// The first marked line, where its mark begins, and how long the mark is, in characters.
fn excerpt(text: &str, start: usize, marked: &str) -> (String, usize, usize) {
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let mut before = text[line_start..start].chars().count();
    let first = marked.lines().next().unwrap_or("").trim_end();
    let mut shown: Vec<char> = text[line_start..line_end].chars().collect();
    if shown.len() > SHOWN_CHARS_MAX {
        let cut = before.saturating_sub(SHOWN_CHARS_MAX / 4);
        shown = shown.into_iter().skip(cut).take(SHOWN_CHARS_MAX).collect();
        before -= cut;
    }
    let marks = first
        .chars()
        .count()
        .clamp(1, shown.len().saturating_sub(before).max(1));
    let source = shown
        .into_iter()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    (source, before, marks)
}
