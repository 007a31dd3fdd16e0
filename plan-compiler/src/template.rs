//! A plan to begin with: every section, one scenario, and no diagnostic.

use crate::plan::PlanMode;

/// A plan named `slug` that compiles without a diagnostic, to be filled in.
///
/// ```
/// let text = plan_compiler::template("cart", plan_compiler::plan::PlanMode::ProjectWide);
/// assert_eq!(plan_compiler::compile(&text).diagnostics, []);
/// ```
#[must_use]
pub fn template(slug: &str, mode: PlanMode) -> String {
    let (mode, change) = match mode {
        PlanMode::ChangeScoped => ("change-scoped", "which change, and where it is reviewed"),
        PlanMode::ProjectWide => ("project-wide", "none (baseline)"),
    };
    // A line break in the name would end the heading.
    let slug: Vec<&str> = slug.split_whitespace().collect();
    TEMPLATE
        .replace("{slug}", &slug.join("-"))
        .replace("{mode}", mode)
        .replace("{change}", change)
}

const TEMPLATE: &str = include_str!("template.md");
