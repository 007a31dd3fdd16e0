//! Halves of a Unix stream: those that borrow it, and those that own it together.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio_real::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio_real::net::unix::SocketAddr;

use super::stream::UnixStream;
use crate::net::split::{reading_half, writing_half};

/// The reading half of [`UnixStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a UnixStream);

/// The writing half of [`UnixStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a UnixStream);

/// The reading half of [`UnixStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: Arc<UnixStream>,
}

/// The writing half of [`UnixStream::into_split`]. Dropping it ends the stream.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<UnixStream>,
    shut_on_drop: bool,
}

/// The halves are not of one stream.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "tried to reunite halves that are not from the same socket"
        )
    }
}

impl Error for ReuniteError {}

impl<'a> ReadHalf<'a> {
    pub(crate) const fn new(stream: &'a UnixStream) -> Self {
        Self(stream)
    }
}

impl<'a> WriteHalf<'a> {
    pub(crate) const fn new(stream: &'a UnixStream) -> Self {
        Self(stream)
    }
}

fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<UnixStream, ReuniteError> {
    if !Arc::ptr_eq(&read.stream, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    write.forget();
    Ok(Arc::into_inner(read.stream).expect("two halves share a stream, and one is gone"))
}

impl OwnedReadHalf {
    pub(crate) const fn new(stream: Arc<UnixStream>) -> Self {
        Self { stream }
    }

    /// The stream again.
    ///
    /// # Errors
    /// The halves are not of one stream; gives them back.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<UnixStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    pub(crate) const fn new(stream: Arc<UnixStream>) -> Self {
        Self {
            stream,
            shut_on_drop: true,
        }
    }

    /// The stream again.
    ///
    /// # Errors
    /// The halves are not of one stream; gives them back.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<UnixStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops the half without ending the stream.
    pub fn forget(mut self) {
        self.shut_on_drop = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.shut_on_drop {
            // Whoever drops it does not want to know; the reading half sees what came of it.
            drop(self.stream.shutdown_write());
        }
    }
}

reading_half!(ReadHalf<'_>);
writing_half!(WriteHalf<'_>, |_| ());
reading_half!(OwnedReadHalf);
writing_half!(OwnedWriteHalf, |half| half.shut_on_drop = false);

impl AsRef<UnixStream> for ReadHalf<'_> {
    fn as_ref(&self) -> &UnixStream {
        self.0
    }
}

impl AsRef<UnixStream> for WriteHalf<'_> {
    fn as_ref(&self) -> &UnixStream {
        self.0
    }
}

impl AsRef<UnixStream> for OwnedReadHalf {
    fn as_ref(&self) -> &UnixStream {
        &self.stream
    }
}

impl AsRef<UnixStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &UnixStream {
        &self.stream
    }
}
