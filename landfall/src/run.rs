//! One seed of one scenario: warm-up, chaos, heal, converge, verify; then judgement.

mod state;

use std::cell::Cell;
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use checkers::single::Single;
use checkers::spec::CheckerSpec;
use checkers::{Budget, CheckReport, Completion, History, Outcome};
use plan_compiler::scenario::{After, DiskOrder, DiskTear, Disks, Evidence, FaultSpec, Scenario};
use sim_disk::{Disk, DiskConfig, Latency, LatencyRange, Profile, TearUnit};
use sim_net::{Net, NetConfig};
use sim_runtime::{
    Config, NodeId, NodeMain, NodeState, Seed, Simulation, Stop, Summary, interpose, spawn, time,
    world,
};

use crate::entry::{LogWanted, SeedContext};
use crate::guest;
use crate::landing::{self, Seen};
use crate::log::{self, LogLine};
use crate::nemesis::Nemesis;
use crate::network;
use crate::phases::{Convergence, Phase};
use crate::report::{DiskReport, OperationCounts, SeedReport};
use crate::script::{Preemption, Recording};
use crate::stand_in::{self, Played, StandIn};
use crate::swarm::Swarm;
use crate::system::{ClientContext, NodeContext, Peer, System};
use crate::variables::Variables;
use crate::workload;

use self::state::RUN;
pub(crate) use self::state::{RunState, leader_elected};

/// How long a first leader is waited for; a system without leaders gets a part of it.
const WARM_UP_MAX: Duration = Duration::from_secs(10);
const WARM_UP_LEADERLESS: Duration = Duration::from_secs(1);

/// How long the last operations may take, all together, in virtual time.
const CLIENTS_END_MAX: Duration = Duration::from_secs(150);

/// How many log lines a failing seed sends along.
const LOG_TAIL_LINES: usize = 50;

/// How long a change waits for the kernel to write it back by itself in simulations written by
/// hand, as on Linux, which looks every 5 s for what is older than 30 s, sooner when there is
/// much. Plans' disks write back under memory pressure alone: a power loss takes the more.
const WRITE_BACK: LatencyRange = LatencyRange {
    lo: Duration::from_secs(5),
    hi: Duration::from_secs(35),
};

/// A disk as a plan asks for it, that is an ordinary solid-state one, or takes so many percent of
/// its time: a sync takes milliseconds, everything else far less.
fn disk_config(asked: Disks, percent: u32) -> DiskConfig {
    let micros = |micros: u64| Duration::from_nanos(micros * 10 * u64::from(percent));
    let range = |lo, hi| LatencyRange {
        lo: micros(lo),
        hi: micros(hi),
    };
    let latency = Latency {
        read: range(20, 120),
        write: range(10, 60),
        sync: range(500, 6_000),
        metadata: range(10, 60),
    };
    DiskConfig {
        profile: match asked.order {
            DiskOrder::PosixWeak => Profile::PosixWeak,
            DiskOrder::Ext4Ordered => Profile::Ext4Ordered,
            DiskOrder::Sequential => Profile::Sequential,
        },
        tear: match asked.tear {
            DiskTear::Atomic512 => TearUnit::Atomic512,
            DiskTear::Atomic4096 => TearUnit::Atomic4096,
            DiskTear::None => TearUnit::None,
        },
        latency,
        lints: true,
        ..DiskConfig::default()
    }
}

/// A node's main future, made anew at each start.
fn node_main<S: System>(run: &Rc<RunState>, system: &Rc<S>, me: &Peer) -> NodeMain {
    let (run, system, me) = (Rc::clone(run), Rc::clone(system), me.clone());
    let starts = Cell::new(0);
    Rc::new(move || {
        let restarts = starts.replace(starts.get() + 1);
        let nodes = run.peers();
        let node = NodeContext {
            me: nodes[me.number as usize - 1].clone(),
            nodes,
            data_dir: PathBuf::from("/data"),
            restarts,
        };
        let (run, name) = (Rc::clone(&run), me.name.clone());
        let (is_b, moved_by) = run.operation.starts(run.servers[me.number as usize - 1]);
        let main = match run.script.stand_in {
            Some(StandIn::Servers) => Err(system.reference(node, run.reference.clone())),
            _ if is_b => Err(system.hooks().and_then(|hooks| hooks.version_b(node))),
            _ => Ok(system.start(node)),
        };
        Box::pin(async move {
            if let Some(fault) = moved_by {
                let version = if is_b { "B" } else { "A" };
                let what = || format!("{name} started as version {version}");
                let ledger = world();
                ledger.ledger().inject(fault, "nodes-upgraded", 1, what);
                ledger.ledger().observe(fault, "nodes-upgraded", what);
            }
            let ended = match main {
                Ok(main) => main.await,
                Err(Some(main)) => main.await,
                Err(None) => Err(std::io::Error::other(stand_in::MISSING)),
            };
            run.main_ended(&name, ended);
        })
    })
}

