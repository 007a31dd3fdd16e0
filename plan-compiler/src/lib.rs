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
//! - `arms`: what is compiled for a written scenario; `compile`: fields to a scenario, by
//!   `defaults` and `pace`, under `obligations`; `judges`: which oracle finds what;
//!   `weakness`: what a scenario can't show
//! - `checks`, `matrix`: what holds across the plan
//! - [`diagnostic`], `sink`, `suggest`, `render`: what the author is told; `template`: what an
//!   author begins with; [`author`]: the tests that are generated
//!
//! ```
//! let compiled = plan_compiler::compile("# Test Plan: empty\n");
//! assert!(compiled.scenarios.is_empty());
//! assert_eq!(compiled.diagnostics[0].code, plan_compiler::Code::NoScenarios);
//! ```

pub mod author;
pub mod diagnostic;
pub mod plan;
pub mod scenario;
pub mod transactions;

mod arms;
mod checks;
mod compile;
mod cursor;
mod defaults;
mod grammar;
mod human;
mod judges;
mod matrix;
mod obligations;
mod outline;
mod pace;
mod read;
mod render;
mod sink;
mod suggest;
mod template;
mod tokens;
mod weakness;

use std::ops::Range;

use serde::Serialize;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use human::duration;
pub use plan::Plan;
pub use render::{annotation, render};
pub use scenario::Scenario;
pub use sink::Explained;
pub use template::template;

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

/// What keeps a scenario from running.
fn refused(written: plan::PlanScenario, taken: bool, sink: &mut sink::Sink<'_>) -> NotRunnable {
    let line = sink.lines.line(written.heading.start);
    let (codes, reasons) = sink.errors.drain(..).unzip();
    let id = if taken {
        format!("{}-line-{line}", written.id)
    } else {
        written.id
    };
    NotRunnable {
        id,
        name: written.name,
        line,
        span: written.heading,
        codes,
        reasons,
    }
}

/// A plan is not longer than this.
const PLAN_BYTES_MAX: usize = 16 << 20;

/// Compiles what may be no text: bytes that are not UTF-8 are read as U+FFFD, and are an error.
///
/// Gives the text as well, which the spans are about.
#[must_use]
pub fn compile_bytes(bytes: &[u8]) -> (String, Compiled) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut compiled = compile(&text);
    if let Err(error) = std::str::from_utf8(bytes) {
        let good = error.valid_up_to();
        let mut sink = sink::Sink::new(&text);
        checks::not_utf8(good, bytes.get(good).copied(), &mut sink);
        compiled.diagnostics.splice(0..0, sink.diagnostics);
    }
    (text, compiled)
}

/// Of a text that is no plan, nothing is read but its size.
fn too_large(text: &str) -> Compiled {
    let mut sink = sink::Sink::new("");
    let message = format!(
        "the plan has {} MiB, and at most 16 are read",
        text.len() >> 20
    );
    let help = Some("is this the right file?".to_owned());
    sink.error(Code::PlanTooLarge, &(0..0), message, "too large", help);
    Compiled {
        plan: Plan::default(),
        scenarios: Vec::new(),
        not_runnable: Vec::new(),
        diagnostics: sink.diagnostics,
        explain: Vec::new(),
    }
}

/// Compiles a plan. Total on any text; linear in its length but for near misses.
#[must_use]
pub fn compile(text: &str) -> Compiled {
    if text.len() > PLAN_BYTES_MAX {
        return too_large(text);
    }
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
    checks::nul(&mut sink);
    checks::claim_rows(&plan, &mut sink);
    let taken = checks::duplicates(&plan, &mut sink);
    checks::coverage(&plan, &mut sink);
    checks::honesty(&plan, &mut sink);
    matrix::check(&plan, &mut sink);
    let (mut scenarios, mut not_runnable) = (Vec::new(), Vec::new());
    for (at, whole) in plan.scenarios.iter().enumerate() {
        let repeated = arms::duplicates(whole);
        for arms::Written { mut scenario, arm } in arms::expand(whole) {
            let name = scenario.heading.clone();
            let again = arm.is_some() && repeated.iter().any(|node| node.span == name);
            sink.begin(&scenario);
            arms::resolve(&plan, &mut scenario, &mut sink);
            let taken = taken.contains(&at) || again;
            if again {
                let id = &scenario.id;
                checks::duplicate("arm", id, &name, &mut sink);
            } else if taken {
                let message = format!("scenario {} is declared twice", scenario.id);
                sink.errors.push((Code::DuplicateId, message));
            }
            match compile::scenario(&plan, &scenario, arm, &mut sink) {
                Some(compiled) => scenarios.push(compiled),
                None => not_runnable.push(refused(scenario, taken, &mut sink)),
            }
        }
    }
    sink.scenario.clear();
    checks::symmetric_only(&plan, &scenarios, &mut sink);
    matrix::one_topology(&plan, &scenarios, &mut sink);
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
    // Arms share fields, and what is wrong with them is said once.
    diagnostics.dedup_by(|a, b| a.code == b.code && a.span == b.span && a.label == b.label);
    Compiled {
        plan,
        scenarios,
        not_runnable,
        diagnostics,
        explain,
    }
}
