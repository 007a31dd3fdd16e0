//! A simulation as its caller sees it: made from a configuration, driven, finished.

use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};

use crate::digest::{Checkpoint, Digest, TraceEvent};
use crate::ids::{NodeId, Seed, SimInstant};
use crate::interpose::{self, dispatch};
use crate::ledger::LedgerRow;
use crate::ready::Policy;
use crate::task::{JoinError, UnjoinedPanic, spawn_on};
use crate::world::{self, World};

/// 2026-01-01T00:00:00Z, where wall clocks start unless a configuration says otherwise.
const EPOCH_NS: u64 = 1_767_225_600 * 1_000_000_000;

/// What fixes a run, together with the code.
#[derive(Clone, Debug)]
pub struct Config {
    /// The root of every draw.
    pub seed: Seed,
    /// How the next task is picked.
    pub policy: Policy,
    /// When to give up.
    pub budget: Budget,
    /// What wall clocks show at the start, in nanoseconds since 1970.
    pub epoch_unix_ns: u64,
    /// Numbers of the events to write out; usually empty.
    pub trace: Range<u64>,
}

impl Config {
    /// The defaults, for a seed.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            policy: Policy::default(),
            budget: Budget::default(),
            epoch_unix_ns: EPOCH_NS,
            trace: 0..0,
        }
    }
}

/// How much a run may use before it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Polls of tasks.
    pub polls_max: u64,
    /// Virtual nanoseconds.
    pub virtual_ns_max: u64,
    /// Events of the digest.
    pub events_max: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            polls_max: 50_000_000,
            virtual_ns_max: 365 * 24 * 3_600 * 1_000_000_000,
            events_max: 200_000_000,
        }
    }
}

/// Why a simulation stopped before its future was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// Nothing can run and no timer is armed; these tasks wait for each other.
    Deadlock {
        /// Node and place of spawning of each.
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

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deadlock { tasks } => {
                write!(f, "deadlock: nothing can run and no timer is armed")?;
                tasks
                    .iter()
                    .try_for_each(|task| write!(f, "\n  blocked: {task}"))
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
    /// Tasks of guest nodes that were blocked.
    pub tasks: Vec<String>,
    /// Descriptors of guest nodes that were open.
    pub descriptors: Vec<String>,
}

/// What came out of a simulation.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The hash of everything that happened.
    pub digest: Digest,
    /// How many events it covers.
    pub events: u64,
    /// How many polls.
    pub polls: u64,
    /// How much virtual time passed.
    pub elapsed: SimInstant,
    /// The digest along the way.
    pub checkpoints: Vec<Checkpoint>,
    /// The events asked for.
    pub trace: Vec<TraceEvent>,
    /// One row a fault.
    pub ledger: Vec<LedgerRow>,
    /// What was still there.
    pub leaks: Leaks,
    /// Panics that nobody joined.
    pub panics: Vec<UnjoinedPanic>,
}

/// One simulation, on this thread, from [`Simulation::new`] to [`Simulation::finish`].
///
/// ```
/// use std::time::Duration;
/// # if !cfg!(feature = "sim") { return; }
/// use sim_runtime::{Config, Seed, Simulation, time};
///
/// let simulation = Simulation::new(Config::new(Seed(1)));
/// let slept = simulation.block_on(async {
///     let start = time::now();
///     time::sleep(Duration::from_secs(3_600)).await;
///     time::now() - start
/// });
/// assert!(slept.unwrap() >= Duration::from_secs(3_600));
/// let digest = simulation.finish().digest;
/// ```
pub struct Simulation {
    world: Rc<World>,
    budget: Budget,
    finished: bool,
}

/// Tells worlds of one process apart; nothing simulated ever sees it.
static WORLDS: AtomicU64 = AtomicU64::new(1);

/// How many polls pass between looks at the budget.
const BUDGET_EVERY_POLLS: u64 = 64;

