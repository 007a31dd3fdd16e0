//! The protocol's state, and the step functions that drive it.
//!
//! Nothing here does I/O or reads a clock: inputs come with the time, and what is to be written
//! ([`Raft::unsaved`]) and sent ([`Raft::take_outbox`]) is left for the node. The node writes
//! before it sends.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::mem;
use std::ops::Range;
use std::time::Duration;
use std::vec::Drain;

use tokio::time::Instant;
use tracing::info;

use crate::config::Role;
use crate::log::Log;
use crate::message::{Command, PeerReply, PeerRequest};
use crate::wal::{Batch, HardState, Recovered};

/// Two logs disagree below a commit index; only a broken promise can bring this about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommittedConflict {
    pub(crate) index: u64,
}

/// One node's view of the protocol.
#[derive(Debug)]
pub(crate) struct Raft {
    pub(crate) id: u64,
    /// Every other member.
    pub(crate) others: Vec<u64>,
    pub(crate) election_timeout: Range<Duration>,
    pub(crate) heartbeat: Duration,
    pub(crate) hard: HardState,
    pub(crate) log: Log,
    pub(crate) commit: u64,
    pub(crate) state: State,
    pub(crate) leader: Option<u64>,
    /// When the leader was last heard of.
    pub(crate) leader_heard: Option<Instant>,
    /// When to seek election, unless leading.
    pub(crate) election_at: Instant,
    /// The log up to here is on disk as it is in memory.
    pub(crate) stable: u64,
    saved: HardState,
    /// How far the log on disk reaches; beyond `stable` it is void.
    saved_last: u64,
    pub(crate) outbox: Vec<(u64, PeerRequest)>,
    pub(crate) elected: Vec<u64>,
}

/// The role, and what only that role keeps.
#[derive(Debug)]
pub(crate) enum State {
    Follower,
    PreCandidate { votes: BTreeSet<u64> },
    Candidate { votes: BTreeSet<u64> },
    Leader(Leadership),
}

/// What a leader knows.
#[derive(Debug)]
pub(crate) struct Leadership {
    pub(crate) followers: BTreeMap<u64, Progress>,
    /// The entry that opened the term.
    pub(crate) term_start: u64,
    /// Numbers the broadcasts of the term; a reply echoes the number it answers.
    pub(crate) round: u64,
    /// A read waits for the next round.
    pub(crate) round_wanted: bool,
    pub(crate) heartbeat_at: Instant,
    pub(crate) quorum_check_at: Instant,
}

/// What a leader knows of one follower.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) next: u64,
    pub(crate) matched: u64,
    pub(crate) round: u64,
    /// Entries are on their way, and not yet answered.
    pub(crate) in_flight: bool,
    /// It was heard of since the last quorum check.
    pub(crate) heard: bool,
}

/// A read may be served when `round` is confirmed and `index` applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadTicket {
    pub(crate) term: u64,
    pub(crate) round: u64,
    pub(crate) index: u64,
}

impl Raft {
    pub(crate) fn new(
        id: u64,
        others: Vec<u64>,
        election_timeout: Range<Duration>,
        heartbeat: Duration,
        recovered: Recovered,
        now: Instant,
    ) -> Self {
        let last = recovered.entries.len() as u64;
        let mut raft = Self {
            id,
            others,
            election_timeout,
            heartbeat,
            hard: recovered.hard,
            log: Log::new(recovered.entries),
            commit: 0,
            state: State::Follower,
            leader: None,
            leader_heard: None,
            election_at: now,
            stable: last,
            saved: recovered.hard,
            saved_last: last,
            outbox: Vec::new(),
            elected: Vec::new(),
        };
        raft.reset_election_timer(now);
        raft
    }

    pub(crate) fn role(&self) -> Role {
        match self.state {
            State::Follower => Role::Follower,
            State::PreCandidate { .. } => Role::PreCandidate,
            State::Candidate { .. } => Role::Candidate,
            State::Leader(_) => Role::Leader,
        }
    }

