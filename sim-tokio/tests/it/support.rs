//! Running a body in a simulation, twice.

use std::cell::Cell;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Once;

use sim_disk::{Disk, DiskConfig};
use sim_net::{Net, NetConfig};
use sim_runtime::{Config, NodeId, Seed, Simulation, Stop, Summary, World};

/// One run with a network and a disk, whose body is given the world. On a thread of its own, as
/// std caches the keys of its hashers per thread.
pub(crate) fn run_world<F>(
    seed: u64,
    body: impl FnOnce(Rc<World>) -> F + Send,
) -> (Result<F::Output, Stop>, Summary)
where
    F: Future + 'static,
    F::Output: Send + 'static,
{
    let run = || {
        let simulation = Simulation::new(Config::new(Seed(seed)));
        Net::install(simulation.world(), NetConfig::default());
        Disk::install(simulation.world(), DiskConfig::default());
        let output = simulation.block_on(body(Rc::clone(simulation.world())));
        (output, simulation.finish())
    };
    std::thread::scope(|scope| scope.spawn(run).join()).expect("the run gives its panics back")
}

/// The same for a body that needs no world.
pub(crate) fn run<F>(
    seed: u64,
    body: impl FnOnce() -> F + Send,
) -> (Result<F::Output, Stop>, Summary)
where
    F: Future + 'static,
    F::Output: Send + 'static,
{
    run_world(seed, |_| body())
}

/// Runs `body` twice, wants equal digests and no panic, and gives back the output.
pub(crate) fn simulate<F>(seed: u64, body: impl Fn() -> F + Sync) -> F::Output
where
    F: Future + 'static,
    F::Output: Send + 'static,
{
    simulate_world(seed, |_| body())
}

/// The same for a body that is given the world.
pub(crate) fn simulate_world<F>(seed: u64, body: impl Fn(Rc<World>) -> F + Sync) -> F::Output
where
    F: Future + 'static,
    F::Output: Send + 'static,
{
    let (output, summary) = run_world(seed, &body);
    let output = output.unwrap_or_else(|stop| panic!("seed {seed}: {stop}"));
    assert_eq!(summary.panics, [], "seed {seed}");
    let (_, again) = run_world(seed, &body);
    assert_eq!(
        summary.digest, again.digest,
        "seed {seed} is not reproducible"
    );
    output
}

thread_local! {
    /// Whether panics are expected here.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What a panic of `f` says. Nothing is printed: a backtrace takes a lock of the whole process,
/// for which a fiber would wait as the tests beside it have it.
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                hook(info);
            }
        }));
    });
    QUIET.set(true);
    let caught = catch_unwind(AssertUnwindSafe(f));
    QUIET.set(false);
    let payload = caught.err().expect("it panics");
    sim_runtime::task::message(&*payload)
}

/// The address of a test's node.
pub(crate) fn ip(node: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, node).into()
}

/// Adds a node and starts it.
pub(crate) fn start<F>(world: &Rc<World>, name: &str, number: u8, main: fn() -> F) -> NodeId
where
    F: Future<Output = ()> + 'static,
{
    let node = world.create_node(name, ip(number));
    world.start_node(node, Rc::new(move || Box::pin(main())));
    node
}

/// A test for each body: on the real tokio, and in simulations of several seeds.
macro_rules! in_both_worlds {
    ($($body:ident)*) => {
        mod outside {
            $(#[tokio::test]
            async fn $body() {
                assert!(!sim_runtime::in_simulation());
                super::$body().await;
            })*
        }
        mod inside {
            $(#[test]
            fn $body() {
                for seed in 0..8 {
                    crate::support::simulate(seed, super::$body);
                }
            })*
        }
    };
}

pub(crate) use in_both_worlds;
