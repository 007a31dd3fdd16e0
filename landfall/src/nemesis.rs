//! The nemesis: opens and closes the windows of the schedule, and turns what a scenario says
//! into calls of the devices.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use plan_compiler::scenario::{Direction, FaultKind, FaultSpec, GuestAct, Target};
use sim_net::Effect;
use sim_runtime::{Down, FaultId, NodeId, NodeState, SimInstant, Stream, spawn, time, with, world};

use crate::guest::{self, Watch};
use crate::network;
use crate::run::RunState;
use crate::scarcity::{self, Limited};
use crate::schedule::{self, Window};
use crate::script::PinnedWindow;
use crate::standstill::{self, Starved};
use crate::storage::{self, Held, Storage};

/// How often a node that is to be started again is looked at while it stops.
const STOP_POLL: Duration = Duration::from_millis(10);

/// How often it is looked whether what windows wait for has happened.
const WATCH_POLL: Duration = Duration::from_millis(5);

/// A window that was opened.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// Of which fault, by its name in the scenario.
    pub(crate) fault: String,
    pub(crate) at: SimInstant,
    pub(crate) targets: Vec<NodeId>,
}

pub(crate) struct Nemesis {
    run: Rc<RunState>,
    storage: Storage,
    faults: Vec<Armed>,
    windows: Vec<Window>,
    /// The windows that were opened so far, in order.
    opened: Vec<Opened>,
}

struct Armed {
    /// As the scenario has it; its kind is what the open window does.
    spec: FaultSpec,
    id: FaultId,
    /// Nodes the open window is on.
    targets: Vec<NodeId>,
    /// Those of them that it killed or asked to stop.
    took_down: Vec<NodeId>,
    /// What it keeps of disks.
    held: Held,
    /// Those of them that it made stand still.
    paused: Vec<NodeId>,
    /// Those of them that it leaves too little of their processor.
    starved: Starved,
    /// Those of them whose memory it limits.
    limited: Limited,
    is_open: bool,
}

/// What is to be done next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    at_ns: u64,
    /// Closing comes before opening at one instant.
    opens: bool,
    window: usize,
}

impl Nemesis {
    /// Enters the scenario's faults into the ledger and draws their windows.
    pub(crate) fn new(run: &Rc<RunState>) -> Self {
        let specs = &run.scenario.faults;
        let faults = specs.iter().map(|spec| Armed {
            spec: spec.clone(),
            id: with(|world| world.ledger().plan(&spec.id, describe(spec.kind))),
            targets: Vec::new(),
            took_down: Vec::new(),
            held: Held::default(),
            paused: Vec::new(),
            starved: Starved::default(),
            limited: Limited::default(),
            is_open: false,
        });
        let seed = with(|world| world.seed());
        let end_ns = run.scenario.workload.duration_ns;
        let windows = schedule::scripted(seed, specs, end_ns, &run.script, time::now());
        Self {
            storage: Storage::new(&run.disk, &run.servers),
            run: Rc::clone(run),
            faults: faults.collect(),
            windows,
            opened: Vec::new(),
        }
    }

    /// Runs the schedule from now to its end.
    pub(crate) async fn run(mut self) -> Vec<Opened> {
        let start = self.run.workload_start();
        let end = start + Duration::from_nanos(self.run.scenario.workload.duration_ns);
        let mut steps: BTreeSet<Step> = BTreeSet::new();
        let waits = |place: &usize| self.windows[*place].after.is_some();
        let (mut waiting, ready): (Vec<usize>, Vec<usize>) =
            (0..self.windows.len()).partition(waits);
        ready
            .into_iter()
            .for_each(|place| self.place(place, &mut steps));
        let mut watch = Watch::default();
        loop {
            self.release(&mut waiting, &mut watch, &mut steps);
            let next = steps.first().copied();
            let next_at = next.map(|step| start + Duration::from_nanos(step.at_ns));
            if !waiting.is_empty() {
                let poll = time::now() + WATCH_POLL;
                if next_at.is_none_or(|at| at > poll) {
                    if poll >= end {
                        waiting.clear();
                    } else {
                        time::sleep_until(poll).await;
                    }
                    continue;
                }
            }
            let (Some(step), Some(at)) = (next, next_at) else {
                return self.opened;
            };
            time::sleep_until(at).await;
            steps.remove(&step);
            let window = self.windows[step.window].clone();
            if step.opens {
                self.open(window);
            } else {
                self.close(window.fault);
            }
        }
    }

