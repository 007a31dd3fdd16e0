//! Watching descriptors: the simulated kernel's, and outside a simulation the system's.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sim_runtime::{Fd, Readiness, in_simulation};

use super::unix_guards::Event;
pub use super::unix_guards::{AsyncFdReadyGuard, AsyncFdReadyMutGuard};
use super::{Interest, Ready};
use crate::fd::{self, Registered};

/// Watches a descriptor for readiness; as `tokio::io::unix::AsyncFd`. A simulated one is watched
/// by its level: what was cleared and is still so is reported again.
pub struct AsyncFd<T: AsRawFd> {
    /// Goes before what it is of; `None` for a simulated descriptor.
    registered: Option<Arc<Registered>>,
    inner: T,
}

/// A descriptor could not be watched; as `tokio::io::unix::AsyncFdRegisterError`.
pub struct AsyncFdRegisterError<T> {
    inner: T,
    cause: io::Error,
}

/// It was not ready after all; as `tokio::io::unix::TryIoError`.
#[derive(Debug)]
pub struct TryIoError(pub(super) ());

/// Waits and polls of one direction.
macro_rules! directions {
    ($($(#[$doc:meta])*
    $interest:ident: $wait:ident $wait_mut:ident $poll:ident $poll_mut:ident;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// The runtime or the process is gone.
        pub async fn $wait<'a>(&'a self) -> io::Result<AsyncFdReadyGuard<'a, T>> {
            self.ready(Interest::$interest).await
        }

        $(#[$doc])*
        ///
        /// # Errors
        /// The runtime or the process is gone.
        pub async fn $wait_mut<'a>(&'a mut self) -> io::Result<AsyncFdReadyMutGuard<'a, T>> {
            self.ready_mut(Interest::$interest).await
        }

        $(#[$doc])*
        ///
        /// # Errors
        /// The runtime or the process is gone.
        pub fn $poll<'a>(
            &'a self,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
            let event = match &self.registered {
                None => Event::Sim(ready!(self.poll_simulated(Interest::$interest, cx))?),
                Some(registered) => ready!(Event::poll(registered, |real| real.$poll(cx)))?,
            };
            Poll::Ready(Ok(AsyncFdReadyGuard::new(self, event)))
        }

        $(#[$doc])*
        ///
        /// # Errors
        /// The runtime or the process is gone.
        pub fn $poll_mut<'a>(
            &'a mut self,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
            let event = match &self.registered {
                None => Event::Sim(ready!(self.poll_simulated(Interest::$interest, cx))?),
                Some(registered) => ready!(Event::poll(registered, |real| real.$poll(cx)))?,
            };
            Poll::Ready(Ok(AsyncFdReadyMutGuard::new(self, event)))
        }
        )*
    };
}

