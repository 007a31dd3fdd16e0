//! The loop that ties protocol, log file and state machine together: step, write, send, apply.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::sync::Arc;

use tokio::select;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{error, warn};

use crate::config::{Config, Elected, Role, Status};
use crate::message::{Answer, ClientRequest, Command, Op, Outcome, PeerReply, PeerRequest};
use crate::raft::{CommittedConflict, Raft, ReadTicket};
use crate::store::Store;
use crate::wal::Wal;

/// The most that the strings of one operation may take.
pub(crate) const OP_BYTES_MAX: usize = 1 << 20;

/// How many inputs may share one write to disk.
const BATCH_INPUTS_MAX: usize = 128;

/// Where requests to one peer go. A newer one replaces an older one that is not sent yet: Raft
/// loses nothing by it, and a dead peer costs no memory.
pub(crate) type Mailbox = watch::Sender<Option<Arc<PeerRequest>>>;

/// What the network brings.
pub(crate) enum Input {
    PeerRequest {
        from: u64,
        request: PeerRequest,
        reply: oneshot::Sender<PeerReply>,
    },
    PeerReply {
        from: u64,
        reply: PeerReply,
    },
    Client {
        request: ClientRequest,
        reply: oneshot::Sender<Answer>,
    },
}

/// One member of the cluster, between recovery and its end.
pub(crate) struct Node {
    config: Config,
    raft: Raft,
    wal: Wal,
    store: Store,
    applied: u64,
    mailboxes: BTreeMap<u64, Mailbox>,
    /// Replies that wait for the disk.
    replies: Vec<(oneshot::Sender<PeerReply>, PeerReply)>,
    /// Proposals in the log, by index, with the term they were made in.
    proposals: BTreeMap<u64, (u64, oneshot::Sender<Answer>)>,
    reads: Vec<(ReadTicket, String, oneshot::Sender<Answer>)>,
    status: watch::Sender<Status>,
}

impl Node {
    pub(crate) fn new(
        config: Config,
        raft: Raft,
        wal: Wal,
        mailboxes: BTreeMap<u64, Mailbox>,
        status: watch::Sender<Status>,
    ) -> Self {
        Self {
            config,
            raft,
            wal,
            store: Store::default(),
            applied: 0,
            mailboxes,
            replies: Vec::new(),
            proposals: BTreeMap::new(),
            reads: Vec::new(),
            status,
        }
    }

    /// Runs until the disk fails, or a committed entry turns out to be in conflict.
    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> io::Result<()> {
        self.publish();
        loop {
            let first = select! {
                input = inputs.recv() => input,
                () = sleep_until(self.raft.next_deadline()) => None,
            };
            let now = Instant::now();
            let mut next = first.or_else(|| inputs.try_recv().ok());
            let mut taken = 0;
            while let Some(input) = next {
                self.step(input, now)?;
                taken += 1;
                next = if taken < BATCH_INPUTS_MAX {
                    inputs.try_recv().ok()
                } else {
                    None
                };
            }
            self.raft.tick(now);
            self.raft.replicate(now);
            self.save().await?;
            self.publish();
            self.send();
            self.apply();
            self.serve_reads();
            self.drop_if_deposed();
            self.publish();
        }
    }

    fn step(&mut self, input: Input, now: Instant) -> io::Result<()> {
        match input {
            Input::PeerRequest {
                from,
                request,
                reply,
            } => {
                let answer = self.raft.on_request(from, request, now).map_err(conflict)?;
                self.replies.push((reply, answer));
            }
            Input::PeerReply { from, reply } => self.raft.on_reply(from, reply, now),
            Input::Client { request, reply } => self.on_client(request, reply),
        }
        Ok(())
    }

    fn on_client(&mut self, request: ClientRequest, reply: oneshot::Sender<Answer>) {
        if self.raft.role() != Role::Leader {
            let _ = reply.send(self.not_leader());
        } else if request.op.size() > OP_BYTES_MAX {
            let _ = reply.send(Answer::TooLarge);
        } else if let Op::Get { key } = request.op {
            if cfg!(feature = "bug-stale-read") {
                let _ = reply.send(Answer::Done(self.store.get(&key)));
            } else if let Some(ticket) = self.raft.begin_read() {
                self.reads.push((ticket, key, reply));
            }
        } else {
            let blind = !matches!(request.op, Op::Cas { .. });
            let Some((index, term)) = self.raft.propose(Command::Apply(request)) else {
                return;
            };
            if cfg!(feature = "bug-ack-before-commit") && blind {
                let _ = reply.send(Answer::Done(Outcome::Written));
            } else {
                self.proposals.insert(index, (term, reply));
            }
        }
    }