/// Counts a client as busy until it ends, be it by a panic.
struct Busy(Rc<RunState>);

impl Drop for Busy {
    fn drop(&mut self) {
        let busy = &self.0.clients_busy;
        busy.set(busy.get() - 1);
    }
}

/// Runs `client` with a fresh client of the system, on a host of its own.
fn start_client<S, F>(
    run: &Rc<RunState>,
    system: &Rc<S>,
    host: NodeId,
    number: u32,
    drive: impl Fn(Rc<RunState>, u32, Played<S::Client>) -> F + 'static,
) where
    S: System,
    F: Future<Output = ()> + 'static,
{
    let (run, system, drive) = (Rc::clone(run), Rc::clone(system), Rc::new(drive));
    run.clients_busy.set(run.clients_busy.get() + 1);
    let context = ClientContext {
        number,
        nodes: run.peers(),
        op_timeout: Duration::from_nanos(run.scenario.workload.op_timeout_ns),
    };
    let main: NodeMain = Rc::new(move || {
        let (run, drive) = (Rc::clone(&run), Rc::clone(&drive));
        let client = match run.script.stand_in {
            Some(StandIn::Object) => None,
            _ => Some(system.client(context.clone())),
        };
        let busy = Busy(Rc::clone(&run));
        Box::pin(async move {
            let _busy = busy;
            let client = match client {
                Some(client) => Played::System(client.await),
                None => Played::Object(run.reference.clone()),
            };
            drive(run, number, client).await;
        })
    });
    world().start_node(host, main);
}

