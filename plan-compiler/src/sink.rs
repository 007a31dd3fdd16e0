//! Where the stages put what they have to say: diagnostics, and what each clause compiled to.

use std::ops::Range;

use serde::Serialize;

use crate::cursor::{Cursor, is_unit};
use crate::diagnostic::{Code, Diagnostic, LineIndex, Severity};
use crate::plan::{Field, FieldKind, PlanScenario, plain};
use crate::suggest::nearest;
use crate::tokens::{Kind, Token};

/// After this many diagnostics near misses are no longer looked for.
const SUGGESTING_UNTIL: usize = 200;

/// What a clause of the plan compiled to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The scenario it belongs to; empty for the plan as a whole.
    pub scenario: String,
    /// The field it stands in.
    pub field: FieldKind,
    /// The bytes of the clause; empty, at the scenario's heading, for what the plan leaves open.
    pub span: Range<usize>,
    /// Line of the clause, from 1.
    pub line: u32,
    /// The clause in the plan's words; empty for what the plan leaves open.
    pub text: String,
    /// What it became, in words.
    pub compiled: String,
    /// Whether this is a default, because the plan leaves it open.
    pub default: bool,
}

pub(crate) struct Sink<'a> {
    pub(crate) text: &'a str,
    pub(crate) lines: LineIndex<'a>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) explain: Vec<Explained>,
    /// The scenario being compiled, its heading, and its errors so far.
    pub(crate) scenario: String,
    pub(crate) heading: Range<usize>,
    pub(crate) errors: Vec<(Code, String)>,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Sink {
            text,
            lines: LineIndex::new(text),
            diagnostics: Vec::new(),
            explain: Vec::new(),
            scenario: String::new(),
            heading: 0..0,
            errors: Vec::new(),
        }
    }

    /// Goes on to a scenario.
    pub(crate) fn begin(&mut self, scenario: &PlanScenario) {
        self.scenario.clone_from(&scenario.id);
        self.heading = scenario.heading.clone();
        self.errors.clear();
    }

    pub(crate) fn error(
        &mut self,
        code: Code,
        span: &Range<usize>,
        message: impl Into<String>,
        label: &str,
        help: Option<String>,
    ) {
        let message = message.into();
        self.errors.push((code, message.clone()));
        self.put(code, Severity::Error, span, message, label, help);
    }

    pub(crate) fn warning(
        &mut self,
        code: Code,
        span: &Range<usize>,
        message: impl Into<String>,
        label: &str,
        help: Option<String>,
    ) {
        self.put(code, Severity::Warning, span, message.into(), label, help);
    }

    fn put(
        &mut self,
        code: Code,
        severity: Severity,
        span: &Range<usize>,
        message: String,
        label: &str,
        help: Option<String>,
    ) {
        let span = self.lines.snap(span);
        let (line, column) = self.lines.position(span.start);
        let label = label.to_owned();
        self.diagnostics.push(Diagnostic {
            code,
            severity,
            message,
            span,
            line,
            column,
            label,
            help,
        });
    }

    /// Says what a clause became.
    pub(crate) fn explain(
        &mut self,
        field: FieldKind,
        span: &Range<usize>,
        compiled: impl Into<String>,
    ) {
        let span = self.lines.snap(span);
        let text = plain(&self.text[span.clone()]);
        self.explained(field, span, text, compiled.into(), false);
    }

    /// Says what holds where the plan is silent.
    pub(crate) fn default(&mut self, field: FieldKind, compiled: impl Into<String>) {
        let span = self.heading.start..self.heading.start;
        self.explained(field, span, String::new(), compiled.into(), true);
    }

    fn explained(
        &mut self,
        field: FieldKind,
        span: Range<usize>,
        text: String,
        compiled: String,
        default: bool,
    ) {
        let line = self.lines.line(span.start);
        let scenario = self.scenario.clone();
        self.explain.push(Explained {
            scenario,
            field,
            span,
            line,
            text,
            compiled,
            default,
        });
    }

    /// Complains about the token under the cursor and goes on after its clause.
    ///
    /// `vocabulary` is what the grammar at this place knows, for near misses.
    pub(crate) fn not_understood(
        &mut self,
        cursor: &mut Cursor<'_>,
        field: FieldKind,
        vocabulary: &[&str],
        help: &str,
    ) {
        let from = cursor.at;
        if cursor.done() {
            return;
        }
        cursor.skip_clause();
        let clause = &cursor.tokens[from..cursor.at.min(cursor.tokens.len())];
        let suggesting = self.diagnostics.len() < SUGGESTING_UNTIL;
        let near = if suggesting {
            near_miss(clause, vocabulary)
        } else {
            None
        };
        let bad_number = near.is_none() && is_quantity(clause);
        let (span, near) = match near {
            Some((span, near)) => (span, Some(near)),
            None => (cursor.span_from(from), None),
        };
        let said = plain(&self.text[self.lines.snap(&span)]);
        let name = field.label();
        if bad_number {
            let message = format!("`{said}` is not a quantity that {name} can use");
            let label = "number without a meaning here";
            let known = |noun: &&str| {
                let mut words = vocabulary
                    .iter()
                    .flat_map(|phrase| phrase.split([' ', '|', '?']));
                words.any(|word| word == *noun)
            };
            let help = Some(match counted(clause) {
                Some(noun) if known(&noun) => help.to_owned(),
                Some(noun) => format!("nothing is counted in `{noun}` here; {help}"),
                None => format!("durations need a unit (`30s`, `5min`); {help}"),
            });
            self.error(Code::BadNumber, &span, message, label, help);
            return;
        }
        let message = format!("`{said}` is not understood in {name}");
        let help = match near {
            Some(near) => format!("did you mean `{near}`?\n{help}"),
            None => help.to_owned(),
        };
        self.error(
            Code::NotUnderstood,
            &span,
            message,
            "not understood",
            Some(help),
        );
    }

    /// Complains about two values where one can hold.
    pub(crate) fn conflict(&mut self, span: &Range<usize>, what: &str) {
        let message = format!("{what} is said twice, and differently");
        let help = Some(format!("keep one {what}, or write a scenario for each"));
        self.error(
            Code::Conflict,
            span,
            message,
            "contradicts what stands before",
            help,
        );
    }

    /// The field's tokens.
    pub(crate) fn tokens(&self, field: &Field) -> Vec<Token> {
        crate::tokens::tokens(self.text, &field.parts)
    }
}

