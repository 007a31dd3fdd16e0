//! A simulated file's buffer and the one operation it has in flight.
//!
//! The rules are those of tokio's file: a write is copied, reported as done and performed in the
//! background; its error is told to the next write or flush; what was read ahead is skipped back
//! over before a write.

use std::future::Future;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sim_disk::{Disk, OpKind};
use sim_runtime::{Fd, JoinHandle};
use tokio_real::io::ReadBuf;

use super::work::{background_failed, begin};
use crate::fd::SimFd;

/// What a file has in flight and in its buffer.
#[derive(Debug, Default)]
pub(crate) struct Inflight {
    task: Option<JoinHandle<io::Result<Done>>>,
    ahead: Ahead,
    position: u64,
    write_error: Option<io::ErrorKind>,
}

/// What was read and not yet taken.
#[derive(Debug, Default)]
struct Ahead {
    bytes: Vec<u8>,
    taken: usize,
}

#[derive(Debug)]
enum Done {
    Read(io::Result<Vec<u8>>),
    Write(io::Result<()>),
    Seek(io::Result<u64>),
}

impl Ahead {
    fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    fn take_into(&mut self, buf: &mut ReadBuf<'_>) {
        let left = &self.bytes[self.taken..];
        let n = left.len().min(buf.remaining());
        buf.put_slice(&left[..n]);
        self.taken += n;
    }

    /// Forgets it; how far the file's position is ahead of the reader's.
    fn discard(&mut self) -> i64 {
        let left = self.bytes.len() - self.taken;
        *self = Self::default();
        i64::try_from(left).expect("a buffer is smaller than 2^63 bytes")
    }
}

impl Inflight {
    /// Waits for the operation in flight; `None` when there was none.
    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Done>>> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(Ok(None));
        };
        let joined = ready!(Pin::new(task).poll(cx));
        self.task = None;
        Poll::Ready(
            joined
                .unwrap_or_else(|_| Err(background_failed()))
                .map(Some),
        )
    }

    /// Waits for the operation in flight; tells the error of a write.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(kind) = self.write_error.take() {
            return Poll::Ready(Err(kind.into()));
        }
        Poll::Ready(match ready!(self.poll_done(cx))? {
            Some(Done::Write(result)) => result,
            Some(Done::Read(Ok(bytes))) => {
                self.ahead = Ahead { bytes, taken: 0 };
                Ok(())
            }
            Some(Done::Read(Err(_)) | Done::Seek(_)) | None => Ok(()),
        })
    }

    /// Waits for the operation in flight; the error of a write is kept for the next one.
    pub(crate) fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Err(error) = ready!(self.poll_flush(cx)) {
            self.write_error = Some(error.kind());
        }
        Poll::Ready(())
    }

    pub(crate) fn poll_read(
        &mut self,
        fd: &Arc<SimFd>,
        max: usize,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.task.is_none() {
                if !self.ahead.is_empty() || buf.remaining() == 0 {
                    self.ahead.take_into(buf);
                    return Poll::Ready(Ok(()));
                }
                let (fd, want) = (Arc::clone(fd), buf.remaining().min(max));
                self.task = Some(begin(OpKind::Read, move |disk| {
                    Ok(Done::Read(read(disk, fd.get(), want)))
                }));
            }
            match ready!(self.poll_done(cx))? {
                Some(Done::Read(result)) => {
                    self.ahead = Ahead {
                        bytes: result?,
                        taken: 0,
                    };
                    self.ahead.take_into(buf);
                    return Poll::Ready(Ok(()));
                }
                Some(Done::Write(Err(error))) => self.write_error = Some(error.kind()),
                Some(Done::Seek(Ok(position))) => self.position = position,
                Some(Done::Write(Ok(())) | Done::Seek(Err(_))) | None => {}
            }
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        fd: &Arc<SimFd>,
        cx: &mut Context<'_>,
        bytes: impl FnOnce() -> Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        if let Some(kind) = self.write_error.take() {
            return Poll::Ready(Err(kind.into()));
        }
        match ready!(self.poll_done(cx))? {
            Some(Done::Write(result)) => result?,
            Some(Done::Read(Ok(bytes))) => self.ahead = Ahead { bytes, taken: 0 },
            Some(Done::Read(Err(_)) | Done::Seek(_)) | None => {}
        }
        let back = self.ahead.discard();
        let (fd, bytes) = (Arc::clone(fd), bytes());
        let n = bytes.len();
        self.task = Some(begin(OpKind::Write, move |disk| {
            Ok(Done::Write(write(disk, fd.get(), back, &bytes)))
        }));
        Poll::Ready(Ok(n))
    }

    pub(crate) fn start_seek(&mut self, fd: &Arc<SimFd>, mut to: SeekFrom) -> io::Result<()> {
        if self.task.is_some() {
            let what = "other file operation is pending, call poll_complete before start_seek";
            return Err(io::Error::other(what));
        }
        let back = self.ahead.discard();
        if let SeekFrom::Current(offset) = &mut to {
            *offset -= back;
        }
        let fd = Arc::clone(fd);
        self.task = Some(begin(OpKind::Stat, move |disk| {
            Ok(Done::Seek(disk.seek(fd.get(), to)))
        }));
        Ok(())
    }

    pub(crate) fn poll_seek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        loop {
            match ready!(self.poll_done(cx))? {
                None => return Poll::Ready(Ok(self.position)),
                Some(Done::Seek(result)) => {
                    if let Ok(position) = result {
                        self.position = position;
                    }
                    return Poll::Ready(result);
                }
                Some(Done::Write(Err(error))) => self.write_error = Some(error.kind()),
                Some(Done::Read(Ok(bytes))) => self.ahead = Ahead { bytes, taken: 0 },
                Some(Done::Read(Err(_)) | Done::Write(Ok(()))) => {}
            }
        }
    }

    /// Before the size is set: what was read ahead may not be there any more.
    pub(crate) fn discard_ahead(&mut self, disk: &Disk, fd: Fd) -> io::Result<()> {
        step_back(disk, fd, self.ahead.discard())
    }
}

fn read(disk: &Disk, fd: Fd, want: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; want];
    let n = disk.read(fd, &mut bytes)?;
    bytes.truncate(n);
    Ok(bytes)
}

fn write(disk: &Disk, fd: Fd, back: i64, mut bytes: &[u8]) -> io::Result<()> {
    step_back(disk, fd, back)?;
    while !bytes.is_empty() {
        let n = disk.write(fd, bytes)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[n..];
    }
    Ok(())
}

fn step_back(disk: &Disk, fd: Fd, back: i64) -> io::Result<()> {
    if back != 0 {
        disk.seek(fd, SeekFrom::Current(-back))?;
    }
    Ok(())
}