async fn clients_are_done(run: &RunState) -> Result<(), Stop> {
    let start = time::now();
    while run.clients_busy.get() > 0 {
        if time::now() - start > CLIENTS_END_MAX {
            let (busy, limit) = (run.clients_busy.get(), CLIENTS_END_MAX);
            let message = format!("{busy} clients made no end in {limit:?} after the workload's");
            return Err(Stop::Failed { message });
        }
        time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// The phases of a run.
async fn phases<S: System>(run: Rc<RunState>, system: Rc<S>) -> Result<(), Stop> {
    run.begin(Phase::WarmUp);
    let guest = Rc::<S>::clone(&system);
    run.operation.begin(&run.scenario.faults, guest);
    for (node, peer) in run.servers.iter().zip(&run.peers()) {
        world().start_node(*node, node_main(&run, &system, peer));
    }
    warm_up(&run).await;
    guest::look_for_missing(&run);
    if run.operation.missing().is_some() {
        return Ok(());
    }

    run.started.set(time::now());
    run.begin(Phase::Chaos);
    let nemesis = Nemesis::new(&run);
    for (number, host) in (1..).zip(run.clients.clone()) {
        start_client(&run, &system, host, number, workload::drive);
    }
    let end = time::now() + Duration::from_nanos(run.scenario.workload.duration_ns);
    let chaos = spawn(nemesis.run());
    time::sleep_until(end).await;
    let windows = chaos.await.expect("the nemesis comes to its end");
    *run.windows.borrow_mut() = windows;

    run.heal();
    let settler = run.scenario.topology.clients + 1;
    let last = u8::try_from(settler).expect("at most 254 clients");
    let host = world().create_node(&format!("c{settler}"), IpAddr::from([10, 0, 1, last]));
    run.stop_clients.set(true);
    start_client(&run, &system, host, settler, workload::settle);
    clients_are_done(&run).await
}

async fn warm_up(run: &RunState) {
    let start = time::now();
    let needs_leader = run.scenario.faults.iter().any(|fault| {
        use plan_compiler::scenario::Target;
        let other = fault.frames.as_ref().and_then(|frames| frames.to);
        let ends = [Some(fault.target), other];
        ends.into_iter().flatten().any(|target| {
            matches!(
                target,
                Target::Leader | Target::Follower | Target::Followers
            )
        })
    });
    let limit = if needs_leader {
        WARM_UP_MAX
    } else {
        WARM_UP_LEADERLESS
    };
    while run.leader().is_none() && time::now() - start < limit {
        time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs one seed of a plan's scenario; what [`plan!`](crate::plan) calls.
pub fn run_scenario<S: System>(context: &mut SeedContext, make: impl FnOnce() -> S) {
    let mut scenario = context
        .scenario
        .take()
        .expect("a plan's entry comes with its scenario");
    let swarm = context.swarm(&scenario);
    let script = context.script.clone();
    swarm.shape(&mut scenario);
    script.shape(&mut scenario);
    let looks_at_log = |evidence: &Evidence| {
        matches!(
            evidence,
            Evidence::GuestLog { .. } | Evidence::Metric { .. }
        )
    };
    let conditions = &scenario.landing;
    let waits_for_log = |fault: &FaultSpec| matches!(fault.after, Some(After::Log { .. }));
    if conditions.iter().any(|c| looks_at_log(&c.what)) || scenario.faults.iter().any(waits_for_log)
    {
        log::start(context.directives.clone().with_info(), true);
    } else {
        log::start(context.directives.clone(), context.log != LogWanted::No);
    }
    let simulation = Simulation::new(context.config(swarm.quiet));
    landing::watch_probes(&scenario.landing, simulation.world());
    let net = network::config(context.seed, swarm.network);
    let net = Net::install(simulation.world(), net);
    let disk = Disk::install(
        simulation.world(),
        disk_config(scenario.disks, swarm.disk_percent),
    );
    let run = Rc::new(RunState::new((scenario, swarm), script, net, disk));
    RUN.set(Rc::downgrade(&run));
    let system = Rc::new(make());
    let names = Rc::clone(&system);
    run.net.classify(move |frame| names.frame_kind(frame));
    let ended = simulation.block_on(phases(Rc::clone(&run), system));
    let stop = ended.and_then(|ended| ended).err();
    let floor = interpose::floor::report();
    let is_running = |node: &&NodeId| simulation.world().node(**node).state == NodeState::Running;
    let running = run.servers.iter().filter(is_running).count();
    let disks = DiskReport::of(&run.disk, simulation.world());
    let probes = landing::times_of_probes(&run.scenario.landing, simulation.world());
    let (summary, lines, preemptions) = finish(simulation);
    let history = run.recorder.take();
    let convergence = match stop {
        Some(_) => None,
        None => run.convergence(&summary.ledger, running),
    };
    let missing = run.operation.missing();
    let checks = match missing {
        Some(_) => Vec::new(),
        None => judge(&run.scenario, &history, convergence.as_ref()),
    };
    let seen = Seen {
        ledger: &summary.ledger,
        windows: &run.windows.borrow(),
        elections: &run.elections.borrow(),
        log: &lines,
        probes: &probes,
    };
    let landing = landing::judge(&run.scenario.landing, &seen, &run.script.without);
    let deviations = summary.deviations.clone();
    let mut report = report_of(context.seed, summary);
    if context.records {
        report.recording = Some(Recording {
            windows: run.pinned.take(),
            operations: run.begun.take(),
            deviations,
            preemptions,
            started_ns: run.workload_start().0,
        });
    }
    report.swarm = Some(run.swarm.clone());
    report.phases = run.phases.take();
    report.convergence = convergence;
    report.disks = Some(disks);
    report.checks = checks;
    report.missing = missing;
    report.landing = landing;
    report.operations = count(&history);
    report.stop = stop;
    report.exits = run.exits.take();
    report.floor_missing = floor
        .iter()
        .filter(|layer| !layer.is_active())
        .map(ToString::to_string)
        .collect();
    keep_log(context.log, &mut report, lines);
    if context.wants_history {
        let mut text = Vec::new();
        checkers::jsonl::write(&history, &mut text).expect("writing to memory succeeds");
        report.history = Some(String::from_utf8(text).expect("JSON is UTF-8"));
    }
    context.report = Some(report);
}

/// Ends a simulation; the guests' log and a script's picks carry the names of its nodes.
fn finish(simulation: Simulation) -> (Summary, Vec<LogLine>, Vec<Preemption>) {
    let nodes = simulation.world().nodes().into_iter();
    let names: Vec<_> = nodes.map(|node| node.name).collect();
    let summary = simulation.finish();
    let lines = log::take(&|node| names[node as usize].to_string());
    let preemptions = Preemption::all(&summary.overtakings, &names);
    (summary, lines, preemptions)
}

/// Runs one seed of a hand-written simulation; what [`test`](macro@crate::test) calls.
pub fn run_hand<F>(context: &mut SeedContext, main: impl FnOnce() -> F)
where
    F: Future + 'static,
    F::Output: HandOutput + 'static,
{
    log::start(context.directives.clone(), context.log != LogWanted::No);
    let simulation = Simulation::new(context.config(context.script.quiet));
    Net::install(simulation.world(), NetConfig::default());
    let usual = DiskConfig {
        write_back: WRITE_BACK,
        ..disk_config(Disks::default(), 100)
    };
    let disk = Disk::install(simulation.world(), usual);
    let ended = simulation.block_on(main());
    let disks = DiskReport::of(&disk, simulation.world());
    drop(disk);
    let (summary, lines, preemptions) = finish(simulation);
    let recording = context.records.then(|| Recording {
        deviations: summary.deviations.clone(),
        preemptions,
        ..Recording::default()
    });
    let mut report = report_of(context.seed, summary);
    report.recording = recording;
    report.disks = Some(disks);
    report.stop = match ended {
        Ok(output) => output.failure().map(|message| Stop::Failed { message }),
        Err(stop) => Some(stop),
    };
    keep_log(context.log, &mut report, lines);
    context.report = Some(report);
}

/// Keeps of the log what is wanted.
fn keep_log(wanted: LogWanted, report: &mut SeedReport, lines: Vec<LogLine>) {
    let kept = match wanted {
        LogWanted::All => lines.len(),
        LogWanted::Tail if report.failed() => LOG_TAIL_LINES,
        LogWanted::Tail | LogWanted::No => 0,
    };
    let skipped = lines.len().saturating_sub(kept);
    report.log_tail = lines.into_iter().skip(skipped).collect();
}

/// What a hand-written simulation may return.
pub trait HandOutput {
    /// What went wrong, if anything.
    fn failure(self) -> Option<String>;
}

impl HandOutput for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: std::fmt::Debug> HandOutput for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| format!("{error:?}"))
    }
}

fn judge(
    scenario: &Scenario,
    history: &History,
    convergence: Option<&Convergence>,
) -> Vec<CheckReport> {
    let budget = Budget::default();
    let each = scenario.checkers.iter();
    each.map(|spec| {
        let mut check = checkers::check(history, spec, scenario.model, &budget);
        let is_liveness = matches!(
            spec,
            CheckerSpec::Progress { .. } | CheckerSpec::Single(Single::Election { .. })
        );
        if let Some(hopeless @ Convergence::Hopeless { .. }) = convergence
            && is_liveness
            && matches!(check.outcome, Outcome::Violation)
        {
            // Nobody promises to go on with fewer servers than a majority.
            check.outcome = Outcome::Unknown {
                why: hopeless.to_string(),
            };
        }
        check
    })
    .collect()
}

fn count(history: &History) -> OperationCounts {
    let mut counts = OperationCounts::default();
    for op in history.ops.iter().filter(|op| op.is_client()) {
        match op.completion() {
            Completion::Acknowledged => counts.ok += 1,
            Completion::Failed => counts.failed += 1,
            Completion::Ambiguous => counts.unknown += 1,
        }
    }
    counts
}

fn report_of(seed: Seed, summary: Summary) -> SeedReport {
    let panics = summary.panics.iter();
    SeedReport {
        seed: seed.0,
        digest: summary.digest,
        events: summary.events,
        policy: summary.policy,
        swarm: None,
        polls: summary.polls,
        virtual_ns: summary.elapsed.as_nanos(),
        checkpoints: summary.checkpoints,
        trace: summary.trace,
        ledger: summary.ledger,
        landing: Vec::new(),
        phases: Vec::new(),
        convergence: None,
        checks: Vec::new(),
        operations: OperationCounts::default(),
        exits: Vec::new(),
        probes: summary.probes,
        violations: summary.violations,
        panics: panics
            .map(|panic| format!("{}: {} ({})", panic.node, panic.message, panic.task))
            .collect(),
        stop: None,
        missing: None,
        disks: None,
        floor_missing: Vec::new(),
        log_tail: Vec::new(),
        logged_as: None,
        history: None,
        recording: None,
    }
}

impl SeedContext {
    /// What the seed draws for the whole run, as far as the script does not say it.
    fn swarm(&mut self, scenario: &Scenario) -> Swarm {
        let mut swarm = match self.script.plain {
            true => Swarm::plain(scenario),
            false => Swarm::draw(self.seed, scenario),
        };
        let script = &mut self.script;
        swarm.quiet |= script.quiet;
        swarm.network = script.network.unwrap_or(swarm.network);
        swarm.disk_percent = script.disk_percent.unwrap_or(swarm.disk_percent);
        swarm.core = script.core.clone().unwrap_or(swarm.core);
        if script.windows.is_none() {
            script.without.extend(swarm.without.iter().cloned());
        }
        swarm
    }

    fn config(&self, quiet: bool) -> Config {
        // The harness has refused what cannot be used before any worker was started.
        let variables = Variables::read().unwrap_or_else(|bad| panic!("{bad}"));
        Config {
            policy: self
                .script
                .policy
                .unwrap_or_else(|| variables.policy_of(self.seed)),
            trace: self.trace.clone(),
            buggify: !quiet,
            schedule: self.script.schedule(self.records),
            reseeds: self.script.reseed.clone(),
            ..Config::new(self.seed)
        }
    }
}
