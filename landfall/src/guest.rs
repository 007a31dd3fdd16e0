//! The nemesis's part in what is done to a system through its own hooks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use plan_compiler::scenario::{After, FaultKind, FaultSpec, GuestAct, Target};
use sim_runtime::{FaultId, NodeId, NodeMain, spawn, world};

use crate::hooks::{HookFuture, Hooks};
use crate::log;
use crate::nemesis::name_of;
use crate::run::RunState;
use crate::system::{NodeContext, Peer, System};
use crate::workload::timeout;

/// How long a hook may take, in virtual time.
const HOOK_MAX: Duration = Duration::from_secs(30);

/// A system, whatever its type.
pub(crate) trait Guest {
    fn its_hooks(&self) -> Option<&dyn Hooks>;
    fn its_role(&self, node: &Peer) -> Option<String>;
}

impl<S: System> Guest for S {
    fn its_hooks(&self) -> Option<&dyn Hooks> {
        self.hooks()
    }

    fn its_role(&self, node: &Peer) -> Option<String> {
        self.role(node)
    }
}

/// What a run keeps of what was done to its system.
#[derive(Default)]
pub(crate) struct Operation {
    guest: RefCell<Option<Rc<dyn Guest>>>,
    /// The host that hooks run on, where any is planned.
    host: Cell<Option<NodeId>>,
    /// The version of nodes that were moved to another.
    versions: RefCell<BTreeMap<NodeId, Version>>,
    /// The newest credentials that any node has.
    generation: Cell<u32>,
    /// What the scenario needs and the system does not offer.
    missing: RefCell<Option<String>>,
}

/// Which version a node is to run.
#[derive(Clone, Copy)]
struct Version {
    is_b: bool,
    /// Which fault wants it so, until the node was started for it.
    moved_by: Option<FaultId>,
}

impl Operation {
    /// Enters the system; where the scenario needs hooks, starts the host that they run on.
    pub(crate) fn begin(&self, faults: &[FaultSpec], guest: Rc<dyn Guest>) {
        *self.guest.borrow_mut() = Some(guest);
        let needs_host =
            |fault: &FaultSpec| matches!(fault.kind, FaultKind::Guest { act } if !act.restarts());
        if faults.iter().any(needs_host) {
            let host = world().create_node("operator", IpAddr::from([10, 0, 2, 3]));
            let main: NodeMain = Rc::new(|| Box::pin(std::future::pending()));
            world().start_node(host, main);
            self.host.set(Some(host));
        }
    }

    /// The fault that has moved a node to another version, if it starts for the first time since;
    /// and whether it is version B that starts.
    pub(crate) fn starts(&self, node: NodeId) -> (bool, Option<FaultId>) {
        let mut versions = self.versions.borrow_mut();
        match versions.get_mut(&node) {
            Some(version) => (version.is_b, version.moved_by.take()),
            None => (false, None),
        }
    }

    /// What is missing, once that was looked for.
    pub(crate) fn missing(&self) -> Option<String> {
        self.missing.borrow().clone()
    }

    fn guest(&self) -> Option<Rc<dyn Guest>> {
        self.guest.borrow().clone()
    }

    fn move_to(&self, nodes: &[NodeId], fault: FaultId, is_b: bool) {
        let mut versions = self.versions.borrow_mut();
        for node in nodes {
            let moved_by = Some(fault);
            versions.insert(*node, Version { is_b, moved_by });
        }
    }
}

/// The servers that have a role now.
pub(crate) fn with_role(run: &RunState, role: Option<&String>) -> Vec<NodeId> {
    let Some(guest) = run.operation.guest() else {
        return Vec::new();
    };
    let peers = run.peers();
    let nodes = run.servers.iter().zip(&peers);
    let has = |peer: &Peer| guest.its_role(peer).as_ref() == role;
    nodes
        .filter(|(_, peer)| has(peer))
        .map(|(node, _)| *node)
        .collect()
}

/// Looks, before the workload begins, for what the scenario needs and the system does not offer.
pub(crate) fn look_for_missing(run: &RunState) {
    let faults = run.scenario.faults.iter();
    let mut missing = faults.filter_map(|fault| match (fault.kind, fault.target) {
        (FaultKind::Guest { act }, _) if !offers(run, act) => {
            let id = &fault.id;
            Some(format!(
                "{id} needs a hook that the system does not offer ({act})"
            ))
        }
        (FaultKind::Memory { .. }, _) if world().memory(NodeId::HARNESS).is_none() => Some(format!(
            "{} needs memory counted by node: `#[global_allocator] static HEAP: landfall::Heap = \
             landfall::Heap;` in the test's file does it",
            fault.id
        )),
        (_, Target::Role) if with_role(run, fault.role.as_ref()).is_empty() => {
            let role = fault.role.as_deref().unwrap_or_default();
            Some(format!("{} needs a node with the role {role:?}", fault.id))
        }
        _ => None,
    });
    *run.operation.missing.borrow_mut() = missing.next();
}

fn offers(run: &RunState, act: GuestAct) -> bool {
    let Some(guest) = run.operation.guest() else {
        return false;
    };
    let Some(hooks) = guest.its_hooks() else {
        return false;
    };
    let peers = run.peers();
    let node = &peers[0];
    let context = || NodeContext {
        me: node.clone(),
        nodes: peers.clone(),
        data_dir: PathBuf::from("/data"),
        restarts: 0,
    };
    match act {
        GuestAct::Upgrade | GuestAct::MixedVersions => hooks.version_b(context()).is_some(),
        GuestAct::Configure => hooks.configure(node, None).is_some(),
        GuestAct::RotateCredentials | GuestAct::DivergeCredentials => {
            hooks.rotate_credentials(node, 0).is_some()
        }
        GuestAct::Compact => hooks.compact(node).is_some(),
        GuestAct::Rebalance => hooks.rebalance(node).is_some(),
        GuestAct::BackUp => hooks.back_up(node).is_some(),
        GuestAct::BackUpAndRestore => {
            hooks.back_up(node).is_some() && hooks.restore(node).is_some()
        }
        GuestAct::StepDown => hooks.step_down(node).is_some(),
        GuestAct::ChangeMembers => hooks.leave(node).is_some() && hooks.join(node).is_some(),
    }
}

