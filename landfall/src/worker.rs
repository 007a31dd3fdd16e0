//! The worker's side: what a child does with the command it was forked for.
//!
//! Commands and results are JSON. Numbers in a command have a fixed width, so that the memory of
//! a child does not depend on which seed it runs.

use std::collections::BTreeMap;
use std::ops::Range;

use plan_compiler::scenario::Scenario;
use serde::{Deserialize, Serialize};
use sim_runtime::interpose::floor::PROBES;
use sim_runtime::process::{Reply, WORKER_HANDLERS};
use sim_runtime::{Config, Seed, Simulation};

use crate::entry::{ENTRIES, Entry, EntryKind, LogWanted, SeedContext, find};
use crate::log;
use crate::report::SeedReport;
use crate::script::Script;

/// Version of the commands and results in here.
pub(crate) const VERSION: u32 = 4;

/// Stack of the thread that a simulation runs on.
const STACK_BYTES: usize = 16 << 20;

/// What a worker can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// What is there to run?
    List {
        /// [`VERSION`] of who asks.
        version: u32,
    },
    /// Run one seed.
    Run {
        /// [`VERSION`] of who asks.
        version: u32,
        /// What to run.
        request: RunRequest,
    },
    /// Run a probe of the determinism floor.
    Probe {
        /// [`VERSION`] of who asks.
        version: u32,
        /// Which.
        name: String,
        /// The seed of its simulation.
        seed: Fixed,
        /// How it is repeated.
        repeat: Repeat,
    },
}

/// How a probe is repeated within one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Repeat {
    /// It is not.
    Once,
    /// Twice, on a thread each.
    Threads,
    /// Twice, on one thread.
    Thread,
}

/// One seed of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The test's name, as libtest has it.
    pub test: String,
    seed: Fixed,
    /// Which budget's duration is run.
    pub tier: Tier,
    /// First event to write out, and the one after the last.
    trace: (Fixed, Fixed),
    /// Whether the history is wanted: `y` or `n`.
    history: char,
    /// Whether the guests' log is captured: `n`, `t` for its end if the seed fails, `a` for all.
    log: char,
    /// Which of its lines, padded to a length that is always the same.
    directives: String,
    /// Whether what the run does is to be written down: `y` or `n`.
    recording: char,
    /// What it does other than its seed would.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    script: Option<Box<Script>>,
}

/// Which of a plan's budgets is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// What `cargo test` runs.
    Smoke,
    /// What PASS-hardening asks for.
    Harden,
}

impl RunRequest {
    /// A request for one seed, without trace and history.
    #[must_use]
    pub fn new(test: &str, seed: u64, tier: Tier) -> Self {
        Self {
            test: test.to_owned(),
            seed: Fixed(seed),
            tier,
            trace: (Fixed(0), Fixed(0)),
            history: 'n',
            log: 'n',
            directives: String::new(),
            recording: 'n',
            script: None,
        }
    }

    /// The same with the history.
    #[must_use]
    pub fn with_history(mut self) -> Self {
        self.history = 'y';
        self
    }

    /// The same with the guests' log: all of it, or its end if the seed fails.
    #[must_use]
    pub fn with_log(mut self, all: bool) -> Self {
        self.log = if all { 'a' } else { 't' };
        self
    }

    /// The same with only those lines that the directives ask for, which are good ones.
    #[must_use]
    pub(crate) fn with_directives(mut self, directives: &str) -> Self {
        self.directives = format!("{directives:<width$}", width = log::DIRECTIVES_MAX);
        self
    }

    /// The same with events written out.
    #[must_use]
    pub fn with_trace(mut self, events: Range<u64>) -> Self {
        self.trace = (Fixed(events.start), Fixed(events.end));
        self
    }

    /// The same, following a script.
    #[must_use]
    pub fn with_script(mut self, script: &Script) -> Self {
        self.script = (!script.is_empty()).then(|| Box::new(script.clone()));
        self
    }

    /// The same, with what the run does written down.
    #[must_use]
    pub fn with_recording(mut self) -> Self {
        self.recording = 'y';
        self
    }

