//! The command line of what looks at one failure.

use std::path::PathBuf;

use clap::Args;

use super::{CargoArgs, HowArgs, OutputArgs, SelectArgs, parse_one_seed};

/// Which failure: a capsule, or a seed of one test.
#[derive(Clone, Debug, Args)]
pub(crate) struct FailureArgs {
    /// A capsule, as `reduce` or `sweep --save` wrote it
    #[arg(value_name = "CAPSULE", conflicts_with_all = ["seed", "scenarios", "tests"])]
    pub(crate) capsule: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// The seed, decimal or 0x hexadecimal
    #[arg(long, value_name = "SEED", value_parser = parse_one_seed)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Write the history of the run as JSON Lines to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) failure: FailureArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReduceArgs {
    /// Seconds after which the best so far is taken
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Runs after which the best so far is taken
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) runs: u64,
    /// Where the capsule and its test go [default: landfall-regressions in the package]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) failure: FailureArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Seconds after which what is known is shown
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 110,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Runs for each moment of the curve
    #[arg(long, value_name = "N", default_value_t = landfall::explain::RUNS_A_POINT,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) runs: u32,
    #[command(flatten)]
    pub(crate) failure: FailureArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BisectArgs {
    /// The capsule of the failure
    #[arg(value_name = "CAPSULE")]
    pub(crate) capsule: PathBuf,
    /// A commit at which it is not there
    #[arg(long, value_name = "REVISION")]
    pub(crate) good: String,
    /// A later commit at which it is
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    pub(crate) bad: String,
    /// Seconds after which no further commit is tried
    #[arg(long = "for", value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) cargo: CargoArgs,
}
