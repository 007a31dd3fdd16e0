//! `check --stream`: a history judged row by row, and read again where it is broken.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Builtin, CheckReport, Finding, History, Model as _, Operation, Outcome, Stream};

use super::{budget_of, exit_of, joined};
use crate::args::{CheckArgs, Format};
use crate::exit::{Error, Exit};
use crate::{formats, output};

/// Rows that are read again to explain a violation, at most.
const ROWS_MAX: usize = 2_000_000;

/// Judges linearizability.
pub(super) fn run(
    args: &CheckArgs,
    model: ModelKind,
    specs: &[CheckerSpec],
) -> Result<Exit, Error> {
    if specs != [CheckerSpec::Linearizability] {
        let message = "--stream judges linearizability, and nothing else";
        return Err(Error::usage(message.to_owned()));
    }
    let mut stream = Stream::new(model, budget_of(args));
    let mut operations = 0_u64;
    formats::stream(&args.input, &mut |op| {
        operations += 1;
        stream.row(op)
    })?;
    let mut report = stream.finish();
    if report.outcome == Outcome::Violation && args.input.history.as_os_str() != "-" {
        report.findings = explained(args, model, &report.findings)?;
    }
    let reports = [report];
    let exit = exit_of(&reports);
    let [report] = &reports;
    match args.output.format {
        Format::Human => output::print(&report.to_string()),
        Format::Json | Format::Jsonl => print_json(args, report, operations, exit),
    }
    Ok(exit)
}

fn print_json(args: &CheckArgs, report: &CheckReport, operations: u64, exit: Exit) {
    output::print_json(&serde_json::json!({
        "command": "check",
        "history": args.input.history.display().to_string(),
        "valid": match exit {
            Exit::Pass => serde_json::json!(true),
            Exit::ClaimFailed => serde_json::json!(false),
            _ => serde_json::json!("unknown"),
        },
        "checker": joined([report.checker.clone()].into_iter()),
        "engine": report.engine,
        "consumed": report.consumed,
        "findings": report.findings,
        "operations": operations,
        "preflight": [],
        "mutations": [],
        "reports": [report],
        "exit_code": exit.code(),
    }));
}

/// The same findings with what led to them: the rows of each object up to the response that has
/// no order are read again, and judged whole. One that would take too many rows stays as it is.
fn explained(
    args: &CheckArgs,
    model: ModelKind,
    findings: &[Finding],
) -> Result<Vec<Finding>, Error> {
    let until = |op: &Operation| {
        let key = Builtin(model).part(op);
        let of = |finding: &&Finding| finding.key.as_ref() == key;
        let blocked = findings.iter().find(of)?.rows.first()?;
        blocked.complete_ts
    };
    let mut ops: Vec<Operation> = Vec::new();
    let mut whole = true;
    formats::stream(&args.input, &mut |op| {
        if op.is_client() && until(&op).is_some_and(|end| op.invoke_ts <= end) {
            whole = ops.len() < ROWS_MAX;
            if whole {
                ops.push(op);
            }
        }
        Ok(())
    })?;
    let windows = Vec::new();
    let history = History { ops, windows };
    let spec = CheckerSpec::Linearizability;
    let report = checkers::check(&history, &spec, model, &budget_of(args));
    let again = |finding: &Finding| {
        let of = |other: &&Finding| other.key == finding.key;
        let known = report.findings.iter().find(of).filter(|_| whole);
        known.unwrap_or(finding).clone()
    };
    Ok(findings.iter().map(again).collect())
}
