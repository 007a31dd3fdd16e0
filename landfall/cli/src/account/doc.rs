//! A report as blocks, and the two forms that they are written in: one content, twice.

use std::fmt::Write as _;

/// A block of a report.
#[derive(Clone, Debug)]
pub(super) enum Block {
    /// A heading, with the name that links go to.
    Heading(u8, String, String),
    /// A paragraph.
    Para(Vec<Inline>),
    /// A list.
    List(Vec<Vec<Inline>>),
    /// A table; each row with the words that it can be filtered by.
    Table(Vec<&'static str>, Vec<Row>),
    /// Text as it stands.
    Code(String),
    /// A picture that the page draws: what, and of which test. Markdown has none.
    Figure(&'static str, usize),
}

/// A row of a table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The name that links go to; empty for none.
    pub(super) id: String,
    pub(super) cells: Vec<Vec<Inline>>,
}

/// A piece of a line.
#[derive(Clone, Debug)]
pub(super) enum Inline {
    Text(String),
    Code(String),
    /// A state, such as a verdict: coloured by what it is.
    State(String),
    /// Text, and the name within the page that it goes to.
    Link(String, String),
}

pub(super) fn text(text: impl Into<String>) -> Inline {
    Inline::Text(text.into())
}

pub(super) fn code(text: impl Into<String>) -> Inline {
    Inline::Code(text.into())
}

pub(super) fn state(text: impl Into<String>) -> Inline {
    Inline::State(text.into())
}

pub(super) fn link(text: impl Into<String>, to: impl Into<String>) -> Inline {
    Inline::Link(text.into(), to.into())
}

/// A paragraph of text alone.
pub(super) fn para(words: impl Into<String>) -> Block {
    Block::Para(vec![text(words)])
}

/// A row of cells without a name.
pub(super) fn row(cells: Vec<Vec<Inline>>) -> Row {
    Row {
        id: String::new(),
        cells,
    }
}

/// The blocks as Markdown.
pub(super) fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        match block {
            Block::Heading(level, _, words) => {
                let marks = "#".repeat(usize::from(*level));
                let _ = writeln!(out, "{marks} {}\n", one_line(words));
            }
            Block::Para(words) => {
                let _ = writeln!(out, "{}\n", inline_md(words));
            }
            Block::List(items) => {
                for item in items {
                    let _ = writeln!(out, "- {}", inline_md(item));
                }
                out.push('\n');
            }
            Block::Table(head, rows) => {
                let _ = writeln!(out, "| {} |", head.join(" | "));
                let _ = writeln!(out, "|{}", "---|".repeat(head.len()));
                for row in rows {
                    let cells: Vec<String> = row
                        .cells
                        .iter()
                        .map(|cell| inline_md(cell).replace('|', "\\|"))
                        .collect();
                    let _ = writeln!(out, "| {} |", cells.join(" | "));
                }
                out.push('\n');
            }
            Block::Code(lines) => {
                // A fence longer than any in the text cannot be closed by it.
                let fence = "`".repeat(longest_run(lines).max(2) + 1);
                let _ = writeln!(out, "{fence}\n{}\n{fence}\n", lines.trim_end());
            }
            Block::Figure(..) => {}
        }
    }
    out
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn inline_md(words: &[Inline]) -> String {
    let mut out = String::new();
    for word in words {
        match word {
            Inline::Text(words) => {
                for c in one_line_kept(words).chars() {
                    if matches!(c, '*' | '_' | '`' | '<' | '[' | ']' | '\\') {
                        out.push('\\');
                    }
                    out.push(c);
                }
            }
            Inline::Code(words) => {
                let fence = "`".repeat(longest_run(words) + 1);
                let words = words.replace('\n', " ");
                let pad = if words.starts_with('`') || words.ends_with('`') {
                    " "
                } else {
                    ""
                };
                let _ = write!(out, "{fence}{pad}{words}{pad}{fence}");
            }
            Inline::State(words) => {
                let _ = write!(out, "**{words}**");
            }
            Inline::Link(words, _) => out.push_str(&one_line_kept(words)),
        }
    }
    out
}

