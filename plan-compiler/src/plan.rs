//! The typed plan: what the document says, before anything in it is understood as a clause.
//!
//! Every node carries its bytes.

use std::ops::Range;

use serde::Serialize;

use crate::scenario::Category;

/// A test plan as a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// `raft-kv` of `# Test Plan: raft-kv`.
    pub slug: Option<Node>,
    /// Date, Plan mode, SUT and the like, in order.
    pub header: Vec<HeaderField>,
    /// What `Plan mode` says, when it is one of the two.
    pub mode: Option<PlanMode>,
    /// The headings under the title, in order.
    pub sections: Vec<Section>,
    /// 1b and 1c: what the product promises.
    pub claims: Vec<ClaimRow>,
    /// Section 4: how it may break.
    pub hypotheses: Vec<Hypothesis>,
    /// Section 5: which scenario tries which claim against which hypothesis.
    pub coverage: Vec<CoverageCell>,
    /// Section 6: how it is tested, and why so.
    pub techniques: Vec<Technique>,
    /// Section 6b: what must be there, an item each.
    pub environment: Vec<Node>,
    /// Section 7b: why the scenarios are enough.
    pub adequacy: Vec<Adequacy>,
    /// Section 7.
    pub scenarios: Vec<PlanScenario>,
}

/// A piece of the plan: its bytes and its text without markup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The bytes.
    pub span: Range<usize>,
    /// The text, wrapped lines joined by a space.
    pub text: String,
}

/// A field of the plan's header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeaderField {
    /// `Plan mode`.
    pub label: String,
    /// What it says.
    pub value: Node,
}

/// What a plan is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanMode {
    /// One change, and what it may break.
    ChangeScoped,
    /// Everything the product claims.
    ProjectWide,
}

/// A numbered section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Which of the sections that plans have, when it is one.
    pub kind: Option<SectionKind>,
    /// The heading.
    pub title: Node,
    /// Depth of the heading, from 1.
    pub level: u8,
    /// Heading and body.
    pub span: Range<usize>,
    /// Lines of text, rows and code blocks in the body.
    pub blocks: usize,
    /// What stands in the body, scenarios apart.
    pub items: Vec<Item>,
}

/// A piece of a section's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "item")]
pub enum Item {
    /// A paragraph or list item.
    Text(Node),
    /// A row of a table; cells that its line lacks are not there.
    Row {
        /// Whether it is the table's head.
        header: bool,
        /// Cell by cell.
        cells: Vec<Node>,
    },
}

/// A cell of the coverage matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoverageCell {
    /// The claim.
    pub claim: Node,
    /// The hypothesis; none where the matrix has a row a claim and no more.
    pub hypothesis: Option<Node>,
    /// The scenarios that the cell names.
    pub scenarios: Vec<Node>,
    /// The cell.
    pub cell: Node,
}

/// A technique that section 6 chose, or rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Technique {
    /// Its name.
    pub name: Node,
    /// Why.
    pub why: Option<Node>,
}

/// A row of the adequacy argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adequacy {
    /// The claim.
    pub claim: Node,
    /// What threatens it: hypotheses by name.
    pub threats: Vec<Node>,
    /// The scenarios that try it.
    pub scenarios: Vec<Node>,
    /// Why they are enough.
    pub why: Option<Node>,
}

/// The sections that plans have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SectionKind {
    /// 0.
    Summary,
    /// 1.
    Scope,
    /// 1b.
    Claims,
    /// 1c.
    MissingClaims,
    /// 2.
    SutModel,
    /// 3.
    Inventory,
    /// 4.
    Hypotheses,
    /// 5.
    Coverage,
    /// 6.
    Technique,
    /// 6b.
    Environment,
    /// 7.
    Scenarios,
    /// 7b.
    Adequacy,
    /// 7c.
    Residual,
    /// 7d.
    Confidence,
    /// 8.
    NotCovered,
    /// 9.
    OpenQuestions,
}

/// A row of the claims table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimRow {
    /// `C1`.
    pub id: Node,
    /// The promise.
    pub text: Node,
    /// Its kind, when it is one of the eleven.
    pub category: Option<Category>,
    /// Where it was found.
    pub source: Option<Node>,
    /// Whether it was inferred rather than stated.
    pub inferred: Option<bool>,
    /// Whether the row stands in 1c: nobody claimed it, and somebody should.
    pub missing: bool,
    /// Line, from 1.
    pub line: u32,
}

/// A failure-mode hypothesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hypothesis {
    /// `H1`.
    pub id: Node,
    /// How it may break.
    pub text: Node,
    /// The claims it could falsify.
    pub could_falsify: Vec<Node>,
}

/// A scenario as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanScenario {
    /// `S3`; made up when the heading has none.
    pub id: String,
    /// `linearizable_append_under_partition`; the id when the heading has none.
    pub name: String,
    /// The heading.
    pub heading: Range<usize>,
    /// Line of the heading, from 1.
    pub line: u32,
    /// Its fields, in order.
    pub fields: Vec<Field>,
    /// Text under the heading that belongs to no field.
    pub prose: Vec<Node>,
    /// Items that look like a field of no known name.
    pub strays: Vec<Node>,
    /// Rows of tables that are not fields.
    pub rows: Vec<Node>,
    /// 7.M.S: the surfaces that the scenario is run on, each in turn.
    pub arms: Vec<Arm>,
    /// The code blocks under `Skeleton`.
    pub skeletons: Vec<Range<usize>>,
}

/// An arm of 7.M.S: the scenario on one surface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arm {
    /// `api` of `S5/api`.
    pub name: Node,
    /// The surface, in words.
    pub surface: Node,
    /// What is other than in the scenario's own fields.
    pub fields: Vec<Field>,
}

/// A labelled field of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Which.
    pub kind: FieldKind,
    /// The label as written.
    pub label: Range<usize>,
    /// The value: its parts (list items), each the lines it is wrapped over.
    pub parts: Vec<Vec<Range<usize>>>,
}

impl Field {
    /// From the label to the end of the value.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        let lines = self.parts.iter().flatten();
        let end = lines.map(|line| line.end).max().unwrap_or(self.label.end);
        self.label.start..end.max(self.label.end)
    }

    /// The value's words, wrapped lines joined by a space and list items by a semicolon.
    #[must_use]
    pub fn text(&self, plan: &str) -> String {
        let part = |lines: &Vec<Range<usize>>| joined(plan, lines);
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(part)
            .filter(|p| !p.is_empty())
            .collect();
        parts.join("; ")
    }
}

/// The lines' text without markup, joined by a space.
pub(crate) fn joined(plan: &str, lines: &[Range<usize>]) -> String {
    let text: Vec<&str> = lines
        .iter()
        .filter_map(|line| plan.get(line.clone()))
        .collect();
    plain(&text.join(" "))
}

/// The text without the marks of emphasis and code.
pub(crate) fn plain(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| !matches!(c, '*' | '`' | '\0'))
        .collect();
    let words: Vec<&str> = kept.split_whitespace().collect();
    words.join(" ")
}

/// The fields that scenarios have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the plan's own")]
pub enum FieldKind {
    Falsifies,
    Closes,
    Technique,
    Topology,
    Disks,
    Workload,
    Faults,
    Oracle,
    Observability,
    ExitCriteria,
    Allow,
    Budgets,
    TargetFile,
    Language,
    Skeleton,
    Note,
    Formal,
    Surfaces,
    Model,
    History,
    Checker,
    Landing,
    Ambiguity,
    Reduction,
}
