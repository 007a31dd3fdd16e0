//! Open files.

use std::fmt;
use std::fs::Permissions;
use std::future::poll_fn;
use std::io::{self, IoSlice, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sim_disk::{Disk, OpKind, SetTime};
use sim_runtime::Fd;
use tokio_real::fs::FileTimes;
use tokio_real::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use tokio_real::sync::{Mutex, MutexGuard};

use super::inflight::Inflight;
use super::metadata::Metadata;
use super::options::OpenOptions;
use super::work::perform;
use crate::fd::SimFd;

/// At most this much is read or written at once, unless a file is told otherwise.
const BUFFER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// An open file; as `tokio::fs::File`. A write is performed in the background: `flush` waits for
/// it, and `sync_all` for it and the disk.
pub struct File(Repr);

enum Repr {
    Sim(SimFile),
    Real(tokio_real::fs::File),
}

struct SimFile {
    fd: Arc<SimFd>,
    inflight: Mutex<Inflight>,
    buffer_bytes_max: usize,
}

impl SimFile {
    /// Makes a call on the descriptor once nothing is in flight.
    async fn settled<T: Send + 'static>(
        &self,
        op: OpKind,
        call: impl FnOnce(&Disk, Fd) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _nothing_starts_meanwhile = self.complete().await;
        self.call(op, call).await
    }

    async fn complete(&self) -> MutexGuard<'_, Inflight> {
        let mut inflight = self.inflight.lock().await;
        poll_fn(|cx| inflight.poll_complete(cx)).await;
        inflight
    }

    async fn call<T: Send + 'static>(
        &self,
        op: OpKind,
        call: impl FnOnce(&Disk, Fd) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let fd = Arc::clone(&self.fd);
        perform(op, move |disk| call(disk, fd.get())).await
    }
}

impl File {
    /// Opens a file to read it.
    ///
    /// # Errors
    /// As open(2).
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::options().read(true).open(path).await
    }

    /// Opens a file to write it, made or emptied.
    ///
    /// # Errors
    /// As open(2).
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .await
    }

    /// Makes a file to read and write it.
    ///
    /// # Errors
    /// As open(2); `EEXIST`.
    pub async fn create_new<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .await
    }

    /// How a file is opened.
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes over a file of the system, which is a real one wherever this is called.
    #[must_use]
    pub fn from_std(file: std::fs::File) -> Self {
        Self::from_real(tokio_real::fs::File::from_std(file))
    }

    pub(crate) fn from_sim(fd: Arc<SimFd>) -> Self {
        let inflight = Mutex::default();
        Self(Repr::Sim(SimFile {
            fd,
            inflight,
            buffer_bytes_max: BUFFER_BYTES_MAX,
        }))
    }

    pub(crate) const fn from_real(file: tokio_real::fs::File) -> Self {
        Self(Repr::Real(file))
    }

    /// Waits for writes and for the disk, data and metadata.
    ///
    /// # Errors
    /// As fsync(2).
    pub async fn sync_all(&self) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(file) => file.settled(OpKind::Sync, Disk::fsync).await,
            Repr::Real(file) => file.sync_all().await,
        }
    }

    /// Waits for writes and for the disk, data and what is needed to read it.
    ///
    /// # Errors
    /// As fdatasync(2).
    pub async fn sync_data(&self) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(file) => file.settled(OpKind::Sync, Disk::fdatasync).await,
            Repr::Real(file) => file.sync_data().await,
        }
    }

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// As ftruncate(2).
    pub async fn set_len(&self, size: u64) -> io::Result<()> {
        let file = match &self.0 {
            Repr::Sim(file) => file,
            Repr::Real(file) => return file.set_len(size).await,
        };
        let mut inflight = file.complete().await;
        inflight.discard_ahead(&*sim_disk::disk()?, file.fd.get())?;
        file.call(OpKind::SetLen, move |disk, fd| disk.set_len(fd, size))
            .await
    }

    /// What is known of the file.
    ///
    /// # Errors
    /// As fstat(2).
    pub async fn metadata(&self) -> io::Result<Metadata> {
        match &self.0 {
            Repr::Sim(file) => file
                .call(OpKind::Stat, Disk::metadata)
                .await
                .map(Metadata::from),
            Repr::Real(file) => file.metadata().await.map(Metadata::from),
        }
    }

    /// Another descriptor of the same open file; they share the position.
    ///
    /// # Errors
    /// `EMFILE`.
    pub async fn try_clone(&self) -> io::Result<Self> {
        let file = match &self.0 {
            Repr::Sim(file) => file,
            Repr::Real(file) => return file.try_clone().await.map(Self::from_real),
        };
        let _nothing_starts_meanwhile = file.complete().await;
        let fd = sim_runtime::with(|world| world.dup(file.fd.get()))?;
        Ok(Self::from_sim(Arc::new(SimFd::new(fd))))
    }

    /// Gives the file back to the system.
    ///
    /// # Panics
    /// When it is a simulated file: the system has none.
    pub async fn into_std(self) -> std::fs::File {
        match self.0 {
            Repr::Sim(_) => panic!("a simulated file cannot become a std::fs::File"),
            Repr::Real(file) => file.into_std().await,
        }
    }

    /// Gives the file back to the system.
    ///
    /// # Errors
    /// An operation is in flight, or it is a simulated file; gives it back.
    #[expect(clippy::result_large_err, reason = "the signature is tokio's")]
    pub fn try_into_std(self) -> Result<std::fs::File, Self> {
        match self.0 {
            Repr::Sim(_) => Err(self),
            Repr::Real(file) => file.try_into_std().map_err(Self::from_real),
        }
    }

    /// Changes the permission bits.
    ///
    /// # Errors
    /// As fchmod(2).
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(file) => {
                let mode = permissions.mode();
                file.call(OpKind::SetMode, move |disk, fd| disk.set_mode(fd, mode))
                    .await
            }
            Repr::Real(file) => file.set_permissions(permissions).await,
        }
    }

    /// Changes when the file was read and changed.
    ///
    /// # Errors
    /// As futimens(2); inside a simulation always: std lets nobody read `FileTimes`.
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        match &self.0 {
            Repr::Sim(_) => {
                let what = "setting the times of a file is not simulated";
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
            Repr::Real(file) => file.set_times(times).await,
        }
    }

    /// Changes when the file was changed.
    ///
    /// # Errors
    /// As futimens(2); inside a simulation `EINVAL` for a time before 1970.
    #[expect(clippy::disallowed_types, reason = "the interface is tokio's")]
    pub async fn set_modified(&self, time: std::time::SystemTime) -> io::Result<()> {
        let file = match &self.0 {
            Repr::Sim(file) => file,
            Repr::Real(file) => return file.set_modified(time).await,
        };
        let since = time.duration_since(std::time::UNIX_EPOCH);
        let since = since.map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        let at = SetTime::At(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        file.call(OpKind::SetMode, move |disk, fd| {
            disk.set_times(fd, SetTime::Keep, at)
        })
        .await
    }

    /// At most `bytes` are read or written at once.
    pub fn set_max_buf_size(&mut self, bytes: usize) {
        match &mut self.0 {
            Repr::Sim(file) => file.buffer_bytes_max = bytes,
            Repr::Real(file) => file.set_max_buf_size(bytes),
        }
    }

    /// How much is read or written at once, at most.
    #[must_use]
    pub fn max_buf_size(&self) -> usize {
        match &self.0 {
            Repr::Sim(file) => file.buffer_bytes_max,
            Repr::Real(file) => file.max_buf_size(),
        }
    }
}

