//! Runtimes and handles.

use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::support::simulate;

#[test]
fn outside_a_runtime_is_tokios() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let sum = runtime.block_on(async {
        let (one, two) = (
            tokio::spawn(async { 1 }),
            Handle::current().spawn(async { 2 }),
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
        one.await.unwrap() + two.await.unwrap()
    });
    assert_eq!(sum, 3);
    assert_eq!(
        runtime.handle().runtime_flavor(),
        RuntimeFlavor::MultiThread
    );
    assert_eq!(runtime.metrics().num_workers(), 2);
    let entered = runtime.enter();
    let task = tokio::spawn(async { 4 });
    drop(entered);
    assert_eq!(runtime.handle().block_on(task).unwrap(), 4);
    runtime.shutdown_timeout(Duration::from_secs(1));
    assert!(Handle::try_current().unwrap_err().is_missing_context());
}

#[test]
fn inside_there_is_one_already() {
    simulate(1, || async {
        assert_eq!(
            Handle::current().runtime_flavor(),
            RuntimeFlavor::CurrentThread
        );
        let runtime = Runtime::new().unwrap();
        assert_eq!(runtime.spawn(async { 1 }).await.unwrap(), 1);
        let nested = std::panic::AssertUnwindSafe(|| runtime.block_on(async {}));
        let panic = std::panic::catch_unwind(nested).unwrap_err();
        let message = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let message = message
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap();
        assert!(
            message.starts_with("Cannot start a runtime from within a runtime."),
            "{message}"
        );
    });
}

#[test]
fn tasks_that_are_not_send_need_no_local_set_inside() {
    simulate(1, || async {
        let shared = std::rc::Rc::new(5);
        let task = tokio::task::spawn_local(async move { *shared });
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn simulated_and_real_runtimes_run_side_by_side() {
    let real = || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let start = tokio::time::Instant::now();
            tokio::time::sleep(Duration::from_millis(2)).await;
            start.elapsed()
        })
    };
    std::thread::scope(|scope| {
        let real = scope.spawn(real);
        simulate(1, || tokio::time::sleep(Duration::from_secs(80_000)));
        assert!(real.join().unwrap() < Duration::from_secs(60));
    });
}
