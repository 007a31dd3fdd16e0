//! Halves of a TCP stream that own it together.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio_real::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use super::split::{peeking_half, reading_half, writing_half};
use super::stream::TcpStream;

/// The reading half of [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: Arc<TcpStream>,
}

/// The writing half of [`TcpStream::into_split`]. Dropping it ends the stream.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
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

fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
    if !Arc::ptr_eq(&read.stream, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    write.forget();
    Ok(Arc::into_inner(read.stream).expect("two halves share a stream, and one is gone"))
}

impl OwnedReadHalf {
    pub(crate) const fn new(stream: Arc<TcpStream>) -> Self {
        Self { stream }
    }

    /// The stream again.
    ///
    /// # Errors
    /// The halves are not of one stream; gives them back.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    pub(crate) const fn new(stream: Arc<TcpStream>) -> Self {
        Self {
            stream,
            shut_on_drop: true,
        }
    }

    /// The stream again.
    ///
    /// # Errors
    /// The halves are not of one stream; gives them back.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
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

reading_half!(OwnedReadHalf);
peeking_half!(OwnedReadHalf);
writing_half!(OwnedWriteHalf, |half| half.shut_on_drop = false);

impl AsRef<TcpStream> for OwnedReadHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsRef<TcpStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}
