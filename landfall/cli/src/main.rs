//! `cargo landfall`: plans checked, scenarios swept, seeds replayed, histories judged.
//!
//! Takes a command line, gives text or one JSON object on the standard output and an
//! [`exit::Exit`] code. It asks cargo to build the test binaries of the selected packages and
//! drives those that are linked with landfall through `landfall::coordinate`.
//!
//! # Invariants, as absences
//! - No verdict is made here: `landfall` judges, this command selects, shows and exits.
//! - No executable is started as a worker that does not carry landfall's marker: it would run its
//!   own tests instead.
//! - Nothing is run before every selected plan is free of errors.
//! - No colour and no control character is written but the progress line of a terminal.
//!
//! # Modules, in reading order
//! `args` (the command line), `config` (what a file adds to it), `exit` (how it ends), `cargo`
//! with `profile` (asking and building), `scenarios` (what there is to run), `sweep` and `line`
//! (running it), `store`, `shard` and `merge` (results that are kept), `failure` with `replay`,
//! `reduce` and `explain` (one failure), `account` (the session and its report), `patience` (when
//! to stop), `clock`, `progress`, `output` and `junit` (saying so), `plan`, `check` with `formats`
//! and `floor` (what needs no build), `init` (what prepares one), `shell` (completions and pages).

mod account;
mod args;
mod author;
mod bisect;
mod cargo;
mod check;
mod clock;
mod config;
mod engine;
mod exit;
mod explain;
mod failure;
#[cfg(feature = "floor")]
mod floor;
mod formats;
mod init;
mod junit;
mod line;
mod merge;
mod output;
mod patience;
mod plan;
mod profile;
mod progress;
mod reduce;
mod replay;
mod scenarios;
mod selftest;
mod shard;
mod shell;
mod store;
mod sweep;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::panic::catch_unwind;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use crate::args::{Cli, Command, Format, PlanCommand};
use crate::exit::Exit;

fn main() -> ExitCode {
    // A panic is our own mistake; its exit code must not be cargo's for a failed build.
    let exit = catch_unwind(run).unwrap_or(Exit::Internal);
    ExitCode::from(exit.code())
}

fn run() -> Exit {
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // There is nowhere left to say that this could not be written.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Pass
            };
        }
    };
    let (format, outcome) = match &cli.command {
        Command::Plan(PlanCommand::Check(args)) => (plan::format_of(args), plan::check(args)),
        Command::Plan(PlanCommand::Explain(args)) => (args.output.format, plan::explain(args)),
        Command::Plan(PlanCommand::ExplainCode(args)) => {
            (args.output.format, plan::explain_code(args))
        }
        Command::Plan(PlanCommand::New(args)) => (Format::Human, plan::new(args)),
        Command::Plan(PlanCommand::Author(args)) => (args.output.format, author::run(args)),
        Command::Run(args) => (args.output.format, sweep::run(args, sweep::Kind::Run)),
        Command::Sweep(args) => (args.output.format, sweep::run(args, sweep::Kind::Sweep)),
        Command::Replay(args) => (args.failure.output.format, replay::run(args)),
        Command::Reduce(args) => (args.failure.output.format, reduce::run(args)),
        Command::Explain(args) => (args.failure.output.format, explain::run(args)),
        Command::Bisect(args) => (args.output.format, bisect::run(args)),
        Command::Selftest(args) => (args.output.format, selftest::run(args)),
        Command::Merge(args) => (args.output.format, merge::run(args)),
        Command::Check(args) => (args.output.format, check::run(args)),
        Command::Convert(args) => (Format::Human, formats::run(args)),
        Command::Init(args) => (args.output.format, init::run(args)),
        Command::Completions(args) => (Format::Human, shell::completions(args, definition())),
        Command::Man(args) => (Format::Human, shell::man(args, definition())),
        #[cfg(feature = "floor")]
        Command::Floor(args) => (args.output.format, floor::run(args)),
    };
    outcome.unwrap_or_else(|error| {
        output::say(&format!("error: {}", error.message.trim_end()));
        if format != Format::Human {
            output::print_json(&serde_json::json!({
                "error": error.message,
                "exit_code": error.exit.code(),
            }));
        }
        error.exit
    })
}

/// The command line's one definition.
fn definition() -> clap::Command {
    Cli::command().after_help(after_help())
}

/// Parses the command line, and what the configuration adds to it. Cargo starts `cargo-landfall
/// landfall ...`; the alias does not repeat the name.
fn parse(words: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut words: Vec<OsString> = words.collect();
    if words.get(1).is_some_and(|word| word == "landfall") {
        words.remove(1);
    }
    let given = definition().try_get_matches_from(&words)?;
    let trouble = |why: String| definition().error(ErrorKind::ValueValidation, why);
    let added = config::added(&definition(), &given).map_err(trouble)?;
    let Some(added) = added.filter(|added| !added.words.is_empty()) else {
        return Cli::from_arg_matches(&given);
    };
    // What was given stands last: it may end in words behind `--`.
    let name = given.subcommand_name().unwrap_or_default();
    let place = words.iter().position(|word| word == name).unwrap_or(0) + 1;
    let all = words[..place].iter().chain(&added.words);
    let all: Vec<&OsString> = all.chain(&words[place..]).collect();
    let matches = definition().try_get_matches_from(all).map_err(|error| {
        let from = added.from.display();
        let added: Vec<_> = added
            .words
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        let what = error.render().to_string();
        let what = what.trim_start_matches("error: ").trim_end();
        let why = format!("{what}\n\n{from} adds: {}", added.join(" "));
        definition().error(error.kind(), why)
    })?;
    Cli::from_arg_matches(&matches)
}

fn after_help() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for (exit, meaning) in Exit::ALL {
        let _ = writeln!(text, "  {:<3}  {meaning}", exit.code());
    }
    text.push_str("\nEnvironment, where no flag says otherwise:\n");
    let own = [
        (
            "LANDFALL_SHARD",
            "run only this part of the seeds, as --shard",
        ),
        (
            "LANDFALL_CONFIG",
            "take this profile of .config/landfall.toml, as --config",
        ),
    ];
    for (name, meaning) in landfall::variables::ALL.into_iter().chain(own) {
        let _ = writeln!(text, "  {name:<26} {meaning}");
    }
    text
}
