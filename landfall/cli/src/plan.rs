//! `plan check`, `explain`, `explain-code` and `new`: what needs the plan's text alone.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use landfall::render::counted;
use plan_compiler::plan::PlanMode;
use plan_compiler::{Code, Compiled, Diagnostic, Explained, Severity};
use serde::Serialize;

use crate::args::{
    Format, PlanCheckArgs, PlanExplainArgs, PlanExplainCodeArgs, PlanFormat, PlanModeArg,
    PlanNewArgs,
};
use crate::exit::{Error, Exit};
use crate::{author, output};

/// A plan's diagnostics as JSON.
#[derive(Serialize)]
struct FileReport<'a> {
    file: &'a str,
    errors: u64,
    warnings: u64,
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
        let (text, mut compiled) = read(file)?;
        let tests = author::review(file, &text, &compiled)?;
        compiled.diagnostics.extend(tests);
        compiled
            .diagnostics
            .sort_by_key(|found| (found.span.start, found.span.end));
        plans.push((file.display().to_string(), text, compiled));
    }
    let broken = plans.iter().any(|(_, _, compiled)| compiled.has_errors());
    let exit = if broken { Exit::PlanError } else { Exit::Pass };
    match args.format {
        PlanFormat::Human => {
            for (file, text, compiled) in &plans {
                output::print(&checked(file, text, compiled));
            }
        }
        PlanFormat::Github => {
            for (file, _, compiled) in &plans {
                let mut out = String::new();
                for diagnostic in &compiled.diagnostics {
                    let _ = writeln!(out, "{}", plan_compiler::annotation(diagnostic, file));
                }
                output::print(&out);
            }
        }
        PlanFormat::Json => {
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
    let (text, compiled) = read(&args.file)?;
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
        Format::Json | Format::Jsonl => output::print_json(&ExplainReport {
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

/// How `plan check` says that it could not be done.
pub(crate) fn format_of(args: &PlanCheckArgs) -> Format {
    match args.format {
        PlanFormat::Json => Format::Json,
        PlanFormat::Human | PlanFormat::Github => Format::Human,
    }
}

/// `plan explain-code CODE...`: what the codes mean; without one, a list of them all.
pub(crate) fn explain_code(args: &PlanExplainCodeArgs) -> Result<Exit, Error> {
    let mut codes = Vec::new();
    for number in &args.codes {
        let code = Code::from_number(number).ok_or_else(|| {
            let (first, last) = (Code::ALL.first(), Code::ALL.last());
            let end = |code: Option<&Code>| code.map_or("", |code| code.number());
            let (first, last) = (end(first), end(last));
            Error::usage(format!(
                "no code `{number}`: they go from {first} to {last}"
            ))
        })?;
        codes.push(code);
    }
    let listed = codes.is_empty();
    if listed {
        codes.extend(Code::ALL);
    }
    match args.output.format {
        Format::Human if listed => {
            let lines = codes
                .iter()
                .map(|code| format!("{code}  {}\n", code.meaning()));
            output::print(&lines.collect::<String>());
        }
        Format::Human => {
            let texts: Vec<&str> = codes.iter().map(|code| code.explanation()).collect();
            output::print(&texts.join("\n"));
        }
        Format::Json | Format::Jsonl => {
            let rows = codes.iter().map(|code| {
                serde_json::json!({
                    "code": code.number(),
                    "meaning": code.meaning(),
                    "explanation": code.explanation(),
                })
            });
            let rows: Vec<_> = rows.collect();
            output::print_json(&serde_json::json!({"codes": rows, "exit_code": 0}));
        }
    }
    Ok(Exit::Pass)
}

/// `plan new NAME`: a plan that compiles, to be filled in.
pub(crate) fn new(args: &PlanNewArgs) -> Result<Exit, Error> {
    let mode = match args.mode {
        PlanModeArg::ChangeScoped => PlanMode::ChangeScoped,
        PlanModeArg::ProjectWide => PlanMode::ProjectWide,
    };
    if args.name.trim().is_empty() {
        return Err(Error::usage(
            "a plan needs a name, such as `cart`".to_owned(),
        ));
    }
    let text = plan_compiler::template(&args.name, mode);
    let file = &args.output_file;
    if file == Path::new("-") {
        output::print(&text);
        return Ok(Exit::Pass);
    }
    let name = file.display();
    let mut options = fs::OpenOptions::new();
    let written = options
        .write(true)
        .create_new(true)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => {
            output::print(&format!(
                "wrote {name}; see `cargo landfall plan explain {name}`\n"
            ));
            Ok(Exit::Pass)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::usage(format!(
            "{name} exists and is left alone; name another file with --output-file"
        ))),
        Err(error) => Err(Error::usage(format!("{name} cannot be written: {error}"))),
    }
}

pub(crate) fn read(file: &Path) -> Result<(String, Compiled), Error> {
    let name = file.display();
    let bytes = if file == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(file)
    };
    let bytes = bytes.map_err(|e| Error::usage(format!("the plan {name} cannot be read: {e}")))?;
    Ok(plan_compiler::compile_bytes(&bytes))
}

fn count(compiled: &Compiled, severity: Severity) -> u64 {
    let all = compiled.diagnostics.iter();
    let found = all.filter(|found| found.severity == severity);
    found.count() as u64
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
        counted(all as u64, "scenario"),
    );
    out
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
