//! Numbers of a runtime.

use std::time::Duration;

use sim_runtime::NodeId;

use super::made::Made;

/// Numbers of a runtime; as `tokio::runtime::RuntimeMetrics`. A simulated node has one worker,
/// which is never busy: computing takes no simulated time.
#[derive(Clone, Debug)]
pub struct RuntimeMetrics(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Node(NodeId),
    Made(Made),
    Real(tokio_real::runtime::RuntimeMetrics),
}

/// Numbers of a worker, which a simulation does not count.
macro_rules! of_workers {
    ($($(#[$doc:meta])* $name:ident -> $type:ty = $none:expr;)*) => {
        $($(#[$doc])*
        ///
        /// # Panics
        /// When there is no such worker.
        #[must_use]
        #[track_caller]
        pub fn $name(&self, worker: usize) -> $type {
            match &self.0 {
                Repr::Node(_) | Repr::Made(_) => {
                    assert_eq!(worker, 0, "a simulated node has one worker");
                    $none
                }
                Repr::Real(real) => real.$name(worker),
            }
        })*
    };
}

impl RuntimeMetrics {
    pub(crate) const fn of_node(node: NodeId) -> Self {
        Self(Repr::Node(node))
    }

    pub(crate) const fn of_made(made: Made) -> Self {
        Self(Repr::Made(made))
    }

    pub(crate) const fn from_real(real: tokio_real::runtime::RuntimeMetrics) -> Self {
        Self(Repr::Real(real))
    }

    /// How many threads run tasks.
    #[must_use]
    pub fn num_workers(&self) -> usize {
        match &self.0 {
            Repr::Node(_) | Repr::Made(_) => 1,
            Repr::Real(real) => real.num_workers(),
        }
    }

    /// How many tasks are alive. O(n) in the tasks of a simulation.
    #[must_use]
    pub fn num_alive_tasks(&self) -> usize {
        match &self.0 {
            Repr::Made(made) => made.alive(),
            Repr::Node(node) => {
                sim_runtime::try_with(|world| world.tasks_alive(*node)).unwrap_or(0)
            }
            Repr::Real(real) => real.num_alive_tasks(),
        }
    }

    /// How many tasks wait in the queue of all workers; a simulation has none.
    #[must_use]
    pub fn global_queue_depth(&self) -> usize {
        match &self.0 {
            Repr::Node(_) | Repr::Made(_) => 0,
            Repr::Real(real) => real.global_queue_depth(),
        }
    }

    of_workers! {
        /// How long the worker has been busy.
        worker_total_busy_duration -> Duration = Duration::ZERO;
        /// How often the worker has parked.
        worker_park_count -> u64 = 0;
        /// How often the worker has parked and unparked.
        worker_park_unpark_count -> u64 = 0;
    }
}
