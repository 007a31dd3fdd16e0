//! A script: what a run does in place of what its seed would draw, and what a run did, written
//! down so that it can be one.
//!
//! A draw is addressed by what it is for, so a script that takes something out of a run - a
//! window, an operation, a client - leaves every other draw as it was.

use std::fmt;
use std::rc::Rc;

use plan_compiler::scenario::{FaultKind, Scenario, Weather};
use serde::{Deserialize, Serialize};
use sim_runtime::{Deviation, NodeId, Overtaking, Policy, Reseed, Schedule, SimInstant};

use crate::stand_in::StandIn;
use crate::system::Call;

/// What a run does other than its seed alone would. Empty, it changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The windows that open, in place of those that are drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<PinnedWindow>>,
    /// Faults whose windows stay closed, by their names in the scenario.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// The operations of all clients, in place of those that are drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<PinnedOperation>>,
    /// Nothing is drawn for the whole run but the schedule's policy: every fault, the usual network
    /// and disks, knobs at their defaults, the fewest hosts, and all of them come back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
    /// How many servers there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// How many clients there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<u32>,
    /// When the workload ends, in nanoseconds from its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_ns: Option<u64>,
    /// How tasks are picked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Tasks are picked first in, first out, but for these picks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviations: Option<Vec<Deviation>>,
    /// From when on everything is drawn anew, in order of time.
    #[serde(with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub reseed: Vec<Reseed>,
    /// What the network is like where no fault lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Weather>,
    /// Latencies of disks, in percent of the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_percent: Option<u32>,
    /// The servers that come back after the faults, from 1; none: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core: Option<Vec<u32>>,
    /// `buggify!` never fires, and knobs have their defaults.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub quiet: bool,
    /// What stands in for the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<StandIn>,
}

/// A window of a fault as it opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedWindow {
    /// The fault's name in the scenario.
    pub fault: String,
    /// Which of the fault's windows it was, from 0: its other draws go by that.
    pub repetition: u32,
    /// When it opens, in nanoseconds from the start of the workload.
    pub open_ns: u64,
    /// When it closes.
    pub close_ns: u64,
    /// What it does.
    pub kind: FaultKind,
    /// The hosts it is on, by name.
    pub targets: Vec<String>,
}

/// An operation as a client began it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedOperation {
    /// The client, from 1.
    pub client: u32,
    /// When, in nanoseconds from the start of the workload; later if the client is still busy.
    pub at_ns: u64,
    /// What it asks for.
    pub call: Call,
}

/// What a run did, as far as a script can say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Every window that opened, in order.
    pub windows: Vec<PinnedWindow>,
    /// Every operation of the workload, in order.
    pub operations: Vec<PinnedOperation>,
    /// Where the schedule is not first in, first out.
    pub deviations: Vec<Deviation>,
    /// What the picks of a script did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preemptions: Vec<Preemption>,
    /// When the workload began, in virtual nanoseconds of the run.
    pub started_ns: u64,
}

/// A pick out of order, as a script asked for it: the pair of tasks whose order it turned round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preemption {
    /// [`Deviation::pick`].
    pub pick: u64,
    /// When, in virtual nanoseconds of the run.
    pub at_ns: u64,
    /// The task that ran.
    pub ran: String,
    /// The task that was ready first.
    pub passed: String,
}

impl Preemption {
    fn new(pick: &Overtaking, names: &[Rc<str>]) -> Self {
        let task = |(node, task): &(NodeId, String)| {
            let node = names.get(node.0 as usize).map_or("?", |name| name);
            format!("{task} on {node}")
        };
        Self {
            pick: pick.pick,
            at_ns: pick.at_ns,
            ran: task(&pick.ran),
            passed: task(&pick.passed),
        }
    }

    /// Those of a run whose nodes have these names.
    pub(crate) fn all(picks: &[Overtaking], names: &[Rc<str>]) -> Vec<Self> {
        picks.iter().map(|pick| Self::new(pick, names)).collect()
    }
}

impl fmt::Display for Preemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at_ns, ran, passed, ..
        } = self;
        let at = SimInstant(*at_ns);
        write!(f, "{at} {ran} runs before {passed}, which was ready first")
    }
}

impl Script {
    /// Whether it changes anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same with tasks that run first in, first out, but for these picks.
    pub(crate) fn fifo_but(&self, deviations: Vec<Deviation>) -> Self {
        Self {
            policy: Some(Policy::Fifo),
            deviations: Some(deviations),
            ..self.clone()
        }
    }

    /// The same up to a moment, and everything drawn anew from there on.
    pub(crate) fn reseeded(&self, reseed: Reseed) -> Self {
        let mut script = self.clone();
        script.reseed.retain(|earlier| earlier.at < reseed.at);
        script.reseed.push(reseed);
        script
    }

    /// The scenario with the sizes that the script gives it.
    pub(crate) fn shape(&self, scenario: &mut Scenario) {
        let topology = &mut scenario.topology;
        topology.nodes = self.nodes.unwrap_or(topology.nodes);
        topology.clients = self.clients.unwrap_or(topology.clients);
        let workload = &mut scenario.workload;
        workload.duration_ns = self.workload_ns.unwrap_or(workload.duration_ns);
    }

    /// The operations of one client, in order; none where they are drawn.
    pub(crate) fn operations_of(&self, client: u32) -> Option<Vec<PinnedOperation>> {
        let all = self.operations.as_ref()?;
        let mine = all.iter().filter(|operation| operation.client == client);
        let mut mine: Vec<_> = mine.cloned().collect();
        mine.sort_by_key(|operation| operation.at_ns);
        Some(mine)
    }

    /// Where the schedule comes from; `record` asks for it to be written down.
    pub(crate) fn schedule(&self, record: bool) -> Schedule {
        match &self.deviations {
            Some(deviations) => Schedule::Scripted(deviations.clone()),
            None if record => Schedule::Recorded,
            None => Schedule::Drawn,
        }
    }
}

/// One moment stands by itself, as capsules have always had it; several are a list.
mod one_or_more {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use sim_runtime::Reseed;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        One(Reseed),
        More(Vec<Reseed>),
    }

    pub(super) fn serialize<S: Serializer>(all: &[Reseed], to: S) -> Result<S::Ok, S::Error> {
        match all {
            [one] => one.serialize(to),
            more => more.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Reseed>, D::Error> {
        Ok(match Form::deserialize(from)? {
            Form::One(one) => vec![one],
            Form::More(more) => more,
        })
    }
}