/// Names of registration that promise nothing.
macro_rules! deprecated_names {
    ($($(#[$doc:meta])* $name:ident($($interest:ident)?) -> $error:ty;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// As epoll_ctl(2).
        ///
        /// # Panics
        /// Outside a simulation, when there is no runtime with I/O.
        #[deprecated(note = "unsound due to lack of I/O safety; use `AsyncFd::register` instead")]
        #[track_caller]
        pub fn $name(inner: T $(, $interest: Interest)?) -> Result<Self, $error> {
            let both = Interest::READABLE | Interest::WRITABLE;
            $(let both = { let _ = both; $interest };)?
            Self::watch(inner, both).map_err(<$error>::from)
        }
        )*
    };
}

impl<T: AsRawFd> AsyncFd<T> {
    #[track_caller]
    pub(crate) fn watch(inner: T, interest: Interest) -> Result<Self, AsyncFdRegisterError<T>> {
        match registration(inner.as_raw_fd(), interest) {
            Ok(registered) => Ok(Self { registered, inner }),
            Err(cause) => Err(AsyncFdRegisterError { inner, cause }),
        }
    }

    deprecated_names! {
        /// Watches a descriptor for reading and writing.
        new() -> io::Error;
        /// Watches a descriptor.
        with_interest(interest) -> io::Error;
        /// Watches a descriptor for reading and writing.
        try_new() -> AsyncFdRegisterError<T>;
        /// Watches a descriptor.
        try_with_interest(interest) -> AsyncFdRegisterError<T>;
    }

    /// What it was made of.
    pub const fn get_ref(&self) -> &T {
        &self.inner
    }

    /// What it was made of.
    pub const fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// What it was made of, which is not watched any more.
    pub fn into_inner(self) -> T {
        drop(self.registered);
        self.inner
    }

    directions! {
        /// Waits until it can be read.
        READABLE: readable readable_mut poll_read_ready poll_read_ready_mut;
        /// Waits until it can be written.
        WRITABLE: writable writable_mut poll_write_ready poll_write_ready_mut;
    }

    async fn event(&self, interest: Interest) -> io::Result<Event> {
        match &self.registered {
            None => {
                let ready = poll_fn(|cx| self.poll_simulated(interest, cx)).await?;
                Ok(Event::Sim(ready))
            }
            Some(registered) => Event::wait(registered, interest).await,
        }
    }

    /// Waits until it is ready in one of these ways.
    ///
    /// # Errors
    /// The runtime or the process is gone.
    pub async fn ready(&self, interest: Interest) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        let event = self.event(interest).await?;
        Ok(AsyncFdReadyGuard::new(self, event))
    }

    /// Waits until it is ready in one of these ways.
    ///
    /// # Errors
    /// The runtime or the process is gone.
    pub async fn ready_mut(
        &mut self,
        interest: Interest,
    ) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        let event = self.event(interest).await?;
        Ok(AsyncFdReadyMutGuard::new(self, event))
    }

    /// Tries `f` until it does not answer `WouldBlock`, waiting in between.
    ///
    /// # Errors
    /// Those of `f`.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let mut guard = self.ready(interest).await?;
            if let Ok(result) = guard.try_io(|fd| f(fd.get_ref())) {
                return result;
            }
            self.let_others_run().await;
        }
    }

    /// Tries `f` until it does not answer `WouldBlock`, waiting in between.
    ///
    /// # Errors
    /// Those of `f`.
    pub async fn async_io_mut<R>(
        &mut self,
        interest: Interest,
        mut f: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let mut guard = self.ready_mut(interest).await?;
            if let Ok(result) = guard.try_io(|fd| f(fd.get_mut())) {
                return result;
            }
            self.let_others_run().await;
        }
    }

    /// Inside a simulation, where what would block may be called ready all the same.
    async fn let_others_run(&self) {
        if self.registered.is_none() {
            crate::task::yield_now().await;
        }
    }

    /// Tries `f` if it is ready.
    ///
    /// # Errors
    /// `WouldBlock` when it is not; those of `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        match &self.registered {
            None => self.try_simulated(interest).and_then(|()| f(&self.inner)),
            Some(registered) => registered.try_io(interest, |_| f(&self.inner)),
        }
    }

    /// Tries `f` if it is ready.
    ///
    /// # Errors
    /// `WouldBlock` when it is not; those of `f`.
    pub fn try_io_mut<R>(
        &mut self,
        interest: Interest,
        f: impl FnOnce(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        match &self.registered {
            None => self
                .try_simulated(interest)
                .and_then(|()| f(&mut self.inner)),
            Some(registered) => registered.try_io(interest, |_| f(&mut self.inner)),
        }
    }

    fn poll_simulated(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        let fd = Fd(self.inner.as_raw_fd());
        let polled = sim_runtime::with(|world| {
            let description = world.description(fd)?;
            let calls = description.as_socket().ok_or_else(not_watched)?;
            let (readable, writable) = (interest.is_readable(), interest.is_writable());
            match calls.poll(fd, readable, writable, cx.waker())? {
                true => calls.ready(fd).map(Some),
                false => Ok(None),
            }
        });
        match polled? {
            Some(readiness) => Poll::Ready(Ok(as_tokio(readiness, interest))),
            None => Poll::Pending,
        }
    }

    fn try_simulated(&self, interest: Interest) -> io::Result<()> {
        let fd = Fd(self.inner.as_raw_fd());
        let readiness = sim_runtime::with(|world| {
            let description = world.description(fd)?;
            description.as_socket().ok_or_else(not_watched)?.ready(fd)
        })?;
        match as_tokio(readiness, interest).is_empty() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    }
}

/// A registration with tokio's reactor; none for a simulated descriptor.
#[track_caller]
fn registration(number: RawFd, interest: Interest) -> io::Result<Option<Arc<Registered>>> {
    if Fd::is_simulated(number) {
        let is_socket = |world: &std::rc::Rc<sim_runtime::World>| {
            let description = world.description(Fd(number))?;
            Ok::<_, io::Error>(description.as_socket().is_some())
        };
        return match sim_runtime::with(is_socket)? {
            true => Ok(None),
            false => Err(not_watched()),
        };
    }
    if in_simulation() {
        let what = "a descriptor of the system cannot be watched inside a simulation";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    fd::register(number, interest).map(Some)
}

/// What epoll_ctl(2) says of a regular file.
fn not_watched() -> io::Error {
    io::Error::from_raw_os_error(libc::EPERM)
}

fn as_tokio(readiness: Readiness, interest: Interest) -> Ready {
    let mut ready = Ready::EMPTY;
    let (read, write) = (interest.is_readable(), interest.is_writable());
    for (is, what) in [
        (readiness.readable && read, Ready::READABLE),
        (readiness.read_closed && read, Ready::READ_CLOSED),
        (readiness.writable && write, Ready::WRITABLE),
        (readiness.write_closed && write, Ready::WRITE_CLOSED),
        (readiness.error && interest.is_error(), Ready::ERROR),
    ] {
        if is {
            ready |= what;
        }
    }
    ready
}

impl<T: AsRawFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

impl<T: AsRawFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        fd::borrow_inner(&self.inner)
    }
}

impl<T: fmt::Debug + AsRawFd> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd")
            .field("inner", &self.inner)
            .finish()
    }
}

impl<T> AsyncFdRegisterError<T> {
    /// What was to be watched, and why it is not.
    pub fn into_parts(self) -> (T, io::Error) {
        (self.inner, self.cause)
    }
}

impl<T> fmt::Display for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl<T> fmt::Debug for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.cause, f)
    }
}

impl<T> Error for AsyncFdRegisterError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

impl<T> From<AsyncFdRegisterError<T>> for io::Error {
    fn from(error: AsyncFdRegisterError<T>) -> Self {
        error.cause
    }
}
