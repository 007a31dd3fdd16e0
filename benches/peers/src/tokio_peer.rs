//! tokio's current-thread runtime with its clock paused: no network of its own.

crate::common::executor!(tokio::task, tokio::time);

fn run(operation: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system")
        .block_on(operation);
}
