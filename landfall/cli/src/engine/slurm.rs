//! Slurm: an array of parts on machines that share a directory. They are submitted, watched,
//! submitted again where a machine took one along, and put together.

mod collect;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use self::collect::{Collector, Queue, Wait};
use super::{DONE, Parts, quoted};
use crate::args::EngineArgs;
use crate::exit::Error;
use crate::output;
use crate::patience::Patience;
use crate::progress::Line;
use crate::store;

/// How long it is between two looks at the queue.
const PERIOD: Duration = Duration::from_secs(1);
/// In the parts' directory: the numbers of the jobs that were submitted, one a line.
const JOBS: &str = "jobs";
/// How much of a part's log is shown when it cannot be brought to its end.
const LOG_LINES: usize = 10;

/// Whether jobs can be submitted from here.
///
/// # Errors
/// Slurm's commands are not installed.
pub(super) fn is_there() -> Result<(), Error> {
    run_command(Command::new("sbatch").arg("--version")).map(drop)
}

/// Runs every part; gives their databases, each with a sweep that is over.
///
/// # Errors
/// The directory cannot be used, Slurm refuses, somebody interrupts, or a part does not come to
/// its end however often it is submitted. What has run stands in the directory in each case.
pub(super) fn run(parts: &Parts, args: &EngineArgs, resume: bool) -> Result<Vec<PathBuf>, Error> {
    let directory = directory(&args.parts, resume)?;
    let script = directory.join("part.sh");
    let text = script_of(parts, &directory)?;
    fs::write(&script, text).map_err(|error| unusable(&script, &error))?;
    let mut cluster = Cluster {
        directory: directory.clone(),
        script,
        more: args.sbatch.clone(),
    };
    let patience = Patience::new(None)?;
    let mut line = Line::new();
    let mut shown = String::new();
    let wait = |state: &str| {
        line.show(|| state.to_owned());
        if !output::shows_progress() && shown != state {
            shown = state.to_owned();
            output::say(state);
        }
        match patience.pause(PERIOD) {
            true => Wait::Over,
            false => Wait::On,
        }
    };
    let collector = Collector {
        queue: &mut cluster,
        jobs: jobs_before(&directory),
        count: parts.count,
    };
    let is_over = |index: u32| is_over(&database(&directory, index));
    let collected = collector.collect(&is_over, wait);
    line.finish();
    match collected? {
        Wait::On => Ok((0..parts.count).map(|i| database(&directory, i)).collect()),
        Wait::Over => Err(Error::usage(format!(
            "interrupted, and the jobs cancelled: go on with --parts {} --resume",
            args.parts.display()
        ))),
    }
}

/// The directory, made if it is not there, and without parts that would be taken for this
/// sweep's.
fn directory(path: &Path, resume: bool) -> Result<PathBuf, Error> {
    fs::create_dir_all(path).map_err(|error| unusable(path, &error))?;
    let path = path
        .canonicalize()
        .map_err(|error| unusable(path, &error))?;
    let is_used = path.join(JOBS).exists();
    if is_used && !resume {
        return Err(Error::usage(format!(
            "{} has the parts of another sweep: add --resume to go on with it, or name another \
             directory by --parts",
            path.display()
        )));
    }
    Ok(path)
}

fn jobs_before(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join(JOBS)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn database(directory: &Path, index: u32) -> PathBuf {
    directory.join(format!("part-{index}.db"))
}

fn log(directory: &Path, index: u32) -> PathBuf {
    directory.join(format!("part-{index}.log"))
}

/// Whether a part has come to its end. Asked only of parts that are not in the queue: SQLite's
/// files are not to be opened on two machines at once.
fn is_over(database: &Path) -> bool {
    let last = store::open(database, false).map(|file| store::last(&file));
    matches!(last, Ok(Ok(Some(sweep))) if sweep.is_over)
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!("{} cannot be used: {error}", path.display()))
}

