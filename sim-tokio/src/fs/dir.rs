//! Directories.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use sim_disk::OpKind;
use sim_runtime::in_simulation;

use super::calls;
use super::metadata::{FileType, Metadata};
use super::work::perform_at;

/// Lists a directory. Inside a simulation in the order of names.
///
/// # Errors
/// As opendir(3).
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    if !in_simulation() {
        return Ok(ReadDir(Repr::Real(tokio_real::fs::read_dir(path).await?)));
    }
    let folder: PathBuf = path.as_ref().to_owned();
    let entries = perform_at(OpKind::ReadDir, &folder, |disk, path| disk.read_dir(path)).await?;
    Ok(ReadDir(Repr::Sim {
        folder,
        entries: entries.into(),
    }))
}

/// The entries of a directory; as `tokio::fs::ReadDir`.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct ReadDir(Repr);

#[derive(Debug)]
enum Repr {
    Sim {
        folder: PathBuf,
        entries: VecDeque<sim_disk::DirEntry>,
    },
    Real(tokio_real::fs::ReadDir),
}

impl ReadDir {
    /// The next entry.
    ///
    /// # Errors
    /// As readdir(3).
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// Polls for the next entry.
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        match &mut self.0 {
            Repr::Sim { folder, entries } => {
                let entry = entries.pop_front();
                Poll::Ready(Ok(entry.map(|entry| {
                    DirEntry(EntryRepr::Sim {
                        path: folder.join(&entry.name),
                        entry,
                    })
                })))
            }
            Repr::Real(dir) => dir
                .poll_next_entry(cx)
                .map_ok(|entry| entry.map(|entry| DirEntry(EntryRepr::Real(entry)))),
        }
    }
}

/// A name in a directory; as `tokio::fs::DirEntry`.
#[derive(Debug)]
pub struct DirEntry(EntryRepr);

#[derive(Debug)]
enum EntryRepr {
    Sim {
        path: PathBuf,
        entry: sim_disk::DirEntry,
    },
    Real(tokio_real::fs::DirEntry),
}

impl DirEntry {
    /// The directory's path with the name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match &self.0 {
            EntryRepr::Sim { path, .. } => path.clone(),
            EntryRepr::Real(entry) => entry.path(),
        }
    }

    /// The name.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        match &self.0 {
            EntryRepr::Sim { entry, .. } => entry.name.clone(),
            EntryRepr::Real(entry) => entry.file_name(),
        }
    }

    /// What is known of the file.
    ///
    /// # Errors
    /// As lstat(2).
    pub async fn metadata(&self) -> io::Result<Metadata> {
        match &self.0 {
            EntryRepr::Sim { path, .. } => calls::symlink_metadata(path).await,
            EntryRepr::Real(entry) => entry.metadata().await.map(Metadata::from),
        }
    }

    /// What kind of file it is.
    ///
    /// # Errors
    /// As lstat(2), on file systems that do not keep it with the name.
    pub async fn file_type(&self) -> io::Result<FileType> {
        match &self.0 {
            EntryRepr::Sim { entry, .. } => Ok(FileType::simulated(entry.kind)),
            EntryRepr::Real(entry) => entry.file_type().await.map(FileType::from),
        }
    }

    /// Inode number.
    #[must_use]
    pub fn ino(&self) -> u64 {
        match &self.0 {
            EntryRepr::Sim { entry, .. } => entry.inode,
            EntryRepr::Real(entry) => entry.ino(),
        }
    }
}

/// Makes directories; as `tokio::fs::DirBuilder`.
#[derive(Debug)]
pub struct DirBuilder {
    recursive: bool,
    mode: u32,
}

impl DirBuilder {
    /// One directory, mode 0o777.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            recursive: false,
            mode: calls::DIR_MODE,
        }
    }

    /// Whether the directories above are made too.
    pub const fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// Permission bits.
    pub const fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = mode;
        self
    }

    /// Makes it.
    ///
    /// # Errors
    /// As mkdir(2).
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (recursive, mode) = (self.recursive, self.mode);
        if in_simulation() {
            return perform_at(OpKind::CreateDir, path, move |disk, path| {
                if recursive {
                    disk.create_dir_all(path, mode)
                } else {
                    disk.create_dir(path, mode)
                }
            })
            .await;
        }
        let mut builder = tokio_real::fs::DirBuilder::new();
        builder.recursive(recursive);
        builder.mode(mode);
        builder.create(path).await
    }
}

impl Default for DirBuilder {
    fn default() -> Self {
        Self::new()
    }
}
