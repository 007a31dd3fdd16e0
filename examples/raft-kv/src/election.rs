//! Elections: a pre-vote that disturbs nobody, then the vote (Raft, sections 5.2, 5.4.1 and 9.6).

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;
use tracing::{info, warn};

use crate::message::{Command, PeerReply, PeerRequest, VoteRequest};
use crate::raft::{Leadership, Progress, Raft, State};
use crate::wal::HardState;

impl Raft {
    /// Asks whether an election in the next term could be won. Nothing is promised yet.
    pub(crate) fn start_pre_vote(&mut self, now: Instant) {
        info!("leader-lost; starting election term={}", self.hard.term + 1);
        self.leader = None;
        self.state = State::PreCandidate {
            votes: BTreeSet::from([self.id]),
        };
        self.reset_election_timer(now);
        self.request_votes(true, self.hard.term + 1);
        self.count_votes(now);
    }

    fn stand(&mut self, now: Instant) {
        self.hard = HardState {
            term: self.hard.term + 1,
            voted_for: Some(self.id),
        };
        self.state = State::Candidate {
            votes: BTreeSet::from([self.id]),
        };
        self.reset_election_timer(now);
        self.request_votes(false, self.hard.term);
        self.count_votes(now);
    }

    fn request_votes(&mut self, pre: bool, term: u64) {
        let (last_index, last_term) = (self.log.last_index(), self.log.last_term());
        for peer in &self.others {
            let request = VoteRequest {
                pre,
                term,
                last_index,
                last_term,
            };
            self.outbox.push((*peer, PeerRequest::Vote(request)));
        }
    }

    pub(crate) fn on_vote(&mut self, from: u64, request: &VoteRequest, now: Instant) -> PeerReply {
        let &VoteRequest {
            pre,
            term,
            last_index,
            last_term,
        } = request;
        if !pre && term > self.hard.term {
            self.follow(term, None, now);
        }
        let complete = (last_term, last_index) >= (self.log.last_term(), self.log.last_index());
        let granted = if pre {
            term > self.hard.term && complete && !self.leader_is_alive(now)
        } else {
            let free = self.hard.voted_for.is_none_or(|voted| voted == from);
            term == self.hard.term && complete && free
        };
        if granted && !pre {
            self.hard.voted_for = Some(from);
            self.reset_election_timer(now);
        }
        PeerReply::Vote {
            term: self.hard.term,
            pre,
            campaign: term,
            granted,
        }
    }

    /// Whether a leader was heard of so lately that nobody should seek election.
    fn leader_is_alive(&self, now: Instant) -> bool {
        match self.state {
            State::Leader(_) => true,
            _ => {
                self.leader.is_some()
                    && self
                        .leader_heard
                        .is_some_and(|heard| now < heard + self.election_timeout.start)
            }
        }
    }

    pub(crate) fn on_vote_granted(&mut self, from: u64, pre: bool, campaign: u64, now: Instant) {
        match &mut self.state {
            State::PreCandidate { votes } if pre && campaign == self.hard.term + 1 => {
                votes.insert(from);
            }
            State::Candidate { votes } if !pre && campaign == self.hard.term => {
                votes.insert(from);
            }
            _ => return,
        }
        self.count_votes(now);
    }

    fn count_votes(&mut self, now: Instant) {
        match &self.state {
            State::PreCandidate { votes } if votes.len() >= self.quorum() => self.stand(now),
            State::Candidate { votes } if votes.len() >= self.quorum() => self.lead(now),
            _ => {}
        }
    }

    fn lead(&mut self, now: Instant) {
        info!("became leader term={}", self.hard.term);
        let next = self.log.last_index() + 1;
        let fresh = |_: &u64| Progress {
            next,
            matched: 0,
            round: 0,
            in_flight: false,
            heard: false,
        };
        let followers: BTreeMap<_, _> = self.others.iter().map(|id| (*id, fresh(id))).collect();
        self.state = State::Leader(Leadership {
            followers,
            term_start: next,
            round: 0,
            round_wanted: true,
            heartbeat_at: now,
            quorum_check_at: now + self.election_timeout.end,
        });
        self.leader = Some(self.id);
        self.elected.push(self.hard.term);
        self.log.push(self.hard.term, Command::Noop);
    }

    /// A leader that no quorum has answered for a whole election time-out is none.
    pub(crate) fn check_quorum(&mut self, now: Instant) {
        let quorum = self.quorum();
        let State::Leader(lead) = &mut self.state else {
            return;
        };
        let heard = 1 + lead
            .followers
            .values()
            .filter(|follower| follower.heard)
            .count();
        if heard < quorum {
            warn!(
                "no quorum answers; giving up leadership term={}",
                self.hard.term
            );
            self.follow(self.hard.term, None, now);
            return;
        }
        lead.followers
            .values_mut()
            .for_each(|follower| follower.heard = false);
        lead.quorum_check_at = now + self.election_timeout.end;
    }
}
