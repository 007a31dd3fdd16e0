//! Changes to files: planned, made, remembered, taken back.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::exit::Error;

/// Where what `init` did is remembered, from the root.
pub(super) const RECORD: &str = "landfall/init.json";

/// A file as it is to be.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// From the root.
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
    /// Why, in a few words; nothing is said of files that have none.
    pub(super) why: String,
}

/// What was there before a file was first changed, and what was written last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Trace {
    /// `None`: there was no such file.
    before: Option<String>,
    /// A checksum of what was written.
    after: u64,
}

/// What `init` did to a workspace.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    /// Files that were edited or made, by path from the root.
    files: BTreeMap<PathBuf, Trace>,
    /// Whole folders that were made.
    folders: Vec<PathBuf>,
}

const VERSION: u32 = 1;

/// FNV-1a: tells whether a file is still what was written.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("{} cannot be {what}: {error}", path.display()))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

impl Record {
    /// What was remembered; `None` where `init` has not been.
    pub(super) fn load(root: &Path) -> Result<Option<Self>, Error> {
        let path = root.join(RECORD);
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        let record: Self = serde_json::from_slice(&bytes).map_err(|error| {
            Error::usage(format!(
                "{} is no record of `init`: {error}",
                path.display()
            ))
        })?;
        match record.version {
            VERSION => Ok(Some(record)),
            other => Err(Error::usage(format!(
                "{} is of version {other}; this cargo-landfall reads version {VERSION}",
                path.display()
            ))),
        }
    }

    /// Notes a file that cargo is about to change.
    pub(super) fn keep(&mut self, root: &Path, path: &Path) -> Result<(), Error> {
        if self.files.contains_key(path) {
            return Ok(());
        }
        let before = read(&root.join(path))?;
        let before = before.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let trace = Trace { before, after: 0 };
        self.files.insert(path.to_owned(), trace);
        Ok(())
    }

    /// Notes what cargo has made of a file.
    pub(super) fn settle(&mut self, root: &Path, path: &Path) -> Result<(), Error> {
        let now = read(&root.join(path))?.unwrap_or_default();
        if let Some(trace) = self.files.get_mut(path) {
            trace.after = checksum(&now);
        }
        Ok(())
    }

    /// Notes folders that are made whole.
    pub(super) fn own(&mut self, folder: &Path) {
        if !self.folders.iter().any(|other| other == folder) {
            self.folders.push(folder.to_owned());
        }
    }

    fn is_within(&self, path: &Path) -> bool {
        self.folders.iter().any(|folder| path.starts_with(folder))
    }

    /// Makes the changes that are not made yet; gives back what was done, in words.
    pub(super) fn make(
        &mut self,
        root: &Path,
        changes: &[Change],
        dry: bool,
    ) -> Result<Vec<String>, Error> {
        let mut said = Vec::new();
        for change in changes {
            let path = root.join(&change.path);
            let before = read(&path)?;
            if before.as_ref() == Some(&change.content) {
                continue;
            }
            let verb = if before.is_some() { "edit" } else { "write" };
            if !change.why.is_empty() {
                said.push(format!("{verb} {}: {}", change.path.display(), change.why));
            }
            if dry {
                continue;
            }
            if !self.is_within(&change.path) {
                let before = before.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let trace = self
                    .files
                    .entry(change.path.clone())
                    .or_insert(Trace { before, after: 0 });
                trace.after = checksum(&change.content);
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(|error| failed("made", folder, &error))?;
            }
            fs::write(&path, &change.content).map_err(|error| failed("written", &path, &error))?;
        }
        Ok(said)
    }

    /// Remembers.
    pub(super) fn save(&mut self, root: &Path) -> Result<(), Error> {
        self.version = VERSION;
        let path = root.join(RECORD);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::internal(format!("the record cannot be written: {error}")))?;
        fs::write(&path, text + "\n").map_err(|error| failed("written", &path, &error))
    }

    /// Takes everything back, byte for byte; gives back what was done.
    ///
    /// # Errors
    /// When a file has been changed since: then nothing is taken back.
    pub(super) fn undo(&self, root: &Path, dry: bool) -> Result<Vec<String>, Error> {
        let mut changed = Vec::new();
        for (path, trace) in &self.files {
            let now = read(&root.join(path))?;
            let is_ours = now
                .as_deref()
                .is_none_or(|now| checksum(now) == trace.after);
            // Cargo writes its lock as it likes, and again when it is asked.
            if !is_ours && path != Path::new("Cargo.lock") {
                changed.push(format!("  {}", path.display()));
            }
        }
        if !changed.is_empty() {
            return Err(Error::usage(format!(
                "changed since `cargo landfall init`, so nothing is taken back:\n{}\n\
                 help: take `[patch.crates-io] tokio`, the feature `sim` and the dependency \
                 `landfall` out by hand, and delete {RECORD} with its folder",
                changed.join("\n")
            )));
        }
        let mut said = Vec::new();
        for (path, trace) in &self.files {
            let full = root.join(path);
            match &trace.before {
                Some(before) => {
                    said.push(format!("restore {}", path.display()));
                    if !dry {
                        fs::write(&full, before).map_err(|e| failed("written", &full, &e))?;
                    }
                }
                None => {
                    said.push(format!("delete {}", path.display()));
                    if !dry && full.exists() {
                        fs::remove_file(&full).map_err(|e| failed("deleted", &full, &e))?;
                        // A folder that was made for it, and that nobody uses.
                        let _ = full.parent().map(fs::remove_dir);
                    }
                }
            }
        }
        for folder in &self.folders {
            said.push(format!("delete {}/", folder.display()));
            let full = root.join(folder);
            if !dry && full.exists() {
                fs::remove_dir_all(&full).map_err(|e| failed("deleted", &full, &e))?;
            }
        }
        if !dry {
            let record = root.join(RECORD);
            fs::remove_file(&record).map_err(|e| failed("deleted", &record, &e))?;
            let _ = record.parent().map(fs::remove_dir);
        }
        Ok(said)
    }
}
