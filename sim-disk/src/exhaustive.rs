//! The exhaustive mode as a test calls it: a small program, and a look at every disk that a power
//! loss could leave of it.

use std::fmt;
use std::future::{Future, pending};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use sim_runtime::{Config, NodeId, NodeMain, Seed, Simulation, spawn_on};

use crate::config::DiskConfig;
use crate::kernel::device::Disk;
use crate::kernel::explore::CrashState;

/// How far [`crash_states`] looks.
#[derive(Clone, Copy, Debug)]
pub struct Exhaustive {
    /// Profile and tear unit say which states there are.
    pub disk: DiskConfig,
    /// States that are looked at, at most.
    pub states_max: usize,
    /// Of the simulations in which program and checks run.
    pub seed: Seed,
}

impl Default for Exhaustive {
    /// An ordinary disk, 10,000 states, seed 1.
    fn default() -> Exhaustive {
        Exhaustive {
            disk: DiskConfig::default(),
            states_max: 10_000,
            seed: Seed(1),
        }
    }
}

/// What [`crash_states`] looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Explored {
    /// Different states that were checked.
    pub states: usize,
    /// Whether there are no others.
    pub is_complete: bool,
}

impl fmt::Display for CrashState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, pending, syncs) = (self.kept, self.pending, self.syncs);
        write!(f, "{kept} of {pending} operations kept, {syncs} syncs made")?;
        match self.is_torn {
            true => f.write_str(", one write torn"),
            false => Ok(()),
        }
    }
}

/// Runs `setup` and then `program` on a node with an empty disk, and `check` on each disk that a
/// power loss could have left of the program: just before, after, or in the middle of any of its
/// fsyncs, fdatasyncs and syncs, or at its end. What `setup` did is durable. States that a guest
/// cannot tell apart are checked once. Each check has a simulation of its own, whose node has
/// started on that disk; `std::fs`, the disk's own calls and `tokio::fs` reach it.
///
/// For programs of a few operations: their sets are enumerated, as far as the profile lets them
/// survive, so that the cost doubles with each independent operation. A check costs about as much
/// as an empty simulation.
///
/// ```
/// use std::fs::{self, File};
/// use std::io::Write as _;
///
/// use sim_disk::{Exhaustive, crash_states};
///
/// let explored = crash_states(
///     &Exhaustive::default(),
///     || async { fs::write("/settings", "old").unwrap() },
///     || async {
///         let mut file = File::create("/settings.new").unwrap();
///         file.write_all(b"new").unwrap();
///         file.sync_all().unwrap();
///         fs::rename("/settings.new", "/settings").unwrap();
///     },
///     |state| async move {
///         let found = fs::read_to_string("/settings").unwrap();
///         assert!(found == "old" || found == "new", "{found:?}: {state}");
///     },
/// );
/// assert!(explored.is_complete && explored.states > 2);
/// ```
///
/// # Panics
/// When setup, program or a check panics or waits for ever; of a check, with the state that it
/// was given. Inside a simulation: for code that is in one already there is
/// [`Disk::explore`].
pub fn crash_states<S, P, C>(
    how: &Exhaustive,
    setup: impl FnOnce() -> S,
    program: impl FnOnce() -> P,
    check: impl Fn(CrashState) -> C,
) -> Explored
where
    S: Future<Output = ()> + 'static,
    P: Future<Output = ()> + 'static,
    C: Future<Output = ()> + 'static,
{
    let guest = Guest::new(how);
    guest.run("setup", setup);
    let world = guest.simulation.world();
    world.on_node(guest.node, || guest.disk.sync_everything());
    guest.disk.explore(guest.node, how.states_max);
    guest.run("the program", program);
    let (states, is_complete) = guest.disk.explored();
    drop(guest.finish());
    for (number, state) in states.iter().enumerate() {
        let guest = Guest::new(how);
        guest.disk.load(guest.node, state);
        let name = format!("crash state {number} of {}, {state}", states.len());
        guest.run(&name, || check(state.clone()));
        drop(guest.finish());
    }
    Explored {
        states: states.len(),
        is_complete,
    }
}

/// A simulation with one node.
struct Guest {
    simulation: Simulation,
    disk: Rc<Disk>,
    node: NodeId,
}

impl Guest {
    fn new(how: &Exhaustive) -> Guest {
        let simulation = Simulation::new(Config::new(how.seed));
        let world = simulation.world();
        let disk = Disk::install(world, how.disk);
        let node = world.create_node("guest", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
        let main: NodeMain = Rc::new(|| Box::pin(pending()));
        world.start_node(node, main);
        Guest {
            simulation,
            disk,
            node,
        }
    }

    /// Runs a part to its end.
    fn run<F: Future<Output = ()> + 'static>(&self, name: &str, part: impl FnOnce() -> F) {
        let node = self.node;
        let part = part();
        let ended = self
            .simulation
            .block_on(async move { spawn_on(node, "guest", part).await });
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("{name}: {error}"),
            Err(stop) => panic!("{name}: {stop}"),
        }
    }

    fn finish(self) -> sim_runtime::Summary {
        drop(self.disk);
        self.simulation.finish()
    }
}
