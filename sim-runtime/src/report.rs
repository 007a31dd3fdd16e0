//! Why a simulation stopped and what it left, for readers: who waits for what, since when.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Fd, NodeId, SimInstant};
use crate::task::TaskId;
use crate::world::World;

/// What a task waits for: noted by whoever made it wait, with [`World::waiting`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// A timer.
    Until(SimInstant),
    /// Another task's end.
    Task(TaskId),
    /// A descriptor, to do what the word says: `read`, `accept`, ...
    Descriptor(&'static str, Fd),
    /// Something else, and which one; 0 says nothing.
    Other(&'static str, u64),
}

/// A task that is alive, and what it was last seen to wait for.
pub(crate) struct Waiting {
    pub(crate) slot: u32,
    pub(crate) node: NodeId,
    pub(crate) task: String,
    pub(crate) since: SimInstant,
    pub(crate) waits: Option<Waits>,
}

impl Waiting {
    /// `n1: server (src/main.rs:7:5) waits for fd 3 tcp-stream to read since 1.500000s`.
    pub(crate) fn describe(&self, world: &World) -> String {
        let node = world.node(self.node).name;
        let waits = self
            .waits
            .map_or_else(String::new, |waits| format!(" for {}", words(waits, world)));
        let Self { task, since, .. } = self;
        format!("{node}: {task} waits{waits} since {since}")
    }
}

fn words(waits: Waits, world: &World) -> String {
    match waits {
        Waits::Until(at) => format!("a timer at {at}"),
        Waits::Task(id) => match world.executor.describe_id(id) {
            Some(task) => format!("the end of task {task}"),
            None => format!("the end of task {id}"),
        },
        Waits::Descriptor(verb, fd) => match world.description(fd) {
            Ok(description) => format!(
                "{} to {verb}",
                describe_descriptor(fd, &description.describe())
            ),
            Err(_) => format!("fd {} to {verb}", fd.0),
        },
        Waits::Other(what, 0) => what.to_owned(),
        Waits::Other(what, which) => format!("{what} {which}"),
    }
}

pub(crate) fn describe_descriptor(fd: Fd, what: &str) -> String {
    format!("fd {} {what}", fd.0)
}

/// Why a simulation stopped before its future was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// Nothing can run and no timer is armed; these tasks wait for each other.
    Deadlock {
        /// Node, task, place of spawning, and what it waits for since when, of each.
        tasks: Vec<String>,
    },
    /// Tasks go on and on running, but no timer has fired for
    /// [`polls_without_timer_max`](crate::Budget::polls_without_timer_max) polls.
    Livelock {
        /// Those that ran most often of late, with how often, as a share of all.
        tasks: Vec<String>,
    },
    /// A budget is used up.
    Budget {
        /// Which.
        what: String,
    },
    /// The future itself panicked or was aborted.
    Failed {
        /// What it said.
        message: String,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock { tasks } => {
                write!(f, "deadlock: nothing can run and no timer is armed")?;
                tasks
                    .iter()
                    .try_for_each(|task| write!(f, "\n  blocked: {task}"))
            }
            Self::Livelock { tasks } => {
                write!(f, "livelock: tasks run, but no timer fires")?;
                tasks
                    .iter()
                    .try_for_each(|task| write!(f, "\n  running: {task}"))
            }
            Self::Budget { what } => write!(f, "the budget of {what} is used up"),
            Self::Failed { message } => write!(f, "panicked: {message}"),
        }
    }
}

impl std::error::Error for Stop {}

/// What was still there at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaks {
    /// Tasks of guest nodes that were blocked, and what each waits for since when.
    pub tasks: Vec<String>,
    /// Descriptors of guest nodes that were open.
    pub descriptors: Vec<String>,
}
