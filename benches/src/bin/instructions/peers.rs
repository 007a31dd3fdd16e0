//! The peers' program: built when it is asked for, in its own workspace and with its own flag.

use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_benches::reference::Kind;

use crate::Failure;
use crate::callgrind::Counted;

/// The other simulators, built.
pub(crate) struct Peers {
    program: PathBuf,
    /// `PEER OPERATION`, as the program lists them.
    operations: Vec<String>,
}

impl Peers {
    /// Builds the program beside this one. Some minutes the first time.
    pub(crate) fn build() -> Result<Self, Failure> {
        let broken = |what: String| Failure::Broken(format!("the peers cannot be built: {what}"));
        let this = std::env::current_exe().map_err(|error| broken(error.to_string()))?;
        // `target/release/instructions`.
        let target = this.parent().and_then(Path::parent);
        let target = target.ok_or_else(|| broken("this program is in no folder".to_owned()))?;
        let target = target.join("peers");
        let status = Command::new("cargo")
            .args(["build", "--release", "--locked", "--target-dir"])
            .arg(&target)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers"))
            // It would go before the flag that the folder's configuration sets.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status()
            .map_err(|error| broken(error.to_string()))?;
        if !status.success() {
            return Err(broken(status.to_string()));
        }
        let program = target.join("release").join("peers");
        let listed = Command::new(&program).output();
        let listed = listed.map_err(|error| broken(error.to_string()))?;
        let operations = String::from_utf8_lossy(&listed.stdout);
        let operations = operations.lines().map(str::to_owned).collect();
        Ok(Self {
            program,
            operations,
        })
    }

    /// What one operation of a peer takes; `None` if it has no such operation.
    pub(crate) fn cost(&self, peer: &str, kind: Kind, count: u64) -> Result<Option<u64>, Failure> {
        let operation = match kind {
            Kind::Yield => "yield",
            Kind::Sleep => "sleep",
            Kind::Spawn => "spawn",
            Kind::RoundTrip => "tcp",
            Kind::Message => "message",
            Kind::Select => "select",
            Kind::Timeout => "timeout",
            Kind::RoundTripOfTen | Kind::RoundTripOfThousand => return Ok(None),
        };
        if !self.operations.contains(&format!("{peer} {operation}")) {
            return Ok(None);
        }
        let counted = Counted {
            program: &self.program,
            words: vec![peer.to_owned(), operation.to_owned()],
        };
        counted.per_operation(count).map(Some)
    }
}
