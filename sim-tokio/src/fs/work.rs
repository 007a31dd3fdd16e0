//! Calls of the disk as tasks.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use sim_disk::{Disk, OpKind};
use sim_runtime::{JoinHandle, time};

/// Starts a call: after the disk's latency it takes effect, whoever still waits for it.
pub(crate) fn begin<T: 'static>(
    op: OpKind,
    call: impl FnOnce(&Disk) -> io::Result<T> + 'static,
) -> JoinHandle<io::Result<T>> {
    sim_runtime::spawn(async move {
        let disk = sim_disk::disk()?;
        let latency = disk.latency(op);
        if latency == Duration::MAX {
            // The disk hangs, or the power is about to go: this call does not come back.
            std::future::pending::<()>().await;
        }
        if !latency.is_zero() {
            time::sleep(latency).await;
        }
        call(&disk)
    })
}

/// Makes a call and waits for it.
pub(crate) async fn perform<T: Send + 'static>(
    op: OpKind,
    call: impl FnOnce(&Disk) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    begin(op, call)
        .await
        .unwrap_or_else(|_| Err(background_failed()))
}

/// Makes a call on a path and waits for it.
pub(crate) async fn perform_at<T: Send + 'static>(
    op: OpKind,
    path: impl AsRef<Path>,
    call: impl FnOnce(&Disk, &Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path: PathBuf = path.as_ref().to_owned();
    perform(op, move |disk| call(disk, &path)).await
}

/// What tokio says when the task of a call is gone.
pub(crate) fn background_failed() -> io::Error {
    io::Error::other("background task failed")
}
