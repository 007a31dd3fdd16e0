//! Calls that std makes of other calls, in std's order, so that faults and crashes can fall
//! between them.

use std::io::{self, ErrorKind};
use std::path::Path;

use sim_runtime::Fd;

use super::device::Disk;
use super::metadata::FileKind;
use super::open_file::OpenFlags;

/// What a copy moves at once.
const COPY_CHUNK: usize = 64 * 1024;

impl Disk {
    /// `std::fs::create_dir_all`.
    ///
    /// # Errors
    /// As [`create_dir`](Disk::create_dir); that a directory exists is none.
    pub fn create_dir_all(&self, path: &Path, mode: u32) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        match self.create_dir(path, mode) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) if self.is_dir(path) => return Ok(()),
            Err(error) => return Err(error),
        }
        match path.parent() {
            Some(parent) => self.create_dir_all(parent, mode)?,
            None => return Err(ErrorKind::NotFound.into()),
        }
        match self.create_dir(path, mode) {
            Err(_) if self.is_dir(path) => Ok(()),
            result => result,
        }
    }

    /// `std::fs::remove_dir_all`: depth first; stops at the first error. Of a symbolic link, the
    /// link itself.
    ///
    /// # Errors
    /// `ENOTDIR` for a file, and those of the calls that it makes.
    pub fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        if self.symlink_metadata(path)?.kind == FileKind::Symlink {
            return self.remove_file(path);
        }
        self.remove_dir_below(path)
    }

    fn remove_dir_below(&self, path: &Path) -> io::Result<()> {
        for entry in self.read_dir(path)? {
            let child = path.join(&entry.name);
            if entry.is_dir() {
                self.remove_dir_below(&child)?;
            } else {
                self.remove_file(&child)?;
            }
        }
        self.remove_dir(path)
    }

    /// `std::fs::copy`: content and permission bits; returns the bytes copied.
    ///
    /// # Errors
    /// `InvalidInput` when the source is not a file, and those of the calls that it makes.
    pub fn copy(&self, from: &Path, to: &Path) -> io::Result<u64> {
        let reader = self.open(from, OpenFlags::reading())?;
        let copied = self.copy_opened(reader, to);
        self.close(reader)?;
        copied
    }

    fn copy_opened(&self, reader: Fd, to: &Path) -> io::Result<u64> {
        let metadata = self.metadata(reader)?;
        if metadata.is_dir() {
            let message = "the source path is neither a regular file nor a symlink to one";
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        let writer = self.open(
            to,
            OpenFlags {
                mode: metadata.mode,
                ..OpenFlags::creating()
            },
        )?;
        let copied = self.copy_bytes(reader, writer, metadata.mode);
        self.close(writer)?;
        copied
    }

    fn copy_bytes(&self, reader: Fd, writer: Fd, mode: u32) -> io::Result<u64> {
        self.set_mode(writer, mode)?;
        let mut chunk = vec![0; COPY_CHUNK];
        let mut copied = 0;
        loop {
            let read = self.read(reader, &mut chunk)?;
            if read == 0 {
                return Ok(copied);
            }
            let mut rest = &chunk[..read];
            while !rest.is_empty() {
                rest = &rest[self.write(writer, rest)?..];
            }
            copied += read as u64;
        }
    }

    /// `std::fs::exists`.
    ///
    /// # Errors
    /// Those of [`stat`](Disk::stat) but for `ENOENT`.
    pub fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.stat(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.stat(path).is_ok_and(|metadata| metadata.is_dir())
    }
}
