//! Many seeds over many processes, from one thread.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use sim_runtime::process::{
    ChildExit, ChildStatus, Limits, Worker, WorkerCommand, WorkerError, wait_any,
};

use crate::report::{Death, SeedOutcome, SeedReport};
use crate::worker::{self, Answer, Command, VERSION};
pub use crate::worker::{Listing, PlanInfo, RunRequest, TestInfo, Tier};

/// A test binary and where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestBinary {
    /// The executable.
    pub exe: PathBuf,
    /// Its package's directory, where cargo runs it.
    pub cwd: PathBuf,
}

/// How long one seed may take, in real time, before its process is killed, unless
/// [`Pool::limits`] says otherwise.
pub const SEED_WALL_LIMIT: Duration = Duration::from_secs(120);

/// What can go wrong with the processes, as opposed to the seeds.
#[derive(Debug)]
pub enum CoordinateError {
    /// A worker could not be started, or broke.
    Worker(WorkerError),
    /// It answered what cannot be read, or refused.
    Answer(String),
}

impl fmt::Display for CoordinateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(error) => error.fmt(f),
            Self::Answer(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for CoordinateError {}

impl From<WorkerError> for CoordinateError {
    fn from(error: WorkerError) -> Self {
        Self::Worker(error)
    }
}

/// Whether to go on after a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// With the next one.
    Continue,
    /// No new seed is begun; those under way still come in.
    Stop,
}

/// A number of workers of one test binary.
pub struct Pool {
    command: WorkerCommand,
    /// None where seeds run in this process.
    workers: Vec<Worker>,
    /// What one seed may use before its process is killed. At first [`SEED_WALL_LIMIT`], and the
    /// rest as it is there.
    pub limits: Limits,
    /// Which lines of the guests' log are captured where a request asks for it: good
    /// [`Directives`](crate::report::Directives). At first `info`.
    pub log: String,
}

impl Pool {
    /// Starts `jobs` workers.
    ///
    /// # Errors
    /// The binary cannot be started, or is not a worker.
    pub fn start(binary: &TestBinary, jobs: usize) -> Result<Self, CoordinateError> {
        let command = worker_command(binary);
        let workers = (0..jobs.max(1))
            .map(|_| Worker::spawn(&command))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            command,
            workers,
            limits: Limits::from(SEED_WALL_LIMIT),
            log: "info".to_owned(),
        })
    }

    /// Runs seeds in this process, which must be the test binary, each on a thread of its own and
    /// one after the other: for debuggers. A crash takes the process along, no limit holds, and
    /// what std keeps for a process is not fresh.
    #[must_use]
    pub fn in_process(binary: &TestBinary) -> Self {
        Self {
            command: worker_command(binary),
            workers: Vec::new(),
            limits: Limits::from(SEED_WALL_LIMIT),
            log: "info".to_owned(),
        }
    }

    /// Ends all workers and starts others.
    ///
    /// # Errors
    /// As [`Pool::start`].
    pub fn renew(&mut self) -> Result<(), CoordinateError> {
        for worker in &mut self.workers {
            *worker = Worker::spawn(&self.command)?;
        }
        Ok(())
    }

    /// How many seeds run at once.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.workers.len().max(1)
    }

    /// Asks what there is to run.
    ///
    /// # Errors
    /// The worker broke, or is of another version.
    pub fn list(&mut self) -> Result<Listing, CoordinateError> {
        if self.workers.is_empty() {
            return Ok(worker::list());
        }
        let command = encode(&Command::List { version: VERSION });
        let exit = self.workers[0].run(&command, self.limits, &mut |_| {})?;
        match &exit.result {
            Some(result) => decode(result),
            None => {
                let death = Death::of(0, exit, &self.limits);
                Err(CoordinateError::Answer(death.cause.to_string()))
            }
        }
    }

    /// Runs every request, as many at once as there are workers. Outcomes come as they end.
    ///
    /// # Errors
    /// A worker broke. What a child does, down to a crash, is an outcome and not an error.
    pub fn run(
        &mut self,
        requests: impl IntoIterator<Item = RunRequest>,
        on_outcome: &mut dyn FnMut(&RunRequest, SeedOutcome) -> Flow,
    ) -> Result<(), CoordinateError> {
        let mut requests = requests.into_iter();
        if self.workers.is_empty() {
            return run_here(requests, &self.log, on_outcome);
        }
        let mut under_way: Vec<Option<RunRequest>> = self.workers.iter().map(|_| None).collect();
        let mut idle: VecDeque<usize> = (0..self.workers.len()).collect();
        let mut flow = Flow::Continue;
        loop {
            while flow == Flow::Continue
                && let Some(place) = idle.front().copied()
                && let Some(request) = requests.next()
            {
                idle.pop_front();
                let command = encode(&Command::Run {
                    version: VERSION,
                    request: request.clone().with_directives(&self.log),
                });
                self.workers[place].start(&command, self.limits)?;
                under_way[place] = Some(request);
            }
            let Some((place, exit)) = wait_any(&mut self.workers, Duration::MAX) else {
                return Ok(());
            };
            let request = under_way[place]
                .take()
                .expect("a worker that ends was under way");
            idle.push_back(place);
            let outcome = outcome_of(&request, exit?, &self.limits)?;
            if on_outcome(&request, outcome) == Flow::Stop {
                flow = Flow::Stop;
            }
        }
    }

    /// Runs one request.
    ///
    /// # Errors
    /// As [`Pool::run`].
    pub fn run_one(&mut self, request: RunRequest) -> Result<SeedOutcome, CoordinateError> {
        let mut found = None;
        self.run([request], &mut |_, outcome| {
            found = Some(outcome);
            Flow::Continue
        })?;
        Ok(found.expect("a request that ran has an outcome"))
    }
}

