//! What the parts of a run share: its hosts, devices and script, and what happened so far.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::rc::{Rc, Weak};

use plan_compiler::scenario::Scenario;
use sim_disk::Disk;
use sim_net::Net;
use sim_runtime::{
    Boot, Down, FaultId, LedgerRow, NodeId, NodeState, SimInstant, time, with, world,
};

use crate::guest::Operation;
use crate::landing::Election;
use crate::nemesis::Windows;
use crate::phases::{Begun, Convergence, Left, Phase};
use crate::recorder::Recorder;
use crate::script::{PinnedOperation, PinnedWindow, Script};
use crate::stand_in::{Reference, StandIn};
use crate::swarm::Swarm;
use crate::system::Peer;

/// What a run's parts share.
pub(crate) struct RunState {
    pub(crate) scenario: Scenario,
    pub(crate) recorder: Recorder,
    pub(crate) net: Rc<Net>,
    pub(crate) disk: Rc<Disk>,
    pub(crate) servers: Vec<NodeId>,
    pub(crate) clients: Vec<NodeId>,
    pub(crate) idle: Vec<NodeId>,
    peers: Vec<Peer>,
    /// How many hosts were given another address.
    pub(crate) moves: Cell<u16>,
    pub(super) elections: RefCell<Vec<Election>>,
    pub(super) windows: RefCell<Windows>,
    /// What the run does other than its seed would.
    pub(crate) script: Script,
    /// The windows that were opened, as a script has them.
    pub(crate) pinned: RefCell<Vec<PinnedWindow>>,
    /// The operations that clients began, as a script has them.
    pub(crate) begun: RefCell<Vec<PinnedOperation>>,
    pub(super) started: Cell<SimInstant>,
    /// What the seed drew for the whole run.
    pub(super) swarm: Swarm,
    pub(super) phases: RefCell<Vec<Begun>>,
    /// When somebody was served after the heal.
    pub(super) served_again: Cell<Option<SimInstant>>,
    pub(super) stop_clients: Cell<bool>,
    pub(super) clients_busy: Cell<u32>,
    pub(super) exits: RefCell<Vec<String>>,
    /// Boots that were asked to stop.
    pub(super) stopping: RefCell<BTreeSet<(NodeId, Boot)>>,
    /// What stands in for the system, where the script asks for it.
    pub(super) reference: Reference,
    /// What is done to the system through its hooks.
    pub(crate) operation: Operation,
    /// Operations that were acknowledged so far.
    pub(crate) acknowledged: Cell<u64>,
}

thread_local! {
    /// The run on this thread: what a [`NodeContext`] reports to, which guests may move into
    /// tasks that must be `Send`.
    pub(super) static RUN: RefCell<Weak<RunState>> = const { RefCell::new(Weak::new()) };
}

/// Reports an election to the run on this thread; after its end to nobody.
pub(crate) fn leader_elected(peer: &Peer, term: u64) {
    if let Some(run) = RUN.with_borrow(Weak::upgrade) {
        run.leader_elected(peer, term);
    }
}

impl RunState {
    pub(super) fn new(
        (scenario, swarm): (Scenario, Swarm),
        script: Script,
        net: Rc<Net>,
        disk: Rc<Disk>,
    ) -> Self {
        let world = world();
        let host = |name: String, third: u8, number: u32| {
            let last = u8::try_from(number).expect("at most 255 hosts of a kind");
            world.create_node(&name, IpAddr::from([10, 0, third, last]))
        };
        let topology = scenario.topology;
        let servers: Vec<_> = (1..=topology.nodes)
            .map(|n| host(format!("n{n}"), 0, n))
            .collect();
        let clients = (1..=topology.clients)
            .map(|n| host(format!("c{n}"), 1, n))
            .collect();
        let idle = (1..=2).map(|n| host(format!("idle{n}"), 2, n)).collect();
        let peers = (1..).zip(&servers).map(|(number, id)| {
            let info = world.node(*id);
            Peer {
                number,
                name: info.name.to_string(),
                ip: info.ip,
            }
        });
        Self {
            recorder: Recorder::default(),
            net,
            disk,
            peers: peers.collect(),
            moves: Cell::new(0),
            servers,
            clients,
            idle,
            elections: RefCell::new(Vec::new()),
            windows: RefCell::new(Vec::new()),
            script,
            pinned: RefCell::default(),
            begun: RefCell::default(),
            started: Cell::new(SimInstant(0)),
            swarm,
            phases: RefCell::default(),
            served_again: Cell::new(None),
            stop_clients: Cell::new(false),
            clients_busy: Cell::new(0),
            exits: RefCell::new(Vec::new()),
            stopping: RefCell::default(),
            reference: Reference::of(scenario.model),
            operation: Operation::default(),
            acknowledged: Cell::new(0),
            scenario,
        }
    }

