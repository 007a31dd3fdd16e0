//! Log replication, commitment and read confirmation (Raft, sections 5.3, 5.4.2 and 6.4).

use tokio::time::Instant;
use tracing::warn;

use crate::message::{AppendOutcome, AppendRequest, PeerReply, PeerRequest};
use crate::raft::{CommittedConflict, Raft, ReadTicket, State};

const BATCH_ENTRIES_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 1 << 20;

impl Raft {
    /// Queues what followers need: a round to all when one is due, else new entries to the idle.
    pub(crate) fn replicate(&mut self, now: Instant) {
        let State::Leader(lead) = &mut self.state else {
            return;
        };
        let everyone = lead.round_wanted || now >= lead.heartbeat_at;
        if everyone {
            lead.round += 1;
            lead.round_wanted = false;
            lead.heartbeat_at = now + self.heartbeat;
        }
        for (peer, follower) in &mut lead.followers {
            let behind = follower.next <= self.log.last_index();
            if !(everyone || behind && !follower.in_flight) {
                continue;
            }
            let prev_index = follower.next - 1;
            let entries = self
                .log
                .batch_after(prev_index, BATCH_ENTRIES_MAX, BATCH_BYTES_MAX);
            follower.in_flight = !entries.is_empty();
            let request = AppendRequest {
                term: self.hard.term,
                prev_index,
                prev_term: self.log.term_at(prev_index).unwrap_or(0),
                entries,
                commit: self.commit,
                round: lead.round,
            };
            self.outbox.push((*peer, PeerRequest::Append(request)));
        }
    }

    pub(crate) fn on_append(
        &mut self,
        from: u64,
        request: AppendRequest,
        now: Instant,
    ) -> Result<PeerReply, CommittedConflict> {
        let AppendRequest {
            term,
            prev_index,
            prev_term,
            entries,
            commit,
            round,
        } = request;
        if term < self.hard.term {
            let outcome = AppendOutcome::Stale;
            return Ok(PeerReply::Append {
                term: self.hard.term,
                round,
                outcome,
            });
        }
        if let State::Leader(_) = self.state
            && term == self.hard.term
        {
            warn!("a second leader in my term id={from} term={term}");
        }
        self.follow(term, Some(from), now);
        self.leader_heard = Some(now);
        self.reset_election_timer(now);

        let outcome = if self.log.term_at(prev_index) == Some(prev_term) {
            let matched = prev_index + entries.len() as u64;
            for entry in entries {
                if self.log.term_at(entry.index) == Some(entry.term) {
                    continue;
                }
                self.make_room(entry.index)?;
                self.log.push(entry.term, entry.command);
            }
            self.commit = self.commit.max(commit.min(matched));
            AppendOutcome::Matched { matched }
        } else {
            let next = if prev_index > self.log.last_index() {
                self.log.last_index() + 1
            } else {
                self.log.first_of_term(prev_index)
            };
            AppendOutcome::Mismatch {
                next: next.max(self.commit + 1),
            }
        };
        Ok(PeerReply::Append {
            term: self.hard.term,
            round,
            outcome,
        })
    }

    /// Drops the entries from `index` on, which another leader never committed.
    fn make_room(&mut self, index: u64) -> Result<(), CommittedConflict> {
        if index > self.log.last_index() {
            return Ok(());
        }
        if index <= self.commit {
            return Err(CommittedConflict { index });
        }
        self.log.truncate_after(index - 1);
        self.stable = self.stable.min(index - 1);
        Ok(())
    }

    pub(crate) fn on_append_reply(&mut self, from: u64, round: u64, outcome: AppendOutcome) {
        let State::Leader(lead) = &mut self.state else {
            return;
        };
        let Some(follower) = lead.followers.get_mut(&from) else {
            return;
        };
        if outcome == AppendOutcome::Stale {
            // It answers what this node sent in an earlier term, and `round` counted in that term.
            return;
        }
        follower.heard = true;
        follower.round = follower.round.max(round);
        follower.in_flight = false;
        match outcome {
            AppendOutcome::Stale => {}
            AppendOutcome::Mismatch { next } => {
                let lower = follower.next.saturating_sub(1).min(next);
                follower.next = lower.max(follower.matched + 1);
            }
            AppendOutcome::Matched { matched } => {
                follower.matched = follower.matched.max(matched);
                follower.next = follower.next.max(follower.matched + 1);
                self.advance_commit();
            }
        }
    }

    /// Commits what a quorum holds on disk, if it ends in an entry of this term.
    pub(crate) fn advance_commit(&mut self) {
        let quorum = self.quorum();
        let State::Leader(lead) = &self.state else {
            return;
        };
        let mut held: Vec<u64> = lead.followers.values().map(|each| each.matched).collect();
        held.push(self.stable);
        held.sort_unstable_by(|a, b| b.cmp(a));
        let index = held[quorum - 1];
        if index > self.commit && self.log.term_at(index) == Some(self.hard.term) {
            self.commit = index;
        }
    }

    /// Admits a read. It sees every write acknowledged so far, by this leader or an earlier one.
    pub(crate) fn begin_read(&mut self) -> Option<ReadTicket> {
        let State::Leader(lead) = &mut self.state else {
            return None;
        };
        lead.round_wanted = true;
        Some(ReadTicket {
            term: self.hard.term,
            round: lead.round + 1,
            index: self.commit.max(lead.term_start),
        })
    }

    /// Whether a quorum took this node for its leader after the read was admitted.
    pub(crate) fn read_confirmed(&self, ticket: ReadTicket) -> bool {
        let State::Leader(lead) = &self.state else {
            return false;
        };
        let confirmed = lead
            .followers
            .values()
            .filter(|each| each.round >= ticket.round)
            .count();
        ticket.term == self.hard.term && confirmed + 1 >= self.quorum()
    }
}
