//! The document as a whole: title, header, sections, claims, hypotheses, scenarios.

use std::ops::Range;

use super::claims;
use super::fields;
use super::labels::labelled;
use super::tables;
use crate::diagnostic::LineIndex;
use crate::outline::{Begins, Block, Line, outline};
use crate::plan::{HeaderField, Item, Node, Plan, PlanScenario, Section, SectionKind, plain};

/// The section numbers and words by which sections are known.
const SECTIONS: &[(&str, &[&str], SectionKind)] = &[
    ("0", &["architectural summary"], SectionKind::Summary),
    ("1b", &["claims under test"], SectionKind::Claims),
    ("1c", &["missing claims"], SectionKind::MissingClaims),
    ("1", &["scope"], SectionKind::Scope),
    ("2", &["sut model"], SectionKind::SutModel),
    ("3", &["existing test"], SectionKind::Inventory),
    ("4", &["hypotheses"], SectionKind::Hypotheses),
    ("5", &["coverage matrix"], SectionKind::Coverage),
    (
        "6b",
        &["environment requirements"],
        SectionKind::Environment,
    ),
    ("6", &["technique selection"], SectionKind::Technique),
    ("7b", &["adequacy"], SectionKind::Adequacy),
    ("7c", &["residual"], SectionKind::Residual),
    ("7d", &["confidence statement"], SectionKind::Confidence),
    ("7", &["scenarios"], SectionKind::Scenarios),
    (
        "8",
        &["does not cover", "not covered"],
        SectionKind::NotCovered,
    ),
    ("9", &["open questions"], SectionKind::OpenQuestions),
    ("", &["claims"], SectionKind::Claims),
];

/// Reads the document. Total on any text; also says where code fences are left open.
pub(crate) fn read(text: &str, lines: &LineIndex<'_>) -> (Plan, Vec<Range<usize>>) {
    let blocks = outline(text);
    let mut reader = Reader {
        text,
        lines,
        plan: Plan::default(),
        section: None,
    };
    let mut at = 0;
    while at < blocks.len() {
        at = reader.block(&blocks, at);
    }
    let end = text.len();
    reader.close_sections(end, 1);
    tables::derive(text, &mut reader.plan);
    let open = blocks.iter().filter_map(|block| match block {
        Block::Code {
            span,
            closed: false,
        } => Some(span.clone()),
        _ => None,
    });
    (reader.plan, open.collect())
}

struct Reader<'a> {
    text: &'a str,
    lines: &'a LineIndex<'a>,
    plan: Plan,
    /// The kind of section being read, with its table's header cells once seen.
    section: Option<(SectionKind, Vec<String>)>,
}

