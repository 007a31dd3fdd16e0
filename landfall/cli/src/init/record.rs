//! What `init` did, kept beside what it made.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::change::current;
use super::manifest::Added;
use crate::exit::Error;

/// The file's name, in the folder of the generated packages.
pub(super) const FILE: &str = "init.json";

/// The form of the file.
const FORMAT: u32 = 1;

/// What `--undo` needs, and the next `init`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    format: u32,
    /// The version of tokio that was put aside.
    pub(super) tokio: String,
    /// The user's files, by their path from the workspace's root.
    pub(super) files: BTreeMap<String, Touched>,
}

/// A file of the user's.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Touched {
    /// Its text before; none if there was no such file.
    pub(super) before: Option<String>,
    /// A fingerprint of what was written last.
    pub(super) after: String,
    /// Whether the user had changed it between two runs of `init`.
    pub(super) edited: bool,
    /// What it has because of `init`.
    pub(super) added: Vec<Added>,
}

impl Record {
    /// An empty one.
    pub(super) fn new(tokio: &str) -> Self {
        Self {
            format: FORMAT,
            tokio: tokio.to_owned(),
            files: BTreeMap::new(),
        }
    }

    /// The one in a folder, if there is one.
    ///
    /// # Errors
    /// Usage when it cannot be understood.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        let Some(bytes) = current(&path)? else {
            return Ok(None);
        };
        let unusable =
            |why: String| Error::usage(format!("{} cannot be used: {why}", path.display()));
        let record: Self =
            serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
        match record.format {
            FORMAT => Ok(Some(record)),
            other => Err(unusable(format!(
                "it is of format {other}, and this command knows 1"
            ))),
        }
    }

    /// The text of the file.
    pub(super) fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("plain data has a JSON form");
        format!("{text}\n")
    }

    /// Notes that a file is written.
    pub(super) fn note(
        &mut self,
        name: &str,
        before: Option<&[u8]>,
        after: &[u8],
        added: Vec<Added>,
    ) {
        let fresh = Touched {
            before: before.map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
            after: fingerprint(after),
            edited: false,
            added,
        };
        match self.files.get_mut(name) {
            None => {
                self.files.insert(name.to_owned(), fresh);
            }
            Some(touched) => {
                touched.edited |= before.is_none_or(|bytes| fingerprint(bytes) != touched.after);
                touched.after = fresh.after;
                for added in fresh.added {
                    if !touched.added.contains(&added) {
                        touched.added.push(added);
                    }
                }
            }
        }
    }
}

/// FNV-1a over 128 bits: tells whether somebody changed a file, and guards against nobody.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for &byte in bytes {
        hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    }
    format!("{hash:032x}")
}