impl Simulation {
    /// Enters a new world on this thread.
    ///
    /// # Panics
    /// When this thread is inside a simulation already.
    #[must_use]
    pub fn new(config: Config) -> Self {
        assert!(
            !world::in_simulation(),
            "a simulation cannot be started inside a simulation"
        );
        let id = WORLDS.fetch_add(1, Ordering::Relaxed);
        let Config {
            seed,
            policy,
            budget,
            epoch_unix_ns,
            trace,
        } = config;
        let world = Rc::new(World::new(id, seed, policy, trace, epoch_unix_ns));
        world::replace(Some(Rc::clone(&world)));
        interpose::enter_thread();
        Self {
            world,
            budget,
            finished: false,
        }
    }

    /// The world, to install devices and create nodes.
    #[must_use]
    pub const fn world(&self) -> &Rc<World> {
        &self.world
    }

    /// Runs `future` as a task of the harness until it is done.
    ///
    /// # Errors
    /// A deadlock, a budget that is used up, or a panic of the future itself.
    pub fn block_on<F>(&self, future: F) -> Result<F::Output, Stop>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let mut handle = pin!(spawn_on(NodeId::HARNESS, "main", future));
        let mut context = Context::from_waker(Waker::noop());
        let mut look_at_budget = 0;
        loop {
            if handle.is_finished() {
                return match handle.as_mut().poll(&mut context) {
                    Poll::Ready(Ok(output)) => Ok(output),
                    Poll::Ready(Err(error)) => Err(failed(error)),
                    Poll::Pending => unreachable!("a finished task is ready"),
                };
            }
            self.world.fire_due();
            if self.world.executor.turn(&self.world) {
                look_at_budget += 1;
                if look_at_budget == BUDGET_EVERY_POLLS {
                    look_at_budget = 0;
                    dispatch::close_again();
                    self.check_budget()?;
                }
            } else if self.world.move_on() {
                if self.world.now().as_nanos() > self.budget.virtual_ns_max {
                    self.check_budget()?;
                }
            } else {
                return Err(self.deadlock());
            }
        }
    }

    fn deadlock(&self) -> Stop {
        let mut tasks = described(self.world.executor.describe());
        let stacks = self.world.fibers.stacks(&self.world);
        let stacks = stacks
            .iter()
            .map(|(number, frames)| format!("fiber {number} at\n{frames}"));
        tasks.extend(stacks);
        Stop::Deadlock { tasks }
    }

    fn check_budget(&self) -> Result<(), Stop> {
        let exceeded = |what: &str| {
            Err(Stop::Budget {
                what: what.to_owned(),
            })
        };
        if self.world.executor.polls() > self.budget.polls_max {
            return exceeded("polls");
        }
        if self.world.now().as_nanos() > self.budget.virtual_ns_max {
            return exceeded("virtual time");
        }
        if self.world.recorder().events() > self.budget.events_max {
            return exceeded("events");
        }
        Ok(())
    }

    /// Drops everything inside the world, leaves it, and says what came of it.
    #[must_use]
    pub fn finish(mut self) -> Summary {
        let world = &self.world;
        let guests = |list: Vec<(NodeId, String)>| {
            described(
                list.into_iter()
                    .filter(|(node, _)| *node != NodeId::HARNESS)
                    .collect(),
            )
        };
        let digest = world.recorder().digest();
        let events = world.recorder().events();
        let leaks = Leaks {
            tasks: guests(world.executor.describe()),
            descriptors: guests(world.table.borrow().describe()),
        };
        let elapsed = world.now();
        let ledger = world.ledger().rows();
        self.leave();
        let (checkpoints, trace) = self.world.recorder().take();
        Summary {
            digest,
            events,
            polls: self.world.executor.polls(),
            elapsed,
            checkpoints,
            trace,
            ledger,
            leaks,
            panics: self.world.executor.unjoined_panics(),
        }
    }

    fn leave(&mut self) {
        if !self.finished {
            self.finished = true;
            self.world.drop_everything();
            interpose::leave_thread();
            world::replace(None);
        }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.leave();
    }
}

fn failed(error: JoinError) -> Stop {
    let message = match error.try_into_panic() {
        Ok(payload) => crate::task::message(&*payload),
        Err(_) => "its task was aborted".to_owned(),
    };
    Stop::Failed { message }
}

fn described(list: Vec<(NodeId, String)>) -> Vec<String> {
    list.into_iter()
        .map(|(node, what)| format!("{node}: {what}"))
        .collect()
}