    /// Enters a window's steps.
    fn place(&self, window: usize, steps: &mut BTreeSet<Step>) {
        let Window {
            open_ns, close_ns, ..
        } = self.windows[window];
        for (at_ns, opens) in [(open_ns, true), (close_ns, false)] {
            steps.insert(Step {
                at_ns,
                opens,
                window,
            });
        }
    }

    /// Enters the windows whose event has happened.
    fn release(&mut self, waiting: &mut Vec<usize>, watch: &mut Watch, steps: &mut BTreeSet<Step>) {
        if waiting.is_empty() {
            return;
        }
        let now_ns = time::now().0 - self.run.workload_start().0;
        let end_ns = self.run.scenario.workload.duration_ns;
        let faults: BTreeSet<usize> = waiting.iter().map(|at| self.windows[*at].fault).collect();
        for fault in faults {
            let of = |place: &usize| self.windows[*place].fault == fault;
            let after = waiting.iter().copied().find(of);
            let after = after.and_then(|place| self.windows[place].after.clone());
            if !after.is_some_and(|after| watch.has_happened(&self.run, fault, &after)) {
                continue;
            }
            let (due, rest): (Vec<usize>, Vec<usize>) = waiting.iter().copied().partition(of);
            *waiting = rest;
            for place in due {
                if let Some(window) = self.windows[place].later(now_ns, end_ns) {
                    self.windows[place] = window;
                    self.place(place, steps);
                }
            }
        }
    }

    fn open(&mut self, window: Window) {
        let targets = match &window.targets {
            Some(names) => self.named(names),
            None => self.resolve(&window),
        };
        let names: Vec<_> = targets.iter().map(|node| name_of(*node)).collect();
        let armed = &mut self.faults[window.fault];
        armed.spec.kind = window
            .kind
            .unwrap_or(self.run.scenario.faults[window.fault].kind);
        armed.targets.clone_from(&targets);
        armed.is_open = true;
        with(|world| world.ledger().arm(armed.id, &names.join(", ")));
        self.run.recorder.open_window(&armed.spec.id);
        self.run.pinned.borrow_mut().push(PinnedWindow {
            fault: armed.spec.id.clone(),
            repetition: window.repetition,
            open_ns: window.open_ns,
            close_ns: window.close_ns,
            kind: armed.spec.kind,
            targets: names,
        });
        self.opened.push(Opened {
            fault: armed.spec.id.clone(),
            at: time::now(),
            targets: targets.clone(),
        });
        self.strike(&window, &targets);
    }

    /// Does to the targets what a window that was opened says.
    fn strike(&mut self, window: &Window, targets: &[NodeId]) {
        let armed = &mut self.faults[window.fault];
        let (id, kind) = (armed.id, armed.spec.kind);
        // A window's draws are its own: without one before it they are the same.
        let draw = &mut draws("nemesis.how", &armed.spec, window.repetition);
        let disk = &self.run.disk;
        match kind {
            FaultKind::Partition {
                direction,
                clients_too,
            } => {
                let ways = network::ways(direction, draw);
                self.partition(window.fault, ways, clients_too);
            }
            FaultKind::Network { .. } => {
                network::disturb(&self.run, id, &armed.spec, targets, draw)
            }
            FaultKind::Split { shape, one_way } => {
                let until = SimInstant(time::now().0 + (window.close_ns - window.open_ns));
                network::split(&self.run, id, (shape, one_way, until), draw);
            }
            FaultKind::Kill => armed.took_down = take_down(id, targets, Down::Kill),
            FaultKind::PowerLoss if targets.len() == 1 => {
                let window = opening(window, id, targets, draw);
                (armed.held, armed.took_down) = self.storage.lose_power(targets[0], window);
            }
            FaultKind::PowerLoss => armed.took_down = take_down(id, targets, Down::PowerLoss),
            FaultKind::Storage { how, beyond_budget } => {
                let window = opening(window, id, targets, draw);
                (armed.held, armed.took_down) = self.storage.open(how, beyond_budget, window);
                // A swap takes another node down beside its target.
                let more = armed
                    .took_down
                    .iter()
                    .filter(|node| !targets.contains(node));
                armed.targets.extend(more);
            }
            FaultKind::GracefulStop => armed.took_down = stop(&self.run, id, targets),
            FaultKind::DiskError => storage::fail_writes(disk, id, targets),
            FaultKind::DiskFull => storage::fill(disk, id, targets),
            FaultKind::ClockStep { .. } | FaultKind::ClockDrift { .. } => {
                standstill::skew(id, kind, targets, draw);
            }
            FaultKind::Pause | FaultKind::Suspend | FaultKind::Freeze => {
                armed.paused = standstill::pause(&self.run, id, kind, targets);
            }
            FaultKind::Names { how } => {
                let everybody = armed.spec.target == Target::All;
                network::mislead(&self.run, id, how, (targets, everybody), draw);
            }
            FaultKind::Readdress => {
                armed.took_down = take_down(id, targets, Down::Kill);
                network::readdress(&self.run, id, targets);
            }
            FaultKind::Starve { ppm } => {
                let ppm = network::magnitude(draw, ppm);
                armed.starved = standstill::starve(id, ppm, targets);
            }
            FaultKind::Descriptors => {
                let exhaust = |node: &NodeId| world().limit_descriptors(id, *node, 0);
                targets.iter().for_each(exhaust);
            }
            FaultKind::Memory { bytes } => {
                let bytes = bytes.map(|span| network::magnitude(draw, span));
                armed.limited = scarcity::limit_memory(id, bytes, targets);
            }
            FaultKind::Guest { act } => {
                guest::open(&self.run, id, act, &armed.spec, targets);
                if act.restarts() {
                    self.replace(id, targets);
                }
            }
        }
    }