impl Reader<'_> {
    fn node(&self, span: &Range<usize>) -> Node {
        Node {
            span: span.clone(),
            text: plain(&self.text[span.clone()]),
        }
    }

    /// Reads the block at `at`; gives the index of the next to read.
    fn block(&mut self, blocks: &[Block], at: usize) -> usize {
        if let Some(section) = self.plan.sections.last_mut()
            && !matches!(blocks[at], Block::Heading { .. })
        {
            section.blocks += 1;
        }
        match &blocks[at] {
            Block::Heading { level, text } => return self.heading(blocks, at, *level, text),
            Block::Line(line) => {
                self.text_item(line);
                self.line(line);
            }
            Block::Row { header, cells } => {
                self.row_item(*header, cells);
                self.row(*header, cells);
            }
            Block::Code { .. } => {}
        }
        at + 1
    }

    /// Keeps a line in the body of its section; a wrapped one goes on with the one before.
    fn text_item(&mut self, line: &Line) {
        let node = self.node(&line.span);
        let Some(section) = self.plan.sections.last_mut() else {
            return;
        };
        match section.items.last_mut() {
            Some(Item::Text(last)) if line.begins == Begins::Nothing => {
                last.text = format!("{} {}", last.text, node.text);
                last.span.end = node.span.end;
            }
            _ => section.items.push(Item::Text(node)),
        }
    }

    fn row_item(&mut self, header: bool, cells: &[Range<usize>]) {
        let cells = cells.iter().map(|cell| self.node(cell)).collect();
        if let Some(section) = self.plan.sections.last_mut() {
            section.items.push(Item::Row { header, cells });
        }
    }

    fn heading(&mut self, blocks: &[Block], at: usize, level: u8, span: &Range<usize>) -> usize {
        let title = self.node(span);
        if let Some(scenario) = self.scenario(&title) {
            let ends =
                |block: &Block| matches!(block, Block::Heading { level: l, .. } if *l <= level);
            let body = &blocks[at + 1..];
            let length = body.iter().position(ends).unwrap_or(body.len());
            let mut scenario = scenario;
            fields::read(self.text, &body[..length], &mut scenario);
            self.plan.scenarios.push(scenario);
            return at + 1 + length;
        }
        if self.plan.slug.is_none() && self.plan.sections.is_empty() {
            let slug = self.slug(span);
            if level == 1 || slug.span != *span {
                self.plan.slug = Some(slug);
                return at + 1;
            }
        }
        self.close_sections(span.start, level);
        let kind = section_kind(&title.text);
        if kind.is_some() || level <= 2 {
            self.section = kind.map(|kind| (kind, Vec::new()));
        }
        let span = span.start..self.text.len();
        self.plan.sections.push(Section {
            kind,
            title,
            level,
            span,
            blocks: 0,
            items: Vec::new(),
        });
        at + 1
    }

    /// What follows `Test Plan:` in the title, or the whole title.
    fn slug(&self, span: &Range<usize>) -> Node {
        let raw = &self.text[span.clone()];
        let is_title = raw.to_lowercase().starts_with("test plan");
        match raw.find([':', '—', '–']).filter(|_| is_title) {
            Some(at) => {
                let rest = raw[at..].trim_start_matches([':', '—', '–', ' ', '`', '*']);
                self.node(&(span.end - rest.len()..span.end))
            }
            None => self.node(span),
        }
    }

    /// The scenario a heading opens, with no fields yet.
    fn scenario(&self, title: &Node) -> Option<PlanScenario> {
        let in_section = matches!(self.section, Some((SectionKind::Scenarios, _)));
        let words = title.text.trim();
        let named = words
            .get(..8)
            .is_some_and(|word| word.eq_ignore_ascii_case("scenario"));
        let rest = if named {
            words[8..].trim_start_matches([' ', ':'])
        } else {
            words
        };
        if named && words[8..].starts_with(|c: char| c.is_alphanumeric()) {
            return None;
        }
        let cut = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let (id, name) = rest.split_at(cut);
        let mut letters = id.trim_end_matches(|c: char| c.is_ascii_digit()).chars();
        let is_id = id.ends_with(|c: char| c.is_ascii_digit())
            && letters.next().is_some_and(char::is_alphabetic)
            && letters.next().is_none();
        if !(named || in_section && is_id && id.starts_with(['S', 's'])) {
            return None;
        }
        let name = name
            .trim_start_matches([':', '-', '—', '–', '.', ' '])
            .trim();
        // `Scenario 1: name` is S1.
        let numbered = named && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let (id, is_id) = match numbered {
            true => (format!("S{id}"), true),
            false => (id.to_owned(), is_id),
        };
        let line = self.lines.line(title.span.start);
        let made_up = format!("S-line-{line}");
        let (id, name) = match (is_id, name.is_empty()) {
            (true, false) => (id, name.to_owned()),
            (true, true) => (id.clone(), id),
            (false, _) if rest.is_empty() => (made_up.clone(), made_up),
            (false, _) => (made_up, rest.to_owned()),
        };
        Some(PlanScenario {
            id,
            name,
            heading: title.span.clone(),
            line,
            fields: Vec::new(),
            prose: Vec::new(),
            strays: Vec::new(),
            rows: Vec::new(),
            arms: Vec::new(),
            skeletons: Vec::new(),
        })
    }

    /// Ends the bodies of the sections that a heading of this level ends.
    fn close_sections(&mut self, end: usize, level: u8) {
        let whole = self.text.len();
        for section in self.plan.sections.iter_mut().rev() {
            if section.level >= level && section.span.end == whole {
                section.span.end = end.max(section.span.start);
            }
            if section.level < level {
                break;
            }
        }
    }

    fn line(&mut self, line: &Line) {
        let node = self.node(&line.span);
        match self.section.as_ref().map(|(kind, _)| *kind) {
            Some(kind @ (SectionKind::Claims | SectionKind::MissingClaims)) => {
                let missing = kind == SectionKind::MissingClaims;
                let at = self.lines.line(line.span.start);
                let row = claims::item(self.text, line, missing, at);
                self.plan.claims.extend(row);
            }
            Some(SectionKind::Hypotheses) => match claims::hypothesis_item(self.text, line) {
                Some(hypothesis) => self.plan.hypotheses.push(hypothesis),
                None => {
                    let named = claims::could_falsify(self.text, &line.span);
                    if let Some(last) = self.plan.hypotheses.last_mut() {
                        last.could_falsify.extend(named);
                    }
                }
            },
            None if self.plan.sections.is_empty() => {
                if let Some(found) = labelled(self.text, &line.span) {
                    let label = plain(&self.text[found.label]);
                    let value = self.node(&found.value);
                    self.plan.header.push(HeaderField { label, value });
                } else if let Some(last) = self.plan.header.last_mut() {
                    last.value.text = format!("{} {}", last.value.text, node.text);
                    last.value.span.end = node.span.end;
                }
            }
            _ => {}
        }
    }

    fn row(&mut self, header: bool, cells: &[Range<usize>]) {
        if self.plan.sections.is_empty() && !header {
            if let [label, value, ..] = cells {
                let label = self.node(label).text;
                let value = self.node(value);
                self.plan.header.push(HeaderField { label, value });
            }
            return;
        }
        let names = |cell: &Range<usize>| plain(&self.text[cell.clone()]).to_lowercase();
        let names: Vec<String> = cells.iter().map(names).collect();
        let Some((kind, columns)) = &mut self.section else {
            return;
        };
        if header {
            *columns = names;
            return;
        }
        let line = cells.first().map_or(0, |cell| self.lines.line(cell.start));
        match kind {
            SectionKind::Claims | SectionKind::MissingClaims => {
                let missing = *kind == SectionKind::MissingClaims;
                let row = claims::row(self.text, columns, cells, missing, line);
                self.plan.claims.extend(row);
            }
            SectionKind::Hypotheses => {
                let row = claims::hypothesis_row(self.text, columns, cells);
                self.plan.hypotheses.extend(row);
            }
            _ => {}
        }
    }
}

fn section_kind(title: &str) -> Option<SectionKind> {
    let lower = title.to_lowercase();
    let trimmed = lower.trim_start_matches(['§', ' ']);
    let number = trimmed.strip_prefix("section ").unwrap_or(trimmed);
    let end = number
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(number.len());
    let number = &number[..end];
    let by_number = SECTIONS
        .iter()
        .find(|(n, ..)| !n.is_empty() && *n == number);
    let by_words = || {
        let words = |words: &&str| trimmed.contains(*words);
        SECTIONS
            .iter()
            .find(|(_, known, _)| known.iter().any(words))
    };
    by_number.or_else(by_words).map(|(.., kind)| *kind)
}
