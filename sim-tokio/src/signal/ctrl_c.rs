//! The request to stop.

use std::io;

use sim_runtime::in_simulation;

/// Completes when the process is asked to stop: by `SIGINT` outside a simulation, by
/// `World::stop_node` inside.
///
/// # Errors
/// Outside a simulation, when no handler can be installed.
pub async fn ctrl_c() -> io::Result<()> {
    if in_simulation() {
        sim_runtime::ctrl_c().await;
        Ok(())
    } else {
        tokio_real::signal::ctrl_c().await
    }
}