/// What a task of the array runs. One that was lost goes on where it was; one that was lost
/// before it had begun has nothing to go on with, and begins.
fn script_of(parts: &Parts, directory: &Path) -> Result<String, Error> {
    let mut parts = parts.clone();
    // On the machines of a cluster this file is where it is here.
    let me = std::env::current_exe();
    let me = me.map_err(|error| Error::internal(format!("this command has no path: {error}")))?;
    parts.words[0] = me.display().to_string();
    let line = parts.command();
    let directory = quoted(&directory.display().to_string());
    let count = parts.count;
    Ok(format!(
        "#!/bin/sh\n\
         # One part of a sweep; its number is SLURM_ARRAY_TASK_ID.\n\
         db={directory}/part-$SLURM_ARRAY_TASK_ID.db\n\
         part() {{ {line} --shard \"$SLURM_ARRAY_TASK_ID/{count}\" --db \"$db\" \"$@\"; }}\n\
         status=2\n\
         if [ -s \"$db\" ]; then part --resume; status=$?; fi\n\
         if [ $status -eq 2 ]; then part; status=$?; fi\n\
         # That a claim failed is for the merge to say.\n\
         case $status in 0|{DONE}) exit 0 ;; *) exit $status ;; esac\n"
    ))
}

/// The cluster's own commands.
struct Cluster {
    directory: PathBuf,
    script: PathBuf,
    /// Words for `sbatch` that the user gave.
    more: Vec<String>,
}

impl Queue for Cluster {
    fn submit(&mut self, indexes: &[u32]) -> Result<String, Error> {
        let array: Vec<String> = indexes.iter().map(u32::to_string).collect();
        let log = self.directory.join("part-%a.log");
        let mut command = Command::new("sbatch");
        command
            .args(["--parsable", "--job-name=landfall", "--open-mode=append"])
            // What is lost is submitted again from here, at once.
            .arg("--no-requeue")
            .arg(format!("--array={}", array.join(",")))
            .arg(format!("--output={}", log.display()))
            .args(&self.more)
            .arg(&self.script);
        let output = run_command(&mut command)?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(Error::usage(format!("sbatch refuses: {}", why.trim())));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        // With several clusters it is followed by one's name.
        let job = said.trim().split(';').next().unwrap_or_default().to_owned();
        let mut jobs = fs::OpenOptions::new();
        let path = self.directory.join(JOBS);
        jobs.create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| writeln!(file, "{job}"))
            .map_err(|error| unusable(&path, &error))?;
        Ok(job)
    }

    fn present(&mut self, jobs: &[String]) -> Result<Option<BTreeSet<u32>>, Error> {
        let mut command = Command::new("squeue");
        command.args(["--me", "--noheader", "--array", "--format=%F %K"]);
        let output = run_command(&mut command)?;
        if !output.status.success() {
            return Ok(None);
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let ours = said.lines().filter_map(|line| {
            let (job, index) = line.trim().split_once(' ')?;
            let is_ours = jobs.iter().any(|ours| ours == job);
            is_ours.then(|| index.trim().parse().ok())?
        });
        Ok(Some(ours.collect()))
    }

    fn cancel(&mut self, jobs: &[String]) {
        // They end by themselves if this cannot be said.
        let _said = run_command(Command::new("scancel").args(jobs));
    }

    fn last_words(&self, index: u32) -> String {
        let path = log(&self.directory, index);
        let text = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
        match last {
            [] => format!("it wrote nothing to {}", path.display()),
            last => format!("{} ends with\n    {}", path.display(), last.join("\n    ")),
        }
    }
}

fn run_command(command: &mut Command) -> Result<Output, Error> {
    let program = command.get_program().display().to_string();
    command.stdin(Stdio::null()).output().map_err(|error| {
        Error::usage(format!(
            "{program} cannot be started: {error}; --engine slurm is called where jobs are \
             submitted, and Debian has its commands in slurm-client"
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests::parts;
    use super::script_of;

    #[test]
    fn a_task_runs_its_part_and_goes_on_with_what_was_lost() {
        let text = script_of(&parts(), Path::new("/shared/some where")).expect("a script");
        assert!(text.contains("db='/shared/some where'/part-$SLURM_ARRAY_TASK_ID.db\n"));
        assert!(
            text.contains(
                " landfall sweep -p raft-kv --seeds 2000 --scenario 'it'\\''s quick' \
                 --shard \"$SLURM_ARRAY_TASK_ID/8\" --db \"$db\" \"$@\"; }\n"
            ),
            "{text}"
        );
    }
}
