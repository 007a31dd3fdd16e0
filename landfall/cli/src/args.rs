//! The command line.

mod failure;
mod sweep;

use std::num::NonZeroU16;
use std::ops::Range;
use std::path::PathBuf;

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::txn::{Assumption, Level};
use checkers::{Budget, Value};
use clap::{Args, Parser, Subcommand, ValueEnum};
use landfall::coordinate::Tier;
use landfall::variables::{parse_seed, parse_share};

pub(crate) use self::failure::{BisectArgs, ExplainArgs, FailureArgs, ReduceArgs, ReplayArgs};
pub(crate) use self::sweep::{Engine, EngineArgs, FromSeed, MergeArgs, ShownArgs, SweepArgs};

/// The most seeds that one command takes.
const SEEDS_MAX: u64 = 10_000_000;

/// Deterministic simulation tests, from claims to verdicts.
#[derive(Debug, Parser)]
#[command(name = "cargo landfall", bin_name = "cargo landfall", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Take this profile of .config/landfall.toml, which is looked for from here upwards: `ci`,
    /// `FILE` or `FILE#ci` [default: the profile default]
    #[arg(long, value_name = "PROFILE", global = true)]
    pub(crate) config: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check Markdown plans, and see what they compile to
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Run the smoke budget of every selected scenario
    Run(SweepArgs),
    /// Run many seeds of every selected scenario: its hardening budget unless told otherwise
    Sweep(SweepArgs),
    /// Run one seed of one scenario again, or a capsule: twice, and compare
    Replay(ReplayArgs),
    /// Make the least of a failing seed that fails alike: a capsule and a test
    Reduce(ReduceArgs),
    /// Show when a failure became inevitable, and which faults it takes
    Explain(ExplainArgs),
    /// Find the first commit at which a capsule's failure is there
    Bisect(BisectArgs),
    /// Report a sweep from its database again, or put those of its parts together
    #[command(visible_alias = "report")]
    Merge(MergeArgs),
    /// Judge a history: JSON Lines, EDN, a Jepsen log or landfall's binary form
    Check(CheckArgs),
    /// Write a history in another format
    Convert(ConvertArgs),
    /// Put a workspace under simulation: landfall's tokio in place of tokio, for every crate
    Init(InitArgs),
    /// See whether this installation finds the bugs that it must, and none where there is none
    Selftest(SelftestArgs),
    /// Look what this machine would leak into a run, through real crates
    #[cfg(feature = "floor")]
    Floor(FloorArgs),
    /// Write what a shell needs to complete command lines
    Completions(CompletionsArgs),
    /// Write the manual page of the command, or those of all
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write the page of every command into this directory
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Take back everything that init did
    #[arg(long)]
    pub(crate) undo: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// A checkout of landfall to take the drop-in from [default: what the workspace's `landfall`
    /// dependency is, else the checkout that this command was built from]
    #[arg(long, value_name = "PATH", conflicts_with = "undo")]
    pub(crate) landfall: Option<PathBuf>,
    /// Where generated packages go, from the workspace's root
    #[arg(long, value_name = "DIRECTORY", default_value = "landfall")]
    pub(crate) dir: PathBuf,
    /// Member to prepare [default: every member that uses tokio]
    #[arg(short, long = "package", value_name = "NAME")]
    pub(crate) packages: Vec<String>,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Ask no registry
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SelftestArgs {
    /// Worker processes [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroU16>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[cfg(feature = "floor")]
#[derive(Debug, Args)]
pub(crate) struct FloorArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Report what is wrong with plans, or weak in them
    Check(PlanCheckArgs),
    /// Show what each clause of a plan compiles to
    Explain(PlanExplainArgs),
    /// Say what a diagnostic's code means, with examples
    ExplainCode(PlanExplainCodeArgs),
    /// Write a plan to begin with
    New(PlanNewArgs),
    /// Write the Rust tests of a plan's scenarios to their target test files
    Author(PlanAuthorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PlanAuthorArgs {
    /// A plan inside a package
    #[arg(value_name = "PLAN")]
    pub(crate) file: PathBuf,
    /// The expression that makes the system under test, where skeletons do not say it [default:
    /// what the file that is there was written with]
    #[arg(long, value_name = "EXPR")]
    pub(crate) system: Option<String>,
    /// Write nothing; exit with 3 where something would be written
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlanExplainCodeArgs {
    /// Codes such as P0005 [default: a list of all of them]
    #[arg(value_name = "CODE")]
    pub(crate) codes: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlanNewArgs {
    /// What the plan is about, such as `cart`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it covers
    #[arg(long, value_name = "MODE", default_value = "project-wide")]
    pub(crate) mode: PlanModeArg,
    /// Where it is written; an existing file is left alone. `-` is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "plan.md")]
    pub(crate) output_file: PathBuf,
}

/// What a plan covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanModeArg {
    /// One change, and what it may break.
    ChangeScoped,
    /// Everything that the product claims.
    ProjectWide,
}

/// How diagnostics of plans are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Text.
    Human,
    /// One JSON object.
    Json,
    /// Workflow commands of GitHub Actions, which mark the lines in a pull request.
    Github,
}

#[derive(Debug, Args)]
pub(crate) struct PlanCheckArgs {
    /// Plans; `-` is the standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How diagnostics are written to the standard output; without colour in all
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: PlanFormat,
}

#[derive(Debug, Args)]
pub(crate) struct PlanExplainArgs {
    /// A plan; `-` is the standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// How results are written to the standard output; without colour in both
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: Format,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text.
    Human,
    /// One JSON object.
    Json,
    /// One JSON object a test, each on a line.
    Jsonl,
}

/// What is given to cargo as it stands.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cargo")]
pub(crate) struct CargoArgs {
    /// Package to build and run
    #[arg(short, long = "package", value_name = "SPEC")]
    pub(crate) packages: Vec<String>,
    /// All packages of the workspace that use landfall
    #[arg(long, conflicts_with = "packages")]
    pub(crate) workspace: bool,
    /// Features to build with; `sim` is added where a package has it
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    /// Build with all features
    #[arg(long)]
    pub(crate) all_features: bool,
    /// Build without the default feature
    #[arg(long)]
    pub(crate) no_default_features: bool,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Profile to build with [default: sim, an optimised one with all checks on]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Build with the profile `release`
    #[arg(short, long, conflicts_with_all = ["profile", "debug"])]
    pub(crate) release: bool,
    /// Build with the profile `dev`
    #[arg(long, conflicts_with = "profile")]
    pub(crate) debug: bool,
    /// Where build artifacts go
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) target_dir: Option<PathBuf>,
    /// How many jobs cargo builds with
    #[arg(short = 'j', long, value_name = "N")]
    pub(crate) build_jobs: Option<u32>,
    /// Build without the network
    #[arg(long)]
    pub(crate) offline: bool,
    /// Leave Cargo.lock as it is
    #[arg(long)]
    pub(crate) locked: bool,
    /// Both of these
    #[arg(long)]
    pub(crate) frozen: bool,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectArgs {
    /// Scenario of a plan, by id or name
    #[arg(long = "scenario", value_name = "ID|NAME", value_delimiter = ',')]
    pub(crate) scenarios: Vec<String>,
    /// Test by its name in `cargo test`, such as one written by hand
    #[arg(long = "test", value_name = "NAME", value_delimiter = ',')]
    pub(crate) tests: Vec<String>,
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct HowArgs {
    /// Which of a plan's budgets applies [default: smoke for run, hardening otherwise]
    #[arg(long, value_name = "BUDGET")]
    pub(crate) budget: Option<BudgetName>,
    /// How many worker processes run at once [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// How many MiB a seed's process may map before its allocations fail [default: 4096]
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mb: Option<u32>,
}

/// One of a plan's budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BudgetName {
    /// What `cargo test` runs.
    Smoke,
    /// What PASS-hardening asks for.
    Hardening,
}

impl BudgetName {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            BudgetName::Smoke => "smoke",
            BudgetName::Hardening => "hardening",
        }
    }

    pub(crate) const fn tier(self) -> Tier {
        match self {
            BudgetName::Smoke => Tier::Smoke,
            BudgetName::Hardening => Tier::Harden,
        }
    }
}