    /// Every server at the address that it has now.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let now = |(peer, node): (&Peer, &NodeId)| Peer {
            ip: with(|world| world.node(*node).ip),
            ..peer.clone()
        };
        self.peers.iter().zip(&self.servers).map(now).collect()
    }

    pub(super) fn leader_elected(&self, peer: &Peer, term: u64) {
        let node = self.servers[peer.number as usize - 1];
        if self.is_heard(node, term) {
            self.recorder
                .lead(1_000 + u64::from(peer.number), term, &peer.name);
        }
        self.elections.borrow_mut().push(Election {
            at: with(|world| world.now()),
            term,
            node,
        });
    }

    /// Whether an election is entered into the history: each, but with a perfect object in the
    /// clients' place what nodes say of leaders is good by construction, too: of each term the
    /// first one, and no term after a later one.
    fn is_heard(&self, node: NodeId, term: u64) -> bool {
        let elections = self.elections.borrow();
        let is_before = |one: &Election| one.term < term || (one.term == term && one.node == node);
        self.script.stand_in != Some(StandIn::Object) || elections.iter().all(is_before)
    }

    /// Whoever leads in the highest term that anybody has led in.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        let elections = self.elections.borrow();
        elections
            .iter()
            .max_by_key(|election| election.term)
            .map(|election| election.node)
    }

    /// Whether somebody said that it leads, later than at that time.
    pub(crate) fn has_elected_since(&self, since: SimInstant) -> bool {
        let elections = self.elections.borrow();
        elections.iter().any(|election| election.at > since)
    }

    /// Notes that a phase begins.
    pub(crate) fn begin(&self, phase: Phase) {
        let at = with(|world| world.now());
        self.phases.borrow_mut().push(Begun { phase, at });
    }

    /// Notes that somebody was served after the heal.
    pub(crate) fn served_again(&self) {
        self.served_again.set(Some(time::now()));
    }

    /// Whether a server comes back after the faults.
    fn comes_back(&self, node: NodeId) -> bool {
        let core = &self.swarm.core;
        let place = self.servers.iter().position(|server| *server == node);
        let number = place.map(|place| place as u32 + 1);
        core.is_empty() || number.is_some_and(|number| core.contains(&number))
    }

    /// Every window has closed: starts what died by itself, too, and what does not come back is
    /// lost.
    pub(super) fn heal(&self) {
        self.begin(Phase::Converge);
        for node in &self.servers {
            if self.comes_back(*node) {
                self.restart(*node, None);
            } else if world().node(*node).state == NodeState::Running {
                world().kill_node(*node, Down::PowerLoss);
            }
        }
    }

    /// Whether the system came back, once a run is over that went so far.
    pub(super) fn convergence(&self, ledger: &[LedgerRow], running: usize) -> Option<Convergence> {
        let phases = self.phases.borrow();
        let healed = phases.iter().find(|one| one.phase == Phase::Converge)?;
        if let Some(at) = self.served_again.get() {
            let after_ns = at.as_nanos() - healed.at.as_nanos();
            return Some(Convergence::Reached { after_ns });
        }
        let exits = self.exits.borrow();
        let left = Left {
            servers: self.servers.len(),
            running,
            exit: exits.first().map(String::as_str),
            ledger,
        };
        Some(left.judge(&self.scenario))
    }

    /// When the workload began.
    pub(crate) fn workload_start(&self) -> SimInstant {
        self.started.get()
    }

    pub(crate) fn clients_should_stop(&self) -> bool {
        self.stop_clients.get()
    }

    /// Whether a client beside the one that asks has not come to its end.
    pub(crate) fn other_clients_are_busy(&self) -> bool {
        self.clients_busy.get() > 1
    }

    /// Notes that a node's present boot is asked to stop.
    pub(crate) fn asked_to_stop(&self, node: NodeId) {
        let boot = world().boot_of(node);
        self.stopping.borrow_mut().insert((node, boot));
    }

    /// Whether a node was asked to stop and has not yet.
    pub(crate) fn is_stopping(&self, node: NodeId) -> bool {
        let info = world().node(node);
        info.state == NodeState::Running && self.stopping.borrow().contains(&(node, info.boot))
    }

    /// Notes that a node's main future ended, unless it was asked to and did so in order.
    pub(super) fn main_ended(&self, name: &str, ended: io::Result<()>) {
        let me = with(|world| (world.current_node(), world.current_boot()));
        let how = match ended {
            Ok(()) if self.stopping.borrow().contains(&me) => return,
            Ok(()) => "ended without having been asked to".to_owned(),
            Err(error) => format!("ended with: {error}"),
        };
        let line = format!("{} {name} {how}", with(|world| world.now()));
        self.exits.borrow_mut().push(line);
    }

    /// Starts a node again if it is down, whoever took it down, and it is to come back.
    pub(crate) fn restart(&self, node: NodeId, fault: Option<FaultId>) {
        let phases = self.phases.borrow();
        let is_healed = phases.iter().any(|one| one.phase == Phase::Converge);
        if is_healed && !self.comes_back(node) {
            return;
        }
        let world = world();
        let info = world.node(node);
        if let NodeState::Down(_) = info.state {
            world.restart_node(node);
            if let Some(fault) = fault {
                let what = || format!("{} started again", info.name);
                world.ledger().inject(fault, "restarts", 1, what);
            }
        }
    }
}