impl AsyncRead for File {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Repr::Sim(file) => {
                let max = file.buffer_bytes_max;
                file.inflight.get_mut().poll_read(&file.fd, max, cx, buf)
            }
            Repr::Real(file) => Pin::new(file).poll_read(cx, buf),
        }
    }
}

impl AsyncSeek for File {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        match &mut self.0 {
            Repr::Sim(file) => file.inflight.get_mut().start_seek(&file.fd, to),
            Repr::Real(file) => Pin::new(file).start_seek(to),
        }
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match &mut self.0 {
            Repr::Sim(file) => file.inflight.get_mut().poll_seek(cx),
            Repr::Real(file) => Pin::new(file).poll_complete(cx),
        }
    }
}

impl AsyncWrite for File {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Repr::Sim(file) => {
                let n = buf.len().min(file.buffer_bytes_max);
                file.inflight
                    .get_mut()
                    .poll_write(&file.fd, cx, || buf[..n].to_vec())
            }
            Repr::Real(file) => Pin::new(file).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Repr::Sim(file) => {
                let max = file.buffer_bytes_max;
                let gather = || {
                    bufs.iter()
                        .flat_map(|buf| buf.iter())
                        .take(max)
                        .copied()
                        .collect()
                };
                file.inflight.get_mut().poll_write(&file.fd, cx, gather)
            }
            Repr::Real(file) => Pin::new(file).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Repr::Sim(file) => file.inflight.get_mut().poll_flush(cx),
            Repr::Real(file) => Pin::new(file).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> Self {
        Self::from_std(file)
    }
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> Self {
        std::fs::File::from(fd).into()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Sim(file) => f
                .debug_struct("tokio::fs::File")
                .field("fd", &file.fd)
                .finish(),
            Repr::Real(file) => file.fmt(f),
        }
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        match &self.0 {
            Repr::Sim(file) => file.fd.raw(),
            Repr::Real(file) => file.as_raw_fd(),
        }
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Repr::Sim(file) => file.fd.borrow(),
            Repr::Real(file) => file.as_fd(),
        }
    }
}
