//! Markdown test plans to scenarios.
//!
//! Takes the text of a plan, gives a [`Compiled`]: the typed plan, the scenarios that can run,
//! those that cannot and why, diagnostics with the bytes they are about, and for each clause what
//! it compiled to. The language is the controlled English of claim-driven test plans.
//!
//! *Invariants*
//! - A plan never fails to parse: [`compile`] is total and never panics, on any text.
//! - No clause is dropped. One that is not understood makes its scenario not runnable, and an
//!   error points at it.
//! - No I/O, no clock, no randomness, no global state; the same text gives the same value.
//! - Nothing here runs, and nothing here knows a simulator: scenarios are plain data.
//! - Every span lies inside the text, on character boundaries.
//!
//! *Modules*, in reading order
//! - [`scenario`]: what a compiled scenario says; `human`: the same in words
//! - [`plan`]: what a plan's document says
//! - `outline`: Markdown to blocks; `read`: blocks to the plan
//! - `tokens`, `cursor`: clauses to phrases; `grammar`: the phrases of each field
//! - `compile`: fields to a scenario, by `defaults` and under `obligations`; `checks`: what holds
//!   across the plan
//! - [`diagnostic`], `sink`, `suggest`, `render`: what the author is told
//!
//! ```
//! let compiled = plan_compiler::compile("# Test Plan: empty\n");
//! assert!(compiled.scenarios.is_empty());
//! assert_eq!(compiled.diagnostics[0].code, plan_compiler::Code::NoScenarios);
//! ```

pub mod diagnostic;
pub mod plan;
pub mod scenario;

mod checks;
mod compile;
mod cursor;
mod defaults;
mod grammar;
mod human;
mod obligations;
mod outline;
mod read;
mod render;
mod sink;
mod suggest;
mod tokens;

use std::ops::Range;

use serde::Serialize;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use human::duration;
pub use plan::Plan;
pub use render::render;
pub use scenario::Scenario;
pub use sink::Explained;

/// A plan compiled: everything that is known about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compiled {
    /// The document.
    pub plan: Plan,
    /// The scenarios that can run, in the plan's order.
    pub scenarios: Vec<Scenario>,
    /// The scenarios that cannot, in the plan's order.
    pub not_runnable: Vec<NotRunnable>,
    /// What the author should know, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// What each clause compiled to, and the defaults for what the plan leaves open (these stand
    /// at the scenario's heading), in the order of the text.
    pub explain: Vec<Explained>,
}

impl Compiled {
    /// Whether any diagnostic is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|found| found.severity == Severity::Error)
    }

    /// The scenario of this id, when it can run.
    #[must_use]
    pub fn scenario(&self, id: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.id == id)
    }

    /// The name under which a scenario is a Rust test: `s3_linearizable_append`.
    #[must_use]
    pub fn test_name(id: &str, name: &str) -> String {
        let joined = if name == id {
            id.to_owned()
        } else {
            format!("{id}_{name}")
        };
        let lower = joined.to_lowercase();
        let kept = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let spaced: String = lower.chars().map(kept).collect();
        let words: Vec<&str> = spaced.split('_').filter(|word| !word.is_empty()).collect();
        let word = words.join("_");
        if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            word
        } else {
            format!("s_{word}")
        }
    }
}

/// A scenario that an error keeps from running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotRunnable {
    /// `S3`; `S3-line-42` for one whose id another scenario has taken.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Line of its heading, from 1.
    pub line: u32,
    /// The bytes of its heading.
    pub span: Range<usize>,
    /// The errors, by code, in the order they were found.
    pub codes: Vec<Code>,
    /// The errors' messages, beside the codes.
    pub reasons: Vec<String>,
}

/// Compiles a plan. Total on any text; linear in its length but for near misses.
#[must_use]
pub fn compile(text: &str) -> Compiled {
    let mut sink = sink::Sink::new(text);
    let (plan, open_fences) = read::sections::read(text, &sink.lines);
    for fence in &open_fences {
        let first = text[fence.clone()]
            .find('\n')
            .map_or(fence.end, |at| fence.start + at);
        let message = "this code fence is never closed, and hides what follows it";
        let help = Some("close it with ``` on a line of its own".to_owned());
        let label = "opened here";
        sink.error(
            Code::UnclosedFence,
            &(fence.start..first),
            message,
            label,
            help,
        );
    }
    checks::claim_rows(&plan, &mut sink);
    let taken = checks::duplicates(&plan, &mut sink);
    checks::coverage(&plan, &mut sink);
    checks::honesty(&plan, &mut sink);
    let (mut scenarios, mut not_runnable) = (Vec::new(), Vec::new());
    for (at, written) in plan.scenarios.iter().enumerate() {
        sink.scenario.clone_from(&written.id);
        sink.heading = written.heading.clone();
        sink.errors.clear();
        if taken.contains(&at) {
            let message = format!("scenario {} is declared twice", written.id);
            sink.errors.push((Code::DuplicateId, message));
        }
        if let Some(scenario) = compile::scenario(&plan, written, &mut sink) {
            scenarios.push(scenario);
            continue;
        }
        let (codes, reasons) = sink.errors.drain(..).unzip();
        let id = &written.id;
        let id = if taken.contains(&at) {
            format!("{id}-line-{}", written.line)
        } else {
            id.clone()
        };
        not_runnable.push(NotRunnable {
            id,
            name: written.name.clone(),
            line: written.line,
            span: written.heading.clone(),
            codes,
            reasons,
        });
    }
    sink.scenario.clear();
    checks::symmetric_only(&plan, &scenarios, &mut sink);
    if plan.scenarios.is_empty() {
        let end = text.find('\n').unwrap_or(text.len());
        let message = "the plan has no scenario";
        let help = Some("a scenario is a heading `### Scenario S1: name` with fields".to_owned());
        sink.error(
            Code::NoScenarios,
            &(0..end),
            message,
            "no scenario in this plan",
            help,
        );
    }
    let (mut diagnostics, mut explain) = (sink.diagnostics, sink.explain);
    explain.sort_by_key(|row| row.span.start);
    diagnostics.sort_by_key(|found| (found.span.start, found.span.end, found.code));
    Compiled {
        plan,
        scenarios,
        not_runnable,
        diagnostics,
        explain,
    }
}
