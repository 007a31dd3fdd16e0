//! The body of a scenario to its fields.

use std::ops::Range;

use super::arms;
use super::labels::{known, labelled};
use crate::outline::{Begins, Block, Line, trimmed};
use crate::plan::{Field, FieldKind, Node, PlanScenario, plain};

/// Reads a scenario's blocks into its fields. No text is lost: what is no field is prose or stray.
pub(crate) fn read(text: &str, blocks: &[Block], scenario: &mut PlanScenario) {
    let mut reader = Reader {
        text,
        scenario,
        depth: None,
        closed: false,
        head: Vec::new(),
    };
    for block in blocks {
        match block {
            Block::Heading { text: span, .. } => reader.heading(span),
            Block::Line(line) => reader.line(line),
            Block::Row { header, cells } => reader.row(*header, cells),
            Block::Code { span, .. } => reader.code(span),
        }
    }
    let fields = std::mem::take(&mut scenario.fields);
    let mut split: Vec<Field> = fields
        .into_iter()
        .flat_map(|field| split_formal(text, field))
        .collect();
    for field in &mut split {
        if field.kind == FieldKind::Surfaces {
            arms::from_field(text, field, scenario);
        }
    }
    scenario.fields = split;
}

struct Reader<'a> {
    text: &'a str,
    scenario: &'a mut PlanScenario,
    /// List depth of the last field's label; `None`: no field is open.
    depth: Option<usize>,
    /// The lines that follow go on with prose or a stray, not with the open field.
    closed: bool,
    /// The head of the table of arms being read.
    head: Vec<String>,
}

impl Reader<'_> {
    fn node(&self, span: &Range<usize>) -> Node {
        Node {
            span: span.clone(),
            text: plain(&self.text[span.clone()]),
        }
    }

    fn open(&mut self, field: Field, depth: usize) {
        self.scenario.fields.push(field);
        self.depth = Some(depth);
        self.closed = false;
    }

    fn is_open(&self, kind: FieldKind) -> bool {
        let last = self.scenario.fields.last();
        self.depth.is_some() && last.is_some_and(|field| field.kind == kind)
    }

    /// Code under `Skeleton` is the skeleton; elsewhere nobody compiles it.
    fn code(&mut self, span: &Range<usize>) {
        if self.is_open(FieldKind::Skeleton) {
            self.scenario.skeletons.push(span.clone());
        } else if !self.is_open(FieldKind::Note) {
            let first = self.text[span.clone()].find('\n');
            let end = first.map_or(span.end, |at| span.start + at);
            let node = self.node(&(span.start..end));
            self.scenario.prose.push(node);
        }
    }

    fn heading(&mut self, span: &Range<usize>) {
        let label = self.text[span.clone()].trim_end_matches(':');
        let bare = label.split([':', '(']).next().unwrap_or("").trim();
        if let Some(kind) = known(bare) {
            self.open(
                Field {
                    kind,
                    label: span.clone(),
                    parts: Vec::new(),
                },
                0,
            );
            return;
        }
        self.depth = None;
        let node = self.node(span);
        self.scenario.prose.push(node);
    }

    fn line(&mut self, line: &Line) {
        let found = labelled(self.text, &line.span);
        // What stands under an arm is the arm's.
        let of_arm = self.is_open(FieldKind::Surfaces)
            && self.depth.is_some_and(|depth| line.depth > depth + 1);
        if let Some(found) = &found
            && let Some(kind) = found.kind
            && !of_arm
        {
            let value = trimmed(self.text, found.value.clone());
            let parts = if value.is_empty() {
                Vec::new()
            } else {
                vec![vec![value]]
            };
            self.open(
                Field {
                    kind,
                    label: found.label.clone(),
                    parts,
                },
                line.depth,
            );
            return;
        }
        let node = self.node(&line.span);
        match (line.begins, self.depth) {
            (Begins::Nothing, _) if self.closed => self.scenario.prose.push(node),
            (Begins::Nothing, Some(_)) => self.go_on(&line.span),
            (Begins::Item, Some(depth)) if line.depth > depth => self.part(&line.span),
            (Begins::Item, _) => {
                self.closed = true;
                self.scenario.strays.push(node);
            }
            (Begins::Paragraph, Some(depth)) if line.depth > depth || self.awaits(line) => {
                self.part(&line.span);
            }
            _ => {
                self.closed = true;
                self.scenario.prose.push(node);
            }
        }
    }

    /// Whether a paragraph beside the open field is its value: in the same item, or still missing.
    fn awaits(&self, line: &Line) -> bool {
        let inside = line.depth > 0 && self.depth == Some(line.depth);
        inside
            || self
                .scenario
                .fields
                .last()
                .is_some_and(|field| field.parts.is_empty())
    }

    fn part(&mut self, span: &Range<usize>) {
        self.closed = false;
        if let Some(field) = self.scenario.fields.last_mut() {
            field.parts.push(vec![span.clone()]);
        }
    }

    fn go_on(&mut self, span: &Range<usize>) {
        if let Some(field) = self.scenario.fields.last_mut() {
            match field.parts.last_mut() {
                Some(part) => part.push(span.clone()),
                None => field.parts.push(vec![span.clone()]),
            }
        }
    }

    /// A table of fields, one a row, or rows that are nobody's.
    fn row(&mut self, header: bool, cells: &[Range<usize>]) {
        if self.is_open(FieldKind::Surfaces) {
            self.arm(header, cells);
            return;
        }
        let [first, second, ..] = cells else { return };
        if header && known(&self.text[first.clone()]).is_none() {
            return;
        }
        match known(&self.text[first.clone()]) {
            Some(kind) => {
                let parts = if second.is_empty() {
                    Vec::new()
                } else {
                    vec![vec![second.clone()]]
                };
                self.open(
                    Field {
                        kind,
                        label: first.clone(),
                        parts,
                    },
                    0,
                );
                self.closed = true;
            }
            None => {
                let node = self.node(&(first.start..cells.last().map_or(first.end, |c| c.end)));
                self.scenario.rows.push(node);
            }
        }
    }
}

