//! What `reduce` makes of each planted bug of the examples, as a table.
//!
//! `reductions CARGO-LANDFALL DIRECTORY...` takes every feature `bug-...` of the packages in these
//! directories: sweeps up to 60 seeds with it, takes the first failure, has it reduced for at most
//! two minutes, and prints a row: how much was left, after how many runs and how many seconds of
//! the processors. What is reduced is verified by the command itself. Nothing is left in the
//! packages; capsules go to a directory below the temporary one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

/// What a reduction is to come to.
const WINDOWS: u64 = 3;
const OPERATIONS: u64 = 10;

/// How long one may take, in seconds.
const LIMIT: &str = "120";

fn main() -> ExitCode {
    let words: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [landfall, directories @ ..] = &words[..] else {
        eprintln!("usage: reductions CARGO-LANDFALL DIRECTORY...");
        return ExitCode::from(2);
    };
    println!("| bug | first failure | before | after | runs | s |");
    println!("|---|---|---|---|--:|--:|");
    let (mut small, mut seconds) = (0, Vec::new());
    for directory in directories {
        match bugs(directory) {
            Err(why) => {
                eprintln!("{}: {why}", directory.display());
                return ExitCode::from(2);
            }
            Ok(bugs) => {
                for bug in bugs {
                    match reduced(landfall, directory, &bug) {
                        Ok(row) => {
                            println!("{}", row.text);
                            small += u32::from(row.is_small);
                            seconds.push(row.seconds);
                        }
                        Err(why) => {
                            println!("| {bug} | {why} | | | | |");
                            seconds.push(f64::INFINITY);
                        }
                    }
                }
            }
        }
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
    println!(
        "\n{small} of {} come to at most {WINDOWS} windows and {OPERATIONS} operations; the median \
         takes {median:.1} s of the processors.",
        seconds.len()
    );
    match small as usize == seconds.len() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// The features of a package that plant a bug.
fn bugs(directory: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(directory.join("Cargo.toml")).map_err(|why| why.to_string())?;
    let named = text.lines().filter_map(|line| line.split_once(" = "));
    let bugs = named.filter(|(name, _)| name.starts_with("bug-"));
    let bugs: Vec<String> = bugs.map(|(name, _)| name.to_owned()).collect();
    match bugs.is_empty() {
        true => Err("has no feature that begins with bug-".to_owned()),
        false => Ok(bugs),
    }
}

struct Row {
    text: String,
    is_small: bool,
    seconds: f64,
}

fn reduced(landfall: &Path, directory: &Path, bug: &str) -> Result<Row, String> {
    let begin = |command: &str| {
        let mut begun = Command::new(landfall);
        begun.args([
            command,
            "--features",
            bug,
            "--format",
            "json",
            "--manifest-path",
        ]);
        begun.arg(directory.join("Cargo.toml"));
        begun
    };
    let mut sweep = begin("sweep");
    let swept = answer(sweep.args(["--seeds", "60", "--fail-fast"]))?;
    let results = swept["results"].as_array().into_iter().flatten();
    let mut failing = results.filter(|result| result["failures"][0].is_object());
    let found = failing.next().ok_or("no seed fails")?;
    let scenario = found["scenario"].as_str().unwrap_or_default();
    let seed = found["failures"][0]["seed"].as_u64().unwrap_or_default();
    let capsules = std::env::temp_dir().join("landfall-reductions");
    let before = children_seconds();
    let mut reduce = begin("reduce");
    let seed_word = seed.to_string();
    reduce.args(["--scenario", scenario, "--seed", &seed_word, "--for", LIMIT]);
    let answer = answer(reduce.arg("--out").arg(&capsules))?;
    let seconds = children_seconds() - before;
    let count = |of: &str, what: &str| answer[of][what].as_u64().unwrap_or(u64::MAX);
    let sizes = |of| {
        let (windows, operations) = (count(of, "windows"), count(of, "operations"));
        format!("{windows} windows, {operations} operations")
    };
    let is_small =
        count("after", "windows") <= WINDOWS && count("after", "operations") <= OPERATIONS;
    let cut = match answer["complete"].as_bool() {
        Some(true) => "",
        _ => " (stopped)",
    };
    let signature = answer["signature"].as_str().unwrap_or_default();
    let text = format!(
        "| `{bug}` | {scenario}, seed {seed}: {signature} | {} | {}{cut} | {} | {seconds:.1} |",
        sizes("before"),
        sizes("after"),
        answer["runs"],
    );
    Ok(Row {
        text,
        is_small,
        seconds,
    })
}

/// What a command answers in JSON; what it says beside goes where ours does.
fn answer(command: &mut Command) -> Result<Value, String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|why| format!("{}: {why}", command.get_program().display()))?;
    serde_json::from_slice(&output.stdout).map_err(|why| format!("{}: {why}", output.status))
}

/// The processors' seconds of all processes that were begun here and have ended, as Linux counts
/// them: in hundredths.
fn children_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in brackets, may have spaces; the children's times are fields 16 and 17.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let times = fields.split_whitespace().skip(13).take(2);
    let ticks: u64 = times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
