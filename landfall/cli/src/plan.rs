//! `plan check` and `plan explain`: what needs the plan's text alone.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use plan_compiler::{Compiled, Diagnostic, Explained, Severity};
use serde::Serialize;

use crate::args::{Format, PlanCheckArgs, PlanExplainArgs};
use crate::exit::{Error, Exit};
use crate::output;

/// A plan's diagnostics as JSON.
#[derive(Serialize)]
struct FileReport<'a> {
    file: &'a str,
    errors: usize,
    warnings: usize,
    runnable: Vec<&'a str>,
    not_runnable: Vec<&'a str>,
    diagnostics: &'a [Diagnostic],
}

/// What a plan compiles to as JSON.
#[derive(Serialize)]
struct ExplainReport<'a> {
    file: &'a str,
    clauses: &'a [Explained],
    scenarios: &'a [plan_compiler::Scenario],
    not_runnable: &'a [plan_compiler::NotRunnable],
    diagnostics: &'a [Diagnostic],
    exit_code: u8,
}

/// `plan check FILE...`: every diagnostic. A file that cannot be read stops at once.
pub(crate) fn check(args: &PlanCheckArgs) -> Result<Exit, Error> {
    let mut plans = Vec::new();
    for file in &args.files {
        let text = read(file)?;
        let compiled = plan_compiler::compile(&text);
        plans.push((file.display().to_string(), text, compiled));
    }
    let broken = plans.iter().any(|(_, _, compiled)| compiled.has_errors());
    let exit = if broken { Exit::PlanError } else { Exit::Pass };
    match args.output.format {
        Format::Human => {
            for (file, text, compiled) in &plans {
                output::print(&checked(file, text, compiled));
            }
        }
        Format::Json => {
            let files: Vec<_> = plans
                .iter()
                .map(|(file, _, compiled)| file_report(file, compiled))
                .collect();
            output::print_json(&serde_json::json!({
                "command": "plan check",
                "files": files,
                "exit_code": exit.code(),
            }));
        }
    }
    Ok(exit)
}

/// `plan explain FILE`: each clause with what it became, then what is not understood.
pub(crate) fn explain(args: &PlanExplainArgs) -> Result<Exit, Error> {
    let text = read(&args.file)?;
    let compiled = plan_compiler::compile(&text);
    let file = args.file.display().to_string();
    let exit = if compiled.has_errors() {
        Exit::PlanError
    } else {
        Exit::Pass
    };
    match args.output.format {
        Format::Human => {
            output::print(&explained(&compiled));
            output::print(&checked(&file, &text, &compiled));
        }
        Format::Json => output::print_json(&ExplainReport {
            file: &file,
            clauses: &compiled.explain,
            scenarios: &compiled.scenarios,
            not_runnable: &compiled.not_runnable,
            diagnostics: &compiled.diagnostics,
            exit_code: exit.code(),
        }),
    }
    Ok(exit)
}

fn read(file: &Path) -> Result<String, Error> {
    let name = file.display();
    let bytes = if file == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(file)
    };
    let bytes = bytes.map_err(|e| Error::usage(format!("the plan {name} cannot be read: {e}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::usage(format!(
            "the plan {name} is not UTF-8: byte {} is the first bad one",
            at + 1
        ))
    })
}

fn count(compiled: &Compiled, severity: Severity) -> usize {
    compiled
        .diagnostics
        .iter()
        .filter(|found| found.severity == severity)
        .count()
}

fn checked(file: &str, text: &str, compiled: &Compiled) -> String {
    let mut out = String::new();
    for diagnostic in &compiled.diagnostics {
        let _ = writeln!(out, "{}", plan_compiler::render(diagnostic, file, text));
    }
    let runnable = compiled.scenarios.len();
    let all = runnable + compiled.not_runnable.len();
    let _ = writeln!(
        out,
        "{file}: {}, {}; {runnable} of {} can run",
        counted(count(compiled, Severity::Error), "error"),
        counted(count(compiled, Severity::Warning), "warning"),
        counted(all, "scenario"),
    );
    out
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn file_report<'a>(file: &'a str, compiled: &'a Compiled) -> FileReport<'a> {
    FileReport {
        file,
        errors: count(compiled, Severity::Error),
        warnings: count(compiled, Severity::Warning),
        runnable: compiled
            .scenarios
            .iter()
            .map(|scenario| scenario.id.as_str())
            .collect(),
        not_runnable: compiled
            .not_runnable
            .iter()
            .map(|scenario| scenario.id.as_str())
            .collect(),
        diagnostics: &compiled.diagnostics,
    }
}

fn explained(compiled: &Compiled) -> String {
    let mut out = String::new();
    let mut ids: Vec<&str> = Vec::new();
    for clause in &compiled.explain {
        if !ids.contains(&clause.scenario.as_str()) {
            ids.push(&clause.scenario);
        }
    }
    for id in ids {
        if id.is_empty() {
            out.push_str("the plan as a whole\n");
        } else {
            let written = compiled
                .plan
                .scenarios
                .iter()
                .find(|scenario| scenario.id == id);
            let name = written.map_or("", |scenario| scenario.name.as_str());
            let standing = if compiled.scenario(id).is_some() {
                ""
            } else {
                "  (cannot run, see below)"
            };
            let _ = writeln!(out, "{id} {name}{standing}");
        }
        for clause in compiled
            .explain
            .iter()
            .filter(|clause| clause.scenario == id)
        {
            out.push_str(&explained_clause(clause));
        }
        out.push('\n');
    }
    out
}

fn explained_clause(clause: &Explained) -> String {
    let field = clause.field.label();
    if clause.default {
        return format!("  {field}, by default\n       -> {}\n", clause.compiled);
    }
    let (line, text, compiled) = (clause.line, &clause.text, &clause.compiled);
    format!("  {field}, line {line}: {text}\n       -> {compiled}\n")
}