/// What stands behind the number that a clause begins with.
fn counted(clause: &[Token]) -> Option<&str> {
    let (number, noun) = (clause.first()?, clause.get(1)?);
    match (&number.kind, &noun.kind) {
        (Kind::Number { .. }, Kind::Word(noun)) if !is_unit(noun) => Some(noun),
        _ => None,
    }
}

/// A number that nothing could use, alone or after the word that announces a time.
fn is_quantity(clause: &[Token]) -> bool {
    let number = |token: &Token| matches!(token.kind, Kind::Number { .. });
    let announced = [
        "at", "for", "every", "after", "within", "between", "from", "lasting",
    ];
    clause.first().is_some_and(|first| {
        number(first) || announced.contains(&first.spelling()) && clause.iter().any(number)
    })
}

/// The first word of a clause that is misspelt, among those that matter to how it is read.
fn near_miss<'v>(clause: &[Token], vocabulary: &[&'v str]) -> Option<(Range<usize>, &'v str)> {
    clause.iter().take(3).find_map(|token| {
        let Kind::Word(word) = &token.kind else {
            return None;
        };
        let known = vocabulary
            .iter()
            .flat_map(|phrase| phrase.split([' ', '|', '?']));
        // A plural is no slip of the pen.
        let plural = |near: &str| {
            near.strip_suffix('s') == Some(word) || word.strip_suffix('s') == Some(near)
        };
        let near = nearest(word, known).filter(|near| !plural(near))?;
        Some((token.span.clone(), near))
    })
}