fn one_line_kept(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// The blocks as HTML, without a page around them.
pub(super) fn html(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        match block {
            Block::Heading(level, id, words) => {
                let id = escaped(id);
                let _ = writeln!(out, "<h{level} id=\"{id}\">{}</h{level}>", escaped(words));
            }
            Block::Para(words) => {
                let _ = writeln!(out, "<p>{}</p>", inline_html(words));
            }
            Block::List(items) => {
                out.push_str("<ul>\n");
                for item in items {
                    let _ = writeln!(out, "<li>{}</li>", inline_html(item));
                }
                out.push_str("</ul>\n");
            }
            Block::Table(head, rows) => table(&mut out, head, rows),
            Block::Code(lines) => {
                let _ = writeln!(out, "<pre>{}</pre>", escaped(lines.trim_end()));
            }
            Block::Figure(kind, of) => {
                let _ = writeln!(
                    out,
                    "<div class=\"figure\" data-figure=\"{kind}\" data-test=\"{of}\"></div>"
                );
            }
        }
    }
    out
}

fn table(out: &mut String, head: &[&str], rows: &[Row]) {
    out.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for cell in head {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escaped(cell));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        if row.id.is_empty() {
            out.push_str("<tr>");
        } else {
            let _ = write!(out, "<tr id=\"{}\">", escaped(&row.id));
        }
        for cell in &row.cells {
            let _ = write!(out, "<td>{}</td>", inline_html(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

fn inline_html(words: &[Inline]) -> String {
    let mut out = String::new();
    for word in words {
        let _ = match word {
            Inline::Text(words) => write!(out, "{}", escaped(words)),
            Inline::Code(words) => write!(out, "<code>{}</code>", escaped(words)),
            Inline::State(words) => {
                let class = colour(words);
                write!(
                    out,
                    "<span class=\"state {class}\">{}</span>",
                    escaped(words)
                )
            }
            Inline::Link(words, to) => {
                write!(out, "<a href=\"#{}\">{}</a>", escaped(to), escaped(words))
            }
        };
    }
    out
}

fn colour(state: &str) -> &'static str {
    let starts = |words: &[&str]| words.iter().any(|word| state.starts_with(word));
    if starts(&["PASS", "DONE", "yes", "landed", "held", "SUT-free", "shown"])
        && state != "DONE_WITH_CONCERNS"
    {
        "good"
    } else if starts(&["FAIL", "no", "violated", "SUT", "P0", "P1"]) && !starts(&["not"]) {
        "bad"
    } else {
        "doubt"
    }
}

/// The text as HTML takes it, in elements and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_markup_is_text_in_both_forms() {
        let words = "a *b* <script>|x\ny";
        let blocks = [
            Block::Heading(2, "h".to_owned(), words.to_owned()),
            Block::Table(
                vec!["one"],
                vec![row(vec![vec![text(words), code("`t`|")]])],
            ),
            Block::Code("```\n</script>".to_owned()),
        ];
        let page = html(&blocks);
        assert!(
            !page.contains("<script>") && !page.contains("</script>"),
            "{page}"
        );
        let text = markdown(&blocks);
        let line = text
            .lines()
            .find(|line| line.starts_with("| a"))
            .expect("the row");
        assert_eq!(line, "| a \\*b\\* \\<script>\\|x y`` `t`\\| `` |");
        assert!(text.contains("\n````\n```\n</script>\n````\n"), "{text}");
    }

    #[test]
    fn states_are_coloured_by_what_they_say() {
        for (state, class) in [
            ("PASS-smoke", "good"),
            ("FAIL-reproducible", "bad"),
            ("NOT-RUN", "doubt"),
            ("DONE_WITH_CONCERNS", "doubt"),
            ("not shown", "doubt"),
            ("no", "bad"),
        ] {
            assert_eq!(colour(state), class, "{state}");
        }
    }
}
