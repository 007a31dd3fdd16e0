//! Calls on names.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sim_disk::{Disk, OpKind, OpenFlags};
use sim_runtime::{Fd, in_simulation};
use tokio_real::fs as real;

use super::metadata::Metadata;
use super::work::{perform, perform_at};
use crate::fd::SimFd;

/// Permission bits of a new directory, before any mask.
pub(crate) const DIR_MODE: u32 = 0o777;

/// The whole content of a file.
///
/// # Errors
/// As open(2) and read(2).
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    if !in_simulation() {
        return real::read(path).await;
    }
    perform_at(OpKind::Read, path, |disk, path| {
        let fd = SimFd::new(disk.open(path, OpenFlags::reading())?);
        read_to_end(disk, fd.get())
    })
    .await
}

fn read_to_end(disk: &Disk, fd: Fd) -> io::Result<Vec<u8>> {
    let left = usize::try_from(disk.metadata(fd)?.len).unwrap_or(usize::MAX);
    // One more, so that the end is seen without growing.
    let mut bytes = vec![0; left.saturating_add(1)];
    let mut filled = 0;
    loop {
        let n = disk.read(fd, &mut bytes[filled..])?;
        filled += n;
        if n == 0 {
            bytes.truncate(filled);
            return Ok(bytes);
        }
        if filled == bytes.len() {
            bytes.resize(filled * 2, 0);
        }
    }
}

/// The whole content of a file, as text.
///
/// # Errors
/// As [`read`]; `InvalidData` when it is not UTF-8.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    if !in_simulation() {
        return real::read_to_string(path).await;
    }
    String::from_utf8(read(path).await?).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "stream did not contain valid UTF-8",
        )
    })
}

/// Replaces the content of a file, made if it is missing. Synced it is not.
///
/// # Errors
/// As open(2) and write(2).
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    if !in_simulation() {
        return real::write(path, contents).await;
    }
    let contents = contents.as_ref().to_vec();
    perform_at(OpKind::Write, path, move |disk, path| {
        let fd = SimFd::new(disk.open(path, OpenFlags::creating())?);
        let mut left = &contents[..];
        while !left.is_empty() {
            let n = disk.write(fd.get(), left)?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            left = &left[n..];
        }
        Ok(())
    })
    .await
}

/// Makes a directory.
///
/// # Errors
/// As mkdir(2).
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    if !in_simulation() {
        return real::create_dir(path).await;
    }
    perform_at(OpKind::CreateDir, path, |disk, path| {
        disk.create_dir(path, DIR_MODE)
    })
    .await
}

/// Makes a directory and those above it.
///
/// # Errors
/// As mkdir(2), but for one that is there.
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    if !in_simulation() {
        return real::create_dir_all(path).await;
    }
    perform_at(OpKind::CreateDir, path, |disk, path| {
        disk.create_dir_all(path, DIR_MODE)
    })
    .await
}

/// Removes a file's name.
///
/// # Errors
/// As unlink(2).
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    if !in_simulation() {
        return real::remove_file(path).await;
    }
    perform_at(OpKind::Unlink, path, |disk, path| disk.remove_file(path)).await
}

/// Removes an empty directory.
///
/// # Errors
/// As rmdir(2).
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    if !in_simulation() {
        return real::remove_dir(path).await;
    }
    perform_at(OpKind::RemoveDir, path, |disk, path| disk.remove_dir(path)).await
}

/// Removes a directory and all that is in it.
///
/// # Errors
/// As unlink(2) and rmdir(2).
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    if !in_simulation() {
        return real::remove_dir_all(path).await;
    }
    perform_at(OpKind::RemoveDir, path, Disk::remove_dir_all).await
}

/// Makes a call on two paths and waits for it.
async fn perform_at_both<T: Send + 'static>(
    op: OpKind,
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    call: impl FnOnce(&Disk, &Path, &Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (from, to): (PathBuf, PathBuf) = (from.as_ref().to_owned(), to.as_ref().to_owned());
    perform(op, move |disk| call(disk, &from, &to)).await
}

/// Gives a file another name, replacing what has it.
///
/// # Errors
/// As rename(2).
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    if !in_simulation() {
        return real::rename(from, to).await;
    }
    perform_at_both(OpKind::Rename, from, to, |disk, from, to| {
        disk.rename(from, to)
    })
    .await
}

/// Copies a file's content and permission bits.
///
/// # Errors
/// As open(2), read(2) and write(2).
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    if !in_simulation() {
        return real::copy(from, to).await;
    }
    perform_at_both(OpKind::Write, from, to, Disk::copy).await
}

/// Gives a file a second name.
///
/// # Errors
/// As link(2).
pub async fn hard_link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    if !in_simulation() {
        return real::hard_link(from, to).await;
    }
    perform_at_both(OpKind::Link, from, to, |disk, from, to| {
        disk.hard_link(from, to)
    })
    .await
}

/// Makes a symbolic link.
///
/// # Errors
/// As symlink(2).
pub async fn symlink(to: impl AsRef<Path>, path: impl AsRef<Path>) -> io::Result<()> {
    if !in_simulation() {
        return real::symlink(to, path).await;
    }
    perform_at_both(OpKind::Link, to, path, |disk, to, path| {
        disk.symlink(to, path)
    })
    .await
}

/// Where a symbolic link leads.
///
/// # Errors
/// As readlink(2).
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    if !in_simulation() {
        return real::read_link(path).await;
    }
    perform_at(OpKind::Stat, path, |disk, path| disk.read_link(path)).await
}

/// What is known of a file.
///
/// # Errors
/// As stat(2).
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    if !in_simulation() {
        return real::metadata(path).await.map(Metadata::from);
    }
    perform_at(OpKind::Stat, path, |disk, path| disk.stat(path))
        .await
        .map(Metadata::from)
}

/// What is known of a file, or of the symbolic link that it is.
///
/// # Errors
/// As lstat(2).
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    if !in_simulation() {
        return real::symlink_metadata(path).await.map(Metadata::from);
    }
    perform_at(OpKind::Stat, path, |disk, path| disk.symlink_metadata(path))
        .await
        .map(Metadata::from)
}

/// Changes permission bits.
///
/// # Errors
/// As chmod(2).
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    if !in_simulation() {
        return real::set_permissions(path, permissions).await;
    }
    let mode = permissions.mode();
    perform_at(OpKind::SetMode, path, move |disk, path| {
        disk.chmod(path, mode)
    })
    .await
}

/// Whether there is a file of this name.
///
/// # Errors
/// Where that cannot be told.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    if !in_simulation() {
        return real::try_exists(path).await;
    }
    perform_at(OpKind::Stat, path, |disk, path| disk.exists(path)).await
}

/// The one absolute path without dots.
///
/// # Errors
/// As realpath(3).
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    if !in_simulation() {
        return real::canonicalize(path).await;
    }
    perform_at(OpKind::Stat, path, |disk, path| disk.canonicalize(path)).await
}
