//! Readiness, and who waits for it.

use std::mem;
use std::ops::BitOr;
use std::task::Waker;

use sim_runtime::{Fd, Waits};

/// What a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    readable: bool,
    writable: bool,
}

impl Interest {
    /// Data, a connection, the end of the stream or an error.
    pub const READABLE: Self = Self {
        readable: true,
        writable: false,
    };
    /// Room in the send buffer, the end of `connect`, or an error.
    pub const WRITABLE: Self = Self {
        readable: false,
        writable: true,
    };

    /// What a task that waits for it is said to wait for.
    #[must_use]
    pub const fn waits(self, fd: Fd) -> Waits {
        let verb = match (self.readable, self.writable) {
            (true, true) => "be readable or writable",
            (true, false) => "be readable",
            (false, _) => "be writable",
        };
        Waits::Descriptor(verb, fd)
    }

    /// Is reading part of it?
    pub fn is_readable(self) -> bool {
        self.readable
    }

    /// Is writing part of it?
    pub fn is_writable(self) -> bool {
        self.writable
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            readable: self.readable | other.readable,
            writable: self.writable | other.writable,
        }
    }
}

/// The state of a socket, as `epoll` would report it (level-triggered).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    /// A read will not answer `EAGAIN` (`EPOLLIN`).
    pub readable: bool,
    /// A write will not answer `EAGAIN` (`EPOLLOUT`).
    pub writable: bool,
    /// Nothing more will arrive (`EPOLLRDHUP`).
    pub read_closed: bool,
    /// Nothing more can be sent (`EPOLLHUP`).
    pub write_closed: bool,
    /// An error is pending (`EPOLLERR`).
    pub error: bool,
}

impl Ready {
    /// Does it answer `interest`?
    pub fn satisfies(self, interest: Interest) -> bool {
        (interest.readable && (self.readable || self.read_closed || self.error))
            || (interest.writable && (self.writable || self.write_closed || self.error))
    }
}

/// Tasks to be woken once nothing is borrowed. One, as it mostly is, takes no list.
#[derive(Debug, Default)]
pub(crate) struct Woken {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Woken {
    #[inline(always)]
    pub(crate) fn push(&mut self, waker: Waker) {
        match &self.first {
            None => self.first = Some(waker),
            Some(_) => self.more.push(waker),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Takes the only one; none where there is none, or more.
    #[inline]
    pub(crate) fn take_only(&mut self) -> Option<Waker> {
        match self.more.is_empty() {
            true => self.first.take(),
            false => None,
        }
    }

    /// Takes and wakes them all, in order.
    pub(crate) fn wake(self) {
        self.first
            .into_iter()
            .chain(self.more)
            .for_each(Waker::wake);
    }
}

/// The tasks that wait for one direction. The first needs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Waiters {
    /// Adds a task, once. Never drops a waker that was there.
    #[inline(always)]
    pub(crate) fn add(&mut self, waker: &Waker) {
        match &self.first {
            None if self.more.is_empty() => self.first = Some(waker.clone()),
            Some(first) if first.will_wake(waker) => {}
            _ if self.more.iter().any(|other| other.will_wake(waker)) => {}
            _ => self.more.push(waker.clone()),
        }
    }

    /// Moves every waker to `woken`; the caller wakes them once nothing is borrowed.
    #[inline(always)]
    pub(crate) fn wake_into(&mut self, woken: &mut Woken) {
        if let Some(waker) = self.first.take() {
            woken.push(waker);
        }
        if !self.more.is_empty() {
            self.more.drain(..).for_each(|waker| woken.push(waker));
        }
    }

    /// Does anybody wait?
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }
}

/// Both directions of a socket: a read half and a write half may live in two tasks.
#[derive(Debug, Default)]
pub(crate) struct BothWaiters {
    pub(crate) read: Waiters,
    pub(crate) write: Waiters,
}

impl BothWaiters {
    /// Registers `waker` for `interest`.
    pub(crate) fn add(&mut self, interest: Interest, waker: &Waker) {
        if interest.readable {
            self.read.add(waker);
        }
        if interest.writable {
            self.write.add(waker);
        }
    }

    /// Moves everybody to `woken`.
    #[inline]
    pub(crate) fn wake_into(&mut self, woken: &mut Woken) {
        self.read.wake_into(woken);
        self.write.wake_into(woken);
    }

    /// Takes everybody out.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }
}