    /// Stops nodes that are up in order, and starts each again as soon as it is down.
    fn replace(&self, id: FaultId, targets: &[NodeId]) {
        for node in stop(&self.run, id, targets) {
            self.start_again(node, Some(id));
        }
    }

    fn close(&mut self, fault: usize) {
        let armed = &mut self.faults[fault];
        if !std::mem::take(&mut armed.is_open) {
            return;
        }
        match armed.spec.kind {
            FaultKind::Partition { .. }
            | FaultKind::Network { .. }
            | FaultKind::Split { .. }
            | FaultKind::Names { .. } => self.run.net.heal(armed.id),
            FaultKind::DiskError | FaultKind::DiskFull => self.run.disk.heal(armed.id),
            FaultKind::Kill | FaultKind::GracefulStop | FaultKind::Readdress => {}
            FaultKind::PowerLoss => armed.took_down.extend(armed.held.struck()),
            FaultKind::Storage { how, beyond_budget } => {
                let held = std::mem::take(&mut armed.held);
                let taken = self.storage.close(armed.id, how, beyond_budget, held);
                armed.took_down.extend(taken);
            }
            FaultKind::ClockStep { .. } | FaultKind::ClockDrift { .. } => {
                with(|world| world.end_clock_fault(armed.id));
            }
            FaultKind::Starve { .. } => armed.starved.end(armed.id),
            FaultKind::Descriptors => with(|world| world.end_descriptor_limits(armed.id)),
            FaultKind::Memory { .. } => armed.took_down.extend(armed.limited.end()),
            FaultKind::Guest { act } => {
                guest::close(&self.run, armed.id, act, &armed.targets);
                if act == GuestAct::MixedVersions {
                    let (id, targets) = (armed.id, armed.targets.clone());
                    self.replace(id, &targets);
                }
            }
            kind @ (FaultKind::Pause | FaultKind::Suspend | FaultKind::Freeze) => {
                let paused = std::mem::take(&mut armed.paused);
                standstill::resume(&self.run, armed.id, kind, &paused);
            }
        }
        let armed = &mut self.faults[fault];
        let (id, targets) = (armed.id, std::mem::take(&mut armed.targets));
        let took_down = std::mem::take(&mut armed.took_down);
        for node in targets {
            if !self.is_held_down(node) {
                // A start is evidence for the window that took the node down, and for no other.
                self.start_again(node, took_down.contains(&node).then_some(id));
            }
        }
        with(|world| world.ledger().heal(id));
        self.run.recorder.close_window(&self.faults[fault].spec.id);
    }

    /// Starts a node again; one that is still busy with stopping, as soon as it is down.
    fn start_again(&self, node: NodeId, fault: Option<FaultId>) {
        if !self.run.is_stopping(node) {
            self.run.restart(node, fault);
            return;
        }
        let run = Rc::clone(&self.run);
        drop(spawn(async move {
            while run.is_stopping(node) {
                time::sleep(STOP_POLL).await;
            }
            run.restart(node, fault);
        }));
    }

