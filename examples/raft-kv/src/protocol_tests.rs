//! The protocol core against Raft's own invariants, without network, disk or clock.
//!
//! Each case is a few thousand steps of a small cluster: messages are lost, repeated and
//! reordered, nodes crash and come back with what they had saved, time-outs strike whenever.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Role;
use crate::message::{
    AppendOutcome, AppendRequest, ClientRequest, Command, Entry, Op, PeerReply, PeerRequest,
    VoteRequest,
};
use crate::raft::{Raft, ReadTicket, State};
use crate::wal::Recovered;

const ELECTION: Duration = Duration::from_millis(150);

fn raft(id: u64, size: u64, recovered: Recovered, now: Instant) -> Raft {
    let others = (1..=size).filter(|other| *other != id).collect();
    Raft::new(
        id,
        others,
        ELECTION..2 * ELECTION,
        ELECTION / 3,
        recovered,
        now,
    )
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

enum Message {
    Request(u64, u64, PeerRequest),
    Reply(u64, u64, PeerReply),
}

#[derive(Default)]
struct Disk {
    recovered: Recovered,
}

struct World {
    dice: Dice,
    now: Instant,
    nodes: BTreeMap<u64, Raft>,
    disks: BTreeMap<u64, Disk>,
    wire: Vec<Message>,
    leaders: BTreeMap<u64, u64>,
    /// Every entry that any node knew to be committed.
    committed: Vec<Entry>,
    /// Reads under way: who serves, its ticket, and how much was committed when it began.
    reads: Vec<(u64, ReadTicket, usize)>,
    reads_served: usize,
    proposals: u64,
}

impl World {
    fn new(seed: u64, size: u64) -> Self {
        let now = Instant::now();
        let node = |id| (id, raft(id, size, Recovered::default(), now));
        Self {
            dice: Dice(seed),
            now,
            nodes: (1..=size).map(node).collect(),
            disks: (1..=size).map(|id| (id, Disk::default())).collect(),
            wire: Vec::new(),
            leaders: BTreeMap::new(),
            committed: Vec::new(),
            reads: Vec::new(),
            reads_served: 0,
            proposals: 0,
        }
    }

    fn run(mut self, steps: usize) -> Self {
        for _ in 0..steps {
            self.step();
        }
        self
    }

    fn step(&mut self) {
        let id = 1 + self.dice.below(self.nodes.len() as u64);
        match self.dice.below(100) {
            0..=1 => self.crash(id),
            2..=4 => self.time_out(id),
            5..=12 => self.propose(id),
            13..=17 => self.read(id),
            18..=24 => self.now += ELECTION / 10,
            _ => self.deliver(),
        }
    }

    fn crash(&mut self, id: u64) {
        let saved = &self.disks[&id].recovered;
        let copy = Recovered {
            hard: saved.hard,
            entries: saved.entries.clone(),
            torn_tail: false,
        };
        let fresh = raft(id, self.nodes.len() as u64, copy, self.now);
        self.nodes.insert(id, fresh);
        self.reads.retain(|(server, ..)| *server != id);
    }

    fn time_out(&mut self, id: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        match &mut node.state {
            State::Leader(lead) => lead.heartbeat_at = self.now,
            _ => node.election_at = self.now,
        }
        node.tick(self.now);
        self.flush(id);
    }

    fn propose(&mut self, id: u64) {
        self.proposals += 1;
        let op = Op::Put {
            key: "k".into(),
            value: self.proposals.to_string(),
        };
        let request = ClientRequest {
            client: 1,
            seq: self.proposals,
            op,
        };
        self.nodes
            .get_mut(&id)
            .unwrap()
            .propose(Command::Apply(request));
        self.flush(id);
    }

    fn read(&mut self, id: u64) {
        let committed = self.committed.len();
        if let Some(ticket) = self.nodes.get_mut(&id).unwrap().begin_read() {
            self.reads.push((id, ticket, committed));
        }
        self.flush(id);
    }

    fn deliver(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let at = self.dice.below(self.wire.len() as u64) as usize;
        let message = self.wire.swap_remove(at);
        let fate = self.dice.below(100);
        if fate < 10 {
            return;
        }
        match message {
            Message::Request(from, to, request) => {
                if fate < 15 {
                    self.wire.push(Message::Request(from, to, request.clone()));
                }
                let node = self.nodes.get_mut(&to).unwrap();
                let reply = node
                    .on_request(from, request, self.now)
                    .expect("no conflict");
                self.flush(to);
                self.wire.push(Message::Reply(to, from, reply));
            }
            Message::Reply(from, to, reply) => {
                if fate < 15 {
                    self.wire.push(Message::Reply(from, to, reply.clone()));
                }
                self.nodes
                    .get_mut(&to)
                    .unwrap()
                    .on_reply(from, reply, self.now);
                self.flush(to);
            }
        }
    }

    /// What the node's loop does after a step: replicate, save, then send.
    fn flush(&mut self, id: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        node.replicate(self.now);
        let batch = node.unsaved();
        let saved = &mut self.disks.get_mut(&id).unwrap().recovered;
        saved.hard = batch.hard.unwrap_or(saved.hard);
        if let Some(last) = batch.truncate_after {
            saved.entries.truncate(last as usize);
        }
        saved.entries.extend(batch.entries);
        assert_eq!(saved.entries, node.log.after(0), "disk and memory agree");
        node.mark_saved();
        for term in node.take_elected() {
            let earlier = self.leaders.insert(term, id);
            assert!(
                earlier.is_none(),
                "term {term} has leaders {earlier:?} and {id}"
            );
            let has_all = node.log.after(0).starts_with(&self.committed);
            assert!(
                has_all,
                "leader {id} of term {term} lacks a committed entry"
            );
        }
        let requests = node.take_outbox();
        self.wire
            .extend(requests.map(|(to, it)| Message::Request(id, to, it)));
        self.observe_commit(id);
        self.serve_reads();
    }

    fn observe_commit(&mut self, id: u64) {
        let node = &self.nodes[&id];
        for index in 1..=node.commit {
            let entry = node.log.get(index).expect("committed entries are held");
            match self.committed.get(index as usize - 1) {
                Some(known) => assert_eq!(known, entry, "two entries committed at {index}"),
                None => self.committed.push(entry.clone()),
            }
        }
    }

    fn serve_reads(&mut self) {
        for (id, ticket, before) in std::mem::take(&mut self.reads) {
            let node = &self.nodes[&id];
            if node.commit >= ticket.index && node.read_confirmed(ticket) {
                assert!(
                    node.commit >= before as u64,
                    "a read missed a write committed before it"
                );
                self.reads_served += 1;
            } else {
                self.reads.push((id, ticket, before));
            }
        }
    }
}

#[test]
#[cfg_attr(
    feature = "bug-vote-not-persisted",
    should_panic(expected = "has leaders")
)]
fn invariants_hold_whatever_the_network_does() {
    let mut committed = 0;
    let mut terms = 0;
    let mut reads = 0;
    for seed in 0..60 {
        let world = World::new(seed, 3 + 2 * (seed % 2)).run(4000);
        committed += world.committed.len();
        terms += world.leaders.len();
        reads += world.reads_served;
    }
    assert!(
        committed > 1000 && terms > 100 && reads > 100,
        "{committed} {terms} {reads}"
    );
}

