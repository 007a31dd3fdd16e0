//! `check`: a history judged without anything being built.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, CheckReport, History, Outcome, jsonl};

use crate::args::{CheckArgs, Format};
use crate::exit::{Error, Exit};
use crate::output;

/// Judges the history by every checker that was asked for.
pub(crate) fn run(args: &CheckArgs) -> Result<Exit, Error> {
    let needs_model =
        |spec: &CheckerSpec| matches!(spec, CheckerSpec::Linearizability | CheckerSpec::NoLostAck);
    let model = match args.model {
        Some(model) => model,
        None => match args.checkers.iter().find(|spec| needs_model(spec)) {
            Some(spec) => {
                let name = checkers::name_of(spec);
                let models = "register, cas-register, map, log";
                let message = format!("{name} needs --model: one of {models}");
                return Err(Error::usage(message));
            }
            // The other checkers do not look at it.
            None => ModelKind::Register,
        },
    };
    let history = read(&args.history)?;
    let budget = Budget::default();
    let reports: Vec<CheckReport> = args
        .checkers
        .iter()
        .map(|spec| checkers::check(&history, spec, model, &budget))
        .collect();
    let exit = exit_of(&reports);
    match args.output.format {
        Format::Human => {
            for report in &reports {
                output::print(&report.to_string());
            }
        }
        Format::Json => output::print_json(&serde_json::json!({
            "command": "check",
            "history": args.history.display().to_string(),
            "operations": history.ops.len(),
            "reports": reports,
            "exit_code": exit.code(),
        })),
    }
    Ok(exit)
}

fn read(path: &Path) -> Result<History, Error> {
    let name = path.display();
    let read = if path == Path::new("-") {
        jsonl::read(io::stdin().lock())
    } else {
        let file = File::open(path)
            .map_err(|e| Error::usage(format!("the history {name} cannot be read: {e}")))?;
        jsonl::read(BufReader::new(file))
    };
    read.map_err(|error| {
        let jsonl::ReadError {
            line,
            column,
            message,
        } = error;
        Error::usage(format!("{name}:{line}:{column}: {message}"))
    })
}

/// A violation wins over what is undecided.
fn exit_of(reports: &[CheckReport]) -> Exit {
    let violated = |report: &CheckReport| matches!(report.outcome, Outcome::Violation);
    let complete = |report: &CheckReport| {
        // Progress looks at what follows a heal, and at nothing else on purpose.
        let all = report.consumed == report.total || report.checker == "progress";
        matches!(report.outcome, Outcome::Ok) && all
    };
    if reports.iter().any(violated) {
        Exit::ClaimFailed
    } else if reports.iter().all(complete) {
        Exit::Pass
    } else {
        Exit::Inconclusive
    }
}
