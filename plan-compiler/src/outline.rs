//! Markdown to a flat list of blocks, each with its bytes: headings, lines, table rows.
//!
//! Inline markup stays in the text; whoever reads a line drops it. Code is opaque.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A block of the plan, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// A heading and the bytes of its text.
    Heading { level: u8, text: Range<usize> },
    /// One line of a paragraph or list item, trimmed.
    Line(Line),
    /// One row of a table.
    Row {
        header: bool,
        cells: Vec<Range<usize>>,
    },
    /// A fenced code block.
    Code { span: Range<usize>, closed: bool },
}

/// One line of running text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) span: Range<usize>,
    /// How many lists it is inside of.
    pub(crate) depth: usize,
    pub(crate) begins: Begins,
}

/// What a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    Item,
    Paragraph,
    /// Nothing: it goes on with what the line before it began.
    Nothing,
}

/// Reads the blocks of a plan. Total on any text, linear in its length.
pub(crate) fn outline(text: &str) -> Vec<Block> {
    let mut reader = Reader {
        text,
        blocks: Vec::new(),
        run: None,
        heading: None,
        depth: 0,
        quotes: 0,
        begins: Begins::Paragraph,
        row: None,
        skip: false,
    };
    let options = Options::ENABLE_TABLES;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        reader.event(&event, range);
    }
    reader.flush();
    reader.blocks
}

struct Reader<'a> {
    text: &'a str,
    blocks: Vec<Block>,
    /// The bytes of the inline run being read.
    run: Option<Range<usize>>,
    heading: Option<(u8, Range<usize>)>,
    depth: usize,
    quotes: usize,
    begins: Begins,
    row: Option<(bool, Vec<Range<usize>>)>,
    /// Inside code, whose text is not read.
    skip: bool,
}

impl Reader<'_> {
    fn event(&mut self, event: &Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(*tag),
            Event::Rule => self.flush(),
            _ => self.inline(&range),
        }
    }

    fn inline(&mut self, range: &Range<usize>) {
        if self.skip || self.row.is_some() {
            return;
        }
        let run = self.run.get_or_insert(range.clone());
        run.start = run.start.min(range.start);
        run.end = run.end.max(range.end);
    }

    fn start(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Emphasis | Tag::Strong | Tag::Link { .. } | Tag::Image { .. } => {
                self.inline(&range);
                return;
            }
            Tag::TableCell => {
                if let Some((_, cells)) = &mut self.row {
                    cells.push(trimmed(self.text, range));
                }
                return;
            }
            _ => self.flush(),
        }
        match tag {
            Tag::Heading { level, .. } => self.heading = Some((number(*level), range)),
            Tag::List(_) => self.depth += 1,
            Tag::Item => self.begins = Begins::Item,
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::TableHead => self.row = Some((true, Vec::new())),
            Tag::TableRow => self.row = Some((false, Vec::new())),
            Tag::CodeBlock(CodeBlockKind::Fenced(_)) => {
                let closed = fence_is_closed(&self.text[range.clone()]);
                self.blocks.push(Block::Code {
                    span: range,
                    closed,
                });
                self.skip = true;
            }
            Tag::HtmlBlock => {
                self.skip = self.text[range].trim_start().starts_with("<!--");
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Link
            | TagEnd::Image
            | TagEnd::TableCell => return,
            TagEnd::Heading(_) => self.end_heading(),
            TagEnd::TableHead | TagEnd::TableRow => {
                if let Some((header, cells)) = self.row.take() {
                    self.blocks.push(Block::Row { header, cells });
                }
            }
            _ => self.flush(),
        }
        match tag {
            TagEnd::List(_) => self.depth = self.depth.saturating_sub(1),
            TagEnd::BlockQuote(_) => self.quotes = self.quotes.saturating_sub(1),
            TagEnd::CodeBlock | TagEnd::HtmlBlock => self.skip = false,
            TagEnd::Item | TagEnd::Paragraph => self.begins = Begins::Paragraph,
            _ => {}
        }
    }

    /// A heading, or the paragraph that an underline of dashes made one of by accident.
    fn end_heading(&mut self) {
        let Some((level, span)) = self.heading.take() else {
            return;
        };
        let underlined = !self.text[span.clone()].trim_start().starts_with('#');
        let Some(run) = self.run.clone() else {
            self.blocks.push(Block::Heading {
                level,
                text: span.start..span.start,
            });
            return;
        };
        if underlined && level == 2 && self.text[run.clone()].contains(':') {
            self.flush();
            return;
        }
        self.run = None;
        self.blocks.push(Block::Heading {
            level,
            text: trimmed(self.text, run),
        });
    }

    /// Ends the inline run: its lines become blocks.
    fn flush(&mut self) {
        let Some(run) = self.run.take() else { return };
        let mut at = run.start;
        for raw in self.text[run].split_inclusive('\n') {
            let mut span = trimmed(self.text, at..at + raw.len());
            at += raw.len();
            for _ in 0..self.quotes {
                if self.text[span.clone()].starts_with('>') {
                    span = trimmed(self.text, span.start + 1..span.end);
                }
            }
            if span.is_empty() {
                continue;
            }
            let begins = std::mem::replace(&mut self.begins, Begins::Nothing);
            self.blocks.push(Block::Line(Line {
                span,
                depth: self.depth,
                begins,
            }));
        }
        self.begins = Begins::Paragraph;
    }
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// The range without white space at its ends.
pub(crate) fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let raw = &text[range.clone()];
    let start = range.start + (raw.len() - raw.trim_start().len());
    start..start + raw.trim().len()
}

fn fence_is_closed(block: &str) -> bool {
    let opening = block.trim_start();
    let mark = if opening.starts_with('~') { '~' } else { '`' };
    block.lines().skip(1).last().is_some_and(|last| {
        let last = last.trim_start_matches(['>', ' ', '\t']).trim_end();
        last.len() >= 3 && last.chars().all(|c| c == mark)
    })
}