    fn not_leader(&self) -> Answer {
        let other = self.raft.leader.filter(|leader| *leader != self.config.id);
        let leader = other.and_then(|leader| self.config.peers.get(&leader).cloned());
        Answer::NotLeader { leader }
    }

    /// Writes what changed. After an error nothing is sent, and nothing is ever sent again.
    async fn save(&mut self) -> io::Result<()> {
        let batch = self.raft.unsaved();
        if !batch.is_empty() {
            let written = self.wal.append(batch).await;
            written.inspect_err(|failure| error!("log not written; stopping: {failure}"))?;
        }
        self.raft.mark_saved();
        Ok(())
    }

    fn publish(&mut self) {
        for term in self.raft.take_elected() {
            if let Some(elections) = &self.config.elections {
                let _ = elections.send(Elected {
                    term,
                    id: self.config.id,
                });
            }
        }
        let current = Status {
            id: self.config.id,
            term: self.raft.hard.term,
            role: self.raft.role(),
            leader: self.raft.leader,
            commit_index: self.raft.commit,
            applied_index: self.applied,
            last_log_index: self.raft.log.last_index(),
        };
        self.status
            .send_if_modified(|status| mem::replace(status, current) != current);
    }

    fn send(&mut self) {
        for (reply, answer) in self.replies.drain(..) {
            let _ = reply.send(answer);
        }
        for (peer, request) in self.raft.take_outbox() {
            if let Some(mailbox) = self.mailboxes.get(&peer) {
                mailbox.send_replace(Some(Arc::new(request)));
            }
        }
    }

    fn apply(&mut self) {
        while self.applied < self.raft.commit {
            let Some(entry) = self.raft.log.get(self.applied + 1) else {
                break;
            };
            let outcome = self.store.apply(&entry.command);
            self.applied = entry.index;
            if let Some((term, reply)) = self.proposals.remove(&entry.index) {
                let ours = term == entry.term;
                let _ = reply.send(if ours {
                    Answer::Done(outcome)
                } else {
                    Answer::LeadershipLost
                });
            }
        }
    }

    fn serve_reads(&mut self) {
        if self.reads.is_empty() {
            return;
        }
        for (ticket, key, reply) in mem::take(&mut self.reads) {
            if self.applied >= ticket.index && self.raft.read_confirmed(ticket) {
                let _ = reply.send(Answer::Done(self.store.get(&key)));
            } else if !reply.is_closed() {
                self.reads.push((ticket, key, reply));
            }
        }
    }

    /// A deposed leader can't say what becomes of its proposals, and its reads never happened.
    fn drop_if_deposed(&mut self) {
        let term = self.raft.hard.term;
        let leading = self.raft.role() == Role::Leader;
        let holds = |proposed: u64| leading && proposed == term;
        let mut terms = self.proposals.values().map(|(proposed, _)| *proposed);
        if terms.all(holds) && self.reads.iter().all(|(ticket, ..)| holds(ticket.term)) {
            return;
        }
        let not_leader = self.not_leader();
        for (index, (proposed, reply)) in mem::take(&mut self.proposals) {
            if holds(proposed) {
                self.proposals.insert(index, (proposed, reply));
            } else {
                let _ = reply.send(Answer::LeadershipLost);
            }
        }
        for (ticket, key, reply) in mem::take(&mut self.reads) {
            if holds(ticket.term) {
                self.reads.push((ticket, key, reply));
            } else {
                let _ = reply.send(not_leader.clone());
            }
        }
    }
}

fn conflict(conflict: CommittedConflict) -> io::Error {
    warn!(
        "committed entry in conflict index={}; stopping",
        conflict.index
    );
    let reason = format!("committed entry {} is in conflict", conflict.index);
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