fn vote(pre: bool, term: u64) -> PeerRequest {
    PeerRequest::Vote(VoteRequest {
        pre,
        term,
        last_index: 0,
        last_term: 0,
    })
}

fn heartbeat(term: u64) -> PeerRequest {
    let entries = Vec::new();
    let beat = AppendRequest {
        term,
        prev_index: 0,
        prev_term: 0,
        entries,
        commit: 0,
        round: 1,
    };
    PeerRequest::Append(beat)
}

fn granted(reply: &PeerReply) -> bool {
    matches!(reply, PeerReply::Vote { granted: true, .. })
}

#[test]
fn a_pre_vote_disturbs_nobody_who_hears_a_leader() {
    let now = Instant::now();
    let mut node = raft(1, 3, Recovered::default(), now);
    node.on_request(2, heartbeat(1), now).unwrap();
    let asked = node
        .on_request(3, vote(true, 9), now + ELECTION / 2)
        .unwrap();
    assert!(!granted(&asked));
    let asked = node.on_request(3, vote(true, 9), now + ELECTION).unwrap();
    assert!(
        granted(&asked),
        "the leader has been silent for an election time-out"
    );
    assert_eq!(
        (node.hard.term, node.hard.voted_for),
        (1, None),
        "and nothing was promised"
    );
}