    pub(crate) fn quorum(&self) -> usize {
        self.others.len().div_ceil(2) + 1
    }

    /// Answers another node. The reply must not be sent before [`Self::unsaved`] is on disk.
    pub(crate) fn on_request(
        &mut self,
        from: u64,
        request: PeerRequest,
        now: Instant,
    ) -> Result<PeerReply, CommittedConflict> {
        match request {
            PeerRequest::Vote(request) => Ok(self.on_vote(from, &request, now)),
            PeerRequest::Append(request) => self.on_append(from, request, now),
        }
    }

    /// Takes another node's answer.
    pub(crate) fn on_reply(&mut self, from: u64, reply: PeerReply, now: Instant) {
        match reply {
            PeerReply::Vote { term, .. } | PeerReply::Append { term, .. }
                if term > self.hard.term =>
            {
                self.follow(term, None, now);
            }
            PeerReply::Vote {
                pre,
                campaign,
                granted,
                ..
            } => {
                if granted {
                    self.on_vote_granted(from, pre, campaign, now);
                }
            }
            PeerReply::Append {
                term,
                round,
                outcome,
            } => {
                if term == self.hard.term {
                    self.on_append_reply(from, round, outcome);
                }
            }
        }
    }

    /// Lets time pass: seeks election, or checks that a quorum still listens.
    pub(crate) fn tick(&mut self, now: Instant) {
        match &self.state {
            State::Leader(lead) if now >= lead.quorum_check_at => self.check_quorum(now),
            State::Leader(_) => {}
            _ if now >= self.election_at => self.start_pre_vote(now),
            _ => {}
        }
    }

    /// When [`Self::tick`] and [`Self::replicate`] next have something to do.
    pub(crate) fn next_deadline(&self) -> Instant {
        match &self.state {
            State::Leader(lead) => lead.heartbeat_at.min(lead.quorum_check_at),
            _ => self.election_at,
        }
    }

    /// Appends a command to the leader's log; its index and term, or none if not leading.
    pub(crate) fn propose(&mut self, command: Command) -> Option<(u64, u64)> {
        let State::Leader(_) = self.state else {
            return None;
        };
        let term = self.hard.term;
        Some((self.log.push(term, command), term))
    }

    /// Steps down to follower of `term`, whose leader may not be known yet.
    pub(crate) fn follow(&mut self, term: u64, leader: Option<u64>, now: Instant) {
        if term > self.hard.term {
            self.hard = HardState {
                term,
                voted_for: None,
            };
            self.leader_heard = None;
        }
        if let State::Leader(_) = self.state {
            info!("stepping down term={term}");
            self.reset_election_timer(now);
        }
        self.state = State::Follower;
        self.leader = leader;
    }

    pub(crate) fn reset_election_timer(&mut self, now: Instant) {
        let Range { start, end } = self.election_timeout;
        let spread = u64::try_from(end.saturating_sub(start).as_micros()).unwrap_or(u64::MAX);
        let extra = RandomState::new().build_hasher().finish() % spread.max(1);
        self.election_at = now + start + Duration::from_micros(extra);
    }

    /// What must be on disk before anything else is said.
    pub(crate) fn unsaved(&self) -> Batch {
        let hard = self.hard != self.saved && !cfg!(feature = "bug-vote-not-persisted");
        Batch {
            hard: hard.then_some(self.hard),
            truncate_after: (self.stable < self.saved_last).then_some(self.stable),
            entries: self.log.after(self.stable).to_vec(),
        }
    }

    /// [`Self::unsaved`] is on disk. A leader counts its own copy from here on.
    pub(crate) fn mark_saved(&mut self) {
        self.saved = self.hard;
        self.saved_last = self.log.last_index();
        if self.stable != self.saved_last {
            self.stable = self.saved_last;
            self.advance_commit();
        }
    }

    pub(crate) fn take_outbox(&mut self) -> Drain<'_, (u64, PeerRequest)> {
        self.outbox.drain(..)
    }

    pub(crate) fn take_elected(&mut self) -> Vec<u64> {
        mem::take(&mut self.elected)
    }
}
