//! Bytes between two descriptors of a node: a pipe, or one direction of a Unix stream.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::Waker;

use crate::errno::fail;
use crate::ready::{BothWaiters, Woken};

/// A bounded queue of bytes with a writer's and a reader's end. Nothing takes time on it.
#[derive(Debug)]
pub(crate) struct Bytes(RefCell<Inner>);

#[derive(Debug)]
struct Inner {
    buffer: VecDeque<u8>,
    capacity: usize,
    /// Writes of at most so many bytes are taken whole or not at all.
    atomic: usize,
    /// Nothing more will be written.
    ended: bool,
    /// Nobody will read any more.
    refused: bool,
    /// The peer left with bytes unread that were sent the other way: told once.
    reset: bool,
    waiters: BothWaiters,
}

impl Inner {
    fn free(&self) -> usize {
        self.capacity.saturating_sub(self.buffer.len())
    }

    fn is_writable(&self) -> bool {
        match self.atomic {
            // As `unix_writable`: no more than a quarter is in use.
            0 => self.buffer.len() * 4 <= self.capacity,
            atomic => self.free() >= atomic,
        }
    }
}

/// What `poll` says of the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) ended: bool,
    pub(crate) refused: bool,
}

impl Bytes {
    pub(crate) fn new(capacity: usize, atomic: usize) -> Self {
        Self(RefCell::new(Inner {
            buffer: VecDeque::new(),
            capacity,
            atomic,
            ended: false,
            refused: false,
            reset: false,
            waiters: BothWaiters::default(),
        }))
    }

    /// Takes what there is room for. `EPIPE` where nobody will read it, `EAGAIN` without room.
    pub(crate) fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        if inner.refused || inner.ended {
            return fail(libc::EPIPE);
        }
        let wanted: usize = pieces.iter().map(|piece| piece.len()).sum();
        let free = inner.free();
        let whole = wanted <= inner.atomic;
        if wanted > 0 && (free == 0 || (whole && free < wanted)) {
            return fail(libc::EAGAIN);
        }
        let count = wanted.min(free);
        let mut left = count;
        for piece in pieces {
            let part = &piece[..piece.len().min(left)];
            inner.buffer.extend(part);
            left -= part.len();
        }
        self.wake(inner, count > 0, false);
        Ok(count)
    }

    /// Gives what is there; 0 at the end, `ECONNRESET` once where the peer left without reading.
    pub(crate) fn read(&self, into: &mut [u8], peek: bool) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        if inner.buffer.is_empty() {
            if std::mem::take(&mut inner.reset) {
                return fail(libc::ECONNRESET);
            }
            return match inner.ended || inner.refused {
                true => Ok(0),
                false => fail(libc::EAGAIN),
            };
        }
        let count = inner.buffer.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(&inner.buffer) {
            *place = *byte;
        }
        if !peek {
            inner.buffer.drain(..count);
            if inner.buffer.is_empty() {
                inner.buffer = VecDeque::new();
            }
        }
        let room = count > 0 && !peek && inner.is_writable();
        self.wake(inner, false, room);
        Ok(count)
    }

    /// The writer ends it. Says how many bytes wait to be read.
    pub(crate) fn end(&self) -> usize {
        let mut inner = self.0.borrow_mut();
        inner.ended = true;
        let left = inner.buffer.len();
        self.wake(inner, true, true);
        left
    }

    /// The reader wants no more. Says how many bytes it has not read.
    pub(crate) fn refuse(&self) -> usize {
        let mut inner = self.0.borrow_mut();
        inner.refused = true;
        let left = inner.buffer.len();
        self.wake(inner, true, true);
        left
    }

    /// The peer left with unread bytes: the reader is told after what it was sent.
    pub(crate) fn reset(&self) {
        let mut inner = self.0.borrow_mut();
        inner.reset = true;
        self.wake(inner, true, true);
    }

    /// `SO_ERROR`: whether the peer left with unread bytes; told once.
    pub(crate) fn take_reset(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().reset)
    }

    pub(crate) fn sight(&self) -> Sight {
        let inner = self.0.borrow();
        let over = inner.ended || inner.refused;
        Sight {
            readable: !inner.buffer.is_empty() || over || inner.reset,
            writable: over || inner.is_writable(),
            ended: over,
            refused: inner.refused,
        }
    }

    /// Registers a task that waits to read.
    pub(crate) fn reader_waits(&self, waker: &Waker) {
        self.0.borrow_mut().waiters.read.add(waker);
    }

    /// Registers a task that waits to write.
    pub(crate) fn writer_waits(&self, waker: &Waker) {
        self.0.borrow_mut().waiters.write.add(waker);
    }

    /// Wakes readers or writers once nothing is borrowed.
    fn wake(&self, mut inner: std::cell::RefMut<'_, Inner>, readers: bool, writers: bool) {
        let mut woken = Woken::default();
        if readers {
            inner.waiters.read.wake_into(&mut woken);
        }
        if writers {
            inner.waiters.write.wake_into(&mut woken);
        }
        drop(inner);
        woken.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(bytes: &Bytes, what: &[u8]) -> Result<usize, Option<i32>> {
        let written = bytes.write(&[IoSlice::new(what)]);
        written.map_err(|error| error.raw_os_error())
    }

    #[test]
    fn a_small_write_into_a_pipe_is_whole() {
        let pipe = Bytes::new(8, 4);
        assert_eq!(write(&pipe, b"abcdef"), Ok(6), "a large one may be cut");
        assert_eq!(write(&pipe, b"ghi"), Err(Some(libc::EAGAIN)));
        assert_eq!(write(&pipe, b"ghijk"), Ok(2));
        let mut into = [0; 16];
        assert_eq!(pipe.read(&mut into, true).unwrap(), 8);
        assert_eq!(pipe.read(&mut into, false).unwrap(), 8);
        assert_eq!(&into[..8], b"abcdefgh");
        assert_eq!(pipe.end(), 0);
        assert_eq!(pipe.read(&mut into, false).unwrap(), 0);
        assert_eq!(write(&pipe, b"x"), Err(Some(libc::EPIPE)));
    }

    #[test]
    fn a_reset_comes_after_what_was_sent_and_once() {
        let bytes = Bytes::new(8, 0);
        write(&bytes, b"ab").unwrap();
        bytes.end();
        bytes.reset();
        let mut into = [0; 4];
        assert_eq!(bytes.read(&mut into, false).unwrap(), 2);
        let error = bytes.read(&mut into, false).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
        assert_eq!(bytes.read(&mut into, false).unwrap(), 0);
    }
}