    /// Whether an open window wants the node down: the one that closes last starts it again.
    fn is_held_down(&self, node: NodeId) -> bool {
        self.faults.iter().any(|armed| {
            let takes_down = storage::takes_down(armed.spec.kind);
            armed.is_open && takes_down && armed.targets.contains(&node)
        })
    }

    /// Whom a fault hits, as things stand now. Draws only what its target leaves open.
    fn resolve(&self, window: &Window) -> Vec<NodeId> {
        let nodes = self.run.servers.clone();
        let leader = self.run.leader();
        let spec = &self.run.scenario.faults[window.fault];
        let draw = &mut draws("nemesis.target", spec, window.repetition);
        let count = nodes.len();
        match spec.target {
            Target::Node { number } => nodes
                .get((number as usize).wrapping_sub(1))
                .copied()
                .into_iter()
                .collect(),
            Target::Leader => leader.into_iter().collect(),
            Target::Follower => {
                let others: Vec<_> = nodes
                    .into_iter()
                    .filter(|node| Some(*node) != leader)
                    .collect();
                // A node alone has nobody who follows it.
                subset(draw, others, 1)
            }
            Target::Random => vec![*draw.pick(&nodes)],
            Target::Minority => subset(draw, nodes, ((count - 1) / 2).max(1)),
            Target::MinorityThird => subset(draw, nodes, ((count - 1) / 3).max(1)),
            Target::Majority => subset(draw, nodes, count / 2 + 1),
            Target::All => nodes,
            Target::Rolling => vec![nodes[window.repetition as usize % count]],
            Target::RollingReverse => vec![nodes[count - 1 - window.repetition as usize % count]],
            Target::Several { count } => subset(draw, nodes, count as usize),
            Target::Role => guest::with_role(&self.run, spec.role.as_ref()),
            Target::Followers | Target::Nodes { .. } | Target::AllBut { .. } => {
                network::named(&self.run, spec.target)
            }
            Target::Idle => vec![self.run.idle[0]],
        }
    }

    /// The hosts that a script names, as far as there are such.
    fn named(&self, names: &[String]) -> Vec<NodeId> {
        let all = self.run.servers.iter().chain(&self.run.clients);
        let all = all.chain(&self.run.idle).copied();
        all.filter(|node| names.contains(&name_of(*node))).collect()
    }

    /// Cuts the ways out of and back to a fault's targets that are asked for.
    fn partition(&self, fault: usize, (out, back): (bool, bool), clients_too: bool) {
        let armed = &self.faults[fault];
        let inside = &armed.targets;
        let outside: Vec<NodeId> = if armed.spec.target == Target::Idle {
            self.run.idle[1..].to_vec()
        } else {
            let clients = self.run.clients.iter().filter(|_| clients_too);
            let all = self.run.servers.iter().chain(clients);
            all.copied().filter(|node| !inside.contains(node)).collect()
        };
        let cut = |from: &[NodeId], to: &[NodeId]| {
            network::lay(&self.run, armed.id, &armed.spec, Effect::Cut, (from, to));
        };
        let outside = network::onto(&self.run, &armed.spec).unwrap_or(outside);
        if out {
            cut(inside, &outside);
        }
        if back {
            cut(&outside, inside);
        }
    }
}

/// The draws of one window of a fault.
fn draws(purpose: &str, spec: &FaultSpec, repetition: u32) -> Stream {
    let entity = format!("{}#{repetition}", spec.id);
    with(|world| world.stream(purpose, entity.as_str()))
}

pub(crate) fn subset(draw: &mut Stream, mut nodes: Vec<NodeId>, count: usize) -> Vec<NodeId> {
    draw.shuffle(&mut nodes);
    nodes.truncate(count);
    nodes.sort_unstable();
    nodes
}

fn opening<'o>(
    window: &Window,
    fault: FaultId,
    targets: &'o [NodeId],
    draw: &'o mut Stream,
) -> storage::Opening<'o> {
    let length = Duration::from_nanos(window.close_ns - window.open_ns);
    storage::Opening {
        fault,
        targets,
        length,
        draw,
    }
}