/// How a history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Input {
    /// JSON, one operation or one event a line.
    Jsonl,
    /// EDN, as Jepsen, Knossos and Elle write it.
    Edn,
    /// The log of a Jepsen test.
    JepsenLog,
    /// The same, as Porcupine reads its logs of etcd: a cas that failed was refused.
    PorcupineEtcd,
    /// EDN of get, put and append, as Porcupine reads its logs of a key-value store.
    PorcupineKv,
    /// Landfall's binary form.
    Bincode,
}

/// The forms that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Written {
    /// JSON, one operation a line, with everything that is known.
    Jsonl,
    /// JSON, one event a line.
    Events,
    /// EDN, one event a line.
    Edn,
    /// Landfall's binary form.
    Bincode,
}

#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// The history; `-` is the standard input
    #[arg(value_name = "HISTORY")]
    pub(crate) history: PathBuf,
    /// How it is written [default: by its ending, else by how it begins]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) input: Option<Input>,
    /// Take a failed cas of EDN or a Jepsen log for one that found another value, rather than for
    /// one that did not happen
    #[arg(long)]
    pub(crate) refused: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Where to; `-` is the standard output
    #[arg(value_name = "OUTPUT", default_value = "-")]
    pub(crate) to: PathBuf,
    /// What to write [default: by the ending of the output, else jsonl]
    #[arg(long = "to", value_name = "FORMAT")]
    pub(crate) format: Option<Written>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The object it is judged against: register, cas-register, map, log, text, counter, set, bag,
    /// queue, stack, priority-queue, offsets, mutex, owned-mutex, reentrant-mutex,
    /// read-write-lock, semaphore=N, lease=TTL or lease=TTL:SKEW, membership, multi-register
    /// A checker's name stands for that checker
    #[arg(long, value_name = "MODEL", value_parser = parse_judge)]
    pub(crate) model: Option<Judge>,
    /// What each object begins with, as JSON, such as 0 or "text" [default: nothing]
    #[arg(long, value_name = "VALUE", value_parser = parse_value, allow_hyphen_values = true)]
    pub(crate) initial: Option<Value>,
    /// Where to draw what is wrong, as SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) picture: Option<PathBuf>,
    /// Where to draw every cycle of transactions, an SVG each, with a page that lists them
    #[arg(long, value_name = "DIR")]
    pub(crate) pictures: Option<PathBuf>,
    /// What is known of the database that transactions do not show; may be given again:
    /// writes-follow-reads, sequential-keys, linearizable-keys
    #[arg(long, value_name = "NAME", value_parser = parse_assumption)]
    pub(crate) assume: Vec<Assumption>,
    /// Judge rows as they are read, and forget them: for histories that are longer than memory.
    /// Linearizability only; rows go up by id and invocation. A file is read again to explain
    /// what is broken
    #[arg(long, conflicts_with_all = ["initial", "picture", "pictures", "assume", "mutations"])]
    pub(crate) stream: bool,
    /// Break a history that passes in the ways that the claim forbids, at places drawn from this
    /// seed, and count what the checker catches; a miss is inconclusive
    #[arg(long, value_name = "SEED", num_args = 0..=1, default_missing_value = "0")]
    pub(crate) mutations: Option<u64>,
    /// Steps that a search may take; of a stream, from one instant at which nothing is open to
    /// the next
    #[arg(long, value_name = "N", default_value_t = Budget::default().steps_max)]
    pub(crate) steps: u64,
    /// MiB that a search may remember
    #[arg(long, value_name = "MIB", default_value_t = Budget::default().memory_bytes_max >> 20)]
    pub(crate) search_memory_mb: u64,
    /// The isolation level at which transactions are judged [default: strict-serializable]:
    /// read-uncommitted, read-committed, cursor-stability, monotonic-atomic-view, monotonic-view,
    /// monotonic-snapshot-read, read-atomic, update-atomic, causal, parallel-snapshot-isolation,
    /// prefix, consistent-view, forward-consistent-view, snapshot-isolation, repeatable-read,
    /// update-serializable, serializable, each also as strong-session-... (each process's order
    /// counts) and strong-... (real time counts)
    #[arg(long, value_name = "LEVEL", value_parser = Level::parse)]
    pub(crate) level: Option<Level>,
    /// Who judges: linearizability, no-lost-ack, single-leader, progress=5s,
    /// list-append=LEVEL, rw-register=LEVEL
    /// [default: linearizability, unless --model names another]
    #[arg(
        long = "checker",
        value_name = "CHECKER",
        value_delimiter = ',',
        value_parser = CheckerSpec::parse,
    )]
    pub(crate) checkers: Vec<CheckerSpec>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Seeds as `--seeds` gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seeds {
    /// So many.
    Count(u64),
    /// These.
    Range(Range<u64>),
}