/// Does to the targets what a window that opens says. Nodes that are to be restarted for it are
/// only told which version they are to be.
pub(crate) fn open(
    run: &Rc<RunState>,
    id: FaultId,
    act: GuestAct,
    spec: &FaultSpec,
    on: &[NodeId],
) {
    let setting = spec.setting.clone().unwrap_or_default();
    if matches!(
        act,
        GuestAct::RotateCredentials | GuestAct::DivergeCredentials
    ) {
        run.operation
            .generation
            .set(run.operation.generation.get() + 1);
    }
    let generation = run.operation.generation.get();
    if act.restarts() {
        return run.operation.move_to(on, id, true);
    }
    for node in on {
        ask(run, id, act.counter(), *node, |hooks, peer| match act {
            GuestAct::Upgrade | GuestAct::MixedVersions => None,
            GuestAct::Configure => hooks.configure(peer, Some(setting.as_str())),
            GuestAct::RotateCredentials | GuestAct::DivergeCredentials => {
                hooks.rotate_credentials(peer, generation)
            }
            GuestAct::Compact => hooks.compact(peer),
            GuestAct::Rebalance => hooks.rebalance(peer),
            GuestAct::BackUp | GuestAct::BackUpAndRestore => hooks.back_up(peer),
            GuestAct::StepDown => hooks.step_down(peer),
            GuestAct::ChangeMembers => hooks.leave(peer),
        });
    }
}

/// Undoes at the end of a window what is not to last.
pub(crate) fn close(run: &Rc<RunState>, id: FaultId, act: GuestAct, on: &[NodeId]) {
    let generation = run.operation.generation.get();
    match act {
        GuestAct::MixedVersions => run.operation.move_to(on, id, false),
        GuestAct::Configure => each(run, id, act, on, |hooks, peer| hooks.configure(peer, None)),
        GuestAct::ChangeMembers => each(run, id, act, on, |hooks, peer| hooks.join(peer)),
        GuestAct::BackUpAndRestore => {
            for node in on {
                ask(run, id, "restores", *node, |hooks, peer| {
                    hooks.restore(peer)
                });
            }
        }
        GuestAct::DivergeCredentials => {
            let others = run.servers.iter().filter(|node| !on.contains(node));
            let others: Vec<NodeId> = others.copied().collect();
            each(run, id, act, &others, |hooks, peer| {
                hooks.rotate_credentials(peer, generation)
            });
        }
        _ => {}
    }
}

fn each(
    run: &Rc<RunState>,
    id: FaultId,
    act: GuestAct,
    on: &[NodeId],
    make: impl Fn(&dyn Hooks, &Peer) -> Option<HookFuture>,
) {
    for node in on {
        ask(run, id, act.counter(), *node, &make);
    }
}

/// Asks a node for something, from the operator's host. That it was asked is the injection; its
/// word that it is done, the observation.
fn ask(
    run: &Rc<RunState>,
    id: FaultId,
    counter: &'static str,
    node: NodeId,
    make: impl FnOnce(&dyn Hooks, &Peer) -> Option<HookFuture>,
) {
    // What stands in for the system has no hooks.
    if run.script.stand_in.is_some() {
        return;
    }
    let (Some(guest), Some(host)) = (run.operation.guest(), run.operation.host.get()) else {
        return;
    };
    let Some(place) = run.servers.iter().position(|server| *server == node) else {
        return;
    };
    let peer = run.peers().swap_remove(place);
    let name = name_of(node);
    world().on_node(host, || {
        let Some(work) = guest.its_hooks().and_then(|hooks| make(hooks, &peer)) else {
            return;
        };
        let asked = || format!("{counter}: asked of {name}");
        world().ledger().inject(id, counter, 1, asked);
        let name = name.clone();
        drop(spawn(async move {
            let ledger = world();
            let ledger = ledger.ledger();
            match timeout(HOOK_MAX, work).await {
                Some(Ok(())) => {
                    ledger.observe(id, counter, || format!("{counter}: done by {name}"))
                }
                Some(Err(error)) => {
                    ledger.inject(id, "hook-errors", 1, || format!("{name}: {error}"));
                }
                None => ledger.inject(id, "hook-errors", 1, || format!("{name}: no answer")),
            }
        }));
    });
}

/// What windows wait for, looked at now and then.
#[derive(Default)]
pub(crate) struct Watch {
    /// How much of the guests' log was read for each fault.
    read: BTreeMap<usize, usize>,
}

impl Watch {
    /// Whether what the windows of a fault wait for has happened.
    pub(crate) fn has_happened(&mut self, run: &RunState, fault: usize, after: &After) -> bool {
        let start = run.workload_start();
        match after {
            // Its windows were placed behind the other's before the run began.
            After::Fault { .. } => true,
            After::LeaderChange => run.has_elected_since(start),
            After::Log { contains } => {
                let read = self.read.entry(fault).or_default();
                log::has_line(read, start.as_nanos(), contains)
            }
            After::Acknowledged { count } => run.acknowledged.get() >= *count,
        }
    }
}
