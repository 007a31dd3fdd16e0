//! Hosts for simulations that are written by hand.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::Location;
use std::rc::Rc;

use sim_runtime::{Down, JoinHandle, NodeId, spawn_on, with, world};

/// Starts a host by this name, at the next free address of 10.0.0.0/8; others find it by name. Its
/// `main` is run again at each [`restart`], and the process ends when it does.
///
/// # Panics
/// Outside a simulation, and when the name is taken.
pub fn host<F>(name: &str, main: impl Fn() -> F + 'static) -> NodeId
where
    F: Future<Output = ()> + 'static,
{
    let world = world();
    let is_free = |ip: &IpAddr| world.node_by_ip(*ip).is_none();
    let mut addresses = (1..u32::MAX >> 8).map(|low| {
        let [_, b, c, d] = low.to_be_bytes();
        IpAddr::from(Ipv4Addr::new(10, b, c, d))
    });
    let ip = addresses.find(is_free).expect("fewer than 2^24 hosts");
    let node = world.create_node(name, ip);
    world.start_node(node, Rc::new(move || Box::pin(main())));
    node
}

/// Runs something in a host's process, beside its `main`.
///
/// # Panics
/// Outside a simulation.
#[track_caller]
pub fn on<F>(host: NodeId, task: impl FnOnce() -> F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let name = Location::caller().to_string();
    let task = with(|world| world.on_node(host, task));
    spawn_on(host, &name, task)
}

/// Kills a host's process, as `kill -9` does. False: it was not running.
///
/// # Panics
/// Outside a simulation.
pub fn kill(host: NodeId) -> bool {
    with(|world| world.kill_node(host, Down::Kill))
}

/// Takes a host's power: what it did not sync is lost or torn. False: it was not running.
///
/// # Panics
/// Outside a simulation.
pub fn lose_power(host: NodeId) -> bool {
    with(|world| world.kill_node(host, Down::PowerLoss))
}

/// Starts a host that is down, with the `main` it had.
///
/// # Panics
/// Outside a simulation, and when it is running.
pub fn restart(host: NodeId) {
    with(|world| world.restart_node(host));
}