impl Reader<'_> {
    fn arm(&mut self, header: bool, cells: &[Range<usize>]) {
        if header {
            let name = |cell: &Range<usize>| plain(&self.text[cell.clone()]);
            self.head = cells.iter().map(name).collect();
            return;
        }
        match arms::from_row(self.text, &self.head, cells) {
            Some(arm) => self.scenario.arms.push(arm),
            None => {
                let start = cells.first().map_or(0, |cell| cell.start);
                let end = cells.last().map_or(start, |cell| cell.end);
                let node = self.node(&(start..end.max(start)));
                self.scenario.strays.push(node);
            }
        }
    }
}

/// Splits `Model: log; history: default; checker: ...` into a field each.
fn split_formal(text: &str, field: Field) -> Vec<Field> {
    if !field.kind.is_formal() {
        return vec![field];
    }
    let mut fields = vec![Field {
        parts: Vec::new(),
        ..field.clone()
    }];
    for part in &field.parts {
        let mut fresh = true;
        for line in part {
            for (at, piece) in pieces(text, line).into_iter().enumerate() {
                let found = labelled(text, &piece);
                let inner = found.filter(|f| f.kind.is_some_and(|kind| kind.is_formal()));
                if let Some(found) = inner
                    && let Some(kind) = found.kind
                {
                    fields.push(Field {
                        kind,
                        label: found.label,
                        parts: Vec::new(),
                    });
                    fresh = true;
                    push(&mut fields, trimmed(text, found.value), &mut fresh);
                } else {
                    fresh |= at > 0;
                    push(&mut fields, piece, &mut fresh);
                }
            }
        }
    }
    fields
}

fn push(fields: &mut [Field], span: Range<usize>, fresh: &mut bool) {
    let Some(field) = fields.last_mut() else {
        return;
    };
    if span.is_empty() {
        return;
    }
    match field.parts.last_mut() {
        Some(part) if !*fresh => part.push(span),
        _ => field.parts.push(vec![span]),
    }
    *fresh = false;
}

/// The line cut at its semicolons, those in quotation marks left alone.
pub(crate) fn pieces(text: &str, line: &Range<usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut from = line.start;
    let mut quoted = false;
    for (at, c) in text[line.clone()].char_indices() {
        match c {
            '"' | '“' | '”' => quoted = !quoted,
            ';' if !quoted => {
                pieces.push(trimmed(text, from..line.start + at));
                from = line.start + at + 1;
            }
            _ => {}
        }
    }
    pieces.push(trimmed(text, from..line.end));
    pieces
}
