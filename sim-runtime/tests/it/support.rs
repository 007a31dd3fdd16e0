//! Small helpers of the tests.

use sim_runtime::{Config, Policy, Seed, Simulation, Summary};

/// Runs `main` in a new simulation and gives back its output and the summary.
pub(crate) fn run_with<F>(config: Config, main: impl FnOnce() -> F) -> (F::Output, Summary)
where
    F: Future + 'static,
    F::Output: 'static,
{
    let simulation = Simulation::new(config);
    let output = simulation.block_on(main()).expect("the simulation ends");
    (output, simulation.finish())
}

/// The same with the defaults and a seed.
pub(crate) fn run<F>(seed: u64, main: impl FnOnce() -> F) -> (F::Output, Summary)
where
    F: Future + 'static,
    F::Output: 'static,
{
    run_with(Config::new(Seed(seed)), main)
}

/// The same in order of readiness.
pub(crate) fn run_fifo<F>(seed: u64, main: impl FnOnce() -> F) -> (F::Output, Summary)
where
    F: Future + 'static,
    F::Output: 'static,
{
    run_with(
        Config {
            policy: Policy::Fifo,
            ..Config::new(Seed(seed))
        },
        main,
    )
}

/// Lets every other ready task be picked once.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
