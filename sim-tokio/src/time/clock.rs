//! Pausing the clock, as tests of tokio's do.
//!
//! A simulation's time is virtual and always stands until it is waited for, so that pausing it
//! changes nothing but what `advance` and `resume` then allow.

use sim_runtime::{World, in_simulation};
use std::time::Duration;

use crate::state::{self, State};

fn with_process<R>(look: impl FnOnce(&State, (sim_runtime::NodeId, sim_runtime::Boot)) -> R) -> R {
    let process = |world: &World| (world.current_node(), world.current_boot());
    state::with(|world, state| look(state, process(world)))
}

/// Stops the clock, which then moves only where everything waits for it.
///
/// # Panics
/// When it stands already; outside a simulation, outside a current-thread runtime.
#[track_caller]
pub fn pause() {
    if !in_simulation() {
        return tokio_real::time::pause();
    }
    let is_new = with_process(|state, process| state.paused.borrow_mut().insert(process));
    assert!(is_new, "time is already frozen");
}

/// Lets the clock go on.
///
/// # Panics
/// When it goes; outside a simulation, outside a current-thread runtime.
#[track_caller]
pub fn resume() {
    if !in_simulation() {
        return tokio_real::time::resume();
    }
    let was = with_process(|state, process| state.paused.borrow_mut().remove(&process));
    assert!(was, "time is not frozen");
}

/// Moves the clock on. Inside a simulation timers fire one by one on the way, as they do when
/// time passes.
///
/// # Panics
/// When the clock does not stand; outside a simulation, outside a current-thread runtime.
pub async fn advance(duration: Duration) {
    if !in_simulation() {
        return tokio_real::time::advance(duration).await;
    }
    let is_paused = with_process(|state, process| state.paused.borrow().contains(&process));
    assert!(is_paused, "time is not frozen");
    super::sleep(duration).await;
    crate::task::yield_now().await;
}
