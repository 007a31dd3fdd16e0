//! What a watched descriptor is ready for, until it is not.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::task::Poll;

use super::unix::{AsyncFd, TryIoError};
use super::{Interest, Ready};
use crate::fd::{Number, Registered, extend};

type RealGuard<'a> = tokio_real::io::unix::AsyncFdReadyGuard<'a, Number>;

/// That a descriptor is ready.
pub(super) enum Event {
    Sim(Ready),
    Real {
        guard: RealGuard<'static>,
        /// What the guard borrows.
        _kept: Arc<Registered>,
    },
}

impl Event {
    pub(super) async fn wait(registered: &Arc<Registered>, interest: Interest) -> io::Result<Self> {
        let (real, _kept) = extend(registered);
        let guard = real.ready(interest).await?;
        Ok(Self::Real { guard, _kept })
    }

    pub(super) fn poll(
        registered: &Arc<Registered>,
        poll: impl FnOnce(&'static Registered) -> Poll<io::Result<RealGuard<'static>>>,
    ) -> Poll<io::Result<Self>> {
        let (real, _kept) = extend(registered);
        poll(real).map_ok(|guard| Self::Real { guard, _kept })
    }

    fn ready(&self) -> Ready {
        match self {
            Self::Sim(ready) => *ready,
            Self::Real { guard, .. } => guard.ready(),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Sim(ready) => *ready = Ready::EMPTY,
            Self::Real { guard, .. } => guard.clear_ready(),
        }
    }

    fn clear_matching(&mut self, matching: Ready) {
        match self {
            Self::Sim(ready) => *ready = *ready - matching,
            Self::Real { guard, .. } => guard.clear_ready_matching(matching),
        }
    }

    fn retain(&mut self) {
        if let Self::Real { guard, .. } = self {
            guard.retain_ready();
        }
    }
}

/// A descriptor that is ready; as `tokio::io::unix::AsyncFdReadyGuard`.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a \
    method on ReadyGuard"]
pub struct AsyncFdReadyGuard<'a, T: AsRawFd> {
    async_fd: &'a AsyncFd<T>,
    event: Event,
}

/// A descriptor that is ready; as `tokio::io::unix::AsyncFdReadyMutGuard`.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a \
    method on ReadyGuard"]
pub struct AsyncFdReadyMutGuard<'a, T: AsRawFd> {
    async_fd: &'a mut AsyncFd<T>,
    event: Event,
}

/// What both guards have.
macro_rules! of_both {
    () => {
        /// Says that it is not ready any more.
        pub fn clear_ready(&mut self) {
            self.event.clear();
        }

        /// Says that it is not ready any more in these ways.
        pub fn clear_ready_matching(&mut self, ready: Ready) {
            self.event.clear_matching(ready);
        }

        /// Leaves it ready.
        pub fn retain_ready(&mut self) {
            self.event.retain();
        }

        /// What it is ready for.
        #[must_use]
        pub fn ready(&self) -> Ready {
            self.event.ready()
        }
    };
}

/// What came of an attempt; `WouldBlock` clears.
fn tried<R>(event: &mut Event, result: io::Result<R>) -> Result<io::Result<R>, TryIoError> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            event.clear();
            Err(TryIoError(()))
        }
        result => Ok(result),
    }
}

impl<'a, Inner: AsRawFd> AsyncFdReadyGuard<'a, Inner> {
    pub(super) const fn new(async_fd: &'a AsyncFd<Inner>, event: Event) -> Self {
        Self { async_fd, event }
    }

    of_both!();

    /// Tries `f`, and clears the readiness when it answers `WouldBlock`.
    ///
    /// # Errors
    /// `f` answered `WouldBlock`; other errors of it are the inner result.
    pub fn try_io<R>(
        &mut self,
        f: impl FnOnce(&'a AsyncFd<Inner>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        tried(&mut self.event, f(self.async_fd))
    }

    /// The descriptor.
    #[must_use]
    pub const fn get_ref(&self) -> &'a AsyncFd<Inner> {
        self.async_fd
    }

    /// What the descriptor was made of.
    #[must_use]
    pub const fn get_inner(&self) -> &'a Inner {
        self.async_fd.get_ref()
    }
}

impl<'a, Inner: AsRawFd> AsyncFdReadyMutGuard<'a, Inner> {
    pub(super) const fn new(async_fd: &'a mut AsyncFd<Inner>, event: Event) -> Self {
        Self { async_fd, event }
    }

    of_both!();

    /// Tries `f`, and clears the readiness when it answers `WouldBlock`.
    ///
    /// # Errors
    /// `f` answered `WouldBlock`; other errors of it are the inner result.
    pub fn try_io<R>(
        &mut self,
        f: impl FnOnce(&mut AsyncFd<Inner>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        tried(&mut self.event, f(self.async_fd))
    }

    /// The descriptor.
    #[must_use]
    pub const fn get_ref(&self) -> &AsyncFd<Inner> {
        self.async_fd
    }

    /// The descriptor.
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut AsyncFd<Inner> {
        self.async_fd
    }

    /// What the descriptor was made of.
    #[must_use]
    pub const fn get_inner(&self) -> &Inner {
        self.async_fd.get_ref()
    }

    /// What the descriptor was made of.
    #[must_use]
    pub const fn get_inner_mut(&mut self) -> &mut Inner {
        self.async_fd.get_mut()
    }
}

impl<T: fmt::Debug + AsRawFd> fmt::Debug for AsyncFdReadyGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyGuard")
            .field("async_fd", &self.async_fd)
            .finish()
    }
}

impl<T: fmt::Debug + AsRawFd> fmt::Debug for AsyncFdReadyMutGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutReadyGuard")
            .field("async_fd", &self.async_fd)
            .finish()
    }
}
