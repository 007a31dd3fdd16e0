//! Spawning, blocking, yielding.

use std::future::{Future, poll_fn};
use std::task::Poll;

use sim_runtime::{NodeId, in_simulation};

use super::JoinHandle;
use crate::runtime::blocking::Mark;
use crate::runtime::made;

/// Spawns a task: on the running node inside a simulation, on the current runtime outside.
///
/// # Panics
/// Outside a simulation, when there is no runtime.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if in_simulation() {
        spawn_here(future).into()
    } else {
        tokio_real::task::spawn(future).into()
    }
}

/// Runs a blocking closure: on tokio's pool outside a simulation.
///
/// Inside one the closure runs on a fiber: it may sleep, lock, receive and wait for tasks, which
/// run meanwhile.
///
/// # Panics
/// Outside a simulation, when there is no runtime.
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    if in_simulation() {
        spawn_blocking_here(f).into()
    } else {
        tokio_real::task::spawn_blocking(f).into()
    }
}

/// Runs a blocking closure here. Inside a simulation other tasks run while it blocks, on its stack.
///
/// # Panics
/// Outside a simulation, on a current-thread runtime.
#[track_caller]
pub fn block_in_place<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    if in_simulation() {
        let _may_block = Mark::may_block();
        f()
    } else {
        tokio_real::task::block_in_place(f)
    }
}

/// Lets other tasks run first.
pub async fn yield_now() {
    if !in_simulation() {
        return tokio_real::task::yield_now().await;
    }
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// [`spawn`] inside a simulation: in the runtime that the caller is in.
#[track_caller]
pub(crate) fn spawn_here<F>(future: F) -> sim_runtime::JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match made::current() {
        None => sim_runtime::spawn(future),
        Some(runtime) => runtime.spawn(future),
    }
}

/// [`spawn_blocking`] inside a simulation: in the runtime that the caller is in.
#[track_caller]
pub(crate) fn spawn_blocking_here<F, R>(f: F) -> sim_runtime::JoinHandle<R>
where
    F: FnOnce() -> R + 'static,
    R: 'static,
{
    match made::current() {
        None => spawn_blocking_on_node(sim_runtime::with(|world| world.current_node()), f),
        Some(runtime) => runtime.spawn_blocking(f),
    }
}

/// Spawns on a node of the simulation, whoever runs.
#[track_caller]
pub(crate) fn spawn_on_node<F>(node: NodeId, future: F) -> sim_runtime::JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    if sim_runtime::with(|world| world.current_node()) == node {
        sim_runtime::spawn(future)
    } else {
        sim_runtime::spawn_on(node, "handle", future)
    }
}

/// [`spawn_blocking`] on a node of the simulation.
#[track_caller]
pub(crate) fn spawn_blocking_on_node<F, R>(node: NodeId, f: F) -> sim_runtime::JoinHandle<R>
where
    F: FnOnce() -> R + 'static,
    R: 'static,
{
    sim_runtime::fiber::spawn_blocking(node, || {
        let _may_block = Mark::may_block();
        f()
    })
}
