//! The command line of what runs many seeds, and of what puts their results together.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{
    CargoArgs, HowArgs, OutputArgs, Seeds, SelectArgs, parse_one_seed, parse_seeds,
    parse_share_of_seeds,
};

/// Where seeds begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FromSeed {
    /// At this one.
    Seed(u64),
    /// At the one that a commit names.
    Commit(String),
}

fn parse_from_seed(text: &str) -> Result<FromSeed, String> {
    match text.strip_prefix("commit") {
        Some("") => Ok(FromSeed::Commit("HEAD".to_owned())),
        Some(rest) if rest.len() > 1 && rest.starts_with(':') => {
            Ok(FromSeed::Commit(rest[1..].to_owned()))
        }
        _ => parse_one_seed(text)
            .map(FromSeed::Seed)
            .map_err(|error| format!("{error}, or commit, or commit:REV")),
    }
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// Seeds of each scenario: a count, or a range such as 100..200
    #[arg(long, value_name = "N|A..B", value_parser = parse_seeds)]
    pub(crate) seeds: Option<Seeds>,
    /// First seed; `commit`, or `commit:REV`: the first twelve digits of the commit's name, so that
    /// each commit is swept with seeds of its own
    #[arg(long, value_name = "SEED|commit", value_parser = parse_from_seed)]
    pub(crate) from_seed: Option<FromSeed>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
    /// Begin no new seed after one has failed
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Which seeds are run again, in another worker, and compared: all, off, or a share such as
    /// 20% [default: 5%; all without a value]
    #[arg(
        long,
        alias = "twice",
        value_name = "SHARE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_parser = parse_share_of_seeds
    )]
    pub(crate) check_determinism: Option<u8>,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
}

/// Who starts the parts of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// An Indexed Job, as a manifest.
    Kubernetes,
    /// A matrix of jobs, as a workflow.
    Github,
    /// An array of jobs, submitted here, waited for and put together.
    Slurm,
}

/// Sweeps beyond one machine.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Other machines")]
pub(crate) struct EngineArgs {
    /// Run this sweep in parts elsewhere: kubernetes and github write to the standard output what
    /// does, and run nothing; slurm submits the parts, waits for them, submits again what a lost
    /// machine took along, and reports as one sweep would
    #[arg(long, value_name = "ENGINE")]
    pub(crate) engine: Option<Engine>,
    /// How many parts it is run in
    #[arg(long, value_name = "N", default_value = "4")]
    pub(crate) shards: NonZeroU32,
    /// Kubernetes: the image that the parts run in, with the sources and cargo landfall
    #[arg(long, value_name = "IMAGE", default_value = "landfall")]
    pub(crate) image: String,
    /// GitHub: a line that makes cargo landfall callable; more than one may be given
    #[arg(
        long,
        value_name = "LINE",
        default_value = "cargo install --locked --path landfall/cli"
    )]
    pub(crate) setup: Vec<String>,
    /// Slurm: a directory that all machines have, for the parts' databases and logs
    #[arg(long, value_name = "DIRECTORY", default_value = "landfall-parts")]
    pub(crate) parts: PathBuf,
    /// Slurm: a word for sbatch, such as --partition=short; more than one may be given
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub(crate) sbatch: Vec<String>,
}

/// How long a sweep goes on, and what is left of it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Results")]
pub(crate) struct KeepArgs {
    /// Begin no new seed after so many seconds
    #[arg(long = "for", value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
    /// Stop a scenario once so many seeds in a row have done nothing that none did before: reached
    /// no site, moved no fault's counter to another magnitude, failed in no other way
    #[arg(long, value_name = "SEEDS", conflicts_with = "shard",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) until_flat: Option<u64>,
    /// Enter every seed into this SQLite database as it ends
    #[arg(long, value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
    /// Go on with the last sweep in the database that was interrupted, or with the parts that
    /// Slurm has run
    #[arg(long)]
    pub(crate) resume: bool,
    /// Run only this part of the seeds: 0/4, or auto for the one that the environment names
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<String>,
    /// Write a session into this directory as the run proceeds: for each plan its log, metrics,
    /// histories, findings, and the report as Markdown and as one HTML file
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) out: Option<PathBuf>,
    /// Write a capsule for the first and the fastest failing seed of each kind into
    /// landfall-regressions
    #[arg(long)]
    pub(crate) save: bool,
}

/// Forms that results are written in beside the output.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Results")]
pub(crate) struct ShownArgs {
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the results as a Markdown table, such as $GITHUB_STEP_SUMMARY shows
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,
    /// Write GitHub's annotations, at the plan's lines, to the standard error
    #[arg(long)]
    pub(crate) github: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Databases, one of each part
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