fn parse_share_of_seeds(text: &str) -> Result<u8, String> {
    parse_share(text).ok_or_else(|| "not all, off or a share such as 20%".to_owned())
}

fn parse_one_seed(text: &str) -> Result<u64, String> {
    parse_seed(text).ok_or_else(|| "a seed is a number, decimal or 0x hexadecimal".to_owned())
}

fn parse_seeds(text: &str) -> Result<Seeds, String> {
    let seeds = match text.split_once("..") {
        None => {
            let wanted = "a count, or a range such as 100..200 (its end excluded)";
            Seeds::Count(parse_seed(text).ok_or(wanted)?)
        }
        Some((from, to)) => {
            let end = to.strip_prefix('=').unwrap_or(to);
            let from = parse_one_seed(from)?;
            let mut until = parse_one_seed(end)?;
            if to.starts_with('=') {
                until = until.checked_add(1).ok_or("the range ends too high")?;
            }
            Seeds::Range(from..until)
        }
    };
    let count = match &seeds {
        Seeds::Count(count) => *count,
        Seeds::Range(range) => range.end.saturating_sub(range.start),
    };
    match count {
        0 => Err("that is no seed at all".to_owned()),
        1..=SEEDS_MAX => Ok(seeds),
        _ => Err(format!("at most {SEEDS_MAX} seeds at once")),
    }
}

