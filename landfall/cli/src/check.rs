//! `check`: a history judged without anything being built.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::txn::{self, Analysis, Options};
use checkers::{Budget, CheckReport, History, MutationScore, Outcome, mutation_score};
use serde_json::Value as JsonValue;

use crate::args::{CheckArgs, Format, Judge};
use crate::exit::{Error, Exit};
use crate::{formats, output};

mod streamed;

/// Judges the history by every checker that was asked for.
pub(crate) fn run(args: &CheckArgs) -> Result<Exit, Error> {
    let (model, specs) = asked(args)?;
    if args.stream {
        return streamed::run(args, model, &specs);
    }
    let (mut history, mut notes) = formats::read(&args.input)?;
    let transactional = |spec: &CheckerSpec| matches!(spec, CheckerSpec::Isolation { .. });
    if !args.assume.is_empty() && !specs.iter().any(transactional) {
        let message = "--assume needs --model list-append, rw-register or txn-sets";
        return Err(Error::usage(message.to_owned()));
    }
    let options = Options {
        initial: args.initial.clone().unwrap_or_default(),
        assumptions: args.assume.clone(),
    };
    if let Some(value) = &args.initial
        && !specs.iter().any(transactional)
    {
        let given = checkers::beginning_with(history, model, value);
        history = given.map_err(|why| Error::usage(format!("--initial: {why}")))?;
    }
    let budget = budget_of(args);
    // How many there are changes no answer.
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut analysis = None;
    let judged = specs.iter().map(|spec| match *spec {
        CheckerSpec::Isolation { workload, level } => {
            let (report, levels) = txn::judge_with(&history, workload, level, &options, &budget);
            analysis = analysis.take().or(levels);
            report
        }
        _ => checkers::check_on(&history, spec, model, &budget, threads),
    });
    let reports: Vec<CheckReport> = judged.collect();
    if let Some(path) = &args.picture {
        draw(path, &history, &reports)?;
    }
    if let Some(folder) = &args.pictures {
        draw_all(folder, &history, analysis.as_ref())?;
    }
    let scores = scores_of(args.mutations, &history, &specs, model, &budget);
    let missed = scores.iter().any(|score| score.caught < score.mutants);
    let exit = match exit_of(&reports) {
        Exit::Pass if missed => Exit::Inconclusive,
        exit => exit,
    };
    if specs.contains(&CheckerSpec::Linearizability) {
        notes.extend(checkers::preflight(&history, model));
    }
    match args.output.format {
        Format::Human => {
            for report in &reports {
                output::print(&report.to_string());
            }
            for score in &scores {
                output::print(&score.to_string());
            }
        }
        Format::Json | Format::Jsonl => output::print_json(&serde_json::json!({
            "command": "check",
            "history": args.input.history.display().to_string(),
            "valid": match exit {
                Exit::Pass => serde_json::json!(true),
                Exit::ClaimFailed => serde_json::json!(false),
                _ => serde_json::json!("unknown"),
            },
            "checker": joined(reports.iter().map(|report| report.checker.clone())),
            "engine": joined(reports.iter().map(|report| report.engine.clone())),
            "consumed": reports.iter().map(|report| report.consumed).sum::<u64>(),
            "findings": reports.iter().flat_map(|report| &report.findings).collect::<Vec<_>>(),
            "operations": history.ops.len(),
            "preflight": notes,
            "mutations": scores,
            "reports": reports,
            "anomalies": told(&analysis, |levels| serde_json::json!(levels.anomalies)),
            "holds": told(&analysis, |levels| serde_json::json!(levels.holds)),
            "fails": told(&analysis, |levels| serde_json::json!(levels.fails)),
            "assumptions": told(&analysis, |levels| serde_json::json!(levels.assumptions)),
            "levels": told(&analysis, |levels| serde_json::json!(levels.levels)),
            "exit_code": exit.code(),
        })),
    }
    Ok(exit)
}

fn budget_of(args: &CheckArgs) -> Budget {
    Budget {
        steps_max: args.steps,
        memory_bytes_max: args.search_memory_mb.saturating_mul(1 << 20),
    }
}

