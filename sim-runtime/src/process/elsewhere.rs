//! Where no process can be a worker: the same names, and one answer.

use std::convert::Infallible;
use std::time::Duration;

use super::exit::{ChildExit, Limits, WorkerCommand, WorkerError};

/// A worker, of which there are none on this platform.
#[derive(Debug)]
pub struct Worker(Infallible);

impl Worker {
    /// Always [`WorkerError::Unsupported`].
    pub fn spawn(_command: &WorkerCommand) -> Result<Self, WorkerError> {
        Err(WorkerError::Unsupported)
    }

    /// Can't be called.
    pub fn run(
        &mut self,
        _command: &[u8],
        _limits: impl Into<Limits>,
        _on_progress: &mut dyn FnMut(&[u8]),
    ) -> Result<ChildExit, WorkerError> {
        match self.0 {}
    }

    /// Can't be called.
    pub fn start(
        &mut self,
        _command: &[u8],
        _limits: impl Into<Limits>,
    ) -> Result<(), WorkerError> {
        match self.0 {}
    }

    /// Can't be called.
    pub fn is_busy(&self) -> bool {
        match self.0 {}
    }

    /// Can't be called.
    pub fn has_fixed_addresses(&self) -> bool {
        match self.0 {}
    }

    /// Can't be called.
    pub fn fd(&self) -> Option<i32> {
        match self.0 {}
    }

    /// Can't be called.
    pub fn pid(&self) -> Option<u32> {
        match self.0 {}
    }

    /// Can't be called.
    pub fn deadline_in(&self) -> Option<Duration> {
        match self.0 {}
    }

    /// Can't be called.
    pub fn on_readable(&mut self) -> Result<Option<ChildExit>, WorkerError> {
        match self.0 {}
    }

    /// Can't be called.
    pub fn on_deadline(&mut self) -> Option<ChildExit> {
        match self.0 {}
    }

    /// Can't be called.
    pub fn take_progress(&mut self) -> Vec<Vec<u8>> {
        match self.0 {}
    }
}

/// Always `None`: there are no workers.
pub fn wait_any(
    _workers: &mut [Worker],
    _timeout: Duration,
) -> Option<(usize, Result<ChildExit, WorkerError>)> {
    None
}

/// Always false.
pub fn is_child() -> bool {
    false
}

/// Why a process is never forked for a seed here.
pub(crate) fn fresh() -> Result<(), String> {
    Err("needs Linux with a shared glibc on x86-64 or aarch64".to_owned())
}

/// Nobody asks which thread a simulation is on.
pub(crate) fn begin_thread() -> u32 {
    0
}

/// Why addresses are never fixed here.
pub(crate) fn fixed_addresses() -> Result<(), String> {
    fresh()
}