pub(crate) fn encode(command: &Command) -> Vec<u8> {
    serde_json::to_vec(command).expect("plain data has a JSON form")
}

pub(crate) fn decode<T: DeserializeOwned>(result: &[u8]) -> Result<T, CoordinateError> {
    match serde_json::from_slice(result) {
        Ok(Answer::Done(answer)) => Ok(answer),
        Ok(Answer::Refused(why)) => Err(CoordinateError::Answer(why)),
        Err(error) => {
            let message = format!("a worker's answer cannot be read: {error}");
            Err(CoordinateError::Answer(message))
        }
    }
}

fn worker_command(binary: &TestBinary) -> WorkerCommand {
    WorkerCommand {
        exe: binary.exe.clone(),
        cwd: binary.cwd.clone(),
        extra_env: Vec::new(),
    }
}

/// Runs requests in this process.
fn run_here(
    requests: impl Iterator<Item = RunRequest>,
    log: &str,
    on_outcome: &mut dyn FnMut(&RunRequest, SeedOutcome) -> Flow,
) -> Result<(), CoordinateError> {
    for request in requests {
        let ran = std::panic::catch_unwind(|| worker::run(&request.clone().with_directives(log)));
        let outcome = match ran {
            Ok(report) => SeedOutcome::Ran(Box::new(report.map_err(CoordinateError::Answer)?)),
            Err(panic) => {
                let message = sim_runtime::task::message(&*panic);
                SeedOutcome::Crashed(Box::new(Death::of_panic(request.seed(), message)))
            }
        };
        if on_outcome(&request, outcome) == Flow::Stop {
            break;
        }
    }
    Ok(())
}

fn outcome_of(
    request: &RunRequest,
    exit: ChildExit,
    limits: &Limits,
) -> Result<SeedOutcome, CoordinateError> {
    match (&exit.result, exit.status) {
        (Some(result), ChildStatus::Code(0)) => {
            let report: SeedReport = decode(result)?;
            Ok(SeedOutcome::Ran(Box::new(report)))
        }
        _ => {
            let death = Death::of(request.seed(), exit, limits);
            Ok(SeedOutcome::Crashed(Box::new(death)))
        }
    }
}