    /// The script that the run follows.
    #[must_use]
    pub fn script(&self) -> Option<&Script> {
        self.script.as_deref()
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed.0
    }
}

/// A number that is sixteen hexadecimal digits in a command, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Fixed(pub(crate) u64);

impl From<Fixed> for String {
    fn from(number: Fixed) -> Self {
        format!("{:016x}", number.0)
    }
}

impl TryFrom<String> for Fixed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match u64::from_str_radix(&text, 16) {
            Ok(number) => Ok(Self(number)),
            Err(error) => Err(format!("{text} is not a hexadecimal number: {error}")),
        }
    }
}

/// What is there to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// [`VERSION`] of the worker.
    pub(crate) version: u32,
    /// Every test, in order of module and name.
    pub tests: Vec<TestInfo>,
    /// Every plan, in order of its path.
    pub plans: Vec<PlanInfo>,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestInfo {
    /// As libtest has it.
    pub test: String,
    /// The plan it comes from, if any.
    pub plan: Option<String>,
    /// The hash of the plan's text, sixteen hexadecimal digits.
    pub plan_hash: Option<String>,
    /// The scenario's id in the plan.
    pub id: Option<String>,
    /// The scenario; none when it cannot run, or was written by hand.
    pub scenario: Option<Scenario>,
    /// How many seeds a hand-written simulation asked for.
    pub seeds: Option<u32>,
}

/// One plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanInfo {
    /// Its path, from the package.
    pub path: String,
    /// Errors, rendered.
    pub errors: Vec<String>,
    /// Warnings, rendered.
    pub warnings: Vec<String>,
}

/// What a worker answers. A refusal is of the command; whatever a seed does is no refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer<T> {
    /// What was asked for.
    Done(T),
    /// Why the command cannot be served.
    Refused(String),
}

#[linkme::distributed_slice(WORKER_HANDLERS)]
static HANDLER: fn(&[u8], &mut Reply) = handle;

fn handle(command: &[u8], reply: &mut Reply) {
    let answer = answer(command).unwrap_or_else(|refusal| encode(&Answer::<()>::Refused(refusal)));
    reply.result(&answer);
}

fn encode<T: Serialize>(answer: &Answer<T>) -> Vec<u8> {
    serde_json::to_vec(answer).expect("plain data has a JSON form")
}

fn answer(command: &[u8]) -> Result<Vec<u8>, String> {
    let command: Command =
        serde_json::from_slice(command).map_err(|error| format!("bad command: {error}"))?;
    let version = match &command {
        Command::List { version }
        | Command::Run { version, .. }
        | Command::Probe { version, .. } => *version,
    };
    if version != VERSION {
        return Err(format!(
            "the command is of version {version} and this test binary of version {VERSION}: \
             build both from the same release of landfall"
        ));
    }
    Ok(match command {
        Command::List { .. } => encode(&Answer::Done(list())),
        Command::Run { request, .. } => encode(&Answer::Done(run(&request)?)),
        Command::Probe {
            name, seed, repeat, ..
        } => encode(&Answer::Done(probe(&name, seed.0, repeat)?)),
    })
}

pub(crate) fn list() -> Listing {
    let mut entries: Vec<&Entry> = ENTRIES.iter().collect();
    entries.sort_by_key(|entry| (entry.module, entry.line, entry.name));
    let plans: BTreeMap<&str, PlanInfo> = entries
        .iter()
        .filter_map(|entry| Some((entry.plan()?, plan_info(entry)?)))
        .collect();
    Listing {
        version: VERSION,
        tests: entries.into_iter().map(test_info).collect(),
        plans: plans.into_values().collect(),
    }
}

fn test_info(entry: &Entry) -> TestInfo {
    let mut info = TestInfo {
        test: entry.test_name(),
        plan: None,
        plan_hash: None,
        id: None,
        scenario: None,
        seeds: None,
    };
    match &entry.kind {
        EntryKind::Hand { seeds, .. } => info.seeds = *seeds,
        EntryKind::Plan {
            path,
            text,
            scenario: id,
            ..
        } => {
            info.plan = Some((*path).to_owned());
            info.plan_hash = Some(crate::capsule::checksum(text));
            info.id = Some((*id).to_owned());
            info.scenario = entry.scenario().cloned();
        }
    }
    info
}

