//! A capsule: one file that holds a failure, with everything that it takes to see it again.
//!
//! The first line is the magic word, the version of the format and a checksum of the rest; the
//! rest is JSON. Golden files in `testdata/capsules` hold the format.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};
use sim_runtime::{Checkpoint, Digest, Policy};

use crate::coordinate::Tier;
use crate::script::{PinnedOperation, PinnedWindow, Script};
use crate::swarm::Swarm;

/// What the file begins with.
const MAGIC: &str = "landfall-capsule";

/// The version of the format that is written and read.
pub const VERSION: u32 = 1;

/// Where a package keeps the capsules of its failures, meant to be committed.
pub const DIRECTORY: &str = "landfall-regressions";

/// A failure, ready to be run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capsule {
    /// The version of landfall that wrote it.
    pub landfall: String,
    /// The package of the test.
    pub package: String,
    /// The features that it was built with.
    pub features: Vec<String>,
    /// The test, as libtest has it.
    pub test: String,
    /// The plan's path and the scenario's id, for a test that comes from a plan.
    pub scenario: Option<PlanPlace>,
    /// The revision of the code, if it is known.
    pub revision: Option<String>,
    /// The seed.
    pub seed: u64,
    /// Which budget's duration was run.
    pub tier: Tier,
    /// What the seed drew for the whole run.
    pub drawn: Drawn,
    /// What the run does other than the seed would: empty for a failure as it was found.
    pub script: Script,
    /// What the failing run did, for when the code has changed and the seed means something else.
    pub pinned: Pinned,
    /// What kind of failure it is.
    pub signature: String,
    /// The failure in words.
    pub failure: Vec<String>,
    /// The digest of the failing run, and how many events it covers; none where its process died.
    pub digest: Option<(Digest, u64)>,
    /// The digest along the way.
    pub checkpoints: Vec<Checkpoint>,
}

/// Where a scenario stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanPlace {
    /// The plan's path, from the package.
    pub plan: String,
    /// The hash of its text, sixteen hexadecimal digits.
    pub hash: String,
    /// The scenario's id.
    pub id: String,
}

/// What a seed draws for a whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// How tasks are picked.
    pub policy: Policy,
    /// Everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm: Option<Swarm>,
}

/// Fault windows and operations as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// Every window that opened.
    pub windows: Vec<PinnedWindow>,
    /// Every operation of the workload.
    pub operations: Vec<PinnedOperation>,
}

/// Why a file is no capsule that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCapsule {
    /// It does not begin as one.
    Foreign,
    /// It is of another version of the format.
    Version(String),
    /// It is not what was written.
    Checksum {
        /// What the first line promises.
        promised: String,
        /// What the rest comes to.
        found: String,
    },
    /// The rest cannot be read.
    Contents(String),
}

impl fmt::Display for BadCapsule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => write!(
                f,
                "this is no capsule: its first line does not begin with {MAGIC:?}"
            ),
            Self::Version(version) => write!(
                f,
                "this capsule is of version {version} of the format, and this landfall reads \
                 version {VERSION}: replay it with the release that wrote it, or by its seed"
            ),
            Self::Checksum { promised, found } => write!(
                f,
                "this capsule is damaged: its first line promises checksum {promised} and the \
                 rest comes to {found}; take it from where it was written again"
            ),
            Self::Contents(why) => write!(f, "this capsule cannot be read: {why}"),
        }
    }
}

impl std::error::Error for BadCapsule {}

impl Capsule {
    /// The file's text.
    #[must_use]
    pub fn write(&self) -> String {
        let mut body = serde_json::to_string_pretty(self).expect("plain data has a JSON form");
        body.push('\n');
        format!("{MAGIC} {VERSION} {}\n{body}", checksum(&body))
    }

    /// Reads what [`Capsule::write`] gave.
    ///
    /// # Errors
    /// Whatever else the text is, saying what to do about it.
    pub fn read(text: &str) -> Result<Self, BadCapsule> {
        let (first, body) = text.split_once('\n').ok_or(BadCapsule::Foreign)?;
        let mut words = first.trim_end_matches('\r').split(' ');
        if words.next() != Some(MAGIC) {
            return Err(BadCapsule::Foreign);
        }
        let version = words.next().unwrap_or_default();
        if version != VERSION.to_string() {
            return Err(BadCapsule::Version(version.to_owned()));
        }
        let promised = words.next().unwrap_or_default();
        // A checkout may have given every line another ending.
        let body = body.replace("\r\n", "\n");
        let found = checksum(&body);
        if promised != found {
            let promised = promised.to_owned();
            return Err(BadCapsule::Checksum { promised, found });
        }
        serde_json::from_str(&body).map_err(|error| BadCapsule::Contents(error.to_string()))
    }

    /// A name for its file: the test or scenario, the seed, and what kind of failure it is.
    #[must_use]
    pub fn file_name(&self) -> String {
        let what = match &self.scenario {
            Some(place) => &place.id,
            None => &self.test,
        };
        let reduced = if self.script.is_empty() {
            ""
        } else {
            "-reduced"
        };
        let signature: String = self.signature.chars().take(40).collect();
        format!(
            "{}-{}-{}{reduced}.capsule",
            slug(what),
            self.seed,
            slug(&signature)
        )
    }

    /// The script that does what the failing run did, whatever the seed means by now.
    #[must_use]
    pub fn pinned_script(&self) -> Script {
        Script {
            windows: Some(self.pinned.windows.clone()),
            operations: Some(self.pinned.operations.clone()),
            ..self.script.clone()
        }
    }
}

/// The seeds of the capsules in a directory that failed in this test, in order; none where there is
/// no such directory. They are what is run first.
///
/// # Errors
/// A capsule there cannot be used, or the directory not be read.
pub fn regressions(directory: &Path, test: &str) -> Result<Vec<u64>, String> {
    let all = match fs::read_dir(directory) {
        Ok(all) => all,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut seeds = BTreeSet::new();
    for entry in all {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_none_or(|ending| ending != "capsule") {
            continue;
        }
        let name = path.file_name().unwrap_or_default().display().to_string();
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let capsule = Capsule::read(&text).map_err(|bad| format!("{name}: {bad}"))?;
        if capsule.test == test {
            seeds.insert(capsule.seed);
        }
    }
    Ok(seeds.into_iter().collect())
}

/// Letters, digits and hyphens.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// FNV-1a over the bytes, sixteen hexadecimal digits: it tells damage, not malice.
#[must_use]
pub fn checksum(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}
