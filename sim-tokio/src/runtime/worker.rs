//! Workers of a runtime.

use sim_runtime::in_simulation;

/// The worker that runs the caller: a simulated node has one, number 0. `None` on a thread that
/// runs no tasks.
#[must_use]
pub fn worker_index() -> Option<usize> {
    if in_simulation() {
        return (!sim_runtime::fiber::is_here()).then_some(0);
    }
    tokio_real::runtime::worker_index()
}