fn plan_info(entry: &Entry) -> Option<PlanInfo> {
    let EntryKind::Plan { path, text, .. } = entry.kind else {
        return None;
    };
    let compiled = entry.compiled()?;
    let rendered = |errors: bool| {
        let wanted = compiled
            .diagnostics
            .iter()
            .filter(|d| (d.severity == plan_compiler::Severity::Error) == errors);
        wanted
            .map(|diagnostic| plan_compiler::render(diagnostic, path, text))
            .collect()
    };
    Some(PlanInfo {
        path: path.to_owned(),
        errors: rendered(true),
        warnings: rendered(false),
    })
}

pub(crate) fn run(request: &RunRequest) -> Result<SeedReport, String> {
    let entry = find(&request.test)
        .ok_or_else(|| format!("there is no test named {} in this binary", request.test))?;
    let scenario = match (&entry.kind, entry.scenario()) {
        (EntryKind::Hand { .. }, _) => None,
        (EntryKind::Plan { .. }, Some(scenario)) => Some(with_tier(scenario.clone(), request.tier)),
        (EntryKind::Plan { scenario: id, .. }, None) => {
            return Err(format!("scenario {id} cannot run"));
        }
    };
    let mut context = SeedContext {
        seed: Seed(request.seed()),
        scenario,
        trace: request.trace.0.0..request.trace.1.0,
        wants_history: request.history == 'y',
        directives: request.directives.parse()?,
        log: match request.log {
            'n' => LogWanted::No,
            't' => LogWanted::Tail,
            _ => LogWanted::All,
        },
        script: request.script.as_deref().cloned().unwrap_or_default(),
        records: request.recording == 'y',
        report: None,
    };
    on_fresh_thread(|| (entry.run())(&mut context));
    Ok(context.report.expect("an entry's run leaves a report"))
}

/// What a probe sees, each time. A probe that fails takes its process along.
fn probe(name: &str, seed: u64, repeat: Repeat) -> Result<Vec<String>, String> {
    let probe = PROBES.iter().find(|probe| probe.name == name);
    let probe = probe.ok_or_else(|| format!("there is no probe named {name}"))?;
    let once = || {
        let simulation = Simulation::new(Config::new(Seed(seed)));
        let seen = simulation.block_on((probe.run)());
        // Whoever compares texts must not take two failures for a match.
        seen.unwrap_or_else(|stop| panic!("{stop}"))
    };
    let mut seen = Vec::new();
    match repeat {
        Repeat::Once => on_fresh_thread(|| seen.push(once())),
        Repeat::Thread => on_fresh_thread(|| seen.extend([once(), once()])),
        Repeat::Threads => {
            on_fresh_thread(|| seen.push(once()));
            on_fresh_thread(|| seen.push(once()));
        }
    }
    Ok(seen)
}

/// std draws a thread's hash keys once, at its first `HashMap`: the simulation gets a thread that
/// has drawn nothing, whatever was read before.
fn on_fresh_thread(run: impl FnOnce() + Send) {
    let thread = std::thread::Builder::new().name("landfall-run".to_owned());
    std::thread::scope(|scope| {
        let thread = thread.stack_size(STACK_BYTES).spawn_scoped(scope, run);
        let ended = thread.expect("a process can have one more thread").join();
        if let Err(payload) = ended {
            std::panic::resume_unwind(payload);
        }
    });
}

fn with_tier(mut scenario: Scenario, tier: Tier) -> Scenario {
    let budget = match tier {
        Tier::Smoke => scenario.budgets.smoke,
        Tier::Harden => scenario.budgets.hardening,
    };
    if let Some(duration_ns) = budget.duration_ns {
        scenario.workload.duration_ns = duration_ns;
    }
    scenario
}