/// What `--model` names: an object, or a checker that needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    /// Judged by the checkers of `--checker`, which is linearizability if it is not given.
    Model(ModelKind),
    /// Judged by this one too.
    Checker(CheckerSpec),
}

fn parse_value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not a value in JSON: {error}"))
}

fn parse_assumption(text: &str) -> Result<Assumption, String> {
    let known = || Assumption::ALL.map(Assumption::name).join(", ");
    Assumption::named(text).ok_or_else(|| format!("the assumptions are {}", known()))
}

fn parse_judge(text: &str) -> Result<Judge, String> {
    let model = match ModelKind::parse(text) {
        Ok(model) => return Ok(Judge::Model(model)),
        Err(why) => why,
    };
    let known = CheckerSpec::parse(text).map(Judge::Checker);
    let named = |name: &str| name.split('=').next() == text.split('=').next();
    known.map_err(|checker| {
        match (
            CheckerSpec::names().into_iter().any(named),
            text.contains('='),
        ) {
            (true, _) => checker,
            (false, true) => model,
            (false, false) => format!("{model}; {checker}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn seeds_are_counts_and_ranges() {
        assert_eq!(parse_seeds("200"), Ok(Seeds::Count(200)));
        assert_eq!(parse_seeds("3..5"), Ok(Seeds::Range(3..5)));
        assert_eq!(parse_seeds("3..=5"), Ok(Seeds::Range(3..6)));
        assert_eq!(parse_seeds("0x10..0x20"), Ok(Seeds::Range(16..32)));
        for bad in [
            "",
            "0",
            "-1",
            "5..5",
            "5..3",
            "..3",
            "3..",
            "a",
            "1.5",
            "99999999999",
        ] {
            assert!(parse_seeds(bad).is_err(), "{bad} is taken");
        }
        assert!(parse_seeds("0..=18446744073709551615").is_err());
    }

    #[test]
    fn a_judge_is_a_model_or_a_checker() {
        assert_eq!(parse_judge("queue"), Ok(Judge::Model(ModelKind::Queue)));
        let leader = Judge::Checker(CheckerSpec::SingleLeader);
        assert_eq!(parse_judge("single-leader"), Ok(leader));
        for (bad, expected) in [
            ("progress", "progress needs its value"),
            ("semaphore=x", "semaphore=3 has 3 permits"),
            ("wgl", "the checkers are linearizability"),
            ("wgl", "the models are register"),
        ] {
            let told = parse_judge(bad).expect_err("it is not known");
            assert!(told.contains(expected), "{bad}: {told}");
        }
    }
}
