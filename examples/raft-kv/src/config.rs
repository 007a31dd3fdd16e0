//! What a node is told, and what it tells about itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

/// How one node is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node's id; a key of `peers`.
    pub id: u64,
    /// Where it accepts peers and clients.
    pub listen: SocketAddr,
    /// Every member, this node included, as `host:port`; resolved anew at each connect.
    pub peers: BTreeMap<u64, String>,
    /// Where the write-ahead log lives; made if absent. One node to a folder.
    pub data_dir: PathBuf,
    /// A follower that hears nothing for a random time in this range seeks election.
    pub election_timeout: Range<Duration>,
    /// How often a leader speaks when it has nothing to say; well below `election_timeout`.
    pub heartbeat: Duration,
    /// Told of every election this node wins, before it acts on it.
    pub elections: Option<mpsc::UnboundedSender<Elected>>,
}

impl Config {
    /// A node with the usual times: elections after 150-300 ms, heartbeats every 50 ms.
    pub fn new(
        id: u64,
        listen: SocketAddr,
        peers: BTreeMap<u64, String>,
        data_dir: PathBuf,
    ) -> Self {
        Self {
            id,
            listen,
            peers,
            data_dir,
            election_timeout: Duration::from_millis(150)..Duration::from_millis(300),
            heartbeat: Duration::from_millis(50),
            elections: None,
        }
    }
}

/// An election won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elected {
    /// The term that was won.
    pub term: u64,
    /// Who won it.
    pub id: u64,
}

/// What a node takes itself for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Follows a leader, or waits for one.
    #[default]
    Follower,
    /// Asks whether an election could be won, without disturbing anyone.
    PreCandidate,
    /// Stands for election.
    Candidate,
    /// Leads its term, as far as it knows.
    Leader,
}

/// Where a node stands; published whenever it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The node.
    pub id: u64,
    /// Its term.
    pub term: u64,
    /// Its role in that term.
    pub role: Role,
    /// Whom it believes to lead.
    pub leader: Option<u64>,
    /// The highest log index it knows to be committed.
    pub commit_index: u64,
    /// The highest log index applied to its store.
    pub applied_index: u64,
    /// The highest log index it holds.
    pub last_log_index: u64,
}