/// How strong the checkers are on this history, if that is asked for: of those that pass it.
fn scores_of(
    seed: Option<u64>,
    history: &History,
    specs: &[CheckerSpec],
    model: ModelKind,
    budget: &Budget,
) -> Vec<MutationScore> {
    let score = |seed| {
        specs
            .iter()
            .filter_map(move |spec| mutation_score(history, spec, model, budget, seed).ok())
    };
    seed.into_iter().flat_map(score).collect()
}

/// The model and the checkers that were asked for.
fn asked(args: &CheckArgs) -> Result<(ModelKind, Vec<CheckerSpec>), Error> {
    let mut specs = args.checkers.clone();
    let model = match args.model {
        Some(Judge::Model(model)) => Some(model),
        Some(Judge::Checker(spec)) => {
            specs.push(spec);
            None
        }
        None => None,
    };
    if specs.is_empty() {
        specs.push(CheckerSpec::Linearizability);
    }
    let needs_model = |spec: &&CheckerSpec| {
        let refinement = CheckerSpec::Single(checkers::single::Single::Refinement);
        let plain = matches!(spec, CheckerSpec::Linearizability | CheckerSpec::NoLostAck);
        plain || **spec == refinement
    };
    if let Some(asked) = args.level {
        let mut transactional = false;
        for spec in &mut specs {
            if let CheckerSpec::Isolation { level, .. } = spec {
                *level = asked;
                transactional = true;
            }
        }
        if !transactional {
            let message = "--level needs --model list-append, rw-register, txn-sets, txn-counters";
            return Err(Error::usage(message.to_owned()));
        }
    }
    if let (None, Some(spec)) = (model, specs.iter().find(needs_model)) {
        let name = checkers::name_of(spec);
        let models = ModelKind::ALL.map(ModelKind::name).join(", ");
        let message = format!("{name} needs --model: one of {models}");
        return Err(Error::usage(message));
    }
    // The other checkers do not look at it.
    Ok((model.unwrap_or(ModelKind::Register), specs))
}

/// What is said of isolation, if anything is.
fn told(analysis: &Option<Analysis>, what: impl Fn(&Analysis) -> JsonValue) -> JsonValue {
    analysis.as_ref().map_or(JsonValue::Null, what)
}

/// Draws the first report that has something to show.
fn draw(path: &Path, history: &History, reports: &[CheckReport]) -> Result<(), Error> {
    let found = |report: &&CheckReport| !report.findings.is_empty();
    let Some(report) = reports.iter().find(found).or(reports.first()) else {
        return Ok(());
    };
    let written = fs::write(path, checkers::picture(history, report));
    written.map_err(|e| Error::usage(format!("{} cannot be written: {e}", path.display())))
}

/// How long the page may be that lists the pictures.
const INDEX_BYTES_MAX: usize = 1 << 20;

/// Draws every cycle of transactions.
fn draw_all(folder: &Path, history: &History, analysis: Option<&Analysis>) -> Result<(), Error> {
    let Some(analysis) = analysis else {
        let message = "--pictures needs --model list-append, rw-register, txn-sets, txn-counters";
        return Err(Error::usage(message.to_owned()));
    };
    let failed =
        |path: &Path, e| Error::usage(format!("{} cannot be written: {e}", path.display()));
    fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    for (name, text) in txn::pictures(history, analysis, INDEX_BYTES_MAX) {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|e| failed(&path, e))?;
    }
    Ok(())
}

fn joined(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// A violation wins over what is undecided.
fn exit_of(reports: &[CheckReport]) -> Exit {
    let violated = |report: &CheckReport| matches!(report.outcome, Outcome::Violation);
    let complete = |report: &CheckReport| {
        // Progress looks at what follows a heal, and at nothing else on purpose.
        let all = report.consumed == report.total || report.checker == "progress";
        // All of a history that is legal, whatever the object, is one that has no wrong response.
        let told = report.total > 0 && report.checker == "linearizability";
        match report.outcome {
            Outcome::Ok => all,
            Outcome::Weak { .. } => all && told,
            _ => false,
        }
    };
    if reports.iter().any(violated) {
        Exit::ClaimFailed
    } else if reports.iter().all(complete) {
        Exit::Pass
    } else {
        Exit::Inconclusive
    }
}
