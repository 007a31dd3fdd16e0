//! Waiting for workers, any number from one thread.

use std::time::Duration;

use super::client::Worker;
use super::sys;
use crate::process::exit::{ChildExit, WorkerError};

/// Waits until a command of one of the workers has ended, at most `timeout`, and returns the
/// worker's index and what came of it. `None` when the time is over or no worker is busy.
///
/// Reports of progress are gathered on the way: see [`Worker::take_progress`]. One `poll(2)` and
/// some reads a turn.
pub fn wait_any(
    workers: &mut [Worker],
    timeout: Duration,
) -> Option<(usize, Result<ChildExit, WorkerError>)> {
    let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let end_ns = sys::now_ns().saturating_add(timeout_ns);
    loop {
        let now_ns = sys::now_ns();
        let left = Duration::from_nanos(end_ns.saturating_sub(now_ns));
        match turn(workers.iter_mut(), left) {
            Turn::Ended(index, exit) => return Some((index, exit)),
            Turn::Idle => return None,
            Turn::Nothing if left.is_zero() => return None,
            Turn::Nothing => {}
        }
    }
}

/// Waits for one worker until it has sent something, is over its limit, or has ended.
pub(super) fn wait_one(worker: &mut Worker) -> Result<Option<ChildExit>, WorkerError> {
    match turn(std::iter::once(worker), Duration::MAX) {
        Turn::Ended(_, exit) => exit.map(Some),
        Turn::Nothing => Ok(None),
        Turn::Idle => Err(WorkerError::Died(None)),
    }
}

enum Turn {
    Ended(usize, Result<ChildExit, WorkerError>),
    Nothing,
    Idle,
}

fn turn<'a>(workers: impl Iterator<Item = &'a mut Worker>, timeout: Duration) -> Turn {
    let mut busy: Vec<(usize, &mut Worker)> = workers
        .enumerate()
        .filter(|(_, worker)| worker.is_busy())
        .collect();
    let mut fds: Vec<sys::pollfd> = busy
        .iter()
        .filter_map(|(_, worker)| worker.fd())
        .map(|fd| sys::pollfd {
            fd,
            events: sys::POLLIN,
            revents: 0,
        })
        .collect();
    debug_assert_eq!(fds.len(), busy.len(), "a busy worker has a descriptor");
    let Some(deadline) = busy
        .iter()
        .filter_map(|(_, worker)| worker.deadline_in())
        .min()
    else {
        return Turn::Idle;
    };
    if let Err(error) = sys::poll(&mut fds, Some(timeout.min(deadline))) {
        return Turn::Ended(busy[0].0, Err(WorkerError::Io(error)));
    }
    for ((index, worker), fd) in busy.iter_mut().zip(&fds) {
        if fd.revents != 0
            && let Some(exit) = worker.on_readable().transpose()
        {
            return Turn::Ended(*index, exit);
        }
        if let Some(exit) = worker.on_deadline() {
            return Turn::Ended(*index, Ok(exit));
        }
    }
    Turn::Nothing
}
