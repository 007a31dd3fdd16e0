//! Everything that is said on the wire or written to the log.

use serde::{Deserialize, Serialize};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Set by `put` and `cas`.
    Text(String),
    /// Grown by `append`.
    List(Vec<String>),
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// What the key holds.
    Get {
        /// The key.
        key: String,
    },
    /// Sets the key.
    Put {
        /// The key.
        key: String,
        /// What it holds then.
        value: String,
    },
    /// Sets the key if it holds this.
    Cas {
        /// The key.
        key: String,
        /// What it must hold; nothing, if none.
        from: Option<String>,
        /// What it holds then.
        to: String,
    },
    /// Adds to the end of the key's list.
    Append {
        /// The key.
        key: String,
        /// What is added.
        element: String,
    },
}

impl Op {
    /// The bytes that the operation's strings take.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Get { key } => key.len(),
            Self::Put { key, value } => key.len() + value.len(),
            Self::Cas { key, from, to } => {
                key.len() + from.as_ref().map_or(0, String::len) + to.len()
            }
            Self::Append { key, element } => key.len() + element.len(),
        }
    }
}

/// A request and its identity: a retry carries the same `client` and `seq`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientRequest {
    pub(crate) client: u64,
    pub(crate) seq: u64,
    pub(crate) op: Op,
}

/// What the state machine made of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// What the key holds, to a get.
    Value(Option<Value>),
    /// A put or an append was done.
    Written,
    /// Whether a cas found what it asked for.
    Swapped(bool),
    /// An append to a text; nothing changed.
    WrongType,
    /// The client has since made a later request; what became of this one is forgotten.
    Superseded,
}

/// What a node answers a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done(Outcome),
    /// Nothing was done; the leader, if known, is at this address.
    NotLeader {
        leader: Option<String>,
    },
    /// The node lost its leadership with the request in its log.
    LeadershipLost,
    /// Nothing was done: the operation exceeds [`crate::node::OP_BYTES_MAX`].
    TooLarge,
}

/// An answer, and who gave it to which request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientReply {
    pub(crate) node: u64,
    pub(crate) seq: u64,
    pub(crate) answer: Answer,
}

/// One entry of the replicated log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) command: Command,
}

/// What an entry does to the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Opens a leader's term, so that it may commit what it inherited.
    Noop,
    Apply(ClientRequest),
}

/// RequestVote, with `pre` its dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteRequest {
    pub(crate) pre: bool,
    pub(crate) term: u64,
    pub(crate) last_index: u64,
    pub(crate) last_term: u64,
}

/// AppendEntries; empty, it is a heartbeat. `round` is echoed by the reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppendRequest {
    pub(crate) term: u64,
    pub(crate) prev_index: u64,
    pub(crate) prev_term: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) commit: u64,
    pub(crate) round: u64,
}

/// What one node asks another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PeerRequest {
    Vote(VoteRequest),
    Append(AppendRequest),
}

/// What it is answered; `term` is the answering node's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PeerReply {
    /// `campaign` is the term that the vote was asked for.
    Vote {
        term: u64,
        pre: bool,
        campaign: u64,
        granted: bool,
    },
    Append {
        term: u64,
        round: u64,
        outcome: AppendOutcome,
    },
}

/// What a follower did with an AppendEntries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AppendOutcome {
    /// Its term is newer.
    Stale,
    /// Its log lacks the entry before; try again from `next`.
    Mismatch { next: u64 },
    /// Its log equals the leader's up to `matched`, on disk.
    Matched { matched: u64 },
}

/// The first thing on a connection, and each after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    Peer { from: u64, request: PeerRequest },
    Client(ClientRequest),
}

/// A [`Request`] that is sent from where it is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum RequestRef<'a> {
    Peer { from: u64, request: &'a PeerRequest },
    Client(&'a ClientRequest),
}

/// The answer to each [`Request`], in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    Peer(PeerReply),
    Client(ClientReply),
}
