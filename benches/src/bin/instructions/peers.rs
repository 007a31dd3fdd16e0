//! The peers' program: built when it is asked for, in its own workspace and with its own flag.

use std::path::PathBuf;
use std::process::Command;

use landfall_benches::peers;
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
        let broken = |what: String| Failure::Broken(format!("the peers cannot be run: {what}"));
        let program = peers::build().map_err(Failure::Broken)?;
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
            Kind::PageWrite => "page-write",
            Kind::PageRead => "page-read",
            Kind::PageSync => "page-sync",
            Kind::Open => "open",
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
