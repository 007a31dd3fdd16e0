//! Files as they are and as they are to be.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::exit::Error;

/// Files by where they are to be.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A text that must be there.
///
/// # Errors
/// Usage, with the place.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::usage(format!("{}: {error}", path.display())))
}

/// What is there now, if anything.
///
/// # Errors
/// Usage when it is there and cannot be read.
pub(super) fn current(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::usage(format!("{}: {error}", path.display()))),
    }
}

/// Writes a file and the folders above it.
///
/// # Errors
/// Usage, with the place.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|error| Error::usage(format!("{} cannot be written: {error}", path.display())))
}

/// Removes a file, if it is there, and the folders above it that it leaves empty, below `root`.
///
/// # Errors
/// Usage, with the place.
pub(super) fn remove(path: &Path, root: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            let message = format!("{} cannot be removed: {error}", path.display());
            return Err(Error::usage(message));
        }
        _ => {}
    }
    let above = path
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != root);
    for folder in above {
        // One that is not empty stays, and so do those above it.
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

/// Every file below a folder that may not be there.
///
/// # Errors
/// Usage, with the place.
pub(super) fn below(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error| Error::usage(format!("{}: {error}", folder.display()));
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            all.extend(below(&path)?);
        } else {
            all.push(path);
        }
    }
    Ok(all)
}