/// Takes nodes down that are up; gives back which.
pub(crate) fn take_down(fault: FaultId, targets: &[NodeId], down: Down) -> Vec<NodeId> {
    let mut taken = Vec::new();
    let world = world();
    let counter = match down {
        Down::PowerLoss => "power-losses",
        Down::Kill | Down::Exit => "processes-killed",
    };
    let net = world.device::<sim_net::Net>();
    let disk = world.device::<sim_disk::Disk>();
    // A power loss of several hosts is one event: none sees another go first.
    for node in targets {
        if world.node(*node).state != NodeState::Running {
            continue;
        }
        if let Some(net) = &net {
            net.blame_down(*node, fault);
        }
        if let Some(disk) = &disk {
            disk.blame_down(*node, fault);
        }
        world.kill_node(*node, down);
        world
            .ledger()
            .inject(fault, counter, 1, || format!("{} {down}", name_of(*node)));
        taken.push(*node);
    }
    taken
}

/// Asks nodes that are up to stop; gives back which.
fn stop(run: &RunState, fault: FaultId, targets: &[NodeId]) -> Vec<NodeId> {
    let world = world();
    let mut asked = Vec::new();
    for node in targets {
        if let Some(net) = world.device::<sim_net::Net>() {
            net.blame_down(*node, fault);
        }
        run.asked_to_stop(*node);
        if world.stop_node(*node) {
            let what = || format!("{} asked to stop", name_of(*node));
            world.ledger().inject(fault, "graceful-stops", 1, what);
            asked.push(*node);
        }
    }
    asked
}

pub(crate) fn name_of(node: NodeId) -> String {
    with(|world| world.node(node).name.to_string())
}

/// A fault in the words of reports.
pub(crate) const fn describe(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Partition {
            direction: Direction::Both,
            ..
        } => "partition",
        FaultKind::Partition {
            direction: Direction::Outbound,
            ..
        } => "outbound partition",
        FaultKind::Partition {
            direction: Direction::Inbound,
            ..
        } => "inbound partition",
        FaultKind::Partition {
            direction: Direction::OneWay,
            ..
        } => "one-way partition",
        FaultKind::Network { effect, .. } => network::describe(effect),
        FaultKind::Split { shape, .. } => network::describe_shape(shape),
        FaultKind::Kill => "kill",
        FaultKind::PowerLoss => "power loss",
        FaultKind::GracefulStop => "graceful stop",
        FaultKind::DiskError => "disk errors",
        FaultKind::DiskFull => "disk full",
        FaultKind::Storage { how, .. } => storage::describe(how),
        FaultKind::ClockStep { .. } => "clock step",
        FaultKind::ClockDrift { .. } => "clock drift",
        FaultKind::Pause => "pause",
        FaultKind::Suspend => "suspension",
        FaultKind::Freeze => "freeze",
        FaultKind::Names { how } => network::describe_names(how),
        FaultKind::Readdress => "readdressing",
        FaultKind::Starve { .. } => "CPU starvation",
        FaultKind::Descriptors => "descriptor exhaustion",
        FaultKind::Memory { .. } => "memory exhaustion",
        FaultKind::Guest { act } => describe_act(act),
    }
}

const fn describe_act(act: GuestAct) -> &'static str {
    match act {
        GuestAct::Upgrade => "upgrade",
        GuestAct::MixedVersions => "mixed versions",
        GuestAct::Configure => "config change",
        GuestAct::RotateCredentials => "credential rotation",
        GuestAct::DivergeCredentials => "credential divergence",
        GuestAct::Compact => "compaction",
        GuestAct::Rebalance => "rebalancing",
        GuestAct::BackUp => "backup",
        GuestAct::BackUpAndRestore => "backup and restore",
        GuestAct::StepDown => "leadership transfer",
        GuestAct::ChangeMembers => "membership change",
    }
}

/// What became of every fault, for the landing conditions: the windows in order of opening.
pub(crate) type Windows = Vec<Opened>;

/// How often a fault moved a counter of injections; of those that plans may name, one is a sum, and
/// one is of what the guest met: bytes or names that a loss of power took.
pub(crate) fn injected(row: &sim_runtime::LedgerRow, counter: &str) -> u64 {
    let one = |name| row.injected.get(name).copied().unwrap_or(0);
    match counter {
        "writes-lost-or-torn" => one("writes-lost") + one("writes-torn"),
        "losses-met" => row.observed.get("crash-state-read").copied().unwrap_or(0),
        other => one(other),
    }
}
