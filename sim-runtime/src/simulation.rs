//! A simulation as its caller sees it: made from a configuration, driven, finished.

use std::cmp::Reverse;
use std::collections::BTreeMap;
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
use crate::policy::{Deviation, Overtaking, Policy, Schedule};
use crate::probe::{Seen, Violation};
use crate::process::black_box;
use crate::report::{Leaks, Stop};
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
    /// Whether [`buggify!`](crate::buggify) fires and [`knob!`](crate::knob) draws.
    pub buggify: bool,
    /// Where the order of tasks comes from, if not from the policy alone.
    pub schedule: Schedule,
    /// From when on every draw comes from another root, in order of time: the events before the
    /// first are those of the seed.
    pub reseeds: Vec<Reseed>,
}

/// A change of the root of all draws in the middle of a run. Of two at one moment the later one of
/// the list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reseed {
    /// The first jump of the clock to this moment or beyond brings it.
    pub at: SimInstant,
    /// The root from then on, together with the old one.
    pub seed: Seed,
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
            buggify: true,
            schedule: Schedule::default(),
            reseeds: Vec::new(),
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
    /// Polls between two timers that fire. More of them are tasks that spin: a livelock.
    pub polls_without_timer_max: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            polls_max: 50_000_000,
            virtual_ns_max: 365 * 24 * 3_600 * 1_000_000_000,
            events_max: 200_000_000,
            polls_without_timer_max: 5_000_000,
        }
    }
}

/// What came out of a simulation.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The hash of everything that happened.
    pub digest: Digest,
    /// How many events it covers.
    pub events: u64,
    /// How the tasks were picked.
    pub policy: Policy,
    /// The picks that `fifo` would not have made, where [`Config::schedule`] asked for them.
    pub deviations: Vec<Deviation>,
    /// What the picks of a [`Schedule::Scripted`] did, in order.
    pub overtakings: Vec<Overtaking>,
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
    /// Every site of the probe macros, and what it did.
    pub probes: Vec<Seen>,
    /// What should always have held and did not.
    pub violations: Vec<Violation>,
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
    policy: Policy,
    finished: bool,
}

/// Tells worlds of one process apart; nothing simulated ever sees it.
static WORLDS: AtomicU64 = AtomicU64::new(1);

/// How many polls pass between looks at the budget.
const BUDGET_EVERY_POLLS: u64 = 64;

/// How many polls are counted to name the tasks that spin, and how many of these are named.
const CENSUS_POLLS: u32 = 10_000;
const CENSUS_TASKS: usize = 8;

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
        black_box().begin();
        let policy = config.policy;
        let world = Rc::new(World::new(id, config));
        world::replace(Some(Rc::clone(&world)));
        interpose::enter_thread();
        Self {
            world,
            policy,
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
        let world = &self.world;
        let mut look_at_budget = BUDGET_EVERY_POLLS;
        loop {
            world.fire_due();
            if world.executor.turn_in_place(world).is_some() {
                if handle.is_finished() {
                    return output(handle.as_mut().poll(&mut context));
                }
                look_at_budget -= 1;
                if look_at_budget == 0 {
                    look_at_budget = BUDGET_EVERY_POLLS;
                    dispatch::close_again();
                    self.check_budget()?;
                }
            } else if world.move_on() {
                if world.exceeded().is_some() {
                    self.check_budget()?;
                }
            } else if handle.is_finished() {
                return output(handle.as_mut().poll(&mut context));
            } else {
                return Err(self.deadlock());
            }
        }
    }

    fn deadlock(&self) -> Stop {
        let mut tasks = self.waiting(|_| true);
        let stacks = self.world.fibers.stacks(&self.world);
        let stacks = stacks
            .iter()
            .map(|(number, frames)| format!("fiber {number} at\n{frames}"));
        tasks.extend(stacks);
        Stop::Deadlock { tasks }
    }

    fn check_budget(&self) -> Result<(), Stop> {
        if let Some(what) = self.world.exceeded() {
            let what = what.to_owned();
            return Err(Stop::Budget { what });
        }
        match self.world.may_be_spinning() {
            true => self.take_census(),
            false => Ok(()),
        }
    }

    /// Goes on for a while and counts who runs. An error, unless a timer fires after all.
    #[cold]
    fn take_census(&self) -> Result<(), Stop> {
        let world = &self.world;
        let since = world.polls_at_last_timer();
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for _ in 0..CENSUS_POLLS {
            world.fire_due();
            if world.polls_at_last_timer() != since {
                return Ok(());
            }
            let Some(slot) = world.executor.turn(world) else {
                return Ok(());
            };
            *counts.entry(slot).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(slot, count)| (Reverse(*count), *slot));
        let most = counts
            .iter()
            .take(CENSUS_TASKS)
            .filter_map(|(slot, count)| {
                let waiting = world.executor.waiting();
                let task = waiting.iter().find(|waiting| waiting.slot == *slot)?;
                let node = world.node(task.node).name;
                Some(format!(
                    "{node}: {} took {count} of the last {CENSUS_POLLS} polls",
                    task.task
                ))
            });
        Err(Stop::Livelock {
            tasks: most.collect(),
        })
    }

    /// The tasks of some nodes, with what they wait for.
    fn waiting(&self, of: impl Fn(NodeId) -> bool) -> Vec<String> {
        let waiting = self.world.executor.waiting();
        let some = waiting.iter().filter(|waiting| of(waiting.node));
        some.map(|waiting| waiting.describe(&self.world)).collect()
    }

    /// Drops everything inside the world, leaves it, and says what came of it.
    #[must_use]
    pub fn finish(mut self) -> Summary {
        let world = &self.world;
        let digest = world.recorder().digest();
        let events = world.recorder().events();
        let leaks = Leaks {
            tasks: self.waiting(|node| node != NodeId::HARNESS),
            descriptors: described(world),
        };
        let elapsed = world.now();
        let ledger = world.ledger().rows();
        let deviations = world.executor.take_deviations();
        let overtakings = world.executor.take_overtakings();
        self.leave();
        let (checkpoints, trace) = self.world.recorder().take();
        Summary {
            digest,
            events,
            policy: self.policy,
            deviations,
            overtakings,
            polls: self.world.executor.polls(),
            elapsed,
            checkpoints,
            trace,
            ledger,
            leaks,
            panics: self.world.executor.unjoined_panics(),
            probes: self.world.probes.seen(),
            violations: self.world.probes.violations(),
        }
    }

    fn leave(&mut self) {
        if !self.finished {
            self.finished = true;
            self.world.drop_everything();
            interpose::leave_thread();
            world::replace(None);
            black_box().end();
        }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What the main task came to, which is finished.
#[cold]
fn output<T>(polled: Poll<Result<T, JoinError>>) -> Result<T, Stop> {
    match polled {
        Poll::Ready(joined) => joined.map_err(failed),
        Poll::Pending => unreachable!("a finished task is ready"),
    }
}

fn failed(error: JoinError) -> Stop {
    let message = match error.try_into_panic() {
        Ok(payload) => crate::task::message(&*payload),
        Err(_) => "its task was aborted".to_owned(),
    };
    Stop::Failed { message }
}

/// Descriptors of guest nodes that are open.
fn described(world: &World) -> Vec<String> {
    let open = world.table.borrow().describe();
    let guests = open
        .into_iter()
        .filter(|(node, _)| *node != NodeId::HARNESS);
    guests
        .map(|(node, what)| format!("{}: {what}", world.node(node).name))
        .collect()
}