#[test]
fn one_vote_a_term() {
    let now = Instant::now();
    let mut node = raft(1, 3, Recovered::default(), now);
    assert!(granted(&node.on_request(2, vote(false, 4), now).unwrap()));
    assert!(
        granted(&node.on_request(2, vote(false, 4), now).unwrap()),
        "it may ask again"
    );
    assert!(!granted(&node.on_request(3, vote(false, 4), now).unwrap()));
    assert!(granted(&node.on_request(3, vote(false, 5), now).unwrap()));
}

fn elect(node: &mut Raft, now: Instant) {
    node.start_pre_vote(now);
    let campaign = node.hard.term + 1;
    for pre in [true, false] {
        let reply = PeerReply::Vote {
            term: campaign - 1,
            pre,
            campaign,
            granted: true,
        };
        node.on_reply(2, reply, now);
    }
    assert_eq!(node.role(), Role::Leader);
    node.replicate(now);
    node.mark_saved();
}

fn matched(round: u64, matched: u64) -> PeerReply {
    PeerReply::Append {
        term: 1,
        round,
        outcome: AppendOutcome::Matched { matched },
    }
}

#[test]
fn a_read_waits_for_a_round_begun_after_it() {
    let now = Instant::now();
    let mut node = raft(1, 3, Recovered::default(), now);
    elect(&mut node, now);
    node.on_reply(2, matched(1, 1), now);
    assert_eq!(node.commit, 1);
    let ticket = node.begin_read().unwrap();
    node.on_reply(2, matched(1, 1), now);
    node.on_reply(3, matched(1, 1), now);
    assert!(
        !node.read_confirmed(ticket),
        "round 1 was sent before the read came"
    );
    node.replicate(now);
    node.on_reply(3, matched(2, 1), now);
    assert!(node.read_confirmed(ticket));
    node.follow(2, Some(2), now);
    assert!(!node.read_confirmed(ticket));
}

#[test]
fn a_leader_that_nobody_answers_steps_down() {
    let now = Instant::now();
    let mut node = raft(1, 3, Recovered::default(), now);
    elect(&mut node, now);
    node.on_reply(2, matched(1, 1), now);
    node.tick(now + 2 * ELECTION);
    assert_eq!(node.role(), Role::Leader, "node 2 was heard of");
    node.tick(now + 4 * ELECTION);
    assert_eq!((node.role(), node.leader), (Role::Follower, None));
}

#[test]
fn an_answer_to_an_earlier_leadership_confirms_nothing() {
    let now = Instant::now();
    let mut node = raft(1, 3, Recovered::default(), now);
    elect(&mut node, now);
    node.on_reply(2, matched(1, 1), now);
    let ticket = node.begin_read().unwrap();
    node.replicate(now);
    let outcome = AppendOutcome::Stale;
    node.on_reply(
        3,
        PeerReply::Append {
            term: 1,
            round: 99,
            outcome,
        },
        now,
    );
    assert!(!node.read_confirmed(ticket));
}

#[test]
fn an_entry_of_an_earlier_term_is_not_committed_by_counting() {
    let now = Instant::now();
    let mut node = raft(1, 3, Recovered::default(), now);
    let entry = Entry {
        index: 1,
        term: 1,
        command: Command::Noop,
    };
    let inherited = AppendRequest {
        term: 1,
        prev_index: 0,
        prev_term: 0,
        entries: vec![entry],
        commit: 0,
        round: 1,
    };
    node.on_request(3, PeerRequest::Append(inherited), now)
        .unwrap();
    node.mark_saved();
    elect(&mut node, now);
    let held = |matched| PeerReply::Append {
        term: 2,
        round: 1,
        outcome: AppendOutcome::Matched { matched },
    };
    node.on_reply(2, held(1), now);
    assert_eq!(node.commit, 0, "a later leader may still overwrite it");
    node.on_reply(2, held(2), now);
    assert_eq!(node.commit, 2);
}
